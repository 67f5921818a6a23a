//! From a carrier's message id back to our message, however the carrier writes it.
//!
//! A receipt names the message by the id of its submit_sm_resp; in hex where the response was decimal, in another case, with zeros in front
//! (fact sheet 8.2). [`Correlation::key`] is one for all of these. Ids are kept as 64-bit seeded hashes of (carrier, canonical id), so that
//! a carrier can't choose keys that collide; who asks confirms the match by destination.
//!
//! A receipt may overtake its response: [`Correlation::hold`] keeps it, bounded in number and age, until
//! [`Correlation::claim`] finds it.

use crate::clock::{Now, UnixMs};
use crate::codec::MessageState;
use crate::id::{CarrierId, Lsn};
use foldhash::quality::RandomState;
use hashbrown::HashTable;
use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash, Hasher};
use std::time::{Duration, Instant};

/// How a carrier writes a message id in one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdForm {
    /// As text: case and leading zeros are ignored.
    #[default]
    Text,
    /// A number in base 16.
    Hex,
    /// A number in base 10.
    Decimal,
}

/// How a carrier writes message ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdForms {
    /// In submit_sm_resp.
    pub response: IdForm,
    /// In receipts.
    pub receipt: IdForm,
}

/// How the id of a receipt had to be read for its message to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    AsConfigured,
    /// Receipts have base 16, responses base 10.
    HexReceipt,
    /// Receipts have base 10.
    DecimalReceipt,
    /// Receipts have base 10, responses base 16.
    HexResponse,
}

impl Reading {
    /// All of them, most likely first.
    pub const EACH: [Self; 4] =
        [Self::AsConfigured, Self::HexReceipt, Self::DecimalReceipt, Self::HexResponse];

    /// What an operator should write into the configuration of a carrier whose ids are found in this way alone.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::AsConfigured => "",
            Self::HexReceipt => "response_ids = \"decimal\", receipt_ids = \"hex\"",
            Self::DecimalReceipt => "receipt_ids = \"decimal\"",
            Self::HexResponse => "response_ids = \"hex\", receipt_ids = \"decimal\"",
        }
    }
}

/// An id in canonical form, hashed with its carrier.
///
/// 56 bits of it, so that whoever keeps one beside another word has room for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IdHash([u8; 7]);

impl IdHash {
    fn new(hash: u64) -> Self {
        let [_, low @ ..] = hash.to_be_bytes();
        Self(low)
    }

    /// Where it is in a table, which looks at either end of this.
    fn place(self) -> u64 {
        let [first, second, third, fourth, fifth, sixth, last] = self.0;
        u64::from_be_bytes([first, second, third, fourth, fifth, sixth, last, first])
    }
}

/// Open messages by their carrier's id, and receipts that nobody has claimed yet.
#[derive(Debug)]
pub struct Correlation {
    random: RandomState,
    open: HashTable<(IdHash, u32)>,
    early: VecDeque<HeldEarly>,
    early_by_id: HashTable<(IdHash, u64)>,
    early_first: u64,
    early_max: usize,
}

/// A receipt that came before its message was known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Early {
    pub id: IdHash,
    pub carrier: CarrierId,
    /// The id as the carrier wrote it.
    pub text: Box<[u8]>,
    pub state: MessageState,
    pub error: [u8; 3],
    /// The destination that it names.
    pub destination: Box<[u8]>,
    /// When it came.
    pub at: UnixMs,
    /// The serial that the next message got: what had it or a later one came after this receipt, whatever the clock says.
    pub serial: u64,
    /// Where the spool has it.
    pub lsn: Lsn,
}

#[derive(Debug)]
struct HeldEarly {
    early: Early,
    since: Instant,
    claimed: bool,
}

impl Correlation {
    /// Holds up to `early_max` receipts that nobody has claimed.
    pub fn new(early_max: usize) -> Self {
        Self {
            random: RandomState::default(),
            open: HashTable::new(),
            early: VecDeque::new(),
            early_by_id: HashTable::new(),
            early_first: 0,
            early_max,
        }
    }

    /// The key of the id that `carrier` wrote as `text` in `form`.
    pub fn key(&self, carrier: CarrierId, text: &[u8], form: IdForm) -> IdHash {
        self.hash(carrier, form.canon(text))
    }

