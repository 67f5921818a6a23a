//! A fixed load through the pure rooms on one thread, whose instructions `tests/counts.rs` counts: submissions as octets into ports,
//! the hub, the spool on a disk in memory, links, a carrier's answers and receipts, and the receipts back to the customers.
//!
//! Each part is a function that is never inlined, so that what is counted under its name is all that the part causes, copies, hashing
//! and memory included. What the peers here do is in no part.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use bytes::{Buf, BytesMut};
use enroute::admission::Rules;
use enroute::carrier::{Carrier, Link, LinkBatch, LinkEvent};
use enroute::clock::{Caution, Now, UnixMs};
use enroute::codec::{
    self, Address, Bind, BindResp, Command, MAX_PDU_LEN, MessageState, Reading, Receipt, ReceiptDate, Relay,
    Sm, Status, Version, next_frame,
};
use enroute::correlation::{IdForm, IdForms};
use enroute::esme::{Account, Port, PortBatch, PortEvent, Registry};
use enroute::hub::{AccountPlan, CarrierPlan, Effects, Event, Hub, Limits, Reached, Replay, Settings};
use enroute::id::{CarrierId, Lsn, SessionId};
use enroute::route;
use enroute::schedule::Retry;
use enroute::session;
use enroute::spool::{self, CompactionRules, Frames, MemoryDisk, Writer};
use std::hint::black_box;
use std::time::{Duration, Instant};

fn main() {
    let mut line = Line::new();
    line.run(WARM_UP);
    let before = line.done();
    measured(&mut line);
    let messages = line.done() - before;
    assert_eq!(messages, u64::from(ROUNDS) * (PEERS * BURST) as u64, "each round ends as many as it begins");
    println!("{messages} messages");
}

/// What is counted at all.
#[inline(never)]
fn measured(line: &mut Line) {
    line.run(ROUNDS);
}

/// The wire's words alone: each PDU that a message causes read or written once, as ports and links do it. The same work is in
/// their parts too.
#[inline(never)]
fn part_codec(submissions: &[u8], receipts: &[u8], out: &mut BytesMut) {
    let relay = Relay { validity_period: b"260315103000000+", registered_delivery: 1, ..Relay::default() };
    each_frame(submissions, |command, sequence, body| {
        if command == Command::SUBMIT_SM {
            _ = black_box(Sm::decode(body, Reading::Lenient)); // the port's
            if let Ok(sm) = Sm::decode(body, Reading::Lenient) {
                _ = black_box(codec::relay_read(&sm, body, &relay, true, out));
            }
            codec::encode_submit_resp(out, Status::ROK, sequence, b"0123456789ab");
        }
    });
    each_frame(receipts, |command, sequence, body| {
        if command == Command::DELIVER_SM
            && let Ok(sm) = Sm::decode(body, Reading::Carrier)
            && let Some(receipt) = Receipt::read(&sm)
        {
            receipt.write_body(&sm, Version::V34, out);
            codec::encode_deliver_resp(out, Status::ROK, sequence);
        }
    });
    black_box(&out[..]);
    out.clear();
}

/// One wake-up of a customer's session: what the hub has for it, then what came.
#[inline(never)]
fn part_esme(
    port: &mut Port,
    batches: Vec<PortBatch>,
    input: &mut BytesMut,
    now: Now,
    events: &mut Vec<PortEvent>,
) {
    batches.iter().for_each(|batch| port.apply(batch, now));
    port.receive(input, now);
    events.extend(port.take_events());
}

/// One wake-up of a carrier's session.
#[inline(never)]
fn part_carrier(
    link: &mut Link,
    batches: Vec<LinkBatch>,
    input: &mut BytesMut,
    now: Now,
    events: &mut Vec<LinkEvent>,
) {
    batches.iter().for_each(|batch| link.apply(batch, now));
    link.receive(input, now);
    events.extend(link.take_events());
}

/// One turn.
#[inline(never)]
fn part_hub(hub: &mut Hub, events: &mut Vec<Event>, reached: Reached, now: Now) -> Effects {
    hub.turn(events.drain(..), reached, now)
}

/// One commit.
#[inline(never)]
fn part_spool(writer: &mut Writer<MemoryDisk>, waiting: &mut [Frames]) -> Lsn {
    writer.commit(waiting).expect("a healthy disk")
}

/// A customer with his port.
struct Customer {
    port: Port,
    batches: Vec<PortBatch>,
    /// What he has written and the port has not read.
    input: BytesMut,
    sequence: u32,
    receipts: u64,
}

