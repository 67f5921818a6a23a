//! How long to wait before the next attempt to connect: doubling, with full jitter above the shortest wait.
//!
//! Full jitter (a uniform draw up to the present ceiling) is what keeps a thousand links from coming back in step after an
//! outage; see "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. It never draws less than the shortest wait, so
//! that no link binds more often than that, however soon each time it is lost (reliability X20).

use std::time::Duration;

/// The waits of one link.
#[derive(Clone, Debug)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    failures: u32,
    random: fastrand::Rng,
}

impl Backoff {
    /// Waits between `min` and `max`; `seed` makes the draw repeatable.
    pub fn new(min: Duration, max: Duration, seed: u64) -> Self {
        Self { min, max: max.max(min), failures: 0, random: fastrand::Rng::with_seed(seed) }
    }

    /// The link worked: the next failure is the first one.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait after one more failure.
    ///
    /// A refused credential waits for the ceiling at least: trying again sooner only gets us locked out
    /// (fact sheet 10.2).
    pub fn next(&mut self, credentials_refused: bool) -> Duration {
        self.failures += 1;
        let ceiling = self.min.saturating_mul(1 << self.failures.min(20)).min(self.max);
        if credentials_refused {
            return self.max + self.max.mul_f64(self.random.f64() / 2.0);
        }
        self.min + ceiling.saturating_sub(self.min).mul_f64(self.random.f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: Duration = Duration::from_secs(1);
    const MAX: Duration = Duration::from_secs(60);

    #[test]
    fn waits_double_up_to_the_ceiling_and_differ_between_links() {
        let mut waits: Vec<Duration> = Vec::new();
        for seed in 0..200 {
            let mut backoff = Backoff::new(MIN, MAX, seed);
            for _ in 0..10 {
                waits.push(backoff.next(false));
            }
            assert!(waits.iter().all(|wait| *wait >= MIN && *wait <= MAX));
        }

        let late: Vec<_> = waits.chunks(10).map(|link| link[9]).collect();
        assert!(late.iter().any(|wait| *wait > MAX / 2) && late.iter().any(|wait| *wait < MAX / 4));
    }

    #[test]
    fn refused_credentials_wait_a_minute_at_least() {
        let mut backoff = Backoff::new(MIN, MAX, 1);

        assert!(backoff.next(true) >= MAX);
    }

    #[test]
    fn a_link_that_worked_begins_anew() {
        let mut backoff = Backoff::new(MIN, MAX, 1);
        for _ in 0..10 {
            backoff.next(false);
        }

        backoff.reset();

        assert!(backoff.next(false) <= 2 * MIN);
    }
}
