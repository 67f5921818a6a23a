//! Long texts on their way to carriers that want them in parts, or whole.

mod world;

use bytes::BytesMut;
use enroute::codec::{Address, Command, MessageState, Reading, Sm, Status};
use enroute::conversion::{Long, part_of};
use enroute::hub::{Overdue, PartReceipts};
use enroute::id::SessionId;
use std::time::Duration;
use world::*;

/// A submit_sm with this much text in its message_payload.
fn long(octets: usize, registered_delivery: u8) -> BytesMut {
    long_text(octets, Sm { registered_delivery, ..Sm::default() })
}

/// One part of a text, as a submit_sm with a user data header.
fn part(reference: u8, total: u8, number: u8, text: &[u8]) -> BytesMut {
    let mut body = BytesMut::new();
    let user_data = [&[5, 0, 3, reference, total, number], text].concat();
    Sm {
        source: SOURCE,
        destination: DESTINATION,
        esm_class: 0x40,
        registered_delivery: 1,
        short_message: &user_data,
        ..Sm::default()
    }
    .encode_body(&mut body);
    body
}

fn submit(world: &mut World, body: &[u8]) -> String {
    world.ask(Command::SUBMIT_SM, |out| out.extend_from_slice(body));
    let (_, answer) = world.answers.pop().expect("an answer");
    world.name(answer.outcome.expect("accepted"))
}

/// Numbers and texts of the parts that went out, in that order.
fn parts(world: &World) -> Vec<(u8, usize)> {
    let part = |body: &[u8]| {
        let sm = Sm::decode(body, Reading::Strict).expect("a submit_sm");
        let header = sm.udh().map_or(0, |udh| udh.len() + 1);
        (part_of(&sm).map_or(0, |part| part.number), sm.text().len() - header)
    };
    world.dispatches.iter().map(|(_, dispatch)| part(&dispatch.body)).collect()
}

/// Field bugs T12, R14: in parts, in order, over one link.
#[test]
fn long_text_is_divided_and_its_parts_go_over_one_link_in_order() {
    for (wanted, sizes) in
        [(Long::Udh8, [153, 153, 94]), (Long::Udh16, [152, 152, 96]), (Long::Sar, [153, 153, 94])]
    {
        let mut world = World::bound(carrier_that_wants(wanted, PartReceipts::Worst), 10);
        world.bind_link(OTHER_LINK, 10);
        world.run();

        submit(&mut world, &long(400, 1));

        assert_eq!(parts(&world), [(1, sizes[0]), (2, sizes[1]), (3, sizes[2])], "{wanted:?}");
        let first = world.dispatches[0].0;
        assert!(world.dispatches.iter().all(|(session, _)| *session == first));
        assert_eq!(world.count(|stats| stats.segments), 3);
    }
}

/// One of two links is full and says nothing: parts that should take it hold the others up for seconds, not until it is given up.
#[test]
fn parts_that_wait_for_a_silent_link_take_another() {
    let mut world = World::bound(carrier_that_wants(Long::Udh8, PartReceipts::Worst), 1);
    world.bind_link(OTHER_LINK, 1);
    world.run();
    world.submit(&[text("never answered")]);
    world.run();
    let silent = world.sent().pop().expect("a dispatch").0;
    let numbers: Vec<String> = (0..20).map(|number| format!("4477009001{number:02}")).collect();
    for number in &numbers {
        let destination = Address { addr: number.as_bytes(), ..DESTINATION };
        submit(&mut world, &long_text(300, Sm { destination, ..Sm::default() }));
    }

    let (mut sent, mut waited) = (0, Duration::ZERO);
    while sent < 2 * numbers.len() && waited <= secs(4) {
        let moved = answer_all(&mut world, silent);
        sent += moved;
        if moved == 0 {
            let wait =
                world.hub.next_timeout().expect("parts wait").saturating_duration_since(world.now.mono);
            let wait = wait.max(Duration::from_millis(1));
            waited += wait;
            world.pass(wait);
        }
    }

    assert_eq!(sent, 2 * numbers.len(), "parts that went out after {waited:?}");
}

/// Takes what is out on all links but one; gives how many that were.
fn answer_all(world: &mut World, silent: SessionId) -> usize {
    world.run();
    let sent = world.sent();
    for (session, token, _) in &sent {
        assert_ne!(*session, silent, "it has no room");
        world.say(*session, *token, enroute::carrier::Verdict::Answered(Status::ROK), "");
    }
    world.run();
    sent.len()
}

