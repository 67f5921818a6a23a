//! Receipts and inbound messages go out: to any port of the account that receives and has room.

use super::inbound::{wants_parameters, write_inbound};
use super::kin::Kin;
use super::screen::as_submitted;
use super::table::{Row, Token, Whereabouts, flag};
use super::{AccountState, Hub, Limits, PortState};
use crate::clock::UnixMs;
use crate::codec::{MessageState, Reading, Receipt, ReceiptDate, Sm};
use crate::esme::Verdict;
use crate::id::{AccountId, IdKey, MessageId};
use crate::message::Phase;

impl Hub {
    /// What its account calls the message in `slot`.
    pub(super) fn known_as(&mut self, slot: u32) -> MessageId {
        let Self { table, kin, .. } = self;
        known_as(table.row(slot), slot, kin)
    }

    /// Puts a receipt or an inbound message at the end of what waits for its account.
    pub(super) fn wait(&mut self, token: Token, account: AccountId) {
        let Self { accounts, table, .. } = self;
        table.row(token.slot).set(flag::QUEUED);
        accounts[usize::from(account.0)].waiting.push_back(token, |token| table.holds(token));
        self.wake_account(account);
    }

    /// A body came back from the spool: whoever waits for it beside the queues goes on.
    pub(super) fn go_on_after_fetch(&mut self, account: AccountId) {
        if !self.accounts[usize::from(account.0)].notices.is_empty() {
            self.wake_account(account);
        }
    }

    /// A message's outcome is durable: its account may hear of it.
    pub(super) fn offer(&mut self, token: Token) {
        let Some(row) = self.table.known(token).filter(|row| row.phase == Phase::Settled) else { return };
        row.phase = Phase::Waiting;
        let (account, until) = (row.account, row.at.after(self.settings.limits.receipt_retention));
        self.wait(token, account);
        self.set_timer(token.slot, until);
    }

    /// What an ESME made of a receipt or an inbound message.
    pub(super) fn take_verdict(&mut self, port: u32, token: Token, verdict: Verdict) {
        // A session that takes nothing any more gets nothing any more: its room is not given back.
        if verdict != Verdict::NotSent
            && let Some((_, state)) = self.ports.here(port)
        {
            state.room = (state.room + 1).min(state.window);
            let account = state.account;
            self.wake_account(account);
        }
        let Some(row) = self.table.known(token).filter(|row| row.phase == Phase::Delivering) else { return };
        let verdict = match verdict {
            Verdict::Misplaced => {
                row.losses += 1;
                if row.losses >= MISPLACED_MAX { Verdict::Refused } else { Verdict::Later }
            }
            verdict => verdict, // says itself what follows
        };
        if row.is(flag::INBOUND) {
            return self.take_inbound_verdict(token, verdict);
        }
        match verdict {
            Verdict::Taken => {
                let waited = self.now.wall.since(row.accepted);
                self.effects.stats.receipt.record(waited);
                self.effects.stats.receipts_out += 1;
                self.finish(token.slot);
            }
            Verdict::Refused => {
                self.effects.stats.receipts_refused += 1;
                self.finish(token.slot);
            }
            Verdict::Later | Verdict::Misplaced => {
                row.phase = Phase::Waiting;
                self.effects.stats.receipts_deferred += 1;
                self.set_timer(token.slot, self.now.wall.after(self.settings.limits.receipt_retry));
            }
            Verdict::Unanswered | Verdict::NotSent => self.deliver_again(token),
        }
    }

    /// Puts a receipt or an inbound message whose port is gone or silent back to the front.
    pub(super) fn deliver_again(&mut self, token: Token) {
        let Some(row) = self.table.known(token).filter(|row| row.phase == Phase::Delivering) else { return };
        row.phase = Phase::Waiting;
        row.set(flag::QUEUED);
        let (account, until) = (row.account, kept_until(row, &self.settings.limits));
        match row.is(flag::INBOUND) {
            true => self.effects.stats.inbound.again += 1,
            false => self.effects.stats.receipts_again += 1,
        }
        self.accounts[usize::from(account.0)].waiting.put_back(token);
        self.set_timer(token.slot, until);
        self.wake_account(account);
    }

    /// The time of what waits has come: to be tried again, or to be given up.
    pub(super) fn fire_waiting(&mut self, slot: u32) {
        let token = self.table.token(slot);
        let row = self.table.row(slot);
        let until = kept_until(row, &self.settings.limits);
        let account = row.account;
        if self.now.wall >= until {
            if self.puts_off_end(slot) {
                return;
            }
            match self.table.row(slot).is(flag::INBOUND) {
                true => self.effects.stats.inbound.expired += 1,
                false => self.effects.stats.receipts_abandoned += 1,
            }
            self.finish(slot);
            self.wake_account(account); // those behind it may have waited for its body
            return;
        }
        if !row.is(flag::QUEUED) {
            self.wait(token, account);
        }
        self.set_timer(slot, until);
        self.wake_account(account);
    }

