//! Every message that the hub is responsible for, by slot.
//!
//! A slot is reused after its message is gone; a [`Token`] carries enough of the serial to tell the two apart.

use super::carrier_message_id::CarrierMessageId;
use super::ends::mark;
use super::rows::Rows;
use crate::carrier::CACHE_LINE;
use crate::clock::UnixMs;
use crate::codec::{MessageState, Sm};
use crate::correlation::IdHash;
use crate::id::{AccountId, CarrierId, Lsn, MessageId};
use crate::message::Phase;
use crate::route::RouteId;
use crate::spool::Locator;
use bytes::Bytes;
use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;
use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::ops::BitXor;

/// One message.
#[derive(Debug)]
pub(super) struct Row {
    pub serial: u64,
    pub accepted: UnixMs,
    pub expires: UnixMs,
    /// When the next attempt is due, while there is one; when the outcome was known, after that.
    pub at: UnixMs,
    /// Where its Accepted record is; in pieces, for they are packed closer.
    pub record_at: u64,
    pub record_len: [u8; 3],
    /// Short messages that it amounts to: what limits count.
    pub segments: u8,
    /// Its priority, 0 to 3.
    pub class: u8,
    /// The place of its body while that is at hand: of its submit_sm, or of its deliver_sm if it is inbound.
    pub body: Place,
    /// What its carrier calls it, as written.
    pub carrier_message_id: Option<CarrierMessageId>,
    pub whereabouts: Whereabouts,
    pub account: AccountId,
    /// [`Row::NOWHERE`] until one is picked.
    pub carrier: CarrierId,
    /// The rule that it goes by, or [`Row::NO_ROUTE`].
    pub route: RouteId,
    /// Which candidates of that have refused it, or [`super::way::FIXED`].
    pub tried: u32,
    /// Which of them it is at; from which on the next one is looked for, while it waits for another attempt.
    pub from: u8,
    /// Which candidates these count, see [`super::astray`]; 0: nobody has said.
    pub shape: u8,
    pub phase: Phase,
    pub attempts: u8,
    /// Links that were lost in a row while they had it, see [`super::suspects`].
    pub losses: u8,
    /// As it is meant, see [`crate::message::receipt_wish`].
    pub registered_delivery: u8,
    pub state: MessageState,
    pub error: [u8; 3],
    /// Bits of [`flag`].
    pub flags: u16,
    /// Marks of its addresses: what a query or a cancel names is compared with these, so that no body has to be read.
    pub source: u32,
    pub destination: u32,
    pub service_type: [u8; 5],
    /// The place of its bulk, or [`Row::ALONE`].
    pub bulk: u32,
}

/// What else is to be known of a row.
pub(super) mod flag {
    /// It came as data_sm.
    pub const DATA: u16 = 1;
    /// Its customer knows it by the short form of its id.
    pub const SHORT_ID: u16 = 2;
    /// registered_delivery 11 was meant as 5.0 means it: on success only.
    pub const SUCCESS_ONLY: u16 = 4;
    /// One part of a text that we divided; its group is the whole.
    pub const PART: u16 = 8;
    /// Its customer knows it by the id of its group.
    pub const SHARED: u16 = 16;
    /// It carries the texts of the messages that are joined into it.
    pub const WHOLE: u16 = 32;
    /// It waits for its bulk, which has not fired; its times are those that it came with.
    pub const BUNDLED: u16 = 64;
    /// It came from a handset: it goes to its account, as a deliver_sm, and never to a carrier.
    pub const INBOUND: u16 = 128;
    /// Those that its record keeps; the rest is made anew.
    pub const KEPT: u16 = 0xFF;

