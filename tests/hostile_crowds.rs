//! Many at once over real sockets: everybody comes back at one moment, everybody leaves in the middle of a word, and a carrier
//! that still thinks that we are there.

#[path = "support/attacker.rs"]
mod attacker;
mod support;

use attacker::*;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};
use support::{Hub, Setup, alone};

const LIMIT: Duration = Duration::from_secs(60);

#[allow(clippy::disallowed_methods)] // how long the hub waits is what is asked for
fn now() -> Instant {
    Instant::now()
}

fn carrier_sessions(hub: &Hub) -> Option<f64> {
    hub.metric("enroute_sessions{peer=\"sim\",side=\"carrier\"}")
}

/// S13: ALYBND three times, then a bind that is taken.
#[test]
fn carrier_that_still_holds_our_last_session_is_bound_to_in_the_end() {
    const ALREADY_BOUND: u32 = 5;
    let _turn = alone();
    let mut setup = Setup::new("already-bound");
    setup.links = 1;
    let listener = TcpListener::bind(("127.0.0.1", setup.carrier)).expect("a free port");
    let carrier = std::thread::spawn(move || {
        for turn in 0..4 {
            let (mut stream, _) = listener.accept().expect("the hub connects");
            let mut header = [0; 16];
            stream.read_exact(&mut header).expect("a bind");
            let [length, command] =
                [0, 4].map(|at| u32::from_be_bytes(header[at..at + 4].try_into().expect("four octets")));
            stream.read_exact(&mut vec![0; length as usize - 16]).expect("a whole bind");
            let sequence = u32::from_be_bytes(header[12..].try_into().expect("four octets"));
            let answer = match turn {
                3 => raw(21, command | RESP, 0, sequence, b"smsc\0"),
                _ => raw(16, command | RESP, ALREADY_BOUND, sequence, b""),
            };
            stream.write_all(&answer).expect("the hub reads");
            if turn == 3 {
                return stream;
            }
        }
        unreachable!("the fourth turn returns");
    });

    let hub = Hub::start(setup.dir.path(), &setup.config_text());

    let link = carrier.join().expect("four binds");
    hub.process.until("the link is bound", LIMIT, || carrier_sessions(&hub) == Some(1.0));
    drop(link);
    assert_eq!(hub.terminate(), Some(0));
}

/// Reliability X20: a carrier that lets us in and hangs up at once is come back to more and more slowly; the hub stands meanwhile.
#[test]
fn carrier_that_hangs_up_on_each_bind_is_not_hammered() {
    const TURNS: u32 = 20;
    let _turn = alone();
    let mut setup = Setup::new("hang-up");
    setup.links = 1;
    let listener = TcpListener::bind(("127.0.0.1", setup.carrier)).expect("a free port");
    let carrier = std::thread::spawn(move || {
        let mut began = None;
        for _ in 0..TURNS {
            let (mut stream, _) = listener.accept().expect("the hub connects");
            let began = began.get_or_insert_with(now);
            let mut bind = [0; 1024];
            let octets = stream.read(&mut bind).expect("a bind");
            assert!(octets > 16, "a whole bind");
            stream.write_all(&raw(21, BIND_TRANSCEIVER | RESP, 0, 1, b"smsc\0")).expect("the hub reads");
            drop(stream);
            if now() - *began > LIMIT {
                break;
            }
        }
        began.map(|began| now() - began).expect("it came")
    });

    let hub = Hub::start(setup.dir.path(), &setup.config_text());
    let took = carrier.join().expect("twenty binds");

    // Waits from 20 ms to 200 ms: were each of them as after the first failure, it would be 800 ms at most.
    assert!(took > Duration::from_millis(1200), "{took:?} for twenty binds");
    assert_eq!(hub.terminate(), Some(0));
}

