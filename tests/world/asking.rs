//! What an ESME asks beside submitting, and what it hears.

use super::{LINK, PORT, World, said};
use bytes::BytesMut;
use enroute::carrier::Verdict as Word;
use enroute::codec::{
    Address, CancelSm, Command, Frame, MAX_PDU_LEN, QueryResp, QuerySm, Reading, ReplaceSm, Sm, Status, Tag,
    Tlvs, next_frame, put_tlv,
};
use enroute::conversion::{Long, Profile};
use enroute::esme::{Intake, Request};
use enroute::hub::{Event, PartReceipts, Settings};
use enroute::id::SessionId;
use std::sync::Arc;

/// Whom all texts of this world are from.
pub const SOURCE: Address<'_> = Address { ton: 0, npi: 0, addr: b"12345" };
/// Whom they are for, unless they say otherwise.
pub const DESTINATION: Address<'_> = Address { ton: 1, npi: 1, addr: b"447700900123" };

impl World {
    /// An ESME asks for something, and the hub sees to it.
    pub fn ask_from(&mut self, session: SessionId, command: Command, write: impl FnOnce(&mut BytesMut)) {
        self.hand_in(session, command, 900, write);
        self.run();
    }

    /// An ESME asks for something; it comes with the next turn.
    pub fn hand_in(
        &mut self,
        session: SessionId,
        command: Command,
        sequence: u32,
        write: impl FnOnce(&mut BytesMut),
    ) {
        let mut body = BytesMut::new();
        write(&mut body);
        let requests = vec![Request { command, sequence, body: 0..body.len() as u32 }];
        let intake = Intake { batch: body.freeze(), requests, verdicts: Vec::new() };
        self.inbox.push(Event::PortIntake { session, intake });
    }

    pub fn ask(&mut self, command: Command, write: impl FnOnce(&mut BytesMut)) {
        self.ask_from(PORT, command, write);
    }

    /// The statuses of all answers since the last time, whole responses first.
    pub fn statuses(&mut self) -> Vec<Status> {
        let replies = self.replies.drain(..).map(|(_, pdu)| status_of(&pdu));
        let answers = self.answers.drain(..).map(|(_, answer)| answer.outcome.err().unwrap_or(Status::ROK));
        replies.chain(answers).collect()
    }

    /// The status of the one answer since the last time, whole response or not.
    pub fn status(&mut self) -> Status {
        let all = self.statuses();
        assert_eq!(all.len(), 1, "{all:?}");
        all[0]
    }

    /// State and error of a message, as query_sm tells them; or the status that refuses to.
    pub fn query(&mut self, id: &str) -> Result<(u8, u8), Status> {
        let query = QuerySm { message_id: id.as_bytes(), source: SOURCE };
        self.ask(Command::QUERY_SM, |out| query.encode_body(out));
        match self.replies.pop() {
            Some((_, pdu)) => {
                let resp = QueryResp::decode(frame(&pdu).body);
                assert_eq!(resp.message_id, id.as_bytes());
                assert_eq!(resp.final_date.is_empty(), matches!(resp.message_state, 0 | 1));
                Ok((resp.message_state, resp.error_code))
            }
            None => Err(self.status()),
        }
    }

    pub fn cancel(&mut self, id: &str) -> Status {
        let cancel = CancelSm {
            service_type: b"",
            message_id: id.as_bytes(),
            source: SOURCE,
            destination: Address::default(),
        };
        self.ask(Command::CANCEL_SM, |out| cancel.encode_body(out));
        self.status()
    }

    pub fn replace(&mut self, id: &str, text: &str, schedule: &[u8]) -> Status {
        let replace = ReplaceSm {
            message_id: id.as_bytes(),
            source: SOURCE,
            schedule_delivery_time: schedule,
            registered_delivery: 1,
            short_message: text.as_bytes(),
            ..ReplaceSm::default()
        };
        self.ask(Command::REPLACE_SM, |out| replace.encode_body(out));
        self.status()
    }

    /// Submits and gives the id.
    pub fn accepted(&mut self, text: super::Text<'_>) -> String {
        self.submit(&[text]);
        self.run();
        let (_, answer) = self.answers.pop().expect("an answer");
        self.name(answer.outcome.expect("accepted"))
    }

    /// The carrier takes everything that went out, as `prefix` and a number; gives the texts.
    pub fn take_all(&mut self, prefix: &str) -> Vec<String> {
        let dispatches: Vec<_> = self.dispatches.drain(..).collect();
        for (place, (session, dispatch)) in dispatches.iter().enumerate() {
            let id = format!("{prefix}{place}");
            self.say(*session, dispatch.token, Word::Answered(Status::ROK), &id);
        }
        self.run();
        dispatches.iter().map(|(_, dispatch)| said(dispatch)).collect()
    }

    /// The carrier tells how the message ended that it took as `id`.
    pub fn ended(&mut self, id: &str, state: enroute::codec::MessageState) {
        self.receipt(LINK, 1, id, state);
        self.run();
    }
}

pub fn frame(pdu: &[u8]) -> Frame<'_> {
    next_frame(pdu, MAX_PDU_LEN).expect("framed").expect("whole")
}

pub fn status_of(pdu: &[u8]) -> Status {
    frame(pdu).header.status
}

/// The usual settings with a carrier that wants long texts so, and an account that wants receipts for their parts so.
pub fn carrier_that_wants(long: Long, part_receipts: PartReceipts) -> Settings {
    let mut settings = super::settings();
    settings.carriers[0].carrier.profile = Arc::new(Profile { long, ..Profile::default() });
    settings.accounts[0].part_receipts = part_receipts;
    settings
}

/// The body of a submit_sm like `sm`, between the usual two, with this much text in its message_payload.
pub fn long_text(octets: usize, sm: Sm<'_>) -> BytesMut {
    let mut tlvs = BytesMut::new();
    put_tlv(&mut tlvs, Tag::MESSAGE_PAYLOAD, &b"0123456789".repeat(octets / 10 + 1)[..octets]);
    let tlvs = Tlvs::read(&tlvs, Reading::Strict).expect("well formed");
    let mut body = BytesMut::new();
    Sm { source: SOURCE, destination: DESTINATION, tlvs, ..sm }.encode_body(&mut body);
    body
}
