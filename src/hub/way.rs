//! The way out: by its route, a message gets a carrier when it is due, and another one when that can't or won't have it.
//!
//! ```text
//! let in   the rule is decided on, for the time when the message is due
//! due      its next candidate is picked, by how each carrier stands; it enters that one's queue
//! refused  for good by one: on to the next at once, until none is left
//! failed   for now: on to the next after its ladder's wait, and from the last one round to the first
//! silence  the same carrier again: a double at another one would be paid for twice
//! ```
//!
//! A body that is not at hand is read first: its number and its price decide. Parts of one text stay together: those that we made go
//! where the first went, those that came as parts follow the first of them that was given a carrier.

use super::table::{Row, Token, flag};
use super::{CarrierState, Hub};
use crate::clock::UnixMs;
use crate::codec::{MessageState, Reading, Sm, SmppTime, Status, read_time};
use crate::conversion::{self, Long, Profile};
use crate::guard::guarded;
use crate::id::{AccountId, CarrierId, Lsn};
use crate::message::{Outcome, Phase};
use crate::route::{Case, Dice, Leaf, RouteId, Routes, Standing, Tried, Turns, dice};
use crate::spool::Record;
use foldhash::HashMap;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What a route is looked for by.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub sm: &'a Sm<'a>,
    pub account: AccountId,
    /// When it is due.
    pub due: UnixMs,
    pub draw: Draw<'a>,
}

/// What decides among candidates.
#[derive(Clone, Copy)]
pub(super) struct Draw<'a> {
    /// Empty where it has no say.
    number: &'a [u8],
    /// What chance draws by: for each message its own, for the parts of one text the same.
    dice: Dice,
    is_part: bool,
}

impl<'a> Question<'a> {
    /// `serial` is the one that the message has or, most likely, gets.
    pub fn new(sm: &'a Sm<'a>, account: AccountId, serial: u64, due: UnixMs) -> Self {
        let Sm { source, destination, .. } = sm;
        let part = may_be_part(sm).then(|| conversion::part_of(sm)).flatten();
        let dice = match &part {
            Some(part) => {
                let ([high, low], [first, second]) = (part.reference.to_be_bytes(), account.0.to_be_bytes());
                Dice::Cast(dice(&[source.addr, destination.addr, &[high, low, first, second]]))
            }
            None => Dice::OfSerial(serial),
        };
        Self { sm, account, due, draw: Draw { number: destination.addr, dice, is_part: part.is_some() } }
    }
}

fn may_be_part(sm: &Sm<'_>) -> bool {
    sm.esm_class & UDHI != 0 || !sm.tlvs.is_empty()
}

/// The rule for a message whose account's texts mean what `from` says; `None`: there is none.
pub(super) fn rule_for(routes: &Routes, from: &Profile, question: &Question<'_>) -> Option<RouteId> {
    let Question { sm, account, due, draw } = *question;
    let segments = match routes.asks_segments() {
        true => guarded(|| conversion::segments(sm, from).ok()).flatten().unwrap_or(u8::MAX),
        false => 1,
    };
    routes.decide(&Case { account, sm, segments, due, dice: draw.dice })
}

/// The candidate for a message after a restart: how carriers stand is not known yet.
pub(super) fn first_candidate(
    routes: &Routes,
    route: RouteId,
    turns: &mut Turns,
    question: &Question<'_>,
) -> Option<Leaf> {
    let standing = |_| Standing { usable: true, load: 0 };
    let Draw { number, dice, .. } = question.draw;
    routes.next(route, number, Tried(0), dice, turns, standing)
}

/// Where a message is on its route.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub route: RouteId,
    pub tried: Tried,
    /// Candidates before this one have had it this round.
    pub from: u8,
    /// This one may have it without our knowing: another one would be paid for the double.
    pub stays: bool,
}

