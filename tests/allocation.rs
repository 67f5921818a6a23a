//! Decoding, relaying and encoding a submit_sm allocates nothing, given room to write to.

use bytes::BytesMut;
use enroute::codec::{
    Address, Command, MAX_PDU_LEN, Reading, Receipt, Relay, Sm, Status, Tag, Tlvs, begin, encode_submit_resp,
    finish, next_frame, put_tlv, relay_submit,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations_of(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

fn submit_sm(out: &mut BytesMut) {
    let mut tlvs = BytesMut::new();
    put_tlv(&mut tlvs, Tag::USER_MESSAGE_REFERENCE, &[0x12, 0x34]);
    put_tlv(&mut tlvs, Tag::QOS_TIME_TO_LIVE, &[0, 0, 14, 16]);
    put_tlv(&mut tlvs, Tag(0x1401), b"cost centre");
    let international = |addr| Address { ton: 1, npi: 1, addr };
    Sm {
        source: international(b"12345"),
        destination: international(b"447700900123"),
        registered_delivery: 1,
        short_message: b"id:1 stat:DELIVRD done date:2601021530 text:Your code is 123456",
        tlvs: Tlvs::read(&tlvs, Reading::Strict).expect("just written"),
        ..Sm::default()
    }
    .encode(out, Command::SUBMIT_SM, 7);
}

#[test]
fn submit_sm_is_decoded_relayed_and_encoded_without_allocating() {
    let mut input = BytesMut::new();
    submit_sm(&mut input);
    let mut out = BytesMut::with_capacity(4096);
    let relay = Relay { validity_period: b"260315103000000+", registered_delivery: 1, ..Relay::default() };

    let allocations = allocations_of(|| {
        let frame = next_frame(&input, MAX_PDU_LEN).expect("framed").expect("whole");
        let sm = Sm::decode(frame.body, Reading::Lenient).expect("legal");
        sm.encode(&mut out, Command::DELIVER_SM, 1);
        let start = begin(&mut out, Command::SUBMIT_SM, Status::ROK, 2);
        relay_submit(frame.body, &relay, true, &mut out).expect("legal");
        finish(&mut out, start);
        encode_submit_resp(&mut out, Status::ROK, 7, b"0000000001");
        let receipt = Receipt::read(&sm).expect("its text looks like one");
        receipt.write_text(&mut out);
    });

    assert_eq!(allocations, 0);
    assert!(out.len() > 3 * input.len());
}

/// The counter counts, or the test above could not fail.
#[test]
fn allocation_is_seen() {
    assert!(allocations_of(|| drop(std::hint::black_box(vec![1u8; 64]))) > 0);
}
