//! Explains octets, captures and spools to people: PDUs field by field, a capture by the PDUs in it, a spool by what it holds.
//!
//! Changes nothing, and keeps message texts and passwords to itself unless it is told to show them.

use super::trace::{self, Figures, Heard};
use crate::codec::{
    self, BroadcastSm, Command, DataSm, Frame, Header, Reading, Sm, Status, SubmitMulti, explain, next_frame,
};
use crate::runtime::{Living, Survey};
use crate::text;
use anyhow::{Context, bail};
use bytes::BytesMut;
use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

/// What is to be explained, and how much of it may be seen.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// A PDU (or several) in hex, blanks allowed; "-" reads hex from stdin; a file of PDUs in hex or as they are; a
    /// capture (pcap, pcapng); or a spool's directory.
    #[arg(value_name = "HEX|DIR|FILE|-", required = true, num_args = 1..)]
    what: Vec<String>,
    /// Show what is confidential too: texts of messages, and octets that can't be read as fields.
    #[arg(long)]
    text: bool,
}

/// Explains it on stdout.
///
/// # Errors
/// If it is neither hex, nor a file, nor a spool, or can't be read.
pub fn run(options: &Options) -> anyhow::Result<()> {
    match print(options, &mut io::stdout().lock()) {
        // Nobody may be reading any more, as behind `head`.
        Err(error) if is_broken_pipe(&error) => Ok(()),
        result => result,
    }
}

fn print(options: &Options, out: &mut dyn io::Write) -> anyhow::Result<()> {
    match capture(options)? {
        Some(capture) => print_trace(capture, options.show(), out),
        None => Ok(out.write_all(page(options)?.as_bytes())?),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The file, if it is a capture.
fn capture(options: &Options) -> anyhow::Result<Option<File>> {
    let what = options.what.join(" ");
    if !Path::new(&what).is_file() {
        return Ok(None);
    }
    let mut file = File::open(&what).with_context(|| what.clone())?;
    let mut start = Vec::new();
    file.by_ref().take(4).read_to_end(&mut start).with_context(|| what.clone())?;
    file.rewind().with_context(|| what.clone())?;
    Ok(trace::is_capture(&start).then_some(file))
}

/// Each PDU of a capture as soon as it is whole, and the figures at the end.
fn print_trace(capture: File, show: Show, out: &mut dyn io::Write) -> anyhow::Result<()> {
    let figures = trace::read(capture, |heard| {
        let page = veil(&explained(heard.pdu), show);
        Ok(writeln!(out, "{}\n{page}", heading(heard))?)
    })?;
    Ok(out.write_all(figures_page(&figures).as_bytes())?)
}

/// When, from where and where to.
fn heading(heard: &Heard<'_>) -> String {
    let at = heard.at_ns.and_then(|ns| jiff::Timestamp::from_nanosecond(ns.try_into().ok()?).ok());
    let at = at.map_or_else(|| "(time unknown)".to_owned(), |at| format!("{at:.6}"));
    format!("{at} {} -> {}", heard.from, heard.to)
}

fn figures_page(figures: &Figures) -> String {
    let mut page = String::new();
    for (name, value) in [
        ("packets", figures.packets),
        ("  not TCP", figures.other_packets),
        ("PDUs", figures.pdus),
        ("octets that aren't SMPP", figures.foreign_octets),
        ("octets not captured", figures.lost_octets),
        ("octets of unfinished PDUs", figures.unfinished_octets),
    ] {
        add_line(&mut page, name, &value);
    }
    if figures.is_cut {
        add_line(&mut page, "broken", &"the capture is cut short or damaged here");
    }
    page
}

fn page(options: &Options) -> anyhow::Result<String> {
    let show = options.show();
    let what = options.what.join(" ");
    let path = Path::new(&what);
    if path.is_dir() {
        return spool_page(path, show);
    }
    let octets = if path.is_file() {
        let octets = std::fs::read(path).with_context(|| what.clone())?;
        std::str::from_utf8(&octets).ok().and_then(from_hex).unwrap_or(octets)
    } else {
        let mut text = what.clone();
        if what == "-" {
            text.clear();
            std::io::stdin().read_to_string(&mut text).context("stdin")?;
        }
        from_hex(&text).with_context(|| format!("\"{what}\" is neither hex nor a file nor a directory"))?
    };
    if octets.is_empty() {
        bail!("nothing to explain");
    }
    Ok(pdus_page(&octets, show))
}

/// How much may be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Show {
    Fields,
    Everything,
}

impl Options {
    fn show(&self) -> Show {
        if self.text { Show::Everything } else { Show::Fields }
    }
}

/// The octets that `text` writes in hex; blanks and colons between digits are skipped.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.bytes().filter(|octet| !octet.is_ascii_whitespace() && *octet != b':').collect();
    let value = |digit: u8| char::from(digit).to_digit(16);
    let octet = |pair: &[u8]| match *pair {
        [high, low] => Some((value(high)? << 4 | value(low)?) as u8),
        _ => None, // an odd digit is left
    };
    digits.chunks(2).map(octet).collect()
}

