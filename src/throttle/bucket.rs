//! A rate per second, as a bucket of tokens that fills with time.
//!
//! The level is counted in whole numbers, in units in which a nanosecond at any rate is one: nothing is rounded, so nothing
//! drifts.

use super::Wait;
use std::str::FromStr;
use std::time::{Duration, Instant};
use thiserror::Error;

/// Segments per second, in millionths: 0 to 1,000,000,000 a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate {
    micro: u64,
}

/// A text is no rate. The fault of whoever wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is no number from 0 to 1000000000 with at most six decimals")]
pub struct NoRate;

impl Rate {
    /// So many millionths a second.
    pub const fn from_micro(micro: u64) -> Self {
        Self { micro: if micro > RATE_MAX { RATE_MAX } else { micro } }
    }

    /// So many a second.
    pub const fn per_second(segments: u32) -> Self {
        Self::from_micro(segments as u64 * MICRO)
    }

    /// Millionths of a segment in a second.
    pub const fn micro(self) -> u64 {
        self.micro
    }

    /// Segments in a second.
    pub fn as_f64(self) -> f64 {
        self.micro as f64 / MICRO as f64
    }

    /// What may go at once at this rate if nobody says otherwise: what comes in a tenth of a second.
    pub const fn usual_burst(self) -> u32 {
        let tenth = self.micro / (10 * MICRO);
        if tenth < 1 { 1 } else { tenth as u32 }
    }
}

/// Reads a decimal: `0.5`, `20`, `1e6`.
impl FromStr for Rate {
    type Err = NoRate;

    fn from_str(text: &str) -> Result<Self, NoRate> {
        let text: String = text.chars().filter(|char| *char != '_').collect();
        let text = text.strip_prefix('+').unwrap_or(&text);
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i32>().map_err(|_| NoRate)?),
            None => (text, 0),
        };
        let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
        let digits = [whole, decimals].concat();
        if digits.is_empty() || digits.len() > 30 || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
            return Err(NoRate);
        }
        let value: u128 = digits.parse().map_err(|_| NoRate)?;
        // How far the point moves so that millionths are whole.
        let shift = exponent.checked_add(6).ok_or(NoRate)? - decimals.len() as i32;
        let power = 10u128.checked_pow(shift.unsigned_abs()).ok_or(NoRate)?;
        let micro = match shift >= 0 {
            true => value.checked_mul(power).ok_or(NoRate)?,
            false if value.is_multiple_of(power) => value / power,
            false => return Err(NoRate),
        };
        match u64::try_from(micro) {
            Ok(micro) if micro <= RATE_MAX => Ok(Self { micro }),
            Ok(_) | Err(_) => Err(NoRate),
        }
    }
}

/// A bucket of tokens: one segment each.
#[derive(Clone, Debug)]
pub struct Bucket {
    rate: Rate,
    burst: u32,
    /// In units of [`SEGMENT`]; less than nothing after one that was larger than the burst.
    level: i128,
    /// When the level was so; `None`: it is full, and nobody has looked yet.
    at: Option<Instant>,
}

impl Bucket {
    /// A full bucket of `burst` segments, one at least, that fills at `rate`. At rate 0 nothing ever goes.
    pub fn new(rate: Rate, burst: u32) -> Self {
        let burst = burst.max(1);
        Self { rate, burst, level: full(burst), at: None }
    }

    /// Its rate.
    pub const fn rate(&self) -> Rate {
        self.rate
    }

    /// Goes on at another rate, with what is in it.
    pub fn set(&mut self, rate: Rate, burst: u32, now: Instant) {
        self.fill(now);
        (self.rate, self.burst) = (rate, burst.max(1));
        self.level = self.level.min(full(self.burst));
    }

    /// Whether `segments` may go now. More than the burst may go when the bucket is full.
    ///
    /// # Errors
    /// For how long not.
    pub fn ready(&mut self, segments: u32, now: Instant) -> Result<(), Wait> {
        self.fill(now);
        if self.rate.micro == 0 {
            return Err(None);
        }
        let missing = full(segments.min(self.burst)) - self.level;
        if missing <= 0 {
            return Ok(());
        }
        let nanos = (missing as u128).div_ceil(u128::from(self.rate.micro));
        Err(Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))))
    }

    /// Takes `segments`, whether they may go or not.
    pub fn take(&mut self, segments: u32, now: Instant) {
        self.fill(now);
        self.level -= full(segments);
    }

    /// Whole segments that may go at once.
    pub fn left(&self) -> u32 {
        u32::try_from(self.level.max(0) / SEGMENT).unwrap_or(u32::MAX)
    }

    fn fill(&mut self, now: Instant) {
        let at = *self.at.get_or_insert(now);
        let passed = now.saturating_duration_since(at);
        if passed.is_zero() {
            return;
        }
        self.at = Some(now);
        let gained = passed.as_nanos().saturating_mul(u128::from(self.rate.micro));
        let gained = i128::try_from(gained).unwrap_or(i128::MAX / 2);
        self.level = self.level.saturating_add(gained).min(full(self.burst));
    }
}

const fn full(segments: u32) -> i128 {
    segments as i128 * SEGMENT
}

