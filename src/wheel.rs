//! A hierarchical timing wheel: millions of deadlines, each set, moved and cancelled in a few nanoseconds.
//!
//! Keys are the caller's dense small numbers (message slots): a key's deadline lives at the key's place in one
//! slab, so there is no hash and no allocation per deadline. A slot's keys are a list through that slab, in order of their
//! coming. Which keys have a deadline is a bit each, apart from it: a new deadline writes its entry without reading it. Time
//! is the caller's too, in ticks (10 ms in the hub).
//!
//! ```text
//! level 0: 128 slots of 1 tick | level 1: 128 of 64 ticks | level 2: 128 of 64² ticks | ... | level 7: 128 of 64⁷ ticks
//! ```
//!
//! A deadline goes into the lowest level that reaches it. A slot holds 64 of the level below, yet that level has twice as many: so
//! the slot that comes next can be moved down at leisure all the while that the one before it runs, and is empty when its
//! time begins. [`Wheel::advance`] does so with what its turn leaves; if time jumps, it does it then. Both firing and moving
//! down count, so a slot with a million deadlines never stalls its caller. Each level has a map of its occupied slots, so
//! empty time costs nothing to cross. After Varghese and Lauck, "Hashed and Hierarchical Timing Wheels" (1987), scheme 7.

/// Deadlines of dense keys. A key has at most one.
pub struct Wheel {
    now: u64,
    /// Of each level, the first tick that its slots don't reach from now.
    reach: [u64; LEVELS],
    /// Which keys have a deadline, a bit each: to set one nobody waits until the key's entry has come out of memory.
    held: Vec<u64>,
    entries: Slab,
    /// First and last key of each slot's list.
    slots: Box<[Slot; LEVELS * SLOTS + 1]>,
    /// The occupied slots of each level, and the levels that have any.
    occupied: [u128; LEVELS],
    levels: u8,
    len: usize,
    /// When slots are moved down ahead of their time again.
    ahead_at: u64,
}

/// By key, in chunks: growing copies nothing and never holds the whole twice.
struct Slab(Vec<Box<[Entry; CHUNK]>>);

/// 16 octets a key. Means something while the key is held.
#[derive(Clone, Copy)]
struct Entry {
    previous: u32,
    next: u32,
    /// The tick times 2¹⁶, plus the slot that it is in.
    due: u64,
}

#[derive(Clone, Copy)]
struct Slot {
    first: u32,
    last: u32,
}

