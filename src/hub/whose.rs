//! Whose is a receipt: by its carrier's id, and by the number that it is for where the id alone does not tell.

use super::Hub;
use super::ends::{ends_alike, marked_alike};
use super::table::Row;
use crate::codec::{Reading, Sm};
use crate::correlation::{IdHash, Reading as IdReading};
use crate::id::CarrierId;
use crate::message::Outcome;

/// A receipt as the carrier gave it.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    pub carrier: CarrierId,
    pub id: &'a [u8],
    /// Under which key that stands if it is written as configured; `None` if nobody has worked it out.
    pub key: Option<IdHash>,
    /// What its text calls the message, where that differs; empty otherwise.
    pub text_id: &'a [u8],
    pub destination: &'a [u8],
    pub outcome: Outcome,
}

impl<'a> Given<'a> {
    /// One of which nothing else is known.
    pub const fn plain(carrier: CarrierId, id: &'a [u8], destination: &'a [u8], outcome: Outcome) -> Self {
        Self { carrier, id, key: None, text_id: b"", destination, outcome }
    }
}

impl Hub {
    /// The open message that a receipt is for: by its id, then by that of its text.
    pub(super) fn match_receipt(&mut self, given: Given<'_>) -> Option<u32> {
        self.match_id(given).or_else(|| {
            let known = !given.text_id.is_empty();
            known.then(|| self.match_id(Given { id: given.text_id, key: None, ..given })).flatten()
        })
    }

    /// The open message with this id in any form; among several the destination decides, then the oldest.
    fn match_id(&mut self, given: Given<'_>) -> Option<u32> {
        let ids = self.carriers[usize::from(given.carrier.0)].ids;
        for reading in IdReading::EACH {
            let known = given.key.filter(|_| reading == IdReading::AsConfigured);
            let key = || self.correlation.receipt_key(given.carrier, given.id, ids, reading);
            let Some(key) = known.or_else(key) else { continue };
            // Read otherwise than configured, it counts only if there is no doubt (fact sheet 8.2).
            match (self.match_key(key, given.destination), reading) {
                // Of two with one id the one that it is for has ended, and it came twice.
                (Some((slot, _)), IdReading::AsConfigured) if self.is_of_another(slot, given) => {}
                (Some((slot, _)), IdReading::AsConfigured) => return Some(slot),
                (Some((slot, true)), _) => {
                    self.note_reading(given.carrier, reading);
                    return Some(slot);
                }
                _ => {} // not found, or not for sure
            }
        }
        None
    }

    /// The open message under this key that a receipt for `destination` is most likely for, and whether it is the only one
    /// and for that destination.
    fn match_key(&mut self, key: IdHash, destination: &[u8]) -> Option<(u32, bool)> {
        let Self { correlation, table, .. } = self;
        let hash = table.hash(destination);
        let (mut best, mut found, mut alike) = (None, 0, 0);
        for slot in correlation.find(key) {
            let (row, body) = table.row_and_body(slot);
            let fit = Fit::of(row.destination == hash, row, body, destination);
            let rank = (fit, row.serial);
            found += 1;
            alike = match best {
                Some(((known, _), _)) if known == fit => alike + 1,
                Some(((known, _), _)) if known < fit => alike,
                _ => 1,
            };
            if best.is_none_or(|(known, _)| rank < known) {
                best = Some((rank, slot));
            }
        }
        let ((fit, _), slot) = best?;
        self.effects.stats.receipts_ambiguous += u64::from(alike > 1);
        Some((slot, found == 1 && fit != Fit::Other))
    }

    /// Whether the carrier has told by its ids that they don't tell messages apart, and the number that this one is not meant.
    fn is_of_another(&self, slot: u32, given: Given<'_>) -> bool {
        let (row, _) = self.table.row_and_body(slot);
        self.carriers[usize::from(given.carrier.0)].repeats_ids && is_for_another(row, given.destination)
    }

    /// An id was found by reading it otherwise than configured: the operator should know.
    fn note_reading(&mut self, carrier: CarrierId, reading: IdReading) {
        if reading == IdReading::AsConfigured {
            return;
        }
        self.effects.stats.ids_misread += 1;
        let state = &mut self.carriers[usize::from(carrier.0)];
        if !std::mem::replace(&mut state.misread, true) {
            self.effects.advice.push((carrier, reading));
        }
    }
}

/// How well a message fits the destination that a receipt names, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// It went to that very number.
    Same,
    /// It may have: they end alike, or the receipt names none.
    Alike,
    /// Nobody can say without its body, which is on disk.
    Unknown,
    /// It went to another one.
    Other,
}

impl Fit {
    fn of(is_same: bool, row: &Row, body: &[u8], destination: &[u8]) -> Self {
        let is_told = !body.is_empty() || marked_alike(row.destination, destination).is_some();
        match is_same {
            true => Self::Same,
            false if !is_told && !destination.is_empty() => Self::Unknown,
            false if may_be_for(row, body, destination) => Self::Alike,
            false => Self::Other,
        }
    }
}

/// Whether this message, whose body is empty if it is parked, may be the one that a receipt for `destination` means.
///
/// Carriers write numbers with another prefix than we sent: the last digits decide (field bug D17).
pub(super) fn may_be_for(row: &Row, body: &[u8], destination: &[u8]) -> bool {
    if destination.is_empty() {
        return true;
    }
    if body.is_empty() {
        return marked_alike(row.destination, destination) != Some(false);
    }
    let Ok(sm) = Sm::decode(body, Reading::Lenient) else { return true };
    ends_alike(sm.destination.addr, destination)
}

/// Whether `destination` is a whole number that this message neither goes to nor comes from.
pub(super) fn is_for_another(row: &Row, destination: &[u8]) -> bool {
    marked_alike(row.destination, destination) == Some(false)
        && marked_alike(row.source, destination) != Some(true)
}
