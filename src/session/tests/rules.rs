//! Who may say what and when: fact sheet 10.1, 10.3, 10.5, 10.7 and the field bugs about it.

use super::*;

fn served() -> (Session, Now) {
    let now = start();
    (Session::serve(Settings::default(), now), now)
}

fn bound(kind: BindKind) -> (Session, Now) {
    let now = start();
    (mc(kind, Settings::default(), now), now)
}

fn nack(status: Status, sequence: u32) -> (Command, Status, u32) {
    (Command::GENERIC_NACK, status, sequence)
}

/// Field bug F15.
#[test]
fn unknown_request_is_nacked_and_the_eleventh_in_a_minute_closes() {
    let (mut session, now) = bound(BindKind::Transceiver);

    for sequence in 1..=10 {
        feed(&mut session, &request(Command(0x0000_0999), sequence), now);
        assert_eq!(written(&mut session), [nack(Status::RINVCMDID, sequence)]);
    }
    assert_eq!(session.closed(), None);
    feed(&mut session, &request(Command(0x0000_0999), 11), now.after(secs(59)));

    assert_eq!(session.closed(), Some(Reason::Unruly));
    assert_eq!(session.take_stats().nacks, 11);
}

#[test]
fn unknown_requests_that_are_spread_over_time_do_not_close() {
    let (mut session, now) = bound(BindKind::Transceiver);

    for round in 0..100 {
        feed(&mut session, &request(Command(0x0000_0999), round), now.after(secs(7 * u64::from(round))));
    }

    assert_eq!(session.closed(), None);
}

/// Field bug F15: jSMPP dropped the session on these.
#[test]
fn responses_to_nothing_are_counted_and_never_answered() {
    let (mut session, now) = bound(BindKind::Transceiver);
    let strays = [
        response(Command::DELIVER_SM, Status::ROK, 900),
        response(Command::ENQUIRE_LINK, Status::ROK, 900),
        response(Command(0x0000_0999), Status::ROK, 900),
        response(Command::UNBIND, Status::ROK, 900),
        pdu(Command::GENERIC_NACK, Status::RINVCMDID, 900, b""),
        pdu(Command::GENERIC_NACK, Status::RINVCMDID, 0, b""),
    ];

    assert_eq!(feed(&mut session, &strays.concat(), now), []);

    assert_eq!(written(&mut session), []);
    assert_eq!((session.take_stats().unmatched, session.closed()), (6, None));
}

#[test]
fn nack_with_a_known_number_fails_that_request_and_number_zero_none() {
    let now = start();
    let mut session = esme(Settings::default(), now);
    let number = session.request(Command::SUBMIT_SM, 7, now, |_| {}).expect("room");

    assert_eq!(feed(&mut session, &pdu(Command::GENERIC_NACK, Status::RINVCMDID, 0, b""), now), []);
    assert_eq!(session.open(), 1);
    let told = feed(&mut session, &pdu(Command::GENERIC_NACK, Status::ROK, number, b""), now);

    assert_eq!(told, [Told::Response { token: 7, status: Status::RUNKNOWNERR, late: false }]);
    assert_eq!(session.open(), 0);
}

#[test]
fn response_of_another_kind_does_not_complete_a_request() {
    let now = start();
    let mut session = esme(Settings::default(), now);
    let number = session.request(Command::SUBMIT_SM, 7, now, |_| {}).expect("room");

    assert_eq!(feed(&mut session, &response(Command::DATA_SM, Status::ROK, number), now), []);

    assert_eq!((session.open(), session.take_stats().unmatched), (1, 1));
}

/// Field bug S2: both sides number on their own.
#[test]
fn request_of_the_peer_with_the_number_of_ours_is_not_its_answer() {
    let now = start();
    let mut session = esme(Settings::default(), now);
    let number = session.request(Command::SUBMIT_SM, 7, now, |_| {}).expect("room");

    let told = feed(&mut session, &request(Command::DELIVER_SM, number), now);

    assert_eq!(told, [Told::Request(Command::DELIVER_SM, number)]);
    assert_eq!(session.open(), 1);
}

