//! What reaches an account beside its receipts: intermediate notifications, and our call when it isn't there.
//!
//! A notification is good while it is news: it is not written, waits in a short queue, and is not repeated.

use super::table::{Token, flag};
use super::{AccountState, Hub, PortState};
use crate::codec::{MessageState, Reading, Receipt, ReceiptDate, Sm};
use crate::id::AccountId;
use crate::message::wants_notices;
use std::time::{Duration, Instant};

/// An intermediate notification that waits for a port.
#[derive(Clone, Copy, Debug)]
pub(super) struct Notice {
    token: Token,
    state: MessageState,
    error: [u8; 3],
}

impl Hub {
    /// The carrier told how a message is getting on; of several that were joined each is told of.
    pub(super) fn take_notice(&mut self, slot: u32, state: MessageState, error: [u8; 3]) {
        let row = self.table.row(slot);
        if !row.is(flag::WHOLE) {
            return self.keep_notice(slot, state, error);
        }
        let id = row.id(slot);
        for member in self.kin.members(id).collect::<Vec<_>>() {
            if self.table.find(member).is_some() {
                self.keep_notice(member.slot, state, error);
            }
        }
    }

    fn keep_notice(&mut self, slot: u32, state: MessageState, error: [u8; 3]) {
        let token = self.table.token(slot);
        let row = self.table.row(slot);
        let account = row.account;
        if !wants_notices(row.registered_delivery) {
            return;
        }
        let notices = &mut self.accounts[usize::from(account.0)].notices;
        if notices.len() >= NOTICES_MAX {
            notices.pop_front();
            self.effects.stats.notices_dropped += 1;
        }
        notices.push_back(Notice { token, state, error });
        self.wake_account(account);
    }

    /// Sends what notifications can be sent; those whose messages are parked wait for their bodies.
    pub(super) fn pump_notices(&mut self, place: usize) {
        while let Some(Notice { token, state, error }) = self.accounts[place].notices.front().copied() {
            // What has ended makes no news any more.
            let Some(row) = self.table.known(token).filter(|row| super::is_open(row.phase)) else {
                self.accounts[place].notices.pop_front();
                continue;
            };
            if row.is_parked() {
                let Self { table, effects, durable, .. } = self;
                return super::fetch::fetch_if_parked(table, effects, token, *durable);
            }
            let account = &mut self.accounts[place];
            let Some(seat) = account.turn.port(&account.ports, &mut self.ports) else {
                return;
            };
            account.notices.pop_front();
            let body = self.table.body(token.slot).clone();
            let id = self.known_as(token.slot);
            let short = self.table.row(token.slot).is(flag::SHORT_ID);
            let version = if short { crate::codec::Version::V33 } else { crate::codec::Version::V34 };
            let text = self.id_text(id, version);
            let (accepted, now) = (self.table.row(token.slot).accepted, self.now.wall);
            let Some((_, port)) = self.ports.here(seat) else { return };
            let Ok(sm) = Sm::decode(&body, Reading::Lenient) else { continue };
            let receipt = Receipt {
                network_error: (error != [0; 3]).then_some(error),
                submit_date: Some(ReceiptDate::from_utc(accepted)),
                done_date: Some(ReceiptDate::from_utc(now)),
                ..Receipt::new(text.as_bytes(), state)
            };
            hand_over(port, &receipt, &super::screen::as_submitted(&sm));
            self.effects.stats.notices += 1;
            self.ports.mark(seat);
        }
    }

    /// The body of a message can't be read back: nobody will hear how it is getting on.
    pub(super) fn drop_notices(&mut self, token: Token) {
        let account = self.table.row(token.slot).account;
        self.accounts[usize::from(account.0)].notices.retain(|notice| notice.token != token);
        self.effects.stats.notices_dropped += 1;
        self.wake_account(account);
    }

    /// Asks for those accounts to be called that can be, aren't there and have something waiting.
    pub(super) fn call_those_away(&mut self) {
        for place in 0..self.callable.len() {
            let id = self.callable[place];
            let account = &mut self.accounts[usize::from(id.0)];
            if account.call_due(self.now.mono).is_some_and(|due| due <= self.now.mono) {
                account.called = Some(self.now.mono);
                self.effects.calls.push(id);
            }
        }
    }

    /// When somebody is to be called next.
    pub(super) fn next_call(&self) -> Option<Instant> {
        let due = |id: &AccountId| self.accounts[usize::from(id.0)].call_due(self.now.mono);
        self.callable.iter().filter_map(due).min()
    }
}

impl AccountState {
    /// When it is to be called, if something waits for it and it isn't there.
    fn call_due(&self, now: Instant) -> Option<Instant> {
        let waits = self.waiting.len() > 0 && self.ports.is_empty();
        waits.then(|| self.called.map_or(now, |called| called + CALL_EACH))
    }
}

fn hand_over(port: &mut PortState, receipt: &Receipt<'_>, message: &Sm<'_>) {
    let start = port.batch.bodies.len() as u32;
    receipt.write_notice(message, port.version, &mut port.batch.bodies);
    let end = port.batch.bodies.len() as u32;
    port.room -= 1;
    // No message is in that slot: whatever the account says of it, its room is given back and that is all.
    port.batch.deliveries.push((Token { slot: u32::MAX, serial: 0 }.to_u64(), start..end));
}

/// Notifications that wait for one account.
const NOTICES_MAX: usize = 1000;
/// How often an account is called at most.
const CALL_EACH: Duration = Duration::from_secs(30);
