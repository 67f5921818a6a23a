//! outbind: a message centre asks an ESME to bind (SMPP 5.0 §4.1.1.7). The answer is a bind.

use super::field::{Fields, PASSWORD, SYSTEM_ID, put_cstr};
use super::{Command, FieldError, Reading, Status, begin, finish};
use bytes::BytesMut;

/// The body of an outbind, borrowed from the read buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outbind<'a> {
    /// The message centre's name; limits as in [`super::Bind`].
    pub system_id: &'a [u8],
    /// What the ESME may know it by.
    pub password: &'a [u8],
}

impl<'a> Outbind<'a> {
    /// Reads the body of an outbind.
    pub fn decode(body: &'a [u8], reading: Reading) -> Result<Self, FieldError> {
        let mut fields = Fields { rest: body, reading };
        let system_id = fields.cstr(&SYSTEM_ID)?;
        let password = fields.cstr(&PASSWORD)?;
        fields.end()?;
        Ok(Self { system_id, password })
    }

    /// Appends the body.
    pub fn encode_body(&self, out: &mut BytesMut) {
        put_cstr(out, self.system_id);
        put_cstr(out, self.password);
    }

    /// Appends the whole PDU.
    pub fn encode(&self, out: &mut BytesMut, sequence: u32) {
        let start = begin(out, Command::OUTBIND, Status::ROK, sequence);
        self.encode_body(out);
        finish(out, start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::{customers, refusals};

    #[test]
    fn too_long_a_string_is_refused_with_its_own_status() {
        let refused = |body: &[u8]| refusals(|reading| Outbind::decode(body, reading));

        assert_eq!(refused(b"sixteen_octets__\0pw\0"), customers(Status::RINVSYSID));
        assert_eq!(refused(b"MC1\0nine_long\0"), customers(Status::RINVPASWD));
        assert_eq!(refused(b"MC1\0obpass"), customers(Status::RINVCMDLEN));
        assert_eq!(refused(b"MC1\0obpass\0"), [None; 3]);
    }
}
