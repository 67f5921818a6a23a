//! When: the waits between attempts, a ladder for each kind of failure.

use std::time::Duration;

/// How a message is tried again: the waits, step by step.
#[derive(Clone, Debug, PartialEq)]
pub struct Ladder {
    /// The wait after each failed attempt; the last one goes on. At least one.
    pub delays: Vec<Duration>,
    /// Attempts in all, after which the message ends; 0: as many as its validity allows.
    pub attempts: u8,
    /// The share of each wait, 0 to 1, by which it is shortened at most, so that what failed together does not come back together.
    pub jitter: f64,
}

impl Ladder {
    /// A ladder of these waits, in seconds, with the usual jitter and without an end.
    pub fn of_seconds(delays: &[u64]) -> Self {
        let delays = delays.iter().map(|seconds| Duration::from_secs(*seconds)).collect();
        Self { delays, attempts: 0, jitter: 0.25 }
    }

    /// The wait before the next attempt, `failed` ones (1 and up) having been made; as much shorter as `salt` says.
    pub fn wait(&self, failed: u8, salt: u64) -> Duration {
        let step = usize::from(failed.saturating_sub(1)).min(self.delays.len().saturating_sub(1));
        let full = self.delays.get(step).copied().unwrap_or_default();
        let share = (salt.wrapping_mul(GOLDEN) >> 56) as f64 / 255.0;
        full.mul_f64((1.0 - self.jitter * share).clamp(0.0, 1.0))
    }

    /// Whether so many failed attempts are all that there are.
    pub const fn is_used_up(&self, failed: u8) -> bool {
        self.attempts > 0 && failed >= self.attempts
    }
}

/// Why an attempt failed that another may make good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The carrier can't now.
    Transient,
    /// Its queue is full, which needs longer to pass.
    QueueFull,
    /// It doesn't know why itself: ESME_RUNKNOWNERR.
    Unknown,
    /// It did not answer.
    Unanswered,
}

/// The ladders.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    pub transient: Ladder,
    pub queue_full: Ladder,
    pub unknown: Ladder,
    pub unanswered: Ladder,
    /// How long a carrier is left alone that throttles us, one time after the other; its messages lose no attempt by that.
    pub throttle: Ladder,
}

impl Retry {
    /// The ladder after this failure.
    pub const fn ladder(&self, failure: Failure) -> &Ladder {
        match failure {
            Failure::Transient => &self.transient,
            Failure::QueueFull => &self.queue_full,
            Failure::Unknown => &self.unknown,
            Failure::Unanswered => &self.unanswered,
        }
    }

    /// No message waits longer for its next attempt.
    pub fn longest(&self) -> Duration {
        let ladders = [&self.transient, &self.queue_full, &self.unknown, &self.unanswered];
        ladders.into_iter().flat_map(|ladder| &ladder.delays).max().copied().unwrap_or_default()
    }
}

impl Default for Retry {
    /// By the fact sheet, section 4: 30 s (180 s for a full queue), doubling up to 15 min; three attempts for the
    /// unknown error; a second after a throttle.
    fn default() -> Self {
        let transient = Ladder::of_seconds(&[30, 60, 120, 240, 480, 900]);
        Self {
            unanswered: transient.clone(),
            transient,
            queue_full: Ladder::of_seconds(&[180, 360, 720, 900]),
            unknown: Ladder { attempts: 3, ..Ladder::of_seconds(&[30, 60]) },
            throttle: Ladder { jitter: 0.0, ..Ladder::of_seconds(&[1]) },
        }
    }
}

/// Spreads neighbouring salts: 2^64 over the golden ratio (Knuth, TAOCP 3, §6.4).
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_wait_of_a_ladder_goes_on() {
        let retry = Retry::default();

        let waits: Vec<u64> = (1..=8).map(|failed| retry.transient.wait(failed, 0).as_secs()).collect();

        assert_eq!(waits, [30, 60, 120, 240, 480, 900, 900, 900]);
        assert_eq!(retry.queue_full.wait(1, 0).as_secs(), 180);
        assert_eq!(retry.transient.wait(u8::MAX, 0), retry.longest());
    }

    #[test]
    fn ladder_with_an_end_is_used_up_and_one_without_never() {
        let retry = Retry::default();

        assert_eq!([1, 2, 3, 4].map(|failed| retry.unknown.is_used_up(failed)), [false, false, true, true]);
        assert!(!retry.transient.is_used_up(u8::MAX));
    }

    #[test]
    fn what_failed_together_comes_back_spread_over_the_jitter() {
        let ladder = Ladder::of_seconds(&[100]);

        let waits: Vec<Duration> = (0..100).map(|salt| ladder.wait(1, salt)).collect();

        let seconds = |seconds| Duration::from_secs(seconds);
        assert!(waits.iter().all(|wait| *wait <= seconds(100) && *wait >= seconds(75)));
        assert!(waits.iter().any(|wait| *wait < seconds(80)));
        let steady = Ladder { jitter: 0.0, ..ladder };
        assert!((0..100).all(|salt| steady.wait(1, salt) == seconds(100)));
    }
}
