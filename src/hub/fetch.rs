//! Bodies that wait on disk are asked for.

use super::queue::Queue;
use super::table::{Row, Table, Token, flag};
use super::{Effects, Fetch};
use crate::id::Lsn;

impl Queue {
    /// The first message, once its body is at hand; those near the front are asked for. `stays` says whether a message still
    /// waits here: one that doesn't loses its place.
    pub fn front_at_hand(
        &mut self,
        table: &mut Table,
        effects: &mut Effects,
        durable: Lsn,
        stays: impl Fn(&mut Row) -> bool,
    ) -> Option<Token> {
        loop {
            while let Some(token) = self.next_ahead() {
                fetch_if_parked(table, effects, token, durable);
            }
            let token = self.front()?;
            let Some(row) = table.known(token).and_then(|row| stays(row).then_some(row)) else {
                self.pop_front();
                continue;
            };
            if !row.is_parked() {
                return Some(token);
            }
            if !row.is(flag::FETCHING) {
                self.look_again(); // parked again, or not readable before
                fetch_if_parked(table, effects, token, durable);
            }
            return None;
        }
    }
}

/// Asks for the body of a message that is soon to go out, unless it is at hand or asked for.
///
/// What compaction has just written again can't be read before it is durable; its turn comes when the segment goes.
pub(super) fn fetch_if_parked(table: &mut Table, effects: &mut Effects, token: Token, durable: Lsn) {
    let Some(row) = table.known(token) else { return };
    if row.is_parked() && !row.is(flag::FETCHING) && row.is_readable(durable) {
        row.set(flag::FETCHING);
        effects.fetches.push(Fetch { token: token.to_u64(), locator: row.locator() });
    }
}
