//! What an operator has the hub do: `POST /admin/reload`, from the machine itself alone.
//!
//! | answer | means |
//! | --- | --- |
//! | 200 | done: what changed, and what waits for a restart |
//! | 403 | asked from elsewhere |
//! | 409 | there is no configuration file to read |
//! | 422 | the file is faulty: all its faults; nothing has changed |
//! | 503 | the hub is stopping |

use super::door::Peer;
use super::reply::in_json;
use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

/// What came of reading the configuration again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// The hub goes by it: what changed, and what will only change with a restart.
    Done { changes: Vec<String>, needs_restart: Vec<String> },
    /// It is faulty, and nothing has changed.
    Faulty(Vec<String>),
    /// There is no file to read.
    Nothing,
    /// The hub is stopping.
    Stopped,
}

/// Somebody wants the configuration read again, and waits for what comes of it.
pub type ReloadCall = oneshot::Sender<Reloaded>;

/// The way to whoever reads it.
#[derive(Clone, Debug)]
pub struct Admin {
    calls: mpsc::Sender<ReloadCall>,
}

impl Admin {
    /// Hands calls to the other end of `calls`.
    pub const fn new(calls: mpsc::Sender<ReloadCall>) -> Self {
        Self { calls }
    }

    async fn reload(&self) -> Reloaded {
        let (answer, answered) = oneshot::channel();
        match self.calls.send(answer).await {
            Ok(()) => answered.await.unwrap_or(Reloaded::Stopped),
            Err(_) => Reloaded::Stopped,
        }
    }
}

/// What is behind the door for whoever may change something.
pub(super) fn routes(admin: Admin) -> Router {
    Router::new().route("/admin/reload", post(reload)).with_state(admin)
}

async fn reload(State(admin): State<Admin>, ConnectInfo(Peer(peer)): ConnectInfo<Peer>) -> Response {
    if !peer.ip().to_canonical().is_loopback() {
        let why =
            json!({ "error": "not_from_here", "message": "only from the machine that the hub runs on" });
        return in_json(StatusCode::FORBIDDEN, &why);
    }
    match admin.reload().await {
        Reloaded::Done { changes, needs_restart } => {
            in_json(StatusCode::OK, &json!({ "changes": changes, "needs_restart": needs_restart }))
        }
        Reloaded::Faulty(faults) => {
            in_json(StatusCode::UNPROCESSABLE_ENTITY, &json!({ "error": "faulty", "faults": faults }))
        }
        Reloaded::Nothing => {
            let why = json!({ "error": "nothing_to_reload", "message": "the hub runs without a configuration file" });
            in_json(StatusCode::CONFLICT, &why)
        }
        Reloaded::Stopped => {
            let why = json!({ "error": "stopping", "message": "the hub is stopping" });
            in_json(StatusCode::SERVICE_UNAVAILABLE, &why)
        }
    }
}