    /// Under which key the message may be known that a receipt of `carrier` calls `text`, read in this way; `None` if it can't be.
    pub fn receipt_key(
        &self,
        carrier: CarrierId,
        text: &[u8],
        forms: IdForms,
        reading: Reading,
    ) -> Option<IdHash> {
        let key = |canon: Canon<'_>| self.hash(carrier, canon);
        Some(match reading {
            Reading::AsConfigured => key(forms.receipt.canon(text)),
            Reading::HexReceipt => key(Canon::Number(number(text, 16)?)),
            Reading::DecimalReceipt => key(Canon::Number(number(text, 10)?)),
            Reading::HexResponse => key(Canon::text(format!("{:x}", number(text, 10)?).as_bytes())),
        })
    }

    /// Under which keys a receipt may be held for the message that `carrier` just called `text`: as it writes ids in answers
    /// and in receipts, and with its number in the other base.
    pub fn held_keys(&self, carrier: CarrierId, text: &[u8], forms: IdForms) -> [IdHash; 4] {
        let key = |canon: Canon<'_>| self.hash(carrier, canon);
        let as_hex = key(IdForm::Hex.canon(text));
        let as_decimal =
            number(text, 10).map_or(as_hex, |number| key(Canon::text(format!("{number:x}").as_bytes())));
        [key(forms.response.canon(text)), key(forms.receipt.canon(text)), as_hex, as_decimal]
    }

    fn hash(&self, carrier: CarrierId, canon: Canon<'_>) -> IdHash {
        IdHash::new(self.random.hash_one((carrier, canon)))
    }

    /// Remembers that the message in `slot` is known to its carrier by `id`.
    pub fn insert(&mut self, id: IdHash, slot: u32) {
        self.open.insert_unique(id.place(), (id, slot), |(id, _)| id.place());
    }

    /// Forgets that the message in `slot` is known by `id`.
    pub fn remove(&mut self, id: IdHash, slot: u32) {
        if let Ok(entry) = self.open.find_entry(id.place(), |known| *known == (id, slot)) {
            entry.remove();
        }
    }

    /// Slots of all open messages known by `id`; more than one where a carrier uses an id again.
    pub fn find(&self, id: IdHash) -> impl Iterator<Item = u32> + '_ {
        self.open.iter_hash(id.place()).filter(move |(known, _)| *known == id).map(|(_, slot)| *slot)
    }

    /// How many open messages are known by a carrier's id.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether no open message is known by a carrier's id.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Holds a receipt that no open message is known for; gives back the oldest one if there are too many.
    pub fn hold(&mut self, early: Early, now: Now) -> Option<Early> {
        let number = self.early_first + self.early.len() as u64;
        let id = early.id;
        let since = now.mono.checked_sub(now.wall.since(early.at)).unwrap_or(now.mono);
        self.early.push_back(HeldEarly { early, since, claimed: false });
        self.early_by_id.insert_unique(id.place(), (id, number), |(id, _)| id.place());
        if self.early.len() > self.early_max { self.pop_early() } else { None }
    }

    /// The receipt held for `id`, oldest first, if `fits` says that it is the one meant.
    pub fn claim(&mut self, id: IdHash, fits: impl Fn(&Early) -> bool) -> Option<Early> {
        let first = self.early_first;
        let early = &self.early;
        let held = |number: u64| &early[(number - first) as usize].early;
        let number = self
            .early_by_id
            .iter_hash(id.place())
            .filter(|(known, number)| *known == id && fits(held(*number)))
            .map(|(_, number)| *number)
            .min()?;
        if let Ok(entry) = self.early_by_id.find_entry(id.place(), |known| *known == (id, number)) {
            entry.remove();
        }
        let held = &mut self.early[(number - first) as usize];
        held.claimed = true;
        Some(held.early.clone())
    }

    /// The oldest held receipt if nobody claimed it within [`EARLY_AGE`].
    pub fn give_up(&mut self, now: Now) -> Option<Early> {
        while let Some(oldest) = self.early.front() {
            let claimed = oldest.claimed;
            if !claimed && now.mono.saturating_duration_since(oldest.since) < EARLY_AGE {
                return None;
            }
            let early = self.pop_early();
            if !claimed {
                return early;
            }
        }
        None
    }

    /// When [`Correlation::give_up`] has something to do.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.early.front().map(|held| held.since + EARLY_AGE)
    }

    /// How many receipts are held and not claimed.
    pub fn early_len(&self) -> usize {
        self.early_by_id.len()
    }

    /// Has each unclaimed receipt that the spool has before `before` written again; `write` says where it is then.
    pub fn rewrite_early(&mut self, before: Lsn, mut write: impl FnMut(&Early) -> Lsn) {
        for held in self.early.iter_mut().filter(|held| !held.claimed && held.early.lsn <= before) {
            held.early.lsn = write(&held.early);
        }
    }

    fn pop_early(&mut self) -> Option<Early> {
        let HeldEarly { early, claimed, .. } = self.early.pop_front()?;
        let known = (early.id, self.early_first);
        if let Ok(entry) = self.early_by_id.find_entry(early.id.place(), |entry| *entry == known) {
            entry.remove();
        }
        self.early_first += 1;
        (!claimed).then_some(early)
    }
}

