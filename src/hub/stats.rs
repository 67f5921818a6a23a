//! What the hub counts, in plain integers; whoever runs it folds them into metrics once a turn.

use super::gauges::{CarrierStats, label, word_of};
use super::held::Durability;
use crate::clock::Change;
use crate::codec::{MessageState, Status};
use crate::id::{AccountId, CarrierId};
use crate::metrics::{Buckets, Metrics};

/// Counts of one turn.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    pub submitted: u64,
    /// Submissions whose validity was cut, by account; one may be there more than once.
    pub clamped: Vec<(AccountId, u64)>,
    /// Submissions that screening kept out, by why, and addresses that it wrote anew, by which.
    pub screened: Vec<(&'static str, u64)>,
    pub rewritten: Vec<(&'static str, u64)>,
    /// What handsets wished of what accounts send them.
    pub wishes: Vec<(&'static str, u64)>,
    /// Messages whose validity ended, by [`Stage`].
    pub expired: [u64; Stage::EACH.len()],
    /// Submissions taken over, by what their answers wait for, in the order of [`Durability::EACH`].
    pub accepted: [u64; Durability::EACH.len()],
    /// Short messages that the accepted submissions amount to.
    pub segments: u64,
    /// Long texts sent in parts, parts sent as one, and parts whose others never came.
    pub divided: u64,
    pub joined: u64,
    pub parts_alone: u64,
    pub cancelled: u64,
    pub replaced: u64,
    pub ids_misread: u64,
    pub alerts: u64,
    pub alerts_dropped: u64,
    pub notices: u64,
    pub notices_dropped: u64,
    pub dispatched: u64,
    pub taken: u64,
    pub nameless: u64,
    pub assumed: u64,
    pub deferred: u64,
    pub unanswered: u64,
    pub late_answers: u64,
    pub links_sick: u64,
    pub doubtful: u64,
    /// Dispatches of messages that the carrier may have already, by carrier.
    pub repeated: Vec<(CarrierId, u64)>,
    /// Messages that came to a carrier after another candidate had failed or refused them, by carrier.
    pub passed_on: Vec<(CarrierId, u64)>,
    /// Times that a carrier was taken for sick, by carrier.
    pub sick: Vec<(CarrierId, u64)>,
    pub receipts_in: u64,
    pub receipts_intermediate: u64,
    pub receipts_early: u64,
    pub early_matched: u64,
    pub receipts_unmatched: u64,
    /// Receipts that several open messages fit alike.
    pub receipts_ambiguous: u64,
    pub receipts_unreadable: u64,
    pub receipts_out: u64,
    pub receipts_refused: u64,
    pub receipts_deferred: u64,
    pub receipts_again: u64,
    pub receipts_abandoned: u64,
    pub inbound: InboundStats,
    pub bodies_lost: u64,
    pub compacted: u64,
    /// Times that the wall clock was set, and what has become of it.
    pub clock_steps: u64,
    pub clock: Option<Change>,
    /// Final states, by octet.
    pub settled: [u64; 10],
    pub refused: Vec<(Status, u64)>,
    /// Messages that were not taken for want of memory, from either side.
    pub crowded: u64,
    pub carrier_refused: Vec<(Status, u64)>,
    /// By carrier, each at most once.
    pub carriers: Vec<(CarrierId, CarrierStats)>,
    /// What was asked of bulks and not done, by why.
    pub bulks_refused: Vec<(&'static str, u64)>,
    /// From submission to answer.
    pub submit_response: Buckets,
    /// From the time when a message was due to its hand-over to a link.
    pub lateness: Buckets,
    /// From acceptance to the receipt taken.
    pub receipt: Buckets,
}

/// Counts of one turn over messages from handsets.
#[derive(Clone, Debug, Default)]
pub struct InboundStats {
    /// Taken over from their carriers.
    pub received: u64,
    /// Taken by their accounts.
    pub delivered: u64,
    /// Refused by their accounts for good.
    pub denied: u64,
    /// Refused by their accounts for now.
    pub deferred: u64,
    /// Sent again because nobody answered.
    pub again: u64,
    /// Not taken in time.
    pub expired: u64,
    /// Texts joined from their parts.
    pub joined: u64,
    /// Parts that came twice while the others were waited for.
    pub twins: u64,
    /// Parts that went out as they came though they were to be joined.
    pub parts_alone: u64,
    /// Long texts sent in parts to sessions of 3.3.
    pub divided: u64,
    /// Texts that end where a session of 3.3 has no more room.
    pub cut: u64,
    /// Texts with question marks for characters that their account can't be told.
    pub replaced: u64,
    /// Texts that could not be put in their account's words at all.
    pub as_it_came: u64,
    /// Given to the account that stands in for their own.
    pub stood_in: u64,
    /// Not taken over, by reason.
    pub refused: Vec<(&'static str, u64)>,
    /// From its acceptance to its account's hands.
    pub waited: Buckets,
}

impl InboundStats {
    pub(super) fn refuse(&mut self, reason: &'static str) {
        match self.refused.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, times)) => *times += 1,
            None => self.refused.push((reason, 1)),
        }
    }

    fn fold(&self, metrics: &Metrics) {
        let events = [
            ("received", self.received),
            ("delivered", self.delivered),
            ("refused", self.denied),
            ("deferred", self.deferred),
            ("sent_again", self.again),
            ("expired", self.expired),
            ("joined", self.joined),
            ("part_twice", self.twins),
            ("parts_alone", self.parts_alone),
            ("divided", self.divided),
            ("cut", self.cut),
            ("characters_replaced", self.replaced),
            ("as_it_came", self.as_it_came),
            ("failed_over", self.stood_in),
        ];
        for (event, times) in events.into_iter().filter(|(_, times)| *times > 0) {
            metrics.inbound.with_label_values(&[event]).inc_by(times);
        }
        for (reason, times) in &self.refused {
            metrics.inbound_refused.with_label_values(&[reason]).inc_by(*times);
        }
        metrics.inbound_wait.fold(&self.waited);
    }
}

/// Where a message was when its validity ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Waiting to become due; its time passed while nobody could act on it.
    Scheduled,
    /// Due, waiting for a link, or for the other parts of its text.
    Queued,
    /// Waiting for another attempt.
    Backoff,
    /// With the carrier, which had not answered.
    InFlight,
    /// Taken by the carrier, which never told its outcome: counted at the end of the grace.
    Awaiting,
}

