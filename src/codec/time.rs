//! Times as SMPP writes them: absolute, relative, and the ten digits of receipts (SMPP 5.0 §4.7.23).

use super::Version;
use crate::clock::UnixMs;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{Span, Timestamp};
use std::time::Duration;
use thiserror::Error;

/// A time that a peer named, as an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmppTime {
    /// It named the date.
    Absolute(UnixMs),
    /// It named the distance; this is now and that. Zero is now itself.
    Relative(UnixMs),
}

impl SmppTime {
    /// The instant, however it was named.
    pub const fn at(self) -> UnixMs {
        match self {
            Self::Absolute(at) | Self::Relative(at) => at,
        }
    }
}

/// Why a field isn't a time. The peer's fault: ESME_RINVSCHED or ESME_RINVEXPIRY, for the field that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TimeError {
    #[error("a time of {0} characters instead of 16")]
    Length(usize),
    #[error("a time that isn't 15 digits and one of + - R")]
    Form,
    #[error("no such date or time of day")]
    Date,
    #[error("{0} quarter hours off UTC are more than there can be")]
    Offset(u8),
}

/// Deviations in customers' times that an account may be allowed (fact sheet 6.3); none by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TimeRules {
    /// Relative times of 13 characters, without tenths and offset: `YYMMDDhhmmssR`.
    pub short_relative: bool,
    /// `r` in the place of `R`.
    pub lower_case_r: bool,
    /// Offsets of up to 56 quarter hours, which exist in the Pacific, in place of 48.
    pub wide_offsets: bool,
}

/// The time in `field`, which is without its NUL, by the letter; see [`read_time_with`].
pub fn read_time(field: &[u8], now: UnixMs) -> Result<Option<SmppTime>, TimeError> {
    read_time_with(field, now, TimeRules::default())
}

/// The time in `field`, which is without its NUL; `None` if it is empty.
///
/// Two digits of a year mean the year within 50 before and 49 after `now`. A relative time counts from `now`: years and
/// months by the calendar, the 31st falling back to a shorter month's last day, then the rest; its parts may be above their
/// clock ranges. Times before 1970 are 1970.
pub fn read_time_with(field: &[u8], now: UnixMs, rules: TimeRules) -> Result<Option<SmppTime>, TimeError> {
    let (digits, direction) = match field {
        [] => return Ok(None),
        [digits @ .., direction] if digits.len() == 15 => (digits, *direction),
        [digits @ .., direction @ (b'R' | b'r')] if digits.len() == 12 && rules.short_relative => {
            (digits, *direction)
        }
        _ => return Err(TimeError::Length(field.len())), // Any other length.
    };
    let parts = Parts::read(digits).ok_or(TimeError::Form)?;
    let quarters_max = if rules.wide_offsets { WIDE_QUARTERS } else { MAX_QUARTERS };
    match direction {
        b'+' => parts.absolute(-1, quarters_max, now).map(|at| Some(SmppTime::Absolute(at))),
        b'-' => parts.absolute(1, quarters_max, now).map(|at| Some(SmppTime::Absolute(at))),
        b'R' => parts.relative(now).map(|at| Some(SmppTime::Relative(at))),
        b'r' if rules.lower_case_r => parts.relative(now).map(|at| Some(SmppTime::Relative(at))),
        _ => Err(TimeError::Form), // Any other sign.
    }
}

/// `at` in the absolute form, UTC, whole seconds: `YYMMDDhhmmss000+`.
pub fn write_absolute(at: UnixMs) -> [u8; 16] {
    let mut text = *b"000000000000000+";
    text[..12].copy_from_slice(&ReceiptDate::from_utc(at).write_seconds());
    text
}

/// `span` in the relative form, in days and below, rounded up to a second: `0000DDhhmmss000R`.
///
/// More than 99 days are written as 99 days, 23 hours, 59 minutes and 59 seconds: months have no fixed length.
pub fn write_relative(span: Duration) -> [u8; 16] {
    let seconds = span.as_millis().div_ceil(1000).min(MAX_RELATIVE_S) as u32;
    let days = seconds / 86_400;
    let parts = [days, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60];
    let mut text = *b"000000000000000R";
    for (place, part) in text[4..12].as_chunks_mut::<2>().0.iter_mut().zip(parts) {
        *place = two_digits(part as u8);
    }
    text
}

