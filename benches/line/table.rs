//! The whole table: a row for each promise of speed, measured in turn, told with what is wanted of it.

use super::figure::{self, Figure, LINES, Line, median, thousands};
use super::machine::{self, Beside};
use super::page;
use super::run::{Middle, Run};
use super::shape::{Durability, Pin, Shape};
use super::world::{World, run_once};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::ops::Range;
use std::path::PathBuf;

/// What `table` takes.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Rows to measure; all unless said.
    #[arg(value_enum)]
    pub rows: Vec<Row>,
    /// One short run of each, to see that it works: the figures say nothing.
    #[arg(long)]
    pub quick: bool,
    /// Runs of each; the median counts.
    #[arg(long, default_value_t = 5)]
    pub runs: usize,
    /// How long each lasts, in seconds.
    #[arg(long, default_value_t = 10.0)]
    pub seconds: f64,
    /// Write what was measured into this page, between its marks; other rows stay as they are.
    #[arg(long, value_name = "FILE", conflicts_with = "quick")]
    pub page: Option<PathBuf>,
    /// Where the hub's store lies; by default in the build's folder.
    #[arg(long, value_name = "DIRECTORY")]
    pub store: Option<PathBuf>,
    /// Who runs on which processors, such as hub=0 load=1.
    #[arg(long, value_name = "WHO=CPUS", value_parser = super::shape::pin)]
    pub pin: Vec<Pin>,
}

/// A row, or several that come of the same runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Row {
    /// Full path, share of the relay, the hub's CPU.
    Path,
    /// Accept only, durable; the bare server beside it.
    Accept,
    /// Accept only, durability memory.
    Memory,
    /// Window 10, one bind.
    Window,
    /// Latencies at a fixed rate.
    Latency,
    /// Idle sessions.
    Idle,
    /// More and more busy binds.
    Binds,
    /// More and more carriers.
    Carriers,
    /// More and more parked messages.
    Parked,
    /// Memory while messages pass.
    Resident,
}

/// How large everything is.
#[derive(Clone, Debug)]
pub struct Scale {
    pub runs: usize,
    pub seconds: f64,
    /// Messages a second of the latencies.
    pub rate: u32,
    /// Idle sessions, and how long they are watched in seconds.
    pub idle: u32,
    pub idle_seconds: f64,
    pub binds: Vec<u32>,
    pub carriers: Vec<u32>,
    pub parked: [u32; 2],
    /// Messages of each tenth of those that pass while memory is looked at.
    pub tenth: u32,
    pub store: Option<PathBuf>,
    pub pin: Vec<Pin>,
}

impl Scale {
    /// The table as it is meant: the figures count.
    pub fn full(runs: usize, seconds: f64) -> Self {
        Self {
            runs,
            seconds,
            rate: 20_000,
            idle: 10_000,
            idle_seconds: 20.0, // the hub asks each session once in it
            binds: vec![1, 8, 1000],
            carriers: vec![1, 200],
            parked: [1000, 10_000_000],
            tenth: 1_000_000,
            store: None,
            pin: Vec::new(),
        }
    }

    /// One short run of each.
    pub fn quick() -> Self {
        let parked = [1000, 1_000_000];
        Self { idle_seconds: 3.0, parked, tenth: 200_000, ..Self::full(1, 3.0) }
    }
}

/// Measures the rows that are asked for, prints them, and writes them to the page if there is one.
pub fn print(options: &Options, json: bool) {
    let scale = match options.quick {
        true => Scale::quick(),
        false => Scale::full(options.runs, options.seconds),
    };
    let scale = Scale { store: options.store.clone(), pin: options.pin.clone(), ..scale };
    let rows = if options.rows.is_empty() { Row::value_variants() } else { &options.rows };
    let mut figures = Vec::new();
    for row in rows {
        let measured = measure(*row, &scale, &mut |run| match json {
            true => println!("{}", run.json()),
            false => run.print(),
        });
        for figure in measured.iter().filter(|_| !json) {
            println!("{}", figure.cells().join(" | "));
        }
        // At once: what comes later may fail.
        if let Some(page) = &options.page {
            page::rewrite(page, &measured).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        }
        figures.extend(measured);
    }
    if json {
        println!(
            "{}",
            json!({ "figures": figures.iter().map(Figure::json).collect::<Vec<_>>(), "quick": options.quick })
        );
    } else {
        println!("\n{}\n\n{}", machine::describe(), page::table(&figures, "today"));
    }
}