impl Stage {
    /// All of them, in the order of [`Stats::expired`].
    pub const EACH: [Self; 5] =
        [Self::Scheduled, Self::Queued, Self::Backoff, Self::InFlight, Self::Awaiting];

    /// Its name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Backoff => "backoff",
            Self::InFlight => "in_flight",
            Self::Awaiting => "awaiting",
        }
    }
}

impl Stats {
    /// Counts a validity of `account` that was cut.
    pub(super) fn clamp(&mut self, account: AccountId) {
        match self.clamped.last_mut() {
            Some((known, times)) if *known == account => *times += 1,
            Some(_) | None => self.clamped.push((account, 1)),
        }
    }

    /// Counts a dispatch to `carrier` of what that may have already.
    pub(super) fn repeat(&mut self, carrier: CarrierId) {
        count(&mut self.repeated, carrier);
    }

    /// Counts a message that came to `carrier` from another candidate.
    pub(super) fn pass_on(&mut self, carrier: CarrierId) {
        count(&mut self.passed_on, carrier);
    }

    /// Counts that `carrier` is taken for sick.
    pub(super) fn sicken(&mut self, carrier: CarrierId) {
        count(&mut self.sick, carrier);
    }

    pub(super) fn refuse(&mut self, status: Status) {
        count(&mut self.refused, status);
    }

    pub(super) fn refuse_by_carrier(&mut self, status: Status) {
        count(&mut self.carrier_refused, status);
    }

    pub(super) fn refuse_bulk(&mut self, word: &'static str) {
        count(&mut self.bulks_refused, word);
    }

    pub(super) fn screen(&mut self, word: &'static str) {
        count(&mut self.screened, word);
    }

    pub(super) fn rewrite(&mut self, which: &'static str) {
        count(&mut self.rewritten, which);
    }

    pub(super) fn wish(&mut self, what: &'static str) {
        count(&mut self.wishes, what);
    }

