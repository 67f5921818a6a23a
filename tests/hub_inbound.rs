//! Messages from handsets: durable before the carrier is answered, then their account's, whatever happens on the way.

mod world;

use bytes::BytesMut;
use enroute::codec::{
    CancelSm, Command, MessageState, Reading, ReplaceSm, Sm, Status, Tag, Tlvs, Version, put_tlv,
};
use enroute::conversion::{Fallback, Profile};
use enroute::esme::{Account, Verdict};
use enroute::hub::{AccountPlan, CarrierPlan, Event, Settings, Stats};
use enroute::id::{AccountId, CarrierId, MessageId, SessionId};
use enroute::route::inbound::Rule;
use enroute::route::{Inbound, Reach};
use enroute::text::Alphabet;
use std::sync::Arc;
use world::*;

const OTHER: AccountId = AccountId(1);
const OTHER_PORT: SessionId = SessionId(11);
const SECOND_PORT: SessionId = SessionId(12);

/// Everything that handsets say is the usual account's.
fn open_to_handsets() -> Settings {
    Settings { inbound: all_to(ACCOUNT), ..settings() }
}

/// The same for a second account too.
fn two_accounts(rules: impl IntoIterator<Item = Rule>) -> Settings {
    let mut settings = settings();
    settings.accounts.push(AccountPlan::new(Account::new("other", "secret")));
    let mut inbound = Inbound::default();
    rules.into_iter().for_each(|rule| inbound.insert(rule).expect("each once"));
    Settings { inbound, ..settings }
}

fn rule(destination: Reach, keyword: Option<&str>, account: AccountId) -> Rule {
    Rule { keyword: keyword.map(str::to_owned), ..Rule::new(destination, account) }
}

fn bound(settings: Settings) -> World {
    World::bound(settings, 10)
}

/// After a crash, everybody binds again.
fn reborn(world: World) -> World {
    let mut world = world.crash(&mut || false);
    world.bind_port(PORT);
    world.bind_link(LINK, 10);
    world.run();
    world
}

fn refused(world: &World, reason: &str) -> u64 {
    let of = |stats: &Stats| {
        stats.inbound.refused.iter().filter(|(word, _)| *word == reason).map(|(_, times)| times).sum()
    };
    world.count(of)
}

#[test]
fn message_is_answered_once_it_is_durable_and_goes_to_its_account_as_it_came() {
    let mut tlvs = BytesMut::new();
    put_tlv(&mut tlvs, Tag::SOURCE_PORT, &[0, 7]);
    put_tlv(&mut tlvs, Tag(0x1401), b"theirs");
    let tlvs = Tlvs::read(&tlvs, Reading::Strict).expect("well formed");
    let sm =
        Sm { registered_delivery: 0x0C, protocol_id: 9, esm_class: 0x80, tlvs, ..handset_text(b"hello") };
    let mut world = bound(open_to_handsets());

    world.bring(LINK, 5, &sm);
    world.turn();
    assert_eq!((world.arrivals_answered.len(), world.heard.len()), (0, 0), "not durable yet");
    world.run();

    assert_eq!(world.arrivals_answered, [(LINK, 5, Status::ROK)]);
    let mut body = BytesMut::new();
    sm.encode_body(&mut body);
    assert_eq!(world.heard[0].body, body.freeze());
    assert_eq!(world.hear(Verdict::Taken), [b"hello"]);
    let gauges = world.hub.gauges();
    assert_eq!((gauges.messages, gauges.scheduled, gauges.held, gauges.remembered), (0, 0, 0, 0));
    assert_eq!(world.count(|stats| stats.inbound.received + 10 * stats.inbound.delivered), 11);
    assert_eq!(world.count(|stats| stats.submitted + stats.settled.iter().sum::<u64>()), 0);
}

