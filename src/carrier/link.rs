//! Our end of one session with a carrier's SMSC.
//!
//! ```text
//! hub ─► [LinkBatch] ─► apply ─► transmit ─► socket        socket ─► receive ─► [LinkEvent] ─► hub
//! ```

use super::{Arrival, Carrier, Dispatch, LinkBatch, LinkIntake, Matter, Outcome, Verdict};
use crate::clock::Now;
use crate::codec::{
    self, Bind, Command, MessageState, Reading, Receipt, Relay, Sm, SmResp, Status, decode_receipt_text,
    relay_submit, write_relative,
};
use crate::session::{BindKind, Event, Reason, Session, Settings, frames};
use bytes::BytesMut;
use std::ops::Range;
use std::time::Instant;

/// One session with a carrier.
#[derive(Debug)]
pub struct Link {
    session: Session,
    intake: LinkIntake,
    events: Vec<LinkEvent>,
    refused: Option<Status>,
}

/// What a link has to tell the hub.
#[derive(Debug)]
pub enum LinkEvent {
    /// The session stands.
    Bound(BindKind),
    /// One read's worth.
    Intake(LinkIntake),
}

impl Link {
    /// Binds to `carrier` over a fresh connection.
    pub fn new(carrier: &Carrier, settings: Settings, now: Now) -> Self {
        let settings = Settings { reading: Reading::Carrier, window_out: carrier.window, ..settings };
        let mut session = Session::connect(settings, now);
        let bind = Bind {
            system_id: carrier.system_id.as_bytes(),
            password: carrier.password.as_bytes(),
            system_type: carrier.system_type.as_bytes(),
            interface_version: carrier.interface_version,
            addr_ton: 0,
            addr_npi: 0,
            address_range: b"",
        };
        session.bind(carrier.bind, &bind, now);
        Self { session, intake: LinkIntake::default(), events: Vec::new(), refused: None }
    }

    /// Takes what may be handled now off the front of `input`.
    pub fn receive(&mut self, input: &mut BytesMut, now: Now) {
        loop {
            let batch = self.session.take_frames(input, now);
            if batch.is_empty() {
                break;
            }
            for (_, frame) in frames(&batch) {
                if let Some(event) = self.session.handle(frame, now) {
                    self.handle_event(event);
                }
            }
        }
        self.hand_over();
    }

    fn handle_event(&mut self, event: Event<'_>) {
        match event {
            Event::Bound { kind, .. } => self.events.push(LinkEvent::Bound(kind)),
            Event::BindRefused(status) => self.refused = Some(status),
            Event::Response { sent, status, body } => {
                let verdict = if sent.late { Verdict::Late(status) } else { Verdict::Answered(status) };
                let id = if status.is_ok() { self.keep(SmResp::decode(body).message_id) } else { 0..0 };
                self.intake.outcomes.push(Outcome { token: sent.token, verdict, id });
            }
            Event::Unanswered(sent) => self.outcome(sent.token, Verdict::Unanswered),
            Event::Request { command: Command::DELIVER_SM, sequence, body } => {
                let matter = self.read(body);
                self.intake.arrivals.push(Arrival { sequence, matter });
            }
            Event::Request { command, sequence, .. } => {
                self.session.answer(|out| {
                    codec::header_only(out, command.response(), Status::RINVCMDID, sequence);
                });
            }
            // Only our message centre's side is asked to let somebody in.
            Event::BindRequested { .. } => {}
        }
    }

    fn read(&mut self, body: &[u8]) -> Matter {
        let Ok(sm) = Sm::decode(body, Reading::Carrier) else { return Matter::Unreadable };
        if !sm.is_receipt() && !sm.is_intermediate() {
            return Matter::Inbound;
        }
        let decoded = decode_receipt_text(&sm);
        let receipt = match &decoded {
            Some(text) => Receipt::read_decoded(&sm, text),
            None => Receipt::read(&sm),
        };
        let Some(receipt) = receipt else { return Matter::Unreadable };
        let state = match receipt.state {
            // An intermediate notification never ends a message, whatever state it names.
            _ if sm.is_intermediate() => MessageState::Enroute,
            state => state,
        };
        let error = receipt.network_error.unwrap_or_else(|| text_error(receipt.error));
        let id = self.keep(receipt.message_id);
        let text_id = self.keep(receipt.text_id.unwrap_or_default());
        let destination = self.keep(sm.source.addr);
        Matter::Receipt { id, text_id, state, error, destination }
    }

    fn keep(&mut self, octets: &[u8]) -> Range<u32> {
        let start = self.intake.ids.len() as u32;
        self.intake.ids.extend_from_slice(octets);
        start..self.intake.ids.len() as u32
    }

    fn outcome(&mut self, token: u64, verdict: Verdict) {
        self.intake.outcomes.push(Outcome { token, verdict, id: 0..0 });
    }

