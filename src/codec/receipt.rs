//! Delivery receipts: what became of a message, told in TLVs, in text or in both.

use super::{MessageState, ReceiptDate, ReceiptText, Sm, Tag, Version, put_tlv};
use bytes::BytesMut;
use std::ops::Range;

/// What a receipt says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt<'a> {
    /// The id of the submit_sm_resp, more or less: carriers change its base, case and zeros. Empty if there is none.
    pub message_id: &'a [u8],
    /// The id of the text where the TLV has another one: it may be the one that is known.
    pub text_id: Option<&'a [u8]>,
    /// UNKNOWN if the receipt doesn't say; UNDELIVERABLE if it says it in a word that nobody knows.
    pub state: MessageState,
    /// The word after `stat:`, for a carrier's own table; empty if there is none.
    pub word: &'a [u8],
    /// What stands after `err:`, whatever it means at this carrier; empty if there is none.
    pub error: &'a [u8],
    /// network_error_code: the kind of network and its code (SMPP 5.0 §4.8.4.42).
    pub network_error: Option<[u8; 3]>,
    /// In the carrier's zone, which is not told.
    pub submit_date: Option<ReceiptDate>,
    /// In the carrier's zone, which is not told.
    pub done_date: Option<ReceiptDate>,
    /// The start of the original text.
    pub text: &'a [u8],
}

impl<'a> Receipt<'a> {
    /// A receipt that says this and nothing else.
    pub const fn new(message_id: &'a [u8], state: MessageState) -> Self {
        Self {
            message_id,
            text_id: None,
            state,
            word: &[],
            error: &[],
            network_error: None,
            submit_date: None,
            done_date: None,
            text: &[],
        }
    }

    /// Reads the receipt in `sm`; `None` if there is neither an id nor a state in it.
    ///
    /// Whether `sm` is a receipt at all is the caller's to decide ([`Sm::is_receipt`], or a carrier's setting): the text of a
    /// person may look like one. The state of the TLV wins over that of the text. Text in UCS-2 has to be decoded before, see
    /// [`decode_receipt_text`].
    #[inline]
    pub fn read(sm: &Sm<'a>) -> Option<Self> {
        Self::read_decoded(sm, sm.text())
    }

    /// As [`Receipt::read`], with `text` in place of the user data of `sm`. Inlined, as who asks for no dates needs none read.
    #[inline]
    pub fn read_decoded(sm: &Sm<'a>, text: &'a [u8]) -> Option<Self> {
        let told = ReceiptText::parse(text);
        let tlv_id =
            sm.tlvs.cstr(Tag::RECEIPTED_MESSAGE_ID).map(<[u8]>::trim_ascii).filter(|id| !id.is_empty());
        let tlv_state = sm.tlvs.u8(Tag::MESSAGE_STATE).and_then(MessageState::from_octet);
        let message_id = tlv_id.unwrap_or(told.message_id);
        if message_id.is_empty() && tlv_state.is_none() && told.word.is_empty() {
            return None;
        }
        Some(Self {
            message_id,
            text_id: Some(told.message_id).filter(|id| !id.is_empty() && *id != message_id),
            state: tlv_state.unwrap_or_else(|| state_of(told.word)),
            word: told.word,
            error: told.error,
            network_error: sm.tlvs.array(Tag::NETWORK_ERROR_CODE),
            submit_date: ReceiptDate::parse(told.submit_date),
            done_date: ReceiptDate::parse(told.done_date),
            text: told.text,
        })
    }

