//! Puts the hub together, starts it, and stops it in good order.

use super::calls::{self, CALLS_MAX};
use super::good_order::GoodOrder;
use super::hub_thread::{BulkCalls, HubThread};
use super::mail::{Errand, Mail, Request, Task};
use super::mailbox::Mailbox;
use super::plan::{Plan, show_durability};
use super::reader_thread::ReaderThread;
use super::reload::Reloader;
use super::rest::Rest;
use super::shared::Shared;
use super::spool_threads::{Progress, SparesThread, WriterThread};
use super::{FileDisk, listener, machine, now};
use crate::bulk;
use crate::esme::Registry;
use crate::hub::{Event, Hub, Replay};
use crate::id::AccountId;
use crate::metrics::Metrics;
use crate::route;
use crate::spool::{self, OpenError, Reader, RecoveryReport, Writer};
use foldhash::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle as TaskHandle;
use tracing::{info, warn};

/// Why a hub can't start.
#[derive(Debug, Error)]
pub enum ServeError {
    #[error("spool directory {directory}: {source}")]
    Directory { directory: PathBuf, source: io::Error },
    #[error(transparent)]
    Spool(#[from] OpenError),
    #[error("can't listen on {address}: {source}")]
    Listen { address: String, source: io::Error },
    #[error(
        "{limit} file descriptors are too few: the spool, the carriers and the operators need all of them (ulimit -n)"
    )]
    Descriptors { limit: u64 },
    #[error("can't start a thread: {0}")]
    Thread(#[source] io::Error),
}

/// A hub at work.
pub struct Running {
    /// Where ESMEs connect to.
    pub address: SocketAddr,
    pub report: RecoveryReport,
    pub registry: Arc<Registry>,
    /// Messages that the spool brought back.
    pub recovered: usize,
    mailbox: Arc<Mailbox<Mail>>,
    leaving: watch::Sender<bool>,
    bound: mpsc::Receiver<()>,
    listener: TaskHandle<()>,
    /// Those who take calls about bulks.
    desks: Vec<TaskHandle<()>>,
    note: GoodOrder,
    threads: Threads,
    reloader: Option<Reloader>,
}

/// Opens the spool, recovers what it holds, and begins to listen and to connect.
///
/// # Errors
/// See [`ServeError`]; nothing keeps running then.
pub async fn start(mut plan: Plan, metrics: Metrics) -> Result<Running, ServeError> {
    plan.max_connections = connections(&plan)?;
    plan.hub.limits.memory_octets = plan.memory_octets.unwrap_or_else(machine::memory_share);
    info!(memory_octets = plan.hub.limits.memory_octets, max_connections = plan.max_connections, "limits");
    let address = plan.address.clone();
    let socket =
        TcpListener::bind(&address).await.map_err(|source| ServeError::Listen { address, source })?;
    let disk = FileDisk::open(&plan.directory)
        .map_err(|source| ServeError::Directory { directory: plan.directory.clone(), source })?;
    let mut replay = Replay::new(plan.hub.clone());
    let note = GoodOrder::of(&plan.directory);
    if !note.take() {
        replay.after_a_crash();
    }
    let began = now();
    let (journal, writer, reader, report) =
        spool::open(disk, plan.spool, SHARD, began, &mut |record, locator| {
            replay.take(&record, locator);
        })?;
    let recovered = replay.len();
    let hub = replay.finish(journal, now());
    log_recovery(&report, recovered, now().mono - began.mono);
    show_durability(&plan.hub, &metrics);

    let accounts: Vec<_> = plan.hub.accounts.iter().map(|plan| plan.account.clone()).collect();
    let registry = Registry::new(&accounts);
    let (shared, bound) = Shared::new(&plan, Arc::clone(&registry), hub.id_key(), metrics);
    let mailbox = Arc::clone(&shared.mailbox);
    let (calls, named) = mpsc::channel(CALLS_MAX);
    let names = hub.names();
    let threads = Threads::start(hub, writer, reader, &plan, &shared, calls)?;
    let (leaving, _) = watch::channel(false);
    tokio::spawn(calls::call(named, Arc::clone(&shared), leaving.subscribe()));
    let reloader = Reloader::new(&plan, names, Arc::clone(&shared), leaving.subscribe());
    let address =
        socket.local_addr().map_err(|source| ServeError::Listen { address: plan.address, source })?;
    let listener = tokio::spawn(listener::accept(socket, shared));
    Ok(Running {
        address,
        report,
        registry,
        recovered,
        mailbox,
        leaving,
        bound,
        listener,
        desks: Vec::new(),
        note,
        threads,
        reloader: Some(reloader),
    })
}

