//! Each part of the hub: its keys, their ranges, and what they set.

use super::peer::{DURABILITIES, account_named};
use super::section::Section;
use super::value::{HOUR, SECOND, choice, directory, octets, own_address};
use crate::admission::Rules;
use crate::clock::Caution;
use crate::hub::{AccountPlan, CarrierPlan, Durability, Limits, Overdue, Unreceipted};
use crate::id::{AccountId, CarrierId};
use crate::route::inbound::{Failover, Rule};
use crate::route::{Inbound, Reach};
use crate::runtime::Plan;
use std::time::Duration;

pub(super) fn listener(section: &mut Section<'_>, plan: &mut Plan) {
    section.set_text("address", own_address, &mut plan.address);
    section.set("max_connections", 1..=1_000_000, &mut plan.max_connections);
    section.set("max_pdu_octets", 1024..=1 << 20, &mut plan.session.max_pdu_len);
    let timers = &mut plan.session.timers;
    section.set_time("session_init_s", SECOND, 1..=3600, &mut timers.init);
    section.set_time("enquire_link_s", SECOND, 1..=86_400, &mut timers.enquire);
    section.set_time("response_s", SECOND, 1..=3600, &mut timers.response);
    section.set_time("unbind_s", SECOND, 1..=600, &mut timers.unbind);
    timers.inactivity = section.number("inactivity_s", 1..=604_800).map(Duration::from_secs);
}

/// Gives what the answers of accounts wait for that don't say it themselves.
pub(super) fn spool(section: &mut Section<'_>, plan: &mut Plan) -> Durability {
    section.set_text("directory", directory, &mut plan.directory);
    // The spool wants four frames of 1 MiB and a header in a segment.
    if let Some(mib) = section.number("segment_mib", 5..=4096) {
        plan.spool.segment_octets = mib << 20;
    }
    section.set_time("commit_gap_us", Duration::from_micros(1), 0..=1_000_000, &mut plan.commit_gap);
    if let Some(mib) = section.number("compaction_slack_mib", 1..=1 << 20) {
        plan.hub.compaction.slack_octets = mib << 20;
    }
    if let Some(mib) = section.number("reserve_mib", 0..=4096) {
        plan.reserve_octets = mib << 20;
    }
    let mut durability = Durability::default();
    section.set_text("durability", |text| choice(text, &DURABILITIES), &mut durability);
    durability
}

pub(super) fn clock(section: &mut Section<'_>, caution: &mut Caution) {
    section.set_time("step_s", SECOND, 1..=86_400, &mut caution.step);
    section.set_time("hold_s", SECOND, 0..=86_400, &mut caution.hold);
}

pub(super) fn limits(section: &mut Section<'_>, limits: &mut Limits, memory_octets: &mut Option<u64>) {
    *memory_octets = section.number("memory_mib", 16..=1 << 24).map(|mib| mib << 20);
    section.set("messages", 1..=1_000_000_000, &mut limits.messages);
    section.set("bodies_in_memory", 1..=100_000_000, &mut limits.bodies);
    section.set("poison_attempts", 0..=255, &mut limits.poison_attempts);
    section.set("backlog", 0..=1_000_000_000, &mut limits.backlog);
    section.set("unanswered_in_a_row", 0..=1_000_000, &mut limits.silences);
    section.set_time("failover_after_s", SECOND, 0..=86_400, &mut limits.failover);
    section.set("early_receipts", 1..=100_000_000, &mut limits.early_receipts);
    section.set_time("receipt_grace_s", SECOND, 0..=2_592_000, &mut limits.receipt_grace);
    let ends = [("unknown", Unreceipted::Unknown), ("expired", Unreceipted::Expired)];
    section.set_text("unreceipted", |text| choice(text, &ends), &mut limits.unreceipted);
    section.set_time("receipt_retention_h", HOUR, 1..=8760, &mut limits.receipt_retention);
    section.set_time("inbound_retention_h", HOUR, 1..=8760, &mut limits.inbound_retention);
    section.set_time("receipt_retry_s", SECOND, 1..=86_400, &mut limits.receipt_retry);
    section.set("final_states", 0..=100_000_000, &mut limits.final_states);
    section.set_time("transaction_s", SECOND, 1..=600, &mut limits.transaction);
    section.set("bulks", 1..=100_000, &mut limits.bulks.in_all);
    section.set("bulks_each", 1..=100_000, &mut limits.bulks.each);
    section.set_time("bulk_retention_h", HOUR, 1..=8760, &mut limits.bulks.retention);
    let gathering = &mut limits.gathering;
    section.set("gathered_texts", 1..=100_000_000, &mut gathering.entries_max);
    section.set("gathered_octets", 1..=1 << 40, &mut gathering.octets_max);
    section.set_time("gather_s", SECOND, 1..=86_400, &mut gathering.patience);
    let policies = [("send", Overdue::Send), ("fail", Overdue::Fail)];
    section.set_text("overdue_parts", |text| choice(text, &policies), &mut limits.overdue_parts);
}

