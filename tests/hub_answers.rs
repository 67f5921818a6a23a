//! Answers that come late or twice, and ids that a carrier uses again: every receipt finds its message, and each message ends once
//! (reliability X15, X16).

mod world;

use enroute::carrier::Verdict as Word;
use enroute::codec::{MessageState, Status};
use enroute::esme::Verdict;
use std::time::Duration;
use world::*;

const ROK: Word = Word::Answered(Status::ROK);
const LATE: Word = Word::Late(Status::ROK);

/// A message that was not answered in time, and whose second attempt is with the carrier now; gives its token.
fn sent_twice() -> (World, u64) {
    let mut world = World::bound(settings(), 10);
    world.accepted(text("a"));
    let (_, token, _) = world.sent().pop().expect("an attempt");
    world.say(LINK, token, Word::Unanswered, "");
    world.run();
    world.pass(Duration::from_secs(30));
    let (_, again, _) = world.sent().pop().expect("another");
    assert_eq!((again, repeated(&world)), (token, 1));
    (world, token)
}

/// The receipt reaches the account, and no second one does.
fn ends_once(world: &mut World, state: MessageState) {
    let delivered = world.delivered.pop().expect("a receipt");
    assert_eq!((delivered.state, world.delivered.len()), (state, 0));
    world.verdict(delivered.session, delivered.token, Verdict::Taken);
    world.run();
    let gauges = world.hub.gauges();
    assert_eq!((gauges.messages, gauges.awaiting, gauges.remembered), (0, 0, 0));
}

#[test]
fn either_id_of_a_message_that_was_taken_twice_brings_its_receipt() {
    for (first, second) in [("77", "78"), ("78", "77")] {
        let (mut world, token) = sent_twice();
        world.say(LINK, token, LATE, "77");
        world.run();
        world.say(LINK, token, ROK, "78");
        world.run();

        world.receipt(LINK, 1, first, MessageState::Delivered);
        world.run();
        ends_once(&mut world, MessageState::Delivered);
        world.receipt(LINK, 2, second, MessageState::Undeliverable);
        world.run();

        assert_eq!(world.states(), []);
        assert_eq!(world.arrivals_answered.len(), 2, "both are answered");
        world.pass(Duration::from_secs(3600));
        assert_eq!(world.sent_texts(), [""; 0], "no third attempt");
    }
}

#[test]
fn late_answer_counts_though_the_second_attempt_was_answered_before_it() {
    let (mut world, token) = sent_twice();
    world.say(LINK, token, ROK, "78");
    world.run();
    world.say(LINK, token, LATE, "77");
    world.say(LINK, token, LATE, "77");
    world.run();

    world.receipt(LINK, 1, "77", MessageState::Delivered);
    world.run();

    ends_once(&mut world, MessageState::Delivered);
}

#[test]
fn receipt_that_overtakes_the_late_answer_is_held_for_it() {
    let (mut world, token) = sent_twice();
    world.receipt(LINK, 1, "77", MessageState::Delivered);
    world.run();
    assert_eq!(world.states(), []);

    world.say(LINK, token, LATE, "77");
    world.run();

    ends_once(&mut world, MessageState::Delivered);
}

/// However the second attempt fails: the first was taken, and there is no third.
#[test]
fn second_attempt_that_comes_to_nothing_leaves_the_first_standing() {
    let refused = |world: &mut World, token| world.say(LINK, token, Word::Answered(Status::RSUBMITFAIL), "");
    let silent = |world: &mut World, token| world.say(LINK, token, Word::Unanswered, "");
    let lost = |world: &mut World, token| {
        world.inbox.push(enroute::hub::Event::LinkClosed { session: LINK, lost: vec![token] });
        world.bind_link(OTHER_LINK, 10);
    };
    type Failure<'a> = &'a dyn Fn(&mut World, u64);
    for fail in [&refused as Failure<'_>, &silent, &lost] {
        let (mut world, token) = sent_twice();
        world.say(LINK, token, LATE, "77");
        world.run();

        fail(&mut world, token);
        world.run();
        world.pass(Duration::from_secs(7200));
        assert_eq!((world.sent_texts(), world.states()), (vec![], vec![]));
        world.receipt(OTHER_LINK, 1, "77", MessageState::Delivered);
        world.receipt(LINK, 1, "77", MessageState::Delivered);
        world.run();

        ends_once(&mut world, MessageState::Delivered);
    }
}

/// Whenever the power goes, either id still means the message.
#[test]
fn both_ids_survive_a_crash_and_compaction() {
    for (late_first, id) in [(true, "77"), (true, "78"), (false, "77"), (false, "78")] {
        let (mut world, token) = sent_twice();
        let mut words = vec![(LATE, "77"), (ROK, "78")];
        if !late_first {
            words.reverse();
        }
        for (word, id) in words {
            world.say(LINK, token, word, id);
            world.run();
        }

        for _ in 0..2 {
            world = world.crash(&mut || true);
            world.bind_port(PORT);
            world.bind_link(LINK, 10);
            world.run();
        }
        world.receipt(LINK, 1, id, MessageState::Delivered);
        world.run();

        ends_once(&mut world, MessageState::Delivered);
    }
}

