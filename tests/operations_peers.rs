//! What passes between the hub's two sides beside messages, and what each version of SMPP is owed: with a foreign library.

mod support;

use serde_json::{Value, json};
use support::bridge::{Peer, said, text_of, word};
use support::stage::{Plan, short, with};

/// An account `shop` and a carrier `gsm` for 44.
fn plan() -> Plan {
    Plan::new().account("shop", "").carrier("gsm", "44", "")
}

/// Submits to a handset of `gsm`; gives the id.
fn accepted(esme: &Peer, text: &str) -> String {
    word(&esme.agreed("submit_sm", short("447700900123", text)), "message_id").to_owned()
}

#[test]
fn alert_reaches_the_account_that_waits_and_its_message_goes_out_again() {
    let Some(stage) = plan().account("other", "").start("operations_peers") else { return };
    let (esme, other) = (stage.esme("shop", 0x34), stage.esme("other", 0x34));
    let carrier = stage.carrier("gsm");
    let id = accepted(&esme, "are you there");
    carrier.take("submit_sm", json!({ "command_status": 0x64 }));
    let alert = |handset: &str| {
        json!({ "source_addr_ton": 1, "source_addr_npi": 1, "source_addr": handset, "esme_addr": "1000",
            "ms_availability_status": 0 })
    };

    carrier.send("alert_notification", alert("447700900999"));
    carrier.send("alert_notification", alert("447700900123"));

    let told = esme.expect("alert_notification");
    assert_eq!((word(&told, "source_addr"), &told["ms_availability_status"]), ("447700900123", &json!(0)));
    let submit = carrier.take_submit("A1");
    assert_eq!(text_of(&submit), "are you there");
    carrier.report(&submit, "A1", "DELIVRD");
    assert_eq!(said(&esme.take_receipt(), "id"), id);
    esme.has_nothing_more();
    other.has_nothing_more();
}

#[test]
fn carrier_that_calls_is_bound_on_its_own_connection() {
    let outbind = "links = 0\n[carrier.outbind]\nsystem_id = \"smsc\"\npassword = \"theirs\"";
    let Some(stage) =
        Plan::new().account("shop", "").carrier("calling", "44", outbind).start("operations_peers")
    else {
        return;
    };
    let esme = stage.esme("shop", 0x34);
    let id = accepted(&esme, "hello");
    let liar = stage.bridge.connect("liar", stage.port);
    liar.send("outbind", json!({ "system_id": "smsc", "password": "wrong" }));
    liar.is_closed();

    let carrier = stage.bridge.connect("calling", stage.port);
    carrier.send("outbind", json!({ "system_id": "smsc", "password": "theirs" }));
    let bind = carrier.take("bind_transceiver", json!({ "system_id": "smsc" }));
    let submit = carrier.take_submit("A1");
    carrier.report(&submit, "A1", "DELIVRD");

    assert_eq!((word(&bind, "system_id"), word(&bind, "password")), ("enroute", "enroute"));
    assert_eq!(text_of(&submit), "hello");
    assert_eq!(said(&esme.take_receipt(), "id"), id);
}

#[test]
fn account_that_is_away_is_called_and_gets_what_waits_for_it() {
    let home = support::free_port();
    let outbind = format!("[account.outbind]\naddress = \"127.0.0.1:{home}\"\npassword = \"ours\"");
    let plan = Plan::new().account("shop", &outbind).account("other", "").carrier("gsm", "44", "");
    let Some(stage) = plan.start("operations_peers") else { return };
    let carrier = stage.carrier("gsm");
    stage.bridge.listen("home", home, &json!({}));
    let (transmitter, _) = stage.bound("shop", "transmitter", 0x34);
    let id = accepted(&transmitter, "hello");
    let submit = carrier.take_submit("A1");
    transmitter.agreed("unbind", json!({}));

    carrier.report(&submit, "A1", "DELIVRD");
    let called = stage.bridge.peer("home/1");
    let outbind = called.expect("outbind");
    called.agreed(
        "bind_receiver",
        json!({ "system_id": "shop", "password": "shop", "interface_version": 0x34 }),
    );

    assert_eq!((word(&outbind, "system_id"), word(&outbind, "password")), ("enroute", "ours"));
    assert_eq!(said(&called.take_receipt(), "id"), id);
}

