//! What a hub is started with.

use crate::hub::{self, Durability};
use crate::metrics::Metrics;
use crate::{session, spool};
use std::path::PathBuf;
use std::time::Duration;
use tracing::warn;

/// Everything that a hub is started with.
#[derive(Clone, Debug)]
pub struct Plan {
    pub hub: hub::Settings,
    pub session: session::Settings,
    pub spool: spool::Settings,
    /// Where the spool's files are.
    pub directory: PathBuf,
    /// Where ESMEs connect to: `host:port`; port 0 for any.
    pub address: String,
    /// Connections at one time, bound or not; fewer if there are descriptors for fewer.
    pub max_connections: usize,
    /// Octets of memory that the hub may use by its own books; `None`: a share of the machine's.
    pub memory_octets: Option<u64>,
    /// Commits of the spool begin at least this far apart.
    pub commit_gap: Duration,
    /// Octets of the file that is given up when the disk is full; 0 for none.
    pub reserve_octets: u64,
}

/// Tells how many accounts wait for what, and warns of those that wait for less than the disk.
pub(super) fn show_durability(settings: &hub::Settings, metrics: &Metrics) {
    for durability in Durability::EACH {
        let named = |plan: &&hub::AccountPlan| !plan.account.system_id.is_empty();
        let mut names = settings.accounts.iter().filter(named).filter(|plan| plan.durability == durability);
        let count = names.clone().count();
        metrics.accounts.with_label_values(&[durability.name()]).set(count as i64);
        let Some(first) = names.next().map(|plan| &plan.account.system_id) else { continue };
        match durability {
            Durability::Disk => {}
            Durability::Os => warn!(
                accounts = count,
                %first,
                "durability is \"os\": what they were told is accepted is lost if the machine loses its power"
            ),
            Durability::Memory => warn!(
                accounts = count,
                %first,
                "durability is \"memory\": what they were told is accepted is lost if this process or the machine dies"
            ),
        }
    }
}
