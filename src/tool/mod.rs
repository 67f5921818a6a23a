//! Our own peers, on the same session machine and the same driver as the hub: an ESME that pushes
//! ([`load`]) and a carrier that answers ([`smsc`]); [`inspect`], which puts octets into words, and [`repair`], which puts aside what
//! keeps a spool from starting.
//!
//! The peers number each message in its text (`n=0000000042 ...`), so that what is missing and what is doubled can be counted at the other end;
//! one that is to come at a set time says that too (`d=1763800000100`, in Unix milliseconds), so that the other end can tell how late it came.

mod book;
mod conduct;
mod handset;
pub mod inspect;
mod ledger;
pub mod load;
mod operations;
mod pusher;
pub mod repair;
mod simulator;
pub mod smsc;
mod tally;
mod template;
mod trace;

pub use conduct::{Conduct, IdFormat};
pub use handset::Handsets;

use crate::clock::UnixMs;

/// The digits that number a message in its text.
const NUMBER_DIGITS: usize = 10;
/// What stands before them.
const NUMBER_MARK: &[u8] = b"n=";

/// The digits of the time at which a message is due.
const DUE_DIGITS: usize = 13;
/// What stands before them, after the number.
const DUE_MARK: &[u8] = b" d=";

/// Writes `number` into the place that [`NUMBER_MARK`] or [`DUE_MARK`] keeps for it.
fn write_number(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// The number in a text, if it begins with one.
fn read_number(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(NUMBER_MARK)?.get(..NUMBER_DIGITS)?;
    read_digits(digits).and_then(|number| u32::try_from(number).ok())
}

/// When a message is due, if its text says so.
fn read_due(text: &[u8]) -> Option<UnixMs> {
    let after = text.get(NUMBER_MARK.len() + NUMBER_DIGITS..)?;
    read_digits(after.strip_prefix(DUE_MARK)?.get(..DUE_DIGITS)?).map(UnixMs)
}

fn read_digits(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// User and system time of this process so far, in seconds.
fn cpu_s() -> f64 {
    // /proc/self/stat, fields 14 and 15, in hundredths of a second (proc(5)).
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks: u64 = stat
        .rsplit(')')
        .next()
        .map(|rest| {
            rest.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
        })
        .unwrap_or(0);
    ticks as f64 / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_in_a_text_comes_back() {
        let mut text = *b"n=0000000000 hello";
        write_number(&mut text[2..12], 42);

        assert_eq!(&text, b"n=0000000042 hello");
        assert_eq!(read_number(&text), Some(42));
        assert_eq!(read_number(b"hello"), None);
        assert_eq!(read_number(b"n=00000"), None);
    }
}
