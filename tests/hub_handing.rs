//! What is handed to a link, and told to it in a later turn: it has its place meanwhile, its body stays, and what ends before isn't sent.

mod world;

use enroute::carrier::Verdict as Word;
use enroute::codec::{MessageState, Status};
use enroute::esme::Verdict;
use enroute::hub::{Event, Sessions};
use std::time::Duration;
use world::*;

const ROK: Word = Word::Answered(Status::ROK);

fn links_left_out(world: &mut World, links: bool) {
    world.hub.leave_out(Sessions { ports: false, links });
}

/// An answer to the attempt before, too late, and its receipt: the attempt that the link was not told of yet is not made any more.
#[test]
fn message_that_ends_before_its_link_is_told_is_not_sent_and_leaves_its_place() {
    let mut world = World::bound(settings(), 1);
    world.accepted(text("a"));
    let (_, token, _) = world.sent().pop().expect("an attempt");
    world.say(LINK, token, Word::Unanswered, "");
    world.run();
    links_left_out(&mut world, true);
    world.pass(Duration::from_secs(30));
    world.submit(&[text("b")]);
    world.run();
    assert!(!world.hub.is_quiet(), "it has the only place");

    world.say(LINK, token, Word::Late(Status::ROK), "77");
    world.run();
    world.receipt(LINK, 1, "77", MessageState::Delivered);
    world.run();
    let receipt = world.delivered.pop().expect("a receipt");
    assert_eq!(receipt.state, MessageState::Delivered);
    world.verdict(receipt.session, receipt.token, Verdict::Taken);
    world.run();
    links_left_out(&mut world, false);
    world.turn();
    let next = world.hub.next_timeout().expect("more to do");
    assert!(next <= world.now.mono, "the place is free at once");
    world.run();

    assert_eq!(world.sent_texts(), ["b"], "in the place that the first one left");
    assert_eq!(world.hub.gauges().messages, 1);
}

/// However few bodies may be at hand.
#[test]
fn body_stays_at_hand_until_the_link_is_told_and_no_longer() {
    let mut settings = settings();
    settings.limits.bodies = 1;
    let mut world = World::bound(settings, 10);
    links_left_out(&mut world, true);
    let texts: Vec<String> = (0..5).map(|number| format!("text {number}")).collect();
    world.submit(&texts.iter().map(|it| text(it)).collect::<Vec<_>>());
    world.run();
    world.pass(Duration::from_secs(60));
    assert_eq!(world.hub.gauges().bodies, 5);

    links_left_out(&mut world, false);
    world.turn();
    assert_eq!(world.sent_texts(), texts);
    world.turn();

    assert!(world.hub.gauges().bodies <= 1, "parked as soon as they were told");
}

/// A link that ends before it was told of a message has not sent it: nobody has to fear that the carrier has it.
#[test]
fn what_a_link_was_not_told_of_goes_to_another_in_its_order_and_undoubted() {
    let mut world = World::bound(settings(), 10);
    links_left_out(&mut world, true);
    world.submit(&[text("a"), text("b"), text("c")]);
    world.run();
    world.inbox.push(Event::LinkClosed { session: LINK, lost: Vec::new() });
    links_left_out(&mut world, false);
    world.run();
    assert_eq!(world.sent_texts(), [""; 0]);

    world.bind_link(OTHER_LINK, 10);
    world.run();
    let sent = world.sent();

    assert_eq!(sent.iter().map(|(_, _, text)| &text[..]).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(world.count(|stats| stats.doubtful), 0);
    for (session, token, text) in sent {
        world.say(session, token, ROK, &text);
    }
    world.run();
    assert!(world.hub.is_quiet());
}

/// Nobody is about to be told of it any more: it waits like any other, which may be for hours.
#[test]
fn body_of_what_a_lost_link_was_not_told_of_is_parked() {
    let mut settings = settings();
    settings.limits.bodies = 1;
    let mut world = World::bound(settings, 10);
    links_left_out(&mut world, true);
    world.submit(&[text("a"), text("b"), text("c")]);
    world.run();
    assert_eq!(world.hub.gauges().bodies, 3);

    world.inbox.push(Event::LinkClosed { session: LINK, lost: Vec::new() });
    world.run();
    world.pass(Duration::from_secs(60));

    assert_eq!(world.hub.gauges().bodies, 0);
}
