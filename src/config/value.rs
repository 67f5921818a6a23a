//! How single values are written.

use std::path::PathBuf;
use std::time::Duration;
use tracing::Level;

/// `host:port` to listen on; port 0 for any.
pub(super) fn own_address(text: &str) -> Result<String, String> {
    let form = || format!("\"{text}\" is not host:port, such as 127.0.0.1:2775 or [::1]:2775");
    let (host, port) = text.rsplit_once(':').ok_or_else(form)?;
    let bare = !host.contains([':', ' ', '/']);
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).is_some();
    if host.is_empty() || !(bare || bracketed) || port.parse::<u16>().is_err() {
        return Err(form());
    }
    Ok(text.to_owned())
}

/// The name of a file.
pub(super) fn file(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("is empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// A secret that has to be there.
pub(super) fn password(text: &str) -> Result<String, String> {
    octets(text, 1..=8, PASSWORD_HINT)
}

/// `host:port` to connect to.
pub(super) fn address(text: &str) -> Result<String, String> {
    let address = own_address(text)?;
    if address.ends_with(":0") {
        return Err(format!("\"{text}\" has port 0, which nobody listens on"));
    }
    Ok(address)
}

pub(super) fn level(text: &str) -> Result<Level, String> {
    choice(
        text,
        &[
            ("error", Level::ERROR),
            ("warn", Level::WARN),
            ("info", Level::INFO),
            ("debug", Level::DEBUG),
            ("trace", Level::TRACE),
        ],
    )
}

pub(super) fn directory(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("is empty".to_owned()) } else { Ok(PathBuf::from(text)) }
}

pub(super) fn system_id(text: &str) -> Result<String, String> {
    octets(text, 1..=15, "SMPP's limit for a system_id (SMPP 3.4 §4.1.1)")
}

/// Printable ASCII of so many octets.
pub(super) fn octets(
    text: &str,
    range: std::ops::RangeInclusive<usize>,
    hint: &str,
) -> Result<String, String> {
    if !range.contains(&text.len()) {
        let (from, to) = (range.start(), range.end());
        return Err(format!("is {} octets long, not {from} to {to}: {hint}", text.len()));
    }
    match text.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
        true => Ok(text.to_owned()),
        false => Err("has characters other than printable ASCII".to_owned()),
    }
}

pub(super) fn choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let found = choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        format!("\"{text}\" is none of {}", names.join(", "))
    })
}

/// Octets, two hexadecimal digits each; none at all too.
pub(super) fn hexadecimal(text: &str) -> Result<Vec<u8>, String> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|char| char.to_digit(16).map(|digit| digit as u8)).collect();
    match digits.as_deref().map(<[u8]>::as_chunks::<2>) {
        Some((pairs, [])) => Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect()),
        Some(_) | None => Err(format!("\"{text}\" is not an even number of hexadecimal digits")),
    }
}

pub(super) const MILLISECOND: Duration = Duration::from_millis(1);
pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const HOUR: Duration = Duration::from_secs(3600);

pub(super) const PASSWORD_HINT: &str = "SMPP's limit for a password (SMPP 3.4 §4.1.1)";
