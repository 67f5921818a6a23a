//! The wall clock is set, by hours or years, forwards and backwards, while the hub runs and while it doesn't.

mod world;

use enroute::carrier::Verdict as Word;
use enroute::clock::{Change, Now, UnixMs};
use enroute::codec::{MessageState, Status};
use enroute::id::MessageId;
use std::collections::BTreeSet;
use std::time::Duration;
use world::*;

const HOUR_MS: i64 = 3_600_000;
const TEN_YEARS_MS: i64 = 87_660 * HOUR_MS;
const STEPS_MS: [i64; 4] = [HOUR_MS, -HOUR_MS, TEN_YEARS_MS, -TEN_YEARS_MS];

impl World {
    /// Somebody sets the wall clock.
    fn set_clock(&mut self, by_ms: i64) {
        self.now.wall = UnixMs(self.now.wall.0.saturating_add_signed(by_ms));
    }

    /// Turns until the hub would sleep; panics if it never would.
    fn rest(&mut self) {
        for _ in 0..1000 {
            self.run();
            if self.hub.next_timeout().is_none_or(|at| at > self.now.mono) {
                return;
            }
        }
        panic!("the hub turns and turns");
    }

    /// Lets time pass in steps of a second, as a hub does that wakes at least that often.
    fn live(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now = self.now.after(secs(1));
            self.rest();
        }
    }

    fn changes(&self) -> Vec<Change> {
        self.stats.iter().filter_map(|stats| stats.clock).collect()
    }

    /// What is submitted without an answer of the carrier.
    fn accept(&mut self, texts: &[Text<'_>]) -> Vec<MessageId> {
        self.submit(texts);
        self.run();
        self.answers.drain(..).map(|(_, answer)| answer.outcome.expect("accepted")).collect()
    }

    /// The store is opened by another process, whose clock says something else.
    fn reopened(self, by_ms: i64) -> World {
        let mut now = self.now;
        now.wall = UnixMs(now.wall.0.saturating_add_signed(by_ms));
        let Self { settings, spool, disk, .. } = self;
        let mut world = World::open(settings, spool, disk.crash(&mut || false), now);
        world.bind_port(PORT);
        world.bind_link(LINK, 100);
        world.rest();
        world
    }
}

fn five_minutes(name: &str) -> Text<'_> {
    Text { validity: b"000000000500000R", ..text(name) }
}

fn in_ten_minutes(name: &str) -> Text<'_> {
    Text { schedule: b"000000001000000R", ..text(name) }
}

/// Design 5, reliability X21: no mass EXPIRED, nothing due, and no other dates for as long as the step is held.
#[test]
fn step_that_is_taken_back_has_changed_nothing() {
    for by in STEPS_MS {
        let mut world = World::new(settings());
        world.bind_port(PORT);
        world.accept(&[five_minutes("queued"), in_ten_minutes("scheduled")]);
        world.live(10);

        world.set_clock(by);
        world.live(60);
        assert_eq!(world.hub.gauges().clock_off_s, by / 1000);
        world.set_clock(-by);
        world.bind_link(LINK, 10);
        world.live(60);

        assert_eq!(world.sent_texts(), ["queued"], "{by}");
        assert_eq!(world.states(), []);
        assert_eq!(world.changes(), [Change::Stepped(by), Change::Returned]);
        assert_eq!(world.count(|stats| stats.clock_steps), 1);
        world.live(600 - 129);
        assert_eq!(world.sent_texts(), ["scheduled"], "{by}");
        assert_eq!(world.hub.gauges().clock_off_s, 0);
    }
}

/// While the step is held, what comes in is dated and timed by the clock before it.
#[test]
fn messages_that_come_in_during_a_step_live_by_the_time_before_it() {
    for by in STEPS_MS {
        let mut world = World::bound(settings(), 10);
        world.set_clock(by);
        world.live(1);

        world.accept(&[in_ten_minutes("scheduled")]);
        world.live(599);
        assert_eq!(world.sent_texts(), [""; 0]);
        world.live(1);

        assert_eq!(world.sent_texts(), ["scheduled"], "{by}");
    }
}

