//! Time as a value: read once per batch by whoever owns a clock, then passed in.
//!
//! [`Now::mono`] drives sessions, windows and rates; [`Now::wall`] drives schedules and validity.
//! Nothing below `runtime/` reads a clock, so a test moves both by hand and 48 hours cost nothing.

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
