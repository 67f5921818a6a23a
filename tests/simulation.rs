//! Runs of the whole hub on a simulated disk, network and clock, with peers of every kind, each from one seed.
//!
//! `scripts/simulate --seeds N --from S` runs many.

#[path = "simulation/mod.rs"]
mod stage;

use stage::{Report, run};
use std::env;
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What many runs came to.
#[derive(Default)]
struct Sum {
    runs: u64,
    simulated: Duration,
    messages: usize,
    doubles: usize,
    deaths: usize,
    failed: Vec<(u64, String)>,
}

impl Sum {
    fn add(&mut self, report: &Report) {
        self.runs += 1;
        self.simulated += Duration::from_micros(report.simulated);
        self.messages += report.messages;
        self.doubles += report.doubles;
        self.deaths += report.deaths;
        if !report.wrong.is_empty() {
            let story = format!("{}\n{}", report.trouble, report.wrong.join("\n"));
            self.failed.push((report.seed, story));
        }
    }
}

/// Runs `seeds` seeds from `from` on `jobs` threads.
fn simulate(from: u64, seeds: u64, jobs: usize, show: impl Fn(&Sum) + Sync) -> Sum {
    let next = AtomicU64::new(from);
    let sum = Mutex::new(Sum::default());
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds {
                        return;
                    }
                    let outcome = catch_unwind(|| run(seed));
                    let mut sum = sum.lock().expect("no holder panics");
                    match outcome {
                        Ok(report) => sum.add(&report),
                        Err(_) => sum.failed.push((seed, "it panicked".to_owned())),
                    }
                    show(&sum);
                }
            });
        }
    });
    sum.into_inner().expect("no holder panicked")
}

/// What went wrong, with how to see it again.
fn stories(failed: &[(u64, String)]) -> String {
    let story = |(seed, story): &(u64, String)| {
        format!("seed {seed}: scripts/simulate --seeds 1 --from {seed}\n{story}\n")
    };
    failed.iter().take(20).map(story).collect()
}

#[test]
fn seeds_keep_what_was_promised() {
    let sum = simulate(1, SEEDS, 2, |_| {});

    assert!(sum.failed.is_empty(), "{}", stories(&sum.failed));
    assert!(sum.simulated >= Duration::from_secs(600) * SEEDS as u32);
    assert!(sum.doubles > 0 && sum.deaths > 0, "nothing was tried");
}

/// Whatever depends on anything but the seed can't be looked at twice.
#[test]
fn seed_comes_out_the_same_every_time() {
    for seed in [3, 17, 77, 1234] {
        let [first, second] = [run(seed), run(seed)];

        assert_eq!((first.trace, first.happened), (second.trace, second.happened), "seed {seed}");
    }
}

/// As many seeds as SIMULATE_SEEDS says, from SIMULATE_FROM, on SIMULATE_JOBS threads: for `scripts/simulate`.
#[test]
#[ignore = "scripts/simulate runs it"]
fn campaign() {
    let number =
        |name: &str, usual: u64| env::var(name).ok().map_or(usual, |value| value.parse().expect("a number"));
    let (seeds, from) = (number("SIMULATE_SEEDS", 200), number("SIMULATE_FROM", 1));
    let jobs = number("SIMULATE_JOBS", 2) as usize;
    #[allow(clippy::disallowed_methods)] // how long it takes is what is asked here
    let began = Instant::now();

    let sum = simulate(from, seeds, jobs, |sum| {
        if sum.runs.is_multiple_of(1000) {
            println!("{} seeds, {} failed, {:?}", sum.runs, sum.failed.len(), began.elapsed());
        }
    });

    let took = began.elapsed();
    let Sum { runs, simulated, messages, doubles, deaths, failed } = sum;
    println!("{runs} seeds: {messages} messages, {doubles} doubles, {deaths} ends of the process");
    println!(
        "{:.1} simulated days in {:.1} s on {jobs} threads: {:.0} times real time",
        simulated.as_secs_f64() / 86_400.0,
        took.as_secs_f64(),
        simulated.as_secs_f64() / took.as_secs_f64()
    );
    let seeds: Vec<u64> = failed.iter().map(|(seed, _)| *seed).collect();
    assert!(failed.is_empty(), "{} seeds failed: {seeds:?}\n{}", failed.len(), stories(&failed));
}

/// Seeds of every test run.
const SEEDS: u64 = 200;
