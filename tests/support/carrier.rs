//! A carrier that a test holds itself: what it does with each submission is the test's to say, and to change at any moment.
//!
//! Every bind and every submission stands in a ledger. Nothing here waits for time: moods change by what has come.

use super::START_LIMIT;
use super::wire::{BIND_TRANSCEIVER, DELIVER_SM, ENQUIRE_LINK, Message, Pdu, RESP, SUBMIT_SM, UNBIND};
use std::io::ErrorKind;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// A submission that has come.
#[derive(Clone, Debug)]
pub struct Came {
    /// From 1, over all links and lives of the carrier.
    pub number: usize,
    /// Of links, from 0, over all lives.
    pub link: usize,
    pub sequence: u32,
    pub message: Message,
    pub at: Instant,
    /// It was answered with this status; `None`: not yet.
    pub status: Option<u32>,
}

/// What a carrier does.
#[derive(Clone, Debug)]
pub enum Act {
    /// Answers the submission: ESME_ROK with this id.
    Take(String),
    /// Answers it with this status.
    Refuse(u32),
    /// Sends a receipt for it: the id, and the state as in the text of receipts.
    Receipt(String, &'static str),
    /// The same for one that came before.
    ReceiptFor(Message, String, &'static str),
    /// Cuts the link off.
    HangUp,
}

/// What a carrier does with each submission, in this order; nothing at all leaves it unanswered.
pub type Mood = Box<dyn FnMut(&Came) -> Vec<Act> + Send>;

/// A running carrier; ends with the test.
pub struct Carrier {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Counts deaths and rises.
    life: u32,
    /// Nobody listens.
    is_deaf: bool,
    mood: Option<Mood>,
    /// What binds are answered.
    bind_status: u32,
    links: Vec<Link>,
    binds: Vec<(Instant, u32)>,
    came: Vec<Came>,
    receipts_taken: usize,
    /// Receipts that no link was there for.
    owed: Vec<(Message, String, &'static str)>,
}

struct Link {
    stream: TcpStream,
    sequence: u32,
    is_up: bool,
}

/// Listens on a port of ours. A process that another test has just forked holds whatever listened there before until it becomes its program.
fn listen(port: u16) -> TcpListener {
    for _ in 0..5000 {
        match TcpListener::bind(("127.0.0.1", port)) {
            Ok(listener) => return listener,
            Err(fault) => assert_eq!(fault.kind(), ErrorKind::AddrInUse, "{fault}"),
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
    panic!("somebody else listens on {port}");
}

impl Carrier {
    /// Begins to listen on `port`, in this mood.
    pub fn start(port: u16, mood: Mood) -> Self {
        let state = State { mood: Some(mood), ..State::default() };
        let carrier =
            Self { port, shared: Arc::new(Shared { state: state.into(), changed: Condvar::new() }) };
        carrier.rise();
        carrier
    }

    /// From now on it does this with what comes.
    pub fn be(&self, mood: Mood) {
        self.state().mood = Some(mood);
    }

    /// Binds are answered with this status from now on; 0 takes them.
    pub fn answer_binds(&self, status: u32) {
        self.state().bind_status = status;
    }

    /// Ends as a process that is killed: nobody listens any more, all links are cut, whatever is out on them.
    pub fn die(&self) {
        let mut state = self.state();
        state.life += 1;
        state.links.iter_mut().for_each(Link::cut);
        drop(state);
        let _ = TcpStream::connect(("127.0.0.1", self.port)); // wakes who accepts, so that the port is closed
        self.until("its port is closed", |ledger| ledger.is_deaf);
    }

    /// Listens again.
    pub fn rise(&self) {
        let listener = listen(self.port);
        let mut state = self.state();
        state.life += 1;
        state.is_deaf = false;
        let life = state.life;
        drop(state);
        let shared = Arc::clone(&self.shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shared.lock().life != life {
                    break;
                }
                Shared::seat(&shared, stream);
            }
            drop(listener);
            shared.lock().is_deaf = true;
            shared.changed.notify_all();
        });
    }

    /// Cuts all links, whatever is out on them; whoever binds again is welcome.
    pub fn cut(&self) {
        self.state().links.iter_mut().for_each(Link::cut);
    }

    /// Does this now about a submission that came before.
    pub fn act(&self, came: &Came, acts: &[Act]) {
        acts.iter().for_each(|act| self.state().act(came, act));
    }

    /// All submissions so far, in the order in which they came.
    pub fn came(&self) -> Vec<Came> {
        self.state().came.clone()
    }

    /// How many submissions have come.
    pub fn count(&self) -> usize {
        self.state().came.len()
    }

    /// When binds came and what they were answered.
    pub fn binds(&self) -> Vec<(Instant, u32)> {
        self.state().binds.clone()
    }

    /// Waits until it has taken so many.
    pub fn until_came(&self, count: usize) {
        self.until(&format!("{count} submissions"), |ledger| ledger.came >= count);
    }

    /// Waits until this is so.
    pub fn until(&self, what: &str, is_so: impl Fn(&Figures) -> bool) {
        let waits = |state: &mut State| !is_so(&state.figures());
        let (state, over) = self
            .shared
            .changed
            .wait_timeout_while(self.state(), START_LIMIT, waits)
            .expect("nobody panics while he holds it");
        let figures = state.figures();
        drop(state);
        assert!(!over.timed_out(), "carrier on {}: waited for {what}: {figures:?}", self.port);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }
}

/// What a carrier has counted.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    pub came: usize,
    /// Of them, those that it took.
    pub taken: usize,
    /// Submissions that were not answered on links that stand.
    pub out: usize,
    /// Links that stand and are bound.
    pub links: usize,
    pub binds: usize,
    /// Receipts that were answered.
    pub receipts_taken: usize,
    is_deaf: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while he holds it")
    }

    /// A link has come: reads it to its end.
    fn seat(shared: &Arc<Self>, stream: TcpStream) {
        stream.set_nodelay(true).expect("the socket is open");
        let mut reader = stream.try_clone().expect("the socket is open");
        let mut state = shared.lock();
        let number = state.links.len();
        state.links.push(Link { stream, sequence: 0, is_up: false });
        drop(state);
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            while let Ok(pdu) = Pdu::read(&mut reader) {
                shared.lock().hear(number, &pdu);
                shared.changed.notify_all();
            }
            shared.lock().links[number].cut();
            shared.changed.notify_all();
        });
    }
}

