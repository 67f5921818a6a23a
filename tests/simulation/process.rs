//! The hub's process: the real hub, spool, ports and links, and its threads as actors in virtual time.
//!
//! Mirrors the glue of `runtime/` (hub_thread, spool_threads, driver, connector, listener, serve), which owns threads and sockets and
//! nothing else that matters.

use super::agenda::{Happening, MS, Micros, SECOND};
use super::net::End;
use super::plan::Plan;
use super::scene::Scene;
use super::session::{Ending, HubSession, Machine};
use super::threads::{SpareActor, WriterActor};
use enroute::carrier::{Backoff, Carrier, Link, LinkBatch};
use enroute::esme::{Port, PortBatch, Registry};
use enroute::hub::{Effects, Event, Fetch, Fetched, Hub, Limits, Replay, Sessions};
use enroute::id::{CarrierId, SessionId};
use enroute::session;
use enroute::spool::{self, MemoryDisk, OpenError, ReadError, Reader, Record, RecoveryReport};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What sessions and actors send to the hub.
pub enum Mail {
    Event(Event),
    /// Where what a session is to do goes; before its first event.
    Seat(SessionId, usize),
}

/// What one turn has for a session.
pub enum Batch {
    Port(PortBatch),
    Link(LinkBatch),
}

/// What the hub has for the reader.
enum Request {
    Fetch(Vec<Fetch>),
    Scan(u64),
}

/// How far a process is that was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopping {
    Resting { until: Micros },
    Leaving { until: Micros },
    Writing,
}

/// One link that is to stand.
struct Slot {
    carrier: Carrier,
    id: CarrierId,
    backoff: Backoff,
}

/// One life of the hub's process.
pub struct Process {
    pub life: u32,
    pub hub: Hub,
    pub writer: WriterActor,
    spares: SpareActor,
    reader: Reader<MemoryDisk>,
    requests: VecDeque<Request>,
    /// Frames of a segment that is being read, which come one by one.
    scanning: VecDeque<Event>,
    reading: bool,
    mailbox: Vec<Mail>,
    /// When the next turn is.
    turn_at: Option<Micros>,
    /// Where what a session is to do goes.
    seats: BTreeMap<SessionId, usize>,
    /// Sessions by their connections.
    pub sessions: BTreeMap<usize, HubSession>,
    slots: Vec<Slot>,
    settings: session::Settings,
    registry: Arc<Registry>,
    next_session: u64,
    stopping: Option<Stopping>,
    quiet: bool,
    turns: u64,
    /// Turns on end that were wanted at once, and in which nothing was done.
    idle_turns: u32,
    /// Until when ports and links are left out.
    rests: [Micros; 2],
}

impl Process {
    /// Opens the store and takes up what it holds.
    pub fn start(
        plan: &Plan,
        disk: &MemoryDisk,
        life: u32,
        seed: u64,
        scene: &mut Scene,
    ) -> Result<(Self, RecoveryReport), OpenError> {
        let now = scene.agenda.now();
        let mut replay = Replay::repeatable(plan.hub.clone(), seed ^ u64::from(life) << 32);
        let (journal, writer, reader, report) =
            spool::open(disk.clone(), plan.spool, 0, now, &mut |record, locator| {
                replay.take(&record, locator);
            })?;
        let hub = replay.finish(journal, scene.agenda.now());
        let accounts: Vec<_> = plan.hub.accounts.iter().map(|plan| plan.account.clone()).collect();
        let mut slots = Vec::new();
        for (place, plan) in plan.hub.carriers.iter().enumerate() {
            for _ in 0..plan.carrier.links {
                let (min, max) = plan.carrier.reconnect;
                let backoff = Backoff::new(min, max, scene.random.u64(..));
                slots.push(Slot { carrier: plan.carrier.clone(), id: CarrierId(place as u16), backoff });
            }
        }
        for slot in 0..slots.len() {
            scene.agenda.after(0, Happening::Connect { life, slot });
        }
        let mut process = Self {
            life,
            hub,
            spares: SpareActor::new(writer.spares(), plan.reserve_octets),
            writer: WriterActor::new(writer, plan.commit_gap, life),
            reader,
            requests: VecDeque::new(),
            scanning: VecDeque::new(),
            reading: false,
            mailbox: Vec::new(),
            turn_at: None,
            seats: BTreeMap::new(),
            sessions: BTreeMap::new(),
            slots,
            settings: plan.session,
            registry: Registry::new(&accounts),
            next_session: 0,
            stopping: None,
            quiet: false,
            turns: 0,
            idle_turns: 0,
            rests: [0; 2],
        };
        process.turn_by(scene.agenda.time, scene);
        scene.agenda.after(0, Happening::Spares { life });
        Ok((process, report))
    }

