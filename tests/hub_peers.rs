//! What the hub passes between its two sides beside messages: broadcasts, alerts, notifications, calls, congestion.

mod world;

use bytes::BytesMut;
use enroute::carrier::{LinkIntake, Reply};
use enroute::codec::{
    Address, AlertNotification, BroadcastSm, CancelBroadcastSm, Command, MessageState, QueryBroadcastSm,
    Reading, SmResp, Status, Tag, Tlvs, Version, put_tlv,
};
use enroute::esme::{Account, Outbind};
use enroute::hub::{AccountPlan, Event, Settings};
use enroute::id::{AccountId, SessionId};
use world::*;

const OTHER_PORT: SessionId = SessionId(9);

fn with_broadcasts() -> Settings {
    let mut settings = settings();
    settings.carriers[0].carrier.broadcasts = true;
    settings.accounts.push(AccountPlan::new(Account::new("other", "secret")));
    settings
}

fn broadcast(out: &mut BytesMut) {
    let mut tlvs = BytesMut::new();
    put_tlv(&mut tlvs, Tag::BROADCAST_AREA_IDENTIFIER, b"\0Dublin");
    put_tlv(&mut tlvs, Tag::BROADCAST_CONTENT_TYPE, &[1, 0, 0x30]);
    put_tlv(&mut tlvs, Tag::BROADCAST_REP_NUM, &[0, 1]);
    put_tlv(&mut tlvs, Tag::BROADCAST_FREQUENCY_INTERVAL, &[9, 0, 31]);
    put_tlv(&mut tlvs, Tag::MESSAGE_PAYLOAD, b"Road closed");
    BroadcastSm {
        service_type: b"CBS",
        source: SOURCE,
        tlvs: Tlvs::read(&tlvs, Reading::Strict).expect("well formed"),
        ..BroadcastSm::default()
    }
    .encode_body(out);
}

/// The carrier answers the oldest errand.
fn reply(world: &mut World, status: Option<Status>, message_id: &[u8]) {
    let (session, errand) = world.errands.remove(0);
    let mut pdu = BytesMut::new();
    SmResp { message_id, tlvs: Tlvs::empty() }.encode(&mut pdu, errand.command.response(), Status::ROK, 1);
    let ids = pdu[16..].to_vec();
    let body = 0..ids.len() as u32;
    let replies = vec![Reply { token: errand.token, status, body }];
    world
        .inbox
        .push(Event::LinkIntake { session, intake: LinkIntake { ids, replies, ..LinkIntake::default() } });
    world.run();
}

#[test]
fn broadcast_goes_to_the_carrier_that_broadcasts_and_its_answer_comes_back() {
    let mut world = World::bound(with_broadcasts(), 10);
    world.ask(Command::BROADCAST_SM, broadcast);
    let sent = BroadcastSm::decode(&world.errands[0].1.body, Reading::Strict).expect("passed on whole");
    assert_eq!(sent.text(), b"Road closed");

    reply(&mut world, Some(Status::ROK), b"B-1");

    let (_, pdu) = world.replies.pop().expect("a broadcast_sm_resp");
    assert_eq!(status_of(&pdu), Status::ROK);
    let id = SmResp::decode(frame(&pdu).body).message_id.to_vec();
    assert!(id.starts_with(b"B-1"));

    let query = QueryBroadcastSm { message_id: &id, source: SOURCE, tlvs: Tlvs::empty() };
    world.ask(Command::QUERY_BROADCAST_SM, |out| query.encode_body(out));
    let asked = QueryBroadcastSm::decode(&world.errands[0].1.body, Reading::Strict).expect("a query");
    assert_eq!(asked.message_id, b"B-1");
    reply(&mut world, Some(Status::ROK), b"B-1");
    let (_, pdu) = world.replies.pop().expect("an answer");
    assert_eq!(SmResp::decode(frame(&pdu).body).message_id, id);

    let cancel = CancelBroadcastSm { message_id: &id, source: SOURCE, ..CancelBroadcastSm::default() };
    world.ask(Command::CANCEL_BROADCAST_SM, |out| cancel.encode_body(out));
    reply(&mut world, Some(Status::ROK), b"");
    assert_eq!(world.replies.pop().expect("an answer").1.len(), 16);
}

