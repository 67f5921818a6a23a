//! What routes decide, against a plain reading of the same rules; and how groups choose.

use super::*;
use crate::codec::{Address, Tag, put_tlv};
use crate::codec::{Reading, Tlvs};
use bytes::BytesMut;
use proptest::prelude::*;

const SOME: Option<CarrierId> = Some(CarrierId(0));

/// The carrier for `number`.
fn chosen(routes: &Routes, number: &str) -> Option<CarrierId> {
    let destination = Address { addr: number.as_bytes(), ..Address::default() };
    let sm = Sm { destination, ..Sm::default() };
    let case = Case { account: AccountId(0), sm: &sm, segments: 1, due: UnixMs(0), dice: DICE };
    let standing = |_| Standing { usable: true, load: 0 };
    let route = routes.decide(&case)?;
    let leaf = routes.next(route, number.as_bytes(), Tried::default(), DICE, &mut Turns::default(), standing);
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
/// Where chance has no say.
const DICE: Dice = Dice::Cast(0);
const READY: Standing = Standing { usable: true, load: 0 };

fn to(carrier: u16) -> Option<Target> {
    Some(Target::Carrier(CarrierId(carrier)))
}

fn row(prefix: &str, target: Option<Target>) -> Row {
    Row { prefix: Prefix::read(prefix).expect("digits"), target, origin: 0 }
}

fn group(name: &str, kind: GroupKind, members: &[(Target, u32)]) -> Group {
    Group { name: name.to_owned(), kind, members: members.to_vec() }
}

fn carriers<const N: usize>(of: [u16; N]) -> [(Target, u32); N] {
    of.map(|carrier| (Target::Carrier(CarrierId(carrier)), 1))
}

/// Routes of one rule for the last of `groups`.
fn grouped(groups: Vec<Group>, prices: Vec<(CarrierId, PriceList)>) -> Routes {
    let rules = vec![Rule::new("all", Some(Target::Group(groups.len() as u16 - 1)))];
    Draft { rules, groups, prices, ..Draft::default() }.build().expect("sound")
}

/// The carriers in the order in which they come when each refuses; those of `down` can't be used.
fn order(routes: &Routes, dice: u64, turns: &mut Turns, down: &[u16]) -> Vec<u16> {
    let standing =
        |carrier: CarrierId| Standing { usable: !down.contains(&carrier.0), load: 100 - carrier.0 };
    let (mut tried, mut found) = (Tried::default(), Vec::new());
    while let Some(leaf) = routes.next(RouteId(0), b"447700900123", tried, Dice::Cast(dice), turns, standing)
    {
        assert_eq!(leaf.usable, !down.contains(&leaf.carrier.0));
        tried = tried.and(leaf);
        found.push(leaf.carrier.0);
    }
    found
}

#[test]
fn failover_goes_through_its_members_in_order_and_past_those_that_are_down() {
    let routes = grouped(vec![group("g", GroupKind::Failover, &carriers([3, 1, 2]))], vec![]);

    assert_eq!(order(&routes, 0, &mut Turns::default(), &[]), [3, 1, 2]);
    assert_eq!(order(&routes, 0, &mut Turns::default(), &[3]), [1, 2, 3]);
    assert_eq!(order(&routes, 0, &mut Turns::default(), &[1, 2, 3]), [3, 1, 2]);
}

#[test]
fn weighted_group_shares_as_its_weights_say_and_alike_for_the_same_dice() {
    let members = [(Target::Carrier(CarrierId(0)), 3), (Target::Carrier(CarrierId(1)), 1)];
    let routes = grouped(vec![group("g", GroupKind::Weighted, &members)], vec![]);
    let first =
        |n: u64, down: &[u16]| order(&routes, dice(&[&n.to_be_bytes()]), &mut Turns::default(), down)[0];

    let of_first = (0..20_000).filter(|n| first(*n, &[]) == 0).count();
    assert!((14_700..15_300).contains(&of_first), "{of_first}");
    assert!((0..100).all(|n| first(n, &[]) == first(n, &[])));
    assert!((0..100).all(|n| first(n, &[0]) == 1));
}

#[test]
fn turns_pass_from_member_to_member_and_over_those_that_are_down() {
    let routes = grouped(vec![group("g", GroupKind::RoundRobin, &carriers([0, 1, 2]))], vec![]);
    let mut turns = Turns::of_all(&routes);
    let mut first = |down: &[u16]| {
        let standing = |carrier: CarrierId| Standing { usable: !down.contains(&carrier.0), load: 0 };
        let leaf = routes.next(RouteId(0), b"", Tried::default(), DICE, &mut turns, standing);
        leaf.expect("there are some").carrier.0
    };

    assert_eq!([first(&[]), first(&[]), first(&[]), first(&[])], [0, 1, 2, 0]);
    assert_eq!([first(&[1]), first(&[]), first(&[])], [2, 0, 1]);
}

#[test]
fn least_loaded_and_cheapest_choose_by_what_they_say() {
    let routes = grouped(vec![group("g", GroupKind::LeastLoaded, &carriers([0, 1, 2]))], vec![]);
    assert_eq!(order(&routes, 0, &mut Turns::default(), &[]), [2, 1, 0]);

    let price = |text: &str| Price::read(text).expect("a price");
    let list = |prefix: &str, text: &str| PriceList {
        prefixes: vec![(Prefix::read(prefix).expect("digits"), price(text), 0)],
        ..PriceList::default()
    };
    let prices = vec![
        (CarrierId(0), list("44", "0.03")),
        (CarrierId(2), list("4477", "0.02")),
        (CarrierId(1), list("49", "0.01")),
    ];
    let routes = grouped(vec![group("g", GroupKind::Cheapest, &carriers([0, 1, 2]))], prices);
    // Carrier 1 has no price for that number.
    assert_eq!(order(&routes, 0, &mut Turns::default(), &[]), [2, 0, 1]);
    assert_eq!(routes.price(CarrierId(2), b"447700900123"), Some(price("0.02")));
}

#[test]
fn balancing_inside_failover_ends_one_group_before_it_goes_to_the_next() {
    let groups = vec![
        group("pair", GroupKind::RoundRobin, &carriers([0, 1])),
        group("spare", GroupKind::LeastLoaded, &carriers([2, 3])),
        group(
            "all",
            GroupKind::Failover,
            &[(Target::Group(0), 1), (Target::Group(1), 1), (Target::Carrier(CarrierId(4)), 1)],
        ),
    ];
    let routes = grouped(groups, vec![]);
    let mut turns = Turns::default();

    assert_eq!(order(&routes, 0, &mut turns, &[]), [0, 1, 3, 2, 4]);
    assert_eq!(order(&routes, 0, &mut turns, &[0]), [1, 3, 2, 4, 0]);
    assert_eq!(routes.candidates(RouteId(0), b""), [0, 1, 2, 3, 4].map(CarrierId));
}

#[test]
fn cycles_and_trees_that_are_too_big_are_faults() {
    let member = |place| (Target::Group(place), 1);
    let mut groups = vec![
        group("a", GroupKind::Failover, &[member(1)]),
        group("b", GroupKind::Failover, &[member(0)]),
        group("c", GroupKind::Failover, &[member(1)]),
        group("d", GroupKind::Failover, &[member(3)]),
    ];
    groups.push(group(
        "many",
        GroupKind::Weighted,
        &std::array::from_fn::<_, 33, _>(|n| (Target::Carrier(CarrierId(n as u16)), 1)),
    ));
    groups.push(group(
        "most",
        GroupKind::Weighted,
        &std::array::from_fn::<_, 32, _>(|n| (Target::Carrier(CarrierId(n as u16)), 1)),
    ));
    for depth in 0..9u16 {
        let within = if depth == 0 { (Target::Carrier(CarrierId(0)), 1) } else { member(5 + depth) };
        groups.push(group("deep", GroupKind::Failover, &[within]));
    }

    let faults = Draft { groups, ..Draft::default() }.build().expect_err("faulty");

    use DraftFault::*;
    assert_eq!(faults, [Cycle(0), Cycle(1), Cycle(3), Leaves(4), Deep(14)]);
}

/// Class 0 has two words, one of a rule and a target three: they begin at words 2, 5 and 8.
#[test]
fn prefixes_that_fit_in_more_ways_than_there_is_room_for_are_a_fault() {
    let rows = vec![row("44", to(1)), row("45", to(2)), row("451", to(1)), row("46", to(3))];
    let rules = vec![Rule { prefixes: vec![rows.into()], ..Rule::new("all", None) }];
    let draft = Draft { rules, ..Draft::default() };

    let routes = draft.clone().build_within(8).expect("room for all");
    let faults = draft.build_within(7).expect_err("no room for the last");

    assert_eq!(chosen(&routes, "46"), Some(CarrierId(3)));
    assert_eq!(faults, [DraftFault::Classes(4)]);
}

#[test]
fn row_names_its_own_target_and_one_without_goes_where_the_rule_does() {
    let rows = vec![row("49", to(1)), row("4917", None), row("49171", to(2))];
    let rules = vec![Rule { prefixes: vec![rows.into()], ..Rule::new("german", to(0)) }];
    let routes = Draft { rules, ..Draft::default() }.build().expect("sound");

    assert_eq!(chosen(&routes, "4930"), Some(CarrierId(1)));
    assert_eq!(chosen(&routes, "49170"), Some(CarrierId(0)));
    assert_eq!(chosen(&routes, "49171"), Some(CarrierId(2)));
    assert_eq!(chosen(&routes, "44"), None);
}

#[test]
fn explanation_names_what_each_rule_misses_and_every_candidate() {
    let numbers = vec![(Prefix::read("49").expect("digits"), 0, 0)];
    let networks = vec![(Network::read("262", "01").expect("one"), "Telekom".to_owned())];
    let rules = vec![
        Rule { accounts: Some(vec![AccountId(1)]), ..Rule::new("other", to(0)) },
        Rule { prefixes: vec![vec![row("44", None)].into()], ..Rule::new("british", to(0)) },
        Rule { networks: vec![Networks::read("310").expect("one")], ..Rule::new("american", to(0)) },
        Rule { sources: vec![Pattern::new("ACME*")], ..Rule::new("acme", to(0)) },
        Rule { parameters: vec![Parameter { tag: Tag(0x1400), value: None }], ..Rule::new("tagged", to(0)) },
        Rule {
            networks: vec![Networks::read("262-01").expect("one")],
            ..Rule::new("german", Some(Target::Group(0)))
        },
        Rule::new("rest", to(0)),
    ];
    let groups = vec![group("g", GroupKind::Failover, &carriers([1, 0]))];
    let plan = NumberPlan { rows: numbers, networks };
    let routes = Draft { accounts: 2, rules, groups, plan, ..Draft::default() }.build().expect("sound");
    let destination = Address { addr: b"4917012345", ..Address::default() };
    let sm = Sm { destination, source: Address { addr: b"10010", ..Address::default() }, ..Sm::default() };
    let case = Case { account: AccountId(0), sm: &sm, segments: 1, due: UnixMs(0), dice: DICE };

    let explanation = routes.explain(&case, &Turns::default(), |_| READY);

    let missed: Vec<_> = explanation.rules.iter().map(|(_, missed)| *missed).collect();
    let missing = Condition::Parameter(Tag(0x1400));
    assert_eq!(
        missed,
        [
            Some(Condition::Account),
            Some(Condition::Prefix),
            Some(Condition::Network),
            Some(Condition::Source),
            Some(missing),
            None
        ]
    );
    assert_eq!(explanation.route, Some(RouteId(5)));
    assert_eq!(explanation.network, Some(("262-01".to_owned(), "Telekom".to_owned())));
    let order: Vec<_> = explanation.candidates.iter().map(|candidate| candidate.leaf.carrier.0).collect();
    assert_eq!(order, [1, 0]);
}

/// Which rule wins by reading them one after another.
fn by_reading(draft: &Draft, case: &Case<'_>) -> Option<(u16, Option<Target>)> {
    let number = std::str::from_utf8(case.sm.destination.addr).expect("digits");
    let longest = |rows: &mut dyn Iterator<Item = (String, usize)>| {
        rows.filter(|(prefix, _)| number.starts_with(prefix.as_str())).max_by_key(|(prefix, _)| prefix.len())
    };
    let plan =
        &mut draft.plan.rows.iter().map(|(prefix, place, _)| (prefix.to_string(), usize::from(*place)));
    let network = longest(plan).map(|(_, place)| draft.plan.networks[place].0);
    for (place, rule) in draft.rules.iter().enumerate() {
        let rows: Vec<Row> = rule.prefixes.iter().flat_map(|rows| rows.iter().copied()).collect();
        let row = longest(&mut rows.iter().enumerate().map(|(at, row)| (row.prefix.to_string(), at)));
        let fits = rule.accounts.as_ref().is_none_or(|accounts| accounts.contains(&case.account))
            && (rule.prefixes.is_empty() || row.is_some())
            && (rule.networks.is_empty()
                || network.is_some_and(|network| rule.networks.iter().any(|known| known.have(network))))
            && (rule.sources.is_empty()
                || rule.sources.iter().any(|source| source.fits(case.sm.source.addr)))
            && (rule.source_kinds == 0 || rule.source_kinds & SourceKind::of(&case.sm.source).bit() != 0)
            && (rule.codings.is_empty() || rule.codings.contains(&case.sm.data_coding))
            && rule.segments.contains(&case.segments)
            && (rule.priorities.is_empty() || rule.priorities.contains(&case.sm.priority_flag))
            && (rule.service_types.is_empty()
                || rule.service_types.iter().any(|known| *known == case.sm.service_type))
            && rule.esm_class.is_none_or(|(mask, value)| case.sm.esm_class & mask == value)
            && rule.parameters.iter().all(|wanted| {
                let found = case.sm.tlvs.find(wanted.tag);
                found.is_some_and(|found| wanted.value.as_ref().is_none_or(|value| *value == found))
            });
        if fits {
            return Some((place as u16, row.and_then(|(_, at)| rows[at].target).or(rule.target)));
        }
    }
    None
}

fn digits(range: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    proptest::collection::vec(0..3u8, range)
        .prop_map(|digits| digits.iter().map(|digit| char::from(b'0' + digit)).collect())
}

fn rows() -> impl Strategy<Value = Vec<Arc<[Row]>>> {
    let target = proptest::option::of((0..4u16).prop_map(|carrier| Target::Carrier(CarrierId(carrier))));
    let set = proptest::collection::btree_map(digits(1..5), target, 0..6);
    proptest::option::of(set).prop_map(|set| {
        set.map(|set| set.iter().map(|(prefix, target)| row(prefix, *target)).collect()).into_iter().collect()
    })
}

fn source() -> impl Strategy<Value = String> {
    prop_oneof!["[AB]{1,3}", "[12]{1,3}", Just(String::new())]
}

fn few<T: Clone + std::fmt::Debug + 'static>(of: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    prop_oneof![2 => Just(Vec::new()), 1 => proptest::collection::vec(of, 1..3)]
}

