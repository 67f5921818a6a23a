//! Seams of bulks, schedules, clocks and restarts: what a third reading found.

mod world;

use enroute::bulk::{Ask, State};
use enroute::carrier::Verdict as Word;
use enroute::clock::UnixMs;
use enroute::codec::{MessageState, Status};
use std::time::Duration;
use world::*;

const ROK: Word = Word::Answered(Status::ROK);

/// Somebody sets the wall clock back, by less than what is a step.
fn set_back(world: &mut World, by: Duration) {
    world.now.wall = UnixMs(world.now.wall.0 - by.as_millis() as u64);
    world.run();
}

/// A bulk of which one message is with its carrier: it has fired, and is not over.
fn under_way(settings: enroute::hub::Settings) -> World {
    let mut world = World::bound(with_bulks(settings), 10);
    world.accepted_to("spring", text("first"));
    let (session, token, _) = world.sent().pop().expect("a dispatch");
    world.say(session, token, ROK, "c1");
    world.run();
    assert_eq!(state(&mut world), State::Processing);
    world
}

/// Its receipts may wait for days, while others go by its name and the hub starts anew.
#[test]
fn bulk_whose_receipts_wait_is_no_other_one_after_a_restart() {
    let mut world = under_way(settings());
    world.ended("c1", MessageState::Delivered);
    assert_eq!(state(&mut world), State::Finished, "and nobody has taken its receipt");
    world.accepted_to("spring", IN_AN_HOUR);
    world.accepted_to("autumn", IN_AN_HOUR);

    let mut world = world.crash(&mut || true);
    world.bind_port(PORT);
    world.run();

    for name in ["spring", "autumn"] {
        let view = world.shown(name).expect("it waits");
        assert_eq!((view.state, view.counts.messages(), view.counts.open), (State::Pending, 1, 1), "{name}");
    }
    assert_eq!(take_receipts(&mut world), [MessageState::Delivered]);
    assert_eq!(world.shown("autumn").map(|view| view.counts.messages()), Ok(1));
    world.bind_link(LINK, 10);
    world.pass(HOUR);
    assert_eq!(world.take_all("c"), ["hourly", "hourly"]);
}

/// No carrier knows bulks: whose time is its own is kept by us all the same.
#[test]
fn replaced_message_of_a_bulk_under_way_waits_for_its_time_whatever_its_carrier_keeps() {
    let mut settings = settings();
    settings.carriers[0].carrier.passes_schedule = true;
    let mut world = under_way(settings);
    let id = world.accepted_to("spring", IN_AN_HOUR);
    assert_eq!(world.replace(&id, "with its time", b""), Status::ROK);
    assert_eq!(world.sent_texts(), [""; 0]);
    assert_eq!(world.replace(&id, "in half an hour", b"000000003000000R"), Status::ROK);
    world.pass(secs(1799));
    assert_eq!(world.sent_texts(), [""; 0]);

    world.pass(secs(1));

    assert_eq!(world.sent_texts(), ["in half an hour"]);
}

/// A message whose first attempt failed, and was then given another time: a day.
fn put_off_for_a_day() -> World {
    let mut world = World::bound(settings(), 10);
    let id = world.accepted(text("old"));
    let (session, token, _) = world.sent().pop().expect("a dispatch");
    world.say(session, token, Word::Answered(Status::RSYSERR), "");
    world.run();
    assert_eq!(world.replace(&id, "new", b"000001000000000R"), Status::ROK);
    world
}

#[test]
fn schedule_that_came_after_a_failed_attempt_is_no_wait_that_a_clock_cuts() {
    let mut world = put_off_for_a_day();

    set_back(&mut world, secs(10));
    world.pass(HOUR);
    assert_eq!(world.sent_texts(), [""; 0]);

    world.pass(secs(86_400));
    assert_eq!(world.sent_texts(), ["new"]);
}