    /// Appends the text form: `id:… sub:001 dlvrd:001 submit date:… done date:… stat:DELIVRD err:000 text:`.
    ///
    /// Dates that are unknown are zeros, err is three characters (the last ones of a longer one), the text is at most 20
    /// octets with control characters as blanks.
    pub fn write_text(&self, out: &mut BytesMut) {
        let mut middle = *MIDDLE;
        if self.state == MessageState::Delivered {
            middle[DELIVERED].copy_from_slice(b"001");
        }
        if let Some(date) = self.submit_date {
            middle[SUBMIT_DATE].copy_from_slice(&date.write());
        }
        if let Some(date) = self.done_date {
            middle[DONE_DATE].copy_from_slice(&date.write());
        }
        middle[STATE].copy_from_slice(self.state.receipt_word());
        middle[ERROR].copy_from_slice(&three_characters(self.error));
        out.reserve(self.text_len());
        out.extend_from_slice(b"id:");
        out.extend_from_slice(self.message_id);
        out.extend_from_slice(&middle);
        let start = out.len();
        out.extend_from_slice(self.told_text());
        for octet in &mut out[start..] {
            if octet.is_ascii_control() {
                *octet = b' ';
            }
        }
    }

    /// Octets of the text form.
    const fn text_len(&self) -> usize {
        b"id:".len() + self.message_id.len() + MIDDLE.len() + self.told_text().len()
    }

    /// As much of the original text as the text form tells.
    const fn told_text(&self) -> &'a [u8] {
        match self.text.split_at_checked(TEXT_LEN) {
            Some((start, _)) => start,
            None => self.text,
        }
    }

    /// Appends the TLV form for a peer of `version`; nothing if it takes no TLVs.
    pub fn write_tlvs(&self, version: Version, out: &mut BytesMut) {
        if !version.takes_tlvs() {
            return;
        }
        let state = self.state.for_version(version).octet();
        put_tlv(out, Tag::MESSAGE_STATE, &[state]);
        if let Some(error) = self.network_error {
            put_tlv(out, Tag::NETWORK_ERROR_CODE, &error);
        }
        let length = self.message_id.len().min(MESSAGE_ID_MAX);
        let mut id = [0; MESSAGE_ID_MAX + 1];
        id[..length].copy_from_slice(&self.message_id[..length]);
        put_tlv(out, Tag::RECEIPTED_MESSAGE_ID, &id[..=length]);
    }

    /// Appends the body of the deliver_sm that tells how `message`, a submit_sm, ended: addresses the other way round, the
    /// text, and TLVs for a peer that takes them (fact sheet 8.1, 8.2).
    pub fn write_body(&self, message: &Sm<'_>, version: Version, out: &mut BytesMut) {
        self.write_as(RECEIPT, message, version, out);
    }

    /// As [`Receipt::write_body`], for an intermediate notification: `message` is still under way.
    pub fn write_notice(&self, message: &Sm<'_>, version: Version, out: &mut BytesMut) {
        self.write_as(INTERMEDIATE, message, version, out);
    }

    fn write_as(&self, esm_class: u8, message: &Sm<'_>, version: Version, out: &mut BytesMut) {
        out.reserve(self.text_len() + ROOM);
        Sm { source: message.destination, destination: message.source, esm_class, ..Sm::default() }
            .encode_body(out);
        match (u8::try_from(self.text_len()), out.last_mut()) {
            (Ok(length), Some(sm_length)) => {
                *sm_length = length;
                self.write_text(out);
            }
            _ => {
                // An id longer than any that there is.
                let mut text = BytesMut::new();
                self.write_text(&mut text);
                put_tlv(out, Tag::MESSAGE_PAYLOAD, &text);
            }
        }
        self.write_tlvs(version, out);
    }
}

/// The text of a receipt as octets that [`Receipt::read_decoded`] understands, if it came in UCS-2; `None` if it can be read
/// as it stands. The one place of this room that allocates.
///
/// UCS-2 is recognised by data_coding or by its look, because carriers forget to say it and say it without doing it (D10).
pub fn decode_receipt_text(sm: &Sm<'_>) -> Option<Vec<u8>> {
    let text = match sm.udh() {
        Some(udh) if !looks_wide(sm.text()) => &sm.text()[1 + udh.len()..],
        Some(_) | None => sm.text(),
    };
    if !looks_wide(text) {
        return None;
    }
    let units = text.as_chunks::<2>().0.iter().map(|unit| u16::from_be_bytes(*unit));
    let decoded: String =
        char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    Some(decoded.into_bytes())
}

