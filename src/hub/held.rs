//! What waits for the spool, each in order of its Lsn: answers, room on links, outcomes that somebody is to hear of.
//!
//! Most of it waits until the disk has it. What an account is told of its own submissions waits for as much as that account's
//! [`Durability`] asks, in a queue of its own, so that those who ask for less don't stand behind those who ask for more.

use super::caller::Caller;
use super::glance::GLANCE;
use super::table::flag;
use super::{Hub, Token};
use crate::bulk::Answer as BulkAnswer;
use crate::codec::{Command, Status};
use crate::esme::Answer;
use crate::id::{AccountId, Lsn, SessionId};
use bytes::BytesMut;
use std::collections::VecDeque;
use std::time::Instant;

/// What has to have happened to a submission's record before its account is told that it was accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// It is on the disk: survives the end of the process and of the machine's power.
    #[default]
    Disk,
    /// The operating system has it: survives the end of the process, not of the machine's power.
    Os,
    /// The hub has it in memory: survives neither.
    Memory,
}

impl Durability {
    /// All of them, strongest first.
    pub const EACH: [Self; 3] = [Self::Disk, Self::Os, Self::Memory];

    /// Its name in the configuration and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Os => "os",
            Self::Memory => "memory",
        }
    }
}

/// How far the spool has got; the hub is told at each turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// The operating system has everything before this, and loses it with the machine's power only.
    pub written: Lsn,
    /// The disk has everything before this. Not above `written`.
    pub durable: Lsn,
}

impl Reached {
    /// Nothing is written that is not durable.
    pub const fn durable(lsn: Lsn) -> Self {
        Self { written: lsn, durable: lsn }
    }
}

/// What waits for the spool.
#[derive(Clone, Copy, Debug)]
pub(super) enum Held {
    /// A submission: answer it, and let its message go on.
    Accepted { token: Token, port: u32, session: SessionId, sequence: u32, since: Instant },
    /// A message whose peer is answered otherwise: let it go on.
    Begun { token: Token },
    /// The next of `replies` may go to this port.
    Reply { port: u32, session: SessionId },
    /// The record of a hand-over: its place in the link's window is free again.
    Sent { link: u32, session: SessionId },
    /// The record of an outcome: the account may hear of it.
    Settled { token: Token },
    /// The record of what a carrier delivered: answer it.
    Arrived { link: u32, session: SessionId, command: Command, sequence: u32 },
    /// A change of a bulk: the next of `bulk_answers` may go.
    Bulk,
    /// What lived in a segment, or some of it, stands elsewhere: the segment may go if that was all.
    Compacted { number: Option<u64> },
}

impl Held {
    /// Whether a message goes on with it.
    const fn begins(&self) -> bool {
        matches!(self, Self::Accepted { .. } | Self::Begun { .. })
    }

    /// Whose message's row it is about.
    const fn slot(&self) -> Option<u32> {
        match self {
            Self::Accepted { token, .. } | Self::Begun { token } | Self::Settled { token } => {
                Some(token.slot)
            }
            Self::Reply { .. }
            | Self::Sent { .. }
            | Self::Arrived { .. }
            | Self::Bulk
            | Self::Compacted { .. } => None,
        }
    }
}

/// The queues.
#[derive(Debug, Default)]
pub(super) struct Holding {
    queues: [Waiting; Durability::EACH.len()],
    /// Submissions among what is held.
    accepted: usize,
}

/// One queue.
#[derive(Debug, Default)]
struct Waiting {
    held: VecDeque<(Lsn, Held)>,
    /// Response PDUs, in the order of their places in `held`.
    replies: VecDeque<BytesMut>,
    /// Answers on bulks, by the tokens of what was asked; likewise.
    bulk_answers: VecDeque<(u64, BulkAnswer)>,
}

impl Holding {
    pub fn len(&self) -> usize {
        self.queues.iter().map(|queue| queue.held.len()).sum()
    }

    /// Submissions that wait.
    pub fn accepted(&self) -> usize {
        self.accepted
    }

    /// Answers that wait whole.
    pub fn answers(&self) -> usize {
        self.queues.iter().map(|queue| queue.replies.len() + queue.bulk_answers.len()).sum()
    }

    fn queue(&mut self, durability: Durability) -> &mut Waiting {
        &mut self.queues[durability as usize]
    }
}

impl Hub {
    /// Lets `held` go once the disk has everything before `lsn`.
    pub(super) fn hold(&mut self, lsn: Lsn, held: Held) {
        self.holding.queue(Durability::Disk).held.push_back((lsn, held));
    }

    /// Lets `held` go once everything before `lsn` is as durable as the account wants what it is told to be.
    pub(super) fn hold_for(&mut self, account: AccountId, lsn: Lsn, held: Held) {
        let durability = self.durability_for(account);
        self.holding.queue(durability).held.push_back((lsn, held));
    }