#[test]
fn schedule_that_came_after_a_failed_attempt_outlives_a_crash() {
    let mut world = put_off_for_a_day().crash(&mut || true);
    world.bind_port(PORT);
    world.bind_link(LINK, 10);

    world.pass(HOUR);
    assert_eq!(world.sent_texts(), [""; 0]);
    world.pass(secs(86_400));
    assert_eq!(world.sent_texts(), ["new"]);
}

/// The wait for another attempt is ours, not the customer's: it is no schedule for a carrier to keep.
#[test]
fn new_text_for_a_message_between_attempts_waits_for_the_next_one() {
    let mut settings = settings();
    settings.carriers[0].carrier.passes_schedule = true;
    let mut world = World::bound(settings, 10);
    let id = world.accepted(text("old"));
    let (session, token, _) = world.sent().pop().expect("a dispatch");
    world.say(session, token, Word::Answered(Status::RSYSERR), "");
    world.run();

    assert_eq!(world.replace(&id, "new", b""), Status::ROK);

    assert_eq!(world.sent_texts(), [""; 0]);
    world.pass(secs(30));
    assert_eq!(world.sent_texts(), ["new"]);
}

/// Whose time passes twice is looked at twice.
#[test]
fn messages_of_a_paused_bulk_expire_though_the_clock_went_back_before_its_time() {
    let mut world = World::bound(with_bulks(settings()), 10);
    world.accepted_to("spring", IN_AN_HOUR);
    world.bulk("spring", Ask::Pause).expect("it waits");
    world.pass(HOUR + secs(10));
    set_back(&mut world, secs(60));

    world.pass(HOUR * 2);

    assert_eq!(world.states(), [MessageState::Expired]);
}

/// Nothing ends by a clock that nobody vouches for.
#[test]
fn bulk_that_is_over_is_not_forgotten_while_the_clock_is_in_doubt() {
    let mut world = under_way(settings());
    world.ended("c1", MessageState::Delivered);
    take_receipts(&mut world);
    let mut now = world.now;
    now.wall = now.wall.after(HOUR * 24 * 365);
    let World { settings, spool, disk, .. } = world;

    let mut world = World::open(settings, spool, disk.crash(&mut || true), now);
    world.run();
    assert_eq!(state(&mut world), State::Finished);

    world.pass(HOUR);
    world.run();
    assert!(world.shown("spring").is_err(), "its time is over");
}

/// It never had a schedule, so it has none after the clock went back either.
#[test]
fn new_text_for_what_is_due_is_due_however_the_clock_stands() {
    let mut world = World::new(settings());
    world.bind_port(PORT);
    world.run();
    let (before, after) = (world.accepted(text("old")), world.accepted(text("older")));
    assert_eq!(world.replace(&before, "before", b""), Status::ROK);
    set_back(&mut world, secs(100));
    assert_eq!(world.replace(&after, "after", b""), Status::ROK);

    world.bind_link(LINK, 10);
    world.run();

    assert_eq!(world.sent_texts(), ["before", "after"]);
}

/// A clock that ran years ahead must not leave messages behind for years.
#[test]
fn what_came_by_a_clock_that_was_ahead_goes_out_after_a_restart() {
    let mut world = World::bound(settings(), 1);
    world.submit(&[text("tried"), text("new")]);
    world.run();
    let (session, token, _) = world.sent().pop().expect("a dispatch");
    world.say(session, token, Word::Answered(Status::RSYSERR), "");
    world.inbox.push(enroute::hub::Event::LinkClosed { session: LINK, lost: Vec::new() });
    world.run();
    world.sent();
    let mut now = world.now;
    now.wall = UnixMs(now.wall.0 - 3 * 365 * 86_400_000);
    let World { settings, spool, disk, .. } = world;

    let mut world = World::open(settings, spool, disk.crash(&mut || true), now);
    world.bind_link(LINK, 10);
    world.run();
    assert_eq!(world.sent_texts(), ["new"]);

    world.pass(secs(900));
    assert_eq!(world.sent_texts(), ["tried"]);
}
