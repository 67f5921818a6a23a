//! A session and, beside it, all that its owner may rely on, kept in the simplest way.

use bytes::BytesMut;
use enroute::clock::{Now, UnixMs};
use enroute::codec::{Bind, BindResp, Command, Frame, Header, Status, Version, header_only, next_frame};
use enroute::session::{
    BindKind, Event, MAX_SEQUENCE, Session, Settings, Side, Stage, Timers, frames, legal,
};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The session under test and what is known of it from outside.
pub struct Model {
    session: Session,
    settings: Settings,
    side: Side,
    kind: BindKind,
    now: Now,
    /// What the peer has written and the session not yet taken.
    input: BytesMut,
    /// The peer's bind waits for a verdict.
    bind_asked: bool,
    /// The peer said outbind: our bind is next.
    rebinds: bool,
    was_bound: bool,
    /// Our requests without an answer, oldest first.
    open: VecDeque<Asked>,
    /// Our requests whose time was up.
    late: Vec<Asked>,
    /// The peer's requests that were handed out.
    owed: VecDeque<(Command, u32)>,
    next_token: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    token: u64,
    command: Command,
    sequence: u32,
    sent: Instant,
}

impl Model {
    /// A fresh session: `opening` chooses side, bind and windows, `number` how far our numbers are from their wrap.
    pub fn new(opening: u8, number: u8) -> Self {
        let settings = Settings {
            timers: Timers {
                inactivity: (opening & 0x40 != 0).then_some(Duration::from_secs(90)),
                ..Timers::default()
            },
            window_in: 1 + usize::from(opening >> 3 & 3),
            window_out: 1 + usize::from(opening >> 5 & 1) * 6,
            ..Settings::default()
        };
        #[allow(clippy::disallowed_methods)] // a model needs some instant to start from
        let now = Now { mono: Instant::now(), wall: UnixMs(1_773_568_800_000) };
        let side = if opening & 1 == 0 { Side::Mc } else { Side::Esme };
        let kind = KINDS[usize::from(opening >> 1 & 3) % KINDS.len()];
        let mut session = match side {
            Side::Mc => Session::serve(settings, now),
            Side::Esme => Session::connect(settings, now),
        };
        let mut model = Self {
            settings,
            side,
            kind,
            now,
            input: BytesMut::new(),
            bind_asked: false,
            rebinds: false,
            was_bound: false,
            open: VecDeque::new(),
            late: Vec::new(),
            owed: VecDeque::new(),
            next_token: 0,
            session: {
                if side == Side::Esme {
                    session.bind(kind, &Bind { system_id: b"demo", ..Bind::default() }, now);
                }
                session
            },
        };
        model.written();
        // What comes first in nearly every session, so that not each input has to find it out.
        if opening & 0x80 == 0 {
            model.bind();
            model.session.number_from(MAX_SEQUENCE - u32::from(number) / 8);
        }
        model
    }

    /// One operation; any two octets are one.
    pub fn step(&mut self, operation: u8, argument: u8) {
        match operation % 12 {
            0 | 1 => self.ask(argument),
            2 => self.answer(),
            3 | 4 => self.peer_asks(argument, operation),
            5 | 6 => self.peer_answers(argument, operation),
            7 => self.wait(argument),
            8 => self.verdict(argument),
            9 => self.peer_mutters(&[operation, argument]),
            10 if argument < 64 => self.session.unbind(self.now),
            10 if argument < 80 => self.session.close(enroute::session::Reason::PeerGone),
            _ => self.bind(),
        }
        self.check();
    }

