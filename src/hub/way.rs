//! The way out: which carrier a message is for, by the rules of its route.

use crate::clock::UnixMs;
use crate::codec::Sm;
use crate::conversion::{self, Profile};
use crate::guard::guarded;
use crate::id::{AccountId, CarrierId};
use crate::route::{Case, Routes, Standing, Tried, Turns, dice};

/// The carrier for a message of `account`, whose texts mean what `from` says, that is `due` then; `None`: no rule is for it.
pub(super) fn carrier_for(
    routes: &Routes,
    from: &Profile,
    turns: &mut Turns,
    sm: &Sm<'_>,
    account: AccountId,
    due: UnixMs,
) -> Option<CarrierId> {
    let segments = match routes.asks_segments() {
        true => guarded(|| conversion::segments(sm, from).ok()).flatten().unwrap_or(u8::MAX),
        false => 1,
    };
    let number = sm.destination.addr;
    let serial_dice = dice(&[sm.source.addr, number]);
    let route = routes.decide(&Case { account, sm, segments, due, serial_dice })?;
    let standing = |_| Standing { usable: true, load: 0 };
    routes.next(route, number, Tried::default(), serial_dice, turns, standing).map(|leaf| leaf.carrier)
}
