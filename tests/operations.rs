//! What an ESME may ask, asked by a foreign library, through the whole hub, to carriers of the same library.

mod support;

use serde_json::{Value, json};
use support::bridge::{Peer, receipt_fields, said, text_of, word};
use support::stage::{Plan, short, with};

/// Two days from now.
const LATER: &str = "000002000000000R";

/// An account `shop` and a carrier `gsm` for 44.
fn plan() -> Plan {
    Plan::new().account("shop", "").carrier("gsm", "44", "")
}

/// Submits; gives the id.
fn accepted(esme: &Peer, fields: Value) -> String {
    let response = esme.agreed("submit_sm", fields);
    assert!(!word(&response, "message_id").is_empty(), "{response}");
    word(&response, "message_id").to_owned()
}

fn waiting(text: &str) -> Value {
    with(short("447700900123", text), json!({ "schedule_delivery_time": LATER }))
}

fn about(message_id: &str) -> Value {
    json!({ "message_id": message_id, "source_addr": "1000" })
}

/// message_state of a message of `esme`.
fn state(esme: &Peer, message_id: &str) -> Value {
    let answer = esme.agreed("query_sm", about(message_id));
    assert_eq!(answer["message_id"], message_id);
    answer["message_state"].clone()
}

#[test]
fn submission_is_carried_and_its_receipt_comes_back_as_text_and_parameters() {
    let Some(stage) = plan().start("operations") else { return };
    let (esme, carrier) = (stage.esme("shop", 0x34), stage.carrier("gsm"));

    let id = accepted(&esme, with(short("447700900123", "hello"), json!({ "service_type": "CMT" })));
    let submit = carrier.take_submit("A1");
    carrier.report(&submit, "A1", "DELIVRD");
    let receipt = esme.take_receipt();

    assert_eq!((text_of(&submit), word(&submit, "service_type")), ("hello", "CMT"));
    assert_eq!((said(&receipt, "id"), said(&receipt, "stat")), (&id[..], "DELIVRD"));
    assert_eq!((word(&receipt, "receipted_message_id"), &receipt["message_state"]), (&id[..], &json!(2)));
    let addresses = (word(&receipt, "source_addr"), word(&receipt, "destination_addr"));
    assert_eq!(addresses, ("447700900123", "1000"));
    accepted(&esme, with(short("447700900123", "quiet"), json!({ "registered_delivery": 0 })));
    let submit = carrier.take_submit("A2");
    carrier.report(&submit, "A2", "DELIVRD");
    esme.has_nothing_more();
}

#[test]
fn session_is_kept_alive_and_unbound_from_either_side() {
    let Some(stage) = plan().start("operations") else { return };
    let (receiver, answer) = stage.bound("shop", "receiver", 0x34);
    assert_eq!((word(&answer, "system_id"), &answer["sc_interface_version"]), ("enroute", &json!(0x34)));
    let (transmitter, _) = stage.bound("shop", "transmitter", 0x34);
    let transceiver = stage.esme("shop", 0x34);

    assert_eq!(receiver.refused("submit_sm", short("447700900123", "x")), 4);
    assert_eq!(
        transmitter.refused("bind_transmitter", json!({ "system_id": "shop", "password": "shop" })),
        5
    );
    transmitter.agreed("enquire_link", json!({}));
    transmitter.send("query_last_msgs", json!({}));
    assert_eq!(transmitter.expect("generic_nack")["command_status"], 3);
    receiver.agreed("unbind", json!({}));
    receiver.is_closed();

    let carrier = stage.carrier("gsm");
    assert_eq!(stage.hub.terminate(), Some(0));
    for peer in [&transmitter, &transceiver, &carrier] {
        peer.expect("unbind");
        peer.is_closed();
    }
}

#[test]
fn wrong_password_is_refused_without_a_word_of_why() {
    let Some(stage) = plan().start("operations") else { return };
    for (system_id, password) in [("shop", "wrong"), ("nobody", "shop")] {
        let peer = stage.bridge.connect(system_id, stage.port);
        let bind = json!({ "system_id": system_id, "password": password, "interface_version": 0x34 });

        assert_eq!(peer.refused("bind_transceiver", bind), 0x0D);
        peer.is_closed();
    }
}

