//! Queued messages go out: to a link of their carrier that has room.

use super::astray::is_led_astray;
use super::carriers::mark;
use super::entry::stand;
use super::fetch::fetch_if_parked;
use super::pace::is_old;
use super::queue_turns::AHEAD;
use super::seats::Out;
use super::suspects::{SUSPECT, Trial};
use super::table::{Row, Token, flag};
use super::{CarrierState, Hub, LinkState, Mode, Stage};
use crate::carrier::LinkBatch;
use crate::codec::MessageState;
use crate::id::{CarrierId, SessionId};
use crate::message::{Outcome, Phase};
use crate::session::BindKind;
use foldhash::HashSet;
use std::cmp::Reverse;
use std::time::{Duration, Instant};

impl Hub {
    pub(super) fn open_link(
        &mut self,
        session: SessionId,
        carrier: CarrierId,
        kind: BindKind,
        window: usize,
    ) {
        let submits = kind.submits();
        let is_wary = self.carriers[usize::from(carrier.0)].suspects.is_wary();
        let link = LinkState {
            carrier,
            submits,
            room: window,
            window,
            moved: self.now.mono,
            ceiling: if is_wary { 1 } else { window },
            told: None,
            shrunk: None,
            credit: 0,
            answered: false,
            silences: None,
            reserved: false,
            parting: self.carriers[usize::from(carrier.0)].is_gone,
            out: Out::default(),
            batch: LinkBatch::default(),
            going: Vec::new(),
        };
        let seat = self.links.insert(session, link);
        if self.carriers[usize::from(carrier.0)].is_gone {
            self.parting.push(seat);
        } else if submits {
            let state = &mut self.carriers[usize::from(carrier.0)];
            state.links.push(seat);
            state.places += window;
            self.wake_carrier(carrier);
        }
    }

    pub(super) fn close_link(&mut self, session: SessionId, lost: &[u64]) {
        let Some((seat, link)) = self.links.remove(session) else { return };
        self.lose_asked(session);
        let state = &mut self.carriers[usize::from(link.carrier.0)];
        state.links.retain(|known| *known != seat);
        if link.submits {
            state.places -= link.window;
            state.out -= link.window - link.room;
        }
        // What the session does not name never left: it was on its way to the session when that ended.
        let lost: HashSet<u64> = lost.iter().copied().collect();
        let trial = self.lose_trial(seat, &link, !lost.is_empty());
        self.note_loss(link.carrier, !lost.is_empty());
        for token in link.going.iter().rev().copied().chain(link.out.newest_first()) {
            if self.table.is_with(token, Phase::Dispatched, seat) {
                let doubtful = lost.contains(&token.to_u64());
                if !doubtful {
                    self.note_unsent(token);
                }
                self.dispatch_again(token, doubtful.then_some(Loss { trial }));
            }
        }
        self.wake_carrier(link.carrier);
    }

    /// Puts a dispatch whose link is gone back to the front; with a [`Loss`] if the carrier may have it.
    pub(super) fn dispatch_again(&mut self, token: Token, loss: Option<Loss>) {
        let Some(row) = self.table.known(token) else { return };
        if row.phase != Phase::Dispatched {
            return;
        }
        // The carrier may have it, and a second attempt is more than it is good for.
        if loss.is_some() && row.is(flag::ONCE) {
            self.effects.stats.doubtful += 1;
            self.settle(token.slot, Outcome::plain(MessageState::Undeliverable));
            return;
        }
        if loss.is_some() && self.fall_back(token) {
            return;
        }
        let row = self.table.row(token.slot);
        if let Some(Loss { trial }) = loss {
            row.set(flag::DOUBTFUL);
            self.effects.stats.doubtful += 1;
            if self.leave_unanswered(token) {
                return;
            }
            // Not worth another attempt, and nobody can say what became of this one.
            if self.now.wall >= self.table.row(token.slot).expires {
                return self.expire(token.slot, Stage::InFlight, Outcome::plain(MessageState::Unknown));
            }
            if self.mode != Mode::Resting && self.blame(token, trial) {
                return;
            }
        }
        if self.is_astray(token.slot) {
            return self.decide_again(token.slot);
        }
        let row = self.table.row(token.slot);
        let (carrier, expires, is_suspect) = (row.carrier, row.expires, row.losses >= SUSPECT);
        row.phase = Phase::Queued;
        if is_suspect {
            self.suspect(token);
        } else {
            row.set(flag::QUEUED);
            let stand = stand(row, &self.accounts);
            self.carriers[usize::from(carrier.0)].queue.put_back(stand, token);
        }
        self.set_timer(token.slot, expires);
        self.wake_carrier(carrier);
    }

