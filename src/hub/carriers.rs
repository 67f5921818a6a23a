//! What the hub knows of its carriers, and which of them have been touched.
//!
//! A turn goes over its carriers several times: who is held back, who has something to send, what is to be counted, when to look again.
//! With hundreds of them most are as they were, and passed over: whoever lays hands on one leaves marks, and whoever wakes one another.

use super::CarrierState;
use crate::route::Standing;
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
    /// It was touched: who counts what waits.
    pub const WAIT: u8 = 1 << 3;
    /// Nothing waits for it, holds it back or limits it, nor will before somebody touches it: a message that passes need not look.
    pub const FREE: u8 = 1 << 4;
    pub(super) const TOUCHED: u8 = LOOK | COUNT | WAIT;
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
        self.marks.iter_mut().for_each(touch);
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

    /// The carrier, of a message that passes: nobody has to look at it for that, unless what passes may hold it back.
    pub fn in_passing(&mut self, place: usize) -> &mut CarrierState {
        let (state, marks) = (&mut self.states[place], &mut self.marks[place]);
        let may_change = *marks & mark::FREE == 0 && (state.pace.is_limited() || !state.breaker.is_closed());
        *marks |= if may_change { mark::TOUCHED } else { mark::COUNT };
        state
    }

    /// How the carrier stands for messages that are about to get one.
    pub fn prospect(&self, place: usize) -> Standing {
        let state = &self.states[place];
        if self.has(place, mark::FREE) { state.free_prospect() } else { state.prospect() }
    }

    /// Notes that the carrier is [`mark::FREE`].
    pub fn free(&mut self, place: usize) {
        self.marks[place] |= mark::FREE;
    }

    /// The carrier, of whoever goes over those with a mark.
    pub fn unmarked(&mut self, place: usize) -> &mut CarrierState {
        &mut self.states[place]
    }

    /// Whether any has this mark.
    pub fn any(&self, mark: u8) -> bool {
        self.marks.iter().any(|marks| marks & mark != 0)
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

/// Somebody lays hands on the carrier with these marks.
fn touch(marks: &mut u8) {
    *marks = *marks & !mark::FREE | mark::TOUCHED;
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
        touch(&mut self.marks[place]);
        &mut self.states[place]
    }
}

#[cfg(test)]
mod tests {
    use super::super::pace::CarrierPace;
    use super::*;
    use crate::carrier::Carrier;
    use crate::throttle::{Limits, Rate};

    /// Two carriers that have been seen by everybody: one that takes whatever comes, and one with a rate.
    fn seen() -> Carriers {
        let limits = Limits { rate: Some(Rate::from_micro(1_000_000)), ..Limits::default() };
        let pace = CarrierPace::new(&Carrier { limits, ..Carrier::new("slow", "127.0.0.1:1") });
        let states = vec![CarrierState::default(), CarrierState { pace, ..CarrierState::default() }];
        Carriers { marks: vec![0; states.len()], states }
    }

    #[test]
    fn what_passes_is_counted_and_looked_at_only_where_it_may_hold_the_carrier_back() {
        let mut carriers = seen();
        for (place, is_looked_at) in [(0, false), (1, true)] {
            carriers.in_passing(place).out += 1;

            assert!(carriers.has(place, mark::COUNT));
            assert_eq!(carriers.has(place, mark::LOOK), is_looked_at);
            assert_eq!(carriers.has(place, mark::WAIT), is_looked_at);
        }
    }

    /// Else a message would go to one that has just been found to throttle.
    #[test]
    fn carrier_is_free_until_somebody_lays_hands_on_it() {
        let touches: [fn(&mut Carriers); 4] = [
            |carriers| carriers[0].far = true,
            |carriers| carriers.iter_mut().for_each(|state| state.far = true),
            |carriers| carriers.wake(0),
            Carriers::wake_all,
        ];
        for touch in touches {
            let mut carriers = seen();
            carriers.free(0);
            carriers.in_passing(0).out += 1;
            carriers.unmarked(0).backlog = 0;
            assert!(carriers.has(0, mark::FREE) && carriers.prospect(0).usable);

            touch(&mut carriers);

            assert!(!carriers.has(0, mark::FREE) && !carriers.prospect(0).usable, "it has no link");
        }
    }

    #[test]
    fn whoever_lays_hands_on_a_carrier_has_it_looked_at() {
        let mut carriers = seen();
        carriers[0].far = true;
        carriers.unmarked(1).far = true;

        assert!(carriers.has(0, mark::LOOK) && carriers.has(0, mark::COUNT) && carriers.has(0, mark::WAIT));
        assert!(!carriers.has(1, mark::TOUCHED));
        assert!(carriers.any(mark::LOOK) && !carriers.any(mark::PUMP));
    }
}
