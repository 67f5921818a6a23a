//! Several carriers over sockets, with a foreign library: who gets what, and what becomes of it when one refuses, is silent or away.

mod support;

use serde_json::{Value, json};
use support::START_LIMIT;
use support::bridge::{Peer, said, text_of, word};
use support::stage::{Plan, Stage, hex, short, with};

/// A number of nobody's prefix: the rule below is for it.
const HANDSET: &str = "447700900123";

/// Groups, and a rule that sends all British numbers to the last one.
fn grouped(plan: Plan, groups: &[(&str, &str, &[&str])]) -> Plan {
    let mut text = String::new();
    for (name, kind, members) in groups {
        text += &format!("[[route.group]]\nname = \"{name}\"\nkind = \"{kind}\"\nmembers = {members:?}\n");
    }
    let (last, ..) = groups.last().expect("one at least");
    plan.more(&format!(
        "{text}[[route.rule]]\nname = \"british\"\nprefixes = [\"44\"]\ntarget = \"{last}\"\n"
    ))
}

fn accepted(esme: &Peer, text: &str) -> String {
    word(&esme.agreed("submit_sm", short(HANDSET, text)), "message_id").to_owned()
}

fn counted(stage: &Stage, series: &str, times: f64) {
    let has = || stage.hub.metric(series) == Some(times);
    stage.hub.process.until(series, START_LIMIT, has);
}

/// The carrier that refuses our bind is passed over, and its substitute has its share.
#[test]
fn failover_inside_balancing() {
    let away = json!({ "system_id": "away", "command_status": 0x0D });
    let plan = Plan::new().account("shop", "").answering("away", "1", "", away);
    let plan = plan.carrier("spare", "2", "").carrier("other", "3", "");
    let groups: [(&str, &str, &[&str]); 2] =
        [("first", "failover", &["away", "spare"]), ("both", "round_robin", &["first", "other"])];
    let Some(stage) = grouped(plan, &groups).start("operations_routes") else { return };
    let (spare, other) = (stage.carrier("spare"), stage.carrier("other"));
    let esme = stage.esme("shop", 0x34);

    let ids: Vec<String> = ["a", "b", "c", "d"].map(|text| accepted(&esme, text)).into();
    let mut texts = Vec::new();
    for (peer, id) in [(&spare, "s1"), (&spare, "s2"), (&other, "o1"), (&other, "o2")] {
        let submit = peer.take_submit(id);
        texts.push(text_of(&submit).to_owned());
        peer.report(&submit, id, "DELIVRD");
    }

    texts.sort();
    assert_eq!(texts, ["a", "b", "c", "d"]);
    let mut told: Vec<String> = ids.iter().map(|_| said(&esme.take_receipt(), "id").to_owned()).collect();
    told.sort();
    let mut ids = ids;
    ids.sort();
    assert_eq!(told, ids);
}

/// What one refuses for good goes on at once; what it can't take now goes on after its own ladder's wait, by its own statuses.
#[test]
fn refused_message_goes_on_to_the_next_carrier() {
    let own =
        "[[carrier.status]]\ncode = 0x45\nclass = \"transient\"\n[carrier.retry.transient]\ndelays_s = [1]";
    let plan = Plan::new().account("shop", "").carrier("first", "1", own).carrier("second", "2", "");
    let Some(stage) = grouped(plan, &[("line", "failover", &["first", "second"])]).start("operations_routes")
    else {
        return;
    };
    let (first, second) = (stage.carrier("first"), stage.carrier("second"));
    let esme = stage.esme("shop", 0x34);

    for status in [0x0B, 0x45] {
        let id = accepted(&esme, "hello");
        first.take("submit_sm", json!({ "command_status": status }));
        let submit = second.take_submit("S1");
        second.report(&submit, "S1", "DELIVRD");
        assert_eq!(said(&esme.take_receipt(), "id"), id);
    }

    counted(&stage, "enroute_carrier_passed_on_total{carrier=\"second\"}", 2.0);
    accepted(&esme, "nobody's");
    first.take("submit_sm", json!({ "command_status": 0x0B }));
    second.take("submit_sm", json!({ "command_status": 0x0A }));
    assert_eq!(said(&esme.take_receipt(), "stat"), "REJECTD");
}

