//! Before the route: numbers in one form, senders, lists, who wants to hear no more, what goes in circles; with hand-moved time.

mod world;

use enroute::codec::{Address, CancelSm, Command, MessageState, QuerySm, Reading, Sm, Status, SubmitMulti};
use enroute::esme::{Account, Verdict};
use enroute::hub::{AccountPlan, Settings};
use enroute::id::{AccountId, SessionId};
use enroute::route::inbound::{Failover, Rule};
use enroute::route::{Inbound, Reach};
use enroute::screening::{
    CircleRule, Common, DialRule, Dialling, NumbersBuilder, Policy, Scope, SenderEntry, Senders, Words,
    Written,
};
use enroute::spool::{self, MemoryDisk};
use std::sync::Arc;
use std::time::Duration;
use world::*;

const OTHER: AccountId = AccountId(1);
const OTHER_PORT: SessionId = SessionId(11);

/// British numbers become international; STOP ends what an account sends.
fn common() -> Common {
    let rule = |prefix: &str, replace: &str| DialRule {
        prefix: prefix.to_owned(),
        ton: None,
        digits: 1..=20,
        replace: replace.to_owned(),
        becomes: (1, 1),
        of_sources: false,
        of_destinations: true,
    };
    Common {
        dialling: Dialling::new([rule("+", ""), rule("00", ""), rule("0", "44")]),
        words: Words::new(&["STOP".to_owned()], &["START".to_owned()]),
        opt_outs_max: 100_000,
        ..Common::default()
    }
}

fn screened(common: Common, policy: Policy) -> Settings {
    let mut settings = Settings { screening: Arc::new(common), inbound: all_to(ACCOUNT), ..settings() };
    settings.accounts[0].policy = Arc::new(policy);
    settings
}

fn opting_out(scope: Scope) -> Settings {
    screened(common(), Policy { scope, ..Policy::default() })
}

fn refusals(world: &World, reason: &str) -> u64 {
    world.count(|stats| {
        stats.screened.iter().filter(|(word, _)| *word == reason).map(|(_, times)| times).sum()
    })
}

/// Submits from this sender to this destination; gives the status.
fn submitted(world: &mut World, source: &[u8], destination: &str) -> Status {
    let source = Address { ton: 0, npi: 0, addr: source };
    let destination = Address { ton: 0, npi: 0, addr: destination.as_bytes() };
    let sm = Sm { source, destination, registered_delivery: 1, short_message: b"hello", ..Sm::default() };
    world.ask(Command::SUBMIT_SM, |out| sm.encode_body(out));
    world.status()
}

/// Whom the last dispatch is from and for.
fn went(world: &mut World) -> (String, String) {
    let (_, dispatch) = world.dispatches.pop().expect("a dispatch");
    let sm = Sm::decode(&dispatch.body, Reading::Strict).expect("legal");
    let text = |addr: &[u8]| String::from_utf8_lossy(addr).into_owned();
    (text(sm.source.addr), text(sm.destination.addr))
}

fn said_by(handset: &'static str, text: &'static [u8]) -> Sm<'static> {
    Sm { source: Address { ton: 1, npi: 1, addr: handset.as_bytes() }, ..handset_text(text) }
}

#[test]
fn number_in_any_form_goes_out_in_one_and_its_message_is_found_by_either() {
    let mut world = World::bound(screened(common(), Policy::default()), 10);
    for written in ["07700900123", "+447700900123", "00447700900123", "447700900123"] {
        assert_eq!(submitted(&mut world, b"12345", written), Status::ROK);
        assert_eq!(went(&mut world).1, "447700900123", "{written}");
    }
    let rewritten = |stats: &enroute::hub::Stats| stats.rewritten.iter().map(|(_, times)| times).sum();
    assert_eq!(world.count(rewritten), 3);

    let in_an_hour = b"000000010000000R";
    for destination in ["07700900123", "+447700900123", "447700900123"] {
        let id = world.accepted(Text { destination: "07700900123", schedule: in_an_hour, ..text("later") });
        let destination = Address { ton: 0, npi: 0, addr: destination.as_bytes() };
        for message_id in [id.as_bytes(), b""] {
            let cancel = CancelSm { message_id, source: SOURCE, destination, ..CancelSm::default() };
            world.ask(Command::CANCEL_SM, |out| cancel.encode_body(out));
            let expected = if message_id.is_empty() { Status::RCANCELFAIL } else { Status::ROK };
            assert_eq!(
                world.status(),
                expected,
                "{destination:?}: the first cancels it, the second finds none"
            );
        }
    }
}

