//! alert_notification: a handset that was waited for can be reached (SMPP 5.0 §4.1.3). Nobody answers it.

use super::field::{Fields, Limit, put_address};
use super::{Address, Command, FieldError, Reading, Status, Tag, Tlvs, begin, finish};
use bytes::BytesMut;

/// The body of an alert_notification, borrowed from the read buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlertNotification<'a> {
    /// The handset, of at most 64 octets.
    pub source: Address<'a>,
    /// The ESME that asked, by set_dpf; of at most 64 octets.
    pub esme: Address<'a>,
    /// ms_availability_status as some write it, without tag and length; then there are no TLVs.
    pub bare_status: Option<u8>,
    pub tlvs: Tlvs<'a>,
}

/// How a handset can be reached (SMPP 5.0 §4.8.4.39).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Availability {
    /// Said so, or nothing, or a value that is reserved.
    #[default]
    Available,
    /// The network doesn't allow it.
    Denied,
    Unavailable,
}

impl<'a> AlertNotification<'a> {
    /// Reads the body of an alert_notification. All but `Strict` take its status as a bare octet as well (F17).
    pub fn decode(body: &'a [u8], reading: Reading) -> Result<Self, FieldError> {
        let mut fields = Fields { rest: body, reading };
        let source = fields.address(&SOURCE_ADDR)?;
        let esme = fields.address(&ESME_ADDR)?;
        let (bare_status, tlvs) = match (fields.rest, reading) {
            ([status], Reading::Lenient | Reading::Carrier) => (Some(*status), Tlvs::empty()),
            (_, _) => (None, fields.tlvs()?),
        };
        Ok(Self { source, esme, bare_status, tlvs })
    }

    /// How the handset can be reached now.
    pub fn availability(&self) -> Availability {
        match self.tlvs.u8(Tag::MS_AVAILABILITY_STATUS).or(self.bare_status) {
            Some(1) => Availability::Denied,
            Some(2) => Availability::Unavailable,
            // Reserved values mean the default.
            Some(_) | None => Availability::Available,
        }
    }

    /// Appends the body.
    pub fn encode_body(&self, out: &mut BytesMut) {
        put_address(out, &self.source);
        put_address(out, &self.esme);
        match self.bare_status {
            Some(status) => out.extend_from_slice(&[status]),
            None => out.extend_from_slice(self.tlvs.as_bytes()),
        }
    }

    /// Appends the whole PDU.
    pub fn encode(&self, out: &mut BytesMut, sequence: u32) {
        let start = begin(out, Command::ALERT_NOTIFICATION, Status::ROK, sequence);
        self.encode_body(out);
        finish(out, start);
    }
}

const SOURCE_ADDR: Limit = Limit::new("source_addr", 65, Status::RINVSRCADR).needed(64);
const ESME_ADDR: Limit = Limit::new("esme_addr", 65, Status::RINVDSTADR);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::{customers, refusals};

    const ADDRESSES: &[u8] = b"\x01\x01447700900123\0\0\x0012345\0";

    /// F17: with the TLV, with a bare octet, with neither.
    #[test]
    fn availability_is_read_in_every_form() {
        let availability = |rest: &[u8], reading| {
            let body = [ADDRESSES, rest].concat();
            let alert = AlertNotification::decode(&body, reading)?;
            assert_eq!((alert.source.addr, alert.esme.addr), (&b"447700900123"[..], &b"12345"[..]));
            Ok::<_, FieldError>(alert.availability())
        };
        use Availability::{Available, Denied, Unavailable};

        assert_eq!(availability(b"", Reading::Strict), Ok(Available));
        assert_eq!(availability(b"\x04\x22\0\x01\x02", Reading::Strict), Ok(Unavailable));
        assert_eq!(availability(b"\x04\x22\0\x01\x00", Reading::Strict), Ok(Available));
        for reading in [Reading::Lenient, Reading::Carrier] {
            assert_eq!(availability(b"\x01", reading), Ok(Denied));
            assert_eq!(availability(b"\x02", reading), Ok(Unavailable));
            assert_eq!(availability(b"\x09", reading), Ok(Available));
        }
        let by_the_letter = availability(b"\x01", Reading::Strict).map_err(|error| error.status);
        assert_eq!(by_the_letter, Err(Status::RINVTLVSTREAM));
    }

    #[test]
    fn bare_octet_goes_out_as_it_came() {
        let body = [ADDRESSES, &[2]].concat();
        let mut out = BytesMut::new();

        AlertNotification::decode(&body, Reading::Carrier).expect("kept").encode_body(&mut out);

        assert_eq!(out, body);
    }

    #[test]
    fn too_long_an_address_is_refused_with_its_own_status() {
        let long = [b'7'; 65];
        let address = Address { addr: &long, ..Address::default() };
        let refused = |alert: AlertNotification<'_>| {
            let mut body = BytesMut::new();
            alert.encode_body(&mut body);
            refusals(|reading| AlertNotification::decode(&body, reading))
        };

        let source = refused(AlertNotification { source: address, ..AlertNotification::default() });
        let status = Some(Status::RINVSRCADR);
        assert_eq!(source, [status, status, Some(Status::RX_R_APPN)]);
        let esme = refused(AlertNotification { esme: address, ..AlertNotification::default() });
        assert_eq!(esme, customers(Status::RINVDSTADR));
        for cut in 0..ADDRESSES.len() {
            let refused = refusals(|reading| AlertNotification::decode(&ADDRESSES[..cut], reading));
            assert_eq!(refused[..2], [Some(Status::RINVCMDLEN); 2], "cut at {cut}");
        }
    }
}
