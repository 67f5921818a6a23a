//! Texts on their way between peers that want them in another form: long ones, other alphabets, optional parameters.

mod support;

use serde_json::{Value, json};
use support::bridge::{Peer, holds, said, text_of, word};
use support::stage::{Plan, hex, short, with};

/// 400 characters that tell where they stand.
fn long_text() -> String {
    (0..100).map(|place| format!("{place:03},")).collect()
}

/// A long text in message_payload.
fn whole(to: &str) -> Value {
    let Value::Object(mut fields) = with(short(to, ""), json!({ "message_payload": long_text() })) else {
        panic!("an object")
    };
    fields.remove("short_message");
    Value::Object(fields)
}

/// One of two parts with a user data header of an 8-bit reference.
fn part(to: &str, reference: u8, number: u8, text: &str) -> Value {
    let octets = [&[5, 0, 3, reference, 2, number], text.as_bytes()].concat();
    with(short(to, ""), json!({ "esm_class": 0x40, "short_message": hex(&octets) }))
}

/// Submits; gives the id.
fn accepted(esme: &Peer, fields: Value) -> String {
    word(&esme.agreed("submit_sm", fields), "message_id").to_owned()
}

/// The element of a part's header that says which part it is, as octets in hex.
fn element(submit: &Value) -> &str {
    let element = submit["short_message"]["udh"][0]["hex"].as_str();
    element.unwrap_or_else(|| panic!("no header in {submit}"))
}

/// A carrier for each way to take a long text.
fn every_way() -> Plan {
    let wants = |form: &str| format!("long_messages = \"{form}\"");
    Plan::new()
        .account("shop", "")
        .carrier("udh8", "41", &wants("udh8"))
        .carrier("udh16", "42", &wants("udh16"))
        .carrier("sar", "43", &wants("sar"))
        .carrier("payload", "45", &wants("payload"))
        .carrier("pass", "46", "")
}

/// Field bugs T7, D7: from one PDU to many, and one receipt back.
#[test]
fn long_text_goes_in_parts_as_the_carrier_wants_and_one_receipt_comes_back() {
    let Some(stage) = every_way().start("operations_texts") else { return };
    let esme = stage.esme("shop", 0x34);

    for (form, to, start) in [("udh8", "41", "0003"), ("udh16", "42", "0804"), ("sar", "43", "")] {
        let carrier = stage.carrier(form);
        let id = accepted(&esme, whole(&format!("{to}7700900123")));
        let parts: Vec<Value> =
            (1..=3).map(|number| carrier.take_submit(&format!("{form}{number}"))).collect();
        let mut texts = String::new();
        for (number, submit) in (1..).zip(&parts) {
            texts += text_of(submit);
            if form == "sar" {
                assert_eq!(submit["sar_total_segments"], 3, "{submit}");
                assert_eq!(submit["sar_segment_seqnum"], number);
                assert_eq!(submit["sar_msg_ref_num"], parts[0]["sar_msg_ref_num"]);
                assert_eq!(submit["esm_class"], 0);
            } else {
                assert!(element(submit).starts_with(start), "{submit}");
                assert!(element(submit).ends_with(&format!("03{number:02}")), "{submit}");
                assert_eq!(submit["esm_class"], 0x40);
            }
            carrier.report(submit, &format!("{form}{number}"), "DELIVRD");
        }
        assert_eq!(texts, long_text(), "{form}");
        let receipt = esme.take_receipt();
        assert_eq!((said(&receipt, "id"), said(&receipt, "stat")), (&id[..], "DELIVRD"), "{form}");
        esme.has_nothing_more();
    }
}

/// Two texts to one handset at the same time must not be mixed up there (field bug T5).
#[test]
fn references_of_two_long_texts_to_one_handset_differ() {
    let Some(stage) = every_way().start("operations_texts") else { return };
    let (esme, carrier) = (stage.esme("shop", 0x34), stage.carrier("udh16"));
    for _ in 0..2 {
        accepted(&esme, whole("427700900123"));
    }

    let parts: Vec<Value> = (0..6).map(|place| carrier.take_submit(&format!("A{place}"))).collect();

    let reference = |place: usize| element(&parts[place])[4..8].to_owned();
    assert_eq!(reference(0), reference(2));
    assert_eq!(reference(3), reference(5));
    assert_ne!(reference(0), reference(3));
}

