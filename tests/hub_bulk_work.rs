//! Bulks of very many messages, through compaction and crashes: bounded work, and nothing forgotten.

mod world;

use enroute::bulk::{Ask, Counts, Ended, State};
use enroute::carrier::Verdict as Word;
use enroute::codec::{MessageState, Status};
use enroute::esme::Verdict;
use enroute::hub::{Settings, Stats};
use std::collections::{BTreeMap, BTreeSet};
use world::*;

fn room_for(messages: usize) -> Settings {
    let mut settings = with_bulks(settings());
    settings.accounts[0].queue_max = messages + 1;
    settings.limits.bodies = 1000;
    settings
}

/// A bulk of so many messages, of which nobody wants a receipt.
fn big_bulk(messages: usize) -> World {
    let mut world = World::bound(room_for(messages), 100);
    let text = Text { registered: 0, ..IN_AN_HOUR };
    for _ in 0..messages / 1000 {
        world.submit_to("spring", &[text; 1000]);
        world.run();
        world.answers.clear();
    }
    world.stats.clear();
    world
}

/// The most of something that one turn did, and all of it.
fn most(world: &World, count: impl Fn(&Stats) -> u64) -> (u64, u64) {
    let each = || world.stats.iter().map(&count);
    (each().max().unwrap_or(0), each().sum())
}

#[test]
fn cancelling_very_many_messages_is_one_record_and_then_slices() {
    let mut world = big_bulk(MILLION);
    let end = world.durable;
    world.bulk("spring", Ask::Pause).expect("it waits");
    assert!(world.durable.0 - end.0 < 1000, "pausing wrote {} octets", world.durable.0 - end.0);
    world.ask_bulk(ACCOUNT, 1, "spring", Ask::Cancel);

    world.work_off();

    let (most, all) = most(&world, |stats| stats.settled[usize::from(MessageState::Deleted.octet())]);
    assert_eq!(all, MILLION as u64);
    assert!(most <= SLICE, "{most} at once");
    assert_eq!(world.hub.gauges().messages, 0);
    assert_eq!(world.shown("spring").map(|view| view.counts.ended.deleted), Ok(MILLION as u64));
}

#[test]
fn very_many_messages_go_out_in_slices_when_their_bulk_fires() {
    let mut world = big_bulk(MILLION);
    assert_eq!(world.hub.gauges().scheduled, 0, "they have no timers of their own");
    world.now = world.now.after(HOUR);
    let mut queued = vec![0];
    while queued.last() != Some(&(MILLION as u64)) {
        world.turn();
        let gauges = world.hub.gauges();
        queued.push(gauges.carriers[0].queued + gauges.carriers[0].in_flight);
        assert!(queued.len() < 10_000, "{:?}", queued.last());
    }

    let steps = queued.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(steps.max() <= Some(SLICE));
}

/// What is in slices goes on where it was.
#[test]
fn cancelled_and_killed_amid_its_slices_a_bulk_is_deleted_to_the_last_message() {
    let mut world = big_bulk(MANY);
    world.ask_bulk(ACCOUNT, 1, "spring", Ask::Cancel);
    for _ in 0..3 {
        world.turn();
        world.commit();
    }
    let before = world.hub.gauges().messages;
    assert!((1..MANY as u64).contains(&before), "{before} are left");

    let mut world = world.crash(&mut || false);
    assert_eq!(state(&mut world), State::Canceled);
    world.work_off();

    assert_eq!(world.hub.gauges().messages, 0);
    let view = world.shown("spring").expect("not forgotten");
    assert_eq!((view.counts.messages(), view.counts.ended.deleted), (MANY as u64, MANY as u64));
}

#[test]
fn slices_wait_for_a_disk_that_does_not_keep_up() {
    let mut world = big_bulk(MANY);
    world.ask_bulk(ACCOUNT, 1, "spring", Ask::Cancel);

    for _ in 0..2000 {
        world.turn(); // and nothing is written
    }

    assert!(world.hub.gauges().messages > 0, "all of it waits in memory");
    world.work_off();
    assert_eq!(world.hub.gauges().messages, 0);
}

