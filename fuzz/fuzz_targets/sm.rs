//! What a reading takes, the next more forgiving one takes too; what was read encodes to what reads the same; what is
//! relayed is legal by the letter where the original was.
#![no_main]

use bytes::BytesMut;
use enroute::codec::{Bind, Command, Header, Reading, Relay, Sm, SmResp, relay_read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let readings = [Reading::Strict, Reading::Lenient, Reading::Carrier];
    let taken = readings.map(|reading| Sm::decode(body, reading));
    assert!(taken.map(|sm| sm.is_ok()).is_sorted());
    for sm in taken.into_iter().flatten() {
        let mut out = BytesMut::new();
        sm.encode_body(&mut out);
        assert_eq!(Sm::decode(&out, Reading::Carrier), Ok(sm));
    }
    if let Ok(sm) = taken[0] {
        let mut out = BytesMut::new();
        relay_read(&sm, body, &Relay::default(), true, &mut out).expect("a carrier with TLVs takes any text");
        let relayed = Sm::decode(&out, Reading::Strict).expect("still legal");
        assert_eq!(relayed.text(), sm.text());
        assert_eq!(relayed.destination, sm.destination);
    }
    if let Ok(bind) = Bind::decode(body, Reading::Lenient) {
        let mut out = BytesMut::new();
        bind.encode(&mut out, Command::BIND_RECEIVER, 1);
        assert_eq!(Bind::decode(&out[Header::LEN..], Reading::Strict), Ok(bind));
    }
    let resp = SmResp::decode(body);
    assert!(resp.message_id.len() <= 254);
});
