//! submit_multi_resp: one id, and the destinations that were refused (SMPP 5.0 §4.2.3.2).

use super::field::{put_address, put_cstr, split_cstr};
use super::response::usable_id;
use super::{Address, Command, Reading, Status, Tlvs, begin, finish, header_only};
use bytes::BytesMut;

/// The body of a submit_multi_resp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MultiResp<'a> {
    /// As in [`super::SmResp`]; it stands for all destinations that aren't in `unsuccess`.
    pub message_id: &'a [u8],
    pub unsuccess: Unsuccess<'a>,
    pub tlvs: Tlvs<'a>,
}

impl<'a> MultiResp<'a> {
    /// Reads the body of a response; never fails. A body without a count, like that of a submit_sm_resp, has no refusals.
    pub fn decode(body: &'a [u8]) -> Self {
        let (message_id, rest) = split_cstr(body);
        let message_id = usable_id(message_id);
        let lenient = |octets| Tlvs::read(octets, Reading::Lenient);
        let (unsuccess, after) = Unsuccess::take(rest);
        match (lenient(after), lenient(rest)) {
            (Err(_), Ok(tlvs)) => Self { message_id, unsuccess: Unsuccess::default(), tlvs },
            (Ok(tlvs), _) => Self { message_id, unsuccess, tlvs },
            (Err(_), Err(_)) => {
                Self { message_id, unsuccess, tlvs: Tlvs::read(after, Reading::Carrier).unwrap_or_default() }
            }
        }
    }

    /// Appends the whole PDU; a refusal is the header alone.
    pub fn encode(&self, out: &mut BytesMut, status: Status, sequence: u32) {
        let command = Command::SUBMIT_MULTI.response();
        if !status.is_ok() {
            return header_only(out, command, status, sequence);
        }
        let start = begin(out, command, status, sequence);
        put_cstr(out, self.message_id);
        out.extend_from_slice(&[self.unsuccess.count]);
        out.extend_from_slice(self.unsuccess.octets);
        out.extend_from_slice(self.tlvs.as_bytes());
        finish(out, start);
    }
}

/// The destinations that a submit_multi_resp refuses, as they stood on the wire; always well formed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unsuccess<'a> {
    count: u8,
    octets: &'a [u8],
}

impl<'a> Unsuccess<'a> {
    /// How many there are.
    pub const fn len(self) -> u8 {
        self.count
    }

    /// Whether nothing was refused.
    pub const fn is_empty(self) -> bool {
        self.count == 0
    }

    /// The refused destinations, each with its status.
    pub fn iter(self) -> impl Iterator<Item = (Address<'a>, Status)> {
        let mut rest = self.octets;
        std::iter::from_fn(move || {
            let (after, refused) = refused(rest)?;
            rest = after;
            Some(refused)
        })
    }

    /// As many as `octets` say that there are, or as can be read; and what follows them.
    fn take(octets: &'a [u8]) -> (Self, &'a [u8]) {
        let Some((told, list)) = octets.split_first() else {
            return Default::default();
        };
        let mut rest = list;
        let mut count = 0;
        while count < *told {
            let Some((after, _)) = refused(rest) else {
                break;
            };
            rest = after;
            count += 1;
        }
        (Self { count, octets: &list[..list.len() - rest.len()] }, rest)
    }
}

/// Appends a submit_multi_resp that refuses the destinations in `unsuccess`, at most 255 of them; a refusal of everything is
/// the header alone.
pub fn encode_multi_resp(
    out: &mut BytesMut,
    status: Status,
    sequence: u32,
    message_id: &[u8],
    unsuccess: &[(Address<'_>, Status)],
) {
    let command = Command::SUBMIT_MULTI.response();
    if !status.is_ok() {
        return header_only(out, command, status, sequence);
    }
    debug_assert!(unsuccess.len() <= UNSUCCESS_MAX, "{} refusals", unsuccess.len());
    let unsuccess = &unsuccess[..unsuccess.len().min(UNSUCCESS_MAX)];
    let start = begin(out, command, status, sequence);
    put_cstr(out, message_id);
    out.extend_from_slice(&[unsuccess.len() as u8]);
    for (address, status) in unsuccess {
        put_address(out, address);
        out.extend_from_slice(&status.0.to_be_bytes());
    }
    finish(out, start);
}

/// The refusal that `octets` start with, and what follows it.
fn refused(octets: &[u8]) -> Option<(&[u8], (Address<'_>, Status))> {
    let ([ton, npi], rest) = octets.split_first_chunk()?;
    let (addr, rest) = split_cstr(rest);
    let (status, rest) = rest.split_first_chunk()?;
    let address = Address { ton: *ton, npi: *npi, addr };
    Some((rest, (address, Status(u32::from_be_bytes(*status)))))
}

const UNSUCCESS_MAX: usize = u8::MAX as usize;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Tag;

    const FAR: Address<'_> = Address { ton: 1, npi: 1, addr: b"441" };

    #[test]
    fn refused_destinations_are_written_and_read_back() {
        let mut out = BytesMut::new();
        let refusals = [(FAR, Status::RINVDSTADR), (Address::default(), Status(0x401))];

        encode_multi_resp(&mut out, Status::ROK, 7, b"A1", &refusals);

        let resp = MultiResp::decode(&out[16..]);
        assert_eq!(resp.message_id, b"A1");
        assert_eq!(resp.unsuccess.len(), 2);
        assert!(resp.unsuccess.iter().eq(refusals));
        out.clear();
        encode_multi_resp(&mut out, Status::RTHROTTLED, 7, b"A1", &refusals);
        assert_eq!(out.len(), 16);
    }

    /// Deviation 31 of the fact sheet: the body of a submit_sm_resp.
    #[test]
    fn missing_count_means_no_refusals() {
        let count = |body: &'static [u8]| MultiResp::decode(body).unsuccess.len();
        assert_eq!((count(b""), count(b"A1"), count(b"A1\0"), count(b"A1\0\0")), (0, 0, 0, 0));

        let bare = MultiResp::decode(b"A1\0\x04\x28\0\x01\x55");
        assert_eq!((bare.unsuccess.len(), bare.tlvs.u8(Tag::CONGESTION_STATE)), (0, Some(0x55)));
        let whole = MultiResp::decode(b"A1\0\x01\x01\x01441\0\0\0\0\x0b\x04\x28\0\x01\x55");
        assert!(whole.unsuccess.iter().eq([(FAR, Status::RINVDSTADR)]));
        assert_eq!(whole.tlvs.u8(Tag::CONGESTION_STATE), Some(0x55));
    }

    #[test]
    fn as_many_as_can_be_read_are_kept() {
        let cut = MultiResp::decode(b"A1\0\x02\x01\x01441\0\0\0\0\x0b\x01\x01442\0\0");

        assert_eq!((cut.unsuccess.len(), cut.unsuccess.iter().count()), (1, 1));
        assert!(!cut.unsuccess.is_empty());
    }
}