impl Hub {
    /// The best candidate for a message; `None`: all have refused it.
    pub(super) fn pick(&mut self, draw: Draw<'_>, place: Place) -> Option<Leaf> {
        let Draw { number, dice, is_part } = draw;
        let now = self.now.mono;
        let Self { settings, turns, carriers, texts, .. } = self;
        let Place { route, tried, from, stays } = place;
        if is_part
            && let Some(leaf) = texts.find(dice.cast(), route, now)
            && tried.0 & 1 << leaf.bit == 0
            && leaf.bit >= from
        {
            let state = &mut carriers[usize::from(leaf.carrier.0)];
            let is_usable = state.prospect().usable;
            if is_usable || state.is_on_trial() {
                state.leaving.awaits_trial |= !is_usable;
                return Some(Leaf { usable: true, ..leaf });
            }
        }
        let standing = |carrier: CarrierId| carriers.prospect(usize::from(carrier.0));
        if stays
            && let Some(carrier) = settings.routes.candidates(route, number).get(usize::from(from))
            && standing(*carrier).usable
        {
            return Some(Leaf { carrier: *carrier, bit: from, usable: true });
        }
        let before = u32::try_from((1_u64 << from.min(32)) - 1).unwrap_or(u32::MAX);
        let mut next = |tried| settings.routes.next(route, number, tried, dice, turns, standing);
        let ahead = next(Tried(tried.0 | before));
        let leaf = match ahead {
            Some(leaf) if leaf.usable || from == 0 => leaf,
            // The round is over, or none that is left of it can have the message now.
            Some(_) | None if from > 0 => match (next(tried), ahead) {
                (Some(leaf), _) if leaf.usable => leaf,
                (first, ahead) => ahead.or(first)?,
            },
            Some(_) | None => return None,
        };
        if is_part {
            texts.keep(dice.cast(), route, leaf, now);
        }
        Some(leaf)
    }

    /// The rule for a message.
    pub(super) fn rule_for(&self, question: &Question<'_>) -> Option<RouteId> {
        let profile = &self.accounts[usize::from(question.account.0)].profile;
        rule_for(&self.settings.routes, profile, question)
    }

    /// The carrier of a message, or the one that it would most likely get now if it has none yet.
    pub(super) fn likely_carrier(
        &mut self,
        question: &Question<'_>,
        route: RouteId,
        carrier: CarrierId,
    ) -> CarrierId {
        if carrier != Row::NOWHERE {
            return carrier;
        }
        let place = Place { route, tried: Tried(0), from: 0, stays: false };
        self.pick(question.draw, place).map_or(carrier, |leaf| leaf.carrier)
    }

    /// Sets a message on its way whose carrier is still to be picked.
    pub(super) fn route_out(&mut self, slot: u32) {
        let token = self.table.token(slot);
        let row = self.table.row(slot);
        (row.carrier, row.phase) = (Row::NOWHERE, Phase::Queued);
        if !row.is_parked() || !self.asks_body(slot) {
            if self.give_carrier(token) {
                self.enter_queue(slot);
            }
            return;
        }
        let row = self.table.row(slot);
        if !row.is(flag::QUEUED) {
            row.set(flag::QUEUED);
            let Self { unrouted, table, .. } = self;
            unrouted.push_back(token, |token| table.holds(token));
        }
    }

    /// The carrier of this message, which waits for its time, is picked when that has come.
    pub(super) fn unpick(&mut self, slot: u32) {
        let is_sole = self.is_sole(slot);
        let row = self.table.row(slot);
        if row.attempts == 0 && row.may_move() && !is_sole {
            (row.carrier, row.from) = (Row::NOWHERE, 0);
        }
    }

    /// Whether a body has a say in where its message goes.
    fn asks_body(&self, slot: u32) -> bool {
        let (row, _) = self.table.row_and_body(slot);
        row.is(flag::TOGETHER)
            || self.settings.routes.asks_number(row.route)
            || !self.settings.routes.has(row.route)
            || self.carriers.iter().any(|carrier| carrier.passes_schedule)
    }