#[test]
fn data_sm_goes_as_submit_sm_or_as_data_sm_and_receipts_come_in_either() {
    let plan = plan().account("data", "deliver_as = \"data_sm\"").carrier("lean", "49", "data_sm = true");
    let Some(stage) = plan.start("operations") else { return };
    let (shop, data) = (stage.esme("shop", 0x34), stage.esme("data", 0x34));
    let (gsm, lean) = (stage.carrier("gsm"), stage.carrier("lean"));
    let said_to = |to: &str| {
        json!({ "source_addr": "1000", "destination_addr": to, "dest_addr_ton": 1, "registered_delivery": 1,
            "data_coding": 0, "message_payload": "as data" })
    };

    let first = shop.agreed("data_sm", said_to("447700900123"));
    let submit = gsm.take_submit("A1");
    gsm.report(&submit, "A1", "DELIVRD");
    let second = data.agreed("data_sm", said_to("491701234567"));
    let sent = lean.take("data_sm", json!({ "message_id": "B1" }));
    let receipt = receipt_fields(&sent, "B1", "DELIVRD");
    let text = receipt["short_message"].clone();
    lean.agreed("data_sm", with(receipt, json!({ "data_coding": 0, "message_payload": text })));

    assert_eq!((text_of(&submit), text_of(&sent)), ("as data", "as data"));
    assert_eq!(said(&shop.take_receipt(), "id"), word(&first, "message_id"));
    let receipt = data.take("data_sm", json!({}));
    assert_eq!((&receipt["esm_class"], said(&receipt, "stat")), (&json!(4), "DELIVRD"));
    assert_eq!(receipt["receipted_message_id"], second["message_id"]);
    let empty = with(said_to("447700900123"), json!({ "registered_delivery": 0 }));
    let Value::Object(mut empty) = empty else { panic!("an object") };
    empty.remove("message_payload");
    assert_eq!(shop.refused("data_sm", Value::Object(empty)), 0xC3);
}

fn sme(to: &str) -> Value {
    json!({ "dest_addr_ton": 1, "dest_addr_npi": 1, "destination_addr": to })
}

fn multi(destinations: Value) -> Value {
    json!({ "source_addr": "1000", "dest_address": destinations, "registered_delivery": 1,
        "data_coding": 0, "short_message": "to all" })
}

#[test]
fn submit_multi_reaches_each_destination_and_names_those_that_it_could_not() {
    let lists = "[[list]]\nname = \"staff\"\naccount = \"shop\"\n\
                 members = [\"+447700900001\", \"+447700900002\"]\n\
                 [[list]]\nname = \"board\"\naccount = \"other\"\nmembers = [\"+447700900009\"]";
    let Some(stage) = plan().account("other", "").more(lists).start("operations") else { return };
    let (esme, carrier) = (stage.esme("shop", 0x34), stage.carrier("gsm"));

    let everybody = json!([sme("447700900123"), { "dl_name": "staff" }, sme(""), sme("33123456789")]);
    let response = esme.agreed("submit_multi", multi(everybody));

    let failed = |to: &str| with(sme(to), json!({ "error_status_code": 0x0B }));
    assert_eq!(response["unsuccess_sme"], json!([failed(""), failed("33123456789")]));
    let mut reached = Vec::new();
    for id in ["A1", "A2", "A3"] {
        let submit = carrier.take_submit(id);
        carrier.report(&submit, id, "DELIVRD");
        let receipt = esme.take_receipt();
        assert_eq!((text_of(&submit), said(&receipt, "id")), ("to all", word(&response, "message_id")));
        reached.push(word(&receipt, "source_addr").to_owned());
    }
    reached.sort();
    assert_eq!(reached, ["447700900001", "447700900002", "447700900123"]);
    for nobody in [json!([{ "dl_name": "nobody" }]), json!([{ "dl_name": "board" }])] {
        assert_eq!(esme.refused("submit_multi", multi(nobody)), 0x34);
    }
    assert_eq!(esme.refused("submit_multi", multi(json!([]))), 0x33);
    carrier.has_nothing_more();
}

#[test]
fn query_tells_where_a_message_stands() {
    let Some(stage) = plan().account("other", "").start("operations") else { return };
    let (esme, newer) = (stage.esme("shop", 0x34), stage.esme("shop", 0x50));
    let (other, carrier) = (stage.esme("other", 0x34), stage.carrier("gsm"));
    let later = accepted(&esme, waiting("later"));
    let id = accepted(&esme, short("447700900123", "now"));
    let submit = carrier.take_submit("A1");

    assert_eq!((state(&esme, &later), state(&newer, &later)), (json!(1), json!(0)), "3.4 has no SCHEDULED");
    let under_way = esme.agreed("query_sm", about(&id));
    assert_eq!((&under_way["message_state"], word(&under_way, "final_date")), (&json!(1), ""));
    carrier.report(&submit, "A1", "UNDELIV");
    let (first, second) = (&esme, &newer);
    // Receipts go to whichever session of the account is next.
    let ended = first.agreed("query_sm", about(&id));
    assert_eq!(ended["message_state"], 5);
    assert!(word(&ended, "final_date").starts_with("20"), "the library reads our time: {ended}");
    assert_eq!(state(second, &id), json!(5));

    assert_eq!(esme.refused("query_sm", json!({ "message_id": id, "source_addr": "1001" })), 0x0C);
    assert_eq!(other.refused("query_sm", about(&id)), 0x0C);
    assert_eq!(esme.refused("query_sm", about("no such id")), 0x0C);
}

