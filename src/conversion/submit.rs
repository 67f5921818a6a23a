//! One message in, one PDU out.

use super::said::{Said, Spoken, header};
use super::tlvs::{SAR, put_sar};
use super::{Long, PAYLOAD_MAX, Part, Profile, SHORT_MESSAGE_MAX, UDHI, sar_of};
use crate::codec::{Reading, Sm, Status, Tag, Tlvs, put_tlv};
use crate::text::{Alphabet, Headers, Udh, split};
use bytes::BytesMut;
use std::borrow::Cow;

/// Appends to `out` the body of the submit_sm that says to `to` what `sm` says from `from`, in one PDU.
///
/// Text is transcoded where the two mean different alphabets by the same octet, or `to` has none for the alphabet. A part of a
/// long text says so in the way `to` wants it (SAR or user data header; a 16-bit reference keeps its low octet for
/// [`Long::Udh8`]). The text goes to message_payload if it has more than 254 octets, or takes more than one short message
/// and `to` wants that; a text of one short message comes out of it for peers who want parts.
///
/// # Errors
/// ESME_RINVDCS if its text can't be said to `to`, ESME_RINVMSGLEN if it is too long for one PDU as `to` wants it (see
/// [`super::needs_division`]) or has become so by transcoding: a part
/// longer than a short message, any text longer than 65 535 octets. Nothing is appended then.
pub fn convert(sm: &Sm<'_>, from: &Profile, to: &Profile, out: &mut BytesMut) -> Result<(), Status> {
    let said = Said::read(sm, from);
    let spoken = said.to(from, to)?;
    let form = Form::of(sm, &said, &spoken, to.long);
    let (user_data, has_udh) = user_data(sm, &said, &spoken, form)?;
    if user_data.len() > PAYLOAD_MAX {
        return Err(Status::RINVMSGLEN);
    }
    let (udh, _) = if has_udh { Udh::cut(&user_data) } else { (Udh::none(), &user_data[..]) };
    let is_payload = goes_to_payload(sm, &spoken, form, to, &udh, user_data.len())?;

    let mut tlvs = BytesMut::new();
    let had_payload = sm.tlvs.find(Tag::MESSAGE_PAYLOAD).is_some();
    let is_rewritten = is_payload && matches!(user_data, Cow::Owned(_));
    let is_changed = form.changes_sar() || is_rewritten || is_payload != had_payload || !to.tlvs.is_empty();
    if is_changed {
        let without = [SAR[0], SAR[1], SAR[2], Tag::MESSAGE_PAYLOAD];
        let kept = if form.changes_sar() { 0 } else { SAR.len() };
        to.tlvs.apply(sm.tlvs, &without[kept..], &mut tlvs);
        if let Form::Sar(part) = form {
            put_sar(part, &mut tlvs);
        }
        if is_payload {
            put_tlv(&mut tlvs, Tag::MESSAGE_PAYLOAD, &user_data);
        }
    }
    Sm {
        esm_class: with_udhi(sm.esm_class, form.changes_header(&spoken), has_udh),
        data_coding: spoken.target.data_coding,
        short_message: if is_payload { &[] } else { &user_data },
        tlvs: if is_changed { written(&tlvs) } else { sm.tlvs },
        ..*sm
    }
    .encode_body(out);
    Ok(())
}

/// How a message says which part it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As it did, or not at all.
    Kept { is_part: bool },
    /// In its header, in place of what it said.
    Header(Part),
    /// In its parameters, in place of its header.
    Sar(Part),
}

impl Form {
    fn of(sm: &Sm<'_>, said: &Said<'_>, spoken: &Spoken<'_>, long: Long) -> Self {
        let (in_header, in_sar) = (said.udh.concat(), sar_of(sm));
        let is_part = in_header.is_some() || in_sar.is_some();
        match (long, in_header, in_sar) {
            (Long::Udh8, Some(part), _) if part.wide => Self::Header(narrow(part)),
            (Long::Udh8, None, Some(part)) => Self::Header(narrow(part)),
            (Long::Udh16, None, Some(part)) => Self::Header(part),
            // Both at once are forbidden, so a header that has to stay keeps its part.
            (Long::Sar, Some(part), _) if spoken.elements(&said.udh).next().is_none() => Self::Sar(part),
            (Long::Pass | Long::Udh8 | Long::Udh16 | Long::Sar | Long::Payload, _, _) => {
                Self::Kept { is_part }
            }
        }
    }