impl Wheel {
    /// An empty wheel whose time is `start_tick`.
    pub fn new(start_tick: u64) -> Self {
        assert!(start_tick <= FAR, "time begins before the horizon");
        Self {
            now: start_tick,
            reach: reach(start_tick),
            held: Vec::new(),
            entries: Slab(Vec::new()),
            slots: Box::new([Slot { first: NONE, last: NONE }; LEVELS * SLOTS + 1]),
            occupied: [0; LEVELS],
            levels: 0,
            len: 0,
            ahead_at: 0,
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
        let is_held = self.held.get(key as usize / 64)? >> (key % 64) & 1 > 0;
        is_held.then(|| self.entries.at(key).tick())
    }

    /// Sets the key's deadline, in place of any that it had. A tick in the past fires at the next advance; one beyond the
    /// horizon of 2⁴⁸ - 1 ticks since 0 (89,000 years of 10 ms) counts as the horizon.
    pub fn insert(&mut self, key: u32, tick: u64) {
        self.reschedule(key, tick);
    }

    /// The same as [`Wheel::insert`]; says whether there was a deadline to move.
    pub fn reschedule(&mut self, key: u32, tick: u64) -> bool {
        let Some(word) = self.held.get_mut(key as usize / 64) else {
            self.grow(key);
            return self.reschedule(key, tick);
        };
        let moved = *word >> (key % 64) & 1 > 0;
        *word |= 1 << (key % 64);
        if moved {
            self.unlink(key);
        } else {
            self.len += 1;
        }
        self.link(key, tick.min(FAR));
        moved
    }

    /// Takes the key's deadline away; false if it had none.
    pub fn cancel(&mut self, key: u32) -> bool {
        let Some(word) = self.held.get_mut(key as usize / 64) else { return false };
        let found = *word >> (key % 64) & 1 > 0;
        *word &= !(1 << (key % 64));
        if found {
            self.unlink(key);
            self.len -= 1;
        }
        found
    }

    /// Moves time on to `to_tick` and appends the keys whose deadlines it passes (at or before it) to `fired`, by
    /// deadline; a key that was late when it was inserted comes first.
    ///
    /// At most `budget` keys are fired or moved down a level. False: the budget is used up and time stands somewhere before
    /// `to_tick`; call again. Time never goes back.
    pub fn advance(&mut self, to_tick: u64, budget: usize, fired: &mut Vec<u32>) -> bool {
        let to_tick = to_tick.min(FAR);
        let mut left = budget;
        loop {
            if !self.fire(LATE, &mut left, fired) {
                return false;
            }
            let Some((level, slot, begin)) = self.next_slot().filter(|(.., begin)| *begin <= to_tick) else {
                break;
            };
            self.move_on(begin);
            let done = match level {
                0 => self.fire(slot, &mut left, fired),
                _ => self.move_down(slot, &mut left),
            };
            if !done {
                return false;
            }
        }
        self.move_on(to_tick);
        if self.now >= self.ahead_at {
            self.move_ahead(left.min(budget.div_ceil(AHEAD_SHARE)));
        }
        true
    }

    /// When [`Wheel::advance`] has something to do next: never after the first deadline, at times before it: when a slot can be
    /// moved down. `None` if there are no deadlines.
    pub fn next_tick(&self) -> Option<u64> {
        if self.slots[LATE].first != NONE {
            return Some(self.now);
        }
        let of_level = |level: usize| {
            let (number, begin) = self.first_of(level);
            match level {
                0 => begin,
                // Its time has begun and the budget ended, or it will be moved down from one slot before it on.
                _ if begin <= self.now => self.now,
                _ => ((number - 1) << (BITS * level as u32)).max(self.ahead_at).clamp(self.now, begin),
            }
        };
        bits(self.levels).map(of_level).min()
    }

    /// Makes place for a key, and as much as one chunk has.
    #[cold]
    fn grow(&mut self, key: u32) {
        assert!(key < NONE, "the last key is taken");
        self.entries.grow(key);
        self.held.resize(self.entries.0.len() * CHUNK / 64, 0);
    }

    /// Time never goes back.
    fn move_on(&mut self, to_tick: u64) {
        if self.now < to_tick {
            self.now = to_tick;
            self.reach = reach(to_tick);
        }
    }

    /// The slot of the lowest level that reaches `tick`. Above level 0 that is never one that has begun, nor the next one.
    fn slot_of(&self, tick: u64) -> usize {
        let Some(distance) = tick.checked_sub(self.now) else { return LATE };
        let lower = LOWER[(distance | 1).ilog2() as usize] as usize % LEVELS;
        // Without a branch: whether the level above is needed nobody can foresee.
        let level = lower + usize::from(tick >= self.reach[lower]);
        place(level, tick >> (BITS * level as u32))
    }

    /// The earliest occupied slot and the tick at which it begins, now if it has begun. Of two that begin together the
    /// higher level comes first: what is in it may belong before what is in the lower one.
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        let mut next: Option<(usize, usize, u64)> = None;
        for level in bits(self.levels) {
            let (number, begin) = self.first_of(level);
            let begin = begin.max(self.now);
            if next.is_none_or(|(.., earliest)| begin <= earliest) {
                next = Some((level, place(level, number), begin));
            }
        }
        next
    }

