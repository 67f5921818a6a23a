//! Bulks over sockets: a foreign library submits, the HTTP desk schedules, pauses, resumes and cancels.

mod support;

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::bridge::{Peer, said, text_of, word};
use support::http_ask;
use support::stage::{Plan, Stage, hex, short, with};

fn stage() -> Option<Stage> {
    let more = "bulk_tlv = 0x1403";
    let plan = Plan::new().account("shop", more).account("other", more).carrier("gsm", "44", "");
    plan.start("operations_bulks")
}

/// A text for a bulk, in two days.
fn bundled(bulk: &str, text: &str) -> Value {
    let more = json!({ "vendor_1403": hex(bulk.as_bytes()), "schedule_delivery_time": "000002000000000R" });
    with(short("447700900123", text), more)
}

fn submit(esme: &Peer, bulk: &str, text: &str) -> String {
    word(&esme.agreed("submit_sm", bundled(bulk, text)), "message_id").to_owned()
}

/// What `shop` is answered; asserts that it is this status.
fn asked(stage: &Stage, request: &str, body: &str, status: u16) -> Value {
    let (told, answer) = http_ask(stage.hub.door(), "shop", request, body);
    assert_eq!(told, status, "{request}: {answer}");
    answer
}

fn state(stage: &Stage, bulk: &str) -> String {
    word(&asked(stage, &format!("GET /bulks/{bulk}"), "", 200), "state").to_owned()
}

fn in_seconds(seconds: i64) -> String {
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    json!({ "at": at.to_string() }).to_string()
}

/// Asks until the bulk is in that state.
#[allow(clippy::disallowed_methods)] // a hung run ends
fn await_state(stage: &Stage, bulk: &str, wanted: &str) -> Value {
    let begun = Instant::now();
    loop {
        let answer = asked(stage, &format!("GET /bulks/{bulk}"), "", 200);
        if answer["state"] == wanted {
            return answer;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{answer}");
    }
}

#[test]
fn bulk_is_scheduled_paused_resumed_and_followed_to_its_end() {
    let Some(stage) = stage() else { return };
    let (esme, carrier) = (stage.esme("shop", 0x34), stage.carrier("gsm"));
    let ids = [submit(&esme, "spring", "one"), submit(&esme, "spring", "two")];
    let shown = asked(&stage, "GET /bulks/spring", "", 200);
    assert_eq!(
        (&shown["state"], &shown["messages"], &shown["open"]),
        (&json!("PENDING"), &json!(2), &json!(2))
    );

    assert_eq!(asked(&stage, "POST /bulks/spring/pause", "", 200)["state"], "PAUSED");
    assert_eq!(asked(&stage, "POST /bulks/spring/pause", "", 409)["error"], "already_paused");
    asked(&stage, "PUT /bulks/spring/schedule", &in_seconds(1), 200);
    assert_eq!(asked(&stage, "PUT /bulks/spring/schedule", &in_seconds(-60), 400)["error"], "past");
    asked(&stage, "POST /bulks/spring/resume", "", 200);
    let taken = ["A1", "A2"].map(|id| carrier.take_submit(id));

    assert_eq!([text_of(&taken[0]), text_of(&taken[1])], ["one", "two"]);
    assert!(taken.iter().all(|submit| submit["vendor_1403"].is_null()), "{taken:?}");
    assert_eq!(state(&stage, "spring"), "PROCESSING");
    carrier.report(&taken[0], "A1", "DELIVRD");
    carrier.report(&taken[1], "A2", "UNDELIV");
    let mut told = [(); 2].map(|()| said(&esme.take_receipt(), "id").to_owned());
    told.sort();
    let mut expected = ids;
    expected.sort();
    assert_eq!(told, expected);
    let shown = await_state(&stage, "spring", "FINISHED");
    assert_eq!([&shown["delivered"], &shown["failed"], &shown["open"]], [&json!(1), &json!(1), &json!(0)]);
    assert_eq!(asked(&stage, "POST /bulks/spring/cancel", "", 409)["error"], "over");
    let page = stage.hub.scrape();
    assert!(page.contains("enroute_bulk_changes_refused_total{reason=\"already_paused\"} 1"), "{page}");
}

#[test]
fn cancelled_bulk_stays_cancelled_and_a_paused_one_paused_across_a_kill() {
    let Some(stage) = stage() else { return };
    let esme = stage.esme("shop", 0x34);
    let id = submit(&esme, "wrong", "never");
    submit(&esme, "slow", "some time");
    asked(&stage, "POST /bulks/slow/pause", "", 200);
    assert_eq!(asked(&stage, "PUT /bulks/early/schedule", &in_seconds(3600), 201)["messages"], 0);
    asked(&stage, "POST /bulks/wrong/cancel", "", 200);
    let receipt = esme.take_receipt();
    assert_eq!((said(&receipt, "id"), said(&receipt, "stat")), (&id[..], "DELETED"));

    let stage = stage.again();

    assert_eq!(["wrong", "slow", "early"].map(|bulk| state(&stage, bulk)), ["CANCELED", "PAUSED", "PENDING"]);
    let esme = stage.esme("shop", 0x34);
    assert_eq!(esme.refused("submit_sm", bundled("wrong", "x")), 0x45);
    let carrier = stage.bridge.peer("gsm/2");
    carrier.expect("bind_transceiver");
    asked(&stage, "PUT /bulks/slow/schedule", &in_seconds(1), 200);
    asked(&stage, "POST /bulks/slow/resume", "", 200);
    assert_eq!(text_of(&carrier.take_submit("B1")), "some time");
}

#[test]
fn nobody_sees_or_touches_anothers_bulk() {
    let Some(stage) = stage() else { return };
    let esme = stage.esme("shop", 0x34);
    submit(&esme, "spring", "ours");
    let ask = |account: &str, request: &str| http_ask(stage.hub.door(), account, request, "").0;

    assert_eq!(ask("other", "POST /bulks/spring/cancel"), 404);
    assert_eq!(ask("nobody", "POST /bulks/spring/cancel"), 401);

    assert_eq!(state(&stage, "spring"), "PENDING");
}