    const fn is_part(self) -> bool {
        match self {
            Self::Kept { is_part } => is_part,
            Self::Header(_) | Self::Sar(_) => true,
        }
    }

    const fn changes_sar(self) -> bool {
        match self {
            Self::Kept { .. } => false,
            Self::Header(_) | Self::Sar(_) => true,
        }
    }

    const fn changes_header(self, spoken: &Spoken<'_>) -> bool {
        spoken.drops_shifts || self.changes_sar()
    }
}

/// The same part with a reference of eight bits.
const fn narrow(part: Part) -> Part {
    Part { reference: part.reference & 0xFF, wide: false, ..part }
}

/// esm_class with its header bit as it has to be.
pub(super) const fn with_udhi(esm_class: u8, is_changed: bool, has_udh: bool) -> u8 {
    match (is_changed, has_udh) {
        (false, _) => esm_class,
        (true, true) => esm_class | UDHI,
        (true, false) => esm_class & !UDHI,
    }
}

/// Parameters of our own writing.
pub(super) fn written(tlvs: &[u8]) -> Tlvs<'_> {
    Tlvs::read(tlvs, Reading::Carrier).unwrap_or_default()
}

/// The user data as it goes out, and whether it starts with a header.
fn user_data<'a>(
    sm: &Sm<'a>,
    said: &Said<'a>,
    spoken: &Spoken<'a>,
    form: Form,
) -> Result<(Cow<'a, [u8]>, bool), Status> {
    let is_repacked = said.alphabet != spoken.target.alphabet || matches!(spoken.text, Cow::Owned(_));
    if !form.changes_header(spoken) && !is_repacked {
        return Ok((Cow::Borrowed(sm.text()), said.udh.octets() > 0));
    }
    let mut out = BytesMut::with_capacity(spoken.text.len() + 16);
    if form.changes_header(spoken) {
        let part = match form {
            Form::Header(part) => Some(part),
            Form::Sar(_) => None,
            Form::Kept { .. } => said.udh.concat(),
        };
        out.extend_from_slice(header(part, spoken.elements(&said.udh))?.as_bytes());
    } else {
        out.extend_from_slice(&sm.text()[..said.udh.octets()]);
    }
    let header_octets = out.len();
    spoken.write(&spoken.text, header_octets, &mut out);
    Ok((Cow::Owned(out.into()), header_octets > 0))
}

/// Whether the user data goes to message_payload.
fn goes_to_payload(
    sm: &Sm<'_>,
    spoken: &Spoken<'_>,
    form: Form,
    to: &Profile,
    udh: &Udh<'_>,
    len: usize,
) -> Result<bool, Status> {
    let had_payload = sm.tlvs.find(Tag::MESSAGE_PAYLOAD).is_some();
    let is_touched = form.changes_header(spoken) || matches!(spoken.text, Cow::Owned(_));
    let as_it_came = had_payload || len > SHORT_MESSAGE_MAX;
    if len <= super::ALWAYS_ONE {
        return Ok(had_payload && matches!(to.long, Long::Pass | Long::Payload));
    }
    if spoken.target.alphabet == Alphabet::Unknown || (to.long == Long::Pass && !is_touched) {
        return Ok(as_it_came);
    }
    let fits = matches!(split(spoken.counted(), Headers::of(udh, false)), Ok(parts) if parts.total() == 1);
    match (to.long, form.is_part()) {
        _ if fits => match to.long {
            Long::Pass | Long::Payload => Ok(as_it_came),
            Long::Udh8 | Long::Udh16 | Long::Sar => Ok(len > SHORT_MESSAGE_MAX),
        },
        // A part that was too long when it came is its sender's business.
        (_, true) if !is_touched => Ok(as_it_came),
        (_, true) | (Long::Udh8 | Long::Udh16 | Long::Sar, false) => Err(Status::RINVMSGLEN),
        (Long::Pass, false) => Ok(as_it_came),
        (Long::Payload, false) => Ok(true),
    }
}
