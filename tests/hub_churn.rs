//! Links and ports that come and go, answer late, refuse or say nothing: nothing is lost, nothing leaks, nothing hangs.

mod world;

use enroute::carrier::Verdict as Word;
use enroute::codec::{MessageState, Status};
use enroute::esme::Verdict;
use enroute::hub::Event;
use enroute::id::SessionId;
use std::collections::{BTreeMap, BTreeSet};
use world::*;

const ROK: Word = Word::Answered(Status::ROK);

/// One peer of each kind; sessions are numbered anew each time.
struct Churn {
    random: fastrand::Rng,
    calm: bool,
    /// The link takes nothing any more.
    leaving: bool,
    sessions: u64,
    link: SessionId,
    port: SessionId,
    /// With the carrier, which has not answered.
    open: Vec<u64>,
    /// Timed out at the hub, and to be answered some time.
    late: Vec<u64>,
    next_id: u32,
    receipts: BTreeSet<u32>,
    held: Vec<(SessionId, u64)>,
    answered: BTreeSet<String>,
    told: BTreeMap<String, Vec<MessageState>>,
}

impl Churn {
    fn id(&mut self) -> String {
        self.next_id += 1;
        self.receipts.insert(self.next_id);
        self.next_id.to_string()
    }

    fn act(&mut self, world: &mut World) {
        for (_, answer) in std::mem::take(&mut world.answers) {
            self.answered.insert(world.name(answer.outcome.expect("accepted")));
        }
        for (session, sequence, status) in std::mem::take(&mut world.arrivals_answered) {
            assert_eq!(status, Status::ROK);
            if session == self.link {
                self.receipts.remove(&sequence);
            }
        }
        let sent = world.sent().into_iter().filter(|(session, ..)| *session == self.link);
        self.open.extend(sent.map(|(_, token, _)| token).collect::<Vec<_>>());
        for token in std::mem::take(&mut self.open) {
            match if self.calm { 9 } else { self.random.u8(0..10) } {
                0 => world.say(self.link, token, Word::Answered(Status::RTHROTTLED), ""),
                1 => world.say(self.link, token, Word::Answered(Status::RSYSERR), ""),
                2 => {
                    world.say(self.link, token, Word::Unanswered, "");
                    self.late.push(token);
                }
                3 => {
                    world.say(self.link, token, Word::NotSent, "");
                    self.leaving = true;
                }
                4..=6 => self.open.push(token),
                _ => {
                    let id = self.id();
                    world.say(self.link, token, ROK, &id);
                }
            }
        }
        for token in std::mem::take(&mut self.late) {
            if self.random.bool() {
                self.late.push(token);
            } else {
                let id = self.id();
                world.say(self.link, token, Word::Late(Status::ROK), &id);
            }
        }
        for id in self.receipts.clone() {
            if self.calm || self.random.u8(0..4) == 0 {
                world.receipt(self.link, id, &id.to_string(), MessageState::Delivered);
            }
        }
        self.take_receipts(world);
    }

    fn take_receipts(&mut self, world: &mut World) {
        for delivered in std::mem::take(&mut world.delivered) {
            if delivered.session == PORT || delivered.session == self.port {
                self.told.entry(delivered.id).or_default().push(delivered.state);
                self.held.push((delivered.session, delivered.token));
            }
        }
        for (session, token) in std::mem::take(&mut self.held) {
            match if self.calm { 9 } else { self.random.u8(0..6) } {
                0 => self.held.push((session, token)),
                1 => world.verdict(session, token, Verdict::Later),
                2 => world.verdict(session, token, Verdict::Unanswered),
                _ => world.verdict(session, token, Verdict::Taken),
            }
        }
    }

    fn rebind_link(&mut self, world: &mut World) {
        let lost = std::mem::take(&mut self.open);
        world.inbox.push(Event::LinkClosed { session: self.link, lost });
        self.late.clear();
        self.sessions += 1;
        self.link = SessionId(self.sessions);
        world.bind_link(self.link, 10);
    }

    fn rebind_port(&mut self, world: &mut World) {
        self.held.retain(|(session, _)| *session == PORT);
        world.inbox.push(Event::PortClosed { session: self.port });
        self.sessions += 1;
        self.port = SessionId(self.sessions);
        world.bind_port(self.port);
    }
}

#[test]
fn sessions_that_come_and_go_lose_nothing_and_leak_no_room() {
    for seed in 0..RUNS {
        let mut settings = settings();
        settings.compaction.slack_octets = 4 << 10;
        settings.limits.bodies = 20;
        let spool = enroute::spool::Settings { segment_octets: 12 << 10, frame_octets: 512, spares: 0 };
        let mut world = World::open(settings, spool, enroute::spool::MemoryDisk::new(seed), start());
        let mut churn = Churn {
            random: fastrand::Rng::with_seed(seed),
            calm: false,
            leaving: false,
            sessions: 101,
            link: SessionId(100),
            port: SessionId(101),
            open: Vec::new(),
            late: Vec::new(),
            next_id: 0,
            receipts: BTreeSet::new(),
            held: Vec::new(),
            answered: BTreeSet::new(),
            told: BTreeMap::new(),
        };
        world.bind_port(PORT);
        world.bind_port(churn.port);
        world.bind_link(churn.link, 10);
        for _ in 0..150 {
            if churn.random.bool() {
                let texts = ["some text that takes room in the log"; 8].map(text);
                world.submit(&texts[..churn.random.usize(1..8)]);
            }
            world.turn();
            churn.act(&mut world);
            match churn.random.u8(0..20) {
                _ if std::mem::take(&mut churn.leaving) => churn.rebind_link(&mut world),
                0 => churn.rebind_link(&mut world),
                2 => churn.rebind_port(&mut world),
                _ => {}
            }
            if churn.random.bool() {
                world.commit();
            }
            if churn.random.bool() {
                world.read_back();
            }
            world.now = world.now.after(std::time::Duration::from_millis(churn.random.u64(0..5000)));
        }
        churn.calm = true;
        for _ in 0..400 {
            world.run();
            churn.act(&mut world);
            world.now = world.now.after(secs(10));
        }

        let lost = churn.answered.iter().filter(|id| !churn.told.contains_key(*id)).count();
        assert!(!churn.answered.is_empty());
        assert_eq!(lost, 0, "seed {seed}: of {}", churn.answered.len());
        let gauges = world.hub.gauges();
        assert_eq!(
            (gauges.messages, gauges.awaiting, gauges.scheduled, gauges.held),
            (0, 0, 0, 0),
            "seed {seed}"
        );
        assert!(world.hub.is_quiet(), "seed {seed}: room that nobody gives back");
    }
}

const RUNS: u64 = 200;
