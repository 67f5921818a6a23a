//! One binary: the hub, and what belongs to it.

use anyhow::Context;
use clap::{Parser, Subcommand};
use enroute::clock::UnixMs;
use enroute::codec::Tag;
use enroute::config::{Config, Fault, Reloading};
use enroute::metrics::Metrics;
use enroute::route::{Question, read_parameter};
use enroute::tool::{Conduct, inspect, load, repair, smsc};
use enroute::{guard, http, runtime};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tracing::{Level, info};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An SMS hub: SMPP in, durable, scheduled, routed, SMPP out, and the receipt back.
///
/// Without a command it runs a demonstration: a hub with the account demo/demo and a simulated carrier.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the hub.
    #[command(after_help = SERVE_HELP)]
    Serve {
        /// The configuration (TOML); docs/enroute.toml shows every key.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Read a configuration and report every fault in it.
    Check {
        /// The configuration (TOML).
        file: PathBuf,
    },
    /// Tell which rule of a configuration a message fits and why, and every carrier that it may go to, in order.
    Route(Asked),
    /// Send numbered messages to a hub and report what became of them.
    Load(load::Options),
    /// Simulate a carrier.
    Smsc(smsc::Options),
    /// Explain PDUs, a packet capture, or what a spool holds; changes nothing.
    Inspect(inspect::Options),
    /// Tell what keeps a spool from starting, or lies in it without use; with --yes, put it aside.
    Repair(repair::Options),
}

/// A message that might be sent.
#[derive(clap::Args)]
struct Asked {
    /// The configuration (TOML).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Whose message it is: an account's system_id.
    #[arg(long)]
    account: String,
    /// Its destination.
    #[arg(long, value_name = "NUMBER")]
    to: String,
    /// Its source.
    #[arg(long, value_name = "ADDRESS", default_value = "")]
    from: String,
    /// When it is due, such as 2026-12-24T18:00:00Z; by default now.
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<UnixMs>,
    /// Its text.
    #[arg(long, default_value = "")]
    text: String,
    /// Its data_coding; by default what the text needs.
    #[arg(long)]
    coding: Option<u8>,
    /// Short messages that its text makes; by default they are counted.
    #[arg(long)]
    segments: Option<u8>,
    /// Its priority_flag.
    #[arg(long, default_value_t = 0)]
    priority: u8,
    /// Its service_type.
    #[arg(long, default_value = "")]
    service_type: String,
    /// Its esm_class.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    esm_class: u8,
    /// An optional parameter, such as 0x1400=ff; as often as there are some.
    #[arg(long, value_name = "TAG[=HEX]", value_parser = read_parameter)]
    tlv: Vec<(Tag, Vec<u8>)>,
}

fn time(text: &str) -> Result<UnixMs, String> {
    let at: jiff::Timestamp = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    u64::try_from(at.as_millisecond()).map(UnixMs).map_err(|_| "is before 1970".to_owned())
}

/// Prints what a configuration does with a message.
fn explain(asked: Asked, config: &Config) -> anyhow::Result<()> {
    let Asked {
        account, to, from, at, text, coding, segments, priority, service_type, esm_class, tlv, ..
    } = asked;
    let parameters = tlv;
    let question = Question {
        account,
        to,
        from,
        at,
        text,
        coding,
        segments,
        priority,
        service_type,
        esm_class,
        parameters,
    };
    let told = config.explain(&question, runtime::now().wall).map_err(anyhow::Error::msg)?;
    say(told.to_string().trim_end());
    Ok(())
}

