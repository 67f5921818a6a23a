//! Before the route, over sockets: numbers, senders, lists, opt-outs and circles, each from the configuration.

mod support;

use serde_json::{Value, json};
use std::fs;
use support::START_LIMIT;
use support::bridge::{Peer, text_of, word};
use support::stage::{Plan, short, with};

/// British numbers in any form, and a list for all.
const NUMBERS: &str = "
[[screening.number]]
prefix = \"+\"
[[screening.number]]
prefix = \"00\"
[[screening.number]]
prefix = \"0\"
replace = \"44\"
";

fn screening(more: &str) -> String {
    format!("[screening]\n{more}\n{NUMBERS}")
}

/// What a handset says to 10010.
fn said(handset: &str, text: &str) -> Value {
    json!({ "source_addr_ton": 1, "source_addr_npi": 1, "source_addr": handset,
        "destination_addr": "10010", "data_coding": 0, "short_message": text })
}

/// The carrier delivers; gives the status that it is answered.
fn brought(carrier: &Peer, fields: Value) -> u64 {
    let answer = carrier.ask("deliver_sm", fields);
    answer["command_status"].as_u64().unwrap_or_else(|| panic!("no status in {answer}"))
}

/// The carrier sees one form; the receipt, query_sm and cancel_sm know the customer's own.
#[test]
fn number_goes_out_in_one_form_and_comes_back_as_it_was_written() {
    let plan = Plan::new().account("shop", "").carrier("gsm", "447", "").more(&screening(""));
    let Some(stage) = plan.start("screening") else { return };
    let (esme, carrier) = (stage.esme("shop", 0x34), stage.carrier("gsm"));
    let vendor = json!({ "user_message_reference": 7 });

    for (place, (ton, written)) in
        [(2, "07700900123"), (0, "+447700900123"), (1, "00447700900123")].into_iter().enumerate()
    {
        let fields = with(short(written, "hello"), json!({ "dest_addr_ton": ton }));
        let id = word(&esme.agreed("submit_sm", with(fields, vendor.clone())), "message_id").to_owned();
        let submit = carrier.take_submit(&format!("id{place}"));
        assert_eq!(word(&submit, "destination_addr"), "447700900123");
        assert_eq!((&submit["dest_addr_ton"], &submit["dest_addr_npi"]), (&json!(1), &json!(1)));
        assert_eq!(submit["user_message_reference"], 7, "{submit}");
        assert!(submit["vendor_e0a1"].is_null() && !submit.to_string().contains("e0a1"), "{submit}");
        esme.agreed("query_sm", json!({ "message_id": id, "source_addr": "1000" }));
        carrier.report(&submit, &format!("id{place}"), "DELIVRD");
        let receipt = esme.take_receipt();
        assert_eq!((word(&receipt, "source_addr"), &receipt["source_addr_ton"]), (written, &json!(ton)));
    }
    let counted = "enroute_screening_rewritten_total{what=\"destination\"}";
    stage.hub.process.until("all are counted", START_LIMIT, || stage.hub.metric(counted) == Some(3.0));
}