prop_compose! {
    fn rule()(
        accounts in proptest::option::of(proptest::collection::vec((0..3u16).prop_map(AccountId), 0..2)),
        prefixes in rows(),
        networks in few(prop_oneof![Just("262"), Just("262-01"), Just("310")]),
        sources in few("[AB12*?]{1,3}"),
        source_kinds in prop_oneof![3 => Just(0u8), 1 => 1..32u8],
        codings in few(0..3u8),
        from in prop_oneof![3 => Just(0u8), 1 => 1..3u8],
        priorities in few(0..4u8),
        service_types in few("[AB]".prop_map(String::into_bytes)),
        esm_class in proptest::option::weighted(0.2, (Just(3u8), 0..4u8)),
        parameters in few((0x1400..0x1402u16, proptest::option::of(proptest::collection::vec(0..2u8, 0..2)))),
        carrier in 0..4u16,
    ) -> Rule {
        Rule {
            accounts,
            prefixes,
            networks: networks.iter().map(|text| Networks::read(text).expect("one")).collect(),
            sources: sources.iter().map(|text| Pattern::new(text)).collect(),
            source_kinds,
            codings,
            segments: from..=u8::MAX,
            priorities,
            service_types,
            esm_class,
            parameters: parameters.into_iter().map(|(tag, value)| Parameter { tag: Tag(tag), value }).collect(),
            ..Rule::new("r", to(carrier))
        }
    }
}

