//! What carriers charge for a message, by prefix or by network.

use super::network::{Network, Networks};
use super::span::{Line, Prefix, Spans};
use std::fmt;

/// What one segment costs, in millionths of whatever the operator counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(pub u64);

/// A carrier's prices as they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceList {
    pub prefixes: Vec<(Prefix, Price, u32)>,
    pub networks: Vec<(Networks, Price, u32)>,
    /// Of all the rest.
    pub rest: Option<Price>,
}

/// A carrier's prices, to be looked up.
#[derive(Clone, Debug)]
pub(super) struct Prices {
    spans: Spans,
    prices: Vec<Price>,
    /// Both in order.
    networks: Vec<(Network, Price)>,
    countries: Vec<(u16, Price)>,
    rest: Option<Price>,
}

impl Price {
    /// Reads a decimal number with up to six places ("0.0125").
    pub fn read(text: &str) -> Option<Self> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
        if !is_number(whole) || !is_number(part) || whole.len() > 9 || part.len() > 6 {
            return None;
        }
        let millionths: u64 = format!("{part:0<6}").parse().ok()?;
        Some(Self(whole.parse::<u64>().ok()? * 1_000_000 + millionths))
    }
}

impl fmt::Display for Price {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = format!("{:06}", self.0 % 1_000_000);
        let part = part.trim_end_matches('0');
        write!(out, "{}", self.0 / 1_000_000)?;
        if part.is_empty() { Ok(()) } else { write!(out, ".{part}") }
    }
}

impl Prices {
    /// Rows that stand twice: the first one counts.
    pub fn new(mut list: PriceList) -> Self {
        list.prefixes.sort_unstable();
        list.prefixes.dedup_by_key(|(prefix, ..)| *prefix);
        let mut prices: Vec<Price> = list.prefixes.iter().map(|(_, price, _)| *price).collect();
        prices.sort_unstable();
        prices.dedup();
        let place = |price: Price| prices.binary_search(&price).map_or(NONE, |place| place as u32);
        let items = list.prefixes.iter().map(|(prefix, price, _)| (*prefix, place(*price)));
        let spans = Line::sweep(items, NONE, |_, place| place).finish(u64::from);
        let (mut networks, mut countries) = (Vec::new(), Vec::new());
        for (network, price, _) in list.networks {
            match network {
                Networks::One(network) => networks.push((network, price)),
                Networks::Country(mcc) => countries.push((mcc, price)),
            }
        }
        networks.sort_by_key(|(network, _)| *network);
        countries.sort_by_key(|(mcc, _)| *mcc);
        Self { spans, prices, networks, countries, rest: list.rest }
    }

    /// The price for a place on the line of numbers and its network: by the longest prefix, or else by network, by country,
    /// or what all the rest costs.
    pub fn of(&self, key: u64, network: Option<Network>) -> Option<Price> {
        if let Some(price) = self.prices.get(self.spans.find(key) as usize) {
            return Some(*price);
        }
        network.and_then(|network| self.by_network(network)).or(self.rest)
    }

    fn by_network(&self, network: Network) -> Option<Price> {
        let one = self.networks.binary_search_by_key(&network, |(known, _)| *known).ok();
        let country = || self.countries.binary_search_by_key(&network.mcc(), |(mcc, _)| *mcc).ok();
        one.map(|place| self.networks[place].1).or_else(|| country().map(|place| self.countries[place].1))
    }

    /// Octets that they take.
    pub fn octets(&self) -> usize {
        let networks = self.networks.capacity() + self.countries.capacity();
        self.spans.octets() + self.prices.capacity() * 8 + networks * size_of::<(Network, Price)>()
    }
}

/// No price.
const NONE: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    fn price(text: &str) -> Price {
        Price::read(text).expect("a price")
    }

    #[test]
    fn prices_are_decimal_numbers_and_exact() {
        assert_eq!(price("0.0125"), Price(12_500));
        assert_eq!(price("12"), Price(12_000_000));
        assert_eq!((price("0.100000").to_string(), price("7").to_string()), ("0.1".into(), "7".into()));
        for text in ["", ".5", "1.", "-1", "0.0000001", "1e3", "0,5", "9999999999"] {
            assert_eq!(Price::read(text), None, "{text}");
        }
    }

    #[test]
    fn longest_prefix_comes_before_network_country_and_rest() {
        let network = |mnc| Network::read("262", mnc).expect("digits");
        let prefix = |digits, cost| (Prefix::read(digits).expect("digits"), price(cost), 0);
        let by_network = |text, cost| (Networks::read(text).expect("one"), price(cost), 0);
        let prices = Prices::new(PriceList {
            prefixes: vec![prefix("49", "0.05"), prefix("4917", "0.07")],
            networks: vec![by_network("262", "0.04"), by_network("262-01", "0.03")],
            rest: Some(price("1")),
        });

        let of = |number: &str, network| prices.of(Prefix::of_number(number.as_bytes()), network);
        assert_eq!(of("491701", Some(network("01"))), Some(price("0.07")));
        assert_eq!(of("4930", None), Some(price("0.05")));
        assert_eq!(of("44", Some(network("01"))), Some(price("0.03")));
        assert_eq!(of("44", Some(network("02"))), Some(price("0.04")));
        assert_eq!(of("44", None), Some(price("1")));
    }
}
