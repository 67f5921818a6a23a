//! Corners of the line where several things happen to one message at once: what a second reading found.

mod world;

use bytes::BytesMut;
use enroute::carrier::{LinkIntake, Verdict as Word};
use enroute::codec::{
    Address, CancelSm, Command, DataSm, MessageState, Reading, ReplaceSm, Sm, Status, Tag, Tlvs, Version,
    put_tlv,
};
use enroute::esme::Account;
use enroute::hub::{AccountPlan, Event};
use enroute::id::{AccountId, SessionId};
use world::*;

const OTHER_PORT: SessionId = SessionId(9);

const ROK: Word = Word::Answered(Status::ROK);

/// One text in a day, and no word of how it ends.
const LATER: Text<'_> = Text { schedule: b"000001000000000R", registered: 0, ..text("later") };

/// One that compacts as soon as most of its log is dead.
fn compacting() -> World {
    let mut settings = settings();
    settings.compaction.slack_octets = 4 << 10;
    let spool = enroute::spool::Settings { segment_octets: 12 << 10, frame_octets: 512, spares: 0 };
    let mut world = World::open(settings, spool, enroute::spool::MemoryDisk::new(3), start());
    world.bind_port(PORT);
    world.run();
    world
}

fn replacing<'a>(id: &'a str, text: &'a str) -> ReplaceSm<'a> {
    let short_message = text.as_bytes();
    ReplaceSm { message_id: id.as_bytes(), source: SOURCE, short_message, ..ReplaceSm::default() }
}

fn cancelling(id: &str) -> CancelSm<'_> {
    CancelSm { message_id: id.as_bytes(), source: SOURCE, ..CancelSm::default() }
}

/// What was answered to replace_sm.
fn replaced(world: &mut World) -> Vec<Status> {
    let is_one = |command| command == Command::REPLACE_SM || command == Command::REPLACE_SM.response();
    let replies = world.replies.drain(..).map(|(_, pdu)| frame(&pdu).header);
    let replies = replies.filter(|header| is_one(header.command)).map(|header| header.status);
    let refusals = world.answers.drain(..).filter(|(_, answer)| is_one(answer.command));
    replies.chain(refusals.filter_map(|(_, answer)| answer.outcome.err())).collect()
}

#[test]
fn replace_of_a_message_that_ends_while_it_is_read_back_is_answered() {
    let mut world = World::bound(settings(), 10);
    let id = world.accepted(LATER);
    world.pass(secs(10)); // its body is parked by now
    world.hand_in(PORT, Command::REPLACE_SM, 1, |out| replacing(&id, "new").encode_body(out));
    world.turn();
    assert_eq!(world.fetches.len(), 1);

    world.hand_in(PORT, Command::CANCEL_SM, 2, |out| cancelling(&id).encode_body(out));
    world.turn();
    world.run();

    let mut answers = world.statuses();
    answers.sort_by_key(|status| status.0);
    assert_eq!(answers, [Status::ROK, Status::RREPLACEFAIL]);
}

/// A world in which compaction is about to be handed the segment of the one parked message.
fn about_to_compact() -> (World, String) {
    let mut world = compacting();
    let id = world.accepted(LATER);
    world.pass(secs(10));
    let filler = "x".repeat(200);
    let filler = Text { destination: "447700900999", registered: 0, ..text(&filler) };
    for _ in 0..4 {
        world.submit(&[Text { schedule: b"000001000000000R", ..filler }; 20]);
        world.turn();
        world.commit();
    }
    world.turn();
    world.answers.clear();
    let destination = Address { addr: b"447700900999", ..DESTINATION };
    let cancel = CancelSm { source: SOURCE, destination, ..CancelSm::default() };
    world.hand_in(PORT, Command::CANCEL_SM, 2, |out| cancel.encode_body(out));
    for _ in 0..10 {
        world.turn();
        world.commit();
        if !world.scans.is_empty() {
            world.replies.clear();
            return (world, id);
        }
    }
    panic!("nothing is compacted");
}

/// What compaction has just written again can't be read yet: it would look lost.
#[test]
fn replace_of_a_message_that_compaction_has_just_moved_waits_until_it_can_be_read() {
    let (mut world, id) = about_to_compact();
    world.read_back(); // the segment comes with the next turn

    world.hand_in(PORT, Command::REPLACE_SM, 1, |out| replacing(&id, "new").encode_body(out));
    world.turn();
    assert!(world.compacted > 0);
    world.read_back();
    world.run();

    assert_eq!(replaced(&mut world), [Status::ROK]);
    assert_eq!(world.count(|stats| stats.bodies_lost), 0);
    world.bind_link(LINK, 10);
    world.pass(secs(86_400));
    assert_eq!(world.sent_texts(), ["new"]);
}

