//! What one run gave, in figures.

use super::machine::Beside;
use super::support::figure;
use serde_json::{Value, json};

/// Who stands between load and carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Middle {
    Hub,
    /// Passes octets, and knows nothing of SMPP: what sockets, load and carrier leave of the machine.
    Relay,
    /// Answers, and knows nothing but lengths: what sockets and load leave.
    Server,
}

/// What one run gave.
#[derive(Clone, Debug)]
pub struct Run {
    pub middle: Middle,
    /// Messages that were accepted, a second, to the last receipt if there are any.
    pub messages_per_s: f64,
    pub messages: u64,
    /// CPU of load, of what stands in the middle and of smsc, in seconds.
    pub cpu_s: [f64; 3],
    pub beside: Beside,
    /// Resident memory of what stands in the middle, in KiB: when it had started, before the run, after it.
    pub rss_kib: [u64; 3],
    pub commits: Option<Commits>,
    /// What load reported; null if there was none.
    pub load: Value,
}

/// Writes and syncs of the hub's store during a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Commits {
    pub count: u64,
    /// How long they took, in milliseconds, interpolated between the bounds of the hub's histogram.
    pub p50_ms: f64,
    pub p99_ms: f64,
}

impl Middle {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hub => "hub",
            Self::Relay => "relay",
            Self::Server => "server",
        }
    }
}

impl Run {
    /// CPU per message in µs: load, middle, smsc.
    pub fn cpu_us(&self) -> [f64; 3] {
        self.cpu_s.map(|seconds| seconds * 1e6 / self.messages.max(1) as f64)
    }

    /// A time of load's report, in milliseconds: `submit_p50`, `receipt_p99` and so on.
    pub fn latency_ms(&self, what: &str) -> f64 {
        figure(&self.load, &format!("{what}_us")) as f64 / 1000.0
    }

    /// The run as JSON.
    pub fn json(&self) -> Value {
        let ([load, middle, smsc], [started, before, after]) = (self.cpu_us(), self.rss_kib);
        let Beside { foreign, stolen, seconds } = self.beside;
        json!({
            "run": self.middle.name(),
            "messages_per_s": self.messages_per_s,
            "messages": self.messages,
            "cpu_us_per_message": { "load": load, (self.middle.name()): middle, "smsc": smsc },
            "core_share": self.cpu_s[1] / seconds,
            "rss_kib": { "started": started, "before": before, "after": after },
            "commits": self.commits.map(|Commits { count, p50_ms, p99_ms }| json!({ "count": count, "p50_ms": p50_ms, "p99_ms": p99_ms })),
            "foreign_cores": foreign,
            "stolen_cores": stolen,
            "noisy": self.beside.is_noisy(),
            "load": self.load,
        })
    }

    /// The run for people.
    pub fn print(&self) {
        let ([load, middle, smsc], name) = (self.cpu_us(), self.middle.name());
        println!(
            "{name:>6}: {:>9.0} messages/s ({} messages); CPU µs/message: load {load:.2}, {name} {middle:.2}, smsc {smsc:.2}; \
             others {:.2} cores, stolen {:.2}{}",
            self.messages_per_s,
            self.messages,
            self.beside.foreign,
            self.beside.stolen,
            if self.beside.is_noisy() { "  NOISY" } else { "" },
        );
        for leg in ["submit", "receipt"].into_iter().filter(|_| !self.load.is_null()) {
            let [p50, p99, max] = ["p50", "p99", "max"].map(|part| self.latency_ms(&format!("{leg}_{part}")));
            println!("        {leg}: p50 {p50:.2} ms, p99 {p99:.2} ms, longest {max:.1} ms");
        }
        if let Some(Commits { count, p50_ms, p99_ms }) = self.commits {
            println!("        {count} commits: p50 {p50_ms:.2} ms, p99 {p99_ms:.1} ms");
        }
        let [started, before, after] = self.rss_kib;
        println!(
            "        {:.3} of a core; resident {started} KiB when started, {before} before, {after} after",
            self.cpu_s[1] / self.beside.seconds
        );
    }
}

impl Commits {
    /// What came between two scrapes of a hub's metrics; `None` if no commit did.
    pub fn between(before: &str, after: &str) -> Option<Self> {
        let (before, after) = (buckets(before), buckets(after));
        let counts: Vec<(f64, u64)> = after
            .iter()
            .enumerate()
            .map(|(at, (bound, count))| (*bound, count - before.get(at).map_or(0, |(_, count)| *count)))
            .collect();
        let count = counts.last().map_or(0, |(_, count)| *count);
        (count > 0).then(|| Self {
            count,
            p50_ms: quantile_ms(&counts, 0.5),
            p99_ms: quantile_ms(&counts, 0.99),
        })
    }
}

/// The buckets of the hub's commits: upper bound in seconds, and how many took no longer.
fn buckets(metrics: &str) -> Vec<(f64, u64)> {
    let lines =
        metrics.lines().filter_map(|line| line.strip_prefix("enroute_spool_commit_seconds_bucket{le=\""));
    lines
        .filter_map(|line| line.split_once("\"} "))
        .filter_map(|(le, count)| Some((le.parse().ok()?, count.parse().ok()?)))
        .collect()
}

fn quantile_ms(buckets: &[(f64, u64)], quantile: f64) -> f64 {
    let wanted = buckets.last().map_or(0, |(_, all)| *all) as f64 * quantile;
    let (mut low, mut below) = (0.0, 0);
    for (high, count) in buckets {
        if *count as f64 >= wanted {
            let share = (wanted - below as f64) / (count - below).max(1) as f64;
            // What is longer than all bounds counts as long as the longest.
            let high = if high.is_finite() { *high } else { low };
            return (low + (high - low) * share) * 1000.0;
        }
        (low, below) = (*high, *count);
    }
    low * 1000.0
}