#[test]
fn each_destination_of_many_is_screened_for_itself() {
    let mut builder = NumbersBuilder::default();
    builder.take(b"447700900666").expect("a number");
    let common = Common { blocked: vec![Arc::new(builder.finish())], ..common() };
    let mut world = World::bound(screened(common, Policy::default()), 10);
    let mut list = bytes::BytesMut::new();
    for addr in [&b"07700900123"[..], b"07700900666"] {
        let one = enroute::codec::Destination::Sme(Address { ton: 0, npi: 0, addr });
        enroute::codec::put_destination(&mut list, &one);
    }
    let destinations = enroute::codec::Destinations::read(&list).expect("well formed");

    let sm = Sm { source: SOURCE, short_message: b"hello", ..Sm::default() };
    world.ask(Command::SUBMIT_MULTI, |out| SubmitMulti { sm, destinations }.encode_body(out));

    assert_eq!(world.status(), Status::ROK);
    assert_eq!((went(&mut world).1.as_str(), world.dispatches.len()), ("447700900123", 0));
    assert_eq!(refusals(&world, "blocked"), 1);
}

/// Fact sheet 4.2: ESME_RINVSRCADR; what is replaced is found by the name that its customer knows.
#[test]
fn sender_that_is_not_allowed_is_refused_or_replaced() {
    let mut world = World::bound(screened(common(), Policy::default()), 10);
    assert_eq!(submitted(&mut world, b"BANK", "447700900123"), Status::RINVSRCADR);
    assert_eq!(
        (submitted(&mut world, b"1000", "447700900123"), refusals(&world, "sender")),
        (Status::ROK, 1)
    );

    let other = Written::new((5, 0), [b"SHOP", b""]).ok();
    let senders = Senders::new(Some(vec![SenderEntry::Whole("1000".to_owned())]), other);
    let mut world = World::bound(screened(common(), Policy { senders, ..Policy::default() }), 10);
    let bank = Sm {
        source: Address { ton: 5, npi: 0, addr: b"BANK" },
        destination: DESTINATION,
        short_message: b"hello",
        ..Sm::default()
    };
    world.ask(Command::SUBMIT_SM, |out| bank.encode_body(out));
    let (_, answer) = world.answers.pop().expect("an answer");
    let id = world.name(answer.outcome.expect("accepted"));
    assert_eq!(went(&mut world).0, "SHOP");
    for (source, expected) in [(b"BANK", Status::ROK), (b"SHOP", Status::ROK), (b"1000", Status::RINVMSGID)] {
        let source = Address { ton: 5, npi: 0, addr: source };
        let query = QuerySm { message_id: id.as_bytes(), source };
        world.ask(Command::QUERY_SM, |out| query.encode_body(out));
        assert_eq!(world.status(), expected, "{source:?}");
    }
}

/// Nobody is told ROK for a wish that a power cut could undo.
#[test]
fn stop_counts_from_when_its_carrier_is_answered_and_survives_a_crash() {
    let mut world = World::bound(opting_out(Scope::Account), 10);
    world.bring(LINK, 5, &said_by("+447700900123", b" Stop. "));
    world.turn();
    assert_eq!(world.arrivals_answered.len(), 0, "not durable yet");
    world.run();
    assert_eq!(world.arrivals_answered.pop(), Some((LINK, 5, Status::ROK)));
    assert_eq!(world.hear(Verdict::Taken), [b" Stop. "], "the account hears it too");

    for written in ["07700900123", "447700900123"] {
        assert_eq!(submitted(&mut world, b"12345", written), Status::RINVDSTADR);
    }
    assert_eq!(submitted(&mut world, b"12345", "447700900124"), Status::ROK);
    assert_eq!(refusals(&world, "opted_out"), 2);
    let mut world = reborn(world);
    assert_eq!(submitted(&mut world, b"12345", "447700900123"), Status::RINVDSTADR);
    assert_eq!(world.hub.gauges().opt_outs, 1);

    assert_eq!(world.brought(&said_by("447700900123", b"START")), Status::ROK);
    assert_eq!(submitted(&mut world, b"12345", "447700900123"), Status::ROK);
    let mut world = reborn(world);
    assert_eq!(submitted(&mut world, b"12345", "447700900123"), Status::ROK);
}

