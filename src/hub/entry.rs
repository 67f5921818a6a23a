//! Messages enter their carriers' queues: by priority, and among those of their account.

use super::queue_classes::Stand;
use super::suspects::SUSPECT;
use super::table::{Row, flag};
use super::{AccountState, Hub};
use crate::message::Phase;

impl Hub {
    /// Puts a message at the end of its carrier's queue, or of its suspects; picks its carrier before that, if that is to be done.
    pub(super) fn enqueue(&mut self, slot: u32) {
        let row = self.table.row(slot);
        if row.carrier == Row::NOWHERE {
            return self.route_out(slot);
        }
        if self.is_astray(slot) {
            return self.decide_again(slot);
        }
        let row = self.table.row(slot);
        let Some(carrier) = self.carriers.get(usize::from(row.carrier.0)) else { return };
        // It waited for another attempt at this one, which is not there any more; or the other parts of its text went elsewhere.
        let is_retry = row.attempts > 0 && row.losses < SUSPECT && row.may_move();
        let may_go = row.is(flag::TOGETHER) || !carrier.prospect().usable;
        if is_retry && may_go && !self.is_sole(slot) {
            return self.route_out(slot);
        }
        self.enter_queue(slot);
    }

    /// As [`Hub::enqueue`], for a message whose carrier has just been picked.
    pub(super) fn enter_queue(&mut self, slot: u32) {
        match self.table.row(slot).losses >= SUSPECT {
            true => self.suspect(self.table.token(slot)),
            false => self.enqueue_with_others(slot),
        }
    }

    /// As [`Hub::enter_queue`], for one that had to wait for its body: it may come from among those that leave that very carrier, and
    /// isn't looked at again.
    pub(super) fn enter_queue_looked_at(&mut self, slot: u32) {
        match self.table.row(slot).losses >= SUSPECT {
            true => self.suspect(self.table.token(slot)),
            false => self.enqueue_before_leaving(slot),
        }
    }

    pub(super) fn enqueue_with_others(&mut self, slot: u32) {
        let carrier = self.table.row(slot).carrier;
        let leaving = &self.carriers[usize::from(carrier.0)].leaving;
        let is_left = !leaving.queue.is_empty();
        self.stand_in_queue(slot, is_left);
    }

    /// Puts a message at the end of its carrier's queue, before those that are still to be looked at because it is down.
    pub(super) fn enqueue_before_leaving(&mut self, slot: u32) {
        self.stand_in_queue(slot, false);
    }

    fn stand_in_queue(&mut self, slot: u32, is_left: bool) {
        let token = self.table.token(slot);
        let row = self.table.row(slot);
        row.phase = Phase::Queued;
        let carrier = row.carrier;
        if !row.is(flag::QUEUED) {
            if !is_left && self.goes_at_once(token) {
                return;
            }
            let Self { table, carriers, accounts, .. } = self;
            let row = table.row(slot);
            row.set(flag::QUEUED);
            let stand = stand(row, accounts);
            let state = &mut carriers[usize::from(carrier.0)];
            let queue = if is_left { &mut state.leaving.queue } else { &mut state.queue };
            queue.push_back(stand, token, |token| table.holds(token));
        }
        self.wake_carrier(carrier);
    }
}

/// Where a message stands in its carrier's queue.
pub(super) fn stand(row: &Row, accounts: &[AccountState]) -> Stand {
    let weight = accounts[usize::from(row.account.0)].weight;
    Stand { class: row.class, account: row.account, weight }
}