    /// As [`Hub::hold_for`], for the answer to a submission that is accepted as this message.
    pub(super) fn hold_accepted(&mut self, caller: Caller, lsn: Lsn, token: Token) {
        let Caller { port, session, account, sequence, since, .. } = caller;
        self.holding.accepted += 1;
        self.hold_for(account, lsn, Held::Accepted { token, port, session, sequence, since });
    }

    /// As [`Hub::hold_for`], for a whole response PDU.
    pub(super) fn hold_reply(&mut self, account: AccountId, lsn: Lsn, held: Held, pdu: BytesMut) {
        let durability = self.durability_for(account);
        let queue = self.holding.queue(durability);
        queue.replies.push_back(pdu);
        queue.held.push_back((lsn, held));
    }

    /// As [`Hub::hold_for`], for an answer on a bulk.
    pub(super) fn hold_bulk_answer(&mut self, account: AccountId, lsn: Lsn, token: u64, answer: BulkAnswer) {
        let durability = self.durability_for(account);
        let queue = self.holding.queue(durability);
        queue.bulk_answers.push_back((token, answer));
        queue.held.push_back((lsn, Held::Bulk));
    }

    /// What this account's answers wait for now. Who waits for less than the disk fills memory with what is not on it: so
    /// beyond a bound everybody waits for the disk, and windows hold them back.
    pub(super) fn durability_for(&self, account: AccountId) -> Durability {
        let behind = self.journal.end().0.saturating_sub(self.durable.0);
        match self.accounts[usize::from(account.0)].durability {
            Durability::Os | Durability::Memory if behind > AHEAD_OCTETS => Durability::Disk,
            durability => durability,
        }
    }

    /// Lets go of everything that waited for the spool and waits no longer.
    pub(super) fn release_held(&mut self, reached: Reached) {
        self.release(Durability::Disk, reached.durable);
        self.release(Durability::Os, reached.written);
    }

    /// Lets go of what needs nothing but to be in memory.
    pub(super) fn release_remembered(&mut self) {
        self.release(Durability::Memory, self.journal.end());
    }

    fn release(&mut self, durability: Durability, reached: Lsn) {
        let mut seen = 0;
        while let Some((lsn, held)) = self.holding.queue(durability).held.front().copied() {
            if lsn > reached {
                break;
            }
            if seen == 0 {
                seen = GLANCE;
                let next = self.holding.queues[durability as usize].held.iter().take(GLANCE);
                let due = next.take_while(|(lsn, _)| *lsn <= reached);
                self.glance(due.clone().filter_map(|(_, held)| held.slot()));
                self.glance_ahead(due.filter(|(_, held)| held.begins()).filter_map(|(_, held)| held.slot()));
            }
            seen -= 1;
            let queue = self.holding.queue(durability);
            queue.held.pop_front();
            match held {
                Held::Reply { port, session } => {
                    if let Some(pdu) = queue.replies.pop_front() {
                        self.reply(port, session, &pdu);
                    }
                }
                Held::Bulk => {
                    let answer = queue.bulk_answers.pop_front();
                    self.effects.bulks.extend(answer);
                }
                Held::Accepted { token, port, session, sequence, since } => {
                    self.holding.accepted -= 1;
                    let waited = self.now.mono.saturating_duration_since(since);
                    self.effects.stats.submit_response.record(waited);
                    if durability == Durability::Disk {
                        self.disk_wait = waited;
                    }
                    self.answer_accepted(token, port, session, sequence);
                }
                Held::Begun { token } => {
                    if self.table.known(token).is_some() {
                        self.start(token.slot);
                    }
                }
                Held::Sent { link, session } => self.give_room(link, session),
                Held::Settled { token } => self.offer(token),
                Held::Arrived { link, session, command, sequence } => {
                    self.answer_arrival(link, session, (command, sequence), Status::ROK);
                }
                Held::Compacted { number } => self.end_compaction(number),
            }
        }
    }

    fn answer_accepted(&mut self, token: Token, port: u32, session: SessionId, sequence: u32) {
        let Some(row) = self.table.known(token) else { return };
        let id = row.id(token.slot);
        let command = if row.is(flag::DATA) { Command::DATA_SM } else { Command::SUBMIT_SM };
        if !row.is(flag::ONCE) || !self.transactions.contains_key(&token.slot) {
            self.answer(port, session, Answer { command, sequence, outcome: Ok(id) });
        }
        self.start(token.slot);
    }

    /// The living of a segment are durable elsewhere: all of them if it has a `number`.
    fn end_compaction(&mut self, number: Option<u64>) {
        if let Some(number) = number {
            self.effects.releases.push(number);
            self.compacting = None;
        }
        // What was written again can be read now.
        self.carriers.wake_all();
        self.accounts.iter_mut().for_each(|account| account.dirty = true);
        self.look_again_at_replacing();
    }
}

/// Octets that may be ahead of the disk before everybody's answers wait for it.
const AHEAD_OCTETS: u64 = 16 << 20;
