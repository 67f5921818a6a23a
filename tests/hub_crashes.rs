//! Promise 1: nothing that was answered is lost, wherever the power goes and whatever compaction does meanwhile.

mod world;

use enroute::carrier::Verdict as Word;
use enroute::codec::{MessageState, Status};
use enroute::esme::Verdict;
use std::collections::{BTreeMap, BTreeSet};
use world::*;

const ROK: Word = Word::Answered(Status::ROK);

fn nothing_kept() -> impl FnMut() -> bool {
    || false
}

/// What the peers remember through all the hub's crashes.
#[derive(Default)]
struct Peers {
    /// Ids of messages that the customer was told are ours.
    answered: BTreeSet<String>,
    told: BTreeMap<String, Vec<MessageState>>,
    /// Ids that the carrier owes a receipt for.
    open: Vec<String>,
    /// Ids whose receipt is sent and not answered.
    unanswered: BTreeSet<String>,
    next_id: u32,
    taken: u64,
    /// Places in windows at all crashes: what may have been doubled.
    excusable: u64,
}

impl Peers {
    /// Answers what came, or not; ports and links stay up.
    fn act(&mut self, world: &mut World, random: &mut fastrand::Rng) {
        for (_, answer) in std::mem::take(&mut world.answers) {
            if let Ok(id) = answer.outcome {
                self.answered.insert(world.name(id));
            }
        }
        for (_, sequence, status) in std::mem::take(&mut world.arrivals_answered) {
            assert_eq!(status, Status::ROK);
            self.unanswered.remove(&sequence.to_string());
        }
        for (session, token, _) in world.sent() {
            match random.u8(0..10) {
                0 => world.say(session, token, Word::Answered(Status::RTHROTTLED), ""),
                1 => world.say(session, token, Word::Answered(Status::RMSGQFUL), ""),
                choice => {
                    let id = self.next_id.to_string();
                    self.next_id += 1;
                    self.taken += 1;
                    if choice == 2 {
                        self.receipt(world, id.clone()); // overtakes its response
                    } else {
                        self.open.push(id.clone());
                    }
                    world.say(session, token, ROK, &id);
                }
            }
        }
        for id in std::mem::take(&mut self.open) {
            if random.bool() { self.receipt(world, id) } else { self.open.push(id) }
        }
        for delivered in std::mem::take(&mut world.delivered) {
            if random.u8(0..10) == 0 {
                world.verdict(delivered.session, delivered.token, Verdict::Later);
            } else {
                self.told.entry(delivered.id).or_default().push(delivered.state);
                world.verdict(delivered.session, delivered.token, Verdict::Taken);
            }
        }
    }

    fn receipt(&mut self, world: &mut World, id: String) {
        world.receipt(LINK, id.parse().expect("a number"), &id, MessageState::Delivered);
        self.unanswered.insert(id);
    }
}

/// Promise 1 under fire (field bug R1): the power goes at any point of the line, again and again, while compaction
/// runs; every message that was answered ends in a receipt, and the carrier sees no more doubles than windows allow.
#[test]
fn no_answered_message_is_lost_wherever_the_power_goes() {
    for seed in 0..RUNS {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut settings = settings();
        settings.compaction.slack_octets = 4 << 10;
        settings.limits.bodies = 20;
        let spool = enroute::spool::Settings { segment_octets: 12 << 10, frame_octets: 512, spares: 0 };
        let mut world = World::open(settings, spool, enroute::spool::MemoryDisk::new(seed), start());
        let mut peers = Peers::default();
        for _life in 0..4 {
            world.bind_port(PORT);
            world.bind_link(LINK, WINDOW);
            for _ in 0..random.usize(1..60) {
                if random.bool() {
                    let texts = ["some text that takes room in the log"; 8].map(text);
                    world.submit(&texts[..random.usize(1..8)]);
                }
                world.turn();
                peers.act(&mut world, &mut random);
                if random.bool() {
                    world.commit();
                }
                if random.bool() {
                    world.read_back();
                }
                world.now = world.now.after(std::time::Duration::from_millis(random.u64(0..2000)));
            }
            // Receipts that the hub has not answered come again; nothing else does.
            peers.open.extend(std::mem::take(&mut peers.unanswered));
            peers.excusable += WINDOW as u64;
            world = world.crash(&mut || random.bool());
        }
        world.bind_port(PORT);
        world.bind_link(LINK, WINDOW);
        for _ in 0..400 {
            world.run();
            peers.act(&mut world, &mut random);
            world.now = world.now.after(secs(10));
        }

        let lost: Vec<_> = peers.answered.iter().filter(|id| !peers.told.contains_key(*id)).collect();
        assert!(lost.is_empty(), "seed {seed}: {} of {} lost", lost.len(), peers.answered.len());
        assert!(!peers.answered.is_empty() || seed > 0);
        let accepted = peers.told.len() as u64;
        assert!(peers.taken <= accepted + peers.excusable, "seed {seed}: {} for {accepted}", peers.taken);
        assert!(peers.told.values().flatten().all(|state| *state == MessageState::Delivered), "seed {seed}");
    }
}