    /// Its body is being read back.
    pub const FETCHING: u16 = 0x100;
    /// It entered a queue and has not left it.
    pub const QUEUED: u16 = 0x200;
    /// Attempts of it may have reached the carrier without our knowing.
    pub const DOUBTFUL: u16 = 0x400;
    /// It was written again elsewhere, or otherwise, while its body was being read back.
    pub const MOVED: u16 = 0x800;
    /// Its carrier, or its account if it is inbound, may want its text divided or joined.
    pub const RESHAPE: u16 = 0x1000;
    /// One part of a long text: goes over the same link as the others.
    pub const TOGETHER: u16 = 0x2000;
    /// Good for one attempt: datagram and transaction mode.
    pub const ONCE: u16 = 0x4000;
    /// Its account's limits have counted it.
    pub const COUNTED: u16 = 0x8000;
}

/// The bit of an accepted record's flags that says: it came from a handset, and goes to its account.
pub const INBOUND: u8 = flag::INBOUND as u8;

/// Who else knows of a message now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whereabouts {
    Here,
    /// The session in this seat has a place for it, and is to be told of it; counts in [`Phase::Dispatched`].
    Going(u32),
    /// It, or its receipt, is with the session in this seat; counts in [`Phase::Dispatched`] and [`Phase::Delivering`].
    Out(u32),
    /// Its carrier has it, under the id that is looked up by this.
    Known(IdHash),
    /// Its carrier has it, or is taken to have it, under an id that it did not tell.
    Nameless,
}

fn octet(octets: &[u8], at: usize) -> u8 {
    octets.get(at).copied().unwrap_or_default()
}

/// Octets of a row: what each message costs in memory, beside its deadline.
const _: () = assert!(size_of::<Row>() <= 112);

/// A place among the bodies at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u32);

impl Place {
    const NONE: Self = Self(u32::MAX);
}

impl Row {
    /// No bulk.
    pub const ALONE: u32 = u32::MAX;
    /// No carrier: none is picked yet, or none is wanted.
    pub const NOWHERE: CarrierId = CarrierId(u16::MAX);
    /// No rule: none is for the message any more, or none is wanted.
    pub const NO_ROUTE: RouteId = RouteId(u16::MAX);

    /// Whether its body waits on disk alone.
    pub fn is_parked(&self) -> bool {
        self.body == Place::NONE
    }

    /// Whether a session is to be told of it.
    pub fn is_going(&self) -> bool {
        self.phase == Phase::Dispatched && matches!(self.whereabouts, Whereabouts::Going(_))
    }

    pub fn locator(&self) -> Locator {
        let [high, middle, low] = self.record_len;
        Locator { at: self.record_at, len: u32::from_be_bytes([0, high, middle, low]) }
    }

    /// Whether the disk can give its body back, given that it is `durable` so far.
    pub fn is_readable(&self, durable: Lsn) -> bool {
        let Locator { at, len } = self.locator();
        at + u64::from(len) <= durable.0
    }

    pub fn set_locator(&mut self, locator: Locator) {
        // A record is at most 1 MiB long.
        let [_, high, middle, low] = locator.len.to_be_bytes();
        (self.record_at, self.record_len) = (locator.at, [high, middle, low]);
    }

    pub fn id(&self, slot: u32) -> MessageId {
        MessageId { serial: self.serial, slot }
    }

    pub fn is(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    pub fn set(&mut self, flag: u16) {
        self.flags |= flag;
    }

    pub fn clear(&mut self, flag: u16) {
        self.flags &= !flag;
    }

    /// What its record says of its flags.
    pub fn kept_flags(&self) -> u8 {
        (self.flags & flag::KEPT) as u8
    }

    /// Whether it can still be cancelled or replaced: nobody but the hub has it.
    pub fn is_pending(&self) -> bool {
        matches!(self.phase, Phase::Scheduled | Phase::Queued | Phase::Gathering)
    }
}

/// A message as others know it for a while: its slot, and the low half of its serial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub slot: u32,
    pub serial: u32,
}

impl Token {
    pub fn to_u64(self) -> u64 {
        u64::from(self.serial) << 32 | u64::from(self.slot)
    }

