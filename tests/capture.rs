//! What the hub puts on the wire, judged by Wireshark's dissector: no PDU malformed, none missing, none extra.
//!
//! Needs the right to capture on loopback; where that is refused the test fails and shows what tshark said.

mod support;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;
use support::foreign::prepared;
use support::{Process, STOP_LIMIT, Setup, TempDir, alone, assert_figures, free_port};

/// Messages in the captured run.
const COUNT: u64 = 400;

const SUBMIT: u32 = 0x0000_0004;
const DELIVER: u32 = 0x0000_0005;
const UNBIND: u32 = 0x0000_0006;
const BIND_TRANSCEIVER: u32 = 0x0000_0009;
const ENQUIRE_LINK: u32 = 0x0000_0015;
const RESPONSE: u32 = 0x8000_0000;

/// Both sides of the hub speak SMPP that an outsider can read to the last octet.
#[test]
fn dissector_finds_every_pdu_and_no_fault() {
    if prepared("dissector_finds_every_pdu_and_no_fault").is_none() {
        return;
    }
    let _turn = alone();
    let setup = Setup::new("capture");
    let capture = Capture::start(&setup.dir, &[setup.smpp, setup.carrier]);
    let smsc = setup.start_smsc("");
    let hub = setup.start_hub();

    let load = setup.run_load(&format!("--binds 2 --window 50 --count {COUNT}"));
    assert_eq!(hub.terminate(), Some(0));
    smsc.stop();
    let wire = capture.stop();

    assert_figures(&load, &[("accepted", COUNT), ("receipts", COUNT)]);
    assert_eq!(wire.faults, "", "frames with a fault");
    assert_eq!(wire.bad_statuses, 0, "nothing in this run is refused");
    for (side, port) in [("ESME", setup.smpp), ("carrier", setup.carrier)] {
        let pdus = &wire.pdus[&port];
        for command in [SUBMIT, DELIVER] {
            let counts = (pdus.get(&command).copied(), pdus.get(&(command | RESPONSE)).copied());
            assert_eq!(counts, (Some(COUNT), Some(COUNT)), "{command:#010x} on the {side}'s side: {pdus:?}");
        }
        let legal = [BIND_TRANSCEIVER, SUBMIT, DELIVER, UNBIND, ENQUIRE_LINK];
        let illegal: Vec<_> = pdus.keys().filter(|id| !legal.contains(&(*id & !RESPONSE))).collect();
        assert!(illegal.is_empty(), "unexpected on the {side}'s side: {illegal:x?}");
    }
}

/// The check above can fail: a submit_sm whose sm_length runs past its end is found.
#[test]
fn dissector_finds_a_malformed_pdu() {
    if prepared("dissector_finds_a_malformed_pdu").is_none() {
        return;
    }
    let _turn = alone();
    let dir = TempDir::new("malformed");
    let port = free_port();
    let capture = Capture::start(&dir, &[port]);
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port was free a moment ago");
    let mut peer = TcpStream::connect(("127.0.0.1", port)).expect("the listener above is there");
    let _accepted = listener.accept().expect("the peer above has connected");

    let body = b"\0\x01\x01111\0\x01\x01222\0\0\0\0\0\0\x01\0\0\0\xc8short";
    let mut pdu = Vec::new();
    for word in [16 + body.len() as u32, SUBMIT, 0, 1] {
        pdu.extend_from_slice(&word.to_be_bytes());
    }
    pdu.extend_from_slice(body);
    peer.write_all(&pdu).expect("a small PDU fits the socket");
    let wire = capture.stop();

    assert_ne!(wire.faults, "");
}

/// A running capture of some TCP ports on loopback.
struct Capture {
    tshark: Process,
    file: String,
    ports: Vec<u16>,
    /// Where marks are sent: tshark says a mark's port once all that came before it is in its file.
    begin: u16,
    end: u16,
}

