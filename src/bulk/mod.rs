//! Bulks: messages that are scheduled and controlled together, under an id that their customer gave.
//!
//! A registry and a state machine ([`State`]) without IO and clock. Whoever owns the messages ([`Bulks`] knows them as numbers of his)
//! tells of each one that comes, ends and goes, makes the changes durable, and does the work that a change brings a slice at
//! a time ([`Bulks::next_slice`]).
//!
//! **A bulk has one time**, and a message that waits for its bulk has none of its own: so pausing, resuming and rescheduling cost
//! the same for one message and for a million.
//!
//! Each bulk has a place while it is known; it is not given to another while a message of it is there. Of several bulks of
//! one name the last one goes by it: there can be another only once the one before is over.

mod recall;
mod request;
mod state;
mod sweep;

pub use request::{Answer, Ask, Call, Counts, Ended, Name, NameError, Refusal, Request, View};
pub use state::{Change, ChangeError, State};
pub use sweep::{Slice, Work};

use crate::clock::UnixMs;
use crate::codec::MessageState;
use crate::id::{AccountId, Lsn};
use foldhash::quality::RandomState;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;
use sweep::Members;

/// What bounds the bulks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bulks in all, those that are over and not forgotten yet included.
    pub in_all: usize,
    /// Bulks of one account.
    pub each: usize,
    /// How long a bulk that is over can be asked for.
    pub retention: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { in_all: 20_000, each: 5_000, retention: Duration::from_secs(72 * 3600) }
    }
}

/// All bulks.
#[derive(Debug)]
pub struct Bulks {
    limits: Limits,
    places: Vec<Option<Bulk>>,
    free: Vec<u32>,
    owners: HashMap<AccountId, Owner, RandomState>,
    /// During a replay only: places by number.
    by_number: HashMap<u64, u32, RandomState>,
    /// Those that have not fired, by their time; a paused one until that has passed.
    due: BTreeSet<(UnixMs, u32)>,
    /// Those that are over, by when they may be forgotten.
    over: BTreeSet<(UnixMs, u32)>,
    /// Those with work to be done.
    sweeping: VecDeque<u32>,
    len: usize,
    by_state: [u64; State::EACH.len()],
}

#[derive(Debug, Default)]
struct Owner {
    by_name: HashMap<Name, u32, RandomState>,
    len: usize,
}

#[derive(Debug)]
struct Bulk {
    number: u64,
    /// `None`: its record has not come yet, in a replay.
    title: Option<(AccountId, Name)>,
    state: State,
    at: UnixMs,
    changed: UnixMs,
    counts: Counts,
    /// Of the ended, those that are gone.
    gone: Ended,
    members: Members,
    /// Its record, and whether that says less than is known.
    lsn: Lsn,
    is_stale: bool,
    /// Nobody asks for it any more: it goes with its last message.
    is_retired: bool,
}

/// What a bulk's record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Unique over the life of a store.
    pub number: u64,
    pub account: AccountId,
    pub name: Name,
    pub state: State,
    pub at: UnixMs,
    /// When it came into this state.
    pub changed: UnixMs,
    /// Messages of it that have ended and are gone.
    pub gone: Ended,
}

/// What a submission under the name of a bulk does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joining {
    /// It waits for that bulk.
    Waits(u32),
    /// That bulk has fired: it is a message like any other, and counted there.
    Counts(u32),
    /// It begins a bulk.
    Begins,
}

