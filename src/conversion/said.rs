//! What a message says, as its sender means it; and the same as a receiver takes it.

use super::coding::Target;
use super::{Fallback, Profile, UDHI};
use crate::codec::{Sm, Status};
use crate::text::{
    Alphabet, Chars, Element, Missing, Padding, Septets, Shifts, Text, Udh, UdhBuilder, encode, fill_bits,
    pack, says_default,
};
use bytes::BytesMut;
use std::borrow::Cow;

/// The user data of a message, taken apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said<'a> {
    pub udh: Udh<'a>,
    /// Behind the header.
    pub text: &'a [u8],
    pub alphabet: Alphabet,
    pub data_coding: u8,
    /// Of GSM text.
    pub shifts: Shifts,
}

/// Text as a receiver takes it. A packed one isn't packed yet: it depends on the header.
#[derive(Clone, Debug)]
pub(super) struct Spoken<'a> {
    pub text: Cow<'a, [u8]>,
    pub target: Target,
    /// Whether the sender's national tables no longer apply.
    pub drops_shifts: bool,
}

impl<'a> Said<'a> {
    #[inline]
    pub fn read(sm: &Sm<'a>, from: &Profile) -> Self {
        let user_data = sm.text();
        let (udh, text) =
            if sm.esm_class & UDHI == 0 { (Udh::none(), user_data) } else { Udh::cut(user_data) };
        let alphabet = from.meaning(sm.data_coding);
        let shifts = if is_gsm(alphabet) { udh.shifts() } else { Shifts::NONE };
        Self { udh, text, alphabet, data_coding: sm.data_coding, shifts }
    }

    /// The text as it is counted.
    #[inline]
    pub fn counted(&self) -> Text<'a> {
        match self.alphabet {
            Alphabet::GsmPacked => Text::packed(self.septets()),
            alphabet => counted(self.text, alphabet, self.data_coding),
        }
    }

    /// The text as `to` takes it.
    ///
    /// # Errors
    /// ESME_RINVDCS if it can't be said.
    pub fn to(&self, from: &Profile, to: &Profile) -> Result<Spoken<'a>, Status> {
        // A header with ports addresses a program, not a reader: what looks like text may be anything.
        let is_for_program = self.udh.ports().is_some();
        let target = match is_for_program {
            true => Target { alphabet: self.alphabet, data_coding: self.data_coding },
            false => Target::of(self.alphabet, self.data_coding, to),
        };
        match (self.alphabet, target.alphabet) {
            (Alphabet::GsmPacked, Alphabet::GsmPacked | Alphabet::Gsm) => {
                Ok(Spoken { text: Cow::Owned(self.septets().collect()), target, drops_shifts: false })
            }
            (is, wanted) if is == wanted || (is_gsm(is) && is_gsm(wanted)) => {
                Ok(Spoken { text: Cow::Borrowed(self.text), target, drops_shifts: false })
            }
            (_, _) => self.transcode(target, from, to),
        }
    }

    /// The text in UCS-2 under `data_coding`, high octets first.
    pub fn encode_wide(&self, out: &mut BytesMut) {
        // UCS-2 has all characters.
        let _ = encode(self.chars(), Alphabet::Ucs2, Shifts::NONE, Missing::Replace, out);
    }

    /// The septets of packed text.
    pub fn septets(&self) -> Septets<'a> {
        Septets::new(self.text, fill_bits(self.udh.octets()))
    }

    /// The characters of the text.
    pub fn chars(&self) -> Chars<'a> {
        match self.alphabet {
            Alphabet::GsmPacked => Chars::packed(self.septets(), self.shifts),
            alphabet => Chars::new(self.text, alphabet, self.shifts),
        }
    }

    fn transcode(&self, target: Target, from: &Profile, to: &Profile) -> Result<Spoken<'a>, Status> {
        let is_refused = from.fallback == Fallback::Refuse;
        if is_refused && self.chars().any(|char| char == char::REPLACEMENT_CHARACTER) {
            return Err(Status::RINVDCS);
        }
        let missing = match to.fallback {
            Fallback::Replace => Missing::Replace,
            Fallback::Refuse | Fallback::Ucs2 => Missing::Refuse,
        };
        let mut out = BytesMut::with_capacity(2 * self.text.len());
        let spoken = |out: BytesMut, target| Spoken {
            text: Cow::Owned(out.into()),
            target,
            drops_shifts: is_gsm(self.alphabet),
        };
        match (encode(self.chars(), target.alphabet, Shifts::NONE, missing, &mut out), to.fallback) {
            (Ok(_), _) => Ok(spoken(out, target)),
            (Err(_), Fallback::Ucs2) => {
                let wide =
                    Target::in_alphabet(Alphabet::Ucs2, self.data_coding, to).ok_or(Status::RINVDCS)?;
                self.encode_wide(&mut out);
                Ok(spoken(out, wide))
            }
            (Err(_), Fallback::Refuse | Fallback::Replace) => Err(Status::RINVDCS),
        }
    }
}

