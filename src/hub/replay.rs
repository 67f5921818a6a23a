//! From the spool's records back to a hub that goes on where the last one stopped.

use super::outcome::Given;
use super::table::{Row, Table, Whereabouts, flag};
use super::{AccountState, CarrierState, Effects, Hub, Mode, Seats, Settings};
use crate::clock::{Now, UnixMs};
use crate::codec::{MessageState, Reading, Sm};
use crate::correlation::Correlation;
use crate::id::{AccountId, CarrierId, Lsn, MessageId};
use crate::message::{Outcome, Phase, wants_receipt};
use crate::spool::{Journal, Locator, Record};
use crate::wheel::Wheel;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// A hub in the making: takes records in the order of the log.
#[derive(Debug)]
pub struct Replay {
    settings: Settings,
    table: Table,
    accounts: Vec<AccountState>,
    carriers: Vec<CarrierState>,
    early: BTreeMap<EarlyKey, EarlyRecord>,
}

/// What tells a held receipt from its copies: carrier, id, when it came.
type EarlyKey = (CarrierId, Box<[u8]>, UnixMs);

#[derive(Debug)]
struct EarlyRecord {
    carrier: CarrierId,
    text: Box<[u8]>,
    destination: Box<[u8]>,
    outcome: Outcome,
    at: UnixMs,
    lsn: Lsn,
}

impl Replay {
    /// Begins with nothing.
    pub fn new(settings: Settings) -> Self {
        let account = |plan: &super::AccountPlan| AccountState {
            name: plan.account.system_id.as_bytes().into(),
            held_max: plan.queue_max,
            ..AccountState::default()
        };
        let carrier = |plan: &super::CarrierPlan| CarrierState {
            name: plan.carrier.name.as_bytes().into(),
            ids: plan.ids,
            ..CarrierState::default()
        };
        Self {
            table: Table::default(),
            accounts: settings.accounts.iter().map(account).collect(),
            carriers: settings.carriers.iter().map(carrier).collect(),
            early: BTreeMap::new(),
            settings,
        }
    }

    /// Takes the next record.
    pub fn take(&mut self, record: &Record<'_>, locator: Locator) {
        match *record {
            Record::Accepted { id, account, accepted, due, expires, flags, body } => {
                self.take_accepted(id, account, [accepted, due, expires], flags, body, locator);
            }
            Record::Sent { id, carrier, carrier_message_id, at } => {
                let carrier = self.carrier(carrier);
                if let Some(row) = self.table.find(id) {
                    row.phase = Phase::Awaiting;
                    row.carrier = carrier;
                    row.at = at;
                    row.carrier_message_id =
                        (!carrier_message_id.is_empty()).then(|| carrier_message_id.into());
                }
            }
            Record::Deferred { id, attempts, due } => {
                if let Some(row) = self.table.find(id) {
                    (row.phase, row.attempts, row.at) = (Phase::Scheduled, attempts, due);
                }
            }
            Record::Settled { id, state, error, at } => {
                if let Some(row) = self.table.find(id) {
                    row.phase = Phase::Settled;
                    row.state = MessageState::from_octet(state).unwrap_or(MessageState::Unknown);
                    (row.error, row.at, row.carrier_message_id) = (error, at, None);
                }
            }
            Record::Done { id } => {
                if self.table.find(id).is_some() {
                    self.table.remove(id.slot);
                }
            }
            Record::Early { carrier, carrier_message_id, destination, state, error, at } => {
                let state = MessageState::from_octet(state).unwrap_or(MessageState::Unknown);
                let carrier = self.carrier(carrier);
                // The same one, written again by compaction: the last copy counts.
                let key = (carrier, carrier_message_id.into(), at);
                self.early.insert(
                    key,
                    EarlyRecord {
                        carrier,
                        text: carrier_message_id.into(),
                        destination: destination.into(),
                        outcome: Outcome { state, error },
                        at,
                        lsn: Lsn(locator.at + u64::from(locator.len)),
                    },
                );
            }
        }
    }

