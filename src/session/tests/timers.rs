//! Every timer of fact sheet 10.2.

use super::*;

fn settings() -> Settings {
    Settings { timers: Timers { inactivity: Some(secs(300)), ..Timers::default() }, ..Settings::default() }
}

/// Does what is due at the session's own next deadline, and gives how long after `from` that was.
fn next(session: &mut Session, from: Now) -> (Duration, Now, Vec<Told>) {
    let at = session.next_timeout().expect("a session that stands has a deadline");
    let now = from.after(at.saturating_duration_since(from.mono));
    let told = wait(session, now);
    (now.mono - from.mono, now, told)
}

#[test]
fn connection_without_a_bind_is_closed_after_the_init_timer() {
    let now = start();
    let mut session = Session::serve(Settings::default(), now);

    wait(&mut session, now.after(secs(10) - Duration::from_millis(1)));
    assert_eq!(session.closed(), None);

    let (after, ..) = next(&mut session, now);
    assert_eq!((after, session.closed()), (secs(10), Some(Reason::NoBind)));
    assert!(written(&mut session).is_empty());
    assert_eq!(session.next_timeout(), None);
}

/// Field bug F5: octets that drip in do not hold the timer up.
#[test]
fn enquiring_before_the_bind_is_answered_and_does_not_stop_the_init_timer() {
    let now = start();
    let mut session = Session::serve(Settings::default(), now);

    feed(&mut session, &request(Command::ENQUIRE_LINK, 5), now.after(secs(9)));
    assert_eq!(written(&mut session), [(Command::ENQUIRE_LINK.response(), Status::ROK, 5)]);

    wait(&mut session, now.after(secs(10)));
    assert_eq!(session.closed(), Some(Reason::NoBind));
}

#[test]
fn bind_that_nobody_answers_fails_after_its_timer() {
    let now = start();
    let mut session = Session::connect(Settings::default(), now);
    let later = now.after(secs(3));
    session.bind(BindKind::Transceiver, &bind_fields(0x34), later);

    let (after, ..) = next(&mut session, later);

    assert_eq!((after, session.closed()), (secs(10), Some(Reason::BindFailed)));
}

/// Field bugs S9, S21: our writes succeed, nothing comes back.
#[test]
fn half_open_link_is_found_after_two_unanswered_enquiries() {
    let now = start();
    let mut session = esme(Settings::default(), now);

    let (first, at, _) = next(&mut session, now);
    assert_eq!((first, written(&mut session)), (secs(20), vec![(Command::ENQUIRE_LINK, Status::ROK, 2)]));
    let (second, at, _) = next(&mut session, at);
    assert_eq!((second, written(&mut session)), (secs(10), vec![(Command::ENQUIRE_LINK, Status::ROK, 3)]));
    assert_eq!(session.closed(), None);
    let (third, ..) = next(&mut session, at);

    assert_eq!((third, session.closed()), (secs(10), Some(Reason::Silent)));
}

/// Reliability X13: what is out on a link that is open at our end only comes back all at once when the first of it is overdue.
#[test]
fn half_open_link_with_requests_on_it_ends_with_the_response_timer() {
    let now = start();
    let mut session = esme(Settings::default(), now);
    for token in 0..3 {
        session.request(Command::SUBMIT_SM, token, now.after(secs(token)), |_| {});
    }

    let mut at = now;
    let mut told = Vec::new();
    while session.closed().is_none() {
        let (_, then, events) = next(&mut session, at);
        (at, told) = (then, [told, events].concat());
    }

    assert_eq!((at.mono - now.mono, session.closed()), (secs(30), Some(Reason::Silent)));
    assert_eq!(told, []);
    assert_eq!(session.unanswered().map(|sent| sent.token).collect::<Vec<_>>(), [0, 1, 2]);
}

