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

/// A file of another store keeps a hub from starting: the operator is told which, and puts it aside when he wants to.
#[test]
fn repair_tells_first_puts_aside_when_told_and_leaves_a_hub_alone() {
    let _turn = alone();
    let (setup, other) = (Setup::new("repair"), Setup::new("repair"));
    let foreign = made_segment(&other);
    made_segment(&setup);
    let spool = setup.dir.file("spool");
    let hub = setup.start_hub();
    let (refused, page) = repair(&[&spool, "--yes"]);
    assert!(!refused && page.contains("in use"), "{page}");
    assert_eq!(hub.terminate(), Some(0));
    let place = |name: &str| std::path::Path::new(&spool).join(name);
    fs::copy(&foreign, place("00000000000000ff.segment")).expect("the test's folder is writable");
    fs::write(place("tail"), "half a tail").expect("the test's folder is writable");
    assert_refused(&setup, &setup.config_text());
    let before = content(&spool);

    let (told, page) = repair(&[&spool]);

    assert!(told && page.contains("nothing was changed"), "{page}");
    for name in ["00000000000000ff.segment", "tail"] {
        assert!(
            page.lines().any(|line| line.starts_with(name) && line.contains("to be put aside")),
            "{page}"
        );
    }
    assert_eq!(content(&spool), before);
    let (done, page) = repair(&[&spool, "--yes"]);
    assert!(done, "{page}");
    let after = content(&spool);
    for name in ["00000000000000ff.segment", "tail"] {
        let aside = format!("{name}.aside");
        assert!(page.contains(&aside) && !after.contains_key(name), "{page}");
        assert_eq!(after[&aside], before[name]);
    }
    let hub = setup.start_hub();
    assert_eq!(hub.terminate(), Some(0));
}

/// A segment of the spool that this hub leaves after some work.
fn made_segment(setup: &Setup) -> std::path::PathBuf {
    let smsc = setup.start_smsc("");
    let hub = setup.start_hub();
    setup.run_load("--binds 1 --window 10 --count 50");
    assert_eq!(hub.terminate(), Some(0));
    smsc.stop();
    let spool = setup.dir.file("spool");
    let mut segments = content(&spool).into_iter().filter(|(name, _)| name.ends_with(".segment"));
    let used = segments.find(|(_, octets)| octets.starts_with(b"enroute\0")).expect("a segment in use");
    std::path::Path::new(&spool).join(used.0)
}

/// Runs `enroute repair`; gives whether it succeeded, and all that it said.
fn repair(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(ENROUTE).arg("repair").args(arguments).output().expect("the program is built");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// Every file of a directory, with its octets.
fn content(directory: &str) -> std::collections::BTreeMap<String, Vec<u8>> {
    let paths = fs::read_dir(directory).expect("ours").map(|entry| entry.expect("ours").path());
    let named = |path: std::path::PathBuf| {
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        (name, fs::read(&path).expect("ours"))
    };
    paths.map(named).collect()
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
