//! Messages that their links may have been lost by: they go apart from the others until that is known.
//!
//! A carrier that falls over one message drops the link with a whole window on it, each time that it gets it again. Nobody behind
//! may wait for that one, and nobody beside it may be blamed. How many links were lost in a row with a message on them says how it goes:
//!
//! ```text
//!  losses 0, 1    with the others, from the front of the queue
//!         2       a suspect: a few at a time, on a link that has nothing else
//!         3 ..    alone on such a link; after a loss it waits like one that was not answered
//!         limits.poison_attempts     given up: its state is final, it is counted and named
//! ```
//!
//! A trial counts only if the carrier has answered something else since the one before: a carrier that drops everything blames nobody.
//! An answer of any kind clears a message of all suspicion. Between two trials the others have the link for as long as the trial took.

use super::fetch::fetch_if_parked;
use super::queue::Queue;
use super::table::{Token, flag};
use super::{Hub, LinkState};
use crate::codec::MessageState;
use crate::id::CarrierId;
use crate::message::{Outcome, Phase};
use crate::schedule::Failure;
use std::time::{Duration, Instant};

/// The suspects of one carrier.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    queue: Queue,
    trial: Option<Trial>,
    /// The carrier has answered something since the last trial began.
    proven: bool,
    /// The others have the links until then.
    rest: Option<Instant>,
    /// Links in a row that were lost with messages on them and had answered none.
    mute_links: u8,
}

/// Suspects on a link of their own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    seat: u32,
    since: Instant,
    /// Whether a loss says something about them.
    counts: bool,
    /// How many are still out; `None` while the link has yet to come back from what it had before.
    left: Option<usize>,
}

impl Suspects {
    /// How many there are, with the places of some that are gone.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether the carrier drops links without a word: then a fresh one gets one message before it gets more.
    pub fn is_wary(&self) -> bool {
        self.mute_links >= MUTE_LINKS
    }

    /// Takes all of them out.
    pub fn take_all(&mut self) -> Vec<Token> {
        std::iter::from_fn(|| self.queue.pop_front()).collect()
    }

    /// When the carrier is to be looked at again.
    pub fn next_timeout(&self) -> Option<Instant> {
        match self.trial {
            Some(trial) => Some(trial.since + TRIAL_PATIENCE),
            None => self.rest.filter(|_| self.queue.len() > 0),
        }
    }

    /// Whether it is time to look at the carrier. A rest that is over is forgotten with that: if it isn't the suspects' turn
    /// even so, something else has to happen first, and whatever that is wakes the carrier.
    pub fn take_due(&mut self, now: Instant) -> bool {
        let is_due = self.next_timeout().is_some_and(|at| at <= now);
        self.rest = self.rest.filter(|until| *until > now);
        is_due
    }
}

impl Hub {
    /// Puts a message at the end of its carrier's suspects.
    pub(super) fn suspect(&mut self, token: Token) {
        let Self { table, carriers, .. } = self;
        let row = table.row(token.slot);
        row.phase = Phase::Queued;
        let carrier = row.carrier;
        if !row.is(flag::QUEUED) {
            row.set(flag::QUEUED);
            carriers[usize::from(carrier.0)].suspects.queue.push_back(token, |token| table.holds(token));
        }
        self.wake_carrier(carrier);
    }

    /// A link of the carrier answered a dispatch, in time or late: it works, and so does the carrier.
    pub(super) fn note_answer(&mut self, seat: u32) {
        let Some((_, link)) = self.links.here(seat) else { return };
        if !std::mem::replace(&mut link.answered, true) && link.told.is_none() {
            link.ceiling = link.window;
        }
        link.silences = None;
        let carrier = link.carrier;
        let suspects = &mut self.carriers.in_passing(usize::from(carrier.0)).suspects;
        (suspects.proven, suspects.mute_links) = (true, 0);
    }

    /// A link left a dispatch unanswered. After so many, and a while in which not even a late answer came, it is ended: one that answers
    /// nothing only makes doubles.
    pub(super) fn note_silence(&mut self, seat: u32) {
        let most = self.settings.limits.silences;
        let now = self.now.mono;
        let Some((_, link)) = self.links.here(seat) else { return };
        let (times, since) =
            link.silences.map_or((1, now), |(times, since)| (times.saturating_add(1), since));
        link.silences = Some((times, since));
        let is_wary = !link.answered && self.carriers[usize::from(link.carrier.0)].suspects.is_wary();
        let is_enough = times >= if is_wary { most.min(WARY_SILENCES) } else { most };
        let lasts = now.saturating_duration_since(since) >= SILENCE;
        if most == 0 || link.reserved || !is_enough || !lasts {
            return;
        }
        link.reserved = true; // for nobody
        self.unbind_link(seat);
        self.effects.stats.links_sick += 1;
    }

