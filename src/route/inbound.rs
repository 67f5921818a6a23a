//! Whose an inbound message is: by where it came from, whom it was sent to, and its first word.
//!
//! The most exact rule wins: first by the destination (the whole of it, then the longest prefix, then none), among equals one
//! with a keyword before one without, then by the source (the whole of it, then the longest prefix, then none), then one for a
//! carrier before one for all.

use super::RouteError;
use crate::id::{AccountId, CarrierId};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

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
    /// Who wrote it.
    pub source: Reach,
    /// Its first word, in any case; `None`: whatever it says.
    pub keyword: Option<String>,
    pub account: AccountId,
    /// Who gets it if the account isn't there.
    pub failover: Option<Failover>,
}

impl Rule {
    /// What goes to `destination` is `account`'s, whatever else is known of it.
    pub fn new(destination: Reach, account: AccountId) -> Self {
        Self { carrier: None, destination, source: Reach::Any, keyword: None, account, failover: None }
    }
}

/// Who gets what is for an account that isn't there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failover {
    pub account: AccountId,
    /// How long the first account may have no session that receives before it does.
    pub after: Duration,
}

/// Which numbers a rule is for. A plus sign in front doesn't count, here or there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    #[default]
    Any,
    Prefix(String),
    Whole(String),
}

/// What is known of a message whose account is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    pub carrier: CarrierId,
    pub destination: &'a [u8],
    pub source: &'a [u8],
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
        let rule = Rule {
            keyword: rule.keyword.map(|word| word.to_lowercase()),
            source: rule.source.bare(),
            ..rule
        };
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
        let names = |rule: &Rule| (rule.keyword.clone(), rule.source.clone(), rule.carrier);
        if rules.iter().any(|known| names(known) == names(&rule)) {
            return Err(RouteError::Same);
        }
        rules.push(rule);
        rules.sort_by_key(|rule| (rule.keyword.is_none(), rule.source.width(), rule.carrier.is_none()));
        Ok(())
    }

    /// The account for `case`.
    pub fn choose(&self, case: &Case<'_>) -> Choice {
        for rule in self.rules_for(case) {
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

    /// Who gets a message that is for `account` if that isn't there. Which of its rules it came by is told by its addresses alone:
    /// what else was known of it when it came need not be known any more.
    pub fn failover_of(&self, account: AccountId, case: &Case<'_>) -> Option<Failover> {
        self.rules_for(case).find(|rule| rule.account == account && rule.failover.is_some())?.failover
    }

    /// Accounts that have a failover by some rule, and after how long; each pair once.
    pub fn failing_over(&self) -> BTreeSet<(AccountId, Duration)> {
        let rules = self.whole.values().chain(self.prefixes.values()).flatten();
        rules.filter_map(|rule| rule.failover.map(|failover| (rule.account, failover.after))).collect()
    }

    /// Rules for the addresses of `case`, the most exact first.
    fn rules_for<'a>(&'a self, case: &Case<'a>) -> impl Iterator<Item = &'a Rule> {
        let (number, source) = (strip_plus(case.destination), strip_plus(case.source));
        let longest = self.longest.min(number.len());
        let prefixes = (0..=longest).rev().filter_map(move |length| self.prefixes.get(&number[..length]));
        let rules = self.whole.get(number).into_iter().chain(prefixes).flatten();
        rules.filter(move |rule| rule.source.reaches(source))
    }
}

impl Reach {
    /// Without a plus sign in front.
    fn bare(self) -> Self {
        let strip = |text: String| text.strip_prefix('+').map_or(text.clone(), str::to_owned);
        match self {
            Self::Any => Self::Any,
            Self::Prefix(text) => Self::Prefix(strip(text)),
            Self::Whole(text) => Self::Whole(strip(text)),
        }
    }

    /// Whether it is for a number that has no plus sign.
    fn reaches(&self, number: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Prefix(prefix) => number.starts_with(prefix.as_bytes()),
            Self::Whole(whole) => whole.as_bytes() == number,
        }
    }

    /// The less it leaves open the smaller.
    fn width(&self) -> usize {
        match self {
            Self::Whole(_) => 0,
            Self::Prefix(prefix) => usize::MAX - 1 - prefix.len(),
            Self::Any => usize::MAX,
        }
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
        Rule::new(destination, AccountId(account))
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
        inbound.choose(&Case { carrier: NORTH, destination, source: b"447700900123", keyword })
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
            let case = Case { carrier, destination: b"1000", source: b"", keyword: None };
            assert_eq!(inbound.choose(&case), Choice::To(AccountId(account)));
        }
    }

    #[test]
    fn rule_of_a_source_counts_for_that_source_and_the_most_exact_before_the_others() {
        let from = |source, account| Rule { source, ..rule(whole("1000"), account) };
        let word = Rule { keyword: Some("news".into()), ..rule(whole("1000"), 4) };
        let inbound = inbound([
            rule(whole("1000"), 0),
            from(prefix("+44"), 1),
            from(prefix("4477"), 2),
            from(whole("447700900123"), 3),
            word,
        ]);

        for (source, account) in [
            ("447700900123", 3),
            ("+447700900123", 3),
            ("447700900124", 2),
            ("4478", 1),
            ("49170", 0),
            ("", 0),
        ] {
            let case =
                Case { carrier: NORTH, destination: b"1000", source: source.as_bytes(), keyword: Some("") };
            assert_eq!(inbound.choose(&case), Choice::To(AccountId(account)), "{source}");
            let said = Case { keyword: Some("news"), ..case };
            assert_eq!(inbound.choose(&said), Choice::To(AccountId(4)), "a keyword wins over a source");
        }
    }

    #[test]
    fn failover_is_told_by_the_addresses_alone() {
        let after = |seconds| Duration::from_secs(seconds);
        let to = |account, seconds| Some(Failover { account: AccountId(account), after: after(seconds) });
        let inbound = inbound([
            Rule { failover: to(7, 30), ..rule(whole("1000"), 1) },
            Rule { failover: to(8, 10), carrier: Some(SOUTH), ..rule(prefix("1"), 1) },
            rule(Reach::Any, 2),
        ]);
        let of = |account, destination: &[u8]| {
            let case = Case { carrier: NORTH, destination, source: b"", keyword: None };
            inbound.failover_of(AccountId(account), &case)
        };

        assert_eq!((of(1, b"1000"), of(1, b"1001"), of(1, b"2000")), (to(7, 30), to(8, 10), None));
        assert_eq!(of(2, b"1000"), None);
        assert_eq!(
            inbound.failing_over(),
            BTreeSet::from([(AccountId(1), after(10)), (AccountId(1), after(30))])
        );
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
