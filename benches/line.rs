//! The whole line as processes: load → hub → smsc with receipts and fsync, then load → bare relay → smsc.
//!
//! ```text
//! cargo bench --bench line -- [--binds 8] [--links 8] [--window 100] [--seconds 10] [--runs 3] [--text-len 100] [--json]
//! ```
//!
//! The relay passes octets, one connection for one connection, and knows nothing of SMPP: what it reaches is what
//! sockets, load client and carrier leave of the machine. The ratio between the two is the hub's own share.

#[path = "../tests/support/mod.rs"]
mod support;

use clap::Parser;
use serde_json::{Value, json};
use std::env;
use std::net::TcpListener as StdListener;
use std::process::Command;
use support::{Process, START_LIMIT, STOP_LIMIT, Setup, figure, finish_load, load_args, start_load};
use tokio::net::{TcpListener, TcpStream};

/// Octets of each of the relay's two buffers per connection.
const RELAY_BUFFER: usize = 64 * 1024;

/// What one run offers. Everything is closed loop: as many messages as the windows let through.
#[derive(Clone, Debug, Parser)]
struct Options {
    /// Sessions that load binds.
    #[arg(long, default_value_t = 8)]
    binds: u32,
    /// Unanswered submits per session, and per link of the hub.
    #[arg(long, default_value_t = 100)]
    window: u32,
    /// Links of the hub to the carrier, with the same window.
    #[arg(long, default_value_t = 8)]
    links: u32,
    /// How long load sends, in seconds.
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// Runs of each kind; the median by messages/s is compared.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Octets of text in each message.
    #[arg(long, default_value_t = 100)]
    text_len: u32,
    /// Print one JSON object per run and one with the ratio instead of prose.
    #[arg(long)]
    json: bool,
    /// What cargo bench adds to every bench's command line.
    #[arg(long, hide = true)]
    bench: bool,
    /// Be the relay: listen here, pass on to there.
    #[arg(long, hide = true, num_args = 2)]
    relay: Vec<String>,
}

/// What one run gave.
struct Run {
    what: &'static str,
    messages_per_s: f64,
    messages: u64,
    /// CPU of load, of what stands in the middle and of smsc, in seconds.
    cpu_s: [f64; 3],
    load: Value,
}

fn main() {
    let options = Options::parse();
    if let [listen, upstream] = options.relay.as_slice() {
        return relay(listen, upstream);
    }
    if !options.bench {
        // `cargo test --benches` and the like only want to know that it builds.
        println!("run me with cargo bench --bench line");
        return;
    }
    let hub = median(options.runs, || hub_run(&options), &options);
    let bare = median(options.runs, || relay_run(&options), &options);
    let ratio = hub.messages_per_s / bare.messages_per_s;
    if options.json {
        println!("{}", json!({ "hub": hub.messages_per_s, "relay": bare.messages_per_s, "ratio": ratio }));
    } else {
        println!(
            "median: hub {:.0} messages/s, bare relay {:.0} messages/s, ratio {ratio:.3}",
            hub.messages_per_s, bare.messages_per_s
        );
    }
}

/// load → hub → smsc.
fn hub_run(options: &Options) -> Run {
    let Options { window, links, .. } = *options;
    let setup = Setup { window, links, link_window: window, ..Setup::new("line") };
    let smsc = setup.start_smsc("");
    let hub = setup.start_hub();
    let before = [hub.process.cpu_s(), smsc.process.cpu_s()];
    let load = setup.run_load(&load_options(options));
    let cpu = [hub.process.cpu_s() - before[0], smsc.process.cpu_s() - before[1]];
    assert_eq!(hub.terminate(), Some(0));
    smsc.stop();
    Run::new("hub", load, cpu)
}

