//! Accounts, carriers and distribution lists: their keys, their ranges, and what they set.

use super::screening::{self, Lists};
use super::section::Section;
use super::value::{MILLISECOND, PASSWORD_HINT, address, choice, octets, password, system_id};
use super::{conduct, pace, profile};
use crate::admission::{Rules, ValidityFrom};
use crate::carrier::{Caller, Carrier, Unmarked};
use crate::codec::{Command, Tag, Version};
use crate::correlation::IdForm;
use crate::esme::{Account, Outbind};
use crate::hub::{AccountPlan, CarrierPlan, Durability, List, Member, Names, PartReceipts};
use crate::id::AccountId;
use crate::schedule::Retry;
use crate::session::BindKind;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// An account at its defaults, without a name.
pub(super) fn account() -> AccountPlan {
    AccountPlan::new(Account::new("", ""))
}

/// What holds for accounts that don't say it themselves.
pub(super) struct Usual<'l> {
    pub rules: Rules,
    pub durability: Durability,
    pub lists: &'l Lists,
}

pub(super) fn accounts(document: &mut Section<'_>, usual: &Usual<'_>) -> Vec<AccountPlan> {
    let mut plans: Vec<AccountPlan> = Vec::new();
    let mut names = HashSet::new();
    for section in &mut document.list("account") {
        let mut plan = AccountPlan { durability: usual.durability, ..account() };
        read_account(section, usual, &mut plan);
        let name = &plan.account.system_id;
        if !name.is_empty() && !names.insert(name.clone()) {
            section.fault("system_id", format!("\"{name}\" is the name of an account before it"));
        }
        plans.push(plan);
    }
    check_count(document, "account", plans.len(), ACCOUNTS_MAX);
    plans
}

fn read_account(section: &mut Section<'_>, usual: &Usual<'_>, plan: &mut AccountPlan) {
    plan.policy = Arc::new(screening::policy(section, usual.lists));
    let AccountPlan { account, queue_max, part_receipts, profile, times, rules, bulk_tlv, .. } = plan;
    section.set_text("durability", |text| choice(text, &DURABILITIES), &mut plan.durability);
    account.system_id = section.required("system_id", system_id).unwrap_or_default();
    account.password = section.required("password", password).unwrap_or_default();
    plan.group = section.text("group", |text| octets(text, 1..=NAME_MAX, "our word for some accounts"));
    section.set("binds", 1..=10_000, &mut account.binds);
    section.set("window", 1..=10_000, &mut account.window);
    section.set("deliver_window", 1..=10_000, &mut account.deliver_window);
    section.set("queue_max", 1..=1_000_000_000, queue_max);
    account.version = section.text("version", |text| choice(text, &VERSIONS));
    let forms = [("deliver_sm", Command::DELIVER_SM), ("data_sm", Command::DATA_SM)];
    section.set_text("deliver_as", |text| choice(text, &forms), &mut account.deliver_as);
    let receipts =
        [("worst", PartReceipts::Worst), ("last", PartReceipts::Last), ("each", PartReceipts::Each)];
    section.set_text("part_receipts", |text| choice(text, &receipts), part_receipts);
    section.set_flag("join_inbound", &mut plan.join_inbound);
    section.set_flag("short_relative_times", &mut times.rules.short_relative);
    section.set_flag("lower_case_relative", &mut times.rules.lower_case_r);
    section.set_flag("wide_offsets", &mut times.rules.wide_offsets);
    let origins = [("submission", ValidityFrom::Submission), ("schedule", ValidityFrom::Schedule)];
    section.set_text("validity_from", |text| choice(text, &origins), &mut times.validity_from);
    *bulk_tlv = section.number("bulk_tlv", VENDOR_TAGS).map(|tag| Tag(tag as u16)); // in range
    *rules = own_rules(section, &usual.rules);
    *profile = profile::account(section);
    pace::account(section, plan);
    let AccountPlan { account, .. } = plan;
    let is_called = section.has("outbind");
    let outbind = &mut section.section("outbind");
    if is_called {
        account.outbind = Some(Outbind {
            address: outbind.required("address", address).unwrap_or_default(),
            password: outbind.required("password", password).unwrap_or_default(),
        });
    }
}