/// Field bug D7: the worst outcome, the last, or each.
#[test]
fn receipts_of_parts_are_combined_as_the_account_wishes() {
    let wish = |wish: &str| format!("part_receipts = \"{wish}\"");
    let plan = ["worst", "last", "each"]
        .into_iter()
        .fold(Plan::new(), |plan, name| plan.account(name, &wish(name)))
        .carrier("udh8", "44", "long_messages = \"udh8\"");
    let Some(stage) = plan.start("operations_texts") else { return };
    let carrier = stage.carrier("udh8");

    for (name, expected) in [
        ("worst", vec!["UNDELIV"]),
        ("last", vec!["DELIVRD"]),
        ("each", vec!["DELIVRD", "DELIVRD", "UNDELIV"]),
    ] {
        let esme = stage.esme(name, 0x34);
        let id = accepted(&esme, whole("447700900123"));
        let parts = [1, 2, 3].map(|part| carrier.take_submit(&format!("{name}{part}")));
        // The first fails, and not as the last to be told.
        for (place, stat) in [(1, "DELIVRD"), (0, "UNDELIV"), (2, "DELIVRD")] {
            carrier.report(&parts[place], &format!("{name}{}", place + 1), stat);
        }

        let receipts: Vec<Value> = expected.iter().map(|_| esme.take_receipt()).collect();
        let mut stats: Vec<&str> = receipts.iter().map(|receipt| said(receipt, "stat")).collect();
        stats.sort_unstable();
        assert_eq!(stats, expected, "{name}");
        assert!(receipts.iter().all(|receipt| said(receipt, "id") == id), "{name}");
        esme.has_nothing_more();
    }
}

/// Field bugs T6, T7: parts in any order, with a header or with parameters, make one text.
#[test]
fn parts_are_joined_for_a_carrier_that_wants_texts_whole() {
    let Some(stage) = every_way().start("operations_texts") else { return };
    let (esme, carrier) = (stage.esme("shop", 0x34), stage.carrier("payload"));
    let sar = |number: u8, text: &str| {
        let parameters =
            json!({ "sar_msg_ref_num": 300, "sar_total_segments": 2, "sar_segment_seqnum": number });
        with(short("457700900123", text), parameters)
    };
    let udh = |number: u8, text: &str| part("457700900123", 9, number, text);

    for (name, second, first) in
        [("udh", udh(2, "world"), udh(1, "hello ")), ("sar", sar(2, "world"), sar(1, "hello "))]
    {
        let mut ids = vec![accepted(&esme, second), accepted(&esme, first)];
        let submit = carrier.take_submit(name);
        carrier.report(&submit, name, "DELIVRD");
        let mut told =
            [esme.take_receipt(), esme.take_receipt()].map(|receipt| said(&receipt, "id").to_owned());

        assert_eq!((text_of(&submit), &submit["esm_class"]), ("hello world", &json!(0)), "{name}");
        assert!(submit["sar_msg_ref_num"].is_null(), "{submit}");
        ids.sort();
        told.sort();
        assert_eq!(told.to_vec(), ids, "each part has its receipt");
    }
    carrier.has_nothing_more();
}

#[test]
fn parts_change_their_form_where_the_carrier_wants_another_and_pass_where_not() {
    let Some(stage) = every_way().start("operations_texts") else { return };
    let esme = stage.esme("shop", 0x34);
    let sar = json!({ "sar_msg_ref_num": 0x1234, "sar_total_segments": 2, "sar_segment_seqnum": 1 });
    let sent = |to: &str, form: &str, fields: Value| {
        accepted(&esme, with(fields, json!({ "destination_addr": format!("{to}7700900123") })));
        stage.bridge.peer(&format!("{form}/1")).take_submit("A1")
    };

    let submit = sent("43", "sar", part("", 9, 1, "x"));
    assert_eq!((&submit["sar_msg_ref_num"], &submit["esm_class"]), (&json!(9), &json!(0)), "{submit}");
    let submit = sent("42", "udh16", with(short("", "x"), sar.clone()));
    assert_eq!(element(&submit), "080412340201");
    let submit = sent("41", "udh8", with(short("", "x"), sar.clone()));
    assert_eq!(element(&submit), "0003340201");
    let submit = sent("46", "pass", with(short("", "x"), sar));
    assert_eq!((&submit["sar_msg_ref_num"], text_of(&submit)), (&json!(0x1234), "x"));
    let submit = sent("46", "pass", part("", 9, 2, "x"));
    assert_eq!((element(&submit), &submit["esm_class"]), ("0003090202", &json!(0x40)));
    let submit = sent("46", "pass", whole(""));
    assert_eq!((text_of(&submit), submit["message_payload"].is_object()), (&long_text()[..], true));
    let submit = sent("41", "udh8", short("", &long_text()[..161]));
    assert_eq!((element(&submit).ends_with("0201"), text_of(&submit).len()), (true, 153), "{submit}");
    let submit = sent("45", "payload", short("", &long_text()[..161]));
    assert_eq!((text_of(&submit).len(), submit["message_payload"].is_object()), (161, true));
}

