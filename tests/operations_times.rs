//! When messages go and end, and every form in which a carrier may tell the end: with a foreign library.

mod support;

use serde_json::{Value, json};
use support::bridge::{Peer, said, text_of, word};
use support::stage::{Plan, hex, short, with};

/// Submits; gives the id.
fn accepted(esme: &Peer, fields: Value) -> String {
    word(&esme.agreed("submit_sm", fields), "message_id").to_owned()
}

fn scheduled(text: &str, schedule: Value) -> Value {
    with(short("447700900123", text), json!({ "schedule_delivery_time": schedule }))
}

fn valid(validity: Value) -> Value {
    with(short("447700900123", "x"), json!({ "validity_period": validity }))
}

/// Fact sheet 6: the hub keeps the schedule, whatever the carrier would make of it.
#[test]
fn messages_go_at_their_time_relative_or_absolute() {
    let plan = Plan::new().account("shop", "").carrier("gsm", "44", "");
    let Some(stage) = plan.start("operations_times") else { return };
    let (esme, carrier) = (stage.esme("shop", 0x34), stage.carrier("gsm"));

    accepted(&esme, scheduled("absolute", json!({ "in_s": 4 })));
    accepted(&esme, scheduled("relative", json!("000000000003000R")));
    accepted(&esme, scheduled("an hour ago", json!({ "in_s": -3600 })));
    accepted(&esme, scheduled("now", json!("000000000000000R")));
    let order = ["A1", "A2", "A3", "A4"].map(|id| carrier.take_submit(id));

    assert_eq!(
        [0, 1, 2, 3].map(|place| text_of(&order[place])),
        ["an hour ago", "now", "relative", "absolute"]
    );
    assert!(order.iter().all(|submit| submit["schedule_delivery_time"] == ""));
}

/// What was agreed to is on disk: cancelled stays cancelled, replaced stays replaced, and each keeps its time.
#[test]
fn change_of_mind_outlives_kill_9() {
    let plan = Plan::new().account("shop", "").carrier("gsm", "44", "");
    let Some(stage) = plan.start("operations_times") else { return };
    let esme = stage.esme("shop", 0x34);
    let [gone, other, late] = [("gone", 0), ("other", 1), ("late", 1)].map(|(text, wish)| {
        let more = json!({ "validity_period": "000000000040000R", "registered_delivery": wish });
        accepted(&esme, with(scheduled(text, json!("000000000008000R")), more))
    });
    let about = |id: &str| json!({ "message_id": id, "source_addr": "1000" });
    esme.agreed("cancel_sm", about(&gone));
    let changed = json!({ "registered_delivery": 1, "short_message": "changed", "schedule_delivery_time": "000000000005000R" });
    esme.agreed("replace_sm", with(about(&other), changed));

    let stage = stage.again();
    let (esme, carrier) = (stage.esme("shop", 0x34), stage.link("gsm", 2));
    assert_eq!(esme.refused("cancel_sm", about(&gone)), 0x0C, "it is over and forgotten");
    let sent = [("A1", &other), ("A2", &late)].map(|(name, id)| {
        let submit = carrier.take_submit(name);
        carrier.report(&submit, name, "DELIVRD");
        assert_eq!(said(&esme.take_receipt(), "id"), id);
        text_of(&submit).to_owned()
    });

    assert_eq!(sent, ["changed", "late"]);
    carrier.has_nothing_more();
}

#[test]
fn times_that_cannot_be_are_refused() {
    let plan = Plan::new().account("shop", "").carrier("gsm", "44", "");
    let Some(stage) = plan.start("operations_times") else { return };
    let esme = stage.esme("shop", 0x34);

    for schedule in [
        json!({ "in_s": -200_000 }),
        json!({ "in_s": 400 * 86_400 }),
        json!("261332000000000+"),
        json!("000000000000000X"),
    ] {
        assert_eq!(esme.refused("submit_sm", scheduled("x", schedule.clone())), 0x61, "{schedule}");
    }
    for validity in [json!({ "in_s": -60 }), json!("260230000000000+"), json!("2602300000000+++R")] {
        assert_eq!(esme.refused("submit_sm", valid(validity.clone())), 0x62, "{validity}");
    }
    let too_short =
        with(valid(json!("000000010000000R")), json!({ "schedule_delivery_time": "000001000000000R" }));
    assert_eq!(esme.refused("submit_sm", too_short), 0x62, "over before it begins");
}

/// Field bug R7.
#[test]
fn message_expires_by_its_validity_or_its_time_to_live() {
    let plan = Plan::new().account("shop", "").carrier("gsm", "44", "");
    let Some(stage) = plan.start("operations_times") else { return };
    let (esme, carrier) = (stage.esme("shop", 0x34), stage.carrier("gsm"));
    let lives = with(valid(json!("000002000000000R")), json!({ "qos_time_to_live": 1 }));

    for fields in [valid(json!("000000000001000R")), valid(json!({ "in_s": 2 })), lives] {
        let id = accepted(&esme, fields);
        carrier.take("submit_sm", json!({ "command_status": 0x64 }));

        let receipt = esme.take_receipt();
        assert_eq!((said(&receipt, "id"), said(&receipt, "stat")), (&id[..], "EXPIRED"));
        assert_eq!(receipt["message_state"], 3);
    }
    carrier.has_nothing_more();
}

