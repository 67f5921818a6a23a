//! Bad input over real sockets: what each does to its own session, and that nobody else feels it.
//!
//! Sections F and S of the field bugs, as far as they concern binds, unbind, enquire_link, generic_nack, submit_sm
//! and deliver_sm_resp; the answers are those of the fact sheet, sections 4.2, 10 and 11.

#[path = "support/attacker.rs"]
mod attacker;
mod support;

use attacker::*;
use std::time::Duration;
use support::alone;

/// F1, F2: how a stream is cut into writes says nothing about its PDUs.
#[test]
fn pdus_come_split_and_glued() {
    let _turn = alone();
    let scene = Scene::new();
    let long = Submit { tail: tlv(0x0424, &[b'x'; 65_535]), length: Some(0), text: b"", ..Submit::default() };
    let stream = [good_bind(BIND_TRANSCEIVER), Submit::default().pdu(2), Submit::default().pdu(3)].concat();

    let mut glued = Peer::connect(scene.port);
    glued.send(&stream);
    let mut dripped = Peer::connect(scene.port);
    stream.iter().for_each(|octet| dripped.send(&[*octet]));
    let mut halved = Peer::connect(scene.port);
    let cut = stream.len() / 2;
    halved.send(&stream[..2]); // inside of the length
    halved.send(&stream[2..cut]);
    halved.send(&stream[cut..]);

    for (what, peer) in [("glued", &mut glued), ("dripped", &mut dripped), ("halved", &mut halved)] {
        peer.expect(what, BIND_TRANSCEIVER | RESP, 0, 1);
        peer.expect(what, SUBMIT_SM | RESP, 0, 2);
        peer.expect(what, SUBMIT_SM | RESP, 0, 3);
        peer.lives(what);
        // F6: a text of 64 KiB is legal.
        peer.expect_alive("64 KiB", &long.pdu(4), SUBMIT_SM | RESP, 0, 4);
    }
    scene.end(&[(&closed("unbound"), 1)]);
}

/// F3, F4, F5: an impossible length is answered as soon as it is known, and ends the session.
#[test]
fn impossible_lengths_end_the_session() {
    let _turn = alone();
    let scene = Scene::new();
    let connections = |bound: bool| match bound {
        true => Peer::bound(scene.port, BIND_TRANSCEIVER),
        false => Peer::connect(scene.port),
    };
    let mut ended = 0;

    for bound in [false, true] {
        for length in 0..16u32 {
            let mut peer = connections(bound);
            peer.send(&length.to_be_bytes());
            peer.expect("too short", GENERIC_NACK, 2, 0);
            peer.is_hung_up_on("too short");
            ended += 1;
        }
        let limit = if bound { 73_728 } else { 1024 };
        for length in [limit + 1, 0x7FFF_FFFF, 0x8000_0000, 0x8000_0010, u32::MAX] {
            let mut peer = connections(bound);
            peer.send(&raw(length, SUBMIT_SM, 0, 77, b"and some more"));
            peer.expect("too long", GENERIC_NACK, 2, 77);
            peer.is_hung_up_on("too long");
            ended += 1;
        }
        let mut peer = connections(bound);
        let longest = pdu(ENQUIRE_LINK, 5, &vec![0; limit as usize - 16]);
        peer.expect_alive("the longest", &longest, ENQUIRE_LINK | RESP, 0, 5);
    }

    scene.end(&[(&errors("generic_nack"), ended), (&closed("framing"), ended)]);
}

/// F5: a huge PDU that is begun and not finished holds a connection for as long as a bind may take, and no longer.
#[test]
fn dripping_before_the_bind_ends_with_the_init_timer() {
    let _turn = alone();
    let scene = Scene::new();
    let huge = raw(0x7FFF_FFFF, BIND_TRANSCEIVER, 0, 1, b"");
    let starts = [&huge[..15], &huge[..3], b"", b"\r\n\r\n", &good_bind(BIND_RECEIVER)[..20]];

    let mut peers: Vec<Peer> = starts.iter().map(|_| Peer::connect(scene.port)).collect();
    for (peer, start) in peers.iter_mut().zip(starts) {
        start.iter().for_each(|octet| peer.send(&[*octet]));
    }

    peers.iter_mut().for_each(|peer| peer.is_hung_up_on("no bind"));
    scene.end(&[(&closed("no_bind"), starts.len() as u64)]);
}

