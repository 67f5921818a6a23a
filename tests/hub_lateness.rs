//! What waits for its time: counted by kind, and not late.

mod world;

use enroute::bulk::Ask;
use enroute::carrier::Verdict as Word;
use enroute::codec::{MessageState, Status};
use enroute::esme::Verdict;
use enroute::hub::{Event, Settings};
use enroute::metrics::Buckets;
use std::time::Duration;
use world::*;

const SCHEDULED: usize = 0;
const BACKOFF: usize = 1;
const VALIDITY: usize = 2;
const RECEIPT_GRACE: usize = 3;
const RETENTION: usize = 4;
const RECEIPT_RETRY: usize = 5;

impl World {
    /// How many timers there are of each kind; all of them together are all that the wheel has.
    fn timers(&self) -> [u64; 6] {
        let gauges = self.hub.gauges();
        assert_eq!(gauges.timers.iter().sum::<u64>(), gauges.scheduled);
        gauges.timers
    }

    fn schedule(&mut self, texts: usize, schedule: &[u8]) {
        self.submit(&vec![Text { schedule, ..text("a") }; texts]);
        self.run();
    }

    fn pass_ms(&mut self, by: u64) {
        self.pass(Duration::from_millis(by));
    }
}

fn one(kind: usize) -> [u64; 6] {
    std::array::from_fn(|place| u64::from(place == kind))
}

#[test]
fn each_timer_is_counted_as_what_it_is_for() {
    let mut world = World::new(settings());
    world.bind_port(PORT);
    world.schedule(1, b"000000001000000R");
    assert_eq!(world.timers(), one(SCHEDULED));
    world.pass(secs(600));
    assert_eq!(world.timers(), one(VALIDITY));
    world.bind_link(LINK, 10);
    world.run();
    let (_, token, _) = world.sent().pop().expect("an attempt");
    assert_eq!(world.timers(), one(VALIDITY));

    world.say(LINK, token, Word::Answered(Status::RSYSERR), "");
    world.run();
    assert_eq!(world.timers(), one(BACKOFF));
    world.pass(secs(30));
    world.take_all("7");
    assert_eq!(world.timers(), one(RECEIPT_GRACE));

    world.ended("70", MessageState::Delivered);
    assert_eq!(world.timers(), [0; 6]); // with the port
    let token = world.delivered.pop().expect("a receipt").token;
    world.verdict(PORT, token, Verdict::Later);
    world.run();
    assert_eq!(world.timers(), one(RECEIPT_RETRY));
    world.inbox.push(Event::PortClosed { session: PORT });
    world.pass(secs(5));
    assert_eq!(world.timers(), one(RETENTION));

    let mut world = world.crash(&mut || false);
    assert_eq!(world.timers(), one(RETENTION));
    world.pass(secs(8 * 24 * 3600));
    assert_eq!(world.timers(), [0; 6]);
}

#[test]
fn cancelled_and_expired_messages_leave_no_timer() {
    let mut world = World::new(settings());
    world.bind_port(PORT);
    let id = world.accepted(Text { schedule: b"000000001000000R", ..text("a") });
    world.schedule(3, b"000000001000000R");
    world.submit(&[Text { validity: b"000000000500000R", registered: 0, ..text("b") }]);
    world.run();
    assert_eq!(world.timers(), [4, 0, 1, 0, 0, 0]);

    world.answers.clear();
    world.cancel(&id);
    world.pass(secs(300));

    assert_eq!(world.timers(), [3, 0, 0, 0, 0, 0]);
}

/// Its body comes back from the disk before it is due, so the disk makes nobody late.
#[test]
fn parked_message_is_read_back_ahead_of_its_time() {
    let mut world = World::bound(settings(), 100);
    world.schedule(50, b"000000001000000R");
    world.pass_ms(598_900);
    assert_eq!(world.hub.gauges().bodies, 0);
    world.now = world.now.after(Duration::from_millis(100));
    world.turn();
    assert_eq!(world.fetches.len(), 50);
    world.read_back();
    world.run();
    assert_eq!(world.sent_texts().len(), 0);

    world.now = world.now.after(Duration::from_millis(1000));
    world.turn();

    assert_eq!((world.sent_texts().len(), world.fetches.len()), (50, 0));
}