#[test]
fn cancelled_messages_end_as_deleted_by_id_or_by_addresses() {
    let Some(stage) = plan().start("operations") else { return };
    let (esme, carrier) = (stage.esme("shop", 0x34), stage.carrier("gsm"));
    let first = accepted(&esme, waiting("first"));
    esme.agreed("cancel_sm", about(&first));
    let receipt = esme.take_receipt();
    assert_eq!((said(&receipt, "id"), said(&receipt, "stat")), (&first[..], "DELETED"));
    assert_eq!(receipt["message_state"], 4);
    assert_eq!(esme.refused("cancel_sm", about(&first)), 0x11);
    assert_eq!(esme.refused("cancel_sm", about("rubbish")), 0x0C);

    let mut expected = vec![accepted(&esme, waiting("second")), accepted(&esme, waiting("third"))];
    let voice = accepted(&esme, with(waiting("voice"), json!({ "service_type": "VMA" })));
    let fields = |service: &str| json!({ "service_type": service, "source_addr": "1000", "destination_addr": "447700900123" });
    assert_eq!(esme.refused("cancel_sm", fields("CMT")), 0x11);
    esme.agreed("cancel_sm", fields("VMA"));
    assert_eq!(said(&esme.take_receipt(), "id"), voice);
    esme.agreed("cancel_sm", fields(""));
    let mut deleted =
        [esme.take_receipt(), esme.take_receipt()].map(|receipt| said(&receipt, "id").to_owned());
    expected.sort();
    deleted.sort();
    assert_eq!(deleted.to_vec(), expected);

    let out = accepted(&esme, short("447700900123", "out"));
    let submit = carrier.take_submit("A1");
    assert_eq!(text_of(&submit), "out");
    assert_eq!(esme.refused("cancel_sm", about(&out)), 0x11);
}

#[test]
fn replaced_message_goes_out_in_its_new_words_at_its_new_time() {
    let Some(stage) = plan().start("operations") else { return };
    let (esme, carrier) = (stage.esme("shop", 0x34), stage.carrier("gsm"));
    let id = accepted(&esme, waiting("old words"));
    let new = |schedule: &str, text: &str| {
        with(
            about(&id),
            json!({ "schedule_delivery_time": schedule, "registered_delivery": 1, "short_message": text }),
        )
    };

    assert_eq!(esme.refused("replace_sm", new("991399000000000R!", "x")), 0x61);
    esme.agreed("replace_sm", new("", "newer words"));
    assert_eq!(state(&esme, &id), json!(1));
    esme.agreed("replace_sm", new("000000000001000R", "newest words"));
    let submit = carrier.take_submit("A1");

    assert_eq!(text_of(&submit), "newest words");
    assert_eq!(esme.refused("replace_sm", new("", "too late")), 0x13);
    carrier.report(&submit, "A1", "DELIVRD");
    assert_eq!(said(&esme.take_receipt(), "id"), id);
    assert_eq!(esme.refused("replace_sm", with(about("rubbish"), json!({ "short_message": "x" }))), 0x0C);
}

#[test]
fn submission_in_place_of_another_deletes_it() {
    let Some(stage) = plan().start("operations") else { return };
    let (esme, carrier) = (stage.esme("shop", 0x34), stage.carrier("gsm"));
    let old = accepted(&esme, waiting("old"));

    let new = with(short("447700900123", "new"), json!({ "replace_if_present_flag": 1 }));
    let new = accepted(&esme, new);

    let receipt = esme.take_receipt();
    assert_eq!((said(&receipt, "id"), said(&receipt, "stat")), (&old[..], "DELETED"));
    assert_ne!(old, new);
    assert_eq!(text_of(&carrier.take_submit("A1")), "new");
}

#[test]
fn answer_to_a_transaction_waits_for_its_outcome_and_a_datagram_for_nothing() {
    let Some(stage) = plan().start("operations") else { return };
    let (esme, carrier) = (stage.esme("shop", 0x34), stage.carrier("gsm"));
    let mode =
        |mode: u8| with(short("447700900123", "x"), json!({ "esm_class": mode, "registered_delivery": 0 }));

    for (id, stat, status) in [("A1", "DELIVRD", 0), ("A2", "UNDELIV", 0xFE)] {
        esme.send("submit_sm", mode(2));
        let submit = carrier.take_submit(id);
        esme.has_nothing_more();
        carrier.report(&submit, id, stat);
        assert_eq!(esme.expect("submit_sm_resp")["command_status"], status);
    }

    esme.agreed("submit_sm", mode(1));
    carrier.take("submit_sm", json!({ "command_status": 8 }));
    assert_eq!(esme.refused("submit_sm", with(mode(1), json!({ "schedule_delivery_time": LATER }))), 0x61);
    esme.has_nothing_more();
}