/// How many connections customers may have, given the descriptors that there are.
fn connections(plan: &Plan) -> Result<usize, ServeError> {
    let limit = machine::raise_descriptors();
    let (links, wanted) =
        (plan.hub.carriers.iter().map(|plan| plan.carrier.sessions()).sum(), plan.max_connections);
    let connections = machine::connections(limit, links, wanted).ok_or(ServeError::Descriptors { limit })?;
    if connections < wanted {
        warn!(
            limit,
            connections,
            wanted,
            "file descriptors are enough for fewer connections than max_connections (ulimit -n)"
        );
    }
    Ok(connections)
}

/// What runs beside the tasks.
struct Threads {
    handles: Vec<JoinHandle<()>>,
    /// Set while nothing is out that could be doubled.
    quiet: Arc<AtomicBool>,
    errands: Arc<Mailbox<Errand>>,
}

impl Threads {
    fn start(
        hub: Hub,
        writer: Writer<FileDisk>,
        reader: Reader<FileDisk>,
        plan: &Plan,
        shared: &Shared,
        calls: mpsc::Sender<AccountId>,
    ) -> Result<Self, ServeError> {
        let (mailbox, names) = (&shared.mailbox, hub.names());
        let progress = Arc::new(Progress::new(writer.durable()));
        let (tasks, requests): (Arc<Mailbox<Task>>, Arc<Mailbox<Request>>) = Default::default();
        let (errands, quiet): (Arc<Mailbox<Errand>>, Arc<AtomicBool>) = Default::default();
        let hub_thread = HubThread {
            hub,
            mailbox: Arc::clone(mailbox),
            progress: Arc::clone(&progress),
            tasks: Arc::clone(&tasks),
            errands: Arc::clone(&errands),
            requests: Arc::clone(&requests),
            metrics: shared.metrics.clone(),
            buffers: Arc::clone(&shared.buffers),
            carriers: names.carriers,
            meters: Vec::new(),
            clamped: names.accounts.into_iter().map(|name| (name, None)).collect(),
            quiet: Arc::clone(&quiet),
            calls,
            ports: HashMap::default(),
            links: HashMap::default(),
            port_rest: Rest::new(PORT_REST),
            link_rest: Rest::new(LINK_REST),
            bulks: BulkCalls::default(),
            reloads: Vec::new(),
        };
        let spares_thread = SparesThread {
            spares: writer.spares(),
            errands: Arc::clone(&errands),
            hub: Arc::clone(mailbox),
            reserve_octets: plan.reserve_octets,
            metrics: shared.metrics.clone(),
            full: false,
            dead: Vec::new(),
            stopping: false,
        };
        let reader_thread = ReaderThread::new(reader, requests, Arc::clone(mailbox), Arc::clone(&progress));
        let writer_thread = WriterThread {
            writer,
            tasks,
            hub: Arc::clone(mailbox),
            progress,
            tells_written: Arc::clone(&shared.tells_written),
            commit_gap: plan.commit_gap,
            metrics: shared.metrics.clone(),
        };
        let handles = vec![
            spawn("enroute-hub", move || hub_thread.run())?,
            spawn("enroute-spool", move || writer_thread.run())?,
            spawn("enroute-reader", move || reader_thread.run())?,
            spawn("enroute-spares", move || spares_thread.run())?,
        ];
        Ok(Self { handles, quiet, errands })
    }
}

