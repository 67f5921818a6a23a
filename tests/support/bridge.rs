//! Sessions of a foreign library (npm `smpp`), held by `tests/interop/node_bridge.js` and steered from here.
//!
//! The library writes and reads every octet; what is said and what must come back stands in the tests.

use super::foreign::Library;
use super::{Process, START_LIMIT, TempDir};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// How long a peer may have to wait for what must come.
const HANG: Duration = Duration::from_secs(30);

/// The running bridge.
#[derive(Clone)]
pub struct Bridge(Rc<Inner>);

struct Inner {
    wire: RefCell<Wire>,
    _process: Process,
}

struct Wire {
    words: TcpStream,
    lines: BufReader<TcpStream>,
    /// What came and nobody has asked for yet.
    heard: Vec<Value>,
}

impl Bridge {
    /// Starts it, with the library installed in `folder`.
    pub fn start(folder: &Path, dir: &TempDir) -> Self {
        let mut command = Library::Node.script(folder, "node_bridge.js");
        let process = Process::start("bridge", &mut command, dir.path());
        let port: u16 = process.wait_line("ready ", START_LIMIT).parse().expect("a port");
        let words = TcpStream::connect(("127.0.0.1", port)).expect("the bridge listens");
        words.set_nodelay(true).expect("the socket is open");
        words.set_read_timeout(Some(HANG)).expect("not zero");
        let lines = BufReader::new(words.try_clone().expect("the socket is open"));
        let wire = RefCell::new(Wire { words, lines, heard: Vec::new() });
        Self(Rc::new(Inner { wire, _process: process }))
    }

    /// Opens a session with a server on `port`; `name` is the session's here.
    pub fn connect(&self, name: &str, port: u16) -> Peer {
        self.say(&json!({ "connect": name, "port": port }));
        self.hear(&format!("{name} to open"), |said| said["session"] == name && said["event"] == "open");
        self.peer(name)
    }

    /// Takes sessions on `port` and answers their binds with `bind`; they are `name/1`, `name/2` and so on.
    pub fn listen(&self, name: &str, port: u16, bind: &Value) {
        self.say(&json!({ "listen": name, "port": port, "bind": bind }));
        let listening = |said: &Value| said["session"] == name && said["event"] == "listening";
        self.hear(&format!("{name} to listen"), listening);
    }

    /// The session of that name.
    pub fn peer(&self, name: &str) -> Peer {
        Peer { bridge: self.clone(), name: name.to_owned() }
    }

    fn say(&self, order: &Value) {
        let mut wire = self.0.wire.borrow_mut();
        writeln!(wire.words, "{order}").expect("the bridge reads");
    }

    /// The first of what came, or comes, that fits; panics if nothing does.
    fn hear(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let mut wire = self.0.wire.borrow_mut();
        if let Some(place) = wire.heard.iter().position(&fits) {
            return wire.heard.remove(place);
        }
        loop {
            let mut line = String::new();
            if !wire.lines.read_line(&mut line).is_ok_and(|octets| octets > 0) {
                panic!("waited for {what}; heard {:#?}", wire.heard);
            }
            let said: Value = serde_json::from_str(&line).expect("the bridge writes JSON");
            if fits(&said) {
                return said;
            }
            wire.heard.push(said);
        }
    }
}

/// One session of the bridge, of either side.
pub struct Peer {
    bridge: Bridge,
    name: String,
}

impl Peer {
    /// Sends a request.
    pub fn send(&self, command: &str, fields: Value) {
        self.bridge.say(&json!({ "send": self.name, "command": command, "fields": fields }));
    }

    /// Sends a request and gives its response.
    pub fn ask(&self, command: &str, fields: Value) -> Value {
        self.send(command, fields);
        self.expect(&format!("{command}_resp"))
    }

    /// Sends a request, which is granted.
    pub fn agreed(&self, command: &str, fields: Value) -> Value {
        let response = self.ask(command, fields);
        assert_eq!(response["command_status"], 0, "{response}");
        response
    }

    /// Sends a request and gives the status of its response, which is a header alone.
    pub fn refused(&self, command: &str, fields: Value) -> u64 {
        let response = self.ask(command, fields);
        assert_eq!(response["command_length"], 16, "{response}");
        response["command_status"].as_u64().expect("a number")
    }

    /// The next PDU of that name that this session gets.
    pub fn expect(&self, command: &str) -> Value {
        let what = format!("{command} on {}", self.name);
        let fits = |said: &Value| said["session"] == self.name && said["pdu"]["command"] == command;
        self.bridge.hear(&what, fits)["pdu"].take()
    }

