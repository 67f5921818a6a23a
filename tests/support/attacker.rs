//! A peer that writes SMPP by hand, so that it can write it wrongly, and the hub that it is set upon.
//!
//! Shares no code with the crate: an error in its codec can't hide behind the same error here.

// Each test file is a crate of its own and uses its own part of this one.
#![allow(dead_code)]

use crate::support::{Hub, Setup, Smsc};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

pub const BIND_RECEIVER: u32 = 1;
pub const BIND_TRANSMITTER: u32 = 2;
pub const SUBMIT_SM: u32 = 4;
pub const DELIVER_SM: u32 = 5;
pub const UNBIND: u32 = 6;
pub const BIND_TRANSCEIVER: u32 = 9;
pub const ENQUIRE_LINK: u32 = 0x15;
pub const RESP: u32 = 0x8000_0000;
pub const GENERIC_NACK: u32 = 0x8000_0000;

/// How long a read or write may hang.
const HANG: Duration = Duration::from_secs(30);

/// Resident memory that an attack may cost, in KiB.
const GROWTH_MAX_KIB: u64 = 32 * 1024;

/// Octets of one PDU with a command_length that is right and a command_status of 0.
pub fn pdu(command: u32, sequence: u32, body: &[u8]) -> Vec<u8> {
    raw(16 + body.len() as u32, command, 0, sequence, body)
}

/// Octets of one PDU with whatever its header shall say.
pub fn raw(length: u32, command: u32, status: u32, sequence: u32, body: &[u8]) -> Vec<u8> {
    let header = [length, command, status, sequence].into_iter().flat_map(u32::to_be_bytes);
    header.chain(body.iter().copied()).collect()
}

/// The body of a bind up to addr_npi and an empty address_range.
pub fn bind_body(system_id: &str, password: &str, system_type: &str) -> Vec<u8> {
    let mut body = format!("{system_id}\0{password}\0{system_type}\0").into_bytes();
    body.extend([0x34, 0, 0, 0]);
    body
}

/// A bind that the hub takes, with sequence_number 1.
pub fn good_bind(command: u32) -> Vec<u8> {
    pdu(command, 1, &bind_body("demo", "demo", ""))
}

/// Octets of one TLV whose length is right.
pub fn tlv(tag: u16, value: &[u8]) -> Vec<u8> {
    [&tag.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), value].concat()
}

/// The fields of a submit_sm that matter here; the default is one that the hub takes and sends no receipt for.
#[derive(Clone)]
pub struct Submit {
    pub service_type: &'static [u8],
    pub source: &'static [u8],
    pub destination: &'static [u8],
    pub esm_class: u8,
    pub priority: u8,
    pub schedule: &'static [u8],
    pub validity: &'static [u8],
    pub receipt: u8,
    pub replace: u8,
    /// sm_length, where it isn't that of the text.
    pub length: Option<u8>,
    pub text: &'static [u8],
    /// What follows the text.
    pub tail: Vec<u8>,
}

impl Default for Submit {
    fn default() -> Self {
        Self {
            service_type: b"",
            source: b"12345",
            destination: b"447700900123",
            esm_class: 0,
            priority: 0,
            schedule: b"",
            validity: b"",
            receipt: 0,
            replace: 0,
            length: None,
            text: b"hello",
            tail: Vec::new(),
        }
    }
}

impl Submit {
    /// The body, to the end.
    pub fn body(&self) -> Vec<u8> {
        let Self { service_type, source, destination, schedule, validity, text, tail, .. } = self;
        let length = self.length.unwrap_or(text.len() as u8);
        let class = [self.esm_class, 0, self.priority];
        let flags = [self.receipt, self.replace, 0, 0, length];
        let nul = &b"\0"[..];
        [
            service_type,
            nul,
            b"\x01\x01",
            source,
            nul,
            b"\x01\x01",
            destination,
            nul,
            &class,
            schedule,
            nul,
            validity,
            nul,
            &flags,
            text,
            tail,
        ]
        .concat()
    }

    /// The whole PDU.
    pub fn pdu(&self, sequence: u32) -> Vec<u8> {
        pdu(SUBMIT_SM, sequence, &self.body())
    }
}

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub command: u32,
    pub status: u32,
    pub sequence: u32,
    pub body: Vec<u8>,
}

