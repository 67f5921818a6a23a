//! What the hub is asked about its routes; nothing changes by it.

use super::Hub;
use crate::id::{AccountId, CarrierId};
use crate::route::{Question, Standing, Told};

impl Hub {
    /// Where a message would go now, and why.
    ///
    /// # Errors
    /// If there is no such account.
    pub fn explain(&self, question: &Question) -> Result<Told, String> {
        let place = self.accounts.iter().position(|account| *account.name == *question.account.as_bytes());
        let Some(place) = place else { return Err(format!("no account is named \"{}\"", question.account)) };
        let standing = |carrier: CarrierId| {
            let state = self.carriers.get(usize::from(carrier.0));
            state.map_or(Standing { usable: false, load: u16::MAX }, |state| state.prospect())
        };
        let name = |carrier: CarrierId| {
            let plan = self.settings.carriers.get(usize::from(carrier.0));
            plan.map_or("", |plan| plan.carrier.name.as_str())
        };
        let account = (AccountId(place as u16), &*self.accounts[place].profile);
        Ok(question.answer(&self.settings.routes, account, self.now.wall, &self.turns, Some(&standing), name))
    }
}
