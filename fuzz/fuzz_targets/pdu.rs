//! What is read by the letter is written octet for octet as it came; what is read forgivingly is written so that it reads the
//! same; and whatever comes can be explained.
//!
//! Input: one PDU; its command_length is put right, its command_id chosen among the known ones if it isn't one.
#![no_main]

use bytes::BytesMut;
use enroute::codec::{
    AlertNotification, Bind, BindResp, BroadcastSm, CancelBroadcastSm, CancelSm, Command, DataSm, Frame,
    Header, MAX_PDU_LEN, MultiResp, Outbind, QueryBroadcastSm, QueryResp, QuerySm, Reading, ReplaceSm, Sm,
    SmResp, Status, SubmitMulti, Tlvs, explain, next_frame,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut pdu = input.to_vec();
    if pdu.len() < Header::LEN || pdu.len() > MAX_PDU_LEN {
        return;
    }
    let length = pdu.len() as u32;
    pdu[..4].copy_from_slice(&length.to_be_bytes());
    let command = Header::decode(pdu.first_chunk().expect("checked above")).command;
    if !command.is_known() {
        let chosen = KINDS[(command.0 & 0xFF) as usize % KINDS.len()];
        let chosen = if command.is_response() { chosen.response() } else { chosen };
        pdu[4..8].copy_from_slice(&chosen.0.to_be_bytes());
    }
    let frame = next_frame(&pdu, MAX_PDU_LEN).expect("framed").expect("whole");
    assert_eq!(frame.len(), pdu.len());

    assert!(explain(&pdu).contains(frame.header.command.name()));
    match frame.header.command.is_response() {
        false => request(&frame),
        true => response(&frame),
    }
});

/// Reads a request in all three ways and writes each reading again. Views without a field for TLVs skip those that come.
macro_rules! round_trip {
    ($frame:ident, $view:ident) => {
        round_trip!($frame, $view, |view: &$view<'_>, out: &mut BytesMut| view
            .encode(out, $frame.header.sequence))
    };
    ($frame:ident, $view:ident, $encode:expr) => {{
        let taken = READINGS.map(|reading| $view::decode($frame.body, reading));
        assert!(taken.map(|view| view.is_ok()).is_sorted(), "a more forgiving reading takes less");
        for (reading, view) in READINGS.into_iter().zip(taken) {
            let Ok(view) = view else { continue };
            let mut out = BytesMut::new();
            $encode(&view, &mut out);
            let again = body_of(&out, $frame);
            assert_eq!($view::decode(again, reading), Ok(view));
            if reading == Reading::Strict {
                let skipped = $frame.body.strip_prefix(again).expect("read by the letter, written otherwise");
                assert!(Tlvs::read(skipped, reading).is_ok(), "only TLVs may be left out");
                assert!(skipped.is_empty() || SKIPPING.contains(&$frame.header.command));
            }
        }
        taken
    }};
}

fn request(frame: &Frame<'_>) {
    let Header { command, sequence, .. } = frame.header;
    match command {
        Command::BIND_RECEIVER | Command::BIND_TRANSMITTER | Command::BIND_TRANSCEIVER => {
            let encode = |view: &Bind<'_>, out: &mut BytesMut| view.encode(out, command, sequence);
            let _ = round_trip!(frame, Bind, encode);
        }
        Command::SUBMIT_SM | Command::DELIVER_SM => {
            let encode = |view: &Sm<'_>, out: &mut BytesMut| view.encode(out, command, sequence);
            for sm in round_trip!(frame, Sm, encode).into_iter().flatten() {
                assert!(sm.udh().is_none_or(|udh| udh.len() < sm.text().len()));
            }
        }
        Command::SUBMIT_MULTI => {
            for multi in round_trip!(frame, SubmitMulti).into_iter().flatten() {
                assert_eq!(multi.destinations.iter().count(), usize::from(multi.destinations.len()));
            }
        }
        Command::DATA_SM => {
            for data in round_trip!(frame, DataSm).into_iter().flatten() {
                assert_eq!(DataSm::of(&data.as_sm()), Some(data));
            }
        }
        Command::QUERY_SM => round_trip!(frame, QuerySm).iter().for_each(drop),
        Command::CANCEL_SM => round_trip!(frame, CancelSm).iter().for_each(drop),
        Command::REPLACE_SM => round_trip!(frame, ReplaceSm).iter().for_each(drop),
        Command::OUTBIND => round_trip!(frame, Outbind).iter().for_each(drop),
        Command::ALERT_NOTIFICATION => round_trip!(frame, AlertNotification).iter().for_each(drop),
        Command::BROADCAST_SM => round_trip!(frame, BroadcastSm).iter().for_each(drop),
        Command::QUERY_BROADCAST_SM => round_trip!(frame, QueryBroadcastSm).iter().for_each(drop),
        Command::CANCEL_BROADCAST_SM => round_trip!(frame, CancelBroadcastSm).iter().for_each(drop),
        _ => {} // a header alone
    }
}