/// Reliability X14: a peer that answers enquire_link is there, whatever else it leaves unanswered.
#[test]
fn link_that_answers_nothing_but_enquiries_stands() {
    let now = start();
    let mut session = esme(Settings::default(), now);
    session.request(Command::SUBMIT_SM, 7, now, |_| {});

    let (_, at, _) = next(&mut session, now);
    let sent = written(&mut session);
    let (_, _, sequence) = *sent.last().expect("an enquire_link");
    feed(&mut session, &response(Command::ENQUIRE_LINK, Status::ROK, sequence), at.after(secs(1)));
    let told = wait(&mut session, now.after(secs(30)));

    assert_eq!((told.len(), session.closed()), (1, None));
}

#[test]
fn answered_enquiry_starts_the_count_again() {
    let now = start();
    let mut session = esme(Settings::default(), now);
    let mut at = now;

    for round in 0..10 {
        let (_, then, _) = next(&mut session, at);
        let (_, then, _) = next(&mut session, then); // the first of two goes unanswered each time
        let sent = written(&mut session);
        assert_eq!(sent.len(), 2, "round {round}");
        at = then.after(secs(1));
        feed(&mut session, &response(Command::ENQUIRE_LINK, Status::ROK, sent[1].2), at);
    }

    assert_eq!(session.closed(), None);
    assert_eq!(session.take_stats().unmatched, 0);
}

/// Field bug S10: the answer to enquire_link stands behind a flood.
#[test]
fn any_pdu_proves_life() {
    let now = start();
    let mut session = esme(Settings::default(), now);
    let mut at = now;

    for sequence in 0..20 {
        at = at.after(secs(14));
        wait(&mut session, at);
        feed(&mut session, &request(Command::DELIVER_SM, sequence), at);
        answer(&mut session, Command::DELIVER_SM, sequence);
    }

    assert_eq!(session.closed(), None);
}

/// The peer asks for one thing more than its window has room for, which stays unread.
fn ask_too_much(session: &mut Session, now: Now) {
    let mut input = BytesMut::new();
    input.extend([2, 3].map(|sequence| request(Command::SUBMIT_SM, sequence)).concat());
    assert_eq!(take(session, &mut input, now).len(), 1);
    assert!(!session.wants_read() && !input.is_empty());
}

/// What the peer answers needs no room in its window; what stands behind a request that does has to wait with it.
#[test]
fn answers_are_taken_though_the_window_is_used_up() {
    let now = start();
    let settings = Settings { window_in: 1, ..Settings::default() };
    let mut session = mc(BindKind::Transceiver, settings, now);
    let [first, second] = [7, 8].map(|token| {
        let number = session.request(Command::DELIVER_SM, token, now, |_| {}).expect("room");
        (
            Told::Response { token, status: Status::ROK, late: false },
            response(Command::DELIVER_SM, Status::ROK, number),
        )
    });
    feed(&mut session, &request(Command::SUBMIT_SM, 2), now);
    assert!(session.wants_read());

    assert_eq!(feed(&mut session, &first.1, now), [first.0]);
    let mut input = BytesMut::from(&[request(Command::SUBMIT_SM, 3), second.1].concat()[..]);
    assert_eq!(take(&mut session, &mut input, now), []);
    assert!(!session.wants_read());
    answer(&mut session, Command::SUBMIT_SM, 2);
    assert!(session.wants_read());
    assert_eq!(take(&mut session, &mut input, now), [Told::Request(Command::SUBMIT_SM, 3), second.0]);
}

/// An answer that we chose not to read is not one that the peer owes: who waits for it must not be told that it never came.
#[test]
fn request_is_not_called_unanswered_while_its_answer_may_lie_unread() {
    let now = start();
    let settings = Settings { window_in: 1, ..Settings::default() };
    let mut session = mc(BindKind::Transceiver, settings, now);
    session.request(Command::DELIVER_SM, 7, now, |_| {}).expect("room");
    ask_too_much(&mut session, now);

    assert_eq!(wait(&mut session, now.after(secs(100))), [], "it asks more than its window has room for");
    answer(&mut session, Command::SUBMIT_SM, 2);
    let listening = now.after(secs(101));
    assert_eq!(wait(&mut session, listening), [], "nothing has been read yet");
    assert_eq!(wait(&mut session, listening.after(secs(29))), []);
    let told = wait(&mut session, listening.after(secs(30)));

    assert_eq!(told, [Told::Unanswered(7)]);
}

