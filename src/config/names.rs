//! What the rules and tables of routes may name.

use crate::hub::AccountPlan;
use crate::route::{Row, Target};
use foldhash::HashMap;
use std::sync::Arc;

/// What the rules and tables of routes may name.
pub(super) struct Names<'n> {
    pub accounts: &'n [AccountPlan],
    /// Carriers and groups.
    pub targets: HashMap<&'n str, Target>,
    /// Tables of prefixes that were read, by their names.
    pub tables: HashMap<String, Arc<[Row]>>,
}

impl Names<'_> {
    /// The carrier or group of that name.
    pub fn target(&self, text: &str) -> Result<Target, String> {
        let found = self.targets.get(text).copied();
        found.ok_or_else(|| format!("no carrier and no group is named \"{text}\""))
    }
}
