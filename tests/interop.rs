//! The hub between SMPP peers that others wrote, as ESME and as carrier.
//!
//! A peer's own complaints fail its exit code; here the two ends' counts are held against each other.

mod support;

use serde_json::Value;
use std::path::Path;
use support::foreign::{Library, prepared, stop_carrier};
use support::{Setup, alone, assert_figures};

/// What a foreign ESME submits: a plain text, a Unicode text and 200 without waiting.
const SUBMITTED: u64 = 202;

/// What `load` submits to a foreign carrier.
const LOADED: u64 = 500;

#[test]
fn node_esme_gets_each_receipt_once() {
    foreign_esme_to_smsc("node_esme_gets_each_receipt_once", Library::Node);
}

#[test]
fn python_esme_gets_each_receipt_once() {
    foreign_esme_to_smsc("python_esme_gets_each_receipt_once", Library::Python);
}

#[test]
fn node_carrier_takes_each_message_once() {
    load_to_foreign_carrier("node_carrier_takes_each_message_once", Library::Node);
}

#[test]
fn python_carrier_takes_each_message_once() {
    load_to_foreign_carrier("python_carrier_takes_each_message_once", Library::Python);
}

#[test]
fn node_esme_and_python_carrier_understand_each_other() {
    let name = "node_esme_and_python_carrier_understand_each_other";
    foreign_at_both_ends(name, Library::Node, Library::Python);
}

#[test]
fn python_esme_and_node_carrier_understand_each_other() {
    let name = "python_esme_and_node_carrier_understand_each_other";
    foreign_at_both_ends(name, Library::Python, Library::Node);
}

fn foreign_esme_to_smsc(test: &str, library: Library) {
    let Some(folder) = prepared(test) else { return };
    let _turn = alone();
    let setup = Setup::new("interop");
    let smsc = setup.start_smsc("");
    let hub = setup.start_hub();

    let esme = library.esme(&folder, &setup.dir, setup.smpp);

    assert_esme(&esme);
    assert_eq!(hub.terminate(), Some(0));
    let taken = smsc.stop();
    let expected = [("messages", SUBMITTED), ("receipts_sent", SUBMITTED), ("receipts_answered", SUBMITTED)];
    assert_figures(&taken, &expected);
}

fn load_to_foreign_carrier(test: &str, library: Library) {
    let Some(folder) = prepared(test) else { return };
    let _turn = alone();
    let setup = Setup::new("interop");
    let carrier = library.carrier(&folder, &setup.dir, setup.carrier);
    let hub = setup.start_hub();

    let load = setup.run_load(&format!("--binds 2 --window 50 --count {LOADED}"));

    let expected = [("sent", LOADED), ("accepted", LOADED), ("receipts", LOADED), ("unknown", 0)];
    assert_figures(&load, &expected);
    assert_figures(&load, &[("receipts_missing", 0), ("receipts_duplicate", 0), ("receipts_unknown", 0)]);
    assert_eq!(load["states"]["DELIVRD"], LOADED, "{load}");
    assert_eq!(hub.terminate(), Some(0));
    assert_carrier(&stop_carrier(carrier), LOADED, setup.links.into());
}

fn foreign_at_both_ends(test: &str, esme: Library, carrier: Library) {
    let Some(folder) = prepared(test) else { return };
    let _turn = alone();
    let setup = Setup::new("interop");
    let carrier = carrier.carrier(Path::new(&folder), &setup.dir, setup.carrier);
    let hub = setup.start_hub();

    let esme = esme.esme(&folder, &setup.dir, setup.smpp);

    assert_esme(&esme);
    assert_eq!(hub.terminate(), Some(0));
    let taken = stop_carrier(carrier);
    assert_carrier(&taken, SUBMITTED, setup.links.into());
    assert_figures(&taken, &[("unicode_intact", 1)]);
}

fn assert_esme(report: &Value) {
    let all =
        [("submitted", SUBMITTED), ("answered", SUBMITTED), ("ids", SUBMITTED), ("receipts", SUBMITTED)];
    assert_figures(report, &all);
}

fn assert_carrier(report: &Value, messages: u64, links: u64) {
    assert_figures(report, &[("submits", messages), ("receipts", messages), ("binds", links)]);
    assert_figures(report, &[("receipts_answered", messages), ("refused", 0)]);
}
