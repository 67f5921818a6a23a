//! A run: one hub, its peers, its disk, its network and its bad luck, all from one seed.

pub mod agenda;
mod carrier;
mod customer;
mod judge;
mod ledger;
mod net;
mod plan;
mod process;
mod scene;
mod session;
mod submission;
mod threads;
mod wire;

use agenda::{Agenda, Happening, MINUTE, MS, Micros, SECOND};
use carrier::Carrier;
use customer::Customer;
use enroute::spool::{Disk, DiskFile, Faults, MemoryDisk};
use fastrand::Rng;
use ledger::{Death, Ledger, seconds};
use net::{End, Net};
use plan::{Fault, Mood, Plan};
use process::Process;
use scene::Scene;
use submission::Submitting;

/// What came of a run.
pub struct Report {
    pub seed: u64,
    /// Microseconds of virtual time.
    pub simulated: Micros,
    pub messages: usize,
    pub doubles: usize,
    pub deaths: usize,
    /// Everything that happened, as one number: the same seed gives the same.
    pub trace: u64,
    pub happened: u64,
    /// Broken promises, each with its story.
    pub wrong: Vec<String>,
    /// What was done to the hub.
    pub trouble: String,
}

/// Runs one seed to its end.
pub fn run(seed: u64) -> Report {
    let mut sim = Sim::new(seed);
    sim.play();
    sim.report()
}

struct Sim {
    seed: u64,
    plan: Plan,
    scene: Scene,
    disk: MemoryDisk,
    process: Option<Box<Process>>,
    life: u32,
    customers: Vec<Customer>,
    carriers: Vec<Carrier>,
    /// Whose each connection is: a customer's, or after those a carrier's.
    owners: Vec<usize>,
    /// Starts that are to be cut short, and how.
    again: u32,
    death: Death,
    away: Micros,
    sick_until: Micros,
    full_until: Micros,
}

impl Sim {
    fn new(seed: u64) -> Self {
        let plan = Plan::of(seed);
        let scene = Scene {
            agenda: Agenda::new(),
            net: Net::new(plan.splits),
            random: Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            ledger: Ledger::default(),
            slow_until: 0,
            is_peace: false,
            peace_since: None,
        };
        let late = plan.session.timers.response.as_micros() as Micros + SECOND / 2;
        let most_s = plan.hub.rules.max_validity.as_secs();
        let customers = plan.customers.iter().enumerate();
        let carriers = plan.carriers.iter().enumerate();
        Self {
            seed,
            disk: MemoryDisk::new(seed),
            process: None,
            life: 0,
            customers: customers
                .map(|(place, habits)| {
                    Customer::new(place, *habits, Submitting::new(plan.validity_s, most_s))
                })
                .collect(),
            carriers: carriers.map(|(place, conduct)| Carrier::new(place, *conduct, late)).collect(),
            owners: Vec::new(),
            again: 0,
            death: Death::Kill,
            away: 0,
            sick_until: 0,
            full_until: 0,
            scene,
            plan,
        }
    }

    fn play(&mut self) {
        let agenda = &mut self.scene.agenda;
        agenda.at(0, Happening::Start);
        for customer in 0..self.customers.len() {
            agenda.at(SECOND, Happening::Call { customer });
        }
        for carrier in 0..self.carriers.len() {
            agenda.at(SECOND, Happening::Carrier { carrier });
        }
        for (number, (at, _)) in self.plan.faults.iter().enumerate() {
            agenda.at(*at, Happening::Fault { number });
        }
        agenda.at(self.plan.war, Happening::Peace);
        let end = self.plan.war + self.plan.peace;
        while let Some(happening) = self.scene.agenda.next(end) {
            self.happen(happening);
            if !self.scene.ledger.wrong.is_empty() {
                return;
            }
            if self.scene.agenda.happened > HAPPENINGS_MAX {
                let time = self.scene.agenda.time;
                let gauges = self.process.as_ref().map(|process| process.hub.gauges());
                let story = format!("it never comes to rest: {happening:?}, {gauges:?}");
                return self.scene.ledger.wrong(time, story);
            }
            if self.scene.is_peace && self.scene.agenda.happened.is_multiple_of(256) && self.is_over() {
                return;
            }
        }
    }