/// What compaction writes again tells as much of bulks as what it removes.
#[test]
fn compaction_keeps_bulks_their_messages_and_their_counts() {
    let mut settings = with_bulks(settings());
    settings.compaction.slack_octets = 16 << 10;
    let spool = enroute::spool::Settings { segment_octets: 16 << 10, frame_octets: 1 << 10, spares: 0 };
    let mut world = World::open(settings, spool, enroute::spool::MemoryDisk::new(1), start());
    world.bind_port(PORT);
    world.bind_link(LINK, 100);
    let texts: Vec<String> = (0..20).map(|number| format!("number {number}")).collect();
    world.submit_to("spring", &numbered(&texts));
    world.submit_to("over", &[text("gone"), Text { registered: 0, ..text("gone too") }]);
    world.bulk("paused", Ask::Schedule(world.after(HOUR))).expect("a time");
    world.bulk("paused", Ask::Pause).expect("it waits");
    world.take_all("c");
    ["c0", "c1"].into_iter().for_each(|id| world.ended(id, MessageState::Delivered));
    take_receipts(&mut world);
    let before = ["spring", "over", "paused"].map(|name| world.shown(name).expect("there"));

    for round in 0..40 {
        world.submit(&[Text { registered: 0, ..text("passing through") }; 50]);
        world.run();
        for (session, token, _) in world.sent() {
            world.say(session, token, Word::Answered(Status::ROK), &format!("r{round}-{token}"));
            world.receipt(session, 5, &format!("r{round}-{token}"), MessageState::Delivered);
        }
        world.run();
        if round % 7 == 0 {
            world = world.crash(&mut || false);
            world.bind_port(PORT);
            world.bind_link(LINK, 100);
        }
    }
    assert!(world.compacted > 0, "nothing was compacted");

    assert_eq!(before, ["spring", "over", "paused"].map(|name| world.shown(name).expect("there")));
    world.dispatches.clear();
    world.pass(HOUR);
    assert_eq!(world.sent_texts(), texts);
}

/// Issue 4: durable. Whatever was answered holds, wherever the power goes.
#[test]
fn what_was_answered_of_a_bulk_holds_wherever_the_power_goes() {
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut settings = with_bulks(settings());
        settings.compaction.slack_octets = 4 << 10;
        let spool = enroute::spool::Settings { segment_octets: 12 << 10, frame_octets: 256, spares: 0 };
        let mut world = World::open(settings, spool, enroute::spool::MemoryDisk::new(seed), start());
        let (mut accepted, mut told, mut known) = (0, 0, State::Pending);
        for _life in 0..5 {
            world.bind_port(PORT);
            for _ in 0..random.usize(1..30) {
                let asks = [Ask::Pause, Ask::Resume, Ask::Schedule(world.after(HOUR)), Ask::Show];
                world.ask_bulk(ACCOUNT, 1, "spring", asks[random.usize(0..4)]);
                if random.bool() {
                    world.submit_to("spring", &[IN_AN_HOUR; 4][..random.usize(1..5)]);
                }
                if random.u8(0..40) == 0 {
                    world.ask_bulk(ACCOUNT, 1, "spring", Ask::Cancel);
                }
                world.turn();
                if random.bool() {
                    world.commit();
                }
                if random.bool() {
                    world.read_back();
                }
                world.now = world.now.after(secs(random.u64(0..30)));
                for (_, answer) in world.bulks.drain(..).filter(|(_, answer)| answer.is_ok()) {
                    known = answer.map_or(known, |view| view.state);
                }
                accepted += world.outcomes().iter().filter(|status| status.is_ok()).count();
                told += take_now(&mut world);
            }
            let is_canceled = known == State::Canceled;
            world = world.crash(&mut || random.bool());
            if is_canceled {
                assert_eq!(state(&mut world), State::Canceled, "seed {seed}");
            }
        }
        world.bind_port(PORT);
        world.run();
        if world.shown("spring").is_ok() {
            world.ask_bulk(ACCOUNT, 1, "spring", Ask::Cancel);
        }
        for _ in 0..10 {
            world.run();
            told += take_now(&mut world);
        }

        // Receipts that the hub had sent and not seen answered come twice.
        assert!(told >= accepted, "seed {seed}: {told} receipts for {accepted}");
        let view = world.shown("spring");
        let counts = view.map(|view| view.counts).unwrap_or_default();
        assert_eq!(counts.open, 0, "seed {seed}");
        assert!(counts.ended.deleted >= accepted as u64, "seed {seed}: {counts:?} of {accepted}");
        assert_eq!(world.hub.gauges().messages, 0, "seed {seed}");
    }
}

/// What the peers of one hub do, and what they were told, through all its crashes.
#[derive(Default)]
struct Peers {
    next_id: u32,
    /// Ids that the carrier owes a receipt for.
    open: Vec<String>,
    /// Ids whose receipt is sent and not answered.
    unanswered: BTreeSet<String>,
    /// Texts that went out.
    sent: BTreeSet<String>,
    /// What each message ended as, by the hub's id; those that are of no bulk left out.
    told: BTreeMap<String, MessageState>,
}

