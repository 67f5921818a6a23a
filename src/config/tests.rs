//! What a configuration file means, and that a faulty one is told all its faults.

use super::section::UNKNOWN;
use super::*;
use crate::carrier::{Caller, Duties, Numbering, Receipts, Validity};
use crate::codec::{Class, Status, Tag};
use crate::hub::{Durability, Member, Unanswered};
use crate::id::{AccountId, CarrierId};
use crate::route::Choice;
use crate::route::inbound::Case;
use crate::session::BindKind;
use crate::text::Alphabet;
use std::collections::BTreeSet;

const SAMPLE: &str = include_str!("../../docs/enroute.toml");
/// The sample where it is: the files that it names lie beside it.
const BESIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/enroute.toml");
const REFERENCE: &str = include_str!("../../docs/configuration.md");

/// A sound file with one account and one carrier, and `more`.
fn with(more: &str) -> String {
    format!(
        r#"
[[account]]
system_id = "demo"
password = "demo"
[[carrier]]
name = "sim"
address = "127.0.0.1:2776"
system_id = "enroute"
[route]
default = "sim"
{more}"#
    )
}

fn faults(text: &str) -> Vec<String> {
    let faults = Config::parse(text, "enroute.toml").expect_err("faulty");
    faults.iter().map(Fault::to_string).collect()
}

/// Every line of the sample that is a key, or would be without its comment sign.
fn sample_with_all_keys() -> String {
    let is_entry = |line: &str| line.starts_with('[') || line.contains(" = ");
    let lines = SAMPLE.lines().map(|line| match line.strip_prefix("# ") {
        Some(rest) if is_entry(rest) => rest,
        Some(_) | None => line,
    });
    lines.map(|line| line.to_owned() + "\n").collect()
}

/// All keys that the parser asks for, without the numbers of list entries: it names them when it meets an unknown one.
fn all_keys() -> BTreeSet<String> {
    let with_stranger = |line: &str| match line.starts_with('[') {
        true => format!("{line}\nstranger = 0\n"),
        false => format!("{line}\n"),
    };
    let text: String = sample_with_all_keys().lines().map(with_stranger).collect();
    let faults = Config::parse(&text, BESIDE).expect_err("strangers");
    let mut keys = BTreeSet::new();
    for fault in faults {
        let known = fault.message.strip_prefix(UNKNOWN).expect("no other faults");
        let table = fault.field.strip_suffix("stranger").expect("no other faults");
        let table = table.replace("[0]", "").replace("[1]", "");
        keys.extend(known.split(", ").map(|key| format!("{table}{key}")));
    }
    // A table's own name is no key.
    let is_table = |name: &String| keys.iter().any(|key| key.starts_with(&format!("{name}.")));
    let tables: Vec<String> = keys.iter().filter(|key| is_table(key)).cloned().collect();
    keys.retain(|key| !tables.contains(key));
    keys
}

#[test]
fn sample_is_the_defaults() {
    let sample = Config::parse(SAMPLE, "sample").expect("sound");

    let defaults = Config::default_plan("127.0.0.1:2776");
    assert_eq!(format!("{sample:#?}"), format!("{defaults:#?}"));
}

#[test]
fn file_with_the_least_in_it_is_the_defaults_too() {
    let mut least = Config::parse(&with(""), "least").expect("sound");
    let usual = Config::default_plan("127.0.0.1:2776").plan.hub.accounts;
    least.plan.hub.accounts[0].policy = Arc::clone(&usual[0].policy); // the demonstration takes any sender

    assert_eq!(least.plan.hub.carriers[0].carrier.password, "");
    least.plan.hub.carriers[0].carrier.password = "enroute".to_owned();
    assert_eq!(format!("{least:#?}"), format!("{:#?}", Config::default_plan("127.0.0.1:2776")));
}

#[test]
fn sample_and_reference_have_every_key() {
    let keys = all_keys();

    assert!(keys.len() > 65, "{keys:?}");
    for key in &keys {
        assert!(REFERENCE.contains(&format!("`{key}`")), "docs/configuration.md lacks {key}");
        let last = key.rsplit('.').next().unwrap_or(key);
        let begins = |line: &str| line.trim_start_matches("# ").starts_with(&format!("{last} = "));
        assert!(SAMPLE.lines().any(begins), "docs/enroute.toml lacks {key}");
    }
}