/// Measures one row; tells each run as it ends.
pub fn measure(row: Row, scale: &Scale, tell: &mut dyn FnMut(&Run)) -> Vec<Figure> {
    let base = Shape {
        seconds: scale.seconds,
        store: scale.store.clone(),
        pin: scale.pin.clone(),
        ..Shape::default()
    };
    let mut rounds = |kinds: &[(Middle, Shape)]| {
        let mut all = Vec::new();
        for _ in 0..scale.runs.max(1) {
            let mut round = Vec::new();
            for (middle, shape) in kinds {
                round.push(run_once(*middle, shape));
                round.last().into_iter().for_each(&mut *tell);
            }
            all.push(round);
        }
        Rounds(all)
    };
    let paused = |durability| Shape { paused: true, durability, ..base.clone() };
    match row {
        Row::Path => {
            let rounds = rounds(&[(Middle::Hub, base.clone()), (Middle::Relay, base)]);
            vec![
                rounds.figure(&figure::PATH, |runs| runs[0].messages_per_s),
                rounds.figure(&figure::RELAY, |runs| runs[1].messages_per_s),
                rounds.figure(&figure::SHARE, |runs| runs[0].messages_per_s / runs[1].messages_per_s),
                rounds.figure(&figure::CPU, |runs| runs[0].cpu_us()[1]),
            ]
        }
        Row::Accept => {
            let rounds = rounds(&[(Middle::Hub, paused(Durability::Disk)), (Middle::Server, base)]);
            vec![
                rounds.figure(&figure::ACCEPT, |runs| runs[0].messages_per_s).remark(rounds.refused()),
                rounds.figure(&figure::SERVER, |runs| runs[1].messages_per_s),
            ]
        }
        Row::Memory => {
            let rounds = rounds(&[(Middle::Hub, paused(Durability::Memory))]);
            vec![rounds.figure(&figure::MEMORY, |runs| runs[0].messages_per_s).remark(rounds.refused())]
        }
        Row::Window => {
            let rounds = rounds(&[(Middle::Hub, Shape { binds: 1, window: 10, ..base })]);
            vec![rounds.figure(&figure::WINDOW, |runs| runs[0].messages_per_s)]
        }
        Row::Latency => {
            let rounds = rounds(&[(Middle::Hub, Shape { rate: scale.rate, ..base })]);
            let reached = median(rounds.0.iter().map(|runs| runs[0].messages_per_s));
            let slow = reached < 0.97 * f64::from(scale.rate);
            let remark = if slow { format!("only {}/s", thousands(reached)) } else { String::new() };
            let figure =
                |line, what| rounds.figure(line, |runs| runs[0].latency_ms(what)).remark(remark.clone());
            vec![
                figure(&figure::SUBMIT_P50, "submit_p50"),
                figure(&figure::SUBMIT_P99, "submit_p99"),
                figure(&figure::RECEIPT_P99, "receipt_p99"),
            ]
        }
        Row::Idle => {
            let shape = Shape { binds: 0, idle: scale.idle, seconds: scale.idle_seconds, ..base };
            let rounds = rounds(&[(Middle::Hub, shape)]);
            let each = |[started, _, after]: [u64; 3]| {
                after.saturating_sub(started) as f64 / f64::from(scale.idle.max(1))
            };
            vec![
                rounds.figure(&figure::IDLE_KIB, |runs| each(runs[0].rss_kib)),
                rounds.figure(&figure::IDLE_CPU, |runs| runs[0].cpu_s[1] / runs[0].beside.seconds),
            ]
        }
        Row::Binds => {
            let shape = |binds: &u32| (Middle::Hub, Shape { binds: *binds, ..base.clone() });
            let rounds = rounds(&scale.binds.iter().map(shape).collect::<Vec<_>>());
            vec![rounds.loss(&figure::BINDS, &scale.binds)]
        }
        Row::Carriers => {
            let shape = |carriers: &u32| (Middle::Hub, Shape { carriers: *carriers, ..base.clone() });
            let rounds = rounds(&scale.carriers.iter().map(shape).collect::<Vec<_>>());
            vec![rounds.loss(&figure::CARRIERS, &scale.carriers)]
        }
        Row::Parked => vec![parked(&base, scale, tell)],
        Row::Resident => vec![resident(&base, scale, tell)],
    }
}

