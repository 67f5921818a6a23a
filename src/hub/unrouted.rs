//! Messages that are due and wait for their bodies before they get a carrier.

use super::Effects;
use super::fetch::fetch_if_parked;
use super::queue_turns::AHEAD;
use super::table::{Row, Table, Token, flag};
use crate::clock::UnixMs;
use crate::id::Lsn;
use crate::message::Phase;
use std::collections::VecDeque;

/// Eight octets each; the first [`AHEAD`] have their bodies read.
#[derive(Debug, Default)]
pub(super) struct Unrouted {
    tokens: VecDeque<Token>,
    /// How many at the front have been asked for.
    asked: usize,
}

impl Unrouted {
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    pub fn push_back(&mut self, token: Token) {
        self.tokens.push_back(token);
    }

    /// The next one whose body is at hand; asks for those of others.
    pub fn next(
        &mut self,
        table: &mut Table,
        effects: &mut Effects,
        durable: Lsn,
        now: UnixMs,
    ) -> Option<Token> {
        loop {
            while self.asked < AHEAD.min(self.tokens.len()) {
                fetch_if_parked(table, effects, self.tokens[self.asked], durable);
                self.asked += 1;
            }
            let token = *self.tokens.front()?;
            let is_ours = |row: &&mut Row| {
                row.phase == Phase::Queued && row.carrier == Row::NOWHERE && row.expires > now
            };
            let is_here = match table.known(token).filter(is_ours) {
                // Settled while it waited, or too late, as its timer is about to say.
                None => {
                    if let Some(row) = table.known(token).filter(|row| row.carrier == Row::NOWHERE) {
                        row.clear(flag::QUEUED);
                    }
                    false
                }
                Some(row) if row.is_parked() => {
                    if !row.is(flag::FETCHING) {
                        self.asked = 0; // parked again, or not readable before
                        fetch_if_parked(table, effects, token, durable);
                    }
                    return None;
                }
                Some(_) => true,
            };
            self.tokens.pop_front();
            self.asked = self.asked.saturating_sub(1);
            if is_here {
                return Some(token);
            }
        }
    }
}
