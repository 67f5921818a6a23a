//! What is in goes on before more comes in: while carriers have enough to do, submissions wait before a hub that has no time.
//!
//! Nothing but its window holds a sender back, and a thousand of them have a hundred thousand messages out. A hub that takes in more than
//! it passes on fills its memory with what stands in queues, spends its time on that, and passes on less. So what a session asks for
//! waits, a read at a time, until fewer messages stand before carriers that take them; then sessions have their turns, who has waited
//! longest first.
//!
//! ```text
//! waits      more than a few requests at a time, while Limits::backlog messages stand before carriers and the hub works more than it rests
//! turns      one session each time that fewer stand there, or that the hub has time, and whoever has waited for WAIT_MAX
//! counts     what stands before a carrier that turns its windows over quickly; if the hub has no time at all, before any that moves
//! ```
//!
//! Carriers that are slow, limited or down keep nobody out, nor do those in whose queues accounts wait for limits of their own; who asks for little
//! at a time is not made to wait.

use super::carriers::mark;
use super::{Hub, Mode};
use crate::esme::Intake;
use crate::id::SessionId;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What stands in the hub, and who waits before it.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// The hub works for as long as it rests, or longer.
    is_busy: bool,
    /// In how long a carrier turns its windows over before which messages count.
    turnover: Duration,
    /// How many of those there were at the end of the last turn.
    queued: usize,
    /// Seats of ports whose requests wait, and since when, the first one first; among them some whose session is gone.
    ports: VecDeque<(Instant, u32)>,
    /// Requests that wait, and octets of their reads.
    requests: usize,
    octets: usize,
}

impl Backlog {
    /// Requests that wait before the hub.
    pub const fn requests(&self) -> usize {
        self.requests
    }

    /// Octets of what waits.
    pub const fn octets(&self) -> usize {
        self.octets
    }
}

impl Hub {
    /// The share of its time that the hub's thread worked of late, 0 to 1: whoever runs it tells it before each turn.
    pub fn note_effort(&mut self, share: f64) {
        self.backlog.is_busy = share >= BUSY;
        self.backlog.turnover = if share >= NO_TIME { MOVES } else { QUICK };
    }

    /// What a port asks for is taken, or waits until it is the port's turn.
    pub(super) fn take_requests_in_turn(&mut self, session: SessionId, seat: u32, intake: Intake) {
        let (count, now, has_much) = (intake.requests.len(), self.now.mono, self.has_much());
        let Some(port) = self.ports.at(seat, session) else { return };
        if port.waiting.is_empty() {
            if count <= FEW || !has_much {
                return self.take_requests(session, seat, &intake, now);
            }
            self.backlog.ports.push_back((now, seat));
        }
        self.backlog.requests += count;
        self.backlog.octets += intake.batch.len();
        port.waiting.push((now, intake));
    }

    /// Takes what waits before the hub, as far as there is time for it.
    pub(super) fn go_on_taking_in(&mut self) {
        self.count_queued();
        for _ in 0..PORTS_MAX {
            let Some((since, seat)) = self.backlog.ports.front().copied() else { return };
            let is_late = self.now.mono.saturating_duration_since(since) >= WAIT_MAX;
            let has_time = !self.backlog.is_busy || self.mode != Mode::Working;
            if self.has_much() && !has_time && !is_late {
                return;
            }
            self.backlog.ports.pop_front();
            self.take_waiting(seat);
            if self.has_much() {
                break;
            }
        }
        self.unfinished |= !self.backlog.ports.is_empty();
    }

    /// Takes what waits of the port in `seat`.
    pub(super) fn take_waiting(&mut self, seat: u32) {
        let Some((session, port)) = self.ports.here(seat) else { return };
        for (since, intake) in std::mem::take(&mut port.waiting) {
            self.backlog.requests -= intake.requests.len();
            self.backlog.octets -= intake.batch.len();
            self.take_requests(session, seat, &intake, since);
        }
    }

