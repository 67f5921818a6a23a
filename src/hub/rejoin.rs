//! Messages find their bulks and their kin again, in a replay.
//!
//! The records of a message stand before those that tell how its bulk went on, unless compaction wrote these again. So whoever
//! waits for a bulk waits in a list until the bulk is known to have fired, and has the times of that moment from then on.

use super::table::{Row, Token, flag};
use super::{Hub, Replay};
use crate::bulk::{Ended, Name, Saved, State};
use crate::id::{Lsn, MessageId};
use crate::message::Phase;
use crate::spool::{Locator, Record};

impl Replay {
    /// Whether a message is known already as one that waits for that bulk.
    pub(super) fn is_listed(&mut self, id: MessageId, bulk: Option<u64>) -> bool {
        let (Self { table, bulks, .. }, Some(number)) = (self, bulk) else { return false };
        table.find(id).is_some_and(|row| row.is(flag::BUNDLED) && bulks.number(row.bulk) == Some(number))
    }

    /// A message is of a bulk, which may not have been told of yet.
    pub(super) fn take_member(&mut self, id: MessageId, bulk: Option<u64>, is_listed: bool) {
        let Some(number) = bulk else { return };
        let place = self.bulks.recall(number);
        let row = self.table.row(id.slot);
        row.bulk = place;
        let waits = row.is(flag::BUNDLED);
        let token = self.table.token(id.slot);
        match self.bulks.state(place) {
            _ if !waits => {}
            Some(State::Pending | State::Paused | State::Canceled) if is_listed => {}
            Some(State::Pending | State::Paused | State::Canceled) => {
                self.bulks.wait(place, token.to_u64());
            }
            Some(State::Processing | State::Finished | State::Failed) | None => {
                self.unbundle(place, token);
            }
        }
    }

    /// How a bulk stands. When it has fired, its messages have the times of that moment.
    pub(super) fn take_bulk(&mut self, record: &Record<'_>, locator: Locator) {
        let Record::Bulk { number, account, name, state, at, changed, gone } = *record else { return };
        let account = self.account(account);
        let (Ok(name), Some(state)) = (Name::read(name), State::from_octet(state)) else {
            return;
        };
        let [delivered, expired, deleted, failed] = gone;
        let gone = Ended { delivered, expired, deleted, failed };
        let saved = Saved { number, account, name, state, at, changed, gone };
        let place = self.bulks.restore(saved, Lsn(locator.at + u64::from(locator.len)));
        if !state.is_unfired() && state != State::Canceled {
            for member in self.bulks.take_waiting(place) {
                self.unbundle(place, Token::from_u64(member));
            }
        }
    }

    /// A message waits for its bulk no longer.
    pub(super) fn unbundle(&mut self, place: u32, token: Token) {
        let Some(row) = self.table.known(token).filter(|row| row.bulk == place && row.is(flag::BUNDLED))
        else {
            return;
        };
        row.clear(flag::BUNDLED);
        if let Some(at) = self.bulks.at(place).filter(|_| row.phase == Phase::Scheduled) {
            (row.at, row.expires) = (at, at.after(row.expires.since(row.at)));
        }
    }

    /// Messages of bulks that no record tells of, for it is damaged, go by themselves.
    pub(super) fn free_of_lost_bulks(&mut self) {
        let lost = self.bulks.drop_nameless();
        if lost.is_empty() {
            return;
        }
        for slot in 0..self.table.slots() {
            let row = self.table.row(slot);
            if lost.contains(&row.bulk) {
                row.bulk = Row::ALONE;
                row.clear(flag::BUNDLED);
            }
        }
    }
}

impl Hub {
    /// Undoes what a cut in the log left half done: parts of a message that isn't marked as divided, and messages joined
    /// into one that isn't there.
    pub(super) fn mend_kin(&mut self, slots: &[u32]) {
        for slot in slots {
            let row = self.table.row(*slot);
            if row.is(flag::SHORT_ID) {
                let half = row.serial as u32;
                self.short_ids.insert(half, *slot);
            }
            let (id, phase, is_part) = (row.id(*slot), row.phase, row.is(flag::PART));
            let whole = self.kin.whole_of(*slot).filter(|_| phase == Phase::Joined);
            if whole.is_some_and(|whole| self.table.find(whole).is_none()) {
                self.table.row(*slot).phase = Phase::Scheduled;
                self.kin.part_from_whole(id);
            }
            let Some(group) = self.kin.group_of(*slot).filter(|_| is_part) else { continue };
            let divided = self.table.find(group).map(|row| row.phase);
            if divided.is_some_and(|phase| phase != Phase::Divided) {
                let row = self.table.row(*slot);
                (row.phase, row.registered_delivery) = (Phase::Settled, 0);
            }
        }
    }

    /// Ends what only waited for kin that have ended.
    pub(super) fn end_kin(&mut self, slots: &[u32]) {
        for slot in slots {
            let row = self.table.row(*slot);
            if row.phase == Phase::Free {
                continue;
            }
            let id = row.id(*slot);
            let (is_divided, is_whole, account) =
                (row.phase == Phase::Divided, row.is(flag::WHOLE), row.account);
            if is_divided {
                let receipts = self.accounts[usize::from(account.0)].part_receipts;
                self.end_divided(id, receipts);
            } else if is_whole && self.kin.members(id).next().is_none() {
                self.finish(*slot);
            }
        }
    }
}