fn pdus_page(mut octets: &[u8], show: Show) -> String {
    let mut page = String::new();
    while !octets.is_empty() {
        let length = octets.first_chunk().map_or(0, |header| Header::decode(header).length as usize);
        // A length that can't be: all the rest is shown as one broken PDU.
        let length = if (Header::LEN..=octets.len()).contains(&length) { length } else { octets.len() };
        let (pdu, rest) = octets.split_at(length);
        if !page.is_empty() {
            page.push('\n');
        }
        page.push_str(&veil(&explained(pdu), show));
        octets = rest;
    }
    page
}

/// A PDU field by field, and what its text says.
fn explained(pdu: &[u8]) -> String {
    let mut page = explain(pdu);
    if let Some(sm) = message_in(pdu).filter(|sm| !sm.text().is_empty()) {
        page.push_str(&text::show(sm.text(), sm.esm_class & UDHI != 0, sm.data_coding));
    }
    page
}

/// The message that a PDU carries, if it is of those that do.
fn message_in(pdu: &[u8]) -> Option<Sm<'_>> {
    let Frame { header, body } = next_frame(pdu, pdu.len()).ok()??;
    match header.command {
        Command::SUBMIT_SM | Command::DELIVER_SM => Sm::decode(body, Reading::Carrier).ok(),
        Command::DATA_SM => Some(DataSm::decode(body, Reading::Carrier).ok()?.as_sm()),
        Command::SUBMIT_MULTI => Some(SubmitMulti::decode(body, Reading::Carrier).ok()?.sm),
        Command::BROADCAST_SM => {
            let BroadcastSm { data_coding, tlvs, .. } = BroadcastSm::decode(body, Reading::Carrier).ok()?;
            Some(Sm { data_coding, tlvs, ..Sm::default() })
        }
        _ => None, // the others carry none, or don't say in which alphabet
    }
}

/// The page without what is confidential. Octets that couldn't be taken apart may hold anything, passwords too.
fn veil(page: &str, show: Show) -> String {
    if show == Show::Everything {
        return page.to_owned();
    }
    let mut veiled = String::new();
    for line in page.lines() {
        match CONFIDENTIAL
            .iter()
            .find(|name| line.strip_prefix(**name).is_some_and(|rest| rest.starts_with(' ')))
        {
            Some(name) => add_line(&mut veiled, name, &"(--text shows it)"),
            None => veiled.extend([line, "\n"]),
        }
    }
    veiled
}

