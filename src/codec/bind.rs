//! bind_receiver, bind_transmitter, bind_transceiver and their responses (SMPP 5.0 §4.1.1).

use super::field::{Fields, Limit, PASSWORD, SYSTEM_ID, put_cstr, split_cstr};
use super::{Command, FieldError, Reading, Status, Tag, Tlvs, begin, finish, header_only, put_tlv};
use bytes::BytesMut;

/// The body of any of the three binds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bind<'a> {
    /// At most 15 octets; 64 under [`Reading::Carrier`].
    pub system_id: &'a [u8],
    /// At most 8 octets; 64 under [`Reading::Carrier`].
    pub password: &'a [u8],
    /// At most 12 octets.
    pub system_type: &'a [u8],
    /// See [`super::Version::from_interface`].
    pub interface_version: u8,
    pub addr_ton: u8,
    pub addr_npi: u8,
    /// At most 40 octets; an address, a regular expression or what the peer thinks is one.
    pub address_range: &'a [u8],
}

impl<'a> Bind<'a> {
    /// Reads the body of a bind.
    ///
    /// `Lenient` takes a body that ends after addr_npi or goes on after address_range. `Carrier` is for accounts that are
    /// allowed longer names and passwords than the specification has room for.
    pub fn decode(body: &'a [u8], reading: Reading) -> Result<Self, FieldError> {
        let mut fields = Fields { rest: body, reading };
        let system_id = fields.cstr(&SYSTEM_ID)?;
        let password = fields.cstr(&PASSWORD)?;
        let system_type = fields.cstr(&SYSTEM_TYPE)?;
        let [interface_version, addr_ton, addr_npi] = fields.octets("interface_version")?;
        let address_range = match (fields.rest, reading) {
            ([], Reading::Lenient | Reading::Carrier) => &[],
            (_, _) => fields.cstr(&ADDRESS_RANGE)?,
        };
        if !fields.rest.is_empty() && reading == Reading::Strict {
            return Err(ADDRESS_RANGE.broken(Status::RINVCMDLEN));
        }
        Ok(Self { system_id, password, system_type, interface_version, addr_ton, addr_npi, address_range })
    }

    /// Appends the whole PDU; `command` is one of the three binds.
    pub fn encode(&self, out: &mut BytesMut, command: Command, sequence: u32) {
        let start = begin(out, command, Status::ROK, sequence);
        put_cstr(out, self.system_id);
        put_cstr(out, self.password);
        put_cstr(out, self.system_type);
        out.extend_from_slice(&[self.interface_version, self.addr_ton, self.addr_npi]);
        put_cstr(out, self.address_range);
        finish(out, start);
    }
}

/// The body of a response to a bind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BindResp<'a> {
    /// The name of the message centre.
    pub system_id: &'a [u8],
    /// What the message centre speaks; absent from those that take no TLVs, and from many that do.
    pub sc_interface_version: Option<u8>,
}

impl<'a> BindResp<'a> {
    /// Reads the body of a bind response; never fails, since all of it may be missing (F13).
    pub fn decode(body: &'a [u8]) -> Self {
        let (system_id, rest) = split_cstr(body);
        let tlvs = Tlvs::read(rest, Reading::Carrier).unwrap_or_default();
        Self { system_id, sc_interface_version: tlvs.u8(Tag::SC_INTERFACE_VERSION) }
    }

    /// Appends the whole PDU; a refusal is the header alone (SMPP 3.4 §4.1.2).
    pub fn encode(&self, out: &mut BytesMut, command: Command, status: Status, sequence: u32) {
        if !status.is_ok() {
            return header_only(out, command, status, sequence);
        }
        let start = begin(out, command, status, sequence);
        put_cstr(out, self.system_id);
        if let Some(version) = self.sc_interface_version {
            put_tlv(out, Tag::SC_INTERFACE_VERSION, &[version]);
        }
        finish(out, start);
    }
}

const SYSTEM_TYPE: Limit = Limit::new("system_type", 13, Status::RINVSYSTYP).needed(64);
const ADDRESS_RANGE: Limit = Limit::new("address_range", 41, Status::RINVCMDLEN);

#[cfg(test)]
mod tests {
    use super::*;

    const READINGS: [Reading; 3] = [Reading::Strict, Reading::Lenient, Reading::Carrier];

    fn status(body: &[u8], reading: Reading) -> Option<Status> {
        Bind::decode(body, reading).err().map(|error| error.status)
    }

    /// F10: strings without their NUL, missing fields.
    #[test]
    fn every_cut_of_a_bind_is_refused_or_read() {
        let body = b"acme\0secret\0VMS\0\x34\x01\x01^44\0";
        assert_eq!(status(body, Reading::Strict), None);

        for cut in 0..body.len() {
            assert_eq!(status(&body[..cut], Reading::Strict), Some(Status::RINVCMDLEN), "cut at {cut}");
        }
        // Deviation: nothing after addr_npi.
        assert_eq!(status(&body[..19], Reading::Lenient), None);
        assert_eq!(status(&body[..18], Reading::Lenient), Some(Status::RINVCMDLEN));
    }

    #[test]
    fn empty_strings_are_read_as_empty() {
        for reading in READINGS {
            let bind = Bind::decode(&[0, 0, 0, 0x34, 0, 0, 0], reading).expect("legal");

            assert_eq!((bind.system_id, bind.password, bind.system_type), (&[][..], &[][..], &[][..]));
        }
    }

    #[test]
    fn too_long_a_string_is_refused_with_its_own_status() {
        let id = b"sixteen_octets__\0pw\0\0\x34\0\0\0";
        let password = b"acme\0nine_long\0\0\x34\0\0\0";
        let system_type = b"acme\0pw\0thirteen_long\0\x34\0\0\0";

        for reading in [Reading::Strict, Reading::Lenient] {
            assert_eq!(status(id, reading), Some(Status::RINVSYSID));
            assert_eq!(status(password, reading), Some(Status::RINVPASWD));
            assert_eq!(status(system_type, reading), Some(Status::RINVSYSTYP));
        }
        assert_eq!(status(password, Reading::Carrier), None);
    }

    #[test]
    fn octets_after_address_range_are_ignored_unless_strict() {
        let body = b"acme\0pw\0\0\x34\0\0\0\0junk";

        assert_eq!(status(body, Reading::Strict), Some(Status::RINVCMDLEN));
        assert_eq!(status(body, Reading::Lenient), None);
    }

    #[test]
    fn response_is_read_from_any_body() {
        assert_eq!(BindResp::decode(b""), BindResp::default());
        assert_eq!(BindResp::decode(b"MC").system_id, b"MC");
        let whole = BindResp::decode(b"MC\0\x02\x10\0\x01\x34");
        assert_eq!(whole.sc_interface_version, Some(0x34));
    }

    #[test]
    fn refusal_is_a_header() {
        let mut out = BytesMut::new();

        let resp = BindResp { system_id: b"MC", sc_interface_version: Some(0x34) };
        resp.encode(&mut out, Command::BIND_RECEIVER.response(), Status::RBINDFAIL, 1);

        assert_eq!(out.len(), 16);
    }
}
