//! What the journal says about a message, as octets.
//!
//! A record is an envelope (length, check, kind) and its fields, big-endian, fixed ones first:
//!
//! ```text
//! length u32 (of all of it) | check u32 | kind u8 | serial u64 | slot u32 | fixed fields | names (u16 length each) | body (the rest)
//! ```
//!
//! The check is the journal's: it covers the address too, so [`Record::encode`] leaves it zero and
//! [`Record::decode`] does not look at it. What a [`Reader`](super::Reader) or the replay hands out has been checked.

use crate::clock::UnixMs;
use crate::id::MessageId;
use bytes::{BufMut, BytesMut};
use thiserror::Error;

/// One fact about one message. Names are cut at 65 535 octets; a record is at most [`Record::MAX_LEN`] long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// The hub takes responsibility. For an id that is known already: the message begins anew (compaction).
    Accepted {
        id: MessageId,
        /// The account's system_id.
        account: &'a [u8],
        accepted: UnixMs,
        due: UnixMs,
        expires: UnixMs,
        /// The hub's own marks.
        flags: u8,
        /// The message that it belongs to, if it is one of several.
        group: Option<MessageId>,
        /// The number of its bulk, if it is of one.
        bulk: Option<u64>,
        /// The body of the submit_sm, or of the deliver_sm of an inbound message, without its header.
        body: &'a [u8],
    },
    /// A carrier took it under its own id; or it came from that carrier, if it is an inbound message.
    Sent {
        id: MessageId,
        /// The carrier's name.
        carrier: &'a [u8],
        carrier_message_id: &'a [u8],
        at: UnixMs,
    },
    /// It waits for another attempt.
    Deferred {
        id: MessageId,
        attempts: u8,
        due: UnixMs,
        /// Why the last attempt failed.
        error: [u8; 3],
        /// How often a link was lost with it.
        losses: u8,
        /// Which candidates of its route refused it, and from which on the next one is looked for.
        tried: u32,
        from: u8,
        /// The carrier that it is for whatever its route says; empty: any of its candidates.
        carrier: &'a [u8],
        /// Which candidates `tried` and `from` count: a digest of them; 0: nobody has said.
        shape: u8,
    },
    /// It has its final state (SMPP 3.4 §5.2.28) and the three characters of a receipt's `err:`.
    Settled { id: MessageId, state: u8, error: [u8; 3], at: UnixMs },
    /// The receipt was taken by the account, or none was owed: the message is gone.
    Done { id: MessageId },
    /// Its text goes on in the messages of its group, which stand before this record.
    Divided { id: MessageId },
    /// Its text goes on in that message, which stands after this record.
    Joined { id: MessageId, into: MessageId },
    /// A carrier's receipt for a message that is not known by that id yet.
    Early {
        carrier: &'a [u8],
        carrier_message_id: &'a [u8],
        /// The destination that it names.
        destination: &'a [u8],
        state: u8,
        error: [u8; 3],
        at: UnixMs,
    },
    /// A handset doesn't want to hear from an account any more, or does again: the last one about both counts.
    OptOut {
        /// The account's system_id.
        account: &'a [u8],
        /// The digits of its number.
        handset: &'a [u8],
        /// The digits of the account's number that this is about; empty: about all that it sends.
        sender: &'a [u8],
        at: UnixMs,
        /// It doesn't want to; else it does again.
        out: bool,
    },
    /// How a bulk stands: the last one counts.
    Bulk {
        /// Unique among bulks and serials of messages.
        number: u64,
        /// The account's system_id.
        account: &'a [u8],
        /// What the account calls it.
        name: &'a [u8],
        state: u8,
        /// When it fires, or was to.
        at: UnixMs,
        /// When it came into this state.
        changed: UnixMs,
        /// How many of its messages have ended and are gone: delivered, expired, deleted, failed.
        gone: [u64; 4],
    },
    /// What a calendar limit has counted so far: the last one counts, and what stands after it.
    Used {
        /// The name of the carrier, or the account's system_id.
        name: &'a [u8],
        is_account: bool,
        at: UnixMs,
        /// The minute and the day since 1970, in its own offset, and the segments in them.
        minute: (u64, u64),
        day: (u64, u64),
    },
}

/// Why octets are not a record. The octets are damaged, or not a record's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// The length is impossible or runs past what is there.
    #[error("record length {0} is impossible here")]
    Length(u32),
    /// No such kind: damaged, or written by a newer version.
    #[error("unknown kind of record {0}")]
    Kind(u8),
    /// A field runs past the end of its record.
    #[error("{0} is cut short")]
    Short(&'static str),
}

