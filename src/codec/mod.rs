//! Octets to PDUs and back: no IO, no state, no allocation.
//!
//! [`next_frame`] cuts a PDU off the read buffer; its [`Header`] says which view to lay over its body ([`Bind`], [`Sm`],
//! [`SmResp`]...). Views borrow from the buffer and copy nothing. Encoders append whole PDUs to a `BytesMut`; strings in
//! views are without their NUL, and one that an encoder gets ends at the first NUL inside.
//!
//! How forgiving a decoder is, is the caller's choice of [`Reading`]. What fails says which field and with which status to
//! answer ([`FieldError`]); the stream stays in step, because the frame's end was known before.
//!
//! ```
//! use bytes::BytesMut;
//! use enroute::codec::{Bind, Command, MAX_PDU_LEN, Reading, next_frame};
//!
//! let mut out = BytesMut::new();
//! Bind { system_id: b"acme", ..Bind::default() }.encode(&mut out, Command::BIND_TRANSCEIVER, 1);
//!
//! let frame = next_frame(&out, MAX_PDU_LEN)?.expect("a whole PDU");
//! assert_eq!(frame.header.command, Command::BIND_TRANSCEIVER);
//! assert_eq!(Bind::decode(frame.body, Reading::Strict)?.system_id, b"acme");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod alert;
mod bind;
mod broadcast;
mod cancel;
mod command;
mod data_sm;
mod explain;
mod field;
mod frame;
mod multi;
mod multi_resp;
mod outbind;
mod query;
mod receipt;
mod receipt_text;
mod relay;
mod replace;
mod response;
mod shown;
mod sm;
mod state;
mod status;
mod tag;
mod time;
mod tlv;
mod value;
mod version;

pub use alert::{AlertNotification, Availability};
pub use bind::{Bind, BindResp};
pub use broadcast::{BroadcastSm, CancelBroadcastSm, QueryBroadcastSm};
pub use cancel::CancelSm;
pub use command::Command;
pub use data_sm::DataSm;
pub use explain::explain;
pub use frame::{Frame, FrameError, MAX_PDU_LEN, MAX_UNBOUND_PDU_LEN, next_frame};
pub use multi::{Destination, Destinations, SubmitMulti, put_destination};
pub use multi_resp::{MultiResp, Unsuccess, encode_multi_resp};
pub use outbind::Outbind;
pub use query::{QueryResp, QuerySm};
pub use receipt::{Receipt, decode_receipt_text};
pub use receipt_text::ReceiptText;
pub use relay::{Relay, SUBMITTED_AS, relay_read};
pub use replace::ReplaceSm;
pub use response::{
    SmResp, add_congestion_state, encode_deliver_resp, encode_id_resp, encode_receiver_resp,
    encode_submit_resp,
};
pub use sm::{Address, Sm};
pub use state::MessageState;
pub use status::{Class, Status};
pub use tag::Tag;
pub use time::{
    FinalDate, ReceiptDate, SmppTime, TimeError, TimeRules, read_time, read_time_with, write_absolute,
    write_final_date, write_receipt_date, write_relative,
};
pub use tlv::{Tlv, Tlvs, put_tlv};
pub use value::{
    BroadcastArea, BroadcastContentType, BroadcastFrequencyInterval, CallbackNum, CallbackTag,
    ItsSessionInfo, MessageWaiting, MsValidity, NetworkErrorCode, NetworkId, Presentation, Sar, Subaddress,
    Value,
};
pub use version::Version;

use bytes::BytesMut;
use thiserror::Error;

/// The sixteen octets that every PDU starts with (SMPP 5.0 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Octets of the whole PDU, these included.
    pub length: u32,
    pub command: Command,
    /// 0 in requests; a receiver of requests ignores it.
    pub status: Status,
    /// Any value off the wire is echoed in the response; our own numbers are in 1..=0x7FFF_FFFF.
    pub sequence: u32,
}

impl Header {
    /// Octets of a header.
    pub const LEN: usize = 16;

    /// Reads a header; any sixteen octets are one.
    #[inline]
    pub fn decode(octets: &[u8; 16]) -> Self {
        let [l0, l1, l2, l3, c0, c1, c2, c3, e0, e1, e2, e3, s0, s1, s2, s3] = *octets;
        Self {
            length: u32::from_be_bytes([l0, l1, l2, l3]),
            command: Command(u32::from_be_bytes([c0, c1, c2, c3])),
            status: Status(u32::from_be_bytes([e0, e1, e2, e3])),
            sequence: u32::from_be_bytes([s0, s1, s2, s3]),
        }
    }

    /// Appends the header.
    #[inline]
    pub fn write(self, out: &mut BytesMut) {
        let mut octets = [0; Self::LEN];
        octets[..4].copy_from_slice(&self.length.to_be_bytes());
        octets[4..8].copy_from_slice(&self.command.0.to_be_bytes());
        octets[8..12].copy_from_slice(&self.status.0.to_be_bytes());
        octets[12..].copy_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&octets);
    }
}

/// How forgiving to be about fields that break the specification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reading {
    /// By the letter: certification, our own tests.
    Strict,
    /// For customers: what harms nobody is overlooked, the rest refused with the field's status.
    #[default]
    Lenient,
    /// For carriers: keep what can be read, refuse only what can't be told whom it is from or for. A refused deliver_sm
    /// comes again without end.
    Carrier,
}

/// A field that can't be read. The fault is the peer's; the session stays usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{field}: {status}")]
pub struct FieldError {
    /// The specification's name of the first field that failed.
    pub field: &'static str,
    /// The status to answer with, in the PDU's own response.
    pub status: Status,
}

/// Starts a PDU at the end of `out` and returns where, for [`finish`]; the body is appended in between.
#[inline]
pub fn begin(out: &mut BytesMut, command: Command, status: Status, sequence: u32) -> usize {
    let start = out.len();
    Header { length: Header::LEN as u32, command, status, sequence }.write(out);
    start
}

/// Ends the PDU that started at `start`: its command_length is now right.
#[inline]
pub fn finish(out: &mut BytesMut, start: usize) {
    let length = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// Appends a PDU without a body: unbind, enquire_link, their responses, generic_nack, refusals.
#[inline]
pub fn header_only(out: &mut BytesMut, command: Command, status: Status, sequence: u32) {
    begin(out, command, status, sequence);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_patched_when_the_pdu_ends() {
        let mut out = BytesMut::from(&b"before"[..]);

        let start = begin(&mut out, Command::SUBMIT_SM, Status::ROK, u32::MAX);
        out.extend_from_slice(b"body");
        finish(&mut out, start);
        header_only(&mut out, Command::UNBIND, Status::ROK, 2);

        let first = next_frame(&out[6..], MAX_PDU_LEN).expect("framed").expect("whole");
        assert_eq!(first.header.length, 20);
        assert_eq!(first.header.sequence, u32::MAX);
        assert_eq!(first.body, b"body");
        let second = next_frame(&out[26..], MAX_PDU_LEN).expect("framed").expect("whole");
        assert_eq!(second.header.command, Command::UNBIND);
        assert_eq!(second.len(), 16);
    }
}
