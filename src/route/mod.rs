//! Whither: the rule and then the carrier for a message ([`Routes`]); the account for an inbound message ([`Inbound`]).
//!
//! A message is decided on in two steps. [`Routes::decide`] finds the first rule that fits a [`Case`], when the message comes in.
//! [`Routes::next`] picks a carrier of that rule's target when one is needed: it is told which were [`Tried`] and how each
//! [`Standing`] is, and can be asked again. Neither allocates. [`Routes::explain`] tells what both do, and why.
//!
//! ```text
//! destination ─► stretch of the line of numbers (span) ─► class (class): rules whose prefixes fit, network
//!                                                             │ and
//!   account, network, source, data_coding ─► rules in play (mask)
//!                                                             ▼
//!                      what is left, in order: each rule's other conditions (rule) ─► target (tree, price)
//! ```
//!
//! Routes are written as a [`Draft`] and made by [`Draft::build`], which finds all that is wrong with them.

mod class;
mod draft;
mod explain;
mod hours;
pub mod inbound;
mod mask;
mod network;
mod numbering;
mod price;
mod question;
mod rule;
mod span;
mod tree;

pub use draft::{Draft, DraftFault, NumberPlan, RULES_MAX};
pub use explain::{Candidate, Explanation};
pub use hours::{EVERY_DAY, Hours, Zone, minute_of_day};
pub use inbound::{Choice, Inbound, Reach};
pub use network::{Network, Networks};
pub use price::{Price, PriceList};
pub use question::{Call, Question, Told, Way, read_parameter};
pub use rule::{Condition, Parameter, Pattern, Row, Rule, SourceKind, WHOLE};
pub use span::{PREFIX_MAX, Prefix};
pub use tree::{DEPTH_MAX, LEAVES_MAX};

use crate::clock::UnixMs;
use crate::codec::Sm;
use crate::id::{AccountId, CarrierId};
use class::{Classes, Spot, View};
use mask::Masks;
use numbering::Numbering;
use price::Prices;
use siphasher::sip::SipHasher24;
use span::Spans;
use std::cell::LazyCell;
use std::fmt;
use std::hash::Hasher;
use std::sync::Arc;
use thiserror::Error;
use tree::Trees;

/// Rules and where they lead; doesn't change.
#[derive(Clone)]
pub struct Routes {
    /// Classes of destinations.
    spans: Spans,
    classes: Classes,
    networks: Vec<(Network, String)>,
    filters: Filters,
    masks: Masks,
    /// Rules that are decided on once [`Filters`] have spoken.
    plain: Vec<bool>,
    asks_segments: bool,
    /// A rule asks for the network of a number.
    asks_network: bool,
    rules: Vec<Compiled>,
    numbering: Numbering,
    trees: Trees,
    groups: usize,
    /// By carrier; shorter than their list if the last ones have no prices.
    prices: Vec<Option<Prices>>,
}

/// A rule, and what was made of it.
#[derive(Clone, Debug)]
struct Compiled {
    /// Without the rows of its prefixes.
    rule: Rule,
    tree: Option<u16>,
    has_prefixes: bool,
    /// Some of its rows name targets.
    has_targets: bool,
}

/// Which rules are in play: sets of [`Masks`], by what of a message is looked up.
#[derive(Clone)]
struct Filters {
    /// Of accounts beyond the table.
    strangers: u16,
    /// Rules without prefixes.
    anywhere: u16,
    networks: Box<[u16]>,
    accounts: Box<[u16]>,
    kinds: [u16; 5],
    codings: Box<[u16]>,
    /// By the first octet of a source.
    firsts: Box<[u16]>,
    /// By [`bucket`].
    buckets: Box<[u16]>,
    priorities: Box<[u16]>,
    /// A bit for each word of `anywhere` that isn't 0.
    anywhere_words: u64,
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
    /// What shares of traffic are drawn by.
    pub dice: Dice,
}

/// A rule, by its number: its place among all, unless [`Routes::numbered_after`] others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteId(pub u16);

/// Where messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    Carrier(CarrierId),
    /// By its place among all.
    Group(u16),
}

/// Carriers, or groups of them, among which one is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub name: String,
    pub kind: GroupKind,
    /// Each with its weight, which counts in weighted groups only.
    pub members: Vec<(Target, u32)>,
}

/// How a group chooses among those of its members that have a usable carrier left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupKind {
    /// The first one.
    Failover,
    /// By chance, each as often as its weight says.
    Weighted,
    /// In turns.
    RoundRobin,
    /// The one whose carrier has least to do.
    LeastLoaded,
    /// The one whose carrier costs least for that number.
    Cheapest,
}

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
    /// The place of the member that is next, by the place of the group.
    members: Vec<u32>,
}

impl Turns {
    /// Turns that need no more room.
    pub fn of_all(routes: &Routes) -> Self {
        Self { members: vec![0; routes.groups] }
    }

