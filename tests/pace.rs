//! At the pace that carriers and accounts are allowed, over sockets: simulated carriers are sessions of a foreign library.

mod support;

use serde_json::{Value, json};
use std::time::Duration;
use support::bridge::{Peer, text_of};
use support::stage::{Plan, Stage, short, with};

const LIMIT: Duration = Duration::from_secs(30);

/// Whether the hub says by now, or soon, that this is what limits the carrier.
fn is_limited_by(stage: &Stage, carrier: &str, reason: &str) {
    let name = format!("enroute_carrier_limited_by{{carrier=\"{carrier}\",reason=\"{reason}\"}}");
    stage.hub.process.until(&name, LIMIT, || stage.hub.metric(&name) == Some(1.0));
    let others = stage.hub.scrape();
    let set = others.lines().filter(|line| {
        line.starts_with(&format!("enroute_carrier_limited_by{{carrier=\"{carrier}\""))
            && line.ends_with(" 1")
    });
    assert_eq!(set.count(), 1, "one thing at a time");
}

fn submit(esme: &Peer, to: &str, texts: &[&str]) {
    for text in texts {
        esme.agreed("submit_sm", short(to, text));
    }
}

fn taken(carrier: &Peer, count: usize) -> Vec<String> {
    (0..count).map(|number| text_of(&carrier.take_submit(&format!("{number}"))).to_owned()).collect()
}

fn urgent(to: &str, text: &str) -> Value {
    with(short(to, text), json!({ "priority_flag": 3 }))
}

/// The day's limit of one carrier holds neither the other one nor, after kill -9, itself less.
#[test]
fn day_limit_holds_across_a_kill_and_for_its_carrier_alone() {
    let plan = Plan::new().account("shop", "").carrier("north", "44", "day_max = 3").carrier(
        "south",
        "48",
        "day_max = 100\nrate = 1000",
    );
    let Some(stage) = plan.start("pace") else { return };
    let esme = stage.esme("shop", 0x34);

    submit(&esme, "447700900123", &["1", "2", "3", "4", "5"]);
    submit(&esme, "48601100123", &["6"]);

    let north = stage.carrier("north");
    assert_eq!(taken(&north, 3), ["1", "2", "3"]);
    assert_eq!(taken(&stage.carrier("south"), 1), ["6"]);
    is_limited_by(&stage, "north", "day_limit");
    is_limited_by(&stage, "south", "queue_empty");
    let left = |stage: &Stage, carrier: &str| {
        stage.hub.metric(&format!("enroute_carrier_limit_left{{carrier=\"{carrier}\",window=\"day\"}}"))
    };
    assert_eq!((left(&stage, "north"), left(&stage, "south")), (Some(0.0), Some(99.0)));
    north.has_nothing_more();

    let stage = stage.again();
    let north = stage.link("north", 2);
    is_limited_by(&stage, "north", "day_limit");
    north.has_nothing_more();
    assert_eq!((left(&stage, "north"), left(&stage, "south")), (Some(0.0), Some(99.0)));
    assert_eq!(stage.hub.metric("enroute_carrier_queue_messages{carrier=\"north\"}"), Some(2.0));
}

#[test]
fn urgent_messages_go_first_and_accounts_take_turns() {
    let plan = Plan::new().account("shop", "weight = 1").account("mall", "weight = 2").carrier(
        "north",
        "44",
        "window = 1",
    );
    let Some(stage) = plan.start("pace") else { return };
    let (shop, mall) = (stage.esme("shop", 0x34), stage.esme("mall", 0x34));
    let to = "447700900123";

    // The window is one: until the first is answered, all others wait in their queue.
    submit(&shop, to, &["first", "s1", "s2", "s3"]);
    submit(&mall, to, &["m1", "m2", "m3", "m4"]);
    shop.agreed("submit_sm", urgent(to, "code"));

    let order = taken(&stage.carrier("north"), 9);
    assert_eq!(order[..2], ["first", "code"]);
    let of = |mark: char| {
        order
            .iter()
            .map(String::as_str)
            .filter(|text| text.len() == 2 && text.starts_with(mark))
            .collect::<Vec<_>>()
    };
    assert_eq!((of('s'), of('m')), (vec!["s1", "s2", "s3"], vec!["m1", "m2", "m3", "m4"]));
    let first_five = order[2..].iter().take(5).filter(|text| text.starts_with('m')).count();
    assert!((3..=4).contains(&first_five), "two of one for one of the other: {order:?}");
}

#[test]
fn maintenance_holds_everything_and_an_account_over_its_rate_is_told_so() {
    let plan = Plan::new()
        .account("shop", "rate = 0.001\nburst = 2")
        .account("mall", "rate = 0.001\nburst = 1\nover_limit = \"queue\"")
        .carrier("shut", "44", "[[carrier.maintenance]]\nfrom = \"00:00\"\nto = \"24:00\"")
        .carrier("open", "48", "");
    let Some(stage) = plan.start("pace") else { return };
    let (shop, mall) = (stage.esme("shop", 0x34), stage.esme("mall", 0x34));

    submit(&shop, "447700900123", &["waits"]);
    submit(&shop, "48601100123", &["goes"]);
    assert_eq!(shop.refused("submit_sm", short("48601100123", "too many")), 0x58); // ESME_RTHROTTLED
    submit(&mall, "48601100123", &["m1", "m2"]);

    let open = stage.carrier("open");
    let mut texts = taken(&open, 2);
    texts.sort();
    assert_eq!(texts, ["goes", "m1"]);
    is_limited_by(&stage, "shut", "maintenance");
    let shut = stage.carrier("shut");
    shut.has_nothing_more();
    open.has_nothing_more();
    assert_eq!(stage.hub.metric("enroute_carrier_queue_messages{carrier=\"open\"}"), Some(1.0));
    assert!(stage.hub.scrape().contains("enroute_carrier_response_seconds_count{carrier=\"open\"} 2"));
}
