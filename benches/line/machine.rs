//! What the machine does beside us: processor time by whom, and what the machine is.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs;
use std::process::Command;
use std::time::Instant;

/// A look at the processors.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    at: Instant,
    /// Processor time that anybody used so far, and that the host took from this machine, in seconds.
    busy_s: f64,
    stolen_s: f64,
    /// What this very process has used.
    own_s: f64,
}

/// What the machine did beside a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside {
    /// Processors that others used, and that the host took, on average: 0.1 is a tenth of one core.
    pub foreign: f64,
    pub stolen: f64,
    /// How long the run took, in seconds.
    pub seconds: f64,
}

impl Look {
    /// Looks now.
    pub fn now() -> Self {
        let stat = fs::read_to_string("/proc/stat").expect("Linux tells of its processors");
        // user, nice, system, idle, iowait, irq, softirq, steal (proc_stat(5)). What interrupts took belongs to nobody.
        let ticks: Vec<f64> = stat
            .lines()
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .skip(1)
            .map_while(|field| field.parse().ok())
            .collect();
        let seconds = |field: usize| ticks.get(field).copied().unwrap_or_default() / TICKS_A_SECOND;
        let own = fs::read_to_string("/proc/self/stat").expect("Linux tells of us");
        let own = own.rsplit(')').next().unwrap_or_default();
        // utime and stime are the 14th and 15th field (proc(5)).
        let own: f64 =
            own.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
        Self {
            at: clock(),
            busy_s: seconds(0) + seconds(1) + seconds(2),
            stolen_s: seconds(7),
            own_s: own / TICKS_A_SECOND,
        }
    }

    /// What others did since, when the processes of the run used `ours_s` seconds of processor time.
    pub fn beside(self, ours_s: f64) -> Beside {
        let now = Self::now();
        let seconds = (now.at - self.at).as_secs_f64().max(1e-3);
        let ours = ours_s + now.own_s - self.own_s;
        Beside {
            foreign: ((now.busy_s - self.busy_s - ours) / seconds).max(0.0),
            stolen: (now.stolen_s - self.stolen_s) / seconds,
            seconds,
        }
    }
}

impl Beside {
    /// Whether so much else ran that the figures of the run say little.
    pub fn is_noisy(&self) -> bool {
        self.foreign + self.stolen > NOISY * cores() as f64
    }

    /// That of several runs together: the highest of each.
    pub fn worst(all: impl Iterator<Item = Self>) -> Self {
        all.fold(Self::default(), |worst, one| Self {
            foreign: worst.foreign.max(one.foreign),
            stolen: worst.stolen.max(one.stolen),
            seconds: worst.seconds + one.seconds,
        })
    }
}

/// Processors of this machine.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What machine this is, in a line.
pub fn describe() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: String, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.split_once(':').map_or("unknown", |(_, value)| value.trim()).to_owned()
    };
    let memory = field(read("/proc/meminfo"), "MemTotal");
    let memory_kib: f64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
    let (model, kernel) = (field(read("/proc/cpuinfo"), "model name"), read("/proc/sys/kernel/osrelease"));
    let gib = memory_kib / 1024.0 / 1024.0;
    format!(
        "{} cores ({model}), {gib:.0} GiB, Linux {}, {}",
        cores(),
        kernel.trim(),
        said("rustc", &["--version"])
    )
}

/// What a command says on its first line; nothing if there is no such command.
pub fn said(command: &str, arguments: &[&str]) -> String {
    let output = Command::new(command).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or_default().trim().to_owned()
}

/// Lets us and what we start have as many descriptors as the system allows: each session is one at either end.
pub fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    // What can't be raised shows when somebody runs out of them.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Reads the clock: this is a bench.
#[allow(clippy::disallowed_methods, reason = "a bench measures real time")]
fn clock() -> Instant {
    Instant::now()
}

/// The share of the machine that others may use beside a run that is to be believed.
const NOISY: f64 = 0.03;
/// What processor time is counted in.
const TICKS_A_SECOND: f64 = 100.0;
