//! Routes: their keys, and what they set.

use super::part::{PREFIX_MAX, carrier_named};
use super::section::Section;
use super::value::octets;
use crate::hub::CarrierPlan;
use crate::id::CarrierId;
use crate::route::{RouteError, Routes};

pub(super) fn routes(section: &mut Section<'_>, carriers: &[CarrierPlan]) -> Routes {
    let named = |text: &str| carrier_named(text, carriers);
    let has_default = section.has("default");
    let default = section.text("default", named);
    let mut list = section.list("prefix");
    if !has_default && list.is_empty() {
        section.fault("default", "is missing, and there is no [[route.prefix]]: nothing could leave");
    }
    let mut prefixes: Vec<(String, CarrierId)> = Vec::new();
    for entry in &mut list {
        let prefix = entry.required("prefix", |text| octets(text, 1..=PREFIX_MAX, "digits of a number"));
        let carrier = entry.required("carrier", named);
        let Some(prefix) = prefix else { continue };
        // With a faulty carrier, the prefix is still looked at.
        prefixes.push((prefix, carrier.unwrap_or(CarrierId(0))));
        let all = prefixes.iter().map(|(prefix, carrier)| (prefix.as_str(), *carrier));
        if let Err(error) = Routes::by_prefix(all, None) {
            entry.fault("prefix", error.to_string());
            prefixes.pop();
        }
    }
    let all = prefixes.iter().map(|(prefix, carrier)| (prefix.as_str(), *carrier));
    Routes::by_prefix(all, default).unwrap_or_else(|_: RouteError| Routes::none())
}
