//! A network in memory: connections that delay, split, glue, swallow, stall and break.

use super::agenda::{Agenda, Happening, MS, Micros};
use bytes::{Bytes, BytesMut};
use fastrand::Rng;
use std::collections::VecDeque;

/// Which end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Hub,
    Peer,
}

impl End {
    const fn place(self) -> usize {
        match self {
            Self::Hub => 0,
            Self::Peer => 1,
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Hub => Self::Peer,
            Self::Peer => Self::Hub,
        }
    }

    const fn told(self, connection: usize) -> Happening {
        match self {
            Self::Hub => Happening::Hub { connection },
            Self::Peer => Happening::Peer { connection },
        }
    }
}

/// What a read or a look at a connection finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Nothing,
    Octets,
    /// The stream is over, in whatever way.
    End,
}

/// What one end wrote and the other has not read.
#[derive(Default)]
struct Pipe {
    pieces: VecDeque<(Micros, Bytes)>,
    octets: usize,
    /// Octets that were written, read ones included.
    pub written: u64,
    pub read: u64,
    last: Micros,
    /// When the writer's end of stream arrives.
    closed: Option<Micros>,
    /// Nothing that is written arrives any more.
    swallows: bool,
    /// Nothing arrives before.
    stalled: Micros,
    /// The writer waits for room.
    blocked: bool,
}

/// One connection.
struct Connection {
    pipes: [Pipe; 2],
    delay: Micros,
    /// Nothing is left of it at either end.
    broken: bool,
}

/// All connections that were ever made.
pub struct Net {
    connections: Vec<Connection>,
    /// Of a hundred writes so many are cut into pieces.
    splits: u32,
}

impl Net {
    /// No connections yet; of a hundred writes so many are cut into pieces.
    pub fn new(splits: u32) -> Self {
        Self { connections: Vec::new(), splits }
    }

    /// Makes a connection; its delay is drawn once.
    pub fn connect(&mut self, random: &mut Rng) -> usize {
        let delay = MS / 10 + random.u64(0..20 * MS);
        let pipes = [Pipe::default(), Pipe::default()];
        self.connections.push(Connection { pipes, delay, broken: false });
        self.connections.len() - 1
    }

    /// Writes as much of `out` as there is room for; false if the connection is gone.
    pub fn write(
        &mut self,
        (connection, from): (usize, End),
        out: &mut BytesMut,
        agenda: &mut Agenda,
        random: &mut Rng,
    ) -> bool {
        let splits = self.splits;
        let Connection { pipes, delay, broken } = &mut self.connections[connection];
        if *broken {
            return false;
        }
        let pipe = &mut pipes[from.place()];
        let room = CAPACITY.saturating_sub(pipe.octets).min(out.len());
        pipe.blocked = room < out.len();
        let mut octets = out.split_to(room).freeze();
        pipe.written += room as u64;
        pipe.octets += room;
        agenda.note(u64::from(crc32(&octets)) << 8 | connection as u64);
        if pipe.swallows {
            return true;
        }
        while !octets.is_empty() {
            let cut = random.u32(0..100) < splits;
            let len = if cut { random.usize(1..=octets.len()) } else { octets.len() };
            let jitter = random.u64(0..=*delay / 2);
            let at = (agenda.time + *delay + jitter).max(pipe.last).max(pipe.stalled);
            pipe.last = at;
            pipe.pieces.push_back((at, octets.split_to(len)));
            agenda.at(at, from.other().told(connection));
        }
        true
    }

    /// Reads at most `most` octets of what has come.
    pub fn read(
        &mut self,
        (connection, at): (usize, End),
        most: usize,
        input: &mut BytesMut,
        agenda: &mut Agenda,
    ) -> Found {
        let Connection { pipes, delay, broken } = &mut self.connections[connection];
        if *broken {
            return Found::End;
        }
        let pipe = &mut pipes[at.other().place()];
        let mut taken = 0;
        while let Some((when, piece)) = pipe.pieces.front_mut().filter(|(when, _)| *when <= agenda.time) {
            let _ = when;
            let len = piece.len().min(most - taken);
            input.extend_from_slice(&piece.split_to(len));
            taken += len;
            if piece.is_empty() {
                pipe.pieces.pop_front();
            }
            if taken == most {
                break;
            }
        }
        pipe.octets -= taken;
        pipe.read += taken as u64;
        if taken > 0 {
            if std::mem::take(&mut pipe.blocked) {
                agenda.after(*delay, at.other().told(connection));
            }
            return Found::Octets;
        }
        match pipe.closed {
            Some(when) if when <= agenda.time && pipe.pieces.is_empty() => Found::End,
            Some(_) | None => Found::Nothing,
        }
    }

    /// Whether a read would find something.
    pub fn is_readable(&self, connection: usize, at: End, time: Micros) -> bool {
        let Connection { pipes, broken, .. } = &self.connections[connection];
        let pipe = &pipes[at.other().place()];
        let came = pipe.pieces.front().is_some_and(|(when, _)| *when <= time);
        let ended = pipe.pieces.is_empty() && pipe.closed.is_some_and(|when| when <= time);
        *broken || came || ended
    }

    /// How many octets `from` wrote, and how many of them the other end has read.
    pub fn progress(&self, connection: usize, from: End) -> (u64, u64) {
        let pipe = &self.connections[connection].pipes[from.place()];
        (pipe.written, pipe.read)
    }

    /// One end closes in good order: what it wrote still arrives.
    pub fn close(&mut self, connection: usize, from: End, agenda: &mut Agenda) {
        let Connection { pipes, delay, broken } = &mut self.connections[connection];
        let pipe = &mut pipes[from.place()];
        if *broken || pipe.closed.is_some() || pipe.swallows {
            return;
        }
        let at = (agenda.time + *delay).max(pipe.last).max(pipe.stalled);
        pipe.closed = Some(at);
        agenda.at(at, from.other().told(connection));
    }

    /// The connection breaks: what is under way is lost.
    pub fn break_off(&mut self, connection: usize, agenda: &mut Agenda) {
        let Connection { pipes, broken, .. } = &mut self.connections[connection];
        if std::mem::replace(broken, true) {
            return;
        }
        pipes.iter_mut().for_each(|pipe| pipe.pieces.clear());
        agenda.after(0, Happening::Hub { connection });
        agenda.after(0, Happening::Peer { connection });
    }

    /// What is written in one direction arrives no more; nobody is told.
    pub fn swallow(&mut self, connection: usize, from: End) {
        self.connections[connection].pipes[from.place()].swallows = true;
    }

    /// What is written in either direction arrives no sooner than `until`.
    pub fn stall(&mut self, connection: usize, until: Micros) {
        self.connections[connection].pipes.iter_mut().for_each(|pipe| pipe.stalled = until);
    }
}

/// What a sender's and a receiver's buffers hold together.
const CAPACITY: usize = 8 * 1024;

fn crc32(octets: &[u8]) -> u32 {
    // FNV-1a (Fowler, Noll, Vo): only has to be the same for the same octets.
    octets.iter().fold(0x811C_9DC5, |hash, octet| (hash ^ u32::from(*octet)).wrapping_mul(0x0100_0193))
}
