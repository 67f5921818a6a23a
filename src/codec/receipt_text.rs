//! The text form of a delivery receipt: one vendor's example that everybody varies (SMPP 3.4 appendix B).

use super::field::first_below;

/// What the text of a receipt says, as it says it; what is missing is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiptText<'a> {
    /// After `id:`, up to the next blank.
    pub message_id: &'a [u8],
    /// After `stat:`, up to the next blank; see [`super::MessageState::from_word`].
    pub word: &'a [u8],
    /// After `err:`, up to the next blank: one to four or more characters, letters too.
    pub error: &'a [u8],
    /// After `submit date:`, up to the next blank; see [`super::ReceiptDate::parse`], as for the next one.
    pub submit_date: &'a [u8],
    pub done_date: &'a [u8],
    /// After `text:`, to the end.
    pub text: &'a [u8],
}

impl<'a> ReceiptText<'a> {
    /// Reads any text; of one that isn't a receipt nothing is found.
    ///
    /// Labels are found in any order and case. The first of each counts, and none after `text:` does, where the words are
    /// the customer's, unless `stat:` is found only there.
    pub fn parse(text: &'a [u8]) -> Self {
        let text = trim_end_nuls(text);
        let mut found = Self::default();
        let Some(text_at) = found.scan(text, 0, Stop::AtText) else {
            return found;
        };
        if found.word.is_empty() {
            let mut whole = found;
            let next_label = whole.scan(text, text_at, Stop::Never);
            if !whole.word.is_empty() {
                whole.text = text[text_at..next_label.unwrap_or(text.len())].trim_ascii();
                return whole;
            }
        }
        found.text = &text[text_at..];
        found
    }

    /// Takes the labels of `text` from `at` on, where no word goes on that began before; a label starts a word. With
    /// [`Stop::AtText`] it returns where the value of `text:` starts, if that label is there; with [`Stop::Never`] where the first
    /// label starts.
    fn scan(&mut self, text: &'a [u8], at: usize, stop: Stop) -> Option<usize> {
        let mut at = at;
        let mut first = None;
        while let Some(start) = find(text, at, u8::is_ascii_alphanumeric) {
            let Some((label, length)) = label(&text[start..]) else {
                at = find(text, start, |octet| !octet.is_ascii_alphanumeric()).unwrap_or(text.len());
                continue;
            };
            first = first.or(Some(start));
            let after = start + length;
            match (label, stop) {
                (Label::Text, Stop::AtText) => return Some(after),
                (Label::Text, Stop::Never) => at = after,
                (_, _) => {
                    let (value, end) = value_at(text, after);
                    self.set(label, value);
                    at = end;
                }
            }
        }
        match stop {
            Stop::AtText => None,
            Stop::Never => first,
        }
    }

    fn set(&mut self, label: Label, value: &'a [u8]) {
        match label {
            Label::Id if self.message_id.is_empty() => self.message_id = value,
            Label::Stat if self.word.is_empty() => self.word = value,
            Label::Err if self.error.is_empty() => self.error = value,
            Label::SubmitDate if self.submit_date.is_empty() => self.submit_date = value,
            Label::DoneDate if self.done_date.is_empty() => self.done_date = value,
            // The first of each counts; counts of submitted and delivered messages are of no use for one message.
            _ => {}
        }
    }
}

#[derive(Clone, Copy)]
enum Stop {
    AtText,
    Never,
}

#[derive(Clone, Copy, PartialEq)]
enum Label {
    Id,
    /// `sub` and `dlvrd`.
    Count,
    SubmitDate,
    DoneDate,
    Stat,
    Err,
    Text,
}

/// Where the first octet from `at` on stands that is so.
#[inline(always)]
fn find(text: &[u8], at: usize, is_so: impl Fn(&u8) -> bool) -> Option<usize> {
    Some(at + text[at..].iter().position(is_so)?)
}

