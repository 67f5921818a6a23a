//! Targets: carriers and groups of them, nested; and which carrier is next.

use super::price::Price;
use super::rule::{draw, salt};
use super::{Dice, Group, GroupKind, Leaf, Standing, Target, Tried, Turns};
use crate::id::CarrierId;

/// All targets, each a tree of its own whose leaves are carriers.
#[derive(Clone, Debug, Default)]
pub(super) struct Trees {
    trees: Vec<Tree>,
    nodes: Vec<Node>,
    members: Vec<Member>,
    leaves: Vec<CarrierId>,
}

#[derive(Clone, Copy, Debug)]
struct Tree {
    root: u32,
    first_leaf: u32,
    leaves: u8,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    kind: Kind,
    /// Its leaves, as bits.
    mask: u32,
    first_member: u32,
    members: u32,
    /// Of a group: its place.
    group: u16,
    salt: u64,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Leaf(u8),
    Group(GroupKind),
}

#[derive(Clone, Copy, Debug)]
struct Member {
    node: u32,
    weight: u32,
}

/// Why there is no tree for a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TreeError {
    /// That group is within itself.
    Cycle(u16),
    /// More leaves than bits.
    Leaves,
    /// Deeper than is looked.
    Deep,
}

/// What decides among candidates.
struct Question<'q, P> {
    trees: &'q Trees,
    dice: Dice,
    turns: &'q Turns,
    loads: [u16; LEAVES_MAX],
    first_leaf: usize,
    price: P,
}

impl Trees {
    /// Makes a tree; gives its place.
    pub fn plant(&mut self, target: Target, groups: &[Group]) -> Result<u16, TreeError> {
        let first_leaf = self.leaves.len();
        let (nodes, members) = (self.nodes.len(), self.members.len());
        match self.grow(target, groups, &mut Vec::new(), first_leaf) {
            Ok(root) => {
                let leaves = (self.leaves.len() - first_leaf) as u8;
                self.trees.push(Tree { root, first_leaf: first_leaf as u32, leaves });
                Ok(self.trees.len() as u16 - 1)
            }
            Err(error) => {
                self.leaves.truncate(first_leaf);
                self.nodes.truncate(nodes);
                self.members.truncate(members);
                Err(error)
            }
        }
    }

    fn grow(
        &mut self,
        target: Target,
        groups: &[Group],
        within: &mut Vec<u16>,
        first_leaf: usize,
    ) -> Result<u32, TreeError> {
        let node = match target {
            Target::Carrier(carrier) => {
                let bit = self.leaves.len() - first_leaf;
                if bit >= LEAVES_MAX {
                    return Err(TreeError::Leaves);
                }
                self.leaves.push(carrier);
                let kind = Kind::Leaf(bit as u8);
                Node { kind, mask: 1 << bit, first_member: 0, members: 0, group: 0, salt: 0 }
            }
            Target::Group(place) => {
                if within.contains(&place) {
                    return Err(TreeError::Cycle(place));
                }
                if within.len() == DEPTH_MAX {
                    return Err(TreeError::Deep);
                }
                within.push(place);
                let group = &groups[usize::from(place)];
                let mut members = Vec::new();
                for (target, weight) in &group.members {
                    let node = self.grow(*target, groups, within, first_leaf)?;
                    members.push(Member { node, weight: *weight });
                }
                within.pop();
                let mask =
                    members.iter().fold(0, |mask, member| mask | self.nodes[member.node as usize].mask);
                let first_member = self.members.len() as u32;
                self.members.extend_from_slice(&members);
                Node {
                    kind: Kind::Group(group.kind),
                    mask,
                    first_member,
                    members: members.len() as u32,
                    group: place,
                    salt: salt(&group.name),
                }
            }
        };
        self.nodes.push(node);
        Ok(self.nodes.len() as u32 - 1)
    }

    /// The leaves of a tree, in the order of their bits.
    pub fn leaves(&self, tree: u16) -> &[CarrierId] {
        let tree = self.trees[usize::from(tree)];
        &self.leaves[tree.first_leaf as usize..][..usize::from(tree.leaves)]
    }

    /// Whether prices have a say in a tree.
    pub fn asks_price(&self, tree: u16) -> bool {
        self.asks_price_below(&self.nodes[self.trees[usize::from(tree)].root as usize])
    }

