//! Messages from handsets, from a carrier's socket to an account's: with a foreign library at both ends.

mod support;

use serde_json::{Value, json};
use support::START_LIMIT;
use support::bridge::{Peer, text_of, word};
use support::stage::{Plan, hex, with};

/// A rule of the configuration.
fn rule(account: &str, more: &str) -> String {
    format!("[[inbound]]\naccount = \"{account}\"\n{more}\n")
}

/// Accounts `shop` with `more` lines of its table, and a carrier `gsm`; everything of handsets is for `shop`.
fn plan(more: &str) -> Plan {
    Plan::new().account("shop", more).carrier("gsm", "44", "").more(&rule("shop", ""))
}

/// What a handset says to 10010.
fn text(message: impl Into<Value>) -> Value {
    json!({ "source_addr_ton": 1, "source_addr_npi": 1, "source_addr": "447700900123",
        "destination_addr": "10010", "data_coding": 0, "short_message": message.into() })
}

/// The same in a data_sm.
fn data(message: &str) -> Value {
    json!({ "source_addr_ton": 1, "source_addr_npi": 1, "source_addr": "447700900123",
        "destination_addr": "10010", "data_coding": 0, "message_payload": message })
}

/// One of several parts, with a user data header of an 8-bit reference.
fn part(reference: u8, total: u8, number: u8, message: &str) -> Value {
    let octets = [&[5, 0, 3, reference, total, number], message.as_bytes()].concat();
    with(text(hex(&octets)), json!({ "esm_class": 0x40 }))
}

/// The carrier delivers; gives the status that it is answered.
fn brought(carrier: &Peer, command: &str, fields: Value) -> u64 {
    let answer = carrier.ask(command, fields);
    answer["command_status"].as_u64().unwrap_or_else(|| panic!("no status in {answer}"))
}

/// Each version gets what it knows, and addresses, text and coding as they came (fact sheet 10.7).
#[test]
fn message_reaches_the_account_in_the_words_of_its_version() {
    let plan =
        Plan::new().account("old", "").account("usual", "").account("new", "").carrier("gsm", "44", "");
    let plan = ["old", "usual", "new"]
        .into_iter()
        .fold(plan, |plan, name| plan.more(&rule(name, &format!("keyword = \"{name}\""))));
    let Some(stage) = plan.start("operations_inbound") else { return };
    let carrier = stage.carrier("gsm");

    for (account, kind, version) in
        [("old", "receiver", 0x33), ("usual", "transceiver", 0x34), ("new", "transceiver", 0x50)]
    {
        let (esme, _) = stage.bound(account, kind, version);
        let said = format!("{account} hello");
        let fields = json!({ "user_message_reference": 7, "vendor_1401": { "hex": "cafe" },
            "registered_delivery": 0x0C, "protocol_id": 9, "service_type": "CMT" });

        assert_eq!(brought(&carrier, "deliver_sm", with(text(&*said), fields)), 0, "{account}");

        let heard = esme.take("deliver_sm", json!({}));
        assert_eq!(text_of(&heard), said);
        assert_eq!(
            (word(&heard, "source_addr"), word(&heard, "destination_addr")),
            ("447700900123", "10010")
        );
        assert_eq!((&heard["esm_class"], &heard["data_coding"]), (&json!(0), &json!(0)));
        assert_eq!((&heard["registered_delivery"], &heard["protocol_id"]), (&json!(0x0C), &json!(9)));
        assert_eq!(word(&heard, "service_type"), "CMT");
        assert_eq!(heard["user_message_reference"] == 7, version > 0x33, "{heard}");
        assert_eq!(heard["vendor_1401"] == json!({ "hex": "cafe" }), version > 0x33, "{heard}");
        esme.has_nothing_more();
    }
}

/// Either PDU in, either PDU out, to 3.3 deliver_sm alone.
#[test]
fn message_comes_and_goes_as_deliver_sm_or_as_data_sm() {
    for (deliver_as, version, expected) in
        [("deliver_sm", 0x34, "deliver_sm"), ("data_sm", 0x34, "data_sm"), ("data_sm", 0x33, "deliver_sm")]
    {
        let plan = plan(&format!("deliver_as = \"{deliver_as}\""));
        let Some(stage) = plan.start("operations_inbound") else { return };
        let ((esme, _), carrier) = (stage.bound("shop", "receiver", version), stage.carrier("gsm"));

        assert_eq!(brought(&carrier, "deliver_sm", text("hello")), 0);
        assert_eq!(brought(&carrier, "data_sm", data("hello")), 0);

        for _ in 0..2 {
            let heard = esme.take(expected, json!({}));
            assert_eq!((text_of(&heard), word(&heard, "source_addr")), ("hello", "447700900123"), "{heard}");
            assert_eq!(heard["message_payload"].is_null(), expected == "deliver_sm", "{heard}");
        }
        esme.has_nothing_more();
    }
}

