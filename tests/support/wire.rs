//! PDUs as octets, for peers that a test holds itself; shares no code with the crate.

use std::io::{self, Read, Write};
use std::net::TcpStream;

pub const BIND_TRANSCEIVER: u32 = 9;
pub const SUBMIT_SM: u32 = 4;
pub const DELIVER_SM: u32 = 5;
pub const UNBIND: u32 = 6;
pub const ENQUIRE_LINK: u32 = 0x15;
pub const RESP: u32 = 0x8000_0000;

/// One PDU.
#[derive(Clone, Debug, Default)]
pub struct Pdu {
    pub command: u32,
    pub status: u32,
    pub sequence: u32,
    pub body: Vec<u8>,
}

impl Pdu {
    /// A request.
    pub fn request(command: u32, sequence: u32, body: Vec<u8>) -> Self {
        Self { command, status: 0, sequence, body }
    }

    /// The response to this request.
    pub fn response(&self, status: u32, body: Vec<u8>) -> Self {
        Self { command: self.command | RESP, status, sequence: self.sequence, body }
    }

    /// The next one of a stream.
    pub fn read(stream: &mut impl Read) -> io::Result<Self> {
        let mut header = [0; 16];
        stream.read_exact(&mut header)?;
        let [length, command, status, sequence] =
            [0, 4, 8, 12].map(|at| u32::from_be_bytes(header[at..at + 4].try_into().expect("four octets")));
        assert!((16..65_536).contains(&length), "a PDU of {length} octets");
        let mut body = vec![0; length as usize - 16];
        stream.read_exact(&mut body)?;
        Ok(Self { command, status, sequence, body })
    }

    /// Writes it at once.
    pub fn write(&self, mut stream: &TcpStream) -> io::Result<()> {
        let Self { command, status, sequence, body } = self;
        let header = [16 + body.len() as u32, *command, *status, *sequence];
        let mut octets: Vec<u8> = header.into_iter().flat_map(u32::to_be_bytes).collect();
        octets.extend(body);
        stream.write_all(&octets)
    }
}

/// The fields of a submit_sm or deliver_sm that tests are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub source: String,
    pub destination: String,
    pub esm_class: u8,
    pub priority: u8,
    /// registered_delivery.
    pub receipt: u8,
    pub text: String,
}

impl Message {
    /// A text with a receipt.
    pub fn new(source: &str, destination: &str, text: &str) -> Self {
        let (source, destination, text) = (source.to_owned(), destination.to_owned(), text.to_owned());
        Self { source, destination, esm_class: 0, priority: 0, receipt: 1, text }
    }

    /// As a body.
    pub fn body(&self) -> Vec<u8> {
        let Self { source, destination, esm_class, priority, receipt, text } = self;
        let mut body = format!("\0\x01\x01{source}\0\x01\x01{destination}\0").into_bytes();
        body.extend([*esm_class, 0, *priority, 0, 0, *receipt, 0, 0, 0, text.len() as u8]);
        body.extend(text.as_bytes());
        body
    }

    /// Of a body; what comes behind the text isn't looked at.
    pub fn of(body: &[u8]) -> Self {
        let mut left = body;
        let _service_type = word(&mut left);
        let [source, destination] = [(); 2].map(|()| {
            left = &left[2..]; // TON and NPI
            word(&mut left)
        });
        let (esm_class, priority) = (left[0], left[2]);
        left = &left[3..];
        let _times = [word(&mut left), word(&mut left)];
        let (receipt, length) = (left[0], usize::from(left[4]));
        let text = String::from_utf8_lossy(&left[5..5 + length]).into_owned();
        Self { source, destination, esm_class, priority, receipt, text }
    }
}

/// Takes a C-octet string off the front.
pub fn word(left: &mut &[u8]) -> String {
    let end = left.iter().position(|octet| *octet == 0).expect("a string that ends");
    let word = String::from_utf8_lossy(&left[..end]).into_owned();
    *left = &left[end + 1..];
    word
}
