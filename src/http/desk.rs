//! The customers' desk: what an account may ask of its bulks, with its system_id and password (HTTP Basic, RFC 7617).
//!
//! | request | does |
//! | --- | --- |
//! | `GET /bulks/{id}` | tells how it stands |
//! | `POST /bulks/{id}/pause`, `/resume`, `/cancel` | that |
//! | `PUT /bulks/{id}/schedule` with `{"at": "2026-12-24T18:00:00Z"}` | gives it another time; begins it if there is none |
//!
//! The answer is the bulk as it stands after that, in JSON, and comes once that is durable. What is refused says why in one
//! word: 400 for what can't be meant, 401 for whom we don't know, 404 for no such bulk, 409 for a change that its state
//! doesn't allow, 503 for what the hub can't do now. After a 503 `no_answer` it may have been done all the same.

use super::reply::{PATIENCE, in_json, refusal};
use crate::bulk::{Answer, Ask, Call, Name, Refusal, Request, View};
use crate::clock::UnixMs;
use crate::esme::{Account, Registry};
use crate::id::AccountId;
use crate::route;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// Who may ask, and the way to the hub.
#[derive(Clone, Debug)]
pub struct Desk {
    accounts: Arc<Registry>,
    calls: mpsc::Sender<Call>,
    /// The way for questions about routes, if anybody answers them.
    routes: Option<mpsc::Sender<route::Call>>,
}

impl Desk {
    /// A desk for `accounts`, in the order of their ids; the hub takes the calls from the other end of `calls`.
    pub fn new(accounts: &[Account], calls: mpsc::Sender<Call>) -> Self {
        Self { accounts: Registry::new(accounts), calls, routes: None }
    }

    /// The same, where operators may ask about routes; the hub takes these from the other end of `calls`.
    #[must_use]
    pub fn asking(self, calls: mpsc::Sender<route::Call>) -> Self {
        Self { routes: Some(calls), ..self }
    }

    /// Those who may ask.
    pub fn accounts(&self) -> Arc<Registry> {
        Arc::clone(&self.accounts)
    }

    async fn ask(&self, Customer(account): Customer, id: &str, ask: Ask) -> Response {
        let name = match Name::read(id.as_bytes()) {
            Ok(name) => name,
            Err(error) => return refusal(StatusCode::BAD_REQUEST, "bad_id", &error.to_string()),
        };
        let (answer, answered) = oneshot::channel();
        let call = Call { account, request: Request { name, ask }, answer };
        if self.calls.try_send(call).is_err() {
            return refusal(StatusCode::SERVICE_UNAVAILABLE, "busy", "too much is being asked");
        }
        match timeout(PATIENCE, answered).await {
            Ok(Ok(answer)) => respond(id, answer),
            // It takes too long, or the hub has stopped.
            Ok(Err(_)) | Err(_) => {
                refusal(StatusCode::SERVICE_UNAVAILABLE, "no_answer", "no answer in time; ask how it stands")
            }
        }
    }
}

/// What is behind the desk.
pub(super) fn routes(desk: Desk) -> Router {
    let about_routes = desk.routes.clone().map_or_else(Router::new, super::asking::routes);
    Router::new()
        .route("/bulks/{id}", get(show))
        .route("/bulks/{id}/pause", post(pause))
        .route("/bulks/{id}/resume", post(resume))
        .route("/bulks/{id}/cancel", post(cancel))
        .route("/bulks/{id}/schedule", put(schedule))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(desk)
        .merge(about_routes)
}

async fn show(State(desk): State<Desk>, customer: Customer, Path(id): Path<String>) -> Response {
    desk.ask(customer, &id, Ask::Show).await
}

async fn pause(State(desk): State<Desk>, customer: Customer, Path(id): Path<String>) -> Response {
    desk.ask(customer, &id, Ask::Pause).await
}

async fn resume(State(desk): State<Desk>, customer: Customer, Path(id): Path<String>) -> Response {
    desk.ask(customer, &id, Ask::Resume).await
}

async fn cancel(State(desk): State<Desk>, customer: Customer, Path(id): Path<String>) -> Response {
    desk.ask(customer, &id, Ask::Cancel).await
}

async fn schedule(
    State(desk): State<Desk>,
    customer: Customer,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    match time_in(&body) {
        Ok(at) => desk.ask(customer, &id, Ask::Schedule(at)).await,
        Err(error) => refusal(StatusCode::BAD_REQUEST, "bad_time", &error),
    }
}

/// The time that a schedule's body says.
fn time_in(body: &[u8]) -> Result<UnixMs, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Schedule {
        at: String,
    }
    let Schedule { at } = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let at: jiff::Timestamp = at.parse().map_err(|error: jiff::Error| error.to_string())?;
    // Before 1970 is as much past as then.
    Ok(UnixMs(u64::try_from(at.as_millisecond()).unwrap_or(0)))
}

/// An account that has shown who it is.
struct Customer(AccountId);

impl FromRequestParts<Desk> for Customer {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, desk: &Desk) -> Result<Self, Response> {
        let known = credentials(&parts.headers)
            .and_then(|(system_id, password)| desk.accounts.identify(&system_id, &password));
        known.map(Self).ok_or_else(|| {
            let refused = refusal(StatusCode::UNAUTHORIZED, "unauthorized", "system_id and password, please");
            ([(header::WWW_AUTHENTICATE, "Basic realm=\"enroute\", charset=\"UTF-8\"")], refused)
                .into_response()
        })
    }
}

/// Name and password of HTTP Basic.
fn credentials(headers: &HeaderMap) -> Option<(Vec<u8>, Vec<u8>)> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(BASIC.len())?;
    if !scheme.eq_ignore_ascii_case(BASIC) {
        return None;
    }
    let mut name = STANDARD.decode(token.trim_ascii()).ok()?;
    let colon = name.iter().position(|octet| *octet == b':')?;
    let password = name.split_off(colon + 1);
    name.truncate(colon);
    Some((name, password))
}

fn respond(id: &str, answer: Answer) -> Response {
    match answer {
        Ok(view) => {
            let status = if view.is_new { StatusCode::CREATED } else { StatusCode::OK };
            in_json(status, &shown(id, &view))
        }
        Err(error) => refusal(status_of(error), error.word(), &error.to_string()),
    }
}

fn status_of(refusal: Refusal) -> StatusCode {
    match refusal {
        Refusal::Unknown => StatusCode::NOT_FOUND,
        Refusal::Change(_) => StatusCode::CONFLICT,
        Refusal::Past | Refusal::TooFar => StatusCode::BAD_REQUEST,
        Refusal::TooMany | Refusal::NoStore => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn shown(id: &str, view: &View) -> serde_json::Value {
    let at = i64::try_from(view.at.0).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    let ended = view.counts.ended;
    json!({
        "id": id,
        "state": view.state.name(),
        "at": at.map(|at| at.to_string()),
        "messages": view.counts.messages(),
        "open": view.counts.open,
        "delivered": ended.delivered,
        "expired": ended.expired,
        "deleted": ended.deleted,
        "failed": ended.failed,
    })
}

const BASIC: &[u8] = b"Basic ";
/// Octets of a request's body; a time takes fifty.
const BODY_MAX: usize = 1024;

#[cfg(test)]
mod tests;
