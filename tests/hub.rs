//! The line as a whole: what it promises, on a disk that forgets and with peers that do as they like.

mod world;

use enroute::carrier::Verdict as Word;
use enroute::clock::UnixMs;
use enroute::codec::{MessageState, Status};
use enroute::correlation::{IdForm, IdForms};
use enroute::esme::Verdict;
use enroute::hub::{Event, Sessions};
use enroute::id::SessionId;
use world::*;

const ROK: Word = Word::Answered(Status::ROK);

fn nothing_kept() -> impl FnMut() -> bool {
    || false
}

#[test]
fn nothing_is_answered_or_sent_before_it_is_durable() {
    let mut world = World::bound(settings(), 10);
    world.submit(&[text("a")]);

    for _ in 0..3 {
        world.turn();
    }
    assert_eq!((world.outcomes(), world.sent_texts()), (vec![], vec![]));
    world.commit();
    world.turn();

    assert_eq!((world.outcomes(), world.sent_texts()), (vec![Status::ROK], vec!["a".to_owned()]));
}

/// Hundreds of links are not told of each message by itself (docs/architecture.md).
#[test]
fn what_there_is_for_those_who_are_left_out_gathers_until_they_are_not() {
    let mut world = World::bound(settings(), 10);
    world.submit(&[text("a")]);
    world.hub.leave_out(Sessions { ports: true, links: true });
    world.run();
    assert_eq!((world.outcomes(), world.sent_texts()), (vec![], vec![]));
    world.submit(&[text("b")]);
    world.run();
    assert_eq!(world.hub.gathers_for(), Sessions { ports: true, links: true });

    world.hub.leave_out(Sessions { ports: false, links: true });
    world.turn();
    assert_eq!((world.outcomes(), world.sent_texts()), (vec![Status::ROK; 2], vec![]));
    world.hub.leave_out(Sessions::default());
    world.turn();

    assert_eq!(world.sent_texts(), ["a", "b"]);
    assert_eq!(world.hub.gathers_for(), Sessions::default());
}

#[test]
fn unanswered_submission_is_gone_after_a_power_cut_and_an_answered_one_is_not() {
    let mut world = World::bound(settings(), 10);
    world.submit(&[text("kept")]);
    world.run();
    world.submit(&[text("lost")]);
    world.turn();

    let mut world = world.crash(&mut nothing_kept());
    world.bind_link(LINK, 10);
    world.run();

    assert_eq!(world.sent_texts(), ["kept"]);
}

/// At most a window is doubled by a crash: so the window's room comes back with the record, not with the answer.
#[test]
fn room_on_a_link_comes_back_when_the_hand_over_is_durable() {
    let mut world = World::bound(settings(), 1);
    world.submit(&[text("a"), text("b")]);
    world.run();
    let (_, token, _) = world.sent().pop().expect("the first");

    world.say(LINK, token, ROK, "77");
    world.turn();
    world.turn();
    assert_eq!(world.sent_texts(), [""; 0]);
    world.commit();
    world.turn();

    assert_eq!(world.sent_texts(), ["b"]);
}

#[test]
fn receipt_goes_from_carrier_to_account_and_is_answered_when_durable() {
    let mut world = World::bound(settings(), 10);
    let id = world.taken(text("a"), "77");

    world.receipt(LINK, 5, "77", MessageState::Delivered);
    world.turn();
    assert_eq!((world.arrivals_answered.len(), world.delivered.len()), (0, 0));
    world.run();

    assert_eq!(world.arrivals_answered, [(LINK, 5, Status::ROK)]);
    let delivered = world.delivered.pop().expect("a receipt");
    assert_eq!((delivered.id, delivered.state), (id, MessageState::Delivered));
    world.verdict(PORT, delivered.token, Verdict::Taken);
    world.run();
    assert_eq!(world.hub.gauges().messages, 0);
    assert!(world.hub.is_quiet());
}

/// Field bug D1.
#[test]
fn receipt_that_overtakes_its_response_is_held_and_matched() {
    let mut world = World::bound(settings(), 10);
    world.submit(&[text("a")]);
    world.run();
    let (_, token, _) = world.sent().pop().expect("a dispatch");

    world.receipt(LINK, 5, "0077", MessageState::Delivered);
    world.run();
    assert_eq!((world.arrivals_answered.len(), world.delivered.len()), (1, 0));
    world.say(LINK, token, ROK, "77");
    world.run();

    assert_eq!(world.states(), [MessageState::Delivered]);
    assert_eq!(world.count(|stats| stats.early_matched), 1);
}

