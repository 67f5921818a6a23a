//! Messages by the million that wait in a real hub, and how punctually those leave that fall due.
//!
//! ```text
//! cargo bench --bench park -- [--messages 10000000] [--binds 8] [--window 100] [--runs 3] [--kill] [--json]
//! cargo bench --bench park -- --lateness [--due-per-second 50000] [--seconds 5] [--busy-rate 30000] [--json]
//! ```
//!
//! The first parks scheduled messages over SMPP, in tenths, and says how fast each tenth was taken beside what an empty hub takes
//! in the same run; what the hub's memory grew by; and how long it takes after a stop (or a kill) until it accepts again and
//! has them all. The second lets messages fall due, evenly and by the tenth of a second at once, on a hub with nothing else to do and
//! beside a load; how late they were is the carrier's word.

#[path = "../tests/support/mod.rs"]
mod support;

use clap::Parser;
use serde_json::json;
use std::fs;
use std::time::{Duration, Instant};
use support::{Hub, Setup, figure, finish_load};

/// What is parked or falls due.
#[derive(Clone, Debug, Parser)]
struct Options {
    /// Messages to park.
    #[arg(long, default_value_t = 10_000_000)]
    messages: u64,
    /// Sessions that load binds.
    #[arg(long, default_value_t = 8)]
    binds: u32,
    /// Unanswered submits per session.
    #[arg(long, default_value_t = 100)]
    window: u32,
    /// Links of the hub to the carrier.
    #[arg(long, default_value_t = 8)]
    links: u32,
    /// Octets of text in each message.
    #[arg(long, default_value_t = 100)]
    text_len: u32,
    /// Runs on an empty hub, of a tenth each or half a million; the median is what the rest is compared with.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// End the hub by SIGKILL instead of SIGTERM.
    #[arg(long)]
    kill: bool,
    /// Let messages fall due instead, and see how late they leave.
    #[arg(long)]
    lateness: bool,
    /// Messages that fall due in a second.
    #[arg(long, default_value_t = 50_000)]
    due_per_second: u64,
    /// For how many seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// With --lateness: unanswered submits per link, which all that falls due in a tenth of a second shares.
    #[arg(long, default_value_t = 500)]
    link_window: u32,
    /// Messages a second that another load submits meanwhile, each with a receipt.
    #[arg(long, default_value_t = 30_000)]
    busy_rate: u32,
    /// Seconds from the first submission to the first that is due: all must be in by then.
    #[arg(long, default_value_t = 20)]
    lead: u64,
    /// Print JSON objects instead of prose.
    #[arg(long)]
    json: bool,
    /// What cargo bench adds to every bench's command line.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let options = Options::parse();
    if !options.bench {
        // `cargo test --benches` and the like only want to know that it builds.
        println!("run me with cargo bench --bench park");
        return;
    }
    if options.lateness {
        for pattern in [Pattern::Evenly, Pattern::Tenths] {
            lateness(&options, pattern, None);
            lateness(&options, pattern, Some(options.busy_rate));
        }
    } else {
        park(&options);
    }
}

/// A world whose account may fill the hub.
fn world(name: &str, options: &Options) -> (Setup, String) {
    let Options { window, links, link_window, .. } = *options;
    let setup = Setup { window, links, link_window, ..Setup::new(name) };
    let config = setup.config_text().replace("[[carrier]]", "queue_max = 20000000\n[[carrier]]");
    (setup, config)
}

/// Submits messages that are due in a month; gives how many a second were taken.
fn fill(setup: &Setup, options: &Options, count: u64) -> f64 {
    let Options { binds, window, text_len, .. } = options;
    let load = setup.run_load(&format!(
        "--binds {binds} --window {window} --count {count} --text-len {text_len} --no-receipts --schedule-in {MONTH_S}"
    ));
    assert_eq!(figure(&load, "accepted"), count, "{load}");
    load["messages_per_s"].as_f64().unwrap_or_else(|| panic!("no rate in {load}"))
}