    /// Whether it accepts connections.
    pub fn listens(&self) -> bool {
        self.stopping.is_none()
    }

    fn turn_by(&mut self, at: Micros, scene: &mut Scene) {
        if self.turn_at.is_none_or(|set| set > at) {
            self.turn_at = Some(at);
            scene.agenda.at(at, Happening::Turn { life: self.life });
        }
    }

    /// Somebody sent the hub something.
    fn wake_hub(&mut self, scene: &mut Scene) {
        if self.mailbox.is_empty() {
            return;
        }
        let is_busy = scene.random.u8(0..50) == 0;
        let wait = if is_busy { scene.random.u64(MS..50 * MS) } else { scene.random.u64(10..MS) };
        self.turn_by(scene.agenda.time + wait, scene);
    }

    pub fn send(&mut self, event: Event, scene: &mut Scene) {
        self.mailbox.push(Mail::Event(event));
        self.wake_hub(scene);
    }

    /// One turn of the hub, as `runtime/hub_thread.rs` takes it.
    pub fn turn(&mut self, scene: &mut Scene) {
        if self.turn_at != Some(scene.agenda.time) {
            return; // an earlier one took its place
        }
        self.turn_at = None;
        self.turns += 1;
        let (mut events, mut closed) = (Vec::new(), Vec::new());
        for letter in self.mailbox.drain(..) {
            match letter {
                Mail::Event(event) => {
                    if let Event::PortClosed { session } | Event::LinkClosed { session, .. } = &event {
                        closed.push(*session);
                    }
                    events.push(event);
                }
                Mail::Seat(session, connection) => drop(self.seats.insert(session, connection)),
            }
        }
        let (now, time) = (scene.agenda.now(), scene.agenda.time);
        let had_events = !events.is_empty();
        let is_last = self.stopping == Some(Stopping::Writing);
        let [ports, links] = self.rests.map(|until| time < until && !is_last);
        self.hub.leave_out(Sessions { ports, links });
        self.hub.note_effort(scene.random.u64(0..=100) as f64 / 100.0);
        let effects = self.hub.turn(events.into_iter(), self.writer.published, now);
        let is_due = self.hub.next_timeout().is_some_and(|at| at <= now.mono);
        self.note_idleness(is_due && !had_events && has_nothing(&effects), scene);
        let told = [!effects.ports.is_empty(), !effects.links.is_empty()];
        for (until, _) in self.rests.iter_mut().zip(told).filter(|(_, told)| *told) {
            *until = time + scene.random.u64(0..=15 * MS);
        }
        self.carry_out(effects, scene);
        for session in closed {
            self.seats.remove(&session);
        }
        self.quiet = self.hub.is_quiet();
        if is_last {
            return;
        }
        // It looks up now and then to show its gauges.
        let next = time + if scene.is_late() { SHOW_LATE } else { SHOW };
        let due = self.hub.next_timeout().map(|at| scene.agenda.micros(at));
        let ([ports, links], gathers) = (self.rests, self.hub.gathers_for());
        let rests = [gathers.ports.then_some(ports), gathers.links.then_some(links)];
        let soonest = rests.into_iter().chain([due]).flatten().min();
        self.turn_by(soonest.map_or(next, |at| next.min(at.max(time + TURN))), scene);
    }

    /// A hub that wants turn after turn and does nothing in them takes a core that others need.
    fn note_idleness(&mut self, is_idle: bool, scene: &mut Scene) {
        self.idle_turns = if is_idle { self.idle_turns + 1 } else { 0 };
        if self.idle_turns == IDLE_TURNS_MAX {
            let story = format!("{IDLE_TURNS_MAX} turns on end with nothing to do: {:?}", self.hub.gauges());
            scene.ledger.wrong(scene.agenda.time, story);
        }
    }

    fn carry_out(&mut self, effects: Effects, scene: &mut Scene) {
        let Effects { ports, links, frames, fetches, scan, releases, bulks, poisoned, .. } = effects;
        self.writer.tasks.extend(frames);
        self.writer.wake(scene);
        self.spares.dead.extend(releases);
        for (_, id) in poisoned {
            let id = id.text(&self.hub.id_key());
            let attempts = usize::from(Limits::default().poison_attempts);
            scene.ledger.poisoned(&String::from_utf8_lossy(&id), attempts, scene.agenda.time);
        }
        for (session, batch) in ports {
            self.leave_for(session, Batch::Port(batch), scene);
        }
        for (session, batch) in links {
            if let Some(connection) = self.seats.get(&session) {
                for dispatch in &batch.dispatches {
                    scene.ledger.dispatched(&dispatch.body, *connection, &scene.agenda);
                }
            }
            self.leave_for(session, Batch::Link(batch), scene);
        }
        for (token, answer) in bulks {
            scene.ledger.bulk_answered(token, &answer, scene.agenda.time);
        }
        if !fetches.is_empty() {
            self.requests.push_back(Request::Fetch(fetches));
        }
        self.requests.extend(scan.map(Request::Scan));
        self.wake_reader(scene);
    }

