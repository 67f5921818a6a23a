//! What a reload costs those who are served meanwhile: a hub process with a long list of prefixes, traffic at a steady rate, and the
//! longest that its customer had to wait between two answers and between two receipts; beside it the same without a reload.
//!
//! ```text
//! cargo bench --bench reload -- [--prefixes 1000000] [--rate 5000] [--reloads 5] [--seconds 4] [--store FOLDER]
//! ```
//!
//! With `--store` on a file system in memory the disk's own stalls stay out of it.

#[path = "../tests/support/mod.rs"]
mod support;

use clap::Parser;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::wire::{BIND_TRANSCEIVER, DELIVER_SM, Message, Pdu, RESP, SUBMIT_SM};
use support::{Hub, Setup, http_ask};

/// The longest pause of traffic over reloads of a long list of prefixes.
#[derive(Clone, Debug, Parser)]
#[command(name = "reload")]
struct Cli {
    /// Prefixes of the list, of 5 to 9 digits.
    #[arg(long, default_value_t = 1_000_000)]
    prefixes: usize,
    /// Submissions a second.
    #[arg(long, default_value_t = 5_000)]
    rate: u32,
    #[arg(long, default_value_t = 5)]
    reloads: usize,
    /// Seconds of traffic for each, and as many without a reload before each.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Where the spool goes; a folder of its own is made there.
    #[arg(long)]
    store: Option<PathBuf>,
    /// What cargo bench adds to every bench's command line.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let cli = Cli::parse();
    if !cli.bench {
        // `cargo test --benches` and the like only want to know that it builds.
        println!("run me with cargo bench --bench reload");
        return;
    }
    let setup = Setup { window: 2_000, link_window: 2_000, ..Setup::new("reload") };
    let own = cli.store.as_ref().map(|folder| Store(folder.join(format!("enroute-{}", std::process::id()))));
    let spool = own.as_ref().map_or_else(|| setup.dir.file("spool"), |store| store.0.display().to_string());
    let list = setup.dir.path().join("list.csv");
    std::fs::write(&list, prefix_list(cli.prefixes)).expect("the bench's folder is writable");
    let rule = format!(
        "[[route.rule]]\nname = \"list\"\ntarget = \"sim\"\nprefix_file = \"{}\"\n[route]\ndefault",
        list.display()
    );
    let text = setup.config_text().replace("[route]\ndefault", &rule);
    let text = text.replace(&setup.dir.file("spool"), &spool);
    let _smsc = setup.start_smsc("");
    let hub = Hub::start(setup.dir.path(), &text);
    hub.process.until("all links to be up", support::START_LIMIT, || {
        hub.metric("enroute_carrier_links") == Some(f64::from(setup.links))
    });
    let customer = Customer::bind(setup.smpp, cli.rate);
    std::thread::sleep(Duration::from_secs(2)); // until its files and tables are warm

    let span = Duration::from_secs(cli.seconds);
    let (mut still, mut busy, mut took) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..cli.reloads {
        still.push(customer.gaps(|| std::thread::sleep(span)));
        busy.push(customer.gaps(|| {
            let began = clock();
            let (status, answer) = http_ask(hub.door(), "", "POST /admin/reload", "");
            assert_eq!(status, 200, "{answer}");
            took.push(began.elapsed());
            std::thread::sleep(span.saturating_sub(began.elapsed()));
        }));
    }
    print("reload, until it is answered", took.iter().copied());
    for (name, of) in [("answers", 0), ("receipts", 1)] {
        print(&format!("longest gap between {name}, without a reload"), still.iter().map(|gaps| gaps[of]));
        print(&format!("longest gap between {name}, with one"), busy.iter().map(|gaps| gaps[of]));
    }
    drop(customer);
    assert_eq!(hub.terminate(), Some(0));
}

/// Median and worst, in milliseconds.
fn print(name: &str, of: impl Iterator<Item = Duration>) {
    let mut all: Vec<f64> = of.map(|span| span.as_secs_f64() * 1e3).collect();
    all.sort_by(f64::total_cmp);
    let worst = all.last().copied().unwrap_or_default();
    println!("{name:<48} median {:>8.2} ms, worst {worst:>8.2} ms of {}", all[all.len() / 2], all.len());
}

