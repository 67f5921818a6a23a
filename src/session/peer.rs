//! What the peer's requests and responses do to a session.

use super::{BindKind, Event, Reason, Session, Side, State, legal};
use crate::clock::Now;
use crate::codec::{self, Bind, BindResp, Command, FieldError, Frame, FrameError, Status, Version};

impl Session {
    pub(super) fn handle_request<'a>(&mut self, frame: Frame<'a>, now: Now) -> Option<Event<'a>> {
        let Frame { header, body } = frame;
        let command = header.command;
        if !command.is_known() {
            self.nack(Status::RINVCMDID, header.sequence, now);
            return None;
        }
        if command == Command::ENQUIRE_LINK {
            self.write_header(command.response(), Status::ROK, header.sequence);
            return None;
        }
        match (self.state, BindKind::of(command)) {
            (State::Open, Some(kind)) if self.side == Side::Mc => {
                return self.handle_bind(kind, body, header.sequence);
            }
            (State::Bound(_) | State::Binding { .. }, Some(_)) if self.side == Side::Mc => {
                self.refuse(command, Status::RALYBND, header.sequence);
                return None;
            }
            _ => {} // not a bind, or one that is out of place: the table below decides
        }
        let (State::Bound(kind) | State::Unbinding { kind, .. } | State::Draining { kind, .. }) = self.state
        else {
            self.refuse(command, Status::RINVBNDSTS, header.sequence);
            if self.timing.strike() {
                self.close(Reason::Unruly);
            }
            return None;
        };
        if !legal(command, self.side.peer(), kind) {
            self.refuse(command, Status::RINVBNDSTS, header.sequence);
            return None;
        }
        // A second goodbye too: it would take the first one's answer and put off the end.
        if matches!(self.state, State::Draining { .. }) {
            self.refuse(command, Status::RINVBNDSTS, header.sequence);
            return None;
        }
        if command == Command::UNBIND {
            self.handle_unbind(kind, header.sequence, now);
            return None;
        }
        self.owed += 1;
        Some(Event::Request { command, sequence: header.sequence, body })
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
        if matches!(command, Command::ALERT_NOTIFICATION | Command::OUTBIND) {
            return; // no response exists: never answered
        }
        let status = status.for_version(self.version);
        match command {
            Command::DELIVER_SM => codec::encode_deliver_resp(&mut self.transmit, status, sequence),
            _ => codec::header_only(&mut self.transmit, command.response(), status, sequence),
        }
        self.stats.pdus_out += 1;
    }
}
