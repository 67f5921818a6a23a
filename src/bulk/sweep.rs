//! Work on all messages of a bulk, a slice at a time.
//!
//! The list is in the order in which the messages came. A slice hands out the next of it; those that go on waiting are kept
//! ([`Bulks::keep`]) and close up over those that do not, so that each pass makes the list as short as it can be.

use super::{Bulks, State};

/// The messages that wait for a bulk, and some that don't any more.
#[derive(Debug, Default)]
pub(super) struct Members {
    list: Vec<u64>,
    /// How many of them wait still.
    waiting: usize,
    /// Of a pass that is under way: how many have been handed out, and how many of these were kept.
    read: usize,
    kept: usize,
    is_swept: bool,
}

/// What is to be done with the messages of a slice that still wait for their bulk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// The bulk has fired: they go on by themselves.
    Start,
    /// The bulk was cancelled: so are they.
    Delete,
    /// The bulk is paused past its time: they expire, each at its time; keep them.
    Watch,
    /// Nothing but to keep them.
    Tidy,
}

/// Some messages of one bulk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    pub place: u32,
    pub work: Work,
}

impl Members {
    /// One of them waits no longer.
    pub fn lose_one(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
    }

    #[cfg(test)]
    pub fn listed(&self) -> usize {
        self.list.len()
    }

    pub fn into_all(self) -> Vec<u64> {
        self.list
    }

    fn is_mostly_dead(&self) -> bool {
        !self.is_swept && self.list.len() > 2 * self.waiting + TIDY_MIN
    }

    /// Ends a pass, or gives it up.
    fn close_up(&mut self) {
        self.list.drain(self.kept..self.read);
        (self.read, self.kept) = (0, 0);
        if self.list.is_empty() {
            self.list = Vec::new();
        }
    }
}

impl Bulks {
    /// A message comes in that waits for its bulk; `member` is what it is handed out as.
    pub fn enter_waiting(&mut self, place: u32, member: u64) {
        self.enter(place);
        self.wait(place, member);
    }

    /// Puts a message among those that wait for a bulk.
    pub fn wait(&mut self, place: u32, member: u64) {
        let Some(bulk) = self.bulk(place) else { return };
        bulk.members.list.push(member);
        bulk.members.waiting += 1;
        if bulk.members.is_mostly_dead() {
            self.sweep(place);
        }
    }

    /// Begins a pass over the messages of a bulk, from the first.
    pub(super) fn sweep(&mut self, place: u32) {
        let Some(bulk) = self.bulk(place) else { return };
        bulk.members.close_up();
        if !std::mem::replace(&mut bulk.members.is_swept, true) {
            self.sweeping.push_back(place);
        }
    }

    /// Whether there is work to be done; none that has to be recorded unless it `may_record`.
    pub fn has_work(&self, may_record: bool) -> bool {
        self.sweeping.iter().any(|place| may_record || self.state(*place) != Some(State::Canceled))
    }

    /// The next of what is to be done: puts `most` messages of one bulk at most to `members`. What has to be recorded waits unless
    /// it `may_record`. One bulk's turn comes after the other's.
    pub fn next_slice(
        &mut self,
        most: usize,
        may_record: bool,
        now: crate::clock::UnixMs,
        members: &mut Vec<u64>,
    ) -> Option<Slice> {
        for _ in 0..self.sweeping.len() {
            let place = self.sweeping.pop_front()?;
            let Self { places, due, .. } = self;
            let Some(bulk) = places.get_mut(place as usize).and_then(Option::as_mut) else { continue };
            let list = &mut bulk.members;
            if list.read >= list.list.len() {
                list.close_up();
                list.is_swept = false;
                continue;
            }
            let work = match bulk.state {
                State::Pending => Work::Tidy,
                State::Paused if bulk.at <= now => Work::Watch,
                State::Paused => {
                    due.insert((bulk.at, place)); // the clock may have gone back meanwhile
                    Work::Tidy
                }
                State::Canceled => Work::Delete,
                State::Processing | State::Finished | State::Failed => Work::Start,
            };
            if work != Work::Delete || may_record {
                let end = list.list.len().min(list.read + most);
                members.extend_from_slice(&list.list[list.read..end]);
                list.read = end;
                self.sweeping.push_back(place);
                return Some(Slice { place, work });
            }
            self.sweeping.push_back(place);
        }
        None
    }

    /// A message of the slice that was handed out last goes on waiting.
    pub fn keep(&mut self, place: u32, member: u64) {
        let Some(bulk) = self.bulk(place) else { return };
        let members = &mut bulk.members;
        if members.kept < members.read {
            members.list[members.kept] = member;
            members.kept += 1;
        }
    }
}

/// A list as short as this is not looked through for those that wait no longer.
const TIDY_MIN: usize = 1024;
