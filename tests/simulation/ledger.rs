//! What the peers know: each message with all that was said of it at either end, and all that went wrong.

use super::agenda::{Agenda, Micros, SECOND};
use enroute::bulk;
use enroute::clock::UnixMs;
use enroute::codec::{MessageState, Reading, Sm, Status, Tag};
use enroute::conversion::{Part, part_of};
use std::collections::{BTreeMap, BTreeSet};

/// One submission of a customer.
#[derive(Clone, Debug)]
pub struct Message {
    pub account: usize,
    pub source: String,
    pub destination: String,
    pub esm_class: u8,
    pub data_coding: u8,
    /// User data, header included.
    pub text: Vec<u8>,
    /// It is written in message_payload.
    pub is_long: bool,
    pub wants_receipt: bool,
    pub sent: Micros,
    /// When it is due at the earliest, and how long it is good for after that, in milliseconds.
    pub schedule: Option<UnixMs>,
    /// Its schedule counts from when it is taken in.
    pub is_relative: bool,
    pub expires: (UnixMs, UnixMs),
    /// How long it is good for from when it is taken in, in milliseconds.
    pub span_ms: u64,
    pub answer: Option<(Micros, Result<String, Status>)>,
    /// When its customer asked for its end, and when that was agreed to.
    pub cancel: Option<(Micros, Option<Micros>)>,
    pub dispatches: Vec<Dispatched>,
    pub offers: Vec<Offer>,
    pub told: Vec<Told>,
}

/// The hub handed a message to a link.
#[derive(Clone, Debug)]
pub struct Dispatched {
    pub at: Micros,
    pub connection: usize,
}

/// A carrier got a message.
#[derive(Clone, Debug)]
pub struct Offer {
    pub at: Micros,
    pub connection: usize,
    pub carrier: usize,
    pub part: Option<(u16, u8, u8)>,
    pub text: Vec<u8>,
    /// What it made of it; `None`: it keeps its answer to itself.
    pub status: Option<Status>,
    /// It has the message, whatever it says.
    pub is_taken: bool,
    pub id: String,
    /// When it answered, and where in the stream the answer ends.
    pub answered: Option<(Micros, u64)>,
    /// How often the hub was told how it ended, and when it agreed to know.
    pub receipts: u32,
    pub receipt_taken: Option<Micros>,
}

/// A customer got a receipt.
#[derive(Clone, Debug)]
pub struct Told {
    pub account: usize,
    pub destination: String,
    pub at: Micros,
    pub connection: usize,
    pub state: MessageState,
    pub id: String,
    /// What it answered, if it did.
    pub said: Option<(Micros, Status)>,
}

/// A message of a handset.
#[derive(Clone, Debug)]
pub struct Inbound {
    pub account: usize,
    pub text: Vec<u8>,
    /// When the hub agreed to have it.
    pub taken: Option<Micros>,
    pub refused: bool,
    /// How often the hub was told it.
    pub tells: u32,
    /// When a customer heard it, where, and what it answered when.
    pub heard: Vec<Heard>,
}

/// When a customer heard a handset's message, on which connection, and when it answered what.
pub type Heard = (Micros, usize, Option<(Micros, Status)>);

/// How the process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    Power,
    Kill,
    /// In good order, though not everything could be written.
    Sick,
    /// In good order.
    Order,
}

/// What is known of one connection.
#[derive(Clone, Debug, Default)]
pub struct Wire {
    /// Of which carrier, if it is a link's.
    pub carrier: Option<usize>,
    pub window: usize,
    /// When the hub's end was over, and how much of what the peer wrote it had read.
    pub ended: Option<(Micros, u64)>,
    /// A crash ended it.
    pub crashed: bool,
    /// Octets may have been lost on it without anybody hearing so.
    pub is_deaf: bool,
}

