//! Field bugs that no room can answer for alone, one test each; the others are named where their room is tested.

mod world;

use bytes::{BufMut, BytesMut};
use enroute::carrier::{Backoff, Carrier, Dispatch, Link, LinkBatch, LinkEvent, Words};
use enroute::codec::{BindResp, Command, MessageState, Status, Version};
use enroute::correlation::{Correlation, IdForm};
use enroute::esme::{Account, Verdict};
use enroute::hub::AccountPlan;
use enroute::id::{AccountId, CarrierId, SessionId};
use enroute::session::{BindKind, Session, Settings, frames};
use std::time::Duration;
use world::*;

const OTHER_PORT: SessionId = SessionId(9);

/// One PDU, well framed; whatever its body.
fn put_pdu(out: &mut BytesMut, command: u32, sequence: u32, body: &[u8]) {
    out.put_u32(16 + body.len() as u32);
    out.put_u32(command);
    out.put_u32(0);
    out.put_u32(sequence);
    out.put_slice(body);
}

/// F18: broken PDUs, wrong ones and ones out of place, over and over. Each look at what was read takes something of it, or
/// there is a reason not to: the session ends, or owes answers for its whole window.
#[test]
fn broken_sequences_of_pdus_are_gone_through_once() {
    const COMMANDS: [u32; 14] =
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 0x15, 0x21, 0x8000_0000, 0x8000_0004, 0x0BAD_0BAD];
    for seed in 0..500 {
        let mut random = fastrand::Rng::with_seed(seed);
        let now = start();
        let mut session = Session::serve(Settings::default(), now);
        let mut input = BytesMut::new();
        for _ in 0..200 {
            let body: Vec<u8> = (0..random.usize(0..40)).map(|_| random.u8(..)).collect();
            let command = COMMANDS[random.usize(0..COMMANDS.len())];
            put_pdu(&mut input, command, random.u32(..), &body);
        }

        let mut looks = 0;
        loop {
            let before = input.len();
            let taken = session.take_frames(&mut input, now);
            for (_, frame) in frames(&taken) {
                let _ = session.handle(frame, now);
            }
            looks += 1;
            assert!(session.transmit().len() <= 200 * 16 + 200 * 64, "seed {seed}: it talks to itself");
            if input.len() == before {
                break;
            }
        }

        assert!(looks <= 201, "seed {seed}: {looks} looks at 200 PDUs");
        let is_stuck = !input.is_empty() && session.closed().is_none() && session.wants_read();
        assert!(!is_stuck, "seed {seed}: {} octets that nobody takes", input.len());
    }
}

fn link_with(window: usize, status: Status) -> Link {
    let carrier = Carrier { window, ..Carrier::new("alpha", "127.0.0.1:1") };
    let mut link = Link::new(&carrier, carrier.bind, Settings::default(), start());
    let mut input = BytesMut::new();
    let resp = BindResp { system_id: b"smsc", sc_interface_version: Some(0x34) };
    resp.encode(&mut input, Command::BIND_TRANSCEIVER.response(), status, 1);
    link.receive(&mut input, start());
    link
}

/// S8: what a turn hands to a link is one piece for the socket, not a write for each PDU.
#[test]
fn what_comes_together_goes_out_in_one_piece() {
    let mut link = link_with(100, Status::ROK);
    assert!(matches!(link.take_events().as_slice(), [LinkEvent::Bound(BindKind::Transceiver)]));
    link.session().transmit().clear();
    let (body, now) = (text("x").body().freeze(), start());
    let dispatch = |token| {
        let (left, expires) = (secs(60), now.wall.after(secs(60)));
        Dispatch {
            token,
            body: body.clone(),
            expires,
            left,
            is_scheduled: false,
            is_receipted: true,
            is_data: false,
            words: Words::Common,
        }
    };

    link.apply(&LinkBatch { dispatches: (0..100).map(dispatch).collect(), ..LinkBatch::default() }, now);

    let out = link.session().transmit().split();
    assert_eq!(frames(&out).filter(|(_, frame)| frame.header.command == Command::SUBMIT_SM).count(), 100);
}

/// S13: the carrier still holds our last session. That is no reason to give up, nor to knock without end.
#[test]
fn carrier_that_says_already_bound_is_tried_again_later() {
    let link = link_with(10, Status::RALYBND);
    assert!(link.closed().is_some());
    assert_eq!(link.refused(), Some(Status::RALYBND));

    let (min, max) = (secs(1), secs(60));
    let mut backoff = Backoff::new(min, max, 1);
    for _ in 0..1000 {
        let wait = backoff.next(true);
        assert!((max..=2 * max).contains(&wait), "{wait:?}");
    }
}

/// S17: a hundred links that were lost at one moment don't come back at one moment.
#[test]
fn links_that_are_lost_together_come_back_apart() {
    let wait = |seed| {
        let mut backoff = Backoff::new(secs(1), secs(60), seed);
        (0..6).map(|_| backoff.next(false)).sum::<Duration>()
    };
    let mut waits: Vec<Duration> = (0..100).map(wait).collect();
    waits.sort();

    let most_in_a_second = waits
        .iter()
        .map(|from| waits.iter().filter(|at| **at >= *from && **at < *from + secs(1)).count())
        .max();

    assert!(most_in_a_second.is_some_and(|most| most <= 20), "{most_in_a_second:?} of 100 in one second");
}

