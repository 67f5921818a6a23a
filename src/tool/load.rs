//! `enroute load`: an ESME that pushes, and reports what became of it.

use super::ledger::Ledger;
use super::pusher::{Orders, Pusher};
use super::tally::Tally;
use super::template::{Operation, Schedule, Template, Wish};
use crate::runtime::{drive, now};
use crate::session::BindKind;
use anyhow::Context;
use clap::Args;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};

/// What `enroute load` takes.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The hub's SMPP address.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:2775")]
    pub to: String,
    #[arg(long, default_value = "demo")]
    pub system_id: String,
    #[arg(long, default_value = "demo")]
    pub password: String,
    /// Sessions.
    #[arg(long, default_value_t = 1)]
    pub binds: usize,
    /// Unanswered submissions of each session.
    #[arg(long, default_value_t = 100)]
    pub window: usize,
    /// Messages to send; without it and without --seconds, 10.
    #[arg(long)]
    pub count: Option<u32>,
    /// Seconds to send for.
    #[arg(long)]
    pub seconds: Option<f64>,
    /// Messages a second over all sessions; without it as fast as the windows allow.
    #[arg(long)]
    pub rate: Option<f64>,
    /// With --rate: what could not leave when it was due, for want of room in the window, leaves as soon as it can, and its times count
    /// from when it was due, so that a hub that stalls is not spared the messages that it kept us from sending.
    #[arg(long, requires = "rate")]
    pub open_loop: bool,
    /// Submit nothing: say `bound` when all sessions are, and stay until SIGTERM or SIGINT.
    #[arg(long, conflicts_with_all = ["count", "seconds", "rate", "receipts_later"])]
    pub idle: bool,
    /// Octets of each text, 13 at least.
    #[arg(long, default_value_t = 100)]
    pub text_len: usize,
    /// priority_flag of each message.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=3))]
    pub priority: u8,
    /// Sender of each message.
    #[arg(long, default_value = "447700900100")]
    pub from: String,
    /// Recipient of each message.
    #[arg(long, default_value = "447700900123")]
    pub destination: String,
    /// Recipients in turn: that many numbers, which differ from the recipient in their last digits.
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    pub destinations: u32,
    /// The PDU that submits.
    #[arg(long, value_enum, default_value_t = Operation::SubmitSm)]
    pub operation: Operation,
    /// Ask for delivery so many seconds after the hub has taken the message, and not before.
    #[arg(long, value_name = "SECONDS")]
    pub schedule_in: Option<f64>,
    /// With --schedule-in: count its seconds from the start of the run, and let this many messages fall due in each second from
    /// then on, a tenth of them together. Each text says when it is due: smsc reports how late they came.
    #[arg(long, value_name = "COUNT", requires = "schedule_in")]
    pub due_per_second: Option<u32>,
    /// With --schedule-in alone: each text says when it is due, counted from when it is sent.
    #[arg(long, requires = "schedule_in")]
    pub say_due: bool,
    /// Don't ask for receipts.
    #[arg(long)]
    pub no_receipts: bool,
    /// Print the report as one JSON object, on the last line.
    #[arg(long)]
    pub json: bool,
    /// Write a line for each answer and receipt to this file.
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// Connect again when a session is lost; what it had not heard of is counted as unknown.
    #[arg(long)]
    pub reconnect: bool,
    /// Wait for so many different messages of handsets too, as long as for receipts.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub inbound: u64,
    /// Seconds to wait for receipts after the last answer.
    #[arg(long, default_value_t = 30.0)]
    pub receipt_wait: f64,
    /// Send on transmitters only; when all is answered, wait this many seconds and bind receivers.
    #[arg(long, value_name = "SECONDS")]
    pub receipts_later: Option<f64>,
    /// With --receipts-later: don't connect for the receipts, but wait here to be called by outbind, and bind on the call.
    #[arg(long, value_name = "HOST:PORT", requires = "receipts_later")]
    pub called_at: Option<String>,
}

