//! Messages with several ways out: which carrier each gets, and what happens when that one refuses it, fails or says nothing.

mod world;

use enroute::carrier::Verdict as Word;
use enroute::codec::{Command, MessageState, Sm, Status};
use enroute::conversion::{Fallback, Long, Profile};
use enroute::correlation::{IdForm, IdForms};
use enroute::hub::{BreakerRules, CarrierStats};
use enroute::id::CarrierId;
use enroute::route::GroupKind;
use enroute::schedule::Ladder;
use enroute::text::Alphabet;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use world::ways::*;
use world::*;

/// Fact sheet 4, class R and B: not here, maybe there; nowhere else: final, with the last one's status.
#[test]
fn message_that_a_carrier_refuses_for_good_goes_on_to_the_next_at_once() {
    let mut world = World::with_links(with(GroupKind::Failover, 3), &[0, 1, 2]);
    let id = world.accepted(text("a"));

    let mut seen = Vec::new();
    for status in [Status::RINVDSTADR, Status::RINVTLVSTREAM, Status::RINVSRCADR] {
        let (place, token) = world.went_once();
        seen.push(place);
        world.carrier_refuses(place, token, status);
    }

    assert_eq!(seen, [0, 1, 2]);
    assert_eq!(world.states(), [MessageState::Rejected]);
    assert_eq!(world.query(&id).map(|(_, error)| error), Ok(Status::RINVSRCADR.0 as u8));
    assert_eq!(world.count(|stats| stats.deferred), 0);
    assert_eq!(world.count(|stats| stats.passed_on.iter().map(|(_, times)| times).sum()), 2);
}

#[test]
fn message_that_nobody_will_take_is_not_offered_to_others() {
    let mut world = World::with_links(with(GroupKind::Failover, 2), &[0, 1]);
    world.accepted(text("a"));
    let (place, token) = world.went_once();

    world.carrier_refuses(place, token, Status::RX_P_APPN);

    assert_eq!(world.states(), [MessageState::Rejected]);
    assert_eq!(world.went_where(), []);
}

/// A retry continues at the next candidate, and after the last one at the first again; one that refused for good is not asked again.
#[test]
fn retry_goes_round_the_candidates_without_those_that_refused() {
    let mut world = World::with_links(with(GroupKind::Failover, 3), &[0, 1, 2]);
    world.accepted(text("a"));

    let mut seen = Vec::new();
    for status in [
        Status::RSYSERR,
        Status::RINVDSTADR,
        Status::RMSGQFUL,
        Status::RSYSERR,
        Status::RSYSERR,
        Status::RSYSERR,
    ] {
        let (place, token) = world.went_once();
        seen.push(place);
        world.carrier_refuses(place, token, status);
        if status != Status::RINVDSTADR {
            assert_eq!(world.went_where(), []);
            world.pass(secs(900));
        }
    }

    assert_eq!(seen, [0, 1, 2, 0, 2, 0]);
    assert_eq!(world.states(), []);
}

/// The double would be paid for at both.
#[test]
fn silence_is_tried_again_at_the_same_carrier() {
    let mut world = World::with_links(with(GroupKind::RoundRobin, 2), &[0, 1]);
    world.accepted(text("a"));
    let (first, token) = world.went_once();

    for _ in 0..3 {
        world.carrier_says(first, token, Word::Unanswered, "");
        world.pass(secs(900));
        assert_eq!(world.went_once(), (first, token));
    }
}

#[test]
fn throttled_message_stays_with_its_carrier() {
    let mut world = World::with_links(with(GroupKind::Failover, 2), &[0, 1]);
    world.accepted(text("a"));
    let (place, token) = world.went_once();

    world.carrier_refuses(place, token, Status::RTHROTTLED);
    world.pass(secs(2));

    assert_eq!(world.went_once(), (0, token));
}

#[test]
fn turns_and_weights_share_messages_among_carriers() {
    for (kind, least) in [(GroupKind::RoundRobin, 100), (GroupKind::Weighted, 70)] {
        let mut world = World::with_links(with(kind, 3), &[0, 1, 2]);
        for number in 0..3 {
            world.now = world.now.after(secs(number));
            world.numbered_texts(100);
        }

        let served = world.serve_all();

        assert!(
            served.len() == 3 && served.values().all(|texts| texts.len() >= least),
            "{kind:?} {served:?}"
        );
    }
}