    /// Gives back one place in a link's window.
    pub(super) fn give_room(&mut self, link: u32, session: SessionId) {
        let Some(state) = self.links.at(link, session) else { return };
        let freed = usize::from(state.room < state.window);
        state.room += freed;
        state.moved = self.now.mono;
        let carrier = state.carrier;
        let place = usize::from(carrier.0);
        let is_free = self.carriers.has(place, mark::FREE);
        let state = self.carriers.in_passing(place);
        state.out -= freed;
        if !is_free && (state.waiting() > 0 || !state.is_at_ease()) {
            self.wake_carrier(carrier);
        }
    }

    /// Moves everything that can move.
    pub(super) fn pump(&mut self) {
        if self.mode == Mode::Resting {
            return;
        }
        self.pump_unrouted();
        for place in 0..self.carriers.len() {
            // Twice, where suspects give back a link that others wait for.
            for _ in 0..2 {
                if self.carriers.take(place, mark::PUMP) {
                    self.pump_carrier(place);
                    self.pump_suspects(place);
                }
            }
        }
        for place in 0..self.accounts.len() {
            if std::mem::take(&mut self.accounts[place].dirty) {
                while let Some(token) = self.pump_account(place) {
                    self.reshape_inbound(token);
                }
            }
        }
    }

    /// Sends what a carrier's links have room for.
    fn pump_carrier(&mut self, place: usize) {
        let carrier = &mut self.carriers[place];
        if carrier.is_gone
            || carrier.links.is_empty()
            || carrier.paused.is_some_and(|until| self.now.mono < until)
        {
            return;
        }
        (carrier.paused, carrier.stalls) = (None, None);
        if !carrier.pace.is_open(self.now) {
            return;
        }
        let mut passed = 0;
        while self.carriers[place].breaker.lets_through() {
            match self.next_of(place, &mut passed) {
                Next::Goes(token, seat) => self.hand_to(place, token, seat),
                Next::Changes(token) => self.reshape(token),
                Next::Strays(token) => self.decide_again(token.slot),
                Next::Waits => return,
            }
        }
    }

    /// Hands a message to a link at once that would be the next and the only one in its carrier's queue; gives whether it did. Whatever may
    /// hold back the message, its account or its carrier is for the queue to see to.
    pub(super) fn goes_at_once(&mut self, token: Token) -> bool {
        if self.mode == Mode::Resting || self.has_reloaded {
            return false;
        }
        let Self { carriers, accounts, table, links, now, .. } = self;
        let row = table.row(token.slot);
        let place = usize::from(row.carrier.0);
        let is_free = carriers.has(place, mark::FREE);
        let carrier = carriers.in_passing(place);
        let is_plain = !row.is_parked()
            && !row.is(flag::RESHAPE)
            && !row.is(flag::TOGETHER)
            && row.expires > now.wall
            && accounts[usize::from(row.account.0)].pace.is_none();
        let is_open = |carrier: &mut CarrierState| {
            carrier.queue.is_empty()
                && carrier.is_at_ease()
                && carrier.pace.is_ready(row.segments.into(), *now)
        };
        if !is_plain || !is_free && !is_open(carrier) {
            return false;
        }
        let Some(seat) = next_link(&carrier.links, &mut carrier.turn, links) else { return false };
        self.hand_to(place, token, seat);
        true
    }