impl Spoken<'_> {
    /// The text as it is counted.
    pub fn counted(&self) -> Text<'_> {
        match self.target.alphabet {
            Alphabet::GsmPacked => counted(&self.text, Alphabet::Gsm, self.target.data_coding),
            alphabet => counted(&self.text, alphabet, self.target.data_coding),
        }
    }

    /// The elements of `udh` that go with the text but say nothing about its parts.
    pub fn elements<'u>(&self, udh: &Udh<'u>) -> impl Iterator<Item = Element<'u>> + use<'u> {
        let drops_shifts = self.drops_shifts;
        udh.elements().filter(move |element| !(element.is_concat() || drops_shifts && element.is_shift()))
    }

    /// Appends `text`, all or a part of ours, as it stands behind a header of `header_octets`.
    pub fn write(&self, text: &[u8], header_octets: usize, out: &mut BytesMut) {
        match self.target.alphabet {
            Alphabet::GsmPacked => pack(text, fill_bits(header_octets), Padding::Return, out),
            // One octet after the other.
            _ => out.extend_from_slice(text),
        }
    }
}

/// A header of `part`, if there is one, and `elements`; the part comes first, where simple readers look for it.
///
/// # Errors
/// ESME_RINVMSGLEN if they are more than a header takes.
pub(super) fn header<'u>(
    part: Option<super::Part>,
    elements: impl Iterator<Item = Element<'u>>,
) -> Result<UdhBuilder, Status> {
    let mut builder = UdhBuilder::default();
    let mut has_room = part.is_none_or(|part| builder.push_concat(part));
    for element in elements {
        has_room &= builder.push(element);
    }
    if has_room { Ok(builder) } else { Err(Status::RINVMSGLEN) }
}

/// `octets` in `alphabet` under `data_coding`, as they count; not packed.
#[inline]
fn counted(octets: &[u8], alphabet: Alphabet, data_coding: u8) -> Text<'_> {
    match alphabet {
        Alphabet::Utf8 => Text::on_air(octets, alphabet),
        Alphabet::Ascii | Alphabet::Latin1 | Alphabet::Cp1252 | Alphabet::Cyrillic | Alphabet::Hebrew
            if says_default(data_coding) =>
        {
            Text::on_air(octets, alphabet)
        }
        Alphabet::Gsm
        | Alphabet::GsmPacked
        | Alphabet::Ascii
        | Alphabet::Latin1
        | Alphabet::Cp1252
        | Alphabet::Cyrillic
        | Alphabet::Hebrew
        | Alphabet::Ucs2
        | Alphabet::Ucs2Little
        | Alphabet::Octets
        | Alphabet::Unknown => Text::new(octets, alphabet),
    }
}

pub(super) const fn is_gsm(alphabet: Alphabet) -> bool {
    matches!(alphabet, Alphabet::Gsm | Alphabet::GsmPacked)
}
