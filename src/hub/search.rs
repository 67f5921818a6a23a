//! Looking for messages by their addresses: for cancel_sm without an id, replace_if_present_flag, alert_notification.
//!
//! Nothing is indexed by address, since few ask and every message would pay. A search walks the table a slice a turn, one
//! search at a time, in the order in which they were asked; ten million messages take some two hundred turns.

use super::Hub;
use super::caller::Caller;
use super::screen::EitherWay;
use super::table::{Row, Token, flag};
use crate::codec::{Reading, Sm, Status};
use crate::id::{AccountId, Lsn};
use crate::message::{Outcome, Phase};
use bytes::Bytes;
use std::collections::BTreeSet;

/// What is looked for; `None` is everything. Addresses are marks of their characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub account: Option<AccountId>,
    pub source: Option<EitherWay>,
    pub destination: EitherWay,
    pub service_type: Option<[u8; 5]>,
}

impl Wanted {
    fn is(&self, row: &Row) -> bool {
        row.phase != Phase::Free
            && !row.is(flag::INBOUND)
            && self.destination.contains(&row.destination)
            && self.source.is_none_or(|source| source.contains(&row.source))
            && self.account.is_none_or(|account| account == row.account)
            && self.service_type.is_none_or(|service| service == row.service_type)
    }
}

/// What becomes of what is found.
#[derive(Debug)]
pub(super) enum Errand {
    /// Cancel it; `last` is the record of the last one that was.
    Cancel { last: Option<Lsn> },
    /// Cancel the `newest` of it and let `body` come in.
    Submit { newest: Option<Token>, body: Bytes },
    /// Try it again now, and pass the alert_notification on to its accounts.
    Alert { accounts: BTreeSet<AccountId>, body: Bytes },
}

#[derive(Debug)]
pub(super) struct Search {
    /// Nobody asked for an alert.
    caller: Option<Caller>,
    wanted: Wanted,
    errand: Errand,
    next: u32,
}

impl Hub {
    /// Begins a search, or refuses it if too many wait.
    pub(super) fn search(&mut self, caller: Caller, wanted: Wanted, errand: Errand) {
        let own = |search: &&Search| search.caller.is_some_and(|other| other.account == caller.account);
        let is_crowded = self.searches.iter().filter(own).count() >= SEARCHES_EACH;
        if is_crowded || self.searches.len() >= SEARCHES_MAX {
            return self.refuse(caller, Status::RTHROTTLED);
        }
        self.searches.push_back(Search { caller: Some(caller), wanted, errand, next: 0 });
    }

    /// Begins a search that nobody waits for; one too many is dropped and counted.
    pub(super) fn search_for_alert(&mut self, destination: &[u8], body: Bytes) {
        let destination = self.handset_either_way(destination);
        if self.searches.iter().filter(|search| search.caller.is_none()).count() >= SEARCHES_EACH {
            self.effects.stats.alerts_dropped += 1;
            return;
        }
        let wanted = Wanted { account: None, source: None, destination, service_type: None };
        let errand = Errand::Alert { accounts: BTreeSet::new(), body };
        self.searches.push_back(Search { caller: None, wanted, errand, next: 0 });
    }

    /// A submit_sm that takes the place of one that has the same addresses and service type, if one waits.
    pub(super) fn submit_in_place(&mut self, caller: Caller, body: Bytes) {
        let sm = match Sm::decode(&body, Reading::Lenient) {
            Ok(sm) => sm,
            Err(error) => return self.refuse(caller, error.status),
        };
        // What may not come in takes nobody's place.
        if let Err(status) = self.judge(&sm, caller.account, caller.version, 0) {
            return self.refuse(caller, status);
        }
        let wanted = Wanted {
            account: Some(caller.account),
            source: Some(self.source_either_way(caller.account, &sm.source)),
            destination: self.destination_either_way(caller.account, &sm.destination),
            service_type: Some(super::intake::service_type(&sm)),
        };
        self.search(caller, wanted, Errand::Submit { newest: None, body });
    }

