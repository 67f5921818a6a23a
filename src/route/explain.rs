//! Why a message goes where it goes.

use super::price::Price;
use super::rule::{Condition, SourceKind};
use super::span::Prefix;
use super::{Case, Leaf, RouteId, Routes, Standing, Tried, Turns};
use crate::id::CarrierId;

/// What [`Routes::decide`] and [`Routes::next`] do with a case, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The network of the destination by the number plan, and what people call it.
    pub network: Option<(String, String)>,
    pub source_kind: SourceKind,
    /// The rules that were looked at, in order, each with the first condition that the case doesn't fit; `None` only for the
    /// last one, which won.
    pub rules: Vec<(RouteId, Option<Condition>)>,
    /// The rule that won.
    pub route: Option<RouteId>,
    /// The carriers in the order in which they would be tried if each refused it.
    pub candidates: Vec<Candidate>,
}

/// A carrier that a message may go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub leaf: Leaf,
    /// What a segment costs there.
    pub price: Option<Price>,
    pub standing: Standing,
}

impl Routes {
    /// Tells which rule wins for a case and why none before it does, and every candidate in order. Nobody's turn passes.
    pub fn explain(
        &self,
        case: &Case<'_>,
        turns: &Turns,
        standing: impl Fn(CarrierId) -> Standing,
    ) -> Explanation {
        let number = case.sm.destination.addr;
        let key = Prefix::of_number(number);
        let class = self.class_of(key);
        let network = self.network(class.network());
        let mut rules = Vec::new();
        for (place, compiled) in self.rules.iter().enumerate() {
            let rule = &compiled.rule;
            let early = rule.misses_early(case);
            let missed = if early == Some(Condition::Account) {
                early
            } else if compiled.has_prefixes && !class.has(place as u16) {
                Some(Condition::Prefix)
            } else if !rule.networks.is_empty()
                && !network.is_some_and(|(network, _)| rule.networks.iter().any(|known| known.have(*network)))
            {
                Some(Condition::Network)
            } else {
                early.or_else(|| rule.misses(case))
            };
            rules.push((self.numbering.id(place), missed));
            if missed.is_none() {
                break;
            }
        }
        let route = rules.last().filter(|(_, missed)| missed.is_none()).map(|(route, _)| *route);
        let (mut candidates, mut tried, mut turns) = (Vec::new(), Tried::default(), turns.clone());
        while let Some(leaf) =
            route.and_then(|route| self.next(route, number, tried, case.dice, &mut turns, &standing))
        {
            tried = tried.and(leaf);
            let price = self.price(leaf.carrier, number);
            candidates.push(Candidate { leaf, price, standing: standing(leaf.carrier) });
        }
        Explanation {
            network: network.map(|(network, name)| (network.to_string(), name.clone())),
            source_kind: SourceKind::of(&case.sm.source),
            rules,
            route,
            candidates,
        }
    }
}
