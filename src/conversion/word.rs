//! What a message says first.

use super::Profile;
use super::said::Said;
use crate::codec::Sm;

/// The first word of `sm`, as its sender `from` means it: in lower case, without what isn't letters or digits around it; empty if
/// there is none. Words end at white space; only the first [`WORD_MAX`] characters of the text are looked at.
pub fn first_word(sm: &Sm<'_>, from: &Profile) -> String {
    let said = Said::read(sm, from);
    if !said.alphabet.is_text() {
        return String::new();
    }
    let chars = said.chars().take(WORD_MAX).skip_while(|char| !char.is_alphanumeric());
    let word: String = chars.take_while(|char| !char.is_whitespace()).collect();
    word.trim_end_matches(|char: char| !char.is_alphanumeric()).to_lowercase()
}

/// All that `sm` says, as its sender `from` means it; `None` if that is no text, or more than [`WORD_MAX`] characters.
pub fn short_text(sm: &Sm<'_>, from: &Profile) -> Option<String> {
    let said = Said::read(sm, from);
    if !said.alphabet.is_text() {
        return None;
    }
    let text: String = said.chars().take(WORD_MAX + 1).collect();
    (text.chars().count() <= WORD_MAX).then_some(text)
}

/// Characters among which the first word has to be.
const WORD_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Alphabet;

    fn word(data_coding: u8, text: &[u8]) -> String {
        first_word(&Sm { data_coding, short_message: text, ..Sm::default() }, &Profile::default())
    }

    #[test]
    fn word_is_read_in_each_alphabet_and_bare_of_what_stands_around_it() {
        assert_eq!(word(0, b"Stop"), "stop");
        assert_eq!(word(0, b"  \"STOP!\" all"), "stop");
        assert_eq!(word(0, b"win-now please"), "win-now");
        assert_eq!(word(8, b"\x04\x21\x04\x22\x04\x1E\x04\x1F\0 \0x"), "стоп");
        assert_eq!(word(3, b"\xDCber alles"), "über");
        for nothing in [&b""[..], b" ", b"?!", b"\n\r"] {
            assert_eq!(word(0, nothing), "", "{nothing:?}");
        }
        assert_eq!(word(4, b"stop"), "", "binary");
        assert_eq!(word(0, &[b' '; 200]), "");
    }

    #[test]
    fn short_text_is_told_whole_and_a_long_one_not_at_all() {
        let told = |data_coding, text: &[u8]| {
            short_text(&Sm { data_coding, short_message: text, ..Sm::default() }, &Profile::default())
        };

        assert_eq!(told(0, b" Stop it "), Some(" Stop it ".to_owned()));
        assert_eq!(told(8, b"\x04\x21\x04\x22"), Some("СТ".to_owned()));
        assert_eq!(told(0, b""), Some(String::new()));
        assert_eq!((told(4, b"stop"), told(0, &[b'a'; 65])), (None, None));
    }

    #[test]
    fn word_stands_behind_a_header_and_in_a_payload_too() {
        let part = Sm { esm_class: 0x40, short_message: b"\x05\0\x03\x07\x02\x01news a", ..Sm::default() };
        let latin = Profile { default_alphabet: Alphabet::Latin1, ..Profile::default() };

        assert_eq!(first_word(&part, &Profile::default()), "news");
        assert_eq!(first_word(&Sm { short_message: b"\xC4pfel", ..Sm::default() }, &latin), "äpfel");
    }
}