    fn take_accepted(
        &mut self,
        id: MessageId,
        account: &[u8],
        [accepted, at, expires]: [UnixMs; 3],
        flags: u8,
        body: &[u8],
        locator: Locator,
    ) {
        let account = self.account(account);
        let sm = Sm::decode(body, Reading::Lenient).ok();
        let destination = sm.map_or(&b""[..], |sm| sm.destination.addr);
        let row = Row {
            serial: id.serial,
            locator,
            accepted,
            expires,
            at,
            body: Bytes::new(),
            carrier_message_id: None,
            whereabouts: Whereabouts::Here,
            account,
            carrier: self.settings.routes.choose(destination).unwrap_or(NOWHERE),
            phase: Phase::Scheduled,
            attempts: 0,
            registered_delivery: sm.map_or(1, |sm| sm.registered_delivery),
            flags: flags & flag::SHORT_ID,
            state: MessageState::Enroute,
            error: [0; 3],
        };
        self.table.put(id.slot, row);
    }

    /// The account of that name; one that is configured no more keeps what it is owed.
    fn account(&mut self, name: &[u8]) -> AccountId {
        let known = self.accounts.iter().position(|account| *account.name == *name);
        AccountId(known.unwrap_or_else(|| {
            self.accounts.push(AccountState { name: name.into(), ..AccountState::default() });
            self.accounts.len() - 1
        }) as u16)
    }

    /// The carrier of that name; receipts of one that is configured no more are still awaited.
    fn carrier(&mut self, name: &[u8]) -> CarrierId {
        let known = self.carriers.iter().position(|carrier| *carrier.name == *name);
        CarrierId(known.unwrap_or_else(|| {
            self.carriers.push(CarrierState { name: name.into(), ..CarrierState::default() });
            self.carriers.len() - 1
        }) as u16)
    }

    /// How many messages there are so far.
    pub fn len(&self) -> usize {
        self.table.iter().count()
    }

    /// Whether there is no message.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The hub, with everything in the queue or on the timer where it belongs.
    pub fn finish(mut self, journal: Journal, now: Now) -> Hub {
        self.table.rebuild_free();
        let mut slots: Vec<(u64, u32)> = self.table.iter().map(|(slot, row)| (row.serial, slot)).collect();
        slots.sort_unstable();
        let mut hub = Hub {
            id_key: journal.id_key(),
            correlation: Correlation::new(self.settings.limits.early_receipts),
            journal,
            table: self.table,
            wheel: Wheel::new(now.wall.0 / super::timers::TICK_MS),
            accounts: self.accounts,
            carriers: self.carriers,
            ports: Seats::default(),
            links: Seats::default(),
            held: VecDeque::new(),
            bodies: VecDeque::new(),
            fired: Vec::new(),
            effects: Effects::default(),
            now,
            durable: Lsn(0), // no turn yet
            mode: Mode::Working,
            full: false,
            compacting: None,
            compact_again: None,
            settings: self.settings,
        };
        for (_, slot) in slots {
            hub.resume(slot);
        }
        for early in self.early.values() {
            let EarlyRecord { carrier, text, destination, outcome, at, lsn } = early;
            let given = Given { carrier: *carrier, id: text, text_id: b"", destination, outcome: *outcome };
            hub.resume_early(given, *at, *lsn);
        }
        hub
    }
}

impl Hub {
    /// Takes up one message where its records leave it.
    fn resume(&mut self, slot: u32) {
        let row = self.table.row(slot);
        let (locator, account, carrier, phase) = (row.locator, row.account, row.carrier, row.phase);
        self.journal.adopt(locator);
        self.accounts[usize::from(account.0)].held += 1;
        match phase {
            Phase::Settled if wants_receipt(row.registered_delivery, row.state) => {
                let token = self.table.token(slot);
                self.offer(token);
            }
            Phase::Settled => {
                self.finish(slot);
            }
            Phase::Awaiting => {
                let until = row.expires.after(self.settings.limits.receipt_grace);
                if let Some(id) = row.carrier_message_id.as_deref() {
                    let form = self.carriers[usize::from(carrier.0)].ids.response;
                    let hash = self.correlation.key(carrier, id, form);
                    row.whereabouts = Whereabouts::Known(hash);
                    self.correlation.insert(hash, slot);
                }
                self.set_timer(slot, until);
            }
            // Its route was taken out of the configuration: the account hears so rather than nothing.
            Phase::Scheduled if carrier == NOWHERE => {
                self.settle(slot, Outcome::NO_ROUTE);
            }
            _ => self.start(slot), // records leave a message in no other state than this one
        }
    }
}

/// No carrier: no route leads to the message's destination any more.
const NOWHERE: CarrierId = CarrierId(u16::MAX);