#[test]
fn broadcast_of_another_account_is_nobodys() {
    let mut world = World::bound(with_broadcasts(), 10);
    world.ask(Command::BROADCAST_SM, broadcast);
    reply(&mut world, Some(Status::ROK), b"B-1");
    let id = SmResp::decode(frame(&world.replies.pop().expect("an answer").1).body).message_id.to_vec();
    world.bind_as(OTHER_PORT, AccountId(1), Version::V50);
    world.run();

    let cancel = CancelBroadcastSm { message_id: &id, source: SOURCE, ..CancelBroadcastSm::default() };
    world.ask_from(OTHER_PORT, Command::CANCEL_BROADCAST_SM, |out| cancel.encode_body(out));

    assert_eq!(world.status(), Status::RINVMSGID);
    assert!(world.errands.is_empty());
}

/// Fact sheet 3.6.
#[test]
fn broadcast_that_nobody_can_carry_gets_the_exact_status() {
    let mut world = World::bound(settings(), 10);
    world.ask(Command::BROADCAST_SM, broadcast);
    assert_eq!(world.status(), Status::RPROHIBITED);

    let mut world = World::new(with_broadcasts());
    world.bind_port(PORT);
    world.run();
    world.ask(Command::BROADCAST_SM, broadcast);
    assert_eq!(world.status(), Status::RBCASTFAIL);

    let mut world = World::bound(with_broadcasts(), 10);
    let query = QueryBroadcastSm { source: SOURCE, ..QueryBroadcastSm::default() };
    world.ask(Command::QUERY_BROADCAST_SM, |out| query.encode_body(out));
    reply(&mut world, None, b"");
    assert_eq!(world.status(), Status::RBCASTQUERYFAIL);
    let cancel = CancelBroadcastSm { source: SOURCE, ..CancelBroadcastSm::default() };
    world.ask(Command::CANCEL_BROADCAST_SM, |out| cancel.encode_body(out));
    world.inbox.push(Event::LinkClosed { session: LINK, lost: vec![] });
    world.run();
    assert_eq!(world.status(), Status::RBCASTCANCELFAIL);
}

fn alert(world: &mut World, source: &[u8]) {
    let mut ids = BytesMut::new();
    let source = Address { ton: 1, npi: 1, addr: source };
    AlertNotification { source, esme: SOURCE, ..AlertNotification::default() }.encode_body(&mut ids);
    let mut intake = LinkIntake { ids: ids.to_vec(), ..LinkIntake::default() };
    intake.alerts.push(0..ids.len() as u32);
    world.inbox.push(Event::LinkIntake { session: LINK, intake });
    world.run();
}

#[test]
fn alert_reaches_the_account_whose_message_waits_and_the_message_goes_out_again() {
    let mut world = World::bound(with_broadcasts(), 10);
    world.bind_as(OTHER_PORT, AccountId(1), Version::V34);
    world.submit(&[text("a")]);
    world.run();
    let (session, token, _) = world.sent().pop().expect("a dispatch");
    world.say(session, token, enroute::carrier::Verdict::Answered(Status::RX_T_APPN), "");
    world.run();

    alert(&mut world, b"447700900999");
    assert_eq!((world.alerts.len(), world.sent_texts().len()), (0, 0));
    alert(&mut world, b"447700900123");

    assert_eq!(world.sent_texts(), ["a"]);
    let (session, body) = world.alerts.pop().expect("an alert_notification");
    let told = AlertNotification::decode(&body, Reading::Strict).expect("as it came");
    assert_eq!((session, told.source.addr), (PORT, &b"447700900123"[..]));
    assert!(world.alerts.is_empty(), "the other account waits for nobody");
}

#[test]
fn alert_goes_to_a_session_that_knows_alerts_or_is_counted_as_dropped() {
    let mut world = World::new(settings());
    world.bind_as(PORT, ACCOUNT, Version::V33);
    world.bind_link(LINK, 10);
    world.run();
    let refused = |world: &mut World| {
        let (session, token, _) = world.sent().pop().expect("a dispatch");
        world.say(session, token, enroute::carrier::Verdict::Answered(Status::RX_T_APPN), "");
        world.run();
    };
    world.submit(&[text("a")]);
    world.run();
    refused(&mut world);

    alert(&mut world, b"447700900123");
    assert_eq!((world.alerts.len(), world.count(|stats| stats.alerts_dropped)), (0, 1));
    refused(&mut world);
    world.bind_as(OTHER_PORT, ACCOUNT, Version::V34);
    world.run();
    alert(&mut world, b"447700900123");

    assert_eq!(world.alerts.pop().expect("an alert_notification").0, OTHER_PORT);
}

