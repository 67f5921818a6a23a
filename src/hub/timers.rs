//! What falls due: one timer a message, in ticks of wall time.

use super::clockwork::Kind;
use super::dispatch::fetch_if_parked;
use super::table::flag;
use super::{Hub, Mode};
use crate::clock::UnixMs;
use crate::message::Phase;
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

    /// Sets the timer of a message that waits until it is due: first a little before, so that its body is at hand by then.
    pub(super) fn set_due_timer(&mut self, slot: u32) {
        let row = self.table.row(slot);
        let (due, expires) = (row.at, row.expires);
        let ahead = UnixMs(due.0.saturating_sub(LEAD_MS));
        let at = if ahead > self.now.wall { ahead } else { due };
        self.set_timer(slot, at.min(expires));
    }

    fn timer_kind(&mut self, slot: u32, at: UnixMs) -> Kind {
        let retention = self.settings.limits.receipt_retention;
        let row = self.table.row(slot);
        match row.phase {
            Phase::Scheduled if at >= row.expires => Kind::Validity,
            Phase::Scheduled if row.attempts > 0 => Kind::Backoff,
            Phase::Scheduled => Kind::Scheduled,
            Phase::Awaiting => Kind::ReceiptGrace,
            Phase::Waiting if at < row.at.after(retention) => Kind::ReceiptRetry,
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
        for place in 0..self.carriers.len() {
            if self.carriers[place].paused.is_some_and(|until| self.now.mono >= until) {
                self.carriers[place].paused = None;
                self.carriers[place].dirty = true;
            }
        }
    }

    /// The time of the message in `slot` has come, or its timer is to be set anew.
    pub(super) fn fire(&mut self, slot: u32) {
        let now = self.now.wall;
        let row = self.table.row(slot);
        let (phase, expires, due) = (row.phase, row.expires, row.at);
        let is_scheduled = row.attempts == 0 && due > row.accepted;
        match phase {
            Phase::Scheduled | Phase::Queued | Phase::Gathering if now >= expires => {
                if !self.puts_off_end(slot) {
                    self.expire_here(slot);
                }
            }
            Phase::Scheduled if now < due => {
                if due.since(now).as_millis() as u64 <= LEAD_MS {
                    self.fetch_ahead(slot);
                }
                self.set_due_timer(slot);
            }
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

    /// A parked message is about to be due: asks for its body, if there is room for it.
    fn fetch_ahead(&mut self, slot: u32) {
        let token = self.table.token(slot);
        let Self { table, effects, durable, bodies, settings, .. } = self;
        if bodies.len() + effects.fetches.len() < settings.limits.bodies {
            fetch_if_parked(table, effects, token, *durable);
        }
    }

    /// When the next turn is due even if nothing happens.
    pub fn next_timeout(&self) -> Option<Instant> {
        let wheel = self.wheel.next_tick().map(|tick| {
            let at = UnixMs(tick.saturating_mul(TICK_MS));
            self.now.mono + at.since(self.now.wall).min(LONGEST_SLEEP)
        });
        let resting = self.mode == Mode::Resting;
        let paused = self.carriers.iter().filter_map(|carrier| carrier.paused.filter(|_| !resting)).min();
        let body = self.bodies.front().map(|(since, _)| *since + self.settings.limits.body_age);
        let gathering = self.kin.gathering.next_timeout();
        let transaction = self.transaction_ends.front().map(|(until, _)| *until);
        let call = self.next_call();
        let busy = !self.searches.is_empty() || self.refill.is_some();
        let busy = busy.then_some(self.now.mono);
        let clock = self.watch.next_timeout();
        [wheel, clock, paused, body, gathering, transaction, call, busy, self.correlation.next_timeout()]
            .into_iter()
            .flatten()
            .min()
    }
}

/// Milliseconds of a tick of the wheel.
pub(super) const TICK_MS: u64 = 10;

/// How long before they are due messages' bodies are read back: a disk may take so long under load.
const LEAD_MS: u64 = 200;

/// Timers that fire in one turn at most, so that a million due at once stall nobody.
const FIRE_MAX: usize = 10_000;

/// The wall clock may step: look at it again after this long, whatever is due next.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
