//! A hub with a disk in memory, and peers that are nothing but events: what the tests of the line move by hand.
#![allow(dead_code)] // each test binary uses its part of it

mod asking;
mod bundles;
mod handsets;
mod opening;
pub mod submissions;
pub mod ways;

#[allow(unused_imports)]
pub use asking::{DESTINATION, SOURCE, carrier_that_wants, frame, long_text, status_of};
#[allow(unused_imports)] // as above
pub use bundles::{BULK_TLV, HOUR, IN_AN_HOUR, numbered, state, take_receipts, with_bulks};
#[allow(unused_imports)] // each test crate uses its own part of the world
pub use handsets::{HANDSET, Handsets, SHORT_CODE, all_to, handset_part, handset_text};

use bytes::{Bytes, BytesMut};
use enroute::admission::Rules;
use enroute::bulk;
use enroute::carrier::{Arrival, Carrier, Dispatch, Errand, LinkIntake, Matter, Outcome, Verdict as Word};
use enroute::clock::{Caution, Now, UnixMs};
use enroute::codec::{Address, Command, MessageState, Reading, Receipt, Sm, Status, Tlvs, Version};
use enroute::correlation::{IdForm, IdForms, Reading as IdReading};
use enroute::esme::{Account, Answer, Intake, Request, Verdict};
use enroute::hub::{
    AccountPlan, CarrierPlan, Effects, Event, Fetch, Fetched, Hub, Limits, Reached, Replay, Settings, Stats,
};
use enroute::id::{AccountId, CarrierId, Lsn, MessageId, SessionId};
use enroute::route;
use enroute::schedule::Retry;
use enroute::session::BindKind;
use enroute::spool::{self, CompactionRules, Frames, MemoryDisk, Reader, Record, Writer};
use std::time::{Duration, Instant};

/// The one account, its port, and the one carrier's links.
pub const PORT: SessionId = SessionId(1);
pub const LINK: SessionId = SessionId(2);
pub const OTHER_LINK: SessionId = SessionId(3);
pub const ACCOUNT: AccountId = AccountId(0);
pub const CARRIER: CarrierId = CarrierId(0);

pub fn settings() -> Settings {
    let carrier = Carrier { window: 10, ..Carrier::new("alpha", "127.0.0.1:1") };
    Settings {
        accounts: vec![AccountPlan {
            queue_max: 100_000,
            ..AccountPlan::new(Account::new("shop", "secret"))
        }],
        carriers: vec![CarrierPlan {
            ids: IdForms { response: IdForm::Text, receipt: IdForm::Text },
            ..CarrierPlan::new(carrier)
        }],
        lists: Vec::new(),
        routes: route::Routes::to(CARRIER).into(),
        inbound: route::Inbound::default(),
        screening: Default::default(),
        rules: Rules::default(),
        retry: Retry::default(),
        limits: Limits::default(),
        compaction: CompactionRules { factor: 2, slack_octets: 64 << 10 },
        caution: Caution::default(),
    }
}

pub fn start() -> Now {
    #[allow(clippy::disallowed_methods)] // a test needs some instant to start from
    Now { mono: Instant::now(), wall: UnixMs(1_773_568_800_000) } // 2026-03-15T10:00:00Z
}

pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A submission as a customer writes it; its text is what the tests know it by.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    pub text: &'a str,
    pub source: &'a str,
    pub destination: &'a str,
    pub schedule: &'a [u8],
    pub validity: &'a [u8],
    pub registered: u8,
}

pub const fn text(text: &str) -> Text<'_> {
    Text { text, source: "12345", destination: "447700900123", schedule: b"", validity: b"", registered: 1 }
}

impl Text<'_> {
    pub fn body(&self) -> BytesMut {
        let mut body = BytesMut::new();
        Sm {
            service_type: b"",
            source: Address { ton: 0, npi: 0, addr: self.source.as_bytes() },
            destination: Address { ton: 1, npi: 1, addr: self.destination.as_bytes() },
            esm_class: 0,
            protocol_id: 0,
            priority_flag: 0,
            schedule_delivery_time: self.schedule,
            validity_period: self.validity,
            registered_delivery: self.registered,
            replace_if_present_flag: 0,
            data_coding: 0,
            sm_default_msg_id: 0,
            short_message: self.text.as_bytes(),
            tlvs: Tlvs::empty(),
        }
        .encode_body(&mut body);
        body
    }
}