    /// Answers a request.
    pub fn answer(&self, request: &Value, fields: Value) {
        let (command, sequence) = (&request["command"], &request["sequence_number"]);
        self.bridge
            .say(&json!({ "answer": self.name, "command": command, "sequence": sequence, "fields": fields }));
    }

    /// Takes the next PDU of that name and answers it with `fields`.
    pub fn take(&self, command: &str, fields: Value) -> Value {
        let request = self.expect(command);
        self.answer(&request, fields);
        request
    }

    /// As a carrier: takes the next submit_sm under that id.
    pub fn take_submit(&self, message_id: &str) -> Value {
        self.take("submit_sm", json!({ "message_id": message_id }))
    }

    /// As a carrier: reports how a message ended, text and parameters, and sees that taken.
    pub fn report(&self, submit: &Value, message_id: &str, stat: &str) {
        let fields = receipt_fields(submit, message_id, stat);
        assert_eq!(self.ask("deliver_sm", fields)["command_status"], 0);
    }

    /// As an ESME: takes the next receipt; gives the whole deliver_sm.
    pub fn take_receipt(&self) -> Value {
        let receipt = self.take("deliver_sm", json!({}));
        assert_eq!(receipt["esm_class"], 4, "{receipt}");
        receipt
    }

    /// Whether a PDU of that name has come that wasn't asked for yet; what was on its way has come by the time of an answer.
    pub fn has_heard(&self, command: &str) -> bool {
        self.agreed("enquire_link", json!({}));
        let wire = self.bridge.0.wire.borrow();
        wire.heard.iter().any(|said| said["session"] == self.name && said["pdu"]["command"] == command)
    }

    /// Asserts that nothing has come that wasn't asked for: what was on its way has come by the time of an answer.
    pub fn has_nothing_more(&self) {
        self.agreed("enquire_link", json!({}));
        let wire = self.bridge.0.wire.borrow();
        let mine: Vec<_> = wire.heard.iter().filter(|said| said["session"] == self.name).collect();
        assert!(mine.is_empty(), "{} also got {mine:#?}", self.name);
    }

    /// Awaits its end.
    pub fn is_closed(&self) {
        let fits = |said: &Value| said["session"] == self.name && said["event"] == "closed";
        self.bridge.hear(&format!("the end of {}", self.name), fits);
    }

    /// Hangs up and awaits the end.
    pub fn close(&self) {
        self.bridge.say(&json!({ "close": self.name }));
        self.is_closed();
    }
}

/// The text of a PDU as the library read it.
pub fn text_of(pdu: &Value) -> &str {
    let field = if pdu["message_payload"].is_null() { "short_message" } else { "message_payload" };
    let text = pdu[field]["message"].as_str();
    text.unwrap_or_else(|| panic!("no text in {pdu}"))
}

/// Whether these octets stand in a PDU.
pub fn holds(pdu: &Value, octets: &[u8]) -> bool {
    let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    pdu["octets"]["hex"].as_str().unwrap_or_else(|| panic!("no octets in {pdu}")).contains(&hex)
}

/// A field of a PDU that is text.
pub fn word<'a>(pdu: &'a Value, field: &str) -> &'a str {
    pdu[field].as_str().unwrap_or_else(|| panic!("no {field} in {pdu}"))
}

/// The word behind `label:` in a receipt's text.
pub fn said<'a>(receipt: &'a Value, label: &str) -> &'a str {
    let text = text_of(receipt);
    let found = text.split(' ').find_map(|word| word.strip_prefix(label)?.strip_prefix(':'));
    found.unwrap_or_else(|| panic!("no {label} in {text:?}"))
}

/// A receipt for that submission, as text and parameters.
pub fn receipt_fields(submit: &Value, message_id: &str, stat: &str) -> Value {
    let delivered = if stat == "DELIVRD" { "001" } else { "000" };
    let state = match stat {
        "ENROUTE" => 1,
        "DELIVRD" => 2,
        "UNDELIV" => 5,
        other => panic!("no number for {other}"),
    };
    json!({
        "source_addr": submit["destination_addr"],
        "destination_addr": submit["source_addr"],
        "esm_class": if state == 1 { 0x20 } else { 4 },
        "short_message": format!(
            "id:{message_id} sub:001 dlvrd:{delivered} submit date:2611220200 done date:2611220201 stat:{stat} err:000 text:"
        ),
        "receipted_message_id": message_id,
        "message_state": state,
    })
}