impl IdForm {
    /// What the id means: ids that mean the same are hashed alike.
    #[inline]
    fn canon(self, text: &[u8]) -> Canon<'_> {
        let text = text.trim_ascii();
        let base = match self {
            Self::Text => 0,
            Self::Hex => 16,
            Self::Decimal => 10,
        };
        match (base > 0).then(|| number(text, base)).flatten() {
            Some(number) => Canon::Number(number),
            None => Canon::text(text),
        }
    }
}

/// The number that `text` is in `base`, if it is one of at most 128 bits.
fn number(text: &[u8], base: u32) -> Option<u128> {
    let digits = text.trim_ascii();
    let signed = digits.first().is_some_and(|first| !first.is_ascii_alphanumeric());
    std::str::from_utf8(digits)
        .ok()
        .filter(|_| !signed)
        .and_then(|digits| u128::from_str_radix(digits, base).ok())
}

/// An id by what it means: a number in decimal, anything else in lower case without blanks around it.
///
/// It is hashed as it is read and stands nowhere in that form: a processor that has just stored to places in no cache would wait for all of
/// them to read it back.
#[derive(Clone, Copy, Debug)]
enum Canon<'a> {
    /// In whatever case it was written.
    Text(&'a [u8]),
    Number(u128),
}

impl<'a> Canon<'a> {
    /// Leading zeros go only where the id is nothing but digits: those of a UUID are part of it.
    #[inline]
    fn text(text: &'a [u8]) -> Self {
        let zeros = match text.first() {
            Some(b'0') if text.iter().all(u8::is_ascii_hexdigit) => {
                text.iter().take_while(|digit| **digit == b'0').count()
            }
            _ => 0,
        };
        let text = &text[zeros.min(text.len().saturating_sub(1))..];
        Self::Text(&text[..text.len().min(ID_MAX)])
    }
}

impl Hash for Canon<'_> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        match *self {
            Self::Text(text) => hash_folded(text, state),
            Self::Number(number) => hash_folded(number.to_string().as_bytes(), state),
        }
    }
}

/// Hashes a text without regard to its case, eight octets at a time.
#[inline]
fn hash_folded<H: Hasher>(text: &[u8], state: &mut H) {
    for octets in text.chunks(size_of::<u64>()) {
        let word =
            octets.iter().fold(0, |word, octet| word << u8::BITS | u64::from(octet.to_ascii_lowercase()));
        state.write_u64(word);
    }
    state.write_usize(text.len());
}

/// How long a receipt waits for its message to become known.
pub const EARLY_AGE: Duration = Duration::from_secs(60);

/// Octets of an id that count; carriers send up to 254 (fact sheet 13, deviation 7).
const ID_MAX: usize = 254;

#[cfg(test)]
mod tests {
    use super::*;

    const CARRIER: CarrierId = CarrierId(3);

    fn now() -> Now {
        #[allow(clippy::disallowed_methods)] // a test needs some instant to start from
        Now { mono: Instant::now(), wall: UnixMs(0) }
    }

    fn hold(correlation: &mut Correlation, text: &[u8], now: Now) -> Option<Early> {
        let id = correlation.key(CARRIER, text, IdForm::Text);
        let early = Early {
            id,
            carrier: CARRIER,
            text: text.into(),
            state: MessageState::Delivered,
            error: [0; 3],
            destination: b"4477"[..].into(),
            at: now.wall,
            serial: 1,
            lsn: Lsn(1),
        };
        correlation.hold(early, now)
    }