/// Fact sheet 9; field bug T8: in the account's alphabet, and untouched where both mean the same.
#[test]
fn text_comes_in_the_alphabet_of_the_account() {
    let plan =
        Plan::new().account("shop", "alphabet = \"latin1\"").carrier("gsm", "44", "").more(&rule("shop", ""));
    let Some(stage) = plan.start("operations_inbound") else { return };
    let (esme, carrier) = (stage.esme("shop", 0x34), stage.carrier("gsm"));
    let wide = "0421043b043e043204300020d83dde00";

    for (data_coding, octets, expected) in [(0, "057a", "e97a"), (8, wide, wide), (4, "00ff", "00ff")] {
        let fields = with(text(json!({ "hex": octets })), json!({ "data_coding": data_coding }));
        assert_eq!(brought(&carrier, "deliver_sm", fields), 0);

        let heard = esme.take("deliver_sm", json!({}));
        assert_eq!(heard["data_coding"], data_coding, "{heard}");
        let whole = heard["octets"]["hex"].as_str().expect("the library keeps them");
        assert!(whole.ends_with(expected), "{expected} in {whole}");
    }
}

/// Fact sheet 9.7; field bugs T6, T7: whole, in any order, by header or by parameters; the rest as it came.
#[test]
fn parts_are_joined_for_an_account_that_wants_texts_whole() {
    let Some(stage) = plan("join_inbound = true").start("operations_inbound") else { return };
    let (esme, carrier) = (stage.esme("shop", 0x34), stage.carrier("gsm"));

    for number in [3, 1, 1, 2] {
        let said = ["one ", "two ", "three"][number as usize - 1];
        assert_eq!(brought(&carrier, "deliver_sm", part(7, 3, number, said)), 0);
    }
    let heard = esme.take("deliver_sm", json!({}));
    assert_eq!((text_of(&heard), &heard["esm_class"]), ("one two three", &json!(0)));
    assert!(heard["message_payload"].is_null(), "{heard}");

    let long = "0123456789".repeat(13);
    for number in [2, 1, 3] {
        let sar = json!({ "sar_msg_ref_num": 0x107, "sar_total_segments": 3, "sar_segment_seqnum": number });
        assert_eq!(brought(&carrier, "deliver_sm", with(text(&*long), sar)), 0);
    }
    let heard = esme.take("deliver_sm", json!({}));
    assert_eq!((text_of(&heard), heard["sar_total_segments"].is_null()), (&*long.repeat(3), true));
    assert!(!heard["message_payload"].is_null(), "{heard}");
    esme.has_nothing_more();
}

/// In order, to one session, whatever others there are.
#[test]
fn parts_that_are_not_joined_come_in_order_on_one_session() {
    let Some(stage) = plan("").start("operations_inbound") else { return };
    let (first, second) = (stage.esme("shop", 0x34), stage.esme("shop", 0x34));
    let carrier = stage.carrier("gsm");
    for number in 1..=4 {
        assert_eq!(brought(&carrier, "deliver_sm", part(7, 4, number, "x")), 0);
    }

    // One of both has them all: what the other has to say comes after them.
    stage.hub.process.until("all are handed out", START_LIMIT, || {
        stage.hub.metric("enroute_inbound_total{event=\"received\"}") == Some(4.0)
    });
    let (on, off) = if first.has_heard("deliver_sm") { (first, second) } else { (second, first) };
    for number in 1..=4 {
        let heard = on.take("deliver_sm", json!({}));
        assert_eq!(heard["short_message"]["udh"][0]["hex"], format!("00030704{number:02}"), "{heard}");
    }
    off.has_nothing_more();
    on.has_nothing_more();
}

/// Acknowledgements of a handset's user are messages of a handset (SMPP 3.4 §5.2.12).
#[test]
fn acknowledgement_of_a_user_is_passed_on_as_such() {
    let Some(stage) = plan("").start("operations_inbound") else { return };
    let (esme, carrier) = (stage.esme("shop", 0x34), stage.carrier("gsm"));

    for esm_class in [0x08, 0x10, 0x18] {
        let fields = json!({ "esm_class": esm_class, "user_message_reference": 7 });
        assert_eq!(brought(&carrier, "deliver_sm", with(text("read"), fields)), 0);

        let heard = esme.take("deliver_sm", json!({}));
        assert_eq!((text_of(&heard), &heard["esm_class"]), ("read", &json!(esm_class)));
        assert_eq!(heard["user_message_reference"], 7);
    }
}

