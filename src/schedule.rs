//! When: the waits between attempts.

use crate::codec::Class;
use std::time::Duration;

/// How a message is tried again after an answer of some class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ladder {
    /// The wait after the first transient failure; it doubles from there.
    pub first: Duration,
    /// The wait after "queue full", which needs longer to pass.
    pub first_queue_full: Duration,
    /// No wait is longer.
    pub max: Duration,
}

impl Default for Ladder {
    /// By the fact sheet, section 4: 30 s, 180 s, up to 15 min.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(30),
            first_queue_full: Duration::from_secs(180),
            max: Duration::from_secs(15 * 60),
        }
    }
}

impl Ladder {
    /// The wait before the next attempt, `attempts` having failed; shortened by up to a quarter as `salt` says, so that what failed
    /// together does not come back together.
    pub fn wait(&self, class: Class, attempts: u8, salt: u64) -> Duration {
        let first = if class == Class::QueueFull { self.first_queue_full } else { self.first };
        let doublings = u32::from(attempts.saturating_sub(1)).min(16);
        let full = first.saturating_mul(1 << doublings).min(self.max);
        let share = salt.wrapping_mul(GOLDEN) >> 56;
        full - full / 4 * share as u32 / 255
    }
}

/// How long a throttled or ailing carrier is left alone before its next message (fact sheet 4, class H).
pub const THROTTLE_PAUSE: Duration = Duration::from_secs(1);

/// Spreads neighbouring salts: 2^64 over the golden ratio (Knuth, TAOCP 3, §6.4).
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let ladder = Ladder::default();

        let waits: Vec<u64> =
            (1..=8).map(|attempts| ladder.wait(Class::Transient, attempts, 0).as_secs()).collect();

        assert_eq!(waits, [30, 60, 120, 240, 480, 900, 900, 900]);
        assert_eq!(ladder.wait(Class::QueueFull, 1, 0).as_secs(), 180);
        assert_eq!(ladder.wait(Class::Transient, u8::MAX, 0), ladder.max);
    }

    #[test]
    fn what_failed_together_comes_back_spread_over_a_quarter_of_the_wait() {
        let ladder = Ladder::default();

        let waits: Vec<Duration> = (0..100).map(|salt| ladder.wait(Class::Transient, 1, salt)).collect();

        assert!(waits.iter().all(|wait| *wait <= ladder.first && *wait >= ladder.first * 3 / 4));
        assert!(waits.iter().any(|wait| *wait < ladder.first * 4 / 5));
    }
}