/// Else a busy peer could keep what it leaves unanswered for ever.
#[test]
fn request_is_not_given_longer_for_a_moment_of_not_reading() {
    let now = start();
    let settings = Settings { window_in: 1, ..Settings::default() };
    let mut session = mc(BindKind::Transceiver, settings, now);
    session.request(Command::DELIVER_SM, 7, now, |_| {}).expect("room");
    let later = now.after(secs(29));
    feed(&mut session, &request(Command::SUBMIT_SM, 2), later);
    answer(&mut session, Command::SUBMIT_SM, 2);

    assert_eq!(wait(&mut session, later.after(Duration::from_millis(500))), []);
    assert_eq!(wait(&mut session, now.after(secs(30))), [Told::Unanswered(7)]);
}

/// Field bug S10 again: what we do not read for want of answers of our own can't prove that the peer is gone.
#[test]
fn peer_is_not_called_silent_while_its_window_keeps_us_from_reading() {
    let now = start();
    let settings = Settings { window_in: 1, ..Settings::default() };
    let mut session = mc(BindKind::Transceiver, settings, now);
    ask_too_much(&mut session, now);

    let mut at = now;
    for _ in 0..10 {
        (_, at, _) = next(&mut session, at);
    }
    assert_eq!((session.closed(), written(&mut session)), (None, vec![]));

    answer(&mut session, Command::SUBMIT_SM, 2);
    for _ in 0..3 {
        (_, at, _) = next(&mut session, at);
    }
    assert_eq!(session.closed(), Some(Reason::Silent));
}

#[test]
fn bound_session_without_transactions_is_unbound_though_it_enquires() {
    let now = start();
    let mut session = mc(BindKind::Transceiver, settings(), now);

    for round in 1..20 {
        let at = now.after(secs(15 * round));
        wait(&mut session, at);
        feed(&mut session, &request(Command::ENQUIRE_LINK, round as u32), at);
    }
    assert!(written(&mut session).iter().all(|(command, ..)| *command != Command::UNBIND));

    wait(&mut session, now.after(secs(300)));
    let unbind = written(&mut session).pop().expect("an unbind");
    assert_eq!(unbind.0, Command::UNBIND);
    feed(&mut session, &response(Command::UNBIND, Status::ROK, unbind.2), now.after(secs(301)));
    assert_eq!(session.closed(), Some(Reason::Unbound));
}

#[test]
fn transaction_puts_the_inactivity_timer_off() {
    let now = start();
    let mut session = mc(BindKind::Transceiver, settings(), now);
    let busy = now.after(secs(290));
    feed(&mut session, &request(Command::SUBMIT_SM, 2), busy);
    answer(&mut session, Command::SUBMIT_SM, 2);
    written(&mut session);

    wait(&mut session, now.after(secs(300)));

    assert!(session.bound().is_some());
}

/// Field bug S6: the slot is freed once; the late answer is told apart.
#[test]
fn unanswered_request_frees_its_room_and_its_late_answer_is_known() {
    let now = start();
    let mut session = esme(Settings { window_out: 1, ..Settings::default() }, now);
    let number = session.request(Command::SUBMIT_SM, 77, now, |_| {}).expect("room");
    assert_eq!(session.room(), 0);

    assert_eq!(wait(&mut session, now.after(secs(29))), []);
    let later = now.after(secs(30));
    assert_eq!(wait(&mut session, later), [Told::Unanswered(77)]);
    assert_eq!(session.room(), 1);

    let late = response(Command::SUBMIT_SM, Status::ROK, number);
    let expected = Told::Response { token: 77, status: Status::ROK, late: true };
    assert_eq!(feed(&mut session, &late, later), [expected]);
    assert_eq!(feed(&mut session, &late, later), []);
    assert_eq!((session.room(), session.take_stats().unmatched), (1, 1));
}