/// S19: an ESME that never answers a deliver_sm has its window of receipts, and the rest of them waits on disk; others hear of
/// theirs meanwhile, and submit.
#[test]
fn account_that_never_answers_costs_itself_alone() {
    let mut settings = settings();
    settings.accounts.push(AccountPlan::new(Account::new("other", "secret")));
    settings.limits.bodies = 1200;
    let mut world = World::bound(settings, 3000);
    world.bind_as(OTHER_PORT, AccountId(1), Version::V34);
    for round in 0..20 {
        world.submit(&[text("never answered"); 100]);
        world.run();
        let taken = world.take_all(&format!("slow{round}-")).len();
        for number in 0..taken {
            world.receipt(LINK, 1, &format!("slow{round}-{number}"), MessageState::Delivered);
        }
        world.run();
    }
    assert_eq!(world.delivered.drain(..).count(), 100, "its window");

    world.pass(secs(10));
    assert!(world.hub.gauges().bodies <= 1024, "{} bodies at hand", world.hub.gauges().bodies);
    assert!(world.hub.gauges().waiting >= 1900);
    world.answers.clear();
    world.ask_from(OTHER_PORT, Command::SUBMIT_SM, |out| out.extend_from_slice(&text("quick").body()));
    assert_eq!(world.outcomes(), [Status::ROK]);
    world.take_all("quick");
    world.ended("quick0", MessageState::Delivered);

    let told: Vec<_> = world.delivered.drain(..).collect();
    assert_eq!(told.iter().map(|told| told.session).collect::<Vec<_>>(), [OTHER_PORT]);
    world.verdict(OTHER_PORT, told[0].token, Verdict::Taken);
    world.run();
    assert_eq!(world.hub.gauges().messages, 2000, "nothing of the slow one's is dropped");
}

/// D13: a receipt that is not on disk is not answered, so its carrier sends it again; once it is there, it counts.
#[test]
fn receipt_that_could_not_be_stored_comes_again() {
    let mut world = World::bound(settings(), 10);
    world.taken(text("a"), "c1");
    world.receipt(LINK, 7, "c1", MessageState::Delivered);
    world.turn();
    assert_eq!(world.arrivals_answered, [], "answered before it is on disk");

    let mut world = world.crash(&mut || false);
    world.bind_port(PORT);
    world.bind_link(LINK, 10);
    world.run();
    assert_eq!(world.states(), [], "what was not on disk was never heard of");
    world.receipt(LINK, 8, "c1", MessageState::Delivered);
    world.run();

    assert_eq!(world.arrivals_answered, [(LINK, 8, Status::ROK)]);
    assert_eq!(world.states(), [MessageState::Delivered]);
}

/// D16: a list that is looked through would take hours here.
#[test]
fn receipt_finds_its_message_among_half_a_million() {
    const OPEN: u32 = 500_000;
    let mut correlation = Correlation::new(10);
    let key = |correlation: &Correlation, number: u32| {
        correlation.key(CarrierId(0), format!("{number:08X}").as_bytes(), IdForm::Text)
    };
    for slot in 0..OPEN {
        let id = key(&correlation, slot);
        correlation.insert(id, slot);
    }

    for slot in 0..OPEN {
        let id = key(&correlation, slot);
        assert_eq!(correlation.find(id).collect::<Vec<_>>(), [slot]);
        correlation.remove(id, slot);
    }

    assert!(correlation.is_empty());
}

/// D17: a receipt whose addresses are swapped, or written otherwise, is its message's by its id; also where it comes first.
#[test]
fn receipt_with_odd_addresses_is_matched_by_its_id() {
    for destination in ["12345", "00447700900123", "7700900123", "", "alpha"] {
        for is_early in [false, true] {
            let mut world = World::bound(settings(), 10);
            world.submit(&[text("a")]);
            world.run();
            let (session, token, _) = world.sent().pop().expect("a dispatch");
            let receipt = |world: &mut World| {
                world.receipt_for(session, 1, "c1", destination, MessageState::Delivered);
                world.run();
            };

            if is_early {
                receipt(&mut world);
            }
            world.say(session, token, enroute::carrier::Verdict::Answered(Status::ROK), "c1");
            world.run();
            if !is_early {
                receipt(&mut world);
            }

            assert_eq!(world.states(), [MessageState::Delivered], "{destination:?}, early: {is_early}");
        }
    }
}

/// S16: the carrier is down for an hour and its queue is full: the hub looks at its clock once a second, and at nothing else.
#[test]
fn carrier_that_is_down_for_an_hour_is_not_looked_for_over_and_over() {
    let mut world = World::new(settings());
    world.bind_port(PORT);
    world.submit(&[text("waits"); 2000]);
    world.run();
    world.pass(secs(10)); // the bodies are parked by now

    let until = world.now.mono + secs(3600);
    let mut turns = 0;
    while world.now.mono < until {
        let next = world.hub.next_timeout().expect("messages expire");
        let wait = next.saturating_duration_since(world.now.mono).max(Duration::from_millis(1));
        world.now = world.now.after(wait);
        world.turn();
        assert!(world.waiting.is_empty() && world.fetches.is_empty(), "work for nobody");
        turns += 1;
    }

    assert!(turns <= 3700, "{turns} turns in an hour");
    world.bind_link(LINK, 2000);
    world.run();
    assert_eq!(world.sent_texts().len(), 2000);
}

/// S16: what a carrier put off together does not come back together.
#[test]
fn messages_that_were_put_off_together_come_back_apart() {
    let mut world = World::bound(settings(), 1000);
    world.submit(&[text("put off"); 500]);
    world.run();
    for (session, token, _) in world.sent() {
        world.say(session, token, enroute::carrier::Verdict::Answered(Status::RSYSERR), "");
    }
    world.run();

    let mut most = 0;
    for _ in 0..120 {
        world.pass(secs(1));
        most = most.max(world.sent().len());
    }

    assert!((1..=250).contains(&most), "{most} of 500 in one second");
}
