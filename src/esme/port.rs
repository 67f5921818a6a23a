//! The hub's end of one ESME session.
//!
//! ```text
//! socket ─► receive ─► [PortEvent] ─► hub        hub ─► [PortBatch] ─► apply ─► transmit ─► socket
//! ```

use super::{Answer, Intake, PortBatch, Registry, Seat, Submission, Verdict};
use crate::clock::Now;
use crate::codec::{self, Bind, Command, FieldError, Reading, Sm, Status, Version};
use crate::id::{AccountId, IdKey};
use crate::session::{BindKind, Event, Reason, Session, Settings, frames};
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One session of an account, or of somebody who has yet to say who he is.
#[derive(Debug)]
pub struct Port {
    session: Session,
    reading: Reading,
    registry: Arc<Registry>,
    id_key: IdKey,
    seat: Option<Seat>,
    /// A bind that was refused, and when it is told so.
    refusal: Option<(Instant, Status)>,
    intake: Intake,
    events: Vec<PortEvent>,
    stats: PortStats,
}

/// What a port has to tell the hub.
#[derive(Debug)]
pub enum PortEvent {
    /// An account's session stands.
    Bound { account: AccountId, kind: BindKind, version: Version, window: usize },
    /// One read's worth.
    Intake(Intake),
}

/// What a port has seen, for metrics; beside the session's own [`crate::session::Stats`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortStats {
    pub binds_refused: u64,
    /// Requests refused before the hub saw them, by status.
    pub refused: Vec<(Status, u64)>,
}

impl Port {
    /// A port for a fresh connection.
    pub fn new(settings: Settings, registry: Arc<Registry>, id_key: IdKey, now: Now) -> Self {
        Self {
            session: Session::serve(settings, now),
            reading: settings.reading,
            registry,
            id_key,
            seat: None,
            refusal: None,
            intake: Intake::default(),
            events: Vec::new(),
            stats: PortStats::default(),
        }
    }

    /// Takes what may be handled now off the front of `input`.
    pub fn receive(&mut self, input: &mut BytesMut, now: Now) {
        while self.refusal.is_none() {
            let batch = self.session.take_frames(input, now);
            if batch.is_empty() {
                break;
            }
            for (at, frame) in frames(&batch) {
                if let Some(event) = self.session.handle(frame, now) {
                    self.handle_event(event, at, now);
                }
            }
            self.hand_over(batch);
        }
    }

    fn handle_event(&mut self, event: Event<'_>, at: usize, now: Now) {
        match event {
            Event::BindRequested { kind, bind } => self.handle_bind(kind, &bind, now),
            Event::Request { command: Command::SUBMIT_SM, sequence, body } => {
                match Sm::decode(body, self.reading) {
                    Ok(_) => {
                        let body = at as u32..(at + body.len()) as u32;
                        self.intake.submissions.push(Submission { sequence, body });
                    }
                    Err(FieldError { status, .. }) => self.refuse(Command::SUBMIT_SM, sequence, status),
                }
            }
            Event::Request { command, sequence, .. } => {
                self.refuse(command, sequence, Status::RINVCMDID);
            }
            Event::Response { sent, status, .. } if !sent.late => {
                self.intake.verdicts.push((sent.token, Verdict::of(status)));
            }
            Event::Unanswered(sent) => self.intake.verdicts.push((sent.token, Verdict::Unanswered)),
            // A late answer changes nothing: the delivery went back to the account's queue long ago.
            Event::Response { .. } => {}
            // Only our ESME side binds.
            Event::Bound { .. } | Event::BindRefused(_) => {}
        }
    }

    fn handle_bind(&mut self, kind: BindKind, bind: &Bind<'_>, now: Now) {
        match self.registry.bind(bind.system_id, bind.password) {
            Ok(seat) => {
                let version = Version::from_interface(bind.interface_version);
                let (window, deliver_window) = (seat.account.window, seat.account.deliver_window);
                self.session.accept_bind(SYSTEM_ID, version, window, deliver_window, now);
                self.events.push(PortEvent::Bound {
                    account: seat.id,
                    kind,
                    version,
                    window: deliver_window,
                });
                self.seat = Some(seat);
            }
            Err(status) => {
                self.stats.binds_refused += 1;
                self.refusal = Some((now.mono + REFUSAL_DELAY, status));
            }
        }
    }

    fn refuse(&mut self, command: Command, sequence: u32, status: Status) {
        match self.stats.refused.iter_mut().find(|(known, _)| *known == status) {
            Some((_, times)) => *times += 1,
            None => self.stats.refused.push((status, 1)),
        }
        let status = status.for_version(self.session.version());
        self.session.answer(|out| codec::header_only(out, command.response(), status, sequence));
    }

    fn hand_over(&mut self, batch: Bytes) {
        if !self.intake.is_empty() {
            let mut intake = std::mem::take(&mut self.intake);
            if !intake.submissions.is_empty() {
                intake.batch = batch;
            }
            self.events.push(PortEvent::Intake(intake));
        }
    }

