//! A message that somebody asks about ([`Question`]), and what he is told ([`Told`]): which rule wins and why, and where it goes.

use super::explain::Explanation;
use super::rule::bare;
use super::{Case, Condition, Dice, Price, Routes, Standing, Turns, dice};
use crate::clock::UnixMs;
use crate::codec::{Address, Reading, Sm, Tag, Tlvs, put_tlv};
use crate::conversion::{self, Profile};
use crate::id::{AccountId, CarrierId};
use crate::text::{Alphabet, Chars, Missing, Shifts, encode};
use bytes::BytesMut;
use std::fmt;
use tokio::sync::oneshot;

/// A message that might be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// The account's system_id.
    pub account: String,
    /// The destination; with a plus sign or without.
    pub to: String,
    /// The source; alphanumeric if it has characters other than digits.
    pub from: String,
    /// When it is due; `None`: now.
    pub at: Option<UnixMs>,
    pub text: String,
    /// Its data_coding; `None`: what its text needs.
    pub coding: Option<u8>,
    /// Short messages that its text makes; `None`: counted.
    pub segments: Option<u8>,
    pub priority: u8,
    pub service_type: String,
    pub esm_class: u8,
    /// Its optional parameters, see [`read_parameter`].
    pub parameters: Vec<(Tag, Vec<u8>)>,
}

/// The answer, with names in place of numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub segments: u8,
    pub due: UnixMs,
    pub data_coding: u8,
    pub source_kind: &'static str,
    /// The network of the destination and what people call it.
    pub network: Option<(String, String)>,
    /// The rules that were looked at, in order, and what of the message the rule isn't for; `None`: the rule wins.
    pub rules: Vec<(String, Option<Condition>)>,
    /// Carriers in the order in which they would be tried; none if no rule wins.
    pub candidates: Vec<Way>,
}

/// A carrier that a message may go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    pub carrier: String,
    /// What a segment costs there.
    pub price: Option<Price>,
    /// `None` where no hub was asked.
    pub standing: Option<Standing>,
}

/// A question on its way to the hub, and the way back. Nobody answers if the hub stops meanwhile.
#[derive(Debug)]
pub struct Call {
    pub question: Question,
    /// The answer, or what is wrong with the question.
    pub answer: oneshot::Sender<Result<Told, String>>,
}

impl Question {
    /// What `routes` do with it. `from` is the account's profile, `standing` how carriers stand, if that is known.
    pub fn answer<'n>(
        &self,
        routes: &Routes,
        (account, from): (AccountId, &Profile),
        now: UnixMs,
        turns: &Turns,
        standing: Option<&dyn Fn(CarrierId) -> Standing>,
        name: impl Fn(CarrierId) -> &'n str,
    ) -> Told {
        let (text, data_coding) = self.written(from);
        let destination = Address { ton: 1, npi: 1, addr: bare(self.to.as_bytes()) };
        let mut parameters = BytesMut::new();
        self.parameters.iter().for_each(|(tag, value)| put_tlv(&mut parameters, *tag, value));
        let sm = Sm {
            service_type: self.service_type.as_bytes(),
            source: self.source(),
            destination,
            priority_flag: self.priority,
            data_coding,
            short_message: &text,
            esm_class: self.esm_class,
            tlvs: Tlvs::read(&parameters, Reading::Strict).unwrap_or_default(), // each was written above
            ..Sm::default()
        };
        let counted = || conversion::segments(&sm, from).unwrap_or(u8::MAX);
        let case = Case {
            account,
            sm: &sm,
            segments: self.segments.unwrap_or_else(counted),
            due: self.at.unwrap_or(now),
            dice: Dice::Cast(dice(&[sm.source.addr, sm.destination.addr])),
        };
        let unknown = |_| Standing { usable: true, load: 0 };
        let Explanation { network, source_kind, rules, candidates, .. } =
            routes.explain(&case, turns, standing.unwrap_or(&unknown));
        Told {
            segments: case.segments,
            due: case.due,
            data_coding,
            source_kind: source_kind.name(),
            network,
            rules: rules.iter().map(|(route, missed)| (routes.name(*route).to_owned(), *missed)).collect(),
            candidates: candidates
                .iter()
                .map(|candidate| Way {
                    carrier: name(candidate.leaf.carrier).to_owned(),
                    price: candidate.price,
                    standing: standing.map(|_| candidate.standing),
                })
                .collect(),
        }
    }

    fn source(&self) -> Address<'_> {
        let addr = bare(self.from.as_bytes());
        let ton = match addr {
            [] => 0,
            addr if !addr.iter().all(u8::is_ascii_digit) => 5,
            addr if addr.len() < self.from.len() => 1,
            _ => 0, // nobody says what it is
        };
        Address { ton, npi: u8::from(ton == 1), addr }
    }

    /// Its text in the account's default alphabet if that has all its characters, else in UCS-2; and the data_coding of that.
    fn written(&self, from: &Profile) -> (BytesMut, u8) {
        let chars = Chars::new(self.text.as_bytes(), Alphabet::Utf8, Shifts::NONE);
        let mut out = BytesMut::new();
        let wanted = self.coding.map_or(from.default_alphabet, |coding| from.meaning(coding));
        if encode(chars, wanted, Shifts::NONE, Missing::Refuse, &mut out).is_ok() {
            return (out, self.coding.unwrap_or(0));
        }
        let alphabet = if self.coding.is_some() { wanted } else { Alphabet::Ucs2 };
        let chars = Chars::new(self.text.as_bytes(), Alphabet::Utf8, Shifts::NONE);
        let _ = encode(chars, alphabet, Shifts::NONE, Missing::Replace, &mut out); // it replaces what it has to
        (out, self.coding.unwrap_or(UCS2))
    }
}

