//! Our own two peers through a hub and without one: each operation that they know, both ways of calling.

mod support;

use support::{Hub, Setup, Smsc, alone, assert_figures, figure, run_load};

/// Each PDU that submits, each that delivers: what was taken is what was sent, and each has its receipt.
#[test]
fn peers_understand_each_other_in_every_operation() {
    let _turn = alone();
    for (operation, conduct) in [
        ("submit_sm", "--data-receipts"),
        ("data_sm", "--alerts"),
        ("submit_multi", "--data-receipts --alerts"),
    ] {
        let setup = Setup::new("peers");
        let smsc = setup.start_smsc(conduct);

        let args = support::load_args(setup.carrier, &format!("--count 300 --operation {operation}"));
        let report = run_load(setup.dir.path(), &args);

        let alerts = if conduct.contains("--alerts") { 300 } else { 0 };
        assert_figures(&report, &[("accepted", 300), ("receipts", 300), ("alerts", alerts)]);
        assert_figures(&smsc.stop(), &[("messages", 300), ("distinct", 300), ("receipts_answered", 300)]);
    }
}

/// Messages of handsets, as deliver_sm and as data_sm, to an account that takes either.
#[test]
fn messages_of_handsets_reach_the_account() {
    let _turn = alone();
    for (conduct, form) in [("", "deliver_sm"), ("--inbound-data", "data_sm")] {
        let setup = Setup::new("inbound");
        let config = setup.config_text() + "[[inbound]]\naccount = \"demo\"\nprefix = \"100\"\n";
        let deliver_as = format!("password = \"demo\"\ndeliver_as = \"{form}\"");
        let hub = Hub::start(setup.dir.path(), &config.replacen("password = \"demo\"", &deliver_as, 1));
        let smsc = setup.start_smsc(&format!("--inbound-per-second 500 --inbound-count 300 {conduct}"));

        let report = setup.run_load("--count 50 --binds 2 --inbound 300 --receipt-wait 60");

        assert_figures(&report, &[("receipts", 50), ("inbound", 300), ("inbound_distinct", 300)]);
        assert_eq!(hub.metric("enroute_inbound_total{event=\"delivered\"}"), Some(300.0));
        assert_eq!(hub.terminate(), Some(0));
        assert_figures(
            &smsc.stop(),
            &[("inbound_sent", 300), ("inbound_taken", 300), ("inbound_refused", 0)],
        );
    }
}

/// SMPP 5.0 §4.1.1.7: a carrier that we hold no link to calls us, and its messages go out on its own call.
#[test]
fn carrier_that_only_calls_gets_its_messages() {
    let _turn = alone();
    let setup = Setup { links: 0, ..Setup::new("outbind") };
    let caller = "[carrier.outbind]\nsystem_id = \"smsc\"\npassword = \"theirs\"\n[route]";
    let hub = Hub::start(setup.dir.path(), &setup.config_text().replace("[route]", caller));
    let call = format!("--outbind 127.0.0.1:{} --outbind-password", setup.smpp);
    let stranger = Smsc::start(setup.dir.path(), support::free_port(), &format!("{call} guess"));
    let smsc = setup.start_smsc(&format!("{call} theirs"));

    let report = setup.run_load("--count 200");

    assert_figures(&report, &[("accepted", 200), ("receipts", 200)]);
    assert_eq!(hub.terminate(), Some(0));
    assert_eq!(figure(&smsc.stop(), "distinct"), 200);
    assert_eq!(figure(&stranger.stop(), "binds"), 0);
}

/// SMPP 5.0 §4.1.1.7: receipts wait, nobody is bound, and the hub calls their account.
#[test]
fn account_that_is_away_is_called_for_its_receipts() {
    let _turn = alone();
    let setup = Setup::new("called");
    let address = format!("127.0.0.1:{}", support::free_port());
    let outbind = format!("[account.outbind]\naddress = \"{address}\"\npassword = \"ours\"\n[[carrier]]");
    let hub = Hub::start(setup.dir.path(), &setup.config_text().replace("[[carrier]]", &outbind));
    let smsc = setup.start_smsc("--receipt-delay-ms 1000");

    let report =
        setup.run_load(&format!("--count 50 --receipts-later 0 --called-at {address} --receipt-wait 100"));

    assert_figures(&report, &[("accepted", 50), ("receipts", 50), ("receipts_duplicate", 0)]);
    assert!(hub.scrape().contains("enroute_outbinds_total{direction=\"out\",outcome=\"bound\"} 1"));
    assert_eq!(hub.terminate(), Some(0));
    smsc.stop();
}