/// Whose it is, and what becomes of what is nobody's (fact sheet 4.1: 0x66 is for good).
#[test]
fn message_goes_to_whom_the_rules_say_or_is_refused_and_counted() {
    let plan = Plan::new()
        .account("shop", "")
        .account("news", "")
        .account("bank", "")
        .carrier("gsm", "44", "")
        .carrier("other", "45", "")
        .more(&rule("shop", "prefix = \"100\""))
        .more(&rule("news", "prefix = \"100\"\nkeyword = \"NEWS\""))
        .more(&rule("bank", "destination = \"10077\"\ncarrier = \"gsm\""));
    let Some(stage) = plan.start("operations_inbound") else { return };
    let (shop, news, bank) = (stage.esme("shop", 0x34), stage.esme("news", 0x34), stage.esme("bank", 0x34));
    let (carrier, other) = (stage.carrier("gsm"), stage.carrier("other"));
    let to = |number: &str, message: &str| with(text(message), json!({ "destination_addr": number }));

    for (from, number, message, expected) in [
        (&carrier, "10010", "hello", &shop),
        (&carrier, "10010", "News, please", &news),
        (&carrier, "10077", "news of my account", &bank),
        (&other, "10077", "hello again", &shop),
    ] {
        assert_eq!(brought(from, "deliver_sm", to(number, message)), 0);
        assert_eq!(text_of(&expected.take("deliver_sm", json!({}))), message);
    }
    for command in ["deliver_sm", "data_sm"] {
        let fields = if command == "data_sm" { data("hello") } else { text("hello") };
        let nobodys = with(fields, json!({ "destination_addr": "2000" }));
        assert_eq!(brought(&carrier, command, nobodys), 0x66, "{command}");
    }

    [shop, news, bank].iter().for_each(Peer::has_nothing_more);
    let series = "enroute_inbound_refused_total{reason=\"no_route\"}";
    stage.hub.process.until("both are counted", START_LIMIT, || stage.hub.metric(series) == Some(2.0));
}

/// Field bugs D13, R4: not durable, not answered ROK; the carrier brings it again, and then it is taken.
#[test]
fn message_for_an_account_that_has_no_room_is_refused_for_now() {
    let Some(stage) = plan("queue_max = 1").start("operations_inbound") else { return };
    let carrier = stage.carrier("gsm");

    assert_eq!(brought(&carrier, "deliver_sm", text("first")), 0);
    assert_eq!(brought(&carrier, "deliver_sm", text("second")), 0x64);
    let esme = stage.esme("shop", 0x34);
    assert_eq!(text_of(&esme.take("deliver_sm", json!({}))), "first");
    esme.agreed("enquire_link", json!({}));
    let delivered = "enroute_inbound_total{event=\"delivered\"}";
    stage.hub.process.until("it is gone", START_LIMIT, || stage.hub.metric(delivered) == Some(1.0));

    assert_eq!(brought(&carrier, "deliver_sm", text("second")), 0);
    assert_eq!(text_of(&esme.take("deliver_sm", json!({}))), "second");
}

/// What the account refuses for now comes again, what it refuses for good doesn't (fact sheet 4.3).
#[test]
fn message_that_an_esme_refuses_for_now_comes_again() {
    let more = "[limits]\nreceipt_retry_s = 1";
    let Some(stage) = plan("").more(more).start("operations_inbound") else { return };
    let (esme, carrier) = (stage.esme("shop", 0x34), stage.carrier("gsm"));
    assert_eq!(brought(&carrier, "deliver_sm", text("hello")), 0);

    for status in [0x64, 0x14, 0x66] {
        assert_eq!(text_of(&esme.take("deliver_sm", json!({ "command_status": status }))), "hello");
    }

    let refused = "enroute_inbound_total{event=\"refused\"}";
    stage.hub.process.until("the last word counts", START_LIMIT, || stage.hub.metric(refused) == Some(1.0));
    esme.has_nothing_more();
}

/// SMPP 5.0 §4.1.1.7: nobody is bound, and a message waits: its account is called.
#[test]
fn account_that_is_away_is_called_for_a_message_of_a_handset() {
    let home = support::free_port();
    let outbind = format!("[account.outbind]\naddress = \"127.0.0.1:{home}\"\npassword = \"ours\"");
    let Some(stage) = plan(&outbind).start("operations_inbound") else { return };
    let carrier = stage.carrier("gsm");
    stage.bridge.listen("home", home, &json!({}));

    assert_eq!(brought(&carrier, "deliver_sm", text("hello")), 0);

    let called = stage.bridge.peer("home/1");
    called.expect("outbind");
    called.agreed(
        "bind_receiver",
        json!({ "system_id": "shop", "password": "shop", "interface_version": 0x34 }),
    );
    assert_eq!(text_of(&called.take("deliver_sm", json!({}))), "hello");
}