    /// Ends the session and settles accounts.
    pub fn end(mut self) {
        self.check();
        self.session.close(enroute::session::Reason::Dropped);
        assert!(self.session.closed().is_some());
        assert_eq!(self.session.next_timeout(), None, "a closed session has nothing to wait for");
        assert_eq!(self.session.handle_timeout(self.now.after(Duration::from_secs(9_999))), None);
        self.written();
        self.session.answer(|out| out.extend_from_slice(b"never to be seen"));
        assert!(self.session.transmit().is_empty(), "a closed session writes nothing");
        let unanswered: Vec<u64> = self.session.unanswered().map(|sent| sent.token).collect();
        let expected: Vec<u64> = self.open.iter().map(|asked| asked.token).collect();
        assert_eq!(unanswered, expected, "each of ours ends once, oldest first");
        assert_eq!(self.session.unanswered().count(), 0);
    }

    /// We ask something of the peer.
    fn ask(&mut self, argument: u8) {
        let command = REQUESTS[usize::from(argument) % OURS];
        let may = self.session.bound().is_some() && self.session.room() > 0;
        let (token, now) = (self.next_token, self.now);
        let sequence = self.session.request(command, token, now, |out| out.extend_from_slice(b"body"));
        assert_eq!(sequence.is_some(), may);
        let Some(sequence) = sequence else { return };
        assert!((1..=MAX_SEQUENCE).contains(&sequence));
        assert!(self.open.iter().all(|asked| asked.sequence != sequence), "a number is used twice");
        // A late one under the same number is forgotten: its answer would be taken for this one's.
        self.late.retain(|asked| asked.sequence != sequence);
        self.next_token += 1;
        self.open.push_back(Asked { token, command, sequence, sent: now.mono });
        assert_eq!(self.written(), [(command, Status::ROK, sequence)]);
    }

    /// We answer the oldest request of the peer.
    fn answer(&mut self) {
        let Some((command, sequence)) = self.owed.pop_front() else { return };
        let closed = self.session.closed().is_some();
        self.session.answer(|out| header_only(out, command.response(), Status::ROK, sequence));
        let written = self.written();
        if closed {
            assert_eq!(written, []);
            return;
        }
        assert_eq!(written[0], (command.response(), Status::ROK, sequence));
        // An unbind that waited for this may be answered with it.
        assert!(written[1..].iter().all(|(command, ..)| *command == Command::UNBIND.response()));
        self.receive(); // its place in the window is free again
    }

    fn peer_asks(&mut self, argument: u8, salt: u8) {
        let command = REQUESTS[usize::from(argument) % REQUESTS.len()];
        let body: &[u8] = if command == Command::OUTBIND { b"mc\0secret\0" } else { b"" };
        self.peer_writes(command, Status::ROK, u32::from(salt), body);
        if std::mem::take(&mut self.rebinds) && self.session.closed().is_none() {
            self.session.bind(self.kind, &Bind { system_id: b"demo", ..Bind::default() }, self.now);
            assert_eq!(self.written().len(), 1);
        }
    }

    /// The peer answers one of ours: rightly, with another response, twice, or nothing that was asked.
    fn peer_answers(&mut self, argument: u8, salt: u8) {
        let which = usize::from(argument & 7);
        let known: Vec<Asked> = self.open.iter().chain(&self.late).copied().collect();
        let (command, sequence) = match known.get(which) {
            Some(asked) => (asked.command, asked.sequence),
            None => (Command::SUBMIT_SM, u32::from(argument)),
        };
        let status = Status(u32::from(salt >> 4));
        match argument >> 3 & 7 {
            0 => self.peer_writes(Command::GENERIC_NACK, status, sequence, b""),
            1 => self.peer_writes(Command::UNBIND.response(), status, sequence, b""),
            2 => self.peer_writes(Command::ENQUIRE_LINK.response(), status, sequence, b""),
            3 => self.peer_writes(Command::DELIVER_SM.response(), status, sequence, b"\0"),
            _ => self.peer_writes(command.response(), status, sequence, b"id\0"),
        }
    }

