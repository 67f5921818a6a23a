//! A carrier is down for a while: what waits for it goes on to the next candidates, in slices.
//!
//! Down is a carrier without a link, or one whose breaker is open. Its queue is looked through once when that has lasted for
//! [`Limits::failover`](super::Limits), and again when another carrier comes up meanwhile. What has nowhere better to go stays,
//! in order; its body is read for that only where the number decides which candidates there are.

use super::Hub;
use super::carriers::mark;
use super::pace::Reason;
use super::queue_classes::Classes;
use super::table::{Row, flag};
use crate::carrier::Verdict;
use crate::codec::{Class, Status};
use crate::id::CarrierId;
use crate::message::Phase;
use std::time::{Duration, Instant};

/// How a carrier that is down is left.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    /// Since when it is down.
    pub down: Option<Instant>,
    /// Its queue has been looked through, or is being.
    seen: bool,
    /// Parts of a text wait in its queue for what becomes of another one of them, which is out to find out if it is well.
    pub awaits_trial: bool,
    /// Rules have changed: whatever state it is in, its queue is to be looked through for what they lead elsewhere.
    pub is_doubtful: bool,
    /// What of it is still to be looked at, in order. What comes meanwhile stands behind it.
    pub queue: Classes,
}

impl Leaving {
    /// Whether there is nothing to leave, and no reason to.
    pub fn is_at_ease(&self) -> bool {
        self.down.is_none() && !self.is_doubtful && self.queue.is_empty()
    }
}

impl Hub {
    /// Looks who is down, or held back, once a turn, among those that may be.
    pub(super) fn look_at_carriers(&mut self) {
        let now = self.now.mono;
        for place in 0..self.carriers.len() {
            if !self.carriers.has(place, mark::LOOK) {
                continue;
            }
            let held = self.held_back(CarrierId(place as u16));
            let state = &mut self.carriers[place];
            state.far = held.is_some_and(|hold| {
                hold.reason != Reason::Peer
                    && hold.until.is_none_or(|until| until.saturating_duration_since(now) >= FAR)
            });
            if state.breaker.look(now) {
                self.carriers.wake(place);
            }
            let state = &mut self.carriers[place];
            match (state.is_up(), state.leaving.down) {
                (true, Some(_)) => {
                    (state.leaving.down, state.leaving.seen) = (None, false);
                    self.look_again_at_others(place);
                }
                (false, None) => state.leaving.down = Some(now),
                (true, None) | (false, Some(_)) => {}
            }
        }
        for place in 0..self.carriers.len() {
            if self.carriers.has(place, mark::LOOK) {
                self.leave_carrier(place);
            }
        }
    }

    /// A carrier came up: those that are down may be left for it.
    fn look_again_at_others(&mut self, up: usize) {
        for (place, state) in self.carriers.iter_mut().enumerate() {
            if place != up {
                state.leaving.seen = false;
            }
        }
    }

    /// Sends a slice of what waits for a carrier that is down on to other candidates.
    fn leave_carrier(&mut self, place: usize) {
        if self.carriers[place].leaving.queue.is_empty() && !self.begin_leaving(place) {
            return;
        }
        // Whatever comes back here is done with: it must not stand among what is still to be looked at.
        let mut queue = std::mem::take(&mut self.carriers[place].leaving.queue);
        for _ in 0..SLICE {
            // Bodies are read ahead for a few, not for all of a long queue.
            if self.unrouted.len() >= READ_MAX || queue.front(self.settings.limits.aging, |_| false).is_none()
            {
                self.carriers[place].leaving.queue = queue;
                return;
            }
            let Some(token) = queue.pop(0) else { break };
            let is_down = self.carriers[place].leaving.down.is_some();
            let here = |row: &&mut Row| row.phase == Phase::Queued && usize::from(row.carrier.0) == place;
            let Some(row) = self.table.known(token).filter(here) else { continue };
            row.clear(flag::QUEUED);
            let may_move = is_down && row.may_move();
            match may_move && self.has_way_out(token.slot) {
                _ if self.is_astray(token.slot) => self.decide_again(token.slot),
                true => {
                    self.table.row(token.slot).from = 0;
                    self.route_out(token.slot);
                }
                false => self.enqueue_before_leaving(token.slot),
            }
        }
        self.carriers[place].leaving.queue = queue;
        let leaving = &self.carriers[place].leaving;
        self.unfinished |= !leaving.queue.is_empty() || leaving.is_doubtful;
    }