    /// Picks the carrier of a message whose body is at hand, or has no say; gives whether it is to enter that one's queue now.
    fn give_carrier(&mut self, token: Token) -> bool {
        let slot = token.slot;
        let body = self.table.body(slot).clone();
        let row = self.table.row(slot);
        row.clear(flag::QUEUED);
        if row.tried != 0 || row.from != 0 {
            self.find_place(slot);
        }
        let row = self.table.row(slot);
        let stays = row.is(flag::TOGETHER) && row.is(flag::DOUBTFUL);
        let mut place = Place { route: row.route, tried: Tried(row.tried), from: row.from, stays };
        let (account, serial, due, error) = (row.account, row.serial, row.at, row.error);
        let sm = guarded(|| Sm::decode(&body, Reading::Lenient).unwrap_or_default()).unwrap_or_default();
        let question = Question::new(&sm, account, serial, due); // of an empty body: one that has no say
        if !body.is_empty() && self.settings.routes.candidates(place.route, sm.destination.addr).is_empty() {
            // Its rule is there no more, or leads nowhere for this number: the first that fits now is its rule.
            let route = self.rule_for(&question).unwrap_or(Row::NO_ROUTE);
            place = Place { route, tried: Tried(0), from: 0, stays: false };
            let row = self.table.row(slot);
            (row.route, row.tried, row.from) = (route, 0, 0);
        }
        let Some(leaf) = self.pick(question.draw, place) else {
            let outcome = match place.tried {
                Tried(0) => Outcome::NO_ROUTE,
                Tried(_) => Outcome { state: MessageState::Rejected, error },
            };
            self.settle(slot, outcome);
            return false;
        };
        if place.from > 0 || place.tried.0 > 0 {
            self.effects.stats.pass_on(leaf.carrier);
        }
        self.put_on(slot, leaf);
        if let Some(schedule) = self.unkept_schedule(slot, &sm) {
            self.table.row(slot).at = schedule;
            self.start(slot);
            return false;
        }
        true
    }

    /// The schedule that the carrier before was to keep in our place, and that this one does not.
    fn unkept_schedule(&mut self, slot: u32, sm: &Sm<'_>) -> Option<UnixMs> {
        let row = self.table.row(slot);
        let keeps = self.carriers[usize::from(row.carrier.0)].passes_schedule;
        match read_time(sm.schedule_delivery_time, self.now.wall) {
            Ok(Some(SmppTime::Absolute(at))) if !keeps && row.bulk == Row::ALONE && at > self.now.wall => {
                Some(at)
            }
            _ => None, // there is none, or it is over
        }
    }

    /// The message is for this candidate now.
    fn put_on(&mut self, slot: u32, leaf: Leaf) {
        let long = self.carriers[usize::from(leaf.carrier.0)].profile.long;
        let row = self.table.row(slot);
        (row.carrier, row.from) = (leaf.carrier, leaf.bit);
        // Whoever is at the front of a queue is looked at; most need nothing.
        match long != Long::Pass && !row.is(flag::PART | flag::WHOLE) {
            true => row.set(flag::RESHAPE),
            false => row.clear(flag::RESHAPE),
        }
    }

    /// Its carrier will not have this message: on to the next candidate, at once; if there is none, it ends so.
    pub(super) fn go_on_elsewhere(&mut self, slot: u32, status: Status) {
        let outcome = Outcome::refused(status);
        let row = self.table.row(slot);
        if !row.may_move() {
            self.settle(slot, outcome);
            return;
        }
        (row.error, row.losses) = (outcome.error, 0);
        if let Some(place) = self.find_place(slot) {
            self.table.row(slot).tried |= 1 << (place & 31);
        }
        if self.has_no_other(slot) {
            self.settle(slot, outcome);
            return;
        }
        self.note_attempts(slot, self.now.wall);
        let expires = self.table.row(slot).expires;
        self.route_out(slot);
        if self.table.row(slot).phase == Phase::Queued {
            self.set_timer(slot, expires);
        }
    }

