//! Hours of the week in which nothing goes.

use crate::clock::UnixMs;

/// From one minute of a day to another, on some days of the week, in a fixed offset from UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The days on which it begins: bit 0 is Monday, bit 6 Sunday.
    pub days: u8,
    /// Minutes since midnight, 0 to 1439.
    pub from_min: u16,
    /// When it is over: 1 to 1440; not later than `from_min`: on the day after.
    pub to_min: u16,
    /// Minutes east of UTC.
    pub utc_offset_min: i32,
}

impl Closed {
    /// Every day of the week.
    pub const ALL_DAYS: u8 = 0b111_1111;

    /// Until when it is closed, if it is at `wall`.
    pub fn until(&self, wall: UnixMs) -> Option<UnixMs> {
        let local = wall.0 as i64 + i64::from(self.utc_offset_min) * MINUTE_MS;
        let today = local.div_euclid(DAY_MS);
        // It may have begun the day before.
        [today, today - 1].into_iter().find_map(|day| {
            let weekday = (day + THURSDAY).rem_euclid(7);
            let begins = day * DAY_MS + i64::from(self.from_min) * MINUTE_MS;
            let ends_day = if self.to_min > self.from_min { day } else { day + 1 };
            let ends = ends_day * DAY_MS + i64::from(self.to_min) * MINUTE_MS;
            let is_on = self.days >> weekday & 1 == 1 && (begins..ends).contains(&local);
            is_on.then(|| UnixMs(wall.0 + (ends - local) as u64))
        })
    }
}

/// 1970-01-01, with Monday as 0.
const THURSDAY: i64 = 3;
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

#[cfg(test)]
mod tests {
    use super::*;

    /// A time in the week of Monday, 2026-03-16.
    const fn at(day: u64, hour: u64, minute: u64) -> UnixMs {
        UnixMs(1_773_619_200_000 + ((day * 24 + hour) * 60 + minute) * 60_000)
    }

    #[test]
    fn hours_on_a_day_begin_and_end_on_it() {
        let closed = Closed { days: 0b000_0010, from_min: 60, to_min: 150, utc_offset_min: 0 };

        assert_eq!(closed.until(at(1, 0, 59)), None);
        assert_eq!(closed.until(at(1, 1, 0)), Some(at(1, 2, 30)));
        assert_eq!(closed.until(at(1, 2, 29)), Some(at(1, 2, 30)));
        assert_eq!(closed.until(at(1, 2, 30)), None);
        assert_eq!(closed.until(at(2, 1, 30)), None); // Wednesday
    }

    #[test]
    fn hours_across_midnight_belong_to_the_day_on_which_they_begin() {
        let closed = Closed { days: 0b100_0000, from_min: 23 * 60, to_min: 60, utc_offset_min: 0 };

        assert_eq!(closed.until(at(6, 23, 30)), Some(at(7, 1, 0)));
        assert_eq!(closed.until(at(7, 0, 30)), Some(at(7, 1, 0)));
        assert_eq!(closed.until(at(6, 0, 30)), None);
    }

    #[test]
    fn offset_moves_the_hours_and_the_day() {
        // Monday 01:00 to 02:00 in India is Sunday evening in UTC.
        let closed = Closed { days: 0b000_0001, from_min: 60, to_min: 120, utc_offset_min: 330 };

        assert_eq!(closed.until(at(6, 19, 30)), Some(at(6, 20, 30)));
        assert_eq!(closed.until(at(0, 1, 0)), None);
    }

    #[test]
    fn a_whole_day_is_a_day() {
        let closed = Closed { days: Closed::ALL_DAYS, from_min: 0, to_min: 1440, utc_offset_min: 0 };

        assert_eq!(closed.until(at(3, 12, 0)), Some(at(4, 0, 0)));
    }
}