fn log_recovery(report: &RecoveryReport, messages: usize, took: Duration) {
    let RecoveryReport { segments, records, cut_octets, damaged_octets, damaged, .. } = report;
    info!(segments, records, messages, cut_octets, ?took, "spool recovered");
    for damage in damaged {
        warn!(file = damage.file, from = damage.from, to = damage.to, "damaged: what was there is lost");
    }
    for file in &report.aside {
        warn!(file, "nothing of it can be read, and its place in the log is unknown: put aside");
    }
    if *damaged_octets > 0 {
        warn!(damaged_octets, "the spool is damaged; the files are kept");
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, ServeError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(ServeError::Thread)
}

impl Running {
    /// Takes what customers ask of their bulks to the hub, until it stops or nobody can call any more.
    pub fn answer(&mut self, calls: mpsc::Receiver<bulk::Call>) {
        self.take_in(calls, Mail::Bulk);
    }

    /// What brings this hub other settings while it works; there is one.
    pub const fn reloader(&mut self) -> Option<Reloader> {
        self.reloader.take()
    }

    /// Takes what operators ask about routes to the hub, until it stops or nobody can ask any more.
    pub fn explain(&mut self, calls: mpsc::Receiver<route::Call>) {
        self.take_in(calls, Mail::Route);
    }

    fn take_in<T: Send + 'static>(&mut self, mut calls: mpsc::Receiver<T>, mail: fn(T) -> Mail) {
        let mailbox = Arc::clone(&self.mailbox);
        self.desks.push(tokio::spawn(async move {
            while let Some(call) = calls.recv().await {
                mailbox.send(mail(call));
            }
        }));
    }

    /// Stops: accepts nobody new, lets what is out come back, says goodbye on all sides, writes what is left.
    ///
    /// Takes at most 12 s and the time of a last commit.
    pub async fn stop(mut self) {
        self.listener.abort();
        self.reloader = None; // it would keep what tells of the last session
        self.desks.iter().for_each(TaskHandle::abort);
        self.leaving.send_replace(true);
        self.threads.quiet.store(false, Ordering::Release);
        self.mailbox.send(Mail::Event(Event::Rest));
        let rest = async {
            loop {
                tokio::time::sleep(STEP).await;
                if self.threads.quiet.load(Ordering::Acquire) {
                    return;
                }
            }
        };
        let was_quiet = tokio::time::timeout(REST_PATIENCE, rest).await.is_ok();
        if !was_quiet {
            warn!("some peers still owe answers; going on without them");
        }
        self.mailbox.send(Mail::Event(Event::Leave));
        if tokio::time::timeout(LEAVE_PATIENCE, self.bound.recv()).await.is_err() {
            warn!("some sessions did not end in time");
        }
        self.mailbox.send(Mail::Stop);
        self.threads.errands.send(Errand::Stop);
        let threads = std::mem::take(&mut self.threads.handles);
        let joined =
            tokio::task::spawn_blocking(move || threads.into_iter().all(|thread| thread.join().is_ok()));
        match joined.await.unwrap_or(false) {
            true if was_quiet => self.note.leave(),
            true => {}
            false => warn!("a thread ended badly"),
        }
    }
}

/// This hub's shard: the only one of its store.
const SHARD: u8 = 0;

/// How long what is out may take to come back.
pub const REST_PATIENCE: Duration = Duration::from_secs(6);

/// How long sessions may take to end.
pub const LEAVE_PATIENCE: Duration = Duration::from_secs(6);

const STEP: Duration = Duration::from_millis(10);

/// The rest of the hub after it told customers something, for each of their sessions: some twice what telling costs both ends.
const PORT_REST: Duration = Duration::from_micros(20);

/// The same for links, of which there may be hundreds, each with a message or two at a time.
const LINK_REST: Duration = Duration::from_micros(90);
