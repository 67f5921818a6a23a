//! Each part of the hub: its keys, their ranges, and what they set.

use super::section::Section;
use crate::admission::Rules;
use crate::carrier::Carrier;
use crate::correlation::{IdForm, IdForms};
use crate::esme::Account;
use crate::hub::{AccountPlan, CarrierPlan, Limits};
use crate::id::CarrierId;
use crate::route::Table;
use crate::runtime::Plan;
use crate::schedule::Ladder;
use crate::session::BindKind;
use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;
use tracing::Level;

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

pub(super) fn spool(section: &mut Section<'_>, plan: &mut Plan) {
    section.set_text("directory", directory, &mut plan.directory);
    // The spool wants four frames of 1 MiB and a header in a segment.
    if let Some(mib) = section.number("segment_mib", 5..=4096) {
        plan.spool.segment_octets = mib << 20;
    }
    section.set_time("commit_gap_us", Duration::from_micros(1), 0..=1_000_000, &mut plan.commit_gap);
    if let Some(mib) = section.number("compaction_slack_mib", 1..=1 << 20) {
        plan.hub.compaction.slack_octets = mib << 20;
    }
}

pub(super) fn limits(section: &mut Section<'_>, limits: &mut Limits) {
    section.set("messages", 1..=1_000_000_000, &mut limits.messages);
    section.set("bodies_in_memory", 1..=100_000_000, &mut limits.bodies);
    section.set("early_receipts", 1..=100_000_000, &mut limits.early_receipts);
    section.set_time("receipt_grace_s", SECOND, 0..=2_592_000, &mut limits.receipt_grace);
    section.set_time("receipt_retention_h", HOUR, 1..=8760, &mut limits.receipt_retention);
    section.set_time("receipt_retry_s", SECOND, 1..=86_400, &mut limits.receipt_retry);
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

pub(super) fn retry(section: &mut Section<'_>, ladder: &mut Ladder) {
    section.set_time("first_s", SECOND, 1..=86_400, &mut ladder.first);
    section.set_time("first_queue_full_s", SECOND, 1..=86_400, &mut ladder.first_queue_full);
    section.set_time("max_s", SECOND, 1..=604_800, &mut ladder.max);
    for (key, first) in [("first_s", ladder.first), ("first_queue_full_s", ladder.first_queue_full)] {
        if first > ladder.max {
            let message =
                format!("{} is longer than max_s, which is {}", first.as_secs(), ladder.max.as_secs());
            section.fault(key, message);
        }
    }
}

/// An account at its defaults, without a name.
pub(super) fn account() -> AccountPlan {
    let account = Account {
        system_id: String::new(),
        password: String::new(),
        binds: 16,
        window: 100,
        deliver_window: 100,
    };
    AccountPlan { account, queue_max: 5_000_000 }
}

pub(super) fn accounts(document: &mut Section<'_>) -> Vec<AccountPlan> {
    let mut plans: Vec<AccountPlan> = Vec::new();
    let mut names = HashSet::new();
    for section in &mut document.list("account") {
        let AccountPlan { mut account, mut queue_max } = account();
        if let Some(system_id) = section.required("system_id", system_id) {
            if !names.insert(system_id.clone()) {
                section.fault("system_id", format!("\"{system_id}\" is the name of an account before it"));
            }
            account.system_id = system_id;
        }
        if let Some(password) = section.required("password", |text| octets(text, 1..=8, PASSWORD_HINT)) {
            account.password = password;
        }
        section.set("binds", 1..=10_000, &mut account.binds);
        section.set("window", 1..=10_000, &mut account.window);
        section.set("deliver_window", 1..=10_000, &mut account.deliver_window);
        section.set("queue_max", 1..=1_000_000_000, &mut queue_max);
        plans.push(AccountPlan { account, queue_max });
    }
    check_count(document, "account", plans.len(), ACCOUNTS_MAX);
    plans
}

/// A carrier at its defaults, without a name.
pub(super) fn carrier() -> CarrierPlan {
    let carrier = Carrier {
        name: String::new(),
        address: String::new(),
        system_id: String::new(),
        password: String::new(),
        system_type: String::new(),
        interface_version: 0x34,
        bind: BindKind::Transceiver,
        links: 2,
        window: 100,
        reconnect: (Duration::from_secs(1), Duration::from_secs(60)),
    };
    CarrierPlan { carrier, ids: IdForms::default() }
}

pub(super) fn carriers(document: &mut Section<'_>) -> Vec<CarrierPlan> {
    let mut plans: Vec<CarrierPlan> = Vec::new();
    let mut names = HashSet::new();
    for section in &mut document.list("carrier") {
        let plan = read_carrier(section);
        let name = &plan.carrier.name;
        if !name.is_empty() && !names.insert(name.clone()) {
            section.fault("name", format!("\"{name}\" is the name of a carrier before it"));
        }
        plans.push(plan);
    }
    check_count(document, "carrier", plans.len(), CARRIERS_MAX);
    plans
}

fn read_carrier(section: &mut Section<'_>) -> CarrierPlan {
    let CarrierPlan { mut carrier, mut ids } = carrier();
    carrier.name =
        section.required("name", |text| octets(text, 1..=NAME_MAX, "our word for it")).unwrap_or_default();
    carrier.address = section.required("address", address).unwrap_or_default();
    carrier.system_id = section.required("system_id", system_id).unwrap_or_default();
    section.set_text("password", |text| octets(text, 0..=8, PASSWORD_HINT), &mut carrier.password);
    section.set_text("system_type", |text| octets(text, 0..=12, "SMPP's limit"), &mut carrier.system_type);
    section.set_text(
        "version",
        |text| choice(text, &[("3.3", 0x33), ("3.4", 0x34), ("5.0", 0x50)]),
        &mut carrier.interface_version,
    );
    let kinds =
        [BindKind::Transceiver, BindKind::Transmitter, BindKind::Receiver].map(|kind| (kind.name(), kind));
    section.set_text("bind", |text| choice(text, &kinds), &mut carrier.bind);
    section.set("links", 1..=1000, &mut carrier.links);
    section.set("window", 1..=10_000, &mut carrier.window);
    let (shortest, longest) = &mut carrier.reconnect;
    section.set_time("reconnect_min_ms", MILLISECOND, 1..=3_600_000, shortest);
    section.set_time("reconnect_max_ms", MILLISECOND, 1..=86_400_000, longest);
    if shortest > longest {
        let longest = longest.as_millis();
        section.fault("reconnect_min_ms", format!("is longer than reconnect_max_ms, which is {longest}"));
    }
    let forms = [("text", IdForm::Text), ("hex", IdForm::Hex), ("decimal", IdForm::Decimal)];
    section.set_text("response_ids", |text| choice(text, &forms), &mut ids.response);
    section.set_text("receipt_ids", |text| choice(text, &forms), &mut ids.receipt);
    CarrierPlan { carrier, ids }
}

pub(super) fn routes(section: &mut Section<'_>, carriers: &[CarrierPlan]) -> Table {
    let named = |text: &str| {
        let place = carriers.iter().position(|plan| plan.carrier.name == text);
        place.map(|place| CarrierId(place as u16)).ok_or_else(|| format!("no carrier is named \"{text}\""))
    };
    let has_default = section.has("default");
    let mut table = Table::new(section.text("default", named));
    let mut prefixes = section.list("prefix");
    if !has_default && prefixes.is_empty() {
        section.fault("default", "is missing, and there is no [[route.prefix]]: nothing could leave");
    }
    for entry in &mut prefixes {
        let prefix = entry.required("prefix", |text| octets(text, 1..=PREFIX_MAX, "digits of a number"));
        let carrier = entry.required("carrier", named);
        let Some(prefix) = prefix else { continue };
        // With a faulty carrier, the prefix is still looked at.
        if let Err(error) = table.insert(&prefix, carrier.unwrap_or(CarrierId(0))) {
            entry.fault("prefix", error.to_string());
        }
    }
    table
}

/// `host:port` to listen on; port 0 for any.
pub(super) fn own_address(text: &str) -> Result<String, String> {
    let form = || format!("\"{text}\" is not host:port, such as 127.0.0.1:2775 or [::1]:2775");
    let (host, port) = text.rsplit_once(':').ok_or_else(form)?;
    let bare = !host.contains([':', ' ', '/']);
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).is_some();
    if host.is_empty() || !(bare || bracketed) || port.parse::<u16>().is_err() {
        return Err(form());
    }
    Ok(text.to_owned())
}

