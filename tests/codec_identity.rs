//! What is encoded is what is decoded, for every view of a body; and no damage to a body makes its decoder panic.

use bytes::BytesMut;
use enroute::codec::{
    Address, AlertNotification, BroadcastSm, CancelBroadcastSm, CancelSm, Command, DataSm, Destination,
    Destinations, FieldError, Frame, MAX_PDU_LEN, MultiResp, Outbind, QueryBroadcastSm, QueryResp, QuerySm,
    Reading, ReplaceSm, Sm, SmResp, Status, SubmitMulti, Tag, Tlvs, begin, encode_id_resp, encode_multi_resp,
    explain, finish, next_frame, put_destination, put_tlv,
};
use proptest::collection::vec;
use proptest::prelude::*;

const READINGS: [Reading; 3] = [Reading::Strict, Reading::Lenient, Reading::Carrier];

/// What the fields of any view are taken from.
#[derive(Clone, Debug)]
struct Parts {
    service_type: Vec<u8>,
    message_id: Vec<u8>,
    system_id: Vec<u8>,
    password: Vec<u8>,
    addresses: [(u8, u8, Vec<u8>); 2],
    /// A destination and its status each; one that is even is a list where there can be one.
    destinations: Vec<(Vec<u8>, u32)>,
    octets: [u8; 7],
    times: [Vec<u8>; 2],
    text: Vec<u8>,
    tlvs: Vec<u8>,
}

impl Parts {
    fn address(&self, index: usize) -> Address<'_> {
        let (ton, npi, addr) = &self.addresses[index];
        Address { ton: *ton, npi: *npi, addr }
    }

    /// Without the user data header indicator, whose header would have to be there.
    fn esm_class(&self) -> u8 {
        self.octets[0] & !0x40
    }

    fn sm<'a>(&'a self, tlvs: Tlvs<'a>) -> Sm<'a> {
        let [_, protocol_id, priority_flag, registered_delivery, replace, data_coding, canned] = self.octets;
        Sm {
            service_type: &self.service_type,
            source: self.address(0),
            destination: self.address(1),
            esm_class: self.esm_class(),
            protocol_id,
            priority_flag,
            schedule_delivery_time: &self.times[0],
            validity_period: &self.times[1],
            registered_delivery,
            replace_if_present_flag: replace,
            data_coding,
            sm_default_msg_id: canned,
            short_message: &self.text,
            tlvs,
        }
    }

    fn broadcast<'a>(&'a self, tlvs: Tlvs<'a>) -> BroadcastSm<'a> {
        BroadcastSm {
            service_type: &self.service_type,
            source: self.address(0),
            message_id: &self.message_id,
            priority_flag: self.octets[1],
            schedule_delivery_time: &self.times[0],
            validity_period: &self.times[1],
            replace_if_present_flag: self.octets[2],
            data_coding: self.octets[3],
            sm_default_msg_id: self.octets[4],
            tlvs,
        }
    }

    fn replace<'a>(&'a self, tlvs: Tlvs<'a>) -> ReplaceSm<'a> {
        ReplaceSm {
            message_id: &self.message_id,
            source: self.address(0),
            schedule_delivery_time: &self.times[0],
            validity_period: &self.times[1],
            registered_delivery: self.octets[1],
            sm_default_msg_id: self.octets[2],
            short_message: &self.text,
            tlvs,
        }
    }

    fn cancel(&self) -> CancelSm<'_> {
        CancelSm {
            service_type: &self.service_type,
            message_id: &self.message_id,
            source: self.address(0),
            destination: self.address(1),
        }
    }

    /// The TLVs, and behind them all that any request needs.
    fn tlvs_and_needed(&self) -> Vec<u8> {
        let mut out = BytesMut::from(&self.tlvs[..]);
        put_tlv(&mut out, Tag::MESSAGE_PAYLOAD, &self.text);
        put_tlv(&mut out, Tag::BROADCAST_AREA_IDENTIFIER, b"\0Dublin");
        put_tlv(&mut out, Tag::BROADCAST_CONTENT_TYPE, &[1, 0, 0x30]);
        put_tlv(&mut out, Tag::BROADCAST_FREQUENCY_INTERVAL, &[9, 0, 31]);
        put_tlv(&mut out, Tag::BROADCAST_REP_NUM, &[0, 2]);
        out.to_vec()
    }

    fn destinations(&self) -> Vec<u8> {
        let mut out = BytesMut::new();
        for (name, number) in &self.destinations {
            let address = Address { ton: 1, npi: 1, addr: name };
            let is_list = number % 2 == 0;
            let destination = if is_list { Destination::List(name) } else { Destination::Sme(address) };
            put_destination(&mut out, &destination);
        }
        out.to_vec()
    }

    fn unsuccess(&self) -> Vec<(Address<'_>, Status)> {
        let of = self.destinations.iter();
        of.map(|(name, status)| (Address { ton: 1, npi: 1, addr: name }, Status(*status))).collect()
    }
}

