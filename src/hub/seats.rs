//! Sessions that the hub knows: by a dense index within a turn, by their id across turns.

use super::table::Token;
use crate::id::SessionId;
use foldhash::HashMap;
use std::collections::VecDeque;

/// Sessions of one side.
#[derive(Debug)]
pub(super) struct Seats<T> {
    seats: Vec<Option<Seat<T>>>,
    free: Vec<u32>,
    by_id: HashMap<SessionId, u32>,
    /// Seats of sessions that there is something for, who has waited longest first; among them some whose session is gone.
    marked: VecDeque<u32>,
}

#[derive(Debug)]
struct Seat<T> {
    id: SessionId,
    session: T,
    is_marked: bool,
}

impl<T> Default for Seats<T> {
    fn default() -> Self {
        Self { seats: Vec::new(), free: Vec::new(), by_id: HashMap::default(), marked: VecDeque::new() }
    }
}

impl<T> Seats<T> {
    pub fn insert(&mut self, id: SessionId, session: T) -> u32 {
        let seat = self.free.pop().unwrap_or_else(|| {
            self.seats.push(None);
            self.seats.len() as u32 - 1
        });
        self.seats[seat as usize] = Some(Seat { id, session, is_marked: false });
        self.by_id.insert(id, seat);
        seat
    }

    pub fn remove(&mut self, id: SessionId) -> Option<(u32, T)> {
        let seat = self.by_id.remove(&id)?;
        let gone = self.seats[seat as usize].take()?;
        self.free.push(seat);
        Some((seat, gone.session))
    }

    pub fn seat(&self, id: SessionId) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    /// The session in `seat`, if it is still the one called `id`.
    pub fn at(&mut self, seat: u32, id: SessionId) -> Option<&mut T> {
        self.here(seat).filter(|(known, _)| *known == id).map(|(_, session)| session)
    }

    /// The session in `seat`, whoever it is.
    pub fn here(&mut self, seat: u32) -> Option<(SessionId, &mut T)> {
        self.seats[seat as usize].as_mut().map(|seat| (seat.id, &mut seat.session))
    }

    /// The session in `seat`, whoever it is, to be looked at.
    pub fn peek(&self, seat: u32) -> Option<&T> {
        self.seats.get(seat as usize)?.as_ref().map(|seat| &seat.session)
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.seats.iter().flatten().map(|seat| &seat.session)
    }

    /// Those that are taken, in order: what is done to all sessions is done alike in every run.
    pub fn seats(&self) -> Vec<u32> {
        let places = (0..).zip(&self.seats);
        places.filter(|(_, seat)| seat.is_some()).map(|(place, _)| place).collect()
    }

    /// Notes that there is something for the session in `seat`.
    pub fn mark(&mut self, seat: u32) {
        if let Some(here) = &mut self.seats[seat as usize]
            && !std::mem::replace(&mut here.is_marked, true)
        {
            self.marked.push_back(seat);
        }
    }

    /// Takes `all` that there is something for, or else those who have waited longest: an eighth of them, a few at least. What hundreds are
    /// told at once is in nobody's cache any more when their answers come.
    pub fn take_round(&mut self, all: bool) -> Vec<u32> {
        let most = if all { usize::MAX } else { ROUND_MIN.max(self.marked.len().div_ceil(ROUNDS)) };
        let Self { seats, marked, .. } = self;
        let mut had_mark = |place: &u32| {
            seats[*place as usize].as_mut().is_some_and(|seat| std::mem::take(&mut seat.is_marked))
        };
        marked.drain(..most.min(marked.len())).filter(|place| had_mark(place)).collect()
    }

    pub fn has_marked(&self) -> bool {
        !self.marked.is_empty()
    }
}

/// Sessions that are told of in one round, if there are so many; and rounds in which all are told once there are more.
const ROUND_MIN: usize = 16;
const ROUNDS: usize = 8;

/// What one session has been handed, in that order: whatever it does not tell of before its end comes back.
///
/// What is done is looked for now and then, all at once: its rows are in nobody's cache any more. A place costs eight octets.
#[derive(Debug, Default)]
pub(super) struct Out {
    tokens: VecDeque<Token>,
    /// How many they may become before they are looked through.
    sweep_at: usize,
}

impl Out {
    /// Adds a message to those that the session has; `is_out` says which it still has.
    pub fn push(&mut self, token: Token, is_out: impl Fn(Token) -> bool) {
        if self.tokens.len() >= self.sweep_at {
            self.tokens.retain(|token| is_out(*token));
            self.sweep_at = 2 * self.tokens.len() + SWEEP_MIN;
        }
        self.tokens.push_back(token);
    }

    /// All that may still be with the session, the last one handed out first.
    pub fn newest_first(&self) -> impl Iterator<Item = Token> + '_ {
        self.tokens.iter().rev().copied()
    }
}

/// So few are not looked through.
const SWEEP_MIN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// However long the session stands, and whatever hangs in it.
    #[test]
    fn what_is_done_is_forgotten_and_what_is_not_comes_back_newest_first() {
        let mut out = Out::default();
        let token = |number| Token { slot: number, serial: number };
        let is_out = |now: u32| move |token: Token| token.slot == 0 || token.slot + 100 > now;
        for number in 0..10_000 {
            out.push(token(number), is_out(number));
            assert!(out.newest_first().count() <= 2 * 101 + SWEEP_MIN);
        }

        let left: Vec<u32> =
            out.newest_first().filter(|token| is_out(9_999)(*token)).map(|token| token.slot).collect();
        assert_eq!(left, (9_900..10_000).rev().chain([0]).collect::<Vec<_>>());
    }

    fn seated(sessions: u64) -> Seats<u64> {
        let mut seats = Seats::default();
        for id in 0..sessions {
            assert_eq!(seats.insert(SessionId(id), id), id as u32);
        }
        seats
    }

    #[test]
    fn those_who_have_waited_longest_are_told_first_and_each_once_a_round() {
        let mut seats = seated(400);
        (0..400).chain(0..400).for_each(|seat| seats.mark(seat));

        let first = seats.take_round(false);
        assert_eq!(first, (0..50).collect::<Vec<u32>>());
        seats.mark(7);
        let told: Vec<u32> =
            std::iter::from_fn(|| Some(seats.take_round(false)).filter(|round| !round.is_empty()))
                .inspect(|round| assert!(round.len() <= 44))
                .flatten()
                .collect();
        assert_eq!(told, (50..400).chain([7]).collect::<Vec<u32>>());
        assert!(!seats.has_marked());
    }

    #[test]
    fn few_are_told_together_and_so_are_all_at_the_end() {
        let mut seats = seated(100);
        (0..16).for_each(|seat| seats.mark(seat));
        assert_eq!(seats.take_round(false).len(), 16);
        (0..100).for_each(|seat| seats.mark(seat));
        assert_eq!(seats.take_round(true).len(), 100);
    }

    #[test]
    fn whoever_takes_the_seat_of_another_is_not_told_in_his_place() {
        let mut seats = seated(2);
        (0..2).for_each(|seat| seats.mark(seat));
        seats.remove(SessionId(0));
        assert_eq!(seats.insert(SessionId(9), 9), 0);

        assert_eq!(seats.take_round(false), [1]);
        seats.mark(0);
        assert_eq!(seats.take_round(false), [0]);
    }
}