    /// When it is to be looked again whether the hub has time for those who wait.
    pub(super) fn next_turn_of_ports(&self) -> Option<Instant> {
        self.backlog.ports.front().map(|_| self.now.mono + LOOK_EACH)
    }

    /// Whether carriers have enough to do.
    fn has_much(&self) -> bool {
        let enough = self.settings.limits.backlog;
        enough > 0 && self.backlog.queued + self.holding.accepted() >= enough
    }

    /// Brings the number of those in queues up to date, by the carriers that were touched.
    fn count_queued(&mut self) {
        let (turnover, now) = (self.backlog.turnover, self.now.mono);
        for place in 0..self.carriers.len() {
            if self.carriers.has(place, mark::WAIT) {
                let state = self.carriers.unmarked(place);
                // Accounts that wait for their limits may have all that stands there.
                let is_free = state.is_at_ease() && !state.queue.has_sleepers();
                let counts = is_free && state.pulse.is_within(turnover, now);
                let queued = if counts { state.queue.len() } else { 0 };
                let before = std::mem::replace(&mut state.backlog, queued);
                self.backlog.queued = self.backlog.queued - before + queued;
                if state.queue.is_empty() {
                    let is_free = is_free && state.is_free();
                    self.carriers.take(place, mark::WAIT); // no time changes that
                    if is_free {
                        self.carriers.free(place);
                    }
                }
            }
        }
    }
}

/// In how long a carrier turns its windows over: takes as many messages as may be out on its links.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    began: Option<Instant>,
    /// Messages that it got since then.
    count: usize,
    took: Option<Duration>,
}

impl Pulse {
    /// The carrier, on whose links so many may be out, gets a message.
    pub fn beat(&mut self, places: usize, now: Instant) {
        let began = *self.began.get_or_insert(now);
        self.count += 1;
        if self.count >= places {
            let took = now.saturating_duration_since(began);
            *self = Self { began: Some(now), count: 0, took: Some(took) };
        }
    }

    /// Messages that it has got since it was last through.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Whether that took so long at most the last time, and does not take longer now.
    fn is_within(&self, bound: Duration, now: Instant) -> bool {
        let lasts = self.began.map(|began| now.saturating_duration_since(began));
        [self.took, lasts].into_iter().all(|time| time.is_some_and(|time| time <= bound))
    }
}

/// The share of its time that the hub works from which on it is busy, and from which on it has none.
const BUSY: f64 = 0.5;
const NO_TIME: f64 = 0.9;

/// A carrier that turns its windows over in that time is quick: what waits for it waits for us.
const QUICK: Duration = Duration::from_millis(20);

/// One that takes longer stands still.
const MOVES: Duration = Duration::from_secs(1);

/// Requests that a session may bring at a time without waiting.
const FEW: usize = 4;

/// Ports that get their turns in one turn of the hub.
const PORTS_MAX: usize = 64;

/// Who has waited for so long waits no longer.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// How often it is looked again whether the hub has time.
const LOOK_EACH: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carrier_is_quick_while_its_windows_turn_over_in_time() {
        #[allow(clippy::disallowed_methods)] // a test needs some instant to start from
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let bound = Duration::from_millis(20);
        let mut pulse = Pulse::default();
        assert!(!pulse.is_within(bound, at(0)));

        (0..9).for_each(|_| pulse.beat(10, at(0)));
        assert!(!pulse.is_within(bound, at(1)), "not once yet");
        pulse.beat(10, at(20));
        assert!(pulse.is_within(bound, at(40)) && !pulse.is_within(bound, at(41)));
        (0..10).for_each(|_| pulse.beat(10, at(45)));
        assert!(!pulse.is_within(bound, at(45)), "that took 25 ms");
        (0..10).for_each(|_| pulse.beat(10, at(50)));
        assert!(pulse.is_within(bound, at(50)));
    }
}
