//! What `enroute load` is to an SMPP server, for Kannel's smsbox, which takes messages over HTTP and tells of receipts by calling back:
//! `http_load SENDSMS_PORT CALLBACK_PORT CONNECTIONS SECONDS TEXT_LEN`. Prints one JSON object with the names that load uses.

use serde_json::json;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What has happened so far.
struct Tally {
    started: Instant,
    accepted: AtomicU64,
    refused: AtomicU64,
    unanswered: AtomicU64,
    receipts: AtomicU64,
    /// When the last answer or receipt came, in microseconds from the start.
    last: AtomicU64,
}

impl Tally {
    fn note(&self, what: &AtomicU64) {
        what.fetch_add(1, Ordering::Relaxed);
        self.last.store(self.started.elapsed().as_micros() as u64, Ordering::Relaxed);
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let numbers: Vec<u64> = std::env::args().skip(1).map(|word| word.parse().expect("a number")).collect();
    let [sendsms, callback, connections, seconds, text_len] = numbers[..] else {
        panic!("http_load SENDSMS_PORT CALLBACK_PORT CONNECTIONS SECONDS TEXT_LEN");
    };
    let tally = Arc::new(Tally {
        started: Instant::now(),
        accepted: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        unanswered: AtomicU64::new(0),
        receipts: AtomicU64::new(0),
        last: AtomicU64::new(1),
    });
    let listener = TcpListener::bind(("127.0.0.1", callback as u16)).await?;
    tokio::spawn(take_callbacks(listener, Arc::clone(&tally)));
    let request = request(callback, text_len as usize);
    let until = tally.started + Duration::from_secs(seconds);
    let mut senders = JoinSet::new();
    for _ in 0..connections {
        senders.spawn(send(sendsms as u16, request.clone(), until, Arc::clone(&tally)));
    }
    while let Some(ended) = senders.join_next().await {
        ended??;
    }
    let patience = Instant::now() + RECEIPT_WAIT;
    let read = |what: &AtomicU64| what.load(Ordering::Relaxed);
    while read(&tally.receipts) < read(&tally.accepted) && Instant::now() < patience {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let span = read(&tally.last) as f64 / 1e6;
    println!(
        "{}",
        json!({
            "accepted": read(&tally.accepted),
            "refused": read(&tally.refused),
            "unanswered": read(&tally.unanswered),
            "receipts": read(&tally.receipts),
            "seconds": span,
            "messages_per_s": read(&tally.accepted) as f64 / span,
        })
    );
    Ok(())
}

fn request(callback: u64, text_len: usize) -> String {
    let text = "x".repeat(text_len);
    let receipt = format!("http%3A%2F%2F127.0.0.1%3A{callback}%2Freceipt%3Fstate%3D%25d");
    format!(
        "GET /cgi-bin/sendsms?username=demo&password=demo&from=447700900100&to=447700900123&dlr-mask=3&dlr-url={receipt}&text={text} \
         HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    )
}

/// One message after the other; connects again when the server hangs up.
async fn send(port: u16, request: String, until: Instant, tally: Arc<Tally>) -> io::Result<()> {
    let mut input = Vec::new();
    'connections: loop {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        while Instant::now() < until {
            stream.write_all(request.as_bytes()).await?;
            match tokio::time::timeout(ANSWER_WAIT, answer(&mut stream, &mut input)).await {
                Ok(Ok(Some(true))) => tally.note(&tally.accepted),
                Ok(Ok(Some(false))) => tally.note(&tally.refused),
                Ok(Ok(None)) => continue 'connections,
                Ok(Err(error)) => return Err(error),
                Err(_) => {
                    tally.unanswered.fetch_add(1, Ordering::Relaxed);
                    continue 'connections;
                }
            }
        }
        return Ok(());
    }
}

/// Reads one answer; `None` if the server has hung up.
async fn answer(stream: &mut TcpStream, input: &mut Vec<u8>) -> io::Result<Option<bool>> {
    input.clear();
    loop {
        if stream.read_buf(input).await? == 0 {
            return Ok(None);
        }
        let Some(head) = input.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&input[..head]).to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
        if input.len() >= head + 4 + length {
            return Ok(Some(text.starts_with("http/1.1 20")));
        }
    }
}

async fn take_callbacks(listener: TcpListener, tally: Arc<Tally>) -> io::Result<()> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        let tally = Arc::clone(&tally);
        tokio::spawn(async move {
            stream.set_nodelay(true)?;
            let mut input = Vec::new();
            while stream.read_buf(&mut input).await? > 0 {
                while let Some(end) = input.windows(4).position(|four| four == b"\r\n\r\n") {
                    input.drain(..end + 4);
                    tally.note(&tally.receipts);
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK").await?;
                }
            }
            Ok::<_, io::Error>(())
        });
    }
}

/// A request that is not answered by then never is.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// How long receipts are waited for after the last answer.
const RECEIPT_WAIT: Duration = Duration::from_secs(30);
