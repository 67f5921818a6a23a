//! Times of day and days of the week, in a zone with its summer times.

use crate::clock::UnixMs;
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use std::sync::Arc;

/// How a zone's clocks go: its changes, so that an instant's local time is found without asking anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    name: String,
    /// From when on (seconds since 1970) clocks are how many seconds ahead of UTC; in order, never empty.
    changes: Box<[(i64, i32)]>,
}

/// A stretch of the day, on some days of the week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    pub zone: Arc<Zone>,
    /// Bit 0 for Monday to bit 6 for Sunday.
    pub days: u8,
    /// Minutes of the day, 0 to 1439; the first one within.
    pub from: u16,
    /// Minutes of the day, 1 to 1440; the first one beyond. What isn't later than `from` is meant on the day after, and the night
    /// belongs to the day that it begins on.
    pub to: u16,
}

impl Zone {
    /// Reads a name of the tz database ("Europe/Berlin"), "UTC", or an offset ("+05:30").
    ///
    /// # Errors
    /// If there is no such zone; says so.
    pub fn read(text: &str) -> Result<Self, String> {
        if let Some(seconds) = offset(text) {
            return Ok(Self { name: text.to_owned(), changes: Box::new([(i64::MIN, seconds)]) });
        }
        let zone = TimeZone::get(text).map_err(|_| {
            format!("\"{text}\" is neither a zone of the tz database, such as Europe/Berlin, nor an offset, such as +05:30")
        })?;
        let begin = Timestamp::UNIX_EPOCH;
        let mut changes = vec![(i64::MIN, zone.to_offset(begin).seconds())];
        let until = Timestamp::from_second(LAST_S).unwrap_or(Timestamp::MAX);
        let following = zone.following(begin).take_while(|change| change.timestamp() < until);
        changes.extend(following.map(|change| (change.timestamp().as_second(), change.offset().seconds())));
        Ok(Self { name: text.to_owned(), changes: changes.into() })
    }

    /// Its name as it was written.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Days since Monday, 0 to 6, and minutes since midnight, 0 to 1439, that its clocks show at `at`.
    pub fn local(&self, at: UnixMs) -> (u8, u16) {
        let at = (at.0 / 1000) as i64;
        let place = self.changes.partition_point(|(from, _)| *from <= at).saturating_sub(1);
        let local = at + i64::from(self.changes[place].1);
        // 1970 began on a Thursday.
        let day = (local.div_euclid(DAY_S) + 3).rem_euclid(7);
        (day as u8, (local.rem_euclid(DAY_S) / 60) as u16)
    }
}

impl Hours {
    /// Whether `at` is within.
    pub fn fit(&self, at: UnixMs) -> bool {
        let (day, minute) = self.zone.local(at);
        let begins = |day: u8| self.days >> day & 1 != 0;
        if self.from < self.to {
            return begins(day) && (self.from..self.to).contains(&minute);
        }
        (begins(day) && minute >= self.from) || (begins((day + 6) % 7) && minute < self.to)
    }
}

/// Seconds of an offset such as +05:30, at most 14 hours.
fn offset(text: &str) -> Option<i32> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None, // a name
    };
    let minutes = minute_of_day(rest).filter(|minutes| *minutes <= 14 * 60)?;
    let offset = Offset::from_seconds(sign * i32::from(minutes) * 60).ok()?;
    Some(offset.seconds())
}

/// Minutes since midnight of a time such as 08:30; 24:00 is the end of the day.
pub fn minute_of_day(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    if hours.len() != 2
        || minutes.len() != 2
        || !text.bytes().all(|octet| octet == b':' || octet.is_ascii_digit())
    {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let minute = hours * 60 + minutes;
    (minutes < 60 && minute <= 24 * 60).then_some(minute)
}

/// Every day of the week.
pub const EVERY_DAY: u8 = 0x7F;
const DAY_S: i64 = 24 * 3600;
/// The first day of 2100; from then on clocks stay as they were.
const LAST_S: i64 = 4_102_444_800;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UnixMs {
        let at: Timestamp = text.parse().expect("a time");
        UnixMs(at.as_millisecond() as u64)
    }

    fn zone(name: &str) -> Arc<Zone> {
        Arc::new(Zone::read(name).expect("a zone"))
    }

    #[test]
    fn clocks_of_a_zone_change_in_spring_and_in_autumn() {
        let berlin = zone("Europe/Berlin");

        // Sundays at one o'clock UTC (Directive 2000/84/EC).
        assert_eq!(berlin.local(at("2026-03-29T00:59:59Z")), (6, 119));
        assert_eq!(berlin.local(at("2026-03-29T01:00:00Z")), (6, 180));
        assert_eq!(berlin.local(at("2026-10-25T00:59:59Z")), (6, 179));
        assert_eq!(berlin.local(at("2026-10-25T01:00:00Z")), (6, 120));
        assert_eq!(berlin.local(at("2080-07-01T10:00:00Z")).1, 12 * 60);
    }

    #[test]
    fn offsets_are_zones_too() {
        assert_eq!(zone("+05:30").local(at("2026-11-22T20:00:00Z")), (0, 90));
        assert_eq!(zone("-03:00").local(at("2026-11-22T02:00:00Z")), (5, 23 * 60));
        assert_eq!(zone("UTC").local(at("2026-11-22T00:00:00Z")), (6, 0));
        for text in ["Mars/Olympus", "+5:30", "+15:00", "+05:60", ""] {
            assert!(Zone::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn night_belongs_to_the_day_that_it_begins_on() {
        let friday_night = Hours { zone: zone("UTC"), days: 1 << 4, from: 22 * 60, to: 6 * 60 };

        for (time, fits) in [
            ("2026-11-20T21:59:59Z", false),
            ("2026-11-20T22:00:00Z", true),
            ("2026-11-21T05:59:59Z", true),
            ("2026-11-21T06:00:00Z", false),
            ("2026-11-20T03:00:00Z", false),
            ("2026-11-21T22:00:00Z", false),
        ] {
            assert_eq!(friday_night.fit(at(time)), fits, "{time}");
        }
    }

    #[test]
    fn whole_days_end_at_midnight() {
        let weekend = Hours { zone: zone("UTC"), days: 0b110_0000, from: 0, to: 1440 };

        assert!(!weekend.fit(at("2026-11-20T23:59:59Z")));
        assert!(weekend.fit(at("2026-11-21T00:00:00Z")) && weekend.fit(at("2026-11-22T23:59:59Z")));
        assert!(!weekend.fit(at("2026-11-23T00:00:00Z")));
        assert_eq!(
            (minute_of_day("24:00"), minute_of_day("24:01"), minute_of_day("7:00")),
            (Some(1440), None, None)
        );
    }
}