/// Promise 1: what the carrier was answered for reaches the account, and no carrier ever gets it.
#[test]
fn message_survives_a_crash_at_every_record_and_is_never_dispatched() {
    for step in 0..4 {
        let mut world = bound(open_to_handsets());
        world.bring(LINK, 5, &handset_text(b"hello"));
        world.turn();
        if step > 0 {
            world.commit();
        }
        if step > 1 {
            world.run();
        }
        if step > 2 {
            world.hear(Verdict::Taken);
        }

        let mut world = reborn(world);

        let times = [0, 1, 1, 0][step];
        assert_eq!(world.hear(Verdict::Taken).len(), times, "{step}");
        assert_eq!(world.dispatches.len(), 0, "{step}");
        let mut world = reborn(world);
        assert_eq!((world.recovered, world.heard.len()), (0, 0), "{step}");
        world.pass(secs(3600));
        assert_eq!((world.dispatches.len(), world.delivered.len()), (0, 0), "{step}");
    }
}

/// Field bug S12: what a session leaves unanswered is delivered again, once, on another.
#[test]
fn message_whose_port_is_lost_goes_to_another() {
    let mut world = bound(open_to_handsets());
    world.brought(&handset_text(b"hello"));
    world.heard.clear();

    world.inbox.push(Event::PortClosed { session: PORT });
    world.run();
    assert_eq!(world.heard.len(), 0);
    world.bind_port(SECOND_PORT);
    world.run();

    assert_eq!(world.heard[0].session, SECOND_PORT);
    assert_eq!(world.hear(Verdict::Taken), [b"hello"]);
    assert_eq!(world.count(|stats| stats.inbound.again), 1);
    assert_eq!(world.hub.gauges().messages, 0);
}

/// Fact sheet 4.3.
#[test]
fn verdicts_of_the_account_decide_whether_it_comes_again() {
    let mut world = bound(open_to_handsets());
    world.brought(&handset_text(b"later"));
    assert_eq!(world.hear(Verdict::Later), [b"later"]);
    assert_eq!(world.heard.len(), 0);
    world.pass(secs(5));
    assert_eq!(world.hear(Verdict::Unanswered), [b"later"]);
    assert_eq!(world.hear(Verdict::Refused), [b"later"]);
    world.pass(secs(3600));

    assert_eq!((world.heard.len(), world.hub.gauges().messages), (0, 0));
    let counts =
        |stats: &Stats| stats.inbound.deferred + 10 * stats.inbound.again + 100 * stats.inbound.denied;
    assert_eq!(world.count(counts), 111);
}

/// Field bug S19: an account that is away costs only disk; what it doesn't fetch in time is dropped and counted.
#[test]
fn message_waits_for_its_account_for_as_long_as_is_set() {
    let mut settings = open_to_handsets();
    settings.limits.bodies = 1;
    let mut world = World::new(settings);
    world.bind_link(LINK, 10);
    world.run();
    for text in [b"first", b"other", b"third"] {
        assert_eq!(world.brought(&handset_text(text)), Status::ROK);
    }
    world.pass(secs(48 * 3600 - 10));
    world.brought(&handset_text(b"young"));
    world.bind_port(PORT);
    world.run();
    assert_eq!(world.hear(Verdict::Later), [b"first", b"other", b"third", b"young"]);

    world.pass(secs(10));

    assert_eq!(world.hear(Verdict::Taken), [b"young"]);
    assert_eq!(world.count(|stats| stats.inbound.expired), 3);
    assert_eq!(world.hub.gauges().messages, 0);
}