/// F7: browsers, TLS clients and scanners find the port.
#[test]
fn other_protocols_are_hung_up_on_without_a_word() {
    let _turn = alone();
    let scene = Scene::new();
    let openings: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /sms HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03rest of a TLS hello",
    ];

    for opening in openings {
        let mut peer = Peer::connect(scene.port);
        peer.send(opening);
        peer.is_hung_up_on("another protocol");
        drop(Peer::connect(scene.port)); // a port scan
    }
    let mut unknown = Peer::connect(scene.port);
    unknown.send(b"\r\n\r\n0123456789ab");
    unknown.expect("what nobody knows", GENERIC_NACK, 2, u32::from_be_bytes(*b"89ab"));
    unknown.is_hung_up_on("what nobody knows");

    scene.end(&[(&closed("foreign_protocol"), 5), (&closed("peer_gone"), 5), (&closed("framing"), 1)]);
}

/// S11: what may not be before the bind, and enquire_link, which may.
#[test]
fn requests_before_the_bind_are_refused_and_the_third_ends_it() {
    let _turn = alone();
    let scene = Scene::new();
    let mut peer = Peer::connect(scene.port);

    peer.lives("before the bind");
    peer.send(&pdu(SUBMIT_SM | RESP, 8, b"")); // a response is no request
    peer.expect_alive("submit_sm", &Submit::default().pdu(2), SUBMIT_SM | RESP, 4, 2);
    peer.expect_alive("deliver_sm", &pdu(DELIVER_SM, 3, b""), DELIVER_SM | RESP, 4, 3);
    peer.send(&pdu(UNBIND, 4, b""));
    peer.expect("unbind", UNBIND | RESP, 4, 4);
    peer.is_hung_up_on("the third");
    let mut late = Peer::connect(scene.port);
    late.expect_alive("submit_sm", &Submit::default().pdu(2), SUBMIT_SM | RESP, 4, 2);
    late.expect_alive("a bind after all", &good_bind(BIND_RECEIVER), BIND_RECEIVER | RESP, 0, 1);

    scene.end(&[(&errors("out_of_place"), 4), (&errors("unmatched_response"), 1), (&closed("unruly"), 1)]);
}

/// S11: what may not be after the bind.
#[test]
fn misplaced_requests_are_refused_and_the_session_lives() {
    let _turn = alone();
    let scene = Scene::new();
    let submit = Submit::default().pdu(9);

    for kind in [BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER] {
        let mut peer = Peer::bound(scene.port, kind);
        for again in [BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER] {
            peer.expect_alive("a second bind", &good_bind(again), again | RESP, 5, 1);
        }
        peer.expect_alive("deliver_sm", &pdu(DELIVER_SM, 3, b""), DELIVER_SM | RESP, 4, 3);
        let status = if kind == BIND_RECEIVER { 4 } else { 0 };
        peer.expect_alive("submit_sm", &submit, SUBMIT_SM | RESP, status, 9);
        // F15: neither has a response, even where it may not be.
        peer.send(&[pdu(0x0B, 4, b"a\0b\0"), pdu(0x102, 5, b"")].concat());
        peer.lives("outbind and alert_notification");
    }

    scene.end(&[(&errors("out_of_place"), 3 * 6 + 1)]);
}