    /// The number of the first occupied slot of a level that has any, and the tick at which it begins.
    fn first_of(&self, level: usize) -> (u64, u64) {
        let shift = BITS * level as u32;
        // None is behind now, and none SLOTS or more ahead.
        let current = self.now >> shift;
        let distance = self.occupied[level].rotate_right(current as u32 % SLOTS as u32).trailing_zeros();
        let number = current + u64::from(distance);
        (number, number << shift)
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
            self.held[key as usize / 64] &= !(1 << (key % 64));
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
            let tick = self.entries.at(key).tick();
            self.unlink(key);
            self.link(key, tick);
        }
        true
    }

    /// Moves slots down that come next, the nearest first: at most `left` keys in one tick.
    fn move_ahead(&mut self, mut left: usize) {
        for level in bits(self.levels & !1) {
            let next = (self.now >> (BITS * level as u32)) + 1;
            if !self.move_down(place(level, next), &mut left) {
                self.ahead_at = self.now + 1;
                return;
            }
        }
    }

    /// Puts a key at the end of the list of the slot that its tick belongs to.
    fn link(&mut self, key: u32, tick: u64) {
        let slot = self.slot_of(tick);
        let last = std::mem::replace(&mut self.slots[slot].last, key);
        *self.entries.at_mut(key) = Entry { previous: last, next: NONE, due: tick << 16 | slot as u64 };
        if last != NONE {
            self.entries.at_mut(last).next = key;
            return;
        }
        self.occupy(slot, key);
    }

    #[cold]
    fn occupy(&mut self, slot: usize, key: u32) {
        self.slots[slot].first = key;
        if slot != LATE {
            self.occupied[slot / SLOTS] |= 1 << (slot % SLOTS);
            self.levels |= 1 << (slot / SLOTS);
        }
    }

    fn unlink(&mut self, key: u32) {
        let entry = self.entries.at(key);
        let (Entry { previous, next, .. }, slot) = (*entry, entry.slot());
        match previous {
            NONE => self.slots[slot].first = next,
            previous => self.entries.at_mut(previous).next = next,
        }
        match next {
            NONE => self.slots[slot].last = previous,
            next => self.entries.at_mut(next).previous = previous,
        }
        if previous == NONE && next == NONE && slot != LATE {
            let occupied = &mut self.occupied[slot / SLOTS];
            *occupied &= !(1 << (slot % SLOTS));
            if *occupied == 0 {
                self.levels &= !(1 << (slot / SLOTS));
            }
        }
    }
}

/// Of each level, the tick at which the slot begins that is [`SLOTS`] after the one that runs at `now`.
fn reach(now: u64) -> [u64; LEVELS] {
    std::array::from_fn(|level| {
        let shift = BITS * level as u32;
        ((now >> shift) + SLOTS as u64) << shift
    })
}

/// By the binary logarithm of a distance: the level below the one whose slots it spans.
const LOWER: [u8; 64] = {
    let (mut levels, mut log) = ([0; 64], 0);
    while log < 64 {
        levels[log] = (log as u32 / BITS).saturating_sub(1) as u8;
        log += 1;
    }
    levels
};

impl Slab {
    /// The place of a key that it has grown to.
    fn at(&self, key: u32) -> &Entry {
        &self.0[key as usize / CHUNK][key as usize % CHUNK]
    }

    fn at_mut(&mut self, key: u32) -> &mut Entry {
        &mut self.0[key as usize / CHUNK][key as usize % CHUNK]
    }

    /// Made on the heap: a chunk is too big to pass over the stack.
    #[cold]
    fn grow(&mut self, key: u32) {
        while self.0.len() <= key as usize / CHUNK {
            let chunk = vec![VACANT; CHUNK].into_boxed_slice();
            self.0.push(chunk.try_into().unwrap_or_else(|_| unreachable!("it has CHUNK entries")));
        }
    }
}

impl Entry {
    const fn tick(&self) -> u64 {
        self.due >> 16
    }

    const fn slot(&self) -> usize {
        self.due as u16 as usize
    }
}

/// Where the slot of that number stands in the array of all slots.
const fn place(level: usize, number: u64) -> usize {
    level * SLOTS + number as usize % SLOTS
}

/// The places of the bits that are set, lowest first.
fn bits(mut set: u8) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (set != 0).then(|| set.trailing_zeros() as usize);
        set &= set.wrapping_sub(1);
        bit
    })
}