#[test]
fn account_without_a_durability_has_that_of_the_spool() {
    let text = with("[[account]]\nsystem_id = \"otp\"\npassword = \"otp\"\ndurability = \"disk\"")
        + "\n[spool]\ndurability = \"memory\"";

    let config = Config::parse(&text, "").expect("sound");

    let durabilities: Vec<_> = config.plan.hub.accounts.iter().map(|plan| plan.durability).collect();
    assert_eq!(durabilities, [Durability::Memory, Durability::Disk]);
    let plain = Config::parse(&with(""), "").expect("sound");
    assert_eq!(plain.plan.hub.accounts[0].durability, Durability::Disk);
}

#[test]
fn every_key_reaches_its_setting() {
    let defaults = format!("{:?}", Config::parse(&sample_with_all_keys(), BESIDE).expect("sound"));
    let changed = |line: &str| {
        let (key, rest) = line.split_once(" = ")?;
        let value = rest.split(" #").next().unwrap_or(rest).trim();
        let new = match key {
            "address" => "\"127.0.0.1:1\"",
            "directory" | "system_id" | "password" | "system_type" => "\"other\"",
            "version" | "treat_as" => "\"5.0\"",
            "deliver_as" => "\"data_sm\"",
            // That of [spool] counts for accounts without their own; see the test of both.
            "durability" if line.contains("unless") => return None,
            "durability" => "\"os\"",
            "part_receipts" => "\"each\"",
            "alphabet" => "\"ascii\"",
            "unmarked_receipts" => "\"never\"",
            "join_inbound" | "data_sm" | "broadcast" | "pass_schedule" => "true",
            "unreceipted" => "\"expired\"",
            "missing_characters" => "\"replace\"",
            "long_messages" => "\"sar\"",
            "value" => "\"\"",
            "delays_s" => "[7]",
            "jitter" | "share" => "0.5",
            "to" if value.contains(':') => "\"03:00\"",
            "from" if value.contains(':') => "\"22:15\"",
            "days" => "[\"mon\"]",
            "utc_offset" => "\"+05:30\"",
            "rate" => "7.5",
            "over_limit" => "\"queue\"",
            "octet" | "tag" => "7",
            "to" if value.starts_with('"') => "\"19:00\"",
            "to" => "0x1500",
            "group" => "\"other\"",
            "accounts" | "account_groups" => "[]",
            "prefixes" => "[\"48\"]",
            "networks" => "[\"239\"]",
            "sources" => "[\"OTHER\"]",
            "source_kinds" => "[\"national\"]",
            "data_coding" | "priorities" => "[7]",
            "service_types" => "[\"WAP\"]",
            "esm_class" => "4",
            "weekdays" => "[\"tue\"]",
            "from" if value.starts_with('"') => "\"07:00\"",
            "zone" => "\"+01:00\"",
            "percent" => "7.5",
            "kind" if value == "\"cheapest\"" => "\"failover\"",
            "weights" => "[5, 1]",
            "price" => "\"0.5\"",
            // What they name has to be there; see tests/routing.rs.
            "number_plan" | "prefix_file" | "file" | "target" | "kind" => return None,
            "members" if !value.contains('+') => return None,
            "unanswered" => "\"fail\"",
            "receipts" => "\"never\"",
            "validity" => "\"none\"",
            "class" => "\"session\"",
            "source_by_kind" | "destination_by_kind" => "true",
            "bulk_tlv" => "0x1404",
            "members" => "[\"+4477\"]",
            // What it needs beside it is another one's; see the test of the rules.
            "action" => return None,
            "bind" => "\"receiver\"",
            "senders" => "[\"1\"]",
            "sender_default" => "\"77\"",
            "block" | "allow" => "[\"blocked.txt\", \"blocked.txt\"]",
            "opt_out" => "\"sender\"",
            "opt_out_words" | "opt_in_words" => "[\"NO\"]",
            "of" => "\"source\"",
            "replace" | "source" | "source_prefix" => "\"49\"",
            "level" => "\"debug\"",
            "response_ids" | "receipt_ids" => "\"hex\"",
            "prefix" => "\"48\"",
            "destination" => "\"+4910\"",
            "keyword" => "\"go\"",
            // Routes by name: another name needs another carrier.
            "name" | "default" | "carrier" | "account" | "failover" => return None,
            "default_h" => "47",
            "reconnect_min_ms" => "999",
            _ => return Some(format!("{key} = {}", value.parse::<u64>().ok()? + 1)),
        };
        Some(format!("{key} = {new}"))
    };
    let text = sample_with_all_keys();
    let lines: Vec<&str> = text.lines().collect();
    let mut tried = 0;
    for (place, line) in lines.iter().enumerate() {
        let Some(new) = changed(line) else { continue };
        let mut other = lines.clone();
        other[place] = &new;

        let mut other = other.join("\n");
        if line.starts_with("system_id = \"demo\"") {
            other = other.replace("account = \"demo\"", "account = \"other\""); // a list names it
            other = other.replace("accounts = [\"demo\"]", "accounts = [\"other\"]"); // and a rule
        }
        if line.starts_with("group = ") {
            other = other.replace("[\"retail\"]", "[\"other\"]"); // a rule names it
        }
        if line.starts_with("system_id = \"second\"") {
            other = other.replace("failover = \"second\"", "failover = \"other\"");
        }
        let config = Config::parse(&other, BESIDE).expect("sound");

        assert_ne!(format!("{config:?}"), defaults, "{new} changes nothing");
        tried += 1;
    }
    assert!(tried > 65, "{tried} keys");
}

