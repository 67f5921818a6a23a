//! A hub of many accounts and carriers, each of which is a session of a foreign library.

use super::bridge::{Bridge, Peer};
use super::foreign::prepared;
use super::{Hub, Setup, free_port, http_ask};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::path::Path;

/// What the hub is to know; every account has its name as its password.
#[derive(Default)]
pub struct Plan {
    text: String,
    routes: String,
    carriers: Vec<(String, u16, Value)>,
    files: Vec<(String, String)>,
}

impl Plan {
    /// Nobody yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// An account, with `more` lines of its table.
    pub fn account(mut self, name: &str, more: &str) -> Self {
        self.text += &format!("[[account]]\nsystem_id = \"{name}\"\npassword = \"{name}\"\n{more}\n");
        self
    }

    /// A carrier of one link for destinations that begin with `prefix`, with `more` lines of its table.
    pub fn carrier(self, name: &str, prefix: &str, more: &str) -> Self {
        self.answering(name, prefix, more, json!({ "system_id": name, "sc_interface_version": 0x34 }))
    }

    /// The same, whose answer to a bind has these fields.
    pub fn answering(mut self, name: &str, prefix: &str, more: &str, bind: Value) -> Self {
        let port = free_port();
        let links = if more.contains("links =") { "" } else { "links = 1\n" };
        self.text += &format!(
            "[[carrier]]\nname = \"{name}\"\naddress = \"127.0.0.1:{port}\"\nsystem_id = \"enroute\"\n\
             password = \"enroute\"\n{links}reconnect_min_ms = 20\nreconnect_max_ms = 200\n{more}\n"
        );
        self.routes += &format!("[[route.prefix]]\nprefix = \"{prefix}\"\ncarrier = \"{name}\"\n");
        self.carriers.push((name.to_owned(), port, bind));
        self
    }

    /// More of the file.
    pub fn more(mut self, text: &str) -> Self {
        self.text += &format!("{text}\n");
        self
    }

    /// A file beside the configuration.
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// Starts all of it; without the foreign library, says that `test` was skipped and gives `None`.
    pub fn start(self, test: &str) -> Option<Stage> {
        let folder = prepared(test)?;
        let setup = Setup::new("operations");
        let bridge = Bridge::start(&folder, &setup.dir);
        for (name, text) in &self.files {
            std::fs::write(setup.dir.path().join(name), text).expect("the test's folder is writable");
        }
        for (name, port, bind) in &self.carriers {
            bridge.listen(name, *port, bind);
        }
        let Setup { smpp, http, dir, .. } = &setup;
        let spool = dir.file("spool");
        let config = format!(
            "[listener]\naddress = \"127.0.0.1:{smpp}\"\n[http]\naddress = \"127.0.0.1:{http}\"\n\
             [spool]\ndirectory = \"{spool}\"\nsegment_mib = 5\n[retry.transient]\ndelays_s = [600]\n[retry.unanswered]\ndelays_s = [600]\n{}{}",
            self.text, self.routes
        );
        let hub = Hub::start(dir.path(), &config);
        Some(Stage { bridge, hub, port: setup.smpp, seated: RefCell::default(), setup, config })
    }
}

/// The running hub and its peers.
pub struct Stage {
    pub bridge: Bridge,
    pub hub: Hub,
    /// Where the hub listens for SMPP.
    pub port: u16,
    seated: RefCell<u32>,
    setup: Setup,
    config: String,
}

impl Stage {
    /// The hub is killed with -9 and starts again; its peers are cut off.
    pub fn again(self) -> Self {
        let Self { bridge, hub, port, seated, setup, config } = self;
        hub.kill();
        let hub = Hub::start(setup.dir.path(), &config);
        Self { bridge, hub, port, seated, setup, config }
    }

    /// Has the hub read its configuration again, with other text in it; gives the status and what it was told.
    pub fn reload(&self, change: impl FnOnce(&str) -> String) -> (u16, Value) {
        let text = change(&self.config);
        std::fs::write(self.setup.dir.file("enroute.toml"), text).expect("the test's folder is writable");
        http_ask(self.hub.door(), "nobody", "POST /admin/reload", "")
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        self.setup.dir.path()
    }

    /// Binds an account as a transceiver.
    pub fn esme(&self, account: &str, version: u8) -> Peer {
        self.bound(account, "transceiver", version).0
    }

    /// Binds an account; gives its session and the answer.
    pub fn bound(&self, account: &str, kind: &str, version: u8) -> (Peer, Value) {
        *self.seated.borrow_mut() += 1;
        let peer = self.bridge.connect(&format!("{account}#{}", self.seated.borrow()), self.port);
        let answer = peer.agreed(
            &format!("bind_{kind}"),
            json!({ "system_id": account, "password": account, "interface_version": version }),
        );
        (peer, answer)
    }

    /// The first link of a carrier, once the hub has bound it.
    pub fn carrier(&self, name: &str) -> Peer {
        self.link(name, 1)
    }

    /// The link of a carrier that the hub has bound as its `number`th, from 1.
    pub fn link(&self, name: &str, number: usize) -> Peer {
        let peer = self.bridge.peer(&format!("{name}/{number}"));
        peer.expect("bind_transceiver");
        peer
    }
}

/// A short text from 1000 to `to`, with a receipt.
pub fn short(to: &str, text: &str) -> Value {
    json!({ "source_addr": "1000", "dest_addr_ton": 1, "dest_addr_npi": 1, "destination_addr": to,
        "registered_delivery": 1, "data_coding": 0, "short_message": text })
}

/// `fields` with those of `more` in place of, or beside, its own.
pub fn with(mut fields: Value, more: Value) -> Value {
    let (Value::Object(all), Value::Object(more)) = (&mut fields, more) else { panic!("not objects") };
    all.extend(more);
    fields
}

/// Octets as the bridge writes them.
pub fn hex(octets: &[u8]) -> Value {
    json!({ "hex": octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>() })
}