    fn hand_over(&mut self) {
        if !self.intake.is_empty() {
            self.events.push(LinkEvent::Intake(std::mem::take(&mut self.intake)));
        }
    }

    /// Takes what the hub has for this session.
    pub fn apply(&mut self, batch: &LinkBatch, now: Now) {
        for (sequence, status) in &batch.answers {
            self.session.answer(|out| codec::encode_deliver_resp(out, *status, *sequence));
        }
        for dispatch in &batch.dispatches {
            self.submit(dispatch, now);
        }
        if batch.unbind {
            self.session.unbind(now);
        }
        self.hand_over();
    }

    fn submit(&mut self, dispatch: &Dispatch, now: Now) {
        let takes_tlvs = self.session.version().takes_tlvs();
        let body = &dispatch.body[..];
        let Ok(sm) = Sm::decode(body, Reading::Lenient) else {
            self.outcome(dispatch.token, Verdict::Answered(Status::RINVMSGLEN));
            return;
        };
        let left = write_relative(dispatch.expires.since(now.wall));
        let relay = Relay {
            // The hub keeps the schedule, and tells what is left of a validity that the customer gave.
            schedule_delivery_time: b"",
            validity_period: if sm.validity_period.is_empty() { b"" } else { &left },
            registered_delivery: sm.registered_delivery & !OUTCOME_MASK | OUTCOME_ALWAYS,
        };
        let sent = self.session.request(Command::SUBMIT_SM, dispatch.token, now, |out| {
            if relay_submit(body, &relay, takes_tlvs, out).is_err() {
                out.extend_from_slice(body); // can't be: it was read a moment ago
            }
        });
        if sent.is_none() {
            self.outcome(dispatch.token, Verdict::NotSent);
        }
    }

    /// Does what is due by now.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(event) = self.session.handle_timeout(now) {
            self.handle_event(event);
        }
        self.hand_over();
    }

    /// When [`Link::handle_timeout`] has something to do.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.session.next_timeout()
    }

    /// What the link has to tell the hub, in order.
    pub fn take_events(&mut self) -> std::vec::Drain<'_, LinkEvent> {
        self.events.drain(..)
    }

    /// The session is over: tokens of the dispatches that nobody answered.
    pub fn lost(&mut self) -> Vec<u64> {
        self.session.unanswered().map(|sent| sent.token).collect()
    }

    /// The status that our bind was refused with, if it was.
    pub fn refused(&self) -> Option<Status> {
        self.refused
    }

    /// Ends the session without a handshake.
    pub fn close(&mut self, reason: Reason) {
        self.session.close(reason);
    }

    /// The session behind the link.
    pub fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Whether octets of the peer may be read.
    pub fn wants_read(&self) -> bool {
        self.session.wants_read()
    }

    /// Why the session ended, if it has.
    pub fn closed(&self) -> Option<Reason> {
        self.session.closed()
    }
}

/// The error of a receipt's text as a network_error_code: MC specific, with the number if it is one.
fn text_error(text: &[u8]) -> [u8; 3] {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<u16>().ok()).unwrap_or(0);
    let [high, low] = number.to_be_bytes();
    [MC_SPECIFIC, high, low]
}