/// S15: a carrier that takes the connection and never says a word is given up in bounded time, again and again, while
/// another carries on.
#[test]
fn carrier_that_never_says_a_word_is_given_up_and_holds_no_other_up() {
    let _turn = alone();
    let setup = Setup::new("black-hole");
    let hole = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = hole.local_addr().expect("it is bound");
    let smsc = setup.start_smsc("");
    let other = format!(
        "[[carrier]]\nname = \"hole\"\naddress = \"{address}\"\nsystem_id = \"enroute\"\npassword = \"enroute\"\n\
         links = 1\nwindow = 10\nreconnect_min_ms = 20\nreconnect_max_ms = 200\n[route]\n"
    );
    let hub = Hub::start(setup.dir.path(), &setup.config_text().replace("[route]\n", &other));

    let (first, _) = hole.accept().expect("the hub connects");
    let mut peer = Peer::bound(setup.smpp, BIND_TRANSCEIVER);
    peer.send(&Submit { receipt: 1, ..Submit::default() }.pdu(2));
    peer.expect("a submit", SUBMIT_SM | RESP, 0, 2);
    assert_eq!(peer.read("its receipt").command, DELIVER_SM, "the other carrier has it");
    let (second, _) = hole.accept().expect("the hub gives up and tries again");

    drop((first, second, peer));
    assert_eq!(hub.terminate(), Some(0));
    smsc.stop();
}

/// S17: all of an account's sessions at once, again and again: all are bound, and nothing grows by it.
#[test]
fn everybody_who_comes_back_at_once_is_bound() {
    const CROWD: usize = 300;
    let _turn = alone();
    let mut setup = Setup::new("crowd");
    setup.binds = CROWD as u32;
    let hub = Hub::start(setup.dir.path(), &setup.config_text());
    let series = "enroute_sessions{peer=\"demo\",side=\"esme\"}";
    let mut before = 0;

    for round in 0..6 {
        let mut crowd: Vec<Peer> = (0..CROWD).map(|_| Peer::connect(setup.smpp)).collect();
        crowd.iter_mut().for_each(|peer| peer.send(&good_bind(BIND_TRANSCEIVER)));
        for peer in &mut crowd {
            peer.expect("one of the crowd", BIND_TRANSCEIVER | RESP, 0, 1);
        }
        hub.process.until("all are bound", LIMIT, || hub.metric(series) == Some(CROWD as f64));
        drop(crowd);
        hub.process.until("all are gone", LIMIT, || hub.metric(series) == Some(0.0));
        if round == 0 {
            before = hub.process.rss_kib();
        }
    }

    let growth = hub.process.rss_kib().saturating_sub(before);
    assert!(growth < 8 << 10, "{growth} KiB for those who are gone");
    assert_eq!(hub.terminate(), Some(0));
}

/// S20: sessions end while receipts are written to them, and the carrier goes and comes meanwhile; nobody waits for anybody who
/// is gone.
#[test]
fn sessions_that_end_in_the_middle_of_everything_hold_nobody_up() {
    let _turn = alone();
    let setup = Setup::new("hold-up");
    let mut smsc = setup.start_smsc("");
    let hub = Hub::start(setup.dir.path(), &setup.config_text());
    hub.process
        .until("the carrier is bound", LIMIT, || carrier_sessions(&hub).is_some_and(|links| links > 0.0));
    let submit = Submit { receipt: 1, ..Submit::default() };
    let flood: Vec<u8> = (2..90).flat_map(|sequence| submit.pdu(sequence)).collect();

    for round in 0..40 {
        let mut crowd: Vec<Peer> = (0..8).map(|_| Peer::bound(setup.smpp, BIND_TRANSCEIVER)).collect();
        crowd.iter_mut().for_each(|peer| peer.send(&flood));
        for peer in &mut crowd[..round % 8] {
            peer.read("the first word"); // some hear a little before they go
        }
        drop(crowd);
        if round % 10 == 9 {
            smsc.stop();
            smsc = setup.start_smsc("");
        }
        let mut honest = Peer::bound(setup.smpp, BIND_TRANSMITTER);
        honest.expect_alive("somebody else", &Submit::default().pdu(2), SUBMIT_SM | RESP, 0, 2);
    }

    hub.process
        .until("the carrier is bound", LIMIT, || carrier_sessions(&hub).is_some_and(|links| links > 0.0));
    assert_eq!(hub.terminate(), Some(0));
    smsc.stop();
}
