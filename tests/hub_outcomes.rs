//! What carriers answer, or do not, and what becomes of the message then.

mod world;

use enroute::carrier::Verdict as Word;
use enroute::codec::{MessageState, Status};
use enroute::hub::Event;
use enroute::id::SessionId;
use world::*;

/// Field bugs R7, R10.
#[test]
fn refused_message_is_tried_again_until_it_expires_and_expires_once() {
    let mut world = World::bound(settings(), 10);
    world.submit(&[Text { validity: b"000000010000000R", ..text("a") }]);
    world.run();

    let mut attempts = 0;
    for _ in 0..3 * 60 {
        for (session, token, _) in world.sent() {
            attempts += 1;
            world.say(session, token, Word::Answered(Status::RSYSERR), "");
        }
        world.pass(secs(60));
    }

    assert!((5..=9).contains(&attempts), "{attempts} attempts in an hour");
    assert_eq!(world.states(), [MessageState::Expired]);
    assert_eq!(world.count(|stats| stats.settled[3]), 1);
}

#[test]
fn message_of_a_dead_carrier_expires_and_is_never_sent_afterwards() {
    let mut world = World::new(settings());
    world.bind_port(PORT);
    world.submit(&[Text { validity: b"000000010000000R", ..text("a") }]);
    world.run();

    world.now = world.now.after(secs(3600));
    world.bind_link(LINK, 10);
    world.run();

    assert_eq!((world.sent_texts(), world.states()), (vec![], vec![MessageState::Expired]));
}

#[test]
fn permanent_refusal_settles_at_once() {
    let mut world = World::bound(settings(), 10);
    world.submit(&[text("a")]);
    world.run();
    let (_, token, _) = world.sent().pop().expect("a dispatch");

    world.say(LINK, token, Word::Answered(Status::RINVDSTADR), "");
    world.run();

    assert_eq!(world.states(), [MessageState::Rejected]);
}

/// Field bug R9; the session class pauses alike.
#[test]
fn throttle_pauses_the_carrier_and_keeps_the_order() {
    for status in [Status::RTHROTTLED, Status::RINVBNDSTS] {
        let mut world = World::bound(settings(), 3);
        world.submit(&["a", "b", "c", "d"].map(text));
        world.run();
        for (session, token, _) in world.sent() {
            world.say(session, token, Word::Answered(status), "");
        }
        world.run();
        assert_eq!(world.sent_texts(), [""; 0], "{status:?}");

        let mut again = Vec::new();
        for _ in 0..8 {
            world.pass(secs(1));
            for (session, token, text) in world.sent() {
                world.say(session, token, Word::Answered(Status::ROK), &text);
                again.push(text);
            }
            world.run();
        }

        assert_eq!(again, ["a", "b", "c", "d"], "{status:?}");
    }
}

/// Field bug S6, fact sheet 10.4: at least once.
#[test]
fn unanswered_message_is_sent_again_and_counted_as_doubtful() {
    let mut world = World::bound(settings(), 10);
    world.submit(&[text("a")]);
    world.run();
    let (_, token, _) = world.sent().pop().expect("a dispatch");

    world.say(LINK, token, Word::Unanswered, "");
    world.run();
    assert_eq!(world.sent_texts(), [""; 0]);
    world.pass(secs(30));

    assert_eq!(world.sent_texts(), ["a"]);
    assert_eq!(world.count(|stats| stats.doubtful), 1);
}

/// Reliability X14: a link that answers nothing for long is ended and gets nothing more; the other one goes on and does its work.
#[test]
fn link_that_answers_nothing_is_ended_and_the_others_do_its_work() {
    let mut world = World::bound(settings(), 10);
    world.bind_link(OTHER_LINK, 10);
    let all: Vec<String> = (0..40).map(|number| format!("{number:02}")).collect();
    world.submit(&all.iter().map(|known| text(known)).collect::<Vec<_>>());
    world.run();

    let mut taken = Vec::new();
    for second in 0..300 {
        for (session, token, text) in world.sent() {
            if session == LINK {
                world.say(session, token, Word::Unanswered, "");
            } else {
                world.say(session, token, Word::Answered(Status::ROK), &text);
                taken.push(text);
            }
        }
        world.run();
        world.pass(secs(1));
        assert!(second < 3 || taken.len() >= 20, "the other link goes on");
    }

    taken.sort();
    assert_eq!((taken, &world.unbound[..]), (all, &[LINK][..]));
    assert_eq!(world.count(|stats| stats.links_sick), 1);
}

/// Reliability X14, X15: a carrier that is slower than the response timer is slow, not sick: its late answers count.
#[test]
fn link_whose_answers_are_late_is_kept() {
    let mut world = World::bound(settings(), 50);
    world.submit(&["x"; 50].map(text));
    world.run();

    for round in 0..10 {
        let sent = world.sent();
        for (session, token, _) in &sent {
            world.say(*session, *token, Word::Unanswered, "");
        }
        world.run();
        world.pass(secs(5));
        for (place, (session, token, _)) in sent.into_iter().enumerate() {
            world.say(session, token, Word::Late(Status::ROK), &format!("{round}-{place}"));
        }
        world.submit(&["x"; 50].map(text));
        world.run();
        world.pass(secs(30));
    }

    assert_eq!((world.count(|stats| stats.taken), world.unbound.len()), (500, 0));
}