    fn asks_price_below(&self, node: &Node) -> bool {
        matches!(node.kind, Kind::Group(GroupKind::Cheapest))
            || self.members(node).any(|(member, _)| self.asks_price_below(member))
    }

    /// The best candidate that isn't tried yet.
    pub fn next(
        &self,
        tree: u16,
        tried: Tried,
        dice: Dice,
        turns: &mut Turns,
        standing: impl Fn(CarrierId) -> Standing,
        price: impl Fn(CarrierId) -> Option<Price>,
    ) -> Option<Leaf> {
        let Tree { root, first_leaf, .. } = self.trees[usize::from(tree)];
        let root = &self.nodes[root as usize];
        let (mut loads, mut usable, mut left) = ([0; LEAVES_MAX], 0, root.mask & !tried.0);
        let untried = left;
        while left != 0 {
            let bit = left.trailing_zeros() as usize;
            left &= left - 1;
            let standing = standing(self.leaves[first_leaf as usize + bit]);
            loads[bit] = standing.load;
            usable |= u32::from(standing.usable) << bit;
        }
        let among = if usable == 0 { untried } else { usable };
        if among == 0 {
            return None;
        }
        let first_leaf = first_leaf as usize;
        let question = Question { trees: self, dice, turns, loads, first_leaf, price };
        let bit = question.pick(root, among);
        self.pass_turns(root, bit, turns);
        Some(Leaf {
            carrier: self.leaves[first_leaf + usize::from(bit)],
            bit,
            usable: usable >> bit & 1 != 0,
        })
    }

    fn members(&self, node: &Node) -> impl Iterator<Item = (&Node, u32)> {
        let members = &self.members[node.first_member as usize..][..node.members as usize];
        members.iter().map(|member| (&self.nodes[member.node as usize], member.weight))
    }

    /// The turn goes on in each group that takes turns on the way to a leaf.
    fn pass_turns(&self, root: &Node, bit: u8, turns: &mut Turns) {
        let mut node = root;
        while let Kind::Group(kind) = node.kind {
            let mut members = self.members(node).enumerate();
            let Some((place, (member, _))) = members.find(|(_, (member, _))| member.mask >> bit & 1 != 0)
            else {
                return;
            };
            if kind == GroupKind::RoundRobin {
                turns.pass(node.group, place as u32 + 1);
            }
            node = member;
        }
    }
}

impl<P: Fn(CarrierId) -> Option<Price>> Question<'_, P> {
    /// The bit of the best leaf among some, one of which is in `node`.
    fn pick(&self, node: &Node, among: u32) -> u8 {
        let kind = match node.kind {
            Kind::Leaf(bit) => return bit,
            Kind::Group(kind) => kind,
        };
        let members = || self.trees.members(node).filter(|(member, _)| member.mask & among != 0);
        let mut members_left = members();
        let first = members_left.next();
        let best = match kind {
            _ if members_left.next().is_none() => first,
            GroupKind::Failover => first,
            GroupKind::Weighted => {
                let total = members().map(|(_, weight)| weight).sum();
                let drawn = draw(self.dice.cast(), node.salt, total);
                let mut sum = 0;
                members().find(|(_, weight)| {
                    sum += weight;
                    drawn < sum
                })
            }
            GroupKind::RoundRobin => {
                let turn = self.turns.of(node.group) as usize;
                let in_order = || self.trees.members(node).enumerate();
                let mut left = in_order().filter(|(_, (member, _))| member.mask & among != 0);
                left.find(|(place, _)| *place >= turn).map(|(_, member)| member).or(first)
            }
            GroupKind::LeastLoaded => {
                members().min_by_key(|(member, _)| self.loads[usize::from(self.pick(member, among))])
            }
            GroupKind::Cheapest => members().min_by_key(|(member, _)| {
                let leaf = usize::from(self.pick(member, among));
                let price = (self.price)(self.trees.leaves[self.first_leaf + leaf]);
                (price.is_none(), price) // what has no price comes last
            }),
        };
        let (member, _) = best.expect("one of the members has a leaf that is among them");
        self.pick(member, among)
    }
}

/// Carriers in one tree: bits of [`Tried`].
pub const LEAVES_MAX: usize = 32;
/// Groups within groups.
pub const DEPTH_MAX: usize = 8;
