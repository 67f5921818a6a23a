//! submit_sm and deliver_sm, which share one list of fields (SMPP 5.0 §4.2.1, §4.3.1).

use super::field::{
    DESTINATION_ADDR, Fields, SCHEDULE_DELIVERY_TIME, SERVICE_TYPE, SOURCE_ADDR, VALIDITY_PERIOD,
    put_address, put_cstr,
};
use super::{Command, FieldError, Reading, Status, Tag, Tlvs, begin, finish, put_tlv};
use bytes::BytesMut;

/// Who a message is from or for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Address<'a> {
    pub ton: u8,
    pub npi: u8,
    /// At most 20 octets; 64 from carriers.
    pub addr: &'a [u8],
}

/// The body of a submit_sm or a deliver_sm, borrowed from the read buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sm<'a> {
    /// At most 5 octets.
    pub service_type: &'a [u8],
    pub source: Address<'a>,
    pub destination: Address<'a>,
    pub esm_class: u8,
    pub protocol_id: u8,
    pub priority_flag: u8,
    /// At most 16 octets; see [`super::read_time_with`].
    pub schedule_delivery_time: &'a [u8],
    /// At most 16 octets; see [`super::read_time_with`].
    pub validity_period: &'a [u8],
    pub registered_delivery: u8,
    pub replace_if_present_flag: u8,
    pub data_coding: u8,
    pub sm_default_msg_id: u8,
    /// At most 255 octets off the wire; [`Sm::text`] is what the message says.
    pub short_message: &'a [u8],
    pub tlvs: Tlvs<'a>,
}

impl<'a> Sm<'a> {
    /// Reads the body of a submit_sm or a deliver_sm.
    ///
    /// `Strict` and `Lenient` refuse the first field that breaks the specification with its status, and a user data header
    /// that is longer than the user data with ESME_RINVESMCLASS. `Carrier` refuses only unreadable addresses (with
    /// ESME_RX_R_APPN): the fields that are missing are empty or 0.
    #[inline]
    pub fn decode(body: &'a [u8], reading: Reading) -> Result<Self, FieldError> {
        let mut fields = Fields { rest: body, reading };
        let service_type = fields.cstr(&SERVICE_TYPE)?;
        let source = fields.address(&SOURCE_ADDR)?;
        let destination = fields.address(&DESTINATION_ADDR)?;
        Self::decode_tail(fields, Self { service_type, source, destination, ..Self::default() })
    }

    /// Reads the fields from esm_class on; those before stand in `head`.
    #[inline(always)]
    pub(super) fn decode_tail(mut fields: Fields<'a>, head: Self) -> Result<Self, FieldError> {
        let reading = fields.reading;
        let [esm_class, protocol_id, priority_flag] = fields.octets("esm_class")?;
        let schedule_delivery_time = fields.time(&SCHEDULE_DELIVERY_TIME)?;
        let validity_period = fields.time(&VALIDITY_PERIOD)?;
        // Four are one word; of five the processor would wait for the last to be put beside it.
        let [registered_delivery, replace_if_present_flag, data_coding, sm_default_msg_id] =
            fields.octets("registered_delivery")?;
        let [sm_length] = fields.octets("registered_delivery")?;
        let short_message = fields.short_message(sm_length)?;
        let tlvs = Tlvs::read(fields.rest, reading)?;
        let sm = Self {
            esm_class,
            protocol_id,
            priority_flag,
            schedule_delivery_time,
            validity_period,
            registered_delivery,
            replace_if_present_flag,
            data_coding,
            sm_default_msg_id,
            short_message,
            tlvs,
            ..head
        };
        sm.check(reading)?;
        Ok(sm)
    }

