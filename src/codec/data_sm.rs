//! data_sm, the lean message in either direction: its text is always a message_payload (SMPP 5.0 §4.2.2, §4.3.2).

use super::field::{Fields, Limit, SERVICE_TYPE, put_address, put_cstr};
use super::{Address, Command, FieldError, Reading, Sm, Status, Tag, Tlvs, begin, finish, put_tlv};
use bytes::BytesMut;

/// The body of a data_sm, borrowed from the read buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DataSm<'a> {
    /// At most 5 octets.
    pub service_type: &'a [u8],
    /// Of at most 64 octets.
    pub source: Address<'a>,
    /// Of at most 64 octets.
    pub destination: Address<'a>,
    pub esm_class: u8,
    pub registered_delivery: u8,
    pub data_coding: u8,
    pub tlvs: Tlvs<'a>,
}

impl<'a> DataSm<'a> {
    /// Reads the body of a data_sm.
    ///
    /// `Strict` and `Lenient` refuse as [`Sm::decode`] does, and with ESME_RMISSINGTLV what has no message_payload and is no
    /// receipt in TLVs either. `Carrier` refuses only unreadable addresses.
    pub fn decode(body: &'a [u8], reading: Reading) -> Result<Self, FieldError> {
        let mut fields = Fields { rest: body, reading };
        let service_type = fields.cstr(&SERVICE_TYPE)?;
        let source = fields.address(&SOURCE_ADDR)?;
        let destination = fields.address(&DESTINATION_ADDR)?;
        let [esm_class, registered_delivery, data_coding] = fields.octets("esm_class")?;
        let tlvs = Tlvs::read(fields.rest, reading)?;
        let data_sm =
            Self { service_type, source, destination, esm_class, registered_delivery, data_coding, tlvs };
        data_sm.as_sm().check(reading)?;
        if reading != Reading::Carrier && !says_something(tlvs) {
            return Err(FieldError { field: "message_payload", status: Status::RMISSINGTLV });
        }
        Ok(data_sm)
    }

    /// The same message as the body of a submit_sm or a deliver_sm: fields that data_sm hasn't are empty or 0, the text stays
    /// in message_payload.
    pub fn as_sm(&self) -> Sm<'a> {
        let Self { service_type, source, destination, esm_class, registered_delivery, data_coding, tlvs } =
            *self;
        Sm {
            service_type,
            source,
            destination,
            esm_class,
            registered_delivery,
            data_coding,
            tlvs,
            ..Sm::default()
        }
    }

    /// The same message as a data_sm, times, priority and the like left out; `None` if its text stands in short_message,
    /// which only [`Sm::encode_data_body`] can move.
    pub fn of(sm: &Sm<'a>) -> Option<Self> {
        let Sm {
            service_type, source, destination, esm_class, registered_delivery, data_coding, tlvs, ..
        } = *sm;
        (sm.short_message.is_empty() || tlvs.find(Tag::MESSAGE_PAYLOAD).is_some()).then_some(Self {
            service_type,
            source,
            destination,
            esm_class,
            registered_delivery,
            data_coding,
            tlvs,
        })
    }

    /// Appends the body.
    pub fn encode_body(&self, out: &mut BytesMut) {
        put_cstr(out, self.service_type);
        put_address(out, &self.source);
        put_address(out, &self.destination);
        out.extend_from_slice(&[self.esm_class, self.registered_delivery, self.data_coding]);
        out.extend_from_slice(self.tlvs.as_bytes());
    }

    /// Appends the whole PDU.
    pub fn encode(&self, out: &mut BytesMut, sequence: u32) {
        let start = begin(out, Command::DATA_SM, Status::ROK, sequence);
        self.encode_body(out);
        finish(out, start);
    }
}

impl Sm<'_> {
    /// Appends the body of the data_sm that says the same: short_message becomes message_payload, an empty one too unless it
    /// is a receipt in TLVs. Times, priority, protocol_id, replace_if_present_flag and sm_default_msg_id have no place in it.
    pub fn encode_data_body(&self, out: &mut BytesMut) {
        let head = DataSm {
            service_type: self.service_type,
            source: self.source,
            destination: self.destination,
            esm_class: self.esm_class,
            registered_delivery: self.registered_delivery,
            data_coding: self.data_coding,
            tlvs: Tlvs::empty(),
        };
        head.encode_body(out);
        let has_payload = self.tlvs.find(Tag::MESSAGE_PAYLOAD).is_some();
        let is_said = has_payload || self.short_message.is_empty() && says_something(self.tlvs);
        if !is_said {
            put_tlv(out, Tag::MESSAGE_PAYLOAD, self.short_message);
        }
        out.extend_from_slice(self.tlvs.as_bytes());
    }

    /// Appends the whole data_sm that says the same; see [`Sm::encode_data_body`].
    pub fn encode_data(&self, out: &mut BytesMut, sequence: u32) {
        let start = begin(out, Command::DATA_SM, Status::ROK, sequence);
        self.encode_data_body(out);
        finish(out, start);
    }
}

/// Whether there is a text, or a receipt in TLVs.
fn says_something(tlvs: Tlvs<'_>) -> bool {
    [Tag::MESSAGE_PAYLOAD, Tag::RECEIPTED_MESSAGE_ID, Tag::MESSAGE_STATE]
        .iter()
        .any(|tag| tlvs.find(*tag).is_some())
}