/// What a dispatch says.
pub fn said(dispatch: &Dispatch) -> String {
    let sm = Sm::decode(&dispatch.body, Reading::Lenient).expect("what the hub sends can be read");
    String::from_utf8_lossy(sm.short_message).into_owned()
}

/// A receipt that reached a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    pub session: SessionId,
    pub token: u64,
    pub id: String,
    pub state: MessageState,
}

/// A message from a handset that reached a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    pub session: SessionId,
    pub token: u64,
    /// Of its deliver_sm.
    pub body: Bytes,
}

pub struct World {
    pub settings: Settings,
    pub spool: spool::Settings,
    pub disk: MemoryDisk,
    pub hub: Hub,
    pub writer: Writer<MemoryDisk>,
    pub reader: Reader<MemoryDisk>,
    pub now: Now,
    pub durable: Lsn,
    /// What the operating system has, if that is more than what is durable.
    pub written: Lsn,
    /// Sealed, and not written yet.
    pub waiting: Vec<Frames>,
    pub releases: Vec<u64>,
    /// What comes with the next turn.
    pub inbox: Vec<Event>,
    pub fetches: Vec<Fetch>,
    /// Bodies that were read back so far.
    pub bodies_read: usize,
    pub scans: Vec<u64>,
    pub answers: Vec<(SessionId, Answer)>,
    pub dispatches: Vec<(SessionId, Dispatch)>,
    pub delivered: Vec<Delivered>,
    pub heard: Vec<Heard>,
    pub arrivals_answered: Vec<(SessionId, u32, Status)>,
    /// Whole response PDUs.
    pub replies: Vec<(SessionId, Bytes)>,
    /// Bodies of alert_notifications.
    pub alerts: Vec<(SessionId, Bytes)>,
    pub errands: Vec<(SessionId, Errand)>,
    pub calls: Vec<AccountId>,
    /// Answers on bulks.
    pub bulks: Vec<(u64, bulk::Answer)>,
    pub advice: Vec<(CarrierId, IdReading)>,
    /// Links that were told to say goodbye.
    pub unbound: Vec<SessionId>,
    /// Ports that were.
    pub ports_unbound: Vec<SessionId>,
    /// Messages that were given up, by what they are known as.
    pub poisoned: Vec<(CarrierId, MessageId)>,
    /// Settings that came back.
    pub retired: usize,
    /// Segments that the hub called cold.
    pub cold: Vec<u64>,
    /// congestion_state that the port was told last.
    pub congestion: u8,
    pub stats: Vec<Stats>,
    pub compacted: u64,
    pub recovered: usize,
}

impl World {
    pub fn new(settings: Settings) -> Self {
        Self::open(
            settings,
            spool::Settings { spares: 0, ..spool::Settings::default() },
            MemoryDisk::new(7),
            start(),
        )
    }

    /// A world with the port bound and one link with this window.
    pub fn bound(settings: Settings, window: usize) -> Self {
        let mut world = Self::new(settings);
        world.bind_port(PORT);
        world.bind_link(LINK, window);
        world.run();
        world
    }

    /// The hub is killed; what is synced stays, and of the rest what `chance` says.
    pub fn crash(self, chance: &mut dyn FnMut() -> bool) -> Self {
        let mut replay = Replay::new(self.settings.clone());
        replay.after_a_crash();
        Self::open_whole(replay, self.settings, self.spool, self.disk.crash(chance), self.now)
    }

    pub fn bind_port(&mut self, session: SessionId) {
        self.bind_as(session, ACCOUNT, Version::V34);
    }

    pub fn bind_as(&mut self, session: SessionId, account: AccountId, version: Version) {
        let kind = BindKind::Transceiver;
        self.inbox.push(Event::PortBound { session, account, kind, version, window: 100 });
    }

    pub fn bind_link(&mut self, session: SessionId, window: usize) {
        self.inbox.push(Event::LinkBound { session, carrier: CARRIER, kind: BindKind::Transceiver, window });
    }

