//! The cell broadcast family: broadcast_sm, query_broadcast_sm, cancel_broadcast_sm (SMPP 5.0 §4.4, §4.6).
//!
//! Their responses are read by [`super::SmResp`]; that of cancel_broadcast_sm is a header alone.

use super::field::{
    Fields, MESSAGE_ID, SCHEDULE_DELIVERY_TIME, SERVICE_TYPE, SOURCE_ADDR, VALIDITY_PERIOD, put_address,
    put_cstr,
};
use super::{Address, Command, FieldError, Reading, Status, Tag, Tlvs, begin, finish};
use bytes::BytesMut;

/// The body of a broadcast_sm, borrowed from the read buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BroadcastSm<'a> {
    /// At most 5 octets.
    pub service_type: &'a [u8],
    pub source: Address<'a>,
    /// At most 64 octets; of the broadcast to be replaced, empty otherwise.
    pub message_id: &'a [u8],
    /// 0 to 4; 1 is broadcast at once and needs no broadcast_rep_num.
    pub priority_flag: u8,
    /// As in [`super::Sm`].
    pub schedule_delivery_time: &'a [u8],
    /// As in [`super::Sm`].
    pub validity_period: &'a [u8],
    pub replace_if_present_flag: u8,
    pub data_coding: u8,
    pub sm_default_msg_id: u8,
    pub tlvs: Tlvs<'a>,
}

impl<'a> BroadcastSm<'a> {
    /// Reads the body of a broadcast_sm.
    ///
    /// `Strict` and `Lenient` refuse each field that is illegal with its own status, and with ESME_RMISSINGTLV one without
    /// area, content type, frequency or, unless its priority is 1, number of repeats.
    pub fn decode(body: &'a [u8], reading: Reading) -> Result<Self, FieldError> {
        let mut fields = Fields { rest: body, reading };
        let service_type = fields.cstr(&SERVICE_TYPE)?;
        let source = fields.address(&SOURCE_ADDR)?;
        let message_id = fields.cstr(&MESSAGE_ID)?;
        let [priority_flag] = fields.octets("priority_flag")?;
        let schedule_delivery_time = fields.time(&SCHEDULE_DELIVERY_TIME)?;
        let validity_period = fields.time(&VALIDITY_PERIOD)?;
        let [replace_if_present_flag, data_coding, sm_default_msg_id] =
            fields.octets("replace_if_present_flag")?;
        let broadcast = Self {
            service_type,
            source,
            message_id,
            priority_flag,
            schedule_delivery_time,
            validity_period,
            replace_if_present_flag,
            data_coding,
            sm_default_msg_id,
            tlvs: fields.tlvs()?,
        };
        match broadcast.missing() {
            Some((field, _)) if reading != Reading::Carrier => {
                Err(FieldError { field, status: Status::RMISSINGTLV })
            }
            Some(_) | None => Ok(broadcast),
        }
    }

    /// The user data; empty for a canned text or none.
    pub fn text(&self) -> &'a [u8] {
        self.tlvs.find(Tag::MESSAGE_PAYLOAD).unwrap_or_default()
    }

    fn missing(&self) -> Option<(&'static str, Tag)> {
        let needed = if self.priority_flag == IMMEDIATE { &REQUIRED[..3] } else { &REQUIRED };
        needed.iter().find(|(_, tag)| self.tlvs.find(*tag).is_none()).copied()
    }

    /// Appends the body.
    pub fn encode_body(&self, out: &mut BytesMut) {
        put_cstr(out, self.service_type);
        put_address(out, &self.source);
        put_cstr(out, self.message_id);
        out.extend_from_slice(&[self.priority_flag]);
        put_cstr(out, self.schedule_delivery_time);
        put_cstr(out, self.validity_period);
        out.extend_from_slice(&[self.replace_if_present_flag, self.data_coding, self.sm_default_msg_id]);
        out.extend_from_slice(self.tlvs.as_bytes());
    }

    /// Appends the whole PDU.
    pub fn encode(&self, out: &mut BytesMut, sequence: u32) {
        let start = begin(out, Command::BROADCAST_SM, Status::ROK, sequence);
        self.encode_body(out);
        finish(out, start);
    }
}