/// Reliability X14: from a carrier that has taken nothing on two links one message at a time is tried, not a window.
#[test]
fn carrier_whose_links_answer_nothing_gets_one_message_at_a_time() {
    let mut world = World::new(settings());
    world.bind_port(PORT);
    world.submit(&["x"; 100].map(text));
    let mut sent = Vec::new();

    for round in 10..20 {
        world.bind_link(SessionId(round), 10);
        world.run();
        let out = world.sent();
        sent.push(out.len());
        for (session, token, _) in out {
            world.say(session, token, Word::Unanswered, "");
        }
        world.run();
        world.inbox.push(Event::LinkClosed { session: SessionId(round), lost: Vec::new() });
        world.run();
        world.dispatches.clear();
    }
    assert_eq!(sent, [10, 10, 1, 1, 1, 1, 1, 1, 1, 1]);

    world.bind_link(LINK, 10);
    world.run();
    let (session, token, _) = world.sent().pop().expect("a dispatch");
    world.say(session, token, Word::Answered(Status::ROK), "77");
    world.run();
    assert_eq!(world.sent().len(), 10, "its window is open again");
}

/// Field bug S6: the late response reconciles.
#[test]
fn late_answer_cancels_the_retry_that_is_pending() {
    let mut world = World::bound(settings(), 10);
    world.submit(&[text("a")]);
    world.run();
    let (_, token, _) = world.sent().pop().expect("a dispatch");
    world.say(LINK, token, Word::Unanswered, "");
    world.run();

    world.say(LINK, token, Word::Late(Status::ROK), "77");
    world.pass(secs(60));
    assert_eq!(world.sent_texts(), [""; 0]);
    world.receipt(LINK, 1, "77", MessageState::Delivered);
    world.run();

    assert_eq!(world.states(), [MessageState::Delivered]);
    assert_eq!(world.count(|stats| stats.late_answers), 1);
}

/// Field bug S12: what was lost goes first again, in order; what never reached the session is not doubtful.
#[test]
fn lost_links_messages_go_to_the_front_in_order() {
    let mut world = World::bound(settings(), 3);
    world.submit(&["a", "b", "c", "d"].map(text));
    world.run();
    let sent = world.sent();
    assert_eq!(sent.len(), 3);

    let lost = vec![sent[0].1, sent[1].1]; // the third was on its way to the link's task
    world.inbox.push(Event::LinkClosed { session: LINK, lost });
    world.bind_link(OTHER_LINK, 10);
    world.run();

    assert_eq!(world.sent_texts(), ["a", "b", "c", "d"]);
    assert_eq!(world.count(|stats| stats.doubtful), 2);
}

/// What another link has by now is not touched by the end of the first.
#[test]
fn end_of_a_link_does_not_take_back_what_went_elsewhere() {
    let mut world = World::bound(settings(), 3);
    world.submit(&[text("a")]);
    world.run();
    let (_, token, _) = world.sent().pop().expect("a dispatch");
    world.say(LINK, token, Word::Unanswered, "");
    world.inbox.push(Event::LinkClosed { session: LINK, lost: Vec::new() });
    world.bind_link(OTHER_LINK, 3);
    world.run();
    world.pass(secs(30));
    assert_eq!(world.sent().len(), 1);

    world.bind_link(LINK, 3);
    world.inbox.push(Event::LinkClosed { session: LINK, lost: vec![token] });
    world.run();

    assert_eq!(world.sent_texts(), [""; 0]);
}

/// Field bug S16: a link that is leaving takes nothing more; it is not asked over and over.
#[test]
fn dispatch_that_a_leaving_link_cannot_take_waits_for_another() {
    let mut world = World::bound(settings(), 2);
    world.submit(&["a", "b", "c"].map(text));
    world.run();
    for _ in 0..10 {
        for (session, token, _) in world.sent() {
            world.say(session, token, Word::NotSent, "");
        }
        world.run();
    }
    assert_eq!(world.sent_texts(), [""; 0]);

    world.bind_link(OTHER_LINK, 10);
    world.run();

    assert_eq!(world.sent_texts(), ["a", "b", "c"]);
    assert_eq!(world.count(|stats| stats.doubtful), 0);
}

/// Field bug S18 for wall time: a clock that is set back makes nothing due.
#[test]
fn wall_clock_that_steps_back_makes_nothing_due_before_its_time() {
    let mut world = World::bound(settings(), 10);
    world.taken(Text { validity: b"000000000100000R", ..text("awaited") }, "77");
    world.now.wall = enroute::clock::UnixMs(world.now.wall.0 - 2 * 3600 * 1000);
    world.taken(Text { validity: b"000000000100000R", ..text("awaited too") }, "78");
    world.submit(&[Text { schedule: b"000000001000000R", ..text("scheduled") }]);
    world.run();

    world.pass(secs(60));
    assert_eq!((world.sent_texts(), world.states()), (vec![], vec![]));

    world.pass(secs(9 * 60));
    assert_eq!(world.sent_texts(), ["scheduled"]);
}
