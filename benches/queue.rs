//! What it costs to wait for a carrier: a place in its queue, and an urgent message's way past a million others.
//!
//! The second part has no mean worth having, so it prints percentiles instead.

#[path = "../tests/world/mod.rs"]
mod world;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use enroute::carrier::Verdict as Word;
use enroute::codec::{Command, Reading, Sm, Status};
use enroute::hub::{Classes, Guard, Stand, Token};
use enroute::id::AccountId;
use enroute::throttle::{Limits, Rate};
use std::hint::black_box;
use std::time::{Duration, Instant};
use world::*;

/// One message in at the end and one out at the front, while so many accounts wait.
fn enqueue_and_dequeue(c: &mut Criterion) {
    let mut group = c.benchmark_group("hub/queue");
    group.throughput(Throughput::Elements(1));
    for (accounts, each) in [(1, 1_000_000), (100, 100), (10_000, 1), (10_000, 100)] {
        let mut queue = Classes::default();
        let mut number = 0u32;
        let mut put = |queue: &mut Classes, account: u32| {
            number = number.wrapping_add(1);
            let stand = Stand { class: 0, account: AccountId(account as u16), weight: 1 };
            queue.push_back(stand, Token { slot: number, serial: number }, |_| true);
        };
        for place in 0..accounts * each {
            put(&mut queue, place % accounts);
        }
        group.bench_function(BenchmarkId::from_parameter(format!("{accounts}_accounts_{each}_each")), |b| {
            b.iter(|| {
                let (account, _) = queue.front(Guard::default(), |_| false).expect("they wait");
                black_box(queue.pop(1));
                put(&mut queue, account.0.into());
            });
        });
    }
    group.finish();
}

/// From a submission of priority 3 to its hand-over to a link, in the hub's own turns, while a million messages of
/// priority 0 wait for the same carrier; the carrier takes its 1,000 a second.
fn urgent_past_a_million(_: &mut Criterion) {
    const WAITING: usize = 1_000_000;
    const URGENT: usize = 2_000;
    let mut settings = settings();
    settings.accounts[0].queue_max = 2 * WAITING;
    settings.limits.bodies = 10_000;
    settings.carriers[0].carrier.limits =
        Limits { rate: Some(Rate::per_second(1_000)), burst: Some(10), ..Limits::default() };
    let mut world = World::bound(settings, 200);
    let campaign = text("buy one, get one free: only today, only here, as long as there is any left");
    for _ in 0..WAITING / 10_000 {
        world.submit(&vec![campaign; 10_000]);
        world.run();
        world.answers.clear();
    }
    let body = text("your code is 123456").body();
    let sm = Sm::decode(&body, Reading::Lenient).expect("a submission");
    let mut took = Vec::with_capacity(URGENT);
    let tick = Duration::from_millis(1);
    for _ in 0..URGENT {
        answer(&mut world);
        world.now = world.now.after(tick);
        world.hand_in(PORT, Command::SUBMIT_SM, 1, |out| Sm { priority_flag: 3, ..sm }.encode_body(out));
        #[allow(clippy::disallowed_methods)] // a bench may look at the clock
        let begun = Instant::now();
        let mut waited = Duration::ZERO;
        loop {
            world.turn();
            world.commit();
            world.read_back();
            if world.dispatches.iter().any(|(_, dispatch)| said(dispatch).starts_with("your")) {
                break;
            }
            // Its turn comes when the rate lets the next one go.
            if world.inbox.is_empty() {
                (world.now, waited) = (world.now.after(tick), waited + tick);
            }
        }
        took.push(begun.elapsed() + waited);
        world.stats.clear();
    }
    took.sort();
    let at = |share: usize| took[(took.len() - 1) * share / 1000];
    println!(
        "hub/urgent_past_a_million: p50 {:?}, p99 {:?}, p99.9 {:?}, {} still wait",
        at(500),
        at(990),
        at(999),
        world.hub.gauges().carriers[0].queued
    );
}

fn answer(world: &mut World) {
    for (session, dispatch) in std::mem::take(&mut world.dispatches) {
        world.say(session, dispatch.token, Word::Answered(Status::ROK), "1");
    }
    world.answers.clear();
}

criterion_group!(benches, enqueue_and_dequeue, urgent_past_a_million);
criterion_main!(benches);