/// Runs a load, prints its report.
///
/// # Errors
/// If the hub can't be reached or the ledger not be written.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let ledger = Ledger::create(options.ledger.as_deref()).context("the ledger")?;
    let count = match (options.count, options.seconds) {
        _ if options.idle => 0,
        (Some(count), _) => count,
        (None, Some(_)) => u32::MAX,
        (None, None) => COUNT,
    };
    let mut tally = Tally::new(ledger, now().mono);
    tally.follows = !options.no_receipts;
    tally.tells = !options.json && count <= TOLD_MAX;
    let orders = Arc::new(Orders {
        system_id: options.system_id.clone(),
        password: options.password.clone(),
        count,
        rate: options.rate.map(|rate| rate / options.binds.max(1) as f64),
        open_loop: options.open_loop,
        idle: options.idle,
        template: Template::new(
            options.operation,
            &options.from,
            &options.destination,
            options.destinations,
            options.text_len.min(254),
            Wish { receipts: !options.no_receipts, priority: options.priority },
            schedule(&options),
        ),
        enough: AtomicBool::new(false),
        leave: AtomicBool::new(false),
        tally: Mutex::new(tally),
    });
    let progress = tokio::spawn(show_progress(Arc::clone(&orders), !options.json));
    let kind = if options.receipts_later.is_some() { BindKind::Transmitter } else { BindKind::Transceiver };
    let senders = Crew::bind(&options, &orders, kind).await?;
    match options.idle {
        true => stay(&options, &orders, &senders).await?,
        false => send_all(&options, &orders, &senders).await,
    }
    if let Some(later) = options.receipts_later {
        senders.leave(&orders).await;
        tokio::time::sleep(Duration::from_secs_f64(later)).await;
        orders.leave.store(false, Ordering::Relaxed);
        let receivers = match &options.called_at {
            Some(address) => Crew::called(&options, &orders, address).await?,
            None => Crew::bind(&options, &orders, BindKind::Receiver).await?,
        };
        wait_for_receipts(&options, &orders).await;
        receivers.leave(&orders).await;
    } else {
        wait_for_receipts(&options, &orders).await;
        senders.leave(&orders).await;
    }
    progress.abort();
    let mut tally = orders.tally.lock().unwrap_or_else(PoisonError::into_inner);
    tally.ledger.flush();
    let report = tally.report();
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        report.print();
    }
    Ok(())
}

fn schedule(options: &Options) -> Schedule {
    let Some(seconds) = options.schedule_in else { return Schedule::Now };
    let span = Duration::from_secs_f64(seconds.clamp(0.0, SCHEDULE_MAX_S));
    match options.due_per_second {
        Some(per_second) => Schedule::Due { from: now().wall.after(span), per_second },
        None if options.say_due => Schedule::SaidIn(span),
        None => Schedule::In(span),
    }
}

/// Says when all sessions are bound, and waits until we are told to go.
async fn stay(options: &Options, orders: &Orders, crew: &Crew) -> anyhow::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut said = false;
    while !crew.is_gone() {
        let bound = orders.tally.lock().unwrap_or_else(PoisonError::into_inner).binds;
        if !said && bound >= options.binds as u64 {
            said = true;
            println!("bound {bound}");
        }
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            () = tokio::time::sleep(if said { Duration::from_secs(1) } else { STEP }) => {}
        }
    }
    anyhow::bail!("all sessions are gone")
}

/// Sends until the count or the time is reached and everything is answered.
async fn send_all(options: &Options, orders: &Orders, crew: &Crew) {
    let until = options.seconds.map(|seconds| now().mono + Duration::from_secs_f64(seconds));
    loop {
        tokio::time::sleep(STEP).await;
        if until.is_some_and(|until| now().mono >= until) {
            orders.enough.store(true, Ordering::Relaxed);
        }
        let tally = orders.tally.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = tally.next >= orders.count || orders.enough.load(Ordering::Relaxed);
        if sent && tally.open() == 0 {
            return;
        }
        if crew.is_gone() {
            eprintln!("all sessions are gone");
            return;
        }
    }
}

