//! One SMPP session, from either side, with no socket and no clock of its own.
//!
//! Octets and time go in: [`Session::take_frames`] cuts what may be handled off the read buffer,
//! [`Session::handle`] takes one frame, [`Session::handle_timeout`] the passing of time. Events come out of
//! them, octets to send gather in [`Session::transmit`], and [`Session::next_timeout`] says when to come back.
//!
//! ```text
//!          bind sent or received         verdict           unbind sent
//!   Open ────────────────────► Binding ─────────► Bound ────────────────► Unbinding ──► Closed
//!    │ └── outbind ─► Outbound ──┘│                │ │ unbind received                    ▲
//!    │                            │                │ └────────────────► Draining ─────────┤
//!    └── init deadline ───────────┴── bad framing, silence, peer gone ────────────────────┘
//! ```
//!
//! Each request of ours ends in exactly one [`Event::Response`], [`Event::Unanswered`] or entry of
//! [`Session::unanswered`] after the end. Each request of the peer that is handed out as [`Event::Request`] is owed exactly one
//! answer through [`Session::answer`]; those that may not be here are answered by the session itself. Requests that have no
//! response (alert_notification) are handed out too, and owed none; [`Session::tell`] sends them.

mod chatter;
mod deadlines;
mod matrix;
mod peer;
mod timing;
mod window;

pub use matrix::{BindKind, HANDED_OUT, Side, Stage, legal};
pub use timing::Timers;
pub use window::{MAX_SEQUENCE, Sent, Window};

use crate::clock::Now;
use crate::codec::{
    self, Bind, BindResp, Command, Frame, MAX_UNBOUND_PDU_LEN, Outbind, Reading, Status, Version, next_frame,
};
use bytes::{Bytes, BytesMut};
use chatter::Chatter;
use std::time::Instant;
use timing::Timing;

/// What one session is allowed; the same shape for both sides.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub timers: Timers,
    /// Requests of the peer that may wait for our answer, before reading stops.
    pub window_in: usize,
    /// Requests of ours that may wait for the peer's answer.
    pub window_out: usize,
    /// The longest PDU taken once bound, in octets.
    pub max_pdu_len: usize,
    /// How forgiving the reading of the peer's fields is.
    pub reading: Reading,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timers: Timers::default(),
            window_in: 100,
            window_out: 10,
            max_pdu_len: codec::MAX_PDU_LEN,
            reading: Reading::Lenient,
        }
    }
}

/// One session.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    side: Side,
    state: State,
    version: Version,
    window: Window,
    /// Requests of the peer that were handed out and not answered yet.
    owed: usize,
    /// Since then it asks, or asked until now, for more than its window has room for: nothing was read on purpose.
    deaf_since: Option<Instant>,
    timing: Timing,
    chatter: Chatter,
    transmit: BytesMut,
    stats: Stats,
}

/// Where the session stands. What exists only in one state lives in that state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No bind yet.
    Open,
    /// The message centre, which connected, asked for a bind.
    Outbound,
    /// Our bind is on its way, or the peer's waits for a verdict.
    Binding {
        sequence: u32,
        kind: BindKind,
    },
    Bound(BindKind),
    /// We said goodbye.
    Unbinding {
        kind: BindKind,
        sequence: u32,
        /// The peer agreed; only our own answers are still to be given.
        agreed: bool,
    },
    /// The peer said goodbye; what it asked before is still being answered.
    Draining {
        kind: BindKind,
        sequence: u32,
    },
    Closed(Reason),
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Unbound in good order, by either side.
    Unbound,
    /// The peer closed or reset the connection.
    PeerGone,
    /// No bind within the session-init timer.
    NoBind,
    /// The bind was refused or not answered.
    BindFailed,
    /// The octets are not SMPP, or their framing is lost.
    Framing,
    /// Another protocol knocked on the SMPP port.
    Foreign,
    /// enquire_link went unanswered.
    Silent,
    /// A PDU was begun and never finished.
    Stalled,
    /// Bound, but without a transaction for too long.
    Idle,
    /// Too many PDUs that may not be.
    Unruly,
    /// We ended it without a handshake.
    Dropped,
}

impl Reason {
    /// The word for it in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unbound => "unbound",
            Self::PeerGone => "peer_gone",
            Self::NoBind => "no_bind",
            Self::BindFailed => "bind_failed",
            Self::Framing => "framing",
            Self::Foreign => "foreign_protocol",
            Self::Silent => "silent",
            Self::Stalled => "stalled",
            Self::Idle => "idle",
            Self::Unruly => "unruly",
            Self::Dropped => "dropped",
        }
    }
}

