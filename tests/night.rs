//! A night of carrier trouble, over sockets: carriers that flap, throttle, fall silent, and tell ids wrongly, and a reload in the middle.
//!
//! What came to each carrier and what each customer was told stand in ledgers, and only these are judged. Moods change by what has come.

mod support;

use fastrand::Rng;
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::START_LIMIT;
use support::carrier::{Act, Came, Carrier, Mood};
use support::customer::{Customer, Told};
use support::scene::{Draft, Scene};
use support::wire::Message;

/// Where messages go: to all by weight, to beta alone, to the carrier that goes, and the bank's.
const TO: [&str; 3] = ["447700900", "486011001", "491701234"];
/// What the carrier that stays silent, and is the only one for its numbers, keeps out.
const WINDOW: usize = 10;
const LINKS: usize = 2;

const CONFIG: &str = r#"
[limits]
failover_after_s = 1
[retry.transient]
delays_s = [1]
[retry.unanswered]
delays_s = [1]
[retry.throttle]
delays_s = [1]
[[route.rule]]
name = "codes"
accounts = ["bank"]
priorities = [3]
target = "sure"
[[route.rule]]
name = "old"
prefixes = ["49"]
target = "old"
[[route.rule]]
name = "alone"
prefixes = ["48"]
target = "beta"
[[route.rule]]
name = "all"
target = "all"
[[route.group]]
name = "all"
kind = "weighted"
members = ["first", "second"]
weights = [2, 1]
[[route.group]]
name = "first"
kind = "failover"
members = ["alpha", "beta"]
[[route.group]]
name = "second"
kind = "failover"
members = ["gamma", "alpha"]
[[route.group]]
name = "sure"
kind = "failover"
members = ["gamma", "alpha", "beta"]
"#;

/// How a message ends at its handset, whoever brings it there.
fn end_of(text: &str) -> &'static str {
    if text.ends_with('7') { "UNDELIV" } else { "DELIVRD" }
}

/// Takes everything, under ids of its own.
fn well(name: &'static str) -> Mood {
    Box::new(move |came| {
        let id = format!("{name}{}", came.number);
        vec![Act::Take(id.clone()), Act::Receipt(id, end_of(&came.message.text))]
    })
}

/// Hangs up every now and then, with some submissions that nobody has answered on the link.
fn flapping(seed: u64) -> Mood {
    let (mut rng, mut left, mut mood) = (Rng::with_seed(seed), 40, well("a"));
    Box::new(move |came| {
        left -= 1;
        match left {
            0 => {
                left = rng.i32(30..60);
                vec![Act::HangUp]
            }
            1..=5 => Vec::new(),
            _ => mood(came),
        }
    })
}

/// Asks for less, one time in so many.
fn throttling(one_in: usize) -> Mood {
    let mut mood = well("b");
    Box::new(move |came| match came.number % one_in {
        0 => vec![Act::Refuse(0x58)], // ESME_RTHROTTLED
        _ => mood(came),
    })
}

fn silent() -> Mood {
    Box::new(|_| Vec::new())
}

/// The message that its carrier has told the id of, and not yet the end.
type Kept = Arc<Mutex<Option<(u64, Came)>>>;

