//! Carriers that are down, sick or late: what waits for them goes on to others, and each message ends once.

mod world;

use enroute::carrier::Verdict as Word;
use enroute::codec::{MessageState, Status};
use enroute::hub::{BreakerRules, Event, Limits, Reason, Reload, Settings};
use enroute::route::{Draft, GroupKind, Prefix, Routes, Row, Rule, Target};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use world::ways::*;
use world::*;

#[test]
fn where_a_message_was_on_its_route_survives_a_crash() {
    let mut world = World::with_links(with(GroupKind::Failover, 3), &[0, 1, 2]);
    world.accepted(text("a"));
    let (place, token) = world.went_once();
    world.carrier_refuses(place, token, Status::RINVDSTADR);
    let (place, token) = world.went_once();
    world.carrier_refuses(place, token, Status::RSYSERR);

    let mut world = world.crash(&mut || false);
    world.bind_port(PORT);
    (0..3).for_each(|place| world.link_up(place));
    world.pass(secs(30));

    let (place, token) = world.went_once();
    assert_eq!(place, 2);
    world.carrier_refuses(place, token, Status::RSYSERR);
    world.pass(secs(60));
    assert_eq!(world.went_once().0, 1, "the first one refused it");
}

/// Field bug R12.
#[test]
fn all_carriers_down_then_up_and_everything_goes_out_once_in_order() {
    let mut world = World::with_links(with(GroupKind::Failover, 2), &[]);
    world.numbered_texts(50);
    world.pass(secs(60));
    assert_eq!(world.went_where(), []);
    let turns = world.stats.len();
    world.pass(secs(3600));
    assert!(world.stats.len() - turns < 10, "nobody looks again and again");

    world.link_up(1);
    let served = world.serve_all();

    let expected: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    assert_eq!(served, BTreeMap::from([(1, expected)]));
    world.link_up(0);
    world.accepted(text("new"));
    assert_eq!(world.went_once().0, 0, "new ones go to the first again");
}

#[test]
fn carrier_without_a_link_is_passed_over_and_left_after_a_while() {
    let mut world = World::with_links(with(GroupKind::Failover, 2), &[0]);
    world.link_up(1);
    world.numbered_texts(30);
    let out = world.went_where();
    assert!(out.iter().all(|(place, ..)| *place == 0) && out.len() == 10);

    world.link_down(0, out.iter().map(|(_, token, _)| *token).collect());
    world.accepted(text("new"));
    assert_eq!(world.went_once().0, 1);
    world.pass(secs(9));
    assert_eq!(world.went_where(), [], "it may come back at once");
    world.pass(secs(1));

    let served = world.serve_all();
    let expected: Vec<String> = (0..30).map(|number| number.to_string()).collect();
    assert_eq!(served, BTreeMap::from([(1, expected)]));
}

#[test]
fn carrier_that_is_back_in_time_keeps_what_was_its() {
    let mut world = World::with_links(with(GroupKind::Failover, 2), &[0, 1]);
    world.numbered_texts(30);
    let out = world.went_where();
    world.link_down(0, out.iter().map(|(_, token, _)| *token).collect());
    world.pass(secs(9));

    world.link_up(0);

    assert_eq!(
        world.serve_all().into_iter().map(|(place, texts)| (place, texts.len())).collect::<Vec<_>>(),
        [(0, 30)]
    );
}

/// Bodies that wait on disk are read in small lots, and no turn does more than a slice.
#[test]
fn long_queue_of_a_dead_carrier_leaves_in_slices() {
    const COUNT: usize = 20_000;
    let mut world = World::with_links(with(GroupKind::Cheapest, 2), &[]);
    for _ in 0..COUNT / 1000 {
        world.numbered_texts(1000);
        world.outcomes();
    }
    world.pass(secs(10));
    let before = world.hub.gauges();
    let queued =
        before.carriers.iter().position(|carrier| carrier.queued == COUNT as u64).expect("one has all");
    world.stats.clear();

    world.link_up_with(1 - queued, 10);
    let served = world.serve_all();

    assert_eq!(served[&(1 - queued)].len(), COUNT);
    assert_eq!(served[&(1 - queued)].iter().collect::<BTreeSet<_>>().len(), 1000);
    assert_eq!(world.hub.gauges().carriers[queued].queued, 0);
}

/// A long queue, on disk, of a carrier that is down: the only other candidate has refused all of it.
fn stuck(settings: Settings) -> World {
    let mut world =
        World::with_links(Settings { limits: Limits { bodies: 10, ..settings.limits }, ..settings }, &[]);
    world.link_up_with(1, 1000);
    for _ in 0..STUCK / 500 {
        world.numbered_texts(500);
        let out = world.went_where();
        assert!(out.len() == 500 && out.iter().all(|(place, ..)| *place == 1));
        for (_, token, _) in out {
            world.say(LINKS[1], token, Word::Answered(Status::RINVDSTADR), "");
        }
        world.run();
    }
    assert_eq!(world.hub.gauges().carriers[0].queued, STUCK as u64);
    world.stats.clear();
    world.bodies_read = 0;
    world
}

