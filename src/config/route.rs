//! Routes: their keys, the tables that they name, and what they set.

use super::csv;
use super::names::Names;
use super::part::carrier_named;
use super::rule;
use super::section::Section;
use super::value::{choice, file, octets};
use crate::hub::{AccountPlan, CarrierPlan};
use crate::id::CarrierId;
use crate::route::{
    DEFAULT, Draft, DraftFault, Group, GroupKind, Network, Networks, NumberPlan, PREFIXES, Prefix, Price,
    PriceList, RULES_MAX, Routes, Row, Rule, Target,
};
use foldhash::{HashMap, HashMapExt};
use std::path::PathBuf;

pub(super) fn routes(
    section: &mut Section<'_>,
    accounts: &[AccountPlan],
    carriers: &[CarrierPlan],
) -> Routes {
    let mut group_sections = section.list("group");
    let group_names: Vec<String> = group_sections.iter_mut().map(rule::name).collect();
    let mut names = Names { accounts, targets: HashMap::new(), tables: HashMap::new() };
    for (place, carrier) in carriers.iter().enumerate() {
        names.targets.insert(&carrier.carrier.name, Target::Carrier(CarrierId(place as u16)));
    }
    for (place, (name, section)) in group_names.iter().zip(&group_sections).enumerate() {
        let place = Target::Group(place as u16);
        if !name.is_empty() && names.targets.insert(name, place).is_some() {
            section.fault("name", format!("\"{name}\" is the name of a carrier, or of a group before it"));
        }
    }
    let groups = group_sections
        .iter_mut()
        .zip(&group_names)
        .map(|(section, name)| group(section, name, &names))
        .collect();
    let plan_file = section.text("number_plan", file);
    let plan = plan_file.as_ref().map(|name| number_plan(section, name)).unwrap_or_default();
    let mut price_sections = section.list("price");
    let prices: Vec<_> =
        price_sections.iter_mut().map(|section| prices(section, carriers, plan_file.is_some())).collect();
    let mut rule_sections = section.list("rule");
    let mut rules: Vec<Rule> = Vec::new();
    for section in &mut rule_sections {
        let rule = rule::read(section, &mut names, plan_file.is_some());
        if rules.iter().any(|before| before.name == rule.name && !rule.name.is_empty()) {
            section.fault("name", format!("\"{}\" is the name of a rule before it", rule.name));
        }
        rules.push(rule);
    }
    let mut prefix_sections = section.list("prefix");
    rules.extend(prefixes(&mut prefix_sections, &names));
    let default = section.text("default", |text| names.target(text));
    if !section.has("default") && rules.is_empty() {
        section.fault("default", "is missing, and there is no [[route.rule]]: nothing could leave");
    }
    rules.extend(default.map(|target| Rule::new(DEFAULT, Some(target))));
    if rules.len() > RULES_MAX {
        section.fault("rule", format!("{} rules are too many; at most {RULES_MAX}", rules.len()));
        return Routes::none();
    }
    let mut files = Files {
        rules: rule_sections,
        prefixes: prefix_sections,
        groups: group_sections,
        prices: price_sections,
        carriers: prices.iter().map(|(carrier, _)| *carrier).collect(),
    };
    let draft = Draft { accounts: accounts.len(), rules, groups, plan, prices };
    draft.build().unwrap_or_else(|faults| {
        files.tell(section, &faults);
        Routes::none()
    })
}

/// The sections that a draft was read from, to tell its faults.
struct Files<'d> {
    rules: Vec<Section<'d>>,
    prefixes: Vec<Section<'d>>,
    groups: Vec<Section<'d>>,
    prices: Vec<Section<'d>>,
    carriers: Vec<CarrierId>,
}