    /// Begins to look through the queue of a carrier that is down for long enough, if there is anywhere to go.
    fn begin_leaving(&mut self, place: usize) -> bool {
        let (patience, now) = (self.settings.limits.failover, self.now.mono);
        if std::mem::take(&mut self.carriers[place].leaving.is_doubtful) {
            return self.take_queue(place);
        }
        let leaving = &mut self.carriers[place].leaving;
        let is_down = leaving.down.is_some_and(|since| now.saturating_duration_since(since) >= patience);
        if !is_down || std::mem::replace(&mut leaving.seen, true) {
            return false;
        }
        // With nowhere to go, whoever comes up has this done.
        if !self.carriers.iter().any(|carrier| carrier.prospect().usable) {
            return false;
        }
        self.take_queue(place)
    }

    fn take_queue(&mut self, place: usize) -> bool {
        let state = &mut self.carriers[place];
        state.leaving.queue = std::mem::take(&mut state.queue);
        state.leaving.queue.wake_all();
        !state.leaving.queue.is_empty()
    }

    /// What became of one dispatch tells how its carrier is.
    pub(super) fn note_health(&mut self, carrier: CarrierId, verdict: Verdict) {
        let now = self.now.mono;
        let state = self.carriers.in_passing(usize::from(carrier.0));
        let is_failure = match verdict {
            Verdict::Answered(status) => match state.statuses.class(status) {
                // A handset's trouble is not the carrier's.
                Class::Transient => status != Status::RX_T_APPN,
                // It works, and wants less of us, or something else than messages.
                Class::Throttle | Class::Session => return state.breaker.forget_probe(),
                Class::Ok | Class::Permanent | Class::Route | Class::QueueFull | Class::Malformed => false,
            },
            Verdict::Unanswered => true,
            Verdict::Late(_) => {
                state.breaker.revive();
                return self.wake_carrier(carrier);
            }
            Verdict::Unfit(_) | Verdict::Unsayable | Verdict::NotSent => {
                return state.breaker.forget_probe();
            }
        };
        match is_failure {
            true if state.breaker.fail(now) => self.sicken(carrier),
            true => {}
            false if state.breaker.succeed(now) => {
                self.wake_carrier(carrier);
                self.look_again_at_others(usize::from(carrier.0));
            }
            false => {}
        }
    }

    /// A link of the carrier was lost; `doubtful` if anything on it was not answered.
    pub(super) fn note_loss(&mut self, carrier: CarrierId, doubtful: bool) {
        let state = &mut self.carriers[usize::from(carrier.0)];
        if !doubtful {
            return state.breaker.forget_probe();
        }
        if state.breaker.fail(self.now.mono) {
            self.sicken(carrier);
        }
    }

    /// A carrier is taken for sick, from now on or still.
    fn sicken(&mut self, carrier: CarrierId) {
        self.effects.stats.sicken(carrier);
        let leaving = &mut self.carriers[usize::from(carrier.0)].leaving;
        leaving.down.get_or_insert(self.now.mono);
        leaving.seen &= !std::mem::take(&mut leaving.awaits_trial);
    }

    /// When [`Hub::look_at_carriers`] has something to do.
    pub(super) fn next_look(&self) -> Option<Instant> {
        let patience = self.settings.limits.failover;
        let of_carrier = |carrier: &super::CarrierState| {
            let leaving = &carrier.leaving;
            let leave = leaving.down.filter(|_| !leaving.seen && !carrier.queue.is_empty());
            [leave.map(|since| since + patience), carrier.breaker.next_timeout()]
        };
        self.carriers.with(mark::LOOK).flat_map(of_carrier).flatten().min()
    }
}

/// A carrier that is held back for so long yet is passed over.
const FAR: Duration = Duration::from_secs(5);
/// Messages of one queue that are looked at in one turn.
const SLICE: usize = 1_000;
/// Messages that wait for their bodies at one time, so that they can leave.
const READ_MAX: usize = 2_000;