/// Field bug R14: parts that come one by one, among carriers that take turns.
#[test]
fn parts_of_one_text_take_one_carrier() {
    let plan = Plan::new().account("shop", "").carrier("left", "1", "").carrier("right", "2", "");
    let Some(stage) =
        grouped(plan, &[("both", "round_robin", &["left", "right"])]).start("operations_routes")
    else {
        return;
    };
    let peers = [stage.carrier("left"), stage.carrier("right")];
    let esme = stage.esme("shop", 0x34);
    let part = |number: u8| {
        let octets = [&[5, 0, 3, 77, 3, number], &b"part"[..]].concat();
        with(short(HANDSET, ""), json!({ "esm_class": 0x40, "short_message": hex(&octets) }))
    };

    for number in 1..=3 {
        esme.agreed("submit_sm", part(number));
        accepted(&esme, "between");
    }
    let counts = peers.each_ref().map(|peer| {
        let mut parts = 0;
        // Two turns each of what came between, and the parts on one side.
        while peer.has_heard("submit_sm") {
            let submit = peer.take_submit(&format!("id-{parts}"));
            parts += usize::from(submit["esm_class"] == 0x40);
        }
        parts
    });

    assert!(counts == [3, 0] || counts == [0, 3], "{counts:?}");
}

/// A message that its carrier never answers counts as sent; its receipt, under an id that nobody knows, is found by its number.
#[test]
fn silent_carriers_message_is_assumed_sent_and_its_receipt_found() {
    let plan = Plan::new().account("shop", "");
    let plan = plan.carrier("mute", "44", "response_s = 1\nunanswered = \"assume_sent\"");
    let Some(stage) = plan.start("operations_routes") else { return };
    let mute = stage.carrier("mute");
    let esme = stage.esme("shop", 0x34);
    let id = accepted(&esme, "hello");
    let submit = mute.expect("submit_sm");
    counted(&stage, "enroute_carrier_events_total{event=\"assumed_sent\"}", 1.0);

    mute.report(&submit, "never-told", "DELIVRD");

    let receipt = esme.take_receipt();
    assert_eq!((said(&receipt, "id"), said(&receipt, "stat")), (&id[..], "DELIVRD"));
    mute.answer(&submit, json!({ "message_id": "late" }));
    counted(&stage, "enroute_carrier_events_total{event=\"answered_late\"}", 1.0);
    esme.has_nothing_more();
}

/// Each carrier writes ids in its own form, the same number at both, and a receipt comes before its answer.
#[test]
fn ids_are_each_carriers_own() {
    let forms = "response_ids = \"decimal\"\nreceipt_ids = \"hex\"";
    let plan = Plan::new().account("shop", "").carrier("left", "1", forms).carrier("right", "2", "");
    let Some(stage) =
        grouped(plan, &[("both", "round_robin", &["left", "right"])]).start("operations_routes")
    else {
        return;
    };
    let (left, right) = (stage.carrier("left"), stage.carrier("right"));
    let esme = stage.esme("shop", 0x34);
    let first = accepted(&esme, "a");
    let (on_left, early) = (left.expect("submit_sm"), accepted(&esme, "b"));
    let on_right = right.expect("submit_sm");

    right.report(&on_right, "255", "UNDELIV");
    right.answer(&on_right, json!({ "message_id": "255" }));
    let receipt = esme.take_receipt();
    assert_eq!((said(&receipt, "id"), said(&receipt, "stat")), (&early[..], "UNDELIV"));
    left.answer(&on_left, json!({ "message_id": "255" }));
    left.report(&on_left, "FF", "DELIVRD");

    let receipt = esme.take_receipt();
    assert_eq!((said(&receipt, "id"), said(&receipt, "stat")), (&first[..], "DELIVRD"));
}

/// Links in pairs: what goes out on the transmitter has its receipt on the receiver (field bug D2).
#[test]
fn pair_of_transmitter_and_receiver_is_one_carrier() {
    let wishes = "bind = \"pair\"\nsource_by_kind = true\nvalidity = \"absolute\"\ndestination_npi = 8";
    let plan = Plan::new().account("shop", "senders = [\"ACME\"]").carrier("gsm", "44", wishes);
    let Some(stage) = plan.start("operations_routes") else { return };
    counted(&stage, "enroute_carrier_links", 2.0);
    let peers = [1, 2].map(|number| stage.bridge.peer(&format!("gsm/{number}")));
    // Which of them came first is nobody's promise.
    let kinds = ["bind_transmitter", "bind_receiver"];
    let is_first = peers[0].has_heard(kinds[0]);
    let [transmitter, receiver] = if is_first {
        peers
    } else {
        let [a, b] = peers;
        [b, a]
    };
    transmitter.expect(kinds[0]);
    receiver.expect(kinds[1]);
    let esme = stage.esme("shop", 0x34);
    let text = with(short(HANDSET, "hello"), json!({ "source_addr": "ACME" }));
    let id = word(&esme.agreed("submit_sm", text), "message_id").to_owned();

    let submit: Value = transmitter.take_submit("A1");
    receiver.report(&submit, "A1", "DELIVRD");

    assert_eq!(said(&esme.take_receipt(), "id"), id);
    let numbers = ["source_addr_ton", "source_addr_npi", "dest_addr_ton", "dest_addr_npi"];
    assert_eq!(numbers.map(|field| submit[field].clone()), [json!(5), json!(0), json!(1), json!(8)]);
    assert_ne!(submit["validity_period"], json!(""), "{submit}");
}
