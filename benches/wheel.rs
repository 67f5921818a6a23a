//! What a deadline costs.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use enroute::wheel::Wheel;
use std::hint::black_box;

const DEADLINES: u32 = 1_000_000;
/// An hour of 10 ms ticks.
const SPAN: u64 = 360_000;

/// Spreads keys over the span in no order.
fn tick(key: u32) -> u64 {
    1 + u64::from(key).wrapping_mul(0x9E37_79B9_7F4A_7C15) % SPAN
}

fn full() -> Wheel {
    let mut wheel = Wheel::new(0);
    (0..DEADLINES).for_each(|key| wheel.insert(key, tick(key)));
    wheel
}

fn a_million_over_an_hour(c: &mut Criterion) {
    let mut group = c.benchmark_group("wheel/1m_over_an_hour");
    group.sample_size(10);
    group.throughput(Throughput::Elements(u64::from(DEADLINES)));
    group.bench_function("insert", |b| b.iter(|| black_box(full())));
    group.bench_function("cancel", |b| {
        b.iter_batched_ref(
            full,
            |wheel| (0..DEADLINES).filter(|key| wheel.cancel(*key)).count(),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("advance_by_tick", |b| {
        b.iter_batched_ref(
            full,
            |wheel| {
                let mut fired = Vec::with_capacity(DEADLINES as usize);
                for now in 0..=SPAN {
                    while !wheel.advance(now, 1024, &mut fired) {}
                }
                assert_eq!(fired.len(), DEADLINES as usize);
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, a_million_over_an_hour);
criterion_main!(benches);
