//! What bounds the hub, and what it does at its bounds.

mod world;

use bytes::BytesMut;
use enroute::carrier::Verdict as Word;
use enroute::codec::{Command, MessageState, Status};
use enroute::esme::{Intake, Request, Verdict};
use enroute::hub::{Event, Limits};
use enroute::id::CarrierId;
use enroute::route;
use world::*;

/// Field bug R4: over a bound the answer is ESME_RMSGQFUL, and nothing is dropped.
#[test]
fn limits_of_account_and_hub_answer_queue_full() {
    let mut by_account = settings();
    by_account.accounts[0].queue_max = 2;
    let mut by_hub = settings();
    by_hub.limits.messages = 2;
    for settings in [by_account, by_hub] {
        let mut world = World::bound(settings, 10);
        world.submit(&["a", "b", "c"].map(text));
        world.run();

        world.answers.sort_by_key(|(_, answer)| answer.sequence);
        assert_eq!(world.outcomes(), [Status::ROK, Status::ROK, Status::RMSGQFUL]);
        assert_eq!(world.sent_texts(), ["a", "b"]);
    }
}

/// Reliability P6, X10: what would be too much is refused, nothing that is here is dropped, and there is room again when it is gone.
#[test]
fn memory_runs_out_for_what_comes_in_alone() {
    const LIMIT: u64 = 256 << 10;
    let mut settings = settings();
    settings.limits.memory_octets = LIMIT;
    settings.limits.final_states = 0;
    let mut world = World::bound(settings, 10);
    let long = "x".repeat(150);
    for _round in 0..2 {
        let (mut accepted, mut refused, mut most) = (0, 0, 0);
        for _ in 0..100 {
            world.submit(&[text(&long); 50]);
            world.run();
            most = most.max(world.hub.gauges().memory);
            for status in world.outcomes() {
                match status {
                    Status::ROK => accepted += 1,
                    status => {
                        assert_eq!(status, Status::RMSGQFUL);
                        refused += 1;
                    }
                }
            }
        }
        assert!(accepted > 500 && refused > 0, "{accepted} accepted, {refused} refused");
        assert!(most > LIMIT / 2 && most <= LIMIT + 50 * 512, "{most} of {LIMIT}");
        assert!(world.count(|stats| stats.crowded) >= refused);

        let mut taken = 0;
        for _ in 0..10_000 {
            for (session, token, _) in world.sent() {
                taken += 1;
                world.say(session, token, Word::Answered(Status::RINVDSTADR), "");
            }
            for delivered in std::mem::take(&mut world.delivered) {
                world.verdict(delivered.session, delivered.token, Verdict::Taken);
            }
            world.run();
            if world.hub.gauges().messages == 0 {
                break;
            }
        }
        assert_eq!(taken, accepted, "all that was accepted went out");
    }
}

/// One octet of a large read must not keep all of it: what little is kept of one is copied.
#[test]
fn small_body_does_not_pin_the_read_that_it_came_in() {
    let mut world = World::bound(settings(), 10);
    let body = text("small").body();
    let mut batch = BytesMut::from(&body[..]);
    batch.extend_from_slice(&[0; 256 << 10]);
    let batch = batch.freeze();
    let request = Request { command: Command::SUBMIT_SM, sequence: 1, body: 0..body.len() as u32 };
    let intake = Intake { batch: batch.clone(), requests: vec![request], verdicts: Vec::new() };

    world.inbox.push(Event::PortIntake { session: PORT, intake });
    world.run();

    assert_eq!(world.dispatches.len(), 1);
    assert!(batch.is_unique(), "somebody holds on to it");
}

#[test]
fn destination_without_a_route_is_refused() {
    let mut settings = settings();
    settings.routes = route::Routes::by_prefix([("44", CarrierId(0))], None).expect("sound").into();
    let mut world = World::bound(settings, 10);

    world.submit(&[Text { destination: "4917012345", ..text("a") }]);
    world.run();

    assert_eq!(world.outcomes(), [Status::RINVDSTADR]);
}

/// Field bug R2.
#[test]
fn read_only_hub_refuses_submissions_and_recovers() {
    let mut world = World::bound(settings(), 10);
    let id = world.taken(text("before"), "77");

    world.inbox.push(Event::ReadOnly);
    world.submit(&[text("a")]);
    world.receipt(LINK, 1, "77", MessageState::Delivered);
    world.run();
    assert_eq!(world.outcomes(), [Status::RSYSERR]);
    assert_eq!(world.delivered.pop().expect("what it holds is delivered").id, id);
    world.inbox.push(Event::Writable);
    world.submit(&[text("b")]);
    world.run();

    assert_eq!((world.outcomes(), world.sent_texts()), (vec![Status::ROK], vec!["b".to_owned()]));
}

/// Reliability P8: what is left of a full disk belongs to what was accepted before.
#[test]
fn hub_on_a_full_disk_refuses_submissions_and_goes_on_with_what_it_has() {
    let mut world = World::bound(settings(), 1);
    world.submit(&["a", "b"].map(text));
    world.run();

    world.inbox.push(Event::Full);
    world.submit(&[text("c")]);
    world.run();
    assert_eq!(world.answers.pop().expect("an answer").1.outcome, Err(Status::RMSGQFUL));
    for (session, token, said) in world.sent() {
        world.say(session, token, Word::Answered(Status::ROK), &said);
    }
    world.run();
    assert_eq!(world.sent_texts(), ["b"]);
    world.inbox.push(Event::Roomy);
    world.submit(&[text("d")]);
    world.run();

    assert_eq!(world.outcomes(), [Status::ROK; 3]);
}

