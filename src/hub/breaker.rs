//! Whether a carrier is sick: then nobody waits for it, and one message at a time finds out when it is well again.
//!
//! ```text
//! closed ──failures in a row, or a share of them──► open ──open for a while──► half open ──a success──► closed
//!                                                     ▲───────────a failure────────┘
//! ```
//!
//! A failure says something of the carrier (no answer, a lost link, system trouble), not of the message. Anything else that it
//! answers is a success; a late answer closes it at once.

use std::time::{Duration, Instant};

/// When a carrier counts as sick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakerRules {
    /// Failures in a row, and at least so many outcomes before a share counts; 0: it never does.
    pub failures: u32,
    /// The share of failures that is too much, 0 to 1; 1: only failures in a row count.
    pub share: f64,
    /// Over which time they are counted.
    pub window: Duration,
    /// How long it is left alone the first time; doubles each time that it is no better.
    pub open: Duration,
    pub open_max: Duration,
}

impl Default for BreakerRules {
    fn default() -> Self {
        Self {
            failures: 100,
            share: 1.0,
            window: Duration::from_secs(60),
            open: Duration::from_secs(10),
            open_max: Duration::from_secs(300),
        }
    }
}

/// The breaker of one carrier.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    rules: BreakerRules,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed { since: Option<Instant>, row: u32, failed: u32, all: u32 },
    Open { until: Instant, times: u32 },
    Half { times: u32, probing: bool },
}

impl Default for State {
    fn default() -> Self {
        Self::Closed { since: None, row: 0, failed: 0, all: 0 }
    }
}

impl Breaker {
    pub fn new(rules: BreakerRules) -> Self {
        Self { rules, state: State::default() }
    }

    /// The carrier failed; gives whether that opened the breaker.
    pub fn fail(&mut self, now: Instant) -> bool {
        let rules = self.rules;
        match &mut self.state {
            State::Closed { since, row, failed, all } => {
                let first = *since.get_or_insert(now);
                if now.saturating_duration_since(first) > rules.window {
                    (*since, *row, *failed, *all) = (Some(now), 0, 0, 0);
                }
                (*row, *failed, *all) = (*row + 1, *failed + 1, *all + 1);
                let is_share = f64::from(*failed) >= rules.share * f64::from(*all) && *all >= rules.failures;
                let trips = rules.failures > 0 && (*row >= rules.failures || rules.share < 1.0 && is_share);
                if trips {
                    self.state = State::Open { until: now + rules.open, times: 1 };
                }
                trips
            }
            State::Half { times, .. } => {
                let wait = rules.open.saturating_mul(1 << (*times).min(16)).min(rules.open_max);
                self.state = State::Open { until: now + wait, times: *times + 1 };
                true
            }
            // What was under way before says nothing new.
            State::Open { .. } => false,
        }
    }

    /// The carrier answered; gives whether that closed the breaker.
    pub fn succeed(&mut self, now: Instant) -> bool {
        match &mut self.state {
            State::Closed { since, row, failed, all } => {
                let is_over =
                    since.is_none_or(|first| now.saturating_duration_since(first) > self.rules.window);
                if is_over {
                    (*since, *failed, *all) = (Some(now), 0, 0);
                }
                (*row, *all) = (0, all.saturating_add(1));
                false
            }
            State::Half { .. } => {
                self.state = State::default();
                true
            }
            State::Open { .. } => false,
        }
    }

    /// The carrier answered what it was given up for: it is slow, not sick.
    pub fn revive(&mut self) {
        self.state = State::default();
    }

    /// What went out to find out came to nothing that says anything.
    pub fn forget_probe(&mut self) {
        if let State::Half { probing, .. } = &mut self.state {
            *probing = false;
        }
    }

    /// A message goes out.
    pub fn sent(&mut self) {
        if let State::Half { probing, .. } = &mut self.state {
            *probing = true;
        }
    }

    /// Whether a message may go out now.
    pub fn lets_through(&self) -> bool {
        match self.state {
            State::Closed { .. } => true,
            State::Open { .. } => false,
            State::Half { probing, .. } => !probing,
        }
    }