#[test]
fn profiles_are_what_is_written() {
    let text = r#"
[[carrier]]
name = "odd"
address = "127.0.0.1:2776"
system_id = "enroute"
links = 0
[carrier.outbind]
system_id = "smsc"
password = "theirs"
[[carrier.coding]]
octet = 3
alphabet = "latin1"
[[carrier.coding]]
octet = 0xF3
alphabet = "latin1"
[[carrier.tlv]]
tag = 0x1400
action = "add"
value = "00fF"
[[carrier.tlv]]
tag = 0x1401
action = "drop"
[[carrier.tlv]]
tag = 0x1402
action = "rename"
to = 0x1403
"#;

    let config = Config::parse(&with(text), "").expect("sound");

    let carrier = &config.plan.hub.carriers[1].carrier;
    let profile = &carrier.profile;
    assert_eq!((profile.meaning(0xF3), profile.meaning(3)), (Alphabet::Latin1, Alphabet::Latin1));
    assert_eq!(profile.octet(Alphabet::Latin1), Some(3));
    assert_eq!(profile.tlvs.add, [(Tag(0x1400), vec![0, 0xFF])]);
    assert_eq!(profile.tlvs.drop, [Tag(0x1401)]);
    assert_eq!(profile.tlvs.rename, [(Tag(0x1402), Tag(0x1403))]);
    let caller = Caller { system_id: "smsc".to_owned(), password: "theirs".to_owned() };
    assert_eq!((carrier.links, &carrier.outbind), (0, &Some(caller)));
}

#[test]
fn carrier_is_taken_as_it_says() {
    let text = r#"
[[carrier]]
name = "far"
address = "127.0.0.1:2777"
system_id = "enroute"
bind = "pair"
response_s = 30
unanswered = "assume_sent"
receipts = "never"
validity = "absolute"
validity_max_min = 60
source_by_kind = true
destination_ton = 2
[[carrier.status]]
code = 0x45
class = "transient"
[[carrier.status]]
from = 0x400
to = 0x4FF
class = "permanent"
[carrier.retry.transient]
delays_s = [3]
"#;

    let config = Config::parse(&with(text), "").expect("sound");

    let plan = &config.plan.hub.carriers[1];
    let carrier = &plan.carrier;
    let kinds = [0, 1].map(|number| carrier.bind_of(number));
    assert_eq!((carrier.sessions(), kinds), (4, [BindKind::Transmitter, BindKind::Receiver]));
    assert_eq!((carrier.response, plan.unanswered), (Some(Duration::from_secs(30)), Unanswered::AssumeSent));
    let numbering = |by_kind, ton| Numbering { by_kind, ton, npi: None };
    let duties = Duties {
        source: numbering(true, None),
        destination: numbering(false, Some(2)),
        receipts: Receipts::Never,
        validity: Validity::Absolute,
        validity_max: Some(Duration::from_secs(3600)),
    };
    assert_eq!(carrier.duties, duties);
    let classes = [0x45, 0x401, 0x08].map(|code| plan.statuses.class(Status(code)));
    assert_eq!(classes, [Class::Transient, Class::Permanent, Class::Transient]);
    let (retry, common) = (plan.retry.as_ref().expect("its own"), &config.plan.hub.retry);
    assert_eq!(retry.transient.delays, [Duration::from_secs(3)]);
    assert_eq!((&retry.unknown, &retry.throttle), (&common.unknown, &common.throttle));
    assert_eq!(config.plan.hub.carriers[0].retry, None);
}