    /// Puts a batch where the session finds it; one that is gone never does.
    fn leave_for(&mut self, session: SessionId, batch: Batch, scene: &mut Scene) {
        let Some(connection) = self.seats.get(&session).copied() else { return };
        let Some(found) = self.sessions.get_mut(&connection) else { return };
        if found.bag.is_empty() {
            let wait = scene.random.u64(5..500);
            scene.agenda.after(wait, Happening::Bell { connection });
        }
        found.bag.push(batch);
    }

    fn wake_reader(&mut self, scene: &mut Scene) {
        let is_asked = !self.requests.is_empty() || !self.scanning.is_empty();
        if is_asked && !std::mem::replace(&mut self.reading, true) {
            let wait = scene.disk_time();
            scene.agenda.after(wait, Happening::Read { life: self.life });
        }
    }

    /// The reader answers one request, as `runtime/spool_threads.rs` does.
    pub fn read(&mut self, scene: &mut Scene) {
        self.reading = false;
        if let Some(event) = self.scanning.pop_front() {
            self.send(event, scene);
        }
        match self.requests.pop_front() {
            Some(Request::Fetch(fetches)) => {
                let locators: Vec<_> = fetches.iter().map(|fetch| fetch.locator).collect();
                let (mut fetched, mut again) = (Vec::new(), Vec::new());
                for (fetch, octets) in fetches.iter().zip(self.reader.read_all(&locators)) {
                    if matches!(octets, Err(ReadError::Io(_))) {
                        again.push(*fetch); // a disk that would not is asked again
                        continue;
                    }
                    let body = octets.ok().and_then(|octets| match Record::decode(&octets) {
                        Ok((Record::Accepted { body, .. }, _)) => Some(octets.slice_ref(body)),
                        Ok(_) | Err(_) => None,
                    });
                    fetched.push(Fetched { token: fetch.token, body });
                }
                if !again.is_empty() {
                    self.requests.push_back(Request::Fetch(again));
                }
                self.send(Event::Fetched(fetched), scene);
            }
            Some(Request::Scan(number)) => self.scan(number, scene),
            None => {}
        }
        self.wake_reader(scene);
    }

    fn scan(&mut self, number: u64, scene: &mut Scene) {
        let Ok(frames) = self.reader.scan(number) else { return self.send(Event::Unscanned, scene) };
        let mut events = Vec::new();
        for frame in frames {
            let Ok(frame) = frame else {
                events.push(Event::Unscanned);
                break;
            };
            events.push(Event::Scanned { number, frames: vec![frame], last: false });
        }
        if !matches!(events.last(), Some(Event::Unscanned)) {
            events.push(Event::Scanned { number, frames: Vec::new(), last: true });
        }
        self.scanning.extend(events);
    }

    /// What the writer has waited for is done.
    pub fn commit(&mut self, scene: &mut Scene) {
        let events = self.writer.commit(scene);
        self.mailbox.extend(events.into_iter().map(Mail::Event));
        // The hub looks at the durable Lsn once it is woken, and the frames that come back wake it.
        self.wake_hub(scene);
    }

    pub fn prepare_spares(&mut self, scene: &mut Scene) {
        let (events, wait) = self.spares.work();
        self.mailbox.extend(events.into_iter().map(Mail::Event));
        self.wake_hub(scene);
        scene.agenda.after(wait, Happening::Spares { life: self.life });
    }

    /// What a thread is in the middle of when the process dies: some of its calls reach the disk.
    pub fn die(&mut self, disk: &MemoryDisk, scene: &mut Scene) {
        let calls = scene.random.u32(0..12);
        disk.fail(spool::Faults { halt: Some(calls), ..disk.faults() });
        if scene.random.u8(0..8) == 0 {
            self.spares.work();
        }
        if self.writer.is_busy() {
            self.writer.commit(scene);
        }
    }

    /// A customer's connection is accepted.
    pub fn accept(&mut self, connection: usize, scene: &mut Scene) {
        let now = scene.agenda.now();
        let port = Port::new(self.settings, Arc::clone(&self.registry), self.hub.id_key(), now);
        self.begin(connection, Machine::Port(Box::new(port)), scene);
    }

