//! cancel_sm: takes back one pending message, or all between two addresses (SMPP 5.0 §4.5.3).

use super::field::{DESTINATION_ADDR, Fields, MESSAGE_ID, SERVICE_TYPE, SOURCE_ADDR, put_address, put_cstr};
use super::{Address, Command, FieldError, Reading, Status, begin, finish};
use bytes::BytesMut;

/// The body of a cancel_sm, borrowed from the read buffer. Its response is a header alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CancelSm<'a> {
    /// At most 5 octets; narrows down a group.
    pub service_type: &'a [u8],
    /// At most 64 octets; empty for a group: all that match source, destination and service_type.
    pub message_id: &'a [u8],
    pub source: Address<'a>,
    /// May be empty beside a message_id.
    pub destination: Address<'a>,
}

impl<'a> CancelSm<'a> {
    /// Reads the body of a cancel_sm; each string that is too long is refused with its own status. TLVs are skipped.
    pub fn decode(body: &'a [u8], reading: Reading) -> Result<Self, FieldError> {
        let mut fields = Fields { rest: body, reading };
        let service_type = fields.cstr(&SERVICE_TYPE)?;
        let message_id = fields.cstr(&MESSAGE_ID)?;
        let source = fields.address(&SOURCE_ADDR)?;
        let destination = fields.address(&DESTINATION_ADDR)?;
        fields.end()?;
        Ok(Self { service_type, message_id, source, destination })
    }

    /// Appends the body.
    pub fn encode_body(&self, out: &mut BytesMut) {
        put_cstr(out, self.service_type);
        put_cstr(out, self.message_id);
        put_address(out, &self.source);
        put_address(out, &self.destination);
    }

    /// Appends the whole PDU.
    pub fn encode(&self, out: &mut BytesMut, sequence: u32) {
        let start = begin(out, Command::CANCEL_SM, Status::ROK, sequence);
        self.encode_body(out);
        finish(out, start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::{customers, refusals};

    #[test]
    fn each_string_that_is_too_long_is_refused_with_its_own_status() {
        let long = [b'7'; 65];
        let address = Address { addr: &long[..21], ..Address::default() };
        let refused = |cancel: CancelSm<'_>| {
            let mut body = BytesMut::new();
            cancel.encode_body(&mut body);
            refusals(|reading| CancelSm::decode(&body, reading))
        };
        let any = CancelSm::default();

        assert_eq!(refused(any), [None; 3]);
        assert_eq!(refused(CancelSm { service_type: b"CMTCMT", ..any }), customers(Status::RINVSERTYP));
        assert_eq!(refused(CancelSm { message_id: &long, ..any }), customers(Status::RINVMSGID));
        assert_eq!(refused(CancelSm { source: address, ..any }), customers(Status::RINVSRCADR));
        assert_eq!(refused(CancelSm { destination: address, ..any }), customers(Status::RINVDSTADR));
    }

    #[test]
    fn cut_cancel_is_refused() {
        let body = b"\0A1\0\x01\x01441\0\0\0\0";
        for cut in 0..body.len() {
            let refused = refusals(|reading| CancelSm::decode(&body[..cut], reading));
            assert_eq!(refused[..2], [Some(Status::RINVCMDLEN); 2], "cut at {cut}");
        }
    }
}