#[test]
fn faults_of_statuses_are_told() {
    let text = r#"
[[carrier.status]]
class = "transient"
[[carrier.status]]
code = 1
from = 2
class = "route"
[[carrier.status]]
from = 0x20
to = 0x10
class = "route"
[[carrier.status]]
to = 0x10
class = "nice"
[[carrier.status]]
code = 0
class = "route"
"#;
    let text = with("").replace("[route]", &format!("{text}[route]"));

    let faults = faults(&text);

    let expected = [
        "carrier[0].status[0].code: is missing",
        "carrier[0].status[1].code: stands beside a range",
        "carrier[0].status[2].from: the range ends before it begins",
        "carrier[0].status[3].from: is missing",
        "carrier[0].status[3].class: \"nice\" is none of",
        "carrier[0].status[4].code: 0 is ESME_ROK",
    ];
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for (fault, expected) in faults.iter().zip(expected) {
        assert!(fault.contains(expected), "{fault} is not {expected}");
    }
}

#[test]
fn lists_name_their_account_and_the_kind_of_each_number() {
    let config = Config::parse(
        &with("[[list]]\nname = \"staff\"\naccount = \"demo\"\nmembers = [\"+4477\", \"123\"]\n"),
        "",
    )
    .expect("sound");

    let member = |ton, npi, addr: &str| Member { ton, npi, addr: addr.to_owned() };
    let list = &config.plan.hub.lists[0];
    assert_eq!(
        (list.account, &list.members[..]),
        (Some(AccountId(0)), &[member(1, 1, "4477"), member(0, 0, "123")][..])
    );
}

#[test]
fn faults_of_profiles_lists_and_calls_are_told() {
    let text = r#"[[account]]
system_id = "demo"
password = "demo"
deliver_as = "submit_sm"
version = "3.5"
alphabet = "ucs2"
[account.outbind]
address = "here"
[[account.coding]]
octet = 256
alphabet = "klingon"
[[carrier]]
name = "sim"
address = "127.0.0.1:2776"
system_id = "enroute"
links = 0
data_sm = "yes"
[[carrier.tlv]]
tag = 0x1400
action = "add"
[[carrier.tlv]]
tag = 0x1400
action = "drop"
to = 5
[[carrier.tlv]]
tag = 0x1401
action = "add"
value = "abc"
[[carrier.coding]]
octet = 3
alphabet = "gsm"
[[carrier.coding]]
octet = 3
alphabet = "ucs2"
[route]
default = "sim"
[[list]]
name = "staff"
account = "nobody"
members = ["+", 5]
"#;

    let faults = faults(text);

    let expected = [
        "enroute.toml:4: account[0].deliver_as: \"submit_sm\" is none of deliver_sm, data_sm",
        "enroute.toml:5: account[0].version: \"3.5\" is none of 3.3, 3.4, 5.0",
        "enroute.toml:6: account[0].alphabet: \"ucs2\" is none of gsm, ",
        "enroute.toml:7: account[0].outbind.password: is missing",
        "enroute.toml:8: account[0].outbind.address: \"here\" is not host:port",
        "enroute.toml:10: account[0].coding[0].octet: 256 is outside 0..=255",
        "enroute.toml:11: account[0].coding[0].alphabet: \"klingon\" is none of gsm, ",
        "enroute.toml:16: carrier[0].links: is 0, and without a [carrier.outbind]",
        "enroute.toml:17: carrier[0].data_sm: must be true or false, is a TOML string",
        "enroute.toml:18: carrier[0].tlv[0].value: is missing",
        "enroute.toml:24: carrier[0].tlv[1].to: belongs to the action \"rename\" only",
        "enroute.toml:28: carrier[0].tlv[2].value: \"abc\" is not an even number of hexadecimal digits",
        "enroute.toml:33: carrier[0].coding[1].octet: 0x03 is there twice",
        "enroute.toml:39: list[0].account: no account is named \"nobody\"",
        "enroute.toml:40: list[0].members[0]: is 0 octets long, not 1 to 20",
        "enroute.toml:40: list[0].members[1]: must be a text, is a TOML integer",
        "enroute.toml:40: list[0].members: has 0 members, not 1 to 10000",
    ];
    for (fault, expected) in faults.iter().zip(expected) {
        assert!(fault.starts_with(expected), "{fault}\nis not\n{expected}");
    }
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
}