fn park(options: &Options) {
    let tenth = options.messages / 10;
    let empty = median((0..options.runs.max(1)).map(|_| {
        let (setup, config) = world("empty", options);
        let hub = Hub::start(setup.dir.path(), &config);
        let rate = fill(&setup, options, tenth.clamp(1000, 500_000));
        hub.kill();
        rate
    }));
    let (setup, config) = world("park", options);
    let hub = Hub::start(setup.dir.path(), &config);
    fill(&setup, options, 1000);
    let before = memory(&hub);
    let mut rates = Vec::new();
    for _ in 0..10 {
        rates.push(fill(&setup, options, tenth));
    }
    let after = memory(&hub);
    let parked = 1000 + 10 * tenth;
    // Gauges are shown four times a second.
    hub.process.until("all to be there", PATIENCE, || there(&hub) == parked);

    let stop = clock();
    match options.kill {
        true => hub.kill(),
        false => assert_eq!(hub.terminate(), Some(0)),
    }
    let stopped_s = stop.elapsed().as_secs_f64();
    let start = clock();
    let hub = Hub::start(setup.dir.path(), &config);
    fill(&setup, options, 1);
    let accepts_s = start.elapsed().as_secs_f64();
    while there(&hub) < parked + 1 {
        assert!(start.elapsed() < PATIENCE, "{} of {parked} are there", there(&hub));
        std::thread::sleep(Duration::from_millis(50));
    }
    let complete_s = start.elapsed().as_secs_f64();
    let restarted = memory(&hub);
    let log_octets = hub.metric("enroute_spool_bytes{what=\"all\"}").unwrap_or_default();
    hub.kill();

    let mean = 10.0 / rates.iter().map(|rate| 1.0 / rate).sum::<f64>();
    let octets = |end: Memory| (end.rss_kib - before.rss_kib) as f64 * 1024.0 / parked as f64;
    if options.json {
        let memory = [before, after, restarted].map(|memory| json!([memory.rss_kib, memory.hwm_kib]));
        println!(
            "{}",
            json!({
                "parked": parked, "empty_per_s": empty, "tenths_per_s": rates, "mean_per_s": mean,
                "rss_and_hwm_kib_before_after_restarted": memory, "octets_a_message": octets(after),
                "stopped_s": stopped_s, "accepts_s": accepts_s, "complete_s": complete_s, "killed": options.kill,
                "log_octets": log_octets,
            })
        );
        return;
    }
    let share = |rate: f64| format!("{rate:>9.0} messages/s   {:.2} of an empty hub's", rate / empty);
    println!("an empty hub takes   {empty:>9.0} messages/s");
    println!("the first tenth      {}", share(rates[0]));
    println!("all {parked:<10}       {}", share(mean));
    println!("the last tenth       {}", share(rates[9]));
    let row =
        |memory: Memory| format!("{:>7} MiB   at most {} MiB", memory.rss_kib >> 10, memory.hwm_kib >> 10);
    println!("resident before      {}", row(before));
    println!("resident after       {}   {:.1} octets a message", row(after), octets(after));
    println!("resident restarted   {}   {:.1} octets a message", row(restarted), octets(restarted));
    println!("the log              {:>7} MiB", log_octets as u64 >> 20);
    println!("stopped in           {stopped_s:>7.2} s{}", if options.kill { " (SIGKILL)" } else { "" });
    println!("accepts again after  {accepts_s:>7.2} s");
    println!("has them all after   {complete_s:>7.2} s");
}

/// How messages that are due in one second lie in it.
#[derive(Clone, Copy)]
enum Pattern {
    /// Each as long after it was submitted as all others: what they take to reach the hub counts as late.
    Evenly,
    /// At set times, a tenth of them in the same instant.
    Tenths,
}