impl<'a> Record<'a> {
    /// Octets of the longest record.
    pub const MAX_LEN: usize = 1 << 20;

    /// Appends the record to `out`, check left zero. A body that would make it longer than [`Record::MAX_LEN`] is a
    /// fault of the caller: PDUs are far shorter.
    pub fn encode(&self, out: &mut BytesMut) {
        let start = out.len();
        let id = self.id();
        let mut head = [0; MIN_LEN];
        head[8] = self.kind();
        head[9..17].copy_from_slice(&id.serial.to_be_bytes());
        head[17..].copy_from_slice(&id.slot.to_be_bytes());
        out.put_slice(&head);
        match *self {
            Self::Accepted { account, accepted, due, expires, flags, group, bulk, body, .. } => {
                let times = [accepted, due, expires].map(|at| at.0.to_be_bytes());
                out.put_slice(times.as_flattened());
                out.put_u8(flags);
                if let Some(group) = group {
                    put_id(out, group);
                }
                if let Some(bulk) = bulk {
                    out.put_u64(bulk);
                }
                put_name(out, account);
                out.put_slice(body);
            }
            Self::Sent { carrier, carrier_message_id, at, .. } => {
                out.put_u64(at.0);
                put_name(out, carrier);
                put_name(out, carrier_message_id);
            }
            Self::Deferred { attempts, due, error, losses, tried, from, carrier, shape, .. } => {
                put_deferred(out, attempts, due, error, losses, (tried, from, carrier, shape));
            }
            Self::Settled { state, error, at, .. } => {
                out.put_u8(state);
                out.put_slice(&error);
                out.put_u64(at.0);
            }
            Self::Done { .. } | Self::Divided { .. } => {}
            Self::Joined { into, .. } => put_id(out, into),
            Self::Early { carrier, carrier_message_id, destination, state, error, at } => {
                out.put_u8(state);
                out.put_slice(&error);
                out.put_u64(at.0);
                put_name(out, carrier);
                put_name(out, carrier_message_id);
                put_name(out, destination);
            }
            Self::OptOut { account, handset, sender, at, out: is_out } => {
                out.put_u64(at.0);
                out.put_u8(is_out.into());
                put_name(out, account);
                put_name(out, handset);
                put_name(out, sender);
            }
            Self::Bulk { account, name, state, at, changed, gone, .. } => {
                put_bulk(out, state, [at, changed], gone);
                put_name(out, account);
                put_name(out, name);
            }
            Self::Used { name, is_account, at, minute, day } => {
                put_used(out, name, is_account, at, [minute, day])
            }
        }
        let len = out.len() - start;
        assert!(len <= Self::MAX_LEN, "a record of {len} octets");
        out[start..start + 4].copy_from_slice(&(len as u32).to_be_bytes());
    }

    /// The record at the beginning of `octets`, and how long it is.
    ///
    /// # Errors
    /// If the octets don't begin with a whole record.
    pub fn decode(octets: &'a [u8]) -> Result<(Self, usize), RecordError> {
        let len = Self::len_at(octets)?;
        let mut fields = Fields(&octets[8..len]);
        let kind = fields.u8("kind")?;
        let id = fields.id("id")?;
        let record = match kind {
            ACCEPTED | ACCEPTED_OF_GROUP | ACCEPTED_IN_BULK | ACCEPTED_OF_BOTH => Self::Accepted {
                id,
                accepted: UnixMs(fields.u64("accepted")?),
                due: UnixMs(fields.u64("due")?),
                expires: UnixMs(fields.u64("expires")?),
                flags: fields.u8("flags")?,
                group: match kind {
                    ACCEPTED_OF_GROUP | ACCEPTED_OF_BOTH => Some(fields.id("group")?),
                    _ => None, // alone, as most are
                },
                bulk: match kind {
                    ACCEPTED_IN_BULK | ACCEPTED_OF_BOTH => Some(fields.u64("bulk")?),
                    _ => None, // of none, as most are
                },
                account: fields.name("account")?,
                body: fields.0,
            },
            SENT => Self::Sent {
                id,
                at: UnixMs(fields.u64("at")?),
                carrier: fields.name("carrier")?,
                carrier_message_id: fields.name("carrier_message_id")?,
            },
            DEFERRED => Self::Deferred {
                id,
                attempts: fields.u8("attempts")?,
                due: UnixMs(fields.u64("due")?),
                // Formats 1 and 2 don't say.
                error: fields.array("error").unwrap_or_default(),
                losses: fields.u8("losses").unwrap_or_default(),
                tried: fields.u32("tried").unwrap_or_default(),
                from: fields.u8("from").unwrap_or_default(),
                carrier: fields.name("carrier").unwrap_or_default(),
                shape: fields.u8("shape").unwrap_or_default(),
            },
            SETTLED => Self::Settled {
                id,
                state: fields.u8("state")?,
                error: fields.array("error")?,
                at: UnixMs(fields.u64("at")?),
            },
            DONE => Self::Done { id },
            DIVIDED => Self::Divided { id },
            JOINED => Self::Joined { id, into: fields.id("into")? },
            other => Self::decode_other(other, id, &mut fields)?,
        };
        Ok((record, len))
    }

