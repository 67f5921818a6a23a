//! From a captured packet to the TCP segment in it: link layers, IPv4 (RFC 791), IPv6 (RFC 8200), TCP (RFC 9293).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// One segment of one direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment<'a> {
    pub from: SocketAddr,
    pub to: SocketAddr,
    /// The number of its first octet; a SYN takes one itself.
    pub sequence: u32,
    pub is_syn: bool,
    pub payload: &'a [u8],
}

impl<'a> Segment<'a> {
    /// The segment in a packet of the LINKTYPE `link`; `None` if it is something else, a fragment or cut too short.
    pub fn read(link: i32, packet: &'a [u8]) -> Option<Self> {
        let ip = match link {
            ETHERNET => ethernet(packet)?,
            LINUX_SLL => cooked(packet, 14, 16)?,
            LINUX_SLL2 => cooked(packet, 0, 20)?,
            // The family in four octets, in the order of whoever captured it: the version field says the same.
            NULL | LOOP => packet.get(4..)?,
            RAW | RAW_BSD | RAW_OPENBSD | IPV4 | IPV6 => packet,
            _ => return None, // No network that SMPP is spoken over.
        };
        match ip.first()? >> 4 {
            4 => Self::of_ipv4(ip),
            6 => Self::of_ipv6(ip),
            _ => None, // Not IP.
        }
    }

    fn of_ipv4(ip: &'a [u8]) -> Option<Self> {
        let header = ip.first_chunk::<20>()?;
        let header_len = usize::from(header[0] & 0x0F) * 4;
        let is_fragment = u16::from_be_bytes([header[6], header[7]]) & 0x3FFF != 0;
        if header[9] != TCP || is_fragment || header_len < header.len() {
            return None;
        }
        let [a, b, c, d] = header[12..16].try_into().ok()?;
        let from = IpAddr::V4(Ipv4Addr::new(a, b, c, d));
        let [a, b, c, d] = header[16..20].try_into().ok()?;
        let to = IpAddr::V4(Ipv4Addr::new(a, b, c, d));
        // 0 where the network card was left to cut it up.
        let end = match usize::from(u16::from_be_bytes([header[2], header[3]])) {
            0 => ip.len(),
            total => total.min(ip.len()),
        };
        Self::of_tcp(from, to, ip.get(header_len..end)?)
    }

    fn of_ipv6(ip: &'a [u8]) -> Option<Self> {
        let header = ip.first_chunk::<40>()?;
        let from = IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(&header[8..24]).ok()?));
        let to = IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(&header[24..40]).ok()?));
        let end = match usize::from(u16::from_be_bytes([header[4], header[5]])) {
            0 => ip.len(),
            payload => (header.len() + payload).min(ip.len()),
        };
        let mut rest = ip.get(header.len()..end)?;
        let mut next = header[6];
        while let HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS = next {
            let [kind, length] = *rest.first_chunk()?;
            next = kind;
            rest = rest.get((usize::from(length) + 1) * 8..)?;
        }
        if next == TCP { Self::of_tcp(from, to, rest) } else { None }
    }

    fn of_tcp(from: IpAddr, to: IpAddr, tcp: &'a [u8]) -> Option<Self> {
        let header = tcp.first_chunk::<20>()?;
        let header_len = usize::from(header[12] >> 4) * 4;
        if header_len < header.len() {
            return None;
        }
        let port = |high, low| u16::from_be_bytes([high, low]);
        Some(Self {
            from: SocketAddr::new(from, port(header[0], header[1])),
            to: SocketAddr::new(to, port(header[2], header[3])),
            sequence: u32::from_be_bytes(header[4..8].try_into().ok()?),
            is_syn: header[13] & SYN != 0,
            payload: tcp.get(header_len..)?,
        })
    }
}

/// What an Ethernet frame carries, VLAN tags skipped.
fn ethernet(frame: &[u8]) -> Option<&[u8]> {
    let mut rest = frame.get(12..)?;
    loop {
        let (kind, after) = rest.split_first_chunk()?;
        match u16::from_be_bytes(*kind) {
            VLAN | SERVICE_VLAN => rest = after.get(2..)?,
            ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => return Some(after),
            _ => return None, // ARP and the like.
        }
    }
}

/// What a packet of Linux's cooked capture carries: its protocol stands at `protocol`, its payload after `header` octets.
fn cooked(packet: &[u8], protocol: usize, header: usize) -> Option<&[u8]> {
    let kind = packet.get(protocol..protocol + 2)?.try_into().ok()?;
    matches!(u16::from_be_bytes(kind), ETHERTYPE_IPV4 | ETHERTYPE_IPV6).then(|| packet.get(header..))?
}

// LINKTYPEs, from the list of the tcpdump group.
pub(super) const NULL: i32 = 0;
pub(super) const ETHERNET: i32 = 1;
const RAW_BSD: i32 = 12;
const RAW_OPENBSD: i32 = 14;
pub(super) const RAW: i32 = 101;
const LOOP: i32 = 108;
pub(super) const LINUX_SLL: i32 = 113;
const IPV4: i32 = 228;
const IPV6: i32 = 229;
pub(super) const LINUX_SLL2: i32 = 276;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86DD;
const VLAN: u16 = 0x8100;
const SERVICE_VLAN: u16 = 0x88A8;

// Protocol numbers, from IANA's list.
const HOP_BY_HOP: u8 = 0;
const TCP: u8 = 6;
const ROUTING: u8 = 43;
const DESTINATION_OPTIONS: u8 = 60;
/// The flag of a segment that opens a connection.
const SYN: u8 = 0x02;
