//! Messages are handed to a link at once, and told to it together with others, when its turn comes.
//!
//! ```text
//! queued ──hand_to──► going: has its place in the window, is counted ──take_batch──► out: in the batch that the link gets
//! ```
//!
//! Until then a message is a token in a list of its link: to write all that a link is told of it where the last one for that link was
//! written, tens of milliseconds ago, costs two places in memory that no cache holds, and so does another handle on its body, which
//! waits for all that was stored before. In a batch they are written one behind the other, and their bodies too.

use super::carriers::mark;
use super::glance::GLANCE;
use super::table::{Row, Token, Whereabouts, flag};
use super::{Effects, Hub};
use crate::carrier::{Dispatch, LinkBatch, Verdict, Words};
use crate::clock::UnixMs;
use crate::conversion::Profile;
use crate::id::{CarrierId, SessionId};
use crate::message::Phase;
use bytes::Bytes;
use std::sync::Arc;

impl Hub {
    /// Hands a message that has left its queue, its body at hand, to the link in `seat`, which has room.
    pub(super) fn hand_to(&mut self, place: usize, token: Token, seat: u32) {
        let Self { carriers, accounts, table, effects, links, now, .. } = self;
        let Some((_, link)) = links.here(seat) else { return };
        let row = table.row(token.slot);
        row.clear(flag::QUEUED);
        row.phase = Phase::Dispatched;
        let is_free = carriers.has(place, mark::FREE);
        let carrier = carriers.in_passing(place);
        match is_free {
            true => carrier.pace.note_free(row, *now),
            false => {
                carrier.pace.note(row, *now);
                carrier.breaker.sent();
            }
        }
        carrier.counts.segments += u64::from(row.segments);
        if let Some(pace) = &mut accounts[usize::from(row.account.0)].pace {
            pace.note(row, *now);
        }
        record_lateness(row, effects, now.wall);
        row.whereabouts = Whereabouts::Going(seat);
        if row.is(flag::DOUBTFUL) {
            effects.stats.repeat(CarrierId(place as u16));
        }
        (link.room, link.moved) = (link.room - 1, now.mono);
        carrier.out += 1;
        carrier.pulse.beat(carrier.places, now.mono);
        link.going.push(token);
        links.mark(seat);
        effects.stats.dispatched += 1;
    }

    /// What the link in `seat` is told now; nothing if it is gone.
    pub(super) fn take_batch(&mut self, seat: u32) -> Option<(SessionId, LinkBatch)> {
        let (session, link) = self.links.here(seat)?;
        let (mut going, mut batch) = (std::mem::take(&mut link.going), std::mem::take(&mut link.batch));
        for some in going.chunks(GLANCE) {
            self.glance_at_bodies(some.iter().map(|token| token.slot));
        }
        let Self { carriers, accounts, table, links, now, .. } = self;
        let (_, link) = links.here(seat)?;
        let place = link.carrier;
        let carrier = &carriers[usize::from(place.0)];
        let mut ended = 0;
        going.retain(|token| {
            let goes = table.is_going(*token, seat);
            ended += usize::from(!goes);
            goes
        });
        let octets = going.iter().map(|token| table.body(token.slot).len()).sum();
        let mut bodies = Vec::with_capacity(octets);
        going.iter().for_each(|token| bodies.extend_from_slice(table.body(token.slot)));
        let mut bodies = Bytes::from(bodies);
        batch.dispatches.reserve(going.len());
        for token in going {
            let body = bodies.split_to(table.body(token.slot).len());
            let row = table.row(token.slot);
            row.whereabouts = Whereabouts::Out(seat);
            batch.dispatches.push(Dispatch {
                token: token.to_u64(),
                body,
                expires: row.expires,
                left: row.expires.since(now.wall),
                // A bulk's time is ours to change.
                is_scheduled: carrier.passes_schedule && row.bulk == Row::ALONE,
                is_receipted: carrier.receipts.asks(row.registered_delivery),
                is_data: row.is(flag::DATA),
                words: words(row, &accounts[usize::from(row.account.0)].profile),
            });
            link.out.push(token, |token| table.is_with(token, Phase::Dispatched, seat));
        }
        for _ in 0..ended {
            // What became of an attempt before this one was heard of meanwhile.
            self.note_health(place, Verdict::NotSent);
            self.leave_trial(seat, place);
            self.give_room(seat, session);
            self.unfinished = true;
        }
        Some((session, batch))
    }
}

/// Counts how late a message goes out that was put off. One that never was, was due when it came; one that comes back from a
/// link has been late already.
fn record_lateness(row: &mut Row, effects: &mut Effects, now: UnixMs) {
    if row.at > row.accepted {
        effects.stats.lateness.record(now.since(row.at));
        row.at = row.accepted;
    }
}

/// In whose words a message is.
fn words(row: &Row, account: &Arc<Profile>) -> Words {
    match row.is(flag::PART) {
        true => Words::Carrier,
        false if account.is_plain() => Words::Common,
        false => Words::Account(Arc::clone(account)),
    }
}
