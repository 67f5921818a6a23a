//! Cutting a stream of octets into PDUs (SMPP 5.0 §2.7, §4.1).

use super::{Header, Status};
use thiserror::Error;

/// The longest PDU of a bound peer, in octets: a submit_multi with 255 destinations and a full message_payload.
pub const MAX_PDU_LEN: usize = 73_728;

/// The longest PDU before a bind, in octets: the longest bind has 98, and TLVs.
pub const MAX_UNBOUND_PDU_LEN: usize = 1_024;

/// One whole PDU, still in the read buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub header: Header,
    /// What follows the header, to the end of the PDU.
    pub body: &'a [u8],
}

impl Frame<'_> {
    /// Octets of the whole PDU: how far to advance the read buffer.
    pub fn len(&self) -> usize {
        Header::LEN + self.body.len()
    }

    /// Whether there is nothing but the header.
    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }
}

/// Why what a peer sent isn't a stream of PDUs. Its fault always; nothing after this point can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// A PDU has at least its header.
    #[error("command_length {length} is below 16")]
    TooShort { length: u32 },
    /// Above what this peer may send now; known before a buffer of that size is asked for.
    #[error("command_length {length} is above the limit")]
    TooLong { length: u32, sequence: u32 },
    /// The first octets are those of another protocol.
    #[error("the peer speaks {protocol}, not SMPP")]
    Foreign { protocol: &'static str },
}

impl FrameError {
    /// Status and sequence_number of the generic_nack to send before hanging up; the number is 0 where none can be trusted.
    ///
    /// A peer that speaks another protocol would not understand it: just hang up on [`FrameError::Foreign`].
    pub const fn nack(&self) -> (Status, u32) {
        match self {
            Self::TooShort { .. } | Self::Foreign { .. } => (Status::RINVCMDLEN, 0),
            Self::TooLong { sequence, .. } => (Status::RINVCMDLEN, *sequence),
        }
    }
}

/// The first PDU in `input`, or `None` if it isn't whole yet; `max_len` is in octets, header included.
///
/// An impossible length is reported as soon as it is there, so that nobody waits for, or makes room for, the rest.
/// Too long a PDU is reported once its header is whole, because the answer carries its sequence_number.
pub fn next_frame(input: &[u8], max_len: usize) -> Result<Option<Frame<'_>>, FrameError> {
    let Some(start) = input.first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*start);
    if length < Header::LEN as u32 {
        return Err(FrameError::TooShort { length });
    }
    if length as usize > max_len {
        return refuse_length(input, *start);
    }
    match input.get(..length as usize).and_then(<[u8]>::split_first_chunk) {
        Some((header, body)) => Ok(Some(Frame { header: Header::decode(header), body })),
        None => Ok(None),
    }
}

#[cold]
fn refuse_length(input: &[u8], start: [u8; 4]) -> Result<Option<Frame<'_>>, FrameError> {
    if let Some((_, protocol)) = FOREIGN.iter().find(|(opening, _)| start.starts_with(opening)) {
        return Err(FrameError::Foreign { protocol });
    }
    match input.first_chunk() {
        Some(header) => {
            let Header { length, sequence, .. } = Header::decode(header);
            Err(FrameError::TooLong { length, sequence })
        }
        None => Ok(None),
    }
}

/// How other protocols open. As lengths all of these are far above any limit.
const FOREIGN: [(&[u8], &str); 11] = [
    (b"GET ", "HTTP"),
    (b"POST", "HTTP"),
    (b"PUT ", "HTTP"),
    (b"HEAD", "HTTP"),
    (b"OPTI", "HTTP"),
    (b"DELE", "HTTP"),
    (b"CONN", "HTTP"),
    (b"HTTP", "HTTP"),
    (b"PRI ", "HTTP"),
    (b"SSH-", "SSH"),
    (b"\x16\x03", "TLS"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Command;

    const ENQUIRE: [u8; 16] = [0, 0, 0, 16, 0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 9];

    /// F1: several PDUs in one read.
    #[test]
    fn pdus_of_one_read_come_one_by_one() {
        let read = ENQUIRE.repeat(3);

        let mut rest = &read[..];
        let mut count = 0;
        while let Ok(Some(frame)) = next_frame(rest, MAX_PDU_LEN) {
            assert_eq!(frame.header.command, Command::ENQUIRE_LINK);
            assert_eq!(frame.header.sequence, 9);
            rest = &rest[frame.len()..];
            count += 1;
        }

        assert_eq!((count, rest.len()), (3, 0));
    }

    /// F1: a PDU cut anywhere, even inside of its length.
    #[test]
    fn cut_pdu_waits_for_the_rest() {
        for cut in 0..ENQUIRE.len() {
            assert_eq!(next_frame(&ENQUIRE[..cut], MAX_PDU_LEN), Ok(None));
        }
        assert!(next_frame(&ENQUIRE, MAX_PDU_LEN).is_ok_and(|frame| frame.is_some()));
    }

    /// F3: lengths below a header, refused without waiting for one.
    #[test]
    fn length_below_header_loses_the_stream() {
        for length in 0..16u32 {
            let error = next_frame(&length.to_be_bytes(), MAX_PDU_LEN).expect_err("no PDU is that short");

            assert_eq!(error, FrameError::TooShort { length });
            assert_eq!(error.nack(), (Status::RINVCMDLEN, 0));
        }
    }

    /// F4, F5: huge lengths, the sign bit set or not, are refused with the header's number as soon as it is there.
    #[test]
    fn length_above_limit_is_refused_before_the_body_comes() {
        for length in [MAX_PDU_LEN as u32 + 1, 0x7FFF_FFFF, 0x8000_0000, u32::MAX] {
            let mut header = ENQUIRE;
            header[..4].copy_from_slice(&length.to_be_bytes());

            assert_eq!(next_frame(&header[..15], MAX_PDU_LEN), Ok(None));
            let error = next_frame(&header, MAX_PDU_LEN).expect_err("longer than allowed");

            assert_eq!(error, FrameError::TooLong { length, sequence: 9 });
            assert_eq!(error.nack(), (Status::RINVCMDLEN, 9));
        }
    }

    /// F6: a full message_payload is legal.
    #[test]
    fn longest_legal_pdu_is_waited_for() {
        let mut header = ENQUIRE;
        header[..4].copy_from_slice(&(MAX_PDU_LEN as u32).to_be_bytes());

        assert_eq!(next_frame(&header, MAX_PDU_LEN), Ok(None));

        let mut whole = header.to_vec();
        whole.resize(MAX_PDU_LEN, 7);
        let frame = next_frame(&whole, MAX_PDU_LEN).expect("legal").expect("whole");
        assert_eq!(frame.body.len(), MAX_PDU_LEN - 16);
    }

    /// F7: web browsers and port scanners find the port.
    #[test]
    fn other_protocols_are_named() {
        let protocol = |input: &[u8]| match next_frame(input, MAX_PDU_LEN) {
            Err(FrameError::Foreign { protocol }) => protocol,
            other => panic!("not seen as foreign: {other:?}"),
        };

        assert_eq!(protocol(b"GET / HTTP/1.1\r\n"), "HTTP");
        assert_eq!(protocol(b"HTTP/1.1 400 Bad Request"), "HTTP");
        assert_eq!(protocol(&[0x16, 0x03, 0x01, 0x02]), "TLS");
        assert!(next_frame(b"\r\n\r\n0123456789ab", MAX_PDU_LEN).is_err());
    }
}