    /// Whether nothing is left to wait for.
    fn is_over(&mut self) -> bool {
        let time = self.scene.agenda.time;
        let rested = time > self.plan.war + 3 * MINUTE;
        rested
            && self.process.as_ref().is_some_and(|process| {
                let gauges = process.hub.gauges();
                gauges.messages + gauges.held == 0
            })
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Turn { life } => self.with(life, Process::turn),
            Happening::Gather { life } => self.with(life, |process, scene| process.writer.gather(scene)),
            Happening::Commit { life } => {
                self.set_disk();
                self.with(life, Process::commit);
            }
            Happening::Read { life } => self.with(life, Process::read),
            Happening::Spares { life } => {
                self.set_disk();
                self.with(life, Process::prepare_spares);
            }
            Happening::Connect { life, slot } => self.connect(life, slot),
            Happening::Hub { connection }
            | Happening::Bell { connection }
            | Happening::Deadline { connection } => {
                if let Some(process) = &mut self.process {
                    process.drive(connection, &mut self.scene);
                }
            }
            Happening::Peer { connection } => {
                let owner = self.owners[connection];
                match owner.checked_sub(self.customers.len()) {
                    None => self.customers[owner].hear(connection, &mut self.scene),
                    Some(carrier) => self.carriers[carrier].hear(connection, &mut self.scene),
                }
            }
            Happening::Call { customer } => self.call(customer),
            Happening::Customer { customer } => self.customers[customer].act(&mut self.scene),
            Happening::Carrier { carrier } => self.carriers[carrier].act(&mut self.scene),
            Happening::Start => self.start(),
            Happening::Stop { life } => self.go_on_stopping(life),
            Happening::Fault { number } => self.strike(self.plan.faults[number].1),
            Happening::Peace => self.make_peace(),
        }
    }

    /// Lets the process of this life do something.
    fn with(&mut self, life: u32, act: impl FnOnce(&mut Process, &mut Scene)) {
        if let Some(process) = self.process.as_mut().filter(|process| process.life == life) {
            act(process, &mut self.scene);
        }
    }

    fn connect(&mut self, life: u32, slot: usize) {
        let Some(process) = self.process.as_mut().filter(|process| process.life == life) else { return };
        let Some(carrier) = process.carrier_of(slot) else { return };
        let scene = &mut self.scene;
        if self.carriers[carrier].mood(scene) == Mood::Away {
            return process.connect_later(slot, false, false, scene);
        }
        let connection = scene.net.connect(&mut scene.random);
        self.owners.push(self.customers.len() + carrier);
        self.carriers[carrier].accept(connection, scene);
        process.connected(slot, connection, scene);
    }

    fn call(&mut self, customer: usize) {
        let scene = &mut self.scene;
        let caller = &mut self.customers[customer];
        if caller.seat.is_some() || caller.habits.is_hostile && scene.is_peace {
            return;
        }
        let Some(process) = self.process.as_mut().filter(|process| process.listens()) else {
            return caller.call_later(scene);
        };
        let connection = scene.net.connect(&mut scene.random);
        self.owners.push(customer);
        process.accept(connection, scene);
        caller.begin(connection, scene);
    }

    fn start(&mut self) {
        if self.process.is_some() {
            return;
        }
        self.life += 1;
        self.set_disk();
        let scene = &mut self.scene;
        if self.again > 0 {
            let calls = scene.random.u32(0..80);
            self.disk.fail(Faults { halt: Some(calls), ..self.disk.faults() });
        }
        let is_troubled = self.disk.faults() != Faults::default();
        let started = Process::start(&self.plan, &self.disk, self.life, self.seed, scene);
        if self.again > 0 && self.disk.faults().halt == Some(0) {
            self.again -= 1;
            scene.ledger.note(scene.agenda.time, "died while it started");
            drop(started);
            return self.leave_disk();
        }
        self.disk.fail(Faults { halt: None, ..self.disk.faults() });
        match started {
            Ok((process, report)) => {
                let time = scene.agenda.time;
                scene
                    .ledger
                    .note(time, format!("started, {} records, {} cut", report.records, report.cut_octets));
                if !report.damaged.is_empty() && scene.ledger.flips == 0 {
                    scene.ledger.wrong(time, format!("damage without a cause: {:?}", report.damaged));
                }
                self.process = Some(Box::new(process));
            }
            Err(error) if is_troubled => {
                scene.ledger.note(scene.agenda.time, format!("can't start: {error}"));
                scene.agenda.after(SECOND, Happening::Start);
            }
            Err(error) => scene.ledger.wrong(scene.agenda.time, format!("can't start: {error}")),
        }
    }

    /// Lets the disk be as sick or as full as it is to be now.
    fn set_disk(&mut self) {
        let time = self.scene.agenda.time;
        let faults = self.disk.faults();
        let sick = time < self.sick_until;
        let capacity = faults.capacity.filter(|_| time < self.full_until);
        if faults.sick != sick || faults.capacity != capacity {
            self.disk.fail(Faults { sick, capacity, ..faults });
        }
    }

    /// The process is gone: what is left of the disk is what the next one starts with.
    fn leave_disk(&mut self) {
        let scene = &mut self.scene;
        if self.death == Death::Power {
            let kept = [0, 50, 100, scene.random.u32(0..101)][scene.random.usize(0..4)];
            let random = &mut scene.random;
            self.disk = self.disk.crash(&mut || random.u32(0..100) < kept);
        } else {
            self.disk.fail(Faults::default());
        }
        scene.agenda.after(self.away, Happening::Start);
    }

    fn die(&mut self, death: Death, away: Micros, again: u32) {
        let Some(mut process) = self.process.take() else { return };
        let scene = &mut self.scene;
        let capacity = self.disk.faults().capacity;
        if matches!(death, Death::Power | Death::Kill) {
            process.die(&self.disk, scene);
        }
        let connections: Vec<usize> = process.sessions.keys().copied().collect();
        let death = if death == Death::Order && process.writer.is_failing() { Death::Sick } else { death };
        scene.ledger.died(scene.agenda.time, death, &connections);
        scene.ledger.note(scene.agenda.time, format!("{death:?}"));
        for connection in connections {
            // What was written has left, mostly.
            match scene.random.u8(0..3) {
                0 => scene.net.break_off(connection, &mut scene.agenda),
                _ => scene.net.close(connection, End::Hub, &mut scene.agenda),
            }
        }
        (self.death, self.away, self.again) = (death, away, again);
        self.leave_disk();
        self.disk.fail(Faults { capacity, ..self.disk.faults() });
    }

    fn go_on_stopping(&mut self, life: u32) {
        let Some(process) = self.process.as_mut().filter(|process| process.life == life) else { return };
        if process.stop(&mut self.scene) {
            self.die(Death::Order, self.away, 0);
        }
    }

    fn strike(&mut self, fault: Fault) {
        let time = self.scene.agenda.time;
        self.scene.ledger.note(time, format!("{fault:?}"));
        let faults = self.disk.faults();
        match fault {
            Fault::PowerCut { away, again } => self.die(Death::Power, away, again),
            Fault::Kill { away, again } => self.die(Death::Kill, away, again),
            Fault::Terminate { away } => {
                if let Some(process) = &mut self.process {
                    self.away = away;
                    process.terminate(&mut self.scene);
                }
            }
            Fault::Sync { after } => self.disk.fail(Faults { sync: Some(after), ..faults }),
            Fault::Write { after } => self.disk.fail(Faults { write: Some(after), ..faults }),
            Fault::Directory { after } => self.disk.fail(Faults { sync_dir: Some(after), ..faults }),
            Fault::Read { after } => self.disk.fail(Faults { read: Some(after), ..faults }),
            Fault::Sick { lasts } => self.sick_until = time + lasts,
            Fault::Full { lasts } => {
                self.full_until = time + lasts;
                let capacity = Some(self.disk.octets() + self.scene.random.u64(0..20_000));
                self.disk.fail(Faults { capacity, ..faults });
            }
            Fault::Slow { lasts } => self.scene.slow_until = time + lasts,
            Fault::Break { pick } => {
                if let Some(connection) = self.pick(pick) {
                    self.scene.net.break_off(connection, &mut self.scene.agenda);
                }
            }
            Fault::Swallow { pick, both } => {
                if let Some(connection) = self.pick(pick) {
                    let end = if pick % 2 == 0 { End::Hub } else { End::Peer };
                    self.scene.ledger.wires.entry(connection).or_default().is_deaf = true;
                    self.scene.net.swallow(connection, end);
                    if both {
                        self.scene.net.swallow(connection, End::Hub);
                        self.scene.net.swallow(connection, End::Peer);
                    }
                }
            }
            Fault::Stall { pick, lasts } => {
                if let Some(connection) = self.pick(pick) {
                    self.scene.ledger.wires.entry(connection).or_default().is_deaf = true;
                    self.scene.net.stall(connection, time + lasts);
                }
            }
            Fault::Carrier { carrier, mood, lasts } => {
                self.carriers[carrier].turn(mood, time + lasts, &mut self.scene);
            }
            Fault::Flip => self.flip(),
            Fault::Clock { by_ms } => self.scene.agenda.set_wall(by_ms),
            Fault::Burst { customer, messages } => {
                let customer = customer % self.customers.len();
                self.customers[customer].eager += messages;
                self.scene.agenda.after(0, Happening::Customer { customer });
            }
        }
    }

    /// Turns a bit of the store over.
    fn flip(&mut self) {
        let random = &mut self.scene.random;
        let names = self.disk.list().unwrap_or_default();
        let names: Vec<String> = names.into_iter().filter(|name| name.ends_with(".segment")).collect();
        let Some(name) = names.get(random.usize(0..names.len().max(1))) else { return };
        let len = self.disk.open(name).and_then(|file| file.size()).unwrap_or_default();
        let (at, bit) = (random.u64(0..len.max(1)), random.u8(0..8));
        if self.disk.flip(name, at, bit) {
            self.scene.ledger.flips += 1;
        }
    }

    /// One of the connections that the hub has now.
    fn pick(&self, pick: usize) -> Option<usize> {
        let sessions = &self.process.as_ref()?.sessions;
        sessions.keys().nth(pick % sessions.len().max(1)).copied()
    }

    /// Faults end, and nobody says anything new.
    fn make_peace(&mut self) {
        let time = self.scene.agenda.time;
        self.scene.ledger.note(time, "peace");
        (self.scene.is_peace, self.scene.peace_since) = (true, Some(time));
        (self.sick_until, self.full_until, self.scene.slow_until, self.again) = (0, 0, 0, 0);
        self.disk.fail(Faults::default());
        for carrier in 0..self.carriers.len() {
            self.carriers[carrier].turn(Mood::Usual, time, &mut self.scene);
        }
        for customer in &mut self.customers {
            customer.calm_down(&mut self.scene);
        }
        self.scene.agenda.after(MS, Happening::Start);
    }

    fn report(mut self) -> Report {
        self.scene.ledger.sort_receipts();
        if let Some(number) = std::env::var("SIMULATE_STORY").ok().and_then(|number| number.parse().ok()) {
            println!("{}\n{}", self.scene.ledger.trouble(), self.scene.ledger.story(number));
        }
        let doubles = judge::judge(&self);
        let (wrong, doubles) = (doubles.wrong, doubles.doubles);
        Report {
            seed: self.seed,
            simulated: self.scene.agenda.time,
            messages: self.scene.ledger.messages.len(),
            doubles,
            deaths: self.scene.ledger.deaths.len(),
            trace: self.scene.agenda.trace,
            happened: self.scene.agenda.happened,
            wrong,
            trouble: self.scene.ledger.trouble() + &format!("\nended at {}", seconds(self.scene.agenda.time)),
        }
    }
}

/// More than a run needs.
const HAPPENINGS_MAX: u64 = 5_000_000;
