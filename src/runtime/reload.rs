//! Brings a hub at work other settings: the hub's own in one event, and those of who may bind and of whom we bind to.
//!
//! The order is such that nobody is let in whom the hub doesn't know: who is gone is kept out first, then the hub goes by the
//! new settings, then who is new comes in. What carriers' links are bound by can't change while they stand: those whose
//! settings changed are left once they are quiet and bound anew. How much they are given at what time is the hub's to say: that
//! changes at once. The old settings are let go of on a thread for that, neither the hub's nor one that serves connections.

use super::connector::keep_link;
use super::mail::Mail;
use super::plan::{Plan, show_durability};
use super::shared::Shared;
use crate::carrier::Gate;
use crate::esme::{Account, Registry};
use crate::hub::{Names, Reload, Settings};
use crate::id::{AccountId, CarrierId};
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// The hub has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the hub has stopped")]
pub struct Stopped;

/// Brings other settings to the hub, as often as there are some.
pub struct Reloader {
    shared: Arc<Shared>,
    leaving: watch::Receiver<bool>,
    /// What the hub goes by.
    settings: Settings,
    names: Names,
    /// Those who keep links up, by [`CarrierId`].
    keepers: Vec<Option<Keepers>>,
}

/// Those who keep a carrier's links up.
struct Keepers {
    parting: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Reloader {
    /// Connects the carriers of `plan`, whose hub knows these `names`.
    pub(super) fn new(
        plan: &Plan,
        names: Names,
        shared: Arc<Shared>,
        leaving: watch::Receiver<bool>,
    ) -> Self {
        let mut reloader = Self { shared, leaving, settings: plan.hub.clone(), names, keepers: Vec::new() };
        for place in 0..reloader.settings.carriers.len() {
            let keepers = reloader.keep(place, Vec::new());
            reloader.keepers.push(Some(keepers));
        }
        reloader
    }

    /// Whom the hub knows, by place: other settings name everybody there.
    pub const fn names(&self) -> &Names {
        &self.names
    }

    /// Has the hub go by `settings`, which have everybody in the place that [`Reloader::names`] says; `registry` is told too who the
    /// accounts are.
    ///
    /// # Errors
    /// If the hub has stopped.
    pub async fn apply(&mut self, settings: Settings, registry: &Registry) -> Result<(), Stopped> {
        let accounts = self.changed_accounts(&settings);
        let parting = self.rebound_carriers(&settings);
        let gone: Vec<&str> = accounts.iter().filter_map(|id| self.gone_account(*id, &settings)).collect();
        for registry in [&*self.shared.registry, registry] {
            registry.forget(gone.iter().copied());
        }
        let before: Vec<(usize, Vec<JoinHandle<()>>)> =
            parting.iter().map(|id| (usize::from(id.0), self.part_from(usize::from(id.0)))).collect();
        let reload = Reload { settings: Box::new(settings.clone()), accounts, parting };
        let (way, taken) = oneshot::channel();
        self.shared.mailbox.send(Mail::Reload(Box::new(reload), way));
        let old = taken.await.map_err(|_| Stopped)?;
        for plan in settings.accounts.iter().skip(self.names.accounts.len()) {
            self.names.accounts.push(plan.account.system_id.clone());
        }
        for plan in settings.carriers.iter().skip(self.names.carriers.len()) {
            self.names.carriers.push(plan.carrier.name.clone());
        }
        self.names.routes = settings.routes.names().to_vec();
        self.shared.go_by(&settings);
        show_durability(&settings, &self.shared.metrics);
        let known: Vec<&Account> = settings.accounts.iter().map(|plan| &plan.account).collect();
        for registry in [&*self.shared.registry, registry] {
            registry.renew(known.iter().copied());
        }
        let retired = std::mem::replace(&mut self.settings, settings);
        self.connect(before);
        // Long tables take milliseconds to give back: nobody's connection waits for that.
        tokio::task::spawn_blocking(move || drop((old, retired)));
        Ok(())
    }

    /// Connects to carriers that have nobody who keeps their links up; where somebody did, once he is gone.
    fn connect(&mut self, mut before: Vec<(usize, Vec<JoinHandle<()>>)>) {
        self.keepers.resize_with(self.settings.carriers.len(), || None);
        for place in 0..self.settings.carriers.len() {
            if self.keepers[place].is_none() && !self.settings.carriers[place].carrier.name.is_empty() {
                let old = before.iter_mut().find(|(known, _)| *known == place);
                let old = old.map(|(_, tasks)| std::mem::take(tasks)).unwrap_or_default();
                self.keepers[place] = Some(self.keep(place, old));
            }
        }
    }

    fn keep(&self, place: usize, before: Vec<JoinHandle<()>>) -> Keepers {
        let carrier = Arc::new(self.settings.carriers[place].carrier.clone());
        let (parting, parted) = watch::channel(false);
        let gate = Arc::new(Gate::new(carrier.reconnect));
        // A carrier that takes so many binds and no more would refuse the new ones while the old ones stand.
        let (free, freed) = watch::channel(before.is_empty());
        tokio::spawn(async move {
            for task in before {
                let _ = task.await; // it ended, however that was
            }
            free.send_replace(true);
        });
        let keep_one = |number| {
            let (carrier, gate, shared) = (Arc::clone(&carrier), Arc::clone(&gate), Arc::clone(&self.shared));
            let (ends, mut freed) = ((self.leaving.clone(), parted.clone()), freed.clone());
            tokio::spawn(async move {
                let _ = freed.wait_for(|free| *free).await;
                keep_link(carrier, CarrierId(place as u16), number, gate, shared, ends).await;
            })
        };
        Keepers { parting, tasks: (0..carrier.sessions()).map(keep_one).collect() }
    }

    /// Nobody keeps this carrier's links up any more; gives those who did.
    fn part_from(&mut self, place: usize) -> Vec<JoinHandle<()>> {
        let Some(keepers) = self.keepers.get_mut(place).and_then(Option::take) else { return Vec::new() };
        keepers.parting.send_replace(true);
        keepers.tasks
    }

    fn changed_accounts(&self, settings: &Settings) -> Vec<AccountId> {
        let known = &self.settings.accounts;
        let plans = settings.accounts.iter().enumerate();
        let is_new = |(place, plan): &(usize, _)| known.get(*place) != Some(*plan);
        plans.filter(is_new).map(|(place, _)| AccountId(place as u16)).collect()
    }

    /// Carriers whose links can't stay as they are.
    fn rebound_carriers(&self, settings: &Settings) -> Vec<CarrierId> {
        let pairs = self.settings.carriers.iter().zip(&settings.carriers).enumerate();
        let changed = pairs.filter(|(_, (old, new))| !old.carrier.is_bound_as(&new.carrier));
        changed.map(|(place, _)| CarrierId(place as u16)).collect()
    }

    fn gone_account(&self, id: AccountId, settings: &Settings) -> Option<&str> {
        let is_gone = settings.accounts.get(usize::from(id.0))?.account.system_id.is_empty();
        self.names.accounts.get(usize::from(id.0)).filter(|_| is_gone).map(String::as_str)
    }
}
