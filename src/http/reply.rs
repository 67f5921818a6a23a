//! How the hub's doors answer: in JSON, and in time.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::time::Duration;

/// How long an answer may take; it may wait for the disk.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A refusal: one word for programs, a sentence for people.
pub(super) fn refusal(status: StatusCode, word: &str, message: &str) -> Response {
    in_json(status, &json!({ "error": word, "message": message }))
}

pub(super) fn in_json(status: StatusCode, value: &serde_json::Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], format!("{value}\n")).into_response()
}