    pub fn from_u64(token: u64) -> Self {
        Self { slot: token as u32, serial: (token >> 32) as u32 }
    }
}

/// The rows.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Rows<Row>,
    /// Bodies at hand, and which of the places are empty.
    bodies: Vec<Bytes>,
    body_octets: u64,
    vacant: Vec<u32>,
    /// The one freed longest ago first.
    free: VecDeque<u32>,
    /// Those that are taken next, the lowest one last.
    ready: Vec<u32>,
    /// Slots that stay free at least, so that a message that is gone can be asked for a while longer.
    kept_free: usize,
    random: SeedableRandomState,
}

impl Table {
    /// An empty table that remembers the final states of the last `kept_free` messages.
    pub fn new(kept_free: usize) -> Self {
        Self { kept_free, ..Self::default() }
    }

    /// As [`Table::new`], with hashes that follow from `seed`.
    pub fn repeatable(kept_free: usize, seed: u64) -> Self {
        let random = SeedableRandomState::with_seed(seed, SharedSeed::global_fixed());
        Self { random, ..Self::new(kept_free) }
    }

    /// What an address is compared by: its characters alone, since TON and NPI of one number change from one message to
    /// the next (fact sheet 5.4). It tells how a number ends, see [`super::ends`].
    pub fn hash(&self, addr: &[u8]) -> u32 {
        mark(addr, self.random.hash_one(addr))
    }

    /// What tells a message that passes again from others: its addresses, a plus sign in front aside, and its text.
    pub fn fingerprint(&self, sm: &Sm<'_>) -> u64 {
        let bare = |addr: &'_ [u8]| addr.strip_prefix(b"+").map_or(addr.len(), <[u8]>::len);
        let [source, destination] =
            [sm.source.addr, sm.destination.addr].map(|addr| &addr[addr.len() - bare(addr)..]);
        self.random.hash_one((source, destination, sm.text()))
    }

    /// How many messages there are.
    pub fn len(&self) -> usize {
        self.rows.len() - self.free.len() - self.ready.len()
    }

    /// A free slot; it stays free until [`Table::put`].
    pub fn take_slot(&mut self) -> u32 {
        if self.ready.is_empty() {
            self.make_ready();
        }
        self.ready.pop().unwrap_or_else(|| {
            self.rows.push(Row::default());
            // Nobody knows this one: its like is not kept for anybody.
            self.rows.len() as u32 - 1
        })
    }

    /// Messages end in another order than they came in, and slots that were taken in that order would soon lie all over the table, each
    /// in a place that no cache holds. So they are taken many at a time, in their own order.
    fn make_ready(&mut self) {
        if self.has_free_slot() {
            let spare = self.free.len() - self.kept_free;
            self.ready.extend(self.free.drain(..spare.min(READY_MAX)));
            self.ready.sort_unstable_by(|one, other| other.cmp(one));
        }
    }

    pub fn put(&mut self, slot: u32, row: Row) {
        while self.rows.len() <= slot as usize {
            self.rows.push(Row::default());
        }
        self.rows[slot as usize] = row;
    }

    /// Frees `slot` and says where its message was and whose. How it ended stays to be asked for until the slot is taken again.
    pub fn remove(&mut self, slot: u32) -> (Locator, AccountId) {
        self.free.push_back(slot);
        self.park(slot);
        let row = &mut self.rows[slot as usize];
        (row.phase, row.carrier_message_id) = (Phase::Free, None);
        (row.locator(), row.account)
    }

    /// Keeps the body of the message in `slot` at hand, in place of any other.
    pub fn keep_body(&mut self, slot: u32, body: Bytes) {
        let row = &mut self.rows[slot as usize];
        if row.is_parked() {
            row.body = Place(self.vacant.pop().unwrap_or_else(|| {
                self.bodies.push(Bytes::new());
                self.bodies.len() as u32 - 1
            }));
        }
        let place = &mut self.bodies[row.body.0 as usize];
        self.body_octets += body.len() as u64;
        self.body_octets -= place.len() as u64;
        *place = body;
    }

