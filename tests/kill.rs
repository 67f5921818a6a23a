//! Promise 1 from outside: whatever ends the hub's process, nothing accepted is lost, and doubles are bounded.
//!
//! The ledgers of `load` (what the hub said that it accepted) and of `smsc` (what the carrier was given) are
//! joined by the number in each text; neither knows of the other.

mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use support::{LoadLedger, Setup, SmscLedger, alone, assert_figures, figure};

/// Kills in one run.
const KILLS: usize = 24;

/// Kills in the run with messages of handsets.
const INBOUND_KILLS: u64 = 8;

/// Orderly ends in one run.
const TERMS: usize = 4;

/// How long the hub lives between two ends, in milliseconds: drawn anew each time.
const LIFE_MS: std::ops::Range<u64> = 20..900;

/// What `load` binds and how many submits each of its sessions leaves unanswered.
const BINDS: u64 = 4;
const WINDOW: u64 = 50;

/// A hub that is killed at random moments still brings each accepted message to its one final state.
#[test]
fn nothing_accepted_is_lost_by_kill_9() {
    let _turn = alone();
    let setup = Setup::new("kill");
    let smsc = setup.start_smsc(&format!(
        "--ledger {} --undelivered-share 0.1 --receipt-delay-ms 20",
        setup.dir.file("smsc.ledger")
    ));
    let mut hub = setup.start_hub();
    let load = setup.start_load(&load_options(&setup, 45));
    let mut random = fastrand::Rng::with_seed(seed());

    for kill in 0..KILLS {
        let life = Duration::from_millis(random.u64(LIFE_MS));
        assert!(!load.ended_within(life), "load ended after {kill} kills: too early to prove anything");
        hub.kill();
        hub = setup.start_hub();
    }
    let report = support::finish_load(load);

    assert_eq!(hub.terminate(), Some(0));
    let taken = smsc.stop();
    println!("after {KILLS} kills: load {report}, smsc {taken}");
    let joined = Joined::read(&setup);
    joined.assert_complete(&report);
    let kills = KILLS as u64;
    let at_the_carrier = kills * u64::from(setup.links) * u64::from(setup.link_window);
    let at_the_esme = kills * BINDS * u64::from(setup.window);
    assert!(joined.doubles <= at_the_carrier, "{} doubles at the carrier", joined.doubles);
    assert!(joined.extra_receipts <= at_the_esme, "{} extra receipts", joined.extra_receipts);
    assert_eq!(figure(&taken, "duplicates"), joined.doubles);
}

/// The same for messages of handsets: whatever the hub answered reaches the account, and nothing comes too often.
#[test]
fn nothing_taken_from_a_handset_is_lost_by_kill_9() {
    let _turn = alone();
    let setup = Setup::new("kill-inbound");
    let smsc = setup.start_smsc("--inbound-per-second 700 --inbound-count 5000 --receipt-window 50");
    let config = setup.config_text() + "[[inbound]]\naccount = \"demo\"\n";
    let mut hub = support::Hub::start(setup.dir.path(), &config);
    let load = setup.start_load("--count 0 --binds 4 --reconnect --inbound 5000 --receipt-wait 100");
    let mut random = fastrand::Rng::with_seed(seed());

    for kill in 0..INBOUND_KILLS {
        let life = Duration::from_millis(random.u64(LIFE_MS));
        assert!(!load.ended_within(life), "load ended after {kill} kills: too early to prove anything");
        hub.kill();
        hub = support::Hub::start(setup.dir.path(), &config);
    }
    let report = support::finish_load(load);

    assert_eq!(hub.terminate(), Some(0));
    let sent = smsc.stop();
    println!("after {INBOUND_KILLS} kills: load {report}, smsc {sent}");
    assert_figures(&report, &[("inbound_distinct", 5000)]);
    assert_figures(&sent, &[("inbound_taken", 5000), ("inbound_refused", 0)]);
    let doubles = figure(&report, "inbound") - 5000;
    let in_windows = INBOUND_KILLS * (u64::from(setup.links) * 50 + BINDS * u64::from(setup.window));
    assert!(doubles <= in_windows, "{doubles} doubles");
}

