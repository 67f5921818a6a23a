//! Other settings for a hub at work: every session and every message stays, and goes on by them.
//!
//! Accounts and carriers are places in tables, and messages name them by these: so tables only grow, and who is gone keeps
//! his place. Whoever makes new settings puts everybody where [`Hub::names`] says he is, and those who are new behind; a plan
//! without a name is nobody's.

use super::breaker::Breaker;
use super::pace::AccountPace;
use super::stand_in::StandIn;
use super::way::Texts;
use super::{AccountPlan, AccountState, CarrierPlan, CarrierState, Hub, Limits, Settings};
use crate::carrier::Carrier;
use crate::id::{AccountId, CarrierId};
use crate::route::Turns;
use crate::screening::Circles;
use std::sync::Arc;

/// Whom the hub knows, by place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// By [`AccountId`].
    pub accounts: Vec<String>,
    /// By [`CarrierId`].
    pub carriers: Vec<String>,
    /// Of rules, by [`crate::route::RouteId`].
    pub routes: Vec<String>,
}

/// Other settings, and whom they mean something new for.
#[derive(Debug)]
pub struct Reload {
    pub settings: Box<Settings>,
    /// Accounts that are new, changed or gone.
    pub accounts: Vec<AccountId>,
    /// Carriers whose links are to end, once what is out on them has been answered: gone, or to be bound otherwise.
    pub parting: Vec<CarrierId>,
}

impl Hub {
    /// Whom it knows: those of its settings, and those whom messages are from or for all the same.
    pub fn names(&self) -> Names {
        let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        Names {
            accounts: self.accounts.iter().map(|account| text(&account.name)).collect(),
            carriers: self.carriers.iter().map(|carrier| text(&carrier.name)).collect(),
            routes: self.settings.routes.names().to_vec(),
        }
    }

    /// Goes by other settings from now on; those before go back to whoever brought these.
    pub(super) fn reload(&mut self, reload: Reload) {
        let Reload { settings, accounts, parting } = reload;
        let rules = self.settings.rules;
        let limits = settings.limits.beside(&self.settings.limits);
        let old = std::mem::replace(&mut self.settings, Settings { limits, ..*settings });
        let plans = std::mem::take(&mut self.settings.accounts);
        for id in accounts {
            if let Some(plan) = plans.get(usize::from(id.0)) {
                self.reload_account(id, plan, old.accounts.get(usize::from(id.0)));
            }
        }
        if rules != self.settings.rules {
            for (state, plan) in self.accounts.iter_mut().zip(&plans) {
                state.rules = plan.rules.unwrap_or(self.settings.rules);
            }
        }
        self.settings.accounts = plans;
        for (place, plan) in self.settings.carriers.iter().enumerate() {
            if place == self.carriers.len() {
                self.carriers.push(CarrierState::default());
            }
            self.carriers[place].configure(plan, old.carriers.get(place), &self.settings);
        }
        self.has_reloaded = true;
        self.texts = Texts::default();
        for place in 0..self.carriers.len() {
            self.carriers[place].leaving.is_doubtful = true;
            if self.carriers[place].is_gone {
                self.release_suspects(CarrierId(place as u16));
            }
        }
        for id in parting {
            self.part_from(id);
        }
        self.turns = Turns::of_all(&self.settings.routes);
        self.callable = self.settings.callable();
        self.reload_stand_ins();
        self.circles = match (self.circles.take(), self.settings.screening.circles) {
            (Some(mut circles), Some(rule)) => {
                circles.set_rule(rule);
                Some(circles)
            }
            (None, Some(rule)) => Some(Circles::new(rule)),
            (_, None) => None,
        };
        self.carriers.wake_all();
        self.effects.retired.push(old);
    }

    fn reload_account(&mut self, id: AccountId, plan: &AccountPlan, before: Option<&AccountPlan>) {
        let place = usize::from(id.0);
        if place == self.accounts.len() {
            self.accounts.push(AccountState { away: Some(self.now.mono), ..AccountState::default() });
        }
        let Some(state) = self.accounts.get_mut(place) else { return };
        state.configure(plan, before, &self.settings);
        if state.is_gone {
            for seat in self.ports.seats() {
                if self.ports.here(seat).is_some_and(|(_, port)| port.account == id) {
                    self.unbind_port(seat);
                }
            }
        }
    }

