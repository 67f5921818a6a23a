//! `enroute smsc`: a carrier that takes everything it is told to take, and counts.

use super::book::Book;
use super::conduct::Conduct;
use super::ledger::Ledger;
use super::simulator::Simulator;
use crate::codec::Outbind;
use crate::runtime::{drive, now};
use anyhow::Context;
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

/// What `enroute smsc` takes.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Where to listen.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:2776")]
    pub listen: String,
    #[command(flatten)]
    pub conduct: Conduct,
    /// Call this ESME by outbind as well, again and again, so that it binds on our connection.
    #[arg(long, value_name = "HOST:PORT")]
    pub outbind: Option<String>,
    /// What we call ourselves in the outbind.
    #[arg(long, default_value = "smsc")]
    pub outbind_system_id: String,
    /// What proves it.
    #[arg(long, default_value = "")]
    pub outbind_password: String,
    /// Print the report as one JSON object, on the last line.
    #[arg(long)]
    pub json: bool,
    /// Write a line for each message and receipt to this file.
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
}

/// Runs a carrier until SIGTERM or SIGINT, prints its report.
///
/// # Errors
/// If it can't listen or the ledger not be written.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let ledger = Ledger::create(options.ledger.as_deref()).context("the ledger")?;
    let (address, book) = start(&options.listen, options.conduct.clone(), ledger).await?;
    println!("smsc listening on {address}");
    if options.outbind.is_some() {
        tokio::spawn(call(options.clone(), Arc::clone(&book)));
    }
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut release = signal(SignalKind::user_defined1())?;
    let mut flush = tokio::time::interval(FLUSH_EACH);
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = release.recv() => book.release_receipts(),
            _ = flush.tick() => book.lock().ledger.flush(),
        }
    }
    let mut inner = book.lock();
    inner.ledger.flush();
    let report = inner.report();
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!(
            "messages {}, distinct {}, duplicates {}, missing {}, refused {}",
            report.messages, report.distinct, report.duplicates, report.missing, report.refused
        );
        if report.timed > 0 {
            println!(
                "to the carrier from when they were due: p50 {} ms, p99 {} ms, longest {} ms; {} of {} came early",
                report.late_p50_ms, report.late_p99_ms, report.late_max_ms, report.early, report.timed
            );
        }
        println!(
            "receipts sent {}, answered {}; binds {}; own CPU {:.2} s",
            report.receipts_sent, report.receipts_answered, report.binds, report.cpu_s
        );
        if report.inbound_sent > 0 {
            println!(
                "messages of handsets sent {}, taken {}, refused {}",
                report.inbound_sent, report.inbound_taken, report.inbound_refused
            );
        }
    }
    Ok(())
}

/// Starts a carrier beside whatever else runs here: for a hub with nothing configured.
///
/// # Errors
/// If it can't listen on `address`.
pub async fn embed(address: &str, conduct: Conduct) -> anyhow::Result<SocketAddr> {
    Ok(start(address, conduct, Ledger::default()).await?.0)
}

async fn start(address: &str, conduct: Conduct, ledger: Ledger) -> anyhow::Result<(SocketAddr, Arc<Book>)> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?;
    let address = listener.local_addr()?;
    let drop_every = conduct.drop_every_s.map(Duration::from_secs_f64);
    let book = Arc::new(Book::new(conduct, ledger, now()));
    tokio::spawn(accept(listener, Arc::clone(&book)));
    if let Some(every) = drop_every {
        let book = Arc::clone(&book);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(every).await;
                book.drops.fetch_add(1, Ordering::Relaxed);
                book.ring();
            }
        });
    }
    Ok((address, book))
}

/// Calls the ESME of `options`, and again when that session has ended.
async fn call(options: Options, book: Arc<Book>) {
    let Some(address) = &options.outbind else { return };
    let outbind = Outbind {
        system_id: options.outbind_system_id.as_bytes(),
        password: options.outbind_password.as_bytes(),
    };
    loop {
        if let Ok(mut stream) = TcpStream::connect(address).await
            && stream.set_nodelay(true).is_ok()
        {
            let mut simulator = Simulator::call(Arc::clone(&book), &outbind, now());
            drive(&mut stream, &mut simulator).await;
            simulator.end();
        }
        tokio::time::sleep(CALL_AGAIN).await;
    }
}

async fn accept(listener: TcpListener, book: Arc<Book>) {
    loop {
        let Ok((mut stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let book = Arc::clone(&book);
        tokio::spawn(async move {
            if stream.set_nodelay(true).is_ok() {
                let mut simulator = Simulator::new(book, now());
                drive(&mut stream, &mut simulator).await;
                simulator.end();
            }
        });
    }
}

/// How long a call that ended or failed waits for the next.
const CALL_AGAIN: Duration = Duration::from_millis(200);
const FLUSH_EACH: Duration = Duration::from_millis(500);