/// The body of a query_broadcast_sm, borrowed from the read buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueryBroadcastSm<'a> {
    /// At most 64 octets; empty if user_message_reference names the broadcast.
    pub message_id: &'a [u8],
    pub source: Address<'a>,
    pub tlvs: Tlvs<'a>,
}

impl<'a> QueryBroadcastSm<'a> {
    /// Reads the body of a query_broadcast_sm.
    pub fn decode(body: &'a [u8], reading: Reading) -> Result<Self, FieldError> {
        let mut fields = Fields { rest: body, reading };
        let message_id = fields.cstr(&MESSAGE_ID)?;
        let source = fields.address(&SOURCE_ADDR)?;
        Ok(Self { message_id, source, tlvs: fields.tlvs()? })
    }

    /// Appends the body.
    pub fn encode_body(&self, out: &mut BytesMut) {
        put_cstr(out, self.message_id);
        put_address(out, &self.source);
        out.extend_from_slice(self.tlvs.as_bytes());
    }

    /// Appends the whole PDU.
    pub fn encode(&self, out: &mut BytesMut, sequence: u32) {
        let start = begin(out, Command::QUERY_BROADCAST_SM, Status::ROK, sequence);
        self.encode_body(out);
        finish(out, start);
    }
}

/// The body of a cancel_broadcast_sm, borrowed from the read buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CancelBroadcastSm<'a> {
    /// At most 5 octets.
    pub service_type: &'a [u8],
    /// At most 64 octets; empty if user_message_reference or broadcast_content_type says what to stop.
    pub message_id: &'a [u8],
    pub source: Address<'a>,
    pub tlvs: Tlvs<'a>,
}

impl<'a> CancelBroadcastSm<'a> {
    /// Reads the body of a cancel_broadcast_sm.
    pub fn decode(body: &'a [u8], reading: Reading) -> Result<Self, FieldError> {
        let mut fields = Fields { rest: body, reading };
        let service_type = fields.cstr(&SERVICE_TYPE)?;
        let message_id = fields.cstr(&MESSAGE_ID)?;
        let source = fields.address(&SOURCE_ADDR)?;
        Ok(Self { service_type, message_id, source, tlvs: fields.tlvs()? })
    }

    /// Appends the body.
    pub fn encode_body(&self, out: &mut BytesMut) {
        put_cstr(out, self.service_type);
        put_cstr(out, self.message_id);
        put_address(out, &self.source);
        out.extend_from_slice(self.tlvs.as_bytes());
    }

    /// Appends the whole PDU.
    pub fn encode(&self, out: &mut BytesMut, sequence: u32) {
        let start = begin(out, Command::CANCEL_BROADCAST_SM, Status::ROK, sequence);
        self.encode_body(out);
        finish(out, start);
    }
}

