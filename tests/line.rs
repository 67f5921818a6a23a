//! The end-to-end bench measures what it says: each kind of run once with tiny figures, and what it makes of them. Never judges speed.
//!
//! The bench's own modules run here, so that they are built and used with every suite.

// What prints for people is the bench's own.
#![allow(dead_code)]

#[path = "../benches/line/bare.rs"]
mod bare;
#[path = "../benches/line/figure.rs"]
mod figure;
#[path = "../benches/line/machine.rs"]
mod machine;
#[path = "../benches/line/page.rs"]
mod page;
#[path = "../benches/line/run.rs"]
mod run;
#[path = "../benches/line/shape.rs"]
mod shape;
mod support;
#[path = "../benches/line/table.rs"]
mod table;
#[path = "../benches/line/world.rs"]
mod world;

use bytes::{BufMut, BytesMut};
use clap::ValueEnum;
use figure::{CPU, Figure, LINES, PATH, RELAY, Reached, SHARE, Unit};
use machine::Beside;
use page::{BEGIN, END, HEAD};
use run::{Commits, Middle, Run};
use shape::{Durability, Pin, Shape};
use std::collections::BTreeSet;
use std::path::PathBuf;
use table::{Row, Scale};
use world::{World, run_once};

#[test]
fn every_row_of_the_table_is_measured_in_small() {
    let _turn = support::alone();
    let scale = Scale {
        rate: 500,
        idle: 20,
        idle_seconds: 0.2,
        binds: vec![1, 12],
        carriers: vec![1, 3],
        parked: [10, 500],
        tenth: 200,
        ..Scale::full(1, 0.2)
    };
    let mut runs = Vec::new();
    let mut figures = Vec::new();

    for row in Row::value_variants() {
        figures.extend(table::measure(*row, &scale, &mut |run| runs.push((*row, run.clone()))));
    }

    let measured: BTreeSet<&str> = figures.iter().map(|figure| figure.line.name).collect();
    assert_eq!(measured, LINES.iter().map(|line| line.name).collect());
    for figure in &figures {
        assert!(figure.values.iter().all(|value| value.is_finite()), "{figure:?}");
        assert_eq!(figure.json()["figure"], figure.line.name);
        let rates = figure.line.unit == Unit::PerSecond;
        assert!(!rates || figure.values.iter().all(|rate| *rate > 0.0), "{figure:?}");
    }
    for (row, run) in runs {
        assert_sane(&run, row != Row::Memory);
    }
}

/// A run has what its kind has, and its report what scripts read; who is answered from memory may be ahead of
/// the first commit.
fn assert_sane(run: &Run, durable: bool) {
    let json = run.json();
    assert_eq!(json["messages"].as_u64(), Some(run.messages), "{json}");
    assert!(run.rss_kib.iter().all(|kib| *kib > 0), "{json}");
    assert!(run.beside.seconds > 0.0, "{json}");
    // Each message was written, unless there were none.
    let wrote = run.commits.is_some_and(|commits| commits.count > 0 && commits.p99_ms >= commits.p50_ms);
    let writes = run.middle == Middle::Hub && run.messages > 0;
    assert!(wrote == writes || (writes && !durable && run.commits.is_none()), "{json}");
    assert_eq!(run.load.is_null(), run.messages == 0, "{json}");
}

/// The options that the table does not use.
#[test]
fn a_run_is_as_its_options_say() {
    let _turn = support::alone();
    let store = support::TempDir::new("store");
    let all = Pin { who: "hub".to_owned(), cpus: "0".to_owned() };
    let shape = Shape {
        seconds: 0.2,
        durability: Durability::Os,
        no_receipts: true,
        store: Some(store.path().to_owned()),
        pin: vec![all],
        ..Shape::default()
    };

    let world = World::start(&shape);
    let stored: Vec<PathBuf> =
        std::fs::read_dir(store.path()).expect("it is there").flatten().map(|entry| entry.path()).collect();
    let run = world.run();
    world.stop();

    assert_eq!(stored.len(), 1, "the hub's store lies where it was told");
    assert!(!stored[0].exists(), "and is gone afterwards");
    assert_eq!(support::figure(&run.load, "receipts"), 0);
    assert!(run.messages > 0);
    let server = run_once(Middle::Server, &Shape { seconds: 0.2, ..Shape::default() });
    assert_eq!((server.commits, support::figure(&server.load, "receipts")), (None, 0));
}

