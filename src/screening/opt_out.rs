//! Who doesn't want to hear from an account any more: handsets that said so, by a word.

use super::{bare, key_of};
use crate::id::{AccountId, Lsn};
use foldhash::HashMap;
use std::collections::VecDeque;

/// What a handset's wish not to hear more is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Nothing: the account sees to it itself.
    #[default]
    Nothing,
    /// All that its account sends.
    Account,
    /// What its account sends from the number that was written to.
    Sender,
}

/// What a handset wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To hear no more.
    Out,
    /// To hear again.
    In,
}

/// The words for it, in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    out: Vec<String>,
    back: Vec<String>,
}

impl Words {
    /// These words for each [`Wish`], in any case.
    pub fn new(out: &[String], back: &[String]) -> Self {
        let low = |words: &[String]| words.iter().map(|word| word.to_lowercase()).collect();
        Self { out: low(out), back: low(back) }
    }

    /// What `text` wishes, if it is one of the words and nothing else; signs and blanks around it don't count.
    pub fn wish(&self, text: &str) -> Option<Wish> {
        let text = text.trim_matches(|char: char| !char.is_alphanumeric()).to_lowercase();
        if self.out.contains(&text) {
            return Some(Wish::Out);
        }
        self.back.contains(&text).then_some(Wish::In)
    }
}

/// A handset, and what it doesn't want: an account's messages, or those from one of its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OptOut {
    pub account: AccountId,
    handset: u64,
    /// 0: whoever they are from.
    sender: u64,
}

impl OptOut {
    /// `handset`'s about `account`, or about what that sends from `sender`; `None` if the handset is no number, which nobody sends
    /// to. A sender that is no number is everybody.
    pub fn new(account: AccountId, handset: &[u8], sender: &[u8]) -> Option<Self> {
        let handset = key_of(bare(handset))?;
        Some(Self { account, handset, sender: key_of(bare(sender)).unwrap_or(0) })
    }

    /// The digits of the handset, and of the sender if it is about one.
    pub fn digits(&self) -> (String, String) {
        // The one in front of a key is ours.
        let text = |key: u64| key.to_string().get(1..).unwrap_or_default().to_owned();
        (text(self.handset), if self.sender == 0 { String::new() } else { text(self.sender) })
    }
}

/// All of them, each with where it is recorded.
#[derive(Debug, Default)]
pub struct OptOuts {
    recorded: HashMap<OptOut, Lsn>,
    /// In the order of their records; what is recorded elsewhere by now, or no more, stays until it comes to the front.
    order: VecDeque<(Lsn, OptOut)>,
}

impl OptOuts {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.recorded.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.recorded.is_empty()
    }

    /// Octets of memory that they take, generously.
    pub fn octets(&self) -> usize {
        self.recorded.capacity() * (size_of::<(OptOut, Lsn)>() + 1)
            + self.order.capacity() * size_of::<(Lsn, OptOut)>()
    }

    pub fn holds(&self, opt_out: OptOut) -> bool {
        self.recorded.contains_key(&opt_out)
    }

    /// Whether the handset `destination` doesn't want what `account` sends from `source`.
    pub fn refuses(&self, account: AccountId, source: &[u8], destination: &[u8]) -> bool {
        if self.is_empty() {
            return false;
        }
        let Some(from_anybody) = OptOut::new(account, destination, b"") else { return false };
        self.holds(from_anybody)
            || OptOut::new(account, destination, source).is_some_and(|opt_out| self.holds(opt_out))
    }

    /// Takes note of one whose record ends at `lsn`, behind all others.
    pub fn note(&mut self, opt_out: OptOut, lsn: Lsn) {
        self.recorded.insert(opt_out, lsn);
        self.order.push_back((lsn, opt_out));
        // Of those that were written twice or are gone, as many as of the others, and a few.
        if self.order.len() > 2 * self.recorded.len() + FEW {
            let Self { recorded, order } = self;
            order.retain(|(lsn, opt_out)| recorded.get(opt_out) == Some(lsn));
        }
    }

    /// Forgets one.
    pub fn forget(&mut self, opt_out: OptOut) {
        self.recorded.remove(&opt_out);
    }

    /// Takes the oldest one off whose record ends at `lsn` or before; it is to be recorded and noted again.
    pub fn take_before(&mut self, lsn: Lsn) -> Option<OptOut> {
        while let Some((recorded, opt_out)) = self.order.front().copied().filter(|(at, _)| *at <= lsn) {
            self.order.pop_front();
            if self.recorded.get(&opt_out) == Some(&recorded) {
                return Some(opt_out);
            }
        }
        None
    }
}