fn main() -> ExitCode {
    end_with_the_first_panic();
    let done = match Cli::parse().command {
        None => demo(),
        Some(Command::Serve { config }) => match read(&config) {
            Ok((text, parsed)) => run(parsed, (config, text)),
            Err(refused) => return refused,
        },
        Some(Command::Check { file }) => match read(&file) {
            Ok(_) => {
                say(&format!("{}: no fault", file.display()));
                Ok(())
            }
            Err(refused) => return refused,
        },
        Some(Command::Route(asked)) => match read(&asked.config) {
            Ok((_, config)) => explain(asked, &config),
            Err(refused) => return refused,
        },
        Some(Command::Load(options)) => tool_runtime().and_then(|tool| tool.block_on(load::run(options))),
        Some(Command::Smsc(options)) => tool_runtime().and_then(|tool| tool.block_on(smsc::run(options))),
        Some(Command::Inspect(options)) => inspect::run(&options),
        Some(Command::Repair(options)) => repair::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("enroute: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// A panic ends the process: the spool is what survives, and a restart is safer than a hub with half a thread. One that concerns
/// a single message ends that message instead (see `guard`).
fn end_with_the_first_panic() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        if !guard::is_guarded() {
            std::process::abort();
        }
    }));
}

/// Reads a configuration, text and all, or prints all that is wrong with it.
fn read(file: &Path) -> Result<(String, Config), ExitCode> {
    let name = file.display().to_string();
    let faults: Vec<Fault> = match std::fs::read_to_string(file) {
        Ok(text) => match Config::parse(&text, &name) {
            Ok(config) => return Ok((text, config)),
            Err(faults) => faults,
        },
        Err(error) => {
            complain(&format!("enroute: {name}: {error}"));
            return Err(ExitCode::from(FAULTY_CONFIG));
        }
    };
    for fault in &faults {
        complain(&fault.to_string());
    }
    let plural = if faults.len() == 1 { "" } else { "s" };
    complain(&format!("enroute: {} fault{plural} in {name}; nothing was started", faults.len()));
    Err(ExitCode::from(FAULTY_CONFIG))
}

/// Runs the hub until SIGTERM or SIGINT; `file` is where its configuration comes from, and what that said.
fn run(config: Config, file: (PathBuf, String)) -> anyhow::Result<()> {
    log_to_stderr(config.log);
    sockets_runtime(config.io_threads)?.block_on(work(config, Some(file), None))
}

/// Runs the hub of the demonstration.
fn demo() -> anyhow::Result<()> {
    log_to_stderr(Level::INFO);
    sockets_runtime(None)?.block_on(async {
        let carrier = simulated_carrier().await?;
        work(Config::default_plan(&carrier), None, Some(first_message())).await
    })
}

/// Starts the demonstration's carrier inside this process; gives its address.
async fn simulated_carrier() -> anyhow::Result<String> {
    let address = smsc::embed("127.0.0.1:2776", Conduct::obliging()).await?;
    Ok(address.to_string())
}

async fn work(config: Config, file: Option<(PathBuf, String)>, hint: Option<String>) -> anyhow::Result<()> {
    let mut told = Told::listen().context("signals")?;
    let hangup = signal(SignalKind::hangup()).context("signals")?;
    let metrics = Metrics::new();
    let door = TcpListener::bind(&config.http)
        .await
        .with_context(|| format!("can't listen on {} for HTTP", config.http))?;
    let http_address = door.local_addr()?;
    let (shut, shutting) = oneshot::channel::<()>();
    let accounts: Vec<_> = config.plan.hub.accounts.iter().map(|plan| plan.account.clone()).collect();
    let (calls, asked) = mpsc::channel(http::SEATS);
    let (questions, asked_of_routes) = mpsc::channel(http::SEATS);
    let desk = http::Desk::new(&accounts, calls).asking(questions);
    let known = desk.accounts();
    let (reloads, asked_to_reload) = mpsc::channel(1);
    let behind = (desk, http::Admin::new(reloads));
    let door = tokio::spawn(http::serve(door, metrics.clone(), behind, async move {
        // Told to shut, or the teller is gone: either way it is over.
        let _ = shutting.await;
    }));

    let mut hub = runtime::start(config.plan, metrics.clone()).await?;
    hub.answer(asked);
    let (file, text) = file.map_or((None, String::new()), |(file, text)| (Some(file), text));
    let reloading = hub.reloader().map(|reloader| Reloading {
        file,
        started: text.clone(),
        text,
        reloader,
        desk: known,
        metrics: metrics.clone(),
    });
    let reloading = reloading.map(|reloading| tokio::spawn(reloading.serve(hangup, asked_to_reload)));
    hub.explain(asked_of_routes);
    say(&format!("smpp listening on {}", hub.address));
    say(&format!("http listening on {http_address}"));
    metrics.ready.set(1);
    say("ready");
    if let Some(hint) = hint {
        say(&format!("send a first message with: {hint}"));
    }

    let word = told.stop().await;
    info!(signal = word, "stopping");
    metrics.ready.set(0);
    // From here on nobody keeps carriers' links up.
    reloading.iter().for_each(tokio::task::JoinHandle::abort);
    hub.stop().await;
    drop(shut);
    if let Ok(ended) = tokio::time::timeout(HTTP_PATIENCE, door).await {
        ended.context("HTTP")?.context("HTTP")?;
    }
    info!("stopped");
    Ok(())
}

