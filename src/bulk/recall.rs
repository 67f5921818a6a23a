//! A replay: what the records say of bulks, in their order. A message may be told of before the record of its bulk.

use super::{Bulk, Bulks, Saved, State, index};
use crate::clock::UnixMs;
use crate::codec::MessageState;
use crate::id::Lsn;
use std::collections::HashMap;

impl Bulks {
    /// The place of the bulk with this number.
    pub fn recall(&mut self, number: u64) -> u32 {
        if let Some(place) = self.by_number.get(&number) {
            return *place;
        }
        let place = self.put(Bulk::new(number, UnixMs(0), UnixMs(0)));
        self.by_number.insert(number, place);
        self.by_state[index(State::Pending)] += 1;
        place
    }

    /// A bulk's record; gives its place.
    pub fn restore(&mut self, saved: Saved, lsn: Lsn) -> u32 {
        let Saved { number, account, name, state, at, changed, gone } = saved;
        let place = self.recall(number);
        let Some(bulk) = self.bulk(place) else { return place };
        let before = std::mem::replace(&mut bulk.state, state);
        (bulk.at, bulk.changed, bulk.gone) = (at, changed, gone);
        (bulk.lsn, bulk.is_stale) = (lsn, false);
        let is_named = bulk.title.is_some();
        self.by_state[index(before)] -= 1;
        self.by_state[index(state)] += 1;
        if !is_named {
            self.name(place, account, name);
        }
        place
    }

    /// The messages that wait for a bulk, which has fired: they wait no longer.
    pub fn take_waiting(&mut self, place: u32) -> Vec<u64> {
        self.bulk(place).map(|bulk| std::mem::take(&mut bulk.members).into_all()).unwrap_or_default()
    }

    /// Forgets bulks that no record named; gives their places. What waits for them is on its own.
    pub fn drop_nameless(&mut self) -> Vec<u32> {
        let places = self.places.iter().zip(0..);
        let is_nameless = |bulk: &Bulk| bulk.title.is_none();
        let nameless: Vec<u32> = places
            .filter(|(bulk, _)| bulk.as_ref().is_some_and(is_nameless))
            .map(|(_, place)| place)
            .collect();
        for place in &nameless {
            if let Some(bulk) = self.places[*place as usize].take() {
                self.by_state[index(bulk.state)] -= 1;
                self.len -= 1;
                self.free.push(*place);
            }
        }
        nameless
    }

    /// One message of it that is not gone: open, or ended so.
    pub fn count_living(&mut self, place: u32, ended: Option<MessageState>) {
        let Some(bulk) = self.bulk(place) else { return };
        match ended {
            Some(state) => bulk.counts.ended.add(state),
            None => bulk.counts.open += 1,
        }
    }

    /// All records were told: gives the bulks that have fired, whose messages may all have ended.
    pub fn resume(&mut self) -> Vec<u32> {
        self.by_number = HashMap::default();
        let mut fired = Vec::new();
        for place in 0..self.places.len() as u32 {
            let retention = self.limits.retention;
            let Some(bulk) = self.bulk(place) else { continue };
            let gone = bulk.gone;
            let ended = &mut bulk.counts.ended;
            ended.delivered += gone.delivered;
            ended.expired += gone.expired;
            ended.deleted += gone.deleted;
            ended.failed += gone.failed;
            let (state, at, changed) = (bulk.state, bulk.at, bulk.changed);
            match state {
                State::Pending | State::Paused => drop(self.due.insert((at, place))),
                State::Processing => fired.push(place),
                State::Canceled => self.sweep(place),
                State::Finished | State::Failed => {}
            }
            if state.is_final() {
                self.over.insert((changed.after(retention), place));
            }
            self.forget_retired(place);
        }
        fired
    }
}