/// Field bug R14: parts that came one by one, among others.
#[test]
fn parts_of_one_text_take_one_carrier() {
    for kind in [GroupKind::RoundRobin, GroupKind::Weighted, GroupKind::LeastLoaded] {
        let mut world = World::with_links(with(kind, 3), &[0, 1, 2]);
        for number in 1..=3 {
            for reference in 0..8 {
                part(&mut world, reference, number, &[b'a' + reference]);
            }
            world.pass(secs(1));
        }

        let served = world.serve_all();
        let mut places: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for (place, texts) in &served {
            for text in texts {
                let text = text.chars().last().expect("a letter").to_string();
                places.entry(text).or_default().insert(*place);
            }
        }
        assert_eq!(places.len(), 8, "{kind:?}");
        assert!(places.values().all(|places| places.len() == 1), "{kind:?} {places:?}");
    }
}

/// Part `number` of a text of three.
fn part(world: &mut World, reference: u8, number: u8, said: &[u8]) {
    let part = [&[5, 0, 3, reference, 3, number], said].concat();
    let (source, destination) = (SOURCE, DESTINATION);
    let sm = Sm { source, destination, esm_class: 0x40, short_message: &part, ..Sm::default() };
    let sequence = 1000 + u32::from(reference) * 8 + u32::from(number);
    world.hand_in(PORT, Command::SUBMIT_SM, sequence, |body| sm.encode_body(body));
    world.run();
}

fn sick_after(failures: u32) -> World {
    let mut settings = with(GroupKind::Failover, 2);
    settings.carriers[0].breaker = BreakerRules { failures, open: secs(12), ..BreakerRules::default() };
    World::with_links(settings, &[0, 1])
}

/// Found by X14: the others left a silent carrier, and the first was tried there again.
#[test]
fn part_that_was_not_answered_follows_the_others_of_its_text() {
    let mut world = sick_after(10);
    world.numbered_texts(9);
    (1..=3).for_each(|number| part(&mut world, 9, number, format!("part {number}").as_bytes()));
    let out = world.went_where();
    assert!(out.len() == 10 && out.iter().all(|(place, ..)| *place == 0), "{out:?}");
    for (_, token, _) in out {
        world.say(LINKS[0], token, Word::Unanswered, "");
    }
    world.run();
    world.pass(secs(10));
    let parts = world.went_where();
    assert_eq!(parts.iter().map(|(place, ..)| *place).collect::<Vec<_>>(), [1, 1], "{parts:?}");
    world.pass(secs(2));
    world.accepted(text("probe"));
    let (place, token) = world.went_once();
    world.carrier_says(place, token, Word::Answered(Status::ROK), "ok");
    assert_eq!((place, world.hub.gauges().carriers[0].breaker), (0, 0), "it is well again");

    world.pass(secs(60));

    let again = world.serve_all();
    assert!(again[&1].len() == 1 && again[&1][0].ends_with("part 1") && again[&0].len() == 9, "{again:?}");
}

/// A part that was not answered stays with its carrier though its text is long forgotten, and turns would lead elsewhere.
#[test]
fn part_that_was_not_answered_stays_where_it_was() {
    let mut settings = with(GroupKind::RoundRobin, 2);
    settings.retry.unanswered = Ladder { jitter: 0.0, ..Ladder::of_seconds(&[200]) };
    let mut world = World::with_links(settings, &[0, 1]);
    for _ in 0..4 {
        part(&mut world, 9, 1, b"part 1");
        let (place, token) = world.went_once();
        world.carrier_says(place, token, Word::Unanswered, "");
        world.pass(secs(230));
        let (again, token) = world.went_once();
        assert_eq!(again, place);
        world.carrier_says(again, token, Word::Answered(Status::ROK), &token.to_string());
        world.accepted(text("other"));
        world.serve_all();
    }
}

/// A sick carrier may be tried with a part of a text: the others wait for what becomes of it, and go where it goes.
#[test]
fn text_is_not_torn_by_a_trial() {
    for (word, there) in [(Word::Answered(Status::ROK), 0), (Word::Answered(Status::RSYSERR), 1)] {
        let mut world = sick_after(1);
        world.accepted(text("a"));
        let (_, token) = world.went_once();
        world.carrier_refuses(0, token, Status::RSYSERR);
        world.pass(secs(12));
        world.serve_all();
        part(&mut world, 9, 1, b"part 1");
        let (place, token) = world.went_once();
        assert_eq!(place, 0, "it is what finds out");
        (2..=3).for_each(|number| part(&mut world, 9, number, b"more"));
        world.accepted(text("other"));
        assert_eq!(world.went_once().0, 1, "whoever is alone waits for nobody");

        world.carrier_says(place, token, word, "id");

        let parts = world.went_where();
        assert_eq!(parts.iter().map(|(place, ..)| *place).collect::<Vec<_>>(), [there; 2], "{parts:?}");
    }
}

