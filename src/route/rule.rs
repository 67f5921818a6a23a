//! One rule: which messages it is for, and where they go.

use super::hours::Hours;
use super::network::Networks;
use super::span::Prefix;
use super::{Case, Target};
use crate::codec::{Address, Tag};
use crate::id::AccountId;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// A rule as it is written. A message fits it that fits each of its conditions; what is empty or `None` is no condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub name: String,
    pub accounts: Option<Vec<AccountId>>,
    /// The destination begins with one of these; the longest one that it begins with may name its own target.
    pub prefixes: Vec<Arc<[Row]>>,
    /// The destination is of one of these networks, by the number plan.
    pub networks: Vec<Networks>,
    /// The source is one of these.
    pub sources: Vec<Pattern>,
    /// Bits of [`SourceKind::bit`].
    pub source_kinds: u8,
    pub codings: Vec<u8>,
    pub segments: RangeInclusive<u8>,
    pub parameters: Vec<Parameter>,
    pub service_types: Vec<Vec<u8>>,
    /// A mask, and what is left under it.
    pub esm_class: Option<(u8, u8)>,
    pub priorities: Vec<u8>,
    pub hours: Option<Hours>,
    /// The share of the messages that fit all the rest, in millionths.
    pub share: Option<u32>,
    /// Where they go; `None`: where the row of `prefixes` says, each of which does.
    pub target: Option<Target>,
}

/// One row of a set of prefixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub prefix: Prefix,
    /// Its own target; `None`: the rule's.
    pub target: Option<Target>,
    /// Where it is written; whoever made it knows what that means.
    pub origin: u32,
}

/// An optional parameter that has to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    pub tag: Tag,
    /// What it has to be; `None`: anything.
    pub value: Option<Vec<u8>>,
}

/// What a source may look like: `*` stands for any characters or none, `?` for any one. A plus sign in front doesn't count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: Vec<u8>,
    is_exact: bool,
}

/// What a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// A name; has characters other than digits.
    Alphanumeric,
    ShortCode,
    International,
    National,
    /// There is none.
    Absent,
}

/// A condition of a rule, named when a message doesn't fit it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    Account,
    Prefix,
    Network,
    Source,
    SourceKind,
    DataCoding,
    Segments,
    Parameter(Tag),
    ServiceType,
    EsmClass,
    Priority,
    Hours,
    Share,
}

impl Rule {
    /// A rule for all messages.
    pub fn new(name: &str, target: Option<Target>) -> Self {
        Self {
            name: name.to_owned(),
            accounts: None,
            prefixes: Vec::new(),
            networks: Vec::new(),
            sources: Vec::new(),
            source_kinds: 0,
            codings: Vec::new(),
            segments: 0..=u8::MAX,
            parameters: Vec::new(),
            service_types: Vec::new(),
            esm_class: None,
            priorities: Vec::new(),
            hours: None,
            share: None,
            target,
        }
    }

    /// Whether the number of segments matters.
    pub(super) fn asks_segments(&self) -> bool {
        self.segments != (0..=u8::MAX)
    }

    /// Whether nothing is left to look at once [`super::mask`] has spoken: [`Rule::misses_early`] of no message is anything then.
    pub(super) fn is_plain(&self) -> bool {
        self.sources.is_empty()
            && !self.asks_segments()
            && self.parameters.is_empty()
            && self.service_types.is_empty()
            && self.esm_class.is_none()
            && self.hours.is_none()
            && self.share.is_none()
    }

    /// The first of the conditions on account, source kind, data coding and priority that a message doesn't fit.
    pub(super) fn misses_early(&self, case: &Case<'_>) -> Option<Condition> {
        if self.accounts.as_ref().is_some_and(|accounts| !accounts.contains(&case.account)) {
            return Some(Condition::Account);
        }
        if self.source_kinds != 0 && self.source_kinds & SourceKind::of(&case.sm.source).bit() == 0 {
            return Some(Condition::SourceKind);
        }
        if !self.codings.is_empty() && !self.codings.contains(&case.sm.data_coding) {
            return Some(Condition::DataCoding);
        }
        let is_other = !self.priorities.is_empty() && !self.priorities.contains(&case.sm.priority_flag);
        is_other.then_some(Condition::Priority)
    }

