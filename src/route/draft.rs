//! Routes as they are written, and what they are made into.

use super::class::{CLASS_MAX, ClassMaker, Step};
use super::mask::{MaskMaker, Masks};
use super::network::{Network, Networks};
use super::numbering::Numbering;
use super::price::{PriceList, Prices};
use super::rule::{Pattern, Rule, SourceKind};
use super::span::{Line, Prefix};
use super::tree::{TreeError, Trees};
use super::{Compiled, Filters, Group, Routes, Target, bucket};
use crate::id::CarrierId;
use foldhash::HashMap;
use thiserror::Error;

/// Routes as they are written: everything by its place in these lists.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// How many accounts there are.
    pub accounts: usize,
    /// In the order in which they are tried; at most [`RULES_MAX`].
    pub rules: Vec<Rule>,
    pub groups: Vec<Group>,
    pub plan: NumberPlan,
    pub prices: Vec<(CarrierId, PriceList)>,
}

/// Which network a number is of.
#[derive(Clone, Debug, Default)]
pub struct NumberPlan {
    /// A prefix, the place of its network, and where that is written.
    pub rows: Vec<(Prefix, u16, u32)>,
    /// Networks and what people call them; at most 65 534.
    pub networks: Vec<(Network, String)>,
}

/// What is wrong with a draft. Origins are those that its rows were given.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DraftFault {
    #[error("{prefix} is there twice")]
    RuleTwice { rule: u16, prefix: Prefix, origin: u32, before: u32 },
    #[error("{prefix} is there twice")]
    PlanTwice { prefix: Prefix, origin: u32, before: u32 },
    #[error("{what} is there twice")]
    PriceTwice { carrier: CarrierId, what: String, origin: u32, before: u32 },
    #[error("is within itself")]
    Cycle(u16),
    #[error("has more than {} carriers, those of its groups included", super::LEAVES_MAX)]
    Leaves(u16),
    #[error("has groups within groups more than {} deep", super::DEPTH_MAX)]
    Deep(u16),
    /// So many prefixes, of all rules and the number plan.
    #[error("which of {0} prefixes fit a number differs in too many ways: there is room for 2 GiB of them")]
    Classes(usize),
}

/// A row of any table, on its way to the line of numbers.
#[derive(Clone, Copy)]
struct Item {
    prefix: Prefix,
    step: Step,
    origin: u32,
}

