//! A child process whose standard output is read line by line and whose log is kept in a file.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// A running program; killed at drop if it still runs.
pub struct Process {
    name: &'static str,
    child: RefCell<Child>,
    lines: Receiver<String>,
    log: PathBuf,
}

/// How often [`Process::until`] looks again.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How much of a log a failure shows, in lines.
const LOG_TAIL: usize = 30;

impl Process {
    /// Starts `command`; what it writes to standard error goes to a file in `dir` that begins with `name`.
    pub fn start(name: &'static str, command: &mut Command, dir: &Path) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let log = dir.join(format!("{name}-{}.log", NEXT.fetch_add(1, Ordering::Relaxed)));
        let stderr = File::create(&log).expect("the test's folder is writable");
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn();
        let mut child = spawned.unwrap_or_else(|error| panic!("{name} can't be started: {error}"));
        let stdout = child.stdout.take().expect("stdout was piped above");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { name, child: RefCell::new(child), lines, log }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.borrow().id()
    }

    /// Waits for a line that begins with `start` and gives what follows; panics after `limit` or at its end.
    pub fn wait_line(&self, start: &str, limit: Duration) -> String {
        let deadline = clock() + limit;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(clock())) {
                Ok(line) => {
                    if let Some(rest) = line.strip_prefix(start) {
                        return rest.to_owned();
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.fail(&format!("did not say {start:?} in {limit:?}")),
                Err(RecvTimeoutError::Disconnected) => self.fail(&format!("ended before it said {start:?}")),
            }
        }
    }

    /// Whether it says exactly `text` within `span`; panics at its end.
    pub fn says(&self, text: &str, span: Duration) -> bool {
        let deadline = clock() + span;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(clock())) {
                Ok(line) if line.trim() == text => return true,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => return false,
                Err(RecvTimeoutError::Disconnected) => self.fail(&format!("ended before it said {text:?}")),
            }
        }
    }

    /// Waits for its end and gives the last line that it wrote; panics after `limit` or if it ended in failure.
    pub fn last_line(&self, limit: Duration) -> String {
        let mut last = String::new();
        let status = self.drain(limit, |line| last = line);
        if !status.success() {
            self.fail(&format!("ended with {status} after {last:?}"));
        }
        last
    }

    /// Waits for its end; panics after `limit`.
    pub fn wait(&self, limit: Duration) -> ExitStatus {
        self.drain(limit, |_| {})
    }

    /// Looks at `condition` again and again until it holds; panics after `limit` or when the process ends.
    pub fn until(&self, what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
        let deadline = clock() + limit;
        while !condition() {
            if clock() >= deadline {
                self.fail(&format!("not in {limit:?}: {what}"));
            }
            if self.ended_within(LOOK_EVERY) && !condition() {
                self.fail(&format!("ended before: {what}"));
            }
        }
    }

    /// Whether it ends within `span`; the way to let it work for a while that is not a blind sleep.
    pub fn ended_within(&self, span: Duration) -> bool {
        let deadline = clock() + span;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(clock())) {
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => return false,
                Err(RecvTimeoutError::Disconnected) => return true,
            }
        }
    }

    /// What it has written to standard error so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends it a signal by name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let pid = self.pid();
        let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {pid}")).status();
        assert!(sent.is_ok_and(|status| status.success()), "{} can't be sent SIG{name}", self.name);
    }

    /// Ends it with SIGKILL and reaps it.
    pub fn kill(&self) {
        let mut child = self.child.borrow_mut();
        child.kill().expect("a child that was not reaped can be killed");
        child.wait().expect("a killed child can be reaped");
    }

    /// Its resident memory now, in KiB.
    pub fn rss_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.pid());
        let status = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
        number.unwrap_or_else(|| panic!("no VmRSS in {path}"))
    }

    /// The CPU time that it has used so far, user and system, in seconds (clock ticks of 10 ms).
    pub fn cpu_s(&self) -> f64 {
        let path = format!("/proc/{}/stat", self.pid());
        let stat = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        // The name, in parentheses, may hold blanks; utime and stime are the 14th and 15th fields (proc(5)).
        let fields = stat.rsplit_once(") ").map(|(_, rest)| rest).unwrap_or_default();
        let ticks: f64 =
            fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
        ticks / 100.0
    }

    fn drain(&self, limit: Duration, mut line: impl FnMut(String)) -> ExitStatus {
        let deadline = clock() + limit;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(clock())) {
                Ok(text) => line(text),
                Err(RecvTimeoutError::Timeout) => self.fail(&format!("did not end in {limit:?}")),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.child.borrow_mut().wait().expect("a child that was not reaped can be awaited")
    }

    fn fail(&self, what: &str) -> ! {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(LOG_TAIL)..].join("\n");
        panic!("{} {what}; its log ends:\n{tail}", self.name)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let child = self.child.get_mut();
        // Both fail only if it has ended and been reaped, which is what is wanted.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The one clock of the outer tests; it sets limits to hung runs and nothing else.
#[allow(clippy::disallowed_methods)]
fn clock() -> Instant {
    Instant::now()
}