    /// The peer binds, or takes our bind.
    fn bind(&mut self) {
        let mut out = BytesMut::new();
        match self.side {
            Side::Mc => Bind { system_id: b"demo", interface_version: 0x34, ..Bind::default() }.encode(
                &mut out,
                self.kind.command(),
                1,
            ),
            Side::Esme => BindResp { system_id: b"mc", sc_interface_version: Some(0x34) }.encode(
                &mut out,
                self.kind.command().response(),
                Status::ROK,
                1,
            ),
        }
        self.input.extend_from_slice(&out);
        self.receive();
        if self.bind_asked {
            self.verdict(0);
        }
    }

    fn verdict(&mut self, argument: u8) {
        if !std::mem::take(&mut self.bind_asked) || self.session.closed().is_some() {
            return;
        }
        if argument >= 192 {
            self.session.refuse_bind(Status::RBINDFAIL);
            assert!(self.session.closed().is_some());
        } else {
            let Settings { window_in, window_out, .. } = self.settings;
            self.session.accept_bind(b"mc", Version::V34, window_in, window_out, self.now);
            assert_eq!(self.session.bound(), Some(self.kind));
            self.was_bound = true;
        }
        assert_eq!(self.written().len(), 1, "a bind is answered once");
        self.receive();
    }

    fn peer_writes(&mut self, command: Command, status: Status, sequence: u32, body: &[u8]) {
        let length = (Header::LEN + body.len()) as u32;
        Header { length, command, status, sequence }.write(&mut self.input);
        self.input.extend_from_slice(body);
        self.receive();
    }

    fn peer_mutters(&mut self, octets: &[u8]) {
        self.input.extend_from_slice(octets);
        self.receive();
    }

    /// Lets the session take what it will.
    fn receive(&mut self) {
        while self.session.wants_read() {
            let was_closed = self.session.closed().is_some();
            let batch = self.session.take_frames(&mut self.input, self.now);
            if batch.is_empty() {
                let lost_framing = self.session.closed().is_some() && !was_closed;
                let written = self.written();
                assert!(written.len() <= usize::from(lost_framing), "{written:?} to nothing");
                return;
            }
            for (_, frame) in frames(&batch) {
                self.take(frame);
            }
        }
    }

    fn take(&mut self, frame: Frame<'_>) {
        let Header { command, sequence, .. } = frame.header;
        let was_closed = self.session.closed().is_some();
        let was_bound = self.session.bound();
        let event = self.session.handle(frame, self.now);
        assert!(!was_closed || event.is_none(), "{event:?} after the end");
        let handed_out = matches!(event, Some(Event::Request { .. } | Event::BindRequested { .. }));
        if let Some(event) = event {
            self.note(event, was_bound);
        }
        let written = self.written();
        let answers = written
            .iter()
            .filter(|(command, _, number)| command.is_response() && *number == sequence)
            .count();
        match command {
            _ if was_closed => assert_eq!(written, []),
            _ if handed_out => assert_eq!(written, []),
            _ if command.is_response() => {
                // At most the unbind_resp that waited for it.
                assert!(
                    written.iter().all(|(command, ..)| *command == Command::UNBIND.response()),
                    "{written:?}"
                );
            }
            Command::OUTBIND | Command::ALERT_NOTIFICATION => assert_eq!(written, []),
            Command::UNBIND => assert!(answers <= 1 && written.len() == answers),
            _ => assert_eq!((answers, written.len()), (1, 1), "{command} answered by {written:?}"),
        }
    }

