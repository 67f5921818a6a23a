//! The configuration is read again while the hub works, over sockets: all or nothing, and nobody is dropped (field bug R13).

mod support;

use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use support::bridge::text_of;
use support::stage::{Plan, short};
use support::{
    START_LIMIT, Setup, Smsc, TempDir, alone, assert_figures, figure, finish_load, free_port, http_ask,
};

fn changes(answer: &Value) -> Vec<String> {
    let list = answer["changes"].as_array().unwrap_or_else(|| panic!("no changes in {answer}"));
    list.iter().map(|change| change.as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn faulty_configuration_is_told_whole_and_changes_nothing() {
    let Some(stage) = Plan::new().account("shop", "").carrier("gsm", "44", "").start("reload") else {
        return;
    };
    let (esme, carrier) = (stage.esme("shop", 0x34), stage.carrier("gsm"));

    let (status, told) = stage.reload(|text| {
        text.replace("password = \"shop\"", "password = \"other\"\nwindow = 0")
            + "[[route.prefix]]\nprefix = \"49\"\ncarrier = \"nobody\"\n[limits]\nbodies = 7\n"
    });

    assert_eq!(status, 422, "{told}");
    let faults = told["faults"].as_array().expect("a list");
    let has =
        |word: &str| faults.iter().any(|fault| fault.as_str().is_some_and(|fault| fault.contains(word)));
    assert!(
        has("account[0].window")
            && has("no carrier and no group is named \"nobody\"")
            && has("limits.bodies"),
        "{told}"
    );
    assert!(has("enroute.toml:"), "each with its line: {told}");
    esme.agreed("submit_sm", short("447700900123", "hello"));
    assert_eq!(text_of(&carrier.take("submit_sm", json!({ "message_id": "1" }))), "hello");
    stage.esme("shop", 0x34);
}

/// Its session stays as it was bound; who binds anew needs the new password.
#[test]
fn changes_count_from_the_answer_on_and_sessions_stay() {
    let plan =
        Plan::new().account("shop", "").account("gone", "").carrier("gsm", "44", "").carrier("far", "49", "");
    let Some(stage) = plan.start("reload") else { return };
    let (esme, gone) = (stage.esme("shop", 0x34), stage.esme("gone", 0x34));
    let (gsm, far) = (stage.carrier("gsm"), stage.carrier("far"));

    let (status, told) = stage.reload(|text| {
        text.replace("password = \"shop\"", "password = \"other\"")
            .replace("system_id = \"gone\"\npassword = \"gone\"", "system_id = \"late\"\npassword = \"late\"")
            .replace("prefix = \"44\"\ncarrier = \"gsm\"", "prefix = \"44\"\ncarrier = \"far\"")
            .replace("segment_mib = 5", "segment_mib = 6")
    });

    assert_eq!(status, 200, "{told}");
    let changes = changes(&told);
    for expected in
        ["account \"gone\" removed", "account \"late\" added", "account \"shop\": password changed"]
    {
        assert!(changes.iter().any(|change| change == expected), "{expected}: {told}");
    }
    assert_eq!(told["needs_restart"], json!(["spool: segment_mib changed"]));
    esme.agreed("submit_sm", short("447700900123", "hello"));
    assert_eq!(text_of(&far.take("submit_sm", json!({ "message_id": "1" }))), "hello");
    gsm.has_nothing_more();
    gone.expect("unbind");
    let stranger = stage.bridge.connect("stranger", stage.port);
    let fields = json!({ "system_id": "shop", "password": "shop", "interface_version": 0x34 });
    assert_eq!(stranger.refused("bind_transceiver", fields), 0x0D);
    let renewed = stage.bridge.connect("renewed", stage.port);
    let fields = json!({ "system_id": "shop", "password": "other", "interface_version": 0x34 });
    renewed.agreed("bind_transceiver", fields);
    stage.esme("late", 0x34);
    // The desk knows them too.
    let (status, _) = http_ask(stage.hub.door(), "late", "GET /bulks/none", "");
    assert_eq!((status, http_ask(stage.hub.door(), "gone", "GET /bulks/none", "").0), (404, 401));
}

#[test]
fn carrier_that_is_gone_is_left_once_what_is_out_was_answered() {
    let plan = Plan::new().account("shop", "").carrier("gsm", "44", "").carrier("far", "49", "");
    let Some(stage) = plan.start("reload") else { return };
    let (esme, gsm, far) = (stage.esme("shop", 0x34), stage.carrier("gsm"), stage.carrier("far"));
    esme.agreed("submit_sm", short("447700900123", "on its way"));
    let out = gsm.expect("submit_sm");

    let (status, told) = stage.reload(|text| {
        let (before, rest) = text.split_once("[[carrier]]\nname = \"gsm\"").expect("it is there");
        let (_, after) = rest.split_once("[[carrier]]").expect("and another");
        format!("{before}[[carrier]]{after}").replace("carrier = \"gsm\"", "carrier = \"far\"")
    });
    assert_eq!(status, 200, "{told}");
    esme.agreed("submit_sm", short("447700900123", "another"));
    assert_eq!(text_of(&far.take("submit_sm", json!({ "message_id": "2" }))), "another");
    gsm.has_nothing_more();

    gsm.answer(&out, json!({ "message_id": "1" }));
    gsm.expect("unbind");
    let links = "enroute_carrier_links{carrier=\"far\"}";
    stage.hub.process.until("the other is there", START_LIMIT, || stage.hub.metric(links) == Some(1.0));
}

#[test]
fn hub_without_a_file_says_that_there_is_nothing_to_reload() {
    let _turn = alone();
    let dir = TempDir::new("reload-demo");
    let mut command = Command::new(support::ENROUTE);
    command.current_dir(dir.path());
    let process = support::Process::start("demo", &mut command, dir.path());
    let door = process.wait_line("http listening on ", START_LIMIT);
    process.wait_line("ready", START_LIMIT);

    let (status, told) = http_ask(&door, "nobody", "POST /admin/reload", "");
    process.signal("HUP");

    assert_eq!((status, &told["error"]), (409, &json!("nothing_to_reload")));
    assert_eq!(http_ask(&door, "nobody", "POST /admin/reload", "").0, 409, "SIGHUP did not end it");
    process.signal("TERM");
    process.wait(support::STOP_LIMIT);
}

/// Field bug R13: routes and carriers change under load; no session is dropped, each message ends once, and a removed route gets
/// nothing from one second later.
#[test]
fn reload_under_full_load_drops_nothing_and_leaves_nothing_stale() {
    let _turn = alone();
    let setup = Setup::new("reload-load");
    let (second, other) = (free_port(), TempDir::new("reload-second"));
    let first_smsc = setup.start_smsc("");
    let second_smsc = Smsc::start(other.path(), second, "");
    let one = setup.config_text();
    let more = format!(
        "[[carrier]]\nname = \"second\"\naddress = \"127.0.0.1:{second}\"\nsystem_id = \"enroute\"\n\
         password = \"enroute\"\nlinks = 2\nreconnect_min_ms = 20\nreconnect_max_ms = 200\n"
    );
    let both = one.replace("[route]", &format!("{more}[route]"));
    let to_second = both.replace("default = \"sim\"", "default = \"second\"");
    let (before, rest) = to_second.split_once("[[carrier]]").expect("the first");
    let (_, after) = rest.split_once("[[carrier]]").expect("the second");
    let only_second = format!("{before}[[carrier]]{after}");
    let hub = setup.start_hub();
    let load = setup.start_load("--count 60000 --rate 6000 --binds 4 --receipt-wait 30");
    let figure_of = |name: &str| hub.metric(name).unwrap_or_default();
    let reload = |text: &str, count: f64| {
        fs::write(setup.dir.file("enroute.toml"), text).expect("the test's folder is writable");
        hub.process.signal("HUP");
        hub.process.until("it is read", START_LIMIT, || {
            figure_of("enroute_reloads_total{outcome=\"done\"}") == count
        });
    };
    let gone_out = |count: f64| {
        hub.process.until("some are through", START_LIMIT, || figure_of("enroute_dispatched_total") > count);
    };

    gone_out(5_000.0);
    reload(&both, 1.0);
    gone_out(15_000.0);
    reload(&to_second, 2.0);
    gone_out(25_000.0); // more than a second of it
    assert_eq!(figure_of("enroute_carrier_queue_messages{carrier=\"sim\"}"), 0.0);
    let taken = figure_of("enroute_carrier_window_used{carrier=\"sim\"}");
    assert_eq!(taken, 0.0, "nothing goes there any more");
    gone_out(30_000.0);
    reload(&only_second, 3.0);

    let report = finish_load(load);
    assert_figures(&report, &[("sent", 60_000), ("accepted", 60_000), ("receipts", 60_000), ("binds", 4)]);
    assert_figures(&report, &[("receipts_missing", 0), ("receipts_duplicate", 0), ("receipts_unknown", 0)]);
    hub.process.until("the first has left", START_LIMIT, || {
        figure_of("enroute_carrier_links{carrier=\"sim\"}") == 0.0
    });
    assert_eq!(hub.terminate(), Some(0));
    let (first, second) = (first_smsc.stop(), second_smsc.stop());
    assert_eq!(figure(&first, "messages") + figure(&second, "messages"), 60_000, "{first} {second}");
    assert!(figure(&first, "messages") > 0 && figure(&second, "messages") > 0, "{first} {second}");
    assert_eq!((figure(&first, "binds"), figure(&second, "binds")), (2, 2), "{first} {second}");
}
