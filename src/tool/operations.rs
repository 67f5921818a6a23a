//! What a simulated carrier does beside taking messages: tells how they are, cancels and replaces those whose receipts it still
//! owes, and broadcasts.

use super::book::{BROADCASTS_MAX, Broadcast, Inner, id_text};
use super::simulator::{Simulator, write_receipt};
use crate::clock::Now;
use crate::codec::{
    self, BroadcastSm, CancelBroadcastSm, CancelSm, Command, FieldError, MessageState, QueryBroadcastSm,
    QueryResp, QuerySm, Reading, Receipt, ReplaceSm, Sm, Status, Tag, Tlvs, put_tlv, write_final_date,
};
use bytes::{Bytes, BytesMut};

impl Simulator {
    /// Takes a request that is no submission.
    pub(super) fn take_operation(
        &mut self,
        command: Command,
        sequence: u32,
        body: &[u8],
        inner: &mut Inner,
        now: Now,
    ) {
        let done = match command {
            Command::QUERY_SM => self.query(sequence, body, inner, now),
            Command::CANCEL_SM => self.cancel(sequence, body, inner, now),
            Command::REPLACE_SM => self.replace(sequence, body, inner),
            Command::BROADCAST_SM => self.broadcast(sequence, body, inner),
            Command::QUERY_BROADCAST_SM => self.query_broadcast(sequence, body, inner),
            Command::CANCEL_BROADCAST_SM => self.cancel_broadcast(sequence, body, inner),
            _ => Err(Status::RINVCMDID), // only a message centre sends the rest
        };
        if let Err(status) = done {
            self.session.answer(|out| codec::header_only(out, command.response(), status, sequence));
        }
    }

    fn query(&mut self, sequence: u32, body: &[u8], inner: &Inner, now: Now) -> Result<(), Status> {
        let query = QuerySm::decode(body, Reading::Lenient).map_err(status)?;
        let is_meant = |id| id_text(id, self.id_format()) == query.message_id;
        let owed = inner.owed.iter().flatten().any(|owed| is_meant(owed.id));
        let ended = inner.ended.iter().rev().find(|(id, _)| is_meant(*id));
        let state = match ended {
            _ if owed => MessageState::Enroute,
            Some((_, state)) => *state,
            None => return Err(Status::RINVMSGID),
        };
        let mut room = [0; 16];
        let final_date = match owed {
            true => &[],
            false => write_final_date(now.wall, self.session.version(), &mut room),
        };
        let (message_id, message_state) = (query.message_id, state.octet());
        let resp = QueryResp { message_id, final_date, message_state, error_code: 0 };
        self.session.answer(|out| resp.encode(out, Status::ROK, sequence));
        Ok(())
    }

    /// A cancelled message ends at once, and its receipt says so.
    fn cancel(&mut self, sequence: u32, body: &[u8], inner: &mut Inner, now: Now) -> Result<(), Status> {
        let cancel = CancelSm::decode(body, Reading::Lenient).map_err(status)?;
        let mut count = 0;
        for owed in inner.owed.iter_mut().flatten() {
            // The receipt's addresses are the message's the other way round.
            let Ok(receipt) = Sm::decode(&owed.body, Reading::Carrier) else { continue };
            let is_meant = match cancel.message_id {
                [] => (receipt.destination, receipt.source) == (cancel.source, cancel.destination),
                id => id_text(owed.id, self.id_format()) == id,
            };
            if is_meant && owed.state != MessageState::Deleted {
                let message =
                    Sm { source: receipt.destination, destination: receipt.source, ..Sm::default() };
                let own = id_text(owed.id, self.id_format());
                let id = Receipt::read(&receipt).map_or(&own[..], |receipt| receipt.message_id);
                let mut body = BytesMut::new();
                write_receipt(&message, id, MessageState::Deleted, self.session.version(), now, &mut body);
                (owed.body, owed.state, owed.at) = (body.freeze(), MessageState::Deleted, now.mono);
                count += 1;
            }
        }
        self.confirm(Command::CANCEL_SM, sequence, count > 0, Status::RCANCELFAIL)
    }

