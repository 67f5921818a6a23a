//! After a restart, messages are taken up where their records leave them.

use super::aliases::SecondIds;
use super::table::{Row, Whereabouts, flag};
use super::{Hub, PartReceipts};
use crate::clock::UnixMs;
use crate::message::{Outcome, Phase, wants_receipt};

impl Hub {
    /// Takes up all messages, which are in `slots`, oldest first. If the hub before was cut off, that was after `cut_off`;
    /// `second_ids` are what their carriers call messages beside their usual ids.
    pub(super) fn take_up(&mut self, slots: &[u32], cut_off: Option<UnixMs>, second_ids: SecondIds) {
        self.mend_kin(slots);
        slots.iter().for_each(|slot| self.adopt(*slot));
        let fired = self.bulks.resume();
        let windows = self.settings.carriers.iter().map(|plan| plan.carrier.links * plan.carrier.window);
        let mut doubts: Vec<usize> = windows.map(|places| cut_off.map_or(0, |_| places)).collect();
        for slot in slots {
            // One that was taken up before may have ended its kin.
            let row = self.table.row(*slot);
            if row.phase == Phase::Free {
                continue;
            }
            let was_due = cut_off.is_some_and(|newest| row.at <= newest);
            self.resume(*slot);
            self.doubt(*slot, was_due, &mut doubts);
        }
        for (slot, mut ids) in second_ids {
            let row = self.table.row(slot);
            ids.retain(|(carrier, id)| {
                row.carrier != *carrier || row.carrier_message_id.as_ref() != Some(id)
            });
            if row.phase == Phase::Awaiting {
                self.resume_aliases(slot, ids);
            }
        }
        self.end_kin(slots);
        fired.into_iter().for_each(|place| self.end_bulk(Some(place)));
    }

    /// Counts one message among those that are here.
    fn adopt(&mut self, slot: u32) {
        let row = self.table.row(slot);
        let (locator, account) = (row.locator(), row.account);
        self.journal.adopt(locator);
        self.accounts[usize::from(account.0)].held += 1;
        let row = self.table.row(slot);
        let ended = (row.phase == Phase::Settled).then_some(row.state);
        if ended.is_some() {
            row.clear(flag::BUNDLED);
        }
        self.bulks.count_living(row.bulk, ended);
    }

    /// Marks a message that may have been out when the hub before was cut off; `doubts` has the places that its carrier's links had.
    fn doubt(&mut self, slot: u32, was_due: bool, doubts: &mut [usize]) {
        let row = self.table.row(slot);
        let is_next = was_due && row.phase == Phase::Queued;
        if let Some(places) =
            doubts.get_mut(usize::from(row.carrier.0)).filter(|places| is_next && **places > 0)
        {
            *places -= 1;
            row.set(flag::DOUBTFUL);
        }
    }

    /// Takes up one message where its records leave it.
    pub(super) fn resume(&mut self, slot: u32) {
        let row = self.table.row(slot);
        let (account, carrier, phase) = (row.account, row.carrier, row.phase);
        if row.is(flag::INBOUND) {
            return match phase {
                // Its text goes on in another message, which is there.
                Phase::Joined | Phase::Settled => drop(self.finish(slot)),
                _ => self.start(slot),
            };
        }
        let is_silent =
            row.is(flag::PART) && self.accounts[usize::from(account.0)].part_receipts != PartReceipts::Each;
        let whole = self.kin.group_of(slot).filter(|_| is_silent);
        let whole_waits =
            whole.is_some_and(|whole| self.table.find(whole).is_some_and(|row| row.phase == Phase::Divided));
        let row = self.table.row(slot);
        match phase {
            // Their kin end them.
            Phase::Divided | Phase::Joined => {}
            Phase::Settled if whole_waits => {}
            Phase::Settled if is_silent => drop(self.finish(slot)),
            Phase::Settled if wants_receipt(row.registered_delivery, row.state) => {
                let token = self.table.token(slot);
                self.offer(token);
            }
            Phase::Settled => {
                self.finish(slot);
            }
            Phase::Awaiting => {
                let until = row.expires.after(self.settings.limits.receipt_grace);
                if let Some(id) = row.carrier_message_id.as_deref() {
                    let form = self.carriers[usize::from(carrier.0)].ids.response;
                    let hash = self.correlation.key(carrier, id, form);
                    row.whereabouts = Whereabouts::Known(hash);
                    self.correlation.insert(hash, slot);
                } else {
                    self.enter_nameless(slot);
                }
                self.set_timer(slot, until);
            }
            // Its route was taken out of the configuration: the account hears so rather than nothing.
            Phase::Scheduled if row.route == Row::NO_ROUTE && carrier == Row::NOWHERE => {
                self.settle(slot, Outcome::NO_ROUTE);
            }
            // Its bulk brings it on, as soon as there are turns.
            Phase::Scheduled if row.is(flag::BUNDLED) => {}
            // Records leave a message in no other state than this one.
            _ => {
                self.cut_backoff(slot);
                self.start(slot);
            }
        }
    }
}