/// A message centre with the link to it.
struct Centre {
    link: Link,
    batches: Vec<LinkBatch>,
    input: BytesMut,
    sequence: u32,
}

/// The whole line.
struct Line {
    hub: Hub,
    writer: Writer<MemoryDisk>,
    waiting: Vec<Frames>,
    durable: Lsn,
    customers: Vec<Customer>,
    centres: Vec<Centre>,
    events: Vec<Event>,
    now: Now,
    scratch: BytesMut,
}

impl Line {
    fn new() -> Self {
        #[allow(clippy::disallowed_methods)] // some instant to start from
        let now = Now { mono: Instant::now(), wall: UnixMs(1_773_568_800_000) }; // 2026-03-15T10:00:00Z
        let settings = settings();
        let accounts: Vec<_> = settings.accounts.iter().map(|plan| plan.account.clone()).collect();
        let registry = Registry::new(&accounts);
        let carrier = settings.carriers[0].carrier.clone();
        let mut replay = Replay::repeatable(settings, 7);
        let spool = spool::Settings { spares: 0, ..spool::Settings::default() };
        let (journal, writer, ..) = spool::open(MemoryDisk::new(7), spool, 0, now, &mut |record, locator| {
            replay.take(&record, locator)
        })
        .expect("a new store");
        let hub = replay.finish(journal, now);
        let session = session::Settings { window_in: 200, window_out: 200, ..session::Settings::default() };
        let customers = (0..PEERS).map(|_| {
            let port = Port::new(session, registry.clone(), hub.id_key(), now);
            Customer { port, batches: Vec::new(), input: bind(), sequence: 1, receipts: 0 }
        });
        let centres = (0..PEERS).map(|_| Centre {
            link: Link::new(&carrier, carrier.bind, session, now),
            batches: Vec::new(),
            input: BytesMut::new(),
            sequence: 0,
        });
        Self {
            durable: writer.durable(),
            customers: customers.collect(),
            centres: centres.collect(),
            hub,
            writer,
            waiting: Vec::new(),
            events: Vec::new(),
            now,
            scratch: BytesMut::new(),
        }
    }

    /// Receipts that reached customers.
    fn done(&self) -> u64 {
        self.customers.iter().map(|customer| customer.receipts).sum()
    }

    fn run(&mut self, rounds: u32) {
        for _ in 0..rounds {
            self.round();
        }
    }

    /// Whatever has come is taken everywhere once, and the hub has its turn.
    fn round(&mut self) {
        self.now = self.now.after(Duration::from_millis(1));
        self.wake_customers();
        self.wake_centres();
        let reached = Reached { written: self.durable, durable: self.durable };
        let effects = part_hub(&mut self.hub, &mut self.events, reached, self.now);
        for (SessionId(session), batch) in effects.ports {
            self.customers[session as usize].batches.push(batch);
        }
        for (SessionId(session), batch) in effects.links {
            self.centres[session as usize - PEERS].batches.push(batch);
        }
        self.waiting.extend(effects.frames);
        self.durable = part_spool(&mut self.writer, &mut self.waiting);
        if !self.waiting.is_empty() {
            self.events.push(Event::Spent(std::mem::take(&mut self.waiting)));
        }
        for number in effects.releases {
            self.writer.spares().release(number).expect("the oldest segment");
        }
        assert!(effects.fetches.is_empty(), "nothing waits long enough to be read back");
    }

    fn wake_customers(&mut self) {
        let mut said = Vec::new();
        for (place, customer) in self.customers.iter_mut().enumerate() {
            let batches = std::mem::take(&mut customer.batches);
            let Customer { port, input, .. } = customer;
            part_codec(input, &[], &mut self.scratch);
            part_esme(port, batches, input, self.now, &mut said);
            let session = SessionId(place as u64);
            self.events.extend(said.drain(..).map(|event| match event {
                PortEvent::Intake(intake) => Event::PortIntake { session, intake },
                PortEvent::Bound { account, kind, version, window } => {
                    Event::PortBound { session, account, kind, version, window }
                }
            }));
            customer.answer();
        }
    }

    fn wake_centres(&mut self) {
        let mut said = Vec::new();
        for (place, centre) in self.centres.iter_mut().enumerate() {
            let batches = std::mem::take(&mut centre.batches);
            let Centre { link, input, .. } = centre;
            part_codec(&[], input, &mut self.scratch);
            part_carrier(link, batches, input, self.now, &mut said);
            let session = SessionId((PEERS + place) as u64);
            self.events.extend(said.drain(..).map(|event| match event {
                LinkEvent::Intake(intake) => Event::LinkIntake { session, intake },
                LinkEvent::Bound(kind) => {
                    Event::LinkBound { session, carrier: CarrierId(0), kind, window: WINDOW }
                }
            }));
            centre.answer(self.now);
        }
    }
}