/// Field bugs D13, R2, R4: what can't be kept is not ours, and the carrier is told to come again.
#[test]
fn whatever_has_no_room_is_refused_for_now_and_taken_when_it_comes_again() {
    type Change = fn(&mut World);
    let cases: [(&str, Change, Change); 4] = [
        ("account_full", |_| (), |world| drop(world.hear(Verdict::Taken))),
        ("hub_full", |_| (), |world| drop(world.hear(Verdict::Taken))),
        ("hub_full", |world| world.inbox.push(Event::Full), |world| world.inbox.push(Event::Roomy)),
        ("store", |world| world.inbox.push(Event::ReadOnly), |world| world.inbox.push(Event::Writable)),
    ];
    for (case, (reason, before, after)) in cases.into_iter().enumerate() {
        let mut settings = open_to_handsets();
        match case {
            0 => settings.accounts[0].queue_max = 1,
            1 => settings.limits.messages = 1,
            _ => {}
        }
        let mut world = bound(settings);
        if case < 2 {
            assert_eq!(world.brought(&handset_text(b"first")), Status::ROK);
        }
        before(&mut world);

        assert_eq!(world.brought(&handset_text(b"second")), Status::RX_T_APPN, "{case}");
        assert_eq!(refused(&world, reason), 1, "{case}");
        after(&mut world);
        assert_eq!(world.brought(&handset_text(b"second")), Status::ROK, "{case}");
        assert_eq!(world.hear(Verdict::Taken), [b"second"], "{case}");
    }
}

/// Fact sheet 4.1, 11.
#[test]
fn message_that_is_nobodys_or_illegible_is_refused_for_good_and_counted() {
    let mut world = bound(two_accounts([rule(Reach::Whole("999".into()), None, OTHER)]));

    assert_eq!(world.brought(&handset_text(b"hello")), Status::RX_R_APPN);
    let arrivals = vec![enroute::carrier::Arrival {
        command: Command::DATA_SM,
        sequence: 6,
        matter: enroute::carrier::Matter::Illegible,
    }];
    let intake = enroute::carrier::LinkIntake { arrivals, ..Default::default() };
    world.inbox.push(Event::LinkIntake { session: LINK, intake });
    world.run();

    assert_eq!(world.arrivals_answered, [(LINK, 6, Status::RX_R_APPN)]);
    assert_eq!((refused(&world, "no_route"), refused(&world, "illegible")), (1, 1));
    assert_eq!((world.heard.len(), world.hub.gauges().messages), (0, 0));
}

#[test]
fn rules_lead_each_message_to_its_account() {
    let mut world = bound(two_accounts([
        rule(Reach::Prefix("100".into()), None, ACCOUNT),
        rule(Reach::Prefix("100".into()), Some("other"), OTHER),
    ]));
    world.bind_as(OTHER_PORT, OTHER, Version::V34);
    world.run();

    for text in [&b"hello"[..], b"Other, please", b"another"] {
        assert_eq!(world.brought(&handset_text(text)), Status::ROK);
    }

    let to: Vec<_> = world.heard.iter().map(|heard| heard.session).collect();
    assert_eq!(to, [PORT, OTHER_PORT, PORT]);
}

/// The keyword stands in the first part; the others follow it, whatever they begin with.
#[test]
fn parts_of_a_text_go_where_its_first_part_goes() {
    let rules = [rule(Reach::Any, None, ACCOUNT), rule(Reach::Any, Some("other"), OTHER)];
    let mut world = bound(two_accounts(rules));
    world.bind_as(OTHER_PORT, OTHER, Version::V34);
    world.run();
    let part = |number, text: &[u8]| handset_part(7, 2, number, text);
    let (first, second) = (part(1, b"OTHER hello"), part(2, b" world"));
    let sm = |text| Sm { esm_class: 0x40, ..handset_text(text) };

    assert_eq!(world.brought(&sm(&second)), Status::RX_T_APPN, "whose is it?");
    assert_eq!(world.brought(&sm(&first)), Status::ROK);
    assert_eq!(world.brought(&sm(&second)), Status::ROK);
    assert!(world.heard.iter().all(|heard| heard.session == OTHER_PORT), "{:?}", world.heard);
    assert_eq!((world.hear(Verdict::Taken).len(), refused(&world, "first_part_awaited")), (2, 1));

    // One whose first part never comes is nobody's in the end but for the rule without a keyword.
    let orphan = handset_part(8, 2, 2, b"other");
    assert_eq!(world.brought(&sm(&orphan)), Status::RX_T_APPN);
    world.pass(secs(600));
    assert_eq!(world.brought(&sm(&orphan)), Status::ROK);
    assert_eq!(world.heard[0].session, PORT);
}