#[test]
fn text_of_one_part_is_not_divided_and_nothing_is_where_the_carrier_takes_all() {
    let mut world = World::bound(carrier_that_wants(Long::Udh8, PartReceipts::Worst), 10);
    submit(&mut world, &long(160, 1));
    assert_eq!(parts(&world), [(0, 160)]);

    let mut world = World::bound(settings(), 10);
    submit(&mut world, &long(400, 1));
    assert_eq!(parts(&world), [(0, 400)]);
}

/// Field bug D7.
#[test]
fn receipt_for_a_divided_text_follows_the_accounts_wish() {
    use MessageState::{Delivered, Undeliverable};
    for (wish, expected) in [
        (PartReceipts::Worst, vec![Undeliverable]),
        (PartReceipts::Last, vec![Delivered]),
        (PartReceipts::Each, vec![Undeliverable, Delivered, Delivered]),
    ] {
        let mut world = World::bound(carrier_that_wants(Long::Udh8, wish), 10);
        let id = submit(&mut world, &long(400, 1));
        world.take_all("c");

        for (carrier_id, state) in [("c1", Undeliverable), ("c0", Delivered), ("c2", Delivered)] {
            world.pass(secs(1));
            world.ended(carrier_id, state);
        }

        assert!(world.delivered.iter().all(|receipt| receipt.id == id));
        assert_eq!(world.states(), expected, "{wish:?}");
        assert_eq!(world.query(&id).map(|(state, _)| state), Ok(expected[0].octet()));
    }
}

#[test]
fn divided_text_without_a_wish_for_receipts_ends_without_a_trace() {
    let mut world = World::bound(carrier_that_wants(Long::Udh8, PartReceipts::Each), 10);
    submit(&mut world, &long(400, 0));
    world.take_all("c");

    for id in ["c0", "c1", "c2"] {
        world.ended(id, MessageState::Delivered);
    }

    assert_eq!(world.states(), []);
    assert_eq!(world.hub.gauges().messages, 0);
}

#[test]
fn part_that_fails_for_good_fails_the_text() {
    let mut world = World::bound(carrier_that_wants(Long::Udh8, PartReceipts::Worst), 10);
    submit(&mut world, &long(300, 1));
    let sent = world.sent();
    world.say(LINK, sent[0].1, enroute::carrier::Verdict::Answered(Status::ROK), "c0");
    world.say(LINK, sent[1].1, enroute::carrier::Verdict::Answered(Status::RINVDSTADR), "");
    world.run();
    assert_eq!(world.states(), []);

    world.ended("c0", MessageState::Delivered);

    assert_eq!(world.states(), [MessageState::Rejected]);
    assert_eq!(world.hub.gauges().messages, 1, "the receipt is still on its way");
}

/// A crash at every step between submission and receipt.
#[test]
fn divided_text_survives_a_crash_at_every_step() {
    for wish in [PartReceipts::Worst, PartReceipts::Last, PartReceipts::Each] {
        for step in 0..5 {
            let mut world = World::bound(carrier_that_wants(Long::Udh16, wish), 10);
            let id = submit(&mut world, &long(300, 1));
            if step > 0 {
                world.take_all("c");
            }
            for (place, carrier_id) in ["c0", "c1"].into_iter().enumerate() {
                if step > place + 1 {
                    world.ended(carrier_id, MessageState::Delivered);
                }
            }
            world.delivered.clear();

            let mut world = world.crash(&mut || step % 2 == 0);
            world.bind_port(PORT);
            world.bind_link(LINK, 10);
            world.run();
            let again = world.take_all("d").len();
            assert_eq!(again, if step == 0 { 2 } else { 0 }, "{wish:?} {step}");
            for carrier_id in ["c0", "c1", "d0", "d1"] {
                world.ended(carrier_id, MessageState::Delivered);
            }

            assert!(world.delivered.iter().all(|receipt| receipt.id == id), "{wish:?} {step}");
            let expected = if wish == PartReceipts::Each { 2 } else { 1 };
            assert_eq!(world.states().len(), expected, "{wish:?} {step}");
        }
    }
}

/// Field bug T6: in any order, whole when complete.
#[test]
fn parts_are_joined_for_a_carrier_that_wants_texts_whole() {
    let mut world = World::bound(carrier_that_wants(Long::Payload, PartReceipts::Worst), 10);
    let ids: Vec<_> = [(2, "world"), (3, "!"), (1, "hello ")]
        .into_iter()
        .map(|(number, text)| submit(&mut world, &part(7, 3, number, text.as_bytes())))
        .collect();

    let (_, dispatch) = &world.dispatches[0];
    let sm = Sm::decode(&dispatch.body, Reading::Strict).expect("a submit_sm");
    assert_eq!((sm.text(), sm.esm_class & 0x40), (&b"hello world!"[..], 0));
    assert_eq!(world.take_all("c").len(), 1);
    world.ended("c0", MessageState::Delivered);

    let mut told: Vec<_> = world.delivered.drain(..).map(|receipt| receipt.id).collect();
    told.sort();
    let mut expected = ids.clone();
    expected.sort();
    assert_eq!(told, expected, "each part has its own receipt");
    assert_eq!(world.query(&ids[0]).map(|(state, _)| state), Ok(2));
}