/// Places that are nobody's any more and yet stay.
const FEW: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: AccountId = AccountId(0);
    const BANK: AccountId = AccountId(1);

    fn about(account: AccountId, handset: &str, sender: &str) -> OptOut {
        OptOut::new(account, handset.as_bytes(), sender.as_bytes()).expect("a number")
    }

    #[test]
    fn word_alone_is_a_wish_and_nothing_else() {
        let words = Words::new(&["STOP".into(), "Стоп".into()], &["start".into()]);

        for text in ["STOP", "stop", " Stop. ", "\"STOP!\"\r\n", "СТОП"] {
            assert_eq!(words.wish(text), Some(Wish::Out), "{text}");
        }
        assert_eq!(words.wish("Start"), Some(Wish::In));
        for text in ["", "!", "stop it", "don't stop", "stops"] {
            assert_eq!(words.wish(text), None, "{text}");
        }
    }

    #[test]
    fn wish_is_about_its_account_and_about_a_number_if_it_says_so() {
        let mut outs = OptOuts::default();
        outs.note(about(SHOP, "+447700900123", ""), Lsn(1));
        outs.note(about(BANK, "447700900123", "1000"), Lsn(2));

        assert!(
            outs.refuses(SHOP, b"1000", b"447700900123") && outs.refuses(SHOP, b"SHOP", b"+447700900123")
        );
        assert!(outs.refuses(BANK, b"+1000", b"447700900123"));
        assert!(
            !outs.refuses(BANK, b"1001", b"447700900123") && !outs.refuses(BANK, b"BANK", b"447700900123")
        );
        assert!(!outs.refuses(SHOP, b"1000", b"447700900124") && !outs.refuses(SHOP, b"1000", b"SHOP"));

        outs.forget(about(SHOP, "447700900123", ""));
        assert!(!outs.refuses(SHOP, b"1000", b"447700900123"));
        assert_eq!(about(BANK, "+0044", "1000").digits(), ("0044".to_owned(), "1000".to_owned()));
        assert_eq!(about(BANK, "44", "SHOP").digits(), ("44".to_owned(), String::new()));
    }

    #[test]
    fn what_is_recorded_before_an_address_is_taken_off_once() {
        let mut outs = OptOuts::default();
        let [first, second, third] = ["1", "2", "3"].map(|handset| about(SHOP, handset, ""));
        outs.note(first, Lsn(10));
        outs.note(second, Lsn(20));
        outs.note(third, Lsn(30));
        outs.note(first, Lsn(40));
        outs.forget(second);

        assert_eq!(outs.take_before(Lsn(29)), None, "one stands behind, one is gone");
        assert_eq!(outs.take_before(Lsn(30)), Some(third));
        outs.note(third, Lsn(50));
        assert_eq!(outs.take_before(Lsn(45)), Some(first));
        outs.note(first, Lsn(60));
        assert_eq!((outs.take_before(Lsn(45)), outs.len()), (None, 2));
    }

    #[test]
    fn wishes_that_change_all_the_time_take_no_more_room() {
        let mut outs = OptOuts::default();
        for lsn in 0..100_000 {
            outs.note(about(SHOP, "447700900123", ""), Lsn(lsn));
            outs.forget(about(SHOP, "447700900123", ""));
        }

        assert!(outs.octets() < 200_000, "{} octets", outs.octets());
    }
}
