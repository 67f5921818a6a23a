//! Submissions are screened: their addresses take the one form that everything behind sees, or they stay outside.
//!
//! What its customer wrote is kept beside a body that was written anew, in a parameter of our own ([`SUBMITTED_AS`]) that no carrier
//! is told: receipts name what he knows. Whoever asks for a message by its addresses may name them either way.

use super::Hub;
use crate::codec::{Address, Reading, SUBMITTED_AS, Sm, Status, Tlvs, put_tlv};
use crate::id::AccountId;
use crate::screening::{Policy, Refusal, Screened, Side, Written, in_one_form, screen, screen_source};
use bytes::{BufMut, Bytes, BytesMut};

/// The hashes of an address as it was written, and as it stands in rows.
pub(super) type EitherWay = [u32; 2];

impl Hub {
    /// What takes the place of the addresses of a submission that may go to its route.
    ///
    /// # Errors
    /// The status that refuses it; it is counted.
    pub(super) fn screened(&mut self, sm: &Sm<'_>, account: AccountId) -> Result<Screened, Status> {
        let policy = &self.accounts[usize::from(account.0)].policy;
        let found = screen(&self.settings.screening, policy, &sm.source, &sm.destination)
            .and_then(|screened| self.check_wishes(sm, account, screened));
        match found {
            Ok(screened) => {
                if screened.changes() {
                    self.count_rewritten(&screened);
                }
                Ok(screened)
            }
            Err(refusal) => {
                self.effects.stats.screen(refusal.word());
                Err(refusal.status())
            }
        }
    }

    fn check_wishes(&self, sm: &Sm<'_>, account: AccountId, screened: Screened) -> Result<Screened, Refusal> {
        let Screened { source, destination, .. } = &screened;
        if !self.opt_outs.is_empty() {
            let source = source.as_ref().map_or(sm.source.addr, Written::addr);
            let destination = destination.as_ref().map_or(sm.destination.addr, Written::addr);
            if self.opt_outs.refuses(account, source, destination) {
                return Err(Refusal::OptedOut);
            }
        }
        if self.circles.is_some() && self.is_in_circles(&with_addresses(sm, &screened)) {
            return Err(Refusal::Circle);
        }
        Ok(screened)
    }

    fn count_rewritten(&mut self, screened: &Screened) {
        let stats = &mut self.effects.stats;
        match (&screened.source, screened.other_sender) {
            (Some(_), true) => stats.rewrite("sender"),
            (Some(_), false) => stats.rewrite("source"),
            (None, _) => {}
        }
        if screened.destination.is_some() {
            stats.rewrite("destination");
        }
    }

    /// Whether a message, from either side, has passed as often as it may.
    pub(super) fn is_in_circles(&self, sm: &Sm<'_>) -> bool {
        let Some(circles) = &self.circles else { return false };
        circles.is_over(self.table.fingerprint(sm), self.now.mono)
    }

    /// A message passes, from either side.
    pub(super) fn note_pass(&mut self, sm: &Sm<'_>) {
        if let Some(circles) = &mut self.circles {
            circles.note(self.table.fingerprint(sm), self.now.mono);
        }
    }

    /// What rows may have of a source that `account` names.
    pub(super) fn source_either_way(&self, account: AccountId, source: &Address<'_>) -> EitherWay {
        let policy = &self.accounts[usize::from(account.0)].policy;
        let written = screen_source(&self.settings.screening, policy, source);
        self.either_way(source, written.ok().and_then(|(written, _)| written))
    }

    /// What rows may have of a destination that `account` names.
    pub(super) fn destination_either_way(&self, account: AccountId, address: &Address<'_>) -> EitherWay {
        let policy = &self.accounts[usize::from(account.0)].policy;
        let written = in_one_form(&self.settings.screening, policy, Side::Destination, address);
        self.either_way(address, written.ok().flatten())
    }

    /// What rows may have of a handset's number that a carrier names.
    pub(super) fn handset_either_way(&self, addr: &[u8]) -> EitherWay {
        let address = Address { ton: 1, npi: 1, addr };
        let nobodys = Policy::default();
        let written = in_one_form(&self.settings.screening, &nobodys, Side::Destination, &address);
        self.either_way(&address, written.ok().flatten())
    }

    fn either_way(&self, address: &Address<'_>, written: Option<Written>) -> EitherWay {
        let as_it_came = self.table.hash(address.addr);
        [as_it_came, written.map_or(as_it_came, |written| self.table.hash(written.addr()))]
    }
}

