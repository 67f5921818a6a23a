//! The broadcast family: a carrier that broadcasts answers in our place (SMPP 5.0 §4.4).
//!
//! The hub takes no responsibility here, so nothing is written: the carrier's answer is the answer. Ids are the carrier's with
//! a tag that only this account's ids have, so that nobody can ask for another's broadcast, before or after a restart.

use super::Hub;
use super::caller::Caller;
use crate::carrier::{self, Reply};
use crate::codec::{
    BroadcastSm, CancelBroadcastSm, Command, FieldError, QueryBroadcastSm, Reading, SmResp, Status,
};
use crate::id::{AccountId, IdKey, SessionId, TAG_TEXT_LEN, tag_text};
use bytes::BytesMut;

/// A request that a carrier is to answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    caller: Caller,
    /// Whom we asked.
    link: SessionId,
}

impl Hub {
    pub(super) fn take_broadcast(&mut self, caller: Caller, body: &[u8]) {
        let Some(place) = self.settings.carriers.iter().position(|plan| plan.carrier.broadcasts) else {
            return self.refuse(caller, Status::RPROHIBITED);
        };
        if caller.command == Command::BROADCAST_SM
            && let Ok(broadcast) = BroadcastSm::decode(body, Reading::Lenient)
            && let Err(status) = self.check_broadcaster(caller.account, &broadcast.source)
        {
            return self.refuse(caller, status);
        }
        let account = self.accounts[usize::from(caller.account.0)].name.clone();
        let body = match readdressed(caller.command, body, &account, &self.id_key) {
            Ok(body) => body,
            Err(FieldError { status, .. }) => return self.refuse(caller, status),
        };
        let carrier = &mut self.carriers[place];
        let seat = (!carrier.links.is_empty() && self.asked.len() < ASKED_MAX)
            .then(|| carrier.links[caller.sequence as usize % carrier.links.len()]);
        let state = seat.and_then(|seat| Some((seat, self.links.here(seat)?)));
        let Some((seat, (link, state))) = state else {
            return self.refuse(caller, failure(caller.command));
        };
        self.asked_last += 1;
        let token = self.asked_last;
        let command = caller.command;
        state.batch.errands.push(carrier::Errand { token, command, body: body.freeze() });
        self.links.mark(seat);
        self.asked.insert(token, Asked { caller, link });
    }

    /// A carrier answered, or did not.
    pub(super) fn take_reply(&mut self, reply: &Reply, body: &[u8]) {
        let Some(Asked { caller, .. }) = self.asked.remove(&reply.token) else { return };
        let status = reply.status.unwrap_or(failure(caller.command));
        if !status.is_ok() {
            return self.refuse(caller, status);
        }
        let mut pdu = BytesMut::new();
        let response = caller.command.response();
        if caller.command == Command::CANCEL_BROADCAST_SM {
            crate::codec::header_only(&mut pdu, response, status, caller.sequence);
            return self.reply(caller.port, caller.session, &pdu);
        }
        let theirs = SmResp::decode(body);
        let account = &self.accounts[usize::from(caller.account.0)].name;
        let id = tagged(theirs.message_id, account, &self.id_key);
        SmResp { message_id: &id, tlvs: theirs.tlvs }.encode(&mut pdu, response, status, caller.sequence);
        self.reply(caller.port, caller.session, &pdu);
    }

    /// A link is gone: nobody will answer what it was asked.
    pub(super) fn lose_asked(&mut self, link: SessionId) {
        let mut lost: Vec<u64> =
            self.asked.iter().filter(|(_, asked)| asked.link == link).map(|(token, _)| *token).collect();
        lost.sort_unstable(); // in the order in which they were asked
        for token in lost {
            self.take_reply(&Reply { token, status: None, body: 0..0 }, &[]);
        }
    }