    /// Goes on with the first searches for one slice.
    pub(super) fn go_on_searching(&mut self) {
        let mut left = SLICE;
        while left > 0 {
            let Some(mut search) = self.searches.pop_front() else { return };
            let (begin, slots) = (search.next, self.table.slots());
            let end = slots.min(begin.saturating_add(left));
            for slot in begin..end {
                if self.table.peek(slot).is_some_and(|row| search.wanted.is(row)) {
                    self.found(&mut search.errand, slot);
                }
            }
            left -= (end - begin).max(1);
            search.next = end;
            match end < slots {
                true => self.searches.push_front(search),
                false => self.end_search(search),
            }
        }
    }

    fn found(&mut self, errand: &mut Errand, slot: u32) {
        match errand {
            // Other parts of the text may be with the carrier already.
            Errand::Cancel { .. } if self.table.row(slot).is(flag::PART) => {}
            Errand::Cancel { last } => *last = self.cancel(slot).or(*last),
            // Made by us of what was submitted: nobody means it alone.
            Errand::Submit { .. } if self.table.row(slot).is(flag::PART | flag::WHOLE) => {}
            Errand::Submit { newest, .. } => {
                let token = self.table.token(slot);
                let (serial, is_pending) = (self.table.row(slot).serial, self.table.row(slot).is_pending());
                let is_newer = newest.is_none_or(|known| self.table.row(known.slot).serial < serial);
                if is_pending && is_newer {
                    *newest = Some(token);
                }
            }
            Errand::Alert { accounts, .. } => {
                let row = self.table.row(slot);
                if !super::is_open(row.phase) {
                    return;
                }
                accounts.insert(row.account);
                // It backs off from a handset that is there again.
                if row.phase == Phase::Scheduled && row.attempts > 0 {
                    row.at = self.now.wall;
                    self.start(slot);
                }
            }
        }
    }

    fn end_search(&mut self, search: Search) {
        match (search.errand, search.caller) {
            (Errand::Cancel { last }, Some(caller)) => self.end_cancel(caller, last),
            (Errand::Submit { newest, body }, Some(caller)) => self.end_in_place(caller, newest, body),
            (Errand::Alert { accounts, body }, _) => {
                for account in accounts {
                    self.alert(account, &body);
                }
            }
            // Only alerts come without a caller.
            (Errand::Cancel { .. } | Errand::Submit { .. }, None) => {}
        }
    }

    fn end_in_place(&mut self, caller: Caller, newest: Option<Token>, body: Bytes) {
        let Ok(sm) = Sm::decode(&body, Reading::Lenient) else { return };
        // The old one goes only once the new one is there: judged again, for time has passed.
        match self.judge(&sm, caller.account, caller.version, 0) {
            Ok(judged) => {
                let (mut lsn, token) = self.let_in(judged, body, None);
                let still =
                    newest.filter(|token| self.table.known(*token).is_some_and(|row| row.is_pending()));
                if let Some(old) = still {
                    self.effects.stats.replaced += 1;
                    lsn = self.settle(old.slot, Outcome::plain(crate::codec::MessageState::Deleted));
                }
                self.hold_accepted(caller, lsn, token);
            }
            Err(status) => self.refuse(caller, status),
        }
    }
}

/// The service type that a cancel_sm names; none if it names none.
pub(super) fn service(service_type: &[u8]) -> Option<[u8; 5]> {
    let sm = Sm { service_type, ..Sm::default() };
    (!service_type.is_empty()).then(|| super::intake::service_type(&sm))
}

/// Slots that one turn looks at.
const SLICE: u32 = 50_000;
/// Searches that may wait.
const SEARCHES_MAX: usize = 1000;
/// Searches of one account, or for alerts, that may.
const SEARCHES_EACH: usize = 200;