/// An orderly end answers what it took and takes nothing more: no loss, no double, and the exit code says so.
#[test]
fn sigterm_under_load_loses_and_doubles_nothing() {
    let _turn = alone();
    let setup = Setup::new("term");
    let smsc =
        setup.start_smsc(&format!("--ledger {} --undelivered-share 0.1", setup.dir.file("smsc.ledger")));
    let mut hub = setup.start_hub();
    let load = setup.start_load(&load_options(&setup, 15));
    let mut random = fastrand::Rng::with_seed(seed());

    for term in 0..TERMS {
        let life = Duration::from_millis(1_000 + random.u64(LIFE_MS));
        assert!(!load.ended_within(life), "load ended after {term} ends: too early to prove anything");
        assert_eq!(hub.terminate(), Some(0));
        hub = setup.start_hub();
    }
    let report = support::finish_load(load);

    assert_eq!(hub.terminate(), Some(0));
    let taken = smsc.stop();
    println!("after {TERMS} ends: load {report}, smsc {taken}");
    let joined = Joined::read(&setup);
    joined.assert_complete(&report);
    assert_eq!((joined.doubles, joined.extra_receipts), (0, 0));
    assert_figures(&taken, &[("duplicates", 0)]);
}

/// Enough pressure that windows are in use at each end, for longer than the ends take.
fn load_options(setup: &Setup, seconds: u64) -> String {
    let ledger = setup.dir.file("load.ledger");
    format!(
        "--binds {BINDS} --window {WINDOW} --seconds {seconds} --rate 8000 --reconnect --receipt-wait 60 \
         --ledger {ledger}"
    )
}

/// A fresh seed each run, printed so that a failure can be had again.
fn seed() -> u64 {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    seed
}

/// Both ledgers of one run, joined.
struct Joined {
    accepted: usize,
    /// Numbers that were accepted and that the carrier never got.
    not_taken: Vec<u64>,
    /// Numbers that were accepted and have no receipt.
    not_receipted: Vec<u64>,
    /// Numbers whose receipts disagree with one another or with what the carrier said.
    wrong: BTreeMap<u64, Vec<String>>,
    /// Times that the carrier got a text again.
    doubles: u64,
    /// Times that the ESME got a receipt again.
    extra_receipts: u64,
}

impl Joined {
    fn read(setup: &Setup) -> Self {
        let load = LoadLedger::read(setup.dir.file("load.ledger"));
        let smsc = SmscLedger::read(setup.dir.file("smsc.ledger"));
        let mut joined = Self {
            accepted: load.accepted.len(),
            not_taken: Vec::new(),
            not_receipted: Vec::new(),
            wrong: BTreeMap::new(),
            doubles: smsc.duplicates() as u64,
            extra_receipts: 0,
        };
        for (&number, id) in &load.accepted {
            if !smsc.took.contains_key(&number) {
                joined.not_taken.push(number);
            }
            let Some(states) = load.receipts.get(id) else {
                joined.not_receipted.push(number);
                continue;
            };
            joined.extra_receipts += states.len() as u64 - 1;
            let agree = states.iter().all(|state| *state == states[0]);
            if !agree || !smsc.said(number, &states[0]) {
                joined.wrong.insert(number, states.clone());
            }
        }
        joined
    }

    fn assert_complete(&self, report: &Value) {
        assert!(self.accepted > 1_000, "{} accepted are too few to prove anything", self.accepted);
        assert_eq!(figure(report, "accepted"), self.accepted as u64, "report and ledger of load disagree");
        assert!(self.not_taken.is_empty(), "accepted and lost: {}", first(&self.not_taken));
        assert!(self.not_receipted.is_empty(), "accepted without receipt: {}", first(&self.not_receipted));
        assert!(self.wrong.is_empty(), "receipts that are wrong: {:?}", self.wrong);
        let undelivered = report["states"]["UNDELIV"].as_u64().unwrap_or(0);
        assert!(undelivered > 0, "no UNDELIV: the states that were compared were all alike");
    }
}

fn first(numbers: &[u64]) -> String {
    format!("{} texts, first {:?}", numbers.len(), &numbers[..numbers.len().min(10)])
}
