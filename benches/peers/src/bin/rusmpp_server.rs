//! A server on the crate rusmpp that answers binds and submissions and does nothing else: `rusmpp_server HOST:PORT`.
//!
//! Whatever one read brought is decoded, answered into one buffer and written at once.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use bytes::{Buf, BytesMut};
use rusmpp::pdus::{BindTransceiverResp, SubmitSmResp};
use rusmpp::tokio_codec::CommandCodec;
use rusmpp::types::COctetString;
use rusmpp::{Command, CommandStatus, Pdu};
use std::io;
use std::str::FromStr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::{Decoder, Encoder};

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).expect("HOST:PORT to listen on");
    let listener = TcpListener::bind(address).await?;
    println!("ready");
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(stream));
    }
}

async fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut codec = CommandCodec::new();
    let (mut input, mut output) = (BytesMut::with_capacity(READ), BytesMut::with_capacity(READ));
    let mut number = 0u64;
    loop {
        input.reserve(READ);
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
        while let Some(command) = codec.decode(&mut input).map_err(io::Error::other)? {
            if let Some(answer) = answer(&command, &mut number) {
                codec.encode(answer, &mut output).map_err(io::Error::other)?;
            }
        }
        stream.write_all(&output).await?;
        output.advance(output.len());
    }
}

/// What a request is answered, if it is one.
fn answer(command: &Command, number: &mut u64) -> Option<Command> {
    let pdu = match command.pdu()? {
        Pdu::BindTransceiver(_) => Pdu::BindTransceiverResp(BindTransceiverResp::new(text("rusmpp"), None)),
        Pdu::SubmitSm(_) => {
            *number += 1;
            Pdu::SubmitSmResp(SubmitSmResp::new(text(&number.to_string()), Vec::new()))
        }
        Pdu::EnquireLink => Pdu::EnquireLinkResp,
        Pdu::Unbind => Pdu::UnbindResp,
        _ => return None,
    };
    Some(Command::new(CommandStatus::EsmeRok, command.sequence_number(), pdu))
}

fn text<const MIN: usize, const MAX: usize>(text: &str) -> COctetString<MIN, MAX> {
    COctetString::from_str(text).expect("short ASCII")
}

/// Octets of one read, at least.
const READ: usize = 64 * 1024;