#[test]
fn parked_bodies_are_read_back_when_the_carrier_comes() {
    let mut world = World::new(settings());
    world.bind_port(PORT);
    let texts: Vec<String> = (0..2000).map(|number| format!("text {number}")).collect();
    world.submit(&texts.iter().map(|known| text(known)).collect::<Vec<_>>());
    world.run();
    world.pass(secs(10));
    assert_eq!(world.hub.gauges().bodies, 0);

    world.bind_link(LINK, 5000);
    world.run();

    assert_eq!(world.sent_texts(), texts);
}

/// A body that was asked for where compaction has just taken it from is looked for again, not given up.
#[test]
fn fetch_that_compaction_overtakes_is_asked_again() {
    let mut settings = settings();
    settings.compaction.slack_octets = 0;
    let spool = enroute::spool::Settings { segment_octets: 16 << 10, frame_octets: 1 << 10, spares: 0 };
    let mut world = World::open(settings, spool, enroute::spool::MemoryDisk::new(1), start());
    world.bind_port(PORT);
    world.submit(&[text("parked")]);
    world.run();
    world.pass(secs(10));
    world.bind_link(LINK, 1);
    world.turn();
    let asked = world.fetches.pop().expect("the parked body");

    let filler = "x".repeat(200);
    for _ in 0..40 {
        if world.reader.read(asked.locator).is_err() {
            break;
        }
        world.submit(&[Text { validity: b"000000000001000R", registered: 0, ..text(&filler) }; 20]);
        world.pass(secs(2));
    }
    assert!(world.reader.read(asked.locator).is_err(), "never compacted");
    world.inbox.push(Event::Fetched(vec![enroute::hub::Fetched { token: asked.token, body: None }]));
    world.run();

    assert_eq!(world.sent_texts(), ["parked"]);
}

/// What waits behind a message whose body is on its way goes on when that message expires meanwhile.
#[test]
fn queue_goes_on_when_its_first_message_expires_while_its_body_is_read_back() {
    for registered in [0, 1] {
        let mut world = World::new(settings());
        world.bind_port(PORT);
        world.submit(&[Text { validity: b"000000000020000R", registered, ..text("expires") }]);
        world.run();
        world.pass(secs(19));
        world.bind_link(LINK, 10);
        world.turn();
        let asked = world.fetches.pop().expect("the parked body");
        world.submit(&[text("behind")]);
        world.run();

        world.pass(secs(1));
        world.fetches.push(asked);
        world.read_back();
        world.run();

        assert_eq!(world.sent_texts(), ["behind"]);
    }
}

/// The same where a late answer takes the first message out of the queue.
#[test]
fn queue_goes_on_when_a_late_answer_takes_its_first_message_while_its_body_is_read_back() {
    let mut world = World::bound(settings(), 1);
    world.submit(&[text("late")]);
    world.run();
    let (_, token, _) = world.sent().pop().expect("a dispatch");
    world.say(LINK, token, Word::Unanswered, "");
    world.submit(&[text("first")]);
    world.run(); // "first" uses the link up
    assert_eq!(world.sent_texts(), ["first"]);
    world.pass(secs(30)); // "late" is queued again, parked, and asked for
    world.bind_link(OTHER_LINK, 1);
    world.turn();
    let asked = world.fetches.pop().expect("the parked body");
    world.submit(&[text("behind")]);
    world.run();
    assert_eq!(world.sent_texts(), [""; 0]);

    world.say(LINK, token, Word::Late(Status::ROK), "77");
    world.run();
    world.fetches.push(asked);
    world.read_back();
    world.run();

    assert_eq!(world.sent_texts(), ["behind"]);
}

#[test]
fn long_queue_of_a_dead_carrier_keeps_few_bodies_in_memory() {
    let mut settings = settings();
    settings.limits = Limits { bodies: 1000, ..settings.limits };
    let mut world = World::new(settings);
    world.bind_port(PORT);

    for round in 0..20 {
        let texts: Vec<String> = (0..500).map(|number| format!("{round} {number}")).collect();
        world.submit(&texts.iter().map(|known| text(known)).collect::<Vec<_>>());
        world.run();
    }

    assert_eq!(world.hub.gauges().messages, 10_000);
    assert!(world.hub.gauges().bodies <= 1000);
}

/// The account hears that its message has nowhere to go; another carrier does not get it by accident.
#[test]
fn message_whose_route_was_removed_before_a_restart_is_rejected() {
    let mut world = World::new(settings());
    world.bind_port(PORT);
    world.submit(&[text("a")]);
    world.run();
    assert_eq!(world.outcomes(), [Status::ROK]);

    world.settings.routes = route::Routes::none().into();
    let mut world = world.crash(&mut || true);
    world.bind_port(PORT);
    world.bind_link(LINK, 10);
    world.run();

    assert_eq!(world.states(), [MessageState::Rejected]);
    assert!(world.sent_texts().is_empty());
}