/// Field bug S11, fact sheet 10.1: refused with its own response, and the third one closes.
#[test]
fn third_request_before_the_bind_closes() {
    let (mut session, now) = served();

    for (sequence, command) in [(1, Command::SUBMIT_SM), (2, Command::QUERY_SM)] {
        assert_eq!(feed(&mut session, &request(command, sequence), now), []);
        assert_eq!(written(&mut session), [(command.response(), Status::RINVBNDSTS, sequence)]);
        assert_eq!(session.closed(), None);
    }
    feed(&mut session, &request(Command::UNBIND, 3), now);

    assert_eq!(written(&mut session), [(Command::UNBIND.response(), Status::RINVBNDSTS, 3)]);
    assert_eq!(session.closed(), Some(Reason::Unruly));
}

#[test]
fn what_has_no_response_is_never_answered() {
    let (mut session, now) = bound(BindKind::Transceiver);

    let strays = [request(Command::ALERT_NOTIFICATION, 4), request(Command::OUTBIND, 5)].concat();
    assert_eq!(feed(&mut session, &strays, now), []);

    assert_eq!((written(&mut session), session.closed()), (vec![], None));
}

/// Field bug S11.
#[test]
fn second_bind_is_refused_and_the_session_stays() {
    let (mut session, now) = bound(BindKind::Transmitter);

    assert_eq!(feed(&mut session, &bind_pdu(BindKind::Receiver, 0x34), now), []);
    assert_eq!(written(&mut session), [(Command::BIND_RECEIVER.response(), Status::RALYBND, 1)]);

    let told = feed(&mut session, &request(Command::SUBMIT_SM, 9), now);
    assert_eq!(told, [Told::Request(Command::SUBMIT_SM, 9)]);
}

/// Field bug S11.
#[test]
fn submit_on_a_receiver_and_delivery_to_us_are_refused_and_the_session_stays() {
    let (mut session, now) = bound(BindKind::Receiver);

    let strays = [request(Command::SUBMIT_SM, 2), request(Command::DELIVER_SM, 3)].concat();
    assert_eq!(feed(&mut session, &strays, now), []);

    assert_eq!(
        written(&mut session),
        [
            (Command::SUBMIT_SM.response(), Status::RINVBNDSTS, 2),
            (Command::DELIVER_SM.response(), Status::RINVBNDSTS, 3)
        ]
    );
    assert_eq!((session.bound(), session.take_stats().misplaced), (Some(BindKind::Receiver), 2));
}

/// Field bugs F1, F2: the first PDU comes with the bind.
#[test]
fn pdu_glued_to_the_bind_waits_for_the_verdict() {
    let (mut session, now) = served();
    let glued = [bind_pdu(BindKind::Transceiver, 0x34), request(Command::SUBMIT_SM, 2)].concat();
    let mut input = BytesMut::from(&glued[..]);

    let batch = session.take_frames(&mut input, now);
    assert_eq!(frames(&batch).count(), 1);
    for (_, frame) in frames(&batch) {
        assert!(matches!(session.handle(frame, now), Some(Event::BindRequested { .. })));
    }
    session.accept_bind(b"enroute", Version::V34, 10, 10, now);

    assert_eq!(take(&mut session, &mut input, now), [Told::Request(Command::SUBMIT_SM, 2)]);
}

/// Field bug F2.
#[test]
fn delivery_glued_to_the_bind_response_is_taken() {
    let now = start();
    let mut session = Session::connect(Settings::default(), now);
    session.bind(BindKind::Receiver, &bind_fields(0x34), now);
    let resp = bind_resp(BindKind::Receiver, Status::ROK, Some(0x34));

    let told = feed(&mut session, &[resp, request(Command::DELIVER_SM, 1)].concat(), now);

    assert_eq!(told, [Told::Bound(BindKind::Receiver, Version::V34), Told::Request(Command::DELIVER_SM, 1)]);
}

/// Field bug F1: split anywhere, the length field included.
#[test]
fn pdus_split_at_any_octet_are_all_taken() {
    let stream: Vec<u8> =
        (1..=3).flat_map(|sequence| pdu(Command::SUBMIT_SM, Status::ROK, sequence, &[7; 5])).collect();
    for split in 0..stream.len() {
        let (mut session, now) = bound(BindKind::Transmitter);
        let mut input = BytesMut::from(&stream[..split]);

        let mut told = take(&mut session, &mut input, now);
        input.extend_from_slice(&stream[split..]);
        told.extend(take(&mut session, &mut input, now));

        assert_eq!(told, [1, 2, 3].map(|sequence| Told::Request(Command::SUBMIT_SM, sequence)));
    }
}

