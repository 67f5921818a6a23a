//! Connects to carriers, and does so again when a link is gone.

use super::driver::{End, Machine, drive_on};
use super::mail::Mail;
use super::mailbox::{Mailbox, Outbox};
use super::now;
use super::shared::{Shared, SideMetrics};
use crate::carrier::{Backoff, Carrier, Link, LinkBatch, LinkEvent};
use crate::clock::Now;
use crate::hub::Event;
use crate::id::{CarrierId, SessionId};
use crate::session::Reason;
use bytes::BytesMut;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tracing::{debug, info, warn};

/// How one link ended.
pub(super) struct Ended {
    /// It was bound.
    pub stood: bool,
    /// The carrier refused our bind.
    refused: bool,
}

/// Keeps one link to `carrier` up until `leaving` turns true.
pub(super) async fn keep_link(
    carrier: Arc<Carrier>,
    id: CarrierId,
    number: usize,
    shared: Arc<Shared>,
    mut leaving: watch::Receiver<bool>,
) {
    let seed = now().wall.0 ^ (number as u64) << 48 ^ u64::from(id.0) << 32;
    let (min, max) = carrier.reconnect;
    let mut backoff = Backoff::new(min, max, seed);
    let mut failed_before = false;
    while !*leaving.borrow() {
        let connected = tokio::select! {
            connected = connect(&carrier.address) => connected,
            _ = leaving.wait_for(|leaving| *leaving) => return,
        };
        let refused = match connected {
            Ok(stream) => {
                let ended = run_link(&stream, &mut BytesMut::new(), &carrier, id, &shared).await;
                if ended.stood {
                    backoff.reset();
                }
                failed_before = !ended.stood;
                ended.refused
            }
            Err(error) => {
                if !std::mem::replace(&mut failed_before, true) {
                    warn!(carrier = carrier.name, number, %error, "can't connect; trying again");
                }
                false
            }
        };
        let wait = backoff.next(refused);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = leaving.wait_for(|leaving| *leaving) => {}
        }
    }
}

/// Connects within [`CONNECT_PATIENCE`].
pub(super) async fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = tokio::time::timeout(CONNECT_PATIENCE, TcpStream::connect(address))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Binds to `carrier` on `stream`, of which `input` has been read, and runs the link until it ends.
pub(super) async fn run_link(
    stream: &TcpStream,
    input: &mut BytesMut,
    carrier: &Carrier,
    id: CarrierId,
    shared: &Shared,
) -> Ended {
    let mut task = LinkTask {
        link: Link::new(carrier, shared.session, now()),
        session: shared.next_session(),
        outbox: Arc::default(),
        mailbox: Arc::clone(&shared.mailbox),
        metrics: shared.carrier_metrics.clone(),
        letters: Vec::new(),
        stood: false,
        carrier,
        id,
    };
    let end = drive_on(stream, &mut task, input).await;
    task.close(end)
}

/// A link on its socket.
struct LinkTask<'a> {
    link: Link,
    session: SessionId,
    outbox: Arc<Outbox<LinkBatch>>,
    mailbox: Arc<Mailbox<Mail>>,
    metrics: SideMetrics,
    letters: Vec<Mail>,
    /// It was bound once.
    stood: bool,
    carrier: &'a Carrier,
    id: CarrierId,
}

impl LinkTask<'_> {
    fn hand_over(&mut self) {
        for event in self.link.take_events() {
            let session = self.session;
            let event = match event {
                LinkEvent::Intake(intake) => Event::LinkIntake { session, intake },
                LinkEvent::Bound(kind) => {
                    info!(carrier = self.carrier.name, session = session.0, "link bound");
                    self.metrics.sessions.with_label_values(&["carrier", &self.carrier.name]).inc();
                    self.stood = true;
                    self.letters.push(Mail::Link(session, Arc::clone(&self.outbox)));
                    Event::LinkBound { session, carrier: self.id, kind, window: self.carrier.window }
                }
            };
            self.letters.push(Mail::Event(event));
        }
        self.mailbox.send_all(&mut self.letters);
        self.metrics.fold(self.link.session().take_stats());
    }

    fn close(mut self, end: End) -> Ended {
        let reason = match end {
            End::Machine => self.link.closed().unwrap_or(Reason::Dropped),
            End::Peer => self.link.closed().unwrap_or(Reason::PeerGone),
            End::Stuck => Reason::Stalled,
        };
        self.link.close(reason);
        let lost = self.link.lost();
        self.hand_over();
        self.metrics.closed.with_label_values(&["carrier", reason.name()]).inc();
        let (stood, refused) = (self.stood, self.link.refused());
        let name = &self.carrier.name;
        match refused {
            Some(status) => warn!(carrier = name, %status, "bind refused"),
            None if stood => {
                info!(carrier = name, session = self.session.0, reason = reason.name(), "link ended")
            }
            None => debug!(carrier = name, reason = reason.name(), "link never stood"),
        }
        if stood {
            self.metrics.sessions.with_label_values(&["carrier", name]).dec();
            self.mailbox.send(Mail::Event(Event::LinkClosed { session: self.session, lost }));
        }
        Ended { stood, refused: refused.is_some() }
    }
}

impl Machine for LinkTask<'_> {
    fn receive(&mut self, input: &mut BytesMut, now: Now) {
        self.link.receive(input, now);
        self.hand_over();
    }

    fn handle_timeout(&mut self, now: Now) {
        self.link.handle_timeout(now);
        self.hand_over();
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.link.next_timeout()
    }

    fn wake(&mut self, now: Now) {
        for batch in self.outbox.take() {
            self.link.apply(&batch, now);
        }
        self.hand_over();
    }

    fn bell(&self) -> &Notify {
        self.outbox.bell()
    }

    fn transmit(&mut self) -> &mut BytesMut {
        self.link.session().transmit()
    }

    fn wants_read(&self) -> bool {
        self.link.wants_read()
    }

    fn is_closed(&self) -> bool {
        self.link.closed().is_some()
    }
}

/// How long a connection may take to stand (field bug S15).
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