/// registered_delivery bits 1-0: which outcomes are reported (SMPP 3.4 §5.2.17).
const OUTCOME_MASK: u8 = 0b11;
/// A receipt for every outcome: the hub wants to know how each message ends, asked for or not.
const OUTCOME_ALWAYS: u8 = 0b01;
/// network_error_code, octet 1: MC specific (SMPP 5.0 §4.8.4.42).
const MC_SPECIFIC: u8 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMs;
    use crate::codec::{Address, BindResp, Tag, Tlvs, put_tlv};
    use std::time::Duration;

    fn link() -> (Link, Now) {
        #[allow(clippy::disallowed_methods)] // a test needs some instant to start from
        let now = Now { mono: Instant::now(), wall: UnixMs(1_773_568_800_000) };
        let carrier = Carrier {
            name: "alpha".into(),
            address: "127.0.0.1:1".into(),
            system_id: "hub".into(),
            password: "secret".into(),
            system_type: String::new(),
            interface_version: 0x34,
            bind: BindKind::Transceiver,
            links: 1,
            window: 2,
            reconnect: (Duration::from_secs(1), Duration::from_secs(60)),
        };
        let mut link = Link::new(&carrier, Settings::default(), now);
        let mut input = BytesMut::new();
        let resp = BindResp { system_id: b"smsc", sc_interface_version: Some(0x34) };
        resp.encode(&mut input, Command::BIND_TRANSCEIVER.response(), Status::ROK, 1);
        link.receive(&mut input, now);
        assert!(matches!(link.take_events().as_slice(), [LinkEvent::Bound(BindKind::Transceiver)]));
        link.session().transmit().clear();
        (link, now)
    }

    fn sm<'a>(esm_class: u8, data_coding: u8, text: &'a [u8], tlvs: &'a [u8]) -> Sm<'a> {
        Sm {
            service_type: b"",
            source: Address { ton: 1, npi: 1, addr: b"447700900123" },
            destination: Address { ton: 0, npi: 0, addr: b"12345" },
            esm_class,
            protocol_id: 0,
            priority_flag: 0,
            schedule_delivery_time: b"",
            validity_period: b"",
            registered_delivery: 0,
            replace_if_present_flag: 0,
            data_coding,
            sm_default_msg_id: 0,
            short_message: text,
            tlvs: Tlvs::read(tlvs, Reading::Lenient).expect("well formed"),
        }
    }

    /// What a deliver_sm says, as (id, id of the text, state).
    fn read(sm: &Sm<'_>) -> Option<(Vec<u8>, Vec<u8>, MessageState)> {
        let (mut link, now) = link();
        let mut input = BytesMut::new();
        sm.encode(&mut input, Command::DELIVER_SM, 9);
        link.receive(&mut input, now);
        let Some(LinkEvent::Intake(intake)) = link.take_events().next() else { panic!("nothing came") };
        assert_eq!(intake.arrivals[0].sequence, 9);
        match &intake.arrivals[0].matter {
            Matter::Receipt { id, text_id, state, destination, .. } => {
                assert_eq!(intake.id(destination), b"447700900123");
                Some((intake.id(id).to_vec(), intake.id(text_id).to_vec(), *state))
            }
            Matter::Inbound | Matter::Unreadable => None,
        }
    }

    const TEXT: &[u8] =
        b"id:77 sub:001 dlvrd:001 submit date:2603151000 done date:2603151001 stat:DELIVRD err:000 text:";

    /// Field bugs D9, D10, D11.
    #[test]
    fn receipts_are_read_in_every_form() {
        let wide: Vec<u8> = TEXT.iter().flat_map(|octet| [0, *octet]).collect();
        let mut tlvs = BytesMut::new();
        put_tlv(&mut tlvs, Tag::RECEIPTED_MESSAGE_ID, b"77\0");
        put_tlv(&mut tlvs, Tag::MESSAGE_STATE, &[2]);
        let expected = Some((b"77".to_vec(), Vec::new(), MessageState::Delivered));

        assert_eq!(read(&sm(0x04, 0, TEXT, b"")), expected);
        assert_eq!(read(&sm(0x04, 0, b"", &tlvs)), expected);
        assert_eq!(read(&sm(0x04, 8, &wide, b"")), expected);
    }

    #[test]
    fn id_of_the_text_is_told_where_it_differs() {
        let mut tlvs = BytesMut::new();
        put_tlv(&mut tlvs, Tag::RECEIPTED_MESSAGE_ID, b"4D\0");

        assert_eq!(
            read(&sm(0x04, 0, TEXT, &tlvs)),
            Some((b"4D".to_vec(), b"77".to_vec(), MessageState::Delivered))
        );
    }

    /// Field bug D8.
    #[test]
    fn intermediate_notification_is_never_final_and_a_persons_text_no_receipt() {
        assert_eq!(read(&sm(0x20, 0, TEXT, b"")).map(|(.., state)| state), Some(MessageState::Enroute));
        assert_eq!(read(&sm(0, 0, TEXT, b"")), None);
        assert_eq!(read(&sm(0x04, 0, b"nothing", b"")), None);
    }

    #[test]
    fn dispatch_asks_for_a_receipt_and_its_fate_is_told() {
        let (mut link, now) = link();
        let mut body = BytesMut::new();
        sm(0, 0, b"hello", b"").encode_body(&mut body);
        let body = body.freeze();
        let expires = now.wall.after(Duration::from_secs(60));
        let dispatches = [1, 2, 3].map(|token| Dispatch { token, body: body.clone(), expires }).into();

        link.apply(&LinkBatch { dispatches, ..LinkBatch::default() }, now);
        let out = link.session().transmit().split();
        for (_, frame) in frames(&out) {
            let sm = Sm::decode(frame.body, Reading::Lenient).expect("a submit_sm");
            assert_eq!((sm.registered_delivery, sm.short_message), (1, &b"hello"[..]));
        }
        let mut input = BytesMut::new();
        codec::encode_submit_resp(&mut input, Status::ROK, 2, b"abc");
        link.receive(&mut input, now);
        link.handle_timeout(now.after(Duration::from_secs(30)));

        let mut fates = Vec::new();
        for event in link.take_events() {
            let LinkEvent::Intake(intake) = event else { continue };
            let fate = |known: &Outcome| (known.token, known.verdict, intake.id(&known.id).to_vec());
            fates.extend(intake.outcomes.iter().map(fate));
        }
        assert_eq!(
            fates,
            [
                (3, Verdict::NotSent, vec![]),
                (1, Verdict::Answered(Status::ROK), b"abc".to_vec()),
                (2, Verdict::Unanswered, vec![])
            ]
        );
    }
}
