//! Bulks: submissions that name one, and what their customer asks of them.

use super::{ACCOUNT, PORT, SOURCE, Text, World};
use bytes::BytesMut;
use enroute::bulk::{Answer, Ask, Name, Refusal, Request as BulkRequest, State, View};
use enroute::clock::UnixMs;
use enroute::codec::{
    Address, Command, Destination, Destinations, MessageState, Reading, Sm, SubmitMulti, Tag, Tlvs,
    put_destination, put_tlv,
};
use enroute::esme::{Intake, Request, Verdict};
use enroute::hub::{Event, Settings};
use enroute::id::{AccountId, SessionId};
use std::time::Duration;

/// What names a bulk in the submissions of this world.
pub const BULK_TLV: Tag = Tag(0x1403);

/// The usual settings with accounts that name bulks.
pub fn with_bulks(mut settings: Settings) -> Settings {
    settings.accounts.iter_mut().for_each(|plan| plan.bulk_tlv = Some(BULK_TLV));
    settings
}

/// An hour.
pub const HOUR: Duration = Duration::from_secs(3600);

/// One text, due in an hour, worth sending for an hour from then on.
pub const IN_AN_HOUR: Text<'_> =
    Text { schedule: b"000000010000000R", validity: b"000000020000000R", ..super::text("hourly") };

/// Texts like [`IN_AN_HOUR`].
pub fn numbered(texts: &[String]) -> Vec<Text<'_>> {
    texts.iter().map(|known| Text { text: known, ..IN_AN_HOUR }).collect()
}

/// Every receipt is taken.
pub fn take_receipts(world: &mut World) -> Vec<MessageState> {
    let mut states = Vec::new();
    while !world.delivered.is_empty() {
        for delivered in std::mem::take(&mut world.delivered) {
            states.push(delivered.state);
            world.verdict(delivered.session, delivered.token, Verdict::Taken);
        }
        world.run();
    }
    states
}

/// The state of the bulk that most tests are about.
pub fn state(world: &mut World) -> State {
    world.shown("spring").expect("there is such a bulk").state
}

impl World {
    /// Submissions to a bulk; they come with the next turn.
    pub fn submit_to(&mut self, bulk: &str, texts: &[Text<'_>]) {
        self.submit_to_from(PORT, bulk, texts);
    }

    pub fn submit_to_from(&mut self, session: SessionId, bulk: &str, texts: &[Text<'_>]) {
        let (mut batch, mut requests) = (BytesMut::new(), Vec::new());
        for (place, text) in texts.iter().enumerate() {
            let start = batch.len() as u32;
            batch.extend_from_slice(&text.body());
            put_tlv(&mut batch, BULK_TLV, bulk.as_bytes());
            let body = start..batch.len() as u32;
            requests.push(Request { command: Command::SUBMIT_SM, sequence: place as u32 + 1, body });
        }
        let intake = Intake { batch: batch.freeze(), requests, verdicts: Vec::new() };
        self.inbox.push(Event::PortIntake { session, intake });
    }

    /// Submits to a bulk and gives the id.
    pub fn accepted_to(&mut self, bulk: &str, text: Text<'_>) -> String {
        self.submit_to(bulk, &[text]);
        self.run();
        let (_, answer) = self.answers.pop().expect("an answer");
        self.name(answer.outcome.expect("accepted"))
    }

    /// A submit_multi to a bulk; it comes with the next turn.
    pub fn multi_to(&mut self, bulk: &str, numbers: &[&[u8]]) {
        let mut entries = BytesMut::new();
        for addr in numbers {
            put_destination(&mut entries, &Destination::Sme(Address { ton: 1, npi: 1, addr }));
        }
        let destinations = Destinations::read(&entries).expect("well formed");
        let mut tlvs = BytesMut::new();
        put_tlv(&mut tlvs, BULK_TLV, bulk.as_bytes());
        let tlvs = Tlvs::read(&tlvs, Reading::Strict).expect("well formed");
        let sm = Sm {
            source: SOURCE,
            registered_delivery: 1,
            short_message: b"for several",
            tlvs,
            ..Sm::default()
        };
        let multi = SubmitMulti { sm, destinations };
        self.hand_in(PORT, Command::SUBMIT_MULTI, 901, |out| multi.encode_body(out));
    }

    /// Asks something of a bulk; it comes with the next turn.
    pub fn ask_bulk(&mut self, account: AccountId, token: u64, name: &str, ask: Ask) {
        let name = Name::read(name.as_bytes()).expect("a bulk id");
        self.inbox.push(Event::Bulk { token, account, request: BulkRequest { name, ask } });
    }

    /// Asks something of a bulk of the one account, and gives the answer.
    pub fn bulk(&mut self, name: &str, ask: Ask) -> Answer {
        self.bulk_of(ACCOUNT, name, ask)
    }

    pub fn bulk_of(&mut self, account: AccountId, name: &str, ask: Ask) -> Answer {
        self.bulks.clear();
        self.ask_bulk(account, 77, name, ask);
        self.run();
        let answers = std::mem::take(&mut self.bulks);
        let [(77, answer)] = answers[..] else { panic!("one answer, not {answers:?}") };
        answer
    }

    /// How a bulk stands.
    pub fn shown(&mut self, name: &str) -> Result<View, Refusal> {
        self.bulk(name, Ask::Show)
    }

    /// The time that is so far off.
    pub fn after(&self, by: Duration) -> UnixMs {
        self.now.wall.after(by)
    }

    /// Turns until no turn is due at this time, with everything written and read back in between.
    pub fn work_off(&mut self) {
        for _ in 0..100_000 {
            self.turn();
            self.commit();
            self.read_back();
            let is_busy = self.hub.next_timeout().is_some_and(|at| at <= self.now.mono);
            let only_memory = self.inbox.iter().all(|event| matches!(event, Event::Spent(_)));
            if !is_busy && only_memory {
                return self.run(); // what waits for the disk only goes on here
            }
        }
        panic!("the hub does not come to rest");
    }
}
