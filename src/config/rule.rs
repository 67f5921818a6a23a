//! One rule of the routes: its keys and what they set.

use super::csv;
use super::names::Names;
use super::section::Section;
use super::value::{choice, file, hexadecimal, octets};
use crate::codec::Tag;
use crate::id::AccountId;
use crate::route::{
    DEFAULT, EVERY_DAY, Hours, Networks, PREFIXES, Parameter, Pattern, Prefix, Row, Rule, SourceKind, WHOLE,
    Zone, minute_of_day,
};
use std::sync::Arc;

/// The name of a rule or a group, which is in metrics.
pub(super) fn name(section: &mut Section<'_>) -> String {
    section.required("name", |text| octets(text, 1..=NAME_MAX, "our word for it")).unwrap_or_default()
}

pub(super) fn read(section: &mut Section<'_>, names: &mut Names<'_>, has_plan: bool) -> Rule {
    let mut rule = Rule::new(&name(section), None);
    if [PREFIXES, DEFAULT].contains(&rule.name.as_str()) {
        section.fault("name", format!("\"{}\" is the name of a rule of our own", rule.name));
    }
    rule.accounts = accounts(section, names);
    rule.prefixes = prefixes(section, names);
    rule.networks = section.texts("networks", |text| {
        Networks::read(text).ok_or_else(|| {
            format!("\"{text}\" is neither a mobile country code, such as 262, nor a network, such as 262-01")
        })
    });
    if !rule.networks.is_empty() && !has_plan {
        section.fault("networks", "needs a route.number_plan");
    }
    rule.sources = section.texts("sources", |text| {
        octets(text, 1..=20, "SMPP's limit for an address").map(|text| Pattern::new(&text))
    });
    let kinds = SourceKind::ALL.map(|kind| (kind.name(), kind));
    let kinds = section.texts("source_kinds", |text| choice(text, &kinds));
    rule.source_kinds = kinds.iter().fold(0, |bits, kind| bits | kind.bit());
    rule.codings = few(section, "data_coding", 255);
    let least = section.number("segments_min", 1..=255).map_or(0, |number| number as u8);
    let most = section.number("segments_max", 1..=255).map_or(u8::MAX, |number| number as u8);
    if least > most {
        section.fault("segments_min", format!("is more than segments_max, which is {most}"));
    }
    rule.segments = least..=most;
    rule.parameters = section.list("tlv").iter_mut().filter_map(parameter).collect();
    let service_type = |text: &str| octets(text, 0..=5, "SMPP's limit (SMPP 3.4 §5.2.11)");
    rule.service_types =
        section.texts("service_types", service_type).into_iter().map(String::into_bytes).collect();
    let mask = section.number("esm_class_mask", 1..=255).map_or(u8::MAX, |number| number as u8);
    rule.esm_class = section.number("esm_class", 0..=255).map(|value| (mask, value as u8));
    match rule.esm_class {
        None if section.has("esm_class_mask") => section.fault("esm_class_mask", "stands without esm_class"),
        Some((mask, value)) if value & !mask != 0 => {
            section.fault("esm_class", format!("{value:#04x} has bits that the mask {mask:#04x} leaves out"));
        }
        Some(_) | None => {}
    }
    rule.priorities = few(section, "priorities", 255);
    rule.hours = hours(section);
    let percent = section.decimal("percent", |written| match written.parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent),
        Ok(_) | Err(_) => Err("is outside 0..=100".to_owned()),
    });
    rule.share = percent.map(|percent| (percent / 100.0 * f64::from(WHOLE)).round() as u32);
    rule.target = section.text("target", |text| names.target(text));
    let needs_target = rule.prefixes.is_empty()
        || rule.prefixes.iter().flat_map(|rows| rows.iter()).any(|row| row.target.is_none());
    if !section.has("target") && needs_target {
        section.fault("target", "is missing, and not every prefix names its own");
    }
    rule
}

