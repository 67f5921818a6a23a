//! Whither: the carrier for a destination, by longest prefix ([`Table`]); the account for an inbound message ([`Inbound`]).
//!
//! A digit trie in one vector; a step a digit, no allocation in [`Table::choose`].

mod inbound;

pub use inbound::{Case, Choice, Failover, Inbound, Reach, Rule};

use crate::id::CarrierId;
use thiserror::Error;

/// Prefixes and where they lead.
#[derive(Clone, Debug)]
pub struct Table {
    default: Option<CarrierId>,
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
    /// A table that sends everything to `default`, or nothing anywhere.
    pub fn new(default: Option<CarrierId>) -> Self {
        Self { default, nodes: vec![Node { carrier: None, next: [NONE; 10] }] }
    }

    /// Sends numbers that begin with `prefix` (digits only, international form) to `carrier`.
    ///
    /// # Errors
    /// A prefix that isn't made of digits, or that is there already.
    pub fn insert(&mut self, prefix: &str, carrier: CarrierId) -> Result<(), RouteError> {
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
    pub fn choose(&self, destination: &[u8]) -> Option<CarrierId> {
        let digits = destination.strip_prefix(b"+").unwrap_or(destination);
        let (mut at, mut best) = (0, self.nodes[0].carrier.or(self.default));
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

    #[test]
    fn longest_prefix_wins_and_the_rest_goes_to_the_default() {
        let mut table = Table::new(Some(CarrierId(0)));
        table.insert("44", CarrierId(1)).expect("new");
        table.insert("447700", CarrierId(2)).expect("new");

        assert_eq!(table.choose(b"447700900123"), Some(CarrierId(2)));
        assert_eq!(table.choose(b"+4477"), Some(CarrierId(1)));
        assert_eq!(table.choose(b"4917012345"), Some(CarrierId(0)));
        assert_eq!(table.choose(b"SHORT"), Some(CarrierId(0)));
    }

    #[test]
    fn without_a_default_unknown_numbers_have_no_route() {
        let mut table = Table::new(None);
        table.insert("44", CarrierId(1)).expect("new");

        assert_eq!(table.choose(b"49170"), None);
    }

    #[test]
    fn faulty_prefixes_are_named() {
        let mut table = Table::new(None);
        table.insert("44", CarrierId(1)).expect("new");

        assert_eq!(table.insert("44", CarrierId(2)), Err(RouteError::Twice("44".into())));
        assert_eq!(table.insert("4a", CarrierId(2)), Err(RouteError::NotDigits("4a".into())));
    }
}
