//! Submissions come in: admitted, written, held until durable; or refused.

use super::seats::Out;
use super::table::{Row, Whereabouts, flag};
use super::{Held, Hub, Mode, PortState};
use crate::admission::admit;
use crate::codec::{MessageState, Reading, Sm, Status, Version};
use crate::esme::{Answer, Intake, PortBatch, Submission};
use crate::id::{AccountId, CarrierId, MessageId, SessionId};
use crate::message::Phase;
use crate::session::BindKind;
use crate::spool::Record;
use bytes::Bytes;

impl Hub {
    pub(super) fn open_port(
        &mut self,
        session: SessionId,
        account: AccountId,
        kind: BindKind,
        version: Version,
        window: usize,
    ) {
        let receives = kind.receives();
        let port = PortState {
            account,
            version,
            receives,
            room: window,
            window,
            out: Out::default(),
            batch: PortBatch::default(),
            dirty: false,
        };
        let seat = self.ports.insert(session, port);
        if receives {
            self.accounts[usize::from(account.0)].ports.push(seat);
            self.wake_account(account);
        }
    }

    pub(super) fn close_port(&mut self, session: SessionId) {
        let Some((seat, port)) = self.ports.remove(session) else { return };
        self.accounts[usize::from(port.account.0)].ports.retain(|known| *known != seat);
        for token in port.out.newest_first() {
            if self.table.is_out(token, Phase::Delivering, seat) {
                self.deliver_again(token);
            }
        }
        self.wake_account(port.account);
    }

    pub(super) fn take_intake(&mut self, session: SessionId, intake: &Intake) {
        let Some(seat) = self.ports.seat(session) else { return };
        for (token, verdict) in &intake.verdicts {
            self.take_verdict(seat, super::Token::from_u64(*token), *verdict);
        }
        let Some((_, port)) = self.ports.here(seat) else { return };
        let (account, version) = (port.account, port.version);
        for submission in &intake.submissions {
            let body = intake.batch.slice(submission.body.start as usize..submission.body.end as usize);
            self.effects.stats.submitted += 1;
            match self.accept(account, version, body) {
                Ok((lsn, token)) => {
                    let Submission { sequence, .. } = *submission;
                    let since = self.now.mono;
                    self.held
                        .push_back((lsn, Held::Accepted { token, port: seat, session, sequence, since }));
                }
                Err(status) => {
                    self.effects.stats.refuse(status);
                    self.answer(
                        seat,
                        session,
                        Answer { sequence: submission.sequence, outcome: Err(status) },
                    );
                }
            }
        }
    }

    /// Takes responsibility for one message, as soon as its record is durable.
    fn accept(
        &mut self,
        account: AccountId,
        version: Version,
        body: Bytes,
    ) -> Result<(crate::id::Lsn, super::Token), Status> {
        if self.mode == Mode::ReadOnly {
            return Err(Status::RSYSERR);
        }
        let place = usize::from(account.0);
        if self.full
            || self.table.len() >= self.settings.limits.messages
            || self.accounts[place].held >= self.accounts[place].held_max
        {
            return Err(Status::RMSGQFUL);
        }
        let sm = Sm::decode(&body, Reading::Lenient).map_err(|error| error.status)?;
        let admitted = admit(&sm, &self.settings.rules, self.now)?;
        let carrier = self.settings.routes.choose(sm.destination.addr).ok_or(Status::RINVDSTADR)?;
        self.effects.stats.clamped += u64::from(admitted.clamped);
        let flags = if version == Version::V33 { flag::SHORT_ID } else { 0 };
        let registered_delivery = sm.registered_delivery;

        let id = MessageId { serial: self.journal.next_serial(), slot: self.table.take_slot() };
        let appended = self.journal.append(&Record::Accepted {
            id,
            account: &self.accounts[place].name,
            accepted: self.now.wall,
            due: admitted.due,
            expires: admitted.expires,
            flags,
            body: &body,
        });
        self.accounts[place].held += 1;
        self.table.put(
            id.slot,
            Row {
                serial: id.serial,
                locator: appended.locator,
                accepted: self.now.wall,
                expires: admitted.expires,
                at: admitted.due,
                body,
                carrier_message_id: None,
                whereabouts: Whereabouts::Here,
                account,
                carrier,
                phase: Phase::Accepting,
                attempts: 0,
                registered_delivery,
                flags,
                state: MessageState::Enroute,
                error: [0; 3],
            },
        );
        let token = self.table.token(id.slot);
        self.bodies.push_back((self.now.mono, token));
        Ok((appended.lsn, token))
    }

    /// Sets a message that is now ours on its way: at once, or when it is due.
    pub(super) fn start(&mut self, slot: u32) {
        let row = self.table.row(slot);
        if row.at > self.now.wall {
            row.phase = Phase::Scheduled;
            let at = row.at.min(row.expires);
            self.set_timer(slot, at);
        } else {
            let expires = row.expires;
            self.set_timer(slot, expires);
            self.enqueue(slot);
        }
    }

    /// Puts a message at the end of its carrier's queue.
    pub(super) fn enqueue(&mut self, slot: u32) {
        let token = self.table.token(slot);
        let row = self.table.row(slot);
        row.phase = Phase::Queued;
        let carrier = row.carrier;
        if !row.is(flag::QUEUED) {
            row.set(flag::QUEUED);
            self.carriers[usize::from(carrier.0)].queue.push_back(token);
        }
        self.wake_carrier(carrier);
    }

    pub(super) fn wake_account(&mut self, account: AccountId) {
        self.accounts[usize::from(account.0)].dirty = true;
    }

    pub(super) fn wake_carrier(&mut self, carrier: CarrierId) {
        self.carriers[usize::from(carrier.0)].dirty = true;
    }
}