    /// Whether the carrier is held for well.
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    /// Whether one message finds out how it is, or is to.
    pub const fn is_half_open(&self) -> bool {
        matches!(self.state, State::Half { .. })
    }

    /// 0 closed, 1 half open, 2 open.
    pub const fn stage(&self) -> u64 {
        match self.state {
            State::Closed { .. } => 0,
            State::Half { .. } => 1,
            State::Open { .. } => 2,
        }
    }

    /// Looks at the clock; gives whether messages may go out again, one at a time.
    pub fn look(&mut self, now: Instant) -> bool {
        match self.state {
            State::Open { until, times } if now >= until => {
                self.state = State::Half { times, probing: false };
                true
            }
            State::Open { .. } | State::Closed { .. } | State::Half { .. } => false,
        }
    }

    /// When [`Breaker::look`] has something to say.
    pub const fn next_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Open { until, .. } => Some(until),
            State::Closed { .. } | State::Half { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> BreakerRules {
        let seconds = Duration::from_secs;
        BreakerRules { failures: 4, share: 1.0, window: seconds(10), open: seconds(5), open_max: seconds(15) }
    }

    #[allow(clippy::disallowed_methods)] // a test needs some instant to start from
    fn start() -> Instant {
        Instant::now()
    }

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::new(rules());
        let opened = [(); 4].map(|()| breaker.fail(now));
        assert_eq!(opened, [false, false, false, true]);
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_them_does_not() {
        let now = start();
        let mut breaker = Breaker::new(rules());
        for _ in 0..10 {
            let failed = [(); 3].map(|()| breaker.fail(now));
            assert_eq!((failed, breaker.succeed(now)), ([false; 3], false));
        }

        assert!(opened(now).next_timeout().is_some());
        assert!(breaker.is_closed() && breaker.lets_through());
    }

    #[test]
    fn failures_of_long_ago_do_not_count() {
        let now = start();
        let mut breaker = Breaker::new(rules());

        let failed = [0, 11, 22, 33, 44].map(|at| breaker.fail(now + Duration::from_secs(at)));

        assert_eq!(failed, [false; 5]);
    }

    #[test]
    fn share_of_failures_opens_it_where_one_is_set() {
        let now = start();
        let mut breaker = Breaker::new(BreakerRules { share: 0.5, ..rules() });

        breaker.succeed(now);
        let opened = [breaker.fail(now), breaker.succeed(now), breaker.fail(now)];

        assert_eq!(opened, [false, false, true]);
    }

    #[test]
    fn open_breaker_tries_one_at_a_time_and_waits_longer_each_time() {
        let mut now = start();
        let mut breaker = opened(now);
        for wait in [5, 10, 15, 15] {
            assert!(!breaker.lets_through());
            assert!(!breaker.look(now + Duration::from_secs(wait - 1)));
            now += Duration::from_secs(wait);
            assert!(breaker.look(now) && breaker.lets_through());
            breaker.sent();
            assert!(!breaker.lets_through());
            breaker.fail(now);
        }
        breaker.look(now + Duration::from_secs(15));
        breaker.sent();

        assert!(breaker.succeed(now) && breaker.is_closed());
    }

    #[test]
    fn probe_that_says_nothing_is_followed_by_another() {
        let now = start();
        let mut breaker = opened(now);
        breaker.look(now + Duration::from_secs(5));
        breaker.sent();

        breaker.forget_probe();

        assert!(breaker.lets_through() && !breaker.is_closed());
    }

    #[test]
    fn late_answer_closes_it() {
        let mut breaker = opened(start());

        breaker.revive();

        assert!(breaker.is_closed());
    }

    #[test]
    fn breaker_without_a_number_never_opens() {
        let now = start();
        let mut breaker = Breaker::new(BreakerRules { failures: 0, share: 0.1, ..rules() });

        assert!((0..1000).all(|_| !breaker.fail(now)));
    }
}