/// Everything that a submission may carry and that the hub doesn't act on, with two of a kind and two of a vendor's.
fn every_parameter() -> Value {
    let number = |digits: &str| json!({ "digit_mode": 1, "ton": 1, "npi": 1, "number": digits });
    let tag = |text: &[u8]| json!({ "encoding": 0, "display": hex(text) });
    with(
        json!({ "dest_addr_subunit": 1, "dest_network_type": 1, "dest_bearer_type": 1, "dest_telematics_id": 64,
            "source_addr_subunit": 2, "source_network_type": 3, "source_bearer_type": 4,
            "source_telematics_id": 65, "payload_type": 1, "ms_msg_wait_facilities": 0x81,
            "privacy_indicator": 2, "source_subaddress": hex(b"\xA012"), "dest_subaddress": hex(b"\xA034"),
            "user_message_reference": 7, "user_response_code": 5, "source_port": 16000, "dest_port": 17000,
            "language_indicator": 1, "callback_num_pres_ind": [0, 1], "number_of_messages": 9,
            "callback_num": [number("447700900000"), number("447700900001")],
            "callback_num_atag": [tag(b"Ann"), tag(b"Bob")], "more_messages_to_send": 0, "set_dpf": 1,
            "ussd_service_op": 2, "display_time": 2, "sms_signal": 0x0102 }),
        json!({ "billing_identification": { "format": 0x80, "data": hex(b"cc7") },
            "source_network_id": "1262", "dest_network_id": "1234001", "source_node_id": "000001",
            "dest_node_id": "000002", "dest_addr_np_resolution": 2, "dest_addr_np_information": "0123456789",
            "dest_addr_np_country": 44, "ms_validity": hex(&[4, 0, 0, 9]), "alert_on_message_delivery": 2,
            "its_reply_type": 8, "receipted_message_id": "elsewhere", "message_state": 2,
            "network_error_code": hex(&[3, 0, 9]), "its_session_info": hex(&[1, 2]), "vendor_1401": hex(&[1]),
            "vendor_1402": hex(&[2, 0, 0xFF]) }),
    )
}

#[test]
fn optional_parameters_pass_untouched_but_for_the_operators_rules() {
    let rules = "[[carrier.tlv]]\ntag = 0x1400\naction = \"add\"\nvalue = \"cafe\"\n\
                 [[carrier.tlv]]\ntag = 0x1401\naction = \"drop\"\n\
                 [[carrier.tlv]]\ntag = 0x1402\naction = \"rename\"\nto = 0x1403";
    let plan = Plan::new().account("shop", "").carrier("strict", "44", rules).carrier("gsm", "49", "");
    let Some(stage) = plan.start("operations_texts") else { return };
    let (esme, strict, gsm) = (stage.esme("shop", 0x34), stage.carrier("strict"), stage.carrier("gsm"));
    let parameters = every_parameter();

    accepted(&esme, with(short("447700900123", "x"), parameters.clone()));
    accepted(&esme, with(short("497700900123", "x"), parameters.clone()));

    let (ruled, passed) = (strict.take_submit("A1"), gsm.take_submit("B1"));
    assert_eq!(ruled["vendor_1400"], hex(&[0xCA, 0xFE]));
    assert!(ruled["vendor_1401"].is_null() && ruled["vendor_1402"].is_null(), "{ruled}");
    assert_eq!(ruled["vendor_1403"], hex(&[2, 0, 0xFF]));
    assert!(passed["vendor_1400"].is_null() && passed["vendor_1403"].is_null(), "{passed}");
    let Value::Object(parameters) = parameters else { panic!("an object") };
    for (name, value) in parameters {
        assert_eq!(passed[&name], value, "{name}");
        assert!(name.starts_with("vendor") || ruled[&name] == value, "{name}: {ruled}");
    }
    accepted(&esme, with(short("447700900123", "x"), json!({ "vendor_1400": hex(&[9]) })));
    assert_eq!(strict.take_submit("A2")["vendor_1400"], hex(&[9]), "what is there is not added");
}