    /// The first of all other conditions, but for those on the destination, that a message doesn't fit.
    #[inline]
    pub(super) fn misses(&self, case: &Case<'_>) -> Option<Condition> {
        let sm = case.sm;
        if !self.sources.is_empty() && !self.sources.iter().any(|source| source.fits(sm.source.addr)) {
            return Some(Condition::Source);
        }
        if !self.segments.contains(&case.segments) {
            return Some(Condition::Segments);
        }
        let missing = self.parameters.iter().find(|parameter| {
            let found = sm.tlvs.find(parameter.tag);
            found.is_none_or(|found| parameter.value.as_ref().is_some_and(|value| *value != found))
        });
        if let Some(parameter) = missing {
            return Some(Condition::Parameter(parameter.tag));
        }
        if !self.service_types.is_empty() && !self.service_types.iter().any(|known| *known == sm.service_type)
        {
            return Some(Condition::ServiceType);
        }
        if self.esm_class.is_some_and(|(mask, value)| sm.esm_class & mask != value) {
            return Some(Condition::EsmClass);
        }
        if self.hours.as_ref().is_some_and(|hours| !hours.fit(case.due)) {
            return Some(Condition::Hours);
        }
        let is_out = self.share.is_some_and(|share| draw(case.dice.cast(), salt(&self.name), WHOLE) >= share);
        is_out.then_some(Condition::Share)
    }
}

impl Pattern {
    /// Takes a pattern as it is written.
    pub fn new(text: &str) -> Self {
        let text = bare(text.as_bytes()).to_vec();
        let is_exact = !text.iter().any(|octet| matches!(octet, b'*' | b'?'));
        Self { text, is_exact }
    }

    /// What it has to be, if that is one thing.
    pub(super) fn exact(&self) -> Option<&[u8]> {
        self.is_exact.then_some(&self.text)
    }

    /// The octet that it has to begin with, if that is one.
    pub(super) fn first(&self) -> Option<u8> {
        self.text.first().copied().filter(|first| !matches!(first, b'*' | b'?'))
    }

    /// Whether `source` looks like that.
    pub fn fits(&self, source: &[u8]) -> bool {
        let source = bare(source);
        if self.is_exact {
            return *self.text == *source;
        }
        // Where the last star stands, and how much it stands for at least.
        let (mut at, mut here) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while here < source.len() {
            match self.text.get(at) {
                Some(b'*') => {
                    star = Some((at, here));
                    at += 1;
                }
                Some(known) if *known == b'?' || *known == source[here] => {
                    at += 1;
                    here += 1;
                }
                _ => match star {
                    // The star stands for one more.
                    Some((place, taken)) => {
                        star = Some((place, taken + 1));
                        (at, here) = (place + 1, taken + 1);
                    }
                    None => return false,
                },
            }
        }
        self.text[at..].iter().all(|rest| *rest == b'*')
    }
}

impl SourceKind {
    /// What an address is, by its TON and by its characters.
    pub fn of(source: &Address<'_>) -> Self {
        let digits = bare(source.addr);
        if digits.is_empty() {
            return Self::Absent;
        }
        if source.ton == 5 || !digits.iter().all(u8::is_ascii_digit) {
            return Self::Alphanumeric;
        }
        match source.ton {
            1 => Self::International,
            2 => Self::National,
            3 | 6 => Self::ShortCode,
            // Its kind isn't told.
            _ if digits.len() < source.addr.len() || digits.starts_with(b"00") => Self::International,
            _ if digits.len() <= SHORT_MAX => Self::ShortCode,
            _ if digits.starts_with(b"0") => Self::National,
            _ => Self::International,
        }
    }