/// Those whose candidates the number decides are read to know that, each once, and then nobody looks at them any more.
#[test]
fn long_queue_with_nowhere_to_go_is_looked_through_once() {
    let row = |digits| Row {
        prefix: Prefix::read(digits).expect("digits"),
        target: Some(Target::Group(0)),
        origin: 0,
    };
    let rule = Rule { prefixes: vec![Arc::from([row("44")])], ..Rule::new("prefixes", None) };
    let groups = vec![group(GroupKind::Failover, &[to(0), to(1)])];
    let draft = Draft { accounts: 1, rules: vec![rule], groups, ..Draft::default() };
    let routes = Arc::new(draft.build().expect("sound"));
    let mut world = stuck(Settings { routes, ..with(GroupKind::Failover, 2) });

    world.pass(secs(10));
    assert!(world.bodies_read <= STUCK, "{} bodies were read", world.bodies_read);
    let turns = world.stats.len();
    world.pass(secs(3600));
    assert!(world.stats.len() < turns + 10, "{turns} turns, then {}", world.stats.len() - turns);
    assert_eq!(world.hub.gauges().carriers[0].queued, STUCK as u64);

    world.link_up(0);
    let served = world.serve_all();
    assert_eq!(
        served.into_iter().map(|(place, texts)| (place, texts.len())).collect::<Vec<_>>(),
        [(0, STUCK)]
    );
}

/// However often another carrier, to which it can't go, comes and goes.
#[test]
fn long_queue_with_nowhere_to_go_stays_on_disk() {
    let groups = vec![group(GroupKind::Cheapest, &[to(0), to(1)])];
    let mut world = stuck(with_groups(groups, 3));

    world.pass(secs(10));
    for _ in 0..10 {
        world.link_up(2);
        world.link_down(2, Vec::new());
        world.pass(secs(10));
    }

    assert_eq!((world.bodies_read, world.hub.gauges().carriers[0].queued), (0, STUCK as u64));
}

/// More than are read ahead at one time.
const STUCK: usize = 5_000;

/// What waits for its time gets its carrier when that has come.
#[test]
fn scheduled_message_goes_to_who_is_there_when_it_is_due() {
    let mut world = World::with_links(with(GroupKind::Failover, 2), &[0, 1]);
    world.accepted(Text { schedule: b"000000010000000R", ..text("a") });
    world.pass(secs(60));
    world.link_down(0, Vec::new());

    world.pass(secs(3540));

    assert_eq!(world.went_once().0, 1);
}

/// Failover inside balancing: the share of a carrier that is gone goes to its substitute.
#[test]
fn failover_inside_balancing() {
    let groups = vec![
        group(GroupKind::Failover, &[to(0), to(1)]),
        group(GroupKind::RoundRobin, &[Target::Group(0), to(2)]),
    ];
    let mut world = World::with_links(with_groups(groups, 3), &[0, 1, 2]);
    let shares = |world: &mut World| {
        world.numbered_texts(100);
        let served = world.serve_all();
        [0, 1, 2].map(|place| served.get(&place).map_or(0, Vec::len))
    };

    assert_eq!(shares(&mut world), [50, 0, 50]);
    world.link_down(0, Vec::new());
    assert_eq!(shares(&mut world), [0, 50, 50]);
    world.link_up(0);
    assert_eq!(shares(&mut world), [50, 0, 50]);
}

/// An attempt at one carrier is answered after the message went on to another: either id brings the receipt, and the first one is
/// what counts if the other refuses.
#[test]
fn late_answer_of_the_carrier_before_counts_as_that_carriers() {
    for (second, winner) in [(Word::Answered(Status::ROK), 0), (Word::Answered(Status::RX_P_APPN), 0)] {
        let mut settings = with(GroupKind::Failover, 2);
        settings.limits.failover = secs(0);
        settings.carriers[0].breaker = BreakerRules { failures: 1, ..BreakerRules::default() };
        let mut world = World::with_links(settings, &[0, 1]);
        world.accepted(text("a"));
        let (place, token) = world.went_once();
        world.carrier_says(place, token, Word::Unanswered, "");
        world.pass(secs(31));
        let next = world.went_where();
        // Its breaker is half open by then: the same carrier is tried with it, unless it is still left alone.
        let (other, _, _) = next[0].clone();
        world.carrier_says(0, token, Word::Late(Status::ROK), "77");
        world.carrier_says(other, token, second, "77b");

        world.receipt(LINKS[winner], 1, "77", MessageState::Delivered);
        world.run();

        assert_eq!(world.states(), [MessageState::Delivered], "{second:?}");
        let mut world = world.crash(&mut || false);
        world.bind_port(PORT);
        (0..2).for_each(|place| world.link_up(place));
        world.pass(secs(60));
        assert_eq!(world.went_where(), []);
    }
}