impl Peers {
    fn act(&mut self, world: &mut World, random: &mut fastrand::Rng) {
        for (_, sequence, _) in std::mem::take(&mut world.arrivals_answered) {
            self.unanswered.remove(&sequence.to_string());
        }
        for (session, token, text) in world.sent() {
            self.sent.insert(text);
            self.next_id += 1;
            let id = self.next_id.to_string();
            self.open.push(id.clone());
            world.say(session, token, Word::Answered(Status::ROK), &id);
        }
        for id in std::mem::take(&mut self.open) {
            if random.bool() {
                let outcomes = [MessageState::Delivered, MessageState::Undeliverable, MessageState::Expired];
                // The same each time that it is told.
                let number: usize = id.parse().expect("a number");
                world.receipt(LINK, number as u32, &id, outcomes[number % outcomes.len()]);
                self.unanswered.insert(id);
            } else {
                self.open.push(id);
            }
        }
        for delivered in std::mem::take(&mut world.delivered) {
            let before = self.told.insert(delivered.id.clone(), delivered.state);
            assert!(before.is_none_or(|before| before == delivered.state), "{} ended twice", delivered.id);
            world.verdict(delivered.session, delivered.token, Verdict::Taken);
        }
    }
}

/// A bulk's figures are exact wherever the power goes: each message that ever was in it is told of once, and counted once,
/// while it waits, when it fires, when it is cancelled, and while compaction removes its traces.
#[test]
fn each_message_of_a_bulk_is_counted_once_as_what_it_was_told_to_be() {
    for seed in 0..RUNS {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut settings = with_bulks(settings());
        settings.compaction.slack_octets = 4 << 10;
        settings.limits.bodies = 20;
        let spool = enroute::spool::Settings { segment_octets: 12 << 10, frame_octets: 512, spares: 0 };
        let mut world = World::open(settings, spool, enroute::spool::MemoryDisk::new(seed), start());
        let mut peers = Peers::default();
        let soon = Text { schedule: b"000000000300000R", validity: b"000000001000000R", ..text("bundled") };
        for _life in 0..5 {
            world.bind_port(PORT);
            world.bind_link(LINK, 20);
            for _ in 0..random.usize(1..40) {
                match random.u8(0..8) {
                    // Before anything ends: to one that is over would begin another.
                    0..3 if world.hub.gauges().bulks[4..] == [0, 0] => {
                        world.submit_to("spring", &[soon; 5][..random.usize(1..5)]);
                        world.inbox.rotate_right(1);
                    }
                    3 => world.ask_bulk(ACCOUNT, 1, "spring", Ask::Pause),
                    4 => world.ask_bulk(ACCOUNT, 1, "spring", Ask::Resume),
                    5 if random.u8(0..6) == 0 => world.ask_bulk(ACCOUNT, 1, "spring", Ask::Cancel),
                    _ => world.submit(&[Text { registered: 0, ..text("passing through") }; 8]),
                }
                world.turn();
                peers.act(&mut world, &mut random);
                if random.bool() {
                    world.commit();
                }
                if random.bool() {
                    world.read_back();
                }
                world.now = world.now.after(secs(random.u64(0..60)));
            }
            peers.open.extend(std::mem::take(&mut peers.unanswered));
            world = world.crash(&mut || random.bool());
        }
        world.bind_port(PORT);
        world.bind_link(LINK, 20);
        world.ask_bulk(ACCOUNT, 1, "spring", Ask::Resume);
        for _ in 0..400 {
            world.run();
            peers.act(&mut world, &mut random);
            world.now = world.now.after(secs(10));
        }

        assert_eq!(world.hub.gauges().messages, 0, "seed {seed}");
        let view = world.shown("spring").expect("there is such a bulk");
        let told = |wanted: &[MessageState]| {
            peers.told.values().filter(|state| wanted.contains(state)).count() as u64
        };
        let expected = Ended {
            delivered: told(&[MessageState::Delivered]),
            expired: told(&[MessageState::Expired]),
            deleted: told(&[MessageState::Deleted]),
            failed: told(&[MessageState::Undeliverable]),
        };
        assert_eq!(view.counts, Counts { open: 0, ended: expected }, "seed {seed}: {view:?}");
        let is_canceled = expected.deleted > 0;
        assert_eq!(view.state == State::Canceled, is_canceled, "seed {seed}: {view:?}");
        assert!(!is_canceled || !peers.sent.contains("bundled"), "seed {seed}: sent and cancelled");
    }
}

/// Takes the receipts that are here; gives how many.
fn take_now(world: &mut World) -> usize {
    let delivered = std::mem::take(&mut world.delivered);
    for it in &delivered {
        world.verdict(it.session, it.token, Verdict::Taken);
    }
    delivered.len()
}

const MILLION: usize = 1_000_000;
/// Random lives.
const RUNS: u64 = 100;
const MANY: usize = 100_000;
/// What one turn may do for bulks.
const SLICE: u64 = 4000;
