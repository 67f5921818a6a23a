//! submit_multi: one text for many destinations (SMPP 5.0 §4.2.3).

use super::field::{
    DESTINATION_ADDR, Fields, Limit, SERVICE_TYPE, SOURCE_ADDR, put_address, put_cstr, split_cstr,
};
use super::{Address, Command, FieldError, Reading, Sm, Status, begin, finish};
use bytes::BytesMut;

/// The body of a submit_multi, borrowed from the read buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubmitMulti<'a> {
    /// All that is the same for every destination; its own destination is empty.
    pub sm: Sm<'a>,
    pub destinations: Destinations<'a>,
}

impl<'a> SubmitMulti<'a> {
    /// Reads the body of a submit_multi.
    ///
    /// Refuses as [`Sm::decode`] does, a list of none with ESME_RINVNUMDESTS, a destination of no known kind with
    /// ESME_RINVDESTFLAG, too long an address with ESME_RINVDSTADR and too long a list's name with ESME_RINVDLNAME. The
    /// list has to be readable under `Carrier` too.
    pub fn decode(body: &'a [u8], reading: Reading) -> Result<Self, FieldError> {
        let mut fields = Fields { rest: body, reading };
        let service_type = fields.cstr(&SERVICE_TYPE)?;
        let source = fields.address(&SOURCE_ADDR)?;
        let [count] = fields.octets("number_of_dests")?;
        if count == 0 {
            return Err(FieldError { field: "number_of_dests", status: Status::RINVNUMDESTS });
        }
        let destinations = Destinations::take(&mut fields, count)?;
        let sm = Sm::decode_tail(fields, Sm { service_type, source, ..Sm::default() })?;
        Ok(Self { sm, destinations })
    }

    /// The message to one of the destinations, as if it had been submitted alone.
    pub fn sm_to(&self, destination: Address<'a>) -> Sm<'a> {
        Sm { destination, ..self.sm }
    }

    /// Appends the body.
    pub fn encode_body(&self, out: &mut BytesMut) {
        let sm = &self.sm;
        put_cstr(out, sm.service_type);
        put_address(out, &sm.source);
        out.extend_from_slice(&[self.destinations.count]);
        // One by one, since a list that ended with its body may want the last NUL.
        self.destinations.iter().for_each(|destination| put_destination(out, &destination));
        out.extend_from_slice(&[sm.esm_class, sm.protocol_id, sm.priority_flag]);
        sm.encode_tail(out);
    }

    /// Appends the whole PDU.
    pub fn encode(&self, out: &mut BytesMut, sequence: u32) {
        let start = begin(out, Command::SUBMIT_MULTI, Status::ROK, sequence);
        self.encode_body(out);
        finish(out, start);
    }
}

/// One whom a submit_multi is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Destination<'a> {
    Sme(Address<'a>),
    /// The name of a distribution list, at most 20 octets.
    List(&'a [u8]),
}

/// Whom a submit_multi is for, as it stood on the wire; always well formed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Destinations<'a> {
    count: u8,
    octets: &'a [u8],
}

impl<'a> Destinations<'a> {
    /// Takes a list that [`put_destination`] has written; refuses more than 255 with ESME_RINVNUMDESTS.
    pub fn read(octets: &'a [u8]) -> Result<Self, FieldError> {
        let mut fields = Fields { rest: octets, reading: Reading::Lenient };
        let mut count = 0u8;
        while !fields.rest.is_empty() {
            take_one(&mut fields)?;
            count = count
                .checked_add(1)
                .ok_or(FieldError { field: "number_of_dests", status: Status::RINVNUMDESTS })?;
        }
        Ok(Self { count, octets })
    }

    fn take(fields: &mut Fields<'a>, count: u8) -> Result<Self, FieldError> {
        let list = fields.rest;
        for _ in 0..count {
            take_one(fields)?;
        }
        // A list that ends inside of an entry would swallow the next field when it is written again.
        if fields.rest.is_empty() {
            return Err(FieldError { field: "number_of_dests", status: Status::RINVCMDLEN });
        }
        Ok(Self { count, octets: &list[..list.len() - fields.rest.len()] })
    }

    /// How many there are.
    pub const fn len(self) -> u8 {
        self.count
    }

    /// Whether there are none; never so in what was decoded.
    pub const fn is_empty(self) -> bool {
        self.count == 0
    }

    /// The destinations in the order in which they came, repeats included.
    pub fn iter(self) -> impl Iterator<Item = Destination<'a>> {
        let mut rest = self.octets;
        std::iter::from_fn(move || {
            let (after, destination) = destination(rest)?;
            rest = after;
            Some(destination)
        })
    }
}

/// Appends one destination to a list for [`Destinations::read`].
pub fn put_destination(out: &mut BytesMut, destination: &Destination<'_>) {
    match destination {
        Destination::Sme(address) => {
            out.extend_from_slice(&[SME]);
            put_address(out, address);
        }
        Destination::List(name) => {
            out.extend_from_slice(&[LIST]);
            put_cstr(out, name);
        }
    }
}

