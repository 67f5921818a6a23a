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
}

impl Queue {
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    pub fn push_back(&mut self, token: Token) {
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

/// How many messages at the front of a queue have their bodies at hand.
pub(super) const AHEAD: usize = 512;
