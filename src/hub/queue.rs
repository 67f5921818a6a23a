//! Messages that wait in order, the first of them with their bodies at hand.
//!
//! A queue of any length costs eight octets a message: only the first [`AHEAD`] are read back from the spool.

use super::table::Token;
use std::collections::VecDeque;

/// One queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    tokens: VecDeque<Token>,
    /// How many at the front have been asked to have their bodies at hand.
    ready: usize,
    /// How long it may become before the places of those that are gone are looked for.
    sweep_at: usize,
}

impl Queue {
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Puts a message at the end; `is_there` says which messages are not gone.
    ///
    /// Messages end where they stand and leave their places behind: while nobody takes from the front, these are at most as
    /// many as the messages, and [`SWEEP_MIN`].
    pub fn push_back(&mut self, token: Token, is_there: impl Fn(Token) -> bool) {
        if self.tokens.len() > self.sweep_at {
            self.tokens.retain(|token| is_there(*token));
            self.ready = 0;
            self.sweep_at = 2 * self.tokens.len() + SWEEP_MIN;
        }
        self.tokens.push_back(token);
    }

    /// Puts a message back where it came from: to the front, behind those that came before it and are back already.
    ///
    /// What went out together comes back in any order, over many turns.
    pub fn put_back(&mut self, token: Token) {
        let before = |known: &&Token| (known.serial.wrapping_sub(token.serial) as i32) < 0;
        let place = self.tokens.iter().take(AHEAD).take_while(before).count();
        self.tokens.insert(place, token);
        self.ready = 0; // whoever is first now may have been parked meanwhile: look at all of them again
    }

    /// Puts a message before all others.
    pub fn push_front(&mut self, token: Token) {
        self.tokens.push_front(token);
        self.ready = 0;
    }

    pub fn front(&self) -> Option<Token> {
        self.tokens.front().copied()
    }

    pub fn pop_front(&mut self) -> Option<Token> {
        self.ready = self.ready.saturating_sub(1);
        self.tokens.pop_front()
    }

    /// The next message near the front that nobody has looked at yet.
    pub fn next_ahead(&mut self) -> Option<Token> {
        if self.ready >= AHEAD {
            return None;
        }
        let token = *self.tokens.get(self.ready)?;
        self.ready += 1;
        Some(token)
    }

    /// Bodies at the front may have been parked: look again.
    pub fn look_again(&mut self) {
        self.ready = 0;
    }
}

/// A queue as short as this is not looked through for those that are gone.
const SWEEP_MIN: usize = 1024;
/// How many messages at the front of a queue have their bodies at hand.
pub(super) const AHEAD: usize = 512;