#[test]
fn all_faults_are_told_at_once_with_their_lines() {
    let text = r#"[listener]
adress = "127.0.0.1:2775"
max_connections = "many"
[[account]]
system_id = "demo"
password = "demo"
window = 0
[[account]]
system_id = "demo"
password = "far too long"
[[account]]
system_id = "sixteen octets!!"
[[carrier]]
name = "sim"
address = "nowhere"
system_id = "enroute"
[[carrier]]
name = "sim"
address = "127.0.0.1:0"
system_id = "enroute"
bind = "sideways"
reconnect_min_ms = 70000
[route]
default = "nobody"
[[route.prefix]]
prefix = "49"
carrier = "nobody"
[[route.prefix]]
prefix = "49"
carrier = "sim"
[[route.prefix]]
prefix = "4x"
carrier = "sim"
"#;

    let faults = faults(text);

    let expected = [
        "enroute.toml:2: listener.adress: unknown key; known here: address, ",
        "enroute.toml:3: listener.max_connections: must be a whole number, is a TOML string",
        "enroute.toml:7: account[0].window: 0 is outside 1..=10000",
        "enroute.toml:9: account[1].system_id: \"demo\" is the name of an account before it",
        "enroute.toml:10: account[1].password: is 12 octets long, not 1 to 8: SMPP's limit",
        "enroute.toml:11: account[2].password: is missing",
        "enroute.toml:12: account[2].system_id: is 16 octets long, not 1 to 15: SMPP's limit",
        "enroute.toml:15: carrier[0].address: \"nowhere\" is not host:port",
        "enroute.toml:18: carrier[1].name: \"sim\" is the name of a carrier before it",
        "enroute.toml:19: carrier[1].address: \"127.0.0.1:0\" has port 0",
        "enroute.toml:21: carrier[1].bind: \"sideways\" is none of transceiver, transmitter, receiver",
        "enroute.toml:22: carrier[1].reconnect_min_ms: is longer than reconnect_max_ms, which is 60000",
        "enroute.toml:24: route.default: no carrier and no group is named \"nobody\"",
        "enroute.toml:27: route.prefix[0].carrier: no carrier and no group is named \"nobody\"",
        "enroute.toml:29: route.prefix[1].prefix: prefix \"49\" is there twice",
        "enroute.toml:32: route.prefix[2].prefix: prefix \"4x\" is not digits and nothing else",
    ];
    for (fault, expected) in faults.iter().zip(expected) {
        assert!(fault.starts_with(expected), "{fault}\nis not\n{expected}");
    }
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
}

#[test]
fn empty_file_lacks_account_carrier_and_route() {
    let faults = faults("");

    assert_eq!(faults.len(), 3, "{faults:?}");
    assert_eq!(faults[0], "enroute.toml:1: account: at least one [[account]] is needed");
}

#[test]
fn file_that_is_not_toml_is_told_where() {
    let faults = faults("[listener]\naddress = \n[http\n");

    assert!(faults[0].starts_with("enroute.toml:2: "), "{faults:?}");
    assert!(faults.iter().any(|fault| fault.starts_with("enroute.toml:3: ")), "{faults:?}");
}

#[test]
fn table_where_a_value_belongs_and_the_other_way_round_are_faults() {
    let faults = faults(&with("[listener.address]\nx = 1\n[spool]\ndirectory = 5\n[[http]]\n"));

    assert!(faults[0].contains("listener.address: must be a text, is a TOML table"), "{faults:?}");
    assert!(faults[1].contains("spool.directory: must be a text, is a TOML integer"), "{faults:?}");
    assert!(faults[2].contains("http: must be a table, is a TOML array"), "{faults:?}");
    assert_eq!(faults.len(), 3);
}

