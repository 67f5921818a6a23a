//! submit_multi: one text, many destinations, one message for each of them and one id for all (SMPP 5.0 §4.2.3).

use super::caller::Caller;
use super::table::{Token, flag};
use super::{Held, Hub};
use crate::codec::{Address, Destination, FieldError, Reading, Sm, Status, SubmitMulti, encode_multi_resp};
use crate::id::{AccountId, Lsn, MessageId};
use bytes::BytesMut;

/// What came of one submit_multi.
#[derive(Default)]
struct Fanned<'a> {
    /// Whose id all of them go by.
    first: Option<MessageId>,
    last: Option<(Lsn, Token)>,
    refused: Vec<(Address<'a>, Status)>,
}

impl Hub {
    pub(super) fn take_multi(&mut self, caller: Caller, body: &[u8]) {
        let lists = std::mem::take(&mut self.settings.lists);
        let asked = SubmitMulti::decode(body, Reading::Lenient)
            .map_err(|FieldError { status, .. }| status)
            .and_then(|multi| Ok((destinations(&multi, &lists, caller.account)?, multi.sm)));
        match asked {
            Ok((destinations, sm)) => self.fan_out(caller, &sm, &destinations),
            Err(status) => self.refuse(caller, status),
        }
        self.settings.lists = lists;
    }

    fn fan_out(&mut self, caller: Caller, sm: &Sm<'_>, destinations: &[Address<'_>]) {
        // 3.4: "replace_if_present is not supported here".
        if sm.replace_if_present_flag != 0 {
            return self.refuse(caller, Status::RINVREPFLAG);
        }
        let mut fanned = Fanned::default();
        let mut out = BytesMut::new();
        for destination in destinations {
            let sm = Sm { destination: *destination, ..*sm };
            sm.encode_body(&mut out);
            let body = out.split().freeze();
            self.effects.stats.submitted += 1;
            let flags = if fanned.first.is_some() { flag::SHARED } else { 0 };
            match self.judge(&sm, caller.account, caller.version, flags) {
                Ok(judged) => {
                    let (lsn, token) = self.let_in(judged, body, fanned.first);
                    if let Some((lsn, token)) = fanned.last.replace((lsn, token)) {
                        self.hold_for(caller.account, lsn, Held::Begun { token });
                    }
                    let id = self.table.row(token.slot).id(token.slot);
                    fanned.first.get_or_insert(id);
                }
                Err(status) => fanned.refused.push((*destination, status.for_version(caller.version))),
            }
        }
        let (Some(first), Some((lsn, token))) = (fanned.first, fanned.last) else {
            let status = fanned.refused.first().map_or(Status::RINVNUMDESTS, |(_, status)| *status);
            return self.refuse(caller, status);
        };
        for (_, status) in &fanned.refused {
            self.effects.stats.refuse(*status);
        }
        self.hold_for(caller.account, lsn, Held::Begun { token });
        let text = self.id_text(first, caller.version);
        let mut pdu = BytesMut::new();
        fanned.refused.truncate(UNSUCCESS_MAX);
        encode_multi_resp(&mut pdu, Status::ROK, caller.sequence, text.as_bytes(), &fanned.refused);
        self.reply_after(lsn, caller, pdu);
    }
}

/// Everybody that is meant, lists spelt out.
///
/// # Errors
/// ESME_RINVDLNAME for a list that this account doesn't have: the response has no room to say it of one list alone.
fn destinations<'a>(
    multi: &SubmitMulti<'a>,
    lists: &'a [super::List],
    account: AccountId,
) -> Result<Vec<Address<'a>>, Status> {
    let mut all = Vec::new();
    for destination in multi.destinations.iter() {
        match destination {
            Destination::Sme(address) => all.push(address),
            Destination::List(name) => {
                let list = lists
                    .iter()
                    .find(|list| {
                        list.name.as_bytes() == name && list.account.is_none_or(|owner| owner == account)
                    })
                    .ok_or(Status::RINVDLNAME)?;
                all.extend(list.members.iter().map(|member| Address {
                    ton: member.ton,
                    npi: member.npi,
                    addr: member.addr.as_bytes(),
                }));
            }
        }
    }
    Ok(all)
}

/// no_unsuccess is one octet (SMPP 5.0 §4.2.3.2); lists may fail for more.
const UNSUCCESS_MAX: usize = 255;