/// One connection to the hub's SMPP port.
pub struct Peer(TcpStream);

impl Peer {
    /// Connects and says nothing.
    pub fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the hub listens");
        stream.set_nodelay(true).expect("the socket is open");
        stream.set_read_timeout(Some(HANG)).expect("not zero");
        stream.set_write_timeout(Some(HANG)).expect("not zero");
        Self(stream)
    }

    /// Connects and binds.
    pub fn bound(port: u16, bind: u32) -> Self {
        let mut peer = Self::connect(port);
        peer.send(&good_bind(bind));
        peer.expect("a good bind", bind | RESP, 0, 1);
        peer
    }

    /// Writes all of it at once.
    pub fn send(&mut self, octets: &[u8]) {
        self.0.write_all(octets).expect("the hub reads");
    }

    /// Reads one PDU; panics at the end of the stream or when none comes.
    pub fn read(&mut self, what: &str) -> Answer {
        let mut header = [0; 16];
        self.0.read_exact(&mut header).unwrap_or_else(|error| panic!("{what}: no answer: {error}"));
        let [length, command, status, sequence] =
            [0, 4, 8, 12].map(|at| u32::from_be_bytes(header[at..at + 4].try_into().expect("four octets")));
        assert!((16..1024).contains(&length), "{what}: an answer of {length} octets");
        let mut body = vec![0; length as usize - 16];
        self.0.read_exact(&mut body).unwrap_or_else(|error| panic!("{what}: half an answer: {error}"));
        Answer { command, status, sequence, body }
    }

    /// Reads one PDU that has to be this one; gives its body.
    pub fn expect(&mut self, what: &str, command: u32, status: u32, sequence: u32) -> Vec<u8> {
        let Answer { command: came, status: said, sequence: echoed, body } = self.read(what);
        let (came, wanted) = ((came, said, echoed), (command, status, sequence));
        assert_eq!(came, wanted, "{what}: command, status, sequence {came:#x?} instead of {wanted:#x?}");
        body
    }

    /// Writes one PDU, which is then answered by this one; the session lives on.
    pub fn expect_alive(&mut self, what: &str, octets: &[u8], command: u32, status: u32, sequence: u32) {
        self.send(octets);
        self.expect(what, command, status, sequence);
        self.lives(what);
    }

    /// Asserts that the session is there and that nothing else has come.
    pub fn lives(&mut self, what: &str) {
        const SEQUENCE: u32 = 0x00AB_CDEF;
        self.send(&pdu(ENQUIRE_LINK, SEQUENCE, b""));
        self.expect(what, ENQUIRE_LINK | RESP, 0, SEQUENCE);
    }

    /// Asserts that nothing comes for at least so long; more patience can't make it fail.
    pub fn hears_nothing_for(&mut self, what: &str, span: Duration) {
        self.0.set_read_timeout(Some(span)).expect("not zero");
        let heard = self.0.peek(&mut [0]).map_err(|error| error.kind());
        self.0.set_read_timeout(Some(HANG)).expect("not zero");
        assert!(matches!(heard, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut)), "{what}: {heard:?}");
    }

    /// Writes `octets` again and again until the hub takes no more for a second; gives how many it took.
    pub fn stuff(&mut self, octets: &[u8], most: usize) -> usize {
        self.0.set_write_timeout(Some(Duration::from_secs(1))).expect("not zero");
        let mut taken = 0;
        while taken < most {
            match self.0.write(&octets[taken % octets.len()..]) {
                Ok(count) => taken += count,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
                Err(error) => panic!("the hub hung up on a slow reader: {error}"),
            }
        }
        self.0.set_write_timeout(Some(HANG)).expect("not zero");
        taken
    }

    /// A second handle on the same connection, for another thread.
    pub fn twin(&self) -> Self {
        Self(self.0.try_clone().expect("the socket is open"))
    }

    /// Asserts that the hub hangs up without another word.
    pub fn is_hung_up_on(&mut self, what: &str) {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => panic!("{what}: not closed: {error}"),
        }
        assert!(rest.is_empty(), "{what}: more before the end: {rest:02x?}");
    }
}

/// A hub under attack, and beside the attacker an honest session that goes on submitting.
pub struct Scene {
    /// The hub's SMPP port.
    pub port: u16,
    hub: Hub,
    smsc: Smsc,
    honest: Option<JoinHandle<()>>,
    taken: Arc<AtomicU64>,
    enough: Arc<AtomicBool>,
    rss_kib: u64,
    _setup: Setup,
}

