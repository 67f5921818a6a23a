//! replace_sm: another text, other times for a pending message (SMPP 5.0 §4.5.5).

use super::field::{
    Fields, MESSAGE_ID, SCHEDULE_DELIVERY_TIME, SOURCE_ADDR, VALIDITY_PERIOD, put_address, put_cstr,
};
use super::{Address, Command, FieldError, Reading, Status, Tag, Tlvs, begin, finish, put_tlv};
use bytes::BytesMut;

/// The body of a replace_sm, borrowed from the read buffer. Its response is a header alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplaceSm<'a> {
    /// At most 64 octets.
    pub message_id: &'a [u8],
    /// Has to be that of the message.
    pub source: Address<'a>,
    /// Empty keeps the old one; otherwise as in [`super::Sm`].
    pub schedule_delivery_time: &'a [u8],
    /// Empty keeps the old one; otherwise as in [`super::Sm`].
    pub validity_period: &'a [u8],
    pub registered_delivery: u8,
    pub sm_default_msg_id: u8,
    /// At most 255 octets off the wire, in the alphabet of the old text; [`ReplaceSm::text`] is what it says.
    pub short_message: &'a [u8],
    pub tlvs: Tlvs<'a>,
}

impl<'a> ReplaceSm<'a> {
    /// Reads the body of a replace_sm; each field that is illegal is refused with its own status, as in [`super::Sm::decode`].
    pub fn decode(body: &'a [u8], reading: Reading) -> Result<Self, FieldError> {
        let mut fields = Fields { rest: body, reading };
        let message_id = fields.cstr(&MESSAGE_ID)?;
        let source = fields.address(&SOURCE_ADDR)?;
        let schedule_delivery_time = fields.time(&SCHEDULE_DELIVERY_TIME)?;
        let validity_period = fields.time(&VALIDITY_PERIOD)?;
        let [registered_delivery, sm_default_msg_id, sm_length] = fields.octets("registered_delivery")?;
        let short_message = fields.short_message(sm_length)?;
        Ok(Self {
            message_id,
            source,
            schedule_delivery_time,
            validity_period,
            registered_delivery,
            sm_default_msg_id,
            short_message,
            tlvs: fields.tlvs()?,
        })
    }

    /// The new user data: message_payload if it is present, else short_message.
    pub fn text(&self) -> &'a [u8] {
        self.tlvs.find(Tag::MESSAGE_PAYLOAD).unwrap_or(self.short_message)
    }

    /// Appends the body. More than 255 octets of short_message go out as message_payload.
    pub fn encode_body(&self, out: &mut BytesMut) {
        put_cstr(out, self.message_id);
        put_address(out, &self.source);
        put_cstr(out, self.schedule_delivery_time);
        put_cstr(out, self.validity_period);
        out.extend_from_slice(&[self.registered_delivery, self.sm_default_msg_id]);
        match u8::try_from(self.short_message.len()) {
            Ok(length) => {
                out.extend_from_slice(&[length]);
                out.extend_from_slice(self.short_message);
            }
            Err(_) => {
                out.extend_from_slice(&[0]);
                put_tlv(out, Tag::MESSAGE_PAYLOAD, self.short_message);
            }
        }
        out.extend_from_slice(self.tlvs.as_bytes());
    }

    /// Appends the whole PDU.
    pub fn encode(&self, out: &mut BytesMut, sequence: u32) {
        let start = begin(out, Command::REPLACE_SM, Status::ROK, sequence);
        self.encode_body(out);
        finish(out, start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::{customers, refusals};

    fn body(replace: &ReplaceSm<'_>) -> BytesMut {
        let mut body = BytesMut::new();
        replace.encode_body(&mut body);
        body
    }

    #[test]
    fn each_field_that_is_illegal_is_refused_with_its_own_status() {
        let long = [b'7'; 65];
        let any = ReplaceSm { message_id: b"A1", short_message: b"new", ..ReplaceSm::default() };
        let refused = |body: &[u8]| refusals(|reading| ReplaceSm::decode(body, reading));

        let source = Address { addr: &long[..21], ..Address::default() };
        assert_eq!(refused(&body(&ReplaceSm { message_id: &long, ..any })), customers(Status::RINVMSGID));
        assert_eq!(refused(&body(&ReplaceSm { source, ..any })), customers(Status::RINVSRCADR));
        let schedule = body(&ReplaceSm { schedule_delivery_time: &long[..17], ..any });
        assert_eq!(refused(&schedule), customers(Status::RINVSCHED));
        let validity = body(&ReplaceSm { validity_period: &long[..17], ..any });
        assert_eq!(refused(&validity), customers(Status::RINVEXPIRY));
        let short = body(&ReplaceSm { validity_period: &long[..13], ..any });
        assert_eq!(refused(&short), [Some(Status::RINVEXPIRY), None, None]);
        let whole = body(&any);
        assert_eq!(refused(&whole[..whole.len() - 1]), customers(Status::RINVMSGLEN));
        assert_eq!(refused(&whole[..whole.len() - 4])[..2], [Some(Status::RINVCMDLEN); 2]);
        let mut wrong = whole;
        put_tlv(&mut wrong, Tag::SOURCE_PORT, &[1]);
        assert_eq!(refused(&wrong), customers(Status::RINVTLVLEN));
    }

    #[test]
    fn text_above_255_octets_goes_out_as_payload() {
        let text = [0x41; 256];
        let long = body(&ReplaceSm { short_message: &text, ..ReplaceSm::default() });

        let replace = ReplaceSm::decode(&long, Reading::Strict).expect("legal");

        assert!(replace.short_message.is_empty());
        assert_eq!(replace.text(), text);
        assert_eq!(ReplaceSm { short_message: b"new", ..ReplaceSm::default() }.text(), b"new");
    }
}
