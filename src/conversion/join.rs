//! Several parts in, one long text out.

use super::coding::Target;
use super::said::{Said, Spoken, header, is_gsm};
use super::submit::{with_udhi, written};
use super::tlvs::{SAR, TlvRules};
use super::{PAYLOAD_MAX, Profile};
use crate::codec::{Sm, Status, Tag, put_tlv};
use crate::text::Alphabet;
use bytes::BytesMut;
use std::borrow::Cow;

/// Appends to `out` one submit_sm body whose message_payload is the joined text of `parts`, which are in order.
///
/// All other fields, header elements (but for what says which part it is) and optional parameters are those of the first
/// part. Parts in different alphabets, or by different national tables, are joined in UCS-2.
///
/// # Errors
/// ESME_RINVMSGLEN without parts or if the text is longer than 65 535 octets, ESME_RINVDCS if the parts' codings
/// differ and have no common alphabet. Nothing is appended then.
pub fn join(parts: &[Sm<'_>], from: &Profile, out: &mut BytesMut) -> Result<(), Status> {
    let sm = parts.first().ok_or(Status::RINVMSGLEN)?;
    let first = Said::read(sm, from);
    // Text in one alphabet may differ in its message class; of what we can't read, the octet is all that is known.
    let is_alike = parts.iter().map(|part| Said::read(part, from)).all(|said| {
        let is_read_alike = (said.alphabet, said.shifts) == (first.alphabet, first.shifts);
        is_read_alike && (said.alphabet.is_text() || said.data_coding == first.data_coding)
    });
    let kept = Target { alphabet: first.alphabet, data_coding: first.data_coding };
    let target = match is_alike {
        true => kept,
        false => Target::in_alphabet(Alphabet::Ucs2, first.data_coding, from).ok_or(Status::RINVDCS)?,
    };

    let mut text = BytesMut::new();
    for part in parts {
        let said = Said::read(part, from);
        match (is_alike, said.alphabet) {
            (true, Alphabet::GsmPacked) => text.extend(said.septets()),
            (true, _) => text.extend_from_slice(said.text),
            (false, alphabet) if alphabet.is_text() => said.encode_wide(&mut text),
            (false, _) => return Err(Status::RINVDCS),
        }
    }
    let drops_shifts = !is_alike && is_gsm(first.alphabet);
    let spoken = Spoken { text: Cow::Borrowed(&text), target, drops_shifts };
    let header = header(None, spoken.elements(&first.udh))?;
    let mut user_data = BytesMut::with_capacity(text.len() + header.as_bytes().len());
    user_data.extend_from_slice(header.as_bytes());
    spoken.write(&text, header.as_bytes().len(), &mut user_data);
    if user_data.len() > PAYLOAD_MAX {
        return Err(Status::RINVMSGLEN);
    }

    let mut tlvs = BytesMut::with_capacity(user_data.len() + sm.tlvs.as_bytes().len() + 4);
    let without = [SAR[0], SAR[1], SAR[2], Tag::MESSAGE_PAYLOAD];
    TlvRules::default().apply(sm.tlvs, &without, &mut tlvs);
    put_tlv(&mut tlvs, Tag::MESSAGE_PAYLOAD, &user_data);
    Sm {
        esm_class: with_udhi(sm.esm_class, true, !header.as_bytes().is_empty()),
        data_coding: target.data_coding,
        short_message: &[],
        tlvs: written(&tlvs),
        ..*sm
    }
    .encode_body(out);
    Ok(())
}