impl Customer {
    /// Reads what the port wrote, answers receipts, and once bound writes the next burst.
    fn answer(&mut self) {
        let written = self.port.session().transmit().split();
        each_frame(&written, |command, sequence, _| {
            if command == Command::DELIVER_SM {
                codec::encode_deliver_resp(&mut self.input, Status::ROK, sequence);
                self.receipts += 1;
            }
        });
        if self.port.session().bound().is_none() {
            return;
        }
        for _ in 0..BURST {
            self.sequence += 1;
            submission(self.sequence).encode(&mut self.input, Command::SUBMIT_SM, self.sequence);
        }
    }
}

impl Centre {
    /// Takes each submission at once, and sends its receipt behind the answer.
    fn answer(&mut self, now: Now) {
        let written = self.link.session().transmit().split();
        each_frame(&written, |command, sequence, body| match command {
            Command::BIND_TRANSCEIVER => {
                let answer = BindResp { system_id: b"centre", sc_interface_version: Some(0x34) };
                answer.encode(&mut self.input, Command::BIND_TRANSCEIVER.response(), Status::ROK, sequence);
            }
            Command::SUBMIT_SM => {
                self.sequence += 1;
                let id = (1_000_000_000 + self.sequence).to_string();
                codec::encode_submit_resp(&mut self.input, Status::ROK, sequence, id.as_bytes());
                let message = Sm::decode(body, Reading::Lenient).expect("the hub writes SMPP");
                let start = codec::begin(&mut self.input, Command::DELIVER_SM, Status::ROK, self.sequence);
                let date = Some(ReceiptDate::from_utc(now.wall));
                let receipt = Receipt::new(id.as_bytes(), MessageState::Delivered);
                Receipt { submit_date: date, done_date: date, ..receipt }.write_body(
                    &message,
                    Version::V34,
                    &mut self.input,
                );
                codec::finish(&mut self.input, start);
            }
            _ => {} // answers to receipts
        });
    }
}

fn settings() -> Settings {
    let carrier = Carrier { window: WINDOW, ..Carrier::new("alpha", "127.0.0.1:1") };
    let account = AccountPlan { queue_max: 100_000, ..AccountPlan::new(Account::new("shop", "secret")) };
    let plan = CarrierPlan {
        ids: IdForms { response: IdForm::Text, receipt: IdForm::Text },
        ..CarrierPlan::new(carrier)
    };
    Settings {
        accounts: vec![account],
        carriers: vec![plan],
        lists: Vec::new(),
        routes: route::Routes::to(CarrierId(0)).into(),
        inbound: route::Inbound::default(),
        screening: Default::default(),
        rules: Rules::default(),
        retry: Retry::default(),
        limits: Limits::default(),
        compaction: CompactionRules::default(),
        caution: Caution::default(),
    }
}

fn bind() -> BytesMut {
    let mut out = BytesMut::new();
    let bind = Bind { system_id: b"shop", password: b"secret", interface_version: 0x34, ..Bind::default() };
    bind.encode(&mut out, Command::BIND_TRANSCEIVER, 1);
    out
}

fn submission(number: u32) -> Sm<'static> {
    Sm {
        source: Address { ton: 0, npi: 0, addr: b"12345" },
        destination: Address { ton: 1, npi: 1, addr: DESTINATIONS[number as usize % DESTINATIONS.len()] },
        registered_delivery: 1,
        short_message: &[b'x'; 100],
        ..Sm::default()
    }
}

/// Each whole frame: its command, its number and its body.
fn each_frame(mut octets: &[u8], mut take: impl FnMut(Command, u32, &[u8])) {
    while let Ok(Some(frame)) = next_frame(octets, MAX_PDU_LEN) {
        take(frame.header.command, frame.header.sequence, frame.body);
        octets.advance(frame.len());
    }
}

/// Customers, and links.
const PEERS: usize = 2;
/// Submissions of each customer in a round.
const BURST: usize = 50;
const WINDOW: usize = 200;
/// Until tables and buffers have their size.
const WARM_UP: u32 = 40;
const ROUNDS: u32 = 100;
const DESTINATIONS: [&[u8]; 3] = [b"447700900123", b"447700900124", b"4915112345678"];