impl Scene {
    /// Starts all of them, and waits until the honest session has warmed up.
    pub fn new() -> Self {
        let setup = Setup::new("hostile");
        let smsc = setup.start_smsc("");
        let config =
            setup.config_text().replace("[listener]\n", "[listener]\nsession_init_s = 5\nunbind_s = 1\n");
        let hub = Hub::start(setup.dir.path(), &config);
        let (taken, enough) = (Arc::default(), Arc::default());
        let honest = honest(setup.smpp, &taken, &enough);
        let mut scene = Self {
            port: setup.smpp,
            hub,
            smsc,
            honest: Some(honest),
            taken,
            enough,
            rss_kib: 0,
            _setup: setup,
        };
        scene.see_progress(200);
        scene.rss_kib = scene.hub.process.rss_kib();
        scene
    }

    /// Asserts that the buffers of all sessions hold no more than `most` octets, now that the hub has had time to say so.
    pub fn buffers_hold(&self, most: u64) {
        let series = "enroute_memory_bytes{what=\"buffers\"}";
        self.see_progress(200);
        let held = self.hub.metric(series).expect("it is always told");
        assert!(held <= most as f64, "{held} octets in buffers");
    }

    /// Waits until so many more messages of the honest session have been taken.
    fn see_progress(&self, count: u64) {
        let goal = self.taken.load(Ordering::Relaxed) + count;
        self.hub.process.until("the honest session goes on", HANG, || {
            self.taken.load(Ordering::Relaxed) >= goal
                || self.honest.as_ref().is_none_or(JoinHandle::is_finished)
        });
    }

    /// Ends it all: the honest session saw no error, these series have exactly these values, memory did not grow.
    pub fn end(mut self, series: &[(&str, u64)]) {
        self.see_progress(20);
        self.enough.store(true, Ordering::Relaxed);
        let honest = self.honest.take().expect("ended only here");
        assert!(honest.join().is_ok(), "the honest session was disturbed");
        for (name, value) in series {
            self.hub
                .process
                .until(&format!("{name} {value}"), HANG / 3, || self.hub.metric(name) == Some(*value as f64));
        }
        let growth = self.hub.process.rss_kib().saturating_sub(self.rss_kib);
        assert!(growth <= GROWTH_MAX_KIB, "the hub grew by {growth} KiB");
        assert_eq!(self.hub.terminate(), Some(0));
        self.smsc.stop();
    }
}

/// Submits one message after the other until it is enough; panics at anything but a success.
fn honest(port: u16, taken: &Arc<AtomicU64>, enough: &Arc<AtomicBool>) -> JoinHandle<()> {
    let (taken, enough) = (Arc::clone(taken), Arc::clone(enough));
    std::thread::spawn(move || {
        let mut peer = Peer::bound(port, BIND_TRANSMITTER);
        let submit = Submit::default();
        for sequence in 2.. {
            peer.send(&submit.pdu(sequence));
            peer.expect("an honest submit", SUBMIT_SM | RESP, 0, sequence);
            taken.fetch_add(1, Ordering::Relaxed);
            if enough.load(Ordering::Relaxed) {
                break;
            }
        }
        peer.send(&pdu(UNBIND, 0x7FFF_FFFF, b""));
        peer.expect("an honest unbind", UNBIND | RESP, 0, 0x7FFF_FFFF);
        peer.is_hung_up_on("an honest unbind");
    })
}

/// The series of submissions refused with this status.
pub fn refused(status: &str) -> String {
    format!("enroute_refused_total{{status=\"{status}\"}}")
}

/// The series of PDUs from ESMEs with this kind of fault.
pub fn errors(kind: &str) -> String {
    format!("enroute_pdu_errors_total{{kind=\"{kind}\",side=\"esme\"}}")
}

/// The series of ESMEs' sessions that ended for this reason.
pub fn closed(reason: &str) -> String {
    format!("enroute_sessions_closed_total{{reason=\"{reason}\",side=\"esme\"}}")
}

/// The series of receipts that met this event.
pub fn receipts(event: &str) -> String {
    format!("enroute_receipts_total{{event=\"{event}\"}}")
}
