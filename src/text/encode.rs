//! Characters to octets.

use super::chars::Kind;
use super::gsm::{ESC, ESCAPED};
use super::{Alphabet, Chars, Shifts, charset};
use bytes::BytesMut;
use thiserror::Error;

/// What to do about a character that an alphabet doesn't have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Nothing is written.
    Refuse,
    /// A question mark is written.
    Replace,
}

/// The alphabet has no such character. The text is its sender's; whether that is a fault, the caller's settings say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{:?} is not in the {} alphabet", .char, .alphabet.name())]
pub struct NoCounterpart {
    pub char: char,
    pub alphabet: Alphabet,
}

/// Appends `chars` in `alphabet`, and returns how many were replaced by question marks: those that it doesn't have, if
/// `missing` says so, and U+FFFD, which stands for what could not be read.
///
/// GSM text is written by the tables of `shifts`, one septet per octet; packed text too, for the caller to
/// [`pack`](super::pack). [`Alphabet::Octets`] and [`Alphabet::Unknown`] are written as Latin-1.
///
/// # Errors
/// The first character that is missing, if `missing` says so; nothing is appended then.
pub fn encode(
    chars: Chars<'_>,
    alphabet: Alphabet,
    shifts: Shifts,
    missing: Missing,
    out: &mut BytesMut,
) -> Result<usize, NoCounterpart> {
    // One loop per way of reading, so that the ways of reading are told apart once per text.
    match chars.0 {
        Kind::Gsm(chars) => write(chars, alphabet, shifts, missing, out),
        Kind::Packed(chars) => write(chars, alphabet, shifts, missing, out),
        Kind::Single(chars) => write(chars, alphabet, shifts, missing, out),
        Kind::Utf8(chars) => write(chars, alphabet, shifts, missing, out),
        Kind::Wide(chars) => write(chars, alphabet, shifts, missing, out),
        Kind::WideLittle(chars) => write(chars, alphabet, shifts, missing, out),
    }
}

fn write(
    chars: impl Iterator<Item = char>,
    alphabet: Alphabet,
    shifts: Shifts,
    missing: Missing,
    out: &mut BytesMut,
) -> Result<usize, NoCounterpart> {
    let mut writer =
        Writer { start: out.len(), out, chunk: [0; CHUNK], len: 0, replaced: 0, missing, alphabet };
    match alphabet {
        Alphabet::Gsm | Alphabet::GsmPacked => {
            let tables = shifts.tables();
            writer.each(chars, |char| tables.code(char).map(gsm_octets))?;
        }
        Alphabet::Ucs2 => writer.each(chars, |char| Some(wide_octets(char, u16::to_be_bytes)))?,
        Alphabet::Ucs2Little => writer.each(chars, |char| Some(wide_octets(char, u16::to_le_bytes)))?,
        Alphabet::Utf8 => writer.each(chars, |char| {
            let mut octets = [0; 4];
            let len = char.encode_utf8(&mut octets).len();
            Some((octets, len))
        })?,
        Alphabet::Ascii
        | Alphabet::Latin1
        | Alphabet::Cp1252
        | Alphabet::Cyrillic
        | Alphabet::Hebrew
        | Alphabet::Octets
        | Alphabet::Unknown => {
            writer.each(chars, |char| charset::write(alphabet, char).map(|octet| ([octet, 0, 0, 0], 1)))?;
        }
    }
    Ok(writer.replaced)
}

/// One character: its octets, and how many of the four count.
type Written = ([u8; 4], usize);

struct Writer<'a> {
    out: &'a mut BytesMut,
    start: usize,
    /// Gathered here first: `BytesMut` would look for room with every octet.
    chunk: [u8; CHUNK],
    len: usize,
    replaced: usize,
    missing: Missing,
    alphabet: Alphabet,
}