    /// Passes an alert_notification on to an account that waits for that handset, on a session that knows what it is.
    pub(super) fn alert(&mut self, account: AccountId, body: &[u8]) {
        let Self { accounts, ports, .. } = self;
        let knows_alerts = |seat: &u32| ports.here(*seat).is_some_and(|(_, port)| port.version.takes_tlvs());
        let Some(seat) = accounts[usize::from(account.0)].ports.iter().copied().find(knows_alerts) else {
            self.effects.stats.alerts_dropped += 1;
            return;
        };
        let Some((_, port)) = self.ports.here(seat) else { return };
        let start = port.batch.bodies.len() as u32;
        port.batch.bodies.extend_from_slice(body);
        port.batch.alerts.push(start..start + body.len() as u32);
        self.effects.stats.alerts += 1;
        self.ports.mark(seat);
    }
}

/// The request with the carrier's own id in it.
fn readdressed(command: Command, body: &[u8], account: &[u8], key: &IdKey) -> Result<BytesMut, FieldError> {
    let mut out = BytesMut::with_capacity(body.len());
    let unknown = |status| FieldError { field: "message_id", status };
    let own = |id: &'_ [u8], status| match id {
        [] => Ok(0),
        id => untagged(id, account, key).map(<[u8]>::len).ok_or(unknown(status)),
    };
    match command {
        Command::BROADCAST_SM => {
            let broadcast = BroadcastSm::decode(body, Reading::Lenient)?;
            let length = own(broadcast.message_id, Status::RINVMSGID)?;
            BroadcastSm { message_id: &broadcast.message_id[..length], ..broadcast }.encode_body(&mut out);
        }
        Command::QUERY_BROADCAST_SM => {
            let query = QueryBroadcastSm::decode(body, Reading::Lenient)?;
            let length = own(query.message_id, Status::RINVMSGID)?;
            QueryBroadcastSm { message_id: &query.message_id[..length], ..query }.encode_body(&mut out);
        }
        _ => {
            let cancel = CancelBroadcastSm::decode(body, Reading::Lenient)?;
            let length = own(cancel.message_id, Status::RINVMSGID)?;
            CancelBroadcastSm { message_id: &cancel.message_id[..length], ..cancel }.encode_body(&mut out);
        }
    }
    Ok(out)
}

/// The carrier's `id` as `account` gets it.
fn tagged(id: &[u8], account: &[u8], key: &IdKey) -> Vec<u8> {
    let mut out = id[..id.len().min(ID_MAX - TAG_TEXT_LEN)].to_vec();
    out.extend_from_slice(&tag_text(&[account, id], key));
    out
}

/// The carrier's id in what `account` calls `id`, if it was given that one.
fn untagged<'a>(id: &'a [u8], account: &[u8], key: &IdKey) -> Option<&'a [u8]> {
    let (own, tag) = id.split_at_checked(id.len().checked_sub(TAG_TEXT_LEN)?)?;
    (tag == tag_text(&[account, own], key)).then_some(own)
}

/// The status of a request that no carrier answers.
const fn failure(command: Command) -> Status {
    match command {
        Command::QUERY_BROADCAST_SM => Status::RBCASTQUERYFAIL,
        Command::CANCEL_BROADCAST_SM => Status::RBCASTCANCELFAIL,
        _ => Status::RBCASTFAIL,
    }
}

/// Characters of a message_id, at most (SMPP 5.0 §4.7.14).
const ID_MAX: usize = 64;
/// Requests that carriers may owe answers to.
const ASKED_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: IdKey = IdKey(*b"sixteen octets!!");

    #[test]
    fn id_of_a_broadcast_is_good_for_its_account_alone() {
        let id = tagged(b"B-77", b"shop", &KEY);

        assert_eq!(untagged(&id, b"shop", &KEY), Some(&b"B-77"[..]));
        assert_eq!(untagged(&id, b"other", &KEY), None);
        assert_eq!(untagged(b"B-77", b"shop", &KEY), None);
        assert_eq!(untagged(b"", b"shop", &KEY), None);
    }
}