/// priority_flag of what is broadcast at once.
const IMMEDIATE: u8 = 1;
/// What a broadcast_sm can't do without, that of which it depends last.
const REQUIRED: [(&str, Tag); 4] = [
    ("broadcast_area_identifier", Tag::BROADCAST_AREA_IDENTIFIER),
    ("broadcast_content_type", Tag::BROADCAST_CONTENT_TYPE),
    ("broadcast_frequency_interval", Tag::BROADCAST_FREQUENCY_INTERVAL),
    ("broadcast_rep_num", Tag::BROADCAST_REP_NUM),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::{customers, refusals};
    use crate::codec::put_tlv;

    /// All that a broadcast_sm needs, but for what stands under `without`.
    fn tlvs(without: Option<Tag>) -> BytesMut {
        let all: [(Tag, &[u8]); 4] = [
            (Tag::BROADCAST_AREA_IDENTIFIER, b"\0Dublin"),
            (Tag::BROADCAST_CONTENT_TYPE, &[1, 0, 0x30]),
            (Tag::BROADCAST_FREQUENCY_INTERVAL, &[9, 0, 31]),
            (Tag::BROADCAST_REP_NUM, &[0, 2]),
        ];
        let mut out = BytesMut::new();
        for (tag, value) in all.iter().filter(|(tag, _)| Some(*tag) != without) {
            put_tlv(&mut out, *tag, value);
        }
        out
    }

    fn refused(broadcast: BroadcastSm<'_>, tlvs: &[u8]) -> [Option<Status>; 3] {
        let mut body = BytesMut::new();
        broadcast.encode_body(&mut body);
        body.extend_from_slice(tlvs);
        refusals(|reading| BroadcastSm::decode(&body, reading))
    }

    #[test]
    fn each_required_parameter_is_missed() {
        let any = BroadcastSm::default();

        assert_eq!(refused(any, &tlvs(None)), [None; 3]);
        for (name, tag) in REQUIRED {
            assert_eq!(tag.name(), Some(name));
            assert_eq!(refused(any, &tlvs(Some(tag))), customers(Status::RMISSINGTLV), "{name}");
        }
        let immediate = BroadcastSm { priority_flag: 1, ..any };
        assert_eq!(refused(immediate, &tlvs(Some(Tag::BROADCAST_REP_NUM))), [None; 3]);
        let area = tlvs(Some(Tag::BROADCAST_AREA_IDENTIFIER));
        assert_eq!(refused(immediate, &area), customers(Status::RMISSINGTLV));
    }

    #[test]
    fn each_field_that_is_illegal_is_refused_with_its_own_status() {
        let long = [b'7'; 65];
        let (any, tlvs) = (BroadcastSm::default(), tlvs(None));

        let service_type = refused(BroadcastSm { service_type: b"CBSCBS", ..any }, &tlvs);
        assert_eq!(service_type, customers(Status::RINVSERTYP));
        let source = Address { addr: &long[..21], ..Address::default() };
        assert_eq!(refused(BroadcastSm { source, ..any }, &tlvs), customers(Status::RINVSRCADR));
        let message_id = refused(BroadcastSm { message_id: &long, ..any }, &tlvs);
        assert_eq!(message_id, customers(Status::RINVMSGID));
        let schedule = refused(BroadcastSm { schedule_delivery_time: &long[..17], ..any }, &tlvs);
        assert_eq!(schedule, customers(Status::RINVSCHED));
        let validity = refused(BroadcastSm { validity_period: &long[..17], ..any }, &tlvs);
        assert_eq!(validity, customers(Status::RINVEXPIRY));
        assert_eq!(refused(any, &tlvs[..tlvs.len() - 1]), customers(Status::RINVTLVSTREAM));
    }

    #[test]
    fn query_and_cancel_are_refused_for_too_long_an_id() {
        let long = [b'7'; 65];
        let mut body = BytesMut::new();
        QueryBroadcastSm { message_id: &long, ..QueryBroadcastSm::default() }.encode_body(&mut body);
        let query = refusals(|reading| QueryBroadcastSm::decode(&body, reading));
        assert_eq!(query, customers(Status::RINVMSGID));
        body.clear();
        CancelBroadcastSm { message_id: &long, ..CancelBroadcastSm::default() }.encode_body(&mut body);
        let cancel = refusals(|reading| CancelBroadcastSm::decode(&body, reading));
        assert_eq!(cancel, customers(Status::RINVMSGID));
        let cut = refusals(|reading| CancelBroadcastSm::decode(b"CBS\0B1\0\x01", reading));
        assert_eq!(cut[..2], [Some(Status::RINVCMDLEN); 2]);
    }
}