/// Different prefixes of 5 to 9 digits, all for the rule's own target.
fn prefix_list(count: usize) -> String {
    let mut random = fastrand::Rng::with_seed(7);
    let mut known = BTreeSet::new();
    while known.len() < count {
        let length = random.u32(5..=9);
        known.insert(random.u32(10u32.pow(length - 1)..10u32.pow(length)).to_string());
    }
    known.into_iter().fold(String::from("prefix;target\n"), |mut text, prefix| {
        let _ = writeln!(text, "{prefix};"); // into a string
        text
    })
}

/// A folder that goes when this goes.
struct Store(PathBuf);

impl Drop for Store {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// One session that submits at a steady rate, and notes how far answers and receipts are from each other.
struct Customer {
    stream: TcpStream,
    heard: Arc<Mutex<Heard>>,
    has_left: Arc<AtomicBool>,
}

/// When the last answer and the last receipt came, and the longest gap before one of each.
struct Heard {
    last: [Instant; 2],
    gaps: [Duration; 2],
}

impl Heard {
    fn note(&mut self, kind: usize) {
        let now = clock();
        self.gaps[kind] = self.gaps[kind].max(now - self.last[kind]);
        self.last[kind] = now;
    }
}

impl Customer {
    fn bind(port: u16, rate: u32) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the hub listens");
        stream.set_nodelay(true).expect("the socket is open");
        let mut body = b"demo\0demo\0\0".to_vec();
        body.extend([0x34, 0, 0, 0]);
        Pdu::request(BIND_TRANSCEIVER, 1, body).write(&stream).expect("the hub reads");
        assert_eq!(Pdu::read(&mut stream).expect("an answer").status, 0, "it may bind");
        let heard = Arc::new(Mutex::new(Heard { last: [clock(); 2], gaps: [Duration::ZERO; 2] }));
        let has_left = Arc::new(AtomicBool::new(false));
        let again = || stream.try_clone().expect("the socket is open");
        let (reads, writes) = (again(), again());
        let (noted, left) = (Arc::clone(&heard), Arc::clone(&has_left));
        std::thread::spawn(move || listen(&reads, &noted));
        std::thread::spawn(move || submit(&writes, rate, &left));
        Self { stream, heard, has_left }
    }

    /// The longest gaps between answers and between receipts while something is done.
    fn gaps(&self, during: impl FnOnce()) -> [Duration; 2] {
        let start = clock();
        *self.heard.lock().expect("nobody panics") = Heard { last: [start; 2], gaps: [Duration::ZERO; 2] };
        during();
        self.heard.lock().expect("nobody panics").gaps
    }
}

impl Drop for Customer {
    fn drop(&mut self) {
        self.has_left.store(true, Ordering::Relaxed);
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

/// Hears answers and receipts until the session ends.
fn listen(stream: &TcpStream, heard: &Mutex<Heard>) {
    let mut buffered = std::io::BufReader::new(stream);
    while let Ok(pdu) = Pdu::read(&mut buffered) {
        match pdu.command {
            DELIVER_SM => {
                heard.lock().expect("nobody panics").note(1);
                if pdu.response(0, vec![0]).write(stream).is_err() {
                    return;
                }
            }
            command if command == SUBMIT_SM | RESP => {
                assert_eq!(pdu.status, 0, "each is accepted");
                heard.lock().expect("nobody panics").note(0);
            }
            _ => {} // an enquire_link need not be answered for so short a while
        }
    }
}

/// Submits so many a second, a few each millisecond, until told to leave.
fn submit(stream: &TcpStream, rate: u32, has_left: &AtomicBool) {
    let began = clock();
    let message = Message { receipt: 1, ..Message::new("1000", "447700900123", "a") };
    let body = message.body();
    let mut sequence = 1;
    while !has_left.load(Ordering::Relaxed) {
        let due = (began.elapsed().as_secs_f64() * f64::from(rate)) as u32;
        while sequence <= due {
            sequence += 1;
            if Pdu::request(SUBMIT_SM, sequence, body.clone()).write(stream).is_err() {
                return;
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[allow(clippy::disallowed_methods)] // how long something takes is what is measured
fn clock() -> Instant {
    Instant::now()
}
