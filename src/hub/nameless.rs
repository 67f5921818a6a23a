//! Messages that their carrier has, or is taken to have, under an id that nobody knows: it answered without one, or not at all.
//!
//! A receipt for one of them names an id that means nothing here. It is told by its destination, if no message is out whose
//! answer may still bring that id; until then it is held like any that comes early.

use super::table::{Token, Whereabouts};
use super::whose::Given;
use super::{Hub, Unanswered};
use crate::codec::Status;
use crate::correlation::Early;
use crate::id::CarrierId;
use crate::message::{Outcome, Phase};
use hashbrown::HashTable;

/// Such messages, by carrier and destination.
#[derive(Debug, Default)]
pub(super) struct Nameless {
    known: HashTable<(CarrierId, u32, u32)>,
}

impl Nameless {
    fn insert(&mut self, carrier: CarrierId, number: u32, slot: u32) {
        let entry = (carrier, number, slot);
        self.known
            .insert_unique(place(carrier, number), entry, |(carrier, number, _)| place(*carrier, *number));
    }

    fn remove(&mut self, carrier: CarrierId, number: u32, slot: u32) {
        if let Ok(entry) =
            self.known.find_entry(place(carrier, number), |known| *known == (carrier, number, slot))
        {
            entry.remove();
        }
    }

    fn find(&self, carrier: CarrierId, number: u32) -> impl Iterator<Item = u32> + '_ {
        let alike = move |(known, other, _): &&(CarrierId, u32, u32)| (*known, *other) == (carrier, number);
        self.known.iter_hash(place(carrier, number)).filter(alike).map(|(.., slot)| *slot)
    }
}

impl Hub {
    /// Remembers that the carrier of this message has it under no id.
    pub(super) fn enter_nameless(&mut self, slot: u32) {
        let row = self.table.row(slot);
        row.whereabouts = Whereabouts::Nameless;
        self.nameless.insert(row.carrier, row.destination, slot);
    }

    /// This message is over, or its carrier has told its id.
    pub(super) fn leave_nameless(&mut self, slot: u32) {
        let row = self.table.row(slot);
        self.nameless.remove(row.carrier, row.destination, slot);
    }

    /// The message without an id that a receipt is for, by its destination; the oldest one of several.
    pub(super) fn match_nameless(&mut self, given: Given<'_>) -> Option<u32> {
        if self.nameless.known.is_empty() || given.destination.is_empty() {
            return None;
        }
        let bare = given.destination.strip_prefix(b"+").unwrap_or(given.destination);
        for number in [self.table.hash(given.destination), self.table.hash(bare)] {
            let Self { nameless, table, .. } = self;
            let found = nameless.find(given.carrier, number);
            let (mut best, mut count) = (None, 0);
            for slot in found {
                let serial = table.row(slot).serial;
                count += 1;
                best = best.filter(|(older, _)| *older < serial).or(Some((serial, slot)));
            }
            let Some((_, slot)) = best else { continue };
            if self.is_out_to(given.carrier, number) {
                return None;
            }
            self.effects.stats.receipts_ambiguous += u64::from(count > 1);
            return Some(slot);
        }
        None
    }

    /// Whether a message to this number is with the carrier and not answered yet.
    fn is_out_to(&mut self, carrier: CarrierId, number: u32) -> bool {
        let Self { links, table, .. } = self;
        let of_carrier = links.iter().filter(|link| link.carrier == carrier);
        of_carrier.flat_map(|link| link.out.newest_first()).any(|token| {
            table.known(token).is_some_and(|row| row.phase == Phase::Dispatched && row.destination == number)
        })
    }

    /// Nobody has claimed a receipt by its id: it is for a message without one, or for nobody.
    pub(super) fn give_up_early(&mut self, early: &Early) {
        let outcome = Outcome { state: early.state, error: early.error };
        let (carrier, id, destination) = (early.carrier, &early.text, &early.destination);
        match self.match_nameless(Given::plain(carrier, id, destination, outcome)) {
            Some(slot) => {
                self.effects.stats.early_matched += 1;
                self.settle(slot, outcome);
            }
            None => self.effects.stats.receipts_unmatched += 1,
        }
    }

    /// Takes a message that was not answered as taken, under no id.
    pub(super) fn assume_taken(&mut self, token: Token) {
        let row = self.table.row(token.slot);
        (row.phase, row.losses, row.at) = (Phase::Awaiting, 0, self.now.wall);
        let (id, carrier, expires) = (row.id(token.slot), row.carrier, row.expires);
        self.record_sent(id, carrier, b"", self.now.wall);
        self.effects.stats.assumed += 1;
        self.note_taken(token.slot);
        self.enter_nameless(token.slot);
        self.end_unless_receipted(token.slot);
        if self.table.holds(token) {
            self.set_timer(token.slot, expires.after(self.settings.limits.receipt_grace));
        }
    }

    /// A carrier answers late what was taken as taken; gives whether that was so.
    pub(super) fn hear_late(&mut self, token: Token, status: Status, id: &[u8]) -> bool {
        let is_assumed =
            |phase, whereabouts| phase == Phase::Awaiting && whereabouts == Whereabouts::Nameless;
        let Some(row) = self.table.known(token).filter(|row| is_assumed(row.phase, row.whereabouts)) else {
            return false;
        };
        let (message, carrier) = (row.id(token.slot), row.carrier);
        // Or else what was refused is an attempt before the one that was taken.
        let is_assumed = self.carriers[usize::from(carrier.0)].unanswered == Unanswered::AssumeSent;
        if id.is_empty() && (status.is_ok() || !is_assumed) {
            return true;
        }
        self.leave_nameless(token.slot);
        if status.is_ok() {
            self.record_sent(message, carrier, id, self.now.wall);
            self.enter_named(token.slot, id);
            return true;
        }
        // It was refused after all: that is one attempt, which failed just now.
        let row = self.table.row(token.slot);
        (row.phase, row.whereabouts, row.at) = (Phase::Dispatched, Whereabouts::Here, row.accepted);
        self.note_attempts(token.slot, self.now.wall);
        let mut again = Vec::new();
        self.take_refusal(token, status, &mut again);
        again.into_iter().for_each(|token| self.dispatch_again(token, None));
        true
    }
}

fn place(carrier: CarrierId, number: u32) -> u64 {
    (u64::from(number) ^ u64::from(carrier.0) << 32).wrapping_mul(GOLDEN)
}

/// 2^64 over the golden ratio (Knuth, TAOCP 3, §6.4).
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