/// Compaction under load: parked messages live through it, and the log stays as short as its rules say.
#[test]
fn compaction_keeps_the_log_short_and_loses_nothing() {
    let mut settings = settings();
    settings.compaction.slack_octets = 64 << 10;
    let spool = enroute::spool::Settings { segment_octets: 32 << 10, frame_octets: 2 << 10, spares: 0 };
    let mut world = World::open(settings, spool, enroute::spool::MemoryDisk::new(1), start());
    world.bind_port(PORT);
    world.bind_link(LINK, 100);
    let parked: Vec<String> = (0..50).map(|number| format!("parked {number}")).collect();
    let scheduled = |known| Text { schedule: b"000001000000000R", ..text(known) };
    world.submit(&parked.iter().map(|known| scheduled(known)).collect::<Vec<_>>());
    world.run();

    let mut longest = 0;
    for round in 0..300 {
        world.submit(&[Text { registered: 0, ..text("passing through") }; 50]);
        world.run();
        for (place, (session, token, _)) in world.sent().into_iter().enumerate() {
            let id = format!("{round}-{place}");
            world.say(session, token, ROK, &id);
            world.receipt(session, place as u32, &id, MessageState::Delivered);
        }
        world.run();
        world.now = world.now.after(secs(1));
        let gauges = world.hub.gauges();
        longest = longest.max(gauges.spool_octets.saturating_sub(2 * gauges.spool_live_octets));
    }
    assert!(world.compacted >= 50, "{} copied", world.compacted);
    assert!(longest < (64 << 10) + 3 * (32 << 10), "{longest} octets of dead log");

    let mut world = world.crash(&mut nothing_kept());
    assert_eq!(world.recovered, 50);
    world.bind_link(LINK, 100);
    world.pass(secs(24 * 3600));
    assert_eq!(world.sent_texts(), parked);
}

/// What has ended is on record: nobody hears of it again, and no carrier gets it.
#[test]
fn what_has_ended_stays_ended_across_a_crash() {
    let mut world = World::bound(settings(), 10);
    world.taken(text("told"), "1");
    world.taken(Text { registered: 0, ..text("delivered in silence") }, "2");
    for (sequence, id) in [(1, "1"), (2, "2")] {
        world.receipt(LINK, sequence, id, MessageState::Delivered);
    }
    world.submit(&[Text { registered: 0, ..text("refused in silence") }]);
    world.run();
    let (session, token, _) = world.sent().pop().expect("a dispatch");
    world.say(session, token, Word::Answered(Status::RINVDSTADR), "");
    world.run();
    let receipt = world.delivered.pop().expect("the receipt");
    world.verdict(receipt.session, receipt.token, Verdict::Taken);
    world.run();
    assert_eq!(world.hub.gauges().messages, 0);

    let mut world = world.crash(&mut nothing_kept());
    world.bind_port(PORT);
    world.bind_link(LINK, 10);
    world.pass(secs(3600));

    assert_eq!(world.recovered, 0);
    assert_eq!((world.sent_texts(), world.states()), (Vec::new(), Vec::new()));
}

/// The writer seals segments before the hub hears how far the spool is durable: what compaction finds there may still wait
/// for its answer, and keeps its schedule all the same.
#[test]
fn message_that_compaction_copies_before_it_is_answered_keeps_its_schedule() {
    let mut settings = settings();
    settings.compaction = enroute::spool::CompactionRules { factor: 1, slack_octets: 0 };
    let spool = enroute::spool::Settings { segment_octets: 12 << 10, frame_octets: 512, spares: 0 };
    let mut world = World::open(settings, spool, enroute::spool::MemoryDisk::new(1), start());
    world.bind_port(PORT);
    world.run();
    let filler = "x".repeat(200);
    world.submit(&[Text { schedule: b"000001000000000R", ..text("scheduled") }]);
    world.submit(&[Text { registered: 0, ..text(&filler) }; 60]);
    world.turn();
    let heard = world.durable;
    world.commit();
    world.durable = heard; // written, but the hub has not heard of it

    for _ in 0..3 {
        world.turn();
        world.read_back();
    }
    assert!(world.compacted > 0, "nothing was copied");
    assert_eq!(world.answers, [], "the hub has heard of it");
    world.commit();
    let mut world = world.crash(&mut nothing_kept());
    world.bind_link(LINK, 100);
    world.pass(secs(60));

    assert!(!world.sent_texts().contains(&"scheduled".to_owned()));
}

#[test]
fn segment_that_cannot_be_read_is_tried_again_after_a_rest() {
    let mut settings = settings();
    settings.compaction = enroute::spool::CompactionRules { factor: 1, slack_octets: 0 };
    let spool = enroute::spool::Settings { segment_octets: 12 << 10, frame_octets: 512, spares: 0 };
    let mut world = World::open(settings, spool, enroute::spool::MemoryDisk::new(1), start());
    world.bind_port(PORT);
    let filler = "x".repeat(200);
    world.submit(&[Text { registered: 0, ..text(&filler) }; 60]);
    world.turn();
    world.commit();
    world.turn();
    let [segment] = std::mem::take(&mut world.scans)[..] else { panic!("nothing to be compacted") };

    world.inbox.push(enroute::hub::Event::Unscanned);
    world.turn();
    assert!(world.scans.is_empty(), "at once again");

    world.now = world.now.after(secs(60));
    world.turn();
    assert_eq!(world.scans, [segment]);
}

const WINDOW: usize = 10;
const RUNS: u64 = 300;