    /// The carrier of this slot, and whether it is time to connect.
    pub fn carrier_of(&self, slot: usize) -> Option<usize> {
        self.stopping.is_none().then(|| usize::from(self.slots[slot].id.0))
    }

    /// The carrier accepted the connection of this slot.
    pub fn connected(&mut self, slot: usize, connection: usize, scene: &mut Scene) {
        let Slot { carrier, id, .. } = &self.slots[slot];
        let link = Box::new(Link::new(carrier, carrier.bind, self.settings, scene.agenda.now()));
        scene.ledger.linked(connection, usize::from(id.0), carrier.window);
        let machine = Machine::Link { link, slot, carrier: *id, window: carrier.window, stood: false };
        self.begin(connection, machine, scene);
    }

    /// The connection could not be made, or has ended: waits before the next one.
    pub fn connect_later(&mut self, slot: usize, stood: bool, refused: bool, scene: &mut Scene) {
        let backoff = &mut self.slots[slot].backoff;
        if stood {
            backoff.reset();
        }
        let wait = backoff.next(refused).as_micros() as Micros;
        scene.agenda.after(wait, Happening::Connect { life: self.life, slot });
    }

    fn begin(&mut self, connection: usize, machine: Machine, scene: &mut Scene) {
        self.next_session += 1;
        let session = HubSession::new(SessionId(self.next_session), machine);
        self.sessions.insert(connection, session);
        self.drive(connection, scene);
    }

    /// Something happened on a connection.
    pub fn drive(&mut self, connection: usize, scene: &mut Scene) {
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        let ending = session.drive(connection, scene, &mut self.mailbox);
        if let Some(ending) = ending
            && let Some(session) = self.sessions.remove(&connection)
        {
            self.end(connection, session, ending, scene);
        }
        self.wake_hub(scene);
    }

    fn end(&mut self, connection: usize, session: HubSession, ending: Ending, scene: &mut Scene) {
        scene.ledger.hub_ended(connection, &scene.agenda, scene.net.progress(connection, End::Peer));
        match ending {
            // Octets of the peer that nobody read make a reset of it.
            Ending::Machine | Ending::Stuck
                if scene.net.is_readable(connection, End::Hub, scene.agenda.time) =>
            {
                scene.net.break_off(connection, &mut scene.agenda);
            }
            Ending::Machine => scene.net.close(connection, End::Hub, &mut scene.agenda),
            Ending::Peer | Ending::Stuck => scene.net.break_off(connection, &mut scene.agenda),
        }
        if let Some((slot, stood, refused)) = session.close(connection, ending, &mut self.mailbox) {
            self.connect_later(slot, stood, refused, scene);
        }
        self.wake_hub(scene);
    }

    /// The process is asked to stop (SIGTERM), as `runtime/serve.rs` does it.
    pub fn terminate(&mut self, scene: &mut Scene) {
        if self.stopping.is_some() {
            return;
        }
        self.stopping = Some(Stopping::Resting { until: scene.agenda.time + PATIENCE });
        self.quiet = false;
        self.send(Event::Rest, scene);
        scene.agenda.after(STEP, Happening::Stop { life: self.life });
    }

    /// The next step of stopping; true when the process is gone.
    pub fn stop(&mut self, scene: &mut Scene) -> bool {
        let time = scene.agenda.time;
        match self.stopping {
            Some(Stopping::Resting { until }) if self.quiet || time >= until => {
                self.stopping = Some(Stopping::Leaving { until: time + PATIENCE });
                self.send(Event::Leave, scene);
            }
            Some(Stopping::Leaving { until }) if self.sessions.is_empty() || time >= until => {
                self.stopping = Some(Stopping::Writing);
                self.turn_by(time, scene);
            }
            Some(Stopping::Writing) if self.turn_at.is_none() && self.writer.is_idle() => return true,
            Some(_) | None => {}
        }
        scene.agenda.after(STEP, Happening::Stop { life: self.life });
        false
    }
}

/// So many idle turns on end are no accident.
const IDLE_TURNS_MAX: u32 = 1000;
/// As `SHOW_EACH` in `runtime/hub_thread.rs`; less often once nothing is to be seen any more.
const SHOW: Micros = 250 * MS;
const SHOW_LATE: Micros = 10 * SECOND;
/// What a turn takes at least.
const TURN: Micros = 20;
/// As `runtime::REST_PATIENCE` and `LEAVE_PATIENCE`.
const PATIENCE: Micros = 6 * SECOND;
const STEP: Micros = 50 * MS;

fn has_nothing(effects: &Effects) -> bool {
    effects.ports.is_empty()
        && effects.links.is_empty()
        && effects.frames.is_empty()
        && effects.fetches.is_empty()
        && effects.releases.is_empty()
}
