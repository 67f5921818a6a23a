//! What data_coding octets mean to a peer, and in which alphabet and under which octet to say a text to it.

use super::Profile;
use crate::text::{Alphabet, says_default, with_alphabet};

/// data_coding octet → alphabet, where a peer differs from SMPP and TS 23.038.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meanings(Option<Box<[Option<Alphabet>; 256]>>);

impl Meanings {
    /// The peer means `alphabet` by `octet`.
    pub fn set(&mut self, octet: u8, alphabet: Alphabet) {
        let table = self.0.get_or_insert_with(|| Box::new([None; 256]));
        table[usize::from(octet)] = Some(alphabet);
    }

    /// Whether it means nothing otherwise.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    #[inline]
    pub(super) fn of(&self, octet: u8) -> Option<Alphabet> {
        self.0.as_ref().and_then(|table| table[usize::from(octet)])
    }
}

/// Alphabet → data_coding octet, where a peer differs from SMPP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Octets([Option<u8>; Alphabet::COUNT]);

impl Octets {
    /// The peer wants text in `alphabet` under `octet`.
    pub const fn set(&mut self, alphabet: Alphabet, octet: u8) {
        self.0[alphabet.index()] = Some(octet);
    }

    /// Whether it wants none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    #[inline]
    pub(super) const fn of(&self, alphabet: Alphabet) -> Option<u8> {
        self.0[alphabet.index()]
    }
}

/// How a text is said to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub alphabet: Alphabet,
    pub data_coding: u8,
}

impl Target {
    /// How text that came in `alphabet` under `data_coding` is said to `to`: in the same alphabet if `to` has an octet for it,
    /// but what its sender's default alphabet says, the receiver's default alphabet says too. A message class counts for more
    /// than an octet that `to` wishes for.
    pub fn of(alphabet: Alphabet, data_coding: u8, to: &Profile) -> Self {
        let meaning = to.meaning(data_coding);
        let wish = to.octets.of(alphabet).filter(|_| data_coding <= LAST_OF_SMPP);
        if let Some(octet) = wish {
            return Self { alphabet, data_coding: octet };
        }
        let is_kept = !alphabet.is_text() || meaning == alphabet;
        if is_kept {
            return Self { alphabet, data_coding };
        }
        let is_wide = |alphabet| matches!(alphabet, Alphabet::Ucs2 | Alphabet::Ucs2Little);
        let is_counterpart = says_default(data_coding) || (is_wide(alphabet) && is_wide(meaning));
        if is_counterpart && meaning.is_text() {
            return Self { alphabet: meaning, data_coding };
        }
        match to.octet(alphabet) {
            Some(octet) => Self { alphabet, data_coding: octet },
            None => Self::in_alphabet(to.default_alphabet, data_coding, to)
                .unwrap_or(Self { alphabet: to.default_alphabet, data_coding: 0 }),
        }
    }

    /// How text that came under `data_coding` is said to `to` in `alphabet`, with its message class if that can be said.
    pub fn in_alphabet(alphabet: Alphabet, data_coding: u8, to: &Profile) -> Option<Self> {
        let classed = with_alphabet(data_coding, alphabet).filter(|octet| to.meaning(*octet) == alphabet);
        let data_coding = classed.or_else(|| to.octet(alphabet))?;
        Some(Self { alphabet, data_coding })
    }
}

/// Beyond it, octets are those of TS 23.038, with message classes and indications.
const LAST_OF_SMPP: u8 = 0x0F;