    fn note(&mut self, event: Event<'_>, was_bound: Option<BindKind>) {
        match event {
            Event::BindRequested { kind, .. } => {
                assert!(self.side == Side::Mc && !self.was_bound && !self.bind_asked);
                self.kind = kind;
                self.bind_asked = true;
            }
            Event::Outbind(_) => {
                assert!(self.side == Side::Mc && !self.was_bound && !self.bind_asked);
                self.side = Side::Esme;
                self.rebinds = true;
            }
            Event::Bound { kind, .. } => {
                assert!(self.side == Side::Esme && !self.was_bound && kind == self.kind);
                self.was_bound = true;
            }
            Event::BindRefused(_) => assert!(self.side == Side::Esme && !self.was_bound),
            Event::Request { command, sequence, .. } => {
                assert!(
                    self.was_bound && legal(command, self.side.peer(), Stage::Bound(self.kind)),
                    "{command} may not be here"
                );
                assert!(was_bound.is_some() || self.session.bound().is_none());
                if command.has_response() {
                    self.owed.push_back((command, sequence));
                }
            }
            Event::Response { sent, .. } => {
                let list = if sent.late { &self.late } else { self.open.make_contiguous() as &[_] };
                let place = list.iter().position(|asked| asked.token == sent.token);
                let place = place.expect("an answer to what was asked, and the first one");
                assert_eq!(list[place].command, sent.command);
                if sent.late {
                    self.late.remove(place);
                } else {
                    self.open.remove(place);
                }
            }
            Event::Unanswered(sent) => {
                let asked = self.open.pop_front().expect("only what was asked goes unanswered");
                assert_eq!((asked.token, asked.command), (sent.token, sent.command), "the oldest first");
                assert!(self.now.mono >= asked.sent + self.settings.timers.response, "too early");
                self.late.push(asked);
            }
        }
    }

    /// Time passes, as far as the next deadline or by a part of a minute.
    fn wait(&mut self, argument: u8) {
        let until = match (argument, self.session.next_timeout()) {
            (128.., Some(deadline)) => deadline.saturating_duration_since(self.now.mono),
            (_, _) => Duration::from_millis(u64::from(argument & 127) * 400),
        };
        self.now = self.now.after(until);
        for _ in 0..MAX_DUE {
            while let Some(event) = self.session.handle_timeout(self.now) {
                self.note(event, None);
            }
            self.written();
            match self.session.next_timeout() {
                Some(deadline) if deadline <= self.now.mono => {} // the driver would come back at once
                Some(_) | None => return,
            }
        }
        panic!("timers do not come to rest");
    }

    /// What holds between any two operations.
    fn check(&mut self) {
        self.written();
        assert_eq!(self.session.open(), self.open.len());
        assert!(self.open.len() <= self.settings.window_out);
        assert!(self.owed.len() <= self.settings.window_in, "more was handed out than the window takes");
        if let Some(kind) = self.session.bound() {
            assert!(self.was_bound && kind == self.kind);
            assert_eq!(self.session.room(), self.settings.window_out - self.open.len());
        }
        assert_eq!(self.session.next_timeout().is_none(), self.session.closed().is_some());
    }

    /// The PDUs written since the last call; all of them whole.
    fn written(&mut self) -> Vec<(Command, Status, u32)> {
        let octets = self.session.transmit().split();
        let mut rest = &octets[..];
        let mut list = Vec::new();
        while !rest.is_empty() {
            let frame = next_frame(rest, usize::MAX).expect("framed").expect("whole PDUs only");
            assert!(frame.header.command.is_known(), "{} was written", frame.header.command);
            list.push((frame.header.command, frame.header.status, frame.header.sequence));
            rest = &rest[frame.len()..];
        }
        list
    }
}

const KINDS: [BindKind; 3] = [BindKind::Transceiver, BindKind::Transmitter, BindKind::Receiver];

/// Requests of either side, legal and not, and two that nobody knows.
const REQUESTS: [Command; 14] = [
    Command::SUBMIT_SM,
    Command::DELIVER_SM,
    Command::ENQUIRE_LINK,
    Command::DATA_SM,
    Command::QUERY_SM,
    Command::SUBMIT_MULTI,
    Command::UNBIND,
    Command::BIND_TRANSCEIVER,
    Command::BIND_RECEIVER,
    Command::OUTBIND,
    Command::ALERT_NOTIFICATION,
    Command::CANCEL_BROADCAST_SM,
    Command(0x22),
    Command(0x7FFF_FFFF),
];

/// How many of them, from the first on, we ask ourselves.
const OURS: usize = 6;

/// Things that may fall due one after the other before a session must wait again.
const MAX_DUE: usize = 8;