impl Files<'_> {
    fn tell(&mut self, route: &mut Section<'_>, faults: &[DraftFault]) {
        for fault in faults.iter().take(csv::FAULTS_MAX) {
            match fault {
                DraftFault::RuleTwice { rule, origin, before, prefix } => {
                    self.tell_row(usize::from(*rule), *origin, *before, prefix);
                }
                DraftFault::PlanTwice { origin, before, .. } => {
                    elsewhere(route, "number_plan", *origin, *before, fault);
                }
                DraftFault::PriceTwice { carrier, origin, before, .. } => {
                    let place = self.carriers.iter().position(|known| known == carrier).unwrap_or_default();
                    elsewhere(&mut self.prices[place], "file", *origin, *before, fault);
                }
                DraftFault::Cycle(group) | DraftFault::Leaves(group) | DraftFault::Deep(group) => {
                    self.groups[usize::from(*group)].fault("members", fault.to_string());
                }
                DraftFault::Classes(_) => route.fault("rule", fault.to_string()),
            }
        }
    }

    /// A prefix that stands in two rows of a rule.
    fn tell_row(&mut self, rule: usize, origin: u32, before: u32, prefix: &Prefix) {
        match self.rules.get_mut(rule) {
            None => {
                let entry = &self.prefixes[origin as usize];
                entry.fault("prefix", format!("prefix \"{prefix}\" is there twice"));
            }
            // Lines of the file come before what stands in the rule itself.
            Some(section) if origin & rule::INLINE == 0 => {
                elsewhere(section, "prefix_file", origin, before, &format!("{prefix} is there twice"));
            }
            Some(section) if before & rule::INLINE == 0 => {
                section.fault("prefixes", format!("{prefix} is there, and in line {before} of its file"));
            }
            Some(section) => section.fault("prefixes", format!("{prefix} is there twice")),
        }
    }
}

/// A fault in a line of the file under `key`.
fn elsewhere(section: &mut Section<'_>, key: &'static str, line: u32, before: u32, what: &dyn ToString) {
    let Some(name) = section.text(key, file) else { return };
    let path: PathBuf = section.report().beside(&name);
    let message = format!("{}: in line {before} too", what.to_string());
    section.report().note_elsewhere(&path.display().to_string(), line as usize, message);
}

fn group(section: &mut Section<'_>, name: &str, names: &Names<'_>) -> Group {
    let kinds = [
        ("failover", GroupKind::Failover),
        ("weighted", GroupKind::Weighted),
        ("round_robin", GroupKind::RoundRobin),
        ("least_loaded", GroupKind::LeastLoaded),
        ("cheapest", GroupKind::Cheapest),
    ];
    let kind = section.required("kind", |text| choice(text, &kinds));
    let targets = section.texts("members", |text| names.target(text));
    if targets.is_empty() {
        section.fault("members", "names no carrier and no group");
    }
    let has_weights = section.has("weights");
    let weights = match section.numbers("weights", 1..=1_000_000, 1..=1000) {
        Some(weights) => weights,
        None => vec![1; targets.len()],
    };
    if has_weights && kind.is_some_and(|kind| kind != GroupKind::Weighted) {
        section.fault("weights", "belongs to the kind \"weighted\" only");
    } else if weights.len() != targets.len() {
        let (weights, members) = (weights.len(), targets.len());
        section.fault("weights", format!("{weights} weights for {members} members"));
    }
    let weights = weights.into_iter().map(|weight| weight as u32); // in range
    let members = targets.into_iter().zip(weights).collect();
    Group { name: name.to_owned(), kind: kind.unwrap_or(GroupKind::Failover), members }
}

