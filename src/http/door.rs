//! A listener with a bounded number of seats, each of which must be used: by requests that come in one go.

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};
use tracing::warn;

/// Accepts while it has seats; further connections wait in the kernel's backlog.
pub(super) struct Door {
    listener: TcpListener,
    seats: Arc<Semaphore>,
    patience: Patience,
}

/// How long a seat is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For a connection that neither sends nor takes anything.
    pub silence: Duration,
    /// From the first octet of a request to the first of its answer, however many come between.
    pub request: Duration,
}

impl Default for Patience {
    /// Longer than scrapes are usually apart; and longer than any answer takes.
    fn default() -> Self {
        Self { silence: Duration::from_secs(120), request: Duration::from_secs(30) }
    }
}

impl Door {
    pub fn new(listener: TcpListener, seats: usize, patience: Patience) -> Self {
        Self { listener, seats: Arc::new(Semaphore::new(seats)), patience }
    }
}

impl axum::serve::Listener for Door {
    type Io = Seated;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Seated, SocketAddr) {
        let seat = Arc::clone(&self.seats).acquire_owned().await.expect("nobody closes the semaphore");
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    let patience = self.patience;
                    let silence = Box::pin(sleep(patience.silence));
                    return (Seated { stream, patience, silence, request: None, _seat: seat }, peer);
                }
                Err(error) => {
                    warn!(%error, "an HTTP connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub SocketAddr);

impl Connected<IncomingStream<'_, Door>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// A connection on its seat; it loses it by silence, and by a request that takes for ever.
pub(super) struct Seated {
    stream: TcpStream,
    patience: Patience,
    silence: Pin<Box<Sleep>>,
    /// Of a request that has begun to come and is not being answered.
    request: Option<Pin<Box<Sleep>>>,
    _seat: OwnedSemaphorePermit,
}

impl Seated {
    /// Takes note of progress, or ends the wait for it.
    fn heard<T>(&mut self, done: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.silence.set(sleep(self.patience.silence));
            return done;
        }
        let request = self.request.as_mut().map(|request| request.as_mut().poll(cx));
        if request.is_some_and(|over| over.is_ready()) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        match self.silence.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Seated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let done = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before && self.request.is_none() {
            self.request = Some(Box::pin(sleep(self.patience.request)));
        }
        self.heard(done, cx)
    }
}

impl AsyncWrite for Seated {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, octets);
        if done.is_ready() {
            self.request = None;
        }
        self.heard(done, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// How long accepting rests after it failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::timeout;

    /// It is never silent, so only the time that its request takes can end it; the one behind it gets its seat.
    #[tokio::test]
    async fn request_that_comes_octet_by_octet_loses_its_seat() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let patience = Patience { request: Duration::from_millis(200), ..Patience::default() };
        let router = Router::new().route("/", get(|| async { "here" }));
        let door = tokio::spawn(axum::serve(Door::new(listener, 1, patience), router).into_future());
        let mut slow = TcpStream::connect(address).await.expect("it listens");
        slow.write_all(b"GET / HTTP/1.1\r\nhost: ").await.expect("it reads");
        let mut next = TcpStream::connect(address).await.expect("it listens");
        next.write_all(b"GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n").await.expect("queued");

        let mut octets = 0;
        while timeout(Duration::from_millis(5), slow.read_u8()).await.is_err() {
            octets += 1;
            assert!(octets < 2000, "it sits there for ever");
            let _ = slow.write_all(b"x").await; // it may be gone
        }

        let mut answer = String::new();
        next.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.ends_with("here"), "{answer}");
        door.abort();
    }
}
