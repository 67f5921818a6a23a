//! The short tier of the faults from outside: `tests/faults/` breaks the real program and judges it by ledgers of its own.
//!
//! The rig is written in another language and shares no code with the product. `scripts/faults` runs all of it at full length.

mod support;

use serde_json::Value;
use std::path::Path;
use std::process::Command;
use support::{ENROUTE, alone};

/// Runs one fault and asserts that it was survived; a fault that can't be had here says so and proves nothing.
fn survives(fault: &str) {
    let _turn = alone();
    let rig = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/run.py");
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults");

    let ran = Command::new("python3")
        .arg(rig)
        .args([fault, "--short", "--binary", ENROUTE])
        .env("FAULTS_DIR", kept)
        .output()
        .expect("python3 is installed");

    let said = String::from_utf8_lossy(&ran.stdout);
    let (word, report) = said.lines().next().and_then(|line| line.split_once(' ')).unwrap_or_default();
    println!("{said}");
    if word == "SKIP" {
        eprintln!("{fault} was NOT tested: {report}");
        return;
    }
    assert_eq!(
        (word, ran.status.code()),
        ("PASS", Some(0)),
        "{said}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let report: Value = serde_json::from_str(report).expect("the rig reports in JSON");
    let accepted = report["figures"]["accepted"].as_u64().unwrap_or_default();
    assert!(accepted > 500, "{accepted} messages are too few to prove anything");
}

#[test]
fn x1_kill_9_under_load() {
    survives("X1");
}

#[test]
fn x2_kill_9_while_it_recovers() {
    survives("X2");
}

#[test]
fn x3_sigterm_under_load() {
    survives("X3");
}

#[test]
fn x6_full_disk() {
    survives("X6");
}

#[test]
fn x8_syncs_that_fail() {
    survives("X8");
}

#[test]
fn x12_carrier_links_that_flap() {
    survives("X12");
}

#[test]
fn x13_half_open_links() {
    survives("X13");
}

#[test]
fn x14_carrier_that_never_answers_beside_one_that_does() {
    survives("X14");
}

#[test]
fn x16_ids_that_come_again() {
    survives("X16");
}

#[test]
fn x17_receipts_in_any_order() {
    survives("X17");
}

#[test]
fn x24_customers_that_do_not_read() {
    survives("X24");
}

#[test]
fn x27_reload_under_load() {
    survives("X27");
}
