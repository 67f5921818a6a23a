//! What handsets say: through a carrier's link to the hub, and what an account hears of it.

use super::{Heard, LINK, World};
use bytes::BytesMut;
use enroute::carrier::{Arrival, LinkIntake, Matter};
use enroute::codec::{Address, Command, Reading, Sm, Status};
use enroute::esme::Verdict;
use enroute::hub::Event;
use enroute::id::{AccountId, CarrierId, Lsn, SessionId};
use enroute::route::inbound::Rule;
use enroute::route::{Inbound, Reach};
use enroute::session::BindKind;
use fastrand::Rng;
use std::collections::{BTreeMap, BTreeSet};

/// Who writes, unless a test says otherwise.
pub const HANDSET: Address<'_> = Address { ton: 1, npi: 1, addr: b"447700900123" };
/// Whom to.
pub const SHORT_CODE: Address<'_> = Address { ton: 0, npi: 0, addr: b"10010" };

/// A text of the handset.
pub fn handset_text(text: &[u8]) -> Sm<'_> {
    Sm { source: HANDSET, destination: SHORT_CODE, short_message: text, ..Sm::default() }
}

/// The user data of one part of a text, under a header with an 8-bit reference.
pub fn handset_part(reference: u8, total: u8, number: u8, text: &[u8]) -> Vec<u8> {
    [&[5, 0, 3, reference, total, number], text].concat()
}

/// Everything goes to this account.
pub fn all_to(account: AccountId) -> Inbound {
    let mut inbound = Inbound::default();
    inbound.insert(Rule::new(Reach::Any, account)).expect("the only one");
    inbound
}

impl World {
    pub fn bind_link_of(&mut self, session: SessionId, carrier: CarrierId) {
        let kind = BindKind::Transceiver;
        self.inbox.push(Event::LinkBound { session, carrier, kind, window: 10 });
    }

    /// The carrier delivers what a handset says; it comes with the next turn.
    pub fn bring(&mut self, session: SessionId, sequence: u32, sm: &Sm<'_>) {
        let mut body = BytesMut::new();
        sm.encode_body(&mut body);
        self.bring_body(session, sequence, &body);
    }

    fn bring_body(&mut self, session: SessionId, sequence: u32, body: &[u8]) {
        let matter = Matter::Inbound { body: 0..body.len() as u32 };
        let arrivals = vec![Arrival { command: Command::DELIVER_SM, sequence, matter }];
        let intake = LinkIntake { ids: body.to_vec(), arrivals, ..LinkIntake::default() };
        self.inbox.push(Event::LinkIntake { session, intake });
    }

    /// The same, and the hub sees to it; gives what the carrier is answered.
    pub fn brought(&mut self, sm: &Sm<'_>) -> Status {
        self.bring(LINK, 77, sm);
        self.run();
        let answered: Vec<_> = self.arrivals_answered.drain(..).collect();
        let [(LINK, 77, status)] = answered[..] else { panic!("{answered:?}") };
        status
    }

    /// The texts that the account heard since the last time, and what it makes of each.
    pub fn hear(&mut self, verdict: Verdict) -> Vec<Vec<u8>> {
        let heard: Vec<_> = self.heard.drain(..).collect();
        for message in &heard {
            self.verdict(message.session, message.token, verdict);
        }
        self.run();
        let text = |body: &[u8]| Sm::decode(body, Reading::Strict).expect("legal").text().to_vec();
        heard.iter().map(|message| text(&message.body)).collect()
    }
}

/// Handsets that write again and again what nobody else wrote, and what the account heard of it.
#[derive(Default)]
pub struct Handsets {
    /// Bodies that the carrier has brought and not heard of, by sequence number; the hub may have them.
    unanswered: BTreeMap<u32, Vec<u8>>,
    /// Marks that the hub was answered ROK for.
    taken: BTreeSet<u32>,
    /// Marks that the account has taken, and how often.
    heard: BTreeMap<u32, u32>,
    held: Vec<Heard>,
    next: u32,
    /// What the account took lately: syncs since then, and marks in it.
    fresh: Vec<(u8, u64)>,
    durable: Option<Lsn>,
    /// What may have been doubled: what one side had and the other didn't know of when something broke.
    excusable: u64,
}

