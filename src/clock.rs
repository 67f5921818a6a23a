//! Time as a value: read once per batch by whoever owns a clock, then passed in.
//!
//! [`Now::mono`] drives sessions, windows and rates; [`Now::wall`] drives schedules and validity.
//! Nothing below `runtime/` reads a clock, so a test moves both by hand and 48 hours cost nothing.
//!
//! Whoever acts on dates looks at them through a [`Watch`]: a wall clock that was set is believed only after a while.
//!
//! ```text
//!             step            hold over, or back
//!  Believed ──────► Stepped ────────────────────► Believed
//!  Started (the log does not vouch for the clock) ──hold over──► Believed
//! ```

use std::time::{Duration, Instant};

/// One reading of both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Never steps; for everything that is a distance in time.
    pub mono: Instant,
    /// May step; for everything that is a date.
    pub wall: UnixMs,
}

impl Now {
    /// The reading `by` later on both clocks.
    pub fn after(self, by: Duration) -> Self {
        Self { mono: self.mono + by, wall: self.wall.after(by) }
    }
}

/// Wall time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMs(pub u64);

impl UnixMs {
    /// The instant `by` later; stays at the end of time rather than wrap.
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by.as_millis() as u64))
    }

    /// How long from `earlier` until this instant; zero if it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// How sudden a change of the wall clock is a step, and how long a step is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caution {
    /// A wall clock that moves against the monotonic one by more than this, at once, has been set.
    pub step: Duration,
    /// How long the time before a step goes on; and how long nothing expires after a start at a doubtful time.
    pub hold: Duration,
}

impl Default for Caution {
    fn default() -> Self {
        Self { step: Duration::from_secs(300), hold: Duration::from_secs(900) }
    }
}

/// A wall clock that nobody can set by hours unnoticed.
///
/// While a step is not believed the time before it goes on, by the monotonic clock. If the clock comes back meanwhile nothing
/// has happened; if it stays where it was put, it is believed once [`Caution::hold`] is over. Smaller changes are taken as they come.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    caution: Caution,
    /// The last reading that was believed as it came: the time that goes on meanwhile is counted from there, since readings are
    /// closer to each other than its unit.
    anchor: Now,
    /// The last reading as believed, and its wall time as read.
    believed: Now,
    read: UnixMs,
    trust: Trust,
    /// By how much the clock is off what is known, in milliseconds; zero while nobody doubts it.
    off_ms: i64,
}

/// How far the wall clock is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    Believed,
    /// It was set then: the time before goes on.
    Stepped {
        since: Instant,
    },
    /// We began at a time that the log does not vouch for: it is believed, but nothing ends by it until then.
    Started {
        until: Instant,
    },
}

/// What has happened to the wall clock; milliseconds are against the time that is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was set by so much, and is not believed.
    Stepped(i64),
    /// It is where it was before the step.
    Returned,
    /// It stayed where it was put, so much away, and is believed.
    Accepted(i64),
    /// It was set by so much soon after the start, and is believed at once.
    Corrected(i64),
    /// At the start it is so much behind what the log knows.
    Behind(i64),
}

impl Watch {
    /// Begins at `now`, which is believed. `newest` is the latest time that is known from before: if that is further away
    /// than a step, [`Watch::expiry_wait`] says for how long nothing should expire.
    pub fn start(caution: Caution, newest: Option<UnixMs>, now: Now) -> (Self, Option<Change>) {
        let off_ms = newest.map_or(0, |newest| difference(now.wall, newest));
        let is_far = off_ms.unsigned_abs() > caution.step.as_millis() as u64;
        let trust = match is_far {
            true => Trust::Started { until: now.mono + caution.hold },
            false => Trust::Believed,
        };
        // Time that has passed since is what one expects; time that has not come yet is what nobody should have known.
        let is_behind = is_far && off_ms < 0;
        let off_ms = if is_behind { off_ms } else { 0 };
        let watch = Self { caution, anchor: now, believed: now, read: now.wall, trust, off_ms };
        (watch, is_behind.then_some(Change::Behind(off_ms)))
    }