/// What a dissector made of a capture.
struct Wire {
    /// Port of the server → command_id → how many.
    pdus: BTreeMap<u16, BTreeMap<u32, u64>>,
    /// PDUs with a command_status other than 0.
    bad_statuses: usize,
    /// One line per frame that is malformed or that an expert of the dissector complains of.
    faults: String,
}

impl Capture {
    fn start(dir: &TempDir, ports: &[u16]) -> Self {
        let (begin, end) = (free_port(), free_port());
        let mut filter = format!("udp port {begin} or udp port {end}");
        for port in ports {
            filter += &format!(" or tcp port {port}");
        }
        let file = dir.file("capture.pcapng");
        let mut command = Command::new("tshark");
        command.args(["-i", "lo", "-B", "64", "-f", &filter, "-w", &file]);
        command.args(["-P", "-l", "-n", "-T", "fields", "-e", "udp.dstport"]);
        let tshark = Process::start("tshark", &mut command, dir.path());
        let capture = Self { tshark, file, ports: ports.to_vec(), begin, end };
        capture.pass_mark(capture.begin);
        capture
    }

    /// Ends the capture once it holds all that happened so far, and dissects it.
    fn stop(self) -> Wire {
        self.pass_mark(self.end);
        self.tshark.signal("INT");
        assert!(self.tshark.wait(STOP_LIMIT).success(), "tshark could not finish its file");
        let fields =
            self.dissect("smpp", &["tcp.srcport", "tcp.dstport", "smpp.command_id", "smpp.command_status"]);
        let mut wire = Wire { pdus: BTreeMap::new(), bad_statuses: 0, faults: String::new() };
        for frame in fields.lines() {
            let columns: Vec<&str> = frame.split('\t').collect();
            let &[source, destination, commands, statuses] = columns.as_slice() else {
                panic!("four columns were asked for: {frame:?}");
            };
            let ends = [source, destination].map(|port| port.parse::<u16>().expect("a port is a number"));
            let port = *self.ports.iter().find(|port| ends.contains(port)).expect("only these were captured");
            let pdus = wire.pdus.entry(port).or_default();
            for command in commands.split(',') {
                *pdus.entry(number(command)).or_default() += 1;
            }
            wire.bad_statuses +=
                statuses.split(',').filter(|status| !status.is_empty() && number(status) != 0).count();
        }
        let faulty = "_ws.malformed || _ws.short || _ws.unreassembled \
                      || _ws.expert.group == \"Malformed\" || _ws.expert.group == \"Undecoded\"";
        wire.faults = self.dissect(faulty, &["frame.number", "_ws.expert.message", "_ws.col.Info"]);
        wire
    }

    fn dissect(&self, filter: &str, fields: &[&str]) -> String {
        let mut command = Command::new("tshark");
        command.args(["-n", "-r", &self.file, "-Y", filter, "-T", "fields"]);
        for port in &self.ports {
            command.args(["-d", &format!("tcp.port=={port},smpp")]);
        }
        for field in fields {
            command.args(["-e", field]);
        }
        let output = command.output().expect("tshark was there to capture");
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tshark can't dissect by {filter:?}: {log}");
        String::from_utf8(output.stdout).expect("the fields asked for are ASCII")
    }

    /// Sends marks to `port` until tshark has seen one; panics with tshark's own words if it can't capture.
    fn pass_mark(&self, port: u16) {
        const TRIES: u32 = 150;
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has room for a socket");
        for _ in 0..TRIES {
            // Nobody listens there; the refusal that comes back by ICMP is no news.
            let _ = socket.send_to(b"mark", ("127.0.0.1", port));
            if self.tshark.says(&port.to_string(), Duration::from_millis(200)) {
                return;
            }
        }
        panic!("tshark runs but captures nothing on lo: is capturing permitted here?");
    }
}

/// A field as tshark prints it: hex with `0x`, or decimal.
fn number(text: &str) -> u32 {
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => text.parse(),
    };
    parsed.unwrap_or_else(|error| panic!("{text:?} is no number: {error}"))
}