    /// A record that is about no one message.
    fn decode_other(kind: u8, id: MessageId, fields: &mut Fields<'a>) -> Result<Self, RecordError> {
        Ok(match kind {
            EARLY => Self::Early {
                state: fields.u8("state")?,
                error: fields.array("error")?,
                at: UnixMs(fields.u64("at")?),
                carrier: fields.name("carrier")?,
                carrier_message_id: fields.name("carrier_message_id")?,
                destination: fields.name("destination")?,
            },
            OPT_OUT => Self::OptOut {
                at: UnixMs(fields.u64("at")?),
                out: fields.u8("out")? != 0,
                account: fields.name("account")?,
                handset: fields.name("handset")?,
                sender: fields.name("sender")?,
            },
            BULK => Self::Bulk {
                number: id.serial,
                state: fields.u8("state")?,
                at: UnixMs(fields.u64("at")?),
                changed: UnixMs(fields.u64("changed")?),
                gone: [fields.u64("gone")?, fields.u64("gone")?, fields.u64("gone")?, fields.u64("gone")?],
                account: fields.name("account")?,
                name: fields.name("name")?,
            },
            USED => fields.used()?,
            // Kinds of newer versions: their segments have a newer format, so this one is damage.
            unknown => return Err(RecordError::Kind(unknown)),
        })
    }

    /// Whose record it is; nobody's (zero) for [`Record::Early`], [`Record::OptOut`] and [`Record::Used`], and no message's for
    /// [`Record::Bulk`], whose number takes the
    /// place of a serial.
    pub const fn id(&self) -> MessageId {
        match *self {
            Self::Accepted { id, .. }
            | Self::Sent { id, .. }
            | Self::Deferred { id, .. }
            | Self::Settled { id, .. }
            | Self::Divided { id }
            | Self::Joined { id, .. }
            | Self::Done { id } => id,
            Self::Bulk { number, .. } => MessageId { serial: number, slot: u32::MAX },
            Self::Early { .. } | Self::OptOut { .. } | Self::Used { .. } => MessageId { serial: 0, slot: 0 },
        }
    }

    /// The kind's name, for `inspect` and for people.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Sent { .. } => "sent",
            Self::Deferred { .. } => "deferred",
            Self::Settled { .. } => "settled",
            Self::Done { .. } => "done",
            Self::Divided { .. } => "divided",
            Self::Joined { .. } => "joined",
            Self::Early { .. } => "early",
            Self::Bulk { .. } => "bulk",
            Self::OptOut { .. } => "opt_out",
            Self::Used { .. } => "used",
        }
    }

    /// The length that the record at the beginning of `octets` claims, if it is possible and all there.
    pub(super) fn len_at(octets: &[u8]) -> Result<usize, RecordError> {
        let prefix = octets.first_chunk().ok_or(RecordError::Short("length"))?;
        let len = u32::from_be_bytes(*prefix);
        if (len as usize) < MIN_LEN || len as usize > octets.len().min(Self::MAX_LEN) {
            return Err(RecordError::Length(len));
        }
        Ok(len as usize)
    }

    const fn kind(&self) -> u8 {
        match self {
            Self::Accepted { group: None, bulk: None, .. } => ACCEPTED,
            Self::Accepted { group: Some(_), bulk: None, .. } => ACCEPTED_OF_GROUP,
            Self::Accepted { group: None, bulk: Some(_), .. } => ACCEPTED_IN_BULK,
            Self::Accepted { group: Some(_), bulk: Some(_), .. } => ACCEPTED_OF_BOTH,
            Self::Sent { .. } => SENT,
            Self::Deferred { .. } => DEFERRED,
            Self::Settled { .. } => SETTLED,
            Self::Done { .. } => DONE,
            Self::Early { .. } => EARLY,
            Self::Divided { .. } => DIVIDED,
            Self::Joined { .. } => JOINED,
            Self::Bulk { .. } => BULK,
            Self::OptOut { .. } => OPT_OUT,
            Self::Used { .. } => USED,
        }
    }
}