    /// One of those on trial, if there are any on this link, is out no more.
    pub(super) fn leave_trial(&mut self, seat: u32, carrier: CarrierId) {
        let suspects = &mut self.carriers.in_passing(usize::from(carrier.0)).suspects;
        let Some(trial) = suspects.trial.as_mut().filter(|trial| trial.seat == seat) else { return };
        let Some(left) = &mut trial.left else { return };
        *left -= 1;
        if *left == 0 {
            self.end_trial(carrier);
        }
    }

    /// Gives the link of a trial back to everybody.
    fn end_trial(&mut self, carrier: CarrierId) -> Option<Trial> {
        let suspects = &mut self.carriers[usize::from(carrier.0)].suspects;
        let trial = suspects.trial.take()?;
        let now = self.now.mono;
        suspects.rest = Some(now + now.saturating_duration_since(trial.since));
        if let Some((_, link)) = self.links.here(trial.seat) {
            link.reserved = false;
        }
        self.wake_carrier(carrier);
        Some(trial)
    }

    /// A link is gone: gives the trial that was on it, if its suspects were out. `doubtful` if the link had anything that was not answered.
    pub(super) fn lose_trial(&mut self, seat: u32, link: &LinkState, doubtful: bool) -> Option<Trial> {
        let suspects = &mut self.carriers[usize::from(link.carrier.0)].suspects;
        let on_trial = suspects.trial.is_some_and(|trial| trial.seat == seat);
        if (doubtful || link.silences.is_some()) && !link.answered && !on_trial {
            suspects.mute_links = suspects.mute_links.saturating_add(1);
        }
        if !on_trial {
            return None;
        }
        self.end_trial(link.carrier).filter(|trial| trial.left.is_some())
    }

    /// A link was lost with this message on it, unanswered: it is told how it goes on. False if it may go on as it is.
    pub(super) fn blame(&mut self, token: Token, trial: Option<Trial>) -> bool {
        let most = self.settings.limits.poison_attempts;
        let row = self.table.row(token.slot);
        let (before, was_alone) = (row.losses, row.losses >= ALONE);
        match trial {
            Some(trial) => row.losses = before.saturating_add(u8::from(trial.counts)),
            None => row.losses = before.max((before + 1).min(SUSPECT)),
        }
        let losses = row.losses;
        if losses < SUSPECT {
            return false;
        }
        if trial.is_some() && most > 0 && losses >= most {
            self.give_up(token, Outcome::plain(MessageState::Unknown));
        } else if trial.is_some() && was_alone {
            self.defer(token.slot, Failure::Unanswered, Outcome::plain(MessageState::Unknown));
        } else {
            if losses != before {
                let due = row.at;
                self.note_attempts(token.slot, due);
            }
            let expires = self.table.row(token.slot).expires;
            self.suspect(token);
            self.set_timer(token.slot, expires);
        }
        true
    }

    /// We have no words for this message: our own fault, and the same each time until somebody repairs it.
    pub(super) fn take_unsayable(&mut self, token: Token) {
        let most = self.settings.limits.poison_attempts;
        let Some(row) = self.table.known(token).filter(|row| row.phase == Phase::Dispatched) else { return };
        row.losses = row.losses.saturating_add(1);
        let outcome = Outcome::plain(MessageState::Undeliverable);
        match most > 0 && row.losses >= most {
            true => self.give_up(token, outcome),
            false => self.defer(token.slot, Failure::Transient, outcome),
        }
    }

    /// Ends a message that can't be got rid of otherwise, and says so.
    pub(super) fn give_up(&mut self, token: Token, outcome: Outcome) {
        let row = self.table.row(token.slot);
        let (carrier, id) = (row.carrier, row.id(token.slot));
        self.effects.poisoned.push((carrier, id));
        self.settle(token.slot, outcome);
    }

