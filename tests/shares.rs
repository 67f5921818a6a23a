//! Who gets how much of a carrier, in which order and when, over sockets: by what came to a carrier, counted, never timed.

mod support;

use std::collections::HashSet;
use support::Setup;
use support::carrier::{Act, Carrier, Mood};
use support::customer::{Customer, Told};
use support::moved_clock::MovedClock;
use support::scene::{Draft, Scene};
use support::wire::Message;

const TO: &str = "447700900123";
/// Binds are answered so while nothing is to pass: ESME_RSYSERR, which is tried again soon.
const NOT_NOW: u32 = 0x08;
const QUICK: &str = "links = 1\nwindow = 8\nreconnect_min_ms = 20\nreconnect_max_ms = 100\n";
const DEFAULT: &str = "[route]\ndefault = \"north\"\n";
const THROTTLED: u32 = 0x58; // ESME_RTHROTTLED

fn well() -> Mood {
    Box::new(|came| {
        let id = format!("n{}", came.number);
        vec![Act::Take(id.clone()), Act::Receipt(id, "DELIVRD")]
    })
}

/// These accounts and one carrier, to which everything goes, with `more` of the file.
fn start_with(accounts: [&str; 2], more: &str) -> Scene {
    let draft = Draft::new().more(more).more(DEFAULT).carrier("north", QUICK, well());
    accounts.iter().fold(draft, |draft, name| draft.account(name, "")).start("shares")
}

/// Lets no link up, so that everything waits.
fn shut(scene: &Scene) {
    let north = scene.carrier("north");
    north.answer_binds(NOT_NOW);
    north.cut();
    scene.until_limited("north", "peer");
}

fn texts(mark: &str, count: usize) -> impl Iterator<Item = String> {
    (0..count).map(move |number| format!("{mark} {number:04}"))
}

/// Texts that have come to it and that it took, in order.
fn taken(carrier: &Carrier) -> Vec<String> {
    let came = carrier.came().into_iter().filter(|came| came.status == Some(0));
    came.map(|came| came.message.text).collect()
}

fn of<'a>(mark: &str, all: &'a [String]) -> Vec<&'a str> {
    all.iter().map(String::as_str).filter(|text| text.starts_with(mark)).collect()
}

fn submit_urgent(customer: &Customer, priority: u8, texts: impl Iterator<Item = String>) {
    texts.for_each(|text| customer.submit(&Message { priority, ..Message::new("1000", TO, &text) }));
    customer.until_answered();
}

#[test]
fn accounts_share_a_small_window_by_their_weights_within_five_percent() {
    let weights = [("ant", 1), ("bee", 1), ("cat", 2), ("dog", 4)];
    let draft = Draft::new().more(DEFAULT).carrier("north", QUICK, well());
    let draft = weights
        .iter()
        .fold(draft, |draft, (name, weight)| draft.account(name, &format!("weight = {weight}")));
    let scene = draft.start("shares");
    shut(&scene);
    let customers = weights.map(|(name, _)| scene.customer(name));
    std::thread::scope(|scope| {
        for (customer, (name, weight)) in customers.iter().zip(weights) {
            scope.spawn(move || customer.submit_all(TO, texts(name, 150 * weight)));
        }
    });

    let north = scene.carrier("north");
    north.answer_binds(0);
    north.until_came(1200);

    // As long as all of them have something that waits.
    let counted = 800;
    let all = &taken(north)[..counted];
    for (name, weight) in weights {
        let (share, due) = (of(name, all).len(), counted * weight / 8);
        assert!(share.abs_diff(due) * 20 <= due, "{name} got {share} where {due} were its due");
        assert_eq!(of(name, all), texts(name, share).collect::<Vec<_>>(), "in its order");
    }
}

