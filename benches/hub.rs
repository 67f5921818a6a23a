//! What a message costs on the whole line, from submission to the receipt taken, on a disk in memory.
//!
//! The peers and the writer of the world around it are in the number too.

#[path = "../tests/world/mod.rs"]
mod world;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use enroute::carrier::Verdict as Word;
use enroute::codec::{MessageState, Status};
use enroute::esme::Verdict;
use world::*;

const BATCH: usize = 100;

fn message_from_submission_to_receipt(c: &mut Criterion) {
    let mut world = World::bound(settings(), BATCH);
    let mut group = c.benchmark_group("hub/line");
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("batches_of_100", |b| {
        let mut number = 0u32;
        b.iter(|| {
            world.submit(&[text("some text of a usual length, as a bench would have it"); BATCH]);
            world.run();
            for (session, dispatch) in std::mem::take(&mut world.dispatches) {
                number += 1;
                let id = number.to_string();
                world.say(session, dispatch.token, Word::Answered(Status::ROK), &id);
                world.receipt(session, number, &id, MessageState::Delivered);
            }
            world.run();
            let delivered = std::mem::take(&mut world.delivered);
            assert_eq!(delivered.len(), BATCH);
            for receipt in delivered {
                world.verdict(receipt.session, receipt.token, Verdict::Taken);
            }
            world.run();
            world.answers.clear();
            world.arrivals_answered.clear();
            world.stats.clear();
        });
    });
    group.finish();
}

criterion_group!(benches, message_from_submission_to_receipt);
criterion_main!(benches);
