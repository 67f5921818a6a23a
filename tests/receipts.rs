//! Receipts that come the hard way: early, elsewhere, after a restart, and for an ESME that has gone home.

mod support;

use serde_json::Value;
use std::time::Duration;
use support::{Setup, SmscLedger, Tail, alone, assert_figures, finish_load};

/// Messages in each run.
const COUNT: u64 = 2_000;

/// How long all submits of one run may take before it counts as hung.
const LIMIT: Duration = Duration::from_secs(60);

/// SMPP lets a receipt overtake the response that names its id (field bug D1).
#[test]
fn receipt_before_its_response_is_held_and_matched() {
    let _turn = alone();
    straight_through("--early-receipts --resp-delay-ms 20");
}

/// A carrier may use whichever session it likes (field bug D2).
#[test]
fn receipt_on_another_link_is_matched() {
    let _turn = alone();
    straight_through("--receipts-on-other-link");
}

#[test]
fn early_receipt_on_another_link_is_matched() {
    let _turn = alone();
    straight_through("--early-receipts --receipts-on-other-link --resp-delay-ms 20");
}

/// Ids as other carriers write them reach their messages too (field bug D4).
#[test]
fn receipt_is_matched_whatever_its_id_looks_like() {
    let _turn = alone();
    for format in ["hex", "decimal", "uuid"] {
        straight_through(&format!("--id-format {format}"));
    }
}

/// What the hub knew about carrier ids is on disk before it matters (field bug D3).
#[test]
fn receipt_after_a_kill_of_the_hub_is_matched() {
    let _turn = alone();
    let setup = Setup::new("receipts");
    let (taken, wrote) = (setup.dir.file("smsc.ledger"), setup.dir.file("load.ledger"));
    let smsc = setup.start_smsc(&format!("--hold-receipts --ledger {taken}"));
    let hub = setup.start_hub();
    let load = setup.start_load(&format!(
        "--binds 2 --window 100 --count {COUNT} --reconnect --receipt-wait 60 --ledger {wrote}"
    ));
    let (mut accepted, mut took) = (Tail::new(&wrote), Tail::new(&taken));
    let all = COUNT as usize;
    load.until("all are with the carrier", LIMIT, || accepted.lines() >= all && took.lines() >= all);

    hub.kill();
    let hub = setup.start_hub();
    smsc.release_receipts();
    let report = finish_load(load);

    // What was in flight at the kill may be taken twice; the receipt of either settles the message.
    assert_figures(&report, &[("accepted", COUNT), ("receipts", COUNT), ("receipts_missing", 0)]);
    assert_figures(&report, &[("receipts_duplicate", 0), ("receipts_unknown", 0)]);
    assert_eq!(hub.terminate(), Some(0));
    smsc.stop();
    assert_eq!(SmscLedger::read(&taken).took.len(), all);
}

/// Receipts wait for their account as long as it takes, in order of nothing lost (field bug D14).
#[test]
fn receipts_wait_for_an_esme_that_was_away() {
    let _turn = alone();
    let setup = Setup::new("receipts");
    let smsc = setup.start_smsc("");
    let hub = setup.start_hub();

    let report = setup.run_load(&format!("--binds 2 --window 100 --count {COUNT} --receipts-later 2"));

    assert_each_once(&report);
    assert_eq!(hub.terminate(), Some(0));
    assert_taken_once(&smsc.stop());
}

#[test]
fn receipts_wait_for_an_esme_that_was_away_while_the_hub_was_killed() {
    let _turn = alone();
    let setup = Setup::new("receipts");
    let taken = setup.dir.file("smsc.ledger");
    let smsc = setup.start_smsc(&format!("--ledger {taken}"));
    let hub = setup.start_hub();
    let load =
        setup.start_load(&format!("--binds 2 --window 100 --count {COUNT} --reconnect --receipts-later 8"));
    // Two lines a message: taken, and its receipt.
    let mut took = Tail::new(&taken);
    load.until("the carrier has sent all receipts", LIMIT, || took.lines() >= 2 * COUNT as usize);

    hub.kill();
    let hub = setup.start_hub();
    let report = finish_load(load);

    assert_figures(&report, &[("accepted", COUNT), ("receipts", COUNT), ("receipts_missing", 0)]);
    assert_figures(&report, &[("receipts_unknown", 0)]);
    assert_eq!(hub.terminate(), Some(0));
    smsc.stop();
}

/// One undisturbed run against a carrier with the given habits: each message once, each receipt once.
fn straight_through(habits: &str) {
    let setup = Setup::new("receipts");
    let smsc = setup.start_smsc(habits);
    let hub = setup.start_hub();

    let report = setup.run_load(&format!("--binds 2 --window 100 --count {COUNT}"));

    assert_each_once(&report);
    assert_eq!(hub.terminate(), Some(0));
    assert_taken_once(&smsc.stop());
}

fn assert_each_once(report: &Value) {
    assert_figures(report, &[("sent", COUNT), ("accepted", COUNT), ("receipts", COUNT), ("unknown", 0)]);
    assert_figures(report, &[("receipts_missing", 0), ("receipts_duplicate", 0), ("receipts_unknown", 0)]);
    assert_eq!(report["states"]["DELIVRD"], COUNT, "{report}");
}

fn assert_taken_once(report: &Value) {
    assert_figures(report, &[("messages", COUNT), ("distinct", COUNT), ("duplicates", 0), ("missing", 0)]);
    assert_figures(report, &[("receipts_sent", COUNT), ("receipts_answered", COUNT)]);
}
