//! A receipt that could be read is written so that it reads the same.
#![no_main]

use bytes::BytesMut;
use enroute::codec::{Reading, Receipt, ReceiptText, Sm, Tlvs, decode_receipt_text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8], &[u8])| {
    let (esm_class, short_message, tlvs) = input;
    let sm = Sm {
        esm_class,
        short_message,
        tlvs: Tlvs::read(tlvs, Reading::Carrier).expect("a carrier is never refused"),
        ..Sm::default()
    };
    let decoded = decode_receipt_text(&sm);
    let text = decoded.as_deref().unwrap_or(sm.text());
    let Some(receipt) = Receipt::read_decoded(&sm, text) else {
        return;
    };
    assert!(receipt.text_id != Some(receipt.message_id));

    let mut out = BytesMut::new();
    receipt.write_text(&mut out);
    let told = ReceiptText::parse(&out);
    // An id with blanks or colons in it, as a parameter may have it, is nothing that a text can say.
    if receipt.message_id.iter().all(u8::is_ascii_alphanumeric) {
        assert_eq!(told.word, receipt.state.receipt_word());
        assert_eq!(told.message_id, receipt.message_id);
    }
});
