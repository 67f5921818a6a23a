//! Who may bind and who is bound, readable by every task at any time.
//!
//! The only thing in the house that tasks share by lock; nothing in it is touched per message.

use super::Account;
use crate::codec::Status;
use crate::id::AccountId;
use dashmap::DashMap;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// All accounts and how many sessions each has bound.
#[derive(Debug, Default)]
pub struct Registry {
    accounts: DashMap<Box<[u8]>, Entry>,
}

#[derive(Debug)]
struct Entry {
    id: AccountId,
    account: Arc<Account>,
    bound: usize,
    /// It is no account any more; its place stays for the sessions that it has.
    is_gone: bool,
}

impl Registry {
    /// A registry of `accounts`, in the order of their ids.
    pub fn new(accounts: &[Account]) -> Arc<Self> {
        let registry = Self::default();
        for (place, account) in accounts.iter().enumerate() {
            let entry = Entry {
                id: AccountId(place as u16),
                account: Arc::new(account.clone()),
                bound: 0,
                is_gone: false,
            };
            registry.accounts.insert(account.system_id.as_bytes().into(), entry);
        }
        Arc::new(registry)
    }

    /// The accounts of these names bind no more.
    pub fn forget<'n>(&self, names: impl IntoIterator<Item = &'n str>) {
        for name in names {
            if let Some(mut entry) = self.accounts.get_mut(name.as_bytes()) {
                entry.is_gone = true;
            }
        }
    }

    /// Who may bind is as these say from now on, in the order of their ids; one without a name is nobody. Sessions that are bound stay,
    /// and stay as they were bound.
    pub fn renew<'a>(&self, accounts: impl IntoIterator<Item = &'a Account>) {
        for (place, account) in accounts.into_iter().enumerate() {
            let id = AccountId(place as u16);
            if account.system_id.is_empty() {
                // Whoever had that place is gone.
                self.accounts
                    .iter_mut()
                    .filter(|entry| entry.id == id)
                    .for_each(|mut entry| entry.is_gone = true);
                continue;
            }
            let fresh = || Entry { id, account: Arc::new(account.clone()), bound: 0, is_gone: false };
            let mut entry = self.accounts.entry(account.system_id.as_bytes().into()).or_insert_with(fresh);
            entry.is_gone = false;
            if *entry.account != *account {
                entry.account = Arc::new(account.clone());
            }
        }
    }

    /// The account of this id, if it is one.
    pub fn account(&self, id: AccountId) -> Option<Arc<Account>> {
        let found = self.accounts.iter().find(|entry| entry.id == id && !entry.is_gone)?;
        Some(Arc::clone(&found.account))
    }

    /// The account that has this name and this password.
    pub fn identify(&self, system_id: &[u8], password: &[u8]) -> Option<AccountId> {
        let Some(entry) = self.accounts.get(system_id).filter(|entry| !entry.is_gone) else {
            // The same work as for a known account.
            let _ = bool::from(password.ct_eq(b"********"));
            return None;
        };
        bool::from(password.ct_eq(entry.account.password.as_bytes())).then_some(entry.id)
    }

    /// Takes a seat for one session of `system_id`.
    ///
    /// # Errors
    /// ESME_RBINDFAIL for an unknown account, a wrong password and one session too many alike: a stranger
    /// learns nothing from it (fact sheet 4.2).
    pub fn bind(self: &Arc<Self>, system_id: &[u8], password: &[u8]) -> Result<Seat, Status> {
        let Some(mut entry) = self.accounts.get_mut(system_id).filter(|entry| !entry.is_gone) else {
            // The same work as for a known account.
            let _ = bool::from(password.ct_eq(b"********"));
            return Err(Status::RBINDFAIL);
        };
        let known = bool::from(password.ct_eq(entry.account.password.as_bytes()));
        if !known || entry.bound >= entry.account.binds {
            return Err(Status::RBINDFAIL);
        }
        entry.bound += 1;
        let (id, account) = (entry.id, Arc::clone(&entry.account));
        drop(entry);
        Ok(Seat { registry: Arc::clone(self), id, account })
    }

    /// How many sessions each account has bound, by name.
    pub fn bound(&self) -> Vec<(String, usize)> {
        let mut bound: Vec<_> =
            self.accounts.iter().map(|entry| (entry.account.system_id.clone(), entry.bound)).collect();
        bound.sort();
        bound
    }
}

/// One bound session of an account; gives its place back when dropped.
#[derive(Debug)]
pub struct Seat {
    registry: Arc<Registry>,
    pub id: AccountId,
    pub account: Arc<Account>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(mut entry) = self.registry.accounts.get_mut(self.account.system_id.as_bytes()) {
            entry.bound -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry() -> Arc<Registry> {
        Registry::new(&[Account { binds: 1, ..Account::new("demo", "secret") }])
    }

    #[test]
    fn strangers_and_wrong_passwords_get_the_same_answer() {
        let registry = registry();

        assert_eq!(registry.bind(b"nobody", b"secret").err(), Some(Status::RBINDFAIL));
        assert_eq!(registry.bind(b"demo", b"guess").err(), Some(Status::RBINDFAIL));
        assert_eq!(registry.bind(b"demo", b"").err(), Some(Status::RBINDFAIL));
        let identified = [&b"secret"[..], b"guess", b""].map(|password| registry.identify(b"demo", password));
        assert_eq!(identified, [Some(AccountId(0)), None, None]);
        assert_eq!(registry.identify(b"nobody", b"********"), None);
    }

    /// A session of an account that is gone, and comes again, is counted once more than it is given back, never less.
    #[test]
    fn who_may_bind_changes_and_who_is_bound_stays() {
        let registry = registry();
        let seat = registry.bind(b"demo", b"secret").expect("a free seat");

        let renewed = Account { binds: 2, ..Account::new("demo", "other") };
        registry.renew([&renewed, &Account::new("late", "late")]);
        assert_eq!(registry.bind(b"demo", b"secret").err(), Some(Status::RBINDFAIL));
        assert_eq!(registry.bind(b"demo", b"other").expect("two may").id, AccountId(0));
        assert_eq!(registry.bind(b"late", b"late").expect("known now").id, AccountId(1));
        assert_eq!((seat.account.password.as_str(), seat.account.binds), ("secret", 1));

        registry.renew([&Account::new("", ""), &Account::new("late", "late")]);
        assert_eq!(registry.bind(b"demo", b"other").err(), Some(Status::RBINDFAIL));
        assert_eq!((registry.identify(b"demo", b"other"), registry.account(AccountId(0))), (None, None));
        registry.renew([&renewed, &Account::new("late", "late")]);
        drop(seat);
        assert_eq!(registry.bound(), [("demo".to_owned(), 0), ("late".to_owned(), 0)]);
        registry.forget(["late"]);
        assert_eq!(registry.bind(b"late", b"late").err(), Some(Status::RBINDFAIL));
    }

    #[test]
    fn seat_is_free_again_once_its_session_is_gone() {
        let registry = registry();
        let seat = registry.bind(b"demo", b"secret").expect("a free seat");
        assert_eq!(registry.bind(b"demo", b"secret").err(), Some(Status::RBINDFAIL));

        drop(seat);

        assert!(registry.bind(b"demo", b"secret").is_ok());
        assert_eq!(registry.bound(), [("demo".to_owned(), 0)]);
    }
}