/// Field bug R14: parts that we made are in the words of one carrier, also after a crash.
#[test]
fn parts_that_we_made_stay_with_their_carrier() {
    let mut settings = with(GroupKind::RoundRobin, 3);
    for plan in &mut settings.carriers {
        plan.carrier.profile = Arc::new(Profile { long: Long::Udh8, ..Profile::default() });
    }
    let mut world = World::with_links(settings, &[0, 1, 2]);
    world.accepted(text("other"));
    let (place, token) = world.went_once();
    world.carrier_refuses(place, token, Status::RX_P_APPN);
    let long = long_text(400, Sm { registered_delivery: 1, ..Sm::default() });
    world.ask(Command::SUBMIT_SM, |body| body.extend_from_slice(&long));
    let out = world.went_where();
    let first = out[0].0;
    assert!(first != 0 && out.len() == 3 && out.iter().all(|(place, ..)| *place == first), "{out:?}");

    let mut world = world.crash(&mut || false);
    world.bind_port(PORT);
    (0..3).for_each(|place| world.link_up(place));

    let again = world.went_where();
    assert!(again.len() == 3 && again.iter().all(|(place, ..)| *place == first), "{again:?}");
    let (_, token, _) = again[0];
    world.carrier_refuses(first, token, Status::RSYSERR);
    world.pass(secs(30));
    assert_eq!(world.went_once().0, first);
}

/// What one carrier can't be told is told to another.
#[test]
fn text_that_a_carrier_cannot_be_told_goes_to_one_that_can() {
    let mut settings = with(GroupKind::Failover, 2);
    let strict =
        Profile { default_alphabet: Alphabet::Ascii, fallback: Fallback::Refuse, ..Profile::default() };
    settings.carriers[0].carrier.profile = Arc::new(strict);
    let mut world = World::with_links(settings, &[0, 1]);

    world.accepted(text("\u{1}"));
    world.accepted(text("plain"));

    let out: Vec<usize> = world.went_where().into_iter().map(|(place, ..)| place).collect();
    assert_eq!(out, [1, 0]);
}

/// Field bug D5: the same id means another message at each carrier.
#[test]
fn ids_are_each_carriers_own() {
    let mut world = World::with_links(with(GroupKind::RoundRobin, 2), &[0, 1]);
    let ids = ["a", "b"].map(|name| world.accepted(text(name)));
    for (place, token, _) in world.went_where() {
        world.carrier_says(place, token, Word::Answered(Status::ROK), "77");
    }

    world.pass(secs(5));
    world.receipt(LINKS[1], 1, "77", MessageState::Delivered);
    world.run();
    world.receipt(LINKS[0], 2, "77", MessageState::Undeliverable);
    world.run();

    let told: Vec<_> = world.delivered.drain(..).map(|delivered| (delivered.id, delivered.state)).collect();
    let [first, second] = ids;
    assert_eq!(told, [(second, MessageState::Delivered), (first, MessageState::Undeliverable)]);
    let of = |carrier: u16, figure: &dyn Fn(&CarrierStats) -> u64| {
        world.count(|stats| {
            let here = stats.carriers.iter().filter(|(id, _)| *id == CarrierId(carrier));
            here.map(|(_, counts)| figure(counts)).sum()
        })
    };
    let ended =
        |carrier, state: MessageState| of(carrier, &|counts| counts.ended[usize::from(state.octet())]);
    assert_eq!([ended(0, MessageState::Undeliverable), ended(1, MessageState::Delivered)], [1, 1]);
    assert_eq!(of(1, &|counts| counts.waited_ms), 5_000);
}

/// Field bugs D1 and D4: each carrier's ids in its own form, a receipt before its answer.
#[test]
fn early_receipt_in_the_carriers_own_form_is_matched() {
    let mut settings = with(GroupKind::Failover, 2);
    settings.carriers[1].ids = IdForms { response: IdForm::Decimal, receipt: IdForm::Hex };
    let mut world = World::with_links(settings, &[1]);
    world.accepted(text("a"));
    let (place, token) = world.went_once();

    world.receipt(LINKS[1], 1, "ff", MessageState::Delivered);
    world.run();
    world.carrier_says(place, token, Word::Answered(Status::ROK), "255");

    assert_eq!(world.states(), [MessageState::Delivered]);
}

/// A cancel and a replace find a message that has no carrier yet.
#[test]
fn message_that_waits_without_a_carrier_is_cancelled_and_replaced() {
    let mut world = World::with_links(with(GroupKind::Failover, 2), &[0, 1]);
    let schedule = b"000000010000000R";
    let [gone, changed] = ["a", "b"].map(|name| world.accepted(Text { schedule, ..text(name) }));

    assert_eq!(world.cancel(&gone), Status::ROK);
    assert_eq!(world.replace(&changed, "c", b""), Status::ROK);
    world.pass(secs(3600));

    assert_eq!(world.sent_texts(), ["c"]);
}
