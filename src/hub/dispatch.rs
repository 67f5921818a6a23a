//! Queued messages go out: to a link of their carrier that has room.

use super::seats::Out;
use super::table::{Token, Whereabouts, flag};
use super::{Effects, Fetch, Hub, LinkState, Mode};
use crate::carrier::{Dispatch, LinkBatch};
use crate::id::{CarrierId, Lsn, SessionId};
use crate::message::Phase;
use crate::session::BindKind;
use foldhash::HashSet;

impl Hub {
    pub(super) fn open_link(
        &mut self,
        session: SessionId,
        carrier: CarrierId,
        kind: BindKind,
        window: usize,
    ) {
        let submits = kind.submits();
        let link = LinkState {
            carrier,
            submits,
            room: window,
            window,
            out: Out::default(),
            batch: LinkBatch::default(),
            dirty: false,
        };
        let seat = self.links.insert(session, link);
        if submits {
            self.carriers[usize::from(carrier.0)].links.push(seat);
            self.wake_carrier(carrier);
        }
    }

    pub(super) fn close_link(&mut self, session: SessionId, lost: &[u64]) {
        let Some((seat, link)) = self.links.remove(session) else { return };
        self.carriers[usize::from(link.carrier.0)].links.retain(|known| *known != seat);
        // What the session does not name never left: it was on its way to the session when that ended.
        let lost: HashSet<u64> = lost.iter().copied().collect();
        for token in link.out.newest_first() {
            if self.table.is_out(token, Phase::Dispatched, seat) {
                self.dispatch_again(token, lost.contains(&token.to_u64()));
            }
        }
        self.wake_carrier(link.carrier);
    }

    /// Puts a dispatch whose link is gone back to the front; `doubtful` if the carrier may have it.
    pub(super) fn dispatch_again(&mut self, token: Token, doubtful: bool) {
        let Some(row) = self.table.known(token) else { return };
        if row.phase != Phase::Dispatched {
            return;
        }
        row.phase = Phase::Queued;
        row.set(flag::QUEUED);
        if doubtful {
            row.set(flag::DOUBTFUL);
            self.effects.stats.doubtful += 1;
        }
        let (carrier, expires) = (row.carrier, row.expires);
        self.carriers[usize::from(carrier.0)].queue.put_back(token);
        self.set_timer(token.slot, expires);
        self.wake_carrier(carrier);
    }

    /// Gives back one place in a link's window.
    pub(super) fn give_room(&mut self, link: u32, session: SessionId) {
        let Some(state) = self.links.at(link, session) else { return };
        state.room = (state.room + 1).min(state.window);
        let carrier = state.carrier;
        self.wake_carrier(carrier);
    }

    /// Moves everything that can move.
    pub(super) fn pump(&mut self) {
        if self.mode == Mode::Resting {
            return;
        }
        for place in 0..self.carriers.len() {
            if std::mem::take(&mut self.carriers[place].dirty) {
                self.pump_carrier(place);
            }
        }
        for place in 0..self.accounts.len() {
            if std::mem::take(&mut self.accounts[place].dirty) {
                self.pump_account(place);
            }
        }
    }

    fn pump_carrier(&mut self, place: usize) {
        let Self { carriers, table, effects, links, now, durable, .. } = self;
        let carrier = &mut carriers[place];
        if carrier.links.is_empty() || carrier.paused.is_some_and(|until| now.mono < until) {
            return;
        }
        carrier.paused = None;
        loop {
            while let Some(token) = carrier.queue.next_ahead() {
                fetch_if_parked(table, effects, token, *durable);
            }
            let Some(token) = carrier.queue.front() else { return };
            let Some(row) = table.known(token).filter(|row| row.phase == Phase::Queued) else {
                // Settled while it waited: nothing is left of it here but its place.
                if let Some(row) = table.known(token) {
                    row.clear(flag::QUEUED);
                }
                carrier.queue.pop_front();
                continue;
            };
            if row.expires <= now.wall {
                row.clear(flag::QUEUED);
                carrier.queue.pop_front(); // too late to be sent; its timer is about to say so
                continue;
            }
            if row.body.is_empty() {
                if !row.is(flag::FETCHING) {
                    carrier.queue.look_again();
                    fetch_if_parked(table, effects, token, *durable);
                }
                return;
            }
            let Some(seat) = next_link(&carrier.links, &mut carrier.turn, links) else { return };
            carrier.queue.pop_front();
            row.clear(flag::QUEUED);
            row.phase = Phase::Dispatched;
            row.whereabouts = Whereabouts::Out(seat);
            let dispatch = Dispatch { token: token.to_u64(), body: row.body.clone(), expires: row.expires };
            let Some((_, link)) = links.here(seat) else { return };
            link.room -= 1;
            link.out.push(token, link.window, |token| table.is_out(token, Phase::Dispatched, seat));
            link.batch.dispatches.push(dispatch);
            if !std::mem::replace(&mut link.dirty, true) {
                links.mark(seat);
            }
            effects.stats.dispatched += 1;
        }
    }
}

/// Asks for the body of a message that is soon to go out, unless it is at hand or asked for.
///
/// What compaction has just written again can't be read before it is durable; its turn comes when the segment goes.
pub(super) fn fetch_if_parked(
    table: &mut super::table::Table,
    effects: &mut Effects,
    token: Token,
    durable: Lsn,
) {
    let Some(row) = table.known(token) else { return };
    let readable = row.locator.at + u64::from(row.locator.len) <= durable.0;
    if row.body.is_empty() && !row.is(flag::FETCHING) && readable {
        row.set(flag::FETCHING);
        effects.fetches.push(Fetch { token: token.to_u64(), locator: row.locator });
    }
}

/// The next link in turn that has room.
fn next_link(links: &[u32], turn: &mut usize, seats: &mut super::Seats<LinkState>) -> Option<u32> {
    for _ in 0..links.len() {
        *turn = (*turn + 1) % links.len();
        let seat = links[*turn];
        if seats.here(seat).is_some_and(|(_, link)| link.room > 0 && link.submits) {
            return Some(seat);
        }
    }
    None
}
