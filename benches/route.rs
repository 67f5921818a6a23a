//! What a decision costs: by how many rules and prefixes there are, beside walking a `BTreeMap` of prefixes; and what the tables take.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use enroute::clock::UnixMs;
use enroute::codec::{Address, Sm};
use enroute::id::{AccountId, CarrierId};
use enroute::route::{
    Case, Dice, Draft, Group, GroupKind, Pattern, Prefix, Routes, Row, Rule, Standing, Target, Tried, Turns,
};
use std::collections::BTreeMap;
use std::hint::black_box;

/// Rules of all kinds: each has its share of the prefixes, some are for certain accounts, sources, codings or priorities.
fn draft(rules: usize, prefixes: usize, seed: u64) -> Draft {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut sets: Vec<Vec<Row>> = vec![Vec::new(); rules];
    for (place, prefix) in prefix_set(prefixes, seed).into_iter().enumerate() {
        let prefix = Prefix::read(&prefix).expect("digits");
        // Every tenth names its own carrier.
        let target = place.is_multiple_of(10).then(|| Target::Carrier(CarrierId(random.u16(0..50))));
        sets[random.usize(0..rules)].push(Row { prefix, target, origin: 0 });
    }
    let rules = sets.into_iter().enumerate().map(|(place, rows)| {
        let mut rule = Rule::new(&format!("rule {place}"), Some(Target::Group(random.u16(0..20))));
        // The last one is for all that is left.
        if place + 1 < rules {
            rule.prefixes = vec![rows.into()];
        }
        match place % 8 {
            0 => rule.accounts = Some((0..20).map(|_| AccountId(random.u16(0..1000))).collect()),
            1 => rule.sources = vec![Pattern::new(&format!("SENDER{}", random.u8(..)))],
            2 => rule.codings = vec![8],
            3 => rule.priorities = vec![3],
            _ => {} // for all
        }
        rule
    });
    let rules = rules.collect();
    let kinds = [GroupKind::Failover, GroupKind::Weighted, GroupKind::RoundRobin, GroupKind::LeastLoaded];
    let groups = (0..20).map(|place| Group {
        name: format!("group {place}"),
        kind: kinds[place % kinds.len()],
        members: (0..4).map(|_| (Target::Carrier(CarrierId(random.u16(0..50))), 1)).collect(),
    });
    Draft { accounts: 1000, rules, groups: groups.collect(), ..Draft::default() }
}

/// Different prefixes of 5 to 9 digits.
fn prefix_set(count: usize, seed: u64) -> Vec<String> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut known = std::collections::BTreeSet::new();
    while known.len() < count {
        let length = random.u32(5..=9);
        known.insert(random.u32(10u32.pow(length - 1)..10u32.pow(length)).to_string());
    }
    let mut all: Vec<String> = known.into_iter().collect();
    random.shuffle(&mut all);
    all
}

/// Numbers of 12 digits, half of which begin with one of those prefixes.
fn numbers(prefixes: usize, seed: u64) -> Vec<[u8; 12]> {
    let set = prefix_set(prefixes, seed);
    let mut random = fastrand::Rng::with_seed(seed ^ 1);
    let number = |place: usize| {
        let head =
            if place.is_multiple_of(2) { set[random.usize(..set.len())].clone() } else { String::new() };
        let mut number = [0; 12].map(|_: u8| b'1' + random.u8(0..9));
        number[..head.len()].copy_from_slice(head.as_bytes());
        number
    };
    (0..65_536).map(number).collect()
}

fn case<'a>(sm: &'a Sm<'a>, place: usize) -> Case<'a> {
    let account = AccountId((place * 7 % 1000) as u16);
    Case { account, sm, segments: 1, due: UnixMs(1_790_000_000_000), dice: Dice::OfSerial(place as u64) }
}

fn message(number: &[u8]) -> Sm<'_> {
    Sm {
        source: Address { ton: 5, npi: 0, addr: b"SENDER17" },
        destination: Address { ton: 1, npi: 1, addr: number },
        ..Sm::default()
    }
}

fn decide(c: &mut Criterion) {
    let mut group = c.benchmark_group("route/decide");
    group.throughput(Throughput::Elements(1));
    for (name, rules, prefixes) in
        [("10_rules_1k", 10, 1_000), ("1000_rules_100k", 1000, 100_000), ("1000_rules_1m", 1000, 1_000_000)]
    {
        let written = draft(rules, prefixes, 7);
        let routes = written.build().expect("sound");
        println!("{name}_prefixes: {:.1} octets a prefix", routes.octets() as f64 / prefixes as f64);
        let numbers = numbers(prefixes, 7);
        let mut place = 0;
        group.bench_function(format!("{name}_prefixes"), |bench| {
            bench.iter(|| {
                place = (place + 1) % numbers.len();
                black_box(routes.decide(&case(&message(&numbers[place]), place)))
            });
        });
    }
    group.finish();
}

/// What a first attempt at this would do: the longest prefix by asking a map for each, no other conditions.
fn rival(c: &mut Criterion) {
    let mut group = c.benchmark_group("route/btreemap_walk");
    for prefixes in [100_000, 1_000_000] {
        let map: BTreeMap<String, u16> = prefix_set(prefixes, 7).into_iter().zip((0..1000).cycle()).collect();
        let numbers = numbers(prefixes, 7);
        let mut place = 0;
        group.bench_function(format!("{prefixes}_prefixes"), |bench| {
            bench.iter(|| {
                place = (place + 1) % numbers.len();
                let number = std::str::from_utf8(&numbers[place]).unwrap_or_default();
                black_box((1..=number.len()).rev().find_map(|length| map.get(&number[..length])))
            });
        });
    }
    group.finish();
}

fn next(c: &mut Criterion) {
    let routes = draft(1000, 100_000, 7).build().expect("sound");
    let numbers = numbers(100_000, 7);
    let mut turns = Turns::of_all(&routes);
    let standing = |carrier: CarrierId| Standing { usable: !carrier.0.is_multiple_of(5), load: carrier.0 };
    let mut place = 0;
    c.bench_function("route/next/group_of_4", |bench| {
        bench.iter(|| {
            place = (place + 1) % numbers.len();
            let sm = message(&numbers[place]);
            let case = case(&sm, place);
            let route = routes.decide(&case)?;
            routes.next(route, &numbers[place], Tried::default(), case.dice, &mut turns, standing)
        });
    });
}

fn build(c: &mut Criterion) {
    let mut group = c.benchmark_group("route/build");
    group.sample_size(10);
    let written = draft(1000, 1_000_000, 7);
    group.bench_function("1m_prefixes", |bench| {
        bench.iter_batched(
            || written.clone(),
            |draft: Draft| -> Routes { draft.build().expect("sound") },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, decide, rival, next, build);
criterion_main!(benches);