async fn wait_for_receipts(options: &Options, orders: &Orders) {
    if (options.no_receipts || options.idle) && options.inbound == 0 {
        return;
    }
    let until = now().mono + Duration::from_secs_f64(options.receipt_wait);
    while now().mono < until {
        {
            let tally = orders.tally.lock().unwrap_or_else(PoisonError::into_inner);
            let has_receipts = options.no_receipts || tally.receipts >= tally.accepted;
            if has_receipts && tally.inbound_numbers.len() as u64 >= options.inbound {
                return;
            }
        }
        tokio::time::sleep(STEP).await;
    }
}

/// The sessions of a run.
struct Crew {
    tasks: JoinSet<()>,
    bells: Vec<Arc<Notify>>,
    handles: Vec<AbortHandle>,
}

impl Crew {
    fn new() -> Self {
        Self { tasks: JoinSet::new(), bells: Vec::new(), handles: Vec::new() }
    }

    async fn bind(options: &Options, orders: &Arc<Orders>, kind: BindKind) -> anyhow::Result<Self> {
        let mut crew = Self::new();
        for _ in 0..options.binds {
            let stream = connect(options).await.with_context(|| format!("connecting to {}", options.to))?;
            let bell = Arc::new(Notify::new());
            crew.bells.push(Arc::clone(&bell));
            let (options, orders) = (options.clone(), Arc::clone(orders));
            crew.handles.push(crew.tasks.spawn(keep_session(stream, options, orders, kind, bell)));
        }
        Ok(crew)
    }

    /// One session, on the first call that comes.
    async fn called(options: &Options, orders: &Arc<Orders>, address: &str) -> anyhow::Result<Self> {
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("waiting for a call at {address}"))?;
        let bell = Arc::new(Notify::new());
        let (window, orders, to_leave) = (options.window, Arc::clone(orders), Arc::clone(&bell));
        let mut crew = Self::new();
        crew.bells.push(Arc::clone(&bell));
        crew.handles.push(crew.tasks.spawn(async move {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = to_leave.notified() => return,
            };
            let Ok((mut stream, _)) = accepted else { return };
            if stream.set_nodelay(true).is_ok() {
                let mut pusher = Pusher::called(orders, BindKind::Receiver, window, bell, now());
                drive(&mut stream, &mut pusher).await;
                pusher.end();
            }
        }));
        Ok(crew)
    }

    /// Whether no session is left.
    fn is_gone(&self) -> bool {
        self.handles.iter().all(AbortHandle::is_finished)
    }

    async fn leave(mut self, orders: &Orders) {
        orders.leave.store(true, Ordering::Relaxed);
        self.bells.iter().for_each(|bell| bell.notify_one());
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn connect(options: &Options) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(&options.to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn keep_session(
    stream: TcpStream,
    options: Options,
    orders: Arc<Orders>,
    kind: BindKind,
    bell: Arc<Notify>,
) {
    let mut stream = Some(stream);
    loop {
        if let Some(mut stream) = stream.take() {
            let mut pusher = Pusher::new(Arc::clone(&orders), kind, options.window, Arc::clone(&bell), now());
            drive(&mut stream, &mut pusher).await;
            pusher.end();
        }
        if !options.reconnect || orders.leave.load(Ordering::Relaxed) {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(RECONNECT) => {}
            () = bell.notified() => {}
        }
        stream = connect(&options).await.ok();
    }
}

async fn show_progress(orders: Arc<Orders>, wanted: bool) {
    let wanted = wanted && std::io::stderr().is_terminal();
    let mut last = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut tally = orders.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.ledger.flush();
        if wanted {
            let a_second = 2 * (tally.accepted - last);
            last = tally.accepted;
            eprint!("\r{:>10} accepted {a_second:>8}/s {:>10} receipts ", tally.accepted, tally.receipts);
        }
    }
}

/// Messages of a run that is told neither a number nor a time.
const COUNT: u32 = 10;
/// Runs of up to this many messages tell of each.
const TOLD_MAX: u32 = 20;
/// The farthest that a relative time of days says.
const SCHEDULE_MAX_S: f64 = 99.0 * 86_400.0;
const STEP: Duration = Duration::from_millis(10);
const RECONNECT: Duration = Duration::from_millis(50);
