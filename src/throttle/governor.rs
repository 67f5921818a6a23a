//! A rate that follows a peer: halved when it throttles, and opened slowly.
//!
//! ```text
//!  as configured, or none ──throttled──► half of it, or of what it took lately ──a sixteenth a second──► as configured, or none
//! ```
//!
//! It is halved once in [`ONCE`] at most, and an eighth of what is configured always goes: a peer that throttles now and then, however
//! slowly it is sent to, is not starved. Without a configured rate the limit is gone once it is twice what the peer took when it first
//! throttled.

use super::{Bucket, Limits, Rate, Wait};
use std::time::{Duration, Instant};

/// The rate at which a peer is sent to.
#[derive(Clone, Debug)]
pub struct Governor {
    /// As configured.
    limit: Option<(Rate, u32)>,
    bucket: Option<Bucket>,
    found: Option<Found>,
    /// Segments by second: the one that began then, and the one before.
    meter: (Option<Instant>, u64, u64),
}

/// What the peer seems to take.
#[derive(Clone, Copy, Debug)]
struct Found {
    rate: Rate,
    /// Beyond it, it is not found but free.
    until: Rate,
    opened: Instant,
    halved: Instant,
}

impl Governor {
    /// At the rate that `limits` say.
    pub fn new(limits: &Limits) -> Self {
        let limit = limits.rate.map(|rate| (rate, limits.burst.unwrap_or(rate.usual_burst())));
        Self { limit, bucket: limits.bucket(), found: None, meter: (None, 0, 0) }
    }

    /// Whether `segments` may go now.
    ///
    /// # Errors
    /// For how long not.
    pub fn ready(&mut self, segments: u32, now: Instant) -> Result<(), Wait> {
        self.open(now);
        self.bucket.as_mut().map_or(Ok(()), |bucket| bucket.ready(segments, now))
    }

    /// Takes `segments`, whether they may go or not.
    pub fn take(&mut self, segments: u32, now: Instant) {
        if let Some(bucket) = &mut self.bucket {
            bucket.take(segments, now);
        }
        self.measure(now);
        self.meter.1 += u64::from(segments);
    }

    /// The peer asked for less: once each time, however many it refused at once.
    pub fn throttle(&mut self, now: Instant) {
        self.open(now);
        self.measure(now);
        if self.found.is_some_and(|found| now.saturating_duration_since(found.halved) < ONCE) {
            return;
        }
        let taken = Rate::from_micro(self.meter.1.max(self.meter.2).max(1) * 1_000_000);
        let configured = self.limit.map(|(rate, _)| rate);
        let before = self.found.map(|found| found.rate).or(configured).map_or(taken, |rate| rate.min(taken));
        let until = configured.or(self.found.map(|found| found.until));
        let until = until.unwrap_or(Rate::from_micro(taken.micro() * 2));
        let rate = Rate::from_micro(before.micro() / 2).max(self.floor());
        self.found = Some(Found { rate, until: until.max(rate), opened: now, halved: now });
        self.set(rate, now);
    }

    /// The rate that holds now; `None`: any.
    pub fn rate(&self) -> Option<Rate> {
        self.bucket.as_ref().map(Bucket::rate)
    }

    /// Whether the rate is lower than configured, since the peer throttled.
    pub const fn is_throttled(&self) -> bool {
        self.found.is_some()
    }

    /// Segments that went in the last full second.
    pub fn used(&mut self, now: Instant) -> u64 {
        self.measure(now);
        self.meter.2
    }

    /// Segments that went since the meter was last looked at, for a second at most.
    pub const fn counted(&self) -> u64 {
        self.meter.1
    }

    fn measure(&mut self, now: Instant) {
        let (begun, this, _) = self.meter;
        let Some(begun) = begun else {
            self.meter.0 = Some(now);
            return;
        };
        let passed = now.saturating_duration_since(begun).as_secs();
        if passed > 0 {
            let last = if passed == 1 { this } else { 0 };
            self.meter = (Some(begun + Duration::from_secs(passed)), 0, last);
        }
    }