/// All at once they would take the disk and a processor from those that are due just then.
#[test]
fn what_is_due_at_once_is_read_back_a_few_at_a_time() {
    let mut world = World::bound(settings(), 1000);
    world.schedule(300, b"000000001000000R");
    world.pass_ms(598_600);
    assert_eq!(world.hub.gauges().bodies, 0);
    let mut read = Vec::new();
    for _ in 0..41 {
        world.now = world.now.after(Duration::from_millis(10));
        world.turn();
        read.push(world.fetches.len());
        world.read_back();
    }

    assert_eq!(read.iter().sum::<usize>(), 300, "a second before they are due");
    assert!(read.iter().all(|read| *read <= 64), "{read:?}");
}

/// The same for another attempt, for which a body at hand would have to wait too long.
#[test]
fn message_in_backoff_is_read_back_ahead_of_its_next_attempt() {
    let mut world = World::bound(settings(), 100);
    world.accepted(text("a"));
    let (link, token, _) = world.sent().pop().expect("an attempt");
    world.say(link, token, Word::Answered(Status::RSYSERR), "");
    world.run();
    let mut fetched_at = None;
    for tenth in 1..=300 {
        world.now = world.now.after(Duration::from_millis(100));
        world.turn();
        fetched_at = fetched_at.or((!world.fetches.is_empty()).then_some(tenth));
        world.read_back();
        if !world.dispatches.is_empty() {
            let ahead = tenth - fetched_at.expect("it was parked");
            assert!((9..=11).contains(&ahead), "{ahead} tenths of a second");
            return;
        }
    }
    panic!("no second attempt");
}

/// However many are due soon, memory has its bound.
#[test]
fn no_more_bodies_are_read_ahead_than_may_be_at_hand() {
    let settings = settings();
    let limits = enroute::hub::Limits { bodies: 20, ..settings.limits };
    let mut world = World::bound(Settings { limits, ..settings }, 100);
    world.schedule(50, b"000000001000000R");
    world.pass_ms(598_900);
    world.now = world.now.after(Duration::from_millis(100));

    world.turn();

    assert!((1..=20).contains(&world.fetches.len()), "{}", world.fetches.len());
    world.pass_ms(1000);
    assert_eq!(world.sent_texts().len(), 50);
}

/// From due to the link, once for each time that it was put off.
#[test]
fn lateness_is_recorded_for_what_was_put_off_and_for_nothing_else() {
    let mut world = World::bound(settings(), 10);
    let late = |world: &World| world.count(|stats| stats.lateness.count());
    world.accepted(text("at once"));
    assert_eq!(late(&world), 0);
    world.schedule(1, b"000000001000000R");
    world.pass(secs(600));
    assert_eq!(late(&world), 1);

    // A link that is lost makes nobody due again.
    let lost = world.sent().iter().map(|(_, token, _)| *token).collect();
    world.inbox.push(Event::LinkClosed { session: LINK, lost });
    world.bind_link(OTHER_LINK, 10);
    world.run();
    assert_eq!((world.dispatches.len(), late(&world)), (2, 1));

    for (link, token, _) in world.sent() {
        world.say(link, token, Word::Answered(Status::RSYSERR), "");
    }
    world.run();
    world.pass(secs(30));
    assert_eq!((world.sent().len(), late(&world)), (2, 3));
}

#[test]
fn bulk_that_was_paused_past_its_time_is_late_from_its_resumption_on() {
    let mut world = World::bound(with_bulks(settings()), 10);
    let hour = Text { schedule: b"000000010000000R", ..text("a") };
    world.submit_to("spring", &[hour]);
    world.run();
    world.bulk("spring", Ask::Pause).expect("it waits");
    world.pass(secs(2 * 3600));
    assert_eq!(world.sent().len(), 0);

    world.bulk("spring", Ask::Resume).expect("it is paused");
    world.run();

    assert_eq!(world.sent().len(), 1);
    let mut expected = Buckets::default();
    expected.record(Duration::ZERO);
    let recorded: Vec<_> =
        world.stats.iter().map(|stats| stats.lateness).filter(|one| one.count() > 0).collect();
    assert_eq!(recorded, [expected]);
}
