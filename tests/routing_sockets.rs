//! Rules, groups and prices from the configuration to the carrier, over sockets: with a foreign library.

mod support;

use serde_json::{Value, json};
use support::bridge::{Peer, text_of};
use support::stage::{Plan, Stage, short, with};

/// Accounts `bank` and `shop` (of the group retail), and the carriers alpha (destinations 1), beta (2) and gamma (3).
fn plan() -> Plan {
    let plan = Plan::new()
        .account("bank", "senders = [\"#\", \"BANK*\"]")
        .account("shop", "group = \"retail\"\nsenders = [\"*\"]");
    plan.carrier("alpha", "1", "").carrier("beta", "2", "").carrier("gamma", "3", "")
}

/// Submits, and sees it come out of one carrier and none of the others.
fn goes_to(esme: &Peer, carriers: &[(&str, &Peer)], fields: Value, wanted: &str) {
    let text = fields["short_message"].as_str().expect("a text").to_owned();
    esme.agreed("submit_sm", fields);
    let (_, carrier) = carriers.iter().find(|(name, _)| *name == wanted).expect("one of them");

    let submit = carrier.take_submit(&format!("id of {text}"));

    assert_eq!(text_of(&submit), text);
}

fn all_three(stage: &Stage) -> [(&'static str, Peer); 3] {
    ["alpha", "beta", "gamma"].map(|name| (name, stage.carrier(name)))
}

#[test]
fn rule_takes_what_fits_it_by_account_source_coding_parameter_service_priority_segments_and_file() {
    let rules = r#"
[[route.rule]]
name = "codes"
accounts = ["bank"]
sources = ["BANK*"]
priorities = [3]
target = "beta"
[[route.rule]]
name = "tagged"
target = "gamma"
[[route.rule.tlv]]
tag = 0x0204
value = "0007"
[[route.rule]]
name = "served"
service_types = ["OTP"]
target = "gamma"
[[route.rule]]
name = "long"
segments_min = 2
segments_max = 2
target = "beta"
[[route.rule]]
name = "retail abroad"
account_groups = ["retail"]
prefix_file = "abroad.csv"
source_kinds = ["short_code", "national"]
target = "alpha"
"#;
    let plan = plan().more(rules).file("abroad.csv", "prefix;target\n49;beta\n4917;\n491;gamma\n");
    let Some(stage) = plan.start("routing_sockets") else { return };
    let (bank, shop) = (stage.esme("bank", 0x34), stage.esme("shop", 0x34));
    let carriers = all_three(&stage);
    let carriers = carriers.each_ref().map(|(name, peer)| (*name, peer));
    let code = json!({ "source_addr_ton": 5, "source_addr": "BANK-DE", "priority_flag": 3 });

    goes_to(&bank, &carriers, with(short("1000", "code"), code.clone()), "beta");
    goes_to(&shop, &carriers, with(short("1000", "not of a bank"), code), "alpha");
    goes_to(&bank, &carriers, short("1000", "no code"), "alpha");
    goes_to(&bank, &carriers, with(short("1000", "tagged"), json!({ "user_message_reference": 7 })), "gamma");
    goes_to(
        &bank,
        &carriers,
        with(short("1000", "otherwise"), json!({ "user_message_reference": 8 })),
        "alpha",
    );
    goes_to(&bank, &carriers, with(short("2000", "served"), json!({ "service_type": "OTP" })), "gamma");
    goes_to(&bank, &carriers, short("1000", &"x".repeat(200)), "beta");
    goes_to(&shop, &carriers, short("4930123456", "to Berlin"), "beta");
    goes_to(&shop, &carriers, short("4915123456", "to a mobile"), "gamma");
    goes_to(&shop, &carriers, short("4917123456", "to another"), "alpha");
    bank.refused("submit_sm", short("4930123456", "no rule is for it"));
    for (_, carrier) in carriers {
        carrier.has_nothing_more();
    }
}

#[test]
fn groups_take_turns_within_failover_and_go_by_price() {
    let rules = r#"
[[route.rule]]
name = "cheap"
prefixes = ["44"]
target = "least cost"
[[route.rule]]
name = "safe"
prefixes = ["49"]
target = "safe"
[[route.group]]
name = "pair"
kind = "round_robin"
members = ["alpha", "beta"]
[[route.group]]
name = "safe"
kind = "failover"
members = ["pair", "gamma"]
[[route.group]]
name = "least cost"
kind = "cheapest"
members = ["alpha", "beta", "gamma"]
[[route.price]]
carrier = "beta"
price = "0.02"
[[route.price]]
carrier = "gamma"
file = "gamma.csv"
"#;
    let plan = plan().more(rules).file("gamma.csv", "44,0.03\n447700,0.01\n");
    let Some(stage) = plan.start("routing_sockets") else { return };
    let shop = stage.esme("shop", 0x34);
    let carriers = all_three(&stage);
    let carriers = carriers.each_ref().map(|(name, peer)| (*name, peer));

    for (text, carrier) in [("one", "alpha"), ("two", "beta"), ("three", "alpha"), ("four", "beta")] {
        goes_to(&shop, &carriers, short("4917123456", text), carrier);
    }
    goes_to(&shop, &carriers, short("442071838750", "to London"), "beta");
    goes_to(&shop, &carriers, short("447700900123", "to a handset"), "gamma");
    for (_, carrier) in carriers {
        carrier.has_nothing_more();
    }

    let ask = |query: &str| support::http_ask(stage.hub.door(), "shop", &format!("GET /route?{query}"), "");
    let (status, told) = ask("account=shop&to=%2B447700900123&from=ACME");
    assert_eq!(status, 200, "{told}");
    assert_eq!((&told["route"], &told["source_kind"]), (&json!("cheap"), &json!("alphanumeric")));
    let candidates = told["candidates"].as_array().expect("a list");
    let said = |place: usize| {
        let candidate = &candidates[place];
        (&candidate["carrier"], &candidate["price"], &candidate["usable"])
    };
    let usable = json!(true);
    assert_eq!(said(0), (&json!("gamma"), &json!("0.01"), &usable), "{told}");
    assert_eq!(said(1), (&json!("beta"), &json!("0.02"), &usable), "{told}");
    assert_eq!(said(2), (&json!("alpha"), &Value::Null, &usable), "{told}");
    let (status, told) = ask("account=shop&to=49&from=ACME");
    assert_eq!((status, &told["rules"][0]["missed"]), (200, &json!("prefix")), "{told}");
    assert_eq!((ask("account=nobody&to=49").0, ask("to=49").0), (400, 400));
}