fn spool_page(directory: &Path, show: Show) -> anyhow::Result<String> {
    let survey = Survey::of(directory)?;
    let report = &survey.report;
    let mut page = String::new();
    let mut line = |name: &str, value: &dyn Display| add_line(&mut page, name, value);
    line("spool", &directory.display());
    let in_use = match survey.in_use {
        Some(true) => "yes: these figures are already old",
        Some(false) => "no",
        None => "can't be told here",
    };
    line("in use", &in_use);
    line("octets of all files", &survey.octets);
    line("segments", &report.segments);
    line("frames", &report.frames);
    line("records", &report.records);
    for (kind, count) in &survey.records {
        line(&format!("  {kind}"), count);
    }
    line("unsynced tail, octets", &report.cut_octets);
    line("damaged octets", &report.damaged_octets);
    for damage in &report.damaged {
        let saved = damage.saved;
        line(
            &format!("  {}", damage.file),
            &format!("{}..{}, {saved} records saved", damage.from, damage.to),
        );
    }
    line("living messages", &survey.living().count());
    let mut counts: BTreeMap<(&str, bool, &str), u64> = BTreeMap::new();
    for (_, living) in survey.living() {
        *counts.entry((&living.account, living.is_inbound, living.stage)).or_default() += 1;
    }
    for ((account, is_inbound, stage), count) in counts {
        line(&format!("  {account} {}{stage}", inbound_word(is_inbound)), &count);
    }
    line("bulks, those that are over included", &survey.bulks.len());
    let mut counts: BTreeMap<_, u64> = BTreeMap::new();
    survey.bulks.values().for_each(|bulk| *counts.entry(bulk).or_default() += 1);
    for ((account, state), count) in counts {
        line(&format!("  {account} {state}"), &count);
    }
    if show == Show::Everything {
        messages_page(&survey, &mut page);
    }
    Ok(page)
}

fn messages_page(survey: &Survey, page: &mut String) {
    let mut living: Vec<_> = survey.living().collect();
    living.sort_by_key(|(id, _)| id.serial);
    for (id, message) in living.into_iter().take(MESSAGES_MAX) {
        let Living { account, is_inbound, stage, accepted, due, expires, .. } = message;
        let times = [accepted, due, expires].map(|at| at.0.to_string()).join(", ");
        let (serial, slot) = (id.serial, id.slot);
        add_line(
            page,
            "\nmessage",
            &format!("{serial} in slot {slot} of {account}, {}{stage}", inbound_word(*is_inbound)),
        );
        add_line(page, "accepted, due, expires", &format!("{times} (ms since 1970)"));
        match survey.body(message) {
            Ok(body) => page.push_str(&body_page(&body, *is_inbound)),
            Err(error) => add_line(page, "broken", &error),
        }
    }
}

fn add_line(page: &mut String, name: &str, value: &dyn Display) {
    // Writing to a String never fails.
    let _ = writeln!(page, "{name:<24} {value}");
}

/// What stands before the stage of a message from a handset.
const fn inbound_word(is_inbound: bool) -> &'static str {
    if is_inbound { "from handsets, " } else { "" }
}

/// The body of a submit_sm, or of an inbound deliver_sm, explained, without the header that it came with.
fn body_page(body: &[u8], is_inbound: bool) -> String {
    let mut pdu = BytesMut::new();
    let command = if is_inbound { Command::DELIVER_SM } else { Command::SUBMIT_SM };
    let start = codec::begin(&mut pdu, command, Status::ROK, 0);
    pdu.extend_from_slice(body);
    codec::finish(&mut pdu, start);
    let page = explained(&pdu);
    page.lines().skip(HEADER_LINES).fold(String::new(), |page, line| page + line + "\n")
}

/// Fields whose content is nobody's business: texts, and octets that may hold texts and passwords.
const CONFIDENTIAL: [&str; 8] = [
    "short_message",
    "TLV 0x0424 message_payload",
    "user data header",
    "body",
    "octets",
    "after the PDU",
    "text",
    "if packed",
];

/// esm_class bit 6: the text begins with a user data header.
const UDHI: u8 = 0x40;

/// Lines that [`explain`] gives a header.
const HEADER_LINES: usize = 4;