fn take_one(fields: &mut Fields<'_>) -> Result<(), FieldError> {
    match fields.octets("dest_flag")? {
        [SME] => fields.address(&DESTINATION_ADDR).map(|_| ()),
        [LIST] => fields.cstr(&DL_NAME).map(|_| ()),
        _ => Err(FieldError { field: "dest_flag", status: Status::RINVDESTFLAG }), // Nobody knows how long it is.
    }
}

/// The destination that `octets` start with, and what follows it.
fn destination(octets: &[u8]) -> Option<(&[u8], Destination<'_>)> {
    match octets {
        [SME, ton, npi, rest @ ..] => {
            let (addr, after) = split_cstr(rest);
            Some((after, Destination::Sme(Address { ton: *ton, npi: *npi, addr })))
        }
        [LIST, rest @ ..] => {
            let (name, after) = split_cstr(rest);
            Some((after, Destination::List(name)))
        }
        _ => None, // The end: the list is well formed.
    }
}

/// dest_flag of an address.
const SME: u8 = 1;
/// dest_flag of a distribution list.
const LIST: u8 = 2;
const DL_NAME: Limit = Limit::new("dl_name", 21, Status::RINVDLNAME);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::field::{self, customers};

    fn refusals(body: &[u8]) -> [Option<Status>; 3] {
        field::refusals(|reading| SubmitMulti::decode(body, reading))
    }

    /// A body whose number_of_dests and destinations are `list`.
    fn body(list: &[u8]) -> Vec<u8> {
        let mut body = b"CMT\0\x05\0ACME\0".to_vec();
        body.extend_from_slice(list);
        body.extend_from_slice(b"\0\0\0\0\0\x01\0\0\0\x05hello");
        body
    }

    #[test]
    fn message_to_each_destination_is_that_of_a_submit_sm() {
        let body = body(b"\x02\x01\x01\x01441\0\x02staff\0");

        let multi = SubmitMulti::decode(&body, Reading::Strict).expect("legal");

        let first = Address { ton: 1, npi: 1, addr: b"441" };
        let all: Vec<_> = multi.destinations.iter().collect();
        assert_eq!(all, [Destination::Sme(first), Destination::List(b"staff")]);
        assert_eq!(multi.destinations.len(), 2);
        let sm = multi.sm_to(first);
        assert_eq!((sm.destination, sm.source.addr), (first, &b"ACME"[..]));
        assert_eq!((sm.registered_delivery, sm.text()), (1, &b"hello"[..]));
    }

    /// A list that ends inside of an entry could not be written again: the next field would become part of it.
    #[test]
    fn list_that_is_cut_short_is_refused_in_every_reading() {
        for list in [&b"\x01\x02"[..], b"\x01\x02staff", b"\x02\x02staff\0\x01\x01", b"\x01\x01\x01\x01441"] {
            let body = [b"CMT\0\x05\0ACME\0", list].concat();

            assert!(refusals(&body).iter().all(Option::is_some), "{list:?}");
        }
    }

    #[test]
    fn list_that_cannot_be_read_is_refused_by_what_is_wrong_with_it() {
        let [mut address, mut name] = [b"\x01\x01\x01\x01".to_vec(), b"\x01\x02".to_vec()];
        address.extend([b'7'; 21]);
        address.push(0);
        name.extend([b'n'; 21]);
        name.push(0);

        assert_eq!(refusals(&body(b"\0")), [Some(Status::RINVNUMDESTS); 3]);
        assert_eq!(refusals(&body(b"\x01\x03abc\0")), [Some(Status::RINVDESTFLAG); 3]);
        assert_eq!(refusals(&body(b"\x01\0abc\0")), [Some(Status::RINVDESTFLAG); 3]);
        assert_eq!(refusals(&body(&address)), customers(Status::RINVDSTADR));
        assert_eq!(refusals(&body(&name)), customers(Status::RINVDLNAME));
        // One more announced than there are: the fields behind are taken for it.
        assert_eq!(refusals(&body(b"\x02\x02staff\0")), [Some(Status::RINVDESTFLAG); 3]);
    }

    #[test]
    fn cut_list_is_too_short_a_pdu() {
        let whole = body(b"\x02\x01\x01\x01441\0\x02staff\0");
        for cut in 0..whole.len() - 5 {
            assert_eq!(refusals(&whole[..cut])[..2], [Some(Status::RINVCMDLEN); 2], "cut at {cut}");
        }
        assert_eq!(refusals(&whole[..whole.len() - 1]), customers(Status::RINVMSGLEN));
    }

    /// Fact sheet 17: 255 are read, as 5.0 has it.
    #[test]
    fn list_has_255_destinations_at_most() {
        let mut octets = BytesMut::new();
        for _ in 0..255 {
            put_destination(&mut octets, &Destination::List(b"all"));
        }
        let full = Destinations::read(&octets).expect("255");
        assert_eq!((full.len(), full.iter().count()), (255, 255));
        let multi = SubmitMulti { destinations: full, ..SubmitMulti::default() };
        let mut out = BytesMut::new();
        multi.encode_body(&mut out);
        assert_eq!(SubmitMulti::decode(&out, Reading::Strict), Ok(multi));

        put_destination(&mut octets, &Destination::List(b"all"));
        let error = Destinations::read(&octets).expect_err("one too many");
        assert_eq!(error.status, Status::RINVNUMDESTS);
        assert!(Destinations::read(b"").expect("none").is_empty());
    }
}