    /// What a message says is not kept: only whether it could be replaced is told.
    fn replace(&mut self, sequence: u32, body: &[u8], inner: &Inner) -> Result<(), Status> {
        let replace = ReplaceSm::decode(body, Reading::Lenient).map_err(status)?;
        let is_meant = |id| id_text(id, self.id_format()) == replace.message_id;
        let is_held = inner.owed.iter().flatten().any(|owed| is_meant(owed.id));
        self.confirm(Command::REPLACE_SM, sequence, is_held, Status::RREPLACEFAIL)
    }

    fn broadcast(&mut self, sequence: u32, body: &[u8], inner: &mut Inner) -> Result<(), Status> {
        let broadcast = BroadcastSm::decode(body, Reading::Lenient).map_err(status)?;
        let areas = broadcast.tlvs.iter().filter(|tlv| tlv.tag == Tag::BROADCAST_AREA_IDENTIFIER);
        let areas = areas.map(|tlv| Bytes::copy_from_slice(tlv.value)).collect();
        let (id, _) = inner.write_id(self.id_format());
        if inner.broadcasts.len() >= BROADCASTS_MAX {
            inner.broadcasts.pop_front();
        }
        let resp = |out: &mut BytesMut| {
            codec::encode_id_resp(out, Command::BROADCAST_SM, Status::ROK, sequence, &id, Tlvs::empty());
        };
        self.session.answer(resp);
        inner.report.broadcasts += 1;
        inner.broadcasts.push_back(Broadcast { id, areas, cancelled: false });
        Ok(())
    }

    fn query_broadcast(&mut self, sequence: u32, body: &[u8], inner: &Inner) -> Result<(), Status> {
        let query = QueryBroadcastSm::decode(body, Reading::Lenient).map_err(status)?;
        let known = inner.broadcasts.iter().find(|broadcast| broadcast.id == query.message_id);
        let Broadcast { id, areas, cancelled } = known.ok_or(Status::RBCASTQUERYFAIL)?;
        let state = if *cancelled { MessageState::Deleted } else { MessageState::Enroute };
        let mut tlvs = BytesMut::new();
        put_tlv(&mut tlvs, Tag::MESSAGE_STATE, &[state.octet()]);
        for area in areas {
            put_tlv(&mut tlvs, Tag::BROADCAST_AREA_IDENTIFIER, area);
            put_tlv(&mut tlvs, Tag::BROADCAST_AREA_SUCCESS, &[100]);
        }
        let tlvs = Tlvs::read(&tlvs, Reading::Strict).map_err(status)?;
        let command = Command::QUERY_BROADCAST_SM;
        self.session.answer(|out| codec::encode_id_resp(out, command, Status::ROK, sequence, id, tlvs));
        Ok(())
    }

    fn cancel_broadcast(&mut self, sequence: u32, body: &[u8], inner: &mut Inner) -> Result<(), Status> {
        let cancel = CancelBroadcastSm::decode(body, Reading::Lenient).map_err(status)?;
        let known = inner.broadcasts.iter_mut().find(|broadcast| broadcast.id == cancel.message_id);
        let stops = known.is_some_and(|broadcast| !std::mem::replace(&mut broadcast.cancelled, true));
        self.confirm(Command::CANCEL_BROADCAST_SM, sequence, stops, Status::RBCASTCANCELFAIL)
    }

    fn confirm(
        &mut self,
        command: Command,
        sequence: u32,
        done: bool,
        otherwise: Status,
    ) -> Result<(), Status> {
        if !done {
            return Err(otherwise);
        }
        self.session.answer(|out| codec::header_only(out, command.response(), Status::ROK, sequence));
        Ok(())
    }
}

fn status(error: FieldError) -> Status {
    error.status
}
