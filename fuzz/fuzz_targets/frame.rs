//! However a stream is cut into reads, the same PDUs and the same end come out of it.
//!
//! Input: octets a read, then the stream.
#![no_main]

use bytes::BytesMut;
use enroute::codec::{FrameError, MAX_UNBOUND_PDU_LEN, explain, next_frame};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [chunk, stream @ ..] = input else { return };
    let at_once = pdus_of(stream, stream.len().max(1));
    let by_chunks = pdus_of(stream, usize::from(*chunk).max(1));
    assert_eq!(at_once, by_chunks);

    let (pdus, _) = at_once;
    assert!(pdus.iter().all(|pdu| (16..=MAX_UNBOUND_PDU_LEN).contains(&pdu.len())));
    assert!(stream.starts_with(&pdus.concat()), "octets were lost or made up");
    for pdu in pdus {
        assert!(!explain(&pdu).is_empty());
    }
});

fn pdus_of(stream: &[u8], chunk: usize) -> (Vec<Vec<u8>>, Option<FrameError>) {
    let mut buffer = BytesMut::new();
    let mut pdus = Vec::new();
    for octets in stream.chunks(chunk) {
        buffer.extend_from_slice(octets);
        loop {
            match next_frame(&buffer, MAX_UNBOUND_PDU_LEN) {
                Ok(Some(frame)) => {
                    let length = frame.len();
                    pdus.push(buffer.split_to(length).to_vec());
                }
                Ok(None) => break,
                Err(error) => return (pdus, Some(error)),
            }
        }
        assert!(buffer.len() < MAX_UNBOUND_PDU_LEN + chunk);
    }
    (pdus, None)
}
