//! What the hub knows of its carriers, and which of them have been touched.
//!
//! A turn goes over its carriers several times: who is held back, who has something to send, what is to be counted, when to look again.
//! With hundreds of them most are as they were, and passed over: whoever lays hands on one leaves marks, and whoever wakes one another.

use super::CarrierState;
use std::ops::{Index, IndexMut};

/// The carriers of the configuration, in its order.
#[derive(Debug, Default)]
pub(super) struct Carriers {
    states: Vec<CarrierState>,
    /// Bits of [`mark`], by carrier.
    marks: Vec<u8>,
}

/// What a carrier has to be seen by.
pub(super) mod mark {
    /// It was touched: who looks whether it is up and not held back, and what has become due.
    pub const LOOK: u8 = 1;
    /// It was touched: who takes what was counted.
    pub const COUNT: u8 = 1 << 1;
    /// It was woken: who sends what waits.
    pub const PUMP: u8 = 1 << 2;
    pub(super) const TOUCHED: u8 = LOOK | COUNT;
    pub(super) const ALL: u8 = TOUCHED | PUMP;
}

impl Carriers {
    pub const fn len(&self) -> usize {
        self.states.len()
    }

    pub fn get(&self, place: usize) -> Option<&CarrierState> {
        self.states.get(place)
    }

    pub fn iter(&self) -> impl Iterator<Item = &CarrierState> {
        self.states.iter()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut CarrierState> {
        self.marks.iter_mut().for_each(|marks| *marks |= mark::TOUCHED);
        self.states.iter_mut()
    }

    pub fn push(&mut self, state: CarrierState) {
        self.states.push(state);
        self.marks.push(mark::ALL);
    }

    /// The carrier may have something that can go; none may be there.
    pub fn wake(&mut self, place: usize) {
        if let Some(marks) = self.marks.get_mut(place) {
            *marks = mark::ALL;
        }
    }

    pub fn wake_all(&mut self) {
        self.marks.fill(mark::ALL);
    }

    /// Whether the carrier has this mark.
    pub fn has(&self, place: usize, mark: u8) -> bool {
        self.marks[place] & mark != 0
    }

    /// Those with this mark.
    pub fn with(&self, mark: u8) -> impl Iterator<Item = &CarrierState> {
        let marked = self.states.iter().zip(&self.marks).filter(move |(_, marks)| **marks & mark != 0);
        marked.map(|(state, _)| state)
    }

    /// Takes a mark away, until it is made again; gives whether it was there.
    pub fn take(&mut self, place: usize, mark: u8) -> bool {
        let had = self.has(place, mark);
        self.marks[place] &= !mark;
        had
    }
}

impl From<Vec<CarrierState>> for Carriers {
    fn from(states: Vec<CarrierState>) -> Self {
        Self { marks: vec![mark::ALL; states.len()], states }
    }
}

impl Index<usize> for Carriers {
    type Output = CarrierState;

    fn index(&self, place: usize) -> &CarrierState {
        &self.states[place]
    }
}

impl IndexMut<usize> for Carriers {
    fn index_mut(&mut self, place: usize) -> &mut CarrierState {
        self.marks[place] |= mark::TOUCHED;
        &mut self.states[place]
    }
}