impl Handsets {
    /// Somebody writes: a short text, or all parts of a long one in any order, each with its own mark.
    pub fn write(&mut self, world: &mut World, link: SessionId, random: &mut Rng) {
        let total = if random.bool() { 1 } else { random.u8(2..4) };
        let reference = random.u8(..);
        let mut numbers: Vec<u8> = (1..=total).collect();
        random.shuffle(&mut numbers);
        for number in numbers {
            self.next += 1;
            let text = format!("[{}]", self.next).into_bytes();
            let (esm_class, text) = match total {
                1 => (0, text),
                _ => (0x40, handset_part(reference, total, number, &text)),
            };
            let mut body = BytesMut::new();
            Sm { esm_class, ..handset_text(&text) }.encode_body(&mut body);
            let sequence = MARKS + self.next;
            world.bring_body(link, sequence, &body);
            self.unanswered.insert(sequence, body.to_vec());
        }
    }

    /// Takes the hub's answer to one of them; whether it was one.
    pub fn answered(&mut self, sequence: u32, status: Status) -> bool {
        let is_ours = sequence > MARKS && sequence != u32::MAX;
        if is_ours && self.unanswered.remove(&sequence).is_some() {
            assert_eq!(status, Status::ROK);
            self.taken.insert(sequence - MARKS);
        }
        is_ours
    }

    /// The link is lost, or the hub: the carrier brings again what it has not heard of.
    pub fn bring_again(&mut self, world: &mut World, link: SessionId) {
        for (sequence, body) in &self.unanswered {
            world.bring_body(link, *sequence, body);
            self.excusable += 1;
        }
    }

    /// A session of the account is gone.
    pub fn lose_port(&mut self, world: &mut World, gone: SessionId) {
        self.held.append(&mut world.heard);
        self.held.retain(|heard| heard.session != gone);
    }

    /// The hub is gone, and may have forgotten what it was answered last.
    pub fn lose_hub(&mut self) {
        self.held.clear();
        self.excusable += self.fresh.drain(..).map(|(_, marks)| marks).sum::<u64>();
    }

    /// The account makes something of what it heard.
    pub fn hear(&mut self, world: &mut World, random: &mut Rng, calm: bool) {
        // What was answered one sync ago may have been on its way to the disk; two syncs ago it wasn't any more.
        if self.durable.replace(world.durable) != Some(world.durable) {
            self.fresh.retain(|(syncs, _)| *syncs == 0);
            self.fresh.iter_mut().for_each(|(syncs, _)| *syncs += 1);
        }
        self.held.append(&mut world.heard);
        for heard in std::mem::take(&mut self.held) {
            let Heard { session, token, .. } = heard;
            match if calm { 9 } else { random.u8(0..6) } {
                0 => self.held.push(heard),
                1 => world.verdict(session, token, Verdict::Later),
                2 => world.verdict(session, token, Verdict::Unanswered),
                _ => {
                    let marks = marks(&heard.body);
                    self.fresh.push((0, marks.len() as u64));
                    for mark in marks {
                        *self.heard.entry(mark).or_default() += 1;
                    }
                    world.verdict(session, token, Verdict::Taken);
                }
            }
        }
    }

    /// What was taken was heard, once or, around disturbances, more often.
    pub fn check(&self, seed: u64) {
        let lost: Vec<_> = self.taken.iter().filter(|mark| !self.heard.contains_key(mark)).collect();
        assert_eq!(lost, [] as [&u32; 0], "seed {seed}: never heard");
        let doubles: u64 = self.heard.values().map(|times| u64::from(*times) - 1).sum();
        assert!(doubles <= self.excusable, "seed {seed}: {doubles} doubled, {} excusable", self.excusable);
        assert!(!self.taken.is_empty(), "seed {seed}: nothing was written");
    }
}

/// The marks in a text, of one part or of several that were joined.
fn marks(body: &[u8]) -> Vec<u32> {
    let sm = Sm::decode(body, Reading::Strict).expect("legal");
    let text = String::from_utf8_lossy(sm.text()).into_owned();
    let inside = text.split('[').skip(1).filter_map(|rest| rest.split(']').next()?.parse().ok());
    inside.collect()
}

/// Sequence numbers of handsets' messages begin behind it.
const MARKS: u32 = 0x4000_0000;
