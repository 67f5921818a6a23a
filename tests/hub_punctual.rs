//! Scheduled messages wait on disk, and leave in the very turn in which they are due.

mod world;

use std::time::Duration;
use world::*;

const SCHEDULED: Text<'_> = Text { schedule: b"000000010000000R", ..text("a") };
const HOUR_MS: u64 = 3_600_000;

/// One turn, so long after `begin`; gives how many bodies it asked for.
fn turn_at(world: &mut World, begin: enroute::clock::Now, after_ms: u64) -> usize {
    world.now = begin.after(Duration::from_millis(after_ms));
    world.turn();
    world.fetches.len()
}

#[test]
fn parked_body_is_at_hand_when_its_message_is_due() {
    let mut world = World::bound(settings(), 10);
    let begin = world.now;
    world.submit(&[SCHEDULED]);
    world.run();
    assert_eq!(world.hub.gauges().bodies, 1, "watched, though it is parked already");
    world.pass(secs(60));
    assert_eq!(world.hub.gauges().bodies, 0);

    assert_eq!(turn_at(&mut world, begin, HOUR_MS - 1100), 0);
    assert_eq!(turn_at(&mut world, begin, HOUR_MS - 1000), 1);
    world.read_back();
    assert_eq!(turn_at(&mut world, begin, HOUR_MS - 500), 0);
    assert_eq!(world.sent_texts(), [""; 0]);
    assert_eq!(turn_at(&mut world, begin, HOUR_MS), 0);

    assert_eq!(world.sent_texts(), ["a"]);
}

#[test]
fn body_is_at_hand_as_soon_after_a_restart() {
    let mut world = World::bound(settings(), 10);
    let begin = world.now;
    world.submit(&[SCHEDULED]);
    world.run();
    let mut world = world.crash(&mut || false);
    world.bind_link(LINK, 10);
    world.run();

    assert_eq!(turn_at(&mut world, begin, HOUR_MS - 1000), 1);
    world.read_back();
    turn_at(&mut world, begin, HOUR_MS);

    assert_eq!(world.sent_texts(), ["a"]);
}

/// Bodies that are not due yet never push those out that are: at most half of the room is theirs.
#[test]
fn no_more_bodies_are_read_ahead_than_there_is_room_for() {
    let mut settings = settings();
    settings.limits.bodies = 8;
    let mut world = World::bound(settings, 100);
    let begin = world.now;
    world.submit(&[SCHEDULED; 20]);
    world.run();
    world.pass(secs(60));

    let ahead = turn_at(&mut world, begin, HOUR_MS - 1000);
    world.read_back();
    turn_at(&mut world, begin, HOUR_MS);
    world.run();

    assert_eq!(ahead, 4);
    assert_eq!(world.sent_texts().len(), 20);
}
