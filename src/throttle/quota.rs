//! So much in a minute or a day of the calendar.
//!
//! A window begins and ends with its minute or day by the wall clock, in a fixed offset from UTC, as long as that clock agrees with the
//! monotonic one. If it was set, the window that is open lasts as long as it would have: so a clock that is set forwards gives no second
//! day's worth, and one that is set back locks nobody for longer than a day. The next window is the one that begins nearest by the new
//! time, so that it lasts half of its usual time at least.

use super::Wait;
use crate::clock::{Now, UnixMs};
use std::time::{Duration, Instant};

/// How long a window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    Minute,
    Day,
}

impl Span {
    const fn ms(self) -> i64 {
        match self {
            Self::Minute => 60_000,
            Self::Day => 86_400_000,
        }
    }

    /// By how much the wall clock may be off the monotonic one within a window before it counts as set.
    const fn tolerance_ms(self) -> i64 {
        self.ms() / 20
    }
}

/// A limit per minute or per day.
#[derive(Clone, Debug)]
pub struct Quota {
    span: Span,
    max: u64,
    offset_ms: i64,
    used: u64,
    open: Option<Open>,
    /// What was used before a restart, and in which window.
    before: Option<(i64, u64)>,
}

/// The window that is open.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// Windows since 1970.
    number: i64,
    /// When it was opened.
    at: Instant,
    wall: UnixMs,
}

impl Quota {
    /// At most `max` segments in each minute or day; days begin `offset_min` minutes before those of UTC.
    pub fn new(span: Span, max: u64, offset_min: i32) -> Self {
        let offset_ms = i64::from(offset_min) * 60_000;
        Self { span, max, offset_ms, used: 0, open: None, before: None }
    }

    /// The number of the window that a time is in.
    pub fn number(&self, wall: UnixMs) -> i64 {
        self.local(wall).div_euclid(self.span.ms())
    }

    /// Goes on with what was used in window `number` before a restart: before the first look.
    pub fn resume(&mut self, number: i64, used: u64) {
        self.before = Some((number, used));
    }

    /// Counts what went at `wall`, before a restart and before the first look; times in the order in which it went.
    pub fn recount(&mut self, segments: u32, wall: UnixMs) {
        let number = self.number(wall);
        let (window, used) = self.before.filter(|(window, _)| *window >= number).unwrap_or((number, 0));
        self.before = Some((window, used.saturating_add(segments.into())));
    }

    /// The window that is open and what it has counted; nothing before the first look.
    pub fn state(&self) -> Option<(i64, u64)> {
        self.open.map(|open| (open.number, self.used)).or(self.before)
    }

    /// Whether `segments` may go now. More than the limit may go in a window of their own.
    ///
    /// # Errors
    /// For how long not.
    pub fn ready(&mut self, segments: u32, now: Now) -> Result<(), Wait> {
        self.look(now);
        let fits = self.used.saturating_add(segments.into()) <= self.max;
        if fits || (self.used == 0 && self.max > 0) {
            return Ok(());
        }
        Err((self.max > 0).then(|| self.resets_in(now)))
    }

    /// Takes `segments`, whether they may go or not.
    pub fn take(&mut self, segments: u32, now: Now) {
        self.look(now);
        self.used = self.used.saturating_add(segments.into());
    }

    /// Gives back what the window that is open has counted, if it has been open for so long: longer than any answer takes.
    pub fn give_back(&mut self, segments: u32, patience: Duration, now: Now) {
        self.look(now);
        if self.lived_ms(now) > patience.as_millis() as i64 {
            self.used = self.used.saturating_sub(segments.into());
        }
    }

    /// The limit.
    pub const fn max(&self) -> u64 {
        self.max
    }

    /// Segments that are left in this window.
    pub const fn left(&self) -> u64 {
        self.max.saturating_sub(self.used)
    }

    /// Segments that went in this window.
    pub const fn used(&self) -> u64 {
        self.used
    }

    /// How long the window that is open lasts from now on.
    pub fn resets_in(&self, now: Now) -> Duration {
        let Some(open) = self.open else { return Duration::ZERO };
        let left_ms = match self.is_set(open, now) {
            true => self.span.ms() - self.lived_ms(now),
            false => (open.number + 1) * self.span.ms() - self.local(now.wall),
        };
        Duration::from_millis(left_ms.max(1) as u64)
    }

