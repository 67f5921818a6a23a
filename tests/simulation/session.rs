//! The hub's end of a connection: a port or a link, driven as `runtime/driver.rs` drives it.

use super::agenda::{Happening, Micros, SECOND};
use super::net::{End, Found};
use super::process::{Batch, Mail};
use super::scene::Scene;
use bytes::BytesMut;
use enroute::carrier::{Link, LinkEvent};
use enroute::clock::Now;
use enroute::esme::{Port, PortEvent};
use enroute::hub::Event;
use enroute::id::{CarrierId, SessionId};
use enroute::session::Reason;
use std::time::Instant;

/// What runs on a connection.
pub enum Machine {
    Port(Box<Port>),
    Link {
        link: Box<Link>,
        slot: usize,
        carrier: CarrierId,
        window: usize,
        /// It was bound once.
        stood: bool,
    },
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The machine said so.
    Machine,
    /// The peer closed or reset it.
    Peer,
    /// The peer took nothing of what we wrote for 30 s.
    Stuck,
}

/// One session of the hub.
pub struct HubSession {
    id: SessionId,
    machine: Machine,
    /// What the hub left for it.
    pub bag: Vec<Batch>,
    input: BytesMut,
    stuck: Option<Micros>,
    alarm: Option<Micros>,
    bound: bool,
}