#[test]
fn replace_of_a_message_that_compaction_moves_while_it_is_read_back_goes_on() {
    let (mut world, id) = about_to_compact();
    world.hand_in(PORT, Command::REPLACE_SM, 1, |out| replacing(&id, "new").encode_body(out));
    let scans = std::mem::take(&mut world.scans);
    world.turn();
    assert_eq!(world.fetches.len(), 1);
    let fetches = std::mem::take(&mut world.fetches);
    world.scans = scans;
    world.read_back();
    world.turn();
    assert!(world.compacted > 0);

    world.fetches = fetches;
    world.read_back();
    world.run();

    assert_eq!(replaced(&mut world), [Status::ROK]);
    world.bind_link(LINK, 10);
    world.pass(secs(86_400));
    assert_eq!(world.sent_texts(), ["new"]);
}

#[test]
fn message_that_waits_for_its_carrier_for_more_than_a_day_can_be_replaced() {
    let mut world = World::new(settings());
    world.bind_port(PORT);
    world.run();
    let id = world.accepted(text("old"));

    world.pass(secs(25 * 3600));

    assert_eq!(world.replace(&id, "new", b""), Status::ROK);
    world.bind_link(LINK, 10);
    world.run();
    assert_eq!(world.sent_texts(), ["new"]);
}

#[test]
fn transaction_that_the_disk_holds_up_is_answered_once() {
    let mut world = World::bound(settings(), 10);
    let transaction = |out: &mut BytesMut| {
        let sm = Sm { source: SOURCE, destination: DESTINATION, esm_class: 2, ..Sm::default() };
        sm.encode_body(out);
    };
    world.hand_in(PORT, Command::SUBMIT_SM, 1, transaction);
    world.turn();

    world.now = world.now.after(secs(21));
    world.turn();
    world.run();
    world.take_all("c");
    world.ended("c0", MessageState::Delivered);
    world.pass(secs(60));

    assert_eq!(world.status(), Status::ROK);
}

/// SMPP 3.4 §4.4.2: a refused submission is a header alone; a data_sm_resp keeps its body.
#[test]
fn transaction_that_fails_is_answered_as_its_peer_expects() {
    for (command, version, has_body) in [
        (Command::SUBMIT_SM, Version::V33, false),
        (Command::SUBMIT_SM, Version::V34, false),
        (Command::SUBMIT_SM, Version::V50, true),
        (Command::DATA_SM, Version::V34, true),
        (Command::DATA_SM, Version::V50, true),
    ] {
        let mut world = World::new(settings());
        world.bind_as(PORT, ACCOUNT, version);
        world.bind_link(LINK, 10);
        world.run();
        let mut tlvs = BytesMut::new();
        put_tlv(&mut tlvs, Tag::MESSAGE_PAYLOAD, b"now");
        let tlvs = Tlvs::read(&tlvs, Reading::Strict).expect("well formed");
        world.ask(command, |out| match command {
            Command::DATA_SM => {
                let (source, destination) = (SOURCE, DESTINATION);
                DataSm { source, destination, esm_class: 2, tlvs, ..DataSm::default() }.encode_body(out);
            }
            _ => {
                let (source, destination) = (SOURCE, DESTINATION);
                Sm { source, destination, esm_class: 2, tlvs, ..Sm::default() }.encode_body(out);
            }
        });
        world.take_all("c");
        world.ended("c0", MessageState::Undeliverable);

        let (_, pdu) = world.replies.pop().expect("an answer");
        assert_eq!(status_of(&pdu), Status::RDELIVERYFAILURE);
        assert_eq!(pdu.len() > 16, has_body, "{command:?} {version:?}");
    }
}

/// Who is told that the new one is in place may rely on the old one's being gone, whatever happens to the power.
#[test]
fn answer_to_a_submission_in_place_waits_until_the_old_one_is_gone_for_good() {
    let mut world = World::bound(settings(), 10);
    world.accepted(LATER);
    world.hand_in(PORT, Command::SUBMIT_SM, 1, |out| {
        let sm = Sm { source: SOURCE, destination: DESTINATION, replace_if_present_flag: 1, ..Sm::default() };
        sm.encode_body(out);
    });
    while world.waiting.is_empty() {
        world.turn();
    }
    let all = world.waiting.last().expect("just looked at").end();
    let octet_short = enroute::id::Lsn(all.0 - 1);

    world.commit();
    world.durable = octet_short; // all but the last record
    world.turn();
    assert_eq!(world.answers, []);
    world.durable = all;
    world.run();

    assert_eq!(world.outcomes(), [Status::ROK]);
}

/// Fact sheet 4.2: a store that takes nothing is 0x08; nobody waits for a disk that may never come back.
#[test]
fn store_that_takes_nothing_refuses_to_cancel_and_to_replace() {
    let mut world = World::bound(settings(), 10);
    let id = world.accepted(LATER);
    world.inbox.push(Event::ReadOnly);

    assert_eq!(world.cancel(&id), Status::RSYSERR);
    assert_eq!(world.replace(&id, "new", b""), Status::RSYSERR);
    world.inbox.push(Event::Writable);
    world.inbox.push(Event::Full);
    assert_eq!(world.replace(&id, "new", b""), Status::RMSGQFUL, "a new text takes room");
    assert_eq!(world.cancel(&id), Status::ROK, "an end makes room");
}

