//! How addresses end: carriers write numbers with another prefix than we sent, so the last digits tell two apart (field bug D17).
//!
//! Of a message whose body is on disk a mark of each address is at hand, see [`mark`]: whether two marks are the same tells whether the
//! addresses are, and a mark of a whole number tells how that ends too.

/// What is kept of an address whose `hash` is this: of a whole number, a digest of its end, and half of the hash.
pub(super) fn mark(addr: &[u8], hash: u64) -> u32 {
    match is_whole(addr) {
        true => WHOLE | end_of(addr) << 16 | hash as u32 & 0xFFFF,
        false => hash as u32 & !WHOLE,
    }
}

/// Whether the address with this mark ends as `addr`; `None` where either is no whole number.
pub(super) fn marked_alike(mark: u32, addr: &[u8]) -> Option<bool> {
    let both = mark & WHOLE != 0 && is_whole(addr);
    both.then(|| (mark & !WHOLE) >> 16 == end_of(addr))
}

/// Whether two addresses are the same as far as their last digits tell.
pub(super) fn ends_alike(ours: &[u8], theirs: &[u8]) -> bool {
    let tail = ours.len().min(theirs.len()).min(TAIL_DIGITS);
    ours[ours.len() - tail..] == theirs[theirs.len() - tail..]
}

/// Whether this is a number with as many digits as tell it from others.
fn is_whole(addr: &[u8]) -> bool {
    addr.len() >= TAIL_DIGITS && addr.strip_prefix(b"+").unwrap_or(addr).iter().all(u8::is_ascii_digit)
}

/// 15 bits of the last digits of a whole number.
fn end_of(addr: &[u8]) -> u32 {
    let digit = |end: u64, octet: &u8| end << 8 | u64::from(*octet);
    let end = addr[addr.len() - TAIL_DIGITS..].iter().fold(0, digit);
    (end.wrapping_mul(GOLDEN) >> 49) as u32
}

/// Digits at the end of a number that tell two apart.
const TAIL_DIGITS: usize = 7;
/// The bit that marks a whole number.
const WHOLE: u32 = 1 << 31;
/// 2^64 over the golden ratio (Knuth, TAOCP 3, §6.4).
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the hash is: with a plus sign, zeros or nothing in front.
    #[test]
    fn mark_of_a_whole_number_tells_how_it_ends() {
        for hash in [0, 1, 0x1234_5678_9ABC_DEF0, u64::MAX] {
            let mark = mark(b"447700900001", hash);

            for alike in [&b"+447700900001"[..], b"00447700900001", b"7700900001", b"0900001"] {
                assert_eq!(marked_alike(mark, alike), Some(true), "{hash:x}");
            }
            for other in [&b"+447700900002"[..], b"447700900010", b"447700910001"] {
                assert_eq!(marked_alike(mark, other), Some(false), "{hash:x}");
            }
        }
    }

    #[test]
    fn what_is_no_whole_number_tells_nothing() {
        for addr in [&b""[..], b"900001", b"BANK-ALERTS", b"44770090000A"] {
            assert_eq!(marked_alike(mark(addr, u64::MAX), b"447700900001"), None);
            assert_eq!(marked_alike(mark(b"447700900001", u64::MAX), addr), None);
        }
    }

    /// Of a million numbers that differ in their last digits, hardly more look alike than chance has it: one of 32,768.
    #[test]
    fn ends_are_told_apart() {
        let mut seen = vec![0_u32; 1 << 15];
        for number in 0..1_000_000 {
            seen[end_of(format!("44{number:07}").as_bytes()) as usize] += 1;
        }

        let fullest = seen.into_iter().max().expect("there are some");
        assert!(fullest <= 2 * 1_000_000 / (1 << 15), "{fullest} of a million numbers look alike");
    }
}