    /// Gives the inbound message that has to change its shape before the rest can go on.
    pub(super) fn pump_account(&mut self, place: usize) -> Option<Token> {
        self.pump_notices(place);
        let Self { accounts, table, effects, ports, wheel, id_key, durable, kin, .. } = self;
        let account = &mut accounts[place];
        if account.ports.is_empty() {
            return None;
        }
        account.turn.pass();
        loop {
            let waits = |row: &mut Row| row.phase == Phase::Waiting; // or was given up
            let token = account.waiting.front_at_hand(table, effects, *durable, waits)?;
            let (row, body) = table.row_and_body(token.slot);
            let seat = match port_for(row, body, account, ports) {
                Fitting::Port(seat) => seat,
                Fitting::Later => return None,
                Fitting::Never => {
                    table.row(token.slot).clear(flag::QUEUED);
                    account.waiting.pop_front();
                    return Some(token);
                }
            };
            let (_, port) = ports.here(seat)?;
            account.waiting.pop_front();
            let row = table.row(token.slot);
            row.clear(flag::QUEUED);
            row.phase = Phase::Delivering;
            row.whereabouts = Whereabouts::Out(seat);
            wheel.cancel(token.slot);
            port.room -= 1;
            let start = port.batch.bodies.len() as u32;
            let id = known_as(row, token.slot, kin);
            let (row, body) = table.row_and_body(token.slot);
            match Sm::decode(body, Reading::Lenient) {
                _ if row.is(flag::INBOUND) => write_inbound(body, port, &account.profile),
                Ok(sm) => write_receipt(row, &as_submitted(&sm), id, id_key, port),
                Err(_) => effects.stats.bodies_lost += 1, // can't be: it was read when it came in
            }
            let end = port.batch.bodies.len() as u32;
            port.batch.deliveries.push((token.to_u64(), start..end));
            port.out.push(token, |token| table.is_with(token, Phase::Delivering, seat));
            ports.mark(seat);
        }
    }
}

/// Whose turn it is among the ports of an account. Each gets a few in a row: they leave with one write and are answered by
/// one, and nobody looks through a thousand ports for the next one with room each time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Turn {
    place: usize,
    given: u8,
}

impl Turn {
    /// The next one begins.
    pub const fn pass(&mut self) {
        if self.given > 0 {
            (self.place, self.given) = (self.place + 1, 0);
        }
    }

    /// The port whose turn it is, of those that have room.
    pub fn port(&mut self, ports: &[u32], seats: &mut super::Seats<PortState>) -> Option<u32> {
        if self.given >= ROW {
            self.pass();
        }
        for step in 0..ports.len() {
            let place = (self.place + step) % ports.len();
            let has_room = |(_, port): (_, &mut PortState)| port.room > 0 && port.receives;
            if seats.here(ports[place]).is_some_and(has_room) {
                let given = if step == 0 { self.given } else { 0 };
                *self = Self { place, given: given + 1 };
                return Some(ports[place]);
            }
        }
        None
    }
}

/// How many a port gets in a row.
const ROW: u8 = 96;

/// Where something goes.
enum Fitting {
    Port(u32),
    /// Nowhere now.
    Later,
    /// Nowhere, as it is.
    Never,
}

/// The port for a receipt or an inbound message whose body is at hand. Parts of one text go to one port, in order; what is too long
/// for a session without parameters goes to one with them.
fn port_for(
    row: &Row,
    body: &[u8],
    account: &mut AccountState,
    seats: &mut super::Seats<PortState>,
) -> Fitting {
    let AccountState { ports, turn, .. } = account;
    let seat = if row.is(flag::INBOUND) && row.is(flag::RESHAPE) {
        return Fitting::Never;
    } else if row.is(flag::INBOUND) && wants_parameters(body) {
        let able: Vec<u32> = ports.iter().copied().filter(|seat| takes_tlvs(*seat, seats)).collect();
        if able.is_empty() {
            return Fitting::Never;
        }
        turn.port(&able, seats)
    } else if row.is(flag::INBOUND) && row.is(flag::TOGETHER) {
        let seat = ports[(row.source ^ row.destination) as usize % ports.len()];
        Turn::default().port(&[seat], seats)
    } else {
        turn.port(ports, seats)
    };
    seat.map_or(Fitting::Later, Fitting::Port)
}

fn takes_tlvs(seat: u32, seats: &mut super::Seats<PortState>) -> bool {
    seats.here(seat).is_some_and(|(_, port)| port.version.takes_tlvs())
}

/// Until when a receipt or an inbound message waits for its account.
pub(super) fn kept_until(row: &Row, limits: &Limits) -> UnixMs {
    match row.is(flag::INBOUND) {
        true => row.expires,
        false => row.at.after(limits.receipt_retention),
    }
}

/// Writes the body of the deliver_sm that tells the account how its message ended (fact sheet 8.2, 8.4).
fn write_receipt(row: &Row, sm: &Sm<'_>, id: MessageId, key: &IdKey, port: &mut PortState) {
    let (long, short);
    let message_id: &[u8] = if row.is(flag::SHORT_ID) {
        short = id.short_text(key);
        &short
    } else {
        long = id.text(key);
        &long
    };
    let [_, high, low] = row.error;
    let error = three_digits(u16::from_be_bytes([high, low]));
    let receipt = Receipt {
        error: &error,
        network_error: (row.error != [0; 3]).then_some(row.error),
        submit_date: Some(ReceiptDate::from_utc(row.accepted)),
        done_date: Some(ReceiptDate::from_utc(row.at)),
        ..Receipt::new(message_id, row.state)
    };
    receipt.write_body(sm, port.version, &mut port.batch.bodies);
    debug_assert!(row.state != MessageState::Enroute);
}

/// What its account calls a message.
fn known_as(row: &Row, slot: u32, kin: &Kin) -> MessageId {
    match row.is(flag::SHARED | flag::PART) {
        true => kin.known_as(slot).unwrap_or(row.id(slot)),
        false => row.id(slot),
    }
}

/// The `err:` of a receipt: three digits, the last ones of a longer number.
fn three_digits(number: u16) -> [u8; 3] {
    [b'0' + (number / 100 % 10) as u8, b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8]
}

/// Answers that the session is the matter, after which one is final (fact sheet 4.3).
const MISPLACED_MAX: u8 = 3;
