//! One long text in, several PDUs out.

use super::said::{Said, Spoken, header};
use super::submit::{convert, with_udhi, written};
use super::tlvs::{SAR, put_sar};
use super::{ALWAYS_ONE, Long, Part, Profile, SHORT_MESSAGE_MAX, sar_of};
use crate::codec::{Sm, Status, Tag, put_tlv};
use crate::text::{Alphabet, Headers, Parts, split};
use bytes::BytesMut;

/// In how many parts `sm` has to go to `to`, at least 2; `None` if [`convert`] does, or tells what is wrong.
pub fn needs_division(sm: &Sm<'_>, from: &Profile, to: &Profile) -> Option<u8> {
    if matches!(to.long, Long::Pass | Long::Payload) || sm.text().len() <= ALWAYS_ONE {
        return None;
    }
    let said = Said::read(sm, from);
    if is_indivisible(sm, &said) {
        return None;
    }
    let spoken = said.to(from, to).ok()?;
    let parts = cut(&said, &spoken, to.long).ok()?;
    (parts.total() > 1).then_some(parts.total())
}

/// Gives `each` the bodies of the submit_sms that together say to `to` what `sm` says, with their numbers from 1;
/// returns how many they were.
///
/// The text is transcoded first, then cut. All parts have the header elements and the optional parameters of the message,
/// without message_payload (but for a part of more than 254 octets, as UTF-8 can make). replace_if_present_flag stays on the first alone, or each part would replace the one before. A
/// text that makes one part goes as [`convert`] says it.
///
/// # Errors
/// As [`convert`]; and ESME_RINVMSGLEN if they would be more than 255. `each` isn't called then.
pub fn divide(
    sm: &Sm<'_>,
    from: &Profile,
    to: &Profile,
    reference: u16,
    mut each: impl FnMut(u8, &[u8]),
) -> Result<u8, Status> {
    if needs_division(sm, from, to).is_none() {
        let mut body = BytesMut::new();
        convert(sm, from, to, &mut body)?;
        each(1, &body);
        return Ok(1);
    }
    let said = Said::read(sm, from);
    let spoken = said.to(from, to)?;
    let parts = cut(&said, &spoken, to.long)?;
    let total = parts.total();
    let wide = to.long != Long::Udh8;
    let reference = if wide { reference } else { reference & 0xFF };

    let mut tlvs = BytesMut::new();
    to.tlvs.apply(sm.tlvs, &[SAR[0], SAR[1], SAR[2], Tag::MESSAGE_PAYLOAD], &mut tlvs);
    let tlvs_len = tlvs.len();
    let (mut user_data, mut body) = (BytesMut::new(), BytesMut::new());
    for (number, range) in (1..=total).zip(parts) {
        let part = Part { reference, wide, total, number };
        tlvs.truncate(tlvs_len);
        let in_header = match to.long {
            Long::Sar => {
                put_sar(part, &mut tlvs);
                None
            }
            Long::Pass | Long::Udh8 | Long::Udh16 | Long::Payload => Some(part),
        };
        let header = header(in_header, spoken.elements(&said.udh))?;
        let header = header.as_bytes();
        user_data.clear();
        user_data.extend_from_slice(header);
        spoken.write(&spoken.text[range], header.len(), &mut user_data);
        // A part in UTF-8 can be that long.
        let is_payload = user_data.len() > SHORT_MESSAGE_MAX;
        if is_payload {
            put_tlv(&mut tlvs, Tag::MESSAGE_PAYLOAD, &user_data);
        }
        body.clear();
        Sm {
            esm_class: with_udhi(sm.esm_class, true, !header.is_empty()),
            replace_if_present_flag: if number == 1 { sm.replace_if_present_flag } else { 0 },
            data_coding: spoken.target.data_coding,
            short_message: if is_payload { &[] } else { &user_data },
            tlvs: written(&tlvs),
            ..*sm
        }
        .encode_body(&mut body);
        each(number, &body);
    }
    Ok(total)
}

/// Whether it is a part already, or says something that we can't read and so can't cut.
fn is_indivisible(sm: &Sm<'_>, said: &Said<'_>) -> bool {
    said.alphabet == Alphabet::Unknown || said.udh.concat().is_some() || sar_of(sm).is_some()
}

/// The parts, each with room for its header. Who takes sar_* parameters writes a header with eight bits of them.
fn cut<'s>(said: &Said<'_>, spoken: &'s Spoken<'_>, long: Long) -> Result<Parts<'s>, Status> {
    let kept = header(None, spoken.elements(&said.udh))?;
    let headers = Headers::with_concat(kept.as_bytes().len(), long == Long::Udh16);
    split(spoken.counted(), headers).map_err(|_| Status::RINVMSGLEN)
}