/// `at` as receipts write it, UTC: `YYMMDDhhmm`.
pub fn write_receipt_date(at: UnixMs) -> [u8; 10] {
    ReceiptDate::from_utc(at).write()
}

/// When a message became final, as a query_sm_resp says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinalDate {
    /// An absolute time.
    At(UnixMs),
    /// Twelve digits, as 3.3 and some others write it: local time of a message centre that doesn't say where it is.
    Local(ReceiptDate),
}

impl FinalDate {
    /// Reads a final_date; `None` if it is empty or neither of the two.
    pub fn read(field: &[u8], now: UnixMs) -> Option<Self> {
        match read_time(field, now) {
            Ok(Some(SmppTime::Absolute(at))) => Some(Self::At(at)),
            // A distance can't be a date in the past.
            Ok(Some(SmppTime::Relative(_)) | None) => None,
            Err(_) => ReceiptDate::parse(field).map(Self::Local),
        }
    }
}

/// `at` as a query_sm_resp to a peer of `version` says it, in UTC: the absolute form, or twelve digits for 3.3. It is written
/// to `room`, and this is the part of it that counts.
pub fn write_final_date(at: UnixMs, version: Version, room: &mut [u8; 16]) -> &[u8] {
    *room = write_absolute(at);
    match version {
        Version::V33 => &room[..12],
        Version::V34 | Version::V50 => room,
    }
}

/// A date in the text of a receipt, to the second, in a zone that only the carrier knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReceiptDate {
    year: i16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
}

impl ReceiptDate {
    /// Reads `YYMMDDhhmm`, `YYMMDDhhmmss` (both of this century) or `YYYYMMDDhhmmss`; `None` for zeros and for the rest.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (year, rest) = match text.len() {
            10 | 12 => (2000 + i16::from(two(&text[..2])?), &text[2..]),
            14 => (i16::from(two(&text[..2])?) * 100 + i16::from(two(&text[2..4])?), &text[4..]),
            _ => return None, // No other length is a date that we know.
        };
        let mut parts = [0; 5];
        for (part, pair) in parts.iter_mut().zip(rest.chunks_exact(2)) {
            *part = two(pair)?;
        }
        let [month, day, hour, minute, second] = parts;
        let has_day = (1..=days_of(year, month)).contains(&day);
        let has_time = hour < 24 && minute < 60 && second < 60;
        (has_day && has_time).then_some(Self { year, month, day, hour, minute, second })
    }

    /// The date of `at` in UTC, to the second.
    pub fn from_utc(at: UnixMs) -> Self {
        let date = civil(at);
        let [month, day, hour, minute, second] =
            [date.month(), date.day(), date.hour(), date.minute(), date.second()].map(|part| part as u8);
        Self { year: date.year(), month, day, hour, minute, second }
    }

    /// The instant, if the carrier's zone is UTC.
    pub fn to_utc(self) -> UnixMs {
        let (year, month, day, hour, minute, second) = self.parts();
        let [month, day, hour, minute, second] = [month, day, hour, minute, second].map(|part| part as i8);
        let date = DateTime::new(year, month, day, hour, minute, second, 0);
        date.ok().and_then(instant).unwrap_or_default()
    }

    /// `YYMMDDhhmm`.
    pub fn write(self) -> [u8; 10] {
        let [digits @ .., _, _] = self.write_seconds();
        digits
    }

    /// `YYMMDDhhmmss`.
    pub fn write_seconds(self) -> [u8; 12] {
        let Self { year, month, day, hour, minute, second } = self;
        let year = year.unsigned_abs() % 100;
        let mut digits = [0; 12];
        let parts = [year as u8, month, day, hour, minute, second];
        for (place, part) in digits.as_chunks_mut::<2>().0.iter_mut().zip(parts) {
            *place = two_digits(part);
        }
        digits
    }

    /// Year, month, day, hour, minute and second.
    pub fn parts(self) -> (i16, u8, u8, u8, u8, u8) {
        let Self { year, month, day, hour, minute, second } = self;
        (year, month, day, hour, minute, second)
    }
}

