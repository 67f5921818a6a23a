//! Attempts that failed are made again by a ladder for each kind of failure, and never after the validity.

mod world;

use enroute::carrier::Verdict as Word;
use enroute::codec::{MessageState, Status};
use enroute::hub::Settings;
use enroute::schedule::{Ladder, Retry};
use world::*;

/// A ladder of these waits to the second, with so many attempts.
fn ladder(delays: &[u64], attempts: u8) -> Ladder {
    Ladder { attempts, jitter: 0.0, ..Ladder::of_seconds(delays) }
}

fn with(retry: Retry) -> Settings {
    Settings { retry, ..settings() }
}

fn ladders() -> Retry {
    Retry {
        transient: ladder(&[10, 20], 0),
        queue_full: ladder(&[100, 50], 3),
        unknown: ladder(&[5], 2),
        unanswered: ladder(&[7, 8, 9], 4),
        throttle: ladder(&[2, 30], 0),
    }
}

/// How the carrier fails an attempt.
fn failed(status: Status) -> Word {
    Word::Answered(status)
}

impl World {
    /// The carrier fails each attempt alike; gives the seconds between them, no more than `count`, until there is none for a day.
    fn waits(&mut self, word: Word, count: usize) -> Vec<u64> {
        let mut waits = Vec::new();
        for _ in 0..count {
            let (link, token, _) = self.sent().pop().expect("an attempt");
            self.say(link, token, word, "");
            self.run();
            let Some(wait) = (1..86_400).find(|_| {
                self.pass(secs(1));
                !self.dispatches.is_empty()
            }) else {
                return waits;
            };
            waits.push(wait);
        }
        waits
    }
}

#[test]
fn each_kind_of_failure_has_its_own_waits_and_the_last_one_goes_on() {
    for (word, expected) in [
        (failed(Status::RSYSERR), [10, 20, 20, 20]),
        (failed(Status(0x64)), [10, 20, 20, 20]),
        (failed(Status::RTHROTTLED), [2, 30, 30, 30]),
    ] {
        let mut world = World::bound(with(ladders()), 10);
        world.accepted(text("a"));

        assert_eq!(world.waits(word, 4), expected, "{word:?}");
        assert_eq!(world.states(), []);
    }
}

/// The message ends as its last attempt did.
#[test]
fn message_whose_attempts_are_used_up_ends_with_that_status() {
    for (word, expected, state, error) in [
        (failed(Status::RMSGQFUL), &[100, 50][..], MessageState::Rejected, 0x14),
        (failed(Status::RUNKNOWNERR), &[5], MessageState::Rejected, 0xFF),
        (Word::Unanswered, &[7, 8, 9], MessageState::Unknown, 0),
    ] {
        let mut world = World::bound(with(ladders()), 10);
        let id = world.accepted(text("a"));

        assert_eq!(world.waits(word, 10), expected, "{word:?}");

        assert_eq!(world.states(), [state]);
        assert_eq!(world.query(&id).map(|(_, error)| error), Ok(error));
    }
}

/// Attempts are counted together, each failure looks at its own ladder; and a crash in between changes neither.
#[test]
fn attempts_are_counted_across_kinds_and_crashes() {
    let mut world = World::bound(with(ladders()), 10);
    world.accepted(text("a"));
    assert_eq!(world.waits(failed(Status::RSYSERR), 1), [10]);
    assert_eq!(world.waits(failed(Status::RMSGQFUL), 1), [50]);
    let (link, token, _) = world.sent().pop().expect("an attempt");
    world.say(link, token, failed(Status::RSYSERR), "");
    world.run();

    let mut world = world.crash(&mut || false);
    world.bind_port(PORT);
    world.bind_link(LINK, 10);
    world.pass(secs(19));
    assert_eq!(world.dispatches.len(), 0);
    world.pass(secs(1));
    let (link, token, _) = world.sent().pop().expect("the fourth attempt");
    world.say(link, token, Word::Unanswered, "");
    world.run();

    // Four attempts are all that silence is worth.
    assert_eq!(world.states(), [MessageState::Unknown]);
}

#[test]
fn no_attempt_outlives_the_validity() {
    let retry = Retry { transient: ladder(&[1000], 0), ..Retry::default() };
    let mut world = World::bound(with(retry), 10);
    world.accepted(Text { validity: b"000000000500000R", ..text("a") });
    let (link, token, _) = world.sent().pop().expect("an attempt");
    world.say(link, token, failed(Status::RSYSERR), "");
    world.run();

    world.pass(secs(299));
    assert_eq!(world.states(), []);
    world.pass(secs(1));
    assert_eq!(world.states(), [MessageState::Expired]);
    world.pass(secs(10_000));

    assert_eq!((world.sent_texts(), world.states()), (vec![], vec![]));
}

/// What failed together comes back apart, and the same each time that the same is replayed.
#[test]
fn jitter_spreads_and_repeats() {
    let waits = || {
        let retry = Retry { transient: Ladder::of_seconds(&[100]), ..Retry::default() };
        let mut world = World::bound(with(retry), 100);
        world.submit(&[text("a"); 50]);
        world.run();
        for (link, token, _) in world.sent() {
            world.say(link, token, failed(Status::RSYSERR), "");
        }
        world.run();
        let mut back = Vec::new();
        for second in 1..=100 {
            world.pass(secs(1));
            back.extend(world.sent().iter().map(|_| second));
        }
        back
    };

    let (first, second) = (waits(), waits());

    assert_eq!((first.len(), &first), (50, &second));
    assert!(first.iter().all(|wait| (75..=100).contains(wait)), "{first:?}");
    assert!(first[49] - first[0] > 15, "{first:?}");
}

/// Fact sheet 4, class H: a throttle is no attempt, and the ladder begins anew once the carrier takes something.
#[test]
fn throttled_carrier_rests_longer_each_time_until_it_takes_a_message() {
    let retry = Retry { transient: ladder(&[10], 2), ..ladders() };
    let mut world = World::bound(with(retry), 10);
    world.accepted(text("a"));
    assert_eq!(world.waits(failed(Status::RTHROTTLED), 3), [2, 30, 30]);
    assert_eq!(world.waits(failed(Status::RSYSERR), 1), [10]);

    world.take_all("a");
    world.accepted(text("b"));

    assert_eq!(world.waits(failed(Status::RTHROTTLED), 2), [2, 30]);
}
