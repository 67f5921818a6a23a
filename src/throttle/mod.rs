//! How much may go in a time: rates, calendar limits, hours in which nothing goes. All count segments: short messages.
//!
//! A [`Bucket`] holds a rate, exactly and for ever; a [`Governor`] is a bucket whose rate follows a peer that throttles; a [`Quota`]
//! is so much a minute or a day, by the calendar; [`Closed`] are hours of the week. None of them reads a clock.
//!
//! What is asked is always the same: may `n` segments go now (`ready`), and if not, from when on. What goes is taken (`take`),
//! allowed or not: a debt is paid before anything else goes.

mod bucket;
mod closed;
mod governor;
mod quota;

pub use bucket::{Bucket, Rate};
pub use closed::Closed;
pub use governor::Governor;
pub use quota::{Quota, Span};

use std::time::Duration;

/// What one side may be sent, or may send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Segments per second; `None`: any number.
    pub rate: Option<Rate>,
    /// Segments that may go at once after a pause; `None`: those of a tenth of a second, one at least.
    pub burst: Option<u32>,
    /// Segments in a minute of the clock.
    pub minute_max: Option<u64>,
    /// Segments in a day of the calendar.
    pub day_max: Option<u64>,
    /// Minutes east of UTC: when its days begin.
    pub utc_offset_min: i32,
}

impl Limits {
    /// Whether there is no limit at all.
    pub const fn is_none(&self) -> bool {
        self.rate.is_none() && self.minute_max.is_none() && self.day_max.is_none()
    }

    /// The rate as a bucket, if there is one.
    pub fn bucket(&self) -> Option<Bucket> {
        self.rate.map(|rate| Bucket::new(rate, self.burst.unwrap_or(rate.usual_burst())))
    }

    /// The calendar limits, minute and day.
    pub fn quotas(&self) -> [Option<Quota>; 2] {
        [
            self.minute_max.map(|max| Quota::new(Span::Minute, max, 0)),
            self.day_max.map(|max| Quota::new(Span::Day, max, self.utc_offset_min)),
        ]
    }
}

/// Why something may not go now: for how long at least; `None`: for ever.
pub type Wait = Option<Duration>;
