//! A hierarchical timing wheel: millions of deadlines, each set, moved and cancelled in a few nanoseconds.
//!
//! Keys are the caller's dense small numbers (message slots): a key's deadline lives at the key's place in one
//! array, so there is no hash and no allocation per deadline. Time is the caller's too, in ticks (10 ms in the hub).
//!
//! ```text
//! level 0: 64 slots of 1 tick | level 1: 64 of 64 ticks | ... | level 10: all that a u64 can say
//! ```
//!
//! A deadline goes into the level of the highest digit (base 64) in which it differs from now, and moves down when the
//! wheel's time reaches its slot. Each level has a map of its occupied slots, so empty time costs nothing to cross.
//! [`Wheel::advance`] does a bounded amount of work: both firing and moving down count, so a slot with a million deadlines
//! never stalls its caller. After Varghese and Lauck, "Hashed and Hierarchical Timing Wheels" (1987), scheme 7.

/// Deadlines of dense keys. A key has at most one.
pub struct Wheel {
    now: u64,
    /// By key; grows to the highest key ever inserted.
    entries: Vec<Entry>,
    /// First and last key of each slot's list.
    slots: Vec<Slot>,
    /// The occupied slots of each level, and the levels that have any.
    occupied: [u64; LEVELS],
    levels: u16,
    len: usize,
}

/// 24 octets a key.
#[derive(Clone, Copy)]
struct Entry {
    tick: u64,
    previous: u32,
    next: u32,
    /// Which slot it is in, or [`NOWHERE`].
    slot: u16,
}

#[derive(Clone, Copy)]
struct Slot {
    first: u32,
    last: u32,
}

impl Wheel {
    /// An empty wheel whose time is `start_tick`.
    pub fn new(start_tick: u64) -> Self {
        Self {
            now: start_tick,
            entries: Vec::new(),
            slots: vec![Slot { first: NONE, last: NONE }; LEVELS * SLOTS + 1],
            occupied: [0; LEVELS],
            levels: 0,
            len: 0,
        }
    }

    /// How many deadlines there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The time that the wheel has reached.
    pub const fn now(&self) -> u64 {
        self.now
    }

    /// The key's deadline, if it has one.
    pub fn deadline(&self, key: u32) -> Option<u64> {
        let entry = self.entries.get(key as usize)?;
        (entry.slot != NOWHERE).then_some(entry.tick)
    }

    /// Sets the key's deadline, in place of any that it had. A tick in the past fires at the next advance;
    /// there is no horizon.
    pub fn insert(&mut self, key: u32, tick: u64) {
        assert!(key < NONE, "the last key is taken");
        let place = key as usize;
        if place >= self.entries.len() {
            self.entries.resize(place + 1, VACANT);
        } else {
            self.cancel(key);
        }
        self.entries[place].tick = tick;
        self.link(key);
        self.len += 1;
    }

    /// The same as [`Wheel::insert`]; says whether there was a deadline to move.
    pub fn reschedule(&mut self, key: u32, tick: u64) -> bool {
        let moved = self.cancel(key);
        self.insert(key, tick);
        moved
    }

