//! How far apart sessions are told what there is for them.
//!
//! To tell a session something costs a wake-up, a write and the peer's read, whatever it is; with hundreds of busy sessions that is most
//! of what a message costs, while more of it comes for each of them within moments. So a round in which sessions were told is followed
//! by a rest that grows with their number: few sessions hear at once, many hear of more at a time.

use std::time::{Duration, Instant};

/// The rest after a round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest {
    /// For each session that was told something.
    each: Duration,
    over: Option<Instant>,
}

impl Rest {
    /// Rests of `each` for every session of a round, and [`REST_MAX`] at most.
    pub const fn new(each: Duration) -> Self {
        Self { each, over: None }
    }

    /// When the last round's rest is over, or was.
    pub const fn over(&self) -> Option<Instant> {
        self.over
    }

    /// Whether it isn't yet.
    pub fn is_on(&self, now: Instant) -> bool {
        self.over.is_some_and(|over| now < over)
    }

    /// So many sessions were told something.
    pub fn begin(&mut self, told: usize, now: Instant) {
        if told > 0 {
            let rest = self.each * u32::try_from(told).unwrap_or(u32::MAX);
            self.over = Some(now + rest.min(REST_MAX));
        }
    }
}

/// The longest rest.
const REST_MAX: Duration = Duration::from_millis(15);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rest_grows_with_the_sessions_that_were_told_something() {
        #[allow(clippy::disallowed_methods)] // a test needs some instant to start from
        let start = Instant::now();
        let at = |us| start + Duration::from_micros(us);
        let mut rest = Rest::new(Duration::from_micros(20));

        assert!(!rest.is_on(at(0)));
        rest.begin(0, at(0));
        assert!(!rest.is_on(at(0)));
        rest.begin(8, at(0));
        assert_eq!((rest.is_on(at(159)), rest.is_on(at(160)), rest.over()), (true, false, Some(at(160))));
        rest.begin(1000, at(1000));
        assert_eq!((rest.is_on(at(1001)), rest.over()), (true, Some(at(1000) + REST_MAX)));
    }
}
