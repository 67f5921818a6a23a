//! Handsets that want to hear no more say so by a word, and from when their carrier is answered that is durable.

use super::Hub;
use crate::codec::Sm;
use crate::conversion::short_text;
use crate::guard::guarded;
use crate::id::{AccountId, CarrierId, Lsn};
use crate::screening::{OptOut, Scope, Side, Wish, Written, in_one_form};
use crate::spool::Record;

impl Hub {
    /// Takes note of what an inbound message to `account` wishes, if it wishes anything; gives its record.
    ///
    /// # Errors
    /// If there is no room for one more: the carrier is to bring it again.
    pub(super) fn take_wish(
        &mut self,
        carrier: CarrierId,
        account: AccountId,
        sm: &Sm<'_>,
    ) -> Result<Option<Lsn>, NoRoom> {
        let scope = self.accounts[usize::from(account.0)].policy.scope;
        if scope == Scope::Nothing {
            return Ok(None);
        }
        let profile = &self.carriers[usize::from(carrier.0)].profile;
        let text = guarded(|| short_text(sm, profile)).unwrap_or_default().unwrap_or_default();
        let Some(wish) = self.settings.screening.words.wish(&text) else { return Ok(None) };
        let handset = self.number_of(account, Side::Destination, sm, true);
        let number = self.number_of(account, Side::Source, sm, false);
        let whatever = OptOut::new(account, &handset, b"");
        let own = OptOut::new(account, &handset, &number);
        match (wish, scope) {
            (_, Scope::Nothing) => Ok(None),
            (Wish::Out, Scope::Account) => self.opt_out(whatever),
            (Wish::Out, Scope::Sender) => self.opt_out(own),
            // Whatever it was that he didn't want from here, he does again.
            (Wish::In, Scope::Account | Scope::Sender) => {
                let again = [whatever, own].into_iter().flatten().filter_map(|known| self.opt_in(known));
                Ok(again.collect::<Vec<_>>().into_iter().max())
            }
        }
    }

    /// The handset of an inbound message, or the number that it was sent to, as submissions have them.
    fn number_of(&self, account: AccountId, side: Side, sm: &Sm<'_>, is_handset: bool) -> Vec<u8> {
        let address = if is_handset { sm.source } else { sm.destination };
        let policy = &self.accounts[usize::from(account.0)].policy;
        let written = in_one_form(&self.settings.screening, policy, side, &address);
        written.ok().flatten().as_ref().map_or(address.addr, Written::addr).to_vec()
    }

    fn opt_out(&mut self, wanted: Option<OptOut>) -> Result<Option<Lsn>, NoRoom> {
        let Some(wanted) = wanted else { return Ok(None) }; // of no number: nobody sends there
        if self.opt_outs.holds(wanted) {
            self.effects.stats.wish("again");
            return Ok(None);
        }
        if self.opt_outs.len() >= self.settings.screening.opt_outs_max {
            self.effects.stats.wish("no_room");
            return Err(NoRoom);
        }
        self.effects.stats.wish("out");
        Ok(Some(self.record_opt_out(wanted)))
    }

    fn opt_in(&mut self, known: OptOut) -> Option<Lsn> {
        if !self.opt_outs.holds(known) {
            return None;
        }
        self.opt_outs.forget(known);
        self.effects.stats.wish("in");
        Some(self.write_opt_out(known, false))
    }

    /// Writes one, and where that is.
    fn record_opt_out(&mut self, opt_out: OptOut) -> Lsn {
        let lsn = self.write_opt_out(opt_out, true);
        self.opt_outs.note(opt_out, lsn);
        lsn
    }

    fn write_opt_out(&mut self, opt_out: OptOut, out: bool) -> Lsn {
        let (handset, sender) = opt_out.digits();
        let record = Record::OptOut {
            account: &self.accounts[usize::from(opt_out.account.0)].name,
            handset: handset.as_bytes(),
            sender: sender.as_bytes(),
            at: self.now.wall,
            out,
        };
        self.journal.append(&record).lsn
    }

    /// Writes again some of what stands before `before`; gives whether that was all.
    pub(super) fn keep_opt_outs(&mut self, before: Lsn) -> bool {
        for _ in 0..SLICE {
            let Some(opt_out) = self.opt_outs.take_before(before) else { return true };
            self.record_opt_out(opt_out);
        }
        false
    }
}

/// No more are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoRoom;

/// What one turn writes again at most.
const SLICE: usize = 2_000;
