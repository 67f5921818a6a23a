//! What screening costs a submission: nothing said, numbers into one form, and a list of ten million.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use enroute::codec::Address;
use enroute::screening::{Common, DialRule, Dialling, Numbers, NumbersBuilder, Policy, screen};
use std::hint::black_box;
use std::sync::Arc;

const SOURCE: Address<'_> = Address { ton: 1, npi: 1, addr: b"447700900100" };

fn rule(prefix: &str, replace: &str) -> DialRule {
    DialRule {
        prefix: prefix.to_owned(),
        ton: None,
        digits: 1..=20,
        replace: replace.to_owned(),
        becomes: (1, 1),
        of_sources: false,
        of_destinations: true,
    }
}

/// So many numbers, drawn by lot, as a list and as digits.
fn numbers(count: usize) -> (Numbers, Vec<String>) {
    let mut random = fastrand::Rng::with_seed(7);
    let all: Vec<String> =
        (0..count).map(|_| random.u64(440_000_000_000..450_000_000_000).to_string()).collect();
    let mut builder = NumbersBuilder::default();
    all.iter().for_each(|number| builder.take(number.as_bytes()).expect("a number"));
    (builder.finish(), all)
}

fn addresses_of_one_submission(c: &mut Criterion) {
    let mut group = c.benchmark_group("screening/screen");
    let dialling = Dialling::new([rule("+", ""), rule("00", ""), rule("0", "44")]);
    let british = Common { dialling, ..Common::default() };
    for (name, common, written) in [
        ("nothing_said", Common::default(), "447700900123"),
        ("already_in_form", british.clone(), "447700900123"),
        ("into_form", british, "07700900123"),
    ] {
        let destination = Address { ton: 0, npi: 0, addr: written.as_bytes() };
        group.bench_function(name, |b| {
            b.iter(|| screen(black_box(&common), &Policy::default(), &SOURCE, black_box(&destination)));
        });
    }
    group.finish();
}

/// Each number is looked for once before any is again: what is measured is memory, not the cache.
fn one_number_among_many(c: &mut Criterion) {
    let mut group = c.benchmark_group("screening/holds");
    for count in [100_000, 10_000_000] {
        let (numbers, all) = numbers(count);
        println!("{count} numbers: {:.1} octets each", numbers.octets() as f64 / numbers.len() as f64);
        let numbers = Arc::new(numbers);
        let mut random = fastrand::Rng::with_seed(8);
        let mut place = 0;
        group.bench_function(format!("{count}_there"), |b| {
            b.iter(|| {
                place = (place + 7_919) % all.len();
                numbers.holds(black_box(all[place].as_bytes()))
            });
        });
        group.bench_function(format!("{count}_not_there"), |b| {
            let strange = || random.u64(460_000_000_000..470_000_000_000).to_string();
            b.iter_batched(strange, |number| numbers.holds(number.as_bytes()), BatchSize::SmallInput);
        });
    }
    group.finish();
}

criterion_group!(benches, addresses_of_one_submission, one_number_among_many);
criterion_main!(benches);
