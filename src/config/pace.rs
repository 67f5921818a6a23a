//! How fast: rates, calendar limits, hours of maintenance, turns in a carrier's queue.

use super::section::Section;
use super::value::{SECOND, choice};
use crate::carrier::Carrier;
use crate::hub::{AccountPlan, Guard, OverLimit};
use crate::throttle::{Closed, Limits, Rate};
use std::time::Duration;

/// Turns of low priorities.
pub(super) fn queue(section: &mut Section<'_>, aging: &mut Guard) {
    section.set_time("aging_s", SECOND, 0..=86_400, &mut aging.patience);
    section.set("aging_turn", 4..=1_000_000, &mut aging.each);
}

/// What an account is allowed, and its share.
pub(super) fn account(section: &mut Section<'_>, plan: &mut AccountPlan) {
    section.set("weight", 1..=1_000, &mut plan.weight);
    limits(section, &mut plan.limits);
    let policies = [("refuse", OverLimit::Refuse), ("queue", OverLimit::Queue)];
    section.set_text("over_limit", |text| choice(text, &policies), &mut plan.over_limit);
}

/// What a carrier takes.
pub(super) fn carrier(section: &mut Section<'_>, carrier: &mut Carrier) {
    limits(section, &mut carrier.limits);
    if let Some(slow) = section.number("slow_answer_ms", 0..=600_000) {
        carrier.slow_answer = (slow > 0).then(|| Duration::from_millis(slow));
    }
    let utc_offset_min = carrier.limits.utc_offset_min;
    carrier.maintenance = section
        .list("maintenance")
        .iter_mut()
        .filter_map(|entry| maintenance(entry, utc_offset_min))
        .collect();
}

fn limits(section: &mut Section<'_>, limits: &mut Limits) {
    limits.rate = section.decimal("rate", |text| text.parse::<Rate>().map_err(|error| error.to_string()));
    limits.burst = section.number("burst", 1..=SEGMENTS_MAX).map(|burst| burst as u32); // in range
    if limits.burst.is_some() && limits.rate.is_none() {
        section.fault("burst", "has no rate beside it");
    }
    limits.minute_max = section.number("minute_max", 0..=SEGMENTS_MAX);
    limits.day_max = section.number("day_max", 0..=SEGMENTS_MAX);
    section.set_text("utc_offset", offset, &mut limits.utc_offset_min);
}

fn maintenance(section: &mut Section<'_>, utc_offset_min: i32) -> Option<Closed> {
    let named = section.has("days");
    let days = section.texts("days", |text| choice(text, &DAYS)).iter().fold(0, |days, day| days | 1 << day);
    if named && days == 0 {
        section.fault("days", "names no day; leave it out for every day");
    }
    let from = section.required("from", time_of_day);
    let to = section.required("to", time_of_day);
    let mut closed =
        Closed { days: if named { days } else { Closed::ALL_DAYS }, from_min: 0, to_min: 0, utc_offset_min };
    section.set_text("utc_offset", offset, &mut closed.utc_offset_min);
    let (Some(from_min), Some(to_min)) = (from, to) else { return None };
    if from_min == to_min || from_min == MINUTES {
        section.fault("from", "is no time before it is over; a whole day is 00:00 to 24:00");
    }
    // What ends at midnight ends with the day.
    Some(Closed { from_min, to_min: if to_min == 0 { MINUTES } else { to_min }, ..closed })
}

/// `HH:MM`, up to `24:00`.
fn time_of_day(text: &str) -> Result<u16, String> {
    let minutes = hours_and_minutes(text).filter(|minutes| *minutes <= MINUTES);
    minutes.ok_or_else(|| format!("\"{text}\" is no time of a day, such as 02:30"))
}

/// `+HH:MM` or `-HH:MM` from UTC, in minutes.
fn offset(text: &str) -> Result<i32, String> {
    let minutes = match text.split_at_checked(1) {
        Some(("+", time)) => hours_and_minutes(time).map(i32::from),
        Some(("-", time)) => hours_and_minutes(time).map(|minutes| -i32::from(minutes)),
        Some(_) | None => None,
    };
    let known = minutes.filter(|minutes| (OFFSET_MIN..=OFFSET_MAX).contains(minutes));
    known.ok_or_else(|| format!("\"{text}\" is no offset from UTC, such as +02:00"))
}

fn hours_and_minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let digits = |text: &str| (text.len() == 2).then(|| text.parse::<u16>().ok())?;
    let is_plain = text.bytes().all(|octet| octet.is_ascii_digit() || octet == b':');
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    (is_plain && hours <= 24 && minutes < 60).then_some(hours * 60 + minutes)
}

/// As bits of [`Closed::days`].
const DAYS: [(&str, u8); 7] =
    [("mon", 0), ("tue", 1), ("wed", 2), ("thu", 3), ("fri", 4), ("sat", 5), ("sun", 6)];
const MINUTES: u16 = 24 * 60;
/// Where clocks are furthest behind and ahead of UTC.
const OFFSET_MIN: i32 = -12 * 60;
const OFFSET_MAX: i32 = 14 * 60;
const SEGMENTS_MAX: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_and_times_of_day_are_read_or_refused() {
        assert_eq!(["+00:00", "-05:30", "+14:00"].map(offset), [Ok(0), Ok(-330), Ok(840)]);
        assert_eq!(["00:00", "02:30", "24:00"].map(time_of_day), [Ok(0), Ok(150), Ok(1440)]);
        for text in ["", "+", "02:00", "+15:00", "-12:01", "+2:00", "+02:60", "+0a:00", "+\u{e4}1:00"] {
            assert!(offset(text).is_err(), "{text}");
        }
        for text in ["24:01", "1:00", "+1:00", "01:0", "0100", ""] {
            assert!(time_of_day(text).is_err(), "{text}");
        }
    }
}