const SOURCE_ADDR: Limit = Limit::new("source_addr", 65, Status::RINVSRCADR).needed(64);
const DESTINATION_ADDR: Limit = Limit::new("destination_addr", 65, Status::RINVDSTADR).needed(64);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::{self, customers};
    use crate::codec::{MessageState, Receipt};

    fn body(data_sm: &DataSm<'_>) -> BytesMut {
        let mut out = BytesMut::new();
        data_sm.encode_body(&mut out);
        out
    }

    fn refusals(body: &[u8]) -> [Option<Status>; 3] {
        field::refusals(|reading| DataSm::decode(body, reading))
    }

    fn with_payload(text: &[u8]) -> BytesMut {
        let mut tlvs = BytesMut::new();
        put_tlv(&mut tlvs, Tag::MESSAGE_PAYLOAD, text);
        tlvs
    }

    fn tlvs(octets: &[u8]) -> Tlvs<'_> {
        Tlvs::read(octets, Reading::Strict).expect("just written")
    }

    #[test]
    fn data_sm_without_payload_is_refused_to_customers_unless_it_is_a_receipt() {
        let mut receipt = BytesMut::new();
        put_tlv(&mut receipt, Tag::RECEIPTED_MESSAGE_ID, b"7\0");
        put_tlv(&mut receipt, Tag::MESSAGE_STATE, &[2]);

        assert_eq!(refusals(&body(&DataSm::default())), customers(Status::RMISSINGTLV));
        assert_eq!(
            refusals(&body(&DataSm { tlvs: tlvs(&with_payload(b"")), ..DataSm::default() })),
            [None; 3]
        );
        let body = body(&DataSm { esm_class: 0x04, tlvs: tlvs(&receipt), ..DataSm::default() });
        assert_eq!(refusals(&body), [None; 3]);
        let sm = DataSm::decode(&body, Reading::Strict).expect("a receipt").as_sm();
        assert!(sm.is_receipt());
        let receipt = Receipt::read(&sm).expect("in TLVs");
        assert_eq!((receipt.message_id, receipt.state), (&b"7"[..], MessageState::Delivered));
    }

    #[test]
    fn address_has_64_characters_at_most_for_anybody() {
        let payload = with_payload(b"x");
        let long = [b'7'; 65];
        let address = |length| Address { addr: &long[..length], ..Address::default() };
        let to = |length| {
            refusals(&body(&DataSm {
                destination: address(length),
                tlvs: tlvs(&payload),
                ..DataSm::default()
            }))
        };
        let from = |length| {
            refusals(&body(&DataSm { source: address(length), tlvs: tlvs(&payload), ..DataSm::default() }))
        };

        let carrier = Some(Status::RX_R_APPN);
        assert_eq!((to(64), from(64)), ([None; 3], [None; 3]));
        assert_eq!(to(65), [Some(Status::RINVDSTADR), Some(Status::RINVDSTADR), carrier]);
        assert_eq!(from(65), [Some(Status::RINVSRCADR), Some(Status::RINVSRCADR), carrier]);
    }

    #[test]
    fn other_faults_are_refused_as_those_of_a_submit_sm() {
        let payload = with_payload(b"\x05");
        let legal = DataSm { tlvs: tlvs(&payload), ..DataSm::default() };

        let header_without_room = body(&DataSm { esm_class: 0x40, ..legal });
        assert_eq!(refusals(&header_without_room), customers(Status::RINVESMCLASS));
        let service_type = body(&DataSm { service_type: b"CMTCMT", ..legal });
        assert_eq!(refusals(&service_type), customers(Status::RINVSERTYP));
        let mut broken = body(&legal);
        put_tlv(&mut broken, Tag::SOURCE_PORT, &[1]);
        assert_eq!(refusals(&broken), customers(Status::RINVTLVLEN));
        broken.extend_from_slice(&[7]);
        assert_eq!(refusals(&broken), customers(Status::RINVTLVSTREAM));
        let head = body(&DataSm::default()).len();
        for cut in 0..head {
            assert_eq!(refusals(&body(&legal)[..cut])[..2], [Some(Status::RINVCMDLEN); 2], "cut at {cut}");
        }
    }

    #[test]
    fn sm_goes_out_as_data_sm_with_its_text_as_payload() {
        let mut port = BytesMut::new();
        put_tlv(&mut port, Tag::DEST_PORT, &[1, 2]);
        let sm = Sm {
            source: Address { ton: 5, npi: 0, addr: b"ACME" },
            data_coding: 8,
            short_message: b"hello",
            tlvs: tlvs(&port),
            ..Sm::default()
        };
        let mut out = BytesMut::new();

        sm.encode_data_body(&mut out);

        let data_sm = DataSm::decode(&out, Reading::Strict).expect("legal");
        assert_eq!(data_sm.as_sm().text(), b"hello");
        assert_eq!((data_sm.source, data_sm.data_coding), (sm.source, 8));
        assert_eq!(data_sm.tlvs.u16(Tag::DEST_PORT), Some(0x0102));
        assert_eq!(DataSm::of(&sm), None);
        assert_eq!(DataSm::of(&data_sm.as_sm()), Some(data_sm));
    }

    #[test]
    fn payload_is_written_once_and_an_empty_text_is_written_too() {
        let payload = with_payload(b"long");
        let payloads = |sm: &Sm<'_>| {
            let mut out = BytesMut::new();
            sm.encode_data_body(&mut out);
            let data_sm = DataSm::decode(&out, Reading::Strict).expect("legal");
            let of = data_sm.tlvs.iter().filter(|tlv| tlv.tag == Tag::MESSAGE_PAYLOAD);
            of.map(|tlv| tlv.value.to_vec()).collect::<Vec<_>>()
        };

        assert_eq!(payloads(&Sm { short_message: b"x", tlvs: tlvs(&payload), ..Sm::default() }), [b"long"]);
        assert_eq!(payloads(&Sm::default()), [b""]);
        let mut state = BytesMut::new();
        put_tlv(&mut state, Tag::MESSAGE_STATE, &[2]);
        assert!(payloads(&Sm { tlvs: tlvs(&state), ..Sm::default() }).is_empty());
    }
}