/// The signals that stop a hub.
struct Told {
    terminate: Signal,
    interrupt: Signal,
}

impl Told {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for one of them; gives its name.
    async fn stop(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// The runtime of sockets: half of the machine unless told otherwise, for the hub and the spool have threads of their own.
fn sockets_runtime(threads: Option<usize>) -> anyhow::Result<tokio::runtime::Runtime> {
    let half = || std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1));
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads.unwrap_or_else(half))
        .thread_name("enroute-io")
        .enable_all()
        .build()
        .context("can't start the threads for sockets")
}

/// The tools keep to one core, so that what they measure is the hub.
fn tool_runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    sockets_runtime(Some(1))
}

fn log_to_stderr(level: Level) {
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}

/// The command that sends a first message, as whoever started this would write it.
fn first_message() -> String {
    let by_cargo =
        std::env::current_exe().is_ok_and(|path| path.components().any(|part| part.as_os_str() == "target"));
    let program = if by_cargo { "cargo run --release --" } else { "enroute" };
    format!("{program} load --to 127.0.0.1:2775 --system-id demo --password demo --count 10")
}

/// A line for whoever started this; nobody may be listening any more.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The exit code for a configuration that can't be used; 1 is for a start that failed.
const FAULTY_CONFIG: u8 = 2;

/// How long the last scrape may take.
const HTTP_PATIENCE: Duration = Duration::from_secs(1);

const EXAMPLES: &str = "\
Examples:
  enroute                                     a hub and a simulated carrier, to try it out
  enroute load --to 127.0.0.1:2775 --system-id demo --password demo --count 10
                                              send it ten messages and wait for their receipts
  enroute check enroute.toml                  what is wrong with a configuration, all at once
  enroute route --config enroute.toml --account demo --to 447700900123
                                              where a message goes, and why
  enroute serve --config enroute.toml         the hub
  enroute smsc --listen 127.0.0.1:2776        a simulated carrier by itself
  enroute inspect 00000010000000150000000000000001
                                              a PDU in words
  enroute inspect trouble.pcapng              each PDU of a capture, with its time and direction
  enroute inspect ./enroute-data              what a spool holds, read-only
  enroute repair ./enroute-data               what is wrong with a spool; changes something with --yes alone";

const SERVE_HELP: &str = "\
Prints \"smpp listening on ADDRESS\", \"http listening on ADDRESS\" and \"ready\" to stdout; logs go to stderr.
SIGHUP has it read its configuration again: a faulty one changes nothing.
SIGTERM and SIGINT stop it: nobody new is accepted, what is out may come back, then all sessions are unbound.
Exit codes: 0 stopped in good order, 1 can't start, 2 faulty configuration.";
