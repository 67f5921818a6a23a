//! How long messages are worth sending, and how they end when that is over, by where they are then.

mod world;

use enroute::admission::Rules;
use enroute::bulk::Ask;
use enroute::carrier::Verdict as Word;
use enroute::codec::{Command, MessageState, Reading, ReplaceSm, Sm, SmppTime, Status, read_time};
use enroute::esme::Account;
use enroute::hub::{AccountPlan, Event, Settings, Stage, Unreceipted};
use enroute::id::AccountId;
use world::*;

const FIVE_MINUTES: &[u8] = b"000000000500000R";

fn five_minutes(name: &str) -> Text<'_> {
    Text { validity: FIVE_MINUTES, ..text(name) }
}

impl World {
    /// How many messages' validity ended at each stage.
    fn stages(&self) -> [u64; 5] {
        std::array::from_fn(|place| self.count(|stats| stats.expired[place]))
    }

    /// Submits one text for five minutes that goes out at once; gives its id and the token of its dispatch.
    fn out(&mut self) -> (String, u64) {
        let id = self.accepted(five_minutes("a"));
        let (.., token, _) = self.sent().pop().expect("a dispatch");
        (id, token)
    }

    /// How the one message ended, with the error that its account hears; and that it ended once, and went out no more.
    fn end(&mut self, id: &str) -> (MessageState, u8) {
        self.pass(secs(3 * 24 * 3600));
        let states = self.states();
        assert_eq!((states.len(), self.sent_texts()), (1, vec![]), "{states:?}");
        let settled: u64 = (0..10).map(|state| self.count(|stats| stats.settled[state])).sum();
        assert_eq!(settled, 1);
        (states[0], self.query(id).expect("known").1)
    }
}

fn only(stage: Stage) -> [u64; 5] {
    std::array::from_fn(|place| u64::from(place == stage as usize))
}

fn patient(unreceipted: Unreceipted) -> Settings {
    let mut settings = settings();
    settings.limits.unreceipted = unreceipted;
    settings.limits.receipt_retention = secs(30 * 24 * 3600);
    settings
}

fn world() -> World {
    World::bound(patient(Unreceipted::Unknown), 10)
}

#[test]
fn accounts_have_their_own_default_and_longest_validity_and_clamping_is_counted_for_each() {
    let mut settings = settings();
    let own = Rules { default_validity: secs(300), max_validity: secs(600), ..settings.rules };
    let passwords = AccountPlan { rules: Some(own), ..AccountPlan::new(Account::new("otp", "secret")) };
    settings.accounts.push(passwords);
    let mut world = World::bound(settings, 10);
    world.bind_as(OTHER_LINK, AccountId(1), enroute::codec::Version::V34);
    let hour = Text { validity: b"000000010000000R", ..text("hour") };

    for (port, text) in [(PORT, text("plain")), (PORT, hour), (OTHER_LINK, text("plain")), (OTHER_LINK, hour)]
    {
        let body = text.body();
        world.ask_from(port, Command::SUBMIT_SM, |out| out.extend_from_slice(&body));
    }

    let left: Vec<u64> = world.dispatches.iter().map(|(_, dispatch)| dispatch.left.as_secs()).collect();
    assert_eq!(left, [48 * 3600, 3600, 300, 600]);
    let clamped: Vec<_> = world.stats.iter().flat_map(|stats| stats.clamped.clone()).collect();
    assert_eq!(clamped, [(AccountId(1), 1)]);
}

/// Down for longer than the schedule and the validity.
#[test]
fn message_whose_schedule_and_validity_passed_expires_as_scheduled() {
    let mut settings = patient(Unreceipted::Unknown);
    settings.caution.step = secs(365 * 24 * 3600);
    let mut world = World::bound(settings, 10);
    let id =
        world.accepted(Text { schedule: b"000000010000000R", validity: b"000000020000000R", ..text("a") });

    assert_eq!(world.end(&id), (MessageState::Expired, 0));
    assert_eq!(world.stages(), only(Stage::Scheduled));
}

#[test]
fn queued_message_expires_when_its_validity_ends() {
    let mut world = World::new(patient(Unreceipted::Unknown));
    world.bind_port(PORT);
    let id = world.accepted(five_minutes("a"));

    world.pass(secs(299));
    assert_eq!(world.stages(), [0; 5]);
    world.pass(secs(1));
    assert_eq!(world.stages(), only(Stage::Queued));
    world.bind_link(LINK, 10);

    assert_eq!(world.end(&id), (MessageState::Expired, 0));
}

