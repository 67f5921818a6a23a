//! A million PDUs after a warm-up, legal and damaged, of every kind and in any order, against one running hub: memory stays
//! flat, every request is answered once, the hub's counters know each refusal, and honest sessions feel nothing.
//!
//! First come sessions that keep their framing, so that each answer can be accounted for; then such as are hung up on. A
//! further kind of PDU is a line in `support/sample.rs`; [`weight`] says how often each comes.

#[path = "support/attacker.rs"]
mod attacker;
#[path = "support/sample.rs"]
mod sample;
mod support;

use attacker::{
    BIND_TRANSCEIVER, ENQUIRE_LINK, Peer, RESP, SUBMIT_SM, Submit, bind_body, closed, errors, pdu,
};
use bytes::{Buf, BytesMut};
use enroute::codec::{Command, Header, MAX_PDU_LEN, MultiResp, Status, next_frame};
use fastrand::Rng;
use sample::{Damage, KINDS, Kind};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use support::{Hub, Setup, alone};

/// PDUs of sessions that keep their framing, those of the warm-up included, and after them of such as do not.
const ORDERLY: u64 = WARM + 900_000;
const UNRULY: u64 = 100_000;

/// Sessions of either sort, each with a thread of its own.
const ORDERLY_SESSIONS: u64 = 4;
const UNRULY_SESSIONS: u64 = 2;

/// PDUs after which the hub's memory should have found its level: it keeps bodies, each with the read that brought it, for some
/// seconds, and a million PDUs take no longer here.
const WARM: u64 = 1_500_000;

/// How long any of it may take before it counts as hung.
const LIMIT: Duration = Duration::from_secs(300);

/// Numbers of our requests: far from the hub's own, so that a response made up never fits one of those.
const FIRST_NUMBER: u32 = 0x1000_0000;

#[test]
fn million_pdus_leave_memory_flat_and_honest_sessions_alive() {
    let _turn = alone();
    let setup = Setup::new("soak");
    let smsc = setup.start_smsc("");
    let hub = Hub::start(setup.dir.path(), &setup.config_text().replace("[[carrier]]\n", &accounts()));
    let (sent, enough): (Arc<AtomicU64>, Arc<AtomicBool>) = Default::default();
    let honest: Vec<_> = HONEST.map(|account| Honest::start(setup.smpp, account, &enough)).into();

    let orderly = start(ORDERLY_SESSIONS, ORDERLY, &sent, setup.smpp, orderly);
    await_count(&hub, &sent, WARM, &orderly);
    let warm_kib = hub.process.rss_kib();
    let mut ledger = Ledger::default();
    orderly
        .into_iter()
        .for_each(|session| ledger.add(&session.join().expect("an orderly session ends well")));
    account(&hub, &ledger);

    let unruly = start(UNRULY_SESSIONS, UNRULY, &sent, setup.smpp, unruly);
    let cuts: u64 =
        unruly.into_iter().map(|session| session.join().expect("an unruly one ends too").cuts).sum();
    let end_kib = hub.process.rss_kib();

    enough.store(true, Ordering::Relaxed);
    let honest: u64 =
        honest.into_iter().map(|session| session.join().expect("an honest session ends well")).sum();
    println!("hub's resident memory: {warm_kib} KiB after {WARM}, {end_kib} KiB after {}", ORDERLY + UNRULY);
    println!(
        "{ledger:?}; {cuts} unruly connections were cut; {honest} honest messages came back as receipts"
    );
    assert_eq!(sent.load(Ordering::Relaxed), ORDERLY + UNRULY);
    assert!(cuts > 10, "the unruly sessions were no trouble");
    assert!(honest > 100, "the honest sessions hardly got a turn");
    assert!(end_kib <= warm_kib * 3 / 2 + 16 * 1024, "memory grew from {warm_kib} to {end_kib} KiB");
    await_no_sessions(&hub, "rogue");
    HONEST.iter().for_each(|account| await_no_sessions(&hub, account));
    assert_eq!(hub.terminate(), Some(0));
    smsc.stop();
}