/// F15: unknown requests are named as such; ten a minute are borne. Unknown responses are nothing.
#[test]
fn unknown_commands_are_nacked_with_their_number() {
    let _turn = alone();
    let scene = Scene::new();
    let mut peer = Peer::bound(scene.port, BIND_TRANSCEIVER);
    let unknown =
        [0, 0x0A, 0x22, 0x23, 0x24, 0xFF, 0x104, 0x0001_0200, 0x0100_0001, 0x7FFF_FFFF].into_iter().zip(20..);
    let responses = [
        GENERIC_NACK,
        SUBMIT_SM | RESP,
        DELIVER_SM | RESP,
        ENQUIRE_LINK | RESP,
        UNBIND | RESP,
        BIND_TRANSCEIVER | RESP,
        0x8000_000B,
        0x8000_0102,
        0x8000_0099,
        u32::MAX,
    ];

    for command in responses {
        for sequence in [0, 1, 2, u32::MAX] {
            peer.send(&pdu(command, sequence, b"\0"));
        }
        peer.lives("a response to nothing");
    }
    for (command, sequence) in unknown {
        let octets = pdu(command, sequence, b"whatever");
        peer.expect_alive("an unknown command", &octets, GENERIC_NACK, 3, sequence);
    }
    peer.send(&pdu(0x0A, 99, b""));
    peer.expect("one unknown too many", GENERIC_NACK, 3, 99);
    peer.is_hung_up_on("one unknown too many");

    scene.end(&[
        (&errors("generic_nack"), 11),
        (&errors("unmatched_response"), 4 * responses.len() as u64),
        (&closed("unruly"), 1),
    ]);
}

/// S5, S6: numbers are the peer's business; each request is answered, whatever its number and its command_status.
#[test]
fn numbers_are_echoed_and_reused_ones_answered_twice() {
    let _turn = alone();
    let scene = Scene::new();
    let mut peer = Peer::bound(scene.port, BIND_TRANSMITTER);
    let body = Submit::default().body();

    for sequence in [0, 1, 0x7FFF_FFFF, 0x8000_0000, u32::MAX, 7, 7] {
        let octets = raw(16 + body.len() as u32, SUBMIT_SM, 0x412, sequence, &body);
        peer.expect_alive("a number", &octets, SUBMIT_SM | RESP, 0, sequence);
        peer.expect_alive("a number", &pdu(ENQUIRE_LINK, sequence, b""), ENQUIRE_LINK | RESP, 0, sequence);
    }
    peer.send(&Submit::default().pdu(7).repeat(3));
    let ids: Vec<_> = (0..3).map(|_| peer.expect("reused", SUBMIT_SM | RESP, 0, 7)).collect();
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2], "three messages, three ids: {ids:?}");
    peer.lives("reused");

    scene.end(&[(&closed("unbound"), 1)]);
}

/// S12: what was asked before the unbind is answered before it, and what comes after it is not taken.
#[test]
fn unbind_answers_what_is_in_flight_first() {
    let _turn = alone();
    let scene = Scene::new();
    let mut peer = Peer::bound(scene.port, BIND_TRANSCEIVER);
    let submit = Submit::default();

    peer.send(&[submit.pdu(2), submit.pdu(3), pdu(UNBIND, 4, b""), submit.pdu(5)].concat());

    peer.expect("behind the unbind", SUBMIT_SM | RESP, 4, 5);
    peer.expect("before the unbind", SUBMIT_SM | RESP, 0, 2);
    peer.expect("before the unbind", SUBMIT_SM | RESP, 0, 3);
    peer.expect("the unbind", UNBIND | RESP, 0, 4);
    peer.is_hung_up_on("the unbind");
    let mut again = Peer::bound(scene.port, BIND_RECEIVER);
    again.send(&[pdu(UNBIND, 2, b""), good_bind(BIND_RECEIVER)].concat());
    again.expect("the unbind", UNBIND | RESP, 0, 2);
    again.is_hung_up_on("a bind after the unbind");
    scene.end(&[(&closed("unbound"), 3), (&errors("out_of_place"), 1)]);
}

