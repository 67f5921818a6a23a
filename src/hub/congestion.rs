//! How busy: congestion_state, ours for our customers and theirs from our carriers (SMPP 5.0 §4.8.4.18), and how much of a link's window a
//! carrier seems to bear.

use super::table::Whereabouts;
use super::{AccountState, Hub, LinkState};
use crate::carrier::{LinkIntake, Outcome, Verdict};
use crate::codec::Status;
use crate::id::CarrierId;
use std::time::{Duration, Instant};

impl Hub {
    /// How busy the hub is, 0 to 100: the worst of how full it is and how long the disk takes against its target.
    pub(super) fn load(&self) -> u8 {
        if self.full || self.mode == super::Mode::ReadOnly {
            return 100;
        }
        let memory = share(self.memory() as usize, self.settings.limits.memory_octets as usize);
        let fill = share(self.table.len(), self.settings.limits.messages).max(memory);
        let disk = self.disk_wait.as_micros() as u64 * OPTIMUM / DISK_TARGET.as_micros() as u64;
        fill.max(disk.min(99) as u8)
    }

    /// What a carrier says of itself steers how much of the link's window is used: more below 80, as it is up to 90, less
    /// above.
    pub(super) fn steer(&mut self, seat: u32, congestion: u8) {
        let Some((_, link)) = self.links.here(seat) else { return };
        let before = link.ceiling;
        link.told = Some(self.now.mono);
        link.ceiling = match congestion {
            0..80 => (link.ceiling + link.window.div_ceil(16)).min(link.window),
            80..=90 => link.ceiling,
            91..100 => (link.ceiling - link.ceiling.div_ceil(8)).max(1),
            100.. => 1,
        };
        if link.ceiling > before {
            let carrier = link.carrier;
            self.wake_carrier(carrier);
        }
    }
}

impl Hub {
    /// A carrier that answers and says nothing of congestion any more gets its window back, step by step: some tell only
    /// while they are congested.
    pub(super) fn steer_by_silence(&mut self, seat: u32) {
        let Some((_, link)) = self.links.here(seat) else { return };
        let since = link.told.filter(|_| link.ceiling < link.window);
        if since.is_some_and(|since| self.now.mono.saturating_duration_since(since) >= WORD_AGE) {
            self.steer(seat, 0);
        }
    }
}

impl Hub {
    /// Answers came: the window of their link opens by one place for each window that was answered well, and closes by an eighth, at
    /// most once in the time that they took, if one was slow.
    pub(super) fn note_waits(&mut self, seat: u32, intake: &LinkIntake) {
        let now = self.now.mono;
        let Some((_, link)) = self.links.here(seat) else { return };
        let carrier = link.carrier;
        let state = self.carriers.in_passing(usize::from(carrier.0));
        if let Some(waits) = &intake.waits {
            state.counts.waits.add(waits);
        }
        if state.pace.slow_answer.is_some_and(|slow| intake.slowest >= slow) {
            if link.shrunk.is_none_or(|at| now.saturating_duration_since(at) >= intake.slowest) {
                link.shrink(link.ceiling.div_ceil(8), now);
            }
            return;
        }
        // Who tells how busy he is steers by that.
        if link.ceiling < link.window && link.told.is_none() {
            let is_good = |outcome: &&Outcome| outcome.verdict == Verdict::Answered(Status::ROK);
            link.credit += intake.outcomes.iter().filter(is_good).count();
            if link.credit >= link.ceiling {
                (link.credit, link.ceiling) = (0, link.ceiling + 1);
                self.wake_carrier(carrier);
            }
        }
    }

    /// Leaves a carrier alone that throttles us: longer each time, until it takes something again.
    pub(super) fn pause(&mut self, carrier: CarrierId, salt: u64) {
        let now = self.now.mono;
        let state = &mut self.carriers[usize::from(carrier.0)];
        // What was under way before the pause says nothing new.
        if state.paused.is_none_or(|until| until <= now) {
            state.throttles = state.throttles.saturating_add(1);
        }
        let until = now + state.retry.throttle.wait(state.throttles, salt);
        state.paused = state.paused.max(Some(until));
    }

    /// A carrier throttles: it gets half as much from now on, and the link that it said so on has half of its window; once for all that
    /// was under way.
    pub(super) fn slow_down(&mut self, carrier: CarrierId, whereabouts: Whereabouts) {
        let now = self.now.mono;
        let state = &mut self.carriers[usize::from(carrier.0)];
        if state.paused.is_none_or(|until| until <= now) {
            state.pace.meter.governor.throttle(now);
        }
        if let Whereabouts::Out(seat) = whereabouts
            && let Some((_, link)) = self.links.here(seat)
            && link.shrunk.is_none_or(|at| now.saturating_duration_since(at) >= THROTTLE_ONCE)
        {
            link.shrink(link.ceiling / 2, now);
        }
    }
}

impl AccountState {
    /// How much of what it may have in the hub it has, 0 to 100.
    pub fn load(&self) -> u8 {
        share(self.held, self.held_max)
    }
}

impl LinkState {
    fn shrink(&mut self, by: usize, now: Instant) {
        self.ceiling = self.ceiling.saturating_sub(by).max(1);
        (self.credit, self.shrunk) = (0, Some(now));
    }

    /// Whether one more message may go out on it.
    pub fn has_room(&self) -> bool {
        self.submits
            && !self.reserved
            && !self.parting
            && self.room > 0
            && self.window - self.room < self.ceiling
    }
}

fn share(part: usize, whole: usize) -> u8 {
    (part as u128 * 100 / (whole as u128).max(1)).min(100) as u8
}

/// Throttles of one link so close together are one.
const THROTTLE_ONCE: Duration = Duration::from_secs(1);
/// How long a carrier's word counts.
const WORD_AGE: Duration = Duration::from_secs(5);
/// congestion_state at which a peer should hold its rate.
const OPTIMUM: u64 = 80;
/// How long an answer may wait for the disk at that state.
const DISK_TARGET: Duration = Duration::from_millis(50);