    /// Whether every candidate has refused this message, as far as that can be told without its body.
    fn has_no_other(&self, slot: u32) -> bool {
        let (row, _) = self.table.row_and_body(slot);
        let all = |count: usize| (1_u64 << count.min(32)) - 1;
        // If its rule is gone, or leads nowhere, another may have others.
        let count = self.candidates(slot).map(<[CarrierId]>::len);
        count.is_some_and(|count| count > 0 && u64::from(row.tried) & all(count) == all(count))
    }

    /// Whether its route has no other candidate than the one that this message is at.
    pub(super) fn is_sole(&self, slot: u32) -> bool {
        self.candidates(slot).is_some_and(|candidates| candidates.len() == 1)
    }

    /// Whether another carrier can have this message now, as far as that can be told without its body.
    pub(super) fn has_way_out(&mut self, slot: u32) -> bool {
        if self.table.row(slot).tried != 0 {
            self.find_place(slot);
        }
        let (row, _) = self.table.row_and_body(slot);
        let Some(candidates) = self.candidates(slot).filter(|all| !all.is_empty()) else { return true };
        candidates.iter().enumerate().any(|(bit, carrier)| {
            let is_open = *carrier != row.carrier && row.tried & 1 << (bit & 31) == 0;
            is_open && self.carriers[usize::from(carrier.0)].prospect().usable
        })
    }

    /// The candidates that its route has for this message; `None`: only its body can tell.
    pub(super) fn candidates(&self, slot: u32) -> Option<&[CarrierId]> {
        let (row, body) = self.table.row_and_body(slot);
        let routes = &self.settings.routes;
        if !routes.has_targets(row.route) {
            return Some(routes.candidates(row.route, b""));
        }
        let sm = Sm::decode(body, Reading::Lenient).ok()?;
        Some(routes.candidates(row.route, sm.destination.addr))
    }

    /// Has this message, which waits for its next attempt, look for its next candidate then.
    pub(super) fn turn_to_next(&mut self, slot: u32) {
        if !self.table.row(slot).may_move() || self.is_sole(slot) {
            return;
        }
        let place = self.find_place(slot);
        let row = self.table.row(slot);
        // Of other candidates than before, none has had it this round.
        let next = if place == Some(row.from) { row.from.saturating_add(1) } else { 0 };
        (row.carrier, row.from) = (Row::NOWHERE, next);
    }

    /// Records how far the attempts at a message have come, the next of which is due then.
    pub(super) fn note_attempts(&mut self, slot: u32, due: UnixMs) -> Lsn {
        let row = self.table.row(slot);
        let is_fixed = row.is(flag::PART) && row.tried == FIXED;
        let carrier = match is_fixed {
            true => &self.carriers[usize::from(row.carrier.0)].name[..],
            false => b"",
        };
        let record = Record::Deferred {
            id: row.id(slot),
            attempts: row.attempts,
            due,
            error: row.error,
            losses: row.losses,
            tried: row.tried,
            from: row.from,
            carrier,
            shape: row.shape,
        };
        self.journal.append(&record).lsn
    }

    /// Picks carriers for those whose bodies have come back.
    pub(super) fn pump_unrouted(&mut self) {
        for _ in 0..PICKED_MAX {
            let Self { unrouted, table, effects, durable, now, .. } = self;
            let waits = |row: &mut Row| {
                let is_ours = row.carrier == Row::NOWHERE;
                let goes = is_ours && row.phase == Phase::Queued && row.expires > now.wall;
                if is_ours && !goes {
                    row.clear(flag::QUEUED); // settled while it waited, or too late, as its timer is about to say
                }
                goes
            };
            let Some(token) = unrouted.front_at_hand(table, effects, *durable, waits) else { return };
            unrouted.pop_front();
            if self.give_carrier(token) {
                self.enter_queue_looked_at(token.slot);
            }
        }
        self.unfinished = true;
    }
}