impl Writer<'_> {
    #[inline]
    fn each(
        &mut self,
        chars: impl Iterator<Item = char>,
        code: impl Fn(char) -> Option<Written>,
    ) -> Result<(), NoCounterpart> {
        for char in chars {
            let (octets, len) = match code(char) {
                Some(written) => written,
                None => self.instead_of(char, &code)?,
            };
            if self.len + octets.len() > CHUNK {
                self.out.extend_from_slice(&self.chunk[..self.len]);
                self.len = 0;
            }
            self.chunk[self.len..self.len + octets.len()].copy_from_slice(&octets);
            self.len += len;
        }
        self.out.extend_from_slice(&self.chunk[..self.len]);
        Ok(())
    }

    #[cold]
    fn instead_of(
        &mut self,
        char: char,
        code: impl Fn(char) -> Option<Written>,
    ) -> Result<Written, NoCounterpart> {
        let may_replace = self.missing == Missing::Replace || char == char::REPLACEMENT_CHARACTER;
        match code('?') {
            Some(mark) if may_replace => {
                self.replaced += 1;
                Ok(mark)
            }
            Some(_) | None => {
                self.out.truncate(self.start);
                Err(NoCounterpart { char, alphabet: self.alphabet })
            }
        }
    }
}

#[inline]
const fn gsm_octets(code: u8) -> Written {
    if code & ESCAPED == 0 { ([code, 0, 0, 0], 1) } else { ([ESC, code & !ESCAPED, 0, 0], 2) }
}

#[inline]
fn wide_octets(char: char, octets: impl Fn(u16) -> [u8; 2]) -> Written {
    let mut units = [0; 2];
    let len = char.encode_utf16(&mut units).len();
    let ([a, b], [c, d]) = (octets(units[0]), octets(units[1]));
    ([a, b, c, d], 2 * len)
}

const CHUNK: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, alphabet: Alphabet, missing: Missing) -> Result<(Vec<u8>, usize), NoCounterpart> {
        let mut out = BytesMut::from(&b"before"[..]);
        let chars = Chars::new(text.as_bytes(), Alphabet::Utf8, Shifts::NONE);
        let replaced = encode(chars, alphabet, Shifts::NONE, missing, &mut out);
        if replaced.is_err() {
            assert_eq!(&out[..], b"before");
        }
        Ok((out[6..].to_vec(), replaced?))
    }

    #[test]
    fn missing_characters_are_refused_or_replaced() {
        let missing = NoCounterpart { char: 'я', alphabet: Alphabet::Gsm };

        assert_eq!(written("a€яя", Alphabet::Gsm, Missing::Refuse), Err(missing));
        assert_eq!(written("a€яя", Alphabet::Gsm, Missing::Replace), Ok((b"a\x1be??".to_vec(), 2)));
        assert_eq!(written("a\u{FFFD}", Alphabet::Gsm, Missing::Refuse), Ok((b"a?".to_vec(), 1)));
        assert_eq!(missing.to_string(), "'я' is not in the GSM 7-bit alphabet");
    }

    #[test]
    fn texts_longer_than_a_chunk_are_whole() {
        for len in [CHUNK - 4, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7] {
            let text = "a€".repeat(len);
            let (octets, _) = written(&text, Alphabet::Gsm, Missing::Refuse).expect("all are in it");
            assert_eq!(octets, b"a\x1be".repeat(len));
            let (octets, _) = written(&text, Alphabet::Utf8, Missing::Refuse).expect("all are in it");
            assert_eq!(octets, text.as_bytes());
        }
    }

    #[test]
    fn characters_beyond_the_first_plane_are_pairs() {
        assert_eq!(written("😀", Alphabet::Ucs2, Missing::Refuse), Ok((vec![0xD8, 0x3D, 0xDE, 0x00], 0)));
        assert_eq!(
            written("😀", Alphabet::Ucs2Little, Missing::Refuse),
            Ok((vec![0x3D, 0xD8, 0x00, 0xDE], 0))
        );
    }
}
