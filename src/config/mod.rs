//! The configuration: the file as written becomes each part's settings, or every fault that it has.
//!
//! [`Config::parse`] reads TOML and reports all faults at once, each with line and key ([`Fault`]). A key that nobody knows is a fault, so
//! a misspelt setting can't pass for its default. Every key, its unit, range and default: `docs/configuration.md`; a file
//! with all of them: `docs/enroute.toml`.

mod conduct;
mod csv;
mod difference;
mod fault;
mod ladder;
mod names;
mod pace;
mod part;
mod peer;
mod profile;
mod reload;
mod route;
mod rule;
mod screening;
mod section;
mod value;

pub use fault::Fault;
pub use reload::Reloading;

use crate::clock::UnixMs;
use crate::hub::Names;
use crate::id::CarrierId;
use crate::route::{Question, Routes, Told, Turns};
use crate::runtime::Plan;
use crate::screening::{Policy, SenderEntry, Senders};
use crate::spool;
use fault::Report;
use section::Section;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use toml::de::DeTable;
use tracing::Level;

/// Everything that `serve` is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// The hub.
    pub plan: Plan,
    /// Where operators' HTTP is served: `host:port`; port 0 for any.
    pub http: String,
    /// The least important thing that is logged.
    pub log: Level,
    /// Threads for sockets; `None`: half of the machine's, at least one.
    pub io_threads: Option<usize>,
}

impl Config {
    /// Reads a configuration file's `text`; `file` is its name for people.
    ///
    /// # Errors
    /// All faults, in the order of their lines.
    pub fn parse(text: &str, file: &str) -> Result<Self, Vec<Fault>> {
        Self::parse_for(text, file, &Names::default())
    }

    /// As [`Config::parse`], for a hub that knows these `names` already: each account and carrier has the place that it has there,
    /// those who are new stand behind, and in the places of those who are gone are plans without a name.
    ///
    /// # Errors
    /// As there.
    pub fn parse_for(text: &str, file: &str, names: &Names) -> Result<Self, Vec<Fault>> {
        let report = Report::new(text, file);
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            report.note(&error.span().unwrap_or(0..0), "", error.message());
        }
        // What is read from a broken file is only its sound part: its faults count, its absences don't.
        if !errors.is_empty() {
            return Err(report.into_faults());
        }
        let config = Self::read(Section::document(&report, document.get_ref()), names);
        let faults = report.into_faults();
        if faults.is_empty() { Ok(config) } else { Err(faults) }
    }

    /// The hub of `enroute` without a configuration: account `demo` with password `demo`, one carrier `sim` at `carrier`,
    /// the spool in `./enroute-data`.
    pub fn default_plan(carrier: &str) -> Self {
        let mut config = Self::defaults();
        let mut accounts = vec![peer::account()];
        for plan in &mut accounts {
            plan.account.system_id = "demo".to_owned();
            plan.account.password = "demo".to_owned();
            // To try out what one likes: its messages go nowhere.
            plan.policy = Arc::new(Policy {
                senders: Senders::new(Some(vec![SenderEntry::Anything]), None),
                ..Policy::default()
            });
        }
        let mut sim = peer::carrier();
        sim.carrier.name = "sim".to_owned();
        sim.carrier.address = carrier.to_owned();
        sim.carrier.system_id = "enroute".to_owned();
        sim.carrier.password = "enroute".to_owned();
        config.plan.hub.accounts = accounts;
        config.plan.hub.carriers = vec![sim];
        config.plan.hub.routes = Arc::new(Routes::to(CarrierId(0)));
        config
    }

    /// What the routes of this configuration do with a message, and why; how carriers stand isn't known.
    ///
    /// # Errors
    /// If there is no such account.
    pub fn explain(&self, question: &Question, now: UnixMs) -> Result<Told, String> {
        let hub = &self.plan.hub;
        let account = peer::account_named(&question.account, &hub.accounts)?;
        let profile = &hub.accounts[usize::from(account.0)].profile;
        let name = |carrier: CarrierId| hub.carriers[usize::from(carrier.0)].carrier.name.as_str();
        Ok(question.answer(&hub.routes, (account, profile), now, &Turns::default(), None, name))
    }

    /// Every setting at its default; neither accounts nor carriers.
    fn defaults() -> Self {
        let hub = crate::hub::Settings {
            accounts: Vec::new(),
            carriers: Vec::new(),
            lists: Vec::new(),
            routes: Arc::new(Routes::none()),
            inbound: Default::default(),
            screening: Arc::new(screening::usual()),
            rules: Default::default(),
            retry: Default::default(),
            limits: Default::default(),
            compaction: Default::default(),
            caution: Default::default(),
        };
        Self {
            plan: Plan {
                hub,
                session: Default::default(),
                spool: spool::Settings::default(),
                directory: PathBuf::from("./enroute-data"),
                address: "127.0.0.1:2775".to_owned(),
                max_connections: 1000,
                memory_octets: None,
                commit_gap: Duration::from_micros(200),
                reserve_octets: 16 << 20,
            },
            http: "127.0.0.1:8080".to_owned(),
            log: Level::INFO,
            io_threads: None,
        }
    }

    fn read(mut document: Section<'_>, names: &Names) -> Self {
        let mut config = Self::defaults();
        part::listener(&mut document.section("listener"), &mut config.plan);
        document.section("http").set_text("address", value::own_address, &mut config.http);
        let durability = part::spool(&mut document.section("spool"), &mut config.plan);
        let hub = &mut config.plan.hub;
        part::clock(&mut document.section("clock"), &mut hub.caution);
        part::limits(&mut document.section("limits"), &mut hub.limits, &mut config.plan.memory_octets);
        part::validity(&mut document.section("validity"), &mut hub.rules);
        ladder::retry(&mut document.section("retry"), &mut hub.retry);
        pace::queue(&mut document.section("queue"), &mut hub.limits.aging);
        let lists = screening::Lists::default();
        hub.screening = Arc::new(screening::common(&mut document.section("screening"), &lists));
        let usual = peer::Usual { rules: hub.rules, durability, lists: &lists };
        hub.accounts = peer::placed_accounts(peer::accounts(&mut document, &usual), names);
        hub.carriers = peer::placed_carriers(peer::carriers(&mut document, &hub.retry), names);
        hub.lists = peer::lists(&mut document, &hub.accounts);
        let routes = route::routes(&mut document.section("route"), &hub.accounts, &hub.carriers);
        hub.routes = Arc::new(routes.numbered_after(&names.routes));
        hub.inbound = part::inbound(&mut document, &hub.accounts, &hub.carriers);
        document.section("log").set_text("level", value::level, &mut config.log);
        config.io_threads = document
            .section("runtime")
            .number("io_threads", 1..=part::IO_THREADS_MAX)
            .map(|threads| threads as usize);
        config
    }
}

#[cfg(test)]
mod tests;
