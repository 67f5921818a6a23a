//! What the outer tests share: processes of the program under test, their ports, folders, ledgers and figures.
//!
//! Knows nothing of the crate's own code: everything goes through the command line, sockets, signals and files,
//! as an operator would have it. Waiting is always for something that the other side says (a line, an end, a
//! figure), never for time alone; the limits are there so that a hung run ends, not to judge speed.

// Each test file is a crate of its own and uses its own part of this one.
#![allow(dead_code, unused_imports)]

pub mod bridge;
pub mod carrier;
pub mod customer;
pub mod foreign;
mod ledger;
pub mod moved_clock;
mod process;
pub mod scene;
pub mod stage;
pub mod wire;

pub use ledger::{LoadLedger, SmscLedger, Tail};
pub use process::Process;

use base64::Engine;
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// How long anything may take to say that it is ready.
pub const START_LIMIT: Duration = Duration::from_secs(60);

/// How long a process may take to end after SIGTERM.
pub const STOP_LIMIT: Duration = Duration::from_secs(15);

/// How long one run of `load` may take before it counts as hung.
pub const RUN_LIMIT: Duration = Duration::from_secs(600);

/// The program under test.
pub const ENROUTE: &str = env!("CARGO_BIN_EXE_enroute");

/// Lets one test of a file have the machine for itself: these tests start four processes each.
pub fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A port on loopback that nobody listens on.
///
/// Taken from below the ephemeral range (32768 and up on Linux): a client that knocks again and again at an
/// ephemeral port while its server restarts would in the end be given that very port and talk to itself.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 22_000;
    for _ in 0..COUNT {
        let place = std::process::id().wrapping_mul(37).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = (FIRST + place % COUNT) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port from {FIRST} to {} is free", FIRST + COUNT);
}

/// A folder of its own on a real disk, removed at drop; kept when the test fails, for its logs and ledgers.
pub struct TempDir(PathBuf);

impl TempDir {
    /// Makes a fresh folder whose name begins with `name`.
    pub fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let serial = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}-{serial}", std::process::id()));
        // A run that was killed may have left one of the same name.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("the target folder is writable");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path of a file in it, as text for a command line.
    pub fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("logs and ledgers are kept in {}", self.0.display());
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// One hub's world: its folder, its ports, and how it is bound to its carrier.
pub struct Setup {
    pub dir: TempDir,
    pub smpp: u16,
    pub http: u16,
    pub carrier: u16,
    /// Sessions that the account may bind.
    pub binds: u32,
    /// Unanswered submits per session of the account.
    pub window: u32,
    /// Sessions that the hub binds to the carrier.
    pub links: u32,
    /// Unanswered submits per link.
    pub link_window: u32,
}

impl Setup {
    /// The demo account and one carrier `sim`, each with windows of 100; two links.
    pub fn new(name: &str) -> Self {
        Self {
            dir: TempDir::new(name),
            smpp: free_port(),
            http: free_port(),
            carrier: free_port(),
            binds: 32,
            window: 100,
            links: 2,
            link_window: 100,
        }
    }

    /// The configuration file that says so.
    pub fn config_text(&self) -> String {
        let Self { smpp, http, carrier, binds, window, links, link_window, dir } = self;
        let spool = dir.file("spool");
        format!(
            r#"
[listener]
address = "127.0.0.1:{smpp}"
[http]
address = "127.0.0.1:{http}"
[spool]
directory = "{spool}"
[[account]]
system_id = "demo"
password = "demo"
binds = {binds}
window = {window}
[[carrier]]
name = "sim"
address = "127.0.0.1:{carrier}"
system_id = "enroute"
password = "enroute"
links = {links}
window = {link_window}
reconnect_min_ms = 20
reconnect_max_ms = 200
[route]
default = "sim"
"#
        )
    }

    /// The arguments of `load` against this hub, then `more` (separated by blanks).
    pub fn load_args(&self, more: &str) -> Vec<String> {
        load_args(self.smpp, more)
    }

    /// Starts this world's carrier, a simulated one.
    pub fn start_smsc(&self, more: &str) -> Smsc {
        Smsc::start(self.dir.path(), self.carrier, more)
    }

    /// Starts the hub and waits until it has recovered and accepts.
    pub fn start_hub(&self) -> Hub {
        Hub::start(self.dir.path(), &self.config_text())
    }

    /// Runs `load` against this hub to its end.
    pub fn run_load(&self, more: &str) -> Value {
        run_load(self.dir.path(), &self.load_args(more))
    }

    /// Starts `load` against this hub, to be awaited with [`finish_load`].
    pub fn start_load(&self, more: &str) -> Process {
        start_load(self.dir.path(), &self.load_args(more))
    }
}

/// A running hub.
pub struct Hub {
    pub process: Process,
    http: String,
}

impl Hub {
    /// Starts `enroute serve` with `config` (written to `dir`, beside its log) and waits until it says `ready`.
    pub fn start(dir: &Path, config: &str) -> Self {
        Self::start_with(dir, config, &[])
    }