/// The status of a message that no submission is answered with comes back as a receipt.
#[test]
fn carriers_final_refusal_comes_back_as_a_receipt() {
    let Some(stage) = plan().start("operations") else { return };
    let (esme, carrier) = (stage.esme("shop", 0x34), stage.carrier("gsm"));

    let id = accepted(&esme, short("447700900123", "x"));
    carrier.take("submit_sm", json!({ "command_status": 0x0B }));

    let receipt = esme.take_receipt();
    assert_eq!((said(&receipt, "id"), said(&receipt, "stat")), (&id[..], "REJECTD"));
    assert_eq!(receipt["network_error_code"], json!({ "hex": "07000b" }));
    assert_eq!(esme.refused("submit_sm", short("33123456789", "nowhere")), 0x0B);
}

#[test]
fn intermediate_notification_reaches_who_asked_for_it() {
    let Some(stage) = plan().start("operations") else { return };
    let (esme, carrier) = (stage.esme("shop", 0x34), stage.carrier("gsm"));
    let id = accepted(&esme, with(short("447700900123", "x"), json!({ "registered_delivery": 0x11 })));
    let submit = carrier.take_submit("A1");

    carrier.report(&submit, "A1", "ENROUTE");
    let notice = esme.take("deliver_sm", json!({}));
    carrier.report(&submit, "A1", "DELIVRD");
    let receipt = esme.take_receipt();

    assert_eq!((&notice["esm_class"], &notice["message_state"]), (&json!(0x20), &json!(1)));
    assert_eq!((said(&notice, "id"), said(&receipt, "id")), (&id[..], &id[..]));
}

/// A receipt is good once; the second is taken and told nobody.
#[test]
fn second_final_receipt_is_taken_and_not_forwarded() {
    let Some(stage) = plan().start("operations") else { return };
    let (esme, carrier) = (stage.esme("shop", 0x34), stage.carrier("gsm"));
    accepted(&esme, short("447700900123", "x"));
    let submit = carrier.take_submit("A1");

    carrier.report(&submit, "A1", "DELIVRD");
    assert_eq!(said(&esme.take_receipt(), "stat"), "DELIVRD");
    carrier.report(&submit, "A1", "UNDELIV");

    esme.has_nothing_more();
}

/// Fact sheet 4.3: 0x64 is "later", and the account's other session may take it.
#[test]
fn receipt_that_an_esme_refuses_for_now_comes_again() {
    let plan = plan().more("[limits]\nreceipt_retry_s = 1");
    let Some(stage) = plan.start("operations") else { return };
    let (esme, carrier) = (stage.esme("shop", 0x34), stage.carrier("gsm"));
    let id = accepted(&esme, short("447700900123", "x"));
    let submit = carrier.take_submit("A1");
    carrier.report(&submit, "A1", "DELIVRD");

    let first = esme.take("deliver_sm", json!({ "command_status": 0x64 }));
    let again = esme.take_receipt();

    assert_eq!((said(&first, "id"), said(&again, "id")), (&id[..], &id[..]));
    esme.has_nothing_more();
}

/// One id for several messages: it is asked for as one, and cancelled as one.
#[test]
fn shared_id_is_queried_and_cancelled_for_all() {
    let Some(stage) = plan().start("operations") else { return };
    let esme = stage.esme("shop", 0x34);
    let both = json!([sme("447700900001"), sme("447700900002")]);
    let response = esme.agreed("submit_multi", with(multi(both), json!({ "schedule_delivery_time": LATER })));
    let id = word(&response, "message_id");

    assert_eq!(state(&esme, id), json!(1));
    assert_eq!(esme.refused("replace_sm", with(about(id), json!({ "short_message": "x" }))), 0x13);
    let one = with(about(id), json!({ "destination_addr": "447700900002" }));
    esme.agreed("cancel_sm", one);
    let receipt = esme.take_receipt();
    assert_eq!((said(&receipt, "id"), word(&receipt, "source_addr")), (id, "447700900002"));
    assert_eq!(state(&esme, id), json!(1), "the other still waits");
    esme.agreed("cancel_sm", about(id));
    assert_eq!(word(&esme.take_receipt(), "source_addr"), "447700900001");
    assert_eq!(state(&esme, id), json!(4));
}
