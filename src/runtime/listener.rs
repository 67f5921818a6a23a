//! Accepts ESMEs and runs a port for each.

use super::answering;
use super::driver::{End, Machine, drive_on, part_from};
use super::mail::Mail;
use super::mailbox::{Mailbox, Outbox};
use super::now;
use super::shared::{Meter, Shared, SideMetrics};
use crate::clock::Now;
use crate::esme::{Port, PortBatch, PortEvent};
use crate::hub::{Event, label};
use crate::id::SessionId;
use crate::session::Reason;
use bytes::BytesMut;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tracing::{debug, info, warn};

/// Accepts until the task is dropped.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let seats = Arc::new(Semaphore::new(shared.max_connections));
    let mut failed = false;
    loop {
        let Ok(seat) = Arc::clone(&seats).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((mut stream, peer)) => {
                failed = false;
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    run_port(&mut stream, peer, &shared).await;
                    part_from(stream).await;
                    drop(seat);
                });
            }
            Err(error) => {
                // Out of descriptors: those that are bound go on, and some will end. Said once, however long it lasts.
                if !std::mem::replace(&mut failed, true) {
                    warn!(%error, "connections can't be accepted for now");
                }
                shared.metrics.accepts_failed.inc();
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn run_port(stream: &mut TcpStream, peer: SocketAddr, shared: &Shared) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%peer, %error, "the connection is gone already");
        return;
    }
    let port = Port::new(shared.session, Arc::clone(&shared.registry), shared.id_key, now());
    let mut task = PortTask::new(port, peer, shared);
    let mut input = BytesMut::new();
    let end = drive_on(stream, &mut task, &mut input).await;
    match task.port.caller().cloned() {
        Some(caller) => {
            task.hand_over();
            answering::answer(stream, input, &caller, peer, shared).await;
        }
        None => {
            task.close(end);
            if task.port.closed() == Some(Reason::Unruly) {
                tokio::time::sleep(UNRULY_REST).await; // its seat stays taken: it may not be back at once
            }
        }
    }
}

/// A port on its socket.
pub(super) struct PortTask<'a> {
    port: Port,
    session: SessionId,
    outbox: Arc<Outbox<PortBatch>>,
    mailbox: Arc<Mailbox<Mail>>,
    metrics: SideMetrics,
    letters: Vec<Mail>,
    meter: Meter,
    account: Option<String>,
    shared: &'a Shared,
    peer: SocketAddr,
}

impl<'a> PortTask<'a> {
    pub fn new(port: Port, peer: SocketAddr, shared: &'a Shared) -> Self {
        Self {
            port,
            session: shared.next_session(),
            outbox: Arc::default(),
            mailbox: Arc::clone(&shared.mailbox),
            metrics: shared.esme_metrics.clone(),
            letters: Vec::new(),
            meter: Meter::new(shared),
            account: None,
            shared,
            peer,
        }
    }

    /// Tells the hub what the port has for it, and the metrics what it counted.
    fn hand_over(&mut self) {
        for event in self.port.take_events() {
            let event = match event {
                PortEvent::Intake(intake) => Event::PortIntake { session: self.session, intake },
                PortEvent::Bound { account, kind, version, window } => {
                    self.letters.push(Mail::Port(self.session, Arc::clone(&self.outbox)));
                    Event::PortBound { session: self.session, account, kind, version, window }
                }
            };
            self.letters.push(Mail::Event(event));
        }
        self.mailbox.send_all(&mut self.letters);
        self.meter.note_output(self.port.session().transmit().capacity());
        if self.account.is_none()
            && let Some(seat) = self.port.seat()
        {
            let name = seat.account.system_id.clone();
            info!(account = name, peer = %self.peer, session = self.session.0, "bound");
            self.metrics.sessions.with_label_values(&["esme", &name]).inc();
            self.account = Some(name);
        }
        let session_stats = self.port.session().take_stats();
        let stats = self.port.take_stats();
        for (status, times) in stats.refused {
            self.shared.metrics.refused.with_label_values(&[label(status)]).inc_by(times);
        }
        self.shared.metrics.binds_refused.inc_by(stats.binds_refused + session_stats.binds_unreadable);
        self.metrics.fold(session_stats);
    }

    /// Ends it; gives the account that was bound, if one was.
    pub fn close(&mut self, end: End) -> Option<String> {
        let reason = match end {
            End::Machine => self.port.closed().unwrap_or(Reason::Dropped),
            End::Peer => self.port.closed().unwrap_or(Reason::PeerGone),
            End::Stuck => Reason::Stalled,
        };
        self.port.close(reason);
        self.hand_over();
        self.metrics.closed.with_label_values(&["esme", reason.name()]).inc();
        let Some(account) = self.account.take() else {
            debug!(peer = %self.peer, reason = reason.name(), "never bound");
            return None;
        };
        info!(account, peer = %self.peer, session = self.session.0, reason = reason.name(), "session ended");
        self.metrics.sessions.with_label_values(&["esme", &account]).dec();
        self.mailbox.send(Mail::Event(Event::PortClosed { session: self.session }));
        Some(account)
    }
}

impl Machine for PortTask<'_> {
    fn receive(&mut self, input: &mut BytesMut, now: Now) {
        self.port.receive(input, now);
        self.meter.note_input(input.capacity());
        self.hand_over();
    }

    fn handle_timeout(&mut self, now: Now) {
        self.port.handle_timeout(now);
        self.hand_over();
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.port.next_timeout()
    }

    fn wake(&mut self, now: Now) {
        for batch in self.outbox.take() {
            self.port.apply(&batch, now);
        }
        self.hand_over();
    }

    fn bell(&self) -> &Notify {
        self.outbox.bell()
    }

    fn transmit(&mut self) -> &mut BytesMut {
        self.port.session().transmit()
    }

    fn wants_read(&self) -> bool {
        self.port.wants_read()
    }

    fn is_closed(&self) -> bool {
        self.port.closed().is_some() || self.port.caller().is_some()
    }
}

/// How long a peer that was hung up on for its manners keeps its connection: each bind costs as much as a thousand messages.
const UNRULY_REST: Duration = Duration::from_secs(1);

/// How long accepting rests after it failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