    pub(super) fn settle(&mut self, state: MessageState) {
        self.settled[usize::from(state.octet())] += 1;
    }

    /// Adds the counts to the process's metrics.
    pub fn fold(&self, metrics: &Metrics) {
        metrics.submitted.inc_by(self.submitted);
        for (durability, times) in Durability::EACH.iter().zip(self.accepted).filter(|(_, times)| *times > 0)
        {
            metrics.accepted.with_label_values(&[durability.name()]).inc_by(times);
        }
        metrics.segments.inc_by(self.segments);
        metrics.cancelled.inc_by(self.cancelled);
        metrics.replaced.inc_by(self.replaced);
        for (stage, times) in Stage::EACH.into_iter().zip(self.expired).filter(|(_, times)| *times > 0) {
            metrics.expired.with_label_values(&[stage.name()]).inc_by(times);
        }
        metrics.dispatched.inc_by(self.dispatched);
        metrics.taken.inc_by(self.taken);
        metrics.submit_response.fold(&self.submit_response);
        metrics.receipt.fold(&self.receipt);
        metrics.lateness.fold(&self.lateness);
        for (status, times) in &self.refused {
            metrics.refused.with_label_values(&[label(*status)]).inc_by(*times);
        }
        for (status, times) in &self.carrier_refused {
            metrics.carrier_refused.with_label_values(&[label(*status)]).inc_by(*times);
        }
        for (word, times) in &self.bulks_refused {
            metrics.bulks_refused.with_label_values(&[word]).inc_by(*times);
        }
        for (octet, times) in self.settled.iter().enumerate().filter(|(_, times)| **times > 0) {
            metrics.settled.with_label_values(&[word_of(octet)]).inc_by(*times);
        }
        let carrier_events = [
            ("deferred", self.deferred),
            ("unanswered", self.unanswered),
            ("answered_late", self.late_answers),
            ("link_sick", self.links_sick),
            ("doubtful", self.doubtful),
            ("without_id", self.nameless),
            ("assumed_sent", self.assumed),
            ("divided", self.divided),
            ("joined", self.joined),
            ("parts_alone", self.parts_alone),
            ("id_in_other_form", self.ids_misread),
            ("alerts", self.alerts),
            ("alerts_dropped", self.alerts_dropped),
        ];
        for (event, times) in carrier_events.into_iter().filter(|(_, times)| *times > 0) {
            metrics.carrier_events.with_label_values(&[event]).inc_by(times);
        }
        for (counters, counts) in [
            (&metrics.screening.refused, &self.screened),
            (&metrics.screening.rewritten, &self.rewritten),
            (&metrics.screening.wishes, &self.wishes),
        ] {
            for (word, times) in counts {
                counters.with_label_values(&[word]).inc_by(*times);
            }
        }
        self.fold_receipts(metrics);
        metrics.spool_compacted.inc_by(self.compacted);
        metrics.refused_for_memory.inc_by(self.crowded);
        metrics.clock_steps.inc_by(self.clock_steps);
        self.inbound.fold(metrics);
    }

    fn fold_receipts(&self, metrics: &Metrics) {
        let receipts = [
            ("received", self.receipts_in),
            ("intermediate", self.receipts_intermediate),
            ("held_early", self.receipts_early),
            ("matched_early", self.early_matched),
            ("unmatched", self.receipts_unmatched),
            ("ambiguous", self.receipts_ambiguous),
            ("unreadable", self.receipts_unreadable),
            ("delivered", self.receipts_out),
            ("refused", self.receipts_refused),
            ("deferred", self.receipts_deferred),
            ("sent_again", self.receipts_again),
            ("abandoned", self.receipts_abandoned),
            ("body_lost", self.bodies_lost),
            ("notified", self.notices),
            ("notices_dropped", self.notices_dropped),
        ];
        for (event, times) in receipts.into_iter().filter(|(_, times)| *times > 0) {
            metrics.receipts.with_label_values(&[event]).inc_by(times);
        }
    }
}

fn count<T: Copy + PartialEq>(counts: &mut Vec<(T, u64)>, what: T) {
    match counts.iter_mut().find(|(known, _)| *known == what) {
        Some((_, times)) => *times += 1,
        None => counts.push((what, 1)),
    }
}