/// Writes ids in hexadecimal in answers and in decimal in receipts; tells some receipts before their answers, some twice, and some of
/// messages that nobody has heard of. Many a message gets the id of the one before, if that went to another number, and then the
/// receipts of both come the other way round, some of them twice.
fn confused(kept: Kept) -> Mood {
    Box::new(move |came| {
        let Message { destination, text, .. } = &came.message;
        let before = kept.lock().expect("nobody panics while he holds it").take();
        let is_shared = before.as_ref().is_some_and(|(_, other)| other.message.destination != *destination);
        let number = match &before {
            Some((number, _)) if is_shared => *number,
            _ => 0xA0_0000 + came.number as u64,
        };
        let take = Act::Take(match came.number % 3 {
            0 => format!("{number:X}"),
            1 => format!("{number:x}"),
            _ => format!("{number:012x}"),
        });
        let receipt = || Act::Receipt(number.to_string(), end_of(text));
        let mut acts = match came.number % 7 {
            0 | 2 | 4 if is_shared => vec![take, receipt(), receipt()],
            _ if is_shared => vec![take, receipt()],
            0 | 1 => vec![receipt(), take],
            2 => vec![take, receipt(), receipt()],
            3 => vec![take, Act::Receipt("99999999".to_owned(), "DELIVRD"), receipt()],
            _ => {
                *kept.lock().expect("nobody panics while he holds it") = Some((number, came.clone()));
                vec![take]
            }
        };
        if let Some((number, other)) = &before {
            acts.push(late(*number, other));
            if came.number % 3 == 0 {
                acts.push(late(*number, other));
            }
        }
        acts
    })
}

fn late(number: u64, came: &Came) -> Act {
    Act::ReceiptFor(came.message.clone(), number.to_string(), end_of(&came.message.text))
}

/// One customer's texts: some for each of the ways.
fn texts(customer: &str, phase: usize, count: usize) -> impl Iterator<Item = Message> {
    (0..count).map(move |number| {
        let to = match number % 16 {
            0 => TO[1],
            1 | 9 => TO[2],
            _ => TO[0],
        };
        let text = format!("{customer} {phase} {number:04}");
        let mut message = Message::new("1000", &format!("{to}{:03}", number % 500), &text);
        message.priority = if customer == "bank" { 3 } else { 0 };
        message
    })
}