    pub fn submit(&mut self, texts: &[Text<'_>]) {
        self.submit_together(PORT, texts);
    }

    /// Submissions that come in one read.
    pub fn submit_together(&mut self, session: SessionId, texts: &[Text<'_>]) {
        let (mut batch, mut requests) = (BytesMut::new(), Vec::new());
        for (place, text) in texts.iter().enumerate() {
            let start = batch.len() as u32;
            batch.extend_from_slice(&text.body());
            requests.push(Request {
                command: Command::SUBMIT_SM,
                sequence: place as u32 + 1,
                body: start..batch.len() as u32,
            });
        }
        let intake = Intake { batch: batch.freeze(), requests, verdicts: Vec::new() };
        self.inbox.push(Event::PortIntake { session, intake });
    }

    /// What the carrier says of a dispatch.
    pub fn say(&mut self, session: SessionId, token: u64, verdict: Word, id: &str) {
        let outcome = Outcome { token, verdict, id: 0..id.len() as u32 };
        let intake =
            LinkIntake { ids: id.as_bytes().to_vec(), outcomes: vec![outcome], ..LinkIntake::default() };
        self.inbox.push(Event::LinkIntake { session, intake });
    }

    /// A receipt of the carrier.
    pub fn receipt(&mut self, session: SessionId, sequence: u32, id: &str, state: MessageState) {
        self.receipt_for(session, sequence, id, "447700900123", state);
    }

    pub fn receipt_for(
        &mut self,
        session: SessionId,
        sequence: u32,
        id: &str,
        destination: &str,
        state: MessageState,
    ) {
        let ids = [id.as_bytes(), destination.as_bytes()].concat();
        let (end, all) = (id.len() as u32, ids.len() as u32);
        let matter =
            Matter::Receipt { id: 0..end, text_id: 0..0, state, error: [0; 3], destination: end..all };
        let arrivals = vec![Arrival { command: Command::DELIVER_SM, sequence, matter }];
        let intake = LinkIntake { ids, arrivals, ..LinkIntake::default() };
        self.inbox.push(Event::LinkIntake { session, intake });
    }

    /// What the ESME makes of a receipt.
    pub fn verdict(&mut self, session: SessionId, token: u64, verdict: Verdict) {
        let intake = Intake { verdicts: vec![(token, verdict)], ..Intake::default() };
        self.inbox.push(Event::PortIntake { session, intake });
    }

    /// One turn, with what is in the inbox; nothing is written.
    pub fn turn(&mut self) {
        let events = std::mem::take(&mut self.inbox);
        let effects = self.hub.turn(events.into_iter(), self.reached(), self.now);
        self.keep(effects);
    }

    fn reached(&self) -> Reached {
        Reached { written: self.written.max(self.durable), durable: self.durable }
    }

    fn keep(&mut self, effects: Effects) {
        let Effects {
            ports,
            links,
            frames,
            fetches,
            scan,
            releases,
            cold,
            calls,
            bulks,
            advice,
            poisoned,
            retired,
            stats,
        } = effects;
        self.retired += retired.len();
        self.cold.extend(cold);
        self.poisoned.extend(poisoned);
        self.bulks.extend(bulks);
        self.advice.extend(advice);
        self.calls.extend(calls);
        for (session, batch) in ports {
            if batch.unbind {
                self.ports_unbound.push(session);
            }
            self.answers.extend(batch.answers.iter().map(|answer| (session, *answer)));
            let cut = |range: &std::ops::Range<u32>| {
                Bytes::copy_from_slice(&batch.bodies[range.start as usize..range.end as usize])
            };
            self.replies.extend(batch.replies.iter().map(|range| (session, cut(range))));
            self.alerts.extend(batch.alerts.iter().map(|range| (session, cut(range))));
            self.congestion = batch.congestion;
            for (token, body) in &batch.deliveries {
                let body = &batch.bodies[body.start as usize..body.end as usize];
                let sm = Sm::decode(body, Reading::Lenient).expect("a deliver_sm");
                if !sm.is_receipt() && !sm.is_intermediate() {
                    self.heard.push(Heard { session, token: *token, body: Bytes::copy_from_slice(body) });
                    continue;
                }
                let receipt = Receipt::read(&sm).expect("a receipt");
                let id = String::from_utf8_lossy(receipt.message_id).into_owned();
                self.delivered.push(Delivered { session, token: *token, id, state: receipt.state });
            }
        }
        for (session, batch) in links {
            if batch.unbind {
                self.unbound.push(session);
            }
            self.arrivals_answered
                .extend(batch.answers.iter().map(|(_, sequence, status)| (session, *sequence, *status)));
            self.errands.extend(batch.errands.into_iter().map(|errand| (session, errand)));
            self.dispatches.extend(batch.dispatches.into_iter().map(|dispatch| (session, dispatch)));
        }
        self.waiting.extend(frames);
        self.fetches.extend(fetches);
        self.scans.extend(scan);
        self.releases.extend(releases);
        self.compacted += stats.compacted;
        self.stats.push(stats);
    }

    /// Everything that waits is durable.
    pub fn commit(&mut self) {
        self.durable = self.writer.commit(&mut self.waiting).expect("a healthy disk");
        if !self.waiting.is_empty() {
            self.inbox.push(Event::Spent(std::mem::take(&mut self.waiting)));
        }
        for number in self.releases.drain(..) {
            self.writer.spares().release(number).expect("the oldest segment");
        }
    }

    /// Reads back what the hub asked for.
    pub fn read_back(&mut self) {
        let fetches = std::mem::take(&mut self.fetches);
        self.bodies_read += fetches.len();
        let locators: Vec<_> = fetches.iter().map(|fetch| fetch.locator).collect();
        for (Fetch { token, locator }, octets) in fetches.into_iter().zip(self.reader.read_all(&locators)) {
            let body = octets.ok().map(|octets| {
                let Ok((Record::Accepted { body, .. }, _)) = Record::decode(&octets) else {
                    panic!("not a message at {locator:?}")
                };
                octets.slice_ref(body)
            });
            self.inbox.push(Event::Fetched(vec![Fetched { token, body }]));
        }
        for number in std::mem::take(&mut self.scans) {
            let frames = self.reader.scan(number).expect("a segment that is still there");
            let frames = frames.map(|frame| frame.expect("a healthy disk")).collect();
            self.inbox.push(Event::Scanned { number, frames, last: true });
        }
    }

    /// Turns until nothing is left to do at this time.
    pub fn run(&mut self) {
        for _ in 0..1000 {
            self.turn();
            let wrote = !self.waiting.is_empty() || !self.releases.is_empty();
            self.commit();
            self.read_back();
            let only_memory = self.inbox.iter().all(|event| matches!(event, Event::Spent(_)));
            if !wrote && only_memory {
                return;
            }
        }
        panic!("the hub does not come to rest");
    }

    /// Lets time pass, then runs.
    pub fn pass(&mut self, by: Duration) {
        self.now = self.now.after(by);
        self.run();
    }

    /// The texts that went out since the last time, with their tokens and where they went.
    pub fn sent(&mut self) -> Vec<(SessionId, u64, String)> {
        self.dispatches
            .drain(..)
            .map(|(session, dispatch)| (session, dispatch.token, said(&dispatch)))
            .collect()
    }

    pub fn sent_texts(&mut self) -> Vec<String> {
        self.sent().into_iter().map(|(.., text)| text).collect()
    }

    /// Submits one text, lets the carrier take it as `id`, and gives its id at the hub.
    pub fn taken(&mut self, text: Text<'_>, id: &str) -> String {
        self.submit(&[text]);
        self.run();
        let (session, token, _) = self.sent().pop().expect("a dispatch");
        self.say(session, token, Word::Answered(Status::ROK), id);
        self.run();
        let answered = self.answers.pop().expect("an answer").1;
        self.name(answered.outcome.expect("accepted"))
    }

    pub fn name(&self, id: MessageId) -> String {
        String::from_utf8_lossy(&id.text(&self.hub.id_key())).into_owned()
    }

    /// The statuses of the answers since the last time.
    pub fn outcomes(&mut self) -> Vec<Status> {
        self.answers.drain(..).map(|(_, answer)| answer.outcome.err().unwrap_or(Status::ROK)).collect()
    }

    /// States of the receipts since the last time.
    pub fn states(&mut self) -> Vec<MessageState> {
        self.delivered.drain(..).map(|delivered| delivered.state).collect()
    }

    pub fn count(&self, pick: impl Fn(&Stats) -> u64) -> u64 {
        self.stats.iter().map(pick).sum()
    }
}
