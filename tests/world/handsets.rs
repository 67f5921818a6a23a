//! What handsets say: through a carrier's link to the hub, and what an account hears of it.

use super::{LINK, World};
use bytes::BytesMut;
use enroute::carrier::{Arrival, LinkIntake, Matter};
use enroute::codec::{Address, Command, Reading, Sm, Status};
use enroute::esme::Verdict;
use enroute::hub::Event;
use enroute::id::{AccountId, CarrierId, SessionId};
use enroute::route::{Inbound, Reach, Rule};
use enroute::session::BindKind;

/// Who writes, unless a test says otherwise.
pub const HANDSET: Address<'_> = Address { ton: 1, npi: 1, addr: b"447700900123" };
/// Whom to.
pub const SHORT_CODE: Address<'_> = Address { ton: 0, npi: 0, addr: b"10010" };

/// A text of the handset.
pub fn handset_text(text: &[u8]) -> Sm<'_> {
    Sm { source: HANDSET, destination: SHORT_CODE, short_message: text, ..Sm::default() }
}

/// The user data of one part of a text, under a header with an 8-bit reference.
pub fn handset_part(reference: u8, total: u8, number: u8, text: &[u8]) -> Vec<u8> {
    [&[5, 0, 3, reference, total, number], text].concat()
}

/// Everything goes to this account.
pub fn all_to(account: AccountId) -> Inbound {
    let mut inbound = Inbound::default();
    inbound
        .insert(Rule { carrier: None, destination: Reach::Any, keyword: None, account })
        .expect("the only one");
    inbound
}

impl World {
    pub fn bind_link_of(&mut self, session: SessionId, carrier: CarrierId) {
        let kind = BindKind::Transceiver;
        self.inbox.push(Event::LinkBound { session, carrier, kind, window: 10 });
    }

    /// The carrier delivers what a handset says; it comes with the next turn.
    pub fn bring(&mut self, session: SessionId, sequence: u32, sm: &Sm<'_>) {
        let mut body = BytesMut::new();
        sm.encode_body(&mut body);
        let matter = Matter::Inbound { body: 0..body.len() as u32 };
        let arrivals = vec![Arrival { command: Command::DELIVER_SM, sequence, matter }];
        let intake = LinkIntake { ids: body.to_vec(), arrivals, ..LinkIntake::default() };
        self.inbox.push(Event::LinkIntake { session, intake });
    }

    /// The same, and the hub sees to it; gives what the carrier is answered.
    pub fn brought(&mut self, sm: &Sm<'_>) -> Status {
        self.bring(LINK, 77, sm);
        self.run();
        let answered: Vec<_> = self.arrivals_answered.drain(..).collect();
        let [(LINK, 77, status)] = answered[..] else { panic!("{answered:?}") };
        status
    }

    /// The texts that the account heard since the last time, and what it makes of each.
    pub fn hear(&mut self, verdict: Verdict) -> Vec<Vec<u8>> {
        let heard: Vec<_> = self.heard.drain(..).collect();
        for message in &heard {
            self.verdict(message.session, message.token, verdict);
        }
        self.run();
        let text = |body: &[u8]| Sm::decode(body, Reading::Strict).expect("legal").text().to_vec();
        heard.iter().map(|message| text(&message.body)).collect()
    }
}