    /// Field bug D4: hex and decimal, case, zeros, UUIDs, more than 64 bits.
    #[test]
    fn ids_that_mean_the_same_have_one_form() {
        let correlation = Correlation::new(0);
        let key = |(text, form): (&[u8], IdForm)| correlation.key(CARRIER, text, form);
        let same = |a: (&[u8], IdForm), b: (&[u8], IdForm)| key(a) == key(b);

        assert!(same((b"ABCDEF01", IdForm::Hex), (b"2882400001", IdForm::Decimal)));
        assert!(same((b"00abcdef", IdForm::Text), (b"ABCDEF", IdForm::Text)));
        assert!(same((b" 77 ", IdForm::Text), (b"77", IdForm::Decimal)));
        assert!(same(
            (b"ffffffffffffffffffffff", IdForm::Hex),
            (b"309485009821345068724781055", IdForm::Decimal)
        ));
        assert!(!same((b"0e999f21-aa", IdForm::Text), (b"e999f21-aa", IdForm::Text)));
        assert!(!same((b"0", IdForm::Text), (b"", IdForm::Text)));
        assert!(same((b"0E999F21-AA", IdForm::Text), (b"0e999f21-aa", IdForm::Text)));
        assert!(!same((b"1234567812345678", IdForm::Text), (b"12345678", IdForm::Text)));
        assert!(!same((b"12345678", IdForm::Text), (b"87654321", IdForm::Text)));
        assert!(!same((b"a\0", IdForm::Text), (b"a", IdForm::Text)));
    }

    /// Field bug D5: two carriers, one id.
    #[test]
    fn same_id_of_two_carriers_leads_to_each_ones_message() {
        let mut correlation = Correlation::new(10);
        let (a, b) = (
            correlation.key(CarrierId(1), b"7", IdForm::Text),
            correlation.key(CarrierId(2), b"7", IdForm::Text),
        );
        correlation.insert(a, 1);
        correlation.insert(b, 2);

        assert_eq!(correlation.find(a).collect::<Vec<_>>(), [1]);
        assert_eq!(correlation.find(b).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn receipt_in_another_base_is_found_and_it_is_told_how() {
        let forms = |response, receipt| IdForms { response, receipt };
        let text = forms(IdForm::Text, IdForm::Text);
        for (response, receipt, forms, expected) in [
            (&b"77"[..], &b"0077"[..], text, Reading::AsConfigured),
            (b"ABCDEF01", b"2882400001", text, Reading::HexResponse),
            (b"2882400001", b"abcdef01", text, Reading::HexReceipt),
            (b"ABCDEF01", b"0000002882400001", forms(IdForm::Hex, IdForm::Hex), Reading::DecimalReceipt),
            (b"2882400001", b"abcdef01", forms(IdForm::Decimal, IdForm::Hex), Reading::AsConfigured),
        ] {
            let mut correlation = Correlation::new(10);
            let key = correlation.key(CARRIER, response, forms.response);
            correlation.insert(key, 5);

            let found = Reading::EACH.into_iter().find(|reading| {
                let key = correlation.receipt_key(CARRIER, receipt, forms, *reading);
                key.is_some_and(|key| correlation.find(key).any(|slot| slot == 5))
            });

            assert_eq!(found, Some(expected), "{receipt:?}");
        }
    }

    /// Field bug D1: the receipt comes first.
    #[test]
    fn early_receipt_is_claimed_once() {
        let mut correlation = Correlation::new(10);
        let now = now();
        assert_eq!(hold(&mut correlation, b"77", now), None);
        let id = correlation.key(CARRIER, b"0077", IdForm::Text);

        assert_eq!(correlation.claim(id, |early| &*early.destination == b"other"), None);
        assert_eq!(correlation.claim(id, |_| true).map(|early| early.state), Some(MessageState::Delivered));
        assert_eq!(correlation.claim(id, |_| true), None);
        assert_eq!(correlation.give_up(now.after(2 * EARLY_AGE)), None);
    }

    /// Field bugs D1 and D4 at once: early, and in the other base.
    #[test]
    fn early_receipt_in_the_other_base_is_found() {
        let now = now();
        for (receipt, response) in [(&b"ABCDEF01"[..], &b"2882400001"[..]), (b"2882400001", b"abcdef01")] {
            let mut correlation = Correlation::new(10);
            hold(&mut correlation, receipt, now);

            let keys = correlation.held_keys(CARRIER, response, IdForms::default());

            assert!(keys.into_iter().any(|key| correlation.claim(key, |_| true).is_some()));
        }
    }

    #[test]
    fn held_receipts_are_bounded_in_number_and_age() {
        let mut correlation = Correlation::new(2);
        let now = now();
        hold(&mut correlation, b"1", now);
        hold(&mut correlation, b"2", now);

        let crowded_out = hold(&mut correlation, b"3", now);
        assert_eq!(crowded_out.map(|early| early.text), Some(b"1"[..].into()));

        assert_eq!(correlation.give_up(now), None);
        assert_eq!(correlation.give_up(now.after(EARLY_AGE)).map(|early| early.text), Some(b"2"[..].into()));
    }
}
