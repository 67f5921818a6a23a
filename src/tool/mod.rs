//! Our own peers, on the same session machine and the same driver as the hub: an ESME that pushes
//! ([`load`]) and a carrier that answers ([`smsc`]); and [`inspect`], which puts octets into words.
//!
//! The peers number each message in its text (`n=0000000042 ...`), so that what is missing and what is doubled can be counted at the other end.

mod book;
mod conduct;
mod handset;
pub mod inspect;
mod ledger;
pub mod load;
mod operations;
mod pusher;
mod simulator;
pub mod smsc;
mod tally;
mod template;
mod trace;

pub use conduct::{Conduct, IdFormat};
pub use handset::Handsets;

/// The digits that number a message in its text.
const NUMBER_DIGITS: usize = 10;
/// What stands before them.
const NUMBER_MARK: &[u8] = b"n=";

/// Writes `number` into the place that [`NUMBER_MARK`] keeps for it.
fn write_number(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// The number in a text, if it begins with one.
fn read_number(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(NUMBER_MARK)?.get(..NUMBER_DIGITS)?;
    digits.iter().try_fold(0u32, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u32::from(digit - b'0'))?;
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
