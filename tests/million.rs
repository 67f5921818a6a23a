//! A million messages through the whole line, each on disk before it is answered.

mod support;

use std::time::Duration;
use support::{Setup, Tail, alone, assert_figures, finish_load};

/// Messages in the run.
const COUNT: u64 = 1_000_000;

/// Messages after which the hub's memory should have found its level.
const WARM: usize = 200_000;

/// How long the first [`WARM`] messages may take before the run counts as hung.
const WARM_LIMIT: Duration = Duration::from_secs(300);

#[test]
fn million_messages_arrive_once_in_flat_memory() {
    let _turn = alone();
    let setup = Setup::new("million");
    let smsc = setup.start_smsc("");
    let hub = setup.start_hub();
    let ledger = setup.dir.file("load.ledger");
    let load = setup
        .start_load(&format!("--binds 8 --window 100 --count {COUNT} --receipt-wait 120 --ledger {ledger}"));

    // Two lines a message: accepted, and its receipt.
    let mut tail = Tail::new(&ledger);
    load.until("the first messages are through", WARM_LIMIT, || tail.lines() >= 2 * WARM);
    let warm_kib = hub.process.rss_kib();
    let report = finish_load(load);
    let end_kib = hub.process.rss_kib();

    println!("hub's resident memory: {warm_kib} KiB after {WARM}, {end_kib} KiB after {COUNT}");
    println!("load {report}");
    assert_figures(&report, &[("sent", COUNT), ("accepted", COUNT), ("receipts", COUNT), ("unknown", 0)]);
    assert_figures(&report, &[("receipts_missing", 0), ("receipts_duplicate", 0), ("receipts_unknown", 0)]);
    assert_eq!(report["states"]["DELIVRD"], COUNT, "{report}");
    assert_eq!(hub.terminate(), Some(0));
    let taken = smsc.stop();
    assert_figures(&taken, &[("messages", COUNT), ("distinct", COUNT), ("duplicates", 0), ("missing", 0)]);
    assert!(end_kib <= warm_kib * 3 / 2 + 16 * 1024, "memory grew from {warm_kib} to {end_kib} KiB");
}