    /// Takes the key's deadline away; false if it had none.
    pub fn cancel(&mut self, key: u32) -> bool {
        match self.entries.get(key as usize) {
            Some(entry) if entry.slot != NOWHERE => {
                self.unlink(key);
                self.len -= 1;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Moves time on to `to_tick` and appends the keys whose deadlines it passes (at or before it) to `fired`, by
    /// deadline; a key that was late when it was inserted comes first.
    ///
    /// At most `budget` keys are fired or moved down a level. False: the budget is used up and time stands somewhere before
    /// `to_tick`; call again. Time never goes back.
    pub fn advance(&mut self, to_tick: u64, budget: usize, fired: &mut Vec<u32>) -> bool {
        let mut left = budget;
        loop {
            if !self.fire(LATE, &mut left, fired) {
                return false;
            }
            let Some((level, slot, begin)) = self.next_slot() else {
                self.now = self.now.max(to_tick);
                return true;
            };
            if begin > to_tick {
                self.now = self.now.max(to_tick);
                return true;
            }
            self.now = self.now.max(begin);
            let done = match level {
                0 => self.fire(slot, &mut left, fired),
                _ => self.move_down(slot, &mut left),
            };
            if !done {
                return false;
            }
        }
    }

    /// When [`Wheel::advance`] has something to do next: never after the first deadline, exact if that is under 64 ticks away,
    /// else at times the beginning of the slot that it is in. `None` if there are no deadlines.
    pub fn next_tick(&self) -> Option<u64> {
        if self.slots[LATE].first != NONE {
            return Some(self.now);
        }
        self.next_slot().map(|(_, _, begin)| begin)
    }

    /// The earliest occupied slot and the tick at which it begins, now if it has begun. Of two that begin together the
    /// higher level comes first: what is in it may belong before what is in the lower one.
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        let mut next: Option<(usize, usize, u64)> = None;
        let mut levels = self.levels;
        while levels != 0 {
            let level = levels.trailing_zeros() as usize;
            levels &= levels - 1;
            // All of a level's deadlines share the digits above with now, and none is behind it.
            let shift = BITS * level as u32;
            let place = self.occupied[level].trailing_zeros();
            let above = u64::MAX.checked_shl(shift + BITS).unwrap_or(0);
            let begin = (self.now & above | u64::from(place) << shift).max(self.now);
            if next.is_none_or(|(.., earliest)| begin <= earliest) {
                next = Some((level, level * SLOTS + place as usize, begin));
            }
        }
        next
    }

    /// Fires all of a slot's list; false if the budget ends first.
    fn fire(&mut self, slot: usize, left: &mut usize, fired: &mut Vec<u32>) -> bool {
        while self.slots[slot].first != NONE {
            if *left == 0 {
                return false;
            }
            *left -= 1;
            let key = self.slots[slot].first;
            self.unlink(key);
            self.len -= 1;
            fired.push(key);
        }
        true
    }

    /// Links all of a slot's list anew, now that its time has come closer; false if the budget ends first.
    fn move_down(&mut self, slot: usize, left: &mut usize) -> bool {
        while self.slots[slot].first != NONE {
            if *left == 0 {
                return false;
            }
            *left -= 1;
            let key = self.slots[slot].first;
            self.unlink(key);
            self.link(key);
        }
        true
    }

    /// Puts a key at the end of the list of the slot that its tick belongs to.
    fn link(&mut self, key: u32) {
        let slot = self.slot_of(self.entries[key as usize].tick);
        let last = self.slots[slot].last;
        let entry = &mut self.entries[key as usize];
        entry.slot = slot as u16;
        entry.previous = last;
        entry.next = NONE;
        match last {
            NONE => self.slots[slot].first = key,
            last => self.entries[last as usize].next = key,
        }
        self.slots[slot].last = key;
        if slot != LATE {
            self.occupied[slot / SLOTS] |= 1 << (slot % SLOTS);
            self.levels |= 1 << (slot / SLOTS);
        }
    }

    fn unlink(&mut self, key: u32) {
        let Entry { previous, next, slot, .. } = self.entries[key as usize];
        let slot = usize::from(slot);
        match previous {
            NONE => self.slots[slot].first = next,
            previous => self.entries[previous as usize].next = next,
        }
        match next {
            NONE => self.slots[slot].last = previous,
            next => self.entries[next as usize].previous = previous,
        }
        self.entries[key as usize].slot = NOWHERE;
        if slot != LATE && self.slots[slot].first == NONE {
            let occupied = &mut self.occupied[slot / SLOTS];
            *occupied &= !(1 << (slot % SLOTS));
            if *occupied == 0 {
                self.levels &= !(1 << (slot / SLOTS));
            }
        }
    }

    fn slot_of(&self, tick: u64) -> usize {
        if tick < self.now {
            return LATE;
        }
        let level = match tick ^ self.now {
            0 => 0,
            differs => (63 - differs.leading_zeros()) / BITS,
        };
        level as usize * SLOTS + (tick >> (BITS * level)) as usize % SLOTS
    }
}

/// No key: the end of a list.
const NONE: u32 = u32::MAX;
/// The slot of a key without a deadline.
const NOWHERE: u16 = u16::MAX;
const VACANT: Entry = Entry { tick: 0, previous: NONE, next: NONE, slot: NOWHERE };
/// Eleven digits are all of a u64, so nothing is ever beyond the horizon; levels that nobody uses cost nothing.
const LEVELS: usize = 11;
const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
/// The slot of what was late when it came.
const LATE: usize = LEVELS * SLOTS;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn drain(wheel: &mut Wheel, to: u64) -> Vec<u32> {
        let mut fired = Vec::new();
        assert!(wheel.advance(to, usize::MAX, &mut fired));
        fired
    }

    #[test]
    fn deadline_fires_at_its_tick_and_not_before() {
        for tick in [101, 163, 164, 5000, 300_000, 1 << 30, (1 << 36) + 7, 1 << 40] {
            let mut wheel = Wheel::new(100);
            wheel.insert(7, tick);

            assert_eq!(drain(&mut wheel, tick - 1), Vec::<u32>::new());
            assert_eq!(drain(&mut wheel, tick), [7]);
            assert!(wheel.is_empty());
        }
    }

    #[test]
    fn late_deadlines_fire_at_the_next_advance_first_of_all() {
        let mut wheel = Wheel::new(100);
        wheel.insert(1, 100);
        wheel.insert(2, 3);

        assert_eq!(wheel.next_tick(), Some(100));
        assert_eq!(drain(&mut wheel, 100), [2, 1]);
    }

    #[test]
    fn budget_bounds_cascades_and_firing_and_loses_nothing() {
        let mut wheel = Wheel::new(0);
        (0..1000).for_each(|key| wheel.insert(key, 100_000 + u64::from(key % 3)));
        let mut fired = Vec::new();

        let mut calls = 1;
        while !wheel.advance(200_000, 10, &mut fired) {
            calls += 1;
            assert!(fired.len() <= 10 * calls);
        }

        assert!(calls >= 200, "{calls} calls: moving down was free");
        assert_eq!(fired.len(), 1000);
        assert!(fired.is_sorted_by_key(|key| key % 3));
    }

    #[test]
    fn entry_takes_24_octets() {
        assert_eq!(size_of::<Entry>(), 24);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u32, u64),
        Cancel(u32),
        Advance(u64, usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let distance = prop_oneof![0u64..70, 0u64..5000, 0u64..1 << 20, 0u64..1 << 38];
        let far = distance.clone();
        let step = prop_oneof![
            4 => (0u32..40, distance).prop_map(|(key, tick)| Step::Insert(key, tick)),
            1 => (0u32..40).prop_map(Step::Cancel),
            3 => (far, 0usize..20).prop_map(|(by, budget)| Step::Advance(by, budget)),
        ];
        prop::collection::vec(step, 1..200)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn wheel_agrees_with_a_sorted_set(start in 0u64..1 << 40, steps in steps()) {
            let mut wheel = Wheel::new(start);
            let mut model: BTreeMap<u32, u64> = BTreeMap::new();
            let mut target = start;
            for step in steps {
                match step {
                    Step::Insert(key, ahead) => {
                        // Now and then in the past.
                        let tick = (target + ahead).saturating_sub(30);
                        wheel.insert(key, tick);
                        model.insert(key, tick);
                    }
                    Step::Cancel(key) => prop_assert_eq!(wheel.cancel(key), model.remove(&key).is_some()),
                    Step::Advance(by, budget) => {
                        target += by;
                        let mut fired = Vec::new();
                        let done = wheel.advance(target, budget, &mut fired);
                        prop_assert!(fired.len() <= budget);
                        for key in fired {
                            let tick = model.remove(&key);
                            prop_assert!(tick.is_some_and(|tick| tick <= target));
                        }
                        prop_assert!(wheel.now() <= target);
                        if done {
                            prop_assert_eq!(wheel.now(), target);
                            prop_assert!(model.values().all(|tick| *tick > target));
                        } else {
                            target = wheel.now();
                        }
                    }
                }
                prop_assert_eq!(wheel.len(), model.len());
                let first = model.values().copied().collect::<BTreeSet<_>>().first().copied();
                prop_assert_eq!(wheel.next_tick().is_some(), first.is_some());
                if let (Some(next), Some(first)) = (wheel.next_tick(), first) {
                    prop_assert!(next <= first.max(wheel.now()));
                    prop_assert!(next >= wheel.now());
                }
                for (key, tick) in &model {
                    prop_assert_eq!(wheel.deadline(*key), Some(*tick));
                }
            }
        }
    }
}
