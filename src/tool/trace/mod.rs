//! A packet capture (pcap or pcapng) as the PDUs that went over its wires.
//!
//! [`read`] takes the packets apart ([`segment`]), puts each direction of each TCP connection together again ([`stream`])
//! and hands out whole PDUs in the order in which their last octets were captured. What isn't SMPP is counted, not shown.

mod capture;
mod segment;
mod stream;
#[cfg(test)]
mod tests;

pub(super) use capture::is_capture;
#[cfg(test)]
pub(super) use tests::capture_of;

use segment::Segment;
use std::collections::BTreeMap;
use std::io::Read;
use std::net::SocketAddr;
use stream::Stream;

/// One whole PDU on its way.
pub(super) struct Heard<'a> {
    /// Nanoseconds since 1970 at which its last octets were captured; `None` if the capture doesn't say.
    pub at_ns: Option<u128>,
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub pdu: &'a [u8],
}

/// What a capture held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub packets: u64,
    /// Packets that aren't TCP over IP, or are fragments of it.
    pub other_packets: u64,
    pub pdus: u64,
    /// Octets of TCP that are no SMPP, whose beginning wasn't captured, or of more connections than are followed.
    pub foreign_octets: u64,
    /// Octets of TCP that were sent but not captured.
    pub lost_octets: u64,
    /// Octets of PDUs whose end wasn't captured.
    pub unfinished_octets: u64,
    /// The file ends in the middle of a packet, or is damaged there.
    pub is_cut: bool,
}

/// Hands each PDU of a capture to `each`, until that errs.
///
/// # Errors
/// If it is no capture, can't be read, or `each` errs.
pub(super) fn read(
    source: impl Read + Send,
    mut each: impl FnMut(&Heard<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let mut streams: BTreeMap<(SocketAddr, SocketAddr), Stream> = BTreeMap::new();
    let whole = capture::packets(source, |packet| {
        figures.packets += 1;
        let Some(segment) = Segment::read(packet.link, packet.octets) else {
            figures.other_packets += 1;
            return Ok(());
        };
        let (from, to) = (segment.from, segment.to);
        if streams.len() >= STREAMS_MAX && !streams.contains_key(&(from, to)) {
            figures.foreign_octets += segment.payload.len() as u64;
            return Ok(());
        }
        let stream = streams.entry((from, to)).or_default();
        stream.push(&segment, &mut figures, |pdu| each(&Heard { at_ns: packet.at_ns, from, to, pdu }))
    })?;
    figures.is_cut = !whole;
    for ((from, to), stream) in streams {
        stream.finish(&mut figures, |pdu| each(&Heard { at_ns: None, from, to, pdu }))?;
    }
    Ok(figures)
}

/// Directions of connections that are followed in one capture.
const STREAMS_MAX: usize = 65_536;
