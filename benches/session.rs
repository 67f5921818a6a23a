//! What a window of submissions costs on two sessions back to back, request and answer together.

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use enroute::clock::{Now, UnixMs};
use enroute::codec::{self, Bind, Command, Status, Version};
use enroute::session::{BindKind, Event, Session, Settings, frames};
use std::hint::black_box;
use std::time::Instant;

/// Moves everything that `from` has written to `to`; gives the numbers of the requests in it.
fn carry(from: &mut Session, to: &mut Session, now: Now, asked: &mut Vec<u32>) {
    let mut input = from.transmit().split();
    loop {
        let batch = to.take_frames(&mut input, now);
        if batch.is_empty() {
            return;
        }
        for (_, frame) in frames(&batch) {
            match to.handle(frame, now) {
                Some(Event::Request { sequence, .. }) => asked.push(sequence),
                Some(Event::BindRequested { .. }) => to.accept_bind(b"hub", Version::V34, 1000, 1000, now),
                event => drop(black_box(event)),
            }
        }
    }
}

fn window_of_submissions(c: &mut Criterion) {
    #[allow(clippy::disallowed_methods)] // a bench needs some instant to start from
    let now = Now { mono: Instant::now(), wall: UnixMs(0) };
    let mut group = c.benchmark_group("session/window");
    for window in [1, 10, 100] {
        let settings = Settings { window_in: 1000, window_out: window, ..Settings::default() };
        let (mut esme, mut mc) = (Session::connect(settings, now), Session::serve(settings, now));
        let bind =
            Bind { system_id: b"demo", password: b"secret", interface_version: 0x34, ..Bind::default() };
        let mut asked = Vec::new();
        esme.bind(BindKind::Transceiver, &bind, now);
        carry(&mut esme, &mut mc, now, &mut asked);
        carry(&mut mc, &mut esme, now, &mut asked);
        group.throughput(Throughput::Elements(window as u64));
        group.bench_function(format!("{window}_submits"), |b| {
            b.iter(|| {
                for token in 0..window as u64 {
                    let write = |out: &mut BytesMut| out.extend_from_slice(&[7; 133]);
                    esme.request(Command::SUBMIT_SM, token, now, write).expect("room");
                }
                carry(&mut esme, &mut mc, now, &mut asked);
                for sequence in asked.drain(..) {
                    mc.answer(|out| codec::encode_submit_resp(out, Status::ROK, sequence, b"0123456789"));
                }
                carry(&mut mc, &mut esme, now, &mut asked);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, window_of_submissions);
criterion_main!(benches);
