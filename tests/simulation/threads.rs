//! The spool's threads as actors: each does what its loop in `runtime/spool_threads.rs` does, in virtual time.

use super::agenda::{Happening, MS, Micros, SECOND};
use super::scene::Scene;
use enroute::hub::{Event, Reached};
use enroute::id::Lsn;
use enroute::spool::{Frames, MemoryDisk, Spares, WriteError, Writer};
use std::io::ErrorKind;

/// Writes, syncs, publishes.
pub struct WriterActor {
    writer: Writer<MemoryDisk>,
    life: u32,
    pub tasks: Vec<Frames>,
    waiting: Vec<Frames>,
    /// What everybody may know to be written and durable.
    pub published: Reached,
    gap: Micros,
    began: Option<Micros>,
    failing: bool,
    state: State,
    /// When it gathers next.
    set: Option<Micros>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// It waits until it may begin.
    Waiting,
    /// The disk is at work.
    Busy,
}

impl std::fmt::Debug for WriterActor {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { published, failing, state, set, .. } = self;
        let (tasks, waiting) = (self.tasks.len(), self.waiting.len());
        write!(
            out,
            "writer {state:?} until {set:?}, {published:?} published, failing {failing}, {tasks} tasks, \
             {waiting} waiting"
        )
    }
}

impl WriterActor {
    pub fn new(writer: Writer<MemoryDisk>, gap: Micros, life: u32) -> Self {
        Self {
            published: Reached { written: writer.durable(), durable: writer.durable() },
            writer,
            life,
            tasks: Vec::new(),
            waiting: Vec::new(),
            gap,
            began: None,
            failing: false,
            state: State::Idle,
            set: None,
        }
    }

    /// Whether the disk is at work for it.
    pub fn is_busy(&self) -> bool {
        self.state == State::Busy
    }

    /// Whether what it wrote last is not durable.
    pub fn is_failing(&self) -> bool {
        self.failing
    }

    /// Whether it has nothing left to do, or can't.
    pub fn is_idle(&self) -> bool {
        self.state != State::Busy && (self.failing || self.tasks.is_empty())
    }

    /// There may be something for it.
    pub fn wake(&mut self, scene: &mut Scene) {
        if self.tasks.is_empty() || self.state == State::Busy {
            return;
        }
        self.wait_until(scene.agenda.time + 5, scene);
    }

    fn wait_until(&mut self, at: Micros, scene: &mut Scene) {
        self.state = State::Waiting;
        let at = self.began.map_or(at, |began| at.max(began + self.gap));
        if self.set.is_none_or(|set| set > at) {
            self.set = Some(at);
            scene.agenda.at(at, Happening::Gather { life: self.life });
        }
    }

    /// Takes what waits; what it takes is at the disk from now on.
    pub fn gather(&mut self, scene: &mut Scene) {
        if self.set != Some(scene.agenda.time) || self.state != State::Waiting {
            return; // an earlier one took its place
        }
        self.set = None;
        self.began = Some(scene.agenda.time);
        self.waiting.append(&mut self.tasks);
        self.state = State::Busy;
        let wait = scene.disk_time();
        scene.agenda.after(wait, Happening::Commit { life: self.life });
    }

    /// Write and sync end; gives what the hub is to hear.
    pub fn commit(&mut self, scene: &mut Scene) -> Vec<Event> {
        let mut events = Vec::new();
        self.state = State::Idle;
        let before = self.failing;
        self.failing = !self.write(&mut events);
        if before != self.failing {
            scene.ledger.note(scene.agenda.time, if self.failing { "read-only" } else { "writable" });
            scene.ledger.failing.push((scene.agenda.time, self.failing));
        }
        let time = scene.agenda.time;
        if !self.tasks.is_empty() {
            self.wait_until(time + 5, scene);
        } else if self.failing {
            self.wait_until(time + RETRY, scene);
        }
        events
    }

    fn write(&mut self, events: &mut Vec<Event>) -> bool {
        if self.waiting.is_empty() {
            return !self.failing;
        }
        let Self { writer, waiting, published, .. } = self;
        let mut told = |written: Lsn| published.written = published.written.max(written);
        match writer.commit_telling(waiting, &mut told) {
            Ok(durable) => {
                self.published.durable = durable;
                events.push(Event::Spent(std::mem::take(&mut self.waiting)));
                if self.failing {
                    events.push(Event::Writable);
                }
                true
            }
            Err(WriteError::Full(_) | WriteError::ReadOnly(_)) => {
                if !self.failing {
                    events.push(Event::ReadOnly);
                }
                false
            }
        }
    }
}

/// Keeps prepared segments and the reserve at hand, and takes dead segments out of the log.
pub struct SpareActor {
    spares: Spares<MemoryDisk>,
    reserve_octets: u64,
    /// Segments in which nothing lives, oldest first.
    pub dead: Vec<u64>,
    full: bool,
}

impl SpareActor {
    pub fn new(spares: Spares<MemoryDisk>, reserve_octets: u64) -> Self {
        Self { spares, reserve_octets, dead: Vec::new(), full: false }
    }

    /// Does what it can; gives what the hub is to hear, and when to look again.
    pub fn work(&mut self) -> (Option<Event>, Micros) {
        let released = self.release();
        let (event, prepared) = self.prepare();
        (event, if released && prepared { EACH } else { RETRY })
    }

    fn release(&mut self) -> bool {
        while let Some(number) = self.dead.first().copied() {
            if let Err(error) = self.spares.release(number)
                && error.kind() != ErrorKind::InvalidInput
            {
                return false;
            }
            self.dead.remove(0);
        }
        true
    }

    fn prepare(&mut self) -> (Option<Event>, bool) {
        loop {
            let made = if self.spares.needed() {
                self.spares.prepare(&mut |_| {})
            } else if self.spares.reserve_needed(self.reserve_octets) {
                self.spares.make_reserve(self.reserve_octets, &mut |_| {})
            } else {
                break;
            };
            let Err(fault) = made else { continue };
            let full = matches!(fault.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
            let told = full && !std::mem::replace(&mut self.full, true);
            return (told.then_some(Event::Full), false);
        }
        (std::mem::take(&mut self.full).then_some(Event::Roomy), true)
    }
}

/// As in `runtime/spool_threads.rs`.
const RETRY: Micros = SECOND;
/// Longer than there, where it costs nothing.
const EACH: Micros = 250 * MS;