fn response(frame: &Frame<'_>) {
    let Header { command, sequence, .. } = frame.header;
    let (mut out, mut refusal) = (BytesMut::new(), BytesMut::new());
    match command.request() {
        Command::BIND_RECEIVER | Command::BIND_TRANSMITTER | Command::BIND_TRANSCEIVER => {
            let resp = BindResp::decode(frame.body);
            resp.encode(&mut out, command, Status::ROK, sequence);
            assert_eq!(BindResp::decode(body_of(&out, frame)), resp);
            resp.encode(&mut refusal, command, Status::RBINDFAIL, sequence);
        }
        Command::QUERY_SM => {
            let resp = QueryResp::decode(frame.body);
            resp.encode(&mut out, Status::ROK, sequence);
            assert_eq!(QueryResp::decode(body_of(&out, frame)), resp);
            resp.encode(&mut refusal, Status::RQUERYFAIL, sequence);
        }
        Command::SUBMIT_MULTI => {
            let resp = MultiResp::decode(frame.body);
            assert_eq!(resp.unsuccess.iter().count(), usize::from(resp.unsuccess.len()));
            resp.encode(&mut out, Status::ROK, sequence);
            assert_eq!(MultiResp::decode(body_of(&out, frame)), resp);
            resp.encode(&mut refusal, Status::RSYSERR, sequence);
        }
        _ => {
            // Whatever response it is: an id and TLVs are found in it, or nothing.
            let resp = SmResp::decode(frame.body);
            assert!(resp.message_id.len() <= 254);
            resp.encode(&mut out, command, Status::ROK, sequence);
            assert_eq!(SmResp::decode(body_of(&out, frame)), resp);
            return;
        }
    }
    assert_eq!(body_of(&refusal, frame), b"", "a refusal is its header alone");
}

/// The body behind a header that was just written; the header is checked on the way.
fn body_of<'a>(out: &'a BytesMut, frame: &Frame<'_>) -> &'a [u8] {
    let again = next_frame(out, usize::MAX).expect("framed").expect("whole");
    assert_eq!(again.len(), out.len());
    assert_eq!(again.header.command, frame.header.command);
    assert_eq!(again.header.sequence, frame.header.sequence);
    again.body
}

const READINGS: [Reading; 3] = [Reading::Strict, Reading::Lenient, Reading::Carrier];

/// PDUs with a body; outbind and alert_notification have no response and come last, so that the bit makes unknown ones.
const KINDS: [Command; 14] = [
    Command::BIND_RECEIVER,
    Command::BIND_TRANSMITTER,
    Command::BIND_TRANSCEIVER,
    Command::SUBMIT_SM,
    Command::DELIVER_SM,
    Command::DATA_SM,
    Command::SUBMIT_MULTI,
    Command::QUERY_SM,
    Command::CANCEL_SM,
    Command::REPLACE_SM,
    Command::BROADCAST_SM,
    Command::QUERY_BROADCAST_SM,
    Command::OUTBIND,
    Command::ALERT_NOTIFICATION,
];

/// Those that have no use for TLVs.
const SKIPPING: [Command; 6] = [
    Command::BIND_RECEIVER,
    Command::BIND_TRANSMITTER,
    Command::BIND_TRANSCEIVER,
    Command::QUERY_SM,
    Command::CANCEL_SM,
    Command::OUTBIND,
];
