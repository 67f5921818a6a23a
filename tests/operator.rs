//! What an operator relies on: figures that can be scraped, one hub per spool, a faulty file refused aloud.

mod support;

use std::fs;
use std::process::Command;
use support::{ENROUTE, Process, START_LIMIT, Setup, alone, figure};

#[test]
fn metrics_page_is_prometheus_text() {
    let _turn = alone();
    let setup = Setup::new("operator");
    let smsc = setup.start_smsc("");
    let hub = setup.start_hub();
    let report = setup.run_load("--binds 1 --window 10 --count 50");

    let page = hub.scrape();

    assert_eq!(figure(&report, "receipts"), 50);
    let series: Vec<&str> = page.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    assert!(!series.is_empty(), "no series: {page:?}");
    for line in series {
        let value = line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
        assert!(value.is_some(), "{line:?} has no value");
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        assert!(hub.metric(name).is_some(), "{name:?} can't be found again");
    }
    assert_eq!(hub.metric("no_such_metric"), None);
    assert_eq!(hub.terminate(), Some(0));
    smsc.stop();
}

/// Two hubs on one spool would each deliver what the other holds.
#[test]
fn second_hub_on_one_spool_is_kept_out() {
    let _turn = alone();
    let setup = Setup::new("operator");
    let hub = setup.start_hub();
    let other = Setup::new("operator");
    let own = other.dir.file("spool");
    let config = other.config_text().replace(&own, &setup.dir.file("spool"));

    assert_refused(&other, &config);

    assert_eq!(hub.terminate(), Some(0));
}

#[test]
fn faulty_configuration_is_refused_aloud() {
    let setup = Setup::new("operator");
    let misspelt = setup.config_text().replace("system_id = \"demo\"", "sistem_id = \"demo\"");
    let homeless = setup.config_text().replace("default = \"sim\"", "default = \"nobody\"");

    assert_refused(&setup, &misspelt);
    assert_refused(&setup, &homeless);
}

/// Asserts that a hub with this configuration ends by itself, not ready, with a failure and a word about it.
fn assert_refused(setup: &Setup, config: &str) {
    let file = setup.dir.file("refused.toml");
    fs::write(&file, config).expect("the test's folder is writable");
    let hub =
        Process::start("refused", Command::new(ENROUTE).args(["serve", "--config", &file]), setup.dir.path());

    let status = hub.wait(START_LIMIT);

    assert!(status.code().is_some_and(|code| code != 0), "ended with {status}");
    assert!(!hub.log().trim().is_empty(), "refused without a word");
}