/// Its own validity, where it has one.
fn own_rules(section: &mut Section<'_>, all: &Rules) -> Option<Rules> {
    let minutes = |section: &mut Section<'_>, key| {
        section.number(key, 1..=VALIDITY_MAX_MIN).map(|minutes| Duration::from_secs(minutes * 60))
    };
    let (longest, usual) = (minutes(section, "max_validity_min"), minutes(section, "default_validity_min"));
    if longest.is_none() && usual.is_none() {
        return None;
    }
    let max_validity = longest.unwrap_or(all.max_validity);
    let default_validity = usual.unwrap_or(all.default_validity.min(max_validity));
    if default_validity > max_validity {
        let longest = max_validity.as_secs() / 60;
        section.fault(
            "default_validity_min",
            format!("is longer than its longest validity, which is {longest}"),
        );
    }
    Some(Rules { max_validity, default_validity, ..*all })
}

/// A carrier at its defaults, without a name.
pub(super) fn carrier() -> CarrierPlan {
    CarrierPlan::new(Carrier::new("", ""))
}

pub(super) fn carriers(document: &mut Section<'_>, common: &Retry) -> Vec<CarrierPlan> {
    let mut plans: Vec<CarrierPlan> = Vec::new();
    let (mut names, mut callers) = (HashSet::new(), HashSet::new());
    for section in &mut document.list("carrier") {
        let plan = read_carrier(section, common);
        let name = &plan.carrier.name;
        if !name.is_empty() && !names.insert(name.clone()) {
            section.fault("name", format!("\"{name}\" is the name of a carrier before it"));
        }
        let caller = plan.carrier.outbind.as_ref().map(|caller| caller.system_id.clone());
        if let Some(caller) = caller.filter(|caller| !callers.insert(caller.clone())) {
            section.fault("outbind", format!("a carrier before it calls itself \"{caller}\" too"));
        }
        plans.push(plan);
    }
    check_count(document, "carrier", plans.len(), CARRIERS_MAX);
    plans
}

fn read_carrier(section: &mut Section<'_>, common: &Retry) -> CarrierPlan {
    let mut plan = carrier();
    let CarrierPlan { carrier, ids, .. } = &mut plan;
    carrier.name =
        section.required("name", |text| octets(text, 1..=NAME_MAX, "our word for it")).unwrap_or_default();
    carrier.address = section.required("address", address).unwrap_or_default();
    carrier.system_id = section.required("system_id", system_id).unwrap_or_default();
    section.set_text("password", |text| octets(text, 0..=8, PASSWORD_HINT), &mut carrier.password);
    section.set_text("system_type", |text| octets(text, 0..=12, "SMPP's limit"), &mut carrier.system_type);
    let declared = VERSIONS.map(|(name, version)| (name, version.octet()));
    section.set_text("version", |text| choice(text, &declared), &mut carrier.interface_version);
    carrier.version = section.text("treat_as", |text| choice(text, &VERSIONS));
    let [transceiver, transmitter, receiver] =
        [BindKind::Transceiver, BindKind::Transmitter, BindKind::Receiver]
            .map(|kind| (kind.name(), (kind, false)));
    let kinds = [transceiver, transmitter, receiver, ("pair", (BindKind::Transmitter, true))];
    if let Some(kind) = section.text("bind", |text| choice(text, &kinds)) {
        (carrier.bind, carrier.pairs) = kind;
    }
    carrier.outbind = read_caller(section);
    section.set("links", 0..=1000, &mut carrier.links);
    if carrier.links == 0 && carrier.outbind.is_none() {
        section.fault("links", "is 0, and without a [carrier.outbind] it doesn't call us either");
    }
    section.set("window", 1..=10_000, &mut carrier.window);
    carrier.response = section.number("response_s", 1..=3600).map(Duration::from_secs);
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
    let habits =
        [("never", Unmarked::Never), ("by_parameter", Unmarked::ByParameter), ("by_text", Unmarked::ByText)];
    section.set_text("unmarked_receipts", |text| choice(text, &habits), &mut carrier.unmarked_receipts);
    section.set_flag("data_sm", &mut carrier.takes_data_sm);
    section.set_flag("pass_schedule", &mut carrier.passes_schedule);
    section.set_flag("broadcast", &mut carrier.broadcasts);
    carrier.profile = profile::carrier(section);
    pace::carrier(section, carrier);
    carrier.duties = conduct::duties(section);
    conduct::read(section, common, &mut plan);
    plan
}

fn read_caller(section: &mut Section<'_>) -> Option<Caller> {
    let calls = section.has("outbind");
    let outbind = &mut section.section("outbind");
    calls.then(|| Caller {
        system_id: outbind.required("system_id", system_id).unwrap_or_default(),
        password: outbind.required("password", password).unwrap_or_default(),
    })
}