/// Fact sheet 5.2: what each value of registered_delivery brings, by version.
#[test]
fn registered_delivery_decides_which_ends_are_told() {
    let plan = Plan::new().account("shop", "").carrier("gsm", "44", "");
    let Some(stage) = plan.start("operations_times") else { return };
    let carrier = stage.carrier("gsm");
    let told = |esme: &Peer, wish: u8, stat: &str| {
        let id = accepted(esme, with(short("447700900123", "x"), json!({ "registered_delivery": wish })));
        let submit = carrier.take_submit(&id);
        assert_eq!(submit["registered_delivery"].as_u64().map(|octet| octet & 3), Some(1), "we want to know");
        carrier.report(&submit, &id, stat);
        id
    };

    // Each wish for a receipt at one end, so that what isn't wished for would come first.
    for (version, wish, quiet, loud) in
        [(0x34, 2, "DELIVRD", "UNDELIV"), (0x50, 2, "DELIVRD", "UNDELIV"), (0x50, 3, "UNDELIV", "DELIVRD")]
    {
        let esme = stage.esme("shop", version);
        told(&esme, wish, quiet);
        let id = told(&esme, wish, loud);
        let receipt = esme.take_receipt();
        assert_eq!((said(&receipt, "id"), said(&receipt, "stat")), (&id[..], loud), "{wish} at {version:#x}");
        esme.has_nothing_more();
        esme.agreed("unbind", json!({}));
    }
    let esme = stage.esme("shop", 0x34);
    for stat in ["UNDELIV", "DELIVRD"] {
        let id = told(&esme, 3, stat);
        assert_eq!(said(&esme.take_receipt(), "id"), id, "3.4 doesn't know 3: {stat}");
    }
}

/// Fact sheet 8.2; field bugs D4, D9, D10, D11: one message for each form, each of which ends as delivered.
#[test]
fn receipts_are_understood_in_every_form() {
    let plan = Plan::new()
        .account("shop", "")
        .carrier("gsm", "44", "unmarked_receipts = \"by_text\"")
        .carrier("bases", "49", "response_ids = \"hex\"\nreceipt_ids = \"decimal\"");
    let Some(stage) = plan.start("operations_times") else { return };
    let (esme, gsm, bases) = (stage.esme("shop", 0x34), stage.carrier("gsm"), stage.carrier("bases"));
    let text = |id: &str| {
        format!(
            "id:{id} sub:001 dlvrd:001 submit date:2611220200 done date:2611220201 stat:DELIVRD err:000 text:hi"
        )
    };
    let wide = |id: &str| text(id).bytes().flat_map(|octet| [0, octet]).collect::<Vec<u8>>();
    let tlvs = |id: &str| json!({ "receipted_message_id": id, "message_state": 2 });
    let uuid = "0e999f21-7A3c-4b1f-9d55-000000000001";
    let longest = "f".repeat(64);
    let forms: Vec<(&Peer, &str, &str, Value)> = vec![
        (&gsm, "44", "plain", json!({ "short_message": text("plain") })),
        (&gsm, "44", "marked", tlvs("marked")),
        (&gsm, "44", "00a7", json!({ "short_message": text("A7") })),
        (&gsm, "44", uuid, json!({ "short_message": text(&uuid.to_uppercase()) })),
        (&gsm, "44", &longest, json!({ "short_message": text(&longest) })),
        (&gsm, "44", "wide", json!({ "data_coding": 8, "short_message": hex(&wide("wide")) })),
        (&gsm, "44", "late", json!({ "short_message": "stat:DELIVRD  ID: late" })),
        (&gsm, "44", "unmarked", json!({ "esm_class": 0, "short_message": text("unmarked") })),
        (
            &gsm,
            "44",
            "named",
            with(tlvs("named"), json!({ "esm_class": 0, "short_message": "here you are" })),
        ),
        (&gsm, "44", "payload", json!({ "data_coding": 0, "message_payload": text("payload") })),
        (&bases, "49", "FFFFFFFF01", json!({ "short_message": text("1099511627521") })),
    ];

    for (carrier, to, carrier_id, form) in forms {
        let id = accepted(&esme, short(&format!("{to}7700900123"), "x"));
        carrier.take_submit(carrier_id);
        let receipt =
            json!({ "source_addr": format!("{to}7700900123"), "destination_addr": "1000", "esm_class": 4 });
        carrier.agreed("deliver_sm", with(receipt, form));

        let receipt = esme.take_receipt();
        assert_eq!((said(&receipt, "id"), said(&receipt, "stat")), (&id[..], "DELIVRD"), "{carrier_id}");
    }
}

/// Field bug D1: the receipt before the answer, on one link.
#[test]
fn receipt_before_its_answer_finds_its_message() {
    let plan = Plan::new().account("shop", "").carrier("gsm", "44", "");
    let Some(stage) = plan.start("operations_times") else { return };
    let (esme, carrier) = (stage.esme("shop", 0x34), stage.carrier("gsm"));
    let id = accepted(&esme, short("447700900123", "x"));
    let submit = carrier.expect("submit_sm");

    carrier.report(&submit, "A1", "DELIVRD");
    carrier.answer(&submit, json!({ "message_id": "A1" }));

    assert_eq!(said(&esme.take_receipt(), "id"), id);
}
