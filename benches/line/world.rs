//! A hub, its carrier and its customers as processes, and the runs that they are good for.

use super::bare::Bare;
use super::machine::Look;
use super::run::{Commits, Middle, Run};
use super::shape::{FILLERS, Shape};
use super::support::{
    ENROUTE, Hub, Process, START_LIMIT, STOP_LIMIT, Smsc, TempDir, figure, finish_load, free_port, load_args,
    start_load,
};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A hub that runs, with all that was there beforehand.
pub struct World {
    hub: Hub,
    smsc: Smsc,
    idle: Option<Process>,
    shape: Shape,
    port: u16,
    /// The hub's resident memory before anybody was bound, in KiB.
    started_kib: u64,
    // Gone last: what runs may still write to them.
    dir: TempDir,
    _store: Option<Store>,
}

impl World {
    /// Starts carrier and hub, waits until all links are up, binds the idle and parks what is to be parked.
    pub fn start(shape: &Shape) -> Self {
        let dir = TempDir::new("line");
        let store = shape.store.as_deref().map(Store::new);
        let spool = store.as_ref().map_or_else(|| dir.path().join("spool"), |store| store.0.clone());
        let ports = [free_port(), free_port(), free_port()];
        let smsc = Smsc::start(dir.path(), ports[2], &shape.smsc_options());
        let hub = Hub::start(dir.path(), &shape.config(&spool, ports));
        pin(shape, "smsc", smsc.process.pid());
        pin(shape, "hub", hub.process.pid());
        let links = f64::from(shape.links_in_all());
        hub.process
            .until("all links to be up", START_LIMIT, || hub.metric("enroute_carrier_links") == Some(links));
        let started_kib = hub.process.rss_kib();
        let mut world = Self {
            hub,
            smsc,
            idle: None,
            shape: shape.clone(),
            port: ports[0],
            started_kib,
            dir,
            _store: store,
        };
        if shape.idle > 0 {
            world.bind_idle(shape.idle);
        }
        if shape.parked > 0 {
            world.park(shape.parked);
        }
        world
    }

    fn bind_idle(&mut self, count: u32) {
        let mut command = Command::new(ENROUTE);
        let to = format!("127.0.0.1:{}", self.port);
        command.args(["load", "--json", "--idle", "--system-id", "idle", "--password", "idle", "--to", &to]);
        command.args(["--binds", &count.to_string()]);
        let idle = Process::start("idle", &mut command, self.dir.path());
        idle.wait_line("bound ", START_LIMIT);
        self.idle = Some(idle);
    }

    fn park(&self, count: u32) {
        let load = self.load(&format!(
            "--binds {FILLERS} --window 100 --count {count} --no-receipts --schedule-in {MONTH_S}"
        ));
        assert_eq!(figure(&load, "accepted"), u64::from(count), "all that is to be parked fits: {load}");
    }

    /// Runs load to its end with options of its own.
    pub fn load(&self, options: &str) -> Value {
        let load = start_load(self.dir.path(), &load_args(self.port, options));
        pin(&self.shape, "load", load.pid());
        finish_load(load)
    }

    /// One run as the world's shape says.
    pub fn run(&self) -> Run {
        self.run_with(&self.shape.load_options())
    }

    /// One run with options of load's own.
    pub fn run_with(&self, options: &str) -> Run {
        let process = &self.hub.process;
        let idle_s = || self.idle.as_ref().map_or(0.0, Process::cpu_s);
        let cpu_s = || [idle_s(), process.cpu_s(), self.smsc.process.cpu_s()];
        let (metrics, before_kib) = (self.hub.scrape(), process.rss_kib());
        let (look, before) = (Look::now(), cpu_s());
        let load = match self.shape.binds {
            0 => {
                assert!(!process.ended_within(Duration::from_secs_f64(self.shape.seconds)), "the hub ended");
                Value::Null
            }
            _ => self.load(options),
        };
        let after = cpu_s();
        let mut used = [0, 1, 2].map(|who| after[who] - before[who]);
        used[0] += load["cpu_s"].as_f64().unwrap_or_default();
        let beside = look.beside(used.iter().sum());
        let missing = if load.is_null() || self.shape.paused { 0 } else { figure(&load, "receipts_missing") };
        assert!(missing == 0 || self.shape.no_receipts, "a run that loses receipts measures nothing: {load}");
        Run {
            rss_kib: [self.started_kib, before_kib, process.rss_kib()],
            commits: Commits::between(&metrics, &self.hub.scrape()),
            ..run(Middle::Hub, load, used, beside)
        }
    }

