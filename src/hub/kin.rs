//! Messages that belong together: the parts of a text that we divided, the texts that we joined, the destinations of one
//! submit_multi.
//!
//! ```text
//!  divided:  message ──► part, part, part ──► all have ended ──► the message ends
//!  joined:   part, part, part ──► whole ──► it has ended ──► each part ends so
//!  shared:   one id for all; else each is a message like any other
//! ```
//!
//! Parts and wholes are messages too, so dispatch, retries, receipts and compaction know nothing of all this. Records
//! stand in such an order that any beginning of the log makes sense: parts before the mark that the message is divided, marks of
//! the joined before the whole.

use super::table::{Token, flag};
use super::{Hub, PartReceipts};
use crate::assembly::{self, Assembly};
use crate::codec::MessageState;
use crate::id::{AccountId, CarrierId, Lsn, MessageId};
use crate::message::{Outcome, Phase};
use crate::spool::Record;
use crate::text::References;
use bytes::Bytes;
use foldhash::HashMap;
use std::collections::BTreeSet;

/// Who belongs to whom.
#[derive(Debug)]
pub(super) struct Kin {
    /// By slot of a part, or of one that goes by another's id.
    groups: HashMap<u32, MessageId>,
    /// By slot of a joined message: the one that carries its text.
    wholes: HashMap<u32, MessageId>,
    /// Of either, by serial: in the order in which they came.
    members: HashMap<MessageId, BTreeSet<MessageId>>,
    /// Parts that wait for the rest of their text.
    pub gathering: Assembly<TextKey, (Token, Bytes)>,
    /// Reference numbers of the texts that we divide.
    pub references: References,
}

/// What tells one long text from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TextKey {
    pub account: AccountId,
    /// Where an inbound text came from; `None`: it was submitted.
    pub carrier: Option<CarrierId>,
    pub source: u32,
    pub destination: u32,
    pub reference: u16,
    pub wide: bool,
    pub total: u8,
}

impl Kin {
    pub fn new(limits: assembly::Limits) -> Self {
        Self {
            groups: HashMap::default(),
            wholes: HashMap::default(),
            members: HashMap::default(),
            gathering: Assembly::new(limits),
            references: References::new(0), // until the hub begins
        }
    }

    /// How many know of others, and how many texts are gathered.
    pub fn len(&self) -> usize {
        self.groups.len() + self.wholes.len() + self.members.len() + self.gathering.len()
    }

    /// Makes `id` a member of `group`; once, however often it is said.
    pub fn enter(&mut self, group: MessageId, id: MessageId) {
        if let Some(before) = self.groups.insert(id.slot, group).filter(|before| *before != group) {
            self.drop_member(before, id);
        }
        self.members.entry(group).or_default().insert(id);
    }

    /// `into` carries the text of `id`; once, however often it is said.
    pub fn join(&mut self, into: MessageId, id: MessageId) {
        if let Some(before) = self.wholes.insert(id.slot, into).filter(|before| *before != into) {
            self.drop_member(before, id);
        }
        self.members.entry(into).or_default().insert(id);
    }

    /// The text of `id` goes on its own again.
    pub fn part_from_whole(&mut self, id: MessageId) {
        if let Some(whole) = self.wholes.remove(&id.slot) {
            self.drop_member(whole, id);
        }
    }

    /// The message is over.
    pub fn leave(&mut self, id: MessageId) {
        if self.groups.is_empty() && self.wholes.is_empty() {
            return;
        }
        self.part_from_whole(id);
        if let Some(group) = self.groups.remove(&id.slot) {
            self.drop_member(group, id);
        }
    }

    fn drop_member(&mut self, group: MessageId, id: MessageId) {
        let Some(members) = self.members.get_mut(&group) else { return };
        members.remove(&id);
        if members.is_empty() {
            self.members.remove(&group);
        }
    }

    pub fn group_of(&self, slot: u32) -> Option<MessageId> {
        self.groups.get(&slot).copied()
    }

    pub fn whole_of(&self, slot: u32) -> Option<MessageId> {
        self.wholes.get(&slot).copied()
    }

    /// By whose id the customer knows the message in `slot`, if not by its own: a part of a text that is itself one of
    /// several destinations goes by the id of these.
    pub fn known_as(&self, slot: u32) -> Option<MessageId> {
        let group = self.group_of(slot)?;
        let above = self.group_of(group.slot);
        // The slot of a whole that is over may be somebody else's by now.
        above.filter(|above| self.members.get(above).is_some_and(|kin| kin.contains(&group))).or(Some(group))
    }

    /// In the order in which they came.
    pub fn members(&self, group: MessageId) -> impl Iterator<Item = MessageId> + '_ {
        self.members.get(&group).into_iter().flatten().copied()
    }
}

