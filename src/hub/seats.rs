//! Sessions that the hub knows: by a dense index within a turn, by their id across turns.

use super::table::Token;
use crate::id::SessionId;
use foldhash::HashMap;
use std::collections::VecDeque;

/// Sessions of one side.
#[derive(Debug)]
pub(super) struct Seats<T> {
    seats: Vec<Option<(SessionId, T)>>,
    free: Vec<u32>,
    by_id: HashMap<SessionId, u32>,
    dirty: Vec<u32>,
}

impl<T> Default for Seats<T> {
    fn default() -> Self {
        Self { seats: Vec::new(), free: Vec::new(), by_id: HashMap::default(), dirty: Vec::new() }
    }
}

impl<T> Seats<T> {
    pub fn insert(&mut self, id: SessionId, session: T) -> u32 {
        let seat = self.free.pop().unwrap_or_else(|| {
            self.seats.push(None);
            self.seats.len() as u32 - 1
        });
        self.seats[seat as usize] = Some((id, session));
        self.by_id.insert(id, seat);
        seat
    }

    pub fn remove(&mut self, id: SessionId) -> Option<(u32, T)> {
        let seat = self.by_id.remove(&id)?;
        let (_, session) = self.seats[seat as usize].take()?;
        self.free.push(seat);
        Some((seat, session))
    }

    pub fn seat(&self, id: SessionId) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    /// The session in `seat`, if it is still the one called `id`.
    pub fn at(&mut self, seat: u32, id: SessionId) -> Option<&mut T> {
        self.seats[seat as usize].as_mut().filter(|(known, _)| *known == id).map(|(_, session)| session)
    }

    /// The session in `seat`, whoever it is.
    pub fn here(&mut self, seat: u32) -> Option<(SessionId, &mut T)> {
        self.seats[seat as usize].as_mut().map(|(id, session)| (*id, session))
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.seats.iter().flatten().map(|(_, session)| session)
    }

    /// Those that are taken, in order: what is done to all sessions is done alike in every run.
    pub fn seats(&self) -> Vec<u32> {
        let places = (0..).zip(&self.seats);
        places.filter(|(_, seat)| seat.is_some()).map(|(place, _)| place).collect()
    }

    /// Notes that there is something for the session in `seat`; at most one note a turn is the caller's care.
    pub fn mark(&mut self, seat: u32) {
        self.dirty.push(seat);
    }

    pub fn take_marked(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.dirty)
    }

    pub fn has_marked(&self) -> bool {
        !self.dirty.is_empty()
    }
}

/// What one session has been handed, in that order: whatever it does not tell of before its end comes back.
///
/// What is done is not looked for here, only dropped when it is in the way: a place costs eight octets.
#[derive(Debug, Default)]
pub(super) struct Out {
    tokens: VecDeque<Token>,
}

impl Out {
    /// Adds a message to those that the session has, `window` of them at most; `is_out` says which it still has.
    pub fn push(&mut self, token: Token, window: usize, is_out: impl Fn(Token) -> bool) {
        while self.tokens.front().is_some_and(|oldest| !is_out(*oldest)) {
            self.tokens.pop_front();
        }
        if self.tokens.len() >= 2 * window {
            self.tokens.retain(|token| is_out(*token)); // one that hangs holds the others up: halves the list at least
        }
        self.tokens.push_back(token);
    }

    /// All that may still be with the session, the last one handed out first.
    pub fn newest_first(&self) -> impl Iterator<Item = Token> + '_ {
        self.tokens.iter().rev().copied()
    }
}
