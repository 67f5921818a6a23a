//! From one peer's way of saying a message to another's: alphabets, long texts and optional parameters.
//!
//! A [`Profile`] says what a peer means and what it takes. [`segments`] counts a submission, [`convert`] says it to another
//! peer in one PDU, [`divide`] in several, [`part_of`] and [`join`] go the other way. All count by [`crate::text::split`].
//!
//! ```text
//! submit_sm ── part_of ──► Some: wait for its siblings, join
//!     '────── needs_division ──► Some(n): divide     None: convert
//! ```
//!
//! Bodies of deliver_sm have the same fields, so all this holds in both directions.
//!
//! What isn't text (binary, codings that nobody here reads) is never transcoded, and text in an alphabet that both peers
//! mean by the same octet isn't even looked at.

mod coding;
mod divide;
mod join;
mod said;
mod submit;
mod tlvs;
mod word;

pub use crate::text::Concat as Part;
pub use coding::{Meanings, Octets};
pub use divide::{divide, needs_division};
pub use join::join;
pub use submit::convert;
pub use tlvs::TlvRules;
pub use word::{first_word, short_text};

use crate::codec::{Sm, Status, Tag, Version};
use crate::text::{Alphabet, Headers, split};
use said::Said;

/// What one peer, an account or a carrier, means by what it says, and what it takes.
///
/// The default passes everything as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// What data_coding 0 means, and its relatives with a message class or a waiting indication.
    pub default_alphabet: Alphabet,
    /// What other octets mean to this peer than to the rest of the world.
    pub meanings: Meanings,
    /// Which octets this peer wants for an alphabet.
    pub octets: Octets,
    /// To this peer: what becomes of characters that its alphabet doesn't have. From it: `Refuse` refuses text that can't
    /// be read in the alphabet that it claims, if it has to be transcoded; the others put a question mark.
    pub fallback: Fallback,
    /// How this peer wants long texts.
    pub long: Long,
    /// What becomes of optional parameters on their way to this peer.
    pub tlvs: TlvRules,
}

/// What becomes of characters without a counterpart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Fallback {
    /// The message is refused.
    Refuse,
    /// A question mark takes the character's place.
    Replace,
    /// The whole text goes out in UCS-2.
    #[default]
    Ucs2,
}

/// How a peer wants a text that takes more than one short message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Long {
    /// As it came.
    #[default]
    Pass,
    /// In parts with a user data header, 8-bit reference.
    Udh8,
    /// In parts with a user data header, 16-bit reference.
    Udh16,
    /// In parts with sar_* parameters.
    Sar,
    /// Whole, in message_payload.
    Payload,
}

impl Profile {
    /// Whether everything passes to and from this peer as it is. Between two such peers there is nothing to convert.
    pub fn is_plain(&self) -> bool {
        self.default_alphabet == Alphabet::Gsm
            && self.long == Long::Pass
            && self.meanings.is_empty()
            && self.octets.is_empty()
            && self.tlvs.is_empty()
    }

    /// What this peer means by a `data_coding` octet.
    #[inline]
    pub fn meaning(&self, data_coding: u8) -> Alphabet {
        self.meanings.of(data_coding).unwrap_or_else(|| Alphabet::of(data_coding, self.default_alphabet))
    }

    /// The octet to say `alphabet` to this peer with, if there is one.
    pub fn octet(&self, alphabet: Alphabet) -> Option<u8> {
        let means_it = |octet: &u8| self.meaning(*octet) == alphabet;
        let default = Some(0).filter(means_it);
        self.octets.of(alphabet).or(default).or_else(|| alphabet.data_coding().filter(means_it))
    }
}

/// How many short messages this submission is: a part of a long text is one, a text in message_payload may be many.
///
/// GSM text counts septets, UCS-2 16-bit units, binary and text in an explicit 8-bit alphabet octets (fact sheet 9.5). Text
/// in UTF-8, and text in the default alphabet of a sender whose default isn't GSM, counts as what a phone gets of it: GSM
/// septets if they can say it, else UCS-2. References are taken to have 8 bits.
///
/// # Errors
/// ESME_RINVMSGLEN if they are more than 255.
#[inline]
pub fn segments(sm: &Sm<'_>, from: &Profile) -> Result<u8, Status> {
    if sm.text().len() <= ALWAYS_ONE {
        return Ok(1);
    }
    let said = Said::read(sm, from);
    match split(said.counted(), Headers::of(&said.udh, false)) {
        Ok(parts) => Ok(parts.total()),
        Err(_) => Err(Status::RINVMSGLEN),
    }
}

/// Which part of which long text `sm` is, if it is one: by its user data header, or else by its sar_* parameters, of which all
/// three have to be there and to make sense.
pub fn part_of(sm: &Sm<'_>) -> Option<Part> {
    sm.udh().and_then(|_| crate::text::Udh::cut(sm.text()).0.concat()).or_else(|| sar_of(sm))
}

/// The status that refuses a text which can't be said, to a peer of `version`: ESME_RINVDCS, or ESME_RSUBMITFAIL before 5.0.
pub const fn status_for_refused_text(version: Version) -> Status {
    Status::RINVDCS.for_version(version)
}

fn sar_of(sm: &Sm<'_>) -> Option<Part> {
    let reference = sm.tlvs.u16(Tag::SAR_MSG_REF_NUM)?;
    let total = sm.tlvs.u8(Tag::SAR_TOTAL_SEGMENTS)?;
    Part::new(reference, true, total, sm.tlvs.u8(Tag::SAR_SEGMENT_SEQNUM)?)
}

/// Octets of user data that are one short message however they count.
const ALWAYS_ONE: usize = 70;
/// esm_class bit 6: user data header indicator.
const UDHI: u8 = 0x40;
/// The longest short_message that we send: carriers disagree about 255 octets.
const SHORT_MESSAGE_MAX: usize = 254;
/// Octets of message_payload at most: its length has 16 bits.
const PAYLOAD_MAX: usize = 65_535;

#[cfg(test)]
mod tests;
