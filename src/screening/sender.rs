//! As whom an account may send: a number is hard to take for somebody else's name, so names have to be allowed one by one.

use super::bare;
use super::dialling::Written;

/// The senders of one account. Without entries, any number and no name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Senders {
    /// Sorted; `None`: nothing is said.
    whole: Option<Vec<Box<[u8]>>>,
    prefixes: Vec<Box<[u8]>>,
    any_number: bool,
    anything: bool,
    /// Who takes the place of a sender that is not allowed, and of none.
    other: Option<Written>,
}

/// Which senders are allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SenderEntry {
    Anything,
    AnyNumber,
    Whole(String),
    Prefix(String),
}

/// What becomes of a submission from a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SenderVerdict {
    Allowed,
    /// It goes out from this one.
    Replaced(Written),
    Refused,
}

impl Senders {
    /// Those of `entries`; what is said of none is no number either. `other` takes the place of those that aren't allowed.
    pub fn new(entries: Option<Vec<SenderEntry>>, other: Option<Written>) -> Self {
        let Some(entries) = entries else { return Self { other, ..Self::default() } };
        let mut senders = Self { other, ..Self::default() };
        let mut whole = Vec::new();
        for entry in entries {
            match entry {
                SenderEntry::Anything => senders.anything = true,
                SenderEntry::AnyNumber => senders.any_number = true,
                SenderEntry::Whole(sender) => whole.push(Box::from(bare(sender.as_bytes()))),
                SenderEntry::Prefix(prefix) => senders.prefixes.push(Box::from(bare(prefix.as_bytes()))),
            }
        }
        whole.sort();
        senders.whole = Some(whole);
        senders
    }

    /// Whether a submission from `sender` may go out so. None at all may: the carrier names one. A plus sign doesn't count.
    pub fn judge(&self, sender: &[u8]) -> SenderVerdict {
        if self.allows(sender) {
            return SenderVerdict::Allowed;
        }
        match self.other {
            Some(other) => SenderVerdict::Replaced(other),
            None if sender.is_empty() => SenderVerdict::Allowed,
            None => SenderVerdict::Refused,
        }
    }

    fn allows(&self, sender: &[u8]) -> bool {
        let sender = bare(sender);
        if sender.is_empty() {
            return false;
        }
        let Some(whole) = &self.whole else { return is_number(sender) };
        self.anything
            || self.any_number && is_number(sender)
            || whole.binary_search_by(|known| (**known).cmp(sender)).is_ok()
            || self.prefixes.iter().any(|prefix| sender.starts_with(prefix))
            || self.other.is_some_and(|other| bare(other.addr()) == sender)
    }
}

fn is_number(sender: &[u8]) -> bool {
    sender.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::SenderVerdict::{Allowed, Refused, Replaced};
    use super::*;

    fn entry(text: &str) -> SenderEntry {
        match text {
            "*" => SenderEntry::Anything,
            "#" => SenderEntry::AnyNumber,
            text => match text.strip_suffix('*') {
                Some(prefix) => SenderEntry::Prefix(prefix.to_owned()),
                None => SenderEntry::Whole(text.to_owned()),
            },
        }
    }

    fn senders(entries: &[&str]) -> Senders {
        Senders::new(Some(entries.iter().map(|text| entry(text)).collect()), None)
    }

    #[test]
    fn nobody_is_somebody_elses_name_unless_that_is_said() {
        let usual = Senders::default();

        for (sender, expected) in
            [("447700900123", Allowed), ("+447700900123", Allowed), ("1000", Allowed), ("", Allowed)]
        {
            assert_eq!(usual.judge(sender.as_bytes()), expected, "{sender}");
        }
        for sender in ["SHOP", "Bank 24", "4477a", "*100#"] {
            assert_eq!(usual.judge(sender.as_bytes()), Refused, "{sender}");
        }
        assert_eq!(senders(&["*"]).judge(b"SHOP"), Allowed);
    }

    #[test]
    fn what_is_listed_is_allowed_and_nothing_else() {
        let some = senders(&["SHOP", "447700900123", "4478*", "Shop-*"]);

        for sender in ["SHOP", "447700900123", "+447700900123", "447812", "Shop-24", ""] {
            assert_eq!(some.judge(sender.as_bytes()), Allowed, "{sender}");
        }
        for sender in ["shop", "SHOPS", "44770090012", "1000", "Shop"] {
            assert_eq!(some.judge(sender.as_bytes()), Refused, "{sender}");
        }
        let numbers = senders(&["#", "SHOP"]);
        assert_eq!(
            [&b"1000"[..], b"SHOP", b"BANK"].map(|sender| numbers.judge(sender)),
            [Allowed, Allowed, Refused]
        );
        assert_eq!(senders(&[]).judge(b"1000"), Refused);
    }

    #[test]
    fn who_is_not_allowed_goes_out_as_another_where_there_is_one() {
        let other = Written::new((5, 0), [b"SHOP", b""]).expect("short");
        let replaced = Senders::new(Some(vec![entry("1000")]), Some(other));

        assert_eq!(replaced.judge(b"1000"), Allowed);
        assert_eq!(replaced.judge(b"SHOP"), Allowed);
        assert_eq!(replaced.judge(b"BANK"), Replaced(other));
        assert_eq!(replaced.judge(b""), Replaced(other));
        assert_eq!(Senders::new(None, Some(other)).judge(b"447700900123"), Allowed);
    }
}