const MICRO: u64 = 1_000_000;
const RATE_MAX: u64 = 1_000_000_000 * MICRO;
/// Units of a bucket's level in a segment: nanoseconds times millionths a second.
const SEGMENT: i128 = 1_000_000_000 * MICRO as i128;

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods)] // a test needs some instant to start from
    fn start() -> Instant {
        Instant::now()
    }

    fn rate(text: &str) -> Rate {
        text.parse().expect("a rate")
    }

    #[test]
    fn rates_are_read_to_the_millionth() {
        let read = ["0", "0.5", "20", "1e6", "1.5e3", "0.000001", "1_000", "250e-3"].map(rate);

        let micro = read.map(Rate::micro);
        assert_eq!(micro, [0, 500_000, 20_000_000, MICRO * MICRO, 1_500_000_000, 1, 1_000 * MICRO, 250_000]);
        for text in ["", "x", "-1", "0.0000001", "1e10", "nan", "inf", ".", "1e999999999", "1.2.3"] {
            assert_eq!(text.parse::<Rate>(), Err(NoRate), "{text}");
        }
    }

    /// Sends as soon as it may for so long; gives how many went and when the last one did.
    fn drive(bucket: &mut Bucket, segments: u32, start: Instant, time: Duration) -> (u64, Duration) {
        let (mut now, mut gone, mut last) = (start, 0, Duration::ZERO);
        loop {
            match bucket.ready(segments, now) {
                Ok(()) => {
                    bucket.take(segments, now);
                    (gone, last) = (gone + u64::from(segments), now - start);
                }
                Err(None) => return (gone, last),
                Err(Some(wait)) if now + wait - start > time => return (gone, last),
                Err(Some(wait)) => {
                    assert!(bucket.ready(segments, now + wait - Duration::from_nanos(1)).is_err());
                    now += wait;
                }
            }
        }
    }

    /// Field bug R11: limits of 0, 0.5 and a million; a burst of two.
    #[test]
    fn nothing_a_half_and_a_million_are_exact() {
        let (begin, second) = (start(), Duration::from_secs(1));

        assert_eq!(drive(&mut Bucket::new(rate("0"), 2), 1, begin, 1000 * second).0, 0);
        assert_eq!(drive(&mut Bucket::new(rate("0.5"), 2), 1, begin, 100 * second), (52, 100 * second));
        let (gone, _) = drive(&mut Bucket::new(rate("1e6"), 2), 1, begin, second / 10);
        assert_eq!(gone, 100_002);
        // Three segments are more than the burst: they go when it is full, and what they are over is waited for.
        let (gone, last) = drive(&mut Bucket::new(rate("1"), 2), 3, begin, 300 * second);
        assert_eq!((gone, last), (303, 300 * second));
    }

    #[test]
    fn a_burst_of_two_is_two_and_no_false_throttle_follows() {
        let mut bucket = Bucket::new(Rate::per_second(400), 2);
        let begin = start();
        let step = Duration::from_micros(2_500);

        let both = [0, 1].map(|_| (bucket.ready(1, begin).is_ok(), bucket.take(1, begin)).0);

        assert_eq!(both, [true, true]);
        assert_eq!(bucket.ready(1, begin), Err(Some(step)));
        for turn in 1..10_000 {
            let now = begin + turn * step;
            assert_eq!(bucket.ready(1, now), Ok(()), "turn {turn}");
            bucket.take(1, now);
        }
    }

    /// Rates that no power of two divides, looked at at odd times, for three days.
    #[test]
    fn days_later_the_count_is_still_exact() {
        let mut bucket = Bucket::new(rate("0.333333"), 1);
        let begin = start();
        let (mut now, mut gone, mut salt) = (begin, 0u64, 1u64);

        while now - begin < Duration::from_secs(3 * 86_400) {
            if bucket.ready(1, now).is_ok() {
                bucket.take(1, now);
                gone += 1;
            }
            salt = salt.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            now += Duration::from_nanos(salt >> 34); // up to a second
            now = now.min(begin + Duration::from_secs(3 * 86_400));
        }
        let kept_full = bucket.left();

        // It may have stood full for less than the second between two looks each time; driven without gaps it is exact.
        let exact = drive(&mut Bucket::new(rate("0.333333"), 1), 1, begin, Duration::from_secs(3 * 86_400)).0;
        assert_eq!(exact, 1 + 259_200 * 333_333 / 1_000_000);
        assert!(gone <= exact && gone > exact * 3 / 4 && kept_full <= 1, "{gone} of {exact}");
    }

    #[test]
    fn a_clock_that_stands_still_or_goes_back_gives_nothing() {
        let mut bucket = Bucket::new(Rate::per_second(10), 1);
        let begin = start() + Duration::from_secs(10);

        bucket.take(1, begin);

        assert_eq!(bucket.ready(1, begin), Err(Some(Duration::from_millis(100))));
        assert_eq!(bucket.ready(1, begin - Duration::from_secs(5)), Err(Some(Duration::from_millis(100))));
        assert_eq!(bucket.ready(1, begin + Duration::from_millis(100)), Ok(()));
    }
}
