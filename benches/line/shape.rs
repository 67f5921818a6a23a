//! What one run offers, and to what hub.

use clap::{Args, ValueEnum};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What one run offers, and to what hub. Without a rate as many messages as the windows let through.
#[derive(Args, Clone, Debug)]
pub struct Shape {
    /// Sessions that load binds; 0 to submit nothing and see what the hub costs so.
    #[arg(long, default_value_t = 8)]
    pub binds: u32,
    /// Unanswered submits of each session.
    #[arg(long, default_value_t = 100)]
    pub window: u32,
    /// Carriers, among which messages go in turn by their destinations, 1,000 at most; one smsc is all of them.
    #[arg(long, default_value_t = 1)]
    pub carriers: u32,
    /// Links of the hub in all, spread over the carriers, one each at least.
    #[arg(long, default_value_t = 8)]
    pub links: u32,
    /// Unanswered submits of each link.
    #[arg(long, default_value_t = 100)]
    pub link_window: u32,
    /// Octets of text in each message.
    #[arg(long, default_value_t = 100)]
    pub text_len: u32,
    /// What the hub's answers wait for.
    #[arg(long, value_enum, default_value_t = Durability::Disk)]
    pub durability: Durability,
    /// Don't ask for receipts.
    #[arg(long)]
    pub no_receipts: bool,
    /// Messages a second, with latencies that count from when each was due; 0 for as fast as the windows let.
    #[arg(long, default_value_t = 0)]
    pub rate: u32,
    /// How long load sends, in seconds.
    #[arg(long, default_value_t = 10.0)]
    pub seconds: f64,
    /// Messages that lie in the hub beforehand, due in a month.
    #[arg(long, default_value_t = 0)]
    pub parked: u32,
    /// Sessions that are bound beforehand and do nothing, 10,000 at most.
    #[arg(long, default_value_t = 0)]
    pub idle: u32,
    /// The carrier binds and answers nothing: the hub accepts, until its queues are full.
    #[arg(long)]
    pub paused: bool,
    /// Who runs on which processors, such as hub=0 or load=1; who is hub, load, smsc, relay or server.
    #[arg(long, value_name = "WHO=CPUS", num_args = 1.., value_parser = pin)]
    pub pin: Vec<Pin>,
    /// Where the hub's store lies; by default in the build's folder.
    #[arg(long, value_name = "DIRECTORY")]
    pub store: Option<PathBuf>,
}

/// What the hub's answers wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Durability {
    Disk,
    Os,
    Memory,
}

/// A process, and the processors that it may run on as taskset(1) writes them.
#[derive(Clone, Debug)]
pub struct Pin {
    pub who: String,
    pub cpus: String,
}

/// Reads a [`Pin`].
///
/// # Errors
/// In words for the user, if it is none.
pub fn pin(text: &str) -> Result<Pin, String> {
    match text.split_once('=') {
        Some((who @ ("hub" | "load" | "smsc" | "relay" | "server"), cpus)) if !cpus.is_empty() => {
            Ok(Pin { who: who.to_owned(), cpus: cpus.to_owned() })
        }
        _ => Err("must be hub, load, smsc, relay or server, =, and processors such as 0 or 0,2-3".to_owned()),
    }
}

impl Default for Shape {
    /// Eight sessions and eight links with windows of 100, receipts, fsync, ten seconds.
    fn default() -> Self {
        Self {
            binds: 8,
            window: 100,
            carriers: 1,
            links: 8,
            link_window: 100,
            text_len: 100,
            durability: Durability::Disk,
            no_receipts: false,
            rate: 0,
            seconds: 10.0,
            parked: 0,
            idle: 0,
            paused: false,
            pin: Vec::new(),
            store: None,
        }
    }
}

impl Shape {
    /// The links of all carriers together.
    pub fn links_in_all(&self) -> u32 {
        self.links_each() * self.carriers.max(1)
    }

    fn links_each(&self) -> u32 {
        (self.links / self.carriers.max(1)).max(1)
    }

    /// What `load` is told beside where the hub is.
    pub fn load_options(&self) -> String {
        let Self { binds, window, seconds, text_len, rate, .. } = self;
        let mut told = format!(
            "--binds {binds} --window {window} --seconds {seconds} --text-len {text_len} --receipt-wait "
        );
        told += if self.paused { "0" } else { "300" };
        if self.no_receipts {
            told += " --no-receipts";
        }
        if self.carriers > 1 {
            let last = (self.carriers - 1).to_string().len();
            let _ = write!(told, " --destinations {} --destination 447700900{:0last$}", self.carriers, 0); // a String takes everything
        }
        if *rate > 0 {
            let _ = write!(told, " --rate {rate} --open-loop"); // a String takes everything
        }
        told
    }

    /// What the carrier is told.
    pub fn smsc_options(&self) -> String {
        match self.paused {
            true => format!("--apart --resp-delay-ms {}", u64::from(PAUSE_S) * 1000),
            false => "--apart".to_owned(),
        }
    }

    /// The hub's configuration: it listens on `smpp` and `http`, its carriers on `port`.
    pub fn config(&self, store: &Path, [smpp, http, port]: [u16; 3]) -> String {
        let Self { binds, window, link_window, idle, .. } = self;
        // As many digits as load gives destinations that take turns.
        let digits = (self.carriers.max(1) - 1).to_string().len();
        let (store, links) = (store.display(), self.links_each());
        let durability = self.durability.to_possible_value().expect("no variant is skipped");
        let (durability, connections) = (durability.get_name(), binds + idle + 100);
        let mut text = format!(
            r#"
listener = {{ address = "127.0.0.1:{smpp}", max_connections = {connections} }}
http = {{ address = "127.0.0.1:{http}" }}
spool = {{ directory = "{store}", durability = "{durability}" }}
[route]
default = "carrier0"
[[account]]
system_id = "demo"
password = "demo"
binds = {binds}
window = {window}
queue_max = 20000000
[[account]]
system_id = "idle"
password = "idle"
binds = 10000
"#,
            binds = (*binds).max(1) + FILLERS,
        );
        for carrier in 0..self.carriers.max(1) {
            let _ = write!(
                text,
                r#"
[[carrier]]
name = "carrier{carrier}"
address = "127.0.0.1:{port}"
system_id = "carrier{carrier}"
password = "enroute"
links = {links}
window = {link_window}
response_s = {PAUSE_S}
reconnect_min_ms = 20
reconnect_max_ms = 200
[[route.prefix]]
prefix = "447700900{carrier:0digits$}"
carrier = "carrier{carrier}"
"#
            ); // a String takes everything
        }
        text
    }
}

/// How long a paused carrier keeps its answers to itself, in seconds; a hub waits no longer for any.
const PAUSE_S: u32 = 3600;

/// Sessions that park messages beforehand.
pub const FILLERS: u32 = 8;