    fn of(&self, group: u16) -> u32 {
        self.members.get(usize::from(group)).copied().unwrap_or_default()
    }

    fn pass(&mut self, group: u16, next: u32) {
        let group = usize::from(group);
        if group >= self.members.len() {
            self.members.resize(group + 1, 0);
        }
        self.members[group] = next;
    }
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

/// Why a prefix can't be entered. The fault is the configuration's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RouteError {
    #[error("a prefix is empty")]
    Empty,
    #[error("prefix \"{0}\" has characters other than digits")]
    NotDigits(String),
    #[error("prefix \"{0}\" has more than {PREFIX_MAX} digits")]
    Long(String),
    #[error("prefix \"{0}\" is there twice")]
    Twice(String),
    #[error("a rule before it is for the same messages")]
    Same,
}

/// Shown without what only makes it quick.
impl fmt::Debug for Routes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = out.debug_struct("Routes");
        all.field("rules", &self.rules).field("spans", &self.spans).field("networks", &self.networks);
        all.field("trees", &self.trees).field("prices", &self.prices).finish_non_exhaustive()
    }
}

impl Routes {
    /// No message is let in.
    pub fn none() -> Self {
        Draft::default().build().expect("nothing in it that could be wrong")
    }

    /// Everything goes to `carrier`, by the rule "default".
    pub fn to(carrier: CarrierId) -> Self {
        let rules = vec![Rule::new(DEFAULT, Some(Target::Carrier(carrier)))];
        Draft { rules, ..Draft::default() }.build().expect("one rule without prefixes and groups")
    }

    /// Each destination goes to the carrier of the longest of `prefixes` that it begins with; the rest to `default`.
    ///
    /// # Errors
    /// A prefix that isn't made of digits, or that is there twice.
    pub fn by_prefix<'p>(
        prefixes: impl IntoIterator<Item = (&'p str, CarrierId)>,
        default: Option<CarrierId>,
    ) -> Result<Self, RouteError> {
        let row = |(prefix, carrier)| {
            Ok(Row { prefix: Prefix::read(prefix)?, target: Some(Target::Carrier(carrier)), origin: 0 })
        };
        let rows: Vec<Row> = prefixes.into_iter().map(row).collect::<Result<_, _>>()?;
        let mut rules = vec![Rule { prefixes: vec![Arc::from(rows)], ..Rule::new(PREFIXES, None) }];
        rules.extend(default.map(|carrier| Rule::new(DEFAULT, Some(Target::Carrier(carrier)))));
        Draft { rules, ..Draft::default() }.build().map_err(|faults| {
            // A class for each carrier is never too many.
            let fault = faults.first().map(DraftFault::to_string).unwrap_or_default();
            RouteError::Twice(fault.split(' ').next().unwrap_or_default().to_owned())
        })
    }

    /// Whether the number of segments matters to any rule.
    pub const fn asks_segments(&self) -> bool {
        self.asks_segments
    }

    /// How many rules there are.
    pub const fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are no rules at all.
    pub const fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The same rules, each under the number that its name has in `known`, and new ones behind. Messages that know their rules by
    /// number then find them again.
    #[must_use]
    pub fn numbered_after(mut self, known: &[String]) -> Self {
        self.numbering =
            Numbering::after(known, self.rules.iter().map(|compiled| compiled.rule.name.clone()));
        self
    }

    /// The names of all rules by number, of those too that are gone.
    pub fn names(&self) -> &[String] {
        self.numbering.names()
    }

    /// Whether there is a rule of this number.
    pub fn has(&self, route: RouteId) -> bool {
        self.numbering.place(route).is_some()
    }

    /// The name of a rule of these routes.
    pub fn name(&self, route: RouteId) -> &str {
        &self.numbering.names()[usize::from(route.0)]
    }

    /// The rule of that name.
    pub fn named(&self, name: &str) -> Option<RouteId> {
        self.rules
            .iter()
            .position(|compiled| compiled.rule.name == name)
            .map(|place| self.numbering.id(place))
    }

    /// The first rule that fits; `None`: the message has nowhere to go.
    #[inline]
    pub fn decide(&self, case: &Case<'_>) -> Option<RouteId> {
        let Self { filters, masks, .. } = self;
        let (sm, source) = (case.sm, rule::bare(case.sm.source.addr));
        let spot = self.spot(Prefix::of_number(sm.destination.addr));
        let class = self.classes.fit(spot);
        let network = if self.asks_network { self.classes.view(spot).network() } else { 0 };
        let account = filters.accounts.get(usize::from(case.account.0)).unwrap_or(&filters.strangers);
        let in_play = [
            *account,
            filters.networks[usize::from(network)],
            filters.kinds[SourceKind::of(&sm.source) as usize],
            filters.codings[usize::from(sm.data_coding)],
            filters.priorities[usize::from(sm.priority_flag)],
            filters.buckets[usize::from(bucket(source))],
            filters.firsts[usize::from(source.first().copied().unwrap_or_default())],
        ];
        let mut words = class.summary() | filters.anywhere_words;
        while words != 0 {
            let word = words.trailing_zeros() as usize;
            words &= words - 1;
            let fit = class.word(word) | masks.word(filters.anywhere, word);
            let mut left = in_play.iter().fold(fit, |left, mask| left & masks.word(*mask, word));
            while left != 0 {
                let place = word * 64 + left.trailing_zeros() as usize;
                left &= left - 1;
                if self.plain[place] || self.rules[place].rule.misses(case).is_none() {
                    return Some(self.numbering.id(place));
                }
            }
        }
        None
    }