/// Not a test: the bare peer that others start.
#[test]
#[ignore = "started by the other tests as their bare peer"]
fn bare_peer() {
    bare::be_one_if_told();
}

#[test]
fn the_bare_server_answers_whole_requests_and_no_answers() {
    let pdu = |command: u32, sequence: u32| {
        [20, command, 0, sequence, 7].into_iter().flat_map(u32::to_be_bytes).collect::<Vec<u8>>()
    };
    let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
    input.put_slice(&pdu(4, 1));
    input.put_slice(&pdu(0x8000_0005, 2));
    input.put_slice(&pdu(0x15, 3)[..19]);

    bare::answer_all(&mut input, &mut output);

    let submit_sm_resp = [19, 0x8000_0004, 0, 1].into_iter().flat_map(u32::to_be_bytes);
    assert_eq!(output.to_vec(), submit_sm_resp.chain(*b"42\0").collect::<Vec<u8>>());
    assert_eq!(input.len(), 19, "what is not whole waits");
}

#[test]
fn commits_are_those_between_two_scrapes() {
    let scrape = |counts: [u64; 3]| {
        let lines = ["0.001", "0.002", "+Inf"].iter().zip(counts);
        lines
            .map(|(le, count)| format!("enroute_spool_commit_seconds_bucket{{le=\"{le}\"}} {count}\n"))
            .collect::<String>()
    };

    let commits = Commits::between(&scrape([10, 10, 10]), &scrape([10, 109, 110])).expect("a hundred");

    assert_eq!((commits.count, commits.p99_ms), (100, 2.0));
    assert!((commits.p50_ms - (1.0 + 50.0 / 99.0)).abs() < 1e-9, "{commits:?}");
    assert_eq!(Commits::between(&scrape([1, 2, 3]), &scrape([1, 2, 3])), None);
}

fn figure_of(line: &'static figure::Line, values: &[f64]) -> Figure {
    Figure { line, values: values.to_vec(), beside: Beside::default(), remark: String::new() }
}

#[test]
fn a_figure_reaches_its_goal_its_bar_or_neither() {
    assert_eq!(figure_of(&PATH, &[1.0, 300_000.0, 310_000.0]).reached(), Reached::Goal);
    assert_eq!(figure_of(&PATH, &[299_999.0]).reached(), Reached::Bar);
    assert_eq!(figure_of(&PATH, &[119_999.0]).reached(), Reached::Missed);
    assert_eq!(figure_of(&CPU, &[4.0]).reached(), Reached::Goal);
    assert_eq!(figure_of(&CPU, &[8.1]).reached(), Reached::Missed);
    assert_eq!(figure_of(&RELAY, &[1.0]).reached(), Reached::Nothing);
}

#[test]
fn figures_are_shown_to_three_digits() {
    let shown = [1_234_567.0, 265_432.0, 10_000.0, 999.6, 7.0].map(figure::thousands);

    assert_eq!(shown, ["1,230,000", "265,000", "10,000", "1,000", "7"]);
    assert_eq!(SHARE.unit.show(0.3712), "37.1 %");
}

#[test]
fn what_was_not_measured_stays_on_the_page() {
    let page = format!("# Title\n{BEGIN}\n{END}\nThe end.\n");
    let (cpu, path) = (figure_of(&CPU, &[9.0]), figure_of(&PATH, &[130_000.0]));

    let first = page::merge(&page, &[cpu, path], "then", "A machine").expect("marks");
    let second = page::merge(&first, &[figure_of(&CPU, &[3.0])], "now", "A machine").expect("marks");

    let path = "| full path with receipts, fsync, 8 binds, window 100 | 130,000/s | 120,000/s | 300,000/s | bar | 0.00, 0.00 | then |\n";
    let cpu = "| hub CPU per message on that path | 3.0 µs | 8.0 µs | 4.0 µs | goal | 0.00, 0.00 | now |\n";
    assert_eq!(second, format!("# Title\n{BEGIN}\nA machine.\n\n{HEAD}{path}{cpu}{END}\nThe end.\n"));
    assert_eq!(page::merge("# Title\n", &[], "now", ""), None);
}

#[test]
fn the_documentation_has_its_marks() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/benchmarks.md"))
        .expect("it is there");

    assert!(page::merge(&page, &[], "now", "A machine").is_some());
}