#[test]
fn account_that_floods_takes_nothing_of_anothers_share() {
    let scene = start_with(["flood", "quiet"], "");
    shut(&scene);
    let (flood, quiet) = (scene.customer("flood"), scene.customer("quiet"));
    flood.submit_all(TO, texts("flood", 3000));
    quiet.submit_all(TO, texts("quiet", 100));

    let north = scene.carrier("north");
    north.answer_binds(0);
    north.until_came(3100);

    let all = taken(north);
    assert_eq!(of("quiet", &all).len(), 100);
    let last = all.iter().rposition(|text| text.starts_with("quiet")).expect("they came");
    assert!(last < 210, "a hundred of each, and then some: the last one came as number {last}");
}

#[test]
fn codes_pass_before_what_waits_and_what_is_old_has_its_turns() {
    let aging = "[queue]\naging_s = 1\naging_turn = 16";
    let scene = start_with(["shop", "bank"], aging);
    shut(&scene);
    let (shop, bank) = (scene.customer("shop"), scene.customer("bank"));
    shop.submit_all(TO, texts("news", 500));
    let oldest = "enroute_carrier_class_oldest_seconds{carrier=\"north\",priority=\"0\"}";
    scene.hub.process.until("they are old", support::START_LIMIT, || scene.hub.metric(oldest) >= Some(2.0));
    submit_urgent(&bank, 3, texts("code", 480));

    let north = scene.carrier("north");
    north.answer_binds(0);
    north.until_came(980);

    let all = taken(north);
    let news = of("news", &all[..320]).len();
    assert!((19..=21).contains(&news), "one turn of sixteen for what has waited for long: {news} of 320");
    assert_eq!(of("code", &all), texts("code", 480).collect::<Vec<_>>());
    assert_eq!(of("news", &all), texts("news", 500).collect::<Vec<_>>());
}

/// The carrier asks for less, twice; everything that goes there waits, and goes again in its order.
#[test]
fn order_is_kept_under_throttling_and_the_link_as_a_whole_slows() {
    let scene = start_with(["shop", "mall"], "[retry.throttle]\ndelays_s = [2]");
    let (shop, mall, north) = (scene.customer("shop"), scene.customer("mall"), scene.carrier("north"));
    let mut refused = 0;
    let mut of_round = |round: usize| {
        north.be(Box::new(|_| vec![Act::Refuse(THROTTLED)]));
        shop.submit_all(TO, texts(&format!("shop {round}"), 40));
        mall.submit_all(TO, texts(&format!("mall {round}"), 40));
        // Paused, and all that was under way has been refused: what is next is up to the hub.
        scene.hub.process.until("a pause", support::START_LIMIT, || {
            scene.is_limited("north", "throttled")
                && scene.hub.metric("enroute_carrier_window_used{carrier=\"north\"}") == Some(0.0)
        });
        north.be(well());
        north.until("it takes all", |north| north.out == 0 && north.taken == 80 * (round + 1));
        refused = north.came().iter().filter(|came| came.status == Some(THROTTLED)).count();
    };
    (0..2).for_each(&mut of_round);

    let all = taken(north);
    for name in ["shop", "mall"] {
        let in_order: Vec<String> =
            (0..2).flat_map(|round| texts(&format!("{name} {round}"), 40).collect::<Vec<_>>()).collect();
        assert_eq!(of(name, &all), in_order);
    }
    // A window that was out when it first said so, and after each pause a few that find out.
    assert!((2..=80).contains(&refused), "{refused} submissions were throttled");
    shop.until("receipts", |told| told.unfinished() == 0);
    mall.until("receipts", |told| told.unfinished() == 0);
}

