//! Everything at once: each operation, texts divided and joined, peers that come and go, compaction and crashes; and at the
//! end each request was answered once, each message ended once under an id that its customer knows, and nothing is left.

mod world;

use bytes::BytesMut;
use enroute::carrier::Verdict as Word;
use enroute::codec::{
    CancelSm, Command, MessageState, MultiResp, QueryResp, QuerySm, ReplaceSm, SmResp, Status, Version,
};
use enroute::conversion::{Long, Profile};
use enroute::esme::Verdict;
use enroute::hub::{Event, List, Member, PartReceipts};
use enroute::id::SessionId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use world::*;

const ROK: Word = Word::Answered(Status::ROK);

/// A session of the customer, and what it has asked.
struct Port {
    session: SessionId,
    version: Version,
    asked: BTreeMap<u32, Asked>,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    command: Command,
    destinations: usize,
    registered: bool,
}

/// All peers of one hub, through all its lives.
struct Peers {
    random: fastrand::Rng,
    calm: bool,
    sessions: u64,
    sequence: u32,
    ports: Vec<Port>,
    link: SessionId,
    open: Vec<u64>,
    late: Vec<u64>,
    next_id: u32,
    /// Carrier ids whose final receipt is not answered.
    receipts: BTreeSet<u32>,
    held: Vec<(SessionId, u64)>,
    /// Ids that the customer knows, and how many messages go by each.
    known: BTreeMap<String, usize>,
    /// Receipts by message: under which id, and with which state.
    told: BTreeMap<u64, (String, MessageState)>,
    over: BTreeSet<String>,
    handsets: Handsets,
    /// Messages that may be ours without their customer's knowing: the answer was lost.
    unheard: usize,
}