    /// Takes what the hub has for this session.
    pub fn apply(&mut self, batch: &PortBatch, now: Now) {
        for answer in &batch.answers {
            self.answer(answer);
        }
        for (token, body) in &batch.deliveries {
            let body = &batch.bodies[body.start as usize..body.end as usize];
            let sent =
                self.session.request(Command::DELIVER_SM, *token, now, |out| out.extend_from_slice(body));
            if sent.is_none() {
                self.intake.verdicts.push((*token, Verdict::NotSent));
            }
        }
        if batch.unbind {
            self.session.unbind(now);
        }
        self.hand_over(Bytes::new());
    }

    fn answer(&mut self, answer: &Answer) {
        let (version, key) = (self.session.version(), &self.id_key);
        let sequence = answer.sequence;
        self.session.answer(|out| match answer.outcome {
            Ok(id) if version == Version::V33 => {
                codec::encode_submit_resp(out, Status::ROK, sequence, &id.short_text(key));
            }
            Ok(id) => codec::encode_submit_resp(out, Status::ROK, sequence, &id.text(key)),
            Err(status) => codec::encode_submit_resp(out, status.for_version(version), sequence, b""),
        });
    }

    /// Does what is due by now.
    pub fn handle_timeout(&mut self, now: Now) {
        if let Some((at, status)) = self.refusal
            && now.mono >= at
        {
            self.session.refuse_bind(status);
        }
        while let Some(event) = self.session.handle_timeout(now) {
            self.handle_event(event, 0, now);
        }
        self.hand_over(Bytes::new());
    }

    /// When [`Port::handle_timeout`] has something to do.
    pub fn next_timeout(&self) -> Option<Instant> {
        let refusal = self.refusal.filter(|_| self.session.closed().is_none()).map(|(at, _)| at);
        [refusal, self.session.next_timeout()].into_iter().flatten().min()
    }

    /// What the port has to tell the hub, in order.
    pub fn take_events(&mut self) -> std::vec::Drain<'_, PortEvent> {
        self.events.drain(..)
    }

    /// The account that is bound, if one is.
    pub fn seat(&self) -> Option<&Seat> {
        self.seat.as_ref()
    }

    /// Ends the session without a handshake.
    pub fn close(&mut self, reason: Reason) {
        self.session.close(reason);
    }

    /// The session behind the port.
    pub fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Whether octets of the peer may be read.
    pub fn wants_read(&self) -> bool {
        self.refusal.is_none() && self.session.wants_read()
    }

    /// Why the session ended, if it has.
    pub fn closed(&self) -> Option<Reason> {
        self.session.closed()
    }

    /// Counts since the last call.
    pub fn take_stats(&mut self) -> PortStats {
        std::mem::take(&mut self.stats)
    }
}

/// What we call ourselves in bind responses.
const SYSTEM_ID: &[u8] = b"enroute";