    /// What time it is, given what the clocks say, and what has happened since the last reading.
    pub fn read(&mut self, now: Now) -> (Now, Option<Change>) {
        let passed = now.mono.saturating_duration_since(self.believed.mono);
        let expected = self.anchor.wall.after(now.mono.saturating_duration_since(self.anchor.mono));
        let off = difference(now.wall, expected);
        let is_step = |by: i64| by.unsigned_abs() > self.caution.step.as_millis() as u64;
        let has_moved = is_step(difference(now.wall, self.read.after(passed)));
        let (trust, wall, change) = match self.trust {
            Trust::Started { until } if now.mono < until => {
                (self.trust, now.wall, has_moved.then_some(Change::Corrected(off)))
            }
            Trust::Believed | Trust::Started { .. } if is_step(off) => {
                (Trust::Stepped { since: now.mono }, expected, Some(Change::Stepped(off)))
            }
            Trust::Believed | Trust::Started { .. } => (Trust::Believed, now.wall, None),
            Trust::Stepped { .. } if !is_step(off) => (Trust::Believed, now.wall, Some(Change::Returned)),
            // Set once more: nobody knows yet whether it stays there.
            Trust::Stepped { .. } if has_moved => {
                (Trust::Stepped { since: now.mono }, expected, Some(Change::Stepped(off)))
            }
            Trust::Stepped { since } if now.mono.saturating_duration_since(since) >= self.caution.hold => {
                (Trust::Believed, now.wall, Some(Change::Accepted(off)))
            }
            Trust::Stepped { .. } => (self.trust, expected, None),
        };
        self.off_ms = match trust {
            Trust::Believed => 0,
            Trust::Stepped { .. } => off,
            Trust::Started { .. } if has_moved => 0,
            Trust::Started { .. } => self.off_ms,
        };
        (self.trust, self.read) = (trust, now.wall);
        self.believed = Now { mono: now.mono, wall };
        if !matches!(trust, Trust::Stepped { .. }) {
            self.anchor = self.believed;
        }
        (self.believed, change)
    }

    /// By how many seconds the clock is off what is known of the time; zero while nobody doubts it.
    pub const fn off_s(&self) -> i64 {
        self.off_ms / 1000
    }

    /// For how long after the last reading nothing should expire, because the clock may be wrong; `None` if it is believed.
    pub fn expiry_wait(&self) -> Option<Duration> {
        match self.trust {
            Trust::Started { until } => Some(until.saturating_duration_since(self.believed.mono)),
            Trust::Believed | Trust::Stepped { .. } => None,
        }
    }

    /// When the next reading changes something by itself.
    pub fn next_timeout(&self) -> Option<Instant> {
        match self.trust {
            Trust::Believed => None,
            Trust::Stepped { since } => Some(since + self.caution.hold),
            Trust::Started { until } => Some(until),
        }
    }
}