/// The fifteen digits of a time, or twelve, taken apart.
struct Parts {
    /// Year, month, day, hour, minute, second.
    fields: [u8; 6],
    tenths: u8,
    quarters: u8,
}

impl Parts {
    fn read(digits: &[u8]) -> Option<Self> {
        let mut fields = [0; 6];
        for (field, pair) in fields.iter_mut().zip(digits.chunks_exact(2)) {
            *field = two(pair)?;
        }
        let [tenths, quarters] = match digits {
            [_, _, _, _, _, _, _, _, _, _, _, _, tenths, quarters @ ..] => {
                [two(&[b'0', *tenths])?, two(quarters)?]
            }
            _ => [0, 0], // The short form stops at the seconds.
        };
        Some(Self { fields, tenths, quarters })
    }

    /// The instant of an absolute time; `sign` is which way its offset leads to UTC.
    fn absolute(&self, sign: i64, quarters_max: u8, now: UnixMs) -> Result<UnixMs, TimeError> {
        if self.quarters > quarters_max {
            return Err(TimeError::Offset(self.quarters));
        }
        let [year, month, day, hour, minute, second] = self.fields.map(|field| field as i8);
        let tenths = i32::from(self.tenths) * 100_000_000;
        let year = full_year(year.into(), civil(now).year());
        let local =
            DateTime::new(year, month, day, hour, minute, second, tenths).map_err(|_| TimeError::Date)?;
        let written = Offset::UTC.to_timestamp(local).map_err(|_| TimeError::Date)?;
        let at = written.as_millisecond() + sign * i64::from(self.quarters) * QUARTER_MS;
        Ok(UnixMs(u64::try_from(at).unwrap_or(0)))
    }

    fn relative(&self, now: UnixMs) -> Result<UnixMs, TimeError> {
        let [years, months, days, hours, minutes, seconds] = self.fields.map(u64::from);
        let mut start = now;
        if years + months > 0 {
            // At most 99 of each, far inside of what a span takes.
            let span = Span::new().years(years as i64).months(months as i64);
            let date = civil(now).checked_add(span).map_err(|_| TimeError::Date)?;
            start = instant(date).ok_or(TimeError::Date)?;
        }
        let rest_s = ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
        Ok(start.after(Duration::from_secs(rest_s)))
    }
}

/// The year that ends in `two_digits` and lies within 50 before and 49 after `this_year`.
fn full_year(two_digits: i16, this_year: i16) -> i16 {
    let first = this_year - 50;
    first + (two_digits - first).rem_euclid(100)
}

/// The number that two digits write; `None` if they aren't.
fn two(pair: &[u8]) -> Option<u8> {
    match pair {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Some((tens - b'0') * 10 + (ones - b'0')),
        _ => None, // Not two, or not digits.
    }
}

/// The last two digits of a number.
fn two_digits(number: u8) -> [u8; 2] {
    TWO_DIGITS[number as usize]
}

/// Days of a month; none of one that there isn't.
const fn days_of(year: i16, month: u8) -> u8 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => 0, // no month
    }
}

/// The date of `at` in UTC; the last one that there is for instants beyond the year 9999.
fn civil(at: UnixMs) -> DateTime {
    let timestamp = i64::try_from(at.0)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .unwrap_or(Timestamp::MAX);
    Offset::UTC.to_datetime(timestamp)
}

/// The instant of a date in UTC; `None` before 1970.
fn instant(date: DateTime) -> Option<UnixMs> {
    let timestamp = Offset::UTC.to_timestamp(date).ok()?;
    u64::try_from(timestamp.as_millisecond()).ok().map(UnixMs)
}