/// Accounts with one honest session each: receipts go to any session of their account.
const HONEST: [&str; 2] = ["alice", "bob"];

/// The accounts, and the table that follows them in the configuration.
fn accounts() -> String {
    let one = |name: &str| {
        format!("[[account]]\nsystem_id = \"{name}\"\npassword = \"{name}\"\nbinds = 64\nwindow = 500\n")
    };
    HONEST.iter().chain(&["rogue"]).map(|name| one(name)).collect::<String>() + "[[carrier]]\n"
}

/// What one session, or all of them, saw.
#[derive(Clone, Debug, Default)]
struct Ledger {
    /// Answers other than success, by command and status.
    refused: BTreeMap<(u32, u32), u64>,
    /// Answers of success, by command.
    taken: BTreeMap<u32, u64>,
    /// Destinations that a submit_multi which was taken could not have.
    left_out: u64,
    /// Requests that nobody answers.
    unanswerable: u64,
    /// Responses to nothing.
    made_up: u64,
    /// Receipts.
    delivered: u64,
    /// Connections that ended before their time.
    cuts: u64,
}

impl Ledger {
    fn add(&mut self, other: &Self) {
        other.refused.iter().for_each(|(key, count)| *self.refused.entry(*key).or_default() += count);
        other.taken.iter().for_each(|(key, count)| *self.taken.entry(*key).or_default() += count);
        self.left_out += other.left_out;
        self.unanswerable += other.unanswerable;
        self.made_up += other.made_up;
        self.delivered += other.delivered;
        self.cuts += other.cuts;
    }
}

/// The hub's counters say of the orderly sessions what those saw.
fn account(hub: &Hub, ledger: &Ledger) {
    let refused: u64 = ledger.refused.values().sum();
    settle(hub, || {
        let metric = |name: &str| hub.metric(name).unwrap_or_default() as u64;
        let (refusals, misplaced) = (metric("enroute_refused_total"), metric(&errors("out_of_place")));
        let unmatched = metric(&errors("unmatched_response"));
        let is_right = refusals + misplaced == refused + ledger.left_out + ledger.unanswerable
            && unmatched == ledger.made_up;
        let counted = format!("counted: {refusals} refused, {misplaced} out of place, {unmatched} unmatched");
        is_right.then_some(()).ok_or(format!("{counted}; seen: {refused} refused, {ledger:?}"))
    });
    assert!(ledger.taken.get(&(SUBMIT_SM | RESP)).is_some_and(|taken| *taken > 1_000), "{ledger:?}");
    assert_eq!(hub.metric(&closed("framing")).unwrap_or_default(), 0.0);
}

/// Waits until the hub's counters, which come a moment later than its answers, say what they should.
fn settle(hub: &Hub, said: impl Fn() -> Result<(), String>) {
    const LOOKS: u32 = 200;
    for _ in 0..LOOKS {
        if said().is_ok() {
            return;
        }
        assert!(!hub.process.ended_within(Duration::from_millis(50)), "the hub ended");
    }
    assert_eq!(said(), Ok(()));
}

fn await_no_sessions(hub: &Hub, account: &str) {
    let series = format!("enroute_sessions{{peer=\"{account}\",side=\"esme\"}}");
    settle(hub, || match hub.metric(&series) {
        Some(0.0) => Ok(()),
        other => Err(format!("{series} {other:?}")),
    });
}

/// Starts `sessions` threads that send `total` PDUs between them, each counted in `sent`.
fn start(
    sessions: u64,
    total: u64,
    sent: &Arc<AtomicU64>,
    port: u16,
    run: fn(u16, u64, u64, &AtomicU64) -> Ledger,
) -> Vec<JoinHandle<Ledger>> {
    let one = |seed| {
        let sent = Arc::clone(sent);
        std::thread::spawn(move || run(port, seed, total / sessions, &sent))
    };
    (0..sessions).map(one).collect()
}