impl Machine {
    fn receive(&mut self, input: &mut BytesMut, now: Now) {
        match self {
            Self::Port(port) => port.receive(input, now),
            Self::Link { link, .. } => link.receive(input, now),
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        match self {
            Self::Port(port) => port.handle_timeout(now),
            Self::Link { link, .. } => link.handle_timeout(now),
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        match self {
            Self::Port(port) => port.next_timeout(),
            Self::Link { link, .. } => link.next_timeout(),
        }
    }

    fn transmit(&mut self) -> &mut BytesMut {
        match self {
            Self::Port(port) => port.session().transmit(),
            Self::Link { link, .. } => link.session().transmit(),
        }
    }

    fn wants_read(&self) -> bool {
        match self {
            Self::Port(port) => port.wants_read(),
            Self::Link { link, .. } => link.wants_read(),
        }
    }

    fn closed(&self) -> Option<Reason> {
        match self {
            // Whoever is no customer is not ours to answer here.
            Self::Port(port) if port.caller().is_some() => Some(Reason::Dropped),
            Self::Port(port) => port.closed(),
            Self::Link { link, .. } => link.closed(),
        }
    }
}

impl HubSession {
    pub fn new(id: SessionId, machine: Machine) -> Self {
        Self { id, machine, bag: Vec::new(), input: BytesMut::new(), stuck: None, alarm: None, bound: false }
    }

    /// The carrier and the place of a link that is bound.
    pub fn link(&self) -> Option<CarrierId> {
        match &self.machine {
            Machine::Link { carrier, stood: true, .. } => Some(*carrier),
            Machine::Link { .. } | Machine::Port(_) => None,
        }
    }

    /// Does whatever can be done now; how it ended, if it did.
    pub fn drive(&mut self, connection: usize, scene: &mut Scene, letters: &mut Vec<Mail>) -> Option<Ending> {
        let now = scene.agenda.now();
        if self.alarm.is_some_and(|at| at <= scene.agenda.time) {
            self.alarm = None;
        }
        for batch in std::mem::take(&mut self.bag) {
            match (&mut self.machine, batch) {
                (Machine::Port(port), Batch::Port(batch)) => port.apply(&batch, now),
                (Machine::Link { link, .. }, Batch::Link(batch)) => link.apply(&batch, now),
                _ => unreachable!("the hub knows its sessions"),
            }
        }
        self.hand_over(connection, letters);
        loop {
            let mut went_on = false;
            if self.machine.wants_read() && self.machine.closed().is_none() {
                let most = if scene.random.u8(0..8) == 0 { scene.random.usize(1..300) } else { READ_MAX };
                match scene.net.read((connection, End::Hub), most, &mut self.input, &mut scene.agenda) {
                    Found::Octets => {
                        self.machine.receive(&mut self.input, now);
                        self.hand_over(connection, letters);
                        went_on = true;
                    }
                    Found::End => return Some(Ending::Peer),
                    Found::Nothing => {}
                }
            }
            if self.machine.next_timeout().is_some_and(|at| at <= now.mono) {
                self.machine.handle_timeout(now);
                self.hand_over(connection, letters);
            }
            if !self.input.is_empty() && self.machine.wants_read() {
                self.machine.receive(&mut self.input, now);
                self.hand_over(connection, letters);
            }
            if let Some(ending) = self.write(connection, scene) {
                return Some(ending);
            }
            if !went_on {
                break;
            }
        }
        let stuck = self.stuck.map(|since| since + WRITE_PATIENCE);
        let next = self.machine.next_timeout().map(|at| scene.agenda.micros(at));
        if let Some(at) = [stuck, next].into_iter().flatten().min()
            && self.alarm.is_none_or(|set| set > at)
        {
            self.alarm = Some(at);
            scene.agenda.at(at, Happening::Deadline { connection });
        }
        None
    }

    fn write(&mut self, connection: usize, scene: &mut Scene) -> Option<Ending> {
        let out = self.machine.transmit();
        let before = out.len();
        if before > 0 {
            if !scene.net.write((connection, End::Hub), out, &mut scene.agenda, &mut scene.random) {
                return Some(Ending::Peer);
            }
            if out.len() < before {
                self.stuck = None;
            }
        }
        let is_blocked = !out.is_empty();
        if self.machine.closed().is_some() && !is_blocked {
            return Some(Ending::Machine);
        }
        if is_blocked {
            let since = *self.stuck.get_or_insert(scene.agenda.time);
            if scene.agenda.time >= since + WRITE_PATIENCE {
                return Some(Ending::Stuck);
            }
        }
        None
    }

    fn hand_over(&mut self, connection: usize, letters: &mut Vec<Mail>) {
        let session = self.id;
        match &mut self.machine {
            Machine::Port(port) => {
                for event in port.take_events() {
                    let event = match event {
                        PortEvent::Intake(intake) => Event::PortIntake { session, intake },
                        PortEvent::Bound { account, kind, version, window } => {
                            letters.push(Mail::Seat(session, connection));
                            self.bound = true;
                            Event::PortBound { session, account, kind, version, window }
                        }
                    };
                    letters.push(Mail::Event(event));
                }
            }
            Machine::Link { link, carrier, window, stood, .. } => {
                for event in link.take_events() {
                    let event = match event {
                        LinkEvent::Intake(intake) => Event::LinkIntake { session, intake },
                        LinkEvent::Bound(kind) => {
                            *stood = true;
                            letters.push(Mail::Seat(session, connection));
                            Event::LinkBound { session, carrier: *carrier, kind, window: *window }
                        }
                    };
                    letters.push(Mail::Event(event));
                }
            }
        }
    }

    /// Ends it; of a link gives its slot, whether it was bound, and whether its bind was refused.
    pub fn close(
        mut self,
        connection: usize,
        ending: Ending,
        letters: &mut Vec<Mail>,
    ) -> Option<(usize, bool, bool)> {
        let reason = match ending {
            Ending::Machine => self.machine.closed().unwrap_or(Reason::Dropped),
            Ending::Peer => self.machine.closed().unwrap_or(Reason::PeerGone),
            Ending::Stuck => Reason::Stalled,
        };
        let mut lost = Vec::new();
        match &mut self.machine {
            Machine::Port(port) => port.close(reason),
            Machine::Link { link, .. } => {
                link.close(reason);
                lost = link.lost();
            }
        }
        self.hand_over(connection, letters);
        let session = self.id;
        match self.machine {
            Machine::Port(_) => {
                if self.bound {
                    letters.push(Mail::Event(Event::PortClosed { session }));
                }
                None
            }
            Machine::Link { link, slot, stood, .. } => {
                if stood {
                    letters.push(Mail::Event(Event::LinkClosed { session, lost }));
                }
                Some((slot, stood, link.refused().is_some()))
            }
        }
    }
}

/// Octets that one wake-up reads at most.
const READ_MAX: usize = 64 * 1024;
/// As `runtime::driver::WRITE_PATIENCE`.
const WRITE_PATIENCE: Micros = 30 * SECOND;