fn broadcast() -> Value {
    json!({ "service_type": "CBS", "source_addr": "1000", "data_coding": 0, "message_payload": "Road closed",
        "broadcast_area_identifier": ["Dublin", "Cork"],
        "broadcast_content_type": { "network": 1, "content_type": 0x30 },
        "broadcast_rep_num": 1, "broadcast_frequency_interval": { "unit": 9, "interval": 31 } })
}

#[test]
fn broadcasts_go_to_the_carrier_that_broadcasts_and_its_answers_come_back() {
    let bind = json!({ "system_id": "cells", "sc_interface_version": 0x50 });
    let plan = Plan::new().account("shop", "").account("other", "");
    let plan = plan.answering("cells", "44", "version = \"5.0\"\nbroadcast = true", bind);
    let Some(stage) = plan.start("operations_peers") else { return };
    let (esme, other) = (stage.esme("shop", 0x50), stage.esme("other", 0x50));
    let cells = stage.carrier("cells");

    esme.send("broadcast_sm", broadcast());
    let sent = cells.expect("broadcast_sm");
    let failed = json!(["Cork"]);
    let partly = json!({ "message_id": "B-1", "broadcast_error_status": [0x10A], "broadcast_area_identifier": failed });
    cells.answer(&sent, partly);
    let answer = esme.expect("broadcast_sm_resp");
    let id = word(&answer, "message_id").to_owned();

    for field in ["broadcast_content_type", "broadcast_rep_num", "broadcast_frequency_interval"] {
        assert_eq!(sent[field], broadcast()[field], "{field}");
    }
    assert_eq!(
        (text_of(&sent), &sent["broadcast_area_identifier"][1]["data"]),
        ("Road closed", &json!("Cork"))
    );
    assert!(id.starts_with("B-1") && id.len() > 3, "{id}");
    assert_eq!(answer["broadcast_error_status"], json!([0x10A]));
    assert_eq!(answer["failed_broadcast_area_identifier"][0]["data"], "Cork", "{answer}");

    let about = json!({ "message_id": id, "source_addr": "1000" });
    esme.send("query_broadcast_sm", about.clone());
    let told = json!({ "message_id": "B-1", "message_state": 2, "broadcast_area_identifier": ["Dublin"],
        "broadcast_area_success": 97 });
    assert_eq!(word(&cells.take("query_broadcast_sm", told), "message_id"), "B-1");
    let answer = esme.expect("query_broadcast_sm_resp");
    assert_eq!((word(&answer, "message_id"), &answer["message_state"]), (&id[..], &json!(2)));
    assert_eq!(answer["broadcast_area_success"], 97);

    assert_eq!(other.refused("cancel_broadcast_sm", about.clone()), 0x0C);
    esme.send("cancel_broadcast_sm", about.clone());
    assert_eq!(word(&cells.take("cancel_broadcast_sm", json!({})), "message_id"), "B-1");
    assert_eq!(esme.expect("cancel_broadcast_sm_resp")["command_status"], 0);
    esme.send("cancel_broadcast_sm", about);
    cells.take("cancel_broadcast_sm", json!({ "command_status": 0x10F }));
    assert_eq!(esme.expect("cancel_broadcast_sm_resp")["command_status"], 0x10F);
}

/// Statuses above 0xFF are for 5.0 alone; older peers get their nearest (fact sheet 4.2).
#[test]
fn broadcast_that_no_carrier_takes_is_refused_in_the_words_of_the_version() {
    let Some(stage) = plan().start("operations_peers") else { return };

    for (version, status) in [(0x34, 0x45), (0x50, 0x101)] {
        let esme = stage.esme("shop", version);
        for command in ["broadcast_sm", "query_broadcast_sm", "cancel_broadcast_sm"] {
            assert_eq!(esme.refused(command, broadcast()), status, "{command} at {version:#x}");
        }
    }
}

#[test]
fn congestion_is_told_to_peers_of_5_0_alone() {
    let plan = Plan::new().account("shop", "queue_max = 4").carrier("gsm", "44", "");
    let Some(stage) = plan.start("operations_peers") else { return };
    let (older, newer) = (stage.esme("shop", 0x34), stage.esme("shop", 0x50));

    let mut said = Vec::new();
    for _ in 0..3 {
        let answer = newer.agreed("submit_sm", short("447700900123", "x"));
        said.push(answer["congestion_state"].as_u64().unwrap_or_else(|| panic!("none in {answer}")));
    }
    let answer = older.agreed("submit_sm", short("447700900123", "x"));

    // A slow disk makes it more at any time, never less.
    assert!(said.iter().zip([25, 50, 75]).all(|(said, held)| *said >= held), "{said:?}");
    assert!(answer["congestion_state"].is_null(), "{answer}");
    assert_eq!(older.refused("submit_sm", short("447700900123", "x")), 0x14);
}