/// Field bug D8; fact sheet 8.4.
#[test]
fn intermediate_notification_is_passed_on_to_who_asked_for_it() {
    let mut world = World::bound(settings(), 10);
    let asked = world.taken(Text { registered: 0x11, ..text("a") }, "c1");
    world.taken(text("b"), "c2");
    world.pass(secs(10)); // their bodies are parked by now

    world.ended("c1", MessageState::Enroute);
    world.ended("c2", MessageState::Enroute);

    let told: Vec<_> = world.delivered.drain(..).collect();
    assert_eq!(
        told.iter().map(|told| (&told.id, told.state)).collect::<Vec<_>>(),
        [(&asked, MessageState::Enroute)]
    );
    world.verdict(PORT, told[0].token, enroute::esme::Verdict::Taken);
    world.ended("c1", MessageState::Delivered);
    assert_eq!(world.states(), [MessageState::Delivered]);
}

#[test]
fn account_that_is_away_is_called_when_a_receipt_waits_for_it() {
    let mut settings = settings();
    let outbind = Outbind { address: "127.0.0.1:9".into(), password: "x".into() };
    settings.accounts[0].account.outbind = Some(outbind);
    let mut world = World::bound(settings, 10);
    world.taken(text("a"), "c1");
    world.inbox.push(Event::PortClosed { session: PORT });
    world.run();
    assert_eq!(world.calls, []);

    world.ended("c1", MessageState::Delivered);
    assert_eq!(world.calls, [ACCOUNT]);
    world.pass(secs(31));
    assert_eq!(world.calls, [ACCOUNT; 2], "nobody came: once more");

    world.bind_port(PORT);
    world.run();
    assert_eq!(world.states(), [MessageState::Delivered]);
    world.pass(secs(300));
    assert_eq!(world.calls.len(), 2);
}

fn say_congestion(world: &mut World, congestion: u8) {
    let intake = LinkIntake { congestion: Some(congestion), ..LinkIntake::default() };
    world.inbox.push(Event::LinkIntake { session: LINK, intake });
    world.run();
}

#[test]
fn carrier_that_says_it_is_congested_gets_less_at_a_time() {
    let mut world = World::bound(settings(), 10);
    say_congestion(&mut world, 100);

    world.submit(&[text("a"), text("b"), text("c")]);
    world.run();
    assert_eq!(world.dispatches.len(), 1);
    world.take_all("c");
    assert_eq!(world.dispatches.len(), 1);
    say_congestion(&mut world, 10);

    assert_eq!(world.dispatches.len(), 2);
}

#[test]
fn peers_are_told_how_full_the_hub_is() {
    let mut settings = settings();
    settings.accounts[0].queue_max = 4;
    let mut world = World::bound(settings, 10);

    world.accepted(text("a"));
    let before = world.congestion;
    world.accepted(text("b"));
    world.accepted(text("c"));

    assert!(before <= 25, "{before}");
    assert_eq!(world.congestion, 75);
}

/// Field bug D4: the operator hears of it once.
#[test]
fn ids_in_another_base_are_matched_and_the_operator_is_told() {
    let mut world = World::bound(settings(), 10);
    world.taken(text("a"), "ABCDEF01");
    world.taken(text("b"), "ABCDEF02");

    world.ended("2882400001", MessageState::Delivered);
    world.ended("2882400002", MessageState::Delivered);

    assert_eq!(world.states(), [MessageState::Delivered; 2]);
    let advice: Vec<_> = world.advice.iter().map(|(carrier, reading)| (*carrier, reading.advice())).collect();
    assert_eq!(advice, [(CARRIER, "response_ids = \"hex\", receipt_ids = \"decimal\"")]);
    assert_eq!(world.count(|stats| stats.ids_misread), 2);
}