/// All ledgers of a run.
#[derive(Default)]
pub struct Ledger {
    pub messages: Vec<Message>,
    pub inbound: Vec<Inbound>,
    pub wires: BTreeMap<usize, Wire>,
    pub events: Vec<(Micros, String)>,
    /// When the process ended, and how.
    pub deaths: Vec<(Micros, Death)>,
    /// When the spool could be written no more, and when again.
    pub failing: Vec<(Micros, bool)>,
    /// Bits that turned over in the store.
    pub flips: usize,
    /// Ids of messages that the hub gave up because link after link was lost with them.
    pub poison: BTreeSet<String>,
    /// What nobody should have seen.
    pub wrong: Vec<String>,
    pub by_id: BTreeMap<String, usize>,
    pub bulks: Vec<(u64, Micros)>,
    /// Which messages a carrier calls by one id.
    pub by_carrier_id: BTreeMap<(usize, String), BTreeSet<usize>>,
    /// In the order in which they came.
    pub receipts: Vec<Told>,
}

impl Ledger {
    /// Remembers something that explains what follows.
    pub fn note(&mut self, at: Micros, what: impl Into<String>) {
        self.events.push((at, what.into()));
    }

    /// Something that must not be.
    pub fn wrong(&mut self, at: Micros, what: String) {
        if self.wrong.len() < 20 {
            self.wrong.push(format!("at {}: {what}", seconds(at)));
        }
    }

    /// The hub hands a message to a link: never before its time, never after its end.
    pub fn dispatched(&mut self, body: &[u8], connection: usize, agenda: &Agenda) {
        let Ok(sm) = Sm::decode(body, Reading::Lenient) else {
            return self.wrong(agenda.time, "a dispatch can't be read".to_owned());
        };
        let Some(number) = number_in(&sm) else {
            return self.wrong(agenda.time, format!("a dispatch of nobody's: {:?}", sm.text()));
        };
        let (low, high) = agenda.believed(agenda.time);
        let Some(message) = self.messages.get_mut(number) else {
            return self.wrong(agenda.time, format!("I3: T{number} was never submitted"));
        };
        message.dispatches.push(Dispatched { at: agenda.time, connection });
        // Its time has come once and for all, wherever the clock is set afterwards.
        let is_first = message.dispatches.len() == 1;
        if is_first && message.schedule.is_some_and(|schedule| high < schedule) {
            let (at, schedule) = (agenda.time, message.schedule);
            self.wrong(at, format!("I12: T{number} goes out before {schedule:?}: it is {high:?}"));
        } else if low > message.expires.1 {
            let (at, expires) = (agenda.time, message.expires);
            self.wrong(at, format!("I12: T{number} goes out after its end {expires:?}: it is {low:?}"));
        }
    }

    /// What a carrier gets is what the customer wrote.
    pub fn check_content(&mut self, number: usize, sm: &Sm<'_>, at: Micros) {
        let message = &self.messages[number];
        let is_cut = message.is_long && sm.tlvs.find(Tag::MESSAGE_PAYLOAD).is_none();
        let is_same = sm.source.addr == message.source.as_bytes()
            && sm.destination.addr == message.destination.as_bytes()
            && sm.data_coding == message.data_coding
            && (is_cut || said(sm.text(), sm.esm_class, part(sm)) == message.said());
        if !is_same {
            self.wrong(at, format!("I6: T{number} came to its carrier as {sm:?}"));
        }
    }

    pub fn bulk_answered(&mut self, token: u64, _: &bulk::Answer, at: Micros) {
        self.bulks.push((token, at));
    }

    /// A link's connection stands.
    pub fn linked(&mut self, connection: usize, carrier: usize, window: usize) {
        let wire = self.wires.entry(connection).or_default();
        (wire.carrier, wire.window) = (Some(carrier), window);
    }

    /// The hub's end of a connection is over; `progress` is of what the peer wrote.
    pub fn hub_ended(&mut self, connection: usize, agenda: &Agenda, progress: (u64, u64)) {
        let wire = self.wires.entry(connection).or_default();
        if wire.ended.is_none() {
            wire.ended = Some((agenda.time, progress.1));
        }
    }