    /// Octets of all bodies at hand.
    pub fn body_octets(&self) -> u64 {
        self.body_octets
    }

    /// Whether a message more needs no row more.
    pub fn has_free_slot(&self) -> bool {
        let spare = self.free.len().saturating_sub(self.kept_free);
        !self.ready.is_empty() || spare >= (self.rows.len() / READY_SHARE).clamp(1, READY_MAX)
    }

    /// The body of the message in `slot`; empty if it is parked.
    pub fn body(&self, slot: u32) -> &Bytes {
        static PARKED: Bytes = Bytes::new();
        let row = &self.rows[slot as usize];
        self.bodies.get(row.body.0 as usize).unwrap_or(&PARKED)
    }

    /// The message in `slot`, and its body if that is at hand.
    pub fn row_and_body(&self, slot: u32) -> (&Row, &Bytes) {
        (&self.rows[slot as usize], self.body(slot))
    }

    /// Leaves the body of the message in `slot` to the disk.
    pub fn park(&mut self, slot: u32) {
        let row = &mut self.rows[slot as usize];
        let Place(place) = std::mem::replace(&mut row.body, Place::NONE);
        if let Some(body) = self.bodies.get_mut(place as usize) {
            self.body_octets -= body.len() as u64;
            *body = Bytes::new();
            self.vacant.push(place);
        }
    }

    /// How the message with this id ended, if it is gone and not forgotten.
    pub fn gone(&self, id: MessageId) -> Option<&Row> {
        let row = self.rows.get(id.slot as usize)?;
        let is_told = row.state != MessageState::Enroute;
        (row.phase == Phase::Free && row.serial == id.serial && is_told).then_some(row)
    }

    /// Looks at the row in `slot`, at both its ends and in the middle, and at where its body begins: gives what stands there.
    pub fn glance(&self, slot: u32) -> u64 {
        self.rows.get(slot as usize).map_or(0, |row| {
            let body = self
                .bodies
                .get(row.body.0 as usize)
                .map_or(0, |body| octet(body, 0) ^ octet(body, CACHE_LINE));
            row.serial ^ row.record_at ^ u64::from(row.attempts) ^ u64::from(body)
        })
    }

    /// Looks at the rows in the next `count` slots that are taken.
    pub fn glance_ready(&self, count: usize) -> u64 {
        self.ready.iter().rev().take(count).map(|slot| self.glance(*slot)).fold(0, u64::bitxor)
    }

    /// The row in `slot`, taken or free.
    pub fn peek(&self, slot: u32) -> Option<&Row> {
        self.rows.get(slot as usize)
    }

    /// How many slots there are, taken or free.
    pub fn slots(&self) -> u32 {
        self.rows.len() as u32
    }

    /// Lists the free slots anew: after a replay put rows where they were.
    pub fn rebuild_free(&mut self) {
        let free = |slot: &u32| self.rows[*slot as usize].phase == Phase::Free;
        self.free = (0..self.slots()).rev().filter(free).collect();
        self.ready.clear();
    }

    pub fn row(&mut self, slot: u32) -> &mut Row {
        &mut self.rows[slot as usize]
    }

    /// The row that `id` means, if that message is still there.
    pub fn find(&mut self, id: MessageId) -> Option<&mut Row> {
        let row = self.rows.get_mut(id.slot as usize)?;
        (row.phase != Phase::Free && row.serial == id.serial).then_some(row)
    }

    /// The row that `token` means, if that message is still there.
    pub fn known(&mut self, token: Token) -> Option<&mut Row> {
        let row = self.rows.get_mut(token.slot as usize)?;
        (row.phase != Phase::Free && row.serial as u32 == token.serial).then_some(row)
    }