/// Why a request was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsent {
    /// The window is full, or nothing may be asked now.
    NoRoom,
    /// Its body could not be written.
    Unwritten,
}

/// What one frame means to whoever owns the session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event<'a> {
    /// The peer wants to bind: answer with [`Session::accept_bind`] or [`Session::refuse_bind`].
    BindRequested { kind: BindKind, bind: Bind<'a> },
    /// The peer is a message centre that wants us to bind: go on with [`Session::bind`] or close.
    Outbind(Outbind<'a>),
    /// Our bind was accepted.
    Bound { kind: BindKind, version: Version },
    /// Our bind was refused with this status.
    BindRefused(Status),
    /// A request that is legal now; owed an answer through [`Session::answer`], if it has a response.
    Request { command: Command, sequence: u32, body: &'a [u8] },
    /// The answer to a request of ours; `late` if [`Event::Unanswered`] was told before.
    Response { sent: Sent, status: Status, body: &'a [u8] },
    /// Nobody answered a request of ours in time: its outcome is unknown.
    Unanswered(Sent),
}

/// What a session has seen and done, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub pdus_in: u64,
    pub pdus_out: u64,
    /// Responses to nothing that we asked.
    pub unmatched: u64,
    /// Requests answered with an error because of what or when they are.
    pub misplaced: u64,
    /// generic_nacks that we sent.
    pub nacks: u64,
    /// Binds refused because of a field.
    pub binds_unreadable: u64,
    /// Requests that were handed out, in the order of [`HANDED_OUT`].
    pub requests: [u64; HANDED_OUT.len()],
}

impl Session {
    /// The message centre's end of a fresh connection: waits for the peer's bind.
    pub fn serve(settings: Settings, now: Now) -> Self {
        Self::new(Side::Mc, settings, now)
    }

    /// The ESME's end of a fresh connection: goes on with [`Session::bind`].
    pub fn connect(settings: Settings, now: Now) -> Self {
        Self::new(Side::Esme, settings, now)
    }

    fn new(side: Side, settings: Settings, now: Now) -> Self {
        Self {
            settings,
            side,
            state: State::Open,
            version: Version::V34,
            window: Window::new(settings.window_out),
            owed: 0,
            deaf_since: None,
            timing: Timing::new(settings.timers, now.mono),
            chatter: Chatter::default(),
            transmit: BytesMut::new(),
            stats: Stats::default(),
        }
    }

    /// Sends our bind.
    pub fn bind(&mut self, kind: BindKind, bind: &Bind<'_>, now: Now) {
        let sequence = self.window.take_number();
        bind.encode(&mut self.transmit, kind.command(), sequence);
        self.stats.pdus_out += 1;
        self.version = Version::from_interface(bind.interface_version);
        self.state = State::Binding { sequence, kind };
        self.timing.bind_sent(now.mono);
    }

    /// Asks the ESME that we connected to, as its message centre, for a bind (SMPP 5.0 §4.1.1.7).
    pub fn outbind(&mut self, outbind: &Outbind<'_>) {
        let State::Open = self.state else { return };
        let sequence = self.window.take_number();
        outbind.encode(&mut self.transmit, sequence);
        self.stats.pdus_out += 1;
        self.state = State::Outbound;
    }

    /// Lets the peer in, with what the account is allowed from now on.
    pub fn accept_bind(
        &mut self,
        system_id: &[u8],
        version: Version,
        window_in: usize,
        window_out: usize,
        now: Now,
    ) {
        let State::Binding { sequence, kind } = self.state else { return };
        let sc_interface_version = version.takes_tlvs().then(|| version.octet());
        self.write_bind_resp(kind, Status::ROK, sequence, &BindResp { system_id, sc_interface_version });
        self.version = version;
        self.settings.window_in = window_in.max(1);
        self.window = Window::new(window_out);
        self.state = State::Bound(kind);
        self.timing.bound(now.mono);
    }

    /// Refuses the bind and hangs up once that is written.
    pub fn refuse_bind(&mut self, status: Status) {
        let State::Binding { sequence, kind } = self.state else { return };
        let resp = BindResp { system_id: b"", sc_interface_version: None };
        self.write_bind_resp(kind, status, sequence, &resp);
        self.close(Reason::BindFailed);
    }

    fn write_bind_resp(&mut self, kind: BindKind, status: Status, sequence: u32, resp: &BindResp<'_>) {
        let status = status.for_version(self.version);
        resp.encode(&mut self.transmit, kind.command().response(), status, sequence);
        self.stats.pdus_out += 1;
    }

    /// Cuts the whole frames that may be handled now off the front of `input`.
    ///
    /// Stops at a request for which the peer's window has no room: that and what lies behind stays in `input` until answers have been
    /// given, and [`Session::wants_read`] is false meanwhile. What the peer answers needs no room. Feed the result frame by frame to
    /// [`Session::handle`]. Lost framing is answered and ends the session after the frames before it.
    pub fn take_frames(&mut self, input: &mut BytesMut, now: Now) -> Bytes {
        self.listen_again(now);
        if matches!(self.state, State::Closed(_)) {
            return Bytes::new();
        }
        let (mut end, mut credit) = (0, self.settings.window_in.saturating_sub(self.owed));
        let (mut fault, mut is_held_up) = (None, false);
        loop {
            match next_frame(&input[end..], self.max_pdu_len()) {
                Ok(Some(frame)) => {
                    let needed = usize::from(!frame.header.command.is_response());
                    is_held_up = needed > credit;
                    if is_held_up {
                        break;
                    }
                    end += frame.len();
                    credit -= needed;
                    if !self.is_bound() {
                        break; // the bind decides what may follow it
                    }
                }
                Ok(None) => break,
                // What came before is answered first.
                Err(_) if credit == 0 => {
                    is_held_up = true;
                    break;
                }
                Err(error) => {
                    fault = Some(error);
                    break;
                }
            }
        }
        if let (Some(error), 0) = (fault, end) {
            self.lose_framing(error);
        }
        if is_held_up {
            self.deaf_since.get_or_insert(now.mono);
        }
        let frames = input.split_to(end).freeze();
        if end > 0 {
            self.timing.partial(false, now.mono); // what is left was begun after what came whole
        }
        self.timing.partial(!input.is_empty() && !is_held_up, now.mono);
        frames
    }

    /// Takes one frame of the peer.
    pub fn handle<'a>(&mut self, frame: Frame<'a>, now: Now) -> Option<Event<'a>> {
        self.stats.pdus_in += 1;
        self.timing.received(now.mono, frame.header.command);
        if matches!(self.state, State::Closed(_)) {
            return None; // late words of a peer that we have hung up on: there is nobody left to answer
        }
        if frame.header.command.is_response() {
            self.handle_response(frame, now)
        } else {
            self.handle_request(frame, now)
        }
    }

    /// Sends a request; `write` appends its body. `None` if the window is full or nothing may be asked now.
    pub fn request(
        &mut self,
        command: Command,
        token: u64,
        now: Now,
        write: impl FnOnce(&mut BytesMut),
    ) -> Option<u32> {
        let sent = self.try_request(command, token, now, |out| {
            write(out);
            true
        });
        sent.ok()
    }

    /// As [`Session::request`], but nothing is sent if `write` says that it could not.
    ///
    /// # Errors
    /// Why nothing was sent.
    pub fn try_request(
        &mut self,
        command: Command,
        token: u64,
        now: Now,
        write: impl FnOnce(&mut BytesMut) -> bool,
    ) -> Result<u32, Unsent> {
        let State::Bound(_) = self.state else { return Err(Unsent::NoRoom) };
        let sequence = self.window.push(command, token, now.mono).ok_or(Unsent::NoRoom)?;
        let start = codec::begin(&mut self.transmit, command, Status::ROK, sequence);
        if !write(&mut self.transmit) {
            self.transmit.truncate(start);
            self.window.take(sequence);
            return Err(Unsent::Unwritten);
        }
        codec::finish(&mut self.transmit, start);
        self.stats.pdus_out += 1;
        Ok(sequence)
    }

    /// Sends a request that nobody answers; `write` appends its body. False if it may not be sent now.
    pub fn tell(&mut self, command: Command, write: impl FnOnce(&mut BytesMut)) -> bool {
        let State::Bound(kind) = self.state else { return false };
        if command.has_response() || !legal(command, self.side, Stage::Bound(kind)) {
            return false;
        }
        let sequence = self.window.take_number();
        let start = codec::begin(&mut self.transmit, command, Status::ROK, sequence);
        write(&mut self.transmit);
        codec::finish(&mut self.transmit, start);
        self.stats.pdus_out += 1;
        true
    }

    /// Answers one [`Event::Request`]; `write` appends the whole response PDU.
    pub fn answer(&mut self, write: impl FnOnce(&mut BytesMut)) {
        self.owed = self.owed.saturating_sub(1);
        if matches!(self.state, State::Closed(_)) {
            return;
        }
        write(&mut self.transmit);
        self.stats.pdus_out += 1;
        self.finish_leaving();
    }

    /// Says goodbye: nothing more is asked of the peer; what is outstanding may still be answered.
    pub fn unbind(&mut self, now: Now) {
        match self.state {
            State::Bound(kind) => {
                let sequence = self.window.take_number();
                self.write_header(Command::UNBIND, Status::ROK, sequence);
                self.state = State::Unbinding { kind, sequence, agreed: false };
                self.timing.drain(now.mono);
            }
            State::Open | State::Outbound | State::Binding { .. } => self.close(Reason::Dropped),
            State::Unbinding { .. } | State::Draining { .. } | State::Closed(_) => {}
        }
    }

    /// Ends the session here and now; what is written already may still be flushed.
    pub fn close(&mut self, reason: Reason) {
        if !matches!(self.state, State::Closed(_)) {
            self.state = State::Closed(reason);
        }
    }

    fn write_header(&mut self, command: Command, status: Status, sequence: u32) {
        codec::header_only(&mut self.transmit, command, status, sequence);
        self.stats.pdus_out += 1;
    }

    fn max_pdu_len(&self) -> usize {
        if self.is_bound() { self.settings.max_pdu_len } else { MAX_UNBOUND_PDU_LEN }
    }

    fn is_bound(&self) -> bool {
        matches!(self.state, State::Bound(_) | State::Unbinding { .. } | State::Draining { .. })
    }

    /// What the session is bound as, while requests may be sent.
    pub fn bound(&self) -> Option<BindKind> {
        match self.state {
            State::Bound(kind) => Some(kind),
            State::Open
            | State::Outbound
            | State::Binding { .. }
            | State::Unbinding { .. }
            | State::Draining { .. }
            | State::Closed(_) => None,
        }
    }

    /// Why the session ended, if it has.
    pub fn closed(&self) -> Option<Reason> {
        match self.state {
            State::Closed(reason) => Some(reason),
            State::Open
            | State::Outbound
            | State::Binding { .. }
            | State::Bound(_)
            | State::Unbinding { .. }
            | State::Draining { .. } => None,
        }
    }

    /// The version that both sides keep to.
    pub fn version(&self) -> Version {
        self.version
    }

    /// From now on the peer is spoken to as one of `version`, whatever it declared.
    pub fn speak(&mut self, version: Version) {
        self.version = version;
    }

    /// How many more requests may be sent now.
    pub fn room(&self) -> usize {
        self.window.room()
    }

    /// How many requests of ours wait for an answer.
    pub fn open(&self) -> usize {
        self.window.open()
    }

    /// Whether octets of the peer may be read: it asks no more than its window has room for, takes what we write, and doesn't chatter.
    pub fn wants_read(&self) -> bool {
        !self.is_deaf() && self.chatter.is_borne() && self.transmit.len() < TRANSMIT_HIGH
    }

    /// What is to be written to the peer.
    pub fn transmit(&mut self) -> &mut BytesMut {
        &mut self.transmit
    }

    /// Tokens of requests that the end of the session left unanswered, oldest first.
    pub fn unanswered(&mut self) -> impl Iterator<Item = Sent> + '_ {
        self.window.drain()
    }

    /// Counts since the last call.
    pub fn take_stats(&mut self) -> Stats {
        std::mem::take(&mut self.stats)
    }

    /// Lets the own numbering go on from `sequence`: for tests of the wrap.
    pub fn number_from(&mut self, sequence: u32) {
        self.window.start_at(sequence);
    }
}

/// Cuts what [`Session::take_frames`] gave into frames, each with the place of its body in it.
pub fn frames(batch: &[u8]) -> impl Iterator<Item = (usize, Frame<'_>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let frame = next_frame(&batch[at..], usize::MAX).ok()??;
        at += frame.len();
        Some((at - frame.body.len(), frame))
    })
}

/// Octets waiting to be written at which reading stops.
pub const TRANSMIT_HIGH: usize = 256 * 1024;

#[cfg(test)]
mod tests;
