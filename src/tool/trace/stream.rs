//! One direction of one TCP connection, put together by sequence numbers and cut into PDUs.
//!
//! ```text
//! Judging --a known PDU--> Following --no frame, a gap--> Seeking --a segment that starts with one--> Following
//!    '-- anything else ------------------------------------^
//! ```

use super::Figures;
use super::segment::Segment;
use crate::codec::{Header, MAX_PDU_LEN, next_frame};
use bytes::BytesMut;
use std::collections::BTreeMap;

/// What has come so far.
#[derive(Default)]
pub(super) struct Stream {
    state: State,
    /// The sequence number of the next octet; `None` before the first segment.
    next: Option<u32>,
    /// The same, without wrapping; counted from the first segment that was captured.
    position: u64,
    /// Octets that make no whole PDU yet.
    buffer: BytesMut,
    /// Segments that came before others that they follow, by position.
    early: BTreeMap<u64, Vec<u8>>,
    early_octets: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nothing is known of it yet, but that it was captured from its start.
    #[default]
    Judging,
    /// It is SMPP, and where PDUs begin is known.
    Following,
    /// Where PDUs begin is not known, or it isn't SMPP.
    Seeking,
}

impl Stream {
    /// Takes a segment; each PDU that it completes goes to `each`.
    ///
    /// # Errors
    /// Those of `each`.
    pub fn push(
        &mut self,
        segment: &Segment<'_>,
        figures: &mut Figures,
        mut each: impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut sequence = segment.sequence;
        if segment.is_syn {
            // A connection between the same ports: what the last one left is given up.
            sequence = sequence.wrapping_add(1);
            if self.next != Some(sequence) {
                std::mem::take(self).finish(figures, &mut each)?;
                self.next = Some(sequence);
            }
        }
        if segment.payload.is_empty() {
            return Ok(());
        }
        let ahead = match self.next {
            Some(next) => sequence.wrapping_sub(next).cast_signed(),
            None => 0,
        };
        if self.next.is_none() || ahead.unsigned_abs() > FAR {
            // Captured from its middle, or a connection whose SYN wasn't.
            std::mem::take(self).finish(figures, &mut each)?;
            (self.state, self.next) = (State::Seeking, Some(sequence));
            return self.accept(segment.payload, figures, &mut each);
        }
        if ahead > 0 {
            self.keep(self.position + u64::from(ahead.unsigned_abs()), segment.payload);
        } else if let Some(new) = segment.payload.get(ahead.unsigned_abs() as usize..) {
            self.accept(new, figures, &mut each)?;
        }
        self.drain(figures, &mut each)?;
        if self.early_octets > EARLY_MAX { self.skip_gap(figures, &mut each) } else { Ok(()) }
    }

    /// The end of the capture: what waited for octets that never came is read without them.
    ///
    /// # Errors
    /// Those of `each`.
    pub fn finish(
        mut self,
        figures: &mut Figures,
        mut each: impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        while !self.early.is_empty() {
            self.skip_gap(figures, &mut each)?;
        }
        figures.unfinished_octets += self.buffer.len() as u64;
        Ok(())
    }

    fn keep(&mut self, position: u64, payload: &[u8]) {
        let kept = self.early.entry(position).or_default();
        // A retransmission may be longer than the first attempt.
        if kept.len() < payload.len() {
            self.early_octets += payload.len() - kept.len();
            *kept = payload.to_vec();
        }
    }

    /// Takes what came early and is due now.
    fn drain(
        &mut self,
        figures: &mut Figures,
        each: &mut impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        while let Some(first) = self.early.first_entry().filter(|first| *first.key() <= self.position) {
            let (position, payload) = first.remove_entry();
            self.early_octets -= payload.len();
            if let Some(new) = payload.get((self.position - position) as usize..) {
                self.accept(new, figures, each)?;
            }
        }
        Ok(())
    }

    /// Gives up what is missing in front of the first early segment.
    fn skip_gap(
        &mut self,
        figures: &mut Figures,
        each: &mut impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let Some((position, _)) = self.early.first_key_value() else {
            return Ok(());
        };
        let lost = position - self.position;
        figures.lost_octets += lost;
        figures.unfinished_octets += self.buffer.len() as u64;
        self.buffer.clear();
        self.state = State::Seeking;
        self.advance(lost);
        self.drain(figures, each)
    }

    fn advance(&mut self, by: u64) {
        self.position += by;
        // Sequence numbers wrap.
        self.next = self.next.map(|next| next.wrapping_add(by as u32));
    }

    /// Takes the octets that come next.
    fn accept(
        &mut self,
        octets: &[u8],
        figures: &mut Figures,
        each: &mut impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.advance(octets.len() as u64);
        if self.state == State::Seeking {
            if opens_pdu(octets) != Some(true) {
                figures.foreign_octets += octets.len() as u64;
                return Ok(());
            }
            self.state = State::Following;
        }
        self.buffer.extend_from_slice(octets);
        if self.state == State::Judging {
            match opens_pdu(&self.buffer) {
                Some(true) => self.state = State::Following,
                Some(false) => self.lose(figures),
                None => return Ok(()),
            }
        }
        loop {
            let length = match next_frame(&self.buffer, MAX_PDU_LEN) {
                Ok(Some(frame)) => frame.len(),
                Ok(None) => return Ok(()),
                Err(_) => {
                    self.lose(figures);
                    return Ok(());
                }
            };
            let pdu = self.buffer.split_to(length);
            figures.pdus += 1;
            each(&pdu)?;
        }
    }

    /// What is here makes no PDU.
    fn lose(&mut self, figures: &mut Figures) {
        figures.foreign_octets += self.buffer.len() as u64;
        self.buffer.clear();
        self.state = State::Seeking;
    }
}

/// Whether `octets` begin like a PDU that we know; `None` if there are too few to tell.
fn opens_pdu(octets: &[u8]) -> Option<bool> {
    let header = Header::decode(octets.first_chunk()?);
    let is_length = (Header::LEN..=MAX_PDU_LEN).contains(&(header.length as usize));
    Some(is_length && header.command.is_known())
}

/// Octets that may wait for one that was sent before them; more than any window in practice.
const EARLY_MAX: usize = 4 << 20;
/// A distance between sequence numbers that no window explains.
const FAR: u32 = 64 << 20;
