//! Which encoding of a text takes the fewest short messages (fact sheet 9.5).

use super::{Alphabet, Headers, Shifts, Text, TooLong, split};

/// An encoding of a text, and what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// [`Alphabet::Gsm`] or [`Alphabet::Ucs2`].
    pub alphabet: Alphabet,
    /// Has to stand in the header of every part.
    pub shifts: Shifts,
    /// Short messages, 1-255.
    pub segments: u8,
}

/// The encoding of `text` that takes the fewest short messages. Of equal ones the simplest: the default GSM alphabet, a single
/// shift table, a locking one, both, UCS-2. Only national tables of `languages` (ids 1-13) are considered, since few
/// carriers take them; of languages the first. `header_octets` of other elements, with a length octet, are in each part.
///
/// # Errors
/// If none takes 255 or fewer.
pub fn cheapest(text: &str, languages: &[u8], header_octets: usize) -> Result<Encoding, TooLong> {
    let octets = text.as_bytes();
    let forms: [fn(u8) -> Shifts; 3] = [
        |single| Shifts { locking: 0, single },
        |locking| Shifts { locking, single: 0 },
        |both| Shifts { locking: both, single: both },
    ];
    let national = forms.iter().flat_map(|form| languages.iter().map(|language| form(*language)));
    let mut best: Option<Encoding> = None;
    let mut offer = |alphabet, shifts: Shifts, text: Text<'_>| {
        let header = header_octets + elements_octets(shifts, header_octets);
        let Ok(parts) = split(text, Headers::with_concat(header, false)) else { return };
        if best.is_none_or(|best| parts.total() < best.segments) {
            best = Some(Encoding { alphabet, shifts, segments: parts.total() });
        }
    };
    for shifts in std::iter::once(Shifts::NONE).chain(national) {
        if let Some(text) = Text::as_gsm(octets, Alphabet::Utf8, shifts) {
            offer(Alphabet::Gsm, shifts, text);
        }
    }
    offer(Alphabet::Ucs2, Shifts::NONE, Text::as_ucs2(octets, Alphabet::Utf8));
    best.ok_or(TooLong)
}

/// Octets that the elements of `shifts` add to a header.
const fn elements_octets(shifts: Shifts, header_octets: usize) -> usize {
    match (shifts.header_octets(), header_octets) {
        (0, _) => 0,
        (octets, 0) => octets,
        (octets, _) => octets - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(text: &str, languages: &[u8]) -> (Alphabet, u8, u8, u8) {
        let encoding = cheapest(text, languages, 0).expect("it isn't that long");
        (encoding.alphabet, encoding.shifts.locking, encoding.shifts.single, encoding.segments)
    }

    #[test]
    fn default_alphabet_is_taken_where_it_says_all() {
        assert_eq!(chosen(&"a".repeat(160), &[1, 3]), (Alphabet::Gsm, 0, 0, 1));
        assert_eq!(chosen("", &[]), (Alphabet::Gsm, 0, 0, 1));
        assert_eq!(chosen("я", &[]), (Alphabet::Ucs2, 0, 0, 1));
        assert_eq!(chosen(&"a".repeat(160 * 3), &[1]), (Alphabet::Gsm, 0, 0, 4), "a table brings nothing");
    }

    #[test]
    fn national_tables_are_taken_where_they_save_a_message() {
        let mostly_plain = format!("{}ğ", "a".repeat(150));
        assert_eq!(chosen(&mostly_plain, &[1]), (Alphabet::Gsm, 0, 1, 1));
        assert_eq!(chosen(&mostly_plain, &[]), (Alphabet::Ucs2, 0, 0, 3));
        assert_eq!(chosen(&"ğ".repeat(150), &[3, 1]), (Alphabet::Gsm, 1, 0, 1));
        let hindi = "कखग१२३".repeat(20);
        assert_eq!(chosen(&hindi, &[6]), (Alphabet::Gsm, 6, 6, 2));
        assert_eq!(chosen("कखग", &[6]), (Alphabet::Gsm, 6, 0, 1), "a tie goes to the left");
    }

    #[test]
    fn text_beyond_255_messages_has_no_encoding() {
        assert_eq!(chosen(&"a".repeat(255 * 153), &[]).3, 255);
        assert_eq!(cheapest(&"a".repeat(255 * 153 + 1), &[1], 0), Err(TooLong));
    }
}
