//! A receipt that could be read is written so that it reads the same.
//!
//! Input: esm_class, the length of the text, the text, TLVs.
#![no_main]

use bytes::BytesMut;
use enroute::codec::{Reading, Receipt, ReceiptDate, ReceiptText, Sm, Tlvs, decode_receipt_text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [esm_class, length, rest @ ..] = input else { return };
    let (short_message, tlvs) = rest.split_at(usize::from(*length).min(rest.len()));
    let sm = Sm {
        esm_class: *esm_class,
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
        // A date of the last or the next century can't be told in ten digits.
        let this_century = |date: ReceiptDate| (2000..2100).contains(&date.parts().0);
        if let Some(done) = receipt.done_date.filter(|date| this_century(*date)) {
            let (year, month, day, hour, minute, _) = done.parts();
            let told = ReceiptDate::parse(told.done_date).map(ReceiptDate::parts);
            assert_eq!(told, Some((year, month, day, hour, minute, 0)));
        }
    }
});