fn reborn(world: World) -> World {
    let mut world = world.crash(&mut || false);
    world.bind_port(PORT);
    world.bind_link(LINK, 10);
    world.run();
    world
}

#[test]
fn stop_to_one_number_is_about_that_number_where_that_is_set() {
    let mut world = World::bound(opting_out(Scope::Sender), 10);
    assert_eq!(world.brought(&said_by("447700900123", b"stop")), Status::ROK);

    assert_eq!(submitted(&mut world, b"10010", "447700900123"), Status::RINVDSTADR);
    assert_eq!(submitted(&mut world, b"10011", "447700900123"), Status::ROK);

    let mut world = World::bound(opting_out(Scope::Nothing), 10);
    assert_eq!(world.brought(&said_by("447700900123", b"stop")), Status::ROK);
    assert_eq!(submitted(&mut world, b"10010", "447700900123"), Status::ROK);
}

#[test]
fn stop_that_there_is_no_room_for_is_to_come_again() {
    let settings = screened(
        Common { opt_outs_max: 1, ..common() },
        Policy { scope: Scope::Account, ..Policy::default() },
    );
    let mut world = World::bound(settings, 10);

    assert_eq!(world.brought(&said_by("447700900123", b"stop")), Status::ROK);
    assert_eq!(world.brought(&said_by("447700900124", b"stop")), Status::RX_T_APPN);
    assert_eq!(world.brought(&said_by("447700900123", b"stop")), Status::ROK, "known already");
    assert_eq!(world.brought(&said_by("447700900124", b"hello")), Status::ROK);
}

/// A record that is about no message lives on when its segment goes.
#[test]
fn compaction_carries_opt_outs_on() {
    let spool = spool::Settings { segment_octets: 64 << 10, frame_octets: 4 << 10, spares: 0 };
    let mut world = World::open(opting_out(Scope::Account), spool, MemoryDisk::new(1), start());
    world.bind_port(PORT);
    world.bind_link(LINK, 10);
    world.run();
    let handsets: Vec<String> = (0..300).map(|number| format!("4477009{number:05}")).collect();
    for (place, handset) in handsets.iter().enumerate() {
        let source = Address { ton: 1, npi: 1, addr: handset.as_bytes() };
        let text: &[u8] = if place % 3 == 2 { b"START" } else { b"STOP" };
        world.bring(LINK, 5, &Sm { source, ..handset_text(text) });
        world.run();
        world.hear(Verdict::Taken);
        if place % 3 == 1 {
            world.bring(LINK, 5, &Sm { source, ..handset_text(b"START") });
            world.run();
            world.hear(Verdict::Taken);
        }
    }
    for _ in 0..400 {
        let texts =
            vec![Text { registered: 0, ..text("of the usual length, which is some ninety characters") }; 10];
        world.submit(&texts);
        world.run();
        world.take_all("x");
        for place in 0..10 {
            world.receipt(LINK, 1, &format!("x{place}"), MessageState::Delivered);
        }
        world.run();
        world.answers.clear();
    }
    assert!(world.writer.stats().octets > 10 * world.hub.gauges().spool_octets, "nothing was compacted");

    let mut world = reborn(world);

    assert_eq!(world.hub.gauges().opt_outs, 100);
    for (place, handset) in handsets.iter().enumerate() {
        let expected = if place % 3 == 0 { Status::RINVDSTADR } else { Status::ROK };
        assert_eq!(submitted(&mut world, b"12345", handset), expected, "{handset}");
    }
}

#[test]
fn what_goes_in_circles_is_stopped_on_either_side_until_its_time_is_over() {
    let circles = Some(CircleRule { passes: 3, within: Duration::from_secs(600) });
    let mut world = World::bound(screened(Common { circles, ..common() }, Policy::default()), 10);
    for _ in 0..2 {
        assert_eq!(submitted(&mut world, b"447700900123", "10010"), Status::ROK);
    }
    // It comes back from the carrier, and would go out a fourth time.
    assert_eq!(world.brought(&said_by("+447700900123", b"hello")), Status::ROK);
    assert_eq!(submitted(&mut world, b"447700900123", "10010"), Status::RSUBMITFAIL);
    assert_eq!(world.brought(&said_by("447700900123", b"hello")), Status::RX_R_APPN);
    assert_eq!(world.brought(&said_by("447700900123", b"another text")), Status::ROK);
    assert_eq!(submitted(&mut world, b"447700900123", "10011"), Status::ROK);
    assert_eq!(refusals(&world, "circle"), 1);

    world.pass(secs(600));
    assert_eq!(submitted(&mut world, b"447700900123", "10010"), Status::ROK);
}

