//! The hub's end of one ESME session.
//!
//! ```text
//! socket ─► receive ─► [PortEvent] ─► hub        hub ─► [PortBatch] ─► apply ─► transmit ─► socket
//! ```

use super::delivery::Form;
use super::request::check;
use super::{Answer, Intake, Outbind, PortBatch, Registry, Request, Seat, Verdict};
use crate::clock::Now;
use crate::codec::{self, Bind, Command, Reading, Status, Tlvs, Version};
use crate::guard::guarded;
use crate::id::{AccountId, IdKey};
use crate::session::{BindKind, Event, Reason, Session, Settings, Unsent, frames};
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
    /// The account that we called here: nobody else may bind.
    called: Option<AccountId>,
    /// The peer isn't an ESME: it is a message centre that wants us to bind.
    caller: Option<Caller>,
    form: Form,
    /// What the hub told last of how busy it is.
    congestion: u8,
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

/// Who asks us by outbind to bind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub system_id: Vec<u8>,
    pub password: Vec<u8>,
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
            called: None,
            caller: None,
            form: Form::default(),
            congestion: 0,
            refusal: None,
            intake: Intake::default(),
            events: Vec::new(),
            stats: PortStats::default(),
        }
    }

    /// A port for a connection that we made, to call `account`: says outbind, and waits for its bind.
    pub fn call(
        settings: Settings,
        registry: Arc<Registry>,
        id_key: IdKey,
        (account, outbind): (AccountId, &Outbind),
        now: Now,
    ) -> Self {
        let mut port = Self { called: Some(account), ..Self::new(settings, registry, id_key, now) };
        port.session.outbind(&codec::Outbind { system_id: SYSTEM_ID, password: outbind.password.as_bytes() });
        port
    }

    /// Takes what may be handled now off the front of `input`.
    pub fn receive(&mut self, input: &mut BytesMut, now: Now) {
        while self.refusal.is_none() && self.caller.is_none() {
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
            Event::Request { command, sequence, body } => match check(command, body, self.reading) {
                Ok(()) => {
                    let body = at as u32..(at + body.len()) as u32;
                    self.intake.requests.push(Request { command, sequence, body });
                }
                Err(status) => self.refuse(command, sequence, status),
            },
            Event::Response { sent, status, .. } if !sent.late => {
                self.intake.verdicts.push((sent.token, Verdict::of(status)));
            }
            Event::Unanswered(sent) => self.intake.verdicts.push((sent.token, Verdict::Unanswered)),
            // A late answer changes nothing: the delivery went back to the account's queue long ago.
            Event::Response { .. } => {}
            Event::Outbind(outbind) => {
                let (system_id, password) = (outbind.system_id.to_vec(), outbind.password.to_vec());
                self.caller = Some(Caller { system_id, password });
            }
            // Only our ESME side binds.
            Event::Bound { .. } | Event::BindRefused(_) => {}
        }
    }

    fn handle_bind(&mut self, kind: BindKind, bind: &Bind<'_>, now: Now) {
        let seat = self.registry.bind(bind.system_id, bind.password);
        match seat.and_then(|seat| if self.expects(seat.id) { Ok(seat) } else { Err(Status::RBINDFAIL) }) {
            Ok(seat) => {
                let declared = Version::from_interface(bind.interface_version);
                let version = seat.account.version.unwrap_or(declared);
                let (window, deliver_window) = (seat.account.window, seat.account.deliver_window);
                self.session.accept_bind(SYSTEM_ID, version, window, deliver_window, now);
                self.form = Form::of(&seat.account, version);
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

    fn expects(&self, account: AccountId) -> bool {
        self.called.is_none_or(|called| called == account)
    }

    fn refuse(&mut self, command: Command, sequence: u32, status: Status) {
        match self.stats.refused.iter_mut().find(|(known, _)| *known == status) {
            Some((_, times)) => *times += 1,
            None => self.stats.refused.push((status, 1)),
        }
        self.answer(&Answer { command, sequence, outcome: Err(status) });
    }

    fn hand_over(&mut self, batch: Bytes) {
        if !self.intake.is_empty() {
            let mut intake = std::mem::take(&mut self.intake);
            if !intake.requests.is_empty() {
                intake.batch = batch;
            }
            self.events.push(PortEvent::Intake(intake));
        }
    }

    /// Takes what the hub has for this session.
    pub fn apply(&mut self, batch: &PortBatch, now: Now) {
        self.congestion = batch.congestion;
        for answer in &batch.answers {
            self.answer(answer);
        }
        for reply in &batch.replies {
            let reply = &batch.bodies[reply.start as usize..reply.end as usize];
            self.write_answer(|out| out.extend_from_slice(reply));
        }
        for (token, body) in &batch.deliveries {
            let (form, body) = (self.form, &batch.bodies[body.start as usize..body.end as usize]);
            let write = |out: &mut BytesMut| guarded(|| form.write(body, out)).is_some();
            let verdict = match self.session.try_request(form.command(), *token, now, write) {
                Ok(_) => continue,
                Err(Unsent::NoRoom) => Verdict::NotSent,
                // Our own words fail for it, and will the next time.
                Err(Unsent::Unwritten) => Verdict::Refused,
            };
            self.intake.verdicts.push((*token, verdict));
        }
        // 3.3 doesn't know them; a transmitter isn't told either.
        let takes_alerts = self.session.version().takes_tlvs();
        for alert in batch.alerts.iter().filter(|_| takes_alerts) {
            let body = &batch.bodies[alert.start as usize..alert.end as usize];
            self.session.tell(Command::ALERT_NOTIFICATION, |out| out.extend_from_slice(body));
        }
        if batch.unbind {
            self.session.unbind(now);
        }
        self.hand_over(Bytes::new());
    }

    fn answer(&mut self, answer: &Answer) {
        let (version, key) = (self.session.version(), &self.id_key);
        let (short, long);
        let (status, id): (Status, &[u8]) = match answer.outcome {
            Ok(id) if version == Version::V33 => {
                short = id.short_text(key);
                (Status::ROK, &short)
            }
            Ok(id) => {
                long = id.text(key);
                (Status::ROK, &long)
            }
            Err(status) => (status.for_version(version), &[]),
        };
        let Answer { command, sequence, .. } = *answer;
        self.write_answer(|out| match command {
            Command::SUBMIT_SM => codec::encode_submit_resp(out, status, sequence, id),
            Command::DATA_SM | Command::BROADCAST_SM => {
                codec::encode_id_resp(out, command, status, sequence, id, Tlvs::empty());
            }
            Command::SUBMIT_MULTI => codec::encode_multi_resp(out, status, sequence, id, &[]),
            // cancel_sm, replace_sm, cancel_broadcast_sm; of the others only what refuses them comes here.
            _ => codec::header_only(out, command.response(), status, sequence),
        });
    }

    /// Writes the response that `write` gives, and how busy the hub is to those who know what that means.
    fn write_answer(&mut self, write: impl FnOnce(&mut BytesMut)) {
        let congestion = (self.session.version() == Version::V50).then_some(self.congestion);
        self.session.answer(|out| {
            let start = out.len();
            write(out);
            if let Some(state) = congestion {
                codec::add_congestion_state(out, start, state);
            }
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

    /// Who it is that wants us to bind, if the peer turned out to be a message centre: the port has no further use then.
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.as_ref()
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
        self.refusal.is_none() && self.caller.is_none() && self.session.wants_read()
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
    use crate::codec::{Address, CancelSm, DataSm, Header, QuerySm, Sm, SmResp, Tag, put_tlv};
    use crate::id::MessageId;

    const KEY: IdKey = IdKey(*b"sixteen octets!!");

    fn account() -> Account {
        Account { binds: 2, window: 10, deliver_window: 2, ..Account::new("demo", "secret") }
    }

    fn port_of(account: Account) -> (Port, Now) {
        #[allow(clippy::disallowed_methods)] // a test needs some instant to start from
        let now = Now { mono: Instant::now(), wall: UnixMs(1_773_568_800_000) };
        (Port::new(Settings::default(), Registry::new(&[account]), KEY, now), now)
    }

    fn port() -> (Port, Now) {
        port_of(account())
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
        bound_as(account(), interface_version)
    }

    fn bound_as(account: Account, interface_version: u8) -> (Port, Now) {
        let (mut port, now) = port_of(account);
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
        assert_eq!(intake.requests.iter().map(|known| known.sequence).collect::<Vec<_>>(), [5, 7]);
        for Request { body, .. } in &intake.requests {
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
        let start = codec::begin(&mut input, Command::SUBMIT_MULTI, Status::ROK, 3);
        input.extend_from_slice(&[0; 30]);
        codec::finish(&mut input, start);
        codec::header_only(&mut input, Command::QUERY_SM, Status::ROK, 4);

        port.receive(&mut input, now);

        let refused = vec![(Status::RINVCMDLEN, 2), (Status::RINVNUMDESTS, 1)];
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

            let answers = vec![Answer { command: Command::SUBMIT_SM, sequence: 5, outcome: Ok(id) }];
            port.apply(&PortBatch { answers, ..PortBatch::default() }, now);

            let out = port.session().transmit().split();
            assert_eq!(codec::SmResp::decode(&out[Header::LEN..]).message_id, text);
        }
    }

    #[test]
    fn every_operation_goes_on_in_the_order_of_the_wire() {
        let (mut port, now) = bound(0x34);
        let mut input = BytesMut::new();
        QuerySm::default().encode(&mut input, 2);
        submit(&mut input, 3);
        CancelSm::default().encode(&mut input, 4);
        Sm { short_message: b"hello", ..Sm::default() }.encode_data(&mut input, 5);

        port.receive(&mut input, now);

        let intake = intake(&mut port);
        let told: Vec<_> = intake.requests.iter().map(|known| (known.command, known.sequence)).collect();
        let expected = [Command::QUERY_SM, Command::SUBMIT_SM, Command::CANCEL_SM, Command::DATA_SM]
            .into_iter()
            .zip(2..);
        assert_eq!(told, expected.collect::<Vec<_>>());
        let last = &intake.requests[3].body;
        let data_sm = DataSm::decode(&intake.batch[last.start as usize..last.end as usize], Reading::Strict);
        assert_eq!(data_sm.map(|data_sm| data_sm.as_sm().text()), Ok(&b"hello"[..]));
    }

    /// Responses that the port writes, as (command, status, octets of body).
    fn written(port: &mut Port) -> Vec<(Command, Status, usize)> {
        let out = port.session().transmit().split();
        frames(&out).map(|(_, frame)| (frame.header.command, frame.header.status, frame.body.len())).collect()
    }

    /// Fact sheet 2.3, 3.3 to 3.6: an id where the operation has one, a header alone for the rest and for what is refused.
    #[test]
    fn answers_are_in_the_form_of_their_request() {
        let (mut port, now) = bound(0x34);
        let id = MessageId { serial: 9, slot: 1 };
        let with_id = id.text(&KEY).len() + 1;
        let cases = [
            (Command::SUBMIT_SM, Ok(id), with_id),
            (Command::DATA_SM, Ok(id), with_id),
            (Command::BROADCAST_SM, Ok(id), with_id),
            (Command::SUBMIT_MULTI, Ok(id), with_id + 1),
            (Command::CANCEL_SM, Ok(id), 0),
            (Command::REPLACE_SM, Ok(id), 0),
            (Command::SUBMIT_MULTI, Err(Status::RCNTSUBDL), 0),
            (Command::QUERY_SM, Err(Status::RINVMSGID), 0),
            (Command::DATA_SM, Err(Status::RTHROTTLED), 0),
        ];
        let answers = cases.map(|(command, outcome, _)| Answer { command, sequence: 7, outcome }).to_vec();

        port.apply(&PortBatch { answers, ..PortBatch::default() }, now);

        let expected = cases
            .map(|(command, outcome, len)| (command.response(), outcome.err().unwrap_or(Status::ROK), len));
        assert_eq!(written(&mut port), expected);
    }

    /// SMPP 5.0 §4.8.4.18; fact sheet 7.1: nobody else gets a TLV of 5.0.
    #[test]
    fn busyness_is_told_to_peers_of_5_0_only() {
        for (declared, told) in [(0x33, None), (0x34, None), (0x50, Some(42))] {
            let (mut port, now) = bound(declared);
            let mut batch = PortBatch { congestion: 42, ..PortBatch::default() };
            SmResp { message_id: b"A1", tlvs: Tlvs::empty() }.encode(
                &mut batch.bodies,
                Command::SUBMIT_SM.response(),
                Status::ROK,
                3,
            );
            batch.replies.push(0..batch.bodies.len() as u32);

            port.apply(&batch, now);

            let out = port.session().transmit().split();
            let resp = SmResp::decode(&out[Header::LEN..]);
            assert_eq!((resp.message_id, resp.tlvs.u8(Tag::CONGESTION_STATE)), (&b"A1"[..], told));
        }
    }

    /// Fact sheet 10.7: decimal mistakes occur, and so do peers that can do less than they say.
    #[test]
    fn version_of_the_account_counts_not_the_declared_one() {
        let id = MessageId { serial: 9, slot: 1 };
        let account = Account { version: Some(Version::V33), ..account() };
        let (mut port, now) = port_of(account);
        port.receive(&mut bind(b"secret", 0x50), now);
        assert!(matches!(port.take_events().as_slice(), [PortEvent::Bound { version: Version::V33, .. }]));
        assert_eq!(written(&mut port), [(Command::BIND_TRANSCEIVER.response(), Status::ROK, 8)], "no TLV");

        let command = Command::SUBMIT_SM;
        let answers = vec![
            Answer { command, sequence: 1, outcome: Ok(id) },
            Answer { command, sequence: 2, outcome: Err(Status::RINVDCS) },
        ];
        port.apply(&PortBatch { answers, congestion: 9, ..PortBatch::default() }, now);

        let response = command.response();
        let expected = [(response, Status::ROK, 9), (response, Status::RSUBMITFAIL, 0)];
        assert_eq!(written(&mut port), expected);
        let account = Account { version: Some(Version::V34), ..self::account() };
        let (mut port, now) = port_of(account);
        port.receive(&mut bind(b"secret", 34), now);
        assert_eq!(written(&mut port), [(Command::BIND_TRANSCEIVER.response(), Status::ROK, 13)]);
    }

    /// Field bug F14: a refusal with a body is a refusal.
    #[test]
    fn deliveries_go_as_data_sm_to_whom_that_is_set_for() {
        let account = Account { deliver_as: Command::DATA_SM, ..account() };
        let (mut port, now) = bound_as(account, 0x34);
        let mut batch = PortBatch { deliveries: vec![(7, 0..0), (8, 0..0)], ..PortBatch::default() };
        Sm { short_message: b"hello", ..Sm::default() }.encode_body(&mut batch.bodies);
        batch.deliveries.iter_mut().for_each(|(_, body)| body.end = batch.bodies.len() as u32);

        port.apply(&batch, now);

        let out = port.session().transmit().split();
        for (_, frame) in frames(&out) {
            let data_sm = DataSm::decode(frame.body, Reading::Strict).expect("legal");
            assert_eq!((frame.header.command, data_sm.as_sm().text()), (Command::DATA_SM, &b"hello"[..]));
        }
        let mut input = BytesMut::new();
        let mut tlvs = BytesMut::new();
        put_tlv(&mut tlvs, Tag::DELIVERY_FAILURE_REASON, &[3]);
        let tlvs = Tlvs::read(&tlvs, Reading::Strict).expect("well formed");
        let resp = Command::DATA_SM.response();
        SmResp { message_id: b"", tlvs }.encode(&mut input, resp, Status::RX_T_APPN, 1);
        SmResp::default().encode(&mut input, resp, Status::ROK, 2);
        port.receive(&mut input, now);
        assert_eq!(intake(&mut port).verdicts, [(7, Verdict::Later), (8, Verdict::Taken)]);
    }

    #[test]
    fn alerts_are_told_to_peers_that_know_them() {
        for (declared, told) in [(0x33, 0), (0x34, 1)] {
            let (mut port, now) = bound(declared);
            let mut batch = PortBatch::default();
            batch.alerts.push(0..6);
            batch.bodies.extend_from_slice(&[0; 6]);

            port.apply(&batch, now);

            let alerts = vec![(Command::ALERT_NOTIFICATION, Status::ROK, 6); told];
            assert_eq!(written(&mut port), alerts);
        }
    }

    fn called(account: AccountId) -> (Port, Now) {
        let (port, now) = port();
        let outbind = Outbind { address: "127.0.0.1:1".to_owned(), password: "ours".to_owned() };
        let registry = Arc::clone(&port.registry);
        (Port::call(Settings::default(), registry, KEY, (account, &outbind), now), now)
    }

    #[test]
    fn called_account_binds_on_the_call() {
        let (mut port, now) = called(AccountId(0));
        let out = port.session().transmit().split();
        let (_, frame) = frames(&out).next().expect("a PDU");
        let outbind = codec::Outbind::decode(frame.body, Reading::Strict);
        assert_eq!(outbind, Ok(codec::Outbind { system_id: SYSTEM_ID, password: b"ours" }));

        port.receive(&mut bind(b"secret", 0x34), now);

        assert!(matches!(port.take_events().as_slice(), [PortEvent::Bound { .. }]));
    }

    #[test]
    fn nobody_but_the_called_account_binds_on_a_call() {
        let (mut port, now) = called(AccountId(1));

        port.receive(&mut bind(b"secret", 0x34), now);
        port.handle_timeout(now.after(REFUSAL_DELAY));

        assert_eq!((port.closed(), port.seat().is_none()), (Some(Reason::BindFailed), true));
        assert_eq!(port.registry.bound(), [("demo".to_owned(), 0)]);
    }

    /// Field bug F2: what is glued to the outbind stays for whoever goes on with the connection.
    #[test]
    fn message_centre_that_calls_is_told_and_nothing_more_is_read() {
        let (mut port, now) = port();
        let mut input = BytesMut::new();
        codec::Outbind { system_id: b"alpha", password: b"theirs" }.encode(&mut input, 1);
        codec::header_only(&mut input, Command::ENQUIRE_LINK, Status::ROK, 2);

        port.receive(&mut input, now);

        let caller = Caller { system_id: b"alpha".to_vec(), password: b"theirs".to_vec() };
        assert_eq!(port.caller(), Some(&caller));
        assert_eq!((port.wants_read(), input.len()), (false, Header::LEN));
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
            (Status::RINVBNDSTS, Verdict::Misplaced),
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
