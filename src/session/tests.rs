//! The promises of a session, by hand-moved time and octets.

mod legality;
mod pair;
mod rules;
mod timers;

use super::*;
use crate::clock::UnixMs;
use crate::codec::Header;
use std::time::Duration;

/// An event that outlives its frame.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    BindRequested(BindKind),
    Outbind(Vec<u8>),
    Bound(BindKind, Version),
    BindRefused(Status),
    Request(Command, u32),
    Response { token: u64, status: Status, late: bool },
    Unanswered(u64),
}

impl From<Event<'_>> for Told {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::BindRequested { kind, .. } => Self::BindRequested(kind),
            Event::Outbind(outbind) => Self::Outbind(outbind.system_id.to_vec()),
            Event::Bound { kind, version } => Self::Bound(kind, version),
            Event::BindRefused(status) => Self::BindRefused(status),
            Event::Request { command, sequence, .. } => Self::Request(command, sequence),
            Event::Response { sent, status, .. } => {
                Self::Response { token: sent.token, status, late: sent.late }
            }
            Event::Unanswered(sent) => Self::Unanswered(sent.token),
        }
    }
}

fn start() -> Now {
    #[allow(clippy::disallowed_methods)] // a test needs some instant to start from
    Now { mono: Instant::now(), wall: UnixMs(1_773_568_800_000) }
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Lets `session` take what it will of `input`.
fn take(session: &mut Session, input: &mut BytesMut, now: Now) -> Vec<Told> {
    let mut told = Vec::new();
    loop {
        let batch = session.take_frames(input, now);
        if batch.is_empty() {
            return told;
        }
        for (_, frame) in frames(&batch) {
            told.extend(session.handle(frame, now).map(Told::from));
        }
    }
}

/// Lets `session` take all of `octets`, or as much as it will.
fn feed(session: &mut Session, octets: &[u8], now: Now) -> Vec<Told> {
    take(session, &mut BytesMut::from(octets), now)
}

/// Everything that is due at `now`.
fn wait(session: &mut Session, now: Now) -> Vec<Told> {
    let mut told = Vec::new();
    while let Some(event) = session.handle_timeout(now) {
        told.push(event.into());
    }
    told
}

/// What the session has written since the last time.
fn written(session: &mut Session) -> Vec<(Command, Status, u32)> {
    let octets = session.transmit().split();
    frames(&octets)
        .map(|(_, Frame { header, .. })| (header.command, header.status, header.sequence))
        .collect()
}

fn pdu(command: Command, status: Status, sequence: u32, body: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    let length = (Header::LEN + body.len()) as u32;
    Header { length, command, status, sequence }.write(&mut out);
    out.extend_from_slice(body);
    out.to_vec()
}

fn request(command: Command, sequence: u32) -> Vec<u8> {
    pdu(command, Status::ROK, sequence, b"")
}

fn response(command: Command, status: Status, sequence: u32) -> Vec<u8> {
    pdu(command.response(), status, sequence, b"")
}

fn bind_fields(interface_version: u8) -> Bind<'static> {
    Bind {
        system_id: b"demo",
        password: b"secret",
        system_type: b"",
        interface_version,
        addr_ton: 0,
        addr_npi: 0,
        address_range: b"",
    }
}

fn bind_pdu(kind: BindKind, interface_version: u8) -> Vec<u8> {
    let mut out = BytesMut::new();
    bind_fields(interface_version).encode(&mut out, kind.command(), 1);
    out.to_vec()
}

fn bind_resp(kind: BindKind, status: Status, version: Option<u8>) -> Vec<u8> {
    let mut out = BytesMut::new();
    let resp = BindResp { system_id: b"smsc", sc_interface_version: version };
    resp.encode(&mut out, kind.command().response(), status, 1);
    out.to_vec()
}

/// A message centre's end that `kind` is bound to.
fn mc(kind: BindKind, settings: Settings, now: Now) -> Session {
    let mut session = Session::serve(settings, now);
    assert_eq!(feed(&mut session, &bind_pdu(kind, 0x34), now), [Told::BindRequested(kind)]);
    session.accept_bind(b"enroute", Version::V34, settings.window_in, settings.window_out, now);
    written(&mut session);
    session
}

/// An ESME's end that is bound as a transceiver.
fn esme(settings: Settings, now: Now) -> Session {
    let mut session = Session::connect(settings, now);
    session.bind(BindKind::Transceiver, &bind_fields(0x34), now);
    let told = feed(&mut session, &bind_resp(BindKind::Transceiver, Status::ROK, Some(0x34)), now);
    assert_eq!(told, [Told::Bound(BindKind::Transceiver, Version::V34)]);
    written(&mut session);
    session
}

/// Answers one request with a header and nothing more.
fn answer(session: &mut Session, command: Command, sequence: u32) {
    session.answer(|out| codec::header_only(out, command.response(), Status::ROK, sequence));
}