/// Timers that were set before a clock went back come when their dates come again, once; waits for another attempt do not grow.
#[test]
fn clock_that_went_back_for_good_loses_no_timer_and_doubles_none() {
    let mut world = World::bound(settings(), 10);
    world.taken(five_minutes("awaited"), "77");
    world.set_clock(-HOUR_MS);
    world.live(890);
    world.accept(&[text("refused"), in_ten_minutes("scheduled")]);
    let (link, token, _) = world.sent().pop().expect("a dispatch");
    world.say(link, token, Word::Answered(Status::RSYSERR), "");
    world.live(11);
    assert_eq!(world.changes(), [Change::Stepped(-HOUR_MS), Change::Accepted(-HOUR_MS)]);

    world.accept(&[in_ten_minutes("scheduled after"), five_minutes("valid for five")]);
    assert_eq!(world.sent_texts(), ["valid for five"]);
    world.live(599);
    assert_eq!(world.sent_texts(), [""; 0]);
    world.live(1);
    assert_eq!(world.sent_texts(), ["scheduled after"]);
    world.live(300);
    assert_eq!(world.sent_texts(), ["refused"]);

    // By the dates that they got: ten minutes after its submission, five minutes and an hour after its answer.
    world.live(3600 - 300 - 11);
    assert_eq!(world.sent_texts(), ["scheduled"]);
    world.live(3600);
    assert_eq!(world.states(), [MessageState::Unknown]);
}

/// What falls between the new time and the old one is no less exact for that, however much of it there is.
#[test]
fn after_a_step_back_schedules_are_kept_among_many() {
    let mut world = World::bound(settings(), 100);
    world.set_clock(-HOUR_MS);
    world.live(901);
    world.accept(&[Text { schedule: b"000000000100000R", ..text("soon") }]);
    for _ in 0..95 {
        world.accept(&[Text { schedule: b"000000003000000R", ..text("late") }; 1000]);
    }

    world.live(59);
    assert_eq!(world.sent_texts(), [""; 0]);
    world.live(1);

    assert_eq!(world.sent_texts(), ["soon"]);
}

/// A step back below the bound is taken as it comes, and costs no busy turns either.
#[test]
fn clock_that_goes_back_a_little_makes_no_busy_hub() {
    for by_ms in [-7, -20, -900, -30_000, -300_000] {
        let mut world = World::bound(settings(), 10);
        world.live(2);
        world.set_clock(by_ms);

        world.accept(&[Text { schedule: b"000000000002000R", ..text("soon") }]);
        world.rest();

        assert_eq!(world.sent_texts(), [""; 0], "{by_ms}");
        world.live(3);
        assert_eq!(world.sent_texts(), ["soon"], "{by_ms}");
        assert_eq!(world.changes(), []);
    }
}

/// A clock that is believed years later ends what is over, but no turn does more than its share; the same backwards.
#[test]
fn accepted_steps_are_followed_in_bounded_turns() {
    const MESSAGES: usize = 50_000;
    for by in [TEN_YEARS_MS, -TEN_YEARS_MS] {
        let mut world = World::new(settings());
        world.bind_port(PORT);
        for _ in 0..MESSAGES / 1000 {
            world.accept(&[text("waits"); 1000]);
        }
        world.set_clock(by);
        for _ in 0..900 {
            world.now = world.now.after(secs(1));
            world.run();
        }
        assert_eq!((world.stats.iter().map(expired).sum::<u64>(), world.hub.gauges().messages), (0, 50_000));
        world.stats.clear();

        world.live(2);

        let ended = if by > 0 { MESSAGES as u64 } else { 0 };
        assert_eq!(world.stats.iter().map(expired).sum::<u64>(), ended);
        assert!(world.stats.iter().all(|stats| expired(stats) <= 10_000));
        // All are timed but those whose receipts the port has.
        let out = if by > 0 { 100 } else { 0 };
        assert_eq!(world.hub.gauges().scheduled, (MESSAGES - out) as u64);
    }
}

fn expired(stats: &enroute::hub::Stats) -> u64 {
    stats.settled[3]
}