    /// Signals the hub: STOP, it stays where it is; CONT, it goes on.
    pub fn signal(&self, signal: &str) {
        self.hub.process.signal(signal);
    }

    /// Ends all, the hub as its operator does unless its carrier is paused, which it would wait for.
    pub fn stop(self) {
        drop(self.idle);
        match self.shape.paused {
            true => self.hub.kill(),
            false => assert_eq!(self.hub.terminate(), Some(0), "a hub that ends well"),
        }
        self.smsc.process.kill();
    }
}

/// One run through a fresh world, or past a bare peer in its place.
pub fn run_once(middle: Middle, shape: &Shape) -> Run {
    if middle == Middle::Hub {
        let world = World::start(shape);
        let run = world.run();
        world.stop();
        return run;
    }
    let dir = TempDir::new("bare");
    let (front, back) = (free_port(), free_port());
    let smsc = (middle == Middle::Relay).then(|| Smsc::start(dir.path(), back, &shape.smsc_options()));
    let (bare, shape) = match middle {
        Middle::Server => (Bare::Server, Shape { no_receipts: true, ..shape.clone() }),
        Middle::Hub | Middle::Relay => (Bare::Relay { to: back }, shape.clone()),
    };
    let bare = bare.start(front, dir.path());
    pin(&shape, middle.name(), bare.pid());
    if let Some(smsc) = &smsc {
        pin(&shape, "smsc", smsc.process.pid());
    }
    let cpu_s = || [bare.cpu_s(), smsc.as_ref().map_or(0.0, |smsc| smsc.process.cpu_s())];
    let (look, before, before_kib) = (Look::now(), cpu_s(), bare.rss_kib());
    let load = start_load(dir.path(), &load_args(front, &shape.load_options()));
    pin(&shape, "load", load.pid());
    let load = finish_load(load);
    let after = cpu_s();
    let used = [load["cpu_s"].as_f64().unwrap_or_default(), after[0] - before[0], after[1] - before[1]];
    let beside = look.beside(used.iter().sum());
    let after_kib = bare.rss_kib();
    bare.signal("TERM");
    bare.wait(STOP_LIMIT);
    Run { rss_kib: [before_kib, before_kib, after_kib], ..run(middle, load, used, beside) }
}

/// The figures that all runs have.
fn run(middle: Middle, load: Value, cpu_s: [f64; 3], beside: super::machine::Beside) -> Run {
    let (messages_per_s, messages) = match load.is_null() {
        true => (0.0, 0),
        false => (load["messages_per_s"].as_f64().unwrap_or_default(), figure(&load, "accepted")),
    };
    Run { middle, messages_per_s, messages, cpu_s, beside, rss_kib: [0; 3], commits: None, load }
}

/// Lets a process, with all its threads, run where the shape says, if it does.
fn pin(shape: &Shape, who: &str, pid: u32) {
    for pin in shape.pin.iter().filter(|pin| pin.who == who) {
        let mut taskset = Command::new("taskset");
        taskset
            .args(["--all-tasks", "--cpu-list", "--pid", &pin.cpus, &pid.to_string()])
            .stdout(Stdio::null());
        let status = taskset.status().expect("taskset(1) of util-linux is installed");
        assert!(status.success(), "{who} can't be pinned to {}", pin.cpus);
    }
}

/// A folder of its own for a hub's store, where the user wants it; removed at drop.
struct Store(PathBuf);

impl Store {
    fn new(directory: &Path) -> Self {
        let path = directory.join(format!("enroute-line-{}-{}", std::process::id(), free_port()));
        fs::create_dir_all(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self(path)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // What can't be removed stays; the figures are what counts.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// When what is parked is due, in seconds.
const MONTH_S: u32 = 30 * 86_400;