/// A submission with what screening gave it.
pub(super) fn with_addresses<'a>(sm: &Sm<'a>, screened: &'a Screened) -> Sm<'a> {
    let or = |written: &'a Option<Written>, address| written.as_ref().map_or(address, Written::address);
    Sm {
        source: or(&screened.source, sm.source),
        destination: or(&screened.destination, sm.destination),
        ..*sm
    }
}

/// The body of a submission with what screening gave it, and what its customer wrote beside that.
pub(super) fn written_anew(sm: &Sm<'_>, screened: &Screened) -> Bytes {
    let mut tlvs = BytesMut::with_capacity(sm.tlvs.as_bytes().len() + 64);
    for tlv in sm.tlvs.iter().filter(|tlv| tlv.tag != SUBMITTED_AS) {
        put_tlv(&mut tlvs, tlv.tag, tlv.value);
    }
    let mut before = BytesMut::with_capacity(48);
    for Address { ton, npi, addr } in [sm.source, sm.destination] {
        before.put_slice(&[ton, npi, addr.len() as u8]);
        before.put_slice(addr);
    }
    put_tlv(&mut tlvs, SUBMITTED_AS, &before);
    let tlvs = Tlvs::read(&tlvs, Reading::Lenient).unwrap_or(sm.tlvs);
    let mut out = BytesMut::new();
    Sm { tlvs, ..with_addresses(sm, screened) }.encode_body(&mut out);
    out.freeze()
}

/// A message as its customer wrote it, for what he is told of it.
pub(super) fn as_submitted<'a>(sm: &Sm<'a>) -> Sm<'a> {
    let kept = if sm.tlvs.is_empty() { None } else { sm.tlvs.find(SUBMITTED_AS) };
    match kept.and_then(two_addresses) {
        Some([source, destination]) => Sm { source, destination, ..*sm },
        None => *sm,
    }
}

fn two_addresses(kept: &[u8]) -> Option<[Address<'_>; 2]> {
    let (source, rest) = address_in(kept)?;
    let (destination, _) = address_in(rest)?;
    Some([source, destination])
}

fn address_in(kept: &[u8]) -> Option<(Address<'_>, &[u8])> {
    let ([ton, npi, length], rest) = kept.split_first_chunk()?;
    let (addr, rest) = rest.split_at_checked(usize::from(*length))?;
    Some((Address { ton: *ton, npi: *npi, addr }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Tag;

    #[test]
    fn what_was_written_stands_beside_what_it_became_and_is_found_again() {
        let destination = Written::new((1, 1), [b"44", b"7700900123"]).expect("short");
        let screened = Screened { destination: Some(destination), ..Screened::default() };
        let mut tlvs = BytesMut::new();
        put_tlv(&mut tlvs, Tag::USER_MESSAGE_REFERENCE, &[0, 7]);
        put_tlv(&mut tlvs, SUBMITTED_AS, b"somebody else's idea of it");
        let sm = Sm {
            source: Address { ton: 5, npi: 0, addr: b"SHOP" },
            destination: Address { ton: 2, npi: 1, addr: b"07700900123" },
            short_message: b"hello",
            tlvs: Tlvs::read(&tlvs, Reading::Strict).expect("well formed"),
            ..Sm::default()
        };

        let body = written_anew(&sm, &screened);

        let anew = Sm::decode(&body, Reading::Strict).expect("legal");
        assert_eq!(anew.destination, Address { ton: 1, npi: 1, addr: b"447700900123" });
        assert_eq!((anew.source, anew.text()), (sm.source, sm.text()));
        assert_eq!(anew.tlvs.u16(Tag::USER_MESSAGE_REFERENCE), Some(7));
        let known = as_submitted(&anew);
        assert_eq!((known.source, known.destination), (sm.source, sm.destination));
    }

    #[test]
    fn what_is_no_such_parameter_changes_nothing() {
        let mut tlvs = BytesMut::new();
        put_tlv(&mut tlvs, SUBMITTED_AS, &[1, 1, 200, b'4']);
        let tlvs = Tlvs::read(&tlvs, Reading::Strict).expect("well formed");
        let sm = Sm { destination: Address { ton: 1, npi: 1, addr: b"44" }, tlvs, ..Sm::default() };

        assert_eq!(as_submitted(&sm), sm);
        assert_eq!(as_submitted(&Sm::default()), Sm::default());
    }
}