/// Fact sheet 9.3: what data_coding 0 means at either end, and each fallback for what GSM doesn't have.
#[test]
fn text_is_transcoded_where_account_and_carrier_differ() {
    let missing = |what: &str| format!("missing_characters = \"{what}\"");
    let plan = Plan::new()
        .account("latin", "alphabet = \"latin1\"")
        .account("shop", "")
        .carrier("ucs2", "41", &missing("ucs2"))
        .carrier("replace", "42", &missing("replace"))
        .carrier("refuse", "43", &missing("refuse"))
        .carrier("same", "45", "alphabet = \"latin1\"");
    let Some(stage) = plan.start("operations_texts") else { return };
    let (latin, shop) = (stage.esme("latin", 0x34), stage.esme("shop", 0x34));
    let say = |octets: &[u8]| json!({ "short_message": hex(octets) });
    let carriers = ["ucs2", "replace", "refuse", "same"].map(|name| (name, stage.carrier(name)));
    let carrier = |name: &str| &carriers.iter().find(|(known, _)| *known == name).expect("planned").1;
    let (cafe, circumflex) = (b"caf\xE9", b"\xEAtre");

    for (name, to) in [("ucs2", "41"), ("replace", "42"), ("refuse", "43")] {
        accepted(&latin, with(short(&format!("{to}7700900123"), ""), say(cafe)));
        let submit = carrier(name).take_submit("A1");
        assert_eq!((text_of(&submit), &submit["data_coding"]), ("café", &json!(0)), "{name}: as GSM 0x05");
    }
    accepted(&latin, with(short("417700900123", ""), say(circumflex)));
    let submit = carrier("ucs2").take_submit("A2");
    assert_eq!((text_of(&submit), &submit["data_coding"]), ("être", &json!(8)));
    accepted(&latin, with(short("427700900123", ""), say(circumflex)));
    let submit = carrier("replace").take_submit("A2");
    assert_eq!((text_of(&submit), &submit["data_coding"]), ("?tre", &json!(0)));
    for (version, status) in [(0x34, 0x45), (0x50, 0x104)] {
        let esme = stage.esme("latin", version);
        assert_eq!(esme.refused("submit_sm", with(short("437700900123", ""), say(circumflex))), status);
    }
    carrier("refuse").has_nothing_more();
    // Where the account's default is the carrier's, nobody looks; from another account's GSM the carrier gets Latin-1.
    accepted(&latin, with(short("457700900123", ""), say(circumflex)));
    let submit = carrier("same").take_submit("A1");
    assert!(holds(&submit, b"\x04\xEAtre") && submit["data_coding"] == 0, "{submit}");
    accepted(&shop, with(short("457700900123", ""), say(b"caf\x05")));
    let submit = carrier("same").take_submit("A2");
    assert!(holds(&submit, b"\x04caf\xE9") && submit["data_coding"] == 0, "{submit}");
}

#[test]
fn other_codings_are_taken_as_each_peer_means_them() {
    let plan = Plan::new()
        .account("shop", "[[account.coding]]\noctet = 0xF1\nalphabet = \"gsm-packed\"")
        .carrier("gsm", "44", "")
        .carrier("latin", "49", "[[carrier.coding]]\noctet = 3\nalphabet = \"latin1\"");
    let Some(stage) = plan.start("operations_texts") else { return };
    let (esme, gsm, latin) = (stage.esme("shop", 0x34), stage.carrier("gsm"), stage.carrier("latin"));
    let say = |to: &str, coding: u8, octets: &[u8]| {
        accepted(&esme, with(short(to, ""), json!({ "data_coding": coding, "short_message": hex(octets) })));
    };

    say("447700900123", 8, &[0x4F, 0x60, 0x59, 0x7D, 0xD8, 0x3D, 0xDE, 0x80]);
    let submit = gsm.take_submit("A1");
    assert_eq!((text_of(&submit), &submit["data_coding"]), ("你好🚀", &json!(8)));
    say("447700900123", 4, &[0, 0xFF, 0x1B, 0x80]);
    let submit = gsm.take_submit("A2");
    assert_eq!(
        (&submit["short_message"]["message"], &submit["data_coding"]),
        (&hex(&[0, 0xFF, 0x1B, 0x80]), &json!(4))
    );
    say("447700900123", 0xF0, b"flash");
    let submit = gsm.take_submit("A3");
    assert_eq!((text_of(&submit), &submit["data_coding"]), ("flash", &json!(0xF0)));
    // "hellohello" in packed septets (3GPP TS 23.038).
    say("447700900123", 0xF1, &[0xE8, 0x32, 0x9B, 0xFD, 0x46, 0x97, 0xD9, 0xEC, 0x37]);
    let submit = gsm.take_submit("A4");
    assert_eq!((text_of(&submit), &submit["data_coding"]), ("hellohello", &json!(0xF1)), "its class stays");
    say("497700900123", 3, b"caf\xE9");
    let submit = latin.take_submit("B1");
    assert_eq!((text_of(&submit), &submit["data_coding"]), ("café", &json!(3)));
}

