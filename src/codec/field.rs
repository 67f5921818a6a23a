//! Walking the mandatory fields of a body, in their order, under one of three readings.

use super::{Address, FieldError, Reading, Status, Tlvs};
use bytes::BytesMut;

/// How one C-octet string may be.
pub(super) struct Limit {
    pub name: &'static str,
    /// Octets at most, with the NUL.
    pub size: usize,
    /// The status of a longer one.
    pub status: Status,
    /// Set where a carrier's PDU is of no use without the field: octets at most of what we take, without the NUL.
    pub needed: Option<usize>,
}

impl Limit {
    pub const fn new(name: &'static str, size: usize, status: Status) -> Self {
        Self { name, size, status, needed: None }
    }

    /// Of a carrier's too, no longer one than `most` octets is taken, and none at all isn't.
    pub const fn needed(self, most: usize) -> Self {
        Self { needed: Some(most), ..self }
    }

    /// The failure of this field.
    pub const fn broken(&self, status: Status) -> FieldError {
        FieldError { field: self.name, status }
    }

    /// The failure of this field with its own status.
    pub const fn illegal(&self) -> FieldError {
        self.broken(self.status)
    }
}

/// What is left of a body, and how forgiving to be about it.
pub(super) struct Fields<'a> {
    pub rest: &'a [u8],
    pub reading: Reading,
}

impl<'a> Fields<'a> {
    /// The next `N` integers of one octet; what a carrier left out is 0.
    #[inline(always)]
    pub fn octets<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], FieldError> {
        match self.rest.split_first_chunk() {
            Some((octets, rest)) => {
                self.rest = rest;
                Ok(*octets)
            }
            None => self.cut_short(field),
        }
    }

    /// The next C-octet string, without its NUL. Always inlined, as its neighbours are: calls double the cost of a decode.
    #[inline(always)]
    pub fn cstr(&mut self, limit: &Limit) -> Result<&'a [u8], FieldError> {
        // Most are empty.
        if let [0, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(&[]);
        }
        // Whole words, so that the search has no tail as long as the body goes on.
        let window = &self.rest[..self.rest.len().min(limit.size.next_multiple_of(8))];
        match nul_at(window) {
            Some(at) if at < limit.size => Ok(self.take_cstr(at)),
            Some(_) | None => self.unterminated(limit),
        }
    }

    /// The next address: its kind, its plan and its characters.
    #[inline(always)]
    pub fn address(&mut self, limit: &Limit) -> Result<Address<'a>, FieldError> {
        let [ton, npi] = self.octets(limit.name)?;
        let addr = self.cstr(limit)?;
        Ok(Address { ton, npi, addr })
    }

    /// The next time, as it is written. Customers' odd lengths are left to whoever reads it: switches may allow them.
    #[inline(always)]
    pub fn time(&mut self, limit: &Limit) -> Result<&'a [u8], FieldError> {
        let value = self.cstr(limit)?;
        match (value.len(), self.reading) {
            (0 | 16, _) | (_, Reading::Lenient | Reading::Carrier) => Ok(value),
            (_, Reading::Strict) => Err(limit.illegal()),
        }
    }

    /// The short_message behind its `sm_length`.
    #[inline(always)]
    pub fn short_message(&mut self, sm_length: u8) -> Result<&'a [u8], FieldError> {
        match self.rest.split_at_checked(usize::from(sm_length)) {
            Some((text, rest)) => {
                self.rest = rest;
                Ok(text)
            }
            None if self.reading == Reading::Carrier => Ok(std::mem::take(&mut self.rest)),
            None => Err(FieldError { field: "sm_length", status: Status::RINVMSGLEN }),
        }
    }

    /// The TLVs, of legal lengths, that end a body.
    pub fn tlvs(self) -> Result<Tlvs<'a>, FieldError> {
        let tlvs = Tlvs::read(self.rest, self.reading)?;
        tlvs.check(self.reading)?;
        Ok(tlvs)
    }

    /// The end of a body that has no use for TLVs: those that are there are skipped (SMPP 5.0 §2.6).
    pub fn end(self) -> Result<(), FieldError> {
        Tlvs::read(self.rest, self.reading).map(|_| ())
    }

    #[inline(always)]
    fn take_cstr(&mut self, at: usize) -> &'a [u8] {
        let value = &self.rest[..at];
        self.rest = &self.rest[at + 1..];
        value
    }

    /// No NUL where the specification wants one: a carrier's longer string is taken whole, and the end of the PDU ends it too.
    #[cold]
    fn unterminated(&mut self, limit: &Limit) -> Result<&'a [u8], FieldError> {
        match self.reading {
            Reading::Strict | Reading::Lenient if self.rest.len() >= limit.size => Err(limit.illegal()),
            Reading::Strict | Reading::Lenient => Err(limit.broken(Status::RINVCMDLEN)),
            Reading::Carrier => {
                let absent = self.rest.is_empty();
                let value = match nul_at(self.rest) {
                    Some(at) => self.take_cstr(at),
                    None => std::mem::take(&mut self.rest),
                };
                match limit.needed {
                    Some(most) if absent || value.len() > most => Err(limit.broken(Status::RX_R_APPN)),
                    Some(_) | None => Ok(value),
                }
            }
        }
    }

    #[cold]
    fn cut_short<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], FieldError> {
        match self.reading {
            Reading::Strict | Reading::Lenient => Err(FieldError { field, status: Status::RINVCMDLEN }),
            Reading::Carrier => {
                let mut octets = [0; N];
                octets[..self.rest.len()].copy_from_slice(self.rest);
                self.rest = &[];
                Ok(octets)
            }
        }
    }
}