/// A sick carrier is left alone, tried with one message at a time, and used again when it is well.
#[test]
fn sick_carrier_is_left_alone_and_tried_with_one_message_at_a_time() {
    let mut settings = with(GroupKind::Failover, 2);
    settings.carriers[0].breaker = BreakerRules { failures: 5, ..BreakerRules::default() };
    let mut world = World::with_links(settings, &[0, 1]);
    world.numbered_texts(5);
    for (place, token, _) in world.went_where() {
        assert_eq!(place, 0);
        world.say(LINKS[0], token, Word::Answered(Status::RSYSERR), "");
    }
    world.run();
    let first = &world.hub.gauges().carriers[0];
    assert_eq!((first.breaker, first.limited_by), (2, Some(Reason::Peer)), "that is what holds it back");

    world.numbered_texts(20);
    assert_eq!(world.serve_all().into_keys().collect::<Vec<_>>(), [1]);
    world.pass(secs(10));
    assert_eq!(world.hub.gauges().carriers[0].breaker, 1);
    world.accepted(text("probe"));
    world.accepted(text("other"));
    let out = world.went_where();
    assert_eq!(out.iter().map(|(place, ..)| *place).collect::<Vec<_>>(), [0, 1]);
    world.carrier_refuses(0, out[0].1, Status::RSYSERR);
    assert_eq!(world.hub.gauges().carriers[0].breaker, 2);
    world.pass(secs(20));
    world.serve_all();
    world.accepted(text("second probe"));
    let probe = world.went_where().into_iter().find(|(place, ..)| *place == 0).expect("tried again");
    world.carrier_says(0, probe.1, Word::Answered(Status::ROK), "ok");

    assert_eq!(world.hub.gauges().carriers[0].breaker, 0);
    world.numbered_texts(5);
    assert_eq!(world.serve_all().into_keys().collect::<Vec<_>>(), [0]);
}

/// That it is tried with a message meanwhile keeps nobody waiting: by the defaults it is tried at the moment when its queue may leave.
#[test]
fn queue_of_a_sick_carrier_leaves_it_though_it_is_being_tried() {
    let mut settings = with(GroupKind::Failover, 2);
    settings.carriers[0].breaker = BreakerRules { failures: 10, ..BreakerRules::default() };
    let mut world = World::with_links(settings, &[0, 1]);
    world.numbered_texts(20);
    let out = world.went_where();
    assert!(out.len() == 10 && out.iter().all(|(place, ..)| *place == 0));
    for (_, token, _) in out {
        world.say(LINKS[0], token, Word::Unanswered, "");
    }
    world.run();
    assert_eq!(world.hub.gauges().carriers[0].breaker, 2);
    assert_eq!(world.went_where(), []);

    world.pass(secs(10));

    assert_eq!(world.hub.gauges().carriers[0].breaker, 1);
    let mut places: Vec<_> = world.went_where().into_iter().map(|(place, ..)| place).collect();
    places.sort_unstable();
    assert_eq!(places, [0, 1, 1, 1, 1, 1, 1, 1, 1, 1], "one tries it");
}

/// The places that a message has been at mean other carriers once its rule's candidates change, over a reload and over a restart.
#[test]
fn each_candidate_is_tried_though_they_change_places() {
    for is_restart in [false, true] {
        let mut world = World::with_links(with(GroupKind::Failover, 3), &[0, 1, 2]);
        world.accepted(text("a"));
        let (place, token) = world.went_once();
        assert_eq!(place, 0);
        world.carrier_refuses(place, token, Status::RINVDSTADR);
        let (place, token) = world.went_once();
        assert_eq!(place, 1);
        if is_restart {
            world.carrier_refuses(place, token, Status::RSYSERR);
        }

        let other = routes(vec![group(GroupKind::Failover, &[to(2), to(1), to(0)])]);
        world.settings = Settings { routes: other, ..world.settings };
        let mut world = match is_restart {
            true => world.crash(&mut || false),
            false => {
                let settings = Box::new(world.settings.clone());
                let reload = Reload { settings, accounts: Vec::new(), parting: Vec::new() };
                world.inbox.push(Event::Reload(Box::new(reload)));
                world.run();
                world.carrier_refuses(place, token, Status::RINVDSTADR);
                world
            }
        };
        if is_restart {
            world.bind_port(PORT);
            (0..3).for_each(|place| world.link_up(place));
            world.pass(secs(30));
        }
        let mut been = Vec::new();
        while let Some((place, token, _)) = world.went_where().pop() {
            been.push(place);
            world.carrier_refuses(place, token, Status::RINVDSTADR);
        }

        // Of those before nobody knows which of these they are; each is asked once more at most.
        assert_eq!(been, if is_restart { vec![2, 1, 0] } else { vec![2, 0] });
        assert_eq!(world.states(), [MessageState::Rejected]);
    }
}

/// No rule is for it any more: the account hears so.
#[test]
fn message_whose_rule_is_gone_after_a_restart_ends() {
    let mut world = World::with_links(with(GroupKind::Failover, 2), &[]);
    world.accepted(text("a"));
    world.settings.routes = Arc::new(Routes::none());

    let mut world = world.crash(&mut || false);
    world.bind_port(PORT);
    world.run();

    assert_eq!(world.states(), [MessageState::Rejected]);
}