/// Field bug F13: an error has no body.
#[test]
fn refused_bind_tells_its_status() {
    for (answer, status) in [
        (response(Command::BIND_TRANSCEIVER, Status::RINVPASWD, 1), Status::RINVPASWD),
        (pdu(Command::GENERIC_NACK, Status::RINVCMDID, 1, b""), Status::RINVCMDID),
    ] {
        let now = start();
        let mut session = Session::connect(Settings::default(), now);
        session.bind(BindKind::Transceiver, &bind_fields(0x34), now);

        assert_eq!(feed(&mut session, &answer, now), [Told::BindRefused(status)]);
        assert_eq!(session.closed(), Some(Reason::BindFailed));
    }
}

#[test]
fn bind_that_we_refuse_is_answered_and_closed() {
    let (mut session, now) = served();
    feed(&mut session, &bind_pdu(BindKind::Transceiver, 0x34), now);

    session.refuse_bind(Status::RBINDFAIL);

    assert_eq!(written(&mut session), [(Command::BIND_TRANSCEIVER.response(), Status::RBINDFAIL, 1)]);
    assert_eq!(session.closed(), Some(Reason::BindFailed));
}

/// Field bug F10: fields that are cut short.
#[test]
fn unreadable_bind_is_refused() {
    let (mut session, now) = served();

    feed(&mut session, &pdu(Command::BIND_TRANSCEIVER, Status::ROK, 1, b"demo"), now);

    let answers = written(&mut session);
    assert_eq!(answers[0].0, Command::BIND_TRANSCEIVER.response());
    assert!(!answers[0].1.is_ok());
    assert_eq!(session.closed(), Some(Reason::BindFailed));
}

/// Field bug F7.
#[test]
fn other_protocols_are_hung_up_on_without_a_word() {
    for hello in [
        &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00\x01\x02\x03\x04\x05\x06",
    ] {
        let (mut session, now) = served();

        feed(&mut session, hello, now);

        assert_eq!((session.closed(), written(&mut session)), (Some(Reason::Foreign), vec![]));
    }
}

/// Field bug F3: 0 to 15 are nacked with number 0.
#[test]
fn length_below_the_header_loses_the_framing() {
    for length in 0..16u32 {
        let (mut session, now) = bound(BindKind::Transceiver);
        let mut octets = request(Command::SUBMIT_SM, 8);
        octets[..4].copy_from_slice(&length.to_be_bytes());

        feed(&mut session, &octets, now);

        assert_eq!(written(&mut session), [nack(Status::RINVCMDLEN, 0)], "length {length}");
        assert_eq!(session.closed(), Some(Reason::Framing));
    }
}

/// Field bugs F4, F5.
#[test]
fn length_over_the_limit_is_nacked_with_its_number_before_the_rest_comes() {
    for length in [codec::MAX_PDU_LEN as u32 + 1, 0x7FFF_FFFF, 0x8000_0010, u32::MAX] {
        let (mut session, now) = bound(BindKind::Transceiver);
        let mut octets = request(Command::SUBMIT_SM, 8);
        octets[..4].copy_from_slice(&length.to_be_bytes());

        feed(&mut session, &octets, now);

        assert_eq!(written(&mut session), [nack(Status::RINVCMDLEN, 8)], "length {length}");
        assert_eq!(session.closed(), Some(Reason::Framing));
    }
}

/// Field bug F5: nobody who is not bound gets room for more than a bind needs.
#[test]
fn limit_before_the_bind_is_one_kibibyte_and_after_it_the_longest_pdu() {
    let long = pdu(Command::SUBMIT_SM, Status::ROK, 8, &[0; 1024 - 15]);

    let (mut session, now) = served();
    feed(&mut session, &long[..16], now);
    assert_eq!(session.closed(), Some(Reason::Framing));

    let (mut session, now) = bound(BindKind::Transceiver);
    assert_eq!(feed(&mut session, &long, now), [Told::Request(Command::SUBMIT_SM, 8)]);
}

#[test]
fn frames_before_lost_framing_are_still_handled() {
    let (mut session, now) = bound(BindKind::Transceiver);
    let octets = [request(Command::SUBMIT_SM, 2), vec![0, 0, 0, 3]].concat();

    assert_eq!(feed(&mut session, &octets, now), [Told::Request(Command::SUBMIT_SM, 2)]);

    assert_eq!(session.closed(), Some(Reason::Framing));
}

