//! SMPP peers that others wrote, and where they are installed.

use super::{Process, START_LIMIT, STOP_LIMIT, TempDir};
use serde_json::Value;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The variable that names the folder into which `scripts/test` installed the foreign peers.
pub const FOLDER: &str = "ENROUTE_INTEROP";

/// How long a foreign ESME may take: its own limit is 30 s.
const PEER_LIMIT: Duration = Duration::from_secs(60);

/// The folder of the foreign peers; without it, says that the test was skipped and gives `None`.
pub fn prepared(test: &str) -> Option<PathBuf> {
    let folder = env::var_os(FOLDER).map(PathBuf::from);
    match &folder {
        Some(folder) => assert!(folder.is_dir(), "{FOLDER} names no folder: {}", folder.display()),
        None => eprintln!("{test}: SKIPPED, since {FOLDER} is not set (scripts/test sets it)"),
    }
    folder
}

/// Which library speaks.
#[derive(Clone, Copy, Debug)]
pub enum Library {
    /// npm `smpp`.
    Node,
    /// PyPI `smpplib`.
    Python,
}

impl Library {
    /// Runs the library's ESME against `port` to its end and gives its report; panics unless it found all right.
    pub fn esme(self, folder: &Path, dir: &TempDir, port: u16) -> Value {
        let mut command = self.command(folder);
        command.args(["esme", "127.0.0.1", &port.to_string()]);
        let esme = Process::start("esme", &mut command, dir.path());
        let report = esme.last_line(PEER_LIMIT);
        serde_json::from_str(&report).unwrap_or_else(|error| panic!("{self:?}'s report {report:?}: {error}"))
    }

    /// Starts the library's carrier on `port` and waits until it listens.
    pub fn carrier(self, folder: &Path, dir: &TempDir, port: u16) -> Process {
        let mut command = self.command(folder);
        command.args(["carrier", &port.to_string()]);
        let carrier = Process::start("carrier", &mut command, dir.path());
        carrier.wait_line("ready", START_LIMIT);
        carrier
    }

    fn command(self, folder: &Path) -> Command {
        self.script(folder, if matches!(self, Self::Node) { "node_peer.js" } else { "python_peer.py" })
    }

    /// How a script of `tests/interop` is run with the library.
    pub fn script(self, folder: &Path, name: &str) -> Command {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop");
        match self {
            Self::Node => {
                let mut command = Command::new("node");
                command.arg(scripts.join(name));
                command.env("NODE_PATH", folder.join("node/node_modules"));
                command
            }
            Self::Python => {
                let mut command = Command::new(folder.join("python/bin/python"));
                command.arg("-B").arg(scripts.join(name));
                command
            }
        }
    }
}

/// Ends a foreign carrier and gives its report.
pub fn stop_carrier(carrier: Process) -> Value {
    carrier.signal("TERM");
    let report = carrier.last_line(STOP_LIMIT);
    serde_json::from_str(&report).unwrap_or_else(|error| panic!("the carrier's report {report:?}: {error}"))
}
