//! After a reload: messages whose rule is gone, or leads to their carrier no more, are decided on again before they go out.
//!
//! Queues are looked through in slices, as those of carriers that are down. Whoever comes back from a link or falls due, and where only
//! a body tells, whoever is at the front of a queue, is looked at then.
//!
//! Where a message is on its route counts the candidates of its rule, which may be others now, after a restart too. So it remembers which
//! they were, by a digest of their names in their order: [`Row::shape`]. Where they are others it begins anew, as if none had refused it.

use super::Hub;
use super::table::{Row, flag};
use crate::codec::{Reading, Sm};
use crate::id::CarrierId;
use crate::message::Phase;
use crate::route::{Routes, dice};

/// Whether the rule that a message goes by is gone, or leads to its carrier no more. What only its body tells is not told before that
/// is at hand.
pub(super) fn is_led_astray(routes: &Routes, row: &Row, body: &[u8]) -> bool {
    if !row.may_move() {
        return false;
    }
    if !routes.has(row.route) {
        return true;
    }
    match (routes.has_targets(row.route), Sm::decode(body, Reading::Lenient)) {
        (false, _) => !routes.candidates(row.route, b"").contains(&row.carrier),
        (true, Ok(sm)) => !routes.candidates(row.route, sm.destination.addr).contains(&row.carrier),
        (true, Err(_)) => false,
    }
}

impl Hub {
    /// Whether this message, which has a carrier, had better look for another.
    pub(super) fn is_astray(&self, slot: u32) -> bool {
        if !self.has_reloaded {
            return false;
        }
        let (row, body) = self.table.row_and_body(slot);
        let is_gone = self.carriers.get(usize::from(row.carrier.0)).is_some_and(|carrier| carrier.is_gone);
        is_gone && row.may_move() || is_led_astray(&self.settings.routes, row, body)
    }

    /// Has where a message is on its route count its present candidates; gives the place of the carrier that it is for among them.
    pub(super) fn find_place(&mut self, slot: u32) -> Option<u8> {
        let Some(candidates) = self.candidates(slot) else {
            return Some(self.table.row(slot).from); // as it was, as far as anybody can tell
        };
        let names = |carrier: &CarrierId| &self.carriers[usize::from(carrier.0)].name[..];
        let digest = dice(&candidates.iter().map(names).collect::<Vec<_>>());
        let shape = (digest as u8).max(1);
        let (row, _) = self.table.row_and_body(slot);
        let place = match candidates.get(usize::from(row.from)) {
            Some(known) if *known == row.carrier => Some(row.from),
            _ => candidates.iter().position(|carrier| *carrier == row.carrier).map(|place| place as u8),
        };
        let has_others = match row.shape {
            // Nobody has said which they were; they are others if its carrier isn't where it was.
            0 => row.carrier != Row::NOWHERE && place != Some(row.from),
            known => known != shape,
        };
        let row = self.table.row(slot);
        if has_others {
            (row.tried, row.from) = (0, 0);
        }
        row.shape = shape;
        place
    }

    /// Decides on a message again that is in no queue: as if nobody had had it yet.
    pub(super) fn decide_again(&mut self, slot: u32) {
        let row = self.table.row(slot);
        (row.tried, row.from) = (0, 0);
        let expires = row.expires;
        self.route_out(slot);
        if self.table.row(slot).phase == Phase::Queued {
            self.set_timer(slot, expires);
        }
    }

    /// Suspects of a carrier that is gone leave it.
    pub(super) fn release_suspects(&mut self, carrier: CarrierId) {
        for token in self.carriers[usize::from(carrier.0)].suspects.take_all() {
            let Some(row) = self.table.known(token).filter(|row| row.phase == Phase::Queued) else {
                continue;
            };
            row.clear(flag::QUEUED);
            match row.may_move() {
                true => self.decide_again(token.slot),
                false => self.suspect(token), // a part of a text that this carrier has had others of
            }
        }
    }
}