pub(super) fn lists(document: &mut Section<'_>, accounts: &[AccountPlan]) -> Vec<List> {
    let mut lists: Vec<List> = Vec::new();
    let named = |text: &str| account_named(text, accounts);
    let mut entries = document.list("list");
    for section in &mut entries {
        let name = section
            .required("name", |text| octets(text, 1..=20, "SMPP's limit for a dl_name (SMPP 3.4 §5.2.27)"))
            .unwrap_or_default();
        let account = section.text("account", named);
        if !name.is_empty() && lists.iter().any(|list| list.name == name && list.account == account) {
            section.fault("name", format!("\"{name}\" is the name of a list before it"));
        }
        let members = section.texts("members", member);
        if members.is_empty() || members.len() > MEMBERS_MAX {
            section.fault("members", format!("has {} members, not 1 to {MEMBERS_MAX}", members.len()));
        }
        lists.push(List { name, account, members });
    }
    let count = entries.len();
    drop(entries);
    if count > LISTS_MAX {
        document.fault("list", format!("{count} are too many; at most {LISTS_MAX}"));
    }
    lists
}

/// The account of that name.
pub(super) fn account_named(text: &str, accounts: &[AccountPlan]) -> Result<AccountId, String> {
    let is_named = |plan: &AccountPlan| !text.is_empty() && plan.account.system_id == text;
    let place = accounts.iter().position(is_named);
    place.map(|place| AccountId(place as u16)).ok_or_else(|| format!("no account is named \"{text}\""))
}

/// A destination: an international number if it begins with a plus sign, otherwise one of unknown kind.
fn member(text: &str) -> Result<Member, String> {
    let (ton, npi, digits) = match text.strip_prefix('+') {
        Some(digits) => (1, 1, digits),
        None => (0, 0, text),
    };
    let addr = octets(digits, 1..=20, "SMPP's limit for an address (SMPP 3.4 §5.2.9)")?;
    Ok(Member { ton, npi, addr })
}

/// Each account in the place that it has in `names`, the others behind.
pub(super) fn placed_accounts(plans: Vec<AccountPlan>, names: &Names) -> Vec<AccountPlan> {
    placed(plans, &names.accounts, |plan| &plan.account.system_id, account)
}

/// The same of carriers.
pub(super) fn placed_carriers(plans: Vec<CarrierPlan>, names: &Names) -> Vec<CarrierPlan> {
    placed(plans, &names.carriers, |plan| &plan.carrier.name, carrier)
}

fn placed<T>(plans: Vec<T>, names: &[String], name: impl Fn(&T) -> &str, nobody: impl Fn() -> T) -> Vec<T> {
    let places: HashMap<&str, usize> = names.iter().map(String::as_str).zip(0..).collect();
    let mut all: Vec<T> = names.iter().map(|_| nobody()).collect();
    for plan in plans {
        match places.get(name(&plan)) {
            Some(place) => all[*place] = plan,
            None => all.push(plan),
        }
    }
    all
}

fn check_count(document: &Section<'_>, key: &str, count: usize, max: usize) {
    if count == 0 {
        document.fault(key, format!("at least one [[{key}]] is needed"));
    }
    if count > max {
        document.fault(key, format!("{count} are too many; at most {max}"));
    }
}

/// What an account's answers wait for.
pub(super) const DURABILITIES: [(&str, Durability); 3] =
    [("disk", Durability::Disk), ("os", Durability::Os), ("memory", Durability::Memory)];

const VERSIONS: [(&str, Version); 3] = [("3.3", Version::V33), ("3.4", Version::V34), ("5.0", Version::V50)];

/// Tags that vendors may give a meaning (SMPP 3.4 §5.3.2).
const VENDOR_TAGS: std::ops::RangeInclusive<u64> = 0x1400..=0x3FFF;
/// Octets of a carrier's name, which is in each of its records and series.
const NAME_MAX: usize = 64;
/// An `AccountId` counts further; this is for people.
const ACCOUNTS_MAX: usize = 50_000;
/// A year.
const VALIDITY_MAX_MIN: u64 = 525_600;
const CARRIERS_MAX: usize = 10_000;
const LISTS_MAX: usize = 10_000;
/// A submit_multi to one list becomes so many messages at once.
const MEMBERS_MAX: usize = 10_000;
