//! The spool's threads as actors: each does what its loop in `runtime/spool_threads.rs` does, in virtual time.

use super::agenda::{Happening, MS, Micros, SECOND};
use super::scene::Scene;
use enroute::hub::Event;
use enroute::id::Lsn;
use enroute::spool::{Frames, MemoryDisk, Spares, WriteError, Writer};
use std::io::ErrorKind;

/// What the hub has for the writer.
pub enum Task {
    Write(Frames),
    /// After everything before it is written.
    Release(u64),
}

/// Writes, syncs, publishes.
pub struct WriterActor {
    writer: Writer<MemoryDisk>,
    life: u32,
    pub tasks: Vec<Task>,
    waiting: Vec<Frames>,
    releases: Vec<u64>,
    /// What everybody may know to be durable.
    pub published: Lsn,
    gap: Micros,
    began: Option<Micros>,
    failing: bool,
    release_after: Option<Micros>,
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
        let Self { published, failing, releases, state, set, .. } = self;
        let (tasks, waiting) = (self.tasks.len(), self.waiting.len());
        write!(
            out,
            "writer {state:?} until {set:?}, {published:?} published, failing {failing}, releases {releases:?}, \
             {tasks} tasks, {waiting} waiting"
        )
    }
}

impl WriterActor {
    pub fn new(writer: Writer<MemoryDisk>, gap: Micros, life: u32) -> Self {
        Self {
            published: writer.durable(),
            writer,
            life,
            tasks: Vec::new(),
            waiting: Vec::new(),
            releases: Vec::new(),
            gap,
            began: None,
            failing: false,
            release_after: None,
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
        for task in self.tasks.drain(..) {
            match task {
                Task::Write(frames) => self.waiting.push(frames),
                Task::Release(number) => self.releases.push(number),
            }
        }
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
        }
        let time = scene.agenda.time;
        if self.release_after.is_none_or(|after| time >= after) {
            self.release_after = (!self.release()).then_some(time + RETRY);
        }
        let again = self.failing.then_some(time + RETRY);
        match [again, self.release_after].into_iter().flatten().min() {
            _ if !self.tasks.is_empty() => self.wait_until(time + 5, scene),
            Some(at) => self.wait_until(at, scene),
            None => {}
        }
        events
    }

    fn write(&mut self, events: &mut Vec<Event>) -> bool {
        if self.waiting.is_empty() {
            return !self.failing;
        }
        match self.writer.commit(&mut self.waiting) {
            Ok(durable) => {
                self.published = durable;
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

    fn release(&mut self) -> bool {
        while let Some(number) = self.releases.first().copied() {
            if let Err(error) = self.writer.release(number)
                && error.kind() != ErrorKind::InvalidInput
            {
                return false;
            }
            self.releases.remove(0);
        }
        true
    }
}

/// Keeps prepared segments at hand.
pub struct SpareActor {
    spares: Spares<MemoryDisk>,
    full: bool,
}

impl SpareActor {
    pub fn new(spares: Spares<MemoryDisk>) -> Self {
        Self { spares, full: false }
    }

    /// Prepares what is missing; gives what the hub is to hear, and when to look again.
    pub fn prepare(&mut self) -> (Option<Event>, Micros) {
        while self.spares.needed() {
            let Err(fault) = self.spares.prepare() else { continue };
            let full = matches!(fault.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
            let told = full && !std::mem::replace(&mut self.full, true);
            return (told.then_some(Event::Full), RETRY);
        }
        (std::mem::take(&mut self.full).then_some(Event::Roomy), EACH)
    }
}

/// As in `runtime/spool_threads.rs`.
const RETRY: Micros = SECOND;
/// Longer than there, where it costs nothing.
const EACH: Micros = 250 * MS;