    /// The process is gone, and all its connections with it.
    pub fn died(&mut self, at: Micros, death: Death, connections: &[usize]) {
        self.deaths.push((at, death));
        for connection in connections {
            let wire = self.wires.entry(*connection).or_default();
            if wire.ended.is_none() {
                (wire.ended, wire.crashed) = (Some((at, 0)), true);
            }
        }
    }

    /// The hub gives a message up because link after link was lost with it: so they were, or it slanders a message. Of an id that nobody
    /// was told (a part's, or one whose answer was lost) it must be true of some message.
    pub fn poisoned(&mut self, id: &str, attempts: usize, at: Micros) {
        let is_lost = |out: &&Dispatched| {
            let wire = self.wires.get(&out.connection);
            wire.and_then(|wire| wire.ended).is_some_and(|(ended, _)| ended >= out.at)
        };
        let losses = |message: &Message| message.dispatches.iter().filter(is_lost).count();
        let lost = match self.by_id.get(id) {
            Some(number) => losses(&self.messages[*number]),
            None => self.messages.iter().map(losses).max().unwrap_or_default(),
        };
        self.poison.insert(id.to_owned());
        if lost < attempts {
            self.wrong(at, format!("{id} is called poison; links were lost with it: {lost}"));
        }
    }

    /// Whether the process ended between two times.
    pub fn died_between(&self, from: Micros, to: Micros) -> bool {
        self.deaths.iter().any(|(at, _)| (from..=to).contains(at))
    }

    /// Whether what the hub heard at `heard` was certainly on its disk whenever its process ended before `until`.
    pub fn outlived_all(&self, heard: Micros, until: Micros) -> bool {
        let was_failing = |from: Micros, to: Micros| {
            self.failing.iter().any(|(at, _)| (from..=to).contains(at))
                || self.failing.iter().rfind(|(at, _)| *at < from).is_some_and(|(_, failing)| *failing)
        };
        let mut ends = self.deaths.iter().map(|(at, _)| *at).filter(|at| (heard..=until).contains(at));
        ends.all(|at| at > heard + COMMIT_MAX && !was_failing(heard, at))
    }

    /// As [`Ledger::died_between`], not counting ends in good order.
    pub fn died_badly_between(&self, from: Micros, to: Micros) -> bool {
        self.deaths.iter().any(|(at, death)| *death != Death::Order && (from..=to).contains(at))
    }

    /// The customer hears what became of its submission.
    pub fn answered(&mut self, number: usize, at: Micros, answer: Result<String, Status>) {
        if let Ok(id) = &answer
            && let Some(other) = self.by_id.insert(id.clone(), number)
        {
            self.wrong(at, format!("I5: T{other} and T{number} have one id, {id}"));
        }
        let message = &mut self.messages[number];
        if message.answer.is_some() {
            self.wrong(at, format!("T{number} is answered twice"));
            return;
        }
        message.answer = Some((at, answer));
    }

    /// Puts each receipt to its message, now that all answers are known that anybody will hear. One whose id nobody heard must be of a
    /// message to its destination whose answer was lost.
    pub fn sort_receipts(&mut self) {
        let mut orphans: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for told in std::mem::take(&mut self.receipts) {
            let Some(number) = self.by_id.get(&told.id).copied() else {
                orphans.entry(told.destination).or_default().insert(told.id);
                continue;
            };
            if self.messages[number].account != told.account {
                self.wrong(told.at, format!("T{number}: its receipt is told to another account"));
            }
            self.messages[number].told.push(told);
        }
        for (destination, ids) in orphans {
            let unheard = self
                .messages
                .iter()
                .filter(|message| message.answer.is_none() && message.destination == destination);
            if unheard.count() < ids.len() {
                self.wrong(0, format!("I5: receipts for {destination} name {ids:?}, which nobody has"));
            }
        }
    }

