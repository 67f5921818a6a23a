//! Too much input over real sockets: floods, peers that never read, and connections that come and go.

#[path = "support/attacker.rs"]
mod attacker;
mod support;

use attacker::*;
use std::time::Duration;
use support::alone;

/// S1, S7: fifty windows at once; the hub reads as it answers, and answers each once.
#[test]
fn flood_of_submits_is_answered_to_the_last() {
    const COUNT: u32 = 5000;
    let _turn = alone();
    let scene = Scene::new();
    let mut peer = Peer::bound(scene.port, BIND_TRANSMITTER);
    let mut writer = peer.twin();
    let flood: Vec<u8> = (2..2 + COUNT).flat_map(|sequence| Submit::default().pdu(sequence)).collect();

    let writing = std::thread::spawn(move || writer.send(&flood));
    let mut answered: Vec<u32> = (0..COUNT)
        .map(|_| {
            let answer = peer.read("one of the flood");
            assert_eq!((answer.command, answer.status), (SUBMIT_SM | RESP, 0));
            answer.sequence
        })
        .collect();

    assert!(writing.join().is_ok());
    answered.sort_unstable();
    assert!(answered.into_iter().eq(2..2 + COUNT), "each once");
    peer.lives("after the flood");
    drop(peer);
    scene.end(&[("enroute_sessions{peer=\"demo\",side=\"esme\"}", 0)]);
}

/// S9: who doesn't read what he is told is not read from either; nothing is dropped for it.
#[test]
fn peer_that_never_reads_is_held_back() {
    const MOST: usize = 256 << 20;
    let _turn = alone();
    let scene = Scene::new();
    let mut peer = Peer::bound(scene.port, BIND_RECEIVER);
    let enquire = pdu(ENQUIRE_LINK, 3, b"");

    let taken = peer.stuff(&enquire.repeat(4096), MOST);

    assert!(taken < MOST, "the hub took {taken} octets from a peer that reads nothing");
    scene.buffers_hold(1 << 20); // reliability X24
    for _ in 0..taken / enquire.len() {
        peer.expect("a slow reader", ENQUIRE_LINK | RESP, 0, 3);
    }
    if !taken.is_multiple_of(enquire.len()) {
        peer.send(&enquire[taken % enquire.len()..]);
        peer.expect("the half PDU", ENQUIRE_LINK | RESP, 0, 3);
    }
    peer.lives("a slow reader");
    drop(peer);
    scene.end(&[(&closed("peer_gone"), 1)]);
}

/// S12, S14: connections end at any point, over and over.
#[test]
fn thousands_of_connections_leave_nothing_behind() {
    const ROUNDS: usize = 500;
    let _turn = alone();
    let scene = Scene::new();
    let bind = good_bind(BIND_TRANSCEIVER);
    let submit = Submit::default().pdu(2);

    for _ in 0..ROUNDS {
        drop(Peer::connect(scene.port));
        Peer::connect(scene.port).send(&bind[..20]);
        Peer::connect(scene.port).send(&pdu(ENQUIRE_LINK, 1, b""));
        let mut polite = Peer::bound(scene.port, BIND_TRANSCEIVER);
        polite.send(&[&submit[..], &pdu(UNBIND, 3, b"")].concat());
        polite.expect("a submit", SUBMIT_SM | RESP, 0, 2);
        polite.expect("an unbind", UNBIND | RESP, 0, 3);
        polite.is_hung_up_on("an unbind");
    }

    let rounds = ROUNDS as u64;
    scene.end(&[
        (&closed("peer_gone"), 3 * rounds),
        (&closed("unbound"), rounds + 1),
        ("enroute_sessions{peer=\"demo\",side=\"esme\"}", 0),
    ]);
}

/// S12: a session cut with submits in flight takes none of them along.
#[test]
fn connections_cut_with_submits_in_flight_give_their_places_back() {
    let _turn = alone();
    let scene = Scene::new();
    let submits: Vec<u8> = (2..102).flat_map(|sequence| Submit::default().pdu(sequence)).collect();

    for _ in 0..30 {
        let mut peer = Peer::bound(scene.port, BIND_TRANSCEIVER);
        peer.send(&submits);
        peer.send(&submits[..30]);
    }
    let mut after = Peer::bound(scene.port, BIND_TRANSCEIVER);
    after.expect_alive("afterwards", &Submit::default().pdu(2), SUBMIT_SM | RESP, 0, 2);

    drop(after);
    scene.end(&[(&closed("peer_gone"), 31), ("enroute_messages{place=\"waiting_for_disk\"}", 0)]);
}

/// Reliability X24: an account that never answers a receipt has its window of them; the others wait on disk, and nobody feels it.
#[test]
fn account_that_answers_no_receipt_holds_a_window_of_them() {
    const COUNT: u32 = 1000;
    let _turn = alone();
    let scene = Scene::new();
    let mut peer = Peer::bound(scene.port, BIND_TRANSCEIVER);
    let mut writer = peer.twin();
    let submit = Submit { receipt: 1, ..Submit::default() };
    let flood: Vec<u8> = (2..2 + COUNT).flat_map(|sequence| submit.pdu(sequence)).collect();

    let writing = std::thread::spawn(move || writer.send(&flood));
    let (mut answers, mut receipts) = (0, 0);
    while answers < COUNT {
        match peer.read("an answer or a receipt").command {
            DELIVER_SM => receipts += 1,
            _ => answers += 1,
        }
    }
    assert!(writing.join().is_ok());
    while receipts < 100 {
        assert_eq!(peer.read("the rest of its window").command, DELIVER_SM);
        receipts += 1;
    }
    peer.hears_nothing_for("its window is full", Duration::from_millis(300));
    scene.buffers_hold(1 << 20);

    drop(peer);
    scene.end(&[("enroute_messages{place=\"receipt_waiting\"}", u64::from(COUNT))]);
}