    /// The user data: message_payload if it is present, else short_message (SMPP 5.0 §4.8.4.36).
    #[inline]
    pub fn text(&self) -> &'a [u8] {
        self.tlvs.find(Tag::MESSAGE_PAYLOAD).unwrap_or(self.short_message)
    }

    /// Whether text stands both in short_message and in message_payload, which 3.4 forbids; the payload counts.
    pub fn has_two_texts(&self) -> bool {
        !self.short_message.is_empty() && self.tlvs.find(Tag::MESSAGE_PAYLOAD).is_some()
    }

    /// Whether it says that it is a delivery receipt (SMPP 5.0 §4.7.12).
    pub const fn is_receipt(&self) -> bool {
        self.esm_class & TYPE_MASK == 0x04
    }

    /// Whether it says that it is an intermediate notification.
    pub const fn is_intermediate(&self) -> bool {
        self.esm_class & TYPE_MASK == 0x20
    }

    /// Whether the user data starts with a header; the bit alone, with no room for one, doesn't count.
    pub fn has_udh(&self) -> bool {
        self.udh().is_some()
    }

    /// The user data header without its length octet (3GPP TS 23.040 §9.2.3.24).
    pub fn udh(&self) -> Option<&'a [u8]> {
        match self.text() {
            [length, rest @ ..] if self.esm_class & UDHI != 0 => rest.get(..usize::from(*length)),
            _ => None, // No bit, or no user data for it to speak of.
        }
    }

    /// Appends the body. More than 255 octets of short_message go out as message_payload.
    #[inline]
    pub fn encode_body(&self, out: &mut BytesMut) {
        out.reserve(FIXED_LEN + self.short_message.len() + self.tlvs.as_bytes().len());
        put_cstr(out, self.service_type);
        put_address(out, &self.source);
        put_address(out, &self.destination);
        out.extend_from_slice(&[self.esm_class, self.protocol_id, self.priority_flag]);
        self.encode_tail(out);
    }

    /// Appends the fields from schedule_delivery_time on; those of the middle stand before them.
    #[inline]
    pub(super) fn encode_tail(&self, out: &mut BytesMut) {
        put_cstr(out, self.schedule_delivery_time);
        put_cstr(out, self.validity_period);
        let (short, payload) = match u8::try_from(self.short_message.len()) {
            Ok(length) => (length, None),
            Err(_) => (0, Some(self.short_message)),
        };
        out.extend_from_slice(&[
            self.registered_delivery,
            self.replace_if_present_flag,
            self.data_coding,
            self.sm_default_msg_id,
            short,
        ]);
        match payload {
            Some(text) => put_tlv(out, Tag::MESSAGE_PAYLOAD, text),
            None => out.extend_from_slice(self.short_message),
        }
        out.extend_from_slice(self.tlvs.as_bytes());
    }

    /// Appends the whole PDU; `command` is submit_sm or deliver_sm.
    #[inline]
    pub fn encode(&self, out: &mut BytesMut, command: Command, sequence: u32) {
        let start = begin(out, command, Status::ROK, sequence);
        self.encode_body(out);
        finish(out, start);
    }

    /// Refuses a user data header without its room, and TLVs of illegal lengths.
    #[inline(always)]
    pub(super) fn check(&self, reading: Reading) -> Result<(), FieldError> {
        if reading == Reading::Carrier {
            return Ok(());
        }
        if self.esm_class & UDHI != 0 && self.udh().is_none() {
            return Err(FieldError { field: "esm_class", status: Status::RINVESMCLASS });
        }
        self.tlvs.check(reading)
    }
}

