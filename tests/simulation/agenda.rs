//! Virtual time: what happens next, and what both clocks say now.

use enroute::clock::{Now, UnixMs};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

/// Microseconds since the run began.
pub type Micros = u64;

pub const MS: Micros = 1_000;
pub const SECOND: Micros = 1_000_000;
pub const MINUTE: Micros = 60 * SECOND;
pub const HOUR: Micros = 60 * MINUTE;

/// Something that happens at its time. Whoever it happens to looks whether it still matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Happening {
    /// A turn of the hub.
    Turn { life: u32 },
    /// The writer takes what waits.
    Gather { life: u32 },
    /// The writer's write and sync are done.
    Commit { life: u32 },
    /// The reader answers a request.
    Read { life: u32 },
    /// It is looked whether segments must be prepared.
    Spares { life: u32 },
    /// The hub connects to a carrier.
    Connect { life: u32, slot: usize },
    /// Something came on a connection, or it ended, or there is room again: at the hub's end.
    Hub { connection: usize },
    /// The same at the peer's end.
    Peer { connection: usize },
    /// What the hub left for a session is found.
    Bell { connection: usize },
    /// A deadline of the hub's session.
    Deadline { connection: usize },
    /// A customer connects.
    Call { customer: usize },
    /// A customer does something.
    Customer { customer: usize },
    /// A carrier does something.
    Carrier { carrier: usize },
    /// The hub's process starts.
    Start,
    /// The process that was asked to stop goes a step further.
    Stop { life: u32 },
    /// Something goes wrong.
    Fault { number: usize },
    /// Faults end: from now on everybody behaves.
    Peace,
}

/// What is to happen, in order of time and then in order of being said.
pub struct Agenda {
    pub time: Micros,
    queue: BinaryHeap<Reverse<(Micros, u64, Happening)>>,
    number: u64,
    began: Instant,
    /// What the wall clock says beyond the time since the run began, in milliseconds.
    wall_ms: u64,
    /// Each setting of the wall clock: when, and what it says since.
    pub settings: Vec<(Micros, u64)>,
    /// Everything that has happened, as one number.
    pub trace: u64,
    pub happened: u64,
}

impl Agenda {
    pub fn new() -> Self {
        #[allow(clippy::disallowed_methods)]
        // an instant can be had no other way; only distances from it count
        let began = Instant::now();
        Self {
            time: 0,
            queue: BinaryHeap::new(),
            number: 0,
            began,
            wall_ms: BEGAN_MS,
            settings: vec![(0, BEGAN_MS)],
            trace: 0,
            happened: 0,
        }
    }

    pub fn after(&mut self, wait: Micros, happening: Happening) {
        self.at(self.time + wait, happening);
    }

    pub fn at(&mut self, at: Micros, happening: Happening) {
        self.number += 1;
        self.queue.push(Reverse((at.max(self.time), self.number, happening)));
    }

    /// Takes the next thing that happens, if that is not after `end`, and moves time there.
    pub fn next(&mut self, end: Micros) -> Option<Happening> {
        let Reverse((at, ..)) = self.queue.peek()?;
        if *at > end {
            return None;
        }
        let Reverse((at, number, happening)) = self.queue.pop()?;
        self.time = at;
        self.happened += 1;
        self.note(at ^ number);
        Some(happening)
    }

    /// Makes what happened part of the trace.
    pub fn note(&mut self, what: u64) {
        self.trace = (self.trace.rotate_left(5) ^ what).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    pub fn now(&self) -> Now {
        Now { mono: self.instant(self.time), wall: self.wall() }
    }

    pub fn wall(&self) -> UnixMs {
        UnixMs(self.wall_ms + self.time / MS)
    }

    /// The wall clock is set by so many milliseconds.
    pub fn set_wall(&mut self, by_ms: i64) {
        self.wall_ms = self.wall_ms.saturating_add_signed(by_ms);
        self.settings.push((self.time, self.wall_ms));
    }

    /// The lowest that a hub may have believed the wall clock to be at `time` or since.
    pub fn lowest_since(&self, time: Micros) -> UnixMs {
        let settings = self.settings.iter().filter(|(at, _)| *at >= time);
        let lowest = settings.map(|(at, wall_ms)| UnixMs(wall_ms + at / MS)).min();
        self.believed(time).0.min(lowest.unwrap_or(UnixMs(u64::MAX)))
    }

    /// Earliest and latest that a watchful hub may have believed the wall clock to be at `time`.
    pub fn believed(&self, time: Micros) -> (UnixMs, UnixMs) {
        let until = |place: usize| self.settings.get(place + 1).map_or(Micros::MAX, |(at, _)| *at);
        let seen = self
            .settings
            .iter()
            .enumerate()
            .filter(|(place, (at, _))| *at <= time && until(*place).saturating_add(DOUBT) >= time);
        let (mut low, mut high) = (u64::MAX, 0);
        for (_, (_, wall)) in seen {
            (low, high) = (low.min(*wall), high.max(*wall));
        }
        (UnixMs(low + time / MS), UnixMs(high + time / MS))
    }

    pub fn instant(&self, at: Micros) -> Instant {
        self.began + Duration::from_micros(at)
    }

    /// When `instant` is, not before it.
    pub fn micros(&self, instant: Instant) -> Micros {
        instant.saturating_duration_since(self.began).as_nanos().div_ceil(1000) as Micros
    }
}

/// 2026-03-15T10:00:00Z.
const BEGAN_MS: u64 = 1_773_568_800_000;
/// How long after a step the hub may go by the time before it: its hold, and as long as a stop takes.
const DOUBT: Micros = 16 * MINUTE;