/// An inbound message is nobody's submission: what ESMEs ask about theirs passes it by.
#[test]
fn message_cannot_be_asked_for_cancelled_or_replaced() {
    let mut world = World::new(open_to_handsets());
    world.bind_link(LINK, 10);
    world.bind_port(PORT);
    world.run();
    world.brought(&handset_text(b"hello"));
    let slot = world.heard[0].token as u32;
    world.hear(Verdict::Later);
    // The next message's id tells what this one's is.
    world.submit(&[text("hello")]);
    world.run();
    let (_, answer) = world.answers.pop().expect("an answer");
    let MessageId { serial, .. } = answer.outcome.expect("accepted");
    let id = world.name(MessageId { serial: serial - 1, slot });
    let message_id = id.as_bytes();

    let cancel = CancelSm { source: HANDSET, destination: SHORT_CODE, ..CancelSm::default() };
    world.ask(Command::CANCEL_SM, |out| cancel.encode_body(out));
    assert_eq!(world.status(), Status::RCANCELFAIL);
    world.ask(Command::CANCEL_SM, |out| CancelSm { message_id, ..cancel }.encode_body(out));
    assert_eq!(world.status(), Status::RINVMSGID);
    let replace = ReplaceSm { message_id, source: HANDSET, ..ReplaceSm::default() };
    world.ask(Command::REPLACE_SM, |out| replace.encode_body(out));
    assert_eq!(world.status(), Status::RINVMSGID);
    let query = enroute::codec::QuerySm { message_id, source: HANDSET };
    world.ask(Command::QUERY_SM, |out| query.encode_body(out));
    assert_eq!(world.status(), Status::RINVMSGID);
    let in_place = Sm { replace_if_present_flag: 1, ..handset_text(b"mine") };
    world.ask(Command::SUBMIT_SM, |out| in_place.encode_body(out));
    assert_eq!(world.status(), Status::ROK);

    world.pass(secs(5));
    assert_eq!(world.hear(Verdict::Taken), [b"hello"]);
    world.ask(Command::QUERY_SM, |out| query.encode_body(out));
    assert_eq!(world.status(), Status::RINVMSGID, "gone, and never known");
}

/// Parts go to one port in order, whichever ports there are.
#[test]
fn parts_that_are_not_joined_go_to_one_port_in_order() {
    let mut world = bound(open_to_handsets());
    world.bind_port(SECOND_PORT);
    world.run();

    for number in 1..=5 {
        let part = handset_part(7, 5, number, b"x");
        world.bring(LINK, u32::from(number), &Sm { esm_class: 0x40, ..handset_text(&part) });
    }
    world.run();

    let first = world.heard[0].session;
    assert!(world.heard.iter().all(|heard| heard.session == first));
    let numbers: Vec<u8> = world.hear(Verdict::Taken).iter().map(|text| text[5]).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
}

/// Field bug T8; fact sheet 9: the account gets it in its own alphabet.
#[test]
fn text_is_put_in_the_words_of_its_account() {
    let profile =
        |default_alphabet, fallback| Arc::new(Profile { default_alphabet, fallback, ..Profile::default() });
    let mut settings = open_to_handsets();
    settings.carriers[0].carrier.profile = profile(Alphabet::Latin1, Fallback::Refuse);
    settings.accounts[0].profile = profile(Alphabet::Gsm, Fallback::Ucs2);
    let mut world = bound(settings);

    world.brought(&handset_text(b"\xE9t\xE9"));
    world.brought(&handset_text(b"\xB9"));
    world.brought(&Sm { data_coding: 4, ..handset_text(b"\xE9") });

    let codings: Vec<u8> = (world.heard.iter())
        .map(|heard| Sm::decode(&heard.body, Reading::Strict).expect("legal").data_coding)
        .collect();
    assert_eq!(codings, [0, 8, 4]);
    assert_eq!(world.hear(Verdict::Taken), [&b"\x05t\x05"[..], b"\0\xB9", b"\xE9"]);
}