    /// The best candidate of `route` for `number` (a destination's digits) that isn't `tried` yet; `None`: all are. If none of those
    /// is usable, the first of them all the same. `dice` decides where chance does: the same ones, the same candidate.
    pub fn next(
        &self,
        route: RouteId,
        number: &[u8],
        tried: Tried,
        dice: Dice,
        turns: &mut Turns,
        standing: impl Fn(CarrierId) -> Standing,
    ) -> Option<Leaf> {
        let key = LazyCell::new(|| Prefix::of_number(number));
        let class = LazyCell::new(|| self.class_of(*key));
        let place = self.numbering.place(route)?;
        let compiled = &self.rules[place];
        let own = if compiled.has_targets { class.target(place as u16) } else { None };
        let price = |carrier: CarrierId| {
            let prices = self.prices.get(usize::from(carrier.0))?.as_ref()?;
            prices.of(*key, self.network(class.network()).map(|(network, _)| *network))
        };
        self.trees.next(own.or(compiled.tree)?, tried, dice, turns, standing, price)
    }

    /// Whether the number has a say in which candidate of `route` is next.
    pub fn asks_number(&self, route: RouteId) -> bool {
        let of = |compiled: &Compiled| {
            compiled.has_targets || compiled.tree.is_some_and(|tree| self.trees.asks_price(tree))
        };
        self.numbering.place(route).is_some_and(|place| of(&self.rules[place]))
    }

    /// Whether the number has a say in which candidates `route` has at all.
    pub fn has_targets(&self, route: RouteId) -> bool {
        self.numbering.place(route).is_some_and(|place| self.rules[place].has_targets)
    }

    /// All candidates of `route` for `number`, in the order of their bits.
    pub fn candidates(&self, route: RouteId, number: &[u8]) -> &[CarrierId] {
        let Some(place) = self.numbering.place(route) else { return &[] };
        let compiled = &self.rules[place];
        let own = || self.class_of(Prefix::of_number(number)).target(place as u16);
        let tree = if compiled.has_targets { own().or(compiled.tree) } else { compiled.tree };
        tree.map_or(&[], |tree| self.trees.leaves(tree))
    }

    /// What a segment for `number` costs at `carrier`, if that is known.
    pub fn price(&self, carrier: CarrierId, number: &[u8]) -> Option<Price> {
        let key = Prefix::of_number(number);
        let network = self.network(self.class_of(key).network());
        self.prices.get(usize::from(carrier.0))?.as_ref()?.of(key, network.map(|(network, _)| *network))
    }

    /// Octets that the tables of numbers, classes, masks and prices take.
    pub fn octets(&self) -> usize {
        let prices: usize = self.prices.iter().flatten().map(Prices::octets).sum();
        self.spans.octets() + self.classes.octets() + self.masks.octets() + prices
    }

    #[inline]
    fn spot(&self, key: u64) -> Spot {
        Spot(self.spans.find(key))
    }

    /// The class of the numbers at a place on the line.
    fn class_of(&self, key: u64) -> View<'_> {
        self.classes.view(self.spot(key))
    }

    /// A network by its place in classes; 0 is none.
    fn network(&self, place: u16) -> Option<&(Network, String)> {
        self.networks.get(usize::from(place).checked_sub(1)?)
    }
}

/// What chance draws by for a message: evenly spread, and the same whenever the same message is asked about. It is worked out where
/// chance has a say, which it rarely has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dice {
    /// By the serial that tells it from others.
    OfSerial(u64),
    /// What [`dice`] made of whatever else does.
    Cast(u64),
}

impl Dice {
    /// The draw itself.
    pub fn cast(self) -> u64 {
        match self {
            Self::OfSerial(serial) => dice(&[&serial.to_be_bytes()]),
            Self::Cast(cast) => cast,
        }
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

/// One of 256 heaps that sources are told apart by.
fn bucket(source: &[u8]) -> u8 {
    let at = |place: usize| source.get(place).copied().unwrap_or_default();
    let [middle, last] = [at(source.len() / 2), at(source.len().wrapping_sub(1))];
    (source.len() as u8).wrapping_mul(89) ^ last.wrapping_mul(7) ^ middle.rotate_left(3)
}

/// The rule that [[route.prefix]] makes.
pub const PREFIXES: &str = "prefix";
/// The rule that route.default makes.
pub const DEFAULT: &str = "default";

#[cfg(test)]
mod tests;
