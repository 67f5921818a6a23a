//! Who waits before a hub that has no time, for how long, and who does not.

mod world;

use enroute::carrier::Verdict as Word;
use enroute::codec::{Status, Version};
use enroute::esme::Account;
use enroute::hub::{AccountPlan, Event, Limits, OverLimit, Settings};
use enroute::id::{AccountId, SessionId};
use std::time::Duration;
use world::*;

/// Another session of the same account.
const OTHER: SessionId = SessionId(77);

/// One of an account that gets one message a minute, and may queue more.
const LIMITED: SessionId = SessionId(78);

/// The hub works for longer than it rests; it has no time at all; it has time.
const BUSY: f64 = 0.7;
const FULL: f64 = 0.95;
const IDLE: f64 = 0.1;

/// The carrier has taken its window of 10, at once, and 20 stand before it: as many as are enough.
fn enough() -> World {
    let limits = Limits { backlog: 20, ..settings().limits };
    let mut settings = Settings { limits, ..settings() };
    let mut limited = AccountPlan::new(Account::new("limited", "secret"));
    limited.limits.minute_max = Some(1);
    limited.over_limit = OverLimit::Queue;
    settings.accounts.push(limited);
    let mut world = World::bound(settings, 10);
    world.bind_port(OTHER);
    world.bind_as(LIMITED, AccountId(1), Version::V34);
    world.hub.note_effort(BUSY);
    bring(&mut world, PORT, 30);
    world.run();
    assert_eq!((world.outcomes().len(), before(&world)), (30, 0));
    world
}

/// So many submissions in one read.
fn bring(world: &mut World, session: SessionId, count: usize) {
    world.submit_together(session, &vec![text("text"); count]);
}

/// Requests that wait before the hub.
fn before(world: &World) -> u64 {
    world.hub.gauges().before
}

/// Who was answered, how often, in the order of the first answers.
fn answered(world: &mut World) -> Vec<(SessionId, usize)> {
    let mut found: Vec<(SessionId, usize)> = Vec::new();
    for (session, _) in world.answers.drain(..) {
        match found.iter_mut().find(|(known, _)| *known == session) {
            Some((_, count)) => *count += 1,
            None => found.push((session, 1)),
        }
    }
    found
}

/// The carrier takes what is out, at once.
fn take_window(world: &mut World) {
    for (session, token, _) in world.sent() {
        world.say(session, token, Word::Answered(Status::ROK), &token.to_string());
    }
    world.run();
}

#[test]
fn sessions_wait_in_turn_while_a_busy_hub_has_enough() {
    let mut world = enough();

    for session in [OTHER, PORT, OTHER] {
        bring(&mut world, session, 8);
    }
    world.run();
    assert_eq!((answered(&mut world), before(&world)), (vec![], 24));
    assert!(world.hub.next_timeout().is_some_and(|at| at <= world.now.mono + Duration::from_millis(1)));
    take_window(&mut world);

    assert_eq!(
        (answered(&mut world), before(&world)),
        (vec![(OTHER, 16)], 8),
        "all that it brought, in its turn"
    );
    take_window(&mut world);
    assert_eq!((answered(&mut world), before(&world)), (vec![(PORT, 8)], 0));
}

#[test]
fn who_asks_for_little_does_not_wait() {
    let mut world = enough();
    bring(&mut world, PORT, 8);

    bring(&mut world, OTHER, 4);
    world.run();
    assert_eq!((answered(&mut world), before(&world)), (vec![(OTHER, 4)], 8));
    bring(&mut world, PORT, 1);
    world.run();

    assert_eq!(
        (answered(&mut world), before(&world)),
        (vec![], 9),
        "but nobody overtakes what he asked before"
    );
}

/// What a session says of its deliveries makes room: it is heard though what it asks for waits.
#[test]
fn verdicts_do_not_wait() {
    let mut world = enough();
    bring(&mut world, OTHER, 1);
    world.run();
    let (session, token, _) = world.sent().remove(0);
    world.say(session, token, Word::Answered(Status::ROK), "one");
    world.run();
    bring(&mut world, PORT, 8);
    world.receipt(LINK, 5, "one", enroute::codec::MessageState::Delivered);
    world.run();
    let receipt = world.delivered.pop().expect("a receipt");
    let messages = world.hub.gauges().messages;

    world.verdict(receipt.session, receipt.token, enroute::esme::Verdict::Taken);
    world.run();

    assert_eq!((world.hub.gauges().messages, before(&world)), (messages - 1, 8));
}

