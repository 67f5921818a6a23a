//! The requests that we sent and that the peer still owes an answer for.
//!
//! Requests are numbered here: +1 each, from 1 to 0x7FFF_FFFF and around again, skipping numbers that
//! are still outstanding (SMPP 3.4 §3.2). A number's low bits are its place in the table, so an
//! answer finds its request without a search, and a chain through the table in order of sending
//! makes the oldest one known at any time.
//!
//! A request that timed out frees its credit but stays known until its place is needed, so that a
//! late answer can still be told apart from one to nothing.

use crate::codec::Command;
use std::time::{Duration, Instant};

/// Outstanding requests of one session, at most `limit` of them.
#[derive(Debug)]
pub struct Window {
    slots: Vec<Slot>,
    /// Times are counted from here: when the first request left.
    start: Option<Instant>,
    limit: usize,
    open: usize,
    next: u32,
    oldest: u32,
    newest: u32,
}

/// One request as it was when it left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// What the sender knows it by.
    pub token: u64,
    /// Which request it was.
    pub command: Command,
    /// Whether its time was up before the answer came.
    pub late: bool,
    /// When it left.
    pub at: Instant,
}

/// Two of them in a cache line: hundreds of sessions have thousands of them, which are in none when their answers come.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
struct Slot {
    /// 0: free; with [`LATE`] if its time was up before the answer came.
    sequence: u32,
    command: Command,
    token: u64,
    /// When it left, in nanoseconds since [`Window::start`].
    sent: u64,
    older: u32,
    newer: u32,
}

const _: () = assert!(size_of::<Slot>() == 32);

impl Slot {
    const FREE: Self = Self { sequence: 0, command: Command(0), token: 0, sent: 0, older: NONE, newer: NONE };

    const fn is_late(&self) -> bool {
        self.sequence & LATE != 0
    }
}

impl Window {
    /// A window of `limit` requests, 1 at least.
    pub fn new(limit: usize) -> Self {
        Self {
            slots: Vec::new(),
            start: None,
            limit: limit.max(1),
            open: 0,
            next: 1,
            oldest: NONE,
            newest: NONE,
        }
    }

    /// How many more requests may be sent now.
    pub fn room(&self) -> usize {
        self.limit - self.open
    }

    /// How many requests wait for their answer.
    pub fn open(&self) -> usize {
        self.open
    }

    /// Enters a request and gives its number, or `None` if the window is full.
    pub fn push(&mut self, command: Command, token: u64, now: Instant) -> Option<u32> {
        if self.room() == 0 {
            return None;
        }
        if self.slots.len() < 2 * (self.open + 1) {
            self.grow();
        }
        let start = *self.start.get_or_insert(now);
        let sent = now.saturating_duration_since(start).as_nanos() as u64; // centuries fit
        let sequence = self.take_number();
        let place = self.place(sequence);
        self.slots[place as usize] = Slot { sequence, command, token, sent, older: self.newest, newer: NONE };
        match self.newest {
            NONE => self.oldest = place,
            newest => self.slots[newest as usize].newer = place,
        }
        self.newest = place;
        self.open += 1;
        Some(sequence)
    }

    /// Removes the request that `sequence` answers; `None` if nothing is known under that number.
    pub fn take(&mut self, sequence: u32) -> Option<Sent> {
        let sent = self.peek(sequence)?;
        let place = self.place(sequence);
        if !sent.late {
            self.unlink(place);
        }
        self.slots[place as usize].sequence = 0;
        Some(sent)
    }

    /// The request under `sequence`, left where it is.
    pub fn peek(&self, sequence: u32) -> Option<Sent> {
        if self.slots.is_empty() || sequence == 0 {
            return None;
        }
        let slot = &self.slots[self.place(sequence) as usize];
        if slot.sequence & !LATE == sequence { self.sent(slot) } else { None }
    }

    /// The request in a slot that is taken.
    fn sent(&self, slot: &Slot) -> Option<Sent> {
        let at = self.start? + Duration::from_nanos(slot.sent);
        Some(Sent { token: slot.token, command: slot.command, late: slot.is_late(), at })
    }

    /// When the oldest request was sent.
    pub fn oldest(&self) -> Option<Instant> {
        if self.oldest == NONE {
            None
        } else {
            self.sent(&self.slots[self.oldest as usize]).map(|sent| sent.at)
        }
    }

    /// The oldest request if it has waited for `timeout` or longer; it frees its credit and turns late.
    pub fn expire(&mut self, timeout: Duration, now: Instant) -> Option<Sent> {
        if now.saturating_duration_since(self.oldest()?) < timeout {
            return None;
        }
        let place = self.oldest;
        self.unlink(place);
        self.slots[place as usize].sequence |= LATE;
        self.sent(&self.slots[place as usize])
    }