#[test]
fn times_that_contradict_each_other_or_cannot_be_are_faults() {
    let faults = faults(&with(
        "[validity]\nmax_h = 24\ndefault_h = 25\n[retry.unknown]\ndelays_s = [7, 0]\njitter = 1.5\n[retry.throttle]\nattempts = 3\n[retry.transient]\ndelays_s = []\n",
    ));

    assert_eq!(
        faults,
        [
            "enroute.toml:13: validity.default_h: is longer than max_h, which is 24",
            "enroute.toml:15: retry.unknown.delays_s[1]: is no whole number in 1..=604800",
            "enroute.toml:16: retry.unknown.jitter: 1.5 is outside 0..=1",
            "enroute.toml:18: retry.throttle.attempts: unknown key; known here: delays_s, jitter",
            "enroute.toml:20: retry.transient.delays_s: has 0 numbers, not 1 to 100",
        ]
    );
}

#[test]
fn accounts_may_have_their_own_validity() {
    let own = "[[account]]\nsystem_id = \"otp\"\npassword = \"x\"\nmax_validity_min = 10\n";
    let config = Config::parse(&with(own), "").expect("sound");

    let [all, otp] = &config.plan.hub.accounts[..] else { panic!("two accounts") };
    let minutes = |rules: crate::admission::Rules| {
        (rules.max_validity.as_secs() / 60, rules.default_validity.as_secs() / 60)
    };
    assert_eq!((all.rules, otp.rules.map(minutes)), (None, Some((10, 10))));
    let faults = faults(&with(&format!("{own}default_validity_min = 11\n")));
    let place = "account[1].default_validity_min: is longer than its longest validity, which is 10";
    assert!(faults[0].ends_with(place), "{faults:?}");
}

/// A shorter longest validity alone is no contradiction: the default follows it.
#[test]
fn default_validity_is_at_most_the_longest() {
    let config = Config::parse(&with("[validity]\nmax_h = 24\n"), "").expect("sound");

    assert_eq!(config.plan.hub.rules.default_validity, Duration::from_secs(24 * 3600));
}

#[test]
fn numbers_beyond_any_integer_are_out_of_range_not_a_panic() {
    let text = with("[limits]\nmessages = 99999999999999999999999\nearly_receipts = -1\n");

    let faults = faults(&text);

    assert!(faults[0].ends_with("99999999999999999999999 is outside 1..=1000000000"), "{faults:?}");
    assert!(faults[1].ends_with("-1 is outside 1..=100000000"), "{faults:?}");
}

#[test]
fn rules_for_messages_of_handsets_name_carriers_and_accounts() {
    let text = with(
        r#"
[[inbound]]
account = "demo"
destination = "+10010"
keyword = "Stop"
carrier = "sim"
"#,
    );
    let inbound = Config::parse(&text, "").expect("sound").plan.hub.inbound;
    let case = |carrier, keyword| Case {
        carrier: CarrierId(carrier),
        destination: b"10010",
        source: b"447700900123",
        keyword,
    };

    assert_eq!(inbound.choose(&case(0, Some("stop"))), Choice::To(AccountId(0)));
    assert_eq!(inbound.choose(&case(0, Some("go"))), Choice::Nowhere);
    assert_eq!(inbound.choose(&case(1, Some("stop"))), Choice::Nowhere);
}

#[test]
fn faulty_rules_for_messages_of_handsets_are_told() {
    let rule = |lines: &str| format!("[[inbound]]\naccount = \"demo\"\n{lines}\n");
    for (text, expected) in [
        ("[[inbound]]\n".to_owned(), "inbound[0].account: is missing"),
        (rule("account = \"demo\"").replacen("demo", "nobody", 1), "duplicate key"),
        ("[[inbound]]\naccount = \"nobody\"".to_owned(), "no account is named \"nobody\""),
        (rule("carrier = \"west\""), "no carrier is named \"west\""),
        (rule("prefix = \"1\"\ndestination = \"10\""), "inbound[0].prefix: stands beside destination"),
        (rule("prefix = \"\""), "is 0 octets long, not 1 to 20"),
        (rule("keyword = \"two words\""), "is not one word"),
        (rule("keyword = \"?\""), "is not one word"),
        (rule("") + &rule(""), "inbound[1].account: a rule before it is for the same messages"),
    ] {
        let faults = faults(&with(&text));
        assert!(faults.iter().any(|fault| fault.contains(expected)), "{expected}: {faults:?}");
    }
}