#[test]
fn message_in_backoff_expires_with_the_error_of_its_last_attempt_even_after_a_crash() {
    for crashes in [false, true] {
        let mut world = world();
        let (id, token) = world.out();
        world.pass(secs(290));
        world.say(LINK, token, Word::Answered(Status::RMSGQFUL), "");
        world.run();
        if crashes {
            world = world.crash(&mut || false);
            world.bind_port(PORT);
            world.run();
        }

        world.pass(secs(9));
        assert_eq!(world.stages(), [0; 5]);
        world.pass(secs(1));

        assert_eq!(world.stages(), only(Stage::Backoff));
        assert_eq!(world.end(&id), (MessageState::Expired, 0x14), "{crashes}");
    }
}

/// In flight, its answer is waited for. A refusal after the end, whatever its class, is the reason beside EXPIRED.
#[test]
fn message_refused_after_its_validity_expires_with_that_error() {
    for status in [Status::RSYSERR, Status::RMSGQFUL, Status::RTHROTTLED, Status::RINVDSTADR] {
        let mut world = world();
        let (id, token) = world.out();
        world.pass(secs(301));
        assert_eq!(world.stages(), [0; 5]);

        world.say(LINK, token, Word::Answered(status), "");
        world.run();

        assert_eq!(world.stages(), only(Stage::InFlight));
        assert_eq!(world.end(&id), (MessageState::Expired, status.0 as u8));
    }
}

/// Nobody can say what became of it, and it is never sent again.
#[test]
fn message_without_an_answer_after_its_validity_ends_unknown() {
    for is_link_lost in [false, true] {
        let mut world = world();
        let (id, token) = world.out();
        world.pass(secs(301));

        match is_link_lost {
            true => {
                world.inbox.push(Event::LinkClosed { session: LINK, lost: vec![token] });
                world.bind_link(OTHER_LINK, 10);
            }
            false => world.say(LINK, token, Word::Unanswered, ""),
        }
        world.run();

        assert_eq!(world.stages(), only(Stage::InFlight));
        assert_eq!(world.count(|stats| stats.doubtful), 1);
        assert_eq!(world.end(&id), (MessageState::Unknown, 0));
    }
}

/// What never reached the carrier is not doubtful: it waited with us.
#[test]
fn message_whose_link_ended_before_it_left_expires_as_queued() {
    let mut world = world();
    let (id, _) = world.out();
    world.pass(secs(301));

    world.inbox.push(Event::LinkClosed { session: LINK, lost: Vec::new() });
    world.bind_link(OTHER_LINK, 10);
    world.run();

    assert_eq!(world.end(&id), (MessageState::Expired, 0));
    assert_eq!(world.stages(), only(Stage::Queued));
}

#[test]
fn message_taken_after_its_validity_awaits_its_receipt() {
    let mut world = world();
    let (id, token) = world.out();
    world.pass(secs(301));
    world.say(LINK, token, Word::Answered(Status::ROK), "77");
    world.run();
    world.pass(secs(3000));
    world.receipt(LINK, 1, "77", MessageState::Delivered);

    assert_eq!(world.end(&id), (MessageState::Delivered, 0));
    assert_eq!(world.stages(), [0; 5]);
}

/// Fact sheet 8.4: at validity plus grace, and not before; as the configuration says.
#[test]
fn message_whose_receipt_never_comes_ends_after_the_grace() {
    for (unreceipted, state) in
        [(Unreceipted::Unknown, MessageState::Unknown), (Unreceipted::Expired, MessageState::Expired)]
    {
        let mut world = World::bound(patient(unreceipted), 10);
        let id = world.taken(five_minutes("a"), "77");
        world.pass(secs(300 + 3599));
        assert_eq!(world.states(), []);
        world.pass(secs(1));
        assert_eq!(world.stages(), only(Stage::Awaiting));

        world.receipt(LINK, 1, "77", MessageState::Delivered); // too late: a final state never changes
        assert_eq!(world.end(&id), (state, 0));
    }
}

/// Fact sheet 5.6: a later final state replaces these; without one they are how it ends.
#[test]
fn accepted_and_unknown_are_final_only_when_nothing_better_comes_in_time() {
    for state in [MessageState::Accepted, MessageState::Unknown] {
        for is_delivered in [true, false] {
            let mut world = World::bound(patient(Unreceipted::Expired), 10);
            let id = world.taken(five_minutes("a"), "77");
            world.receipt(LINK, 1, "77", state);
            world.pass(secs(3000));
            assert_eq!(world.states(), []);

            if is_delivered {
                world.receipt(LINK, 2, "77", MessageState::Delivered);
            }

            let expected = if is_delivered { MessageState::Delivered } else { state };
            assert_eq!(world.end(&id), (expected, 0));
        }
    }
}