/// F10, R16: binds that can't be read or believed end the connection with the field's status.
#[test]
fn bad_binds_are_refused_and_hung_up_on() {
    let _turn = alone();
    let scene = Scene::new();
    let nobody = bind_body("demo", "wrong", "");
    let cases: Vec<(&str, Vec<u8>, u32)> = vec![
        ("system_id of 16", bind_body(&"a".repeat(16), "demo", ""), 0x0F),
        ("password of 9", bind_body("demo", &"b".repeat(9), ""), 0x0E),
        ("system_type of 13", bind_body("demo", "demo", &"c".repeat(13)), 0x53),
        ("no body", Vec::new(), 0x02),
        ("no NUL", b"demo".to_vec(), 0x02),
        ("no system_type", b"demo\0demo\0".to_vec(), 0x02),
        ("address_range of 41", [&b"demo\0demo\0\0\x34\0\0"[..], &[b'1'; 41], b"\0"].concat(), 0x02),
        ("wrong password", nobody.clone(), 0x0D),
        ("no password", bind_body("demo", "", ""), 0x0D),
        ("unknown system_id", bind_body("omed", "demo", ""), 0x0D),
        ("empty system_id", bind_body("", "", ""), 0x0D),
    ];

    let mut peers: Vec<Peer> = cases.iter().map(|_| Peer::connect(scene.port)).collect();
    for (peer, (_, body, _)) in peers.iter_mut().zip(&cases) {
        peer.send(&pdu(BIND_TRANSCEIVER, 1, body));
    }
    // What follows a refused bind is never read.
    peers[7].send(&[good_bind(BIND_TRANSCEIVER), Submit::default().pdu(2)].concat());

    // R16: guessing is slow.
    peers[7].hears_nothing_for("wrong password", Duration::from_millis(500));

    for (peer, (what, _, status)) in peers.iter_mut().zip(&cases) {
        let body = peer.expect(what, BIND_TRANSCEIVER | RESP, *status, 1);
        assert!(body.is_empty(), "{what}: a refusal is its header alone");
        peer.is_hung_up_on(what);
    }
    scene.end(&[("enroute_binds_refused_total", cases.len() as u64), (&closed("bind_failed"), 11)]);
}

/// S2, S6, F12: answers to deliver_sm, right and wrong; each receipt is settled by the first that fits.
#[test]
fn strange_answers_to_a_delivery_settle_it_or_are_nothing() {
    let _turn = alone();
    let scene = Scene::new();
    let mut peer = Peer::bound(scene.port, BIND_TRANSCEIVER);
    let submit = Submit { receipt: 1, ..Submit::default() };
    let good = |sequence| pdu(DELIVER_SM | RESP, sequence, b"\0");
    type Reply<'a> = &'a dyn Fn(u32) -> Vec<u8>;
    let replies: [(&str, Reply<'_>); 8] = [
        ("no body", &|n| pdu(DELIVER_SM | RESP, n, b"")),
        ("no NUL", &|n| pdu(DELIVER_SM | RESP, n, &[b'x'; 500])),
        ("half a parameter", &|n| pdu(DELIVER_SM | RESP, n, b"\0\x04\x24\xFF\xFFab")),
        ("twice", &|n| good(n).repeat(2)),
        ("a stranger first", &|n| [good(n + 1000), good(n)].concat()),
        ("of another type first", &|n| [pdu(SUBMIT_SM | RESP, n, b"1\0"), good(n)].concat()),
        ("a nack of nothing first", &|n| [pdu(GENERIC_NACK, 0, b""), good(n)].concat()),
        ("a vendor's refusal", &|n| raw(20, DELIVER_SM | RESP, 0x412, n, b"abcd")),
    ];

    for (number, (what, reply)) in (1..).zip(replies) {
        peer.send(&submit.pdu(number)); // S2: the hub's own numbers are the same
        peer.expect(what, SUBMIT_SM | RESP, 0, number);
        let delivery = peer.read(what);
        assert_eq!((delivery.command, delivery.sequence), (DELIVER_SM, number), "{what}");
        peer.send(&reply(delivery.sequence));
        peer.lives(what);
    }

    scene.end(&[
        (&receipts("delivered"), 7),
        (&receipts("refused"), 1),
        (&errors("unmatched_response"), 4),
        ("enroute_messages{place=\"receipt_waiting\"}", 0),
    ]);
}
