//! How far apart sessions are told what there is for them.
//!
//! To tell a session something costs a wake-up, a write and the peer's read, whatever it is; with hundreds of busy sessions that is most
//! of what a message costs, while more of it comes for each of them within moments. So a round in which sessions were told is followed
//! by a rest that grows with their number and with how busy the hub is: few sessions hear at once, and so do all while the hub has time;
//! many hear of more at a time while it has none.

use std::time::{Duration, Instant};

/// The rest after a round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest {
    /// For each session that was told something, while the hub works for as long as it waits.
    each: Duration,
    over: Option<Instant>,
}

impl Rest {
    /// Rests of `each` for every session of a round of a hub that works for as long as it waits, and [`REST_MAX`] at most.
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

    /// So many sessions were told something by a hub of this [`Effort::ratio`].
    pub fn begin(&mut self, told: usize, effort: f64, now: Instant) {
        if told > 0 {
            let rest = self.each.as_secs_f64() * told as f64 * effort;
            self.over = Some(now + Duration::from_secs_f64(rest.min(REST_MAX.as_secs_f64())));
        }
    }
}

/// How busy a thread is, of late.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// The share of its time that it worked.
    share: f64,
    /// When it went to work last.
    woke: Instant,
}

impl Effort {
    pub const fn new(now: Instant) -> Self {
        Self { share: 0.0, woke: now }
    }

    /// It worked until `slept`, and then waited until `woke`.
    pub fn note(&mut self, slept: Instant, woke: Instant) {
        let worked = slept.saturating_duration_since(self.woke).as_secs_f64();
        let all = woke.saturating_duration_since(self.woke).as_secs_f64();
        if all > 0.0 {
            self.share += all / (all + LATELY.as_secs_f64()) * (worked / all - self.share);
        }
        self.woke = woke;
    }

    /// The share of its time that it worked, 0 to 1.
    pub const fn share(&self) -> f64 {
        self.share
    }

    /// For how much longer it works than it waits: 1 if for as long, [`RATIO_MAX`] at most.
    pub fn ratio(&self) -> f64 {
        (self.share / (1.0 - self.share).max(f64::EPSILON)).min(RATIO_MAX)
    }
}

/// What is longer ago says little of how busy it is.
const LATELY: Duration = Duration::from_millis(20);

/// Works all the time, as good as.
const RATIO_MAX: f64 = 8.0;

/// The longest rest.
const REST_MAX: Duration = Duration::from_millis(5);

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
        rest.begin(0, 1.0, at(0));
        assert!(!rest.is_on(at(0)));
        rest.begin(8, 1.0, at(0));
        assert_eq!((rest.is_on(at(159)), rest.is_on(at(160)), rest.over()), (true, false, Some(at(160))));
        rest.begin(8, 0.25, at(0));
        assert_eq!(rest.over(), Some(at(40)));
        rest.begin(8, 0.0, at(0));
        assert!(!rest.is_on(at(0)));
        rest.begin(1000, 1.0, at(1000));
        assert_eq!((rest.is_on(at(1001)), rest.over()), (true, Some(at(1000) + REST_MAX)));
    }

    #[test]
    fn effort_is_what_was_done_of_late() {
        #[allow(clippy::disallowed_methods)] // a test needs some instant to start from
        let start = Instant::now();
        let at = |us| start + Duration::from_micros(us);
        let mut effort = Effort::new(start);
        let mut now = 0;
        let mut note = |worked: u64, waited: u64| {
            effort.note(at(now + worked), at(now + worked + waited));
            now += worked + waited;
            effort.ratio()
        };

        assert_eq!(note(0, 0), 0.0);
        let ratio = (0..1000).map(|_| note(300, 100)).last();
        assert!(ratio.is_some_and(|ratio| (2.9..3.1).contains(&ratio)), "{ratio:?}");
        let ratio = (0..1000).map(|_| note(50, 200)).last();
        assert!(ratio.is_some_and(|ratio| (0.24..0.26).contains(&ratio)), "{ratio:?}");
        assert!(note(100, 1_000_000) < 0.01, "it has waited for long");
        let ratio = (0..1000).map(|_| note(1000, 0)).last();
        assert_eq!(ratio, Some(RATIO_MAX));
    }
}
