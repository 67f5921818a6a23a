//! What keeps the hub small: parking bodies, giving up on receipts for nobody, compacting the spool.

use super::table::{Token, flag};
use super::{Fetched, Held, Hub};
use crate::id::Lsn;
use crate::message::Phase;
use crate::spool::{Compaction, Locator, Record};
use bytes::Bytes;
use std::time::Duration;

impl Hub {
    pub(super) fn upkeep(&mut self) {
        self.park_bodies();
        while self.correlation.give_up(self.now).is_some() {
            self.effects.stats.receipts_unmatched += 1;
        }
        self.compact();
    }

    /// Drops the bodies of messages that did not leave soon; the spool has them.
    fn park_bodies(&mut self) {
        let limits = &self.settings.limits;
        while let Some((since, token)) = self.bodies.front().copied() {
            let young = self.now.mono.saturating_duration_since(since) < limits.body_age;
            if young && self.bodies.len() <= limits.bodies {
                break;
            }
            self.bodies.pop_front();
            let Some(row) = self.table.known(token).filter(|row| !row.body.is_empty()) else { continue };
            if row.phase == Phase::Accepting {
                self.bodies.push_back((self.now.mono, token)); // the spool does not have it yet
                break;
            }
            row.body = Bytes::new();
        }
    }

    /// Bodies came back from the spool.
    pub(super) fn take_fetched(&mut self, fetched: Vec<Fetched>) {
        for Fetched { token, body } in fetched {
            let token = Token::from_u64(token);
            let Some(row) = self.table.known(token) else { continue };
            row.clear(flag::FETCHING);
            let moved = row.is(flag::MOVED);
            row.clear(flag::MOVED);
            let (phase, account, carrier) = (row.phase, row.account, row.carrier);
            match body {
                Some(body) => {
                    row.body = body;
                    self.bodies.push_back((self.now.mono, token));
                }
                // Looked for where it was before: whoever needs it asks again.
                None if moved => {}
                None => self.lose_body(token.slot, phase),
            }
            match phase {
                Phase::Waiting => self.wake_account(account),
                Phase::Queued => self.wake_carrier(carrier),
                _ => {} // it moved on meanwhile
            }
        }
    }

    /// The spool can't give a body back: the message can't go on, and says so.
    fn lose_body(&mut self, slot: u32, phase: Phase) {
        self.effects.stats.bodies_lost += 1;
        match phase {
            Phase::Waiting => {
                self.effects.stats.receipts_abandoned += 1;
                self.finish(slot);
            }
            phase if super::is_open(phase) => {
                self.settle(slot, crate::message::Outcome::plain(crate::codec::MessageState::Undeliverable));
            }
            _ => {} // settled already: nothing depends on the body but its receipt
        }
    }

    fn compact(&mut self) {
        if self.compacting.is_some() || self.compact_again.is_some_and(|at| self.now.mono < at) {
            return;
        }
        match self.journal.next_compaction(&self.settings.compaction) {
            Some(Compaction::Release { number, to, .. }) => {
                self.compacting = Some(to);
                let after = self.keep_early(to);
                self.held.push_back((after, Held::Compacted { number: Some(number) }));
            }
            Some(Compaction::Copy(task)) => {
                self.compacting = Some(Lsn(task.to));
                self.effects.scan = Some(task.number);
            }
            None => {}
        }
    }

    /// The segment stays, and is looked at again in a while.
    pub(super) fn put_off_compaction(&mut self) {
        self.journal.abandon_compaction();
        self.compacting = None;
        self.compact_again = Some(self.now.mono + COMPACT_AGAIN);
        self.held.push_back((self.journal.end(), Held::Compacted { number: None }));
    }

    /// A segment was read: writes its living again, at the end of the log.
    pub(super) fn take_scanned(&mut self, number: u64, records: &[(Locator, Bytes)], last: bool) {
        for (locator, octets) in records {
            let Ok((Record::Accepted { id, body, .. }, _)) = Record::decode(octets) else { continue };
            let lives = self.table.find(id).is_some_and(|row| row.locator == *locator);
            if lives {
                self.copy(id.slot, body);
            }
        }
        if let (true, Some(to)) = (last, self.compacting) {
            let after = self.keep_early(to);
            self.held.push_back((after, Held::Compacted { number: Some(number) }));
        }
    }

    /// Writes a message and where it stands again.
    fn copy(&mut self, slot: u32, body: &[u8]) {
        let row = self.table.row(slot);
        let id = row.id(slot);
        let due = match row.phase {
            Phase::Accepting | Phase::Scheduled => row.at,
            // It was due before it got there.
            Phase::Free
            | Phase::Queued
            | Phase::Dispatched
            | Phase::Awaiting
            | Phase::Settled
            | Phase::Waiting
            | Phase::Delivering => row.accepted,
        };
        let appended = self.journal.append(&Record::Accepted {
            id,
            account: &self.accounts[usize::from(row.account.0)].name,
            accepted: row.accepted,
            due,
            expires: row.expires,
            flags: row.flags & flag::SHORT_ID,
            body,
        });
        self.journal.retire(row.locator);
        row.locator = appended.locator;
        if row.is(flag::FETCHING) {
            row.set(flag::MOVED);
        }
        if row.attempts > 0 {
            self.journal.append(&Record::Deferred { id, attempts: row.attempts, due });
        }
        match row.phase {
            Phase::Awaiting => {
                self.journal.append(&Record::Sent {
                    id,
                    carrier: &self.carriers[usize::from(row.carrier.0)].name,
                    carrier_message_id: row.carrier_message_id.as_deref().unwrap_or(b""),
                    at: self.now.wall,
                });
            }
            Phase::Settled | Phase::Waiting | Phase::Delivering => {
                let (state, error, at) = (row.state.octet(), row.error, row.at);
                self.journal.append(&Record::Settled { id, state, error, at });
            }
            Phase::Free | Phase::Accepting | Phase::Scheduled | Phase::Queued | Phase::Dispatched => {}
        }
        self.effects.stats.compacted += 1;
    }

    /// Writes the receipts that nobody has claimed again where they stand before `before`: they have no message to be copied
    /// with. Gives the Lsn of the last one.
    fn keep_early(&mut self, before: Lsn) -> Lsn {
        let Self { correlation, journal, carriers, .. } = self;
        correlation.rewrite_early(before, |early| {
            let record = Record::Early {
                carrier: &carriers[usize::from(early.carrier.0)].name,
                carrier_message_id: &early.text,
                destination: &early.destination,
                state: early.state.octet(),
                error: early.error,
                at: early.at,
            };
            journal.append(&record).lsn
        });
        self.journal.end()
    }
}

/// How long compaction rests after a segment could not be read.
const COMPACT_AGAIN: Duration = Duration::from_secs(60);
