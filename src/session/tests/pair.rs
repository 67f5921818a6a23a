//! Two sessions wired back to back: windows, numbering and goodbyes.

use super::*;

struct Pair {
    esme: Session,
    mc: Session,
    now: Now,
    /// What either has written and the other has not taken.
    to_mc: BytesMut,
    to_esme: BytesMut,
}

impl Pair {
    fn new(window_in: usize, window_out: usize) -> Self {
        let now = start();
        let settings = Settings { window_in, window_out, ..Settings::default() };
        let mut pair = Self {
            esme: Session::connect(settings, now),
            mc: Session::serve(settings, now),
            now,
            to_mc: BytesMut::new(),
            to_esme: BytesMut::new(),
        };
        pair.esme.bind(BindKind::Transceiver, &bind_fields(0x34), now);
        assert_eq!(pair.at_mc(), [Told::BindRequested(BindKind::Transceiver)]);
        pair.mc.accept_bind(b"enroute", Version::V34, window_in, window_out, now);
        assert_eq!(pair.at_esme(), [Told::Bound(BindKind::Transceiver, Version::V34)]);
        pair
    }

    /// What the message centre makes of everything on its way to it.
    fn at_mc(&mut self) -> Vec<Told> {
        self.to_mc.unsplit(self.esme.transmit().split());
        take(&mut self.mc, &mut self.to_mc, self.now)
    }

    fn at_esme(&mut self) -> Vec<Told> {
        self.to_esme.unsplit(self.mc.transmit().split());
        take(&mut self.esme, &mut self.to_esme, self.now)
    }

    fn submit(&mut self, token: u64) -> Option<u32> {
        self.esme.request(Command::SUBMIT_SM, token, self.now, |out| out.extend_from_slice(b"body"))
    }

    fn submit_many(&mut self, count: u64) {
        for token in 0..count {
            self.submit(token).expect("room");
        }
    }
}

fn ok(token: u64) -> Told {
    Told::Response { token, status: Status::ROK, late: false }
}

#[test]
fn requests_beyond_the_window_wait_for_an_answer() {
    let mut pair = Pair::new(100, 3);

    let numbers: Vec<_> = (0..5).map(|token| pair.submit(token)).collect();
    assert_eq!(numbers, [Some(2), Some(3), Some(4), None, None]);
    assert_eq!(pair.at_mc().len(), 3);
    answer(&mut pair.mc, Command::SUBMIT_SM, 3);
    assert_eq!(pair.at_esme(), [ok(1)]);

    assert_eq!(pair.esme.room(), 1);
    assert_eq!(pair.submit(9), Some(5));
    assert_eq!(pair.submit(10), None);
}

/// Field bug S7: what does not fit the window is not read, and keeps its order.
#[test]
fn reading_stops_at_the_window_and_goes_on_after_answers() {
    let mut pair = Pair::new(2, 10);
    pair.submit_many(5);

    assert_eq!(pair.at_mc(), [2, 3].map(|sequence| Told::Request(Command::SUBMIT_SM, sequence)));
    assert!(!pair.mc.wants_read());
    assert_eq!(pair.at_mc(), []);

    answer(&mut pair.mc, Command::SUBMIT_SM, 2);
    assert!(pair.mc.wants_read());
    assert_eq!(pair.at_mc(), [Told::Request(Command::SUBMIT_SM, 4)]);
    answer(&mut pair.mc, Command::SUBMIT_SM, 3);
    answer(&mut pair.mc, Command::SUBMIT_SM, 4);
    assert_eq!(pair.at_mc(), [5, 6].map(|sequence| Told::Request(Command::SUBMIT_SM, sequence)));
}

/// Field bug S6: any order, each once.
#[test]
fn answers_in_reverse_order_find_their_requests() {
    let mut pair = Pair::new(100, 100);
    pair.submit_many(100);
    assert_eq!(pair.at_mc().len(), 100);

    (2..102).rev().for_each(|sequence| answer(&mut pair.mc, Command::SUBMIT_SM, sequence));

    assert_eq!(pair.at_esme(), (0..100).rev().map(ok).collect::<Vec<_>>());
    assert_eq!((pair.esme.room(), pair.esme.take_stats().unmatched), (100, 0));
}

/// Field bugs S3, S4: to 1 after 0x7FFFFFFF, past what is outstanding, and enquiries count in the same series.
#[test]
fn numbering_wraps_and_enquiries_share_it() {
    let mut pair = Pair::new(100, 10);
    let outstanding = pair.submit(0).expect("room");
    pair.esme.number_from(MAX_SEQUENCE);

    let last = pair.submit(1).expect("room");
    let first = pair.submit(2).expect("room");
    pair.now = pair.now.after(secs(30));
    pair.esme.handle_timeout(pair.now); // the oldest request is unanswered
    pair.esme.handle_timeout(pair.now);
    pair.esme.handle_timeout(pair.now);
    wait(&mut pair.esme, pair.now);
    let numbers: Vec<u32> = written(&mut pair.esme).iter().map(|(.., sequence)| *sequence).collect();

    assert_eq!((outstanding, last, first), (2, MAX_SEQUENCE, 1));
    assert_eq!(numbers, [2, MAX_SEQUENCE, 1, 2]);
}