fn parts() -> impl Strategy<Value = Parts> {
    let cstr = |max| vec(1..=255u8, 0..=max);
    let address = move || (any::<u8>(), any::<u8>(), cstr(20));
    let time = || prop_oneof![Just(Vec::new()), vec(b'0'..=b'9', 16)];
    // Vendors' tags: any length is legal under them.
    let tlvs = vec((0x1400..=0x3FFFu16, vec(any::<u8>(), 0..40)), 0..5).prop_map(|list| {
        let mut out = BytesMut::new();
        for (tag, value) in list {
            put_tlv(&mut out, Tag(tag), &value);
        }
        out.to_vec()
    });
    let ids = (cstr(5), vec(b'!'..=b'~', 0..=64), cstr(15), cstr(8));
    let destinations = vec((cstr(20), any::<u32>()), 1..6);
    let text = vec(any::<u8>(), 0..=255);
    (ids, [address(), address()], destinations, any::<[u8; 7]>(), [time(), time()], text, tlvs).prop_map(
        |(
            (service_type, message_id, system_id, password),
            addresses,
            destinations,
            octets,
            times,
            text,
            tlvs,
        )| Parts {
            service_type,
            message_id,
            system_id,
            password,
            addresses,
            destinations,
            octets,
            times,
            text,
            tlvs,
        },
    )
}

fn tlvs(octets: &[u8]) -> Tlvs<'_> {
    Tlvs::read(octets, Reading::Strict).expect("just written")
}

/// The one PDU in `out`.
fn only(out: &[u8]) -> Frame<'_> {
    let frame = next_frame(out, MAX_PDU_LEN).expect("framed").expect("whole");
    assert_eq!(frame.len(), out.len());
    frame
}

/// Encodes a view and holds what each reading makes of it against it.
macro_rules! assert_identity {
    ($view:expr, $type:ident, $command:ident) => {{
        let view = $view;
        let mut out = BytesMut::new();
        view.encode(&mut out, 7);
        let frame = only(&out);
        prop_assert_eq!(frame.header.command, Command::$command);
        for reading in READINGS {
            prop_assert_eq!($type::decode(frame.body, reading), Ok(view));
        }
        let mut body = BytesMut::new();
        view.encode_body(&mut body);
        prop_assert_eq!(&body[..], frame.body);
    }};
}

/// Decodes a body, and encodes what was understood of it.
type Judge = fn(&[u8], Reading) -> Result<BytesMut, FieldError>;

macro_rules! judge {
    ($command:ident, $type:ident) => {
        (Command::$command, |body, reading| {
            let view = $type::decode(body, reading)?;
            let mut out = BytesMut::new();
            view.encode_body(&mut out);
            Ok(out)
        })
    };
}

/// Every decoder that can refuse, by its command.
const JUDGES: [(Command, Judge); 11] = [
    judge!(SUBMIT_SM, Sm),
    judge!(DATA_SM, DataSm),
    judge!(SUBMIT_MULTI, SubmitMulti),
    judge!(QUERY_SM, QuerySm),
    judge!(CANCEL_SM, CancelSm),
    judge!(REPLACE_SM, ReplaceSm),
    judge!(ALERT_NOTIFICATION, AlertNotification),
    judge!(OUTBIND, Outbind),
    judge!(BROADCAST_SM, BroadcastSm),
    judge!(QUERY_BROADCAST_SM, QueryBroadcastSm),
    judge!(CANCEL_BROADCAST_SM, CancelBroadcastSm),
];

