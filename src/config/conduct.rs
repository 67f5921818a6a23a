//! How one carrier is taken: what its statuses mean, how its messages are tried again, and what it wants said otherwise.

use super::ladder;
use super::section::Section;
use super::value::{SECOND, choice};
use crate::carrier::{Duties, Numbering, Receipts, Statuses, Validity};
use crate::codec::Class;
use crate::hub::{BreakerRules, CarrierPlan, Unanswered};
use crate::schedule::Retry;
use std::time::Duration;

/// What a carrier means, and how its messages are tried again; what it does not say of that is as in `common`.
pub(super) fn read(section: &mut Section<'_>, common: &Retry, plan: &mut CarrierPlan) {
    plan.statuses = statuses(section);
    if section.has("retry") {
        let mut retry = common.clone();
        ladder::retry(&mut section.section("retry"), &mut retry);
        plan.retry = Some(retry);
    } else {
        ladder::retry(&mut section.section("retry"), &mut common.clone()); // its keys are known, there or not
    }
    let policies =
        [("retry", Unanswered::Retry), ("fail", Unanswered::Fail), ("assume_sent", Unanswered::AssumeSent)];
    section.set_text("unanswered", |text| choice(text, &policies), &mut plan.unanswered);
    breaker(&mut section.section("breaker"), &mut plan.breaker);
}

fn breaker(section: &mut Section<'_>, rules: &mut BreakerRules) {
    section.set("failures", 0..=1_000_000, &mut rules.failures);
    section.set_share("share", &mut rules.share);
    section.set_time("window_s", SECOND, 1..=86_400, &mut rules.window);
    section.set_time("open_s", SECOND, 1..=86_400, &mut rules.open);
    section.set_time("open_max_s", SECOND, 1..=86_400, &mut rules.open_max);
    if rules.open > rules.open_max {
        let longest = rules.open_max.as_secs();
        section.fault("open_s", format!("is longer than open_max_s, which is {longest}"));
    }
}

fn statuses(section: &mut Section<'_>) -> Statuses {
    let mut statuses = Statuses::default();
    for entry in &mut section.list("status") {
        let code = entry.number("code", CODES);
        let (from, to) = (entry.number("from", CODES), entry.number("to", CODES));
        let class = entry.required("class", |text| choice(text, &CLASSES));
        let has = |key| entry.has(key);
        if has("code") && (has("from") || has("to")) {
            entry.fault("code", "stands beside a range: one code, or from and to");
            continue;
        }
        for (key, other) in [("from", "to"), ("to", "from")] {
            if has(other) && !has(key) {
                entry.fault(key, "is missing");
            }
        }
        if !has("code") && !has("from") && !has("to") {
            entry.fault("code", "is missing");
        }
        let range = code.map(|code| (code, code)).or(from.zip(to));
        let (Some((from, to)), Some(class)) = (range, class) else { continue };
        // In range of 32 bits.
        if let Err(error) = statuses.insert(from as u32, to as u32, class) {
            entry.fault(if has("code") { "code" } else { "from" }, error.to_string());
        }
    }
    statuses
}

/// What a carrier wants said otherwise than it came.
pub(super) fn duties(section: &mut Section<'_>) -> Duties {
    let mut duties = Duties {
        source: numbering(section, ["source_by_kind", "source_ton", "source_npi"]),
        destination: numbering(section, ["destination_by_kind", "destination_ton", "destination_npi"]),
        ..Duties::default()
    };
    let receipts =
        [("always", Receipts::Always), ("as_asked", Receipts::AsAsked), ("never", Receipts::Never)];
    section.set_text("receipts", |text| choice(text, &receipts), &mut duties.receipts);
    let forms = [
        ("remaining", Validity::Remaining),
        ("none", Validity::None),
        ("relative", Validity::Relative),
        ("absolute", Validity::Absolute),
    ];
    section.set_text("validity", |text| choice(text, &forms), &mut duties.validity);
    let longest = section.number("validity_max_min", 1..=VALIDITY_MAX_MIN);
    duties.validity_max = longest.map(|minutes| Duration::from_secs(minutes * 60));
    duties
}

fn numbering(section: &mut Section<'_>, [by_kind, ton, npi]: [&'static str; 3]) -> Numbering {
    let mut numbering = Numbering::default();
    section.set_flag(by_kind, &mut numbering.by_kind);
    // In range.
    numbering.ton = section.number(ton, 0..=0xFF).map(|ton| ton as u8);
    numbering.npi = section.number(npi, 0..=0xFF).map(|npi| npi as u8);
    numbering
}

const CLASSES: [(&str, Class); 7] = [
    ("permanent", Class::Permanent),
    ("route", Class::Route),
    ("transient", Class::Transient),
    ("throttle", Class::Throttle),
    ("queue_full", Class::QueueFull),
    ("session", Class::Session),
    ("malformed", Class::Malformed),
];
const CODES: std::ops::RangeInclusive<u64> = 0..=u32::MAX as u64;
/// A year.
const VALIDITY_MAX_MIN: u64 = 525_600;