/// Ids come from the store, not from the clock.
#[test]
fn ids_never_repeat_whatever_the_clock_does() {
    let mut world = World::bound(settings(), 100);
    let (mut ids, mut last) = (BTreeSet::new(), 0);
    for round in 0..24 {
        for id in world.accept(&[text("a"), text("b")]) {
            assert!(id.serial > last, "{round}");
            last = id.serial;
            assert!(ids.insert(world.name(id)), "{round}");
        }
        let by = STEPS_MS[round % STEPS_MS.len()];
        match round % 3 {
            0 => world.set_clock(by),
            1 => world.live(2),
            _ => world = world.reopened(by),
        }
    }
    assert_eq!(ids.len(), 48);
}

/// Down for an hour: a one-time password is never sent afterwards, and says EXPIRED once the clock is beyond doubt.
#[test]
fn message_that_expired_while_the_hub_was_down_is_not_sent_and_expires_after_the_hold() {
    let mut world = World::new(settings());
    world.bind_port(PORT);
    world.accept(&[five_minutes("password"), text("long lived")]);

    let mut world = world.reopened(HOUR_MS);
    assert!(world.hub.gauges().expiry_held);
    world.live(899);
    assert_eq!((world.sent_texts(), world.states()), (vec!["long lived".to_owned()], vec![]));
    world.live(2);

    assert_eq!((world.sent_texts(), world.states()), (vec![], vec![MessageState::Expired]));
    assert!(!world.hub.gauges().expiry_held);
    assert_eq!(world.changes(), []);
}

/// Started with a clock ten years ahead that is corrected a minute later: nothing has ended, and what is still valid goes out.
#[test]
fn wrong_clock_at_the_start_expires_nothing() {
    let mut world = World::bound(settings(), 10);
    world.taken(text("awaited"), "77");
    world.taken(text("delivered"), "78");
    world.ended("78", MessageState::Delivered);
    let token = world.delivered.pop().expect("a receipt").token;
    world.verdict(PORT, token, enroute::esme::Verdict::Taken);
    world.inbox.push(enroute::hub::Event::LinkClosed { session: LINK, lost: Vec::new() });
    world.accept(&[text("queued"), in_ten_minutes("scheduled")]);

    let mut world = world.reopened(TEN_YEARS_MS);
    world.live(60);
    assert_eq!((world.sent_texts(), world.hub.gauges().messages), (vec![], 3));
    world.set_clock(-TEN_YEARS_MS);
    world.live(60);
    assert_eq!(
        (world.sent_texts(), world.changes()),
        (vec!["queued".to_owned()], vec![Change::Corrected(-TEN_YEARS_MS)])
    );
    world.receipt(LINK, 1, "77", MessageState::Delivered);
    world.live(600);

    assert_eq!(
        (world.sent_texts(), world.states()),
        (vec!["scheduled".to_owned()], vec![MessageState::Delivered])
    );
}

/// A receipt that its account has not fetched is not given up because the clock says that it is years old.
#[test]
fn wrong_clock_at_the_start_gives_up_no_receipt() {
    let mut world = World::bound(settings(), 10);
    world.taken(text("a"), "77");
    world.inbox.push(enroute::hub::Event::PortClosed { session: PORT });
    world.ended("77", MessageState::Delivered);
    let now = world.now;
    let Now { mono, wall } = now;
    let late = Now { mono, wall: wall.after(Duration::from_millis(TEN_YEARS_MS as u64)) };

    let World { settings, spool, disk, .. } = world;
    let mut world = World::open(settings, spool, disk.crash(&mut || false), late);
    world.live(60);
    world.set_clock(-TEN_YEARS_MS);
    world.live(2);
    world.bind_port(PORT);
    world.live(1);

    assert_eq!(world.states(), [MessageState::Delivered]);
}

#[test]
fn store_from_the_future_raises_an_alarm() {
    let mut world = World::new(settings());
    world.bind_port(PORT);
    world.accept(&[in_ten_minutes("scheduled")]);

    let mut world = world.reopened(-HOUR_MS);
    assert_eq!(world.changes(), [Change::Behind(-HOUR_MS)]);
    assert_eq!(world.count(|stats| stats.clock_steps), 1);
    assert_eq!(world.hub.gauges().clock_off_s, -3600);

    world.live(901);
    assert_eq!((world.hub.gauges().clock_off_s, world.sent_texts()), (0, vec![]));
    world.live(3600);
    assert_eq!(world.sent_texts(), ["scheduled"]);
}