/// No key: the end of a list.
const NONE: u32 = u32::MAX;
const VACANT: Entry = Entry { previous: NONE, next: NONE, due: 0 };
/// Entries of a chunk: 1 MiB.
const CHUNK: usize = 1 << 16;
/// Each level's slots hold 64 of the level below.
const BITS: u32 = 6;
/// Twice 64, see above.
const SLOTS: usize = 2 << BITS;
/// Eight digits to the base of 64 are all of a tick; levels that nobody uses cost nothing.
const LEVELS: usize = 8;
/// The last tick.
const FAR: u64 = (1 << (BITS * LEVELS as u32)) - 1;
/// The slot of what was late when it came.
const LATE: usize = LEVELS * SLOTS;
/// This part of a turn's budget at most is spent on what is not due yet.
const AHEAD_SHARE: usize = 2;

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
    fn entry_takes_16_octets_and_growing_moves_none() {
        let mut wheel = Wheel::new(0);
        wheel.insert(0, 1);
        let before = wheel.entries.at(0) as *const Entry;

        wheel.insert(5 * CHUNK as u32, 2);

        assert_eq!(size_of::<Entry>(), 16);
        assert_eq!(wheel.entries.at(0) as *const Entry, before);
        assert_eq!(drain(&mut wheel, 2), [0, 5 * CHUNK as u32]);
    }

    #[test]
    fn what_lies_beyond_the_horizon_waits_at_the_horizon() {
        let mut wheel = Wheel::new(1 << 37);
        wheel.insert(1, u64::MAX);
        wheel.insert(2, FAR - 1);

        assert_eq!(wheel.deadline(1), Some(FAR));
        assert_eq!(drain(&mut wheel, FAR - 2), Vec::<u32>::new());
        assert_eq!(drain(&mut wheel, u64::MAX), [2, 1]);
    }

    #[test]
    fn slot_has_been_moved_down_when_its_time_begins() {
        const KEYS: u32 = 5000;
        // All in one slot of level 2, which time reaches tick by tick.
        let mut wheel = Wheel::new(1);
        (0..KEYS).for_each(|key| wheel.insert(key, 64 * 64 * 200 + u64::from(key) / 2));
        let mut fired = Vec::new();

        for tick in 2..64 * 64 * 200 + u64::from(KEYS) {
            let before = fired.len();
            // Half of it is for what is not due; that much and more is left for what is.
            assert!(wheel.advance(tick, 40, &mut fired), "time stands still at {tick}");
            assert!(fired[before..].iter().all(|key| 64 * 64 * 200 + u64::from(*key) / 2 == tick));
        }

        assert_eq!(fired.len(), KEYS as usize);
    }

    #[test]
    fn sleeping_until_the_next_tick_takes_few_turns_and_misses_nothing() {
        for tick in [3, 127, 128, 129, 8191, 8192, 1 << 20, (1 << 32) + 5, 1 << 40] {
            let mut wheel = Wheel::new(1);
            wheel.insert(0, tick);
            let (mut turns, mut fired) = (0, Vec::new());
            while let Some(next) = wheel.next_tick() {
                assert!(next <= tick);
                wheel.advance(next, 10_000, &mut fired);
                turns += 1;
            }

            assert_eq!((wheel.now(), fired.len()), (tick, 1));
            assert!(turns <= 2 * LEVELS, "{turns} turns for {tick}");
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(Keys, u64),
        Cancel(Keys),
        Advance(u64, usize),
    }

    /// So many keys, so far apart.
    #[derive(Clone, Debug)]
    struct Keys {
        first: u32,
        apart: u32,
        count: u32,
    }

    impl Keys {
        fn of(self, keys: u32) -> impl Iterator<Item = u32> {
            (0..self.count).map(move |n| (self.first + n * self.apart) % keys)
        }
    }

    fn one_of(keys: u32) -> impl Strategy<Value = Keys> + Clone {
        (0..keys).prop_map(|first| Keys { first, apart: 1, count: 1 })
    }

    fn many_of(keys: u32) -> impl Strategy<Value = Keys> + Clone {
        (0..keys, 1..keys / 10, 0..keys / 3).prop_map(|(first, apart, count)| Keys { first, apart, count })
    }

    fn steps(
        keys: impl Strategy<Value = Keys> + Clone,
        distance: impl Strategy<Value = u64> + Clone,
        budget_max: usize,
    ) -> impl Strategy<Value = Step> {
        prop_oneof![
            5 => (keys.clone(), distance.clone()).prop_map(|(keys, tick)| Step::Insert(keys, tick)),
            1 => keys.prop_map(Step::Cancel),
            3 => (distance, 0..budget_max).prop_map(|(by, budget)| Step::Advance(by, budget)),
        ]
    }

    fn few_keys() -> impl Strategy<Value = Vec<Step>> {
        // The last two are beyond a year of 10 ms, and beyond all years.
        let distance = prop_oneof![
            4 => 0u64..70,
            4 => 60u64..200,
            4 => 0u64..10_000,
            4 => 0u64..1 << 20,
            2 => 0u64..1 << 33,
            2 => 0u64..1 << 41,
            1 => FAR - 10..=FAR,
        ];
        prop::collection::vec(steps(one_of(60), distance.boxed(), 20), 1..400)
    }

    /// In few slots, of which many keys are taken away again.
    fn many_keys() -> impl Strategy<Value = Vec<Step>> {
        let distance = prop_oneof![0u64..4, 5_000u64..5_003, (1u64 << 20)..(1 << 20) + 3];
        prop::collection::vec(steps(many_of(2_000), distance.boxed(), 500), 1..30)
    }

    /// Every key that is held is in one list, that of the slot which its entry names; no slot but those is occupied.
    fn assert_whole(wheel: &Wheel) {
        let mut seen = BTreeSet::new();
        for (slot, list) in wheel.slots.iter().enumerate() {
            let (mut previous, mut key) = (NONE, list.first);
            while key != NONE {
                let entry = wheel.entries.at(key);
                assert!(wheel.deadline(key).is_some() && seen.insert(key), "{key} in {slot}");
                assert_eq!((entry.slot(), entry.previous), (slot, previous));
                (previous, key) = (key, entry.next);
            }
            assert_eq!(list.last, previous);
            if slot != LATE {
                assert_eq!(wheel.occupied[slot / SLOTS] >> (slot % SLOTS) & 1 > 0, list.first != NONE);
            }
        }
        let held: u32 = wheel.held.iter().map(|word| word.count_ones()).sum();
        assert_eq!((seen.len(), held as usize), (wheel.len(), wheel.len()));
        for (level, slots) in wheel.occupied.iter().enumerate() {
            assert_eq!(wheel.levels >> level & 1 > 0, *slots != 0);
        }
    }

    fn assert_agrees_with_a_sorted_set(keys: u32, start: u64, steps: Vec<Step>) {
        let mut wheel = Wheel::new(start);
        let mut model: BTreeMap<u32, u64> = BTreeMap::new();
        let mut target = start;
        let mut late: BTreeSet<u32> = BTreeSet::new();
        for step in steps {
            match step {
                Step::Insert(some, ahead) => {
                    for key in some.of(keys) {
                        // Now and then in the past.
                        let tick = (target + ahead).saturating_sub(30) + u64::from(key % 3);
                        assert_eq!(wheel.reschedule(key, tick), model.contains_key(&key));
                        model.insert(key, tick.min(FAR));
                        if tick < wheel.now() {
                            late.insert(key);
                        } else {
                            late.remove(&key);
                        }
                    }
                }
                Step::Cancel(some) => {
                    some.of(keys).for_each(|key| assert_eq!(wheel.cancel(key), model.remove(&key).is_some()));
                }
                Step::Advance(by, budget) => {
                    target = (target + by).min(FAR);
                    let mut fired = Vec::new();
                    let done = wheel.advance(target, budget, &mut fired);
                    assert!(fired.len() <= budget);
                    let mut last = 0;
                    for key in fired {
                        let tick = model.remove(&key);
                        assert!(tick.is_some_and(|tick| tick <= wheel.now()));
                        // Those that came too late come first, the others by deadline.
                        let tick = if late.remove(&key) { 0 } else { tick.unwrap_or(0) };
                        assert!(tick >= last);
                        last = tick;
                    }
                    assert!(wheel.now() <= target);
                    if done {
                        assert_eq!(wheel.now(), target);
                        assert!(model.values().all(|tick| *tick > target));
                    } else {
                        target = wheel.now();
                    }
                }
            }
            assert_eq!(wheel.len(), model.len());
            let first = model.values().copied().min();
            assert_eq!(wheel.next_tick().is_some(), first.is_some());
            if let (Some(next), Some(first)) = (wheel.next_tick(), first) {
                assert!(next <= first.max(wheel.now()));
                assert!(next >= wheel.now());
            }
            for key in 0..keys {
                assert_eq!(wheel.deadline(key), model.get(&key).copied());
            }
            assert_whole(&wheel);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn wheel_agrees_with_a_sorted_set(start in 0u64..1 << 40, steps in few_keys()) {
            assert_agrees_with_a_sorted_set(60, start, steps);
        }

        #[test]
        fn wheel_agrees_with_a_sorted_set_where_many_keys_share_a_slot(start in 0u64..1 << 40, steps in many_keys()) {
            assert_agrees_with_a_sorted_set(2_000, start, steps);
        }
    }
}