    /// Its name, as rules write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alphanumeric => "alphanumeric",
            Self::ShortCode => "short_code",
            Self::International => "international",
            Self::National => "national",
            Self::Absent => "none",
        }
    }

    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::Alphanumeric, Self::ShortCode, Self::International, Self::National, Self::Absent];

    /// Its bit in a set of kinds.
    pub const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account => out.write_str("account"),
            Self::Prefix => out.write_str("prefix"),
            Self::Network => out.write_str("network"),
            Self::Source => out.write_str("source"),
            Self::SourceKind => out.write_str("source kind"),
            Self::DataCoding => out.write_str("data coding"),
            Self::Segments => out.write_str("segments"),
            Self::Parameter(tag) => write!(out, "parameter {:#06x}", tag.0),
            Self::ServiceType => out.write_str("service type"),
            Self::EsmClass => out.write_str("esm_class"),
            Self::Priority => out.write_str("priority"),
            Self::Hours => out.write_str("hours"),
            Self::Share => out.write_str("percent"),
        }
    }
}

/// An address without the plus sign in front.
pub(super) fn bare(address: &[u8]) -> &[u8] {
    address.strip_prefix(b"+").unwrap_or(address)
}

/// What `dice` show for something that is told from others by `salt`: 0 to `sides` - 1, each as often.
pub(super) fn draw(dice: u64, salt: u64, sides: u32) -> u32 {
    // The finaliser of SplitMix64 (Steele, Lea, Flood 2014): all bits depend on all.
    let mut mixed = dice ^ salt;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^= mixed >> 31;
    ((u128::from(mixed) * u128::from(sides)) >> 64) as u32
}

/// What tells draws of one name from those of others, whatever its place.
pub(super) fn salt(name: &str) -> u64 {
    // FNV-1a.
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

/// A whole, in millionths.
pub const WHOLE: u32 = 1_000_000;
/// Digits of a short code at most, where nothing tells what a number is.
const SHORT_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn star_stands_for_any_characters_and_question_mark_for_one() {
        for (pattern, source, fits) in [
            ("ACME", "ACME", true),
            ("ACME", "acme", false),
            ("ACME", "ACME1", false),
            ("+4477", "4477", true),
            ("4477*", "+447700900123", true),
            ("4477*", "4477", true),
            ("4477*", "447", false),
            ("A?C*", "ABCDE", true),
            ("A?C*", "AC", false),
            ("*900*23", "447900900123", true),
            ("*900*23", "44790090012", false),
            ("*", "", true),
            ("?", "", false),
            ("**?", "x", true),
        ] {
            assert_eq!(Pattern::new(pattern).fits(source.as_bytes()), fits, "{pattern} {source}");
        }
    }

    #[test]
    fn kind_of_a_source_is_told_by_its_ton_or_else_by_its_digits() {
        use SourceKind::*;
        for (ton, addr, kind) in [
            (5, "12345", Alphanumeric),
            (0, "ACME", Alphanumeric),
            (1, "12345", International),
            (2, "0170123456", National),
            (3, "447700900123", ShortCode),
            (6, "447700900123", ShortCode),
            (0, "+12345", International),
            (0, "0049170123456", International),
            (0, "10010", ShortCode),
            (0, "0170123456", National),
            (0, "491701234567", International),
            (4, "491701234567", International),
            (1, "", Absent),
        ] {
            let address = Address { ton, npi: 1, addr: addr.as_bytes() };
            assert_eq!(SourceKind::of(&address), kind, "{ton} {addr}");
        }
    }

    #[test]
    fn draws_are_even_and_do_not_follow_one_another() {
        let (mut low, mut both) = (0, 0);
        for n in 0..100_000u64 {
            let dice = super::super::dice(&[&n.to_be_bytes()]);
            let [first, second] = ["a", "b"].map(|name| draw(dice, salt(name), 100) < 25);
            low += u32::from(first);
            both += u32::from(first && second);
        }

        assert!((24_500..25_500).contains(&low), "{low}");
        assert!((5_950..6_550).contains(&both), "{both}");
    }
}