/// A crash while the second attempt is out finds the first one taken.
#[test]
fn message_that_was_taken_late_is_not_sent_a_third_time_after_a_crash() {
    let (mut world, token) = sent_twice();
    world.say(LINK, token, LATE, "77");
    world.run();

    let mut world = world.crash(&mut || true);
    world.bind_port(PORT);
    world.bind_link(LINK, 10);
    world.pass(Duration::from_secs(3600));
    assert_eq!(world.sent_texts(), [""; 0]);
    world.receipt(LINK, 1, "77", MessageState::Delivered);
    world.run();

    ends_once(&mut world, MessageState::Delivered);
}

fn repeated(world: &World) -> u64 {
    world.count(|stats| stats.repeated.iter().map(|(_, times)| times).sum())
}

/// Reliability P3: after a crash, as many as the links had room for may be doubles, and no more are said to be.
#[test]
fn what_was_out_at_a_crash_is_counted_as_possibly_doubled() {
    let mut world = World::bound(settings(), 10);
    world.submit(&["x"; 100].map(text));
    world.submit(&[Text { schedule: b"000000010000000R", ..text("later") }]);
    world.run();
    assert_eq!(world.sent().len(), 10);

    let mut world = world.crash(&mut || true);
    world.bind_port(PORT);
    world.bind_link(LINK, 100);
    world.pass(Duration::from_secs(3600));

    let windows: usize = 2 * 10; // as configured: what was bound nobody knows
    assert_eq!((world.sent().len(), repeated(&world)), (100, windows as u64));
}

/// Ids that begin anew after the carrier's restart: the number decides, even when the bodies are on disk.
#[test]
fn id_that_is_used_again_goes_by_the_destination() {
    let mut world = World::bound(settings(), 10);
    let numbers = ["447700900001", "447700900002", "447700900003"];
    let ids = numbers.map(|destination| world.taken(Text { destination, ..text("a") }, "1"));
    world.pass(Duration::from_secs(60)); // parked by now

    for place in [1, 2, 0] {
        world.receipt_for(LINK, 1, "1", numbers[place], MessageState::Delivered);
        world.run();

        let delivered = world.delivered.pop().expect("a receipt");
        assert_eq!((&delivered.id, world.delivered.len()), (&ids[place], 0));
        world.verdict(PORT, delivered.token, Verdict::Taken);
        world.run();
    }

    assert_eq!(world.count(|stats| stats.receipts_ambiguous), 0);
}

/// The other message that has the id is to another number: what comes twice is not its receipt, whether its body is at hand or on disk.
#[test]
fn receipt_that_comes_twice_does_not_end_the_other_message_with_its_id() {
    for seconds in [0, 60] {
        let mut world = World::bound(settings(), 10);
        let numbers = ["447700912345", "447700900002"]; // the first one ends as the sender's short code
        let ids = numbers.map(|destination| world.taken(Text { destination, ..text("a") }, "1"));
        world.pass(Duration::from_secs(seconds)); // parked after a minute

        world.receipt_for(LINK, 1, "1", numbers[0], MessageState::Undeliverable);
        world.receipt_for(LINK, 2, "1", numbers[0], MessageState::Undeliverable);
        world.run();
        assert_eq!(told(&mut world), [(ids[0].clone(), MessageState::Undeliverable)]);

        world.receipt_for(LINK, 3, "1", numbers[1], MessageState::Delivered);
        world.run();
        assert_eq!(told(&mut world), [(ids[1].clone(), MessageState::Delivered)]);
    }
}

/// Of two parked messages with one id, that one is meant whose number ends as the receipt's, however both begin; and a receipt that
/// names no whole number, or the sender's, may mean either (field bug D17).
#[test]
fn parked_message_is_known_by_the_end_of_its_number() {
    for (named, meant) in [("00447700900002", 1), ("+447700900002", 1), ("900002", 0), ("15550001000", 0)] {
        let mut world = World::bound(settings(), 10);
        let text = Text { source: "15550001000", ..text("a") };
        let numbers = ["+447700900001", "7700900002"];
        let ids = numbers.map(|destination| world.taken(Text { destination, ..text }, "1"));
        world.pass(Duration::from_secs(60));

        world.receipt_for(LINK, 1, "1", named, MessageState::Delivered);
        world.run();

        assert_eq!(told(&mut world), [(ids[meant].clone(), MessageState::Delivered)], "{named}");
    }
}

/// The receipts that have reached the account since this was asked last.
fn told(world: &mut World) -> Vec<(String, MessageState)> {
    world.delivered.drain(..).map(|delivered| (delivered.id, delivered.state)).collect()
}

/// Nobody can tell them apart: they are matched in order, and that is counted.
#[test]
fn id_that_is_used_again_for_one_number_goes_in_order_and_is_counted() {
    let mut world = World::bound(settings(), 10);
    let ids = [(); 3].map(|()| world.taken(text("a"), "1"));

    for id in ids {
        world.receipt(LINK, 1, "1", MessageState::Delivered);
        world.run();
        assert_eq!(world.delivered.pop().expect("a receipt").id, id);
    }

    assert_eq!(world.count(|stats| stats.receipts_ambiguous), 2);
}