impl Bulks {
    /// No bulks.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            places: Vec::new(),
            free: Vec::new(),
            owners: HashMap::default(),
            by_number: HashMap::default(),
            due: BTreeSet::new(),
            over: BTreeSet::new(),
            sweeping: VecDeque::new(),
            len: 0,
            by_state: [0; State::EACH.len()],
        }
    }

    /// Where the bulk is that goes by this name.
    pub fn find(&self, account: AccountId, name: &Name) -> Option<u32> {
        self.owners.get(&account)?.by_name.get(name).copied()
    }

    /// What a submission under this name would do.
    ///
    /// # Errors
    /// If the bulk was cancelled, or a new one is one too many.
    pub fn joining(&self, account: AccountId, name: &Name) -> Result<Joining, Refusal> {
        let place = self.find(account, name);
        match place.and_then(|place| Some((place, self.state(place)?))) {
            Some((place, State::Pending | State::Paused)) => Ok(Joining::Waits(place)),
            Some((place, State::Processing)) => Ok(Joining::Counts(place)),
            Some((_, State::Canceled)) => Err(ChangeError::Canceled.into()),
            Some((_, State::Finished | State::Failed)) | None => {
                self.check_room(account).map(|()| Joining::Begins)
            }
        }
    }

    fn check_room(&self, account: AccountId) -> Result<(), Refusal> {
        let own = self.owners.get(&account).map_or(0, |owner| owner.len);
        match self.len >= self.limits.in_all || own >= self.limits.each {
            true => Err(Refusal::TooMany),
            false => Ok(()),
        }
    }

    /// Begins a bulk that waits until `at`; `number` is unique. That there is room, [`Bulks::joining`] told.
    pub fn begin(&mut self, account: AccountId, name: Name, number: u64, at: UnixMs, now: UnixMs) -> u32 {
        let place = self.put(Bulk::new(number, at, now));
        self.by_state[index(State::Pending)] += 1;
        self.name(place, account, name);
        self.due.insert((at, place));
        place
    }

    /// Does what is asked; gives whether that changed anything.
    ///
    /// # Errors
    /// If the state does not allow it, or the new time is none for a bulk: it has passed, or is more than `longest` off.
    pub fn change(&mut self, place: u32, ask: Ask, longest: Duration, now: UnixMs) -> Result<bool, Refusal> {
        let Some(bulk) = self.bulk(place) else { return Err(Refusal::Unknown) };
        let (state, at) = (bulk.state, bulk.at);
        match ask {
            Ask::Show => return Ok(false),
            Ask::Pause => {
                let state = state.after(Change::Pause)?;
                self.set_state(place, state, now);
            }
            Ask::Resume => {
                let state = state.after(Change::Resume)?;
                self.set_state(place, state, now);
                match at <= now {
                    true => self.fire(place, now),
                    false => drop(self.due.insert((at, place))),
                }
            }
            Ask::Cancel => {
                let state = state.after(Change::Cancel)?;
                self.due.remove(&(at, place));
                self.set_state(place, state, now);
                self.sweep(place);
            }
            Ask::Schedule(new) => {
                state.after(Change::Reschedule)?;
                check_time(new, longest, now)?;
                self.due.remove(&(at, place));
                self.due.insert((new, place));
                if let Some(bulk) = self.bulk(place) {
                    bulk.at = new;
                }
            }
        }
        Ok(true)
    }

    /// The next bulk that fires by now; those that are paused past their time have their messages looked at.
    pub fn next_fired(&mut self, now: UnixMs) -> Option<u32> {
        while let Some((at, place)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.remove(&(at, place));
            match self.state(place)?.after(Change::Fire) {
                Ok(_) => {
                    self.fire(place, now);
                    return Some(place);
                }
                Err(_) => self.sweep(place), // paused: what is too old by now expires all the same
            }
        }
        None
    }

    fn fire(&mut self, place: u32, now: UnixMs) {
        if let Some(at) = self.at(place) {
            self.due.remove(&(at, place));
            self.set_state(place, State::Processing, now);
            self.sweep(place);
        }
    }

    /// The clock went back: what is paused and was past its time may be before it again.
    pub fn look_again(&mut self, now: UnixMs) {
        for (bulk, place) in self.places.iter().zip(0..) {
            if let Some(Bulk { state: State::Paused, at, .. }) = bulk
                && *at > now
            {
                self.due.insert((*at, place));
            }
        }
    }

    /// When the next bulk fires, or begins to be overdue.
    pub fn next_due(&self) -> Option<UnixMs> {
        self.due.first().map(|(at, _)| *at)
    }

    /// A message comes in, and doesn't wait for the bulk.
    pub fn enter(&mut self, place: u32) {
        if let Some(bulk) = self.bulk(place) {
            bulk.counts.open += 1;
        }
    }

    /// A message that waits no longer for its bulk, and is still of it.
    pub fn unbind(&mut self, place: u32) {
        if let Some(bulk) = self.bulk(place) {
            bulk.members.lose_one();
        }
    }

    /// A message that waits for its bulk leaves it for a time of its own.
    pub fn part(&mut self, place: u32) {
        self.unbind(place);
        if let Some(bulk) = self.bulk(place) {
            bulk.counts.open -= 1;
        }
    }

    /// A message has ended.
    pub fn end_one(&mut self, place: u32, state: MessageState) {
        if let Some(bulk) = self.bulk(place) {
            bulk.counts.open = bulk.counts.open.saturating_sub(1);
            bulk.counts.ended.add(state);
        }
    }

    /// Ends a bulk that has fired if all its messages have ended; gives whether that is so.
    pub fn end(&mut self, place: u32, now: UnixMs) -> bool {
        let Some(bulk) = self.bulk(place).filter(|bulk| bulk.counts.open == 0) else { return false };
        let reached = bulk.counts.ended.delivered > 0;
        match bulk.state.after(Change::End { reached }) {
            Ok(state) => {
                self.set_state(place, state, now);
                true
            }
            Err(_) => false, // it waits still, or was cancelled
        }
    }

    /// A message that has ended so is gone.
    pub fn leave(&mut self, place: u32, state: MessageState) {
        if let Some(bulk) = self.bulk(place) {
            bulk.gone.add(state);
            bulk.is_stale = true;
            self.forget_retired(place);
        }
    }

    /// Forgets those that have been over for long enough, `most` at a time.
    pub fn forget(&mut self, most: usize, now: UnixMs) {
        for _ in 0..most {
            let Some((until, place)) = self.over.first().copied().filter(|(until, _)| *until <= now) else {
                return;
            };
            self.over.remove(&(until, place));
            self.retire(place);
        }
    }

    fn retire(&mut self, place: u32) {
        if let Some(bulk) = self.bulk(place) {
            bulk.is_retired = true;
            self.forget_retired(place);
        }
    }

    fn forget_retired(&mut self, place: u32) {
        // Which messages are still there is known at the end of a replay.
        let is_replaying = !self.by_number.is_empty();
        let Some(bulk) = self.bulk(place).filter(|_| !is_replaying) else { return };
        if !bulk.is_retired || !bulk.state.is_final() || bulk.counts.messages() > bulk.gone.all() {
            return;
        }
        let until = bulk.changed.after(self.limits.retention);
        self.over.remove(&(until, place));
        self.sweeping.retain(|other| *other != place);
        let Some(bulk) = self.places[place as usize].take() else { return };
        self.free.push(place);
        self.len -= 1;
        self.by_state[index(bulk.state)] -= 1;
        let Some((account, name)) = bulk.title else { return };
        let Some(owner) = self.owners.get_mut(&account) else { return };
        owner.len -= 1;
        if owner.by_name.get(&name) == Some(&place) {
            owner.by_name.remove(&name);
        }
        if owner.len == 0 {
            self.owners.remove(&account);
        }
    }

    /// How a bulk stands.
    pub fn view(&self, place: u32) -> Option<View> {
        let Bulk { state, at, counts, .. } = *self.peek(place)?;
        Some(View { state, at, counts, is_new: false })
    }

    /// Its state, if there is a bulk in this place.
    pub fn state(&self, place: u32) -> Option<State> {
        self.peek(place).map(|bulk| bulk.state)
    }

    /// When it fires, or was to.
    pub fn at(&self, place: u32) -> Option<UnixMs> {
        self.peek(place).map(|bulk| bulk.at)
    }

    /// When it came into its state.
    pub fn changed(&self, place: u32) -> Option<UnixMs> {
        self.peek(place).map(|bulk| bulk.changed)
    }

    /// What the record of a message says it belongs to.
    pub fn number(&self, place: u32) -> Option<u64> {
        self.peek(place).map(|bulk| bulk.number)
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many there are in each of [`State::EACH`].
    pub const fn by_state(&self) -> [u64; State::EACH.len()] {
        self.by_state
    }

    /// What is to be recorded of a bulk.
    pub fn save(&self, place: u32) -> Option<Saved> {
        let bulk = self.peek(place)?;
        let (account, name) = bulk.title.clone()?;
        let Bulk { number, state, at, changed, gone, .. } = *bulk;
        Some(Saved { number, account, name, state, at, changed, gone })
    }

    /// It is recorded there as it stands.
    pub fn note_saved(&mut self, place: u32, lsn: Lsn) {
        if let Some(bulk) = self.bulk(place) {
            (bulk.lsn, bulk.is_stale) = (lsn, false);
        }
    }

    /// Those whose records are not after `before`, or say less than is known.
    pub fn unsaved(&self, before: Lsn) -> Vec<u32> {
        let is_unsaved = |bulk: &Bulk| bulk.lsn <= before || bulk.is_stale;
        let places = self.places.iter().zip(0..);
        places.filter(|(bulk, _)| bulk.as_ref().is_some_and(is_unsaved)).map(|(_, place)| place).collect()
    }
}

