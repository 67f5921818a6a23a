//! Messages that a carrier took more than once, and the further ids that it knows them by.
//!
//! An answer may come after its time, when the message has been sent again already. Both are the carrier's then, each under an id
//! of its own, and either may bring the receipt: the first final one counts. And if the second attempt is refused or lost, the
//! first still stands: there is no third.

use super::Hub;
use super::carrier_message_id::CarrierMessageId;
use super::table::{Token, Whereabouts};
use crate::correlation::IdHash;
use crate::id::CarrierId;
use crate::message::Phase;
use foldhash::HashMap;
use std::collections::BTreeMap;

/// Ids of messages that were taken twice, but for the last, by slot; and whose they are. As a replay finds them.
pub(super) type SecondIds = BTreeMap<u32, Vec<(CarrierId, CarrierMessageId)>>;

/// An id, as looked up and as written, and whose it is.
type Alias = (IdHash, CarrierMessageId, CarrierId);

/// Further ids, by slot.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    by_slot: HashMap<u32, Vec<Alias>>,
}

impl Aliases {
    /// How many messages have any.
    pub fn len(&self) -> usize {
        self.by_slot.len()
    }

    /// Remembers an id; false if it is known, or one too many.
    pub fn add(&mut self, slot: u32, hash: IdHash, id: &[u8], carrier: CarrierId) -> bool {
        let known = self.by_slot.entry(slot).or_default();
        let is_new = known.len() < ALIASES_MAX && known.iter().all(|(other, ..)| *other != hash);
        if is_new {
            known.push((hash, id.into(), carrier));
        }
        is_new
    }

    /// As they were written, and whose they are.
    pub fn of(&self, slot: u32) -> impl Iterator<Item = (CarrierId, &[u8])> {
        self.by_slot.get(&slot).into_iter().flatten().map(|(_, id, carrier)| (*carrier, &**id))
    }

    fn take(&mut self, slot: u32) -> Vec<Alias> {
        if self.by_slot.is_empty() { Vec::new() } else { self.by_slot.remove(&slot).unwrap_or_default() }
    }
}

impl Hub {
    /// A carrier took this message too late, as `id`: it is with that one again, or with another, or about to be.
    pub(super) fn take_second_id(&mut self, token: Token, id: &[u8], carrier: CarrierId) {
        let fits = |phase| matches!(phase, Phase::Dispatched | Phase::Awaiting);
        let Some(row) = self.table.known(token).filter(|row| fits(row.phase) && !id.is_empty()) else {
            return;
        };
        let (last, message, phase) = (row.carrier, row.id(token.slot), row.phase);
        let is_known = row.carrier_message_id.as_deref() == Some(id) && last == carrier;
        let state = &self.carriers[usize::from(carrier.0)];
        let hash = self.correlation.key(carrier, id, state.ids.response);
        if is_known || !self.aliases.add(token.slot, hash, id, carrier) {
            return;
        }
        self.record_sent(message, carrier, id, self.now.wall);
        // The last one counts: where the message has an id that was answered in time, that.
        if let (Phase::Awaiting, Some(first)) = (phase, self.table.row(token.slot).carrier_message_id.clone())
        {
            self.record_sent(message, last, &first, self.now.wall);
        }
        self.correlation.insert(hash, token.slot);
        self.claim_early(token.slot, carrier, id);
    }

    /// The last attempt came to nothing, or nobody knows: if an earlier one was taken, that is the one whose receipt is awaited.
    pub(super) fn fall_back(&mut self, token: Token) -> bool {
        let Some((hash, id, carrier)) = self.aliases.take(token.slot).pop() else { return false };
        let row = self.table.row(token.slot);
        (row.phase, row.losses, row.carrier) = (Phase::Awaiting, 0, carrier);
        (row.whereabouts, row.carrier_message_id) = (Whereabouts::Known(hash), Some(id));
        let expires = row.expires;
        self.set_timer(token.slot, expires.after(self.settings.limits.receipt_grace));
        true
    }

    /// The message in `slot` is over: none of its further ids means it any more.
    pub(super) fn forget_aliases(&mut self, slot: u32) {
        for (hash, ..) in self.aliases.take(slot) {
            self.correlation.remove(hash, slot);
        }
    }

    /// Takes up the further ids that the log tells of.
    pub(super) fn resume_aliases(&mut self, slot: u32, ids: Vec<(CarrierId, CarrierMessageId)>) {
        for (carrier, id) in ids {
            let form = self.carriers[usize::from(carrier.0)].ids.response;
            let hash = self.correlation.key(carrier, &id, form);
            if self.aliases.add(slot, hash, &id, carrier) {
                self.correlation.insert(hash, slot);
            }
        }
    }
}

/// Ids that are remembered beside the first: each cost the carrier a response timer.
const ALIASES_MAX: usize = 8;