    /// Opens the window that it is time for.
    pub fn look(&mut self, now: Now) {
        let number = self.number(now.wall);
        let Some(open) = self.open else {
            // A clock that is behind the one before the restart opens no window again.
            let before = self.before.take();
            self.used = before.filter(|(before, _)| *before >= number).map_or(0, |(_, used)| used);
            self.open = Some(Open { number, at: now.mono, wall: now.wall });
            return;
        };
        let next = match self.is_set(open, now) {
            false if number > open.number => number,
            true if self.lived_ms(now) >= self.span.ms() => {
                (self.local(now.wall) + self.span.ms() / 2).div_euclid(self.span.ms())
            }
            false | true => return,
        };
        self.used = 0;
        self.open = Some(Open { number: next, at: now.mono, wall: now.wall });
    }

    /// Whether the wall clock was set since the window was opened.
    fn is_set(&self, open: Open, now: Now) -> bool {
        let passed = now.mono.saturating_duration_since(open.at).as_millis() as i64;
        let off = signed(now.wall) - (signed(open.wall) + passed);
        off.abs() > self.span.tolerance_ms()
    }

    /// How old the window is by the monotonic clock; one that was opened ahead of its time is younger than nothing.
    fn lived_ms(&self, now: Now) -> i64 {
        let Some(open) = self.open else { return 0 };
        let passed = now.mono.saturating_duration_since(open.at).as_millis() as i64;
        self.local(open.wall) - open.number * self.span.ms() + passed
    }

    fn local(&self, wall: UnixMs) -> i64 {
        signed(wall) + self.offset_ms
    }
}

