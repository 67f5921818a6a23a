//! User data in words, for people.

use super::pack::{Septets, fill_bits};
use super::udh::Element;
use super::{Alphabet, Chars, Headers, Text, Udh, split};
use std::fmt::Write;

/// Tells what user data says, in lines of a name and a value: the elements of its header, its alphabet, its text, and how many
/// short messages it is. data_coding 0 is read as the GSM default alphabet.
pub fn show(user_data: &[u8], has_udh: bool, data_coding: u8) -> String {
    let (udh, text) = if has_udh { Udh::cut(user_data) } else { (Udh::none(), user_data) };
    let alphabet = Alphabet::of(data_coding, Alphabet::Gsm);
    let mut page = String::new();
    if has_udh && udh.octets() == 0 {
        line(&mut page, "header", "longer than the user data: taken for text");
    }
    for element in udh.elements() {
        line(&mut page, "element", &words(element));
    }
    line(&mut page, "alphabet", alphabet.name());
    if alphabet.is_text() {
        let chars: String = Chars::new(text, alphabet, udh.shifts()).collect();
        line(&mut page, "text", &format!("{chars:?}"));
    } else {
        line(&mut page, "octets", &hex(text));
    }
    if looks_packed(text, alphabet) {
        let septets = Septets::new(text, fill_bits(udh.octets()));
        let chars: String = Chars::packed(septets, udh.shifts()).collect();
        line(&mut page, "if packed", &format!("{chars:?}"));
    }
    match split(Text::new(text, alphabet), Headers::of(&udh, false)) {
        Ok(parts) => line(&mut page, "short messages", &parts.total().to_string()),
        Err(error) => line(&mut page, "short messages", &error.to_string()),
    }
    page
}

/// Whether GSM text has octets that are no septets.
fn looks_packed(text: &[u8], alphabet: Alphabet) -> bool {
    alphabet == Alphabet::Gsm && text.iter().any(|octet| *octet > 0x7F)
}

fn words(element: Element<'_>) -> String {
    let wide = |high: &u8, low: &u8| u16::from_be_bytes([*high, *low]);
    match (element.id, element.data) {
        (0x00, [reference, total, number]) => format!("part {number} of {total}, reference {reference}"),
        (0x08, [high, low, total, number]) => {
            format!("part {number} of {total}, reference {} (16 bits)", wide(high, low))
        }
        (0x01, [indication, count]) => {
            format!("special message indication {indication:#04x}, {count} messages")
        }
        (0x04, [to, from]) => format!("to port {to}, from port {from}"),
        (0x05, [t0, t1, f0, f1]) => format!("to port {}, from port {}", wide(t0, t1), wide(f0, f1)),
        (0x24, [language]) => format!("single shift table of {}", language_name(*language)),
        (0x25, [language]) => format!("locking shift table of {}", language_name(*language)),
        (id, data) => format!("{} {id:#04x}: {}", kind(id), hex(data)),
    }
}

const fn kind(id: u8) -> &'static str {
    match id {
        0x06 => "SMSC control",
        0x07 => "UDH source",
        0x09 => "wireless control message protocol",
        0x0A..=0x1F => "EMS",
        0x20 => "e-mail header length",
        0x21 => "hyperlink",
        0x22 => "reply address",
        0x23 => "enhanced voice mail",
        0x70..=0x7F => "SIM toolkit security",
        0x80..=0x9F => "application's own",
        0xC0..=0xDF => "SMSC's own",
        // Reserved, or of a wrong length.
        _ => "element",
    }
}

fn language_name(id: u8) -> &'static str {
    LANGUAGES.get(usize::from(id)).copied().unwrap_or("an unknown language")
}

fn line(page: &mut String, name: &str, value: &str) {
    // Writing to a string doesn't fail.
    let _ = writeln!(page, "{name:<24} {value}");
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// By language id (3GPP TS 23.038 §6.2.1.2.4).
const LANGUAGES: [&str; 14] = [
    "no language",
    "Turkish",
    "Spanish",
    "Portuguese",
    "Bengali",
    "Gujarati",
    "Hindi",
    "Kannada",
    "Malayalam",
    "Oriya",
    "Punjabi",
    "Tamil",
    "Telugu",
    "Urdu",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_told(page: &str, words: &[&str]) {
        for word in words {
            assert!(page.contains(word), "{word} isn't in:\n{page}");
        }
    }

    #[test]
    fn elements_and_text_are_told_in_words() {
        let user_data = [9, 0, 3, 0xCC, 2, 1, 0x25, 1, 1, 0x70, b'a', 0x07];

        let page = show(&user_data[..7], true, 0);
        assert_told(&page, &["longer than the user data"]);
        let page = show(&[&[8], &user_data[1..9], &[0x04, b'!']].concat(), true, 0);
        assert_told(
            &page,
            &["part 1 of 2, reference 204", "locking shift table of Turkish", "\"€!\"", "GSM"],
        );
        let page = show(&[6, 5, 4, 0x0B, 0x84, 0x23, 0xF0, 1, 2], true, 0xF5);
        assert_told(&page, &["to port 2948, from port 9200", "binary", "0102"]);
        let page = show(&[0x70, 0, 0], true, 8);
        assert_told(&page, &["UCS-2"]);
    }

    #[test]
    fn count_is_told() {
        assert_told(&show(&[b'a'; 161], false, 0), &["short messages           2"]);
        assert_told(&show(&[b'a'; 65_000], false, 4), &["more than 255"]);
    }

    #[test]
    fn packed_text_is_recognised() {
        assert_told(
            &show(&[0xC8, 0x32, 0x9B, 0xFD, 0x06], false, 0),
            &["if packed                \"Hello\""],
        );
    }
}
