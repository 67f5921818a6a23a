//! What one decoder makes of one PDU: its fields as octets, so that decoders with types of their own can be compared.

// Each test file is a crate of its own and uses its own part of this one.
#![allow(dead_code)]

use enroute::codec::Address;

/// Name and octets of each field, in the order of the wire: integers big-endian, strings without their NUL, lists whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(&'static str, Vec<u8>)>);

impl Fields {
    /// The same, and one field more.
    pub fn and(mut self, name: &'static str, octets: impl AsRef<[u8]>) -> Self {
        self.0.push((name, octets.as_ref().to_vec()));
        self
    }

    /// The same, and an integer of one octet more.
    pub fn octet(self, name: &'static str, value: u8) -> Self {
        self.and(name, [value])
    }

    /// The same, and the three fields of an address, named after whose it is.
    pub fn address(self, [ton, npi, addr]: [&'static str; 3], address: &Address<'_>) -> Self {
        self.octet(ton, address.ton).octet(npi, address.npi).and(addr, address.addr)
    }

    /// Names of the fields that are not the same in both; a field that one has not is one.
    pub fn differing(&self, other: &Self) -> Vec<&'static str> {
        let of = |fields: &Self, name: &str| {
            fields.0.iter().find(|field| field.0 == name).map(|field| field.1.clone())
        };
        let mut names: Vec<&'static str> = self.0.iter().chain(&other.0).map(|field| field.0).collect();
        names.sort_unstable();
        names.dedup();
        names.retain(|name| of(self, name) != of(other, name));
        names
    }

    /// The octets of one field.
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|field| field.0 == name).map(|field| &field.1[..])
    }
}

pub const SOURCE: [&str; 3] = ["source_addr_ton", "source_addr_npi", "source_addr"];
pub const DESTINATION: [&str; 3] = ["dest_addr_ton", "dest_addr_npi", "destination_addr"];
pub const ESME: [&str; 3] = ["esme_addr_ton", "esme_addr_npi", "esme_addr"];