    /// A session of an account that is gone came in before anybody could tell it so.
    pub(super) fn send_strangers_away(&mut self, seat: u32) {
        let Some((_, port)) = self.ports.here(seat) else { return };
        if self.accounts[usize::from(port.account.0)].is_gone {
            self.unbind_port(seat);
        }
    }

    /// Nothing more goes to the links that this carrier has now, and they end once they are quiet.
    fn part_from(&mut self, carrier: CarrierId) {
        for seat in self.links.seats() {
            let Some((_, link)) = self.links.here(seat).filter(|(_, link)| link.carrier == carrier) else {
                continue;
            };
            link.parting = true;
            self.parting.push(seat);
        }
    }

    /// Ends links that nothing is out on any more.
    pub(super) fn go_on_parting(&mut self) {
        for seat in std::mem::take(&mut self.parting) {
            let Some((_, link)) = self.links.here(seat).filter(|(_, link)| link.parting) else { continue };
            if link.room < link.window {
                self.parting.push(seat);
                continue;
            }
            self.unbind_link(seat);
        }
    }

    fn reload_stand_ins(&mut self) {
        for place in 0..self.stand_ins.len() {
            self.give_back(place);
        }
        self.stand_ins = self.settings.inbound.failing_over().into_iter().map(StandIn::new).collect();
    }
}

impl AccountState {
    /// Goes by `plan` from now on; by what is usual, and gone, if that is nobody's.
    pub(super) fn configure(
        &mut self,
        plan: &AccountPlan,
        before: Option<&AccountPlan>,
        settings: &Settings,
    ) {
        self.is_gone = plan.account.system_id.is_empty();
        if !self.is_gone {
            self.name = plan.account.system_id.as_bytes().into();
        }
        self.held_max = plan.queue_max;
        self.profile = Arc::clone(&plan.profile);
        self.part_receipts = plan.part_receipts;
        self.joins = plan.join_inbound;
        self.times = plan.times;
        self.bulk_tlv = plan.bulk_tlv;
        self.rules = plan.rules.unwrap_or(settings.rules);
        self.policy = Arc::clone(&plan.policy);
        self.durability = plan.durability;
        self.weight = plan.weight;
        // What it has used of its day counts on.
        if before.is_none_or(|before| (&before.limits, before.over_limit) != (&plan.limits, plan.over_limit))
        {
            self.pace = AccountPace::go_on(self.pace.as_deref(), &plan.limits, plan.over_limit);
        }
    }
}

impl CarrierState {
    /// Goes by `plan` from now on; nothing goes to it any more if that is nobody's.
    pub(super) fn configure(
        &mut self,
        plan: &CarrierPlan,
        before: Option<&CarrierPlan>,
        settings: &Settings,
    ) {
        self.is_gone = plan.carrier.name.is_empty();
        if self.is_gone {
            return; // receipts of it may still come, and are read as they were
        }
        self.name = plan.carrier.name.as_bytes().into();
        self.ids = plan.ids;
        self.profile = Arc::clone(&plan.carrier.profile);
        self.statuses = plan.statuses.clone();
        self.retry = plan.retry.clone().unwrap_or_else(|| settings.retry.clone());
        self.unanswered = plan.unanswered;
        self.receipts = plan.carrier.duties.receipts;
        self.passes_schedule = plan.carrier.passes_schedule;
        if before.is_none_or(|before| before.breaker != plan.breaker) {
            self.breaker = Breaker::new(plan.breaker);
        }
        let held = |Carrier { limits, maintenance, slow_answer, .. }: &Carrier| {
            (limits.clone(), maintenance.clone(), *slow_answer)
        };
        if before.is_none_or(|before| held(&before.carrier) != held(&plan.carrier)) {
            self.pace = self.pace.go_on(&plan.carrier);
        }
    }
}

impl Limits {
    /// These, but for those that tables were made by.
    const fn beside(self, old: &Self) -> Self {
        Self {
            memory_octets: old.memory_octets,
            early_receipts: old.early_receipts,
            final_states: old.final_states,
            gathering: old.gathering,
            bulks: old.bulks,
            ..self
        }
    }
}