/// Fact sheet 4.2: ESME_RINVSRCADR; names are nobody's unless that is said.
#[test]
fn senders_are_an_accounts_own() {
    let plan = Plan::new()
        .account("usual", "")
        .account("named", "senders = [\"SHOP\", \"4477*\"]")
        .account("replaced", "senders = [\"1000\"]\nsender_default = \"SHOP\"")
        .carrier("gsm", "44", "");
    let Some(stage) = plan.start("screening") else { return };
    let carrier = stage.carrier("gsm");

    for (account, source, expected) in [
        ("usual", "1000", Some("1000")),
        ("usual", "SHOP", None),
        ("named", "SHOP", Some("SHOP")),
        ("named", "447700900100", Some("447700900100")),
        ("named", "1000", None),
        ("named", "BANK", None),
        ("replaced", "1000", Some("1000")),
        ("replaced", "BANK", Some("SHOP")),
    ] {
        let esme = stage.esme(account, 0x34);
        let fields = with(short("447700900123", "hello"), json!({ "source_addr": source }));
        match expected {
            Some(expected) => {
                esme.agreed("submit_sm", fields);
                let submit = carrier.take("submit_sm", json!({ "message_id": "1" }));
                assert_eq!(word(&submit, "source_addr"), expected, "{account} {source}");
                assert_eq!(
                    submit["source_addr_ton"] == 5,
                    account == "replaced" && source == "BANK",
                    "{submit}"
                );
            }
            None => assert_eq!(esme.refused("submit_sm", fields), 0x0A, "{account} {source}"),
        }
    }
    let refused = "enroute_screening_refused_total{reason=\"sender\"}";
    stage.hub.process.until("all are counted", START_LIMIT, || stage.hub.metric(refused) == Some(3.0));
}

/// Lists are files, and read again with the configuration; a faulty one changes nothing.
#[test]
fn lists_of_numbers_bar_destinations_and_are_read_again() {
    let plan = Plan::new().account("shop", "").account("free", "").carrier("gsm", "44", "");
    let Some(stage) = plan.start("screening") else { return };
    let (shop, free, carrier) = (stage.esme("shop", 0x34), stage.esme("free", 0x34), stage.carrier("gsm"));
    let list = stage.folder().join("blocked.txt");
    let with_lists = |text: &str| {
        text.replace("system_id = \"shop\"", "system_id = \"shop\"\nblock = [\"blocked.txt\"]")
            + "[screening]\nblock = [\"all.txt\"]\n"
    };
    fs::write(stage.folder().join("all.txt"), "447700900999\n").expect("writable");
    fs::write(&list, "# ours\n4477009006*\n").expect("writable");
    assert_eq!(stage.reload(with_lists).0, 200);

    assert_eq!(shop.refused("submit_sm", short("447700900666", "no")), 0x0B);
    for esme in [&shop, &free] {
        assert_eq!(esme.refused("submit_sm", short("447700900999", "no")), 0x0B);
    }
    free.agreed("submit_sm", short("447700900666", "yes"));
    assert_eq!(text_of(&carrier.take("submit_sm", json!({ "message_id": "1" }))), "yes");

    fs::write(&list, "4477009007*\nSHOP\n12 34\n").expect("writable");
    let (status, told) = stage.reload(with_lists);
    assert_eq!(status, 422, "{told}");
    let faults = told.to_string();
    assert!(faults.contains("blocked.txt:2: ") && faults.contains("blocked.txt:3: "), "{faults}");
    assert_eq!(shop.refused("submit_sm", short("447700900666", "no")), 0x0B);

    fs::write(&list, "4477009007*\n").expect("writable");
    assert_eq!(stage.reload(with_lists).0, 200);
    assert_eq!(shop.refused("submit_sm", short("447700900777", "no")), 0x0B);
    shop.agreed("submit_sm", short("447700900666", "yes"));
    assert_eq!(text_of(&carrier.take("submit_sm", json!({ "message_id": "2" }))), "yes");
    let series = "enroute_screening_refused_total{reason=\"blocked\"}";
    stage.hub.process.until("all are counted", START_LIMIT, || stage.hub.metric(series) == Some(5.0));
}

