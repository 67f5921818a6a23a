//! Other settings for a hub at work, with hand-moved time: who stays, who goes, and what becomes of their messages.

mod world;

use enroute::carrier::{Carrier, Verdict as Word};
use enroute::codec::{MessageState, Status, Version};
use enroute::correlation::{IdForm, IdForms};
use enroute::esme::{Account, Verdict};
use enroute::hub::{AccountPlan, CarrierPlan, Event, Names, Reload, Settings};
use enroute::id::{AccountId, CarrierId, SessionId};
use enroute::route::Routes;
use enroute::screening::{Policy, SenderEntry, Senders};
use std::sync::Arc;
use world::*;

const OTHER: AccountId = AccountId(1);
const OTHER_PORT: SessionId = SessionId(11);
const SECOND: CarrierId = CarrierId(1);
const SECOND_LINK: SessionId = SessionId(21);

fn carrier(name: &str) -> CarrierPlan {
    let ids = IdForms { response: IdForm::Text, receipt: IdForm::Text };
    CarrierPlan {
        carrier: Carrier { window: 10, ..Carrier::new(name, "127.0.0.1:1") },
        ids,
        ..settings().carriers[0].clone()
    }
}

/// Two accounts and two carriers; everything goes to the first carrier.
fn two() -> Settings {
    let mut settings = settings();
    settings.accounts.push(AccountPlan::new(Account::new("other", "secret")));
    settings.carriers.push(carrier("beta"));
    settings
}

/// The hub is brought these settings, which mean something new for all accounts.
fn reload(world: &mut World, settings: Settings, parting: Vec<CarrierId>) {
    let accounts = (0..settings.accounts.len()).map(|place| AccountId(place as u16)).collect();
    world.settings = settings.clone();
    let reload = Reload { settings: Box::new(settings), accounts, parting };
    world.inbox.push(Event::Reload(Box::new(reload)));
    world.run();
}

fn nobody() -> AccountPlan {
    AccountPlan::new(Account::new("", ""))
}

#[test]
fn what_accounts_may_do_changes_at_once_and_their_sessions_stay() {
    let mut world = World::bound(two(), 10);
    assert_eq!(
        world.hub.names(),
        Names {
            accounts: vec!["shop".to_owned(), "other".to_owned()],
            carriers: vec!["alpha".to_owned(), "beta".to_owned()],
            routes: vec!["default".to_owned()],
        }
    );
    world.submit(&[text("before")]);
    world.run();
    assert_eq!(world.outcomes(), [Status::ROK]);

    let mut changed = two();
    let senders = Senders::new(Some(vec![SenderEntry::Whole("1".to_owned())]), None);
    changed.accounts[0].policy = Arc::new(Policy { senders, ..Policy::default() });
    changed.accounts.push(AccountPlan::new(Account::new("late", "secret")));
    reload(&mut world, changed, Vec::new());

    assert_eq!(world.retired, 1, "the settings before come back");
    world.submit(&[text("after")]);
    world.run();
    assert_eq!(world.outcomes(), [Status::RINVSRCADR]);
    assert!(world.unbound.is_empty());
    world.bind_as(OTHER_PORT, AccountId(2), Version::V34);
    world.run();
    assert_eq!(world.hub.names().accounts[2], "late");
}