/// Whether a receipt came before a message is not to be told by a clock that may be set.
#[test]
fn receipt_that_overtakes_its_response_is_matched_though_the_clock_was_set_back() {
    let mut world = World::bound(settings(), 10);
    world.submit(&[text("a")]);
    world.run();

    world.now.wall = UnixMs(world.now.wall.0 - 3_600_000);
    let mut world = world.crash(&mut nothing_kept());
    world.bind_port(PORT);
    world.bind_link(LINK, 10);
    world.run();
    let (_, token, _) = world.sent().pop().expect("sent again: nobody knows whether it was taken");
    world.receipt(LINK, 5, "77", MessageState::Delivered);
    world.run();
    world.say(LINK, token, ROK, "77");
    world.run();

    assert_eq!(world.states(), [MessageState::Delivered]);
}

/// Field bugs D1, D3 together: the receipt was held when the power went.
#[test]
fn held_receipt_survives_a_power_cut() {
    let mut world = World::bound(settings(), 10);
    world.submit(&[text("a")]);
    world.run();
    world.receipt(LINK, 5, "77", MessageState::Delivered);
    world.run();

    let mut world = world.crash(&mut nothing_kept());
    world.bind_port(PORT);
    world.bind_link(LINK, 10);
    world.run();
    let (_, token, _) = world.sent().pop().expect("sent again: nobody knows whether it was taken");
    world.say(LINK, token, ROK, "77");
    world.run();

    assert_eq!(world.states(), [MessageState::Delivered]);
}

/// Field bugs D2, D3, D14: another link, after a restart, for an account that was away.
#[test]
fn receipt_finds_its_message_on_another_link_after_a_restart_and_waits_for_its_account() {
    let mut world = World::bound(settings(), 10);
    let id = world.taken(text("a"), "77");

    let mut world = world.crash(&mut nothing_kept());
    assert_eq!(world.recovered, 1);
    world.bind_link(OTHER_LINK, 10);
    world.run();
    world.receipt(OTHER_LINK, 9, "77", MessageState::Undeliverable);
    world.run();
    assert_eq!(world.arrivals_answered, [(OTHER_LINK, 9, Status::ROK)]);

    let mut world = world.crash(&mut nothing_kept());
    world.bind_port(PORT);
    world.pass(secs(3600));

    let delivered = world.delivered.pop().expect("a receipt");
    assert_eq!((delivered.id, delivered.state), (id, MessageState::Undeliverable));
}

/// Field bug D8.
#[test]
fn second_final_receipt_is_counted_and_not_forwarded() {
    let mut world = World::bound(settings(), 10);
    world.taken(text("a"), "77");

    world.receipt(LINK, 1, "77", MessageState::Enroute);
    world.run();
    assert_eq!((world.states(), world.count(|stats| stats.receipts_intermediate)), (vec![], 1));
    world.receipt(LINK, 2, "77", MessageState::Delivered);
    world.run();
    world.receipt(LINK, 3, "77", MessageState::Undeliverable);
    world.run();
    world.pass(secs(61));

    assert_eq!(world.states(), [MessageState::Delivered]);
    assert_eq!(world.count(|stats| stats.receipts_unmatched), 1);
    assert_eq!(world.arrivals_answered.len(), 3);
}

/// Field bug D4: told and not told that this carrier writes so.
#[test]
fn hex_receipt_finds_its_decimal_response() {
    for ids in [IdForms::default(), IdForms { response: IdForm::Decimal, receipt: IdForm::Hex }] {
        let mut settings = settings();
        settings.carriers[0].ids = ids;
        let mut world = World::bound(settings, 10);
        world.taken(text("a"), "2882400001");

        world.receipt(LINK, 2, "ABCDEF01", MessageState::Delivered);
        world.run();

        assert_eq!(world.states(), [MessageState::Delivered]);
    }
}

