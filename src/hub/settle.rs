//! Messages end: their outcome is written, and then they are forgotten.

use super::table::{Row, Whereabouts, flag};
use super::{Held, Hub, PartReceipts, Stage};
use crate::codec::MessageState;
use crate::id::Lsn;
use crate::message::{Outcome, Phase, wants_receipt};
use crate::spool::Record;

impl Hub {
    /// Brings a message to its final state; gives where that is recorded.
    pub(super) fn settle(&mut self, slot: u32, outcome: Outcome) -> Lsn {
        let now = self.now.wall;
        let row = self.table.row(slot);
        if row.phase == Phase::Awaiting {
            let (carrier, waited) = (usize::from(row.carrier.0), now.since(row.at));
            self.carriers.in_passing(carrier).counts.end(outcome.state, waited);
        }
        (row.state, row.error, row.at) = (outcome.state, outcome.error, now);
        let whereabouts = std::mem::replace(&mut row.whereabouts, Whereabouts::Here);
        (row.carrier_message_id, row.losses) = (None, 0);
        let wanted = wants_receipt(row.registered_delivery, outcome.state);
        if row.is(flag::QUEUED) {
            let carrier = row.carrier;
            self.wake_carrier(carrier); // those behind it may have waited for its body
        }
        match whereabouts {
            Whereabouts::Known(hash) => self.correlation.remove(hash, slot),
            Whereabouts::Nameless => self.leave_nameless(slot),
            Whereabouts::Here | Whereabouts::Going(_) | Whereabouts::Out(_) => {}
        }
        self.forget_aliases(slot);
        self.wheel.cancel(slot);
        if !self.transactions.is_empty() {
            let token = self.table.token(slot);
            self.end_transaction(token, outcome);
        }
        let row = self.table.row(slot);
        if row.is(flag::WHOLE) {
            return self.end_whole(slot, outcome);
        }
        if row.is(flag::PART) {
            let receipts = self.accounts[usize::from(row.account.0)].part_receipts;
            if receipts != PartReceipts::Each {
                return self.end_part(slot, receipts);
            }
            let Some(group) = self.kin.group_of(slot) else { return self.announce(slot, wanted) };
            self.note_part(group, outcome);
            let lsn = self.announce(slot, wanted);
            return self.end_divided(group, receipts).unwrap_or(lsn);
        }
        self.effects.stats.settle(outcome.state);
        let bulk = self.end_in_bulk(slot);
        let lsn = self.announce(slot, wanted);
        self.end_bulk(bulk);
        lsn
    }

    /// Writes the outcome that the row says, for its account to hear of if that is `wanted`.
    fn announce(&mut self, slot: u32, wanted: bool) -> Lsn {
        if !wanted {
            return self.finish(slot);
        }
        let row = self.table.row(slot);
        let id = row.id(slot);
        let (state, error, now) = (row.state, row.error, row.at);
        self.table.row(slot).phase = Phase::Settled;
        let state = state.octet();
        let lsn = self.journal.append(&Record::Settled { id, state, error, at: now }).lsn;
        let token = self.table.token(slot);
        self.hold(lsn, Held::Settled { token });
        lsn
    }

    /// The message is over and nobody is owed anything: forgets it.
    pub(super) fn finish(&mut self, slot: u32) -> Lsn {
        if !self.transactions.is_empty() {
            let row = self.table.row(slot);
            let outcome = Outcome { state: row.state, error: row.error };
            let token = self.table.token(slot);
            self.end_transaction(token, outcome); // if nobody settled it: its parts spoke for it
        }
        let row = self.table.row(slot);
        let (id, is_part) = (row.id(slot), row.is(flag::PART));
        let (bulk, state, error, at) = (row.bulk, row.state, row.error, row.at);
        let is_told = matches!(row.phase, Phase::Settled | Phase::Waiting | Phase::Delivering);
        // A bulk's counts outlive its messages: how each ended has to be on record.
        if bulk != Row::ALONE && !is_told {
            self.journal.append(&Record::Settled { id, state: state.octet(), error, at });
        }
        let lsn = self.journal.append(&Record::Done { id }).lsn;
        let (locator, account) = self.table.remove(slot);
        self.forget_aliases(slot);
        self.wheel.cancel(slot);
        let group = self.kin.group_of(slot).filter(|_| is_part);
        self.kin.leave(id);
        self.bulks.leave(bulk, state);
        self.journal.retire(locator);
        self.accounts[usize::from(account.0)].held -= 1;
        if let Some(group) = group {
            self.end_with_last_part(group);
        }
        lsn
    }

    /// Ends a message whose time is over and that nobody but the hub has: EXPIRED, and why its last attempt failed.
    pub(super) fn expire_here(&mut self, slot: u32) {
        let row = self.table.row(slot);
        let stage = match row.phase {
            Phase::Scheduled if row.attempts > 0 => Stage::Backoff,
            Phase::Scheduled => Stage::Scheduled,
            _ => Stage::Queued,
        };
        let outcome = Outcome { state: MessageState::Expired, error: row.error };
        self.expire(slot, stage, outcome);
    }

    /// Ends a message whose time was over at this stage.
    pub(super) fn expire(&mut self, slot: u32, stage: Stage, outcome: Outcome) {
        if self.table.row(slot).is(flag::INBOUND) {
            self.effects.stats.inbound.expired += 1;
            self.finish(slot);
            return;
        }
        self.effects.stats.expired[stage as usize] += 1;
        self.settle(slot, outcome);
    }
}

/// Whether a message in this phase counts as not yet settled.
pub(super) const fn is_open(phase: Phase) -> bool {
    match phase {
        Phase::Accepting
        | Phase::Scheduled
        | Phase::Queued
        | Phase::Gathering
        | Phase::Divided
        | Phase::Joined
        | Phase::Dispatched
        | Phase::Awaiting => true,
        Phase::Free | Phase::Settled | Phase::Waiting | Phase::Delivering => false,
    }
}
