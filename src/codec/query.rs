//! query_sm and its response: where a message stands (SMPP 5.0 §4.5.1, §4.5.2).

use super::field::{Fields, MESSAGE_ID, SOURCE_ADDR, put_address, put_cstr, split_cstr};
use super::response::usable_id;
use super::{Address, Command, FieldError, MessageState, Reading, Status, begin, finish, header_only};
use bytes::BytesMut;

/// The body of a query_sm, borrowed from the read buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuerySm<'a> {
    /// At most 64 octets.
    pub message_id: &'a [u8],
    /// Has to be that of the message.
    pub source: Address<'a>,
}

impl<'a> QuerySm<'a> {
    /// Reads the body of a query_sm; too long an id is refused with ESME_RINVMSGID. TLVs are skipped.
    pub fn decode(body: &'a [u8], reading: Reading) -> Result<Self, FieldError> {
        let mut fields = Fields { rest: body, reading };
        let message_id = fields.cstr(&MESSAGE_ID)?;
        let source = fields.address(&SOURCE_ADDR)?;
        fields.end()?;
        Ok(Self { message_id, source })
    }

    /// Appends the body.
    pub fn encode_body(&self, out: &mut BytesMut) {
        put_cstr(out, self.message_id);
        put_address(out, &self.source);
    }

    /// Appends the whole PDU.
    pub fn encode(&self, out: &mut BytesMut, sequence: u32) {
        let start = begin(out, Command::QUERY_SM, Status::ROK, sequence);
        self.encode_body(out);
        finish(out, start);
    }
}

/// The body of a query_sm_resp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueryResp<'a> {
    /// As in [`super::SmResp`].
    pub message_id: &'a [u8],
    /// Empty while the message isn't final; see [`super::FinalDate`].
    pub final_date: &'a [u8],
    /// See [`MessageState::from_octet`].
    pub message_state: u8,
    /// The network's own code; 0 if there is none.
    pub error_code: u8,
}

impl<'a> QueryResp<'a> {
    /// Reads the body of a response; never fails. A state that is missing is UNKNOWN.
    pub fn decode(body: &'a [u8]) -> Self {
        let (message_id, rest) = split_cstr(body);
        let (final_date, rest) = split_cstr(rest);
        Self {
            message_id: usable_id(message_id),
            final_date,
            message_state: rest.first().copied().unwrap_or(MessageState::Unknown.octet()),
            error_code: rest.get(1).copied().unwrap_or(0),
        }
    }

    /// Appends the whole PDU; a refusal is the header alone.
    pub fn encode(&self, out: &mut BytesMut, status: Status, sequence: u32) {
        let command = Command::QUERY_SM.response();
        if !status.is_ok() {
            return header_only(out, command, status, sequence);
        }
        let start = begin(out, command, status, sequence);
        put_cstr(out, self.message_id);
        put_cstr(out, self.final_date);
        out.extend_from_slice(&[self.message_state, self.error_code]);
        finish(out, start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::{customers, refusals};

    #[test]
    fn too_long_an_id_or_address_is_refused_with_its_own_status() {
        let long = [b'7'; 65];
        let refused = |query: QuerySm<'_>| {
            let mut body = BytesMut::new();
            query.encode_body(&mut body);
            refusals(|reading| QuerySm::decode(&body, reading))
        };

        assert_eq!(
            refused(QuerySm { message_id: &long, ..QuerySm::default() }),
            customers(Status::RINVMSGID)
        );
        assert_eq!(refused(QuerySm { message_id: &long[..64], ..QuerySm::default() }), [None; 3]);
        let source = Address { addr: &long[..21], ..Address::default() };
        assert_eq!(refused(QuerySm { source, ..QuerySm::default() }), customers(Status::RINVSRCADR));
    }

    #[test]
    fn cut_query_is_refused_and_parameters_behind_it_are_skipped() {
        let body = b"A1\0\x01\x01441\0";
        for cut in 0..body.len() {
            let refused = refusals(|reading| QuerySm::decode(&body[..cut], reading));
            assert_eq!(refused[..2], [Some(Status::RINVCMDLEN); 2], "cut at {cut}");
        }
        let mut more = body.to_vec();
        more.extend(b"\x14\x01\0\0");
        assert_eq!(refusals(|reading| QuerySm::decode(&more, reading)), [None; 3]);
        more.push(7);
        assert_eq!(refusals(|reading| QuerySm::decode(&more, reading)), customers(Status::RINVTLVSTREAM));
    }

    #[test]
    fn response_is_read_from_any_body() {
        let read = |body: &'static [u8]| {
            let resp = QueryResp::decode(body);
            (resp.message_id, resp.final_date, resp.message_state, resp.error_code)
        };

        assert_eq!(read(b""), (&b""[..], &b""[..], 7, 0));
        assert_eq!(read(b"A1\0\0\x02"), (&b"A1"[..], &b""[..], 2, 0));
        assert_eq!(read(b" A1\x00260102153100\0\x02\x09"), (&b"A1"[..], &b"260102153100"[..], 2, 9));
    }

    #[test]
    fn refusal_is_a_header() {
        let mut out = BytesMut::new();

        QueryResp::default().encode(&mut out, Status::RQUERYFAIL, 1);

        assert_eq!(out.len(), 16);
    }
}