    /// Empties the window, oldest first: what is left unanswered when a session ends.
    pub fn drain(&mut self) -> impl Iterator<Item = Sent> + '_ {
        std::iter::from_fn(move || {
            let place = (self.oldest != NONE).then_some(self.oldest)?;
            self.unlink(place);
            let sent = self.sent(&self.slots[place as usize]);
            self.slots[place as usize].sequence = 0;
            sent
        })
    }

    /// A number of our own for a request that is not counted (bind, enquire_link, unbind).
    pub fn take_number(&mut self) -> u32 {
        loop {
            let sequence = self.next;
            self.next = if sequence >= MAX_SEQUENCE { 1 } else { sequence + 1 };
            if self.slots.is_empty() {
                return sequence;
            }
            let slot = &self.slots[self.place(sequence) as usize];
            if slot.sequence == 0 || slot.is_late() {
                return sequence;
            }
        }
    }

    /// Lets the numbering go on from `sequence`.
    pub fn start_at(&mut self, sequence: u32) {
        self.next = sequence.clamp(1, MAX_SEQUENCE);
    }

    fn place(&self, sequence: u32) -> u32 {
        sequence & (self.slots.len() as u32 - 1)
    }

    /// Doubles the table. Numbers that differ in their low bits differ in one bit more as well, so nothing collides.
    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(MIN_SLOTS);
        let old = std::mem::replace(&mut self.slots, vec![Slot::FREE; size]);
        let mut place = std::mem::replace(&mut self.oldest, NONE);
        self.newest = NONE;
        while place != NONE {
            let slot = old[place as usize];
            let to = self.place(slot.sequence);
            self.slots[to as usize] = Slot { older: self.newest, newer: NONE, ..slot };
            match self.newest {
                NONE => self.oldest = to,
                newest => self.slots[newest as usize].newer = to,
            }
            self.newest = to;
            place = slot.newer;
        }
    }

    fn unlink(&mut self, place: u32) {
        let Slot { older, newer, .. } = self.slots[place as usize];
        match older {
            NONE => self.oldest = newer,
            older => self.slots[older as usize].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            newer => self.slots[newer as usize].older = older,
        }
        self.open -= 1;
    }
}

/// The largest sequence number that we issue (SMPP 3.4 §5.1.4).
pub const MAX_SEQUENCE: u32 = 0x7FFF_FFFF;

const MIN_SLOTS: usize = 8;
/// The bit that no number of ours has.
const LATE: u32 = MAX_SEQUENCE + 1;
const NONE: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    fn window(limit: usize) -> (Window, Instant) {
        #[allow(clippy::disallowed_methods)] // a test needs some instant to start from
        (Window::new(limit), Instant::now())
    }

    #[test]
    fn answers_may_come_in_any_order() {
        let (mut window, now) = window(100);
        let numbers: Vec<u32> =
            (0..100).map(|token| window.push(Command::SUBMIT_SM, token, now).expect("room")).collect();
        assert_eq!(window.push(Command::SUBMIT_SM, 100, now), None);

        for (token, number) in numbers.iter().enumerate().rev() {
            assert_eq!(window.take(*number).map(|sent| sent.token), Some(token as u64));
            assert_eq!(window.take(*number), None);
        }

        assert_eq!((window.open(), window.oldest()), (0, None));
    }

    /// Field bug S4: wrap to 1, never onto a number that is still outstanding.
    #[test]
    fn numbering_wraps_to_one_and_skips_outstanding_numbers() {
        let (mut window, now) = window(4);
        let first = window.push(Command::SUBMIT_SM, 0, now).expect("room");
        window.start_at(MAX_SEQUENCE);

        let last = window.push(Command::SUBMIT_SM, 1, now).expect("room");
        let next = window.push(Command::SUBMIT_SM, 2, now).expect("room");

        assert_eq!((first, last, next), (1, MAX_SEQUENCE, 2));
    }

    #[test]
    fn hanging_request_does_not_hold_up_or_grow_the_table() {
        let (mut window, now) = window(10);
        let hanging = window.push(Command::SUBMIT_SM, 7, now).expect("room");

        for token in 0..100_000 {
            let number = window.push(Command::SUBMIT_SM, token, now).expect("room");
            window.take(number);
        }

        assert!(window.slots.len() <= 32);
        assert_eq!(window.take(hanging).map(|sent| sent.token), Some(7));
    }

    /// Field bug S6: the slot is freed once, and the late answer still finds its request.
    #[test]
    fn expired_request_frees_credit_and_knows_its_late_answer() {
        let (mut window, now) = window(1);
        let number = window.push(Command::SUBMIT_SM, 7, now).expect("room");
        let timeout = Duration::from_secs(30);

        assert_eq!(window.expire(timeout, now + timeout / 2), None);
        assert_eq!(window.expire(timeout, now + timeout).map(|sent| sent.token), Some(7));
        assert_eq!(window.room(), 1);

        assert_eq!(window.take(number).map(|sent| (sent.token, sent.late)), Some((7, true)));
        assert_eq!(window.take(number), None);
        assert_eq!(window.room(), 1);
    }

    #[test]
    fn drain_gives_what_is_left_in_order_of_sending() {
        let (mut window, now) = window(10);
        let numbers: Vec<u32> =
            (0..5).map(|token| window.push(Command::SUBMIT_SM, token, now).expect("room")).collect();
        window.take(numbers[2]);

        let left: Vec<u64> = window.drain().map(|sent| sent.token).collect();

        assert_eq!(left, [0, 1, 3, 4]);
        assert_eq!(window.room(), 10);
    }
}