/// An optional parameter as people write it: its tag, and after an equals sign its value in hexadecimal, such as `0x1400=ff`.
///
/// # Errors
/// What is wrong with it.
pub fn read_parameter(text: &str) -> Result<(Tag, Vec<u8>), String> {
    let (tag, value) = text.split_once('=').unwrap_or((text, ""));
    let read = match tag.strip_prefix("0x") {
        Some(digits) => u16::from_str_radix(digits, 16),
        None => tag.parse(),
    };
    let tag = read.map_err(|_| format!("\"{tag}\" is not a tag such as 0x1400"))?;
    let digit = |digit: u8| char::from(digit).to_digit(16).map(|digit| digit as u8);
    let octet = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    let octets: Option<Vec<u8>> = value.as_bytes().chunks(2).map(octet).collect();
    match octets {
        Some(octets) if octets.len() <= VALUE_MAX => Ok((Tag(tag), octets)),
        Some(_) => Err(format!("the value of {tag:#06x} has more than {VALUE_MAX} octets")),
        None => Err(format!("\"{value}\" is not octets in hexadecimal")),
    }
}

/// Lines for people.
impl fmt::Display for Told {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let network = self.network.as_ref().map(|(code, name)| format!("{code} {name}"));
        writeln!(out, "network      {}", network.as_deref().unwrap_or("not known"))?;
        writeln!(out, "source       {}", self.source_kind)?;
        writeln!(out, "segments     {}", self.segments)?;
        writeln!(out, "data coding  {}", self.data_coding)?;
        for (name, missed) in &self.rules {
            match missed {
                Some(condition) => writeln!(out, "rule         {name}: no, by its {condition}")?,
                None => writeln!(out, "rule         {name}: wins")?,
            }
        }
        if self.candidates.is_empty() {
            return writeln!(out, "nowhere      no rule is for it: ESME_RINVDSTADR");
        }
        for (place, way) in self.candidates.iter().enumerate() {
            let price = way.price.map_or("no price".to_owned(), |price| format!("price {price}"));
            write!(out, "carrier {:<4} {}, {price}", place + 1, way.carrier)?;
            match way.standing {
                Some(Standing { usable: true, load }) => writeln!(out, ", usable, load {load} of 1000")?,
                Some(Standing { usable: false, .. }) => writeln!(out, ", not usable now")?,
                None => writeln!(out)?,
            }
        }
        Ok(())
    }
}

/// Octets of the value of one optional parameter that is asked about.
const VALUE_MAX: usize = 254;
/// The data_coding of UCS-2.
const UCS2: u8 = 8;
