//! The wall clock is set: what the hub believes then, and how its timers follow.
//!
//! Forwards, the wheel catches up within its budget a turn. Backwards, there is no way for a wheel: it is made anew, and takes up all
//! messages' timers in slices, each as its message says.

use super::Hub;
use super::clockwork::Clockwork;
use super::timers::TICK_MS;
use crate::clock::{Change, Now, UnixMs};
use crate::message::Phase;
use crate::spool::Record;

impl Hub {
    /// Looks at the clock, once a turn.
    pub(super) fn read_clock(&mut self, now: Now) {
        let (believed, change) = self.watch.read(now);
        self.now = believed;
        self.note_clock(change);
        let tick = self.now.wall.0 / TICK_MS;
        if self.wheel.now() > tick + NEGLIGIBLE_TICKS {
            self.wheel = Clockwork::new(tick);
            self.refill = Some(0);
            self.bulks.look_again(self.now.wall);
        }
    }

    pub(super) fn note_clock(&mut self, change: Option<Change>) {
        let Some(change) = change else { return };
        self.effects.stats.clock = Some(change);
        self.effects.stats.clock_steps += match change {
            Change::Stepped(_) | Change::Corrected(_) | Change::Behind(_) => 1,
            Change::Returned | Change::Accepted(_) => 0, // counted when it went
        };
    }

    /// Sets the timers of one slice of all messages anew, if that is to be done.
    pub(super) fn refill_wheel(&mut self) {
        let Some(begin) = self.refill else { return };
        let end = self.table.slots().min(begin.saturating_add(REFILL_MAX));
        for slot in begin..end {
            let is_timed = self.table.peek(slot).is_some_and(|row| has_timer(row.phase));
            // One that was set meanwhile is right already.
            if is_timed && self.wheel.deadline(slot).is_none() {
                self.cut_backoff(slot);
                self.fire(slot);
            }
        }
        self.refill = (end < self.table.slots()).then_some(end);
    }

    /// The wait for a next attempt is a distance, not a date: no clock makes it longer.
    pub(super) fn cut_backoff(&mut self, slot: u32) {
        let longest = self.now.wall.after(self.longest_wait);
        let row = self.table.row(slot);
        if row.phase == Phase::Scheduled && row.attempts > 0 {
            row.at = row.at.min(longest);
        }
    }

    /// Whether a message that is over by the clock must not end yet, since the clock may be wrong: its timer is set again.
    pub(super) fn puts_off_end(&mut self, slot: u32) -> bool {
        let Some(wait) = self.watch.expiry_wait() else { return false };
        let at = UnixMs(self.now.wall.after(wait).0 + TICK_MS);
        self.set_timer(slot, at);
        true
    }
}

/// The time at which a record was written, if it tells.
pub(super) const fn time_of(record: &Record<'_>) -> Option<UnixMs> {
    match *record {
        Record::Accepted { accepted: at, .. }
        | Record::Sent { at, .. }
        | Record::Settled { at, .. }
        | Record::Early { at, .. }
        | Record::OptOut { at, .. }
        | Record::Used { at, .. }
        | Record::Bulk { changed: at, .. } => Some(at),
        _ => None, // a day without any of these is a day without messages
    }
}

/// Whether a message in this phase waits for a time.
const fn has_timer(phase: Phase) -> bool {
    match phase {
        Phase::Scheduled | Phase::Queued | Phase::Gathering | Phase::Awaiting | Phase::Waiting => true,
        Phase::Free
        | Phase::Accepting
        | Phase::Divided
        | Phase::Joined
        | Phase::Dispatched
        | Phase::Settled
        | Phase::Delivering => false,
    }
}

/// A wall clock that goes back by no more than this many ticks makes timers late by as much.
pub(super) const NEGLIGIBLE_TICKS: u64 = 100;
/// Slots whose timers are set anew in one turn.
const REFILL_MAX: u32 = 20_000;
