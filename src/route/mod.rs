//! Whither: the rule and then the carrier for a message ([`Routes`]); the account for an inbound message ([`Inbound`]).
//!
//! A message is decided on in two steps. [`Routes::decide`] finds the first rule that fits a [`Case`], when the message comes in.
//! [`Routes::next`] picks a carrier of that rule's target when one is needed: it is told which were [`Tried`] and how each
//! [`Standing`] is, and can be asked again. Neither allocates.

pub mod inbound;

pub use inbound::{Choice, Inbound, Reach};

use crate::clock::UnixMs;
use crate::codec::Sm;
use crate::id::{AccountId, CarrierId};
use siphasher::sip::SipHasher24;
use std::hash::Hasher;
use thiserror::Error;

/// Rules and where they lead; doesn't change.
#[derive(Clone, Debug)]
pub struct Routes {
    prefixes: Table,
    default: Option<CarrierId>,
}

/// What is known of a message that a rule is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    pub account: AccountId,
    pub sm: &'a Sm<'a>,
    /// Short messages that its text makes; 1 will do unless [`Routes::asks_segments`].
    pub segments: u8,
    /// When it is to go out.
    pub due: UnixMs,
    /// Evenly spread and the same whenever the same message is asked about: what shares of traffic are drawn by.
    pub serial_dice: u64,
}

/// A rule, by its place among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteId(pub u16);

/// Which candidates of a rule a message was refused by: bit n for the one of [`Leaf::bit`] n.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried(pub u32);

impl Tried {
    /// The same, and `leaf` too.
    #[must_use]
    pub const fn and(self, leaf: Leaf) -> Self {
        Self(self.0 | 1 << (leaf.bit & 31))
    }
}

/// How a carrier stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// It can be given a message now.
    pub usable: bool,
    /// How much it has to do, in thousandths of what it can do now.
    pub load: u16,
}

/// Whose turn it is in groups that take turns. One for each [`Routes`]; whoever asks [`Routes::next`] keeps it.
#[derive(Clone, Debug, Default)]
pub struct Turns {
    /// Whose turn it is, by the place of the group.
    members: Vec<u32>,
}

/// A candidate: one place in the target of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    pub carrier: CarrierId,
    /// Its number among the candidates of its rule, from 0 to 31.
    pub bit: u8,
    /// Its carrier can be given a message now.
    pub usable: bool,
}

impl Routes {
    /// No message is let in.
    pub const fn none() -> Self {
        Self { prefixes: Table { nodes: Vec::new() }, default: None }
    }

    /// Everything goes to `carrier`.
    pub fn to(carrier: CarrierId) -> Self {
        Self { prefixes: Table::new(), default: Some(carrier) }
    }

    /// Each destination goes to the carrier of the longest of `prefixes` that it begins with; the rest to `default`.
    ///
    /// # Errors
    /// A prefix that isn't made of digits, or that is there twice.
    pub fn by_prefix<'p>(
        prefixes: impl IntoIterator<Item = (&'p str, CarrierId)>,
        default: Option<CarrierId>,
    ) -> Result<Self, RouteError> {
        let mut table = Table::new();
        for (prefix, carrier) in prefixes {
            table.insert(prefix, carrier)?;
        }
        Ok(Self { prefixes: table, default })
    }

    /// Whether the number of segments matters to any rule.
    pub const fn asks_segments(&self) -> bool {
        false
    }

    /// The first rule that fits; `None`: the message has nowhere to go.
    pub fn decide(&self, case: &Case<'_>) -> Option<RouteId> {
        match self.prefixes.choose(case.sm.destination.addr) {
            Some(_) => Some(PREFIXES),
            None => self.default.map(|_| DEFAULT),
        }
    }

    /// The best candidate of `route` for `number` (a destination's digits) that isn't `tried` yet; `None`: all are. If none of those
    /// is usable, the first of them all the same. `dice` decides where chance does: the same ones, the same candidate.
    pub fn next(
        &self,
        route: RouteId,
        number: &[u8],
        tried: Tried,
        dice: u64,
        turns: &mut Turns,
        standing: impl Fn(CarrierId) -> Standing,
    ) -> Option<Leaf> {
        let _ = (dice, &turns.members); // one candidate each: nothing to be drawn
        if tried.0 & 1 != 0 {
            return None;
        }
        let carrier = if route == PREFIXES { self.prefixes.choose(number) } else { self.default }?;
        Some(Leaf { carrier, bit: 0, usable: standing(carrier).usable })
    }
}