/// `host:port` to connect to.
fn address(text: &str) -> Result<String, String> {
    let address = own_address(text)?;
    if address.ends_with(":0") {
        return Err(format!("\"{text}\" has port 0, which nobody listens on"));
    }
    Ok(address)
}

pub(super) fn level(text: &str) -> Result<Level, String> {
    choice(
        text,
        &[
            ("error", Level::ERROR),
            ("warn", Level::WARN),
            ("info", Level::INFO),
            ("debug", Level::DEBUG),
            ("trace", Level::TRACE),
        ],
    )
}

fn directory(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("is empty".to_owned()) } else { Ok(PathBuf::from(text)) }
}

fn system_id(text: &str) -> Result<String, String> {
    octets(text, 1..=15, "SMPP's limit for a system_id (SMPP 3.4 §4.1.1)")
}

/// Printable ASCII of so many octets.
fn octets(text: &str, range: std::ops::RangeInclusive<usize>, hint: &str) -> Result<String, String> {
    if !range.contains(&text.len()) {
        let (from, to) = (range.start(), range.end());
        return Err(format!("is {} octets long, not {from} to {to}: {hint}", text.len()));
    }
    match text.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
        true => Ok(text.to_owned()),
        false => Err("has characters other than printable ASCII".to_owned()),
    }
}

fn choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let found = choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        format!("\"{text}\" is none of {}", names.join(", "))
    })
}

fn check_count(document: &Section<'_>, key: &str, count: usize, max: usize) {
    if count == 0 {
        document.fault(key, format!("at least one [[{key}]] is needed"));
    }
    if count > max {
        document.fault(key, format!("{count} are too many; at most {max}"));
    }
}

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

const PASSWORD_HINT: &str = "SMPP's limit for a password (SMPP 3.4 §4.1.1)";
/// Octets of a carrier's name, which is in each of its records and series.
const NAME_MAX: usize = 64;
/// Digits of a route's prefix; the longest international number has 15 (E.164 §6.1), short codes have fewer.
const PREFIX_MAX: usize = 20;
/// An `AccountId` counts further; this is for people.
const ACCOUNTS_MAX: usize = 50_000;
const CARRIERS_MAX: usize = 10_000;
pub(super) const IO_THREADS_MAX: u64 = 512;