impl State {
    fn hear(&mut self, link: usize, pdu: &Pdu) {
        match pdu.command {
            BIND_TRANSCEIVER => {
                self.binds.push((clock(), self.bind_status));
                self.links[link].say(&pdu.response(self.bind_status, b"carrier\0".to_vec()));
                self.links[link].is_up = self.bind_status == 0;
                if self.links[link].is_up {
                    for (submission, id, stat) in std::mem::take(&mut self.owed) {
                        self.links[link].report(&submission, &id, stat);
                    }
                }
            }
            SUBMIT_SM => self.take(link, pdu),
            ENQUIRE_LINK => self.links[link].say(&pdu.response(0, Vec::new())),
            UNBIND => {
                self.links[link].say(&pdu.response(0, Vec::new()));
                self.links[link].cut();
            }
            _ => self.receipts_taken += usize::from(pdu.command == DELIVER_SM | RESP && pdu.status == 0),
        }
    }

    fn take(&mut self, link: usize, pdu: &Pdu) {
        let (number, message) = (self.came.len() + 1, Message::of(&pdu.body));
        let came = Came { number, link, sequence: pdu.sequence, message, at: clock(), status: None };
        self.came.push(came.clone());
        if !self.links[link].is_up {
            return; // it came too late to be answered
        }
        let mood = self.mood.as_mut().expect("it has one from the start on");
        mood(&came).iter().for_each(|act| self.act(&came, act));
    }

    fn act(&mut self, came: &Came, act: &Act) {
        let Some(link) = self.links.get_mut(came.link) else { return };
        let request = Pdu::request(SUBMIT_SM, came.sequence, Vec::new());
        match act {
            Act::Take(id) => link.say(&request.response(0, format!("{id}\0").into_bytes())),
            Act::Refuse(status) => link.say(&request.response(*status, Vec::new())),
            Act::HangUp => link.cut(),
            Act::Receipt(id, stat) => return self.report(came.link, &came.message, id, stat),
            Act::ReceiptFor(message, id, stat) => return self.report(came.link, message, id, stat),
        }
        self.came[came.number - 1].status = match act {
            Act::Take(_) => Some(0),
            Act::Refuse(status) => Some(*status),
            Act::HangUp | Act::Receipt(..) | Act::ReceiptFor(..) => return,
        };
    }

    /// Another link may tell it, if this one is gone.
    fn report(&mut self, link: usize, message: &Message, id: &str, stat: &'static str) {
        let place =
            if self.links[link].is_up { Some(link) } else { self.links.iter().position(|link| link.is_up) };
        match place {
            Some(place) => self.links[place].report(message, id, stat),
            None => self.owed.push((message.clone(), id.to_owned(), stat)),
        }
    }

    fn figures(&self) -> Figures {
        let is_out = |came: &&Came| came.status.is_none() && self.links[came.link].is_up;
        Figures {
            came: self.came.len(),
            taken: self.came.iter().filter(|came| came.status == Some(0)).count(),
            out: self.came.iter().filter(is_out).count(),
            links: self.links.iter().filter(|link| link.is_up).count(),
            binds: self.binds.len(),
            receipts_taken: self.receipts_taken,
            is_deaf: self.is_deaf,
        }
    }
}

impl Link {
    /// Writes; a link that is gone is noticed by who reads it.
    fn say(&self, pdu: &Pdu) {
        let _ = pdu.write(&self.stream);
    }

    fn cut(&mut self) {
        self.is_up = false;
        // What it said before arrives: octets that come later are read, lest they break off what is on its way.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    fn report(&mut self, submission: &Message, id: &str, stat: &str) {
        self.sequence += 1;
        let text = format!(
            "id:{id} sub:001 dlvrd:001 submit date:2611220200 done date:2611220201 stat:{stat} err:000 text:"
        );
        let Message { source, destination, .. } = submission;
        let receipt = Message { esm_class: 4, receipt: 0, ..Message::new(destination, source, &text) };
        self.say(&Pdu::request(DELIVER_SM, self.sequence, receipt.body()));
    }
}

#[allow(clippy::disallowed_methods)] // when something came is part of the ledger
fn clock() -> Instant {
    Instant::now()
}
