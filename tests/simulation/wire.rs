//! A peer's end of a connection: octets in, frames out, and what is to be written.

use super::net::{End, Found, Net};
use super::scene::Scene;
use bytes::BytesMut;
use enroute::codec::{Command, MAX_PDU_LEN, Status, header_only, next_frame};

/// A peer's end of a connection.
pub struct Seat {
    pub connection: usize,
    pub input: BytesMut,
    pub out: BytesMut,
    pub bound: bool,
    pub sequence: u32,
    /// When it heard something last.
    pub heard: u64,
}

impl Seat {
    pub fn new(connection: usize, time: u64) -> Self {
        Self {
            connection,
            input: BytesMut::new(),
            out: BytesMut::new(),
            bound: false,
            sequence: 0,
            heard: time,
        }
    }

    /// Reads at most `most` octets; false if the connection is over.
    pub fn read(&mut self, most: usize, scene: &mut Scene) -> bool {
        loop {
            let before = self.input.len();
            match scene.net.read((self.connection, End::Peer), most, &mut self.input, &mut scene.agenda) {
                Found::End => return false,
                Found::Nothing => return true,
                Found::Octets => self.heard = scene.agenda.time,
            }
            if self.input.len() - before >= most {
                return true;
            }
        }
    }

    /// The next whole frame.
    pub fn frame(&mut self) -> Option<BytesMut> {
        let len = match next_frame(&self.input, MAX_PDU_LEN) {
            Ok(Some(frame)) => frame.len(),
            Ok(None) => return None,
            Err(error) => panic!("the hub wrote no SMPP: {error}"),
        };
        Some(self.input.split_to(len))
    }

    /// Writes what there is room for; false if the connection is over.
    pub fn flush(&mut self, scene: &mut Scene) -> bool {
        let end = (self.connection, End::Peer);
        self.out.is_empty() || scene.net.write(end, &mut self.out, &mut scene.agenda, &mut scene.random)
    }

    /// Where in the stream what is to be written ends.
    pub fn end_of_stream(&self, net: &Net) -> u64 {
        net.progress(self.connection, End::Peer).0 + self.out.len() as u64
    }

    pub fn next_sequence(&mut self) -> u32 {
        self.sequence += 1;
        self.sequence
    }

    pub fn header(&mut self, command: Command, status: Status, sequence: u32) {
        header_only(&mut self.out, command, status, sequence);
    }
}
