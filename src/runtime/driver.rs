//! The loop that runs a session machine on a socket; ports, links and the tools' peers alike.
//!
//! One wake-up reads all that has come, lets the machine take it, and writes all that this gave in one call.

use super::now;
use crate::clock::Now;
use bytes::{Buf, BytesMut};
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Sleep;

/// A session without a socket: what [`drive`] runs.
pub trait Machine {
    /// Takes what may be taken off the front of `input`; the rest stays there until next time.
    fn receive(&mut self, input: &mut BytesMut, now: Now);
    /// Does what is due.
    fn handle_timeout(&mut self, now: Now);
    /// When [`Machine::handle_timeout`] has something to do.
    fn next_timeout(&self) -> Option<Instant>;
    /// Takes what others left for it after ringing its bell.
    fn wake(&mut self, now: Now);
    /// What others ring.
    fn bell(&self) -> &Notify;
    /// What is to be written.
    fn transmit(&mut self) -> &mut BytesMut;
    /// Whether it would take more octets now.
    fn wants_read(&self) -> bool;
    /// Whether it is over; what is to be written still is.
    fn is_closed(&self) -> bool;
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The machine said so.
    Machine,
    /// The peer closed or reset it.
    Peer,
    /// The peer took nothing of what we wrote for 30 s.
    Stuck,
}

/// Runs `machine` on `stream` until either is done.
pub async fn drive(stream: &mut TcpStream, machine: &mut impl Machine) -> End {
    drive_on(stream, machine, &mut BytesMut::new()).await
}

/// As [`drive`], on a stream of which `input` has been read; what the machine leaves of it stays there for the next one.
pub(super) async fn drive_on(
    stream: &mut TcpStream,
    machine: &mut impl Machine,
    input: &mut BytesMut,
) -> End {
    let mut alarm = Alarm::default();
    let mut read_size = READ_MIN;
    let mut stuck: Option<Instant> = None;
    let mut taken = 0;
    lend(machine.transmit());
    machine.wake(now());
    if !input.is_empty() {
        machine.receive(input, now());
    }
    loop {
        match write(stream, machine.transmit()) {
            Err(_) => return End::Peer,
            Ok(0) => {}
            Ok(_) => stuck = None,
        }
        take_back(machine.transmit());
        let blocked = !machine.transmit().is_empty();
        if machine.is_closed() && !blocked {
            return End::Machine;
        }
        if blocked {
            let since = *stuck.get_or_insert(now().mono);
            if now().mono.saturating_duration_since(since) >= WRITE_PATIENCE {
                return End::Stuck;
            }
        }
        let wants_read = machine.wants_read() && !machine.is_closed();
        alarm.set(
            [machine.next_timeout(), stuck.map(|since| since + WRITE_PATIENCE)].into_iter().flatten().min(),
        );
        tokio::select! {
            biased;
            () = machine.bell().notified() => {
                lend(machine.transmit());
                machine.wake(now());
            }
            came = poll_fn(|cx| poll_socket(stream, wants_read.then_some(&mut *input), blocked, &mut read_size, cx)) => {
                match came {
                    Ok(0) => {} // it takes more
                    Ok(octets) => {
                        taken += octets;
                        lend(machine.transmit());
                        machine.receive(input, now());
                    }
                    Err(_) => return End::Peer,
                }
            }
            () = alarm.rings() => alarm.clear(),
        }
        // Here, not where the alarm rings: a session that always has something else to do never gets there.
        let now = now();
        if machine.next_timeout().is_some_and(|at| at <= now.mono) {
            machine.handle_timeout(now);
        }
        // Answers may have made room for what was read before.
        if !input.is_empty() && machine.wants_read() {
            machine.receive(input, now);
        }
        if input.is_empty() {
            *input = BytesMut::new(); // an idle session holds no buffer
        }
        // A peer that always has more for us would keep this thread for tens of milliseconds.
        if taken >= READ_MAX {
            taken = 0;
            tokio::task::yield_now().await;
        }
    }
}

/// Closes the connection of a machine that is done. What the peer has sent and nobody read would make the system reset the connection,
/// and our last words could be lost on their way: so these are said to be the last, and what comes still is dropped for a moment.
pub(super) async fn part_from(mut stream: TcpStream) {
    if stream.shutdown().await.is_err() {
        return; // it is gone already
    }
    let drop_all = async {
        let (mut room, mut dropped) = (vec![0; 16 * 1024], 0); // not in the task, which would carry it all its life
        while dropped < LINGER_OCTETS {
            match stream.read(&mut room).await {
                Ok(0) | Err(_) => return,
                Ok(octets) => dropped += octets,
            }
            if dropped >= room.len() {
                tokio::time::sleep(LINGER_REST).await; // a peer that floods us: no hurry
            }
        }
    };
    let _ = tokio::time::timeout(LINGER, drop_all).await; // however it ended, that was all
}