/// Field bug D6: one id twice; the destination decides, then the oldest.
#[test]
fn reused_carrier_id_is_told_apart_by_destination() {
    let mut world = World::bound(settings(), 10);
    let first = world.taken(Text { destination: "447700900111", ..text("a") }, "77");
    let second = world.taken(Text { destination: "447700900222", ..text("b") }, "77");

    world.receipt_for(LINK, 1, "77", "00447700900222", MessageState::Delivered);
    world.run();
    assert_eq!(world.delivered.pop().expect("a receipt").id, second);
    world.receipt_for(LINK, 2, "77", "", MessageState::Delivered);
    world.run();

    assert_eq!(world.delivered.pop().expect("a receipt").id, first);
}

/// A receipt that comes twice is held the second time; what came before a message was submitted is not for it.
#[test]
fn repeated_receipt_is_not_taken_for_the_next_message_with_its_id() {
    let mut world = World::bound(settings(), 10);
    world.taken(text("a"), "77");
    for sequence in [1, 2] {
        world.receipt(LINK, sequence, "77", MessageState::Undeliverable);
        world.run();
    }
    assert_eq!(world.states(), [MessageState::Undeliverable]);

    world.pass(secs(1));
    world.taken(text("b"), "77");
    assert_eq!(world.states(), []);
    world.receipt(LINK, 3, "77", MessageState::Delivered);
    world.run();

    assert_eq!(world.states(), [MessageState::Delivered]);
}

/// Two messages with one id are under way, and the receipt of the second overtakes both answers.
#[test]
fn early_receipt_for_another_number_is_left_to_its_message() {
    let mut world = World::bound(settings(), 10);
    world.submit(&[
        Text { destination: "447700900111", ..text("a") },
        Text { destination: "447700900222", ..text("b") },
    ]);
    world.run();
    let sent = world.sent();
    let last = world.answers.pop().expect("an answer").1.outcome.expect("accepted");
    world.receipt_for(LINK, 1, "77", "447700900222", MessageState::Undeliverable);
    world.run();

    for (session, token, _) in sent {
        world.say(session, token, enroute::carrier::Verdict::Answered(Status::ROK), "77");
        world.run();
    }
    assert_eq!(world.delivered.pop().expect("a receipt").id, world.name(last));
    world.receipt_for(LINK, 2, "77", "447700900111", MessageState::Delivered);
    world.run();

    assert_eq!(world.states(), [MessageState::Delivered]);
}

#[test]
fn receipt_that_a_lost_port_had_is_delivered_to_another() {
    let mut world = World::bound(settings(), 10);
    let id = world.taken(text("a"), "77");
    world.receipt(LINK, 1, "77", MessageState::Delivered);
    world.run();
    assert_eq!(world.delivered.pop().expect("a receipt").id, id);

    world.inbox.push(Event::PortClosed { session: PORT });
    world.run();
    assert_eq!(world.states(), []);
    world.bind_port(SessionId(9));
    world.run();

    let again = world.delivered.pop().expect("the receipt again");
    assert_eq!((again.session, again.id), (SessionId(9), id));
}

#[test]
fn account_decides_whether_its_receipt_comes_again() {
    for (verdict, again) in [
        (Verdict::Taken, None),
        (Verdict::Refused, None),
        (Verdict::Later, Some(secs(5))),
        (Verdict::Unanswered, Some(secs(0))),
    ] {
        let mut world = World::bound(settings(), 10);
        world.taken(text("a"), "77");
        world.receipt(LINK, 1, "77", MessageState::Delivered);
        world.run();
        let token = world.delivered.pop().expect("a receipt").token;

        world.verdict(PORT, token, verdict);
        world.run();
        if again == Some(secs(5)) {
            world.pass(secs(4));
            assert_eq!(world.states(), [], "{verdict:?}");
        }
        world.pass(secs(1));

        assert_eq!(world.states().len(), usize::from(again.is_some()), "{verdict:?}");
        assert_eq!(world.hub.gauges().messages, u64::from(again.is_some()), "{verdict:?}");
    }
}

/// Fact sheet 4.3: the third time that the session is said to be the matter, it was not.
#[test]
fn receipt_that_three_sessions_find_out_of_place_is_final() {
    let mut world = World::bound(settings(), 10);
    world.taken(text("a"), "77");
    world.receipt(LINK, 1, "77", MessageState::Delivered);
    world.run();

    for _ in 0..3 {
        let token = world.delivered.pop().expect("a receipt").token;
        world.verdict(PORT, token, Verdict::Misplaced);
        world.run();
        world.pass(secs(5));
    }

    assert_eq!((world.states(), world.hub.gauges().messages), (vec![], 0));
}