/// Brings more than a little, after `change`: it is taken at once.
fn takes_at_once_after(change: impl FnOnce(&mut World)) {
    let mut world = enough();
    change(&mut world);
    touch(&mut world);

    bring(&mut world, OTHER, 8);
    world.run();

    assert_eq!((answered(&mut world), before(&world)), (vec![(OTHER, 8)], 0));
}

#[test]
fn nobody_waits_before_a_hub_that_has_time() {
    takes_at_once_after(|world| world.hub.note_effort(IDLE));
}

#[test]
fn nobody_waits_for_a_carrier_that_is_slow_stands_still_or_is_down() {
    takes_at_once_after(|world| world.now = world.now.after(Duration::from_millis(21)));
    takes_at_once_after(|world| {
        world.now = world.now.after(Duration::from_millis(1001));
        world.hub.note_effort(FULL);
    });
    takes_at_once_after(|world| {
        let lost = world.sent().into_iter().map(|(_, token, _)| token).collect();
        world.inbox.push(Event::LinkClosed { session: LINK, lost });
        world.run();
    });
}

/// All that stands before the carrier may be for accounts' own limits to let go.
#[test]
fn nobody_waits_for_an_account_that_is_over_its_limit() {
    takes_at_once_after(|world| {
        bring(world, LIMITED, 3);
        world.run();
        take_window(world);
        take_window(world);
        bring(world, PORT, 30);
        world.run();
        assert_eq!(before(world), 0);
    });
}

#[test]
fn nobody_waits_where_that_is_switched_off() {
    let limits = Limits { backlog: 0, ..settings().limits };
    let mut world = World::bound(Settings { limits, ..settings() }, 10);
    world.hub.note_effort(FULL);
    (0..10).for_each(|_| bring(&mut world, PORT, 100));
    world.run();
    assert_eq!(world.outcomes().len(), 1000);
}

/// One message more for the carrier, so that the hub looks how it is.
fn touch(world: &mut World) {
    bring(world, OTHER, 1);
    world.run();
    world.answers.clear();
}

/// Before a hub that has no time at all they wait for carriers that are not quick, too, as long as those move.
#[test]
fn hub_without_any_time_makes_wait_for_all_that_moves() {
    let mut world = enough();
    world.now = world.now.after(Duration::from_millis(500));
    world.hub.note_effort(FULL);
    touch(&mut world);

    bring(&mut world, OTHER, 8);
    world.run();

    assert_eq!((answered(&mut world), before(&world)), (vec![], 8));
}

#[test]
fn nobody_waits_for_longer_than_two_seconds() {
    let mut world = enough();
    world.hub.note_effort(FULL);
    bring(&mut world, OTHER, 8);
    world.run();
    for _ in 0..3 {
        world.pass(Duration::from_millis(600));
        [4, 4, 2].into_iter().for_each(|few| bring(&mut world, PORT, few));
        world.run();
        take_window(&mut world);
    }
    assert_eq!(before(&world), 8, "1.8 s so far");

    world.pass(Duration::from_millis(200));

    assert_eq!(before(&world), 0);
}

/// A session that ends had asked before: what it brought is taken, as if it had been read in time.
#[test]
fn session_that_ends_leaves_nothing_behind_that_waits() {
    let mut world = enough();
    bring(&mut world, OTHER, 8);
    world.run();
    assert_eq!((world.hub.gauges().messages, before(&world)), (30, 8));

    world.inbox.push(Event::PortClosed { session: OTHER });
    world.run();

    assert_eq!((world.hub.gauges().messages, before(&world)), (38, 0));
}

/// The time before the hub is a part of what the customer waited for, and tells him how busy we are.
#[test]
fn time_before_the_hub_counts_as_waiting_for_the_answer() {
    let mut world = enough();
    assert_eq!(world.congestion, 0);
    bring(&mut world, OTHER, 8);
    world.run();
    world.pass(Duration::from_millis(15));

    take_window(&mut world);

    assert_eq!((answered(&mut world), before(&world)), (vec![(OTHER, 8)], 0));
    assert_eq!(world.congestion, 24, "15 ms, where 50 are 80");
}
