//! Who asked, and how he is answered; nobody hears it if his session is gone.

use super::{Held, Hub, Token};
use crate::codec::{
    Command, DataSm, MessageState, Reading, SmResp, Status, Tag, Tlvs, Version, header_only, put_tlv,
};
use crate::esme::Answer;
use crate::id::{AccountId, Lsn, MessageId, SessionId};
use crate::message::{Outcome, Phase};
use bytes::{Bytes, BytesMut};
use std::time::Instant;

/// One request and the port that it came through.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    pub port: u32,
    pub session: SessionId,
    pub account: AccountId,
    pub version: Version,
    pub command: Command,
    pub sequence: u32,
    /// When it came.
    pub since: Instant,
}

impl Hub {
    pub(super) fn take_request(&mut self, caller: Caller, body: Bytes) {
        match caller.command {
            Command::SUBMIT_SM => self.take_submission(caller, body, 0),
            Command::DATA_SM => self.take_data(caller, &body),
            Command::SUBMIT_MULTI => self.take_multi(caller, &body),
            Command::QUERY_SM => self.take_query(caller, &body),
            Command::CANCEL_SM => self.take_cancel(caller, &body),
            Command::REPLACE_SM => self.take_replace(caller, body),
            Command::BROADCAST_SM | Command::QUERY_BROADCAST_SM | Command::CANCEL_BROADCAST_SM => {
                self.take_broadcast(caller, &body);
            }
            _ => self.refuse(caller, Status::RINVCMDID), // a port hands on nothing else
        }
    }

    /// A data_sm comes in as the submit_sm that says the same.
    fn take_data(&mut self, caller: Caller, body: &[u8]) {
        let data = match DataSm::decode(body, Reading::Lenient) {
            Ok(data) => data,
            Err(error) => return self.refuse(caller, error.status),
        };
        // Where it goes on as submit_sm there is room for twenty characters.
        if data.destination.addr.len() > ADDR_MAX {
            return self.refuse(caller, Status::RINVDSTADR);
        }
        if data.source.addr.len() > ADDR_MAX {
            return self.refuse(caller, Status::RINVSRCADR);
        }
        let mut out = BytesMut::with_capacity(body.len() + ROOM);
        data.as_sm().encode_body(&mut out);
        self.take_submission(caller, out.freeze(), super::table::flag::DATA);
    }

    /// Refuses a request at once.
    pub(super) fn refuse(&mut self, caller: Caller, status: Status) {
        self.effects.stats.refuse(status);
        let Caller { command, sequence, .. } = caller;
        self.answer(caller.port, caller.session, Answer { command, sequence, outcome: Err(status) });
    }

    /// Answers a request at once; `write` appends the whole response PDU.
    pub(super) fn reply(&mut self, port: u32, session: SessionId, pdu: &[u8]) {
        let Some(state) = self.ports.at(port, session) else { return };
        let start = state.batch.bodies.len() as u32;
        state.batch.bodies.extend_from_slice(pdu);
        state.batch.replies.push(start..start + pdu.len() as u32);
        self.ports.mark(port);
    }

    /// Answers a request as soon as `lsn` is as durable as its account wants it.
    pub(super) fn reply_after(&mut self, lsn: Lsn, caller: Caller, pdu: BytesMut) {
        let Caller { port, session, account, .. } = caller;
        self.hold_reply(account, lsn, Held::Reply { port, session }, pdu);
    }

    /// The message centre's word for a message, as this peer can take it.
    pub(super) fn id_text(&self, id: MessageId, version: Version) -> IdText {
        match version {
            Version::V33 => IdText::Short(id.short_text(&self.id_key)),
            Version::V34 | Version::V50 => IdText::Long(id.text(&self.id_key)),
        }
    }

    /// The answer to a message in transaction mode waits for its outcome.
    pub(super) fn await_outcome(&mut self, caller: Caller, token: Token) {
        self.transactions.insert(token.slot, caller);
        self.transaction_ends.push_back((self.now.mono + self.settings.limits.transaction, token));
    }

    /// Tells the outcome of a message in transaction mode, as far as it is known by now.
    pub(super) fn end_transaction(&mut self, token: Token, outcome: Outcome) {
        if self.table.known(token).is_none() {
            return;
        }
        let Some(caller) = self.transactions.remove(&token.slot) else { return };
        let id = self.table.row(token.slot).id(token.slot);
        let text = self.id_text(id, caller.version);
        let (mut pdu, mut tlvs) = (BytesMut::new(), BytesMut::new());
        let status = match outcome.state {
            MessageState::Delivered | MessageState::Accepted => Status::ROK,
            _ => Status::RDELIVERYFAILURE, // whatever else it is, it did not arrive as far as is known
        };
        // Before 5.0 a refused submission has no body (SMPP 3.4 §4.4.2).
        if !status.is_ok() && caller.command == Command::SUBMIT_SM && caller.version != Version::V50 {
            header_only(&mut pdu, caller.command.response(), status, caller.sequence);
            return self.reply(caller.port, caller.session, &pdu);
        }
        if caller.version == Version::V50 && !status.is_ok() {
            put_tlv(&mut tlvs, Tag::DELIVERY_FAILURE_REASON, &[outcome.failure_reason()]);
            put_tlv(&mut tlvs, Tag::NETWORK_ERROR_CODE, &outcome.error);
        }
        let tlvs = Tlvs::read(&tlvs, Reading::Lenient).unwrap_or(Tlvs::empty());
        let response = caller.command.response();
        SmResp { message_id: text.as_bytes(), tlvs }.encode(&mut pdu, response, status, caller.sequence);
        self.reply(caller.port, caller.session, &pdu);
    }

    /// Answers transactions that have waited long enough.
    pub(super) fn end_overdue_transactions(&mut self) {
        while let Some((until, token)) = self.transaction_ends.front().copied() {
            if until > self.now.mono {
                break;
            }
            self.transaction_ends.pop_front();
            // What the disk holds up is answered once it is ours, and not before.
            if self.table.known(token).is_some_and(|row| row.phase == Phase::Accepting) {
                self.transaction_ends.push_back((self.now.mono + self.settings.limits.transaction, token));
            } else {
                self.end_transaction(token, Outcome::TOO_LATE);
            }
        }
    }
}

/// A message id as text, of either length.
pub(super) enum IdText {
    Short([u8; 8]),
    Long([u8; crate::id::ID_TEXT_LEN]),
}

impl IdText {
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short(text) => text,
            Self::Long(text) => text,
        }
    }
}

/// Characters of an address in a submit_sm, at most (SMPP 3.4 §5.2.9).
const ADDR_MAX: usize = 20;
/// Octets by which a submit_sm is longer than the data_sm that says the same.
const ROOM: usize = 16;
