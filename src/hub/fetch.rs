//! Bodies that wait on disk are asked for.

use super::table::{Table, Token, flag};
use super::{Effects, Fetch};
use crate::id::Lsn;

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