fn signed(wall: UnixMs) -> i64 {
    i64::try_from(wall.0).unwrap_or(i64::MAX / 2).min(i64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const MINUTE: Duration = Duration::from_secs(60);
    const SECOND: Duration = Duration::from_secs(1);

    /// 2026-03-15T10:00:00Z
    #[allow(clippy::disallowed_methods)] // a test needs some instant to start from
    fn start() -> Now {
        Now { mono: Instant::now(), wall: UnixMs(1_773_568_800_000) }
    }

    /// The same instant with the wall clock set by so many hours.
    fn set(now: Now, hours: i64) -> Now {
        Now { wall: UnixMs(now.wall.0.saturating_add_signed(hours * 3_600_000)), ..now }
    }

    /// Takes whatever may go, one segment at a time.
    fn drain(quota: &mut Quota, now: Now) -> u64 {
        let mut gone = 0;
        while quota.ready(1, now).is_ok() {
            quota.take(1, now);
            gone += 1;
        }
        gone
    }

    #[test]
    fn minutes_and_days_begin_with_the_clock() {
        let now = start().after(7 * SECOND);
        let mut minute = Quota::new(Span::Minute, 400, 0);
        let mut day = Quota::new(Span::Day, 2_500, 120);

        assert_eq!((drain(&mut minute, now), drain(&mut day, now)), (400, 2_500));

        assert_eq!(minute.ready(1, now), Err(Some(53 * SECOND)));
        assert_eq!(day.ready(1, now), Err(Some(12 * HOUR - 7 * SECOND))); // it is 12:00:07 there
        let before = now.after(53 * SECOND - Duration::from_millis(1));
        assert!(minute.ready(1, before).is_err());
        assert_eq!(drain(&mut minute, now.after(53 * SECOND)), 400);
        assert_eq!(drain(&mut day, now.after(12 * HOUR - 8 * SECOND)), 0);
        assert_eq!(drain(&mut day, now.after(12 * HOUR - 7 * SECOND)), 2_500);
        // Nobody looked for days: the window is that of now, not one of then.
        let later = now.after(78 * HOUR);
        assert_eq!(drain(&mut day, later), 2_500);
        assert_eq!(day.resets_in(later), 6 * HOUR - 7 * SECOND);
    }

    #[test]
    fn segments_count_and_what_is_more_than_the_limit_goes_alone() {
        let now = start();
        let mut quota = Quota::new(Span::Minute, 10, 0);

        quota.take(8, now);

        assert_eq!(quota.ready(3, now), Err(Some(MINUTE)));
        assert_eq!((quota.ready(2, now), quota.left()), (Ok(()), 2));
        assert_eq!(quota.ready(12, now.after(MINUTE)), Ok(()));
        quota.take(12, now.after(MINUTE));
        assert_eq!((quota.ready(1, now.after(MINUTE)).is_err(), quota.left()), (true, 0));
        assert_eq!(Quota::new(Span::Day, 0, 0).ready(1, now), Err(None));
    }

    #[test]
    fn clock_that_is_set_forwards_gives_no_second_days_worth() {
        for hours in [2, 6, 14, 24, 240] {
            let mut quota = Quota::new(Span::Day, 100, 0);
            let now = start();
            assert_eq!(drain(&mut quota, now), 100);

            let gone: u64 = (1..14).map(|hour| drain(&mut quota, set(now.after(hour * HOUR), hours))).sum();

            assert_eq!(gone, 0, "set by {hours} hours");
            // By then the day is over by any count, and what follows is one day's worth.
            assert_eq!(drain(&mut quota, set(now.after(14 * HOUR), hours)), 100, "set by {hours} hours");
            let half: u64 = (14..26).map(|hour| drain(&mut quota, set(now.after(hour * HOUR), hours))).sum();
            assert_eq!(half, 0, "set by {hours} hours");
        }
    }

    #[test]
    fn clock_that_is_set_back_locks_for_no_day_more() {
        for hours in [-2, -6, -9, -20, -24, -240] {
            let mut quota = Quota::new(Span::Day, 100, 0);
            let now = start();
            assert_eq!(drain(&mut quota, now), 100);

            let by_hour: Vec<u64> =
                (1..=60).map(|hour| drain(&mut quota, set(now.after(hour * HOUR), hours))).collect();

            assert_eq!(by_hour[13], 100, "the day is over at 24:00 as it was: set by {hours} hours");
            assert_eq!(by_hour[..13].iter().sum::<u64>(), 0, "set by {hours} hours");
            let gaps: Vec<usize> =
                by_hour.iter().enumerate().filter(|(_, gone)| **gone > 0).map(|(hour, _)| hour).collect();
            let apart = gaps.windows(2).all(|pair| (12..=36).contains(&(pair[1] - pair[0])));
            assert!(apart && gaps.len() >= 2, "set by {hours} hours: {gaps:?}");
        }
    }

    #[test]
    fn step_that_is_taken_back_changes_nothing() {
        let mut quota = Quota::new(Span::Day, 100, 0);
        let now = start();
        quota.take(60, now);

        let ahead = drain(&mut quota, set(now.after(HOUR), 24));
        let after = drain(&mut quota, now.after(2 * HOUR));

        assert_eq!((ahead, after), (40, 0));
        assert_eq!(quota.ready(1, now.after(2 * HOUR)), Err(Some(12 * HOUR)));
        assert_eq!(drain(&mut quota, now.after(14 * HOUR)), 100);
    }

    #[test]
    fn clock_that_jitters_about_midnight_opens_one_day() {
        let mut quota = Quota::new(Span::Day, 100, 0);
        let now = start();
        drain(&mut quota, now);
        let midnight = now.after(14 * HOUR);

        let mut gone = drain(&mut quota, midnight);
        for second in 1..100 {
            let back = Now { wall: UnixMs(midnight.wall.0 - 2_000), ..midnight.after(second * SECOND) };
            gone += drain(&mut quota, back) + drain(&mut quota, midnight.after(second * SECOND));
        }

        assert_eq!(gone, 100);
    }

    #[test]
    fn minute_window_of_a_clock_that_steps_by_half_a_minute_lasts_its_time() {
        for step_ms in [-30_000i64, -10_000, 10_000, 30_000, 300_000] {
            let mut quota = Quota::new(Span::Minute, 10, 0);
            let now = start();
            assert_eq!(drain(&mut quota, now), 10);

            let stepped = |seconds: u32| {
                let now = now.after(seconds * SECOND);
                Now { wall: UnixMs(now.wall.0.saturating_add_signed(step_ms)), ..now }
            };
            let gone: u64 = (1..60).map(|second| drain(&mut quota, stepped(second))).sum();

            assert_eq!((gone, drain(&mut quota, stepped(60))), (0, 10), "{step_ms}");
        }
    }

    #[test]
    fn restart_goes_on_in_the_same_window_whatever_the_clock_says_then() {
        let now = start();
        let resumed = |at: Now| {
            let mut quota = Quota::new(Span::Day, 100, 0);
            quota.resume(quota.number(now.wall), 70);
            drain(&mut quota, at)
        };

        assert_eq!(resumed(now.after(HOUR)), 30);
        assert_eq!(resumed(now.after(14 * HOUR)), 100); // the next day
        assert_eq!(resumed(set(now, -48)), 30); // the clock lost its time
    }

    #[test]
    fn what_was_refused_is_given_back_to_the_window_that_counted_it_alone() {
        let now = start();
        let mut quota = Quota::new(Span::Day, 100, 0);
        drain(&mut quota, now);

        quota.give_back(1, HOUR, now.after(HOUR));
        assert_eq!(quota.left(), 1);

        // It may have been counted yesterday.
        let midnight = now.after(14 * HOUR);
        quota.take(5, midnight);
        quota.give_back(1, HOUR, midnight.after(HOUR - SECOND));
        assert_eq!(quota.left(), 95);
    }
}