/// Reads what has come into `input`, if anything is wanted: gives how much that is, at the end of the stream an error. Or gives 0 when
/// the socket takes more of what we are `blocked` on.
fn poll_socket(
    stream: &mut TcpStream,
    input: Option<&mut BytesMut>,
    blocked: bool,
    read_size: &mut usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    if let Some(input) = input
        && stream.poll_read_ready(cx)?.is_ready()
    // before there is something, no buffer is held for it
    {
        match read(stream, input, read_size, cx)? {
            Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            Poll::Ready(octets) => return Poll::Ready(Ok(octets)),
            Poll::Pending => {}
        }
    }
    match blocked {
        true => stream.poll_write_ready(cx).map_ok(|()| 0),
        false => Poll::Pending,
    }
}

/// Reads until nothing more is there or enough is; 0 at the end of the stream. A read that doesn't fill the room it is given tells
/// tokio that nothing more is there, which saves asking.
fn read(
    stream: &mut TcpStream,
    input: &mut BytesMut,
    read_size: &mut usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut total = 0;
    while total < READ_MAX {
        input.reserve(*read_size);
        let room = input.capacity() - input.len();
        match pin!(stream.read_buf(input)).poll(cx)? {
            Poll::Pending if total == 0 => return Poll::Pending,
            Poll::Pending | Poll::Ready(0) => break,
            Poll::Ready(octets) => {
                total += octets;
                if octets < room {
                    break;
                }
                *read_size = (*read_size * 2).min(READ_MAX);
            }
        }
    }
    if total * 4 < *read_size {
        *read_size = (*read_size / 2).max(READ_MIN);
    }
    Poll::Ready(Ok(total))
}

/// Writes what the socket takes; gives how much that was.
fn write(stream: &TcpStream, output: &mut BytesMut) -> io::Result<usize> {
    let mut total = 0;
    while !output.is_empty() {
        match stream.try_write(output) {
            Ok(octets) => {
                match octets < output.len() {
                    true => output.advance(octets),
                    false => output.clear(), // the next one writes where this one did
                }
                total += octets;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}

thread_local! {
    /// Buffers that nothing is to be written from; the last one that was is on top.
    static SPARES: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// Gives a session that is about to have its turn a buffer to write to. Sessions of one thread take turns with a few: hundreds of them, each
/// with its own, would write to places that no cache holds any more.
fn lend(output: &mut BytesMut) {
    if output.capacity() == 0 {
        *output = SPARES.with_borrow_mut(Vec::pop).unwrap_or_default();
    }
}

/// Takes it back if nothing is left to be written from it.
fn take_back(output: &mut BytesMut) {
    if output.is_empty() && output.capacity() > 0 {
        let spare = std::mem::take(output);
        SPARES.with_borrow_mut(|spares| {
            if spare.capacity() <= WRITE_KEEP && spares.len() < SPARES_MAX {
                spares.push(spare);
            }
        });
    }
}

/// A timer that is only wound up again when it has to ring earlier than it is set to: most deadlines move
/// later with every PDU, and one that rings too early costs less than one that is always reset.
#[derive(Default)]
struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    set: Option<Instant>,
}

impl Alarm {
    fn set(&mut self, at: Option<Instant>) {
        let Some(at) = at else { return };
        if self.set.is_some_and(|set| set <= at) {
            return;
        }
        self.set = Some(at);
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(at.into()),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(at.into()))),
        }
    }

    fn clear(&mut self) {
        self.set = None;
    }

    async fn rings(&mut self) {
        match (&mut self.sleep, self.set) {
            (Some(sleep), Some(_)) => sleep.as_mut().await,
            _ => std::future::pending().await, // not wound up
        }
    }
}

/// A peer that takes nothing for this long is gone (reliability: attack A6).
pub const WRITE_PATIENCE: Duration = Duration::from_secs(30);

/// How long, and for how many octets, a peer is listened to that we have said our last words to.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_OCTETS: usize = 1024 * 1024;
const LINGER_REST: Duration = Duration::from_millis(5);