impl Bulks {
    fn put(&mut self, bulk: Bulk) -> u32 {
        self.len += 1;
        match self.free.pop() {
            Some(place) => {
                self.places[place as usize] = Some(bulk);
                place
            }
            None => {
                self.places.push(Some(bulk));
                self.places.len() as u32 - 1
            }
        }
    }

    /// Lets the bulk go by this name, in place of any older one.
    fn name(&mut self, place: u32, account: AccountId, name: Name) {
        let Some(bulk) = self.bulk(place) else { return };
        bulk.title = Some((account, name.clone()));
        let number = bulk.number;
        let owner = self.owners.entry(account).or_default();
        owner.len += 1;
        let before = owner.by_name.get(&name).copied();
        let newer = before.and_then(|before| self.number(before)).is_some_and(|other| other > number);
        if newer {
            return self.retire(place);
        }
        if let Some(owner) = self.owners.get_mut(&account) {
            owner.by_name.insert(name, place);
        }
        if let Some(before) = before {
            self.retire(before);
        }
    }

    fn set_state(&mut self, place: u32, state: State, now: UnixMs) {
        let until = now.after(self.limits.retention);
        let Some(bulk) = self.bulk(place) else { return };
        let before = std::mem::replace(&mut bulk.state, state);
        bulk.changed = now;
        self.by_state[index(before)] -= 1;
        self.by_state[index(state)] += 1;
        if state.is_final() {
            self.over.insert((until, place));
        }
    }

    fn peek(&self, place: u32) -> Option<&Bulk> {
        self.places.get(place as usize)?.as_ref()
    }

    fn bulk(&mut self, place: u32) -> Option<&mut Bulk> {
        self.places.get_mut(place as usize)?.as_mut()
    }
}

impl Bulk {
    fn new(number: u64, at: UnixMs, now: UnixMs) -> Self {
        Self {
            number,
            title: None,
            state: State::Pending,
            at,
            changed: now,
            counts: Counts::default(),
            gone: Ended::default(),
            members: Members::default(),
            lsn: Lsn(0),
            is_stale: true,
            is_retired: false,
        }
    }
}

/// Whether a bulk may be set to that time.
///
/// # Errors
/// If it has passed, or is more than `longest` off.
pub fn check_time(at: UnixMs, longest: Duration, now: UnixMs) -> Result<(), Refusal> {
    if at < now {
        return Err(Refusal::Past);
    }
    if at.since(now) > longest { Err(Refusal::TooFar) } else { Ok(()) }
}

const fn index(state: State) -> usize {
    state.octet() as usize - 1
}

#[cfg(test)]
mod tests;