/// Whether `text` starts with ASCII in UTF-16BE, as all labels are ASCII.
fn looks_wide(text: &[u8]) -> bool {
    matches!(text, [0, 1..=0x7F, 0, 1..=0x7F, ..])
}

/// No word, nobody knows; a word that nobody knows is a failure until the carrier's table says better.
fn state_of(word: &[u8]) -> MessageState {
    match word {
        [] => MessageState::Unknown,
        word => MessageState::from_word(word).unwrap_or(MessageState::Undeliverable),
    }
}

fn three_characters(error: &[u8]) -> [u8; 3] {
    let mut three = [b'0'; 3];
    for (to, from) in three.iter_mut().rev().zip(error.iter().rev()) {
        *to = *from;
    }
    three
}

/// Octets of the original text in a receipt (SMPP 3.4 appendix B).
const TEXT_LEN: usize = 20;
/// Octets of an id in receipted_message_id, without its NUL.
const MESSAGE_ID_MAX: usize = 64;

/// esm_class: MC delivery receipt (SMPP 3.4 §5.2.12).
const RECEIPT: u8 = 0x04;
/// esm_class: intermediate delivery notification (SMPP 5.0 §4.7.12.5).
const INTERMEDIATE: u8 = 0x20;
/// Octets that the other fields and the parameters of a receipt rarely exceed.
const ROOM: usize = 160;

/// What stands between the id and the original text, for a message that nobody knows anything of; and what of it is filled in.
const MIDDLE: &[u8; 89] =
    b" sub:001 dlvrd:000 submit date:0000000000 done date:0000000000 stat:UNKNOWN err:000 text:";