prop_compose! {
    fn draft()(
        rules in proptest::collection::vec(rule(), 0..200),
        plan in proptest::collection::btree_map(digits(1..4), 0..3u16, 0..6),
    ) -> Draft {
        let networks = [("262", "01"), ("262", "02"), ("310", "001")];
        let networks = networks.map(|(mcc, mnc)| (Network::read(mcc, mnc).expect("one"), String::new()));
        let rows = plan.iter().map(|(prefix, place)| (row(prefix, None).prefix, *place, 0)).collect();
        Draft { accounts: 3, rules, plan: NumberPlan { rows, networks: networks.into() }, ..Draft::default() }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rule_that_wins_is_the_first_that_fits_by_reading_and_its_carrier_that_of_the_longest_row(
        draft in draft(),
        cases in proptest::collection::vec(
            (0..4u16, digits(0..8), source(), 0..3u8, 0..3u8, 0..4u8, "[AB]?", 0..4u8, few((0x1400..0x1402u16, 0..2u8))),
            1..40,
        ),
    ) {
        let routes = draft.clone().build().expect("sound");
        for (account, number, source, coding, segments, priority, service_type, esm_class, tlvs) in &cases {
            let mut octets = BytesMut::new();
            for (tag, value) in tlvs {
                put_tlv(&mut octets, Tag(*tag), &[*value]);
            }
            let sm = Sm {
                source: Address { ton: 0, npi: 0, addr: source.as_bytes() },
                destination: Address { ton: 1, npi: 1, addr: number.as_bytes() },
                data_coding: *coding,
                priority_flag: *priority,
                service_type: service_type.as_bytes(),
                esm_class: *esm_class,
                tlvs: Tlvs::read(&octets, Reading::Strict).expect("well formed"),
                ..Sm::default()
            };
            let case = Case { account: AccountId(*account), sm: &sm, segments: *segments, due: UnixMs(0), dice: DICE };

            let read = by_reading(&draft, &case);
            let route = routes.decide(&case);

            prop_assert_eq!(route.map(|route| route.0), read.map(|(place, _)| place));
            let leaf = route.and_then(|route| {
                routes.next(route, number.as_bytes(), Tried::default(), DICE, &mut Turns::default(), |_| READY)
            });
            prop_assert_eq!(leaf.map(|leaf| Target::Carrier(leaf.carrier)), read.and_then(|(_, target)| target));
            prop_assert_eq!(routes.explain(&case, &Turns::default(), |_| READY).route, route);
        }
    }
}