/// Lets messages fall due, beside `busy` others a second.
fn lateness(options: &Options, pattern: Pattern, busy: Option<u32>) {
    let Options { binds, window, text_len, due_per_second, seconds, lead, .. } = *options;
    let (pattern, how) = match pattern {
        Pattern::Evenly => ("evenly", format!("--rate {due_per_second} --say-due")),
        Pattern::Tenths => ("ten times a second", format!("--due-per-second {due_per_second}")),
    };
    let (setup, config) = world("late", options);
    let smsc = setup.start_smsc("");
    let hub = Hub::start(setup.dir.path(), &config);
    let count = due_per_second * seconds;
    let timed = setup.start_load(&format!(
        "--binds {binds} --window {window} --count {count} --text-len {text_len} --no-receipts --schedule-in {lead} \
         {how}"
    ));
    let start = clock();
    let timed = finish_load(timed);
    assert_eq!(figure(&timed, "accepted"), count, "{timed}");
    let in_after = start.elapsed().as_secs_f64();
    assert!(in_after < lead as f64 - 2.0, "{in_after} s to submit: choose a longer --lead");
    let beside = busy.map(|rate| {
        let span = lead as f64 - in_after + seconds as f64 + 2.0;
        setup.start_load(&format!(
            "--binds {binds} --window {window} --rate {rate} --seconds {span:.1} --text-len {text_len}"
        ))
    });
    let patience = Duration::from_secs(lead + seconds) + PATIENCE;
    hub.process.until("all to have left", patience, || {
        start.elapsed().as_secs() > lead + seconds && place(&hub, "timed") == 0
    });
    let beside = beside.map(finish_load);
    let cpu_s = hub.process.cpu_s();
    hub.kill();
    let report = smsc.stop();
    assert_eq!(figure(&report, "timed"), count, "{report}");
    let [early, p50, p99, max] =
        ["early", "late_p50_ms", "late_p99_ms", "late_max_ms"].map(|key| figure(&report, key));
    let rate = beside.as_ref().and_then(|load| load["messages_per_s"].as_f64());
    if options.json {
        println!(
            "{}",
            json!({
                "due_per_s": due_per_second, "pattern": pattern, "messages": count, "beside_per_s": rate, "early": early,
                "late_p50_ms": p50, "late_p99_ms": p99, "late_max_ms": max, "hub_cpu_s": cpu_s,
            })
        );
        return;
    }
    let beside = rate.map_or("nothing else".to_owned(), |rate| format!("{rate:.0} others a second"));
    println!(
        "{due_per_second} a second due for {seconds} s, {pattern}, beside {beside}: late p50 {p50} ms, p99 {p99} ms, longest {max} ms; \
         {early} early"
    );
}

/// Messages that are in the hub.
fn there(hub: &Hub) -> u64 {
    place(hub, "all")
}

fn place(hub: &Hub, place: &str) -> u64 {
    let text = hub.scrape();
    let start = format!("enroute_messages{{place=\"{place}\"}} ");
    let number = text.lines().find_map(|line| line.strip_prefix(&start));
    number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no {start} in {text}"))
}

/// Resident memory of a process, in KiB: now, and the most so far.
#[derive(Clone, Copy)]
struct Memory {
    rss_kib: u64,
    hwm_kib: u64,
}

fn memory(hub: &Hub) -> Memory {
    let path = format!("/proc/{}/status", hub.process.pid());
    let status = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let figure = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
        number.unwrap_or_else(|| panic!("no {key} in {path}"))
    };
    Memory { rss_kib: figure("VmRSS:"), hwm_kib: figure("VmHWM:") }
}

/// Reads the clock: this is a bench.
#[allow(clippy::disallowed_methods, reason = "a bench measures real time")]
fn clock() -> Instant {
    Instant::now()
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = figures.collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

const MONTH_S: u32 = 30 * 86_400;
/// How long what must come may take.
const PATIENCE: Duration = Duration::from_secs(120);
