//! Explains octets and spools to people: PDUs field by field, a spool by what it holds.
//!
//! Changes nothing, and keeps message texts and passwords to itself unless it is told to show them.

use crate::codec::{self, Command, Header, Status, explain};
use crate::runtime::{Living, Survey};
use anyhow::{Context, bail};
use bytes::BytesMut;
use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::io::Read;
use std::path::Path;

/// What is to be explained, and how much of it may be seen.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// A PDU (or several) in hex, blanks allowed; "-" reads hex from stdin; a file of PDUs in hex or as they are; or a
    /// spool's directory.
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
    let page = page(options)?;
    // Nobody may be reading any more, as behind `head`.
    let _ = std::io::Write::write_all(&mut std::io::stdout(), page.as_bytes());
    Ok(())
}

fn page(options: &Options) -> anyhow::Result<String> {
    let show = if options.text { Show::Everything } else { Show::Fields };
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
        page.push_str(&veil(&explain(pdu), show));
        octets = rest;
    }
    page
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
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for (_, living) in survey.living() {
        *counts.entry((&living.account, living.stage)).or_default() += 1;
    }
    for ((account, stage), count) in counts {
        line(&format!("  {account} {stage}"), &count);
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
        let Living { account, stage, accepted, due, expires, .. } = message;
        let times = [accepted, due, expires].map(|at| at.0.to_string()).join(", ");
        let (serial, slot) = (id.serial, id.slot);
        add_line(page, "\nmessage", &format!("{serial} in slot {slot} of {account}, {stage}"));
        add_line(page, "accepted, due, expires", &format!("{times} (ms since 1970)"));
        match survey.body(message) {
            Ok(body) => page.push_str(&submit_page(&body)),
            Err(error) => add_line(page, "broken", &error),
        }
    }
}

fn add_line(page: &mut String, name: &str, value: &dyn Display) {
    // Writing to a String never fails.
    let _ = writeln!(page, "{name:<24} {value}");
}

/// A submit_sm's body explained, without the header that it came with.
fn submit_page(body: &[u8]) -> String {
    let mut pdu = BytesMut::new();
    let start = codec::begin(&mut pdu, Command::SUBMIT_SM, Status::ROK, 0);
    pdu.extend_from_slice(body);
    codec::finish(&mut pdu, start);
    let page = explain(&pdu);
    page.lines().skip(HEADER_LINES).fold(String::new(), |page, line| page + line + "\n")
}

/// Fields whose content is nobody's business: texts, and octets that may hold texts and passwords.
const CONFIDENTIAL: [&str; 6] =
    ["short_message", "TLV 0x0424 message_payload", "user data header", "body", "octets", "after the PDU"];

/// Lines that [`explain`] gives a header.
const HEADER_LINES: usize = 4;

/// Messages that are shown one by one.
const MESSAGES_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Bind, Sm};

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
}