/// load → relay → smsc.
fn relay_run(options: &Options) -> Run {
    let setup = Setup::new("relay");
    let smsc = setup.start_smsc("");
    let mut command = Command::new(env::current_exe().expect("a running program has a path"));
    let ends = [setup.smpp, setup.carrier].map(|port| format!("127.0.0.1:{port}"));
    command.arg("--relay").args(&ends);
    let relay = Process::start("relay", &mut command, setup.dir.path());
    relay.wait_line("ready", START_LIMIT);
    let before = [relay.cpu_s(), smsc.process.cpu_s()];
    let args = load_args(setup.smpp, &load_options(options));
    let load = finish_load(start_load(setup.dir.path(), &args));
    let cpu = [relay.cpu_s() - before[0], smsc.process.cpu_s() - before[1]];
    relay.signal("TERM");
    relay.wait(STOP_LIMIT);
    smsc.stop();
    Run::new("relay", load, cpu)
}

fn load_options(options: &Options) -> String {
    let Options { binds, window, seconds, text_len, .. } = options;
    format!("--binds {binds} --window {window} --seconds {seconds} --text-len {text_len}")
}

/// Runs it `runs` times, prints each, and gives the median by messages/s.
fn median(runs: usize, run: impl Fn() -> Run, options: &Options) -> Run {
    let mut all = Vec::new();
    for _ in 0..runs.max(1) {
        let run = run();
        if options.json {
            println!("{}", run.json());
        } else {
            run.print();
        }
        all.push(run);
    }
    all.sort_by(|a, b| a.messages_per_s.total_cmp(&b.messages_per_s));
    let middle = all.len() / 2;
    all.swap_remove(middle)
}

impl Run {
    fn new(what: &'static str, load: Value, [middle, smsc]: [f64; 2]) -> Self {
        assert_eq!(
            figure(&load, "receipts_missing"),
            0,
            "a run that loses receipts measures nothing: {load}"
        );
        let number = |key: &str| load[key].as_f64().unwrap_or_else(|| panic!("no {key:?} in {load}"));
        Self {
            what,
            messages_per_s: number("messages_per_s"),
            messages: figure(&load, "accepted"),
            cpu_s: [number("cpu_s"), middle, smsc],
            load,
        }
    }

    /// CPU per message in µs: load, middle, smsc.
    fn cpu_us(&self) -> [f64; 3] {
        self.cpu_s.map(|seconds| seconds * 1e6 / self.messages.max(1) as f64)
    }

    fn json(&self) -> Value {
        let [load, middle, smsc] = self.cpu_us();
        json!({
            "run": self.what,
            "messages_per_s": self.messages_per_s,
            "cpu_us_per_message": { "load": load, (self.what): middle, "smsc": smsc },
            "load": self.load,
        })
    }

    fn print(&self) {
        let [load, middle, smsc] = self.cpu_us();
        println!(
            "{:>5}: {:>9.0} messages/s end to end ({} messages); CPU µs/message: load {load:.2}, {} {middle:.2}, \
             smsc {smsc:.2}",
            self.what, self.messages_per_s, self.messages, self.what
        );
        for leg in ["submit", "receipt"] {
            let [p50, p99, max] =
                ["p50", "p99", "max"].map(|part| figure(&self.load, &format!("{leg}_{part}_us")));
            println!("       {leg} µs: p50 {p50}, p99 {p99}, max {max}");
        }
    }
}

/// Passes octets both ways between each connection to `listen` and one of its own to `upstream`, until killed.
fn relay(listen: &str, upstream: &str) {
    let listener = StdListener::bind(listen).unwrap_or_else(|error| panic!("{listen}: {error}"));
    listener.set_nonblocking(true).expect("a fresh socket can be told so");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    runtime.expect("the machine has an epoll to spare").block_on(async {
        let listener = TcpListener::from_std(listener).expect("it was made non-blocking above");
        println!("ready");
        loop {
            let Ok((client, _)) = listener.accept().await else {
                continue;
            };
            tokio::spawn(pass(client, upstream.to_owned()));
        }
    });
}

async fn pass(mut client: TcpStream, upstream: String) {
    let Ok(mut server) = TcpStream::connect(&upstream).await else {
        return;
    };
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("a connected socket can be told so");
    }
    // However it ends, both ends close, and each peer sees the other's end as its own.
    let _ =
        tokio::io::copy_bidirectional_with_sizes(&mut client, &mut server, RELAY_BUFFER, RELAY_BUFFER).await;
}
