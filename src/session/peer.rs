//! What the peer's requests and responses do to a session.

use super::{BindKind, Event, HANDED_OUT, Reason, Session, Side, Stage, State, legal};
use crate::clock::Now;
use crate::codec::{self, Bind, BindResp, Command, FieldError, Frame, FrameError, Outbind, Status, Version};

impl Session {
    pub(super) fn handle_request<'a>(&mut self, frame: Frame<'a>, now: Now) -> Option<Event<'a>> {
        let Frame { header, body } = frame;
        let command = header.command;
        if !command.is_known() {
            self.chatter.note(now.mono);
            self.nack(Status::RINVCMDID, header.sequence, now);
            return None;
        }
        if command == Command::ENQUIRE_LINK {
            self.chatter.note(now.mono);
            self.write_header(command.response(), Status::ROK, header.sequence);
            return None;
        }
        let kind = match (self.state, BindKind::of(command)) {
            (State::Open, None) if command == Command::OUTBIND => return self.handle_outbind(frame),
            (State::Open | State::Outbound, Some(kind)) if self.side == Side::Mc => {
                return self.handle_bind(kind, body, header.sequence);
            }
            (State::Bound(_) | State::Binding { .. }, Some(_)) if self.side == Side::Mc => {
                self.refuse(command, Status::RALYBND, header.sequence);
                return None;
            }
            (State::Bound(kind) | State::Unbinding { kind, .. }, _) => kind,
            // A second goodbye too: it would take the first one's answer and put off the end.
            (State::Draining { .. }, _) => {
                self.refuse(command, Status::RINVBNDSTS, header.sequence);
                return None;
            }
            (State::Open | State::Outbound | State::Binding { .. } | State::Closed(_), _) => {
                self.strike(command, header.sequence);
                return None;
            }
        };
        if !legal(command, self.side.peer(), Stage::Bound(kind)) {
            self.refuse(command, Status::RINVBNDSTS, header.sequence);
            return None;
        }
        if command == Command::UNBIND {
            self.handle_unbind(kind, header.sequence, now);
            return None;
        }
        self.owed += usize::from(command.has_response());
        if let Some(place) = HANDED_OUT.iter().position(|known| *known == command) {
            self.stats.requests[place] += 1;
        }
        Some(Event::Request { command, sequence: header.sequence, body })
    }

    /// Whoever says outbind is the message centre, on a connection that came to us as well.
    fn handle_outbind<'a>(&mut self, frame: Frame<'a>) -> Option<Event<'a>> {
        match Outbind::decode(frame.body, self.settings.reading) {
            Ok(outbind) => {
                (self.side, self.state) = (Side::Esme, State::Outbound);
                Some(Event::Outbind(outbind))
            }
            Err(_) => {
                self.strike(Command::OUTBIND, frame.header.sequence);
                None
            }
        }
    }

    /// Refuses what may not be before the bind; the third time ends the session (fact sheet 10.1).
    fn strike(&mut self, command: Command, sequence: u32) {
        self.refuse(command, Status::RINVBNDSTS, sequence);
        if self.timing.strike() {
            self.close(Reason::Unruly);
        }
    }

    fn handle_bind<'a>(&mut self, kind: BindKind, body: &'a [u8], sequence: u32) -> Option<Event<'a>> {
        self.state = State::Binding { sequence, kind };
        match Bind::decode(body, self.settings.reading) {
            Ok(bind) => {
                self.version = Version::from_interface(bind.interface_version);
                Some(Event::BindRequested { kind, bind })
            }
            Err(FieldError { status, .. }) => {
                self.stats.binds_unreadable += 1;
                self.refuse_bind(status);
                None
            }
        }
    }

    fn handle_unbind(&mut self, kind: BindKind, sequence: u32, now: Now) {
        // Crossing unbinds too: both answer, first what is owed, and both close.
        self.state = State::Draining { kind, sequence };
        self.timing.drain(now.mono);
        self.finish_leaving();
    }

    /// Ends an unbind once nothing is owed to the peer any more.
    pub(super) fn finish_leaving(&mut self) {
        // The peer that says goodbye as message centre still owes answers for what we submitted.
        let waits = self.side == Side::Esme && self.window.open() > 0;
        match (self.state, self.owed) {
            (State::Draining { sequence, .. }, 0) if !waits => {
                self.write_header(Command::UNBIND.response(), Status::ROK, sequence);
                self.close(Reason::Unbound);
            }
            (State::Unbinding { agreed: true, .. }, 0) => self.close(Reason::Unbound),
            _ => {} // not leaving, or not done
        }
    }

    pub(super) fn handle_response<'a>(&mut self, frame: Frame<'a>, now: Now) -> Option<Event<'a>> {
        let Frame { header, body } = frame;
        let is_nack = header.command == Command::GENERIC_NACK;
        let answers = |request: Command| is_nack || header.command == request.response();
        match self.state {
            State::Binding { sequence, kind }
                if sequence == header.sequence && self.side == Side::Esme && answers(kind.command()) =>
            {
                return Some(self.handle_bind_resp(kind, frame, now));
            }
            State::Unbinding { kind, sequence, .. }
                if sequence == header.sequence && answers(Command::UNBIND) =>
            {
                self.state = State::Unbinding { kind, sequence, agreed: true };
                self.finish_leaving();
                return None;
            }
            _ => {} // not about our own state: about a request in the window, or about nothing
        }
        if answers(Command::ENQUIRE_LINK) && self.timing.enquire_answered(header.sequence) {
            return None;
        }
        match self.window.peek(header.sequence) {
            Some(sent) if answers(sent.command) => {
                self.window.take(header.sequence);
                self.finish_leaving();
                // A nack says that it was refused, whatever status it carries.
                let status =
                    if is_nack && header.status.is_ok() { Status::RUNKNOWNERR } else { header.status };
                Some(Event::Response { sent, status, body: if is_nack { &[] } else { body } })
            }
            _ => {
                self.stats.unmatched += 1;
                None
            }
        }
    }

    fn handle_bind_resp<'a>(&mut self, kind: BindKind, frame: Frame<'a>, now: Now) -> Event<'a> {
        let status = frame.header.status;
        if !status.is_ok() || frame.header.command == Command::GENERIC_NACK {
            self.close(Reason::BindFailed);
            return Event::BindRefused(status);
        }
        // Absent means that the peer keeps to what we declared (fact sheet 10.7).
        if let Some(octet) = BindResp::decode(frame.body).sc_interface_version {
            let theirs = Version::from_interface(octet);
            self.version = if theirs.octet() < self.version.octet() { theirs } else { self.version };
        }
        self.state = State::Bound(kind);
        self.timing.bound(now.mono);
        Event::Bound { kind, version: self.version }
    }

    pub(super) fn lose_framing(&mut self, error: FrameError) {
        if matches!(error, FrameError::Foreign { .. }) {
            self.close(Reason::Foreign);
            return;
        }
        let (status, sequence) = error.nack();
        self.write_header(Command::GENERIC_NACK, status, sequence);
        self.stats.nacks += 1;
        self.close(Reason::Framing);
    }

    fn nack(&mut self, status: Status, sequence: u32, now: Now) {
        self.write_header(Command::GENERIC_NACK, status, sequence);
        self.stats.nacks += 1;
        if self.timing.nacked(now.mono) {
            self.close(Reason::Unruly);
        }
    }

    fn refuse(&mut self, command: Command, status: Status, sequence: u32) {
        self.stats.misplaced += 1;
        if !command.has_response() {
            return;
        }
        let status = status.for_version(self.version);
        let out = &mut self.transmit;
        match (command, self.side) {
            // Strict message centres want a message_id in these, whatever the status (fact sheet 2.3).
            (Command::DELIVER_SM, _) | (Command::DATA_SM, Side::Esme) => {
                codec::encode_receiver_resp(out, command, status, sequence);
            }
            _ => codec::header_only(out, command.response(), status, sequence),
        }
        self.stats.pdus_out += 1;
    }
}
