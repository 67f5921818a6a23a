//! What holds for the codec whatever octets come.

use bytes::BytesMut;
use enroute::clock::UnixMs;
use enroute::codec::{
    Address, Bind, BindResp, Command, MAX_PDU_LEN, Reading, Receipt, ReceiptText, Relay, Sm, SmResp,
    SmppTime, Status, Tag, Tlvs, begin, decode_receipt_text, explain, finish, next_frame, put_tlv, read_time,
    relay_read, write_absolute, write_relative,
};
use proptest::collection::vec;
use proptest::prelude::*;
use std::time::Duration;

const READINGS: [Reading; 3] = [Reading::Strict, Reading::Lenient, Reading::Carrier];

fn cstr(max: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(1..=255u8, 0..=max)
}

fn time() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(Vec::new()), vec(b'0'..=b'9', 16)]
}

fn address() -> impl Strategy<Value = (u8, u8, Vec<u8>)> {
    (any::<u8>(), any::<u8>(), cstr(20))
}

fn tlvs() -> impl Strategy<Value = Vec<u8>> {
    // Vendors' tags: any length is legal under them.
    vec((0x1400..=0x3FFFu16, vec(any::<u8>(), 0..40)), 0..5).prop_map(|list| {
        let mut out = BytesMut::new();
        for (tag, value) in list {
            put_tlv(&mut out, Tag(tag), &value);
        }
        out.to_vec()
    })
}

/// The owned parts of an [`Sm`].
#[derive(Clone, Debug)]
struct Parts {
    service_type: Vec<u8>,
    source: (u8, u8, Vec<u8>),
    destination: (u8, u8, Vec<u8>),
    octets: [u8; 7],
    schedule: Vec<u8>,
    validity: Vec<u8>,
    short_message: Vec<u8>,
    tlvs: Vec<u8>,
}

impl Parts {
    fn sm(&self) -> Sm<'_> {
        let address = |(ton, npi, addr): &'_ (u8, u8, Vec<u8>)| (*ton, *npi, addr.len());
        let (source, destination) = (address(&self.source), address(&self.destination));
        Sm {
            service_type: &self.service_type,
            source: Address { ton: source.0, npi: source.1, addr: &self.source.2 },
            destination: Address { ton: destination.0, npi: destination.1, addr: &self.destination.2 },
            // Without the user data header indicator, whose header would have to be there.
            esm_class: self.octets[0] & !0x40,
            protocol_id: self.octets[1],
            priority_flag: self.octets[2],
            schedule_delivery_time: &self.schedule,
            validity_period: &self.validity,
            registered_delivery: self.octets[3],
            replace_if_present_flag: self.octets[4],
            data_coding: self.octets[5],
            sm_default_msg_id: self.octets[6],
            short_message: &self.short_message,
            tlvs: Tlvs::read(&self.tlvs, Reading::Strict).expect("just written"),
        }
    }
}

fn parts() -> impl Strategy<Value = Parts> {
    (cstr(5), address(), address(), any::<[u8; 7]>(), (time(), time()), vec(any::<u8>(), 0..=255), tlvs())
        .prop_map(|(service_type, source, destination, octets, (schedule, validity), short_message, tlvs)| {
            Parts { service_type, source, destination, octets, schedule, validity, short_message, tlvs }
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_octets_make_a_decoder_panic(octets in vec(any::<u8>(), 0..300)) {
        let _ = next_frame(&octets, MAX_PDU_LEN);
        let _ = explain(&octets);
        let _ = BindResp::decode(&octets);
        let _ = SmResp::decode(&octets);
        let _ = ReceiptText::parse(&octets);
        let _ = read_time(&octets, UnixMs(0));
        for reading in READINGS {
            let _ = Bind::decode(&octets, reading);
            if let Ok(sm) = Sm::decode(&octets, reading) {
                let _ = Receipt::read(&sm);
                let _ = decode_receipt_text(&sm);
            }
        }
    }

    /// What one octet more or less, or another one, makes of a legal body.
    #[test]
    fn no_damage_makes_a_decoder_panic(parts in parts(), at in any::<prop::sample::Index>(), octet: u8, cut: bool) {
        let mut body = BytesMut::new();
        parts.sm().encode_body(&mut body);
        let at = at.index(body.len());
        body[at] = octet;
        if cut {
            body.truncate(at);
        }

        let mut pdu = BytesMut::new();
        let start = begin(&mut pdu, Command::DELIVER_SM, Status::ROK, 1);
        pdu.extend_from_slice(&body);
        finish(&mut pdu, start);
        let _ = explain(&pdu);

        // Each reading takes at least what the one before it takes.
        let accepted = READINGS.map(|reading| Sm::decode(&body, reading).is_ok());
        prop_assert!(accepted.is_sorted(), "{accepted:?}");
    }

    #[test]
    fn sm_is_what_was_encoded(parts in parts(), sequence: u32) {
        let sm = parts.sm();
        let mut out = BytesMut::new();

        sm.encode(&mut out, Command::SUBMIT_SM, sequence);

        let frame = next_frame(&out, MAX_PDU_LEN).expect("framed").expect("whole");
        prop_assert_eq!(frame.len(), out.len());
        prop_assert_eq!(frame.header.sequence, sequence);
        for reading in READINGS {
            prop_assert_eq!(Sm::decode(frame.body, reading), Ok(sm));
        }
    }

    #[test]
    fn relayed_body_differs_only_where_it_was_patched(parts in parts(), validity in time(), registered: u8) {
        let sm = parts.sm();
        let mut body = BytesMut::new();
        sm.encode_body(&mut body);
        let relay = Relay { validity_period: &validity, registered_delivery: registered, ..Relay::default() };
        let mut out = BytesMut::new();

        let read = Sm::decode(&body, Reading::Lenient).expect("legal");
        relay_read(&read, &body, &relay, true, &mut out).expect("legal");

        let relayed = Sm::decode(&out, Reading::Strict).expect("legal");
        prop_assert_eq!(relayed.text(), sm.text());
        if sm.short_message.len() <= 254 {
            let patched = Sm {
                schedule_delivery_time: &[],
                validity_period: &validity,
                registered_delivery: registered,
                ..sm
            };
            prop_assert_eq!(relayed, patched);
        }
    }

    #[test]
    fn bind_is_what_was_encoded(
        (system_id, password, system_type, address_range) in (cstr(15), cstr(8), cstr(12), cstr(40)),
        [interface_version, addr_ton, addr_npi]: [u8; 3],
    ) {
        let bind = Bind {
            system_id: &system_id,
            password: &password,
            system_type: &system_type,
            interface_version,
            addr_ton,
            addr_npi,
            address_range: &address_range,
        };
        let mut out = BytesMut::new();

        bind.encode(&mut out, Command::BIND_RECEIVER, 1);

        let frame = next_frame(&out, MAX_PDU_LEN).expect("framed").expect("whole");
        for reading in READINGS {
            prop_assert_eq!(Bind::decode(frame.body, reading), Ok(bind));
        }
    }

    #[test]
    fn written_times_are_read_back(now in 0..4_102_444_800u64, span_s in 0..8_640_000u64) {
        let now = UnixMs(now * 1000);
        // Within the 49 years that two digits can name.
        let at = now.after(Duration::from_secs(span_s));

        prop_assert_eq!(read_time(&write_absolute(at), now), Ok(Some(SmppTime::Absolute(at))));
        let relative = write_relative(Duration::from_secs(span_s));
        prop_assert_eq!(read_time(&relative, now), Ok(Some(SmppTime::Relative(at))));
    }
}
