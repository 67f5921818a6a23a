//! Responses to submit_sm and deliver_sm (SMPP 5.0 §4.2.1.2, §4.3.1.2).

use super::field::{nul_at, put_cstr};
use super::{Command, Reading, Status, Tlvs, begin, finish, header_only};
use bytes::BytesMut;

/// The body of a submit_sm_resp or a deliver_sm_resp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SmResp<'a> {
    /// Without blanks around it, at most 254 octets; empty if there is none: then no receipt can be matched.
    pub message_id: &'a [u8],
    pub tlvs: Tlvs<'a>,
}

impl<'a> SmResp<'a> {
    /// Reads the body of a response; never fails, since products send anything from nothing to a full body (F12).
    pub fn decode(body: &'a [u8]) -> Self {
        let (message_id, rest) = match nul_at(body) {
            Some(at) => (&body[..at], &body[at + 1..]),
            None => (body, &[][..]),
        };
        let message_id = message_id.trim_ascii();
        Self {
            message_id: if message_id.len() <= MESSAGE_ID_MAX { message_id } else { &[] },
            tlvs: Tlvs::read(rest, Reading::Carrier).unwrap_or_default(),
        }
    }

    /// Appends the whole PDU, body and all, whatever the status.
    pub fn encode(&self, out: &mut BytesMut, command: Command, status: Status, sequence: u32) {
        let start = begin(out, command, status, sequence);
        put_cstr(out, self.message_id);
        out.extend_from_slice(self.tlvs.as_bytes());
        finish(out, start);
    }
}

/// Appends a submit_sm_resp; a refusal is the header alone (SMPP 3.4 §4.4.2). `message_id` is at most 64 octets, 8 for 3.3.
pub fn encode_submit_resp(out: &mut BytesMut, status: Status, sequence: u32, message_id: &[u8]) {
    let command = Command::SUBMIT_SM.response();
    if !status.is_ok() {
        return header_only(out, command, status, sequence);
    }
    SmResp { message_id, tlvs: Tlvs::empty() }.encode(out, command, status, sequence);
}

/// Appends a deliver_sm_resp with an empty message_id, also when it refuses: strict peers want the NUL.
pub fn encode_deliver_resp(out: &mut BytesMut, status: Status, sequence: u32) {
    SmResp::default().encode(out, Command::DELIVER_SM.response(), status, sequence);
}

/// Octets of the longest message_id that we take from a carrier.
const MESSAGE_ID_MAX: usize = 254;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Tag;

    /// F12: nothing, one NUL, an id, an id and parameters; with any status.
    #[test]
    fn every_form_of_response_is_read() {
        let id = |body: &'static [u8]| SmResp::decode(body).message_id;

        assert_eq!(id(b""), b"");
        assert_eq!(id(b"\0"), b"");
        assert_eq!(id(b"0000000001\0"), b"0000000001");
        assert_eq!(id(b"no NUL"), b"no NUL");
        assert_eq!(id(b"  \0"), b"");
        let whole = SmResp::decode(b"A1\0\x04\x28\0\x01\x55");
        assert_eq!(whole.message_id, b"A1");
        assert_eq!(whole.tlvs.u8(Tag::CONGESTION_STATE), Some(0x55));
    }

    #[test]
    fn long_id_is_stored_whole_up_to_its_bound() {
        let mut body = vec![b'7'; 254];
        body.push(0);
        assert_eq!(SmResp::decode(&body).message_id.len(), 254);

        body.insert(0, b'7');
        assert_eq!(SmResp::decode(&body).message_id, b"");
    }

    #[test]
    fn refusals_are_a_header_to_submitters_and_a_nul_to_deliverers() {
        let mut out = BytesMut::new();

        encode_submit_resp(&mut out, Status::RTHROTTLED, 5, b"unused");
        assert_eq!(out.len(), 16);
        encode_deliver_resp(&mut out, Status::RX_T_APPN, 5);
        assert_eq!(out.len(), 16 + 17);
        assert_eq!(out.last(), Some(&0));
    }
}