/// What was used counts on, the new figure holds at once, and no link ends for it.
#[test]
fn limits_that_a_reload_changes_hold_at_once_and_go_on_counting() {
    let more = format!("{QUICK}day_max = 50\n");
    let mut scene = Draft::new()
        .more(DEFAULT)
        .account("shop", "day_max = 100")
        .carrier("north", &more, well())
        .start("shares");
    let shop = scene.customer("shop");
    shop.submit_all(TO, texts("shop", 100));
    scene.carrier("north").until_came(50);
    scene.until_limited("north", "day_limit");

    scene.reload(|text| text.replace("day_max = 50", "day_max = 80"));
    scene.carrier("north").until_came(80);
    scene.until_limited("north", "day_limit");
    scene.reload(|text| {
        text.replace("day_max = 80", "day_max = 60").replace("day_max = 100", "day_max = 110")
    });
    texts("more", 11).for_each(|text| shop.submit(&Message::new("1000", TO, &text)));
    shop.until_answered();
    assert_eq!(shop.told().refused, [("more 0010".to_owned(), THROTTLED)]);
    scene.until_limited("north", "day_limit");
    assert_eq!(scene.carrier("north").count(), 80, "sixty is less than it had");
    scene.reload(|text| text.replace("day_max = 60", "minute_max = 1000"));
    scene.carrier("north").until_came(110);

    assert_eq!(scene.carrier("north").binds().len(), 1, "its link stays");
    shop.until("receipts", |told| told.unfinished() == 0);
}

/// Friday, 20 November 2026, 10:00:05 UTC.
const FRIDAY: u64 = 1_795_168_805;
const HOUR: u64 = 3600;

/// A hub whose wall clock the test sets, and which believes it.
fn scene_at(at: u64, draft: Draft) -> Option<(MovedClock, Scene)> {
    let setup = Setup::new("shares");
    let clock = MovedClock::new("shares", &setup.dir, at)?;
    let draft = clock.environment().iter().fold(draft, |draft, (name, value)| draft.environment(name, value));
    Some((clock, draft.more("[clock]\nstep_s = 86400").start_in(setup)))
}

/// Four hundred a minute and 2,500 a day are exactly that, though the hub is killed in each minute; what waits, and until when, is told,
/// and all goes out in order. A clock that is set while the hub runs opens no minute, so the clock is set while it doesn't.
#[test]
fn minute_and_day_limits_are_exact_while_the_clock_goes_on() {
    let more = format!("{QUICK}minute_max = 400\nday_max = 2500\n");
    let draft = Draft::new().more(DEFAULT).account("shop", "").carrier("north", &more, well());
    let Some((clock, mut scene)) = scene_at(FRIDAY, draft) else { return };
    let shop = scene.customer("shop");
    shop.submit_all(TO, texts("shop", 2600));

    for minute in 1..=6 {
        waits_with(&scene, 400 * minute, "minute_limit");
        let left = "enroute_carrier_limit_left{carrier=\"north\",window=\"minute\"}";
        assert_eq!(scene.hub.metric(left), Some(0.0));
        let wait = waits_for(&scene);
        assert!((1.0..=60.0).contains(&wait), "it waits for {wait} s");
        match minute {
            // The next minute begins by itself; ten seconds are enough for a start.
            4 => {}
            3 => scene = scene.again(|| clock.set(FRIDAY + 3 * 60 + 45)),
            _ => scene = scene.again(|| clock.set(FRIDAY + 60 * minute as u64)),
        }
    }
    waits_with(&scene, 2500, "day_limit");
    let wait = waits_for(&scene);
    assert!((13.5 * 3600.0..14.0 * 3600.0).contains(&wait), "until midnight, {wait} s");
    scene = scene.again(|| clock.set(FRIDAY + 13 * HOUR + 59 * 60 + 45)); // 23:59:50
    waits_with(&scene, 2500, "day_limit");
    scene.carrier("north").until_came(2600);

    assert_eq!(taken(scene.carrier("north")), texts("shop", 2600).collect::<Vec<_>>());
    let again = scene.customer("shop");
    let count = |told: &Told| told.receipts.len();
    let before = count(&shop.told());
    again.until("the other receipts", |told| before + count(told) == 2600);
    let ids: HashSet<String> =
        [shop.told(), again.told()].into_iter().flat_map(|told| told.receipts).map(|(id, _)| id).collect();
    assert_eq!(ids, shop.told().accepted.into_keys().collect());
}