impl Draft {
    /// Makes routes of it.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn build(self) -> Result<Routes, Vec<DraftFault>> {
        self.build_within(CLASS_MAX)
    }

    /// As [`Draft::build`], with classes of numbers up to that word.
    pub(super) fn build_within(self, last_class: u32) -> Result<Routes, Vec<DraftFault>> {
        let mut faults = Vec::new();
        let (trees, carriers) = self.trees(&mut faults);
        let tree_of = |target: Target| match target {
            Target::Group(place) => Some(place),
            Target::Carrier(carrier) => carriers.get(&carrier).copied(),
        };
        let items = self.items(tree_of);
        note_twice(&items, &mut faults);
        self.note_twice_priced(&mut faults);
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut classes = ClassMaker::new(last_class);
        let steps = items.iter().map(|item| (item.prefix, item.step));
        let line = Line::sweep(steps, 0, |around, step| classes.enter(around, step));
        let Some(classes) = classes.finish() else {
            return Err(vec![DraftFault::Classes(items.len())]);
        };
        let (masks, filters) = self.filters();
        let groups = self.groups.len();
        let plain = self.rules.iter().map(Rule::is_plain).collect::<Vec<_>>();
        let compile = |rule: Rule| Compiled {
            tree: rule.target.and_then(tree_of),
            has_prefixes: !rule.prefixes.is_empty(),
            has_targets: rule.prefixes.iter().flat_map(|rows| rows.iter()).any(|row| row.target.is_some()),
            rule: Rule { prefixes: Vec::new(), ..rule },
        };
        let mut prices: Vec<Option<Prices>> = Vec::new();
        for (carrier, list) in self.prices {
            let place = usize::from(carrier.0);
            prices.resize_with(prices.len().max(place + 1), || None);
            prices[place] = Some(Prices::new(list));
        }
        Ok(Routes {
            spans: line.finish(|class| classes.spot(class).0),
            classes,
            asks_network: filters.networks.iter().any(|mask| *mask != filters.networks[0]),
            networks: self.plan.networks,
            filters,
            masks,
            plain,
            asks_segments: self.rules.iter().any(Rule::asks_segments),
            numbering: Numbering::after(&[], self.rules.iter().map(|rule| rule.name.clone())),
            rules: self.rules.into_iter().map(compile).collect(),
            trees,
            groups,
            prices,
        })
    }

    /// A tree for each group, in their order, and for each carrier that a rule or a row names.
    fn trees(&self, faults: &mut Vec<DraftFault>) -> (Trees, HashMap<CarrierId, u16>) {
        let mut trees = Trees::default();
        for place in 0..self.groups.len() as u16 {
            match trees.plant(Target::Group(place), &self.groups) {
                Ok(_) => {}
                Err(TreeError::Cycle(group)) if group == place => faults.push(DraftFault::Cycle(place)),
                Err(TreeError::Cycle(_)) => {} // the groups of the cycle are faults themselves
                Err(TreeError::Leaves) => faults.push(DraftFault::Leaves(place)),
                Err(TreeError::Deep) => faults.push(DraftFault::Deep(place)),
            }
        }
        let mut carriers = HashMap::default();
        let rows = self.rules.iter().flat_map(|rule| rule.prefixes.iter().flat_map(|rows| rows.iter()));
        let targets =
            self.rules.iter().filter_map(|rule| rule.target).chain(rows.filter_map(|row| row.target));
        for target in targets {
            let Target::Carrier(carrier) = target else { continue };
            carriers.entry(carrier).or_insert_with(|| {
                trees.plant(target, &self.groups).expect("a carrier has one leaf and no groups in it")
            });
        }
        (trees, carriers)
    }

    /// All rows that have to do with numbers, in the order of their prefixes.
    fn items(&self, tree_of: impl Fn(Target) -> Option<u16>) -> Vec<Item> {
        let mut items: Vec<Item> = Vec::new();
        let plan = self.plan.rows.iter();
        // Place 0 is for numbers without a network.
        items.extend(plan.map(|(prefix, network, origin)| Item {
            prefix: *prefix,
            step: Step::Network(network + 1),
            origin: *origin,
        }));
        for (rule, written) in self.rules.iter().enumerate() {
            for row in written.prefixes.iter().flat_map(|rows| rows.iter()) {
                let step = Step::Rule(rule as u16, row.target.and_then(&tree_of));
                items.push(Item { prefix: row.prefix, step, origin: row.origin });
            }
        }
        items.sort_unstable_by_key(|item| (item.prefix, item.step.place(), item.origin));
        items
    }

    fn note_twice_priced(&self, faults: &mut Vec<DraftFault>) {
        for (carrier, list) in &self.prices {
            let mut rows: Vec<_> =
                list.prefixes.iter().map(|(prefix, _, origin)| (*prefix, *origin)).collect();
            rows.sort_unstable();
            for pair in rows.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
                let (what, before, origin) = (pair[1].0.to_string(), pair[0].1, pair[1].1);
                faults.push(DraftFault::PriceTwice { carrier: *carrier, what, origin, before });
            }
            let mut known: HashMap<Networks, u32> = HashMap::default();
            for (network, _, origin) in &list.networks {
                if let Some(before) = known.insert(*network, *origin) {
                    let (carrier, what, origin) = (*carrier, network.to_string(), *origin);
                    faults.push(DraftFault::PriceTwice { carrier, what, origin, before });
                }
            }
        }
    }

    /// Which rules are in play, by what of a message can be looked up.
    fn filters(&self) -> (Masks, Filters) {
        let rules = &self.rules;
        let mut maker = MaskMaker::new(rules.len());
        let strangers = maker.make(|rule| rules[rule].accounts.is_none());
        let base = maker.words(strangers);
        let mut named: Vec<Vec<usize>> = vec![Vec::new(); self.accounts];
        for (place, rule) in rules.iter().enumerate() {
            for account in rule.accounts.iter().flatten() {
                if let Some(named) = named.get_mut(usize::from(account.0)) {
                    named.push(place);
                }
            }
        }
        let accounts = named.into_iter().map(|rules| maker.with(&base, rules.into_iter())).collect();
        let anywhere = maker.make(|rule| rules[rule].prefixes.is_empty());
        let networks =
            std::iter::once(None).chain(self.plan.networks.iter().map(|(network, _)| Some(*network)));
        let networks = networks
            .map(|network| {
                maker.make(|rule| {
                    let wanted = &rules[rule].networks;
                    wanted.is_empty()
                        || network.is_some_and(|network| wanted.iter().any(|known| known.have(network)))
                })
            })
            .collect();
        let kinds = SourceKind::ALL.map(|kind| {
            maker.make(|rule| rules[rule].source_kinds == 0 || rules[rule].source_kinds & kind.bit() != 0)
        });
        let anywhere_words = maker
            .words(anywhere)
            .iter()
            .enumerate()
            .fold(0, |bits, (place, word)| bits | u64::from(*word != 0) << place);
        let mut by_octet = |fits: &dyn Fn(&Rule, u8) -> bool| -> Box<[u16]> {
            (0..=u8::MAX).map(|octet| maker.make(|rule| fits(&rules[rule], octet))).collect()
        };
        let codings = by_octet(&|rule, coding| rule.codings.is_empty() || rule.codings.contains(&coding));
        let priorities =
            by_octet(&|rule, priority| rule.priorities.is_empty() || rule.priorities.contains(&priority));
        let any = |rule: &Rule, can: &dyn Fn(&Pattern) -> bool| {
            rule.sources.is_empty() || rule.sources.iter().any(can)
        };
        let firsts =
            by_octet(&|rule, first| any(rule, &|source| source.first().is_none_or(|known| known == first)));
        let buckets = by_octet(&|rule, heap| {
            any(rule, &|source| source.exact().is_none_or(|known| bucket(known) == heap))
        });
        let filters = Filters {
            strangers,
            anywhere,
            anywhere_words,
            networks,
            accounts,
            kinds,
            codings,
            priorities,
            firsts,
            buckets,
        };
        (maker.finish(), filters)
    }
}

/// Rows that stand twice in one set.
fn note_twice(items: &[Item], faults: &mut Vec<DraftFault>) {
    for pair in items.windows(2) {
        let [Item { prefix, step, origin: before }, next] = pair else { continue };
        if next.prefix != *prefix || next.step.place() != step.place() {
            continue;
        }
        let (prefix, before, origin) = (*prefix, *before, next.origin);
        faults.push(match *step {
            Step::Network(_) => DraftFault::PlanTwice { prefix, origin, before },
            Step::Rule(rule, _) => DraftFault::RuleTwice { rule, prefix, origin, before },
        });
    }
}

/// Rules in all.
pub const RULES_MAX: usize = 4096;