pub(super) fn validity(section: &mut Section<'_>, rules: &mut Rules) {
    section.set_time("max_h", HOUR, 1..=8760, &mut rules.max_validity);
    let longest = rules.max_validity;
    rules.default_validity = rules.default_validity.min(longest);
    section.set_time("default_h", HOUR, 1..=8760, &mut rules.default_validity);
    if rules.default_validity > longest {
        section.fault("default_h", format!("is longer than max_h, which is {}", longest.as_secs() / 3600));
    }
    section.set_time("max_schedule_d", 24 * HOUR, 1..=3650, &mut rules.max_schedule);
}

/// Whose messages from handsets are: one rule for each [[inbound]].
pub(super) fn inbound(
    document: &mut Section<'_>,
    accounts: &[AccountPlan],
    carriers: &[CarrierPlan],
) -> Inbound {
    let mut inbound = Inbound::default();
    let mut entries = document.list("inbound");
    for entry in &mut entries {
        let carrier = entry.text("carrier", |text| carrier_named(text, carriers));
        let number =
            |text: &str| octets(text, 1..=PREFIX_MAX, "SMPP's limit for an address (SMPP 3.4 §5.2.9)");
        let (whole, prefix) = (entry.text("destination", number), entry.text("prefix", number));
        let keyword = entry.text("keyword", word);
        let account = entry.required("account", |text| account_named(text, accounts));
        let (from, from_prefix) = (entry.text("source", number), entry.text("source_prefix", number));
        let failover = failover(entry, account, accounts);
        let destination = reach(entry, "prefix", (whole, prefix));
        let source = reach(entry, "source_prefix", (from, from_prefix));
        let (Some(account), Some(destination), Some(source)) = (account, destination, source) else {
            continue;
        };
        if let Err(error) = inbound.insert(Rule { carrier, destination, source, keyword, account, failover })
        {
            entry.fault("account", error.to_string());
        }
    }
    let count = entries.len();
    drop(entries);
    if count > INBOUND_MAX {
        document.fault("inbound", format!("{count} are too many; at most {INBOUND_MAX}"));
    }
    inbound
}

/// What a rule says of one address: the whole of it, how it begins, or nothing.
fn reach(
    entry: &mut Section<'_>,
    prefix_key: &str,
    (whole, prefix): (Option<String>, Option<String>),
) -> Option<Reach> {
    match (whole, prefix) {
        (Some(_), Some(_)) => {
            let other = if prefix_key == "prefix" { "destination" } else { "source" };
            entry.fault(
                prefix_key,
                format!("stands beside {other}: the whole of it or its beginning, not both"),
            );
            None
        }
        (Some(number), None) => Some(Reach::Whole(number)),
        (None, Some(digits)) => Some(Reach::Prefix(digits)),
        (None, None) => Some(Reach::Any),
    }
}

/// Who gets what is for an account that isn't there.
fn failover(
    entry: &mut Section<'_>,
    account: Option<AccountId>,
    accounts: &[AccountPlan],
) -> Option<Failover> {
    let other = entry.text("failover", |text| account_named(text, accounts));
    let mut after = Duration::ZERO;
    entry.set_time("failover_s", SECOND, 0..=2_592_000, &mut after);
    if entry.has("failover_s") && !entry.has("failover") {
        entry.fault("failover_s", "says when, and no failover says who");
    }
    if other.is_some() && other == account {
        entry.fault("failover", "is the account itself");
    }
    other.map(|account| Failover { account, after })
}

/// A keyword as it stands in a text: one word, which begins and ends with letters or digits.
fn word(text: &str) -> Result<String, String> {
    let is_whole = |char: Option<char>| char.is_some_and(char::is_alphanumeric);
    let ends = is_whole(text.chars().next()) && is_whole(text.chars().next_back());
    match ends && text.chars().count() <= KEYWORD_MAX && !text.contains(char::is_whitespace) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "\"{text}\" is not one word of 1 to {KEYWORD_MAX} characters that begins and ends with letters or digits"
        )),
    }
}

pub(super) fn carrier_named(text: &str, carriers: &[CarrierPlan]) -> Result<CarrierId, String> {
    let place = carriers.iter().position(|plan| !text.is_empty() && plan.carrier.name == text);
    place.map(|place| CarrierId(place as u16)).ok_or_else(|| format!("no carrier is named \"{text}\""))
}

/// Characters of a keyword; the hub looks at no more of a text.
const KEYWORD_MAX: usize = 32;
const INBOUND_MAX: usize = 100_000;

/// Digits of a route's prefix; the longest international number has 15 (E.164 §6.1), short codes have fewer.
pub(super) const PREFIX_MAX: usize = 20;
pub(super) const IO_THREADS_MAX: u64 = 512;
