//! What falls due: one timer a message, in ticks of wall time.

use super::carriers::mark;
use super::clockwork::Kind;
use super::delivery::kept_until;
use super::fetch::fetch_if_parked;
use super::table::flag;
use super::{Hub, Mode};
use crate::clock::UnixMs;
use crate::message::Phase;
use std::cmp::Reverse;
use std::time::{Duration, Instant};

impl Hub {
    /// Sets the one timer of the message in `slot`, in place of any other.
    pub(super) fn set_timer(&mut self, slot: u32, at: UnixMs) {
        let tick = at.0.div_ceil(TICK_MS);
        // The clock went back by next to nothing: what falls between waits for the wheel rather than come over and over.
        let is_ahead = self.wheel.now() > self.now.wall.0 / TICK_MS;
        let tick = if is_ahead { tick.max(self.wheel.now() + 1) } else { tick };
        let kind = self.timer_kind(slot, at);
        self.wheel.set(slot, tick, kind);
    }

    fn timer_kind(&mut self, slot: u32, at: UnixMs) -> Kind {
        let row = self.table.row(slot);
        match row.phase {
            // Of a paused bulk: its times are told from the bulk's.
            Phase::Scheduled if row.is(flag::BUNDLED) || at >= row.expires => Kind::Validity,
            Phase::Scheduled if row.attempts > 0 => Kind::Backoff,
            Phase::Scheduled => Kind::Scheduled,
            Phase::Awaiting => Kind::ReceiptGrace,
            Phase::Waiting if at < kept_until(row, &self.settings.limits) => Kind::ReceiptRetry,
            Phase::Waiting => Kind::Retention,
            // On its way, or about to be: nothing else can come of it but the end of its validity.
            Phase::Free
            | Phase::Accepting
            | Phase::Queued
            | Phase::Gathering
            | Phase::Divided
            | Phase::Joined
            | Phase::Dispatched
            | Phase::Settled
            | Phase::Delivering => Kind::Validity,
        }
    }

    pub(super) fn fire_timers(&mut self) {
        let mut fired = std::mem::take(&mut self.fired);
        self.wheel.advance(self.now.wall.0 / TICK_MS, FIRE_MAX, &mut fired);
        for slot in fired.drain(..) {
            self.fire(slot);
        }
        self.fired = fired;
        self.look_at_carriers();
        self.wake_accounts();
        for place in 0..self.carriers.len() {
            if !self.carriers.has(place, mark::LOOK) {
                continue;
            }
            if self.carriers[place].paused.is_some_and(|until| self.now.mono >= until) {
                self.carriers[place].paused = None;
                self.carriers.wake(place);
            }
            if self.carriers[place].stalls.is_some_and(|at| self.now.mono >= at) {
                self.carriers[place].stalls = None;
                self.carriers.wake(place);
            }
            let may_go = self.carriers[place].pace.look(self.now.mono);
            let is_due = self.carriers[place].suspects.take_due(self.now.mono);
            if may_go || is_due {
                self.carriers.wake(place);
            }
            if self.carriers[place].is_at_ease() {
                self.carriers.take(place, mark::LOOK);
            }
        }
    }

    /// The time of the message in `slot` has come, or its timer is to be set anew.
    pub(super) fn fire(&mut self, slot: u32) {
        let now = self.now.wall;
        let row = self.table.row(slot);
        let (phase, expires, due) = (row.phase, row.expires, row.at);
        if row.is(flag::BUNDLED) {
            return self.watch(slot);
        }
        let is_scheduled = row.attempts == 0 && due > row.accepted;
        match phase {
            Phase::Scheduled | Phase::Queued | Phase::Gathering if now >= expires => {
                if !self.puts_off_end(slot) {
                    self.expire_here(slot);
                }
            }
            Phase::Scheduled if now < due => self.await_due(slot),
            Phase::Scheduled => {
                self.set_timer(slot, expires);
                self.enqueue(slot);
            }
            // The clock that made it due was wrong.
            Phase::Queued if now < due && is_scheduled => self.start(slot),
            Phase::Queued | Phase::Gathering => {
                self.set_timer(slot, expires);
                // Such a clock made it too late, and it was passed over.
                if phase == Phase::Queued && !self.table.row(slot).is(flag::QUEUED) {
                    self.enqueue(slot);
                }
            }
            // Their kin bring these on.
            Phase::Divided | Phase::Joined => {}
            // The carrier never told: nobody knows whether it arrived (fact sheet 8.4).
            Phase::Awaiting if now >= expires.after(self.settings.limits.receipt_grace) => {
                if !self.puts_off_end(slot) {
                    self.give_up_awaiting(slot);
                }
            }
            Phase::Awaiting => self.set_timer(slot, expires.after(self.settings.limits.receipt_grace)),
            Phase::Waiting => self.fire_waiting(slot),
            // The session's own timer brings these on.
            Phase::Dispatched | Phase::Delivering => {}
            // The disk brings these on.
            Phase::Accepting | Phase::Settled => {}
            Phase::Free => {}
        }
    }