const READ_MIN: usize = 4 * 1024;
/// With it a session's buffers stay below 1 MiB whatever its peer does (reliability X24): this much read, a PDU begun, and what it is answered.
const READ_MAX: usize = 128 * 1024;
/// A write buffer larger than this, and one more than so many, goes back to the system once it is empty.
const WRITE_KEEP: usize = 64 * 1024;
const SPARES_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// A machine that takes whatever comes until it has had enough, or its time has come; its bell may never rest.
    struct Glutton {
        bell: Notify,
        transmit: BytesMut,
        eaten: usize,
        enough: usize,
        wakes: u32,
        rings: bool,
        due: Option<Instant>,
        timed_out: bool,
    }

    impl Glutton {
        fn new() -> Self {
            let (bell, transmit) = (Notify::new(), BytesMut::new());
            let enough = usize::MAX;
            Self { bell, transmit, eaten: 0, enough, wakes: 0, rings: false, due: None, timed_out: false }
        }
    }

    impl Machine for Glutton {
        fn receive(&mut self, input: &mut BytesMut, _: Now) {
            self.eaten += input.len();
            input.clear();
        }

        fn handle_timeout(&mut self, _: Now) {
            self.timed_out = true;
        }

        fn next_timeout(&self) -> Option<Instant> {
            self.due
        }

        fn wake(&mut self, _: Now) {
            self.wakes += 1;
            if self.rings {
                self.bell.notify_one();
            }
        }

        fn bell(&self) -> &Notify {
            &self.bell
        }

        fn transmit(&mut self) -> &mut BytesMut {
            &mut self.transmit
        }

        fn wants_read(&self) -> bool {
            true
        }

        fn is_closed(&self) -> bool {
            self.timed_out || self.eaten >= self.enough || self.wakes >= 10_000
        }
    }

    /// Sessions of one thread write to one place after the other, and hold none while they have nothing to say.
    #[test]
    fn buffer_is_lent_for_as_long_as_something_is_to_be_written() {
        SPARES.take();
        let (mut one, mut other) = (BytesMut::new(), BytesMut::with_capacity(WRITE_KEEP + 1));
        take_back(&mut other);
        assert_eq!(other.capacity(), 0, "too large a one is nobody's");
        one.extend_from_slice(&[0; 1000]);
        let place = one.as_ptr();

        take_back(&mut one);
        assert_eq!(one.len(), 1000, "it is to be written still");
        one.clear();
        take_back(&mut one);
        assert_eq!(one.capacity(), 0);
        lend(&mut other);
        lend(&mut one);

        assert_eq!((other.as_ptr(), other.len()), (place, 0));
        assert_eq!(one.capacity(), 0, "there is no other");
        let many = || [(); 10 * SPARES_MAX].map(|()| BytesMut::with_capacity(100));
        many().iter_mut().for_each(take_back);
        assert_eq!(SPARES.with_borrow(Vec::len), SPARES_MAX);
    }

    /// Field bug S9: a peer that keeps us busy does not keep its own deadlines from passing.
    #[tokio::test]
    async fn deadline_passes_though_there_is_always_something_else_to_do() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let mut stream = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("listening");
        let mut busy = Glutton { rings: true, due: Some(now().mono), ..Glutton::new() };

        let end = drive(&mut stream, &mut busy).await;

        assert_eq!(end, End::Machine);
        assert!(busy.timed_out, "{} wakes and no timeout", busy.wakes);
    }

    #[tokio::test]
    async fn others_get_their_turn_beside_a_peer_that_always_has_more() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let peer = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("listening");
        let (mut stream, _) = listener.accept().await.expect("a peer");
        peer.writable().await.expect("nothing has been said yet");
        let mut said = 0;
        while let Ok(octets) = peer.try_write(&[0; 64 * 1024]) {
            said += octets;
        }
        let turns = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let others = std::sync::Arc::clone(&turns);
        let other = tokio::spawn(async move {
            loop {
                others.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        });
        let mut glutton = Glutton { enough: said, ..Glutton::new() };

        assert_eq!(drive(&mut stream, &mut glutton).await, End::Machine);

        other.abort();
        let turns = turns.load(std::sync::atomic::Ordering::Relaxed);
        assert!(said > 4 * READ_MAX, "{said} octets are too few to prove anything");
        assert!(turns >= said / (3 * READ_MAX), "{turns} turns while {said} octets were read");
    }

    /// What we did not read must not make the system take our last words back (RFC 9112 §9.6 tells the same of HTTP).
    #[tokio::test]
    async fn last_words_reach_a_peer_that_has_said_more_than_was_read() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let peer = tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.expect("listening");
            stream.write_all(&[0; 64 * 1024]).await.expect("taken");
            let mut heard = Vec::new();
            stream.read_to_end(&mut heard).await.map(|_| heard).map_err(|error| error.kind())
        });
        let (mut stream, _) = listener.accept().await.expect("a peer");
        stream.readable().await.expect("it has said something");
        let transmit = BytesMut::from("goodbye");
        let mut done = Glutton { transmit, timed_out: true, ..Glutton::new() };

        assert_eq!(drive(&mut stream, &mut done).await, End::Machine);
        part_from(stream).await;

        assert_eq!(peer.await.expect("no panic"), Ok(b"goodbye".to_vec()));
    }
}