/// Nobody could send it in other words: rather with question marks than not at all.
#[test]
fn part_that_becomes_too_long_in_other_words_goes_with_question_marks() {
    let mut settings = open_to_handsets();
    settings.carriers[0].carrier.profile =
        Arc::new(Profile { default_alphabet: Alphabet::Latin1, ..Profile::default() });
    let mut world = bound(settings);
    let part = handset_part(7, 2, 1, &[&b"\xB9"[..], &[b'x'; 130]].concat());

    world.brought(&Sm { esm_class: 0x40, ..handset_text(&part) });

    let heard = world.hear(Verdict::Taken);
    assert_eq!((&heard[0][..7], heard[0].len()), (&b"\x05\0\x03\x07\x02\x01?"[..], part.len()));
    assert_eq!(world.count(|stats| stats.inbound.replaced), 1);
}

/// Compaction carries what waits along, and nothing of it becomes a submission.
#[test]
fn waiting_messages_survive_compaction_and_restarts() {
    let mut settings = open_to_handsets();
    settings.compaction.slack_octets = 1 << 10;
    settings.limits.bodies = 5;
    settings.accounts[0].join_inbound = true;
    let spool = enroute::spool::Settings { segment_octets: 64 << 10, frame_octets: 4096, spares: 0 };
    let mut world = World::open(settings, spool, enroute::spool::MemoryDisk::new(7), start());
    world.bind_link(LINK, 100);
    world.run();
    let expected: Vec<Vec<u8>> = (0..30).map(|number| format!("waits {number}").into_bytes()).collect();
    for text in &expected {
        assert_eq!(world.brought(&handset_text(text)), Status::ROK);
    }
    let part = handset_part(7, 2, 1, b"a part ");
    assert_eq!(world.brought(&Sm { esm_class: 0x40, ..handset_text(&part) }), Status::ROK);
    world.bind_as(OTHER_PORT, ACCOUNT, Version::V34);
    world.run();
    world.hear(Verdict::Later);
    world.inbox.push(Event::PortClosed { session: OTHER_PORT });
    for round in 0..40 {
        world.bind_port(PORT);
        world.submit(&[Text { registered: 0, ..text(&"x".repeat(200)) }; 20]);
        world.inbox.push(Event::PortClosed { session: PORT });
        world.run();
        world.take_all(&format!("r{round}-"));
        for place in 0..20 {
            world.ended(&format!("r{round}-{place}"), MessageState::Delivered);
        }
    }
    assert!(world.compacted > 0, "nothing was compacted");

    let mut world = reborn(world);
    assert_eq!(world.hear(Verdict::Taken), expected);
    let part = handset_part(7, 2, 2, b"and its other");
    world.brought(&Sm { esm_class: 0x40, ..handset_text(&part) });
    assert_eq!(world.hear(Verdict::Taken), [b"a part and its other"], "from the same carrier");
    assert_eq!((world.dispatches.len(), world.hub.gauges().messages), (0, 0));
}

/// A second carrier, for what must not be mixed up.
fn two_carriers(mut settings: Settings) -> Settings {
    let carrier = enroute::carrier::Carrier::new("beta", "127.0.0.1:1");
    settings.carriers.push(CarrierPlan::new(carrier));
    settings
}

#[test]
fn rule_for_one_carrier_is_for_that_carrier_alone() {
    let mut settings = two_carriers(settings());
    let own = Rule { carrier: Some(CarrierId(1)), ..rule(Reach::Any, None, ACCOUNT) };
    settings.inbound.insert(own).expect("the only one");
    let mut world = bound(settings);
    world.bind_link_of(OTHER_LINK, CarrierId(1));
    world.run();

    assert_eq!(world.brought(&handset_text(b"hello")), Status::RX_R_APPN);
    world.bring(OTHER_LINK, 3, &handset_text(b"hello"));
    world.run();

    assert_eq!(world.arrivals_answered, [(OTHER_LINK, 3, Status::ROK)]);
    assert_eq!(world.hear(Verdict::Taken), [b"hello"]);
}
