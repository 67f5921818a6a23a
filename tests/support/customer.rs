//! A customer that a test holds itself: an account's session with a window, and a ledger of what it was told.

use super::START_LIMIT;
use super::wire::{BIND_TRANSCEIVER, DELIVER_SM, ENQUIRE_LINK, Message, Pdu, RESP, SUBMIT_SM, UNBIND, word};
use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

/// Submissions that may wait for their answers.
const WINDOW: usize = 50;

/// A bound session; it hangs up at drop.
pub struct Customer {
    name: String,
    stream: TcpStream,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<Told>,
    changed: Condvar,
}

/// What a customer was told.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Texts that wait for their answers, by sequence_number.
    waiting: HashMap<u32, String>,
    sequence: u32,
    /// Texts by the ids that they were accepted under.
    pub accepted: HashMap<String, String>,
    /// Texts that were refused, with the status.
    pub refused: Vec<(String, u32)>,
    /// Ids and states of the receipts, in the order in which they came.
    pub receipts: Vec<(String, String)>,
    has_ended: bool,
}

impl Told {
    /// How many submissions have been answered.
    pub fn answered(&self) -> usize {
        self.accepted.len() + self.refused.len()
    }

    /// Accepted messages that have no receipt.
    pub fn unfinished(&self) -> usize {
        let finished: std::collections::HashSet<_> = self.receipts.iter().map(|(id, _)| id).collect();
        self.accepted.keys().filter(|id| !finished.contains(id)).count()
    }
}

impl Customer {
    /// Connects and asks to be bound; gives the session and the status of the answer.
    pub fn knock(port: u16, name: &str, password: &str) -> (Self, u32) {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the hub listens");
        stream.set_nodelay(true).expect("the socket is open");
        let mut body = format!("{name}\0{password}\0\0").into_bytes();
        body.extend([0x34, 0, 0, 0]);
        Pdu::request(BIND_TRANSCEIVER, 1, body).write(&stream).expect("the hub reads");
        let answer = Pdu::read(&mut stream).expect("the bind is answered");
        assert_eq!((answer.command, answer.sequence), (BIND_TRANSCEIVER | RESP, 1));
        let told = Told { sequence: 1, ..Told::default() };
        let shared = Arc::new(Shared { state: told.into(), changed: Condvar::new() });
        (Self { name: name.to_owned(), stream, shared }, answer.status)
    }

    /// Binds an account whose password is its name.
    pub fn bind(port: u16, name: &str) -> Self {
        let (customer, status) = Self::knock(port, name, name);
        assert_eq!(status, 0, "{name} may bind");
        let (shared, stream) =
            (Arc::clone(&customer.shared), customer.stream.try_clone().expect("the socket is open"));
        std::thread::spawn(move || {
            while let Ok(pdu) = Pdu::read(&mut &stream) {
                shared.lock().hear(&pdu, &stream);
                shared.changed.notify_all();
            }
            shared.lock().has_ended = true;
            shared.changed.notify_all();
        });
        customer
    }

    /// Submits, once there is room in the window.
    pub fn submit(&self, message: &Message) {
        let mut told = self.wait("room in the window", |told| told.waiting.len() < WINDOW);
        told.sequence += 1;
        let sequence = told.sequence;
        told.waiting.insert(sequence, message.text.clone());
        drop(told);
        let pdu = Pdu::request(SUBMIT_SM, sequence, message.body());
        pdu.write(&self.stream).expect("the hub reads");
    }

    /// Submits these texts to a number, and waits until all are accepted.
    pub fn submit_all(&self, destination: &str, texts: impl IntoIterator<Item = String>) {
        for text in texts {
            self.submit(&Message::new("1000", destination, &text));
        }
        self.until_answered();
        let refused = self.told().refused;
        assert!(refused.is_empty(), "{}: {refused:?}", self.name);
    }

    /// Waits until nothing waits for an answer.
    pub fn until_answered(&self) {
        self.until("all to be answered", |told| told.waiting.is_empty());
    }

    /// Waits until this is so.
    pub fn until(&self, what: &str, is_so: impl Fn(&Told) -> bool) {
        drop(self.wait(what, is_so));
    }

    /// What it was told so far.
    pub fn told(&self) -> Told {
        self.shared.lock().clone()
    }

    fn wait(&self, what: &str, is_so: impl Fn(&Told) -> bool) -> MutexGuard<'_, Told> {
        let waits = |told: &mut Told| !is_so(told) && !told.has_ended;
        let (told, over) = self
            .shared
            .changed
            .wait_timeout_while(self.shared.lock(), START_LIMIT, waits)
            .expect("nobody panics while he holds it");
        if is_so(&told) {
            return told;
        }
        let Told { accepted, refused, receipts, waiting, .. } = &*told;
        let figures = (waiting.len(), accepted.len(), refused.len(), receipts.len());
        drop(told);
        let name = &self.name;
        panic!("{name}: waited for {what}: waiting, accepted, refused, receipts: {figures:?}, {over:?}");
    }
}

impl Drop for Customer {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Told> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Told {
    fn hear(&mut self, pdu: &Pdu, stream: &TcpStream) {
        const SUBMIT_RESP: u32 = SUBMIT_SM | RESP;
        match pdu.command {
            SUBMIT_RESP => {
                let text = self.waiting.remove(&pdu.sequence).expect("an answer to what was asked");
                match pdu.status {
                    0 => {
                        let id = word(&mut &pdu.body[..]);
                        assert!(self.accepted.insert(id, text).is_none(), "an id that was given before");
                    }
                    status => self.refused.push((text, status)),
                }
            }
            DELIVER_SM => {
                let text = Message::of(&pdu.body).text;
                let said = |label: &str| {
                    let found = text.split(' ').find_map(|word| word.strip_prefix(label));
                    found.unwrap_or_else(|| panic!("no {label} in {text:?}")).to_owned()
                };
                self.receipts.push((said("id:"), said("stat:")));
                let _ = pdu.response(0, vec![0]).write(stream);
            }
            ENQUIRE_LINK | UNBIND => drop(pdu.response(0, Vec::new()).write(stream)),
            _ => {}
        }
    }
}