/// The label that `text` starts with, and its length with the colon; told apart by the first letter first, as most octets start none.
fn label(text: &[u8]) -> Option<(Label, usize)> {
    let (label, length) = match text.first().map(lower)? {
        b'i' if starts(text, b"id") => (Label::Id, 2),
        b's' if starts(text, b"stat") => (Label::Stat, 4),
        b's' => match dated(text, b"submit") {
            Some(length) => (Label::SubmitDate, length),
            None if starts(text, b"sub") => (Label::Count, 3),
            None => return None,
        },
        b'd' if starts(text, b"dlvrd") => (Label::Count, 5),
        b'd' => (Label::DoneDate, dated(text, b"done")?),
        b'e' if starts(text, b"err") => (Label::Err, 3),
        b't' if starts(text, b"text") => (Label::Text, 4),
        _ => return None, // no label starts so
    };
    (text.get(length) == Some(&b':')).then_some((label, length + 1))
}

/// The length of `what` and `date`, with blanks or `_` between them or nothing, if `text` starts with them.
fn dated<const N: usize>(text: &[u8], what: &[u8; N]) -> Option<usize> {
    if !starts(text, what) {
        return None;
    }
    let between = text[N..].iter().take_while(|octet| matches!(octet, b' ' | b'_')).count();
    starts(&text[N + between..], b"date").then_some(N + between + 4)
}

/// Whether `text` starts with `word`, lower-case letters, in any case.
#[inline(always)]
fn starts<const N: usize>(text: &[u8], word: &[u8; N]) -> bool {
    let Some(start) = text.first_chunk::<N>() else { return false };
    let mut start = *start;
    start.iter_mut().for_each(|octet| *octet = lower(octet));
    start == *word
}

/// A letter in lower case; no other octet becomes a letter.
const fn lower(octet: &u8) -> u8 {
    *octet | 0x20
}

/// The word from `at` on, blanks in front of it skipped, and where it ends. A label isn't a value.
fn value_at(text: &[u8], at: usize) -> (&[u8], usize) {
    let blanks = text[at..].iter().take_while(|octet| **octet <= b' ').count();
    let start = at + blanks;
    if blanks > 0 && label(&text[start..]).is_some() {
        return (&[], start);
    }
    let value = &text[start..];
    let value = &value[..first_below::<{ b' ' + 1 }>(value).unwrap_or(value.len())];
    (value, start + value.len())
}

fn trim_end_nuls(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// D9: order, case, missing labels, blanks after the colon, no blank at the end.
    #[test]
    fn labels_are_found_however_they_stand() {
        let text = ReceiptText::parse(b"STAT:UNDELIV\tId: 77\r\nErr: 21b");

        assert_eq!(text.word, b"UNDELIV");
        assert_eq!(text.message_id, b"77");
        assert_eq!(text.error, b"21b");
        assert_eq!((text.submit_date, text.text), (&b""[..], &b""[..]));
    }

    #[test]
    fn labels_in_the_text_of_the_customer_do_not_count() {
        let text = ReceiptText::parse(b"id:1 err:000 stat:EXPIRED text:id:999 stat:DELIVRD err:5");

        assert_eq!((text.message_id, text.word, text.error), (&b"1"[..], &b"EXPIRED"[..], &b"000"[..]));
        assert_eq!(text.text, b"id:999 stat:DELIVRD err:5");

        let without_stat = ReceiptText::parse(b"id:1 text:err:5 hello");
        assert_eq!((without_stat.word, without_stat.error), (&b""[..], &b""[..]));
        assert_eq!(without_stat.text, b"err:5 hello");
    }

    #[test]
    fn label_is_a_word_of_its_own() {
        let text = ReceiptText::parse(b"paid:5 uuid:6 id:7 restat:X");

        assert_eq!(text.message_id, b"7");
        assert_eq!(text.word, b"");
    }

    #[test]
    fn empty_value_is_not_the_next_label() {
        let text = ReceiptText::parse(b"id: stat:DELIVRD err: text:x");

        assert_eq!((text.message_id, text.word, text.error), (&b""[..], &b"DELIVRD"[..], &b""[..]));
        assert_eq!(text.text, b"x");
    }

    /// D10: a user data header, or what says it is one, in front of the text.
    #[test]
    fn header_in_front_is_passed_over() {
        let text = ReceiptText::parse(b"\x05\x00\x03\xA5\x02\x01id:12 stat:DELIVRD\0");

        assert_eq!(text.message_id, b"12");
        assert_eq!(text.word, b"DELIVRD");
    }
}