#[test]
fn carrier_that_says_it_is_congested_gets_one_message_at_a_time() {
    let bind = json!({ "system_id": "busy", "sc_interface_version": 0x50 });
    let plan =
        Plan::new().account("shop", "").answering("busy", "44", "version = \"5.0\"\nwindow = 10", bind);
    let Some(stage) = plan.start("operations_peers") else { return };
    let (esme, carrier) = (stage.esme("shop", 0x50), stage.carrier("busy"));
    accepted(&esme, "0");
    carrier.take("submit_sm", json!({ "message_id": "A0", "congestion_state": 100 }));
    // Its word is known by the time that the hub has answered what came after it.
    carrier.has_nothing_more();

    for text in ["1", "2", "3", "4"] {
        accepted(&esme, text);
    }

    let first = carrier.expect("submit_sm");
    carrier.has_nothing_more();
    carrier.answer(&first, json!({ "message_id": "A1", "congestion_state": 10 }));
    let (second, third) = (carrier.expect("submit_sm"), carrier.expect("submit_sm"));
    assert_eq!([&first, &second, &third].map(text_of), ["1", "2", "3"]);
    carrier.has_nothing_more();
}

/// Fact sheet 10.7: ids of eight characters, no parameters, receipts as text, whatever the account's setting for data_sm.
#[test]
fn peer_of_3_3_gets_short_ids_and_no_parameters() {
    let plan = Plan::new().account("shop", "deliver_as = \"data_sm\"").carrier("gsm", "44", "");
    let Some(stage) = plan.start("operations_peers") else { return };
    let carrier = stage.carrier("gsm");
    let (receiver, bound) = stage.bound("shop", "receiver", 0x33);
    assert!(bound["sc_interface_version"].is_null(), "{bound}");
    let (transmitter, _) = stage.bound("shop", "transmitter", 0x33);

    let id = accepted(&transmitter, "hello");
    assert!(id.len() <= 8 && id.bytes().all(|octet| octet.is_ascii_hexdigit()), "{id}");
    let query = json!({ "message_id": id, "source_addr": "1000" });
    assert_eq!(transmitter.agreed("query_sm", query.clone())["message_state"], 1);
    let submit = carrier.take_submit("A1");
    carrier.report(&submit, "A1", "DELIVRD");

    let receipt = receiver.take_receipt();
    assert_eq!((said(&receipt, "id"), said(&receipt, "stat")), (&id[..], "DELIVRD"));
    for parameter in ["receipted_message_id", "message_state", "network_error_code", "congestion_state"] {
        assert!(receipt[parameter].is_null(), "{parameter} in {receipt}");
    }
    assert_eq!(transmitter.refused("broadcast_sm", broadcast()), 0x45);
    let ended = transmitter.agreed("query_sm", query);
    assert_eq!(ended["message_state"], 2);
    let date = ended["command_length"].as_u64().expect("a number") as usize - 16 - (id.len() + 1) - 2;
    assert_eq!(date, "YYMMDDhhmmss\0".len(), "the time of 3.3: {ended}");
    let multi = json!({ "source_addr": "1000", "data_coding": 0, "short_message": "x",
        "dest_address": [{ "destination_addr": "447700900123", "dest_addr_ton": 1, "dest_addr_npi": 1 }] });
    assert!(word(&transmitter.agreed("submit_multi", multi), "message_id").len() <= 8);
}

/// A 34 that was meant as 0x34, and a peer that can't do what it says (fact sheet 10.7, 13 number 12).
#[test]
fn accounts_version_counts_not_the_declared_one() {
    let plan = Plan::new().account("decimal", "version = \"3.4\"").account("humble", "version = \"3.3\"");
    let Some(stage) = plan.carrier("gsm", "44", "").start("operations_peers") else { return };
    let carrier = stage.carrier("gsm");

    for (account, declared, takes_parameters) in [("decimal", 34, true), ("humble", 0x50, false)] {
        let (esme, answer) = stage.bound(account, "transceiver", declared);
        let id = accepted(&esme, "hello");
        let submit = carrier.take_submit("A1");
        carrier.report(&submit, "A1", "DELIVRD");
        let receipt = esme.take_receipt();

        assert_eq!(id.len() > 8, takes_parameters, "{account}: {id}");
        assert_eq!(!answer["sc_interface_version"].is_null(), takes_parameters, "{account}: {answer}");
        assert_eq!(!receipt["message_state"].is_null(), takes_parameters, "{account}: {receipt}");
    }
}