/// Each customer submits so many, the sessions side by side.
fn submit(customers: &[(&'static str, Customer)], phase: usize, count: usize) {
    std::thread::scope(|scope| {
        for (name, customer) in customers {
            scope.spawn(move || {
                texts(name, phase, count).for_each(|message| customer.submit(&message));
                customer.until_answered();
            });
        }
    });
}

fn scene(kept: &Kept) -> Scene {
    let more = "links = 2\nwindow = 10\nreconnect_min_ms = 1000\nreconnect_max_ms = 2000\n";
    let forms = format!("{more}response_ids = \"hex\"\nreceipt_ids = \"decimal\"\n");
    Draft::new()
        .more(CONFIG)
        .account("shop", "weight = 1")
        .account("mall", "weight = 2")
        .account("bank", "")
        .carrier("alpha", more, flapping(20_261_122))
        .carrier("beta", more, throttling(2))
        .carrier("gamma", &forms, confused(Arc::clone(kept)))
        .carrier("old", more, well("o"))
        .spare("delta", more, well("d"))
        .start("night")
}

/// Everything that the customers submit ends once and as its handset would have it, whatever happens to the carriers; nobody is
/// knocked at, and nothing is sent, in a tight loop; each carrier is named for what it suffers from (reliability X12 to X20, X27).
#[test]
fn night_of_carrier_trouble_loses_nothing_and_ends_everything() {
    let began = clock();
    let kept = Kept::default();
    let mut scene = scene(&kept);
    let customers = ["shop", "mall", "bank"].map(|name| (name, scene.customer(name)));

    // The evening: one flaps, one throttles, one is confused.
    for round in 0..5 {
        scene.carrier("alpha").until("it is bound again", |alpha| alpha.links == LINKS);
        if round == 4 {
            scene.carrier("beta").be(throttling(1)); // until somebody has looked
        }
        submit(&customers, round, 60);
    }
    scene.until_limited("beta", "throttled");

    // Midnight: one falls silent, one refuses to be bound to.
    scene.carrier("beta").be(silent());
    let (alpha, beta) = (scene.carrier("alpha"), scene.carrier("beta"));
    alpha.answer_binds(0x0D); // ESME_RBINDFAIL
    alpha.cut();
    submit(&customers, 5, 150);
    beta.until("it holds all that it gets", |beta| beta.out >= WINDOW);
    scene.until_limited("alpha", "peer");
    scene.until_limited("beta", "window");

    // A reload amid all this: one carrier goes, one comes, a route is moved.
    let delta = scene.table("delta").to_owned();
    let old = scene.table("old").to_owned();
    let changed =
        scene.reload(|text| text.replace(&old, &delta).replace("target = \"old\"", "target = \"delta\""));
    assert_eq!(
        changed["changes"],
        json!(["carrier \"delta\" added", "carrier \"old\" removed", "route.rule \"old\": target changed"])
    );
    let reloaded = clock();
    submit(&customers, 6, 150);

    // The morning: all are well again, but for the ids of one.
    scene.carrier("alpha").answer_binds(0);
    scene.carrier("alpha").be(well("A"));
    scene.carrier("beta").be(well("B"));
    scene.carrier("alpha").until("it is bound again", |alpha| alpha.links == LINKS);
    submit(&customers, 7, 100);
    let tidy = || {
        let last = kept.lock().expect("nobody panics while he holds it").take();
        if let Some((number, came)) = last {
            scene.carrier("gamma").act(&came, &[late(number, &came)]);
        }
    };
    scene.hub.process.until("a receipt for each", START_LIMIT, || {
        tidy(); // a retry may have been the last that came there
        customers.iter().all(|(_, customer)| customer.told().unfinished() == 0)
    });

    let told: Vec<Told> = customers.iter().map(|(_, customer)| customer.told()).collect();
    all_end_once(&told, 700);
    let carriers = ["alpha", "beta", "gamma", "old", "delta"].map(|name| scene.carrier(name));
    all_came_and_doubles_have_their_reasons(&told, carriers);
    nobody_was_pestered(carriers, began);
    let stale = carriers[3].came().iter().filter(|came| came.at > reloaded + Duration::from_secs(1)).count();
    assert_eq!(stale, 0, "the carrier that is gone gets nothing more");
    assert!(carriers.iter().all(|carrier| carrier.count() > 0), "each had its part in it");
    assert!(carriers[0].binds().len() >= LINKS + 4, "alpha flapped");
    // Beta gets less for a while yet.
    for name in ["alpha", "gamma", "delta"] {
        scene.until_limited(name, "queue_empty");
    }
    scene.until_metric("enroute_messages{place=\"all\"}", 0.0);
    drop(customers);
    assert_eq!(scene.hub.terminate(), Some(0));
}

/// Each submission was accepted, and has one receipt, with the state that its handset decided.
fn all_end_once(told: &[Told], each: usize) {
    for Told { accepted, refused, receipts, .. } in told {
        assert_eq!((accepted.len(), refused.len()), (each, 0));
        assert_eq!(receipts.len(), each, "one receipt each");
        for (id, stat) in receipts {
            let text = accepted.get(id).unwrap_or_else(|| panic!("a receipt for {id}, which nobody has"));
            assert_eq!(stat, end_of(text), "{text}");
        }
    }
}

/// Each message came to a carrier that took it; it came again only if an attempt before was refused or never answered (P3).
fn all_came_and_doubles_have_their_reasons(told: &[Told], carriers: [&Carrier; 5]) {
    let mut attempts: HashMap<String, Vec<Came>> = HashMap::new();
    for came in carriers.iter().flat_map(|carrier| carrier.came()) {
        attempts.entry(came.message.text.clone()).or_default().push(came);
    }
    let known: HashSet<&String> = told.iter().flat_map(|told| told.accepted.values()).collect();
    assert_eq!(attempts.keys().collect::<HashSet<_>>(), known, "what came is what was submitted");
    for (text, attempts) in &attempts {
        let taken = attempts.iter().filter(|came| came.status == Some(0)).count();
        assert_eq!(taken, 1, "{text} was taken by one, once: {attempts:#?}");
    }
}

/// Binds come no more often than one a second and link, and a message no more often than its ladder says.
fn nobody_was_pestered(carriers: [&Carrier; 5], began: Instant) {
    let seconds = began.elapsed().as_secs() as usize + 1;
    let mut attempts: HashMap<String, usize> = HashMap::new();
    for (place, carrier) in carriers.into_iter().enumerate() {
        let binds = carrier.binds().len();
        assert!(binds <= LINKS * (seconds + 1), "{binds} binds of carrier {place} in {seconds} s");
        for came in carrier.came() {
            *attempts.entry(came.message.text).or_default() += 1;
        }
    }
    let most = attempts.values().max().copied().unwrap_or_default();
    assert!(most <= seconds + 1, "a message was attempted {most} times in {seconds} s");
}

/// The carriers of a pair die one after the other, as killed processes do, each with a window out; what they had goes to those that are
/// left, once for each, and back to them when they are back (P3).
#[test]
fn carriers_that_are_killed_with_their_windows_out_lose_nothing() {
    for kind in ["least_loaded", "round_robin"] {
        let more = "links = 1\nwindow = 10\nreconnect_min_ms = 20\nreconnect_max_ms = 200\n";
        let groups = format!(
            "[limits]\nfailover_after_s = 1\n[retry.unanswered]\ndelays_s = [1]\n\
             [[route.group]]\nname = \"pair\"\nkind = \"{kind}\"\nmembers = [\"alpha\", \"beta\"]\n\
             [[route.group]]\nname = \"safe\"\nkind = \"failover\"\nmembers = [\"pair\", \"gamma\"]\n\
             [route]\ndefault = \"safe\""
        );
        let scene = Draft::new()
            .more(&groups)
            .account("shop", "")
            .carrier("alpha", more, well("a"))
            .carrier("beta", more, well("b"))
            .carrier("gamma", more, well("c"))
            .start("deaths");
        let shop = scene.customer("shop");
        let carriers = ["alpha", "beta", "gamma"].map(|name| scene.carrier(name));
        let all_up =
            || carriers.iter().for_each(|carrier| carrier.until("it is bound", |carrier| carrier.links == 1));
        all_up();
        let texts = |phase: usize| (0..300).map(move |number| format!("{phase} {number:03}"));

        let mut lost = 0;
        for (phase, dying) in carriers[..2].iter().enumerate() {
            dying.be(silent());
            std::thread::scope(|scope| {
                scope.spawn(|| shop.submit_all("447700900123", texts(phase)));
                dying.until("a window is out", |dying| dying.out == WINDOW);
                dying.die();
            });
            lost += dying.came().iter().filter(|came| came.status.is_none()).count();
            shop.until("receipts for all", |told| {
                told.accepted.len() == 300 * (phase + 1) && told.unfinished() == 0
            });
        }
        assert!(carriers[2].count() > 0, "with both of the pair dead, the third takes all");
        for carrier in &carriers[..2] {
            carrier.be(well("z"));
            carrier.rise();
        }
        all_up();
        let before = carriers.each_ref().map(|carrier| carrier.count());
        shop.submit_all("447700900123", texts(2));
        shop.until("receipts for all", |told| told.accepted.len() == 900 && told.unfinished() == 0);

        assert_eq!(carriers[2].count(), before[2], "the pair takes all again");
        assert!((0..2).all(|place| carriers[place].count() > before[place]), "each of them some");
        assert_eq!(lost, 2 * WINDOW);
        let came: usize = carriers.iter().map(|carrier| carrier.count()).sum();
        assert!(came <= 900 + lost, "{came} came: doubles for what was out, and for nothing else");
        assert_eq!(carriers.iter().map(|carrier| taken(carrier)).sum::<usize>(), 900, "each was taken once");
        assert_eq!(shop.told().receipts.len(), 900);
    }
}

fn taken(carrier: &Carrier) -> usize {
    carrier.came().iter().filter(|came| came.status == Some(0)).count()
}

#[allow(clippy::disallowed_methods)] // what came before, and what after
fn clock() -> Instant {
    Instant::now()
}