/// Field bug R13.
#[test]
fn account_that_is_gone_is_unbound_and_its_messages_end_all_the_same() {
    let mut world = World::bound(two(), 10);
    world.bind_as(OTHER_PORT, OTHER, Version::V34);
    world.run();
    let id = world.taken(text("hello"), "a1");
    let mut without = two();
    without.accounts[0] = nobody();

    reload(&mut world, without, Vec::new());

    assert_eq!(world.ports_unbound, [PORT]);
    world.inbox.push(Event::PortClosed { session: PORT });
    world.run();
    world.ended("a1", MessageState::Delivered);
    assert_eq!(world.hub.gauges().messages, 1, "its receipt waits for it");
    // One that was about to bind is told so too.
    world.ports_unbound.clear();
    world.bind_as(SessionId(12), ACCOUNT, Version::V34);
    world.run();
    assert_eq!(world.ports_unbound, [SessionId(12)]);
    world.inbox.push(Event::PortClosed { session: SessionId(12) });
    world.delivered.clear();

    // It comes again, in its own place.
    reload(&mut world, two(), Vec::new());
    world.bind_port(PORT);
    world.run();
    let delivered = world.delivered.pop().expect("the receipt");
    assert_eq!((delivered.session, delivered.id), (PORT, id));
    world.verdict(PORT, delivered.token, Verdict::Taken);
    world.run();
    assert_eq!(world.hub.gauges().messages, 0);
}

#[test]
fn links_end_once_what_is_out_on_them_was_answered() {
    let mut world = World::bound(two(), 10);
    world.bind_link_of(SECOND_LINK, SECOND);
    world.submit(&[text("one"), text("two")]);
    world.run();
    let out = world.sent();
    assert_eq!(out.len(), 2);
    let mut without = two();
    without.carriers[0].carrier.name = String::new();
    without.routes = Arc::new(Routes::to(SECOND));

    reload(&mut world, without, vec![CARRIER]);
    world.submit(&[text("three")]);
    world.run();

    assert!(world.unbound.is_empty(), "two answers are owed");
    let sent: Vec<_> = world.sent().into_iter().map(|(link, _, text)| (link, text)).collect();
    assert_eq!(sent, [(SECOND_LINK, "three".to_owned())]);
    world.say(LINK, out[0].1, Word::Answered(Status::ROK), "a1");
    world.run();
    assert!(world.unbound.is_empty());
    world.receipt(LINK, 5, "a1", MessageState::Delivered);
    world.run();
    assert_eq!(world.arrivals_answered.pop(), Some((LINK, 5, Status::ROK)));
    world.say(LINK, out[1].1, Word::Answered(Status::ROK), "a2");
    world.run();
    assert_eq!(world.unbound, [LINK]);
    assert_eq!(world.states(), [MessageState::Delivered]);
}

#[test]
fn new_carrier_is_used_as_soon_as_a_link_of_it_stands() {
    let mut world = World::bound(settings(), 10);
    let mut more = two();
    more.routes = Arc::new(Routes::to(SECOND));
    reload(&mut world, more, Vec::new());
    world.submit(&[text("hello")]);
    world.run();
    assert!(world.sent().is_empty());

    world.bind_link_of(SECOND_LINK, SECOND);
    world.run();

    assert_eq!(world.sent().len(), 1);
    assert_eq!(world.hub.gauges().carriers.len(), 2);
}

/// What waits for a carrier, with or without a link, whose rule leads elsewhere now; and what falls due later.
#[test]
fn messages_follow_their_rules() {
    for is_up in [false, true] {
        let mut world = World::new(two());
        world.bind_port(PORT);
        if is_up {
            world.bind_link(LINK, 1);
        }
        let later = Text { schedule: b"000000010000000R", ..text("later") };
        world.submit(&[text("out"), text("one"), text("two"), later]);
        world.run();
        let out = world.sent();
        assert_eq!(out.len(), usize::from(is_up));
        world.bind_link_of(SECOND_LINK, SECOND);
        world.run();

        let changed = Settings { routes: Arc::new(Routes::to(SECOND)), ..two() };
        reload(&mut world, changed, Vec::new());

        let sent: Vec<_> = world.sent().into_iter().map(|(link, _, text)| (link, text)).collect();
        let expected = if is_up { vec!["one", "two"] } else { vec!["out", "one", "two"] };
        let expected: Vec<_> = expected.into_iter().map(|text| (SECOND_LINK, text.to_owned())).collect();
        assert_eq!(sent, expected);
        if let Some((link, token, _)) = out.first() {
            world.say(*link, *token, Word::Answered(Status::RSYSERR), "");
        }
        world.bind_link(OTHER_LINK, 10);
        world.run();
        world.pass(secs(3700));
        let mut late: Vec<_> = world.sent().into_iter().map(|(link, _, text)| (link, text)).collect();
        late.sort();
        let expected = if is_up { vec!["later", "out"] } else { vec!["later"] };
        let expected: Vec<_> = expected.into_iter().map(|text| (SECOND_LINK, text.to_owned())).collect();
        assert_eq!(late, expected, "a retry too");
    }
}

