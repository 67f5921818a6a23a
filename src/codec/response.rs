//! Responses that carry a message_id and TLVs (SMPP 5.0 §4.2.1.2, §4.3.1.2), and congestion_state in any response.

use super::field::{put_cstr, split_cstr};
use super::{Command, Header, Reading, Status, Tag, Tlvs, begin, finish, header_only, put_tlv};
use bytes::BytesMut;

/// The body of a response to submit_sm, deliver_sm, data_sm, broadcast_sm or query_broadcast_sm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SmResp<'a> {
    /// Without blanks around it, at most 254 octets; empty if there is none: then no receipt can be matched.
    pub message_id: &'a [u8],
    pub tlvs: Tlvs<'a>,
}

impl<'a> SmResp<'a> {
    /// Reads the body of a response; never fails, since products send anything from nothing to a full body (F12).
    pub fn decode(body: &'a [u8]) -> Self {
        let (message_id, rest) = split_cstr(body);
        Self {
            message_id: usable_id(message_id),
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

/// Appends a response with a message_id and TLVs: to submit_sm, data_sm, broadcast_sm or query_broadcast_sm, which `command`
/// is; a refusal is the header alone.
pub fn encode_id_resp(
    out: &mut BytesMut,
    command: Command,
    status: Status,
    sequence: u32,
    message_id: &[u8],
    tlvs: Tlvs<'_>,
) {
    if !status.is_ok() {
        return header_only(out, command.response(), status, sequence);
    }
    SmResp { message_id, tlvs }.encode(out, command.response(), status, sequence);
}

/// Appends a deliver_sm_resp with an empty message_id, also when it refuses: strict peers want the NUL.
pub fn encode_deliver_resp(out: &mut BytesMut, status: Status, sequence: u32) {
    encode_receiver_resp(out, Command::DELIVER_SM, status, sequence);
}

/// Appends the response to what was delivered to us, by deliver_sm or data_sm, which `command` is: an empty message_id, also
/// when it refuses.
pub fn encode_receiver_resp(out: &mut BytesMut, command: Command, status: Status, sequence: u32) {
    SmResp::default().encode(out, command.response(), status, sequence);
}

/// Adds congestion_state, 0 to 100 per cent, to the response that was written last, from `start` to the end of `out`
/// (SMPP 5.0 §4.8.4.18); for peers of 5.0 only.
///
/// A refusal that is a header alone stays one, since peers expect it at its length. Anything but a finished response is the
/// caller's defect and is left alone.
pub fn add_congestion_state(out: &mut BytesMut, start: usize, state: u8) {
    let Some(header) = out.get(start..).and_then(<[u8]>::first_chunk) else {
        return;
    };
    let header = Header::decode(header);
    let is_bare = header.length as usize == Header::LEN;
    if !header.command.is_response() || is_bare && !header.status.is_ok() {
        return;
    }
    debug_assert_eq!(header.length as usize, out.len() - start, "not the last PDU, or not finished");
    put_tlv(out, Tag::CONGESTION_STATE, &[state.min(100)]);
    finish(out, start);
}

/// The id without blanks around it; empty if it is too long to be one.
pub(super) fn usable_id(message_id: &[u8]) -> &[u8] {
    let message_id = message_id.trim_ascii();
    if message_id.len() <= MESSAGE_ID_MAX { message_id } else { &[] }
}

/// Octets of the longest message_id that we take from a carrier.
const MESSAGE_ID_MAX: usize = 254;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{MAX_PDU_LEN, next_frame};

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

    #[test]
    fn response_with_an_id_has_it_only_when_it_is_ok() {
        let mut out = BytesMut::new();

        encode_id_resp(&mut out, Command::DATA_SM, Status::ROK, 5, b"A1", Tlvs::empty());
        assert_eq!(&out[..8], [0, 0, 0, 19, 0x80, 0, 1, 3]);
        assert_eq!(&out[16..], b"A1\0");
        out.clear();
        encode_id_resp(&mut out, Command::DATA_SM, Status::RTHROTTLED, 5, b"A1", Tlvs::empty());
        assert_eq!(out.len(), 16);
        out.clear();
        encode_receiver_resp(&mut out, Command::DATA_SM, Status::RX_T_APPN, 5);
        assert_eq!(&out[..8], [0, 0, 0, 17, 0x80, 0, 1, 3]);
        assert_eq!(&out[16..], [0]);
    }

    /// What the last PDU of `out` says of congestion, if it is well formed.
    fn congestion(out: &[u8], start: usize, body_len: usize) -> Option<u8> {
        let frame = next_frame(&out[start..], MAX_PDU_LEN).expect("framed").expect("whole");
        assert_eq!(frame.len(), out.len() - start);
        Tlvs::read(&frame.body[body_len..], Reading::Strict).expect("TLVs").u8(Tag::CONGESTION_STATE)
    }

    #[test]
    fn congestion_is_told_in_any_response_but_a_bare_refusal() {
        let mut out = BytesMut::from(&b"before"[..]);

        encode_submit_resp(&mut out, Status::ROK, 1, b"A1");
        add_congestion_state(&mut out, 6, 85);
        assert_eq!(congestion(&out, 6, 3), Some(85));

        let start = out.len();
        encode_deliver_resp(&mut out, Status::RX_T_APPN, 1);
        add_congestion_state(&mut out, start, 255);
        assert_eq!(congestion(&out, start, 1), Some(100));

        let start = out.len();
        header_only(&mut out, Command::ENQUIRE_LINK.response(), Status::ROK, 1);
        add_congestion_state(&mut out, start, 0);
        assert_eq!(congestion(&out, start, 0), Some(0));

        let start = out.len();
        encode_submit_resp(&mut out, Status::RTHROTTLED, 1, b"");
        add_congestion_state(&mut out, start, 99);
        assert_eq!(out.len() - start, 16);

        let start = out.len();
        header_only(&mut out, Command::ENQUIRE_LINK, Status::ROK, 1);
        add_congestion_state(&mut out, start, 99);
        assert_eq!(out.len() - start, 16);
    }
}