    /// Everything that is known of a message, to be read by a person.
    pub fn story(&self, number: usize) -> String {
        let Some(message) = self.messages.get(number) else { return format!("T{number} is nobody") };
        let mut lines = vec![format!(
            "T{number}: account {} to {}, sent {}, answer {:?}, schedule {:?}, ends {:?}, cancel {:?}",
            message.account,
            message.destination,
            seconds(message.sent),
            message.answer.as_ref().map(|(at, answer)| (seconds(*at), answer)),
            message.schedule,
            message.expires,
            message.cancel,
        )];
        for Dispatched { at, connection } in &message.dispatches {
            lines.push(format!("  {} dispatched on #{connection}", seconds(*at)));
        }
        for offer in &message.offers {
            lines.push(format!(
                "  {} at carrier {} on #{}{}: {:?}, id {}, answered {:?}, receipt taken {:?}",
                seconds(offer.at),
                offer.carrier,
                offer.connection,
                offer.part.map_or(String::new(), |part| format!(" part {part:?}")),
                offer.status,
                offer.id,
                offer.answered.map(|(at, _)| seconds(at)),
                offer.receipt_taken.map(seconds),
            ));
        }
        for told in &message.told {
            lines.push(format!(
                "  {} receipt {:?} on #{}, said {:?}",
                seconds(told.at),
                told.state,
                told.connection,
                told.said
            ));
        }
        let wires = message
            .offers
            .iter()
            .map(|offer| offer.connection)
            .chain(message.dispatches.iter().map(|way| way.connection));
        let mut wires: Vec<usize> = wires.chain(message.told.iter().map(|told| told.connection)).collect();
        wires.sort_unstable();
        wires.dedup();
        for connection in wires {
            let ended = self.wires.get(&connection).and_then(|wire| wire.ended);
            lines.push(format!("  #{connection} ended {:?}", ended.map(|(at, _)| seconds(at))));
        }
        lines.join("\n")
    }

    /// What went wrong, and when.
    pub fn trouble(&self) -> String {
        self.events.iter().map(|(at, what)| format!("{} {what}", seconds(*at))).collect::<Vec<_>>().join("\n")
    }
}

impl Message {
    /// What is to be said, whichever way.
    fn said(&self) -> Said<'_> {
        let part = (self.esm_class & UDHI != 0).then(|| {
            let [_, _, _, reference, total, number, ..] = self.text[..] else { unreachable!("we wrote it") };
            (u16::from(reference), total, number)
        });
        said(&self.text, self.esm_class, part)
    }
}

/// Which part of which text, and its text without a header.
type Said<'a> = (Option<(u16, u8, u8)>, &'a [u8]);

fn said(text: &[u8], esm_class: u8, part: Option<(u16, u8, u8)>) -> Said<'_> {
    let header = if esm_class & UDHI == 0 { 0 } else { 1 + usize::from(text[0]) };
    (part, &text[header..])
}

/// The message of ours that a submission is.
pub fn number_in(sm: &Sm<'_>) -> Option<usize> {
    // The last part of a text may be too short to name it.
    number_of(b'T', sm.text()).or_else(|| {
        let digits = part(sm).and_then(|_| sm.destination.addr.get(4..))?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    })
}

/// A record that was written longer ago is on the disk, if the disk takes anything.
const COMMIT_MAX: Micros = 15 * SECOND;
/// esm_class bit 6: the user data begins with a header.
const UDHI: u8 = 0x40;

/// The number after `letter` in a text of ours, whatever the text's alphabet and header.
pub fn number_of(letter: u8, text: &[u8]) -> Option<usize> {
    let plain: Vec<u8> = text.iter().copied().filter(|octet| *octet != 0).collect();
    let digits = plain.windows(1 + DIGITS).find_map(|window| {
        let (first, digits) = window.split_first()?;
        (*first == letter && digits.iter().all(u8::is_ascii_digit)).then_some(digits)
    })?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Which part of which text it is.
pub fn part(sm: &Sm<'_>) -> Option<(u16, u8, u8)> {
    part_of(sm).map(|Part { reference, total, number, .. }| (reference, total, number))
}

/// A time as the stories tell it.
pub fn seconds(at: Micros) -> String {
    format!("{:.6}", at as f64 / 1e6)
}

/// Digits of a number in a text.
pub const DIGITS: usize = 6;
