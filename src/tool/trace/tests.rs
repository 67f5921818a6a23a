//! Captures written octet by octet, and what is heard in them.

use super::segment::{ETHERNET, LINUX_SLL, LINUX_SLL2, NULL, RAW, Segment};
use super::*;
use crate::codec::{Command, Status, header_only};
use bytes::BytesMut;

const CLIENT: u16 = 40_000;
const SERVER: u16 = 2775;

fn enquire(sequence: u32) -> Vec<u8> {
    let mut out = BytesMut::new();
    header_only(&mut out, Command::ENQUIRE_LINK, Status::ROK, sequence);
    out.to_vec()
}

/// A TCP segment from [`CLIENT`] to [`SERVER`].
fn tcp(sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(CLIENT.to_be_bytes());
    out.extend(SERVER.to_be_bytes());
    out.extend(sequence.to_be_bytes());
    out.extend([0, 0, 0, 0, 0x60, flags, 0xFF, 0xFF, 0, 0, 0, 0]);
    out.extend([1, 1, 1, 1]); // four octets of options
    out.extend(payload);
    out
}

fn ipv4(tcp: &[u8]) -> Vec<u8> {
    let mut out = vec![0x45, 0];
    out.extend((20 + tcp.len() as u16).to_be_bytes());
    out.extend([0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    out.extend(tcp);
    out
}

fn ipv6(tcp: &[u8]) -> Vec<u8> {
    let mut out = vec![0x60, 0, 0, 0];
    out.extend((8 + tcp.len() as u16).to_be_bytes());
    out.extend([60, 64]); // destination options come first
    for last in [1, 2] {
        out.extend([0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    out.extend([6, 0, 1, 4, 0, 0, 0, 0]);
    out.extend(tcp);
    out
}

fn ethernet(ip: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 12];
    out.extend([0x81, 0x00, 0, 7]); // a VLAN tag
    out.extend(if ip[0] >> 4 == 4 { [0x08, 0x00] } else { [0x86, 0xDD] });
    out.extend(ip);
    out.extend([0; 6]); // padding, which is no payload
    out
}

/// A classic capture whose numbers are written by `number`; packet `n` is captured at `n` seconds and 500 units.
fn pcap(magic: u32, number: fn(u32) -> [u8; 4], link: i32, packets: &[Vec<u8>]) -> Vec<u8> {
    let [two, four] =
        [number(2), number(4)].map(|octets| if octets[0] == 0 { [0, octets[3]] } else { [octets[0], 0] });
    let mut out = number(magic).to_vec();
    out.extend([two, four].concat());
    for word in [0, 0, 262_144, link as u32] {
        out.extend(number(word));
    }
    for (index, packet) in packets.iter().enumerate() {
        for word in [index as u32, 500, packet.len() as u32, packet.len() as u32] {
            out.extend(number(word));
        }
        out.extend(packet);
    }
    out
}

fn little(link: i32, packets: &[Vec<u8>]) -> Vec<u8> {
    pcap(0xA1B2_C3D4, u32::to_le_bytes, link, packets)
}

/// A capture of a connection on which nothing but `octets` was sent.
pub(in crate::tool) fn capture_of(octets: &[u8]) -> Vec<u8> {
    little(RAW, &[ipv4(&tcp(99, 0x02, b"")), ipv4(&tcp(100, 0x10, octets))])
}

/// The sequence_numbers of the PDUs in a capture, with the times of their packets.
fn heard(capture: &[u8]) -> (Vec<(u32, Option<u128>)>, Figures) {
    let mut pdus = Vec::new();
    let figures = read(capture, |heard| {
        assert_eq!((heard.from.port(), heard.to.port()), (CLIENT, SERVER));
        let number = heard.pdu.last_chunk().expect("a PDU has a header");
        pdus.push((u32::from_be_bytes(*number), heard.at_ns));
        Ok(())
    })
    .expect("a capture");
    assert_eq!(figures.pdus, pdus.len() as u64);
    (pdus, figures)
}

/// What is heard of segments in this order, after a SYN with the number 99.
fn heard_of(segments: &[(u32, &[u8])]) -> (Vec<u32>, Figures) {
    let mut packets = vec![ipv4(&tcp(99, 0x02, b""))];
    packets.extend(segments.iter().map(|(sequence, payload)| ipv4(&tcp(*sequence, 0x10, payload))));
    let (pdus, figures) = heard(&little(RAW, &packets));
    (pdus.into_iter().map(|(number, _)| number).collect(), figures)
}

#[test]
fn classic_captures_are_read_in_both_orders_and_precisions() {
    let packets = [ipv4(&tcp(7, 0x10, &enquire(1))), ipv4(&tcp(23, 0x10, &enquire(2)))];
    for (magic, unit_ns) in [(0xA1B2_C3D4, 1000), (0xA1B2_3C4D, 1)] {
        for number in [u32::to_le_bytes, u32::to_be_bytes] {
            let capture = pcap(magic, number, RAW, &packets);

            assert!(is_capture(&capture));
            let (pdus, figures) = heard(&capture);
            let second = 1_000_000_000;
            assert_eq!(pdus, [(1, Some(500 * unit_ns)), (2, Some(second + 500 * unit_ns))]);
            assert_eq!(figures, Figures { packets: 2, pdus: 2, ..Figures::default() });
        }
    }
    assert!(!is_capture(&enquire(1)));
    assert!(read(&b"no capture, but some text"[..], |_| Ok(())).is_err());
}

#[test]
fn pcapng_is_read_with_the_clock_of_its_interface() {
    let block = |kind: u32, body: &[u8]| {
        let length = (body.len() as u32 + 12).to_le_bytes();
        [&kind.to_le_bytes(), &length, body, &length].concat()
    };
    let section = [&0x1A2B_3C4D_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xFF; 8]].concat();
    let interface = [RAW as u8, 0, 0, 0, 0, 0, 4, 0, 9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0]; // if_tsresol: nanoseconds
    let mut octets = ipv4(&tcp(7, 0x10, &enquire(1)));
    octets.resize(octets.len().next_multiple_of(4), 0);
    let length = octets.len() as u32;
    let words = [0, 1, 5, length, length].map(u32::to_le_bytes).concat();
    let packet = [&words[..], &octets].concat();
    let capture = [block(0x0A0D_0D0A, &section), block(1, &interface), block(6, &packet)].concat();

    assert!(is_capture(&capture));
    let (pdus, figures) = heard(&capture);

    assert_eq!(pdus, [(1, Some((1 << 32) + 5))]);
    assert_eq!(figures.packets, 1);
}

#[test]
fn every_link_leads_to_the_same_segment() {
    let tcp = tcp(7, 0x10, b"octets");
    let read = |link, packet: &[u8]| {
        let segment = Segment::read(link, packet)?;
        Some((segment.from.to_string(), segment.to.to_string(), segment.sequence, segment.payload.to_vec()))
    };
    let expected = |from: &str, to: &str| Some((from.to_owned(), to.to_owned(), 7, b"octets".to_vec()));
    let sll = [&[0; 14][..], &[0x08, 0x00], &ipv4(&tcp)].concat();
    let sll2 = [&[0x86, 0xDD][..], &[0; 18], &ipv6(&tcp)].concat();
    let null = [&[2, 0, 0, 0][..], &ipv4(&tcp)].concat();

    let four = expected("10.0.0.1:40000", "10.0.0.2:2775");
    let six = expected("[fd00::1]:40000", "[fd00::2]:2775");
    assert_eq!(read(RAW, &ipv4(&tcp)), four);
    assert_eq!(read(RAW, &ipv6(&tcp)), six);
    assert_eq!(read(ETHERNET, &ethernet(&ipv4(&tcp))), four);
    assert_eq!(read(ETHERNET, &ethernet(&ipv6(&tcp))), six);
    assert_eq!(read(LINUX_SLL, &sll), four);
    assert_eq!(read(LINUX_SLL2, &sll2), six);
    assert_eq!(read(NULL, &null), four);
}

#[test]
fn what_is_no_segment_is_none_wherever_it_is_cut() {
    let whole = ethernet(&ipv6(&tcp(7, 0x10, b"")));
    for cut in 0..whole.len() - 6 {
        assert_eq!(Segment::read(ETHERNET, &whole[..cut]), None, "cut at {cut}");
    }
    let mut fragment = ipv4(&tcp(7, 0x10, b"octets"));
    fragment[7] = 1;
    assert_eq!(Segment::read(RAW, &fragment), None);
    let mut datagram = ipv4(&tcp(7, 0x10, b"octets"));
    datagram[9] = 17;
    assert_eq!(Segment::read(RAW, &datagram), None);
    assert_eq!(Segment::read(9999, &datagram), None);
}

#[test]
fn pdus_are_whole_however_their_segments_come() {
    let two = [enquire(1), enquire(2)].concat();
    let whole = (vec![1, 2], 0);
    let told = |segments: &[(u32, &[u8])]| {
        let (pdus, figures) = heard_of(segments);
        (pdus, figures.foreign_octets + figures.lost_octets + figures.unfinished_octets)
    };

    assert_eq!(told(&[(100, &two)]), whole);
    assert_eq!(told(&[(100, &two[..3]), (103, &two[3..20]), (120, &two[20..])]), whole);
    // Out of order, twice, and overlapping.
    assert_eq!(told(&[(120, &two[20..]), (103, &two[3..20]), (100, &two[..3])]), whole);
    assert_eq!(told(&[(100, &two[..20]), (100, &two[..20]), (110, &two[10..]), (100, &two)]), whole);
    assert_eq!(told(&[(120, &two[20..22]), (120, &two[20..]), (100, &two[..20])]), whole);
    // The octet that asks whether the peer is still there.
    assert_eq!(told(&[(100, &two[..16]), (115, &[0]), (116, &two[16..])]), whole);
}

#[test]
fn sequence_numbers_wrap() {
    let two = [enquire(1), enquire(2)].concat();
    let start = u32::MAX - 10;
    let packets = [
        ipv4(&tcp(start.wrapping_sub(1), 0x02, b"")),
        ipv4(&tcp(start.wrapping_add(20), 0x10, &two[20..])),
        ipv4(&tcp(start, 0x10, &two[..20])),
    ];

    assert_eq!(heard(&little(RAW, &packets)).0.len(), 2);
}

#[test]
fn missing_octets_are_counted_and_the_next_pdu_is_found() {
    let (pdus, figures) =
        heard_of(&[(100, &enquire(1)), (116, &enquire(2)[..6]), (132, &enquire(3)), (148, &enquire(4))]);

    assert_eq!(pdus, [1, 3, 4]);
    assert_eq!((figures.lost_octets, figures.unfinished_octets), (10, 6));
}

#[test]
fn capture_from_the_middle_starts_with_the_first_pdu_that_starts_a_segment() {
    let first = enquire(1);
    let packets = [ipv4(&tcp(7, 0x10, &first[5..])), ipv4(&tcp(18, 0x10, &enquire(2)))];

    let (pdus, figures) = heard(&little(RAW, &packets));

    assert_eq!(pdus.len(), 1);
    assert_eq!(figures.foreign_octets, 11);
}

#[test]
fn other_protocols_are_counted_and_not_shown() {
    let (pdus, figures) = heard_of(&[(100, b"GET /metrics HTTP/1.1\r\n"), (123, b"Host: there\r\n\r\n")]);
    assert_eq!((pdus, figures.foreign_octets), (vec![], 38));

    // A length that could be a PDU's, and a command that nobody knows: PostgreSQL's greeting.
    let mut greeting = vec![0, 0, 0, 24, 0, 3, 0, 0];
    greeting.resize(24, b'x');
    let (pdus, figures) = heard_of(&[(100, &greeting)]);
    assert_eq!((pdus, figures.foreign_octets), (vec![], 24));

    let mut arp = vec![0; 12];
    arp.extend([0x08, 0x06, 0, 0]);
    let (_, figures) = heard(&little(ETHERNET, &[arp]));
    assert_eq!((figures.packets, figures.other_packets), (1, 1));
}

/// A vendor's command is shown where the stream is known to be SMPP.
#[test]
fn unknown_command_in_a_known_stream_is_heard() {
    let mut vendors = enquire(2);
    vendors[4..8].copy_from_slice(&0x0001_0200_u32.to_be_bytes());

    let (pdus, _) = heard_of(&[(100, &enquire(1)), (116, &vendors)]);

    assert_eq!(pdus, [1, 2]);
}

#[test]
fn ports_may_be_used_again() {
    let packets = [
        ipv4(&tcp(99, 0x02, b"")),
        ipv4(&tcp(100, 0x10, &enquire(1)[..9])),
        ipv4(&tcp(7_000, 0x02, b"")),
        ipv4(&tcp(7_001, 0x10, &enquire(2))),
        // And once more, by somebody whose SYN wasn't captured.
        ipv4(&tcp(3_000_000_000, 0x10, &enquire(3))),
    ];

    let (pdus, figures) = heard(&little(RAW, &packets));

    assert_eq!(pdus.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(figures.unfinished_octets, 9);
}

#[test]
fn cut_capture_is_read_up_to_its_cut() {
    let packets = [ipv4(&tcp(7, 0x10, &enquire(1))), ipv4(&tcp(23, 0x10, &enquire(2)))];
    let whole = little(RAW, &packets);

    let (pdus, figures) = heard(&whole[..whole.len() - 3]);

    assert_eq!(pdus.len(), 1);
    assert!(figures.is_cut);
    assert!(!heard(&whole).1.is_cut);
}

#[test]
fn connections_beyond_the_limit_are_counted_only() {
    let packets: Vec<_> = (0..=STREAMS_MAX as u32)
        .map(|client| {
            let mut packet = ipv4(&tcp(7, 0x10, &enquire(client)));
            packet[12..16].copy_from_slice(&client.to_be_bytes());
            packet
        })
        .collect();

    let (pdus, figures) = heard(&little(RAW, &packets));

    assert_eq!((pdus.len(), figures.foreign_octets), (STREAMS_MAX, 16));
}

/// What `each` says stops the reading: nobody listens any more.
#[test]
fn error_of_the_listener_ends_it() {
    let capture = little(RAW, &[ipv4(&tcp(7, 0x10, &enquire(1)))]);

    assert!(read(&capture[..], |_| anyhow::bail!("enough")).is_err());
}