impl Peers {
    fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            calm: false,
            sessions: 100,
            sequence: 0,
            ports: Vec::new(),
            link: SessionId(0),
            open: Vec::new(),
            late: Vec::new(),
            next_id: 0,
            receipts: BTreeSet::new(),
            held: Vec::new(),
            known: BTreeMap::new(),
            told: BTreeMap::new(),
            over: BTreeSet::new(),
            handsets: Handsets::default(),
            unheard: 0,
        }
    }

    /// Everybody binds; nobody remembers the sessions of the hub's last life.
    fn bind(&mut self, world: &mut World) {
        for port in std::mem::take(&mut self.ports) {
            self.forget(port);
        }
        for version in [Version::V34, Version::V33] {
            self.bind_port(world, version);
        }
        (self.open, self.late, self.held) = (Vec::new(), Vec::new(), Vec::new());
        self.over.clear(); // a query may tell what a power cut undoes
        self.handsets.lose_hub();
        self.bind_link(world);
    }

    fn forget(&mut self, port: Port) {
        let messages = port.asked.values().filter(|asked| asked.registered).map(|asked| asked.destinations);
        self.unheard += messages.sum::<usize>();
    }

    fn bind_port(&mut self, world: &mut World, version: Version) {
        self.sessions += 1;
        let session = SessionId(self.sessions);
        world.bind_as(session, ACCOUNT, version);
        self.ports.push(Port { session, version, asked: BTreeMap::new() });
    }

    fn bind_link(&mut self, world: &mut World) {
        self.sessions += 1;
        self.link = SessionId(self.sessions);
        world.bind_link(self.link, WINDOW);
        self.handsets.bring_again(world, self.link);
    }

    fn rebind(&mut self, world: &mut World) {
        if self.random.bool() {
            let lost = std::mem::take(&mut self.open);
            world.inbox.push(Event::LinkClosed { session: self.link, lost });
            self.late.clear();
            return self.bind_link(world);
        }
        let place = self.random.usize(0..self.ports.len());
        let port = self.ports.remove(place);
        let version = port.version;
        world.inbox.push(Event::PortClosed { session: port.session });
        self.held.retain(|(session, _)| *session != port.session);
        self.handsets.lose_port(world, port.session);
        self.forget(port);
        self.bind_port(world, version);
    }

    /// Asks for something, anything, over some port.
    fn ask(&mut self, world: &mut World) {
        let place = self.random.usize(0..self.ports.len());
        let mut body = BytesMut::new();
        let (command, destinations, registered) = match self.random.u8(0..20) {
            0..=5 => submissions::write_text(&mut self.random, &mut body),
            6 | 7 => submissions::write_long(&mut self.random, &mut body),
            8..=10 => submissions::write_part(&mut self.random, &mut body),
            11 => submissions::write_multi(&mut self.random, &mut body),
            12 => submissions::write_data(&mut self.random, &mut body),
            13 => submissions::write_once(&mut self.random, &mut body),
            _ => self.write_operation(&mut body),
        };
        self.sequence += 1;
        let port = &mut self.ports[place];
        world.hand_in(port.session, command, self.sequence, |out| out.extend_from_slice(&body));
        port.asked.insert(self.sequence, Asked { command, destinations, registered });
    }

    fn write_operation(&mut self, out: &mut BytesMut) -> (Command, usize, bool) {
        let ids: Vec<_> = self.known.keys().collect();
        let id = match ids.len() {
            0 => "0123456789ABCDEFGHJKMNPQRSTVWXYZ".to_owned(),
            some => ids[self.random.usize(0..some)].clone(),
        };
        let message_id = id.as_bytes();
        let command = match self.random.u8(0..6) {
            0 => {
                QuerySm { message_id, source: SOURCE }.encode_body(out);
                Command::QUERY_SM
            }
            // Seldom, or little would be left for the rest.
            1 if self.random.u8(0..4) == 0 => {
                CancelSm { source: SOURCE, destination: DESTINATION, ..CancelSm::default() }.encode_body(out);
                Command::CANCEL_SM
            }
            2 => {
                CancelSm { message_id, source: SOURCE, ..CancelSm::default() }.encode_body(out);
                Command::CANCEL_SM
            }
            _ => {
                let (short_message, registered_delivery) = (&b"other words"[..], 1);
                let schedule_delivery_time = if self.random.bool() { &b""[..] } else { b"000000000040000R" };
                let source = SOURCE;
                ReplaceSm {
                    message_id,
                    source,
                    schedule_delivery_time,
                    registered_delivery,
                    short_message,
                    ..ReplaceSm::default()
                }
                .encode_body(out);
                Command::REPLACE_SM
            }
        };
        (command, 0, false)
    }

    /// Hears what the hub says, and does something about some of it.
    fn act(&mut self, world: &mut World) {
        self.hear_answers(world);
        self.hear_replies(world);
        self.be_the_carrier(world);
        self.take_receipts(world);
        self.handsets.hear(world, &mut self.random, self.calm);
    }

    fn answered(&mut self, session: SessionId, command: Command, sequence: u32) -> Option<Asked> {
        let port = self.ports.iter_mut().find(|port| port.session == session)?;
        let asked = port.asked.remove(&sequence).expect("one answer for each request, and no more");
        assert_eq!(asked.command, command);
        Some(asked)
    }

    fn hear_answers(&mut self, world: &mut World) {
        for (session, answer) in std::mem::take(&mut world.answers) {
            let Some(asked) = self.answered(session, answer.command, answer.sequence) else { continue };
            let is_short =
                self.ports.iter().any(|port| port.session == session && port.version == Version::V33);
            if let (Ok(id), true) = (answer.outcome, asked.registered) {
                let name = match is_short {
                    true => String::from_utf8_lossy(&id.short_text(&world.hub.id_key())).into_owned(),
                    false => world.name(id),
                };
                self.known.insert(name, 1);
            }
        }
    }

    fn hear_replies(&mut self, world: &mut World) {
        for (session, pdu) in std::mem::take(&mut world.replies) {
            let (header, body) = (frame(&pdu).header, frame(&pdu).body);
            let command = Command(header.command.0 & 0x7FFF_FFFF);
            let Some(asked) = self.answered(session, command, header.sequence) else { continue };
            match asked.command {
                Command::SUBMIT_MULTI if header.status.is_ok() => {
                    let resp = MultiResp::decode(body);
                    let messages = asked.destinations + 1 - resp.unsuccess.iter().count();
                    assert!(messages > 0);
                    self.known.insert(String::from_utf8_lossy(resp.message_id).into_owned(), messages);
                }
                Command::QUERY_SM => {
                    let resp = QueryResp::decode(body);
                    let id = String::from_utf8_lossy(resp.message_id).into_owned();
                    let is_over = !matches!(resp.message_state, 0 | 1);
                    assert!(is_over || !self.over.contains(&id), "a final state has changed");
                    if is_over {
                        self.over.insert(id);
                    }
                }
                Command::SUBMIT_SM => drop(SmResp::decode(body)), // how a transaction ended
                _ => assert_eq!(header.status, Status::ROK),
            }
        }
    }

    fn be_the_carrier(&mut self, world: &mut World) {
        for (session, sequence, status) in std::mem::take(&mut world.arrivals_answered) {
            if self.handsets.answered(sequence, status) {
                continue;
            }
            assert_eq!(status, Status::ROK);
            if session == self.link {
                self.receipts.remove(&sequence);
            }
        }
        let sent = world.sent().into_iter().filter(|(session, ..)| *session == self.link);
        self.open.extend(sent.map(|(_, token, _)| token).collect::<Vec<_>>());
        for token in std::mem::take(&mut self.open) {
            match if self.calm { 20 } else { self.random.u8(0..21) } {
                0 => world.say(self.link, token, Word::Answered(Status::RTHROTTLED), ""),
                1 => world.say(self.link, token, Word::Answered(Status::RSYSERR), ""),
                2 => world.say(self.link, token, Word::Answered(Status::RINVDSTADR), ""),
                3 => {
                    world.say(self.link, token, Word::Unanswered, "");
                    self.late.push(token);
                }
                4..=10 => self.open.push(token),
                _ => self.take(world, token, ROK),
            }
        }
        for token in std::mem::take(&mut self.late) {
            match self.random.bool() {
                true => self.late.push(token),
                false => self.take(world, token, Word::Late(Status::ROK)),
            }
        }
        for id in self.receipts.clone() {
            let (state, chance) = match self.random.u8(0..6) {
                _ if self.calm => (MessageState::Delivered, 0),
                0 => (MessageState::Enroute, 0),
                1 => (MessageState::Undeliverable, self.random.u8(0..3)),
                _ => (MessageState::Delivered, self.random.u8(0..3)),
            };
            // What is on its way only has a number that nobody waits for the answer to.
            let sequence = if state == MessageState::Enroute { u32::MAX } else { id };
            if chance == 0 {
                world.receipt(self.link, sequence, &id.to_string(), state);
            }
        }
    }

    fn take(&mut self, world: &mut World, token: u64, word: Word) {
        self.next_id += 1;
        self.receipts.insert(self.next_id);
        world.say(self.link, token, word, &self.next_id.to_string());
    }

    fn take_receipts(&mut self, world: &mut World) {
        for delivered in std::mem::take(&mut world.delivered) {
            if !self.ports.iter().any(|port| port.session == delivered.session) {
                continue;
            }
            self.held.push((delivered.session, delivered.token));
            if delivered.state == MessageState::Enroute {
                continue; // a notification
            }
            let word = (delivered.id, delivered.state);
            let before = self.told.entry(delivered.token).or_insert_with(|| word.clone());
            assert_eq!(*before, word, "a final state never changes");
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
}

fn open(seed: u64) -> World {
    let mut settings = settings();
    let member = |addr: &str| Member { ton: 1, npi: 1, addr: addr.into() };
    let members = vec![member("447700900123"), member("447700900125")];
    settings.lists = vec![List { name: "staff".into(), account: None, members }];
    let long = [Long::Pass, Long::Udh8, Long::Payload][seed as usize % 3];
    settings.carriers[0].carrier.profile = Arc::new(Profile { long, ..Profile::default() });
    let wishes = [PartReceipts::Worst, PartReceipts::Last, PartReceipts::Each];
    settings.accounts[0].part_receipts = wishes[seed as usize / 3 % 3];
    settings.inbound = all_to(ACCOUNT);
    settings.accounts[0].join_inbound = seed.is_multiple_of(2);
    settings.compaction.slack_octets = 4 << 10;
    settings.limits.bodies = 10;
    settings.limits.gathering.patience = secs(30);
    let spool = enroute::spool::Settings { segment_octets: 12 << 10, frame_octets: 512, spares: 0 };
    World::open(settings, spool, enroute::spool::MemoryDisk::new(seed), start())
}

/// Whatever happens in one life of the hub.
fn live(peers: &mut Peers, world: &mut World, turns: usize) {
    peers.bind(world);
    for _ in 0..turns {
        for _ in 0..peers.random.u8(0..6) {
            peers.ask(world);
        }
        if peers.random.u8(0..3) == 0 {
            peers.handsets.write(world, peers.link, &mut peers.random);
        }
        world.turn();
        peers.act(world);
        if peers.random.u8(0..15) == 0 {
            peers.rebind(world);
        }
        if peers.random.bool() {
            world.commit();
        }
        if peers.random.bool() {
            world.read_back();
        }
        world.now = world.now.after(Duration::from_millis(peers.random.u64(0..4000)));
    }
}

/// Nothing is asked any more, and everybody answers: the hub comes to rest.
fn come_to_rest(peers: &mut Peers, world: &mut World, seed: u64) {
    peers.calm = true;
    for _ in 0..400 {
        world.run();
        peers.act(world);
        world.now = world.now.after(secs(15));
    }
    for port in &peers.ports {
        assert!(port.asked.is_empty(), "seed {seed}: never answered: {:?}", port.asked);
    }
    let gauges = world.hub.gauges();
    let left = (gauges.messages, gauges.awaiting, gauges.scheduled, gauges.held, gauges.remembered);
    assert_eq!(left, (0, 0, 0, 0, 0), "seed {seed}");
    assert!(world.hub.is_quiet(), "seed {seed}: room that nobody gives back");
    assert_eq!(world.count(|stats| stats.bodies_lost), 0, "seed {seed}");
}

/// Each id that the customer got stands for as many receipts as messages; ids that it never got are those of lost answers.
fn check_receipts(peers: &Peers, world: &World, seed: u64) {
    let mut heard: BTreeMap<&str, usize> = BTreeMap::new();
    for (id, _) in peers.told.values() {
        *heard.entry(id).or_default() += 1;
    }
    let of_parts = world.settings.accounts[0].part_receipts == PartReceipts::Each && seed % 3 == 1;
    for (id, messages) in &peers.known {
        let receipts = heard.remove(id.as_str()).unwrap_or(0);
        let is_right = if of_parts { receipts >= *messages } else { receipts == *messages };
        assert!(is_right, "seed {seed}: {receipts} receipts for the {messages} of {id}");
    }
    assert!(heard.len() <= peers.unheard, "seed {seed}: ids that nobody was told: {heard:?}");
    assert!(!peers.known.is_empty());
    peers.handsets.check(seed);
}

#[test]
fn every_request_is_answered_once_and_every_message_ends_once() {
    for seed in 0..RUNS {
        let mut world = open(seed);
        let mut peers = Peers::new(seed);

        live(&mut peers, &mut world, 120);
        come_to_rest(&mut peers, &mut world, seed);

        check_receipts(&peers, &world, seed);
    }
}

#[test]
fn every_message_ends_once_wherever_the_power_goes() {
    // The last once compacted a log for ever in which little but held receipts lived.
    for seed in (0..RUNS).chain([1407]) {
        let mut world = open(seed);
        let mut peers = Peers::new(seed);

        for _ in 0..3 {
            let turns = peers.random.usize(1..60);
            live(&mut peers, &mut world, turns);
            let mut random = peers.random.fork();
            world = world.crash(&mut || random.bool());
        }
        live(&mut peers, &mut world, 1);
        come_to_rest(&mut peers, &mut world, seed);

        check_receipts(&peers, &world, seed);
    }
}

const WINDOW: usize = 10;
const RUNS: u64 = 90;