/// Each reading takes at least what the one before it takes, and what it understood says the same when it is written again.
fn assert_sound(command: Command, judge: Judge, body: &[u8]) {
    let understood = READINGS.map(|reading| judge(body, reading));
    let accepted = understood.each_ref().map(Result::is_ok);
    assert!(accepted.is_sorted(), "{command}: {accepted:?}");
    for once in understood.into_iter().flatten() {
        assert_eq!(judge(&once, Reading::Carrier).as_ref(), Ok(&once), "{command}");
    }
    let _ = explain(&pdu(command, body));
    let _ = explain(&pdu(command.response(), body));
}

/// A legal body for each of [`JUDGES`], in their order.
fn bodies(parts: &Parts) -> [BytesMut; 11] {
    let (needed, destinations) = (parts.tlvs_and_needed(), parts.destinations());
    let all = tlvs(&needed);
    let sm = parts.sm(tlvs(&parts.tlvs));
    let mut out: [BytesMut; 11] = Default::default();
    sm.encode_body(&mut out[0]);
    sm.encode_data_body(&mut out[1]);
    let destinations = Destinations::read(&destinations).expect("just written");
    SubmitMulti { sm, destinations }.encode_body(&mut out[2]);
    QuerySm { message_id: &parts.message_id, source: sm.source }.encode_body(&mut out[3]);
    parts.cancel().encode_body(&mut out[4]);
    parts.replace(sm.tlvs).encode_body(&mut out[5]);
    AlertNotification { source: sm.source, esme: sm.destination, bare_status: None, tlvs: sm.tlvs }
        .encode_body(&mut out[6]);
    Outbind { system_id: &parts.system_id, password: &parts.password }.encode_body(&mut out[7]);
    parts.broadcast(all).encode_body(&mut out[8]);
    QueryBroadcastSm { message_id: &parts.message_id, source: sm.source, tlvs: sm.tlvs }
        .encode_body(&mut out[9]);
    CancelBroadcastSm {
        service_type: &parts.service_type,
        message_id: &parts.message_id,
        source: sm.source,
        tlvs: sm.tlvs,
    }
    .encode_body(&mut out[10]);
    out
}