/// A rule that is gone, and its carrier with it: what waits is decided on by the rules that are there.
#[test]
fn what_waits_for_a_carrier_that_is_gone_is_decided_on_again() {
    let mut settings = two();
    let prefixes = [("4477", CARRIER), ("44", SECOND)];
    settings.routes = Arc::new(Routes::by_prefix(prefixes, None).expect("digits"));
    let mut world = World::new(settings);
    world.bind_port(PORT);
    world.bind_link_of(SECOND_LINK, SECOND);
    let texts: Vec<String> = (0..3000).map(|number| format!("text {number}")).collect();
    for chunk in texts.chunks(500) {
        world.submit(&chunk.iter().map(|known| text(known)).collect::<Vec<_>>());
        world.run();
    }
    assert!(world.sent().is_empty());
    world.pass(secs(5)); // most are parked by now

    let mut without = two();
    without.carriers[0].carrier.name = String::new();
    let routes = Routes::by_prefix([("44", SECOND)], None).expect("digits");
    without.routes = Arc::new(routes.numbered_after(world.hub.names().routes.as_slice()));
    reload(&mut world, without, vec![CARRIER]);

    let mut taken = Vec::new();
    while taken.len() < texts.len() {
        let sent = world.sent();
        assert!(!sent.is_empty(), "{} of them", taken.len());
        for (link, token, text) in sent {
            assert_eq!(link, SECOND_LINK);
            world.say(link, token, Word::Answered(Status::ROK), &format!("id{}", taken.len()));
            taken.push(text);
        }
        world.run();
    }
    taken.sort();
    let mut all = texts;
    all.sort();
    assert_eq!(taken, all, "each once");
}

/// The rule is still there, but has no target for this number any more: what waits, falls due or was refused goes by the next rule
/// that fits.
#[test]
fn number_that_its_rule_has_no_target_for_any_more_is_decided_on_again() {
    for is_up in [false, true] {
        let by_prefix = |prefixes: &[(&str, CarrierId)]| {
            Routes::by_prefix(prefixes.iter().copied(), Some(SECOND)).expect("digits")
        };
        let mut settings = two();
        settings.routes = Arc::new(by_prefix(&[("4477", CARRIER), ("49", CARRIER)]));
        let mut world = World::new(settings);
        world.bind_port(PORT);
        world.bind_link_of(SECOND_LINK, SECOND);
        if is_up {
            world.bind_link(LINK, 1);
        }
        let later = Text { schedule: b"000000010000000R", ..text("later") };
        world.submit(&[text("out"), text("one"), later]);
        world.run();
        let out = world.sent();
        assert_eq!(out.len(), usize::from(is_up));

        let routes = by_prefix(&[("49", CARRIER)]).numbered_after(world.hub.names().routes.as_slice());
        reload(&mut world, Settings { routes: Arc::new(routes), ..two() }, Vec::new());
        if let Some((link, token, _)) = out.first() {
            world.say(*link, *token, Word::Answered(Status::RINVDSTADR), "");
        }
        world.run();
        let mut sent = world.sent();
        world.pass(secs(3700));
        sent.extend(world.sent());

        let mut sent: Vec<_> = sent.into_iter().map(|(link, _, text)| (link, text)).collect();
        sent.sort();
        let expected = ["later", "one", "out"].map(|text| (SECOND_LINK, text.to_owned()));
        assert_eq!(sent, expected);
        assert!(world.states().is_empty());
    }
}