    /// Sends suspects, if it is their turn and a link has nothing else.
    pub(super) fn pump_suspects(&mut self, place: usize) {
        let carrier = CarrierId(place as u16);
        let now = self.now.mono;
        let state = &mut self.carriers[place];
        if state.suspects.trial.is_some_and(|trial| now >= trial.since + TRIAL_PATIENCE) {
            self.end_trial(carrier);
        }
        let state = &mut self.carriers[place];
        if state.suspects.trial.is_none() && !self.begin_trial(place) {
            return;
        }
        let state = &mut self.carriers[place];
        let Some(trial) = state.suspects.trial.filter(|trial| trial.left.is_none()) else { return };
        let is_free = self.links.here(trial.seat).is_some_and(|(_, link)| link.room == link.window);
        if !is_free {
            return;
        }
        let sent = self.send_suspects(place, trial.seat);
        let suspects = &mut self.carriers[place].suspects;
        match &mut suspects.trial {
            Some(trial) if sent > 0 => {
                (trial.left, trial.counts) = (Some(sent), std::mem::take(&mut suspects.proven));
            }
            // None is left, or their bodies are being read back, and the first of them wakes the carrier.
            _ => {
                self.end_trial(carrier);
                self.carriers[place].suspects.rest = None;
            }
        }
    }

    /// Keeps a link free for the next suspects, if there are any and it is their turn.
    fn begin_trial(&mut self, place: usize) -> bool {
        let now = self.now.mono;
        let Self { carriers, links, .. } = self;
        let state = &mut carriers[place];
        let rests = state.paused.or(state.suspects.rest).is_some_and(|until| now < until);
        let is_open = state.pace.is_open(self.now) && state.breaker.lets_through();
        if state.suspects.queue.len() == 0 || rests || !is_open {
            return false;
        }
        let used = |seat: &u32, links: &mut super::Seats<LinkState>| {
            links.here(*seat).map_or(usize::MAX, |(_, link)| link.window - link.room)
        };
        let has_others = !state.queue.is_empty() || state.links.iter().any(|seat| used(seat, links) > 0);
        if has_others && !state.suspects.proven {
            return false; // they show first whether the carrier works at all
        }
        let is_sick = |seat: &u32, links: &mut super::Seats<LinkState>| {
            links.here(*seat).is_none_or(|(_, link)| link.reserved || link.parting)
        };
        let able = state.links.iter().copied().filter(|seat| !is_sick(seat, links));
        let Some(seat) = able.collect::<Vec<_>>().into_iter().min_by_key(|seat| used(seat, links)) else {
            return false;
        };
        state.suspects.trial = Some(Trial { seat, since: now, counts: false, left: None });
        if let Some((_, link)) = links.here(seat) {
            link.reserved = true;
        }
        true
    }

    /// Gives how many went out: a few at first, one alone later.
    fn send_suspects(&mut self, place: usize, seat: u32) -> usize {
        let mut sent = 0;
        while sent < TOGETHER_MAX {
            let Self { carriers, table, effects, links, durable, .. } = self;
            let queue = &mut carriers[place].suspects.queue;
            let Some(token) = queue.front() else { break };
            let Some(row) = table.known(token).filter(|row| row.phase == Phase::Queued) else {
                if let Some(row) = table.known(token) {
                    row.clear(flag::QUEUED);
                }
                queue.pop_front(); // settled while it waited
                continue;
            };
            if row.expires <= self.now.wall || row.is(flag::RESHAPE) {
                row.clear(flag::QUEUED);
                queue.pop_front();
                // Or else it is too late for it, as its timer is about to say.
                if row.is(flag::RESHAPE) {
                    self.enqueue_with_others(token.slot); // we were restarted: it is looked at like any other
                }
                continue;
            }
            if row.is_parked() {
                fetch_if_parked(table, effects, token, *durable);
                break;
            }
            if !carriers[place].pace.is_ready(row.segments.into(), self.now) {
                break;
            }
            let queue = &mut carriers[place].suspects.queue;
            let is_alone = row.losses >= ALONE;
            let has_room = links.here(seat).is_some_and(|(_, link)| link.room > 0);
            if (is_alone && sent > 0) || !has_room {
                break;
            }
            queue.pop_front();
            self.hand_to(place, token, seat);
            sent += 1;
            if is_alone {
                break;
            }
        }
        sent
    }
}

/// So many links in a row lost with a message make it a suspect.
pub(super) const SUSPECT: u8 = 2;
/// So many, and it goes alone.
const ALONE: u8 = 3;
/// Suspects that go together at first: 100 of them are through in seven trials, and the bad one in sixteen more.
const TOGETHER_MAX: usize = 16;
/// Links in a row that say nothing before they are lost, and make us wary.
const MUTE_LINKS: u8 = 2;
/// How long a trial keeps a link from the others.
const TRIAL_PATIENCE: Duration = Duration::from_secs(5);
/// How long a link is silent before it is ended: a carrier that is late by less is slow, and its late answers count.
const SILENCE: Duration = Duration::from_secs(30);
/// Silences that are enough where the links before said nothing either.
const WARY_SILENCES: u32 = 2;
