//! Messages from handsets whose account isn't there go to the one that stands in for it, as the rules for inbound messages say.
//!
//! What comes while the account has been away for long enough goes to the other at once. What waits for it by then is looked
//! through, a slice a turn: receipts stay, messages go over one by one, each with a record that says whose it is from then on.
//! Nobody is given what he can't take: where the other isn't there either, it stays.

use super::Hub;
use super::queue::Queue;
use super::table::{Row, Token, flag};
use crate::codec::{Reading, Sm};
use crate::id::{AccountId, CarrierId};
use crate::message::Phase;
use crate::route::inbound::{Case, Failover};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An account, and after how long others stand in for it.
#[derive(Debug)]
pub(super) struct StandIn {
    account: AccountId,
    after: Duration,
    /// What waits has been looked through, and nobody has come or gone since.
    looked: bool,
    /// Places of its queue that are still to be looked at.
    left: usize,
    /// Messages that may go over, once their bodies are at hand.
    moving: Queue,
}

impl StandIn {
    pub fn new((account, after): (AccountId, Duration)) -> Self {
        Self { account, after, looked: false, left: 0, moving: Queue::default() }
    }

    fn is_done(&self) -> bool {
        self.looked && self.left == 0 && self.moving.len() == 0
    }
}

impl Hub {
    /// Somebody came or went: what waits may have somewhere to go now.
    pub(super) fn look_for_stand_ins(&mut self) {
        self.stand_ins.iter_mut().for_each(|stand_in| stand_in.looked = false);
    }

    /// Whose a message is that is for `account`: the other's, if that one has been away for long enough and he is there.
    pub(super) fn stand_in_for(&self, account: AccountId, case: &Case<'_>) -> Option<AccountId> {
        if self.stand_ins.is_empty() {
            return None;
        }
        let Failover { account: other, after } = self.settings.inbound.failover_of(account, case)?;
        (self.is_away(account, after) && self.is_there(other)).then_some(other)
    }

    fn is_there(&self, account: AccountId) -> bool {
        !self.accounts[usize::from(account.0)].ports.is_empty()
    }

    fn is_away(&self, account: AccountId, after: Duration) -> bool {
        let state = &self.accounts[usize::from(account.0)];
        state.away.is_some_and(|away| self.now.mono.saturating_duration_since(away) >= after)
    }

    /// Goes on with what waits for accounts that are away.
    pub(super) fn go_on_standing_in(&mut self) {
        for place in 0..self.stand_ins.len() {
            let StandIn { account, after, .. } = self.stand_ins[place];
            if self.stand_ins[place].is_done() {
                continue;
            }
            if !self.is_away(account, after) {
                self.give_back(place);
                continue;
            }
            let waiting = &self.accounts[usize::from(account.0)].waiting;
            let stand_in = &mut self.stand_ins[place];
            if !std::mem::replace(&mut stand_in.looked, true) {
                stand_in.left = waiting.len();
            }
            self.look_through(place);
            self.move_over(place);
            self.unfinished |= self.stand_ins[place].left > 0;
        }
    }

    /// When an account has been away for long enough next.
    pub(super) fn next_stand_in(&self) -> Option<Instant> {
        let due = |stand_in: &StandIn| {
            let state = &self.accounts[usize::from(stand_in.account.0)];
            state.away.map(|away| away + stand_in.after).filter(|_| !stand_in.looked)
        };
        self.stand_ins.iter().filter_map(due).min()
    }

    /// The account is there again: what was about to go over stays.
    pub(super) fn give_back(&mut self, place: usize) {
        let StandIn { account, ref mut moving, ref mut left, .. } = self.stand_ins[place];
        *left = 0;
        for token in std::iter::from_fn(|| moving.pop_front()).collect::<Vec<_>>() {
            self.wait(token, account);
        }
    }

    /// Takes messages out of what waits for their account, and leaves the receipts.
    fn look_through(&mut self, place: usize) {
        let Self { stand_ins, accounts, table, .. } = self;
        let StandIn { account, left, moving, .. } = &mut stand_ins[place];
        let waiting = &mut accounts[usize::from(account.0)].waiting;
        for _ in 0..(*left).min(SLICE) {
            *left -= 1;
            let Some(token) = waiting.pop_front() else {
                *left = 0;
                return;
            };
            match table.known(token).filter(|row| row.phase == Phase::Waiting) {
                Some(row) if row.is(flag::INBOUND) => moving.push_back(token, |token| table.holds(token)),
                Some(_) => waiting.push_back(token, |token| table.holds(token)),
                None => {} // given up while it waited
            }
        }
    }

    /// Gives messages whose bodies are at hand to those who stand in.
    fn move_over(&mut self, place: usize) {
        for _ in 0..SLICE {
            let Self { stand_ins, table, effects, durable, .. } = self;
            let StandIn { account, moving, .. } = &mut stand_ins[place];
            let account = *account;
            let waits = |row: &mut Row| row.phase == Phase::Waiting; // or was given up
            let Some(token) = moving.front_at_hand(table, effects, *durable, waits) else { return };
            moving.pop_front();
            self.move_one(token, account);
        }
        self.unfinished = true;
    }

    fn move_one(&mut self, token: Token, account: AccountId) {
        let carrier = self.table.row(token.slot).carrier;
        let body = self.table.body(token.slot).clone();
        let other = match Sm::decode(&body, Reading::Lenient) {
            Ok(sm) => self.stand_in_for(account, &case_of(carrier, &sm)),
            Err(_) => None, // can't be: it was read when it came in
        };
        match other {
            Some(other) => self.give_to(token, other),
            None => self.wait(token, account),
        }
    }

    /// An inbound message that waits is another account's from now on, in that one's words.
    fn give_to(&mut self, token: Token, other: AccountId) {
        let row = self.table.row(token.slot);
        let (before, due) = (usize::from(row.account.0), row.accepted);
        let old = self.table.body(token.slot).clone();
        let from = Arc::clone(&self.accounts[before].profile);
        let Ok(sm) = Sm::decode(&old, Reading::Lenient) else { return };
        let body = self.in_words_of(other, &from, &sm, &old);
        self.accounts[before].held -= 1;
        self.accounts[usize::from(other.0)].held += 1;
        self.table.row(token.slot).account = other;
        self.rewrite(token.slot, due, &body);
        self.note_origin(token.slot);
        self.table.keep_body(token.slot, body);
        self.bodies.push_back((self.now.mono, token));
        self.effects.stats.inbound.stood_in += 1;
        self.begin_inbound(token.slot);
    }
}

/// What is known of a message that waits.
pub(super) fn case_of<'a>(carrier: CarrierId, sm: &Sm<'a>) -> Case<'a> {
    Case { carrier, destination: sm.destination.addr, source: sm.source.addr, keyword: None }
}

/// Places of a queue that one turn looks at.
const SLICE: usize = 2_000;
