//! Whose an inbound message is: by where it came from, whom it was sent to, and its first word.
//!
//! The most exact rule wins: first by the destination (the whole of it, then the longest prefix, then none), among equals one
//! with a keyword before one without, then one for a carrier before one for all.

use super::RouteError;
use crate::id::{AccountId, CarrierId};
use std::collections::BTreeMap;

/// The rules, by what they say of the destination.
#[derive(Clone, Debug, Default)]
pub struct Inbound {
    whole: BTreeMap<Box<[u8]>, Vec<Rule>>,
    prefixes: BTreeMap<Box<[u8]>, Vec<Rule>>,
    /// Octets of the longest prefix.
    longest: usize,
}

/// What fits all that it names goes to its account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Where it came from; `None`: from any carrier.
    pub carrier: Option<CarrierId>,
    pub destination: Reach,
    /// Its first word, in any case; `None`: whatever it says.
    pub keyword: Option<String>,
    pub account: AccountId,
}

/// Which destinations a rule is for. A plus sign in front doesn't count, here or there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    Any,
    Prefix(String),
    Whole(String),
}

/// What is known of a message whose account is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    pub carrier: CarrierId,
    pub destination: &'a [u8],
    /// Its first word in lower case, empty if it has none; `None`: not known yet.
    pub keyword: Option<&'a str>,
}

/// Whose a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    To(AccountId),
    /// The keyword decides, and isn't known yet.
    Depends,
    /// Nobody's.
    Nowhere,
}

impl Inbound {
    /// Takes one more rule.
    ///
    /// # Errors
    /// If one is there already that names exactly the same.
    pub fn insert(&mut self, rule: Rule) -> Result<(), RouteError> {
        let rule = Rule { keyword: rule.keyword.map(|word| word.to_lowercase()), ..rule };
        let bare = |text: &str| Box::from(strip_plus(text.as_bytes()));
        let place = match &rule.destination {
            Reach::Whole(number) => self.whole.entry(bare(number)),
            Reach::Prefix(prefix) => {
                let prefix: Box<[u8]> = bare(prefix);
                self.longest = self.longest.max(prefix.len());
                self.prefixes.entry(prefix)
            }
            Reach::Any => self.prefixes.entry(Box::default()),
        };
        let rules = place.or_default();
        if rules.iter().any(|known| (&known.keyword, known.carrier) == (&rule.keyword, rule.carrier)) {
            return Err(RouteError::Same);
        }
        rules.push(rule);
        rules.sort_by_key(|rule| (rule.keyword.is_none(), rule.carrier.is_none()));
        Ok(())
    }

    /// The account for `case`.
    pub fn choose(&self, case: &Case<'_>) -> Choice {
        let number = strip_plus(case.destination);
        let longest = self.longest.min(number.len());
        let prefixes = (0..=longest).rev().filter_map(|length| self.prefixes.get(&number[..length]));
        for rule in self.whole.get(number).into_iter().chain(prefixes).flatten() {
            if rule.carrier.is_some_and(|carrier| carrier != case.carrier) {
                continue;
            }
            match (&rule.keyword, case.keyword) {
                (None, _) => return Choice::To(rule.account),
                (Some(_), None) => return Choice::Depends,
                (Some(wanted), Some(said)) if wanted == said => return Choice::To(rule.account),
                (Some(_), Some(_)) => {} // another word
            }
        }
        Choice::Nowhere
    }
}

fn strip_plus(number: &[u8]) -> &[u8] {
    number.strip_prefix(b"+").unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NORTH: CarrierId = CarrierId(1);
    const SOUTH: CarrierId = CarrierId(2);

    fn rule(destination: Reach, account: u16) -> Rule {
        Rule { carrier: None, destination, keyword: None, account: AccountId(account) }
    }

    fn whole(number: &str) -> Reach {
        Reach::Whole(number.to_owned())
    }

    fn prefix(digits: &str) -> Reach {
        Reach::Prefix(digits.to_owned())
    }

    fn inbound(rules: impl IntoIterator<Item = Rule>) -> Inbound {
        let mut inbound = Inbound::default();
        for rule in rules {
            inbound.insert(rule).expect("each is there once");
        }
        inbound
    }

    fn chosen(inbound: &Inbound, destination: &[u8], keyword: Option<&str>) -> Choice {
        inbound.choose(&Case { carrier: NORTH, destination, keyword })
    }

    #[test]
    fn whole_number_wins_over_the_longest_prefix_and_that_over_none() {
        let rules = [
            rule(Reach::Any, 0),
            rule(prefix("44"), 1),
            rule(prefix("+4477"), 2),
            rule(whole("447700"), 3),
            rule(whole("+SHOP"), 4),
        ];
        let inbound = inbound(rules);

        for (destination, account) in [
            ("447700", 3),
            ("+447700", 3),
            ("4477001", 2),
            ("4478", 1),
            ("4", 0),
            ("", 0),
            ("SHOP", 4),
            ("SHOPS", 0),
        ] {
            assert_eq!(
                chosen(&inbound, destination.as_bytes(), None),
                Choice::To(AccountId(account)),
                "{destination}"
            );
        }
    }

    #[test]
    fn keyword_wins_over_none_and_is_asked_for_only_where_it_counts() {
        let stop = Rule { keyword: Some("Stop".into()), ..rule(whole("1000"), 1) };
        let far = Rule { keyword: Some("NEWS".into()), ..rule(Reach::Any, 2) };
        let inbound = inbound([stop, far, rule(prefix("1"), 3), rule(whole("7"), 4)]);

        assert_eq!(chosen(&inbound, b"1000", None), Choice::Depends);
        assert_eq!(chosen(&inbound, b"1000", Some("stop")), Choice::To(AccountId(1)));
        assert_eq!(chosen(&inbound, b"1000", Some("go")), Choice::To(AccountId(3)));
        assert_eq!(chosen(&inbound, b"1001", None), Choice::To(AccountId(3)), "a longer prefix wins first");
        assert_eq!(chosen(&inbound, b"2000", Some("news")), Choice::To(AccountId(2)));
        assert_eq!(chosen(&inbound, b"2000", Some("")), Choice::Nowhere);
        assert_eq!(chosen(&inbound, b"7", None), Choice::To(AccountId(4)));
    }

    #[test]
    fn rule_of_a_carrier_counts_for_that_carrier_and_before_one_for_all() {
        let own = |carrier, account| Rule { carrier: Some(carrier), ..rule(whole("1000"), account) };
        let inbound = inbound([rule(whole("1000"), 0), own(NORTH, 1), own(SOUTH, 2)]);

        for (carrier, account) in [(NORTH, 1), (SOUTH, 2), (CarrierId(3), 0)] {
            let case = Case { carrier, destination: b"1000", keyword: None };
            assert_eq!(inbound.choose(&case), Choice::To(AccountId(account)));
        }
    }

    #[test]
    fn second_rule_for_the_same_messages_is_a_fault() {
        let mut inbound = inbound([rule(whole("+1000"), 0)]);

        assert_eq!(inbound.insert(rule(whole("1000"), 1)), Err(RouteError::Same));
        assert_eq!(inbound.insert(rule(prefix("1000"), 1)), Ok(()));
        let word = |word: &str| Rule { keyword: Some(word.into()), ..rule(whole("1000"), 1) };
        assert_eq!(inbound.insert(word("stop")), Ok(()));
        assert_eq!(inbound.insert(word("STOP")), Err(RouteError::Same));
    }

    #[test]
    fn without_rules_nothing_goes_anywhere() {
        assert_eq!(chosen(&Inbound::default(), b"1000", None), Choice::Nowhere);
    }
}