/// How long a refused bind waits for its answer, so that guessing is slow (fact sheet 10.1).
const REFUSAL_DELAY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::super::Account;
    use super::*;
    use crate::clock::UnixMs;
    use crate::codec::{Address, Header, Tlvs};
    use crate::id::MessageId;

    const KEY: IdKey = IdKey(*b"sixteen octets!!");

    fn port() -> (Port, Now) {
        #[allow(clippy::disallowed_methods)] // a test needs some instant to start from
        let now = Now { mono: Instant::now(), wall: UnixMs(1_773_568_800_000) };
        let account = Account {
            system_id: "demo".into(),
            password: "secret".into(),
            binds: 2,
            window: 10,
            deliver_window: 2,
        };
        (Port::new(Settings::default(), Registry::new(&[account]), KEY, now), now)
    }

    fn bind(password: &[u8], interface_version: u8) -> BytesMut {
        let mut out = BytesMut::new();
        let bind = Bind {
            system_id: b"demo",
            password,
            system_type: b"",
            interface_version,
            addr_ton: 0,
            addr_npi: 0,
            address_range: b"",
        };
        bind.encode(&mut out, Command::BIND_TRANSCEIVER, 1);
        out
    }

    fn bound(interface_version: u8) -> (Port, Now) {
        let (mut port, now) = port();
        port.receive(&mut bind(b"secret", interface_version), now);
        assert!(matches!(port.take_events().as_slice(), [PortEvent::Bound { .. }]));
        port.session().transmit().clear();
        (port, now)
    }

    fn submit(out: &mut BytesMut, sequence: u32) {
        Sm {
            service_type: b"",
            source: Address { ton: 0, npi: 0, addr: b"1" },
            destination: Address { ton: 1, npi: 1, addr: b"447700900123" },
            esm_class: 0,
            protocol_id: 0,
            priority_flag: 0,
            schedule_delivery_time: b"",
            validity_period: b"",
            registered_delivery: 1,
            replace_if_present_flag: 0,
            data_coding: 0,
            sm_default_msg_id: 0,
            short_message: b"hello",
            tlvs: Tlvs::empty(),
        }
        .encode(out, Command::SUBMIT_SM, sequence);
    }

    fn intake(port: &mut Port) -> Intake {
        match port.take_events().next() {
            Some(PortEvent::Intake(intake)) => intake,
            other => panic!("{other:?}"),
        }
    }

    /// Field bug F8: a faulty one among them is answered at once, and the others go on.
    #[test]
    fn one_read_is_one_batch_and_the_faulty_are_answered_here() {
        let (mut port, now) = bound(0x34);
        let mut input = BytesMut::new();
        submit(&mut input, 5);
        codec::header_only(&mut input, Command::SUBMIT_SM, Status::ROK, 6);
        submit(&mut input, 7);

        port.receive(&mut input, now);

        let intake = intake(&mut port);
        assert_eq!(intake.submissions.iter().map(|known| known.sequence).collect::<Vec<_>>(), [5, 7]);
        for Submission { body, .. } in &intake.submissions {
            let body = &intake.batch[body.start as usize..body.end as usize];
            assert_eq!(Sm::decode(body, Reading::Lenient).map(|sm| sm.short_message), Ok(&b"hello"[..]));
        }
        let out = port.session().transmit().split();
        let (_, refused) = frames(&out).next().expect("an answer");
        assert_eq!((refused.header.sequence, refused.header.status.is_ok()), (6, false));
        assert_eq!(frames(&out).count(), 1);
    }

    #[test]
    fn refusals_of_one_read_are_counted_by_status() {
        let (mut port, now) = bound(0x34);
        let mut input = BytesMut::new();
        codec::header_only(&mut input, Command::SUBMIT_SM, Status::ROK, 2);
        codec::header_only(&mut input, Command::QUERY_SM, Status::ROK, 3);
        codec::header_only(&mut input, Command::SUBMIT_SM, Status::ROK, 4);

        port.receive(&mut input, now);

        let refused = vec![(Status::RINVCMDLEN, 2), (Status::RINVCMDID, 1)];
        assert_eq!(port.take_stats(), PortStats { binds_refused: 0, refused });
    }

    /// Fact sheet 10.7: a peer of 3.3 takes ids of eight characters and statuses of one octet.
    #[test]
    fn answers_are_in_the_peers_version() {
        let id = MessageId { serial: 9, slot: 1 };
        for (declared, text) in [(0x33, id.short_text(&KEY).to_vec()), (0x34, id.text(&KEY).to_vec())] {
            let (mut port, now) = bound(declared);
            let mut input = BytesMut::new();
            submit(&mut input, 5);
            port.receive(&mut input, now);

            let answers = vec![Answer { sequence: 5, outcome: Ok(id) }];
            port.apply(&PortBatch { answers, ..PortBatch::default() }, now);

            let out = port.session().transmit().split();
            assert_eq!(codec::SmResp::decode(&out[Header::LEN..]).message_id, text);
        }
    }

    /// Fact sheet 4.3.
    #[test]
    fn statuses_of_a_delivery_decide_whether_it_comes_again() {
        for (status, verdict) in [
            (Status::ROK, Verdict::Taken),
            (Status::RSYSERR, Verdict::Later),
            (Status::RMSGQFUL, Verdict::Later),
            (Status::RTHROTTLED, Verdict::Later),
            (Status::RX_T_APPN, Verdict::Later),
            (Status::RX_P_APPN, Verdict::Refused),
            (Status::RX_R_APPN, Verdict::Refused),
            (Status(0x0412), Verdict::Refused),
        ] {
            let (mut port, now) = bound(0x34);
            port.apply(&PortBatch { deliveries: vec![(77, 0..0)], ..PortBatch::default() }, now);
            let mut input = BytesMut::new();
            codec::header_only(&mut input, Command::DELIVER_SM.response(), status, 1);

            port.receive(&mut input, now);

            assert_eq!(intake(&mut port).verdicts, [(77, verdict)], "{status:?}");
        }
    }

    #[test]
    fn delivery_is_unanswered_in_time_and_not_sent_beyond_the_window() {
        let (mut port, now) = bound(0x34);
        let deliveries = vec![(1, 0..0), (2, 0..0), (3, 0..0)];

        port.apply(&PortBatch { deliveries, ..PortBatch::default() }, now);
        assert_eq!(intake(&mut port).verdicts, [(3, Verdict::NotSent)]);
        port.handle_timeout(now.after(Duration::from_secs(30)));

        assert_eq!(intake(&mut port).verdicts, [(1, Verdict::Unanswered), (2, Verdict::Unanswered)]);
    }

    /// Fact sheet 10.1, field bug R16: guessing is slow, and nothing is read meanwhile.
    #[test]
    fn wrong_password_is_told_after_a_second() {
        let (mut port, now) = port();
        let mut input = bind(b"wrong", 0x34);
        submit(&mut input, 2);

        port.receive(&mut input, now);
        port.handle_timeout(now.after(Duration::from_millis(999)));
        assert!(port.session().transmit().is_empty() && !port.wants_read() && !input.is_empty());
        port.handle_timeout(now.after(REFUSAL_DELAY));

        let out = port.session().transmit().split();
        let statuses: Vec<_> = frames(&out).map(|(_, frame)| frame.header.status).collect();
        assert_eq!((statuses, port.closed()), (vec![Status::RBINDFAIL], Some(Reason::BindFailed)));
        assert_eq!(port.take_events().count(), 0);
    }
}