#[test]
fn pdu_that_is_begun_and_never_finished_ends_the_session() {
    let now = start();
    let mut session = mc(BindKind::Transceiver, Settings::default(), now);
    let mut input = BytesMut::from(&pdu(Command::SUBMIT_SM, Status::ROK, 2, &[0; 40])[..30]);

    take(&mut session, &mut input, now);
    wait(&mut session, now.after(secs(29)));
    assert_eq!(session.closed(), None);
    wait(&mut session, now.after(secs(30)));

    assert_eq!(session.closed(), Some(Reason::Stalled));
}

/// Every read of a busy session may end in the middle of a PDU: each of them is begun anew.
#[test]
fn busy_session_whose_reads_end_in_mid_pdu_is_not_stalled() {
    let now = start();
    let mut session = mc(BindKind::Transceiver, Settings::default(), now);
    let (mut input, mut at) = (BytesMut::new(), now);

    for sequence in 0..100 {
        let pdu = pdu(Command::SUBMIT_SM, Status::ROK, sequence, &[0; 40]);
        input.extend_from_slice(&pdu[pdu.len().min(input.len())..]); // the rest of the last one
        input.extend_from_slice(&pdu[..20]);
        for told in take(&mut session, &mut input, at) {
            let Told::Request(command, sequence) = told else { panic!("{told:?}") };
            answer(&mut session, command, sequence);
        }
        wait(&mut session, at);
        at = at.after(secs(1));
    }

    assert_eq!(session.closed(), None);
}

#[test]
fn unbind_that_nobody_answers_closes_after_its_timer() {
    let now = start();
    let mut session = esme(Settings::default(), now);
    session.unbind(now);

    let (after, ..) = next(&mut session, now);

    assert_eq!((after, session.closed()), (secs(5), Some(Reason::Unbound)));
}

#[test]
fn peer_that_unbinds_is_answered_in_time_though_answers_are_owed() {
    let now = start();
    let mut session = mc(BindKind::Transceiver, Settings::default(), now);
    feed(&mut session, &request(Command::SUBMIT_SM, 2), now);
    feed(&mut session, &request(Command::UNBIND, 3), now);
    assert_eq!(written(&mut session), []);

    wait(&mut session, now.after(secs(5)));

    assert_eq!(written(&mut session), [(Command::UNBIND.response(), Status::ROK, 3)]);
    assert_eq!(session.closed(), Some(Reason::Unbound));
}

/// A goodbye that is said again and again would put off the end for ever, and leave the first without an answer.
#[test]
fn second_unbind_takes_neither_the_answer_nor_more_time() {
    let now = start();
    let mut session = mc(BindKind::Transceiver, Settings::default(), now);
    feed(&mut session, &request(Command::SUBMIT_SM, 2), now);
    feed(&mut session, &request(Command::UNBIND, 3), now);

    feed(&mut session, &request(Command::UNBIND, 4), now.after(secs(4)));
    assert_eq!(written(&mut session), [(Command::UNBIND.response(), Status::RINVBNDSTS, 4)]);
    wait(&mut session, now.after(secs(5)));

    assert_eq!(written(&mut session), [(Command::UNBIND.response(), Status::ROK, 3)]);
    assert_eq!(session.closed(), Some(Reason::Unbound));
}

/// Reliability X21: what a session waits for is a distance, whatever date it is.
#[test]
fn wall_clock_that_is_set_moves_no_deadline_of_a_session() {
    let mut now = start();
    let (mut steady, mut shaken) = (esme(settings(), now), esme(settings(), now));
    for turn in 0..40 {
        now = now.after(secs(10));
        let by = [3_600_000, -3_600_000, 315_360_000_000, -315_360_000_000][turn % 4];
        let set = Now { wall: UnixMs(now.wall.0.saturating_add_signed(by)), ..now };

        let told = (wait(&mut steady, now).len(), wait(&mut shaken, set).len());

        assert_eq!(told.0, told.1);
        assert_eq!(steady.next_timeout(), shaken.next_timeout());
        assert_eq!(written(&mut steady), written(&mut shaken));
        assert_eq!(steady.closed(), shaken.closed());
    }
}