/// Whatever it waited, the carrier is told what is left.
#[test]
fn carrier_is_told_what_is_left_of_the_validity() {
    let mut world = World::new(settings());
    world.bind_port(PORT);
    world.accepted(five_minutes("a"));
    world.pass(secs(100));

    world.bind_link(LINK, 10);
    world.run();

    assert_eq!(world.dispatches[0].1.left, secs(200));
}

fn keeping_schedules() -> Settings {
    let mut settings = settings();
    settings.carriers[0].carrier.passes_schedule = true;
    settings
}

impl World {
    /// In how many seconds each text that went out is due, as far as its carrier could be told.
    fn told(&mut self) -> Vec<(String, u64)> {
        let dispatches: Vec<_> = self.dispatches.drain(..).collect();
        let now = self.now.wall;
        let due = |body: &[u8]| {
            let sm = Sm::decode(body, Reading::Strict).expect("legal");
            match read_time(sm.schedule_delivery_time, now).expect("legal") {
                Some(SmppTime::Absolute(at)) => at.since(now).as_secs(),
                Some(SmppTime::Relative(_)) => panic!("means another time whenever it is read"),
                None => 0,
            }
        };
        dispatches.iter().map(|(_, dispatch)| (said(dispatch), due(&dispatch.body))).collect()
    }
}

#[test]
fn carrier_that_keeps_schedules_gets_them_at_once_as_dates() {
    let mut world = World::bound(keeping_schedules(), 10);

    world.accepted(Text { schedule: b"000000010000000R", ..text("in an hour") });
    world.accepted(text("now"));

    assert_eq!(world.told(), [("in an hour".to_owned(), 3600), ("now".to_owned(), 0)]);
    world.inbox.push(Event::LinkClosed { session: LINK, lost: Vec::new() });
    world.pass(secs(600));
    world.bind_link(LINK, 10);
    world.run();
    assert_eq!(world.told(), [("in an hour".to_owned(), 3000), ("now".to_owned(), 0)]);
}

/// The carrier is another one after a restart, or was told otherwise: nothing goes out before its time.
#[test]
fn schedule_is_kept_here_again_when_its_carrier_keeps_none_any_more() {
    let mut world = World::new(keeping_schedules());
    world.bind_port(PORT);
    world.accepted(Text { schedule: b"000000010000000R", ..text("in an hour") });

    world.settings.carriers[0].carrier.passes_schedule = false;
    let mut world = world.crash(&mut || false);
    world.bind_link(LINK, 10);
    world.run();

    assert_eq!(world.sent_texts(), [""; 0]);
    world.pass(secs(3600));
    assert_eq!(world.sent_texts(), ["in an hour"]);
}

#[test]
fn replaced_message_keeps_or_changes_the_schedule_that_its_carrier_is_told() {
    for (schedule, due) in [(&b""[..], 3600), (b"000000020000000R", 7200)] {
        let mut world = World::new(keeping_schedules());
        world.bind_port(PORT);
        let id = world.accepted(Text { schedule: b"000000010000000R", ..text("old") });
        let replace = ReplaceSm {
            message_id: id.as_bytes(),
            source: SOURCE,
            schedule_delivery_time: schedule,
            short_message: b"new",
            ..ReplaceSm::default()
        };

        world.ask(Command::REPLACE_SM, |out| replace.encode_body(out));
        assert_eq!(world.status(), Status::ROK);
        world.bind_link(LINK, 10);
        world.run();

        assert_eq!(world.told(), [("new".to_owned(), due)]);
    }
}

/// Who moves a bulk moves its messages, so no carrier may keep a time of theirs.
#[test]
fn bulk_waits_here_even_for_a_carrier_that_keeps_schedules() {
    let mut world = World::bound(with_bulks(keeping_schedules()), 10);
    let hour = Text { schedule: b"000000010000000R", ..text("of a bulk") };
    world.submit_to("spring", &[hour, text("without a time")]);
    world.run();
    assert_eq!(world.told(), []);

    let at = world.now.wall.after(secs(600));
    world.bulk("spring", Ask::Schedule(at)).expect("it waits");
    world.pass(secs(600));

    assert_eq!(world.told(), [("of a bulk".to_owned(), 0), ("without a time".to_owned(), 0)]);
}