/// How often a kind comes: submits and what belongs to them most, goodbyes never.
fn weight(kind: &Kind) -> usize {
    match kind.command {
        Command::UNBIND => 0,
        Command::SUBMIT_SM => 8,
        Command::DATA_SM
        | Command::SUBMIT_MULTI
        | Command::QUERY_SM
        | Command::CANCEL_SM
        | Command::REPLACE_SM => 2,
        _ => 1, // what is refused, ignored or hardly worth more
    }
}

/// Where PDUs come from: kinds by their weight, half of them damaged.
struct Stream {
    rng: Rng,
    mixture: Vec<Kind>,
    number: u32,
}

impl Stream {
    fn new(seed: u64) -> Self {
        let mixture = KINDS.iter().flat_map(|kind| std::iter::repeat_n(*kind, weight(kind))).collect();
        Self { rng: Rng::with_seed(seed), mixture, number: FIRST_NUMBER }
    }

    /// Appends the next PDU; gives its command and number, which damage leaves alone.
    fn write(&mut self, out: &mut Vec<u8>) -> (Command, u32) {
        let kind = self.mixture[self.rng.usize(..self.mixture.len())];
        self.number += 1;
        let mut pdu = BytesMut::new();
        kind.write(&mut self.rng, self.number, &mut pdu);
        let mut pdu = Vec::from(pdu);
        if self.rng.bool() {
            (0..self.rng.usize(1..3)).for_each(|_| Damage::any(&mut self.rng).apply(&mut pdu));
        }
        out.extend_from_slice(&pdu);
        (kind.command, self.number)
    }
}

/// A bound connection of the rogue account.
struct Rogue {
    stream: TcpStream,
    input: BytesMut,
}

impl Rogue {
    fn bound(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the hub listens");
        stream.set_nodelay(true).expect("the socket is open");
        stream.set_read_timeout(Some(LIMIT)).expect("not zero");
        stream.set_write_timeout(Some(LIMIT)).expect("not zero");
        let mut rogue = Self { stream, input: BytesMut::new() };
        rogue.send(&pdu(BIND_TRANSCEIVER, 1, &bind_body("rogue", "rogue", ""))).expect("the hub reads");
        let (header, _) = rogue.read().expect("a bind is answered");
        assert_eq!((header.command, header.status.0), (Command::BIND_TRANSCEIVER.response(), 0));
        rogue
    }

    fn send(&mut self, octets: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(octets)
    }