/// [`two_digits`] by number.
static TWO_DIGITS: [[u8; 2]; 256] = {
    let mut all = [[0; 2]; 256];
    let mut number = 0;
    while number < all.len() {
        all[number] = [b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    all
};

/// Quarter hours off UTC at most, by the format.
const MAX_QUARTERS: u8 = 48;
/// Quarter hours off UTC at most, in this world: Kiribati.
const WIDE_QUARTERS: u8 = 56;
const QUARTER_MS: i64 = 15 * 60 * 1000;
const MAX_RELATIVE_S: u128 = 100 * 86_400 - 1;

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-31T10:00:00.250Z.
    const NOW: UnixMs = UnixMs(1_769_853_600_250);

    fn relative(field: &[u8], now: UnixMs) -> ReceiptDate {
        match read_time(field, now) {
            Ok(Some(SmppTime::Relative(at))) => ReceiptDate::from_utc(at),
            other => panic!("not a relative time: {other:?}"),
        }
    }

    #[test]
    fn last_day_of_a_month_falls_back_to_that_of_a_shorter_one() {
        let day = |field, now| {
            let (year, month, day, ..) = relative(field, now).parts();
            (year, month, day)
        };
        assert_eq!(day(b"000100000000000R", NOW), (2026, 2, 28));
        assert_eq!(day(b"020100000000000R", NOW), (2028, 2, 29));
        // Years and months first, then days.
        assert_eq!(day(b"000101000000000R", NOW), (2026, 3, 1));
    }

    #[test]
    fn date_of_a_receipt_is_one_that_a_calendar_has() {
        for year in [1900_i16, 2000, 2023, 2024, 2100] {
            for (month, day) in (0..=13_u8).flat_map(|month| (0..=32_u8).map(move |day| (month, day))) {
                let text = format!("{year:04}{month:02}{day:02}235959");
                let known = DateTime::new(year, month as i8, day as i8, 23, 59, 59, 0).is_ok();

                let date = ReceiptDate::parse(text.as_bytes());

                assert_eq!(
                    date.map(ReceiptDate::parts),
                    known.then_some((year, month, day, 23, 59, 59)),
                    "{text}"
                );
            }
        }
        assert!(
            [b"260131240000", b"260131236000", b"260131235960"]
                .iter()
                .all(|text| ReceiptDate::parse(*text).is_none())
        );
    }

    #[test]
    fn two_digits_mean_the_year_next_to_now() {
        assert_eq!(full_year(38, 2026), 2038);
        assert_eq!(full_year(75, 2026), 2075);
        assert_eq!(full_year(76, 2026), 1976);
        assert_eq!(full_year(99, 2026), 1999);
        assert_eq!(full_year(0, 2060), 2100);
        assert_eq!(full_year(25, 2026), 2025);
    }

    #[test]
    fn broken_fields_say_what_is_broken() {
        let error = |field: &[u8]| read_time(field, NOW).expect_err("broken");

        assert_eq!(error(b"26031510300000+"), TimeError::Length(15));
        assert_eq!(error(b"260315103000000Z"), TimeError::Form);
        assert_eq!(error(b"2603151030000 0+"), TimeError::Form);
        assert_eq!(error(b"270229000000000+"), TimeError::Date);
        assert_eq!(error(b"260101003000049-"), TimeError::Offset(49));
        assert_eq!(read_time(b"", NOW), Ok(None));
    }

    /// Fact sheet 6.3: each switch lets in its own deviation and nothing else.
    #[test]
    fn deviations_are_read_where_their_switch_is_on() {
        let by = |rules, field: &[u8]| read_time_with(field, NOW, rules);
        let letter = TimeRules::default();
        let short = TimeRules { short_relative: true, ..letter };
        let lower = TimeRules { lower_case_r: true, ..letter };
        let wide = TimeRules { wide_offsets: true, ..letter };
        let in_an_hour = Ok(Some(SmppTime::Relative(NOW.after(Duration::from_secs(3600)))));

        assert_eq!(by(letter, b"000000010000R"), Err(TimeError::Length(13)));
        assert_eq!(by(short, b"000000010000R"), in_an_hour);
        assert_eq!(by(short, b"000000010000+"), Err(TimeError::Length(13)));
        assert_eq!(by(short, b"000000010000r"), Err(TimeError::Form));
        assert_eq!(by(TimeRules { lower_case_r: true, ..short }, b"000000010000r"), in_an_hour);

        assert_eq!(by(letter, b"000000010000000r"), Err(TimeError::Form));
        assert_eq!(by(lower, b"000000010000000r"), in_an_hour);
        assert_eq!(by(lower, b"000000010000r"), Err(TimeError::Length(13)));

        assert_eq!(by(letter, b"260131240000056+"), Err(TimeError::Offset(56)));
        assert_eq!(by(wide, b"260201000000056+"), by(letter, b"260131100000000+"));
        assert_eq!(by(wide, b"260201000000057+"), Err(TimeError::Offset(57)));
    }

    /// Fact sheet 3.5: an absolute time, or 3.3's twelve digits.
    #[test]
    fn final_date_is_read_and_written_in_both_forms() {
        let mut room = [0; 16];
        let at = UnixMs(NOW.0 / 1000 * 1000);

        assert_eq!(write_final_date(at, Version::V34, &mut room), b"260131100000000+");
        assert_eq!(FinalDate::read(&room, NOW), Some(FinalDate::At(at)));
        assert_eq!(write_final_date(at, Version::V33, &mut room), b"260131100000");
        let local = ReceiptDate::parse(b"260131100000").expect("twelve digits");
        assert_eq!(FinalDate::read(b"260131100000", NOW), Some(FinalDate::Local(local)));
        assert_eq!(&local.write_seconds(), b"260131100000");
        assert_eq!(FinalDate::read(b"", NOW), None);
        assert_eq!(FinalDate::read(b"000000010000000R", NOW), None);
        assert_eq!(FinalDate::read(b"soon", NOW), None);
    }

    #[test]
    fn times_before_1970_are_1970() {
        let at = read_time(b"760101000000000+", NOW).expect("legal");
        assert_eq!(at.map(SmppTime::at).map(|at| at.0 > 0), Some(true));

        let at = read_time(b"500101000000000+", UnixMs(0)).expect("legal");
        assert_eq!(at, Some(SmppTime::Absolute(UnixMs(0))));
    }

    #[test]
    fn written_forms_are_those_of_the_specification() {
        assert_eq!(&write_absolute(NOW), b"260131100000000+");
        assert_eq!(&write_receipt_date(NOW), b"2601311000");
        assert_eq!(&write_relative(Duration::from_secs(93_784)), b"000001020304000R");
        assert_eq!(&write_relative(Duration::from_millis(1)), b"000000000001000R");
        assert_eq!(&write_relative(Duration::MAX), b"000099235959000R");
        assert_eq!(write_absolute(UnixMs(u64::MAX)).last(), Some(&b'+'));
    }

    /// D9: ten, twelve and fourteen digits; zeros and the rest are unknown.
    #[test]
    fn receipt_dates_have_ten_twelve_or_fourteen_digits() {
        let parts = |text: &[u8]| ReceiptDate::parse(text).map(ReceiptDate::parts);

        assert_eq!(parts(b"2601021530"), Some((2026, 1, 2, 15, 30, 0)));
        assert_eq!(parts(b"260102153022"), Some((2026, 1, 2, 15, 30, 22)));
        assert_eq!(parts(b"20260102153022"), Some((2026, 1, 2, 15, 30, 22)));
        assert_eq!(parts(b"0000000000"), None);
        assert_eq!(parts(b"2026-01-02"), None);
        assert_eq!(parts(b""), None);
    }

    #[test]
    fn receipt_date_of_utc_leads_back_to_the_second() {
        let date = ReceiptDate::from_utc(NOW);

        assert_eq!(date.to_utc(), UnixMs(NOW.0 / 1000 * 1000));
    }
}