fn number_plan(section: &Section<'_>, name: &str) -> NumberPlan {
    let mut plan = NumberPlan::default();
    let mut places: HashMap<Network, u16> = HashMap::new();
    csv::read(section, "number_plan", name, (&["prefix", "mcc", "mnc", "name"], 3), |line, cells| {
        let prefix = Prefix::read(cells[0]).map_err(|error| error.to_string())?;
        let network = Network::read(cells[1], cells[2]).ok_or_else(|| {
            format!(
                "\"{}\" and \"{}\" are not a mobile country code and a mobile network code",
                cells[1], cells[2]
            )
        })?;
        let next = places.len() as u16;
        let place = *places.entry(network).or_insert_with(|| {
            plan.networks.push((network, cells[3].to_owned()));
            next
        });
        if place >= NETWORKS_MAX {
            return Err(format!("more than {NETWORKS_MAX} networks"));
        }
        plan.rows.push((prefix, place, line));
        Ok(())
    });
    plan
}

fn prices(section: &mut Section<'_>, carriers: &[CarrierPlan], has_plan: bool) -> (CarrierId, PriceList) {
    let mut list = PriceList::default();
    let carrier = section.required("carrier", |text| carrier_named(text, carriers));
    let money = |text: &str| {
        Price::read(text)
            .ok_or_else(|| format!("\"{text}\" is not a price, such as 0.0125, with up to six places"))
    };
    list.rest = section.text("price", money);
    if let Some(name) = section.text("file", file) {
        csv::read(section, "file", &name, (&["prefix", "price"], 2), |line, cells| {
            let price = money(cells[1])?;
            let Some(network) = cells[0].contains('-').then_some(cells[0]) else {
                let prefix = Prefix::read(cells[0]).map_err(|error| error.to_string())?;
                list.prefixes.push((prefix, price, line));
                return Ok(());
            };
            let network = Networks::read(network.trim_end_matches("-*")).ok_or_else(|| {
                format!("\"{network}\" is neither a network, such as 262-01, nor a country, such as 262-*")
            })?;
            if !has_plan {
                return Err("is a network's price, and there is no route.number_plan".to_owned());
            }
            list.networks.push((network, price, line));
            Ok(())
        });
    } else if !section.has("price") && !section.has("file") {
        section.fault("file", "is missing, and there is no price either");
    }
    (carrier.unwrap_or(CarrierId(0)), list)
}

/// The rule that all [[route.prefix]] make together.
fn prefixes(sections: &mut [Section<'_>], names: &Names<'_>) -> Option<Rule> {
    let mut rows = Vec::new();
    for (place, entry) in sections.iter_mut().enumerate() {
        let prefix = entry.required("prefix", |text| {
            octets(text, 1..=crate::route::PREFIX_MAX, "digits of a number")?;
            Prefix::read(text).map_err(|error| error.to_string())
        });
        let target = entry.required("carrier", |text| names.target(text));
        let Some(prefix) = prefix else { continue };
        rows.push(Row { prefix, target, origin: place as u32 });
    }
    let rule = || Rule { prefixes: vec![rows.into()], ..Rule::new(PREFIXES, None) };
    (!sections.is_empty()).then(rule)
}

/// Networks of a number plan.
const NETWORKS_MAX: u16 = 65_000;

#[cfg(test)]
mod tests {
    use super::super::fault::Report;
    use super::*;
    use toml::de::DeTable;

    #[test]
    fn too_many_classes_of_numbers_are_a_fault_of_the_rules() {
        let text = "[[route.rule]]\nname = \"all\"\n";
        let report = Report::new(text, "enroute.toml");
        let (document, _) = DeTable::parse_recoverable(text);
        let mut route = Section::document(&report, document.get_ref()).section("route");
        let (rules, none) = (route.list("rule"), Vec::new);
        let mut files =
            Files { rules, prefixes: none(), groups: none(), prices: none(), carriers: Vec::new() };

        files.tell(&mut route, &[DraftFault::Classes(40_000_000)]);

        files.rules[0].text("name", file);
        drop((files, route));
        let told: Vec<_> = report.into_faults().iter().map(ToString::to_string).collect();
        let fault = "which of 40000000 prefixes fit a number differs in too many ways: there is room for 2 GiB of them";
        assert_eq!(told, [format!("enroute.toml:1: route.rule: {fault}")]);
    }
}