/// Two hubs side by side, one with few messages parked and one with many, which take the same traffic in turn: whoever has none is stopped,
/// so that what it still has to tidy up is its own loss and not the other's.
fn parked(base: &Shape, scale: &Scale, tell: &mut dyn FnMut(&Run)) -> Figure {
    let worlds = scale.parked.map(|parked| {
        let world = World::start(&Shape { parked, ..base.clone() });
        world.signal("STOP");
        world
    });
    let mut rounds = Vec::new();
    for _ in 0..scale.runs.max(1) {
        let round = worlds.each_ref().map(|world| {
            world.signal("CONT");
            let run = world.run();
            world.signal("STOP");
            run
        });
        round.iter().for_each(&mut *tell);
        rounds.push(round.to_vec());
    }
    for world in worlds {
        world.signal("CONT");
        world.stop();
    }
    Rounds(rounds).loss(&figure::PARKED, &scale.parked)
}

/// One hub that ten tenths pass through, looked at after each.
fn resident(base: &Shape, scale: &Scale, tell: &mut dyn FnMut(&Run)) -> Figure {
    let world = World::start(base);
    let options = format!("--binds 8 --window 100 --text-len 100 --receipt-wait 300 --count {}", scale.tenth);
    let runs: Vec<Run> = (0..10)
        .map(|_| {
            let run = world.run_with(&options);
            tell(&run);
            run
        })
        .collect();
    world.stop();
    // What is under way when a tenth ends differs: so the middle of three early ones is compared with that of three late ones.
    let mib = runs.iter().map(|run| run.rss_kib[2] as f64 / 1024.0).collect::<Vec<_>>();
    let [early, late] = [1..4, 7..10].map(|tenths: Range<usize>| median(mib[tenths].iter().copied()));
    let each = mib.iter().map(|mib| format!("{mib:.0}")).collect::<Vec<_>>().join(", ");
    let remark = format!("MiB after each million: {each}");
    let beside = Beside::worst(runs.iter().map(|run| run.beside));
    Figure { line: &figure::RESIDENT, values: vec![late / early - 1.0], beside, remark }
}

/// Rounds of runs: in each, one of every kind.
struct Rounds(Vec<Vec<Run>>);

impl Rounds {
    fn figure(&self, line: &'static Line, value: impl Fn(&[Run]) -> f64) -> Figure {
        debug_assert!(LINES.contains(&line), "{} is in the table", line.name);
        let beside = Beside::worst(self.0.iter().flatten().map(|run| run.beside));
        Figure {
            line,
            values: self.0.iter().map(|runs| value(runs)).collect(),
            beside,
            remark: String::new(),
        }
    }

    /// How much less the last kind reached than the best of the others in the same round.
    fn loss(&self, line: &'static Line, sizes: &[u32]) -> Figure {
        let loss = |runs: &[Run]| match runs {
            [others @ .., last] => {
                1.0 - last.messages_per_s
                    / others.iter().map(|run| run.messages_per_s).fold(f64::MIN_POSITIVE, f64::max)
            }
            [] => 0.0,
        };
        let rate = |kind: usize| median(self.0.iter().map(|runs| runs[kind].messages_per_s));
        let rates = sizes
            .iter()
            .enumerate()
            .map(|(kind, size)| format!("{}: {}/s", thousands(f64::from(*size)), thousands(rate(kind))));
        self.figure(line, loss).remark(rates.collect::<Vec<_>>().join(", "))
    }

    /// What the first kind refused for want of room, in words.
    fn refused(&self) -> String {
        let run = |runs: &Vec<Run>| {
            runs[0].load["refused"].as_object().map_or(0, |all| all.values().filter_map(|n| n.as_u64()).sum())
        };
        let refused: u64 = self.0.iter().map(run).sum();
        if refused > 0 {
            format!("{} refused, its queues full", thousands(refused as f64))
        } else {
            String::new()
        }
    }
}

impl Figure {
    fn remark(self, remark: String) -> Self {
        Self { remark, ..self }
    }
}