    /// Whether the message that `token` means is still there.
    pub fn holds(&self, token: Token) -> bool {
        let row = self.rows.get(token.slot as usize);
        row.is_some_and(|row| row.phase != Phase::Free && row.serial as u32 == token.serial)
    }

    /// Whether the message that `token` means is in this phase and with the session in `seat`, or about to be.
    pub fn is_with(&self, token: Token, phase: Phase, seat: u32) -> bool {
        let there = self.whereabouts(token, phase);
        there == Some(Whereabouts::Out(seat)) || there == Some(Whereabouts::Going(seat))
    }

    /// Whether the session in `seat` is to be told of the message that `token` means.
    pub fn is_going(&self, token: Token, seat: u32) -> bool {
        self.whereabouts(token, Phase::Dispatched) == Some(Whereabouts::Going(seat))
    }

    /// Who knows of the message that `token` means, if it is in this phase.
    fn whereabouts(&self, token: Token, phase: Phase) -> Option<Whereabouts> {
        let row = self.rows.get(token.slot as usize)?;
        (row.serial as u32 == token.serial && row.phase == phase).then_some(row.whereabouts)
    }

    pub fn token(&self, slot: u32) -> Token {
        Token { slot, serial: self.rows[slot as usize].serial as u32 }
    }

    /// The slots of all messages, in the order of their serials.
    pub fn oldest_first(&self) -> Vec<u32> {
        let mut slots: Vec<u32> = self.iter().map(|(slot, _)| slot).collect();
        // Mostly in order already.
        slots.sort_unstable_by_key(|slot| self.rows[*slot as usize].serial);
        slots
    }

    /// All messages, by slot.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Row)> {
        self.rows
            .iter()
            .enumerate()
            .filter(|(_, row)| row.phase != Phase::Free)
            .map(|(slot, row)| (slot as u32, row))
    }
}

/// Free slots that are made ready at a time: as many as this part of the table, and so many at most.
const READY_SHARE: usize = 16;
const READY_MAX: usize = 4096;

impl Default for Row {
    /// A slot that is free.
    fn default() -> Self {
        Self {
            serial: 0,
            accepted: UnixMs(0),
            expires: UnixMs(0),
            at: UnixMs(0),
            record_at: 0,
            record_len: [0; 3],
            segments: 1,
            class: 0,
            body: Place::NONE,
            carrier_message_id: None,
            whereabouts: Whereabouts::Here,
            account: AccountId(0),
            carrier: CarrierId(0),
            route: Self::NO_ROUTE,
            tried: 0,
            from: 0,
            shape: 0,
            phase: Phase::Free,
            attempts: 0,
            losses: 0,
            registered_delivery: 0,
            state: MessageState::Enroute,
            error: [0; 3],
            flags: 0,
            source: 0,
            destination: 0,
            service_type: [0; 5],
            bulk: Self::ALONE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_taken_in_their_order_whatever_order_they_were_freed_in() {
        let mut table = Table::new(100);
        let take = |table: &mut Table| {
            let slot = table.take_slot();
            table.put(slot, Row { phase: Phase::Queued, ..Row::default() });
            slot
        };
        let mut slots: Vec<u32> = (0..1600).map(|_| take(&mut table)).collect();
        slots.sort_unstable_by_key(|slot| slot.wrapping_mul(0x9E37_79B9));
        for slot in &slots {
            table.remove(*slot);
        }
        assert_eq!((table.len(), table.has_free_slot()), (0, true));

        let again: Vec<u32> = (0..1500).map(|_| take(&mut table)).collect();

        assert!(again.is_sorted());
        // Those that were freed last are kept, how few others there may be.
        assert!(slots[1500..].iter().all(|slot| !again.contains(slot)));
        assert_eq!((table.len(), table.has_free_slot(), take(&mut table)), (1500, false, 1600));
    }
}