fn put_id(out: &mut BytesMut, id: MessageId) {
    out.put_u64(id.serial);
    out.put_u32(id.slot);
}

fn put_deferred(
    out: &mut BytesMut,
    attempts: u8,
    due: UnixMs,
    error: [u8; 3],
    losses: u8,
    (tried, from, carrier, shape): (u32, u8, &[u8], u8),
) {
    out.put_u8(attempts);
    out.put_u64(due.0);
    out.put_slice(&error);
    // At the end, and only if there is something to say: who doesn't know it doesn't look there.
    let has_way = tried != 0 || from != 0 || !carrier.is_empty();
    if losses > 0 || has_way {
        out.put_u8(losses);
    }
    if has_way {
        out.put_u32(tried);
        out.put_u8(from);
        put_name(out, carrier);
        out.put_u8(shape);
    }
}

fn put_bulk(out: &mut BytesMut, state: u8, times: [UnixMs; 2], gone: [u64; 4]) {
    out.put_u8(state);
    times.into_iter().for_each(|at| out.put_u64(at.0));
    gone.into_iter().for_each(|count| out.put_u64(count));
}

fn put_used(out: &mut BytesMut, name: &[u8], is_account: bool, at: UnixMs, windows: [(u64, u64); 2]) {
    out.put_u8(is_account.into());
    out.put_u64(at.0);
    windows.into_iter().for_each(|(number, used)| {
        out.put_u64(number);
        out.put_u64(used);
    });
    put_name(out, name);
}

fn put_name(out: &mut BytesMut, name: &[u8]) {
    let name = &name[..name.len().min(usize::from(u16::MAX))];
    out.put_u16(name.len() as u16);
    out.put_slice(name);
}

/// The fields that are left of a record.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], RecordError> {
        let (octets, rest) = self.0.split_first_chunk().ok_or(RecordError::Short(field))?;
        self.0 = rest;
        Ok(*octets)
    }

    fn u8(&mut self, field: &'static str) -> Result<u8, RecordError> {
        self.array::<1>(field).map(|[octet]| octet)
    }

    fn u32(&mut self, field: &'static str) -> Result<u32, RecordError> {
        self.array(field).map(u32::from_be_bytes)
    }

    fn u64(&mut self, field: &'static str) -> Result<u64, RecordError> {
        self.array(field).map(u64::from_be_bytes)
    }

    fn id(&mut self, field: &'static str) -> Result<MessageId, RecordError> {
        Ok(MessageId { serial: self.u64(field)?, slot: self.u32(field)? })
    }

    fn used(&mut self) -> Result<Record<'a>, RecordError> {
        Ok(Record::Used {
            is_account: self.u8("side")? != 0,
            at: UnixMs(self.u64("at")?),
            minute: (self.u64("minute")?, self.u64("minute")?),
            day: (self.u64("day")?, self.u64("day")?),
            name: self.name("name")?,
        })
    }

    fn name(&mut self, field: &'static str) -> Result<&'a [u8], RecordError> {
        let len = usize::from(u16::from_be_bytes(self.array(field)?));
        let (name, rest) = self.0.split_at_checked(len).ok_or(RecordError::Short(field))?;
        self.0 = rest;
        Ok(name)
    }
}

/// Octets of the envelope and the id, which each record has.
const MIN_LEN: usize = 4 + 4 + 1 + 12;