/// The accounts that it names, themselves or by their groups.
fn accounts(section: &mut Section<'_>, names: &Names<'_>) -> Option<Vec<AccountId>> {
    if !section.has("accounts") && !section.has("account_groups") {
        return None;
    }
    let ids = |is_meant: &dyn Fn(&crate::hub::AccountPlan) -> bool| -> Vec<AccountId> {
        let meant = names.accounts.iter().enumerate().filter(|(_, plan)| is_meant(plan));
        meant.map(|(place, _)| AccountId(place as u16)).collect()
    };
    let named = section.texts("accounts", |text| match &ids(&|plan| plan.account.system_id == text)[..] {
        [] => Err(format!("no account is named \"{text}\"")),
        found => Ok(found.to_vec()),
    });
    let groups =
        section.texts("account_groups", |text| match &ids(&|plan| plan.group.as_deref() == Some(text))[..] {
            [] => Err(format!("no account is in a group \"{text}\"")),
            found => Ok(found.to_vec()),
        });
    let mut all = [named, groups].concat().concat();
    all.sort_unstable();
    all.dedup();
    Some(all)
}

/// The prefixes in the rule itself, and those in its file.
fn prefixes(section: &mut Section<'_>, names: &mut Names<'_>) -> Vec<Arc<[Row]>> {
    let mut all = Vec::new();
    if section.has("prefixes") {
        let read = section.texts("prefixes", |text| Prefix::read(text).map_err(|error| error.to_string()));
        let row = |(place, prefix)| Row { prefix, target: None, origin: place as u32 | INLINE };
        all.push(read.into_iter().enumerate().map(row).collect());
    }
    let Some(file) = section.text("prefix_file", file) else { return all };
    if let Some(known) = names.tables.get(&file) {
        all.push(Arc::clone(known));
        return all;
    }
    let mut rows = Vec::new();
    csv::read(section, "prefix_file", &file, (&["prefix", "target"], 1), |line, cells| {
        let prefix = Prefix::read(cells[0]).map_err(|error| error.to_string())?;
        let target = if cells[1].is_empty() { None } else { Some(names.target(cells[1])?) };
        rows.push(Row { prefix, target, origin: line });
        Ok(())
    });
    let rows: Arc<[Row]> = rows.into();
    names.tables.insert(file, Arc::clone(&rows));
    all.push(rows);
    all
}

fn parameter(section: &mut Section<'_>) -> Option<Parameter> {
    if !section.has("tag") {
        section.fault("tag", "is missing");
    }
    let tag = section.number("tag", 0..=0xFFFF);
    let value = section.text("value", hexadecimal);
    Some(Parameter { tag: Tag(tag? as u16), value }) // in range
}

/// When it counts; `None`: always.
fn hours(section: &mut Section<'_>) -> Option<Hours> {
    let is_meant = ["weekdays", "from", "to"].into_iter().any(|key| section.has(key));
    let days = [("mon", 0u8), ("tue", 1), ("wed", 2), ("thu", 3), ("fri", 4), ("sat", 5), ("sun", 6)];
    let has_days = section.has("weekdays");
    let days = section.texts("weekdays", |text| choice(text, &days));
    let time =
        |text: &str| minute_of_day(text).ok_or_else(|| format!("\"{text}\" is not a time such as 08:30"));
    let from = section.text("from", |text| {
        time(text).and_then(|minute| match minute {
            1440 => Err("24:00 is an end".to_owned()),
            minute => Ok(minute),
        })
    });
    let to = section.text("to", |text| time(text).map(|minute| if minute == 0 { 1440 } else { minute }));
    let zone = section.text("zone", Zone::read);
    if !is_meant {
        if section.has("zone") {
            section.fault("zone", "stands without weekdays, from and to");
        }
        return None;
    }
    let zone = zone.or_else(|| Zone::read("UTC").ok())?;
    let days = days.iter().fold(0, |bits, day| bits | 1 << day);
    let days = if has_days { days } else { EVERY_DAY };
    Some(Hours { zone: Arc::new(zone), days, from: from.unwrap_or(0), to: to.unwrap_or(1440) })
}

/// A list of octets, which may be missing.
fn few(section: &mut Section<'_>, key: &'static str, most: u64) -> Vec<u8> {
    let numbers = section.numbers(key, 0..=most, 1..=256).unwrap_or_default();
    numbers.into_iter().map(|number| number as u8).collect() // in range
}

/// Marks origins of rows that stand in the rule itself; the others are lines of its file.
pub(super) const INLINE: u32 = 1 << 31;
/// Octets of a name.
const NAME_MAX: usize = 64;