/// What is drawn by for a message that these octets tell from others: the same ones give the same.
pub fn dice(of: &[&[u8]]) -> u64 {
    let mut hasher = SipHasher24::new();
    for octets in of {
        hasher.write(octets);
        hasher.write_u8(0xFF); // in no address
    }
    hasher.finish()
}

const PREFIXES: RouteId = RouteId(0);
const DEFAULT: RouteId = RouteId(1);

/// Prefixes and where they lead: a digit trie in one vector; a step a digit.
#[derive(Clone, Debug)]
struct Table {
    nodes: Vec<Node>,
}
#[derive(Clone, Debug)]
struct Node {
    carrier: Option<CarrierId>,
    next: [u32; 10],
}

/// Why a prefix can't be entered. The fault is the configuration's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RouteError {
    #[error("prefix \"{0}\" has characters other than digits")]
    NotDigits(String),
    #[error("prefix \"{0}\" is there twice")]
    Twice(String),
    #[error("a rule before it is for the same messages")]
    Same,
}

impl Table {
    fn new() -> Self {
        Self { nodes: vec![Node { carrier: None, next: [NONE; 10] }] }
    }

    /// Sends numbers that begin with `prefix` (digits only, international form) to `carrier`.
    fn insert(&mut self, prefix: &str, carrier: CarrierId) -> Result<(), RouteError> {
        let mut at = 0;
        for character in prefix.bytes() {
            let Some(digit) = digit(character) else {
                return Err(RouteError::NotDigits(prefix.to_owned()));
            };
            at = match self.nodes[at].next[digit] {
                NONE => {
                    let new = self.nodes.len();
                    self.nodes.push(Node { carrier: None, next: [NONE; 10] });
                    self.nodes[at].next[digit] = new as u32;
                    new
                }
                next => next as usize,
            };
        }
        match self.nodes[at].carrier.replace(carrier) {
            None => Ok(()),
            Some(_) => Err(RouteError::Twice(prefix.to_owned())),
        }
    }

    /// The carrier for `destination`; `None` if no route leads there.
    fn choose(&self, destination: &[u8]) -> Option<CarrierId> {
        let digits = destination.strip_prefix(b"+").unwrap_or(destination);
        let (mut at, mut best) = (0, self.nodes.first()?.carrier);
        for character in digits {
            let Some(digit) = digit(*character) else { break };
            match self.nodes[at].next[digit] {
                NONE => break,
                next => at = next as usize,
            }
            best = self.nodes[at].carrier.or(best);
        }
        best
    }
}

fn digit(character: u8) -> Option<usize> {
    character.is_ascii_digit().then(|| usize::from(character - b'0'))
}

const NONE: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Address;

    const SOME: Option<CarrierId> = Some(CarrierId(0));

    /// The carrier for `number`.
    fn chosen(routes: &Routes, number: &str) -> Option<CarrierId> {
        let destination = Address { addr: number.as_bytes(), ..Address::default() };
        let sm = Sm { destination, ..Sm::default() };
        let case = Case { account: AccountId(0), sm: &sm, segments: 1, due: UnixMs(0), serial_dice: 0 };
        let standing = |_| Standing { usable: true, load: 0 };
        let route = routes.decide(&case)?;
        let leaf =
            routes.next(route, number.as_bytes(), Tried::default(), 0, &mut Turns::default(), standing);
        leaf.map(|leaf| leaf.carrier)
    }

    #[test]
    fn longest_prefix_wins_and_the_rest_goes_to_the_default() {
        let prefixes = [("44", CarrierId(1)), ("447700", CarrierId(2))];
        let routes = Routes::by_prefix(prefixes, SOME).expect("sound");

        assert_eq!(chosen(&routes, "447700900123"), Some(CarrierId(2)));
        assert_eq!(chosen(&routes, "+4477"), Some(CarrierId(1)));
        assert_eq!(chosen(&routes, "4917012345"), Some(CarrierId(0)));
        assert_eq!(chosen(&routes, "SHORT"), Some(CarrierId(0)));
    }

    #[test]
    fn without_a_default_unknown_numbers_have_no_route() {
        let routes = Routes::by_prefix([("44", CarrierId(1))], None).expect("sound");

        assert_eq!(chosen(&routes, "49170"), None);
        assert_eq!(chosen(&Routes::none(), "49170"), None);
        assert_eq!(chosen(&Routes::to(CarrierId(3)), "49170"), Some(CarrierId(3)));
    }

    #[test]
    fn faulty_prefixes_are_named() {
        let made = |second| Routes::by_prefix([("44", CarrierId(1)), (second, CarrierId(2))], None).err();

        assert_eq!(made("44"), Some(RouteError::Twice("44".into())));
        assert_eq!(made("4a"), Some(RouteError::NotDigits("4a".into())));
    }
}