/// The carrier has had so many of 2,600, and the rest waits for that.
fn waits_with(scene: &Scene, count: usize, reason: &str) {
    let north = scene.carrier("north");
    north.until("all of the window", |north| north.came >= count && north.receipts_taken >= count);
    scene.until_limited("north", reason);
    assert_eq!(north.count(), count);
    scene.until_metric("enroute_carrier_queue_messages{carrier=\"north\"}", (2600 - count) as f64);
    scene.until_metric("enroute_carrier_limit_left{carrier=\"north\",window=\"day\"}", (2500 - count) as f64);
}

/// For how long, in seconds.
fn waits_for(scene: &Scene) -> f64 {
    scene.hub.metric("enroute_carrier_limited_seconds{carrier=\"north\"}").expect("it is told")
}

#[test]
fn rules_of_hours_and_weekdays_go_by_the_clock_of_their_zone() {
    let rules = r#"
[[route.rule]]
name = "night"
from = "22:00"
to = "08:00"
zone = "Europe/Berlin"
target = "night"
[[route.rule]]
name = "weekend"
weekdays = ["sat", "sun"]
zone = "Europe/Berlin"
target = "weekend"
[route]
default = "day"
"#;
    let names = ["day", "night", "weekend"];
    let draft = Draft::new().more(rules).account("shop", "");
    let draft = names.iter().fold(draft, |draft, name| draft.carrier(name, QUICK, well()));
    let Some((clock, scene)) = scene_at(FRIDAY, draft) else { return };
    let shop = scene.customer("shop");
    names.iter().for_each(|name| scene.until_limited(name, "queue_empty"));

    let days = 24 * HOUR;
    let hours = [
        (0, "day"),
        (10 * HOUR + 3500, "day"),       // 20:58 UTC, 21:58 in Berlin
        (11 * HOUR, "night"),            // 22:00
        (20 * HOUR + 3500, "night"),     // Saturday, 07:58
        (21 * HOUR, "weekend"),          // 08:00
        (40 * HOUR, "night"),            // Sunday, 03:00
        (2 * days, "weekend"),           // 11:00
        (2 * days + 11 * HOUR, "night"), // 22:00
        (3 * days, "day"),               // Monday
    ];
    for (place, (after, _)) in hours.iter().enumerate() {
        clock.set(FRIDAY + after);
        shop.submit_all(TO, [format!("{place}")]);
    }

    for name in names {
        let meant: Vec<String> = (0..)
            .zip(hours)
            .filter(|(_, (_, carrier))| *carrier == name)
            .map(|(place, _)| format!("{place}"))
            .collect();
        scene.carrier(name).until_came(meant.len());
        assert_eq!(taken(scene.carrier(name)), meant, "{name}");
    }
}

/// Field bug R16: many sessions with wrong passwords at once cost the honest ones nothing.
#[test]
fn storm_of_wrong_passwords_is_refused_and_the_honest_go_on() {
    let scene = start_with(["shop", "mall"], "");
    let (port, shop) = (scene.setup.smpp, scene.customer("shop"));
    std::thread::scope(|scope| {
        for storm in 0..60 {
            scope.spawn(move || {
                for number in 0..3 {
                    let name = ["shop", "mall", "nobody"][number];
                    let (_session, status) = Customer::knock(port, name, &format!("no{storm}{number}"));
                    assert_ne!(status, 0, "a wrong password is none");
                }
            });
        }
        shop.submit_all(TO, texts("shop", 500));
    });

    shop.until("receipts", |told| told.unfinished() == 0);
    let mall = scene.customer("mall");
    mall.submit_all(TO, texts("mall", 10));
    assert_eq!(shop.told().receipts.len(), 500);
    for name in ["shop", "mall"] {
        scene.until_metric(&format!("enroute_sessions{{peer=\"{name}\",side=\"esme\"}}"), 1.0);
    }
}