/// Everything is the first account's; the second stands in for it after half a minute.
fn stand_in() -> Settings {
    let mut settings = settings();
    settings.accounts.push(AccountPlan::new(Account::new("other", "secret")));
    let mut inbound = Inbound::default();
    let failover = Some(Failover { account: OTHER, after: Duration::from_secs(30) });
    inbound.insert(Rule { failover, ..Rule::new(Reach::Any, ACCOUNT) }).expect("the only one");
    Settings { inbound, ..settings }
}

fn to_other(world: &mut World) {
    world.bind_as(OTHER_PORT, OTHER, enroute::codec::Version::V34);
    world.run();
}

/// Which sessions heard what since the last time.
fn heard(world: &mut World) -> Vec<(SessionId, String)> {
    let said = |body: &[u8]| {
        let sm = Sm::decode(body, Reading::Strict).expect("legal");
        String::from_utf8_lossy(sm.text()).into_owned()
    };
    let all: Vec<_> = world.heard.iter().map(|heard| (heard.session, said(&heard.body))).collect();
    world.hear(Verdict::Taken);
    all
}

#[test]
fn message_goes_to_the_stand_in_once_its_account_has_been_away_long_enough() {
    let mut world = World::new(stand_in());
    world.bind_link(LINK, 10);
    to_other(&mut world);
    assert_eq!(world.brought(&handset_text(b"first")), Status::ROK);
    world.pass(secs(29));
    assert_eq!(heard(&mut world), []);

    world.pass(secs(1));
    assert_eq!(heard(&mut world), [(OTHER_PORT, "first".to_owned())]);
    assert_eq!(world.brought(&handset_text(b"second")), Status::ROK);
    assert_eq!(heard(&mut world), [(OTHER_PORT, "second".to_owned())], "at once by now");

    world.bind_port(PORT);
    world.run();
    assert_eq!(world.brought(&handset_text(b"third")), Status::ROK);
    assert_eq!(heard(&mut world), [(PORT, "third".to_owned())]);
    assert_eq!(world.count(|stats| stats.inbound.stood_in), 1, "the second never waited");
    assert_eq!(world.hub.gauges().messages, 0);
}

#[test]
fn message_waits_for_its_account_where_the_stand_in_is_away_too_and_survives_a_crash() {
    let mut world = World::new(stand_in());
    world.bind_link(LINK, 10);
    world.run();
    for text in [&b"one"[..], b"two", b"three"] {
        assert_eq!(world.brought(&handset_text(text)), Status::ROK);
    }
    world.pass(secs(100));
    to_other(&mut world);
    assert_eq!(world.heard.len(), 3, "what was parked is read back");

    // The other had them in hand and said nothing: after the crash they are his still.
    let mut world = world.crash(&mut || false);
    world.heard.clear();
    world.bind_link(LINK, 10);
    to_other(&mut world);
    let texts: Vec<_> = heard(&mut world).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["one", "two", "three"]);
    assert_eq!(world.hub.gauges().messages, 0);
}

#[test]
fn receipts_stay_with_their_account() {
    let mut world = World::bound(stand_in(), 10);
    to_other(&mut world);
    world.taken(text("hello"), "a1");
    world.inbox.push(enroute::hub::Event::PortClosed { session: PORT });
    world.run();
    world.ended("a1", MessageState::Delivered);
    world.arrivals_answered.clear();
    assert_eq!(world.brought(&handset_text(b"hi")), Status::ROK);

    world.pass(secs(31));
    assert_eq!(heard(&mut world), [(OTHER_PORT, "hi".to_owned())]);
    assert!(world.delivered.is_empty());

    world.bind_port(PORT);
    world.run();
    assert_eq!(world.delivered.iter().map(|delivered| delivered.session).collect::<Vec<_>>(), [PORT]);
}