impl Row {
    /// Whether it may go to another carrier than the one that it is for.
    pub fn may_move(&self) -> bool {
        !self.is(flag::PART | flag::INBOUND) && self.route != Self::NO_ROUTE
    }
}

impl CarrierState {
    /// Whether it has a link and is held for well. While it is being tried it is not: a trial may take as long as an answer may.
    pub fn is_up(&self) -> bool {
        !self.is_gone && !self.links.is_empty() && self.breaker.is_closed()
    }

    /// Whether a message is finding out, or is about to, if it is well again.
    fn is_on_trial(&self) -> bool {
        !self.is_gone && !self.links.is_empty() && self.breaker.is_half_open()
    }

    /// Whether time alone changes nothing about it: nobody has to look at it until something happens.
    pub fn is_at_ease(&self) -> bool {
        let is_waited_for = self.paused.or(self.stalls).or(self.suspects.next_timeout()).is_some();
        self.is_up() && !self.far && !is_waited_for && self.pace.is_at_ease() && self.leaving.is_at_ease()
    }

    /// Whether one that is at ease lets pass whatever comes for it: nothing waits, and nothing limits it.
    pub fn is_free(&self) -> bool {
        self.waiting() == 0 && !self.pace.is_limited()
    }

    /// As [`CarrierState::prospect`], of one that is free.
    pub fn free_prospect(&self) -> Standing {
        Standing { usable: true, load: self.load(0) }
    }

    /// The share of what may be out on its links that is, or waits for that, in thousandths.
    fn load(&self, waiting: usize) -> u16 {
        let busy = (waiting + self.out) as u64 * 1000 / self.places.max(1) as u64;
        u16::try_from(busy).unwrap_or(u16::MAX)
    }

    /// How it stands for messages that are about to get a carrier.
    pub fn prospect(&self) -> Standing {
        // One that is about to show whether it is well again gets what it takes to show it.
        let is_well = self.breaker.is_closed() || self.breaker.lets_through() && self.queue.is_empty();
        Standing {
            usable: !self.is_gone && !self.links.is_empty() && is_well && !self.far,
            load: self.load(self.queue.len()),
        }
    }
}

/// Which candidate the parts of texts follow that came as parts.
#[derive(Debug, Default)]
pub(super) struct Texts {
    known: HashMap<u64, (RouteId, Leaf)>,
    oldest: VecDeque<(Instant, u64)>,
}

impl Texts {
    fn find(&mut self, text: u64, route: RouteId, now: Instant) -> Option<Leaf> {
        while self.oldest.front().is_some_and(|(since, _)| now.saturating_duration_since(*since) >= TEXT_AGE)
        {
            self.drop_oldest();
        }
        self.known.get(&text).filter(|(known, _)| *known == route).map(|(_, leaf)| *leaf)
    }

    fn keep(&mut self, text: u64, route: RouteId, leaf: Leaf, now: Instant) {
        if self.known.insert(text, (route, leaf)).is_some() {
            return; // as old as it was
        }
        self.oldest.push_back((now, text));
        if self.oldest.len() > TEXTS_MAX {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((_, text)) = self.oldest.pop_front() {
            self.known.remove(&text);
        }
    }
}

/// As [`Row::tried`]: the message is for its carrier, whatever its route says.
pub(super) const FIXED: u32 = u32::MAX;
/// Messages that get a carrier in one turn at most, beside those that come with their bodies.
const PICKED_MAX: usize = 2_000;
/// How long, and how many, texts are remembered whose parts are to follow the first.
const TEXT_AGE: Duration = Duration::from_secs(120);
const TEXTS_MAX: usize = 50_000;
/// esm_class bit 6: the text begins with a user data header.
const UDHI: u8 = 0x40;