const ACCEPTED: u8 = 1;
const SENT: u8 = 2;
const DEFERRED: u8 = 3;
const SETTLED: u8 = 4;
const DONE: u8 = 5;
const EARLY: u8 = 6;
const ACCEPTED_OF_GROUP: u8 = 7;
const DIVIDED: u8 = 8;
const JOINED: u8 = 9;
const BULK: u8 = 10;
const ACCEPTED_IN_BULK: u8 = 11;
/// One of several messages, and in a bulk.
const ACCEPTED_OF_BOTH: u8 = 12;
const OPT_OUT: u8 = 13;
const USED: u8 = 14;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: MessageId = MessageId { serial: 7, slot: 9 };

    const fn deferred(losses: u8, tried: u32, from: u8, carrier: &[u8]) -> Record<'_> {
        let (attempts, due, error) = (3, UnixMs(5), [7, 0, 8]);
        let shape = if tried != 0 { 77 } else { 0 };
        Record::Deferred { id: ID, attempts, due, error, losses, tried, from, carrier, shape }
    }

    #[test]
    fn accepted_costs_at_most_48_octets_beside_account_and_body() {
        let mut out = BytesMut::new();
        let record = Record::Accepted {
            id: ID,
            account: b"shop",
            accepted: UnixMs(1),
            due: UnixMs(2),
            expires: UnixMs(3),
            flags: 0,
            group: None,
            bulk: None,
            body: b"body",
        };

        record.encode(&mut out);

        assert!(out.len() <= 48 + 8, "{} octets", out.len());
    }

    #[test]
    fn records_of_each_kind_come_back_one_after_the_other() {
        let records = [
            Record::Accepted {
                id: ID,
                account: b"shop",
                accepted: UnixMs(1),
                due: UnixMs(2),
                expires: UnixMs(3),
                flags: 0,
                group: None,
                bulk: None,
                body: b"body",
            },
            Record::Accepted {
                id: ID,
                account: b"shop",
                accepted: UnixMs(1),
                due: UnixMs(2),
                expires: UnixMs(3),
                flags: 8,
                group: Some(MessageId { serial: 6, slot: 8 }),
                bulk: None,
                body: b"part",
            },
            Record::Accepted {
                id: ID,
                account: b"shop",
                accepted: UnixMs(1),
                due: UnixMs(2),
                expires: UnixMs(3),
                flags: 64,
                group: None,
                bulk: Some(9),
                body: b"one of many",
            },
            Record::Accepted {
                id: ID,
                account: b"shop",
                accepted: UnixMs(1),
                due: UnixMs(2),
                expires: UnixMs(3),
                flags: 64,
                group: Some(MessageId { serial: 6, slot: 8 }),
                bulk: Some(9),
                body: b"both",
            },
            Record::Bulk {
                number: 9,
                account: b"shop",
                name: b"spring",
                state: 3,
                at: UnixMs(4),
                changed: UnixMs(5),
                gone: [1, 2, 3, 4],
            },
            Record::OptOut {
                account: b"shop",
                handset: b"447700900123",
                sender: b"",
                at: UnixMs(4),
                out: true,
            },
            Record::OptOut { account: b"shop", handset: b"4477", sender: b"1000", at: UnixMs(4), out: false },
            Record::Used { name: b"north", is_account: false, at: UnixMs(4), minute: (5, 6), day: (7, 8) },
            Record::Divided { id: ID },
            Record::Joined { id: ID, into: MessageId { serial: 8, slot: 10 } },
            Record::Sent { id: ID, carrier: b"north", carrier_message_id: b"0A", at: UnixMs(4) },
            deferred(0, 0, 0, b""),
            deferred(2, 0, 0, b""),
            deferred(0, 5, 3, b""),
            deferred(0, 0, 1, b""),
            deferred(2, u32::MAX, 3, b"alpha"),
            Record::Settled { id: ID, state: 2, error: *b"000", at: UnixMs(6) },
            Record::Done { id: ID },
        ];
        let mut out = BytesMut::new();
        for record in &records {
            record.encode(&mut out);
        }

        let mut rest = &out[..];
        for record in &records {
            let (back, len) = Record::decode(rest).expect("a whole record");
            assert_eq!(back, *record);
            rest = &rest[len..];
        }

        assert!(rest.is_empty());
    }

    proptest! {
        #[test]
        fn cut_or_garbled_records_never_panic_and_never_claim_more_than_is_there(octets: Vec<u8>) {
            if let Ok((_, len)) = Record::decode(&octets) {
                prop_assert!(len <= octets.len());
            }
        }

        #[test]
        fn every_proper_prefix_is_refused(cut in 0usize..50) {
            let mut out = BytesMut::new();
            Record::Sent { id: ID, carrier: b"north", carrier_message_id: b"0123456789", at: UnixMs(4) }.encode(&mut out);

            prop_assert!(cut >= out.len() || Record::decode(&out[..cut]).is_err());
        }
    }
}