fn pdu(command: Command, body: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    let start = begin(&mut out, command, Status::ROK, 1);
    out.extend_from_slice(body);
    finish(&mut out, start);
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn message_is_what_was_encoded(parts in parts()) {
        let (needed, destinations) = (parts.tlvs_and_needed(), parts.destinations());
        let sm = parts.sm(tlvs(&parts.tlvs));
        let destinations = Destinations::read(&destinations).expect("just written");
        let multi = SubmitMulti { sm: Sm { destination: Address::default(), ..sm }, destinations };
        assert_identity!(multi, SubmitMulti, SUBMIT_MULTI);
        assert_identity!(DataSm::of(&parts.sm(tlvs(&needed))).expect("has a payload"), DataSm, DATA_SM);

        // The text and all that data_sm has room for arrive, wherever the text stood.
        let mut out = BytesMut::new();
        sm.encode_data(&mut out, 7);
        let read = DataSm::decode(only(&out).body, Reading::Strict).expect("legal").as_sm();
        prop_assert_eq!(read.text(), sm.text());
        let same = (read.source, read.destination, read.data_coding, read.esm_class, read.registered_delivery);
        prop_assert_eq!(same, (sm.source, sm.destination, sm.data_coding, sm.esm_class, sm.registered_delivery));
    }

    #[test]
    fn operation_is_what_was_encoded(parts in parts(), bare_status: Option<u8>) {
        let sm = parts.sm(tlvs(&parts.tlvs));
        let (message_id, source) = (&parts.message_id[..], sm.source);
        assert_identity!(QuerySm { message_id, source }, QuerySm, QUERY_SM);
        assert_identity!(parts.cancel(), CancelSm, CANCEL_SM);
        assert_identity!(parts.replace(sm.tlvs), ReplaceSm, REPLACE_SM);
        let outbind = Outbind { system_id: &parts.system_id, password: &parts.password };
        assert_identity!(outbind, Outbind, OUTBIND);
        let alert =
            AlertNotification { source, esme: sm.destination, bare_status: None, tlvs: sm.tlvs };
        assert_identity!(alert, AlertNotification, ALERT_NOTIFICATION);
        let bare = AlertNotification { bare_status, tlvs: Tlvs::empty(), ..alert };
        let mut body = BytesMut::new();
        bare.encode_body(&mut body);
        prop_assert_eq!(AlertNotification::decode(&body, Reading::Lenient), Ok(bare));
    }

    #[test]
    fn broadcast_is_what_was_encoded(parts in parts()) {
        let needed = parts.tlvs_and_needed();
        let (message_id, source, tlvs) = (&parts.message_id[..], parts.address(0), tlvs(&needed));
        assert_identity!(parts.broadcast(tlvs), BroadcastSm, BROADCAST_SM);
        assert_identity!(QueryBroadcastSm { message_id, source, tlvs }, QueryBroadcastSm, QUERY_BROADCAST_SM);
        let service_type = &parts.service_type[..];
        let cancel = CancelBroadcastSm { service_type, message_id, source, tlvs };
        assert_identity!(cancel, CancelBroadcastSm, CANCEL_BROADCAST_SM);
    }

    #[test]
    fn response_is_what_was_encoded(parts in parts(), sequence: u32) {
        let mut out = BytesMut::new();
        let query = QueryResp {
            message_id: &parts.message_id,
            final_date: &parts.times[0],
            message_state: parts.octets[0],
            error_code: parts.octets[1],
        };
        query.encode(&mut out, Status::ROK, sequence);
        prop_assert_eq!(QueryResp::decode(only(&out).body), query);

        out.clear();
        let resp = SmResp { message_id: &parts.message_id, tlvs: tlvs(&parts.tlvs) };
        encode_id_resp(&mut out, Command::BROADCAST_SM, Status::ROK, sequence, resp.message_id, resp.tlvs);
        prop_assert_eq!(only(&out).header.sequence, sequence);
        prop_assert_eq!(SmResp::decode(only(&out).body), resp);

        out.clear();
        let unsuccess = parts.unsuccess();
        encode_multi_resp(&mut out, Status::ROK, sequence, &parts.message_id, &unsuccess);
        let multi = MultiResp { tlvs: resp.tlvs, ..MultiResp::decode(only(&out).body) };
        prop_assert_eq!(multi.message_id, &parts.message_id[..]);
        prop_assert!(multi.unsuccess.iter().eq(unsuccess));
        let mut again = BytesMut::new();
        multi.encode(&mut again, Status::ROK, sequence);
        prop_assert_eq!(MultiResp::decode(only(&again).body), multi);
    }

    /// What one octet more or less, or another one, makes of a legal body.
    #[test]
    fn no_damage_makes_a_decoder_panic(parts in parts(), at in any::<prop::sample::Index>(), octet: u8, cut: bool) {
        for ((command, judge), mut body) in JUDGES.into_iter().zip(bodies(&parts)) {
            for reading in READINGS {
                prop_assert_eq!(judge(&body, reading), Ok(body.clone()), "{}", command);
            }
            let at = at.index(body.len());
            body[at] = octet;
            if cut {
                body.truncate(at);
            }

            assert_sound(command, judge, &body);
            let _ = QueryResp::decode(&body);
            let resp = MultiResp::decode(&body);
            prop_assert_eq!(resp.unsuccess.iter().count(), usize::from(resp.unsuccess.len()));
        }
    }

    #[test]
    fn no_octets_make_a_decoder_panic(octets in vec(any::<u8>(), 0..300)) {
        for (command, judge) in JUDGES {
            assert_sound(command, judge, &octets);
        }
    }
}