    /// The same, with these variables in its environment.
    pub fn start_with(dir: &Path, config: &str, environment: &[(String, String)]) -> Self {
        let file = dir.join("enroute.toml");
        fs::write(&file, config).expect("the test's folder is writable");
        let mut command = Command::new(ENROUTE);
        command.arg("serve").arg("--config").arg(&file);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let process = Process::start("hub", &mut command, dir);
        process.wait_line("smpp listening on ", START_LIMIT);
        let http = process.wait_line("http listening on ", START_LIMIT);
        process.wait_line("ready", START_LIMIT);
        Self { process, http }
    }

    /// Ends it as an operator does; gives the exit code, `None` if a signal ended it. Panics after [`STOP_LIMIT`].
    pub fn terminate(self) -> Option<i32> {
        self.process.signal("TERM");
        self.process.wait(STOP_LIMIT).code()
    }

    /// Ends it as a power cut does, short of the disk.
    pub fn kill(self) {
        self.process.kill();
    }

    /// Where its HTTP door is.
    pub fn door(&self) -> &str {
        &self.http
    }

    /// The whole of `/metrics`.
    pub fn scrape(&self) -> String {
        http_get(&self.http, "/metrics")
    }

    /// The sum over all series of one metric; `None` if there is no such metric.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let text = self.scrape();
        let values = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let value = match rest.strip_prefix('{') {
                Some(labelled) => labelled.rsplit_once("} ")?.1,
                None => rest.strip_prefix(' ')?,
            };
            value.split(' ').next()?.parse::<f64>().ok()
        });
        values.reduce(|sum, value| sum + value)
    }
}

/// The body of `GET path` at `address`; panics unless the answer is 200.
pub fn http_get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the hub's HTTP door is open");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
        .expect("a small request fits the socket");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the answer is text and ends");
    assert!(answer.starts_with("HTTP/1.1 200"), "GET {path}: {answer}");
    match answer.split_once("\r\n\r\n") {
        Some((_, body)) => body.to_owned(),
        None => panic!("GET {path}: no body in {answer}"),
    }
}

/// What an account of that name (its password too) is answered to `request` (`GET /path`): the status, and the JSON.
pub fn http_ask(address: &str, account: &str, request: &str, body: &str) -> (u16, Value) {
    let token = base64::engine::general_purpose::STANDARD.encode(format!("{account}:{account}"));
    let length = body.len();
    let mut stream = TcpStream::connect(address).expect("the hub's HTTP door is open");
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nAuthorization: Basic {token}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .expect("a small request fits the socket");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the answer is text and ends");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.expect("a status"), serde_json::from_str(body).unwrap_or(Value::Null))
}

/// A running simulated carrier.
pub struct Smsc {
    pub process: Process,
}

impl Smsc {
    /// Starts `enroute smsc` on `port` with `more` arguments (separated by blanks) and waits until it listens.
    pub fn start(dir: &Path, port: u16, more: &str) -> Self {
        let mut command = Command::new(ENROUTE);
        command.args(["smsc", "--json", "--listen", &format!("127.0.0.1:{port}")]);
        command.args(more.split_whitespace());
        let process = Process::start("smsc", &mut command, dir);
        process.wait_line("smsc listening on ", START_LIMIT);
        Self { process }
    }

    /// Lets held receipts go.
    pub fn release_receipts(&self) {
        self.process.signal("USR1");
    }

    /// Ends it and gives its report.
    pub fn stop(self) -> Value {
        self.process.signal("TERM");
        let report = self.process.last_line(STOP_LIMIT);
        serde_json::from_str(&report).unwrap_or_else(|error| panic!("smsc's report {report:?}: {error}"))
    }
}

/// The arguments of `load` against a server on `port`, then `more` (separated by blanks).
pub fn load_args(port: u16, more: &str) -> Vec<String> {
    let to = format!("127.0.0.1:{port}");
    let always = ["load", "--to", &to, "--system-id", "demo", "--password", "demo", "--json"];
    always.into_iter().chain(more.split_whitespace()).map(str::to_owned).collect()
}

/// Starts `enroute` with the arguments of [`load_args`]; its log goes to `dir`.
pub fn start_load(dir: &Path, args: &[String]) -> Process {
    Process::start("load", Command::new(ENROUTE).args(args), dir)
}

/// Awaits the end of a `load` and gives its report.
pub fn finish_load(load: Process) -> Value {
    let report = load.last_line(RUN_LIMIT);
    serde_json::from_str(&report).unwrap_or_else(|error| panic!("load's report {report:?}: {error}"))
}

/// Runs `load` to its end and gives its report.
pub fn run_load(dir: &Path, args: &[String]) -> Value {
    finish_load(start_load(dir, args))
}

/// A whole number of a report; panics if it isn't there, so that a misspelt key can't pass for a zero.
pub fn figure(report: &Value, key: &str) -> u64 {
    report[key].as_u64().unwrap_or_else(|| panic!("no whole number {key:?} in {report}"))
}

/// Asserts a report's whole numbers, all at once so that a failure shows the whole report.
pub fn assert_figures(report: &Value, expected: &[(&str, u64)]) {
    let wrong: Vec<String> = expected
        .iter()
        .filter(|(key, number)| figure(report, key) != *number)
        .map(|(key, number)| format!("{key} should be {number}"))
        .collect();
    assert!(wrong.is_empty(), "{}, in {report}", wrong.join(", "));
}
