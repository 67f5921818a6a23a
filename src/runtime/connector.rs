//! Connects to carriers, and does so again when a link is gone.

use super::driver::{End, Machine, drive_on, part_from};
use super::mail::Mail;
use super::mailbox::{Mailbox, Outbox};
use super::now;
use super::shared::{Meter, Shared, SideMetrics};
use crate::carrier::{Backoff, Carrier, Gate, Link, LinkBatch, LinkEvent, Outcome, Verdict};
use crate::clock::Now;
use crate::codec::Status;
use crate::hub::{Event, label};
use crate::id::{CarrierId, SessionId};
use crate::session::{BindKind, Reason};
use bytes::BytesMut;
use prometheus::IntCounterVec;
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
    /// It was of use: it answered something, brought something, or stood for a while.
    worked: bool,
    /// The carrier refused our bind.
    refused: Option<Status>,
}

/// Keeps one link to `carrier` up until the hub is `leaving`, or is `parting` from this carrier or from how it was bound to; either
/// is told by true. A link that stands then is ended by the hub.
pub(super) async fn keep_link(
    carrier: Arc<Carrier>,
    id: CarrierId,
    number: usize,
    gate: Arc<Gate>,
    shared: Arc<Shared>,
    (mut leaving, mut parting): (watch::Receiver<bool>, watch::Receiver<bool>),
) {
    let seed = now().wall.0 ^ (number as u64) << 48 ^ u64::from(id.0) << 32;
    let (min, max) = carrier.reconnect;
    let mut backoff = Backoff::new(min, max, seed);
    let mut failed_before = false;
    let kind = carrier.bind_of(number);
    while !*leaving.borrow() && !*parting.borrow() {
        let connected = tokio::select! {
            connected = connect_in_turn(&carrier.address, &gate) => connected,
            _ = leaving.wait_for(|leaving| *leaving) => return,
            _ = parting.wait_for(|parting| *parting) => return,
        };
        let refused = match connected {
            Ok(mut stream) => {
                let ended = {
                    let gates = Gates { gate: Some(&gate), parting: Some(&parting) };
                    run_link(&mut stream, &mut BytesMut::new(), (&carrier, kind), id, gates, &shared).await
                };
                part_from(stream).await;
                if ended.worked {
                    backoff.reset();
                }
                failed_before = !ended.stood;
                ended.refused.is_some_and(is_about_us)
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
            _ = parting.wait_for(|parting| *parting) => {}
        }
    }
}

/// What keeps a link from binding, or from staying.
#[derive(Clone, Copy, Default)]
pub(super) struct Gates<'a> {
    /// Hears how the bind goes.
    pub gate: Option<&'a Gate>,
    /// Nobody wants the link any more.
    pub parting: Option<&'a watch::Receiver<bool>>,
}

/// Whether a bind was refused for who we say we are: more of the same gets us locked out (fact sheet 10.2).
fn is_about_us(status: Status) -> bool {
    matches!(
        status,
        Status::RBINDFAIL | Status::RINVPASWD | Status::RINVSYSID | Status::RINVSYSTYP | Status::RALYBND
    )
}

/// Connects when the carrier's gate has a turn.
async fn connect_in_turn(address: &str, gate: &Gate) -> io::Result<TcpStream> {
    while let Err(next) = gate.enter(now().mono) {
        // The gate may open for all before that.
        tokio::time::sleep_until(next.min(now().mono + GATE_LOOK).into()).await;
    }
    connect(address).await
}

