//! Every message that the hub is responsible for, by slot.
//!
//! A slot is reused after its message is gone; a [`Token`] carries enough of the serial to tell the two apart.

use crate::clock::UnixMs;
use crate::codec::MessageState;
use crate::correlation::IdHash;
use crate::id::{AccountId, CarrierId, MessageId};
use crate::message::Phase;
use crate::spool::Locator;
use bytes::Bytes;

/// One message.
#[derive(Debug)]
pub(super) struct Row {
    pub serial: u64,
    /// Where its Accepted record is.
    pub locator: Locator,
    pub accepted: UnixMs,
    pub expires: UnixMs,
    /// When the next attempt is due, while there is one; when the outcome was known, after that.
    pub at: UnixMs,
    /// The body of its submit_sm while it is at hand; empty once parked.
    pub body: Bytes,
    /// What its carrier calls it, as written.
    pub carrier_message_id: Option<Box<[u8]>>,
    pub whereabouts: Whereabouts,
    pub account: AccountId,
    pub carrier: CarrierId,
    pub phase: Phase,
    pub attempts: u8,
    pub registered_delivery: u8,
    /// Bits of [`flag`].
    pub flags: u8,
    pub state: MessageState,
    pub error: [u8; 3],
}

/// What else is to be known of a row.
pub(super) mod flag {
    /// Its body is being read back.
    pub const FETCHING: u8 = 1;
    /// Its customer knows it by the short form of its id.
    pub const SHORT_ID: u8 = 2;
    /// It entered a queue and has not left it.
    pub const QUEUED: u8 = 4;
    /// Attempts of it may have reached the carrier without our knowing.
    pub const DOUBTFUL: u8 = 8;
    /// It was written again elsewhere while its body was being read back.
    pub const MOVED: u8 = 16;
}

/// Who else knows of a message now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whereabouts {
    Here,
    /// It, or its receipt, is with the session in this seat; counts in [`Phase::Dispatched`] and [`Phase::Delivering`].
    Out(u32),
    /// Its carrier has it, under the id that is looked up by this.
    Known(IdHash),
}

impl Row {
    pub fn id(&self, slot: u32) -> MessageId {
        MessageId { serial: self.serial, slot }
    }

    pub fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub fn set(&mut self, flag: u8) {
        self.flags |= flag;
    }

    pub fn clear(&mut self, flag: u8) {
        self.flags &= !flag;
    }
}

/// A message as others know it for a while: its slot, and the low half of its serial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
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
    rows: Vec<Row>,
    free: Vec<u32>,
}

impl Table {
    /// How many messages there are.
    pub fn len(&self) -> usize {
        self.rows.len() - self.free.len()
    }

    /// A free slot; it stays free until [`Table::put`].
    pub fn take_slot(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.rows.push(vacant());
            self.rows.len() as u32 - 1
        })
    }

    pub fn put(&mut self, slot: u32, row: Row) {
        while self.rows.len() <= slot as usize {
            self.rows.push(vacant());
        }
        self.rows[slot as usize] = row;
    }

    /// Frees `slot` and gives what was in it.
    pub fn remove(&mut self, slot: u32) -> Row {
        self.free.push(slot);
        std::mem::replace(&mut self.rows[slot as usize], vacant())
    }

    /// Lists the free slots anew: after a replay put rows where they were.
    pub fn rebuild_free(&mut self) {
        let free = |(slot, row): (usize, &Row)| (row.phase == Phase::Free).then_some(slot as u32);
        self.free = self.rows.iter().enumerate().rev().filter_map(free).collect();
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

    /// Whether the message that `token` means is in this phase, with the session in `seat`.
    pub fn is_out(&self, token: Token, phase: Phase, seat: u32) -> bool {
        self.rows.get(token.slot as usize).is_some_and(|row| {
            row.serial as u32 == token.serial
                && row.phase == phase
                && row.whereabouts == Whereabouts::Out(seat)
        })
    }

    pub fn token(&self, slot: u32) -> Token {
        Token { slot, serial: self.rows[slot as usize].serial as u32 }
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

fn vacant() -> Row {
    Row {
        serial: 0,
        locator: Locator { at: 0, len: 0 },
        accepted: UnixMs(0),
        expires: UnixMs(0),
        at: UnixMs(0),
        body: Bytes::new(),
        carrier_message_id: None,
        whereabouts: Whereabouts::Here,
        account: AccountId(0),
        carrier: CarrierId(0),
        phase: Phase::Free,
        attempts: 0,
        registered_delivery: 0,
        flags: 0,
        state: MessageState::Enroute,
        error: [0; 3],
    }
}