/// Messages that are shown one by one.
const MESSAGES_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Bind;

    fn submit() -> BytesMut {
        let mut out = BytesMut::new();
        Sm { short_message: b"the secret text", ..Sm::default() }.encode(&mut out, Command::SUBMIT_SM, 1);
        out
    }

    fn hex(octets: &[u8]) -> String {
        octets.iter().map(|octet| format!("{octet:02X} ")).collect()
    }

    fn options(what: &str, text: bool) -> Options {
        Options { what: vec![what.to_owned()], text }
    }

    #[test]
    fn each_pdu_in_the_hex_is_explained() {
        let mut two = submit();
        Bind { system_id: b"acme", password: b"pass", ..Bind::default() }.encode(
            &mut two,
            Command::BIND_RECEIVER,
            2,
        );

        let page = page(&options(&hex(&two), false)).expect("hex");

        assert!(page.contains("submit_sm") && page.contains("bind_receiver"), "{page}");
        assert_eq!(page.matches("command_length").count(), 2);
        assert!(!page.contains("pass\""), "{page}");
    }

    #[test]
    fn text_is_shown_only_when_asked_for() {
        let hex = hex(&submit());

        assert!(!page(&options(&hex, false)).expect("hex").contains("secret"));
        assert!(page(&options(&hex, true)).expect("hex").contains("the secret text"));
    }

    #[test]
    fn text_is_decoded_and_its_header_told_in_words() {
        let mut pdu = BytesMut::new();
        let short_message = &[5, 0, 3, 0xA5, 2, 1, 0x04, 0x1F, 0x04, 0x40];
        Sm { esm_class: 0x40, data_coding: 8, short_message, ..Sm::default() }.encode(
            &mut pdu,
            Command::SUBMIT_SM,
            1,
        );

        let shown = page(&options(&hex(&pdu), true)).expect("hex");
        let veiled = page(&options(&hex(&pdu), false)).expect("hex");

        assert!(shown.contains("\"Пр\"") && shown.contains("part 1 of 2"), "{shown}");
        assert!(!veiled.contains("Пр"), "{veiled}");
    }

    /// A bind that can't be read is shown as octets, and its password is among them.
    #[test]
    fn octets_that_cannot_be_read_are_veiled() {
        let mut bind = BytesMut::new();
        Bind { system_id: b"acme", password: b"pass", ..Bind::default() }.encode(
            &mut bind,
            Command::BIND_RECEIVER,
            2,
        );
        bind.truncate(24);
        bind[..4].copy_from_slice(&24u32.to_be_bytes());

        let shown = page(&options(&hex(&bind), true)).expect("hex");
        let veiled = page(&options(&hex(&bind), false)).expect("hex");

        assert!(shown.contains("70617"), "{shown}");
        assert!(!veiled.contains("70617"), "{veiled}");
        assert!(veiled.contains("broken"), "{veiled}");
    }

    #[test]
    fn what_is_neither_hex_nor_file_is_refused() {
        assert!(page(&options("no such thing", false)).is_err());
        assert!(page(&options("123", false)).is_err());
    }

    #[test]
    fn capture_is_explained_pdu_by_pdu() {
        let file = std::env::temp_dir().join(format!("enroute-inspect-{}.pcap", std::process::id()));
        std::fs::write(&file, trace::capture_of(&submit())).expect("a directory for what is temporary");
        let print_it = |text| {
            let mut out = Vec::new();
            print(&options(&file.to_string_lossy(), text), &mut out).expect("a capture");
            String::from_utf8(out).expect("text")
        };

        let (veiled, shown) = (print_it(false), print_it(true));

        std::fs::remove_file(&file).expect("just written");
        assert!(veiled.contains("1970-01-01T00:00:01.000500Z 10.0.0.1:40000 -> 10.0.0.2:2775"), "{veiled}");
        assert!(veiled.contains("submit_sm") && !veiled.contains("secret"), "{veiled}");
        assert!(veiled.contains("PDUs                     1\n"), "{veiled}");
        assert!(shown.contains("the secret text"), "{shown}");
    }
}