    /// Takes the next message off a carrier's queue; `passed` counts the places found empty.
    fn next_of(&mut self, place: usize, passed: &mut usize) -> Next {
        let Self { carriers, accounts, table, effects, links, now, durable, sleepers, settings, .. } = self;
        let carrier = &mut carriers[place];
        let aging = settings.limits.aging;
        loop {
            let is_old = |token| is_old(table, token, aging.patience, *now);
            let Some((account, token)) = carrier.queue.front(aging, is_old) else { return Next::Waits };
            let row = table.known(token);
            let is_here = |row: &&mut Row| usize::from(row.carrier.0) == place;
            let goes = |row: &&mut Row| row.phase == Phase::Queued && row.expires > now.wall;
            let Some(row) = row.filter(|row| is_here(row) && goes(row)) else {
                // Settled while it waited, gone to another carrier, not due after all, or too late, as its timer is about to say:
                // nothing is left of it here but its place.
                if let Some(row) = table.known(token).filter(is_here) {
                    row.clear(flag::QUEUED);
                }
                carrier.queue.pop(0);
                *passed += 1;
                if *passed >= PASSED_MAX {
                    self.unfinished = true;
                    carriers.wake(place);
                    return Next::Waits;
                }
                continue;
            };
            if !carrier.pace.is_ready(row.segments.into(), *now) {
                return Next::Waits;
            }
            if let Some(pace) = &mut accounts[usize::from(account.0)].pace
                && let Err(wait) = pace.lets_go(row, *now)
            {
                carrier.queue.sleep();
                sleepers
                    .extend(wait.map(|wait| Reverse((now.mono + wait, CarrierId(place as u16), account))));
                continue;
            }
            carrier.queue.look_ahead(AHEAD, |token| fetch_if_parked(table, effects, token, *durable));
            let row = table.row(token.slot);
            if row.is_parked() {
                if !row.is(flag::FETCHING) {
                    carrier.queue.look_again();
                    fetch_if_parked(table, effects, token, *durable);
                }
                return Next::Waits;
            }
            if self.has_reloaded {
                let (row, body) = table.row_and_body(token.slot);
                if is_led_astray(&settings.routes, row, body) {
                    table.row(token.slot).clear(flag::QUEUED);
                    carrier.queue.pop(0);
                    return Next::Strays(token);
                }
            }
            let row = table.row(token.slot);
            if row.is(flag::RESHAPE) {
                row.clear(flag::QUEUED);
                carrier.queue.pop(0);
                return Next::Changes(token);
            }
            let seat = link_for(carrier, row, links, now.mono);
            let Some(seat) = seat else { return Next::Waits };
            carrier.queue.pop(row.segments.into());
            return Next::Goes(token, seat);
        }
    }
}

/// What is to be done with the front of a queue.
enum Next {
    /// It goes to the link in this seat.
    Goes(Token, u32),
    /// Its rule does not lead here any more.
    Strays(Token),
    /// It has to change its shape first.
    Changes(Token),
    /// Nothing can be done now.
    Waits,
}

/// A link was lost with a message on it that was not answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loss {
    /// It was on trial there.
    pub trial: Option<Trial>,
}

/// The link that a message of this carrier takes, if there is room.
fn link_for(
    carrier: &mut CarrierState,
    row: &Row,
    links: &mut super::Seats<LinkState>,
    now: Instant,
) -> Option<u32> {
    if !row.is(flag::TOGETHER) {
        return next_link(&carrier.links, &mut carrier.turn, links);
    }
    let seat = same_link(&carrier.links, row, links, now);
    if let Err(stalls) = seat {
        carrier.stalls = stalls;
    }
    seat.ok()
}

/// The next link in turn that has room.
fn next_link(links: &[u32], turn: &mut usize, seats: &mut super::Seats<LinkState>) -> Option<u32> {
    for _ in 0..links.len() {
        *turn = (*turn + 1) % links.len();
        let seat = links[*turn];
        if seats.here(seat).is_some_and(|(_, link)| link.has_room()) {
            return Some(seat);
        }
    }
    None
}

/// The link that all parts of one text take, so that they come in order.
///
/// One that suspects have for now is passed over, and one that is full and says nothing for [`STALL`]: everything else of the
/// carrier waits behind these parts. If there is no room, gives when that will be the case.
fn same_link(
    links: &[u32],
    row: &Row,
    seats: &mut super::Seats<LinkState>,
    now: Instant,
) -> Result<u32, Option<Instant>> {
    let first = (row.source ^ row.destination) as usize;
    for place in 0..links.len() {
        let seat = links[first.wrapping_add(place) % links.len()];
        let Some((_, link)) = seats.here(seat) else { continue };
        if link.has_room() {
            return Ok(seat);
        }
        let stalls = link.moved + STALL;
        if !link.reserved && !link.parting && now < stalls {
            return Err(Some(stalls));
        }
    }
    Err(None)
}

/// How long a link may be full and silent until parts of texts that should take it take another one.
const STALL: Duration = Duration::from_secs(3);

/// Empty places at the front of a queue that one turn passes at most.
const PASSED_MAX: usize = 20_000;