impl Hub {
    /// A part of a divided text has ended as its row says; gives where that is recorded.
    pub(super) fn end_part(&mut self, slot: u32, receipts: PartReceipts) -> Lsn {
        let row = self.table.row(slot);
        row.phase = Phase::Settled;
        let (id, state, error, at) = (row.id(slot), row.state.octet(), row.error, row.at);
        let lsn = self.journal.append(&Record::Settled { id, state, error, at }).lsn;
        match self.kin.group_of(slot) {
            Some(group) => self.end_divided(group, receipts).unwrap_or(lsn),
            None => self.finish(slot), // can't be: a part has a whole
        }
    }

    /// Ends a divided message if all its parts have ended; gives where that is recorded.
    pub(super) fn end_divided(&mut self, group: MessageId, receipts: PartReceipts) -> Option<Lsn> {
        let parts = self.parts_of(group);
        let mut outcomes = Vec::with_capacity(parts.len());
        for part in &parts {
            let row = self.table.find(*part)?;
            if super::is_open(row.phase) {
                return None;
            }
            outcomes.push((row.at, Outcome { state: row.state, error: row.error }));
        }
        let outcome = match receipts {
            PartReceipts::Worst => outcomes.into_iter().max_by_key(|(_, outcome)| badness(outcome.state)),
            PartReceipts::Last => outcomes.into_iter().max_by_key(|(at, _)| *at),
            PartReceipts::Each => return self.end_with_parts(group),
        };
        // Without parts nobody can say any more what became of it.
        let outcome = outcome.map_or(Outcome::plain(MessageState::Unknown), |(_, outcome)| outcome);
        let is_waiting = self.table.find(group).is_some_and(|row| row.phase == Phase::Divided);
        let mut lsn = is_waiting.then(|| self.settle(group.slot, outcome));
        for part in parts {
            lsn = Some(self.finish(part.slot));
        }
        lsn
    }

    /// The parts of a divided text that are not gone. Others may go by its id too: those of the same submit_multi.
    fn parts_of(&mut self, group: MessageId) -> Vec<MessageId> {
        let Self { kin, table, .. } = self;
        kin.members(group).filter(|id| table.find(*id).is_some_and(|row| row.is(flag::PART))).collect()
    }

    /// A part is gone. Its whole may have stayed only because that part went by the id that the whole goes by.
    pub(super) fn end_with_last_part(&mut self, group: MessageId) {
        let Some(row) = self.table.find(group) else { return };
        let account = &self.accounts[usize::from(row.account.0)];
        if row.phase == Phase::Divided && row.is(flag::SHARED) && account.part_receipts == PartReceipts::Each
        {
            self.end_divided(group, PartReceipts::Each);
        }
    }

    /// A divided message whose parts speak for it is over; as what, only its metrics and a query tell.
    fn end_with_parts(&mut self, group: MessageId) -> Option<Lsn> {
        let has_parts = !self.parts_of(group).is_empty();
        let row = self.table.find(group).filter(|row| row.phase == Phase::Divided)?;
        if has_parts && row.is(flag::SHARED) {
            return None; // their receipts name the id that it goes by
        }
        if row.state == MessageState::Enroute {
            row.state = MessageState::Unknown; // what was noted is forgotten: we were restarted
        }
        let state = row.state;
        self.effects.stats.settle(state);
        let bulk = self.end_in_bulk(group.slot);
        let lsn = self.finish(group.slot);
        self.end_bulk(bulk);
        Some(lsn)
    }

    /// Notes how one part has ended in the row of the whole: the worst of all counts.
    pub(super) fn note_part(&mut self, group: MessageId, outcome: Outcome) {
        let now = self.now.wall;
        let Some(row) = self.table.find(group).filter(|row| row.phase == Phase::Divided) else { return };
        if row.state == MessageState::Enroute || badness(outcome.state) > badness(row.state) {
            (row.state, row.error) = (outcome.state, outcome.error);
        }
        row.at = now;
    }

    /// A message that carries the texts of others has ended: so have they.
    pub(super) fn end_whole(&mut self, slot: u32, outcome: Outcome) -> Lsn {
        let id = self.table.row(slot).id(slot);
        for member in self.kin.members(id).collect::<Vec<_>>() {
            if self.table.find(member).is_some_and(|row| row.phase == Phase::Joined) {
                self.settle(member.slot, outcome);
            }
        }
        self.finish(slot)
    }
}

/// How bad a final state is for somebody who waits for the whole text.
const fn badness(state: MessageState) -> u8 {
    match state {
        MessageState::Delivered => 0,
        MessageState::Accepted => 1,
        MessageState::Scheduled | MessageState::Enroute => 2,
        MessageState::Unknown => 3,
        MessageState::Skipped => 4,
        MessageState::Deleted => 5,
        MessageState::Expired => 6,
        MessageState::Undeliverable => 7,
        MessageState::Rejected => 8,
    }
}