/// Connects within [`CONNECT_PATIENCE`].
pub(super) async fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = tokio::time::timeout(CONNECT_PATIENCE, TcpStream::connect(address))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Binds to `carrier` on `stream` as `kind`, of which `input` has been read, and runs the link until it ends.
pub(super) async fn run_link(
    stream: &mut TcpStream,
    input: &mut BytesMut,
    (carrier, kind): (&Carrier, BindKind),
    id: CarrierId,
    Gates { gate, parting }: Gates<'_>,
    shared: &Shared,
) -> Ended {
    let mut task = LinkTask {
        link: Link::new(carrier, kind, shared.session, now()),
        session: shared.next_session(),
        outbox: Arc::default(),
        mailbox: Arc::clone(&shared.mailbox),
        metrics: shared.carrier_metrics.clone(),
        letters: Vec::new(),
        meter: Meter::new(shared),
        stood: None,
        worked: false,
        sent_away: false,
        gate,
        parting,
        binds_refused: &shared.metrics.carrier_binds_refused,
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
    meter: Meter,
    /// Since when it is bound.
    stood: Option<Instant>,
    /// It has answered or brought something.
    worked: bool,
    /// We ended it.
    sent_away: bool,
    gate: Option<&'a Gate>,
    parting: Option<&'a watch::Receiver<bool>>,
    binds_refused: &'a IntCounterVec,
    carrier: &'a Carrier,
    id: CarrierId,
}

impl LinkTask<'_> {
    fn hand_over(&mut self) {
        for event in self.link.take_events() {
            let session = self.session;
            let event = match event {
                LinkEvent::Intake(intake) => {
                    let is_answer = |outcome: &Outcome| matches!(outcome.verdict, Verdict::Answered(_));
                    self.worked |= !intake.arrivals.is_empty() || intake.outcomes.iter().any(is_answer);
                    Event::LinkIntake { session, intake }
                }
                LinkEvent::Bound(kind) => {
                    info!(carrier = self.carrier.name, session = session.0, "link bound");
                    self.metrics.sessions.with_label_values(&["carrier", &self.carrier.name]).inc();
                    self.stood = Some(now().mono);
                    self.gate.iter().for_each(|gate| gate.accepted());
                    self.letters.push(Mail::Link(session, Arc::clone(&self.outbox)));
                    Event::LinkBound { session, carrier: self.id, kind, window: self.carrier.window }
                }
            };
            self.letters.push(Mail::Event(event));
        }
        let is_new = self.letters.iter().any(|letter| matches!(letter, Mail::Link(..)));
        self.mailbox.send_all(&mut self.letters);
        if is_new && self.parting.is_some_and(|parting| *parting.borrow()) {
            // Bound as nobody wants it any more, and perhaps too late for the hub to know: it is left by ourselves.
            self.link.apply(&LinkBatch { unbind: true, ..LinkBatch::default() }, now());
            self.sent_away = true;
        }
        self.meter.note_output(self.link.session().transmit().capacity());
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
        let (stood, refused) = (self.stood.is_some(), self.link.refused());
        let lasted = self.stood.is_some_and(|since| now().mono.saturating_duration_since(since) >= LASTING);
        let worked = (self.worked || lasted) && !self.sent_away;
        let name = &self.carrier.name;
        match refused {
            Some(status) => {
                warn!(carrier = name, %status, "bind refused");
                self.binds_refused.with_label_values(&[name, label(status)]).inc();
                if is_about_us(status) {
                    self.gate.iter().for_each(|gate| gate.refused(now().mono));
                }
            }
            None if stood => {
                info!(carrier = name, session = self.session.0, reason = reason.name(), "link ended")
            }
            None => debug!(carrier = name, reason = reason.name(), "link never stood"),
        }
        if stood {
            self.metrics.sessions.with_label_values(&["carrier", name]).dec();
            self.mailbox.send(Mail::Event(Event::LinkClosed { session: self.session, lost }));
        }
        Ended { stood, worked, refused }
    }
}

impl Machine for LinkTask<'_> {
    fn receive(&mut self, input: &mut BytesMut, now: Now) {
        self.link.receive(input, now);
        self.meter.note_input(input.capacity());
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
            self.sent_away |= batch.unbind;
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

/// A link that stood for so long was of use, even if it was silent.
const LASTING: Duration = Duration::from_secs(60);

/// How often a link that has no turn looks whether the gate is open.
const GATE_LOOK: Duration = Duration::from_millis(50);
