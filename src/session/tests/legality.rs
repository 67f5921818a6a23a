//! The table of who may say what when, walked through a live session: every request, every stage, either side.

use super::*;

/// Every request there is, with a body that can be read.
fn requests() -> Vec<(Command, Vec<u8>)> {
    let with_body = |command: Command| match BindKind::of(command) {
        Some(kind) => bind_pdu(kind, 0x34),
        None if command == Command::OUTBIND => outbind_pdu(),
        None => request(command, 1),
    };
    let known = (1..0x200).map(Command).filter(|command| command.is_known());
    known.map(|command| (command, with_body(command))).collect()
}

fn outbind_pdu() -> Vec<u8> {
    let mut out = BytesMut::new();
    Outbind { system_id: b"smsc", password: b"secret" }.encode(&mut out, 1);
    out.to_vec()
}

/// A session of `side` that stands at `stage`.
fn at(side: Side, stage: Stage, now: Now) -> Session {
    let settings = Settings::default();
    match (side, stage) {
        (Side::Mc, Stage::Open) => Session::serve(settings, now),
        (Side::Esme, Stage::Open) => Session::connect(settings, now),
        (Side::Mc, Stage::Outbound) => {
            let mut session = Session::serve(settings, now);
            session.outbind(&Outbind { system_id: b"enroute", password: b"secret" });
            written(&mut session);
            session
        }
        (Side::Esme, Stage::Outbound) => {
            let mut session = Session::connect(settings, now);
            assert_eq!(feed(&mut session, &outbind_pdu(), now), [Told::Outbind(b"smsc".to_vec())]);
            session
        }
        (Side::Mc, Stage::Bound(kind)) => mc(kind, settings, now),
        (Side::Esme, Stage::Bound(kind)) => {
            let mut session = Session::connect(settings, now);
            session.bind(kind, &bind_fields(0x34), now);
            feed(&mut session, &bind_resp(kind, Status::ROK, Some(0x34)), now);
            written(&mut session);
            session
        }
        // The peer's goodbye is answered once what it asked before is.
        (_, Stage::Unbound) => {
            let mut session = at(side, Stage::Bound(BindKind::Transceiver), now);
            let input = [request(Command::DATA_SM, 8), request(Command::UNBIND, 9)].concat();
            assert_eq!(feed(&mut session, &input, now).len(), 1);
            session
        }
    }
}

/// Fact sheet 2.2; field bug S11: what is out of place is refused and the session lives.
#[test]
fn every_request_at_every_stage_is_taken_or_refused_by_the_table() {
    let now = start();
    let kinds = [BindKind::Transmitter, BindKind::Receiver, BindKind::Transceiver];
    let stages = [Stage::Open, Stage::Outbound, Stage::Unbound].into_iter().chain(kinds.map(Stage::Bound));
    for stage in stages {
        for side in [Side::Mc, Side::Esme] {
            for (command, octets) in requests() {
                let mut session = at(side, stage, now);

                let told = feed(&mut session, &octets, now);

                let case = format!("{command} to {side:?} at {stage:?}");
                let answers = written(&mut session);
                let answer = answers.first().map(|(_, status, _)| *status);
                if command == Command::OUTBIND && stage == Stage::Open {
                    // Whoever says so is the message centre, though it may have connected to us.
                    assert_eq!((told, answer), (vec![Told::Outbind(b"smsc".to_vec())], None), "{case}");
                } else if legal(command, side.peer(), stage) {
                    let by_itself = matches!(command, Command::ENQUIRE_LINK | Command::UNBIND);
                    assert_eq!(
                        (told.len(), answer),
                        (usize::from(!by_itself), by_itself.then_some(Status::ROK)),
                        "{case}"
                    );
                } else {
                    let already = BindKind::of(command).is_some()
                        && matches!((side, stage), (Side::Mc, Stage::Bound(_)));
                    let status = if already { Status::RALYBND } else { Status::RINVBNDSTS };
                    assert_eq!((told, answer), (vec![], command.has_response().then_some(status)), "{case}");
                    assert_eq!((session.take_stats().misplaced, session.closed()), (1, None), "{case}");
                }
            }
        }
    }
}

#[test]
fn bind_that_was_asked_for_by_outbind_stands_as_any_other() {
    let now = start();
    let (mut mc, mut esme) = (at(Side::Mc, Stage::Open, now), at(Side::Mc, Stage::Open, now));

    mc.outbind(&Outbind { system_id: b"smsc", password: b"secret" });
    assert_eq!(feed(&mut esme, &mc.transmit().split(), now), [Told::Outbind(b"smsc".to_vec())]);
    esme.bind(BindKind::Receiver, &bind_fields(0x34), now);
    assert_eq!(feed(&mut mc, &esme.transmit().split(), now), [Told::BindRequested(BindKind::Receiver)]);
    mc.accept_bind(b"smsc", Version::V34, 10, 10, now);
    let told = feed(&mut esme, &mc.transmit().split(), now);

    assert_eq!(told, [Told::Bound(BindKind::Receiver, Version::V34)]);
    assert!(mc.request(Command::DELIVER_SM, 1, now, |_| {}).is_some());
}

#[test]
fn called_peer_that_does_not_bind_is_left_in_time() {
    let now = start();
    let mut session = at(Side::Mc, Stage::Outbound, now);

    assert_eq!(session.next_timeout(), Some(now.after(secs(10)).mono));
    wait(&mut session, now.after(secs(10)));

    assert_eq!(session.closed(), Some(Reason::NoBind));
}

/// Fact sheet 3.1: no response exists, so neither side's window counts it.
#[test]
fn alert_is_told_without_a_place_in_the_window() {
    let now = start();
    let settings = Settings { window_in: 1, window_out: 1, ..Settings::default() };
    let mut session = mc(BindKind::Receiver, settings, now);

    for _ in 0..3 {
        assert!(session.tell(Command::ALERT_NOTIFICATION, |out| out.extend_from_slice(&[0; 6])));
    }

    assert_eq!((session.room(), session.open()), (1, 0));
    let mut peer = esme(settings, now);
    let told = feed(&mut peer, &session.transmit().split(), now);
    assert_eq!(told.len(), 3);
    assert!(peer.wants_read());
}

#[test]
fn alert_is_not_told_to_a_transmitter_nor_by_an_esme() {
    let now = start();

    assert!(!mc(BindKind::Transmitter, Settings::default(), now).tell(Command::ALERT_NOTIFICATION, |_| {}));
    assert!(!esme(Settings::default(), now).tell(Command::ALERT_NOTIFICATION, |_| {}));
    assert!(!mc(BindKind::Receiver, Settings::default(), now).tell(Command::DELIVER_SM, |_| {}));
}

/// Fact sheet 2.3: one NUL where we receive, a header alone where we are submitted to.
#[test]
fn misplaced_data_sm_is_refused_in_the_form_of_its_direction() {
    let now = start();
    let data_sm = request(Command::DATA_SM, 4);
    let mut esme = at(Side::Esme, Stage::Bound(BindKind::Transmitter), now);
    let mut mc = at(Side::Mc, Stage::Bound(BindKind::Receiver), now);

    feed(&mut esme, &data_sm, now);
    feed(&mut mc, &data_sm, now);

    assert_eq!(esme.transmit().len(), Header::LEN + 1);
    assert_eq!(mc.transmit().len(), Header::LEN);
}