/// Octets of a body without its text and TLVs, at most, if its fields are legal.
const FIXED_LEN: usize = 6 + 23 + 23 + 3 + 17 + 17 + 5;
/// esm_class bits 5-2: the type of message.
const TYPE_MASK: u8 = 0x3C;
/// esm_class bit 6: user data header indicator.
const UDHI: u8 = 0x40;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::{self, customers};

    /// A message with each field different from its neighbours.
    fn sample() -> Sm<'static> {
        Sm {
            service_type: b"CMT",
            source: Address { ton: 5, npi: 0, addr: b"ACME" },
            destination: Address { ton: 1, npi: 1, addr: b"447700900123" },
            registered_delivery: 1,
            short_message: b"hello",
            ..Sm::default()
        }
    }

    fn body(sm: &Sm<'_>) -> BytesMut {
        let mut out = BytesMut::new();
        sm.encode_body(&mut out);
        out
    }

    fn refusals(body: &[u8]) -> [Option<Status>; 3] {
        field::refusals(|reading| Sm::decode(body, reading))
    }

    /// F10: every way to cut a PDU short. A carrier's is read as long as its addresses are there.
    #[test]
    fn every_cut_is_refused_to_customers_and_read_of_carriers() {
        let whole = body(&sample());
        let addresses_end = 4 + 2 + 5 + 2 + 13;

        for cut in 0..whole.len() {
            let [strict, lenient, carrier] = refusals(&whole[..cut]);

            let status = match cut {
                cut if cut >= whole.len() - 5 => Status::RINVMSGLEN,
                _ => Status::RINVCMDLEN,
            };
            assert_eq!((strict, lenient), (Some(status), Some(status)), "cut at {cut}");
            if cut >= addresses_end {
                assert_eq!(carrier, None, "cut at {cut}");
            }
        }
        assert_eq!(refusals(&whole[..10])[2], Some(Status::RX_R_APPN));
    }

    /// F10: each string has its own status when it is too long.
    #[test]
    fn too_long_a_string_is_refused_with_its_own_status() {
        let long = [b'7'; 21];
        let address = Address { addr: &long, ..Address::default() };

        let service_type = Sm { service_type: b"CMTCMT", ..sample() };
        assert_eq!(refusals(&body(&service_type)), customers(Status::RINVSERTYP));
        let source = Sm { source: address, ..sample() };
        assert_eq!(refusals(&body(&source)), customers(Status::RINVSRCADR));
        let destination = Sm { destination: address, ..sample() };
        assert_eq!(refusals(&body(&destination)), customers(Status::RINVDSTADR));
        let schedule = Sm { schedule_delivery_time: &long[..17], ..sample() };
        assert_eq!(refusals(&body(&schedule)), customers(Status::RINVSCHED));
        let validity = Sm { validity_period: &long[..17], ..sample() };
        assert_eq!(refusals(&body(&validity)), customers(Status::RINVEXPIRY));
    }

    /// Fact sheet 6.3: switches may allow 13 characters, so that a shorter time is its reader's to judge.
    #[test]
    fn shorter_time_is_refused_by_the_letter_alone() {
        let short = [b'7'; 15];
        for length in [1, 13, 15] {
            let schedule = Sm { schedule_delivery_time: &short[..length], ..sample() };
            assert_eq!(refusals(&body(&schedule)), [Some(Status::RINVSCHED), None, None]);
            let validity = Sm { validity_period: &short[..length], ..sample() };
            assert_eq!(refusals(&body(&validity)), [Some(Status::RINVEXPIRY), None, None]);
        }
    }

    #[test]
    fn address_of_a_carrier_has_64_characters_at_most() {
        let long = [b'7'; 65];
        let source_of =
            |length| Sm { source: Address { addr: &long[..length], ..Address::default() }, ..sample() };

        assert_eq!(refusals(&body(&source_of(64)))[2], None);
        assert_eq!(refusals(&body(&source_of(65)))[2], Some(Status::RX_R_APPN));
    }

    /// F8: sm_length larger and smaller than what is there.
    #[test]
    fn wrong_sm_length_is_refused_to_customers() {
        let mut larger = body(&sample());
        let at = larger.len() - 6;
        larger[at] = 6;
        assert_eq!(refusals(&larger), customers(Status::RINVMSGLEN));
        let read = Sm::decode(&larger, Reading::Carrier).expect("kept");
        assert_eq!(read.short_message, b"hello");

        let mut smaller = body(&sample());
        smaller[at] = 2;
        assert_eq!(refusals(&smaller), customers(Status::RINVTLVSTREAM));
    }

    /// F8: a terminator behind short_message that sm_length doesn't count.
    #[test]
    fn nul_after_the_text_is_overlooked_unless_strict() {
        let mut body = body(&sample());
        body.extend_from_slice(&[0]);

        assert_eq!(refusals(&body), [Some(Status::RINVTLVSTREAM), None, None]);
    }

    /// F9: a header is announced and there is no user data, or less than the header's length.
    #[test]
    fn header_without_room_is_refused_to_customers_and_none_of_carriers() {
        for text in [&b""[..], &[5, 0, 3, 1, 2]] {
            let sm = Sm { esm_class: 0x40, short_message: text, ..sample() };
            let body = body(&sm);

            assert_eq!(refusals(&body), customers(Status::RINVESMCLASS));
            let read = Sm::decode(&body, Reading::Carrier).expect("kept");
            assert!(!read.has_udh());
        }
        let sm = Sm { esm_class: 0x40, short_message: &[5, 0, 3, 1, 2, 1], ..sample() };
        assert_eq!(sm.udh(), Some(&[0, 3, 1, 2, 1][..]));
    }

    #[test]
    fn wrong_length_of_a_parameter_is_refused_to_customers() {
        let mut body = body(&sample());
        put_tlv(&mut body, Tag::SAR_MSG_REF_NUM, &[1]);

        assert_eq!(refusals(&body), customers(Status::RINVTLVLEN));
    }

    /// F6: a text of 64 KiB.
    #[test]
    fn payload_supersedes_the_short_message() {
        let text = vec![0x41; 65_535];
        let mut body = body(&sample());
        put_tlv(&mut body, Tag::MESSAGE_PAYLOAD, &text);

        let sm = Sm::decode(&body, Reading::Strict).expect("legal");

        assert_eq!(sm.text(), text);
        assert!(sm.has_two_texts());
        assert!(!sample().has_two_texts());
    }

    #[test]
    fn text_above_255_octets_goes_out_as_payload() {
        let text = [0x41; 256];
        let long = Sm { short_message: &text, ..sample() };
        let body = body(&long);

        let sm = Sm::decode(&body, Reading::Strict).expect("legal");

        assert!(sm.short_message.is_empty());
        assert_eq!(sm.text(), text);
    }

    /// D10: other bits beside the type don't hide it.
    #[test]
    fn type_is_told_by_its_bits_alone() {
        let of = |esm_class| Sm { esm_class, ..sample() };

        assert!([0x04, 0x44, 0x07, 0x84].map(of).iter().all(Sm::is_receipt));
        assert!(![0x00, 0x08, 0x24, 0x40].map(of).iter().any(Sm::is_receipt));
        assert!([0x20, 0x63].map(of).iter().all(Sm::is_intermediate));
        assert!(![0x00, 0x04, 0x24].map(of).iter().any(Sm::is_intermediate));
    }
}