/// Where the first NUL stands.
#[inline(always)]
pub(super) fn nul_at(octets: &[u8]) -> Option<usize> {
    first_below::<1>(octets)
}

/// Where the first octet below `LIMIT`, which is at most 128, stands, eight octets at a time: `x - LIMIT & !x` has its top bit set in
/// octets that are below, and the lowest such bit is never a false one (Mycroft 1987).
#[inline(always)]
pub(super) fn first_below<const LIMIT: u8>(octets: &[u8]) -> Option<usize> {
    let (words, tail) = octets.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let below = word.wrapping_sub(ONES * LIMIT as u64) & !word & TOPS;
        if below != 0 {
            return Some(index * 8 + below.trailing_zeros() as usize / 8);
        }
    }
    let at = tail.iter().position(|octet| *octet < LIMIT)?;
    Some(words.len() * 8 + at)
}

/// `value` up to its first NUL, if it has one.
#[inline(always)]
pub(super) fn until_nul(value: &[u8]) -> &[u8] {
    match nul_at(value) {
        Some(at) => &value[..at],
        None => value,
    }
}

/// The C-octet string that `octets` start with, and what follows it; the end takes the place of a missing NUL.
pub(super) fn split_cstr(octets: &[u8]) -> (&[u8], &[u8]) {
    match nul_at(octets) {
        Some(at) => (&octets[..at], &octets[at + 1..]),
        None => (octets, &[]),
    }
}

/// Appends a C-octet string; a NUL inside would end it there, so it does.
#[inline(always)]
pub(super) fn put_cstr(out: &mut BytesMut, value: &[u8]) {
    if !value.is_empty() {
        out.extend_from_slice(until_nul(value));
    }
    out.extend_from_slice(&[0]);
}

/// Appends an address.
#[inline(always)]
pub(super) fn put_address(out: &mut BytesMut, address: &Address<'_>) {
    out.extend_from_slice(&[address.ton, address.npi]);
    put_cstr(out, address.addr);
}

pub(super) const SERVICE_TYPE: Limit = Limit::new("service_type", 6, Status::RINVSERTYP);
pub(super) const SOURCE_ADDR: Limit = Limit::new("source_addr", 21, Status::RINVSRCADR).needed(64);
pub(super) const DESTINATION_ADDR: Limit = Limit::new("destination_addr", 21, Status::RINVDSTADR).needed(64);
pub(super) const SCHEDULE_DELIVERY_TIME: Limit = Limit::new("schedule_delivery_time", 17, Status::RINVSCHED);
pub(super) const VALIDITY_PERIOD: Limit = Limit::new("validity_period", 17, Status::RINVEXPIRY);
pub(super) const MESSAGE_ID: Limit = Limit::new("message_id", 65, Status::RINVMSGID);
pub(super) const SYSTEM_ID: Limit = Limit::new("system_id", 16, Status::RINVSYSID).needed(64);
pub(super) const PASSWORD: Limit = Limit::new("password", 9, Status::RINVPASWD).needed(64);

const ONES: u64 = 0x0101_0101_0101_0101;
const TOPS: u64 = 0x8080_8080_8080_8080;

/// The status with which each of the three readings refuses, from the strictest on.
#[cfg(test)]
pub(super) fn refusals<T>(decode: impl Fn(Reading) -> Result<T, FieldError>) -> [Option<Status>; 3] {
    [Reading::Strict, Reading::Lenient, Reading::Carrier]
        .map(|reading| decode(reading).err().map(|error| error.status))
}

/// Refused to customers and read of carriers.
#[cfg(test)]
pub(super) const fn customers(status: Status) -> [Option<Status>; 3] {
    [Some(status), Some(status), None]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_nul_is_found_wherever_it_stands() {
        for length in 0..40 {
            for at in 0..length {
                let mut octets = vec![1u8; length];
                octets[at] = 0;
                octets[length - 1] = 0;
                if at > 0 {
                    octets[at - 1] = 0x80;
                }
                assert_eq!(nul_at(&octets), Some(at));
            }
            assert_eq!(nul_at(&vec![0x80u8; length]), None);
        }
    }

    #[test]
    fn first_octet_below_a_limit_is_found_whatever_stands_around_it() {
        for (octet, neighbour) in
            (0..=u8::MAX).flat_map(|octet| (0..=u8::MAX).map(move |other| (octet, other)))
        {
            for octets in [
                &[neighbour, octet, b'x', neighbour, b'x', b'x', octet, b'x', neighbour][..],
                &[octet, neighbour],
            ] {
                let first = octets.iter().position(|octet| *octet <= b' ');
                assert_eq!(first_below::<{ b' ' + 1 }>(octets), first, "{octets:x?}");
            }
        }
    }
}
