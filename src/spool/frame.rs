//! A frame: what one commit can be told apart by, around records.
//!
//! ```text
//! magic u32 | crc u32 | segment u64 | address u64 | sequence u64 | commit u64 | serial u64 | epoch u32 | previous u32 | body u32 | 0 u32
//! ```
//!
//! The journal fills in what it knows; segment, commit (the durable address when the frame was written), previous (the crc of
//! the frame before) and crc are the writer's. The crc is CRC-32C (Castagnoli: the one that processors have an instruction
//! for) over all that follows it, seeded by the store's secret, so that no message body can pass for a frame.

use crate::id::IdKey;

/// Octets of a frame's header.
pub const FRAME_HEADER: usize = 64;
/// The longest body: one record of the greatest length, or a full frame of many.
pub const FRAME_BODY_MAX: usize = 64 << 20;
/// Where the magic stands, so that a frame can be found again behind damage.
pub const FRAME_MAGIC: u32 = 0xE2F4_A11E;

/// A frame's header, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    pub crc: u32,
    pub segment: u64,
    pub address: u64,
    pub sequence: u64,
    pub commit: u64,
    pub serial: u64,
    pub epoch: u32,
    pub previous: u32,
    pub body: u32,
}

impl FrameHeader {
    /// Octets of the whole frame.
    pub const fn octets(&self) -> u64 {
        FRAME_HEADER as u64 + self.body as u64
    }

    /// Address of the octet after the frame.
    pub const fn end(&self) -> u64 {
        self.address + self.octets()
    }

    /// Writes all fields but the crc.
    pub fn write(&self, out: &mut [u8]) {
        out[..4].copy_from_slice(&FRAME_MAGIC.to_be_bytes());
        out[8..16].copy_from_slice(&self.segment.to_be_bytes());
        out[16..24].copy_from_slice(&self.address.to_be_bytes());
        out[24..32].copy_from_slice(&self.sequence.to_be_bytes());
        out[32..40].copy_from_slice(&self.commit.to_be_bytes());
        out[40..48].copy_from_slice(&self.serial.to_be_bytes());
        out[48..52].copy_from_slice(&self.epoch.to_be_bytes());
        out[52..56].copy_from_slice(&self.previous.to_be_bytes());
        out[56..60].copy_from_slice(&self.body.to_be_bytes());
        out[60..64].copy_from_slice(&[0; 4]);
    }

    /// Reads a header; `None` without the magic or with an impossible length. The crc is not checked.
    pub fn read(octets: &[u8]) -> Option<Self> {
        let header = Self {
            crc: u32_at(octets, 4)?,
            segment: u64_at(octets, 8)?,
            address: u64_at(octets, 16)?,
            sequence: u64_at(octets, 24)?,
            commit: u64_at(octets, 32)?,
            serial: u64_at(octets, 40)?,
            epoch: u32_at(octets, 48)?,
            previous: u32_at(octets, 52)?,
            body: u32_at(octets, 56)?,
        };
        let possible = header.body > 0 && header.body as usize <= FRAME_BODY_MAX;
        (u32_at(octets, 0)? == FRAME_MAGIC && possible && u32_at(octets, 60)? == 0).then_some(header)
    }
}

/// The store's seed of all checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Salt(u32);

impl Salt {
    /// From the store's secret.
    pub fn new(key: &IdKey) -> Self {
        Self(crc32c::crc32c(&key.0))
    }

    /// The crc of a whole frame, header included.
    pub fn frame(self, frame: &[u8]) -> u32 {
        self.hash(0, &frame[8..])
    }

    /// The check of a record that lies at `address`.
    pub fn record(self, record: &[u8], address: u64) -> u32 {
        let place = (address as u32) ^ (address >> 32) as u32;
        self.hash(place.wrapping_mul(0x9E37_79B1), &record[8..]) ^ record.len() as u32
    }

    /// Whether a whole record is what was written at `address`.
    pub fn holds(self, record: &[u8], address: u64) -> bool {
        u32_at(record, 4) == Some(self.record(record, address))
    }

    fn hash(self, seed: u32, octets: &[u8]) -> u32 {
        crc32c::crc32c_append(self.0 ^ seed, octets)
    }
}

/// The big-endian number at `at`, if there are octets enough.
pub fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*octets.get(at..)?.first_chunk()?))
}

/// The big-endian number at `at`, if there are octets enough.
pub fn u64_at(octets: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*octets.get(at..)?.first_chunk()?))
}
