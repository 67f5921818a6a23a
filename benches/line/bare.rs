//! The bare peers: a relay that passes octets and a server that answers, with nothing in between that a hub is there for.
//!
//! They run in a process of their own, which is this program again, told by a variable what it is.

use bytes::{Buf, BufMut, BytesMut};
use std::env;
use std::net::TcpListener as StdListener;
use std::path::Path;
use std::process::Command;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::support::{Process, START_LIMIT};

/// Which bare peer.
#[derive(Clone, Copy, Debug)]
pub enum Bare {
    /// Passes octets both ways, one connection for one connection, to the peer on this port.
    Relay { to: u16 },
    /// Answers each request, knowing nothing of it but its length and what it is.
    Server,
}

impl Bare {
    /// Starts it on `port`, its log in `dir`, and waits until it listens.
    pub fn start(self, port: u16, dir: &Path) -> Process {
        let (name, role) = match self {
            Self::Relay { to } => ("relay", format!("relay {port} {to}")),
            Self::Server => ("server", format!("server {port}")),
        };
        let mut command = Command::new(env::current_exe().expect("a running program has a path"));
        // The arguments are for the harness of a test file, which else would run all its tests.
        command.args(["bare_peer", "--exact", "--ignored", "--nocapture"]).env(ROLE, role);
        let process = Process::start(name, &mut command, dir);
        process.wait_line("ready", START_LIMIT);
        process
    }
}

/// Is a bare peer until killed, if this process was started to be one.
pub fn be_one_if_told() {
    let Ok(role) = env::var(ROLE) else { return };
    let words: Vec<&str> = role.split(' ').collect();
    let port = |at: usize| words[at].parse::<u16>().expect("a port");
    let upstream = (words[0] == "relay").then(|| port(2));
    let listener = StdListener::bind(("127.0.0.1", port(1))).expect("the port is free");
    listener.set_nonblocking(true).expect("a fresh socket can be told so");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    runtime.expect("the machine has an epoll to spare").block_on(async {
        let listener = TcpListener::from_std(listener).expect("it was made non-blocking above");
        println!("\nready"); // on a line of its own, whatever a harness has begun to say
        loop {
            let Ok((client, _)) = listener.accept().await else { continue };
            client.set_nodelay(true).expect("a connected socket can be told so");
            match upstream {
                Some(upstream) => tokio::spawn(pass(client, upstream)),
                None => tokio::spawn(answer(client)),
            };
        }
    });
}

async fn pass(mut client: TcpStream, upstream: u16) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", upstream)).await else { return };
    server.set_nodelay(true).expect("a connected socket can be told so");
    // However it ends, both ends close, and each peer sees the other's end as its own.
    let _ = tokio::io::copy_bidirectional_with_sizes(&mut client, &mut server, BUFFER, BUFFER).await;
}

/// Answers all that comes until the peer goes.
async fn answer(mut client: TcpStream) {
    let (mut input, mut output) = (BytesMut::with_capacity(BUFFER), BytesMut::with_capacity(BUFFER));
    while client.read_buf(&mut input).await.is_ok_and(|octets| octets > 0) {
        answer_all(&mut input, &mut output);
        if client.write_all_buf(&mut output).await.is_err() {
            return;
        }
        input.reserve(BUFFER);
    }
}

/// Answers each whole PDU of `input`, with the same id: SMPP 3.4 §3.2, the header, is all that is read.
pub fn answer_all(input: &mut BytesMut, output: &mut BytesMut) {
    while input.len() >= HEADER {
        let word = |at: usize| u32::from_be_bytes([input[at], input[at + 1], input[at + 2], input[at + 3]]);
        let (length, command, sequence) = (word(0) as usize, word(4), word(12));
        if length < HEADER || input.len() < length {
            return;
        }
        let body: &[u8] = match command {
            1 | 2 | 4 | 9 => b"42\0", // binds and submit_sm: a system_id or a message_id
            _ => b"",
        };
        if command & RESPONSE == 0 {
            output.put_u32((HEADER + body.len()) as u32);
            output.put_u32(command | RESPONSE);
            output.put_u32(0);
            output.put_u32(sequence);
            output.put_slice(body);
        }
        input.advance(length);
    }
}

/// Tells a process which bare peer it is to be, and where.
const ROLE: &str = "ENROUTE_LINE_PEER";
/// Octets of each buffer of a connection.
const BUFFER: usize = 64 * 1024;
const HEADER: usize = 16;
const RESPONSE: u32 = 0x8000_0000;
