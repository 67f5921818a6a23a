//! Our end of one session with a carrier's SMSC.
//!
//! ```text
//! hub ─► [LinkBatch] ─► apply ─► transmit ─► socket        socket ─► receive ─► [LinkEvent] ─► hub
//! ```

use super::wording::Wording;
use super::{
    Arrival, Carrier, Dispatch, Errand, LinkBatch, LinkIntake, Outcome, Reply, Unmarked, Verdict, arrival,
};
use crate::clock::Now;
use crate::codec::{self, Bind, Command, Reading, SmResp, Status, Tag, Version};
use crate::guard::guarded;
use crate::session::{BindKind, Event, Reason, Sent, Session, Settings, Unsent, frames};
use bytes::BytesMut;
use std::time::Instant;

/// One session with a carrier.
#[derive(Debug)]
pub struct Link {
    session: Session,
    /// What the carrier speaks, if that is not to be believed to its bind response.
    version: Option<Version>,
    unmarked: Unmarked,
    wording: Wording,
    /// Dispatches that may wait for an answer.
    window: usize,
    /// Errands that wait for an answer, beside the window.
    errands: usize,
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
    /// Binds to `carrier` as `kind` over a fresh connection.
    pub fn new(carrier: &Carrier, kind: BindKind, mut settings: Settings, now: Now) -> Self {
        let window_out = carrier.window + ERRANDS_MAX;
        settings.timers.response = carrier.response.unwrap_or(settings.timers.response);
        let settings = Settings { reading: Reading::Carrier, window_out, ..settings };
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
        session.bind(kind, &bind, now);
        Self {
            session,
            version: carrier.version,
            unmarked: carrier.unmarked_receipts,
            wording: Wording::new(carrier),
            window: carrier.window,
            errands: 0,
            intake: LinkIntake::default(),
            events: Vec::new(),
            refused: None,
        }
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
                    self.handle_event(event, now);
                }
            }
        }
        self.hand_over();
    }

    fn handle_event(&mut self, event: Event<'_>, now: Now) {
        match event {
            Event::Bound { kind, version } => {
                self.session.speak(self.version.unwrap_or(version));
                self.events.push(LinkEvent::Bound(kind));
            }
            Event::BindRefused(status) => self.refused = Some(status),
            Event::Response { sent, status, body } => self.handle_response(sent, status, body, now),
            Event::Unanswered(sent) => self.handle_silence(sent),
            Event::Request {
                command: command @ (Command::DELIVER_SM | Command::DATA_SM),
                sequence,
                body,
            } => {
                let matter = arrival::read(command, body, self.unmarked, &mut self.intake);
                self.intake.arrivals.push(Arrival { command, sequence, matter });
            }
            Event::Request { command: Command::ALERT_NOTIFICATION, body, .. } => {
                let kept = arrival::keep_alert(body, &mut self.intake);
                self.intake.alerts.extend(kept);
            }
            Event::Request { command, sequence, .. } => {
                self.session.answer(|out| {
                    codec::header_only(out, command.response(), Status::RINVCMDID, sequence);
                });
            }
            // Only our message centre's side is asked to let somebody in; a second outbind is one too many.
            Event::BindRequested { .. } | Event::Outbind(_) => {}
        }
    }

    fn handle_response(&mut self, sent: Sent, status: Status, body: &[u8], now: Now) {
        let resp = SmResp::decode(body);
        if let Some(state) = resp.tlvs.u8(Tag::CONGESTION_STATE) {
            self.intake.congestion = Some(state.min(100));
        }
        if is_errand(sent.command) {
            // A late one has been given up: whoever asked was told so.
            if !sent.late {
                self.errands -= 1;
                let body = self.intake.keep(body);
                self.intake.replies.push(Reply { token: sent.token, status: Some(status), body });
            }
            return;
        }
        if !sent.late {
            let waited = now.mono.saturating_duration_since(sent.at);
            self.intake.waits.get_or_insert_default().record(waited);
            self.intake.slowest = self.intake.slowest.max(waited);
        }
        let verdict = if sent.late { Verdict::Late(status) } else { Verdict::Answered(status) };
        let id = if status.is_ok() { self.intake.keep(resp.message_id) } else { 0..0 };
        self.intake.outcomes.push(Outcome { token: sent.token, verdict, id });
    }

    fn handle_silence(&mut self, sent: Sent) {
        if is_errand(sent.command) {
            self.errands -= 1;
            self.unanswered_errand(sent.token);
        } else {
            self.outcome(sent.token, Verdict::Unanswered);
        }
    }

    fn unanswered_errand(&mut self, token: u64) {
        self.intake.replies.push(Reply { token, status: None, body: 0..0 });
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
        for (command, sequence, status) in &batch.answers {
            self.session.answer(|out| codec::encode_receiver_resp(out, *command, *status, *sequence));
        }
        batch.glance();
        for dispatch in &batch.dispatches {
            self.submit(dispatch, now);
        }
        for errand in &batch.errands {
            self.run(errand, now);
        }
        if batch.unbind {
            self.session.unbind(now);
        }
        self.hand_over();
    }

    fn submit(&mut self, dispatch: &Dispatch, now: Now) {
        let Self { session, wording, .. } = self;
        if session.open() - self.errands >= self.window {
            return self.outcome(dispatch.token, Verdict::NotSent);
        }
        // What a customer wrote is put in other words here, for the first time maybe since a restart.
        let verdict = match guarded(|| wording.say(dispatch, session.version(), now)) {
            Some(Ok(said)) => {
                let write = |out: &mut BytesMut| guarded(|| said.write(out)).is_some();
                match session.try_request(said.command, dispatch.token, now, write) {
                    Ok(_) => None,
                    Err(Unsent::NoRoom) => Some(Verdict::NotSent),
                    Err(Unsent::Unwritten) => Some(Verdict::Unsayable),
                }
            }
            Some(Err(status)) => Some(Verdict::Unfit(status)),
            None => Some(Verdict::Unsayable),
        };
        if let Some(verdict) = verdict {
            self.outcome(dispatch.token, verdict);
        }
    }

    /// Asks the carrier what an ESME asks of it. No version before 5.0 has a word for it, and 3.3 no TLVs to say it in.
    fn run(&mut self, errand: &Errand, now: Now) {
        let sayable = self.errands < ERRANDS_MAX && self.session.version().takes_tlvs();
        let write = |out: &mut BytesMut| out.extend_from_slice(&errand.body);
        let sent = sayable.then(|| self.session.request(errand.command, errand.token, now, write)).flatten();
        match sent {
            Some(_) => self.errands += 1,
            None => self.unanswered_errand(errand.token),
        }
    }

    /// Does what is due by now.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(event) = self.session.handle_timeout(now) {
            self.handle_event(event, now);
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

    /// The session is over: tokens of the dispatches that nobody answered. Errands that nobody answered are one more
    /// [`LinkEvent::Intake`], which is to be taken before the hub hears of the end.
    pub fn lost(&mut self) -> Vec<u64> {
        let (errands, dispatches): (Vec<Sent>, Vec<Sent>) =
            self.session.unanswered().partition(|sent| is_errand(sent.command));
        errands.into_iter().for_each(|sent| self.handle_silence(sent));
        self.hand_over();
        dispatches.into_iter().map(|sent| sent.token).collect()
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

/// Whether a request is an ESME's that we pass on, not a message of the hub's.
const fn is_errand(command: Command) -> bool {
    matches!(command, Command::BROADCAST_SM | Command::QUERY_BROADCAST_SM | Command::CANCEL_BROADCAST_SM)
}

/// Errands of one link that may wait for an answer. They are few and have room of their own, so that the hub, which counts the
/// window, never finds it taken.
pub const ERRANDS_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::super::wording;
    use super::super::{Matter, Words};
    use super::*;
    use crate::clock::UnixMs;
    use crate::codec::{
        Address, AlertNotification, BindResp, Header, MessageState, Receipt, Sm, Tlvs, put_tlv,
    };
    use bytes::Bytes;
    use std::time::Duration;

    fn link_of(carrier: &Carrier) -> (Link, Now) {
        #[allow(clippy::disallowed_methods)] // a test needs some instant to start from
        let now = Now { mono: Instant::now(), wall: UnixMs(1_773_568_800_000) };
        let mut link = Link::new(carrier, carrier.bind, Settings::default(), now);
        let mut input = BytesMut::new();
        let resp = BindResp { system_id: b"smsc", sc_interface_version: Some(0x34) };
        resp.encode(&mut input, Command::BIND_TRANSCEIVER.response(), Status::ROK, 1);
        link.receive(&mut input, now);
        assert!(matches!(link.take_events().as_slice(), [LinkEvent::Bound(BindKind::Transceiver)]));
        link.session().transmit().clear();
        (link, now)
    }

    fn carrier() -> Carrier {
        Carrier { window: 2, ..Carrier::new("alpha", "127.0.0.1:1") }
    }

    fn link() -> (Link, Now) {
        link_of(&carrier())
    }

    fn message() -> Sm<'static> {
        let destination = Address { ton: 1, npi: 1, addr: b"447700900123" };
        Sm { destination, short_message: b"hello", ..Sm::default() }
    }

    fn dispatches<const N: usize>(tokens: [u64; N], is_data: bool, now: Now) -> LinkBatch {
        let mut body = BytesMut::new();
        message().encode_body(&mut body);
        let body = body.freeze();
        let left = Duration::from_secs(60);
        let expires = now.wall.after(left);
        let dispatches = tokens
            .map(|token| Dispatch {
                token,
                body: body.clone(),
                expires,
                left,
                is_scheduled: false,
                is_receipted: true,
                is_data,
                words: Words::Common,
            })
            .into();
        LinkBatch { dispatches, ..LinkBatch::default() }
    }

    fn errand(token: u64) -> LinkBatch {
        let errand =
            Errand { token, command: Command::QUERY_BROADCAST_SM, body: Bytes::from_static(b"A1\0\0\0\0") };
        LinkBatch { errands: vec![errand], ..LinkBatch::default() }
    }

    fn intake(link: &mut Link) -> LinkIntake {
        match link.take_events().next() {
            Some(LinkEvent::Intake(intake)) => intake,
            other => panic!("{other:?}"),
        }
    }

    /// PDUs that the link has written, as (command, status, octets of body).
    fn written(link: &mut Link) -> Vec<(Command, Status, usize)> {
        let out = link.session().transmit().split();
        frames(&out).map(|(_, frame)| (frame.header.command, frame.header.status, frame.body.len())).collect()
    }

    /// Fact sheet 2.3, 8.2: receipts come by either PDU and are answered with its response and one NUL, whatever the status.
    #[test]
    fn arrivals_are_answered_in_kind() {
        let (mut link, now) = link();
        let mut body = BytesMut::new();
        Receipt::new(b"77", MessageState::Delivered).write_body(&message(), Version::V34, &mut body);
        let receipt = Sm::decode(&body, Reading::Strict).expect("ours");
        let mut input = BytesMut::new();
        receipt.encode(&mut input, Command::DELIVER_SM, 4);
        receipt.encode_data(&mut input, 5);

        link.receive(&mut input, now);

        let intake = intake(&mut link);
        for (arrival, command) in intake.arrivals.iter().zip([Command::DELIVER_SM, Command::DATA_SM]) {
            let Matter::Receipt { id, state, .. } = &arrival.matter else { panic!("{arrival:?}") };
            assert_eq!(
                (arrival.command, intake.id(id), *state),
                (command, &b"77"[..], MessageState::Delivered)
            );
        }
        let statuses = [Status::ROK, Status::RX_T_APPN];
        let told = intake.arrivals.iter().zip(statuses);
        let answers = told.map(|(arrival, status)| (arrival.command, arrival.sequence, status)).collect();
        link.apply(&LinkBatch { answers, ..LinkBatch::default() }, now);
        let expected =
            [(Command::DELIVER_SM.response(), statuses[0], 1), (Command::DATA_SM.response(), statuses[1], 1)];
        assert_eq!(written(&mut link), expected);
    }

    #[test]
    fn alert_is_told_and_never_answered() {
        let (mut link, now) = link();
        let mut input = BytesMut::new();
        let alert = AlertNotification { source: message().destination, ..AlertNotification::default() };
        alert.encode(&mut input, 9);

        link.receive(&mut input, now);

        let intake = intake(&mut link);
        let told = AlertNotification::decode(intake.id(&intake.alerts[0]), Reading::Strict);
        assert_eq!((told, written(&mut link)), (Ok(alert), vec![]));
    }

    #[test]
    fn dispatch_asks_for_a_receipt_and_its_fate_is_told() {
        let (mut link, now) = link();

        link.apply(&dispatches([1, 2, 3], false, now), now);
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

    /// Field bug F14: a refusal by data_sm_resp keeps its status, and what it says of the carrier's load is heard.
    #[test]
    fn data_sm_is_answered_by_its_own_response() {
        let (mut link, now) = link_of(&Carrier { takes_data_sm: true, ..carrier() });

        link.apply(&dispatches([1, 2], true, now), now);
        assert!(written(&mut link).iter().all(|(command, ..)| *command == Command::DATA_SM));
        let mut tlvs = BytesMut::new();
        put_tlv(&mut tlvs, Tag::CONGESTION_STATE, &[85]);
        let tlvs = Tlvs::read(&tlvs, Reading::Strict).expect("well formed");
        let mut input = BytesMut::new();
        SmResp { message_id: b"A1", tlvs: Tlvs::empty() }.encode(
            &mut input,
            Command::DATA_SM.response(),
            Status::ROK,
            2,
        );
        SmResp { message_id: b"A2", tlvs }.encode(
            &mut input,
            Command::DATA_SM.response(),
            Status::RINVDCS,
            3,
        );
        link.receive(&mut input, now);

        let intake = intake(&mut link);
        let fates: Vec<_> =
            intake.outcomes.iter().map(|known| (known.verdict, intake.id(&known.id))).collect();
        let expected =
            [(Verdict::Answered(Status::ROK), &b"A1"[..]), (Verdict::Answered(Status::RINVDCS), b"")];
        assert_eq!((fates, intake.congestion), (expected.to_vec(), Some(85)));
    }

    /// Field bugs F12, F16: any status, known or not, with any body or none, is the answer of its request and keeps its value.
    #[test]
    fn refusals_keep_their_status_whatever_their_body() {
        let (mut link, now) = link();
        for (round, body) in
            [&b""[..], b"\0", b"abc\0", b"abc\0\x04\x28\0\x01\x0A", b"\xFF\xFF\xFF"].into_iter().enumerate()
        {
            link.apply(&dispatches([7], false, now), now);
            let mut input = BytesMut::new();
            let start =
                codec::begin(&mut input, Command::SUBMIT_SM.response(), Status(0x0433), 2 + round as u32);
            input.extend_from_slice(body);
            codec::finish(&mut input, start);

            link.receive(&mut input, now);

            let refused = Outcome { token: 7, verdict: Verdict::Answered(Status(0x0433)), id: 0..0 };
            assert_eq!(intake(&mut link).outcomes, [refused], "{body:?}");
        }
    }

    /// Fact sheet 10.7: the setting counts, not what the bind response says.
    #[test]
    fn carrier_that_is_to_be_treated_as_3_3_gets_no_parameters() {
        let (mut link, now) = link_of(&Carrier { version: Some(Version::V33), ..carrier() });
        let mut batch = dispatches([1], false, now);
        let mut body = BytesMut::from(&batch.dispatches[0].body[..]);
        put_tlv(&mut body, Tag::USER_MESSAGE_REFERENCE, &[1, 2]);
        batch.dispatches[0].body = body.freeze();

        link.apply(&batch, now);

        let out = link.session().transmit().split();
        let sm = Sm::decode(&out[Header::LEN..], Reading::Strict).expect("legal");
        assert!(sm.tlvs.is_empty());
    }

    #[test]
    fn errand_is_passed_on_and_its_answer_comes_back_whole() {
        let (mut link, now) = link();

        link.apply(&errand(7), now);
        assert_eq!(written(&mut link), [(Command::QUERY_BROADCAST_SM, Status::ROK, 6)]);
        let mut input = BytesMut::new();
        let start = codec::begin(&mut input, Command::QUERY_BROADCAST_SM.response(), Status::ROK, 2);
        input.extend_from_slice(b"A1\0\x04\x27\0\x01\x02");
        codec::finish(&mut input, start);
        link.receive(&mut input, now);

        let intake = intake(&mut link);
        let Reply { token, status, body } = &intake.replies[0];
        assert_eq!(
            (*token, *status, intake.id(body)),
            (7, Some(Status::ROK), &b"A1\0\x04\x27\0\x01\x02"[..])
        );
        assert!(intake.outcomes.is_empty());
    }

    /// Whoever asked is told once, however it fails: no room, no answer, no session.
    #[test]
    fn errand_that_is_not_answered_is_replied_to_without_a_status() {
        let silent = |token| Reply { token, status: None, body: 0..0 };
        let (mut link, now) = link();
        let tokens = 1..=ERRANDS_MAX as u64;

        for token in tokens.clone().chain([77]) {
            link.apply(&errand(token), now);
        }
        assert_eq!(intake(&mut link).replies, [silent(77)]);
        let late = now.after(Duration::from_secs(30));
        link.handle_timeout(late);
        assert_eq!(intake(&mut link).replies, tokens.map(silent).collect::<Vec<_>>());
        link.apply(&errand(4), late);
        link.apply(&dispatches([5], false, late), late);
        link.close(Reason::PeerGone);

        assert_eq!(link.lost(), [5]);
        assert_eq!(intake(&mut link).replies, [silent(4)]);
    }

    /// Reliability X33: a message that our own words fail for is told as that; nothing of it is left, and the next one goes.
    #[test]
    fn panic_over_one_message_is_that_messages_alone() {
        let (mut link, now) = link();
        let mut batch = dispatches([1, 2], false, now);
        let mut body = BytesMut::from(&batch.dispatches[0].body[..]);
        put_tlv(&mut body, Tag::USER_MESSAGE_REFERENCE, &wording::PANIC.to_be_bytes());
        batch.dispatches[0].body = body.freeze();

        let mut fates = Vec::new();
        for _ in 0..3 {
            link.apply(&batch, now);
            fates.extend(intake(&mut link).outcomes.into_iter().map(|fate| (fate.token, fate.verdict)));
        }

        let (unsayable, not_sent) = ((1, Verdict::Unsayable), (2, Verdict::NotSent));
        // The third time the window is full.
        assert_eq!(fates, [unsayable, unsayable, (1, Verdict::NotSent), not_sent]);
        assert_eq!(written(&mut link).len(), 2);
    }

    /// The hub gives a link what its window has room for: an errand must not make one of them come back.
    #[test]
    fn errands_take_no_place_in_the_window() {
        let (mut link, now) = link();

        link.apply(&errand(1), now);
        link.apply(&dispatches([2, 3, 4], false, now), now);

        let not_sent = Outcome { token: 4, verdict: Verdict::NotSent, id: 0..0 };
        assert_eq!(intake(&mut link).outcomes, [not_sent]);
        assert_eq!(written(&mut link).len(), 3);
    }
}
