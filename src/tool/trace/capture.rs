//! The packets of a capture file: classic pcap in either byte order, with micro- or nanoseconds, and pcapng.

use anyhow::bail;
use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{Block, PcapBlockOwned, PcapError, create_reader};
use std::io::Read;

/// One packet as it was captured.
pub(super) struct Packet<'a> {
    /// Nanoseconds since 1970; `None` if the capture doesn't say.
    pub at_ns: Option<u128>,
    /// The LINKTYPE that says how the octets begin.
    pub link: i32,
    pub octets: &'a [u8],
}

/// Whether a file that starts like this is a capture.
pub(in crate::tool) fn is_capture(start: &[u8]) -> bool {
    MAGICS
        .iter()
        .any(|magic| start.starts_with(&magic.to_be_bytes()) || start.starts_with(&magic.to_le_bytes()))
}

/// Hands each packet to `each`; whether the capture was whole to its end.
///
/// # Errors
/// If it is no capture, can't be read, or `each` errs.
pub(super) fn packets(
    source: impl Read + Send,
    mut each: impl FnMut(Packet<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<bool> {
    let mut reader = match create_reader(ROOM, source) {
        Ok(reader) => reader,
        Err(error) => bail!("not a capture: {error:?}"),
    };
    let mut interfaces = Interfaces::default();
    loop {
        match reader.next() {
            Ok((length, block)) => {
                if let Some(packet) = interfaces.packet(&block) {
                    each(packet)?;
                }
                reader.consume(length);
            }
            Err(PcapError::Eof) => return Ok(true),
            Err(PcapError::Incomplete(_)) => {
                if let Err(error) = reader.refill() {
                    bail!("the capture can't be read: {error:?}");
                }
            }
            // Its end is missing, or what stands here is no packet: nothing behind it can be found.
            Err(_) => return Ok(false),
        }
    }
}

/// What has been said so far about where packets come from.
#[derive(Default)]
struct Interfaces {
    known: Vec<Interface>,
}

#[derive(Clone, Copy)]
struct Interface {
    link: i32,
    /// Units of its clock in a second.
    resolution: u64,
    offset_s: i64,
}

impl Interface {
    fn at_ns(self, units: u64) -> Option<u128> {
        let since = u128::from(units) * NS / u128::from(self.resolution.max(1));
        let offset = i128::from(self.offset_s) * NS as i128;
        u128::try_from(since as i128 + offset).ok()
    }
}

impl Interfaces {
    /// The packet in a block; other blocks are learnt from.
    fn packet<'a>(&mut self, block: &'a PcapBlockOwned<'_>) -> Option<Packet<'a>> {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                let resolution = if header.is_nanosecond_precision() { NS as u64 } else { 1_000_000 };
                // The upper bits say how long checksums are, not what the link is.
                let link = header.network.0 & 0xFFFF;
                self.known = vec![Interface { link, resolution, offset_s: 0 }];
                None
            }
            PcapBlockOwned::Legacy(packet) => {
                let interface = *self.known.first()?;
                let units = u64::from(packet.ts_sec) * interface.resolution + u64::from(packet.ts_usec);
                Some(Packet { at_ns: interface.at_ns(units), link: interface.link, octets: packet.data })
            }
            PcapBlockOwned::NG(Block::SectionHeader(_)) => {
                self.known.clear();
                None
            }
            PcapBlockOwned::NG(Block::InterfaceDescription(description)) => {
                self.known.push(Interface {
                    link: description.linktype.0,
                    resolution: description.ts_resolution().unwrap_or(1_000_000),
                    offset_s: description.ts_offset(),
                });
                None
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let interface = *self.known.get(packet.if_id as usize)?;
                let units = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                let at_ns = interface.at_ns(units);
                Some(Packet { at_ns, link: interface.link, octets: packet.packet_data() })
            }
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                let interface = *self.known.first()?;
                Some(Packet { at_ns: None, link: interface.link, octets: packet.packet_data() })
            }
            PcapBlockOwned::NG(_) => None, // Names, statistics, comments.
        }
    }
}

/// Of classic captures with microseconds, with nanoseconds, in a modified form; and of pcapng, which reads the same both ways.
const MAGICS: [u32; 4] = [0xA1B2_C3D4, 0xA1B2_3C4D, 0xA1B2_CD34, 0x0A0D_0D0A];
/// The longest packet that can be read, in octets; captures on loopback have some of 256 KiB.
const ROOM: usize = 4 << 20;
const NS: u128 = 1_000_000_000;