/// Survives kill -9: what the carrier was answered for is on disk.
#[test]
fn stop_ends_what_an_account_sends_until_start() {
    let plan = Plan::new()
        .account("shop", "opt_out = \"account\"")
        .carrier("gsm", "44", "")
        .more("[[inbound]]\naccount = \"shop\"")
        .more(&screening("opt_out_words = [\"STOP\", \"ARRET\"]"));
    let Some(stage) = plan.start("screening") else { return };
    let (esme, carrier) = (stage.esme("shop", 0x34), stage.carrier("gsm"));

    assert_eq!(brought(&carrier, said("447700900123", "Stop!")), 0);
    assert_eq!(text_of(&esme.take("deliver_sm", json!({}))), "Stop!");
    assert_eq!(esme.refused("submit_sm", short("07700900123", "no")), 0x0B);
    let stage = stage.again();

    let (esme, carrier) = (stage.esme("shop", 0x34), stage.link("gsm", 2));
    assert_eq!(esme.refused("submit_sm", short("+447700900123", "no")), 0x0B);
    esme.agreed("submit_sm", short("447700900124", "yes"));
    assert_eq!(text_of(&carrier.take("submit_sm", json!({ "message_id": "1" }))), "yes");
    assert_eq!(stage.hub.metric("enroute_opt_outs"), Some(1.0));

    assert_eq!(brought(&carrier, said("447700900123", "start")), 0);
    assert_eq!(text_of(&esme.take("deliver_sm", json!({}))), "start");
    esme.agreed("submit_sm", short("07700900123", "again"));
    assert_eq!(text_of(&carrier.take("submit_sm", json!({ "message_id": "2" }))), "again");
}

#[test]
fn message_that_goes_in_circles_is_stopped() {
    let plan = Plan::new()
        .account("shop", "")
        .carrier("gsm", "44", "")
        .more("[[inbound]]\naccount = \"shop\"")
        .more(&screening("circle_passes = 2\ncircle_s = 600"));
    let Some(stage) = plan.start("screening") else { return };
    let (esme, carrier) = (stage.esme("shop", 0x34), stage.carrier("gsm"));

    for place in 0..2 {
        esme.agreed("submit_sm", short("447700900123", "hello"));
        assert_eq!(text_of(&carrier.take("submit_sm", json!({ "message_id": format!("{place}") }))), "hello");
    }
    assert_eq!(esme.refused("submit_sm", short("447700900123", "hello")), 0x45);
    let back = with(said("1000", "hello"), json!({ "destination_addr": "447700900123" }));
    assert_eq!(brought(&carrier, back), 0x66);
    esme.agreed("submit_sm", short("447700900123", "something else"));
}

/// With failover account and hold-until-bound: to whom it was for while he is there, to the other once he is gone.
#[test]
fn messages_of_handsets_go_to_whom_their_source_says_or_to_his_stand_in() {
    let rule = |account: &str, more: &str| format!("[[inbound]]\naccount = \"{account}\"\n{more}\n");
    let plan = Plan::new()
        .account("shop", "")
        .account("night", "")
        .account("vip", "")
        .carrier("gsm", "44", "")
        .more(&rule("shop", "failover = \"night\""))
        .more(&rule("vip", "source_prefix = \"+4479\""));
    let Some(stage) = plan.start("screening") else { return };
    let (shop, night, vip) = (stage.esme("shop", 0x34), stage.esme("night", 0x34), stage.esme("vip", 0x34));
    let carrier = stage.carrier("gsm");

    assert_eq!(brought(&carrier, said("447900900123", "for vip")), 0);
    assert_eq!(text_of(&vip.take("deliver_sm", json!({}))), "for vip");
    assert_eq!(brought(&carrier, said("447700900123", "by day")), 0);
    assert_eq!(text_of(&shop.take("deliver_sm", json!({}))), "by day");
    shop.agreed("unbind", json!({}));
    stage.hub.process.until("he is gone", START_LIMIT, || {
        stage.hub.metric("enroute_sessions{peer=\"shop\",side=\"esme\"}") == Some(0.0)
    });
    assert_eq!(brought(&carrier, said("447700900123", "by night")), 0);
    assert_eq!(text_of(&night.take("deliver_sm", json!({}))), "by night");
    let shop = stage.esme("shop", 0x34);
    assert_eq!(brought(&carrier, said("447700900123", "by day again")), 0);
    assert_eq!(text_of(&shop.take("deliver_sm", json!({}))), "by day again");
    night.has_nothing_more();
}