    /// Sets the timer of a scheduled message; a parked one wakes some time before, so that its body is at hand when it is due.
    pub(super) fn await_due(&mut self, slot: u32) {
        let row = self.table.row(slot);
        let at = row.at.min(row.expires);
        // Not all that are due at once in one go, which would take the disk and a processor from those that are due just then.
        let ahead = READ_AHEAD_MS + u64::from(slot) / READ_TOGETHER % READ_TURNS * TICK_MS;
        let early = UnixMs(at.0.saturating_sub(ahead));
        // What is at hand now, before a wait for another attempt, won't be then.
        let is_long = at.since(self.now.wall) > self.settings.limits.body_age;
        if (row.is_parked() || is_long) && early > self.now.wall {
            return self.set_timer(slot, early);
        }
        self.set_timer(slot, at);
        // Others wait until they are due, and then until they are next in their queue.
        let here = self.bodies.len() + self.reading + self.effects.fetches.len();
        if here < self.settings.limits.bodies / 2 {
            let token = self.table.token(slot);
            fetch_if_parked(&mut self.table, &mut self.effects, token, self.durable);
        }
    }

    /// When the next turn is due even if nothing happens.
    pub fn next_timeout(&self) -> Option<Instant> {
        let wheel = self.wheel.next_tick().map(|tick| {
            let at = UnixMs(tick.saturating_mul(TICK_MS));
            self.now.mono + at.since(self.now.wall).min(LONGEST_SLEEP)
        });
        let resting = self.mode == Mode::Resting;
        let paused =
            self.carriers.with(mark::LOOK).filter_map(|carrier| carrier.paused.filter(|_| !resting)).min();
        let stalls =
            self.carriers.with(mark::LOOK).filter_map(|carrier| carrier.stalls.filter(|_| !resting)).min();
        let suspects = self.carriers.with(mark::LOOK).filter_map(|carrier| carrier.suspects.next_timeout());
        let suspects = suspects.filter(|_| !resting).min();
        let held = self.carriers.with(mark::LOOK).filter_map(|carrier| carrier.pace.look_at());
        let held = held.chain(self.sleepers.peek().map(|Reverse((at, ..))| *at));
        let held = held.filter(|_| !resting).min();
        let body = self.bodies.front().map(|(since, _)| *since + self.settings.limits.body_age);
        let gathering = self.kin.gathering.next_timeout();
        let transaction = self.transaction_ends.front().map(|(until, _)| *until);
        let call = self.next_call().into_iter().chain(self.next_stand_in()).min();
        let busy =
            self.unfinished || !self.searches.is_empty() || self.has_bulk_work() || self.refill.is_some();
        let busy = busy.then_some(self.now.mono);
        let bulk = self.bulks.next_due().map(|at| self.now.mono + at.since(self.now.wall).min(LONGEST_SLEEP));
        let clock = self.watch.next_timeout();
        [
            wheel,
            clock,
            paused,
            stalls,
            suspects,
            self.next_look().filter(|_| !resting),
            held,
            body,
            gathering,
            transaction,
            call,
            busy,
            bulk,
            self.next_turn_of_ports(),
            self.correlation.next_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

/// Milliseconds of a tick of the wheel.
pub(super) const TICK_MS: u64 = 10;

/// How long before it is due the body of a parked message is read back, in milliseconds, at least; with the turns less than it stays at hand.
const READ_AHEAD_MS: u64 = 1_000;

/// Messages that lie together are read back together, and others in so many turns, a tick apart.
const READ_TOGETHER: u64 = 64;
const READ_TURNS: u64 = 32;

/// Timers that fire in one turn at most, so that a million due at once stall nobody.
const FIRE_MAX: usize = 5_000;

/// The wall clock may step: look at it again after this long, whatever is due next.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