/// Everything at once: a destination's parts are its own, and the id is everybody's.
#[test]
fn long_text_to_several_is_divided_for_each_and_each_gets_its_receipt() {
    let Some(stage) = every_way().start("operations_texts") else { return };
    let (esme, carrier) = (stage.esme("shop", 0x34), stage.carrier("udh8"));
    let sme = |to: &str| json!({ "dest_addr_ton": 1, "dest_addr_npi": 1, "destination_addr": to });
    let multi = json!({ "source_addr": "1000", "registered_delivery": 1, "data_coding": 0,
        "dest_address": [sme("417700900001"), sme("417700900002")], "message_payload": long_text() });

    let response = esme.agreed("submit_multi", multi);
    let mut parts: Vec<(Value, String)> = Vec::new();
    for place in 0..6 {
        let id = format!("A{place}");
        parts.push((carrier.take_submit(&id), id));
    }
    for to in ["417700900001", "417700900002"] {
        let own = || parts.iter().filter(|(submit, _)| submit["destination_addr"] == to);
        assert_eq!(own().map(|(submit, _)| text_of(submit)).collect::<String>(), long_text(), "{to}");
        for (submit, id) in own() {
            carrier.report(submit, id, if id.ends_with('5') { "UNDELIV" } else { "DELIVRD" });
        }
        let receipt = esme.take_receipt();
        assert_eq!(
            (said(&receipt, "id"), word(&receipt, "source_addr")),
            (word(&response, "message_id"), to)
        );
        let failed = own().any(|(_, id)| id.ends_with('5'));
        assert_eq!(said(&receipt, "stat"), if failed { "UNDELIV" } else { "DELIVRD" });
    }
    esme.has_nothing_more();
}

/// Field bug T3, and data_sm as the long text's vehicle.
#[test]
fn long_unicode_text_in_data_sm_is_cut_between_its_characters() {
    let Some(stage) = every_way().start("operations_texts") else { return };
    let (esme, carrier) = (stage.esme("shop", 0x34), stage.carrier("udh8"));
    // 66 units, then pairs: the first cut at 67 would go through one.
    let text = format!("{}{}", "ä".repeat(66), "🚀".repeat(40));
    let octets: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();

    esme.agreed(
        "data_sm",
        json!({ "source_addr": "1000", "destination_addr": "417700900123", "dest_addr_ton": 1,
            "registered_delivery": 1, "data_coding": 8, "message_payload": hex(&octets) }),
    );
    let parts: Vec<Value> = (0..3).map(|place| carrier.take_submit(&format!("A{place}"))).collect();

    assert_eq!(parts.iter().map(text_of).collect::<String>(), text);
    assert_eq!([0, 1, 2].map(|place| text_of(&parts[place]).encode_utf16().count()), [66, 66, 14]);
    assert!(parts.iter().all(|submit| submit["data_coding"] == 8));
}

/// Fact sheet 9.7: a 3.3 carrier has no message_payload, so what it can't get in parts is refused.
#[test]
fn long_text_for_a_carrier_of_3_3_goes_in_parts_or_not_at_all() {
    let plan = Plan::new()
        .account("shop", "")
        .carrier("parts", "41", "treat_as = \"3.3\"\nlong_messages = \"udh8\"")
        .carrier("whole", "42", "treat_as = \"3.3\"");
    let Some(stage) = plan.start("operations_texts") else { return };
    let (esme, parts, refusing) = (stage.esme("shop", 0x34), stage.carrier("parts"), stage.carrier("whole"));

    accepted(&esme, whole("417700900123"));
    let texts: String =
        (0..3).map(|place| text_of(&parts.take_submit(&format!("A{place}"))).to_owned()).collect();
    let id = accepted(&esme, whole("427700900123"));
    let receipt = esme.take_receipt();

    assert_eq!(texts, long_text());
    assert_eq!((said(&receipt, "id"), said(&receipt, "stat")), (&id[..], "REJECTD"));
    assert_eq!(receipt["network_error_code"], hex(&[7, 0, 1]));
    refusing.has_nothing_more();
}
