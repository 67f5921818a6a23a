//! Octets as people read them.

use std::fmt::{self, Display};

/// Octets as text in quotes if they are printable ASCII, else in hex.
pub(super) struct Shown<'a>(pub &'a [u8]);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(self.0) {
            Ok(text) if text.bytes().all(|octet| matches!(octet, b' '..=b'~')) => write!(f, "\"{text}\""),
            Ok(_) | Err(_) => Hex(self.0).fmt(f),
        }
    }
}

/// Octets as two digits each.
pub(super) struct Hex<'a>(pub &'a [u8]);

impl Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// A code with its word behind it, where it has one.
pub(super) fn write_code(f: &mut fmt::Formatter<'_>, code: u8, word: Option<&str>) -> fmt::Result {
    match word {
        Some(word) => write!(f, "{code} {word}"),
        None => write!(f, "{code} (reserved)"),
    }
}