/// Field bug S5: any 32 bits are echoed.
#[test]
fn odd_sequence_numbers_are_echoed() {
    let (mut session, now) = bound(BindKind::Transceiver);

    for sequence in [0, 0x7FFF_FFFF, 0x8000_0000, u32::MAX] {
        feed(&mut session, &request(Command::ENQUIRE_LINK, sequence), now);
        assert_eq!(written(&mut session), [(Command::ENQUIRE_LINK.response(), Status::ROK, sequence)]);
        let told = feed(&mut session, &request(Command::SUBMIT_SM, sequence), now);
        assert_eq!(told, [Told::Request(Command::SUBMIT_SM, sequence)]);
    }
}

/// Fact sheet 10.3: process and answer both.
#[test]
fn number_that_is_used_again_while_outstanding_is_answered_twice() {
    let (mut session, now) = bound(BindKind::Transceiver);

    let told = feed(&mut session, &request(Command::SUBMIT_SM, 5).repeat(2), now);
    assert_eq!(told.len(), 2);
    answer(&mut session, Command::SUBMIT_SM, 5);
    answer(&mut session, Command::SUBMIT_SM, 5);

    assert_eq!(written(&mut session), [(Command::SUBMIT_SM.response(), Status::ROK, 5); 2]);
}

/// Fact sheet 10.7.
#[test]
fn version_is_the_lower_of_both_and_absent_means_what_we_declared() {
    for (declared, told, version) in [
        (0x34, Some(0x34), Version::V34),
        (0x50, Some(0x34), Version::V34),
        (0x50, Some(0x50), Version::V50),
        (0x34, Some(0x50), Version::V34),
        (0x34, Some(0x33), Version::V33),
        (0x34, None, Version::V34),
        (0x50, None, Version::V50),
    ] {
        let now = start();
        let mut session = Session::connect(Settings::default(), now);
        session.bind(BindKind::Transceiver, &bind_fields(declared), now);

        feed(&mut session, &bind_resp(BindKind::Transceiver, Status::ROK, told), now);

        assert_eq!(session.version(), version, "declared {declared:#x}, told {told:?}");
    }
}

/// Fact sheet 10.7: no TLV to a peer of 3.3.
#[test]
fn bind_response_names_our_version_unless_the_peer_is_of_3_3() {
    for (declared, version, octet) in
        [(0x33, Version::V33, None), (0x34, Version::V34, Some(0x34)), (0x50, Version::V50, Some(0x50))]
    {
        let (mut session, now) = served();
        feed(&mut session, &bind_pdu(BindKind::Transceiver, declared), now);
        assert_eq!(session.version(), version);

        session.accept_bind(b"enroute", version, 10, 10, now);

        let resp = session.transmit().split();
        assert_eq!(BindResp::decode(&resp[Header::LEN..]).sc_interface_version, octet);
    }
}

#[test]
fn late_words_after_the_end_are_not_heard() {
    let (mut session, now) = bound(BindKind::Transceiver);
    session.close(Reason::Dropped);

    assert_eq!(feed(&mut session, &request(Command::SUBMIT_SM, 2), now), []);

    assert_eq!(written(&mut session), []);
    assert_eq!(session.closed(), Some(Reason::Dropped));
}

/// Reliability A4: what fills no window is borne by the thousand, then left unread for a moment.
#[test]
fn flood_of_enquire_links_rests_now_and_then_and_each_is_answered() {
    let now = start();
    let mut session = mc(BindKind::Transceiver, Settings::default(), now);
    let mut flood = BytesMut::new();
    for sequence in 1..=10_000 {
        codec::header_only(&mut flood, Command::ENQUIRE_LINK, Status::ROK, sequence);
    }
    let some = flood.split_to(4_000 * 16);

    feed(&mut session, &some, now);
    assert!(session.wants_read(), "thousands are nothing");
    feed(&mut session, &flood, now);
    assert!(!session.wants_read());
    let rest = session.next_timeout().map(|at| at.saturating_duration_since(now.mono));
    assert_eq!(rest, Some(Duration::from_millis(40)), "ten thousand, twice 4096");
    let then = Now { mono: now.mono + Duration::from_millis(40), ..now };
    assert_eq!(wait(&mut session, then), []);

    assert!(session.wants_read());
    assert_eq!(written(&mut session).len(), 10_000);
    assert!(session.next_timeout().is_some_and(|at| at > then.mono), "and nothing is due any more");
}
