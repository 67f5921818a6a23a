//! What keeps the hub small: parking bodies, giving up on receipts for nobody, compacting the spool.

use super::glance::GLANCE;
use super::table::{Token, flag};
use super::{Fetched, Held, Hub};
use crate::clock::UnixMs;
use crate::id::Lsn;
use crate::message::Phase;
use crate::spool::{Compaction, CompactionRules, Record, ScannedFrame};
use std::time::{Duration, Instant};

impl Hub {
    pub(super) fn upkeep(&mut self) {
        self.park_bodies();
        self.call_those_away();
        while let Some(early) = self.correlation.give_up(self.now) {
            self.give_up_early(&early);
        }
        self.go_on_keeping();
        self.compact();
        self.effects.cold = self.journal.next_cold(self.settings.compaction.slack_octets);
    }

    /// Drops the bodies of messages that did not leave soon; the spool has them.
    fn park_bodies(&mut self) {
        let (mut seen, mut going) = (0, Vec::new());
        while let Some((since, token)) = self.bodies.front().copied() {
            if !self.is_to_be_parked(0, since) {
                break;
            }
            if seen == 0 {
                seen = GLANCE;
                let next = self.bodies.iter().enumerate().take(GLANCE);
                let due = next.take_while(|(place, (since, _))| self.is_to_be_parked(*place, *since));
                self.glance(due.map(|(_, (_, token))| token.slot));
            }
            seen -= 1;
            self.bodies.pop_front();
            let Some(row) = self.table.known(token).filter(|row| !row.is_parked()) else { continue };
            if !row.is_readable(self.durable) {
                self.bodies.push_back((self.now.mono, token)); // the spool does not have it yet
                break;
            }
            if row.is_going() {
                going.push((self.now.mono, token)); // its link is told in a moment
                continue;
            }
            self.table.park(token.slot);
        }
        self.bodies.extend(going);
    }

    /// Whether the body at this place of those that are watched, which is at hand since then, has been so for long enough.
    fn is_to_be_parked(&self, place: usize, since: Instant) -> bool {
        let limits = &self.settings.limits;
        let is_young = self.now.mono.saturating_duration_since(since) < limits.body_age;
        !is_young || self.bodies.len() - place > limits.bodies || self.is_tight()
    }

    /// Bodies came back from the spool.
    pub(super) fn take_fetched(&mut self, fetched: Vec<Fetched>) {
        self.reading = self.reading.saturating_sub(fetched.len());
        for Fetched { token, body } in fetched {
            let token = Token::from_u64(token);
            let Some(row) = self.table.known(token) else {
                self.go_on_replacing(token); // it ended meanwhile: who wanted to replace its text hears so
                continue;
            };
            row.clear(flag::FETCHING);
            let moved = row.is(flag::MOVED);
            row.clear(flag::MOVED);
            let (phase, account, carrier) = (row.phase, row.account, row.carrier);
            match body {
                // Looked for where it was before: whoever needs it asks again.
                _ if moved => {}
                Some(body) => {
                    self.table.keep_body(token.slot, body);
                    self.bodies.push_back((self.now.mono, token));
                }
                None => self.lose_body(token.slot, phase),
            }
            match phase {
                Phase::Waiting => self.wake_account(account),
                Phase::Queued => self.wake_carrier(carrier),
                _ => {} // it moved on meanwhile
            }
            self.go_on_replacing(token);
            self.go_on_after_fetch(account);
        }
    }

    /// The spool can't give a body back: the message can't go on, and says so.
    fn lose_body(&mut self, slot: u32, phase: Phase) {
        self.effects.stats.bodies_lost += 1;
        match phase {
            Phase::Waiting if self.table.row(slot).is(flag::INBOUND) => drop(self.finish(slot)),
            Phase::Waiting => {
                self.effects.stats.receipts_abandoned += 1;
                self.finish(slot);
            }
            Phase::Scheduled | Phase::Queued | Phase::Gathering => {
                self.settle(slot, crate::message::Outcome::plain(crate::codec::MessageState::Undeliverable));
            }
            // Others will say how it ends; only who was to be told how it is getting on needed the body.
            Phase::Dispatched | Phase::Awaiting | Phase::Divided | Phase::Joined => {
                let token = self.table.token(slot);
                self.drop_notices(token);
            }
            Phase::Free | Phase::Accepting | Phase::Settled | Phase::Delivering => {}
        }
    }