    /// Opens by what the whole seconds since the last time allow.
    fn open(&mut self, now: Instant) {
        let Some(mut found) = self.found else { return };
        let seconds = now.saturating_duration_since(found.opened).as_secs();
        if seconds == 0 {
            return;
        }
        found.opened += Duration::from_secs(seconds);
        for _ in 0..seconds.min(OPEN_MAX_S) {
            let step = (found.rate.micro() / STEP).max(self.floor().micro() / 8);
            found.rate = Rate::from_micro(found.rate.micro() + step);
        }
        if found.rate < found.until {
            self.found = Some(found);
            return self.set(found.rate, now);
        }
        self.found = None;
        match self.limit {
            Some((rate, burst)) => {
                if let Some(bucket) = &mut self.bucket {
                    bucket.set(rate, burst, now);
                }
            }
            None => self.bucket = None,
        }
    }

    /// No found rate is lower.
    fn floor(&self) -> Rate {
        self.limit.map_or(FLOOR, |(rate, _)| Rate::from_micro(rate.micro() / 8))
    }

    fn set(&mut self, rate: Rate, now: Instant) {
        // What nobody set is found to the second, as most count it.
        let burst = self
            .limit
            .map_or(rate.micro().div_ceil(1_000_000) as u32, |(_, burst)| burst.min(rate.usual_burst()));
        match &mut self.bucket {
            Some(bucket) => bucket.set(rate, burst, now),
            None => self.bucket = Some(Bucket::new(rate, burst)),
        }
    }
}

/// Where no rate is configured, no found one is lower.
const FLOOR: Rate = Rate::per_second(10);
/// Throttles so close together are one.
const ONCE: Duration = Duration::from_secs(5);
/// The share of the rate by which it opens each second.
const STEP: u64 = 16;
/// Seconds of opening that are counted at once: more than any rate needs.
const OPEN_MAX_S: u64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods)] // a test needs some instant to start from
    fn start() -> Instant {
        Instant::now()
    }

    fn limits(rate: Option<u32>) -> Limits {
        Limits { rate: rate.map(Rate::per_second), ..Limits::default() }
    }

    fn per_second(governor: &Governor) -> Option<f64> {
        governor.rate().map(Rate::as_f64)
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn throttled_rate_halves_opens_slowly_and_ends_where_it_was_set() {
        let mut governor = Governor::new(&limits(Some(100)));
        let mut now = start();
        for _ in 0..100 {
            governor.take(1, now);
        }

        governor.throttle(now);
        assert_eq!(per_second(&governor), Some(50.0));
        governor.throttle(now + 4 * SECOND);
        let opened = per_second(&governor).expect("it has a limit");
        assert!((60.0..65.0).contains(&opened), "{opened}: not halved again so soon");

        let mut before = opened;
        now += 4 * SECOND;
        for _ in 0..20 {
            now += SECOND;
            let _ = governor.ready(1, now);
            let rate = per_second(&governor).expect("it has a limit");
            assert!(rate <= before * 1.0626 + 1.6 && rate >= before, "{before} {rate}");
            before = rate;
        }
        assert_eq!((before, governor.is_throttled()), (100.0, false));
    }

    #[test]
    fn rate_that_nobody_set_is_found_and_let_go_again() {
        let mut governor = Governor::new(&limits(None));
        let mut now = start();
        for _ in 0..4 {
            governor.take(100, now);
            now += SECOND / 4;
        }

        governor.throttle(now);

        assert_eq!(per_second(&governor), Some(200.0)); // half of what it took
        let mut seconds = 0;
        while governor.rate().is_some() {
            now += SECOND;
            let _ = governor.ready(1, now);
            seconds += 1;
        }
        assert!((20..30).contains(&seconds), "{seconds}"); // to four times that
    }

    #[test]
    fn rate_never_falls_below_ten_a_second_or_an_eighth_of_what_was_set() {
        let mut now = start();
        let mut free = Governor::new(&limits(None));
        let mut slow = Governor::new(&Limits { rate: "0.5".parse().ok(), ..Limits::default() });

        for governor in [&mut free, &mut slow] {
            for _ in 0..50 {
                now += ONCE;
                governor.throttle(now);
            }
        }

        assert_eq!((per_second(&free), per_second(&slow)), (Some(10.0), Some(0.0625)));
    }

    #[test]
    fn what_went_is_told_by_the_last_full_second() {
        let mut governor = Governor::new(&limits(None));
        let now = start();
        governor.take(7, now);

        assert_eq!(governor.used(now), 0);
        assert_eq!(governor.used(now + SECOND), 7);
        assert_eq!(governor.used(now + 3 * SECOND), 0);
    }
}