#[test]
fn each_version_is_answered_with_its_own() {
    let Some(stage) = plan().start("operations_peers") else { return };

    for (declared, answered) in [(0x34, 0x34), (0x4F, 0x34), (0x50, 0x50), (0x51, 0x50)] {
        let (_, answer) = stage.bound("shop", "transceiver", declared);
        assert_eq!(answer["sc_interface_version"], answered, "{declared:#x}");
    }
    // 3.3 has no such bind, and who asks for it all the same gets it.
    let (_, answer) = stage.bound("shop", "transceiver", 0x33);
    assert!(answer["sc_interface_version"].is_null(), "{answer}");
}

/// What a carrier of each version gets: by its bind response, by its absence, and by the operator's word.
#[test]
fn carriers_get_what_their_version_knows() {
    let silent = json!({ "system_id": "old" });
    let newer = json!({ "system_id": "new", "sc_interface_version": 0x50 });
    let plan = Plan::new()
        .account("shop", "")
        .answering("old", "41", "version = \"3.3\"", silent.clone())
        .answering("quiet", "42", "", silent)
        .carrier("humble", "43", "treat_as = \"3.3\"")
        .answering("new", "45", "version = \"5.0\"", newer);
    let Some(stage) = plan.start("operations_peers") else { return };
    let esme = stage.esme("shop", 0x50);

    let carriers = [("old", "41", 0x33, false), ("quiet", "42", 0x34, true)];
    for (name, to, declared, takes_parameters) in
        carriers.into_iter().chain([("humble", "43", 0x34, false), ("new", "45", 0x50, true)])
    {
        let carrier = stage.bridge.peer(&format!("{name}/1"));
        let bind = carrier.expect("bind_transceiver");
        assert_eq!(bind["interface_version"], declared, "{name}");
        let fields = json!({ "user_message_reference": 7, "vendor_1401": { "hex": "cafe" },
            "validity_period": "000000010000000R" });
        let id = esme.agreed("submit_sm", with(short(&format!("{to}7700900123"), "hello"), fields));
        let submit = carrier.take_submit("A1");

        assert_eq!(submit["user_message_reference"] == 7, takes_parameters, "{name}: {submit}");
        assert_eq!(submit["vendor_1401"] == json!({ "hex": "cafe" }), takes_parameters, "{name}: {submit}");
        assert!(submit["validity_period"].is_string(), "{name}: {submit}");
        // Receipts in text alone are matched too.
        let text = "id:A1 stat:DELIVRD err:000 text:";
        let receipt = json!({ "source_addr": submit["destination_addr"], "destination_addr": "1000",
            "esm_class": 4, "short_message": text });
        carrier.agreed("deliver_sm", receipt);
        assert_eq!(said(&esme.take_receipt(), "id"), word(&id, "message_id"));
    }
}

/// Field bugs S12, D2: what a lost link had in flight goes over the next one, and its receipts may come on any.
#[test]
fn carrier_that_unbinds_is_bound_again_and_gets_what_it_did_not_answer() {
    let Some(stage) = plan().start("operations_peers") else { return };
    let (esme, carrier) = (stage.esme("shop", 0x34), stage.carrier("gsm"));
    let (first, second) = (accepted(&esme, "first"), accepted(&esme, "second"));
    let submit = carrier.take_submit("A1");
    assert_eq!(text_of(&carrier.expect("submit_sm")), "second");

    carrier.send("unbind", json!({}));
    carrier.expect("unbind_resp");
    let again = stage.bridge.peer("gsm/2");
    again.expect("bind_transceiver");
    let resent = again.take_submit("B1");
    again.report(&submit, "A1", "DELIVRD");
    let told = esme.take_receipt();
    again.report(&resent, "B1", "DELIVRD");

    assert_eq!((said(&told, "id"), text_of(&resent)), (&first[..], "second"));
    assert_eq!(said(&esme.take_receipt(), "id"), second);
}