const DELIVERED: Range<usize> = 15..18;
const SUBMIT_DATE: Range<usize> = 31..41;
const DONE_DATE: Range<usize> = 52..62;
const STATE: Range<usize> = 68..75;
const ERROR: Range<usize> = 80..83;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Reading, Tlvs};

    fn receipt_sm<'a>(short_message: &'a [u8], tlvs: &'a [u8]) -> Sm<'a> {
        Sm {
            esm_class: 0x04,
            short_message,
            tlvs: Tlvs::read(tlvs, Reading::Carrier).expect("a carrier is never refused"),
            ..Sm::default()
        }
    }

    /// D11: parameters alone, all of them or only the id.
    #[test]
    fn parameters_alone_are_a_receipt() {
        let octets = b"\x04\x23\0\x03\x03\0\x01\x04\x27\0\x01\x05\0\x1E\0\x09A1B2C3D4\0";
        let sm = receipt_sm(b"", octets);

        let receipt = Receipt::read(&sm).expect("id and state");

        assert_eq!(receipt.message_id, b"A1B2C3D4");
        assert_eq!(receipt.state, MessageState::Undeliverable);
        assert_eq!(receipt.network_error, Some([3, 0, 1]));

        let id_only = receipt_sm(b"", b"\0\x1E\0\x02A1");
        let receipt = Receipt::read(&id_only).expect("an id");
        assert_eq!((receipt.message_id, receipt.state), (&b"A1"[..], MessageState::Unknown));
    }

    #[test]
    fn state_of_the_parameter_wins_and_both_ids_are_kept() {
        let sm = receipt_sm(b"id:1526 stat:DELIVRD err:021", b"\x04\x27\0\x01\x05\0\x1E\0\x045F6\0");

        let receipt = Receipt::read(&sm).expect("id and state");

        assert_eq!(receipt.state, MessageState::Undeliverable);
        assert_eq!((receipt.message_id, receipt.text_id), (&b"5F6"[..], Some(&b"1526"[..])));
        assert_eq!((receipt.word, receipt.error), (&b"DELIVRD"[..], &b"021"[..]));
    }

    #[test]
    fn text_fills_what_the_parameters_leave_out() {
        let state_missing = receipt_sm(b"id:7 stat:EXPIRED", b"\0\x1E\0\x027\0");
        let receipt = Receipt::read(&state_missing).expect("id and state");
        assert_eq!((receipt.state, receipt.text_id), (MessageState::Expired, None));

        let state_illegal = receipt_sm(b"id:7 stat:EXPIRED", b"\x04\x27\0\x01\x63");
        let receipt = Receipt::read(&state_illegal).expect("id and state");
        assert_eq!(receipt.state, MessageState::Expired);
    }

    /// D9: a word that nobody knows is a failure, and kept for the carrier's table.
    #[test]
    fn unknown_word_is_a_failure_and_kept() {
        let receipt = Receipt::read(&receipt_sm(b"id:7 stat:XYZZY", b"")).expect("an id");

        assert_eq!(receipt.state, MessageState::Undeliverable);
        assert_eq!(receipt.word, b"XYZZY");
    }

    #[test]
    fn free_text_is_no_receipt() {
        assert_eq!(Receipt::read(&receipt_sm(b"Delivered to handset", b"")), None);
        assert_eq!(Receipt::read(&receipt_sm(b"", b"")), None);
    }

    /// D10: UCS-2, declared or not, with a header in front or not.
    #[test]
    fn wide_text_is_decoded_first() {
        let wide: Vec<u8> = b"id:12 stat:DELIVRD".iter().flat_map(|octet| [0, *octet]).collect();
        let mut with_header = vec![5, 0, 3, 1, 1, 1];
        with_header.extend(&wide);
        let bare = receipt_sm(&wide, b"");
        let headed = Sm { esm_class: 0x44, data_coding: 8, ..receipt_sm(&with_header, b"") };

        assert_eq!(Receipt::read(&bare), None);
        for sm in [bare, headed] {
            let text = decode_receipt_text(&sm).expect("wide");
            let receipt = Receipt::read_decoded(&sm, &text).expect("id and state");
            assert_eq!((receipt.message_id, receipt.state), (&b"12"[..], MessageState::Delivered));
        }
        // Declared as UCS-2 and not.
        let plain = Sm { data_coding: 8, ..receipt_sm(b"id:12 stat:DELIVRD", b"") };
        assert_eq!(decode_receipt_text(&plain), None);
    }

    #[test]
    fn written_text_is_that_of_the_appendix_and_reads_back() {
        let date = ReceiptDate::parse(b"2601021530");
        let receipt = Receipt {
            error: b"21",
            submit_date: date,
            text: b"line\nbreak and more than twenty",
            ..Receipt::new(b"0000000001", MessageState::Delivered)
        };
        let mut out = BytesMut::new();

        receipt.write_text(&mut out);

        assert_eq!(
            out,
            b"id:0000000001 sub:001 dlvrd:001 submit date:2601021530 done date:0000000000 stat:DELIVRD err:021 \
              text:line break and more "[..]
        );
        let told = ReceiptText::parse(&out);
        assert_eq!((told.message_id, told.word), (&b"0000000001"[..], &b"DELIVRD"[..]));
        assert_eq!((told.submit_date, told.done_date), (&b"2601021530"[..], &b"0000000000"[..]));
        assert_eq!([told.submit_date, told.done_date].map(ReceiptDate::parse), [date, None]);
    }

    #[test]
    fn error_is_written_in_three_characters() {
        let cases: [(&[u8], &[u8; 3]); 4] =
            [(b"", b"000"), (b"7", b"007"), (b"21b", b"21b"), (b"0027", b"027")];

        for (error, written) in cases {
            assert_eq!(three_characters(error), *written);
        }
    }

    #[test]
    fn written_parameters_read_back() {
        let receipt =
            Receipt { network_error: Some([3, 0, 1]), ..Receipt::new(b"A1", MessageState::Skipped) };
        let mut out = BytesMut::new();

        receipt.write_tlvs(Version::V33, &mut out);
        assert!(out.is_empty());
        receipt.write_tlvs(Version::V34, &mut out);

        let told = Receipt::read(&receipt_sm(b"", &out)).expect("id and state");
        assert_eq!((told.message_id, told.state), (&b"A1"[..], MessageState::Undeliverable));
        assert_eq!(told.network_error, Some([3, 0, 1]));
    }
}