#[test]
fn unbind_is_answered_and_both_are_closed() {
    let mut pair = Pair::new(10, 10);

    pair.esme.unbind(pair.now);
    assert_eq!(pair.submit(1), None);
    assert_eq!(pair.at_mc(), []);
    assert_eq!(pair.mc.closed(), Some(Reason::Unbound));
    assert_eq!(pair.at_esme(), []);

    assert_eq!(pair.esme.closed(), Some(Reason::Unbound));
}

/// Field bug S12: fact sheet 10.6, owed answers come before the unbind_resp.
#[test]
fn what_is_owed_is_answered_before_the_goodbye() {
    let mut pair = Pair::new(10, 10);
    pair.submit_many(2);
    pair.esme.unbind(pair.now);
    assert_eq!(pair.at_mc().len(), 2);
    assert_eq!((pair.mc.closed(), pair.mc.bound()), (None, None));

    answer(&mut pair.mc, Command::SUBMIT_SM, 2);
    assert_eq!((pair.at_esme(), pair.esme.closed()), (vec![ok(0)], None));
    answer(&mut pair.mc, Command::SUBMIT_SM, 3);

    assert_eq!(pair.mc.closed(), Some(Reason::Unbound));
    assert_eq!((pair.at_esme(), pair.esme.closed()), (vec![ok(1)], Some(Reason::Unbound)));
}

#[test]
fn we_still_answer_and_hear_answers_after_our_unbind() {
    let mut pair = Pair::new(10, 10);
    pair.submit(7);
    assert_eq!(pair.at_mc(), [Told::Request(Command::SUBMIT_SM, 2)]);
    pair.mc.request(Command::DELIVER_SM, 8, pair.now, |_| {}).expect("room");
    pair.mc.unbind(pair.now);

    assert_eq!(pair.at_esme(), [Told::Request(Command::DELIVER_SM, 1)]);
    assert_eq!((pair.esme.closed(), written(&mut pair.esme)), (None, vec![]));
    answer(&mut pair.mc, Command::SUBMIT_SM, 2);
    assert_eq!(pair.at_esme(), [ok(7)]);
    answer(&mut pair.esme, Command::DELIVER_SM, 1);

    assert_eq!(pair.esme.closed(), Some(Reason::Unbound));
    assert_eq!((pair.at_mc(), pair.mc.closed()), (vec![ok(8)], Some(Reason::Unbound)));
}

#[test]
fn crossing_unbinds_are_both_answered_and_both_close() {
    let mut pair = Pair::new(10, 10);

    pair.esme.unbind(pair.now);
    pair.mc.unbind(pair.now);
    pair.at_mc();
    pair.at_esme();

    assert_eq!((pair.mc.closed(), pair.esme.closed()), (Some(Reason::Unbound), Some(Reason::Unbound)));
    assert_eq!(written(&mut pair.esme), [(Command::UNBIND.response(), Status::ROK, 1)]);
}

/// Fact sheet 10.6 with 10.1: a crossing does not swallow the answer of a message that we have taken.
#[test]
fn crossing_unbinds_lose_no_owed_answer() {
    let mut pair = Pair::new(10, 10);
    pair.submit(7);
    pair.esme.unbind(pair.now);
    pair.mc.unbind(pair.now);
    assert_eq!(pair.at_mc(), [Told::Request(Command::SUBMIT_SM, 2)]);
    assert_eq!(pair.at_esme(), []);
    assert_eq!((pair.mc.closed(), pair.esme.closed()), (None, None));

    answer(&mut pair.mc, Command::SUBMIT_SM, 2);

    assert_eq!((pair.at_esme(), pair.esme.closed()), (vec![ok(7)], Some(Reason::Unbound)));
    assert_eq!(pair.mc.closed(), Some(Reason::Unbound));
}

/// Field bug S12: closed without a word, each request ends exactly once.
#[test]
fn end_of_the_connection_gives_what_is_unanswered_in_order() {
    let mut pair = Pair::new(10, 10);
    pair.submit_many(4);
    pair.at_mc();
    answer(&mut pair.mc, Command::SUBMIT_SM, 3);
    pair.at_esme();

    pair.esme.close(Reason::PeerGone);
    let left: Vec<u64> = pair.esme.unanswered().map(|sent| sent.token).collect();

    assert_eq!(left, [0, 2, 3]);
    assert_eq!(pair.esme.unanswered().count(), 0);
}