#[test]
fn receipt_for_an_account_that_never_comes_is_given_up_after_its_retention() {
    let mut world = World::bound(settings(), 10);
    world.taken(text("a"), "77");
    world.inbox.push(Event::PortClosed { session: PORT });
    world.receipt(LINK, 1, "77", MessageState::Delivered);
    world.run();

    world.pass(secs(7 * 24 * 3600 - 1));
    assert_eq!(world.hub.gauges().messages, 1);
    world.pass(secs(2));

    assert_eq!((world.hub.gauges().messages, world.count(|stats| stats.receipts_abandoned)), (0, 1));
}

/// Field bug D12: settled and not told.
#[test]
fn receipt_that_nobody_asked_for_is_not_forwarded() {
    let mut world = World::bound(settings(), 10);
    world.taken(Text { registered: 0, ..text("a") }, "77");

    world.receipt(LINK, 1, "77", MessageState::Delivered);
    world.run();

    assert_eq!((world.states(), world.hub.gauges().messages), (vec![], 0));
    assert_eq!(world.arrivals_answered, [(LINK, 1, Status::ROK)]);
}

#[test]
fn message_whose_receipt_never_comes_ends_unknown() {
    let mut world = World::bound(settings(), 10);
    world.taken(Text { validity: b"000000010000000R", ..text("a") }, "77");

    world.pass(secs(2 * 3600 - 1));
    assert_eq!(world.states(), []);
    world.pass(secs(2));

    assert_eq!(world.states(), [MessageState::Unknown]);
}

/// Field bug R8.
#[test]
fn schedule_is_honoured_through_a_restart() {
    let mut world = World::bound(settings(), 10);
    world.submit(&[Text { schedule: b"000000010000000R", ..text("a") }]);
    world.run();
    assert_eq!(world.outcomes(), [Status::ROK]);

    let mut world = world.crash(&mut nothing_kept());
    world.bind_link(LINK, 10);
    world.pass(secs(3599));
    assert_eq!(world.sent_texts(), [""; 0]);
    world.pass(secs(1));

    assert_eq!(world.sent_texts(), ["a"]);
}

#[test]
fn resting_hub_sends_nothing_new_and_comes_to_quiet() {
    let mut world = World::bound(settings(), 1);
    world.submit(&[text("a"), text("b")]);
    world.run();
    let (_, token, _) = world.sent().pop().expect("the first");
    assert!(!world.hub.is_quiet());

    world.inbox.push(Event::Rest);
    world.say(LINK, token, ROK, "77");
    world.turn();
    assert!(!world.hub.is_quiet(), "the record is not durable yet");
    world.receipt(LINK, 1, "77", MessageState::Delivered);
    world.pass(secs(60));

    assert!(world.hub.is_quiet());
    assert_eq!((world.sent_texts(), world.states()), (vec![], vec![]));
    let mut world = world.crash(&mut nothing_kept());
    world.bind_port(PORT);
    world.bind_link(LINK, 10);
    world.run();
    assert_eq!((world.sent_texts(), world.states()), (vec!["b".to_owned()], vec![MessageState::Delivered]));
}

#[test]
fn receipts_go_to_one_port_in_a_row_and_to_the_next_in_the_next_turn() {
    let mut world = World::bound(settings(), 300);
    [7, 8].map(SessionId).into_iter().for_each(|port| world.bind_port(port));
    world.submit(&[text("a"); 202]);
    world.run();
    for (place, (session, token, _)) in world.sent().into_iter().enumerate() {
        world.say(session, token, ROK, &format!("{place}"));
    }
    world.run();
    let told = |world: &mut World, places: std::ops::Range<u32>| {
        for place in places {
            world.receipt(LINK, place, &place.to_string(), MessageState::Delivered);
        }
        world.run();
        world.delivered.drain(..).map(|told| told.session).collect::<Vec<_>>()
    };

    let together = told(&mut world, 0..200);
    let alone = [200, 201].map(|place| told(&mut world, place..place + 1)).concat();

    let rows: Vec<_> = together.chunk_by(|one, other| one == other).map(<[_]>::len).collect();
    assert_eq!(rows, [96, 96, 8], "each leaves with one write");
    assert_ne!(alone[0], alone[1]);
    assert!(!together[192..].contains(&alone[0]));
}