    fn compact(&mut self) {
        if self.compacting.is_some() || self.compact_again.is_some_and(|at| self.now.mono < at) {
            return;
        }
        // Held receipts live in the log too, though they are nobody's record: without them the rules would never be met.
        let CompactionRules { factor, slack_octets } = self.settings.compaction;
        let early = self.correlation.early_len() as u64 * EARLY_OCTETS;
        let bulks = self.bulks.len() as u64 * BULK_OCTETS;
        let opt_outs = self.opt_outs.len() as u64 * OPT_OUT_OCTETS;
        let rules =
            CompactionRules { factor, slack_octets: slack_octets + factor * (early + bulks + opt_outs) };
        match self.journal.next_compaction(&rules) {
            Some(Compaction::Release { number, to, .. }) => {
                self.compacting = Some(to);
                self.keeping = Some((number, to));
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
        self.hold(self.journal.end(), Held::Compacted { number: None });
    }

    /// A segment was read: writes its living again, at the end of the log.
    pub(super) fn take_scanned(&mut self, number: u64, frames: &[ScannedFrame], last: bool) {
        for (locator, record) in frames.iter().flat_map(ScannedFrame::records) {
            let Record::Accepted { id, body, .. } = record else { continue };
            let lives = self.table.find(id).is_some_and(|row| row.locator() == locator);
            if lives {
                self.copy(id.slot, body);
            }
        }
        if let (true, Some(to)) = (last, self.compacting) {
            self.keeping = Some((number, to));
        }
    }

    /// Writes a message and where it stands again.
    fn copy(&mut self, slot: u32, body: &[u8]) {
        self.unbundle_if_fired(slot); // its times are told by the bulk's record, which stands before this one
        let row = self.table.row(slot);
        let due = match row.phase {
            Phase::Accepting | Phase::Scheduled => row.at,
            // It was due before it got there.
            Phase::Free
            | Phase::Queued
            | Phase::Gathering
            | Phase::Divided
            | Phase::Joined
            | Phase::Dispatched
            | Phase::Awaiting
            | Phase::Settled
            | Phase::Waiting
            | Phase::Delivering => row.accepted,
        };
        self.rewrite(slot, due, body);
        self.write_stage(slot);
        self.effects.stats.compacted += 1;
    }

    /// Writes a message again as its row says, in place of where it stands, and how far its attempts have come; gives where that
    /// is recorded.
    pub(super) fn rewrite(&mut self, slot: u32, due: UnixMs, body: &[u8]) -> Lsn {
        let row = self.table.row(slot);
        let id = row.id(slot);
        let appended = self.journal.append(&Record::Accepted {
            id,
            account: &self.accounts[usize::from(row.account.0)].name,
            accepted: row.accepted,
            due,
            expires: row.expires,
            flags: row.kept_flags(),
            group: self.kin.group_of(slot),
            bulk: self.bulks.number(row.bulk),
            body,
        });
        self.journal.retire(row.locator());
        row.set_locator(appended.locator);
        if row.is(flag::FETCHING) {
            row.set(flag::MOVED);
        }
        if row.attempts == 0 && row.losses == 0 && row.tried == 0 {
            return appended.lsn;
        }
        self.note_attempts(slot, due)
    }

    /// Writes again where a message stands that was accepted before.
    fn write_stage(&mut self, slot: u32) {
        let row = self.table.row(slot);
        let id = row.id(slot);
        match row.phase {
            // Nothing else is written of it: it waits until it is gone.
            _ if row.is(flag::INBOUND) => drop(self.note_origin(slot)),
            // Of one that is out again its carrier has only what it took before.
            Phase::Awaiting | Phase::Dispatched => {
                let taken = row.carrier_message_id.as_deref().unwrap_or(b"");
                let taken = (row.phase == Phase::Awaiting).then_some((row.carrier, taken));
                for (carrier, carrier_message_id) in self.aliases.of(slot).chain(taken) {
                    let carrier = &self.carriers[usize::from(carrier.0)].name;
                    self.journal.append(&Record::Sent { id, carrier, carrier_message_id, at: self.now.wall });
                }
            }
            Phase::Settled | Phase::Waiting | Phase::Delivering => {
                let (state, error, at) = (row.state.octet(), row.error, row.at);
                self.journal.append(&Record::Settled { id, state, error, at });
            }
            Phase::Divided => {
                self.journal.append(&Record::Divided { id });
            }
            Phase::Joined => {
                if let Some(into) = self.kin.whole_of(slot) {
                    self.journal.append(&Record::Joined { id, into });
                }
            }
            Phase::Free | Phase::Accepting | Phase::Scheduled | Phase::Queued | Phase::Gathering => {}
        }
    }

    /// The messages of a segment stand elsewhere: goes on with what else lives in it, and lets it go when that is done.
    fn go_on_keeping(&mut self) {
        let Some((number, to)) = self.keeping else { return };
        if !self.keep_opt_outs(to) {
            self.unfinished = true;
            return;
        }
        self.keeping = None;
        let after = self.keep_others(to);
        self.hold(after, Held::Compacted { number: Some(number) });
    }

    /// Writes again what has no message to be copied with, where it stands before `before`: bulks, what limits have counted, and
    /// receipts that nobody has claimed. Gives the Lsn of the last one.
    fn keep_others(&mut self, before: Lsn) -> Lsn {
        self.keep_bulks(before);
        self.keep_counts();
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

/// Octets of the log that one held receipt takes, generously.
const EARLY_OCTETS: u64 = 128;
/// Octets of the log that one bulk takes, generously.
const BULK_OCTETS: u64 = 256;
/// Octets of the log that one opt-out takes, generously.
const OPT_OUT_OCTETS: u64 = 96;
/// How long compaction rests after a segment could not be read.
const COMPACT_AGAIN: Duration = Duration::from_secs(60);