    /// The next PDU of the hub; `None` once it has hung up.
    fn read(&mut self) -> Option<(Header, Vec<u8>)> {
        loop {
            if let Some(frame) = next_frame(&self.input, MAX_PDU_LEN).expect("the hub keeps framing") {
                let (header, body, length) = (frame.header, frame.body.to_vec(), frame.len());
                self.input.advance(length);
                return Some((header, body));
            }
            let mut more = [0; 16_384];
            match self.stream.read(&mut more) {
                Ok(0) => return None,
                Ok(count) => self.input.extend_from_slice(&more[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("the hub says nothing more: {error}"),
            }
        }
    }
}

/// PDUs written before the answers to them are read.
const BATCH: u64 = 200;

/// One session that keeps its framing and asks for nothing that would end it.
fn orderly(port: u16, seed: u64, count: u64, sent: &AtomicU64) -> Ledger {
    let (mut rogue, mut stream, mut ledger) = (Rogue::bound(port), Stream::new(seed), Ledger::default());
    let mut open: BTreeSet<(Command, u32)> = BTreeSet::new();
    let mut left = count;
    while left > 0 {
        let mut batch = Vec::new();
        let size = left.min(BATCH);
        for _ in 0..size {
            let (command, number) = stream.write(&mut batch);
            match command.is_response() {
                true => ledger.made_up += 1,
                false if command.has_response() => drop(open.insert((command.response(), number))),
                false => ledger.unanswerable += 1,
            }
        }
        left -= size;
        sent.fetch_add(size, Ordering::Relaxed);
        rogue.send(&batch).expect("the hub reads on");
        let marker = (Command::ENQUIRE_LINK.response(), 1);
        rogue.send(&pdu(ENQUIRE_LINK, 1, b"")).expect("the hub reads on");
        open.insert(marker);
        answers_until(&mut rogue, &mut open, &mut ledger, |open| !open.contains(&marker));
    }
    answers_until(&mut rogue, &mut open, &mut ledger, BTreeSet::is_empty);
    rogue.send(&pdu(attacker::UNBIND, 2, b"")).expect("the hub reads on");
    open.insert((Command::UNBIND.response(), 2));
    answers_until(&mut rogue, &mut open, &mut ledger, BTreeSet::is_empty);
    while let Some((header, _)) = rogue.read() {
        assert_eq!(header.command, Command::DELIVER_SM, "more than was asked for");
    }
    ledger
}

/// Reads answers, each to something open and each once, until it `is_enough`.
fn answers_until(
    rogue: &mut Rogue,
    open: &mut BTreeSet<(Command, u32)>,
    ledger: &mut Ledger,
    is_enough: impl Fn(&BTreeSet<(Command, u32)>) -> bool,
) {
    while !is_enough(open) {
        let (header, body) = rogue.read().expect("an orderly session is not hung up on");
        if header.command == Command::DELIVER_SM {
            ledger.delivered += 1;
            rogue.send(&pdu(attacker::DELIVER_SM | RESP, header.sequence, b"\0")).expect("the hub reads on");
        } else if header.command != Command::ENQUIRE_LINK {
            assert!(open.remove(&(header.command, header.sequence)), "an answer to nothing: {header:?}");
            match header.status {
                // In transaction mode the answer tells the end of a message that was taken.
                Status::ROK | Status::RDELIVERYFAILURE => {
                    *ledger.taken.entry(header.command.0).or_default() += 1;
                    if header.command == Command::SUBMIT_MULTI.response() {
                        ledger.left_out += u64::from(MultiResp::decode(&body).unsuccess.len());
                    }
                }
                status => *ledger.refused.entry((header.command.0, status.0)).or_default() += 1,
            }
        }
    }
}

/// Connections, one after the other, that sooner or later do what ends them.
fn unruly(port: u16, seed: u64, count: u64, sent: &AtomicU64) -> Ledger {
    let (mut stream, mut ledger) = (Stream::new(!seed), Ledger::default());
    let mut left = count;
    while left > 0 {
        let mut rogue = Rogue::bound(port);
        while left > 0 {
            let mut batch = Vec::new();
            let size = left.min(BATCH / 4);
            let is_broken = (0..size).fold(false, |broken, _| unruly_pdu(&mut stream, &mut batch) | broken);
            left -= size;
            sent.fetch_add(size, Ordering::Relaxed);
            batch.extend(pdu(ENQUIRE_LINK, 1, b""));
            let is_sent = rogue.send(&batch).is_ok();
            if is_broken {
                // Or the hub would wait for the rest of a PDU for as long as it may take.
                let _ = rogue.stream.shutdown(Shutdown::Write);
            }
            if !is_sent || !reads_marker(&mut rogue, &mut stream.rng) {
                ledger.cuts += 1;
                break;
            }
        }
    }
    ledger
}

/// A PDU as any other, or one that ends the session: unknown, of an impossible length, a goodbye. Whether framing is broken.
fn unruly_pdu(stream: &mut Stream, batch: &mut Vec<u8>) -> bool {
    let start = batch.len();
    stream.write(batch);
    let dice = stream.rng.u32(..1_000);
    match dice {
        0..20 => batch[start + 4..start + 8].copy_from_slice(&stream.rng.u32(..).to_be_bytes()),
        20 => batch[start..start + 4].copy_from_slice(&stream.rng.u32(..).to_be_bytes()),
        21 => batch.truncate(start + stream.rng.usize(1..16)),
        22 => batch[start + 4..start + 8].copy_from_slice(&attacker::UNBIND.to_be_bytes()),
        _ => {} // as any other
    }
    matches!(dice, 20 | 21)
}

/// Reads until the enquire_link behind a batch is answered; false if the hub hangs up instead. Deliveries are answered in any way.
fn reads_marker(rogue: &mut Rogue, rng: &mut Rng) -> bool {
    while let Some((header, _)) = rogue.read() {
        let is_fine = match header.command {
            Command::DELIVER_SM => {
                let status = if rng.bool() { 0 } else { rng.u32(..) };
                let answer = attacker::raw(17, attacker::DELIVER_SM | RESP, status, header.sequence, b"\0");
                rogue.send(&answer).is_ok()
            }
            command if command == Command::ENQUIRE_LINK.response() && header.sequence == 1 => return true,
            _ => true, // one answer or other
        };
        if !is_fine {
            return false;
        }
    }
    false
}

/// A session that submits one message after the other and waits for the receipt of each.
struct Honest {
    peer: Peer,
    /// Ids without a receipt yet.
    open: BTreeSet<Vec<u8>>,
    /// Receipts that came before the answer that tells their id.
    early: BTreeSet<Vec<u8>>,
    receipts: u64,
}

impl Honest {
    /// Starts one; it goes on until `enough`, and then gives how many messages came back as receipts.
    fn start(port: u16, account: &'static str, enough: &Arc<AtomicBool>) -> JoinHandle<u64> {
        let enough = Arc::clone(enough);
        std::thread::spawn(move || {
            let mut peer = Peer::connect(port);
            peer.send(&pdu(BIND_TRANSCEIVER, 1, &bind_body(account, account, "")));
            peer.expect("an honest bind", BIND_TRANSCEIVER | RESP, 0, 1);
            let mut honest = Self { peer, open: BTreeSet::new(), early: BTreeSet::new(), receipts: 0 };
            let mut sequence = 1;
            while !enough.load(Ordering::Relaxed) {
                sequence += 1;
                honest.submit(sequence);
            }
            while !honest.open.is_empty() {
                honest.read();
            }
            honest.peer.lives("an honest session");
            honest.receipts
        })
    }

    fn submit(&mut self, sequence: u32) {
        self.peer.send(&Submit { receipt: 1, ..Submit::default() }.pdu(sequence));
        while self.read() != Some(sequence) {}
    }

    /// Takes one PDU; gives the number of the submit that it answers.
    fn read(&mut self) -> Option<u32> {
        let answer = self.peer.read("an honest session");
        if answer.command == (SUBMIT_SM | RESP) {
            assert_eq!(answer.status, 0, "an honest submit was refused");
            let id = answer.body[..answer.body.len() - 1].to_vec();
            if !self.early.remove(&id) {
                assert!(self.open.insert(id), "an id was given twice");
            }
            return Some(answer.sequence);
        }
        if answer.command == ENQUIRE_LINK {
            self.peer.send(&pdu(ENQUIRE_LINK | RESP, answer.sequence, b""));
            return None;
        }
        assert_eq!(answer.command, attacker::DELIVER_SM);
        self.peer.send(&pdu(attacker::DELIVER_SM | RESP, answer.sequence, b"\0"));
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let (_, receipt) = text.split_once("id:").expect("a receipt");
        assert!(receipt.contains("stat:DELIVRD"), "{receipt}");
        let id = receipt.split(' ').next().unwrap_or_default().as_bytes().to_vec();
        self.receipts += 1;
        if !self.open.remove(&id) {
            self.early.insert(id);
        }
        None
    }
}

/// Waits until so many PDUs are sent, or a session has ended in failure.
fn await_count(hub: &Hub, sent: &AtomicU64, count: u64, sessions: &[JoinHandle<Ledger>]) {
    hub.process.until("the first PDUs are through", LIMIT, || {
        sent.load(Ordering::Relaxed) >= count || sessions.iter().all(JoinHandle::is_finished)
    });
}
