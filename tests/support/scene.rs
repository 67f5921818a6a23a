//! The hub with carriers and customers that the test holds itself, and that need nothing installed.

use super::carrier::{Carrier, Mood};
use super::customer::Customer;
use super::{Hub, START_LIMIT, Setup, free_port, http_ask};
use serde_json::Value;

/// What the hub is to know; every account has its name as its password.
#[derive(Default)]
pub struct Draft {
    text: String,
    carriers: Vec<(String, String, Mood)>,
    spare: Vec<(String, String, Mood)>,
    environment: Vec<(String, String)>,
}

impl Draft {
    /// Nobody yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// An account, with `more` lines of its table.
    pub fn account(mut self, name: &str, more: &str) -> Self {
        self.text += &format!("[[account]]\nsystem_id = \"{name}\"\npassword = \"{name}\"\n{more}\n");
        self
    }

    /// A carrier in this mood, with `more` lines of its table.
    pub fn carrier(mut self, name: &str, more: &str, mood: Mood) -> Self {
        self.carriers.push((name.to_owned(), more.to_owned(), mood));
        self
    }

    /// The same, which the hub doesn't know yet: see [`Scene::table`].
    pub fn spare(mut self, name: &str, more: &str, mood: Mood) -> Self {
        self.spare.push((name.to_owned(), more.to_owned(), mood));
        self
    }

    /// More of the file.
    pub fn more(mut self, text: &str) -> Self {
        self.text += &format!("{text}\n");
        self
    }

    /// A variable of the hub's environment.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts all of it.
    pub fn start(self, name: &str) -> Scene {
        self.start_in(Setup::new(name))
    }

    /// Starts all of it in a folder that is there already.
    pub fn start_in(self, setup: Setup) -> Scene {
        let Setup { smpp, http, dir, .. } = &setup;
        let mut config = format!(
            "[listener]\naddress = \"127.0.0.1:{smpp}\"\nresponse_s = 2\n[http]\naddress = \"127.0.0.1:{http}\"\n\
             [spool]\ndirectory = \"{}\"\nsegment_mib = 5\n{}",
            dir.file("spool"),
            self.text
        );
        let known = self.carriers.len();
        let mut carriers = Vec::new();
        for (place, (name, more, mood)) in self.carriers.into_iter().chain(self.spare).enumerate() {
            let port = free_port();
            let table = format!(
                "[[carrier]]\nname = \"{name}\"\naddress = \"127.0.0.1:{port}\"\nsystem_id = \"enroute\"\n\
                 password = \"enroute\"\n{more}\n"
            );
            if place < known {
                config += &table;
            }
            carriers.push((name, table, Carrier::start(port, mood)));
        }
        let hub = Hub::start_with(dir.path(), &config, &self.environment);
        Scene { hub, setup, carriers, config, environment: self.environment }
    }
}

/// The running hub and its carriers.
pub struct Scene {
    pub hub: Hub,
    pub setup: Setup,
    carriers: Vec<(String, String, Carrier)>,
    config: String,
    environment: Vec<(String, String)>,
}

impl Scene {
    /// The hub is killed with -9, this is done meanwhile, and it starts again; the carriers go on.
    pub fn again(self, meanwhile: impl FnOnce()) -> Self {
        let Self { hub, setup, carriers, config, environment } = self;
        hub.kill();
        meanwhile();
        let hub = Hub::start_with(setup.dir.path(), &config, &environment);
        Self { hub, setup, carriers, config, environment }
    }

    /// Binds an account.
    pub fn customer(&self, name: &str) -> Customer {
        Customer::bind(self.setup.smpp, name)
    }

    /// The carrier of that name.
    pub fn carrier(&self, name: &str) -> &Carrier {
        &self.find(name).2
    }

    /// Its table in the configuration.
    pub fn table(&self, name: &str) -> &str {
        &self.find(name).1
    }

    fn find(&self, name: &str) -> &(String, String, Carrier) {
        let found = self.carriers.iter().find(|(known, ..)| known == name);
        found.unwrap_or_else(|| panic!("no carrier {name}"))
    }

    /// Has the hub read its configuration again with other text in it, which it takes; gives what it was told.
    pub fn reload(&mut self, change: impl FnOnce(&str) -> String) -> Value {
        self.config = change(&self.config);
        std::fs::write(self.setup.dir.file("enroute.toml"), &self.config)
            .expect("the test's folder is writable");
        let (status, told) = http_ask(self.hub.door(), "nobody", "POST /admin/reload", "");
        assert_eq!(status, 200, "{told}");
        told
    }

    /// Whether this, and nothing else, limits a carrier as far as the hub has told; it tells a few times a second.
    pub fn is_limited(&self, carrier: &str, reason: &str) -> bool {
        let start = format!("enroute_carrier_limited_by{{carrier=\"{carrier}\",reason=\"");
        let text = self.hub.scrape();
        let set = text.lines().filter_map(|line| line.strip_prefix(&start)?.strip_suffix("\"} 1"));
        set.eq([reason])
    }

    /// Waits until this is what a carrier is limited by.
    pub fn until_limited(&self, carrier: &str, reason: &str) {
        let what = format!("{carrier} to be limited by {reason}");
        self.hub.process.until(&what, START_LIMIT, || self.is_limited(carrier, reason));
    }

    /// Waits until a metric has this value.
    pub fn until_metric(&self, name: &str, value: f64) {
        let what = format!("{name} {value}");
        self.hub.process.until(&what, START_LIMIT, || self.hub.metric(name) == Some(value));
    }
}