/// Milliseconds from `before` to `after`; negative if it is the other way round.
fn difference(after: UnixMs, before: UnixMs) -> i64 {
    let size = i64::try_from(after.0.abs_diff(before.0)).unwrap_or(i64::MAX);
    if after < before { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const MINUTE: Duration = Duration::from_secs(60);

    fn start() -> Now {
        #[allow(clippy::disallowed_methods)] // a test needs some instant to start from
        Now { mono: Instant::now(), wall: UnixMs(1_773_568_800_000) }
    }

    fn watch() -> (Watch, Now) {
        let now = start();
        (Watch::start(Caution::default(), None, now).0, now)
    }

    /// The reading after `by`, of a clock that has been set by `off_ms` since the start.
    fn off(now: Now, by: Duration, off_ms: i64) -> Now {
        let later = now.after(by);
        Now { wall: UnixMs(later.wall.0.saturating_add_signed(off_ms)), ..later }
    }

    const STEPS_MS: [i64; 4] = [3_600_000, -3_600_000, 315_360_000_000, -315_360_000_000];

    #[test]
    fn small_changes_are_taken_as_they_come() {
        let (mut watch, now) = watch();
        for (turn, by) in [30_000, -30_000, 270_000, 0, 7].into_iter().enumerate() {
            let reading = off(now, MINUTE * turn as u32, by);

            assert_eq!(watch.read(reading), (reading, None));
        }
    }

    #[test]
    fn step_is_held_and_then_accepted() {
        for by in STEPS_MS {
            let (mut watch, now) = watch();

            let (believed, change) = watch.read(off(now, MINUTE, by));
            assert_eq!((believed, change), (now.after(MINUTE), Some(Change::Stepped(by))));
            assert_eq!(watch.off_s(), by / 1000);
            assert_eq!(watch.next_timeout(), Some(now.mono + 16 * MINUTE));
            assert_eq!(watch.read(off(now, 15 * MINUTE, by)), (now.after(15 * MINUTE), None));

            let reading = off(now, 16 * MINUTE, by);
            assert_eq!(watch.read(reading), (reading, Some(Change::Accepted(by))));
            assert_eq!((watch.off_s(), watch.next_timeout()), (0, None));
            let reading = off(now, 17 * MINUTE, by);
            assert_eq!(watch.read(reading), (reading, None));
        }
    }

    /// A busy hub reads its clock more often than a wall clock can tell.
    #[test]
    fn held_time_passes_however_often_it_is_read() {
        let (mut watch, now) = watch();
        watch.read(off(now, MINUTE, 3_600_000));
        let turn = Duration::from_micros(300);

        let mut passed = Duration::ZERO;
        while passed < Duration::from_secs(3) {
            passed += turn;
            watch.read(off(now, MINUTE + passed, 3_600_000));
        }

        let (believed, _) = watch.read(off(now, MINUTE + passed, 3_600_000));
        assert_eq!(believed.wall, now.wall.after(MINUTE + passed));
    }

    #[test]
    fn clock_that_comes_back_has_changed_nothing() {
        for by in STEPS_MS {
            let (mut watch, now) = watch();
            watch.read(off(now, MINUTE, by));

            let reading = off(now, 2 * MINUTE, 1500);

            assert_eq!(watch.read(reading), (reading, Some(Change::Returned)));
            assert_eq!(watch.off_s(), 0);
        }
    }

    #[test]
    fn clock_that_does_not_stand_still_is_not_believed() {
        let (mut watch, now) = watch();
        for turn in 1..100 {
            let by = if turn % 2 == 0 { 3_600_000 } else { -3_600_000 };

            let (believed, change) = watch.read(off(now, 10 * MINUTE * turn, by));

            assert_eq!((believed, change), (now.after(10 * MINUTE * turn), Some(Change::Stepped(by))));
        }
    }

    #[test]
    fn start_long_after_the_log_lets_nothing_expire_for_a_while() {
        let now = start();
        let (mut watch, change) = Watch::start(Caution::default(), Some(UnixMs(now.wall.0 - 3_600_000)), now);

        assert_eq!((change, watch.off_s(), watch.expiry_wait()), (None, 0, Some(15 * MINUTE)));
        assert_eq!(watch.read(now.after(5 * MINUTE)), (now.after(5 * MINUTE), None));
        assert_eq!(watch.expiry_wait(), Some(10 * MINUTE));
        watch.read(now.after(15 * MINUTE));
        assert_eq!(watch.expiry_wait(), None);
    }

    #[test]
    fn start_soon_after_the_log_is_believed() {
        let now = start();
        for newest in [now.wall.0 - 299_000, now.wall.0 + 299_000] {
            let (watch, change) = Watch::start(Caution::default(), Some(UnixMs(newest)), now);

            assert_eq!((change, watch.off_s(), watch.expiry_wait()), (None, 0, None));
        }
    }

    #[test]
    fn start_before_the_log_is_told_and_a_correction_is_taken_at_once() {
        let now = start();
        let newest = now.wall.after(10 * HOUR);
        let (mut watch, change) = Watch::start(Caution::default(), Some(newest), now);
        assert_eq!((change, watch.off_s()), (Some(Change::Behind(-36_000_000)), -36_000));

        let reading = off(now, MINUTE, 36_000_000);

        assert_eq!(watch.read(reading), (reading, Some(Change::Corrected(36_000_000))));
        assert_eq!((watch.off_s(), watch.expiry_wait()), (0, Some(14 * MINUTE)));
    }
}