#[test]
fn joined_text_survives_a_crash_at_every_step() {
    for step in 0..4 {
        let mut world = World::bound(carrier_that_wants(Long::Payload, PartReceipts::Worst), 10);
        submit(&mut world, &part(7, 2, 1, b"hello "));
        if step > 0 {
            submit(&mut world, &part(7, 2, 2, b"world"));
        }
        if step > 1 {
            world.take_all("c");
        }
        if step > 2 {
            world.ended("c0", MessageState::Delivered);
        }
        world.delivered.clear();

        let mut world = world.crash(&mut || step % 2 == 0);
        world.bind_port(PORT);
        world.bind_link(LINK, 10);
        world.run();
        if step == 0 {
            submit(&mut world, &part(7, 2, 2, b"world"));
        }
        assert_eq!(world.take_all("d").len(), usize::from(step < 2), "{step}");
        for id in ["c0", "d0"] {
            world.ended(id, MessageState::Delivered);
        }

        assert_eq!(world.states(), [MessageState::Delivered; 2], "{step}");
    }
}

/// Field bug T6: one is missing.
#[test]
fn parts_whose_others_never_come_go_as_they_are_or_fail() {
    for overdue in [Overdue::Send, Overdue::Fail] {
        let mut settings = carrier_that_wants(Long::Payload, PartReceipts::Worst);
        settings.limits.overdue_parts = overdue;
        let mut world = World::bound(settings, 10);
        submit(&mut world, &part(7, 2, 1, b"alone"));
        assert_eq!(parts(&world), []);

        world.pass(secs(601));

        match overdue {
            Overdue::Send => assert_eq!(parts(&world), [(1, 5)]),
            Overdue::Fail => assert_eq!(world.states(), [MessageState::Rejected]),
        }
    }
}

#[test]
fn part_that_is_cancelled_lets_the_others_go() {
    let mut world = World::bound(carrier_that_wants(Long::Payload, PartReceipts::Worst), 10);
    let first = submit(&mut world, &part(7, 2, 1, b"hello "));
    assert_eq!(world.cancel(&first), Status::ROK);

    submit(&mut world, &part(7, 2, 2, b"world"));

    assert_eq!(parts(&world), [(2, 5)]);
}

#[test]
fn text_longer_than_255_parts_is_refused_at_once() {
    let mut world = World::bound(carrier_that_wants(Long::Udh8, PartReceipts::Worst), 10);

    world.ask(Command::SUBMIT_SM, |out| out.extend_from_slice(&long(40_000, 1)));

    assert_eq!(world.status(), Status::RINVMSGLEN);
}

/// Compaction carries kin along with what ties them.
#[test]
fn divided_and_joined_texts_survive_compaction() {
    let mut settings = carrier_that_wants(Long::Udh8, PartReceipts::Worst);
    settings.compaction.slack_octets = 1 << 10;
    let mut world = World::open(
        settings,
        enroute::spool::Settings { segment_octets: 64 << 10, frame_octets: 4096, spares: 0 },
        enroute::spool::MemoryDisk::new(7),
        start(),
    );
    world.bind_port(PORT);
    world.bind_link(LINK, 100);
    world.run();
    let id = submit(&mut world, &long(400, 1));
    world.take_all("kept");

    for round in 0..40 {
        world.submit(&[Text { registered: 0, ..text(&"x".repeat(200)) }; 20]);
        world.run();
        world.take_all(&format!("r{round}-"));
        for place in 0..20 {
            world.ended(&format!("r{round}-{place}"), MessageState::Delivered);
        }
    }
    assert!(world.compacted > 0, "nothing was compacted");
    let mut world = world.crash(&mut || false);
    world.bind_port(PORT);
    world.bind_link(LINK, 10);
    world.run();
    assert_eq!(world.take_all("again").len(), 0);
    for carrier_id in ["kept0", "kept1", "kept2"] {
        world.ended(carrier_id, MessageState::Delivered);
    }

    assert_eq!(world.delivered.iter().map(|receipt| &receipt.id).collect::<Vec<_>>(), [&id]);
}
