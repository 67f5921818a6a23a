//! The real program with few file descriptors: customers can't take those of the spool and the carriers (reliability X11).

#[path = "support/attacker.rs"]
mod attacker;
mod support;

use attacker::*;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;
use support::{ENROUTE, Process, START_LIMIT, STOP_LIMIT, Setup, alone, http_get};

const LIMIT: Duration = Duration::from_secs(60);

/// A hub that may have so many descriptors, and not one more.
fn start(setup: &Setup, descriptors: u32) -> Process {
    let file = setup.dir.file("enroute.toml");
    std::fs::write(&file, setup.config_text()).expect("the test's folder is writable");
    let mut command = Command::new("sh");
    let script = format!("ulimit -n {descriptors} && exec \"$0\" serve --config \"$1\"");
    command.args(["-c", &script, ENROUTE, &file]);
    Process::start("hub", &mut command, setup.dir.path())
}

/// More connections than there are descriptors: those that are bound go on, the carrier's links are made anew, the disk is
/// written, the operator is let in, and the others come in when there is room.
#[test]
fn crowd_takes_no_descriptor_that_somebody_else_needs() {
    let _turn = alone();
    let mut setup = Setup::new("descriptors");
    setup.binds = 300;
    let smsc = setup.start_smsc("");
    let hub = start(&setup, 256);
    hub.wait_line("ready", START_LIMIT);
    let http = format!("127.0.0.1:{}", setup.http);
    let metric = |name: &str| {
        let page = http_get(&http, "/metrics");
        let line = page.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        line.and_then(|value| value.trim().parse::<f64>().ok())
    };
    let mut first = Peer::bound(setup.smpp, BIND_TRANSCEIVER);

    let crowd: Vec<TcpStream> = (0..300)
        .map(|_| TcpStream::connect(("127.0.0.1", setup.smpp)).expect("the backlog has room"))
        .collect();
    smsc.stop();
    let smsc = setup.start_smsc("");
    let submit = Submit { receipt: 1, ..Submit::default() };
    first.send(&submit.pdu(2));
    first.expect("a submit in the crowd", SUBMIT_SM | RESP, 0, 2);
    assert_eq!(first.read("its receipt").command, DELIVER_SM, "the carrier is there again");
    let cpu = hub.cpu_s();
    hub.until("the door is open", LIMIT, || metric("enroute_spool_failures_total ") == Some(0.0));
    assert_eq!(metric("enroute_spool_read_only "), Some(0.0));
    assert!(!hub.ended_within(Duration::from_secs(1)));
    assert!(hub.cpu_s() - cpu < 0.7, "it spins");
    drop(crowd);

    let mut late = Peer::bound(setup.smpp, BIND_TRANSCEIVER);
    late.send(&submit.pdu(2));
    late.expect("a submit after the crowd", SUBMIT_SM | RESP, 0, 2);
    assert!(hub.log().contains("descriptors"), "the operator was told");
    drop((first, late));
    hub.signal("TERM");
    assert_eq!(hub.wait(STOP_LIMIT).code(), Some(0));
    smsc.stop();
}

#[test]
fn too_few_descriptors_are_refused_by_name() {
    let _turn = alone();
    let setup = Setup::new("descriptors");

    let hub = start(&setup, 100);

    assert_eq!(hub.wait(START_LIMIT).code(), Some(1));
    assert!(hub.log().contains("100 file descriptors are too few"), "{}", hub.log());
}