#[test]
fn queue_of_a_carrier_that_is_away_does_not_grow_by_what_is_cancelled() {
    let mut world = World::new(settings());
    world.bind_port(PORT);
    for _ in 0..50 {
        world.submit(&[Text { registered: 0, ..text("x") }; 100]);
        world.run();
        let cancel = CancelSm { source: SOURCE, destination: DESTINATION, ..CancelSm::default() };
        world.ask(Command::CANCEL_SM, |out| cancel.encode_body(out));
    }

    let gauges = world.hub.gauges();

    assert_eq!(gauges.messages, 0);
    assert!(gauges.carriers[0].queued <= 2048, "{} places for nobody", gauges.carriers[0].queued);
}

/// Promise 2: whoever searches much is throttled alone.
#[test]
fn account_that_searches_without_end_leaves_room_for_others() {
    let mut settings = settings();
    settings.accounts.push(AccountPlan::new(Account::new("other", "secret")));
    let mut world = World::bound(settings, 10);
    world.bind_as(OTHER_PORT, AccountId(1), Version::V34);
    world.run();
    let cancel = CancelSm { source: SOURCE, destination: DESTINATION, ..CancelSm::default() };
    for sequence in 1..=2000 {
        world.hand_in(PORT, Command::CANCEL_SM, sequence, |out| cancel.encode_body(out));
    }
    world.hand_in(OTHER_PORT, Command::CANCEL_SM, 1, |out| cancel.encode_body(out));
    for _ in 0..2001 {
        world.turn();
    }

    assert_eq!(world.answers.len(), 2001, "everybody is answered");
    let others: Vec<_> = world.answers.iter().filter(|(session, _)| *session == OTHER_PORT).collect();
    assert_eq!(others[0].1.outcome, Err(Status::RCANCELFAIL));
}

/// Carriers that tell only while they are congested never say that it is over.
#[test]
fn carrier_that_no_longer_speaks_of_congestion_gets_its_window_back() {
    let mut world = World::bound(settings(), 10);
    let intake = LinkIntake { congestion: Some(100), ..LinkIntake::default() };
    world.inbox.push(Event::LinkIntake { session: LINK, intake });
    world.run();
    for _ in 0..20 {
        world.submit(&[text("x"); 10]);
        world.run();
        world.take_all("c");
        world.pass(secs(10));
    }

    assert!(world.dispatches.len() >= 9, "{} at a time", world.dispatches.len());
}

/// A notification that could not be read back says nothing of how its message ends.
#[test]
fn message_whose_body_is_lost_while_its_receipt_is_awaited_still_ends_as_its_carrier_says() {
    let mut world = World::bound(settings(), 10);
    let id = world.taken(Text { registered: 0x11, ..text("a") }, "c1");
    world.pass(secs(10));
    world.receipt(LINK, 1, "c1", MessageState::Enroute);
    world.turn();
    let fetch = world.fetches.pop().expect("its body is asked for");
    let fetched = enroute::hub::Fetched { token: fetch.token, body: None };

    world.inbox.push(Event::Fetched(vec![fetched]));
    world.turn();
    assert!(world.fetches.is_empty(), "asked for in vain, and not once more");
    world.run();

    assert_eq!(world.states(), []);
    assert_eq!(world.query(&id).map(|(state, _)| state), Ok(1));
    world.say(LINK, 0, ROK, "");
}

/// Receipts that wait for their messages live in the log too: copying them again and again makes it no shorter.
#[test]
fn log_of_little_but_held_receipts_is_not_compacted_for_ever() {
    let mut world = compacting();
    world.bind_link(LINK, 10);
    world.submit(&[LATER; 4]);
    for number in 0..80 {
        world.receipt(LINK, number, &format!("nobody-knows-{number}"), MessageState::Delivered);
    }
    world.run();
    let filler = "x".repeat(200);
    let filler = Text { destination: "447700900999", registered: 0, ..text(&filler) };
    for _ in 0..10 {
        world.submit(&[Text { schedule: b"000001000000000R", ..filler }; 10]);
        world.run();
        let destination = Address { addr: b"447700900999", ..DESTINATION };
        let cancel = CancelSm { source: SOURCE, destination, ..CancelSm::default() };
        world.ask(Command::CANCEL_SM, |out| cancel.encode_body(out)); // comes to rest, or panics
    }

    let gauges = world.hub.gauges();

    assert_eq!((gauges.messages, gauges.early_receipts), (4, 80));
    assert!(world.compacted > 0 && gauges.spool_octets < 40_000, "{gauges:?}");
}
