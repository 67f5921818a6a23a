//! Where a message would go, for an operator: `GET /route?account=shop&to=447700900123`, from the machine itself alone.
//!
//! `account` and `to` have to be there; `from`, `at` (2026-12-24T18:00:00Z), `text`, `coding`, `segments`, `priority`, `service_type`,
//! `esm_class` and `tlv` (0x1400=ff, as often as there are some) may be. The answer is what `enroute route` tells, in JSON, and
//! how the carriers stand. 400 says what is wrong with the question, 403 that it comes from elsewhere, 503 that the hub has no
//! time for it.

use super::door::Peer;
use super::reply::{PATIENCE, in_json, refusal};
use crate::clock::UnixMs;
use crate::route::{Call, Question, Told, Way, read_parameter};
use axum::Router;
use axum::extract::{ConnectInfo, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// What is behind the door for questions about routes, which go to the other end of `calls`.
pub(super) fn routes(calls: mpsc::Sender<Call>) -> Router {
    Router::new().route("/route", get(explain)).with_state(calls)
}

async fn explain(
    State(calls): State<mpsc::Sender<Call>>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    RawQuery(query): RawQuery,
) -> Response {
    if !peer.ip().to_canonical().is_loopback() {
        let why = "only from the machine that the hub runs on";
        return refusal(StatusCode::FORBIDDEN, "not_from_here", why);
    }
    let question = match question(query.as_deref().unwrap_or_default()) {
        Ok(question) => question,
        Err(message) => return refusal(StatusCode::BAD_REQUEST, "bad_question", &message),
    };
    let (answer, answered) = oneshot::channel();
    if calls.try_send(Call { question, answer }).is_err() {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "busy", "too much is being asked");
    }
    match timeout(PATIENCE, answered).await {
        Ok(Ok(Ok(told))) => in_json(StatusCode::OK, &shown(&told)),
        Ok(Ok(Err(message))) => refusal(StatusCode::BAD_REQUEST, "bad_question", &message),
        // It takes too long, or the hub has stopped.
        Ok(Err(_)) | Err(_) => refusal(StatusCode::SERVICE_UNAVAILABLE, "no_answer", "no answer in time"),
    }
}

/// Reads the query of a URL.
fn question(query: &str) -> Result<Question, String> {
    let mut question = Question::default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(value).ok_or_else(|| format!("{key} is not percent-encoded UTF-8"))?;
        let octet = || value.parse::<u8>().map_err(|_| format!("{key} is not a number up to 255"));
        match key {
            "account" => question.account = value,
            "to" => question.to = value,
            "from" => question.from = value,
            "text" => question.text = value,
            "service_type" => question.service_type = value,
            "coding" => question.coding = Some(octet()?),
            "segments" => question.segments = Some(octet()?),
            "priority" => question.priority = octet()?,
            "esm_class" => question.esm_class = octet()?,
            "tlv" => question.parameters.push(read_parameter(&value)?),
            "at" => {
                let at: jiff::Timestamp = value.parse().map_err(|error| format!("at: {error}"))?;
                question.at = u64::try_from(at.as_millisecond()).ok().map(UnixMs);
            }
            // A misspelt key can't pass for one that isn't there.
            _ => {
                return Err(format!(
                    "{key} is none of account, to, from, at, text, coding, segments, priority, service_type, \
                     esm_class, tlv"
                ));
            }
        }
    }
    if question.account.is_empty() || question.to.is_empty() {
        return Err("account and to have to be there".to_owned());
    }
    Ok(question)
}

/// Text without the percent signs of a URL (RFC 3986 §2.1). A plus sign is one: numbers begin with it.
fn decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [octet, after @ ..] = rest {
        rest = after;
        if *octet != b'%' {
            octets.push(*octet);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        octets.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    String::from_utf8(octets).ok()
}

fn shown(told: &Told) -> Value {
    let due = i64::try_from(told.due.0).ok().and_then(|due| jiff::Timestamp::from_millisecond(due).ok());
    let rules = told.rules.iter().map(
        |(name, missed)| json!({ "name": name, "missed": missed.map(|condition| condition.to_string()) }),
    );
    let winner = told.rules.last().filter(|(_, missed)| missed.is_none()).map(|(name, _)| name);
    json!({
        "network": told.network.as_ref().map(|(code, name)| json!({ "code": code, "name": name })),
        "source_kind": told.source_kind,
        "segments": told.segments,
        "data_coding": told.data_coding,
        "due": due.map(|due| due.to_string()),
        "rules": rules.collect::<Vec<_>>(),
        "route": winner,
        "candidates": told.candidates.iter().map(candidate).collect::<Vec<_>>(),
    })
}

fn candidate(way: &Way) -> Value {
    json!({
        "carrier": way.carrier,
        "price": way.price.map(|price| price.to_string()),
        "usable": way.standing.map(|standing| standing.usable),
        "load": way.standing.map(|standing| standing.load),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Tag;

    #[test]
    fn query_is_read_with_percent_signs_and_a_plus_sign_stays_one() {
        let read = question("account=shop&to=+44%207&text=%C3%A4&priority=3&at=2026-12-24T18:00:00Z");

        let question = read.expect("sound");
        assert_eq!((question.to.as_str(), question.text.as_str(), question.priority), ("+44 7", "ä", 3));
        assert_eq!(question.at, Some(UnixMs(1_798_135_200_000)));
    }

    #[test]
    fn parameters_are_read_with_and_without_values() {
        let read = question("account=shop&to=1&esm_class=64&tlv=0x1400=00fF&tlv=5126");

        let question = read.expect("sound");
        assert_eq!(question.esm_class, 64);
        assert_eq!(question.parameters, [(Tag(0x1400), vec![0, 255]), (Tag(5126), vec![])]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for query in [
            "",
            "account=shop",
            "to=1",
            "account=a&to=1&colour=red",
            "account=a&to=%zz",
            "account=a&to=%f",
            "account=a&to=1&priority=256",
            "account=a&to=1&at=noon",
            "account=a&to=%ff",
            "account=a&to=1&esm_class=256",
            "account=a&to=1&tlv=message",
            "account=a&to=1&tlv=0x1400=f",
            "account=a&to=1&tlv=65536",
        ] {
            assert!(question(query).is_err(), "{query}");
        }
    }
}
