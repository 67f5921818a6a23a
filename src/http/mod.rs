//! The door: metrics for Prometheus, whether the hub lives and works, and the customers' [`Desk`].
//!
//! | path | answers |
//! | --- | --- |
//! | `/metrics` | every metric, in Prometheus' text format 0.0.4 |
//! | `/livez` | 200 while the process answers at all |
//! | `/readyz` | 200 while the hub accepts binds, else 503 |
//! | `POST /admin/reload` | what came of reading the configuration again |
//! | `/route` | where a message would go and why, to the machine itself alone |
//!
//! Only a reload can change anything: all else is GET (and HEAD), and no body is read. Whoever can connect can read them, so the door is on
//! loopback unless told otherwise; routes and reloads are for the machine itself, wherever the door is. At the desk an account shows who it is, and asks for what is its own.
//! At most [`SEATS`] connections are served at one time.

mod admin;
mod asking;
mod desk;
mod door;
mod reply;

pub use admin::{Admin, ReloadCall, Reloaded};
pub use desk::Desk;

use crate::metrics::Metrics;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use door::{Door, Patience, Peer};
use std::future::Future;
use std::io;
use tokio::net::TcpListener;

/// Serves until `shutdown` is done and what was being answered then is answered.
///
/// # Errors
/// If the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    metrics: Metrics,
    (desk, admin): (Desk, Admin),
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let router = router(metrics).merge(desk::routes(desk)).merge(admin::routes(admin));
    let service = router.into_make_service_with_connect_info::<Peer>();
    axum::serve(Door::new(listener, SEATS, Patience::default()), service)
        .with_graceful_shutdown(shutdown)
        .await
}

/// What is behind the door for operators.
fn router(metrics: Metrics) -> Router {
    Router::new()
        .route("/metrics", get(page))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readiness))
        .with_state(metrics)
}

async fn page(State(metrics): State<Metrics>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, PROMETHEUS_TEXT)], metrics.render())
}

async fn readiness(State(metrics): State<Metrics>) -> (StatusCode, &'static str) {
    match metrics.ready.get() {
        0 => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
        _ => (StatusCode::OK, "ready\n"), // a gauge that is 0 or 1
    }
}

/// Connections at one time; further ones wait in the kernel's backlog.
pub const SEATS: usize = 64;

/// The content type of Prometheus' text format (prometheus.io, "Exposition formats").
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4";

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;

    /// Asks a door of its own for `request`, then shuts it; gives the whole answer.
    async fn ask(metrics: Metrics, request: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (shut, shutting) = oneshot::channel::<()>();
        let (calls, _) = tokio::sync::mpsc::channel(1);
        let (reloads, mut asked) = tokio::sync::mpsc::channel::<ReloadCall>(1);
        tokio::spawn(async move {
            while let Some(call) = asked.recv().await {
                let _ = call.send(Reloaded::Faulty(vec!["enroute.toml:1: no".to_owned()]));
            }
        });
        let behind = (Desk::new(&[], calls), Admin::new(reloads));
        let door = tokio::spawn(serve(listener, metrics, behind, async move {
            let _ = shutting.await;
        }));
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let request = format!("{request} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers in text");
        shut.send(()).expect("it still runs");
        door.await.expect("it ends").expect("in order");
        answer
    }

    #[tokio::test]
    async fn metrics_are_prometheus_text() {
        let metrics = Metrics::new();
        metrics.submitted.inc_by(7);

        let answer = ask(metrics, "GET /metrics").await;

        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("content-type: text/plain; version=0.0.4\r\n"), "{answer}");
        assert!(
            answer.lines().any(|line| line.starts_with("enroute_submi") && line.ends_with(" 7")),
            "{answer}"
        );
    }

    #[tokio::test]
    async fn hub_that_is_not_ready_lives_all_the_same() {
        let metrics = Metrics::new();

        assert!(ask(metrics.clone(), "GET /readyz").await.starts_with("HTTP/1.1 503 "));
        assert!(ask(metrics.clone(), "GET /livez").await.starts_with("HTTP/1.1 200 "));
        metrics.ready.set(1);
        assert!(ask(metrics, "GET /readyz").await.starts_with("HTTP/1.1 200 "));
    }

    /// One question and its answer on a connection that stays open.
    async fn ask_again(stream: &mut TcpStream) {
        stream.write_all(b"GET /livez HTTP/1.1\r\nhost: here\r\n\r\n").await.expect("it reads");
        let mut answer = Vec::new();
        while !answer.ends_with(b"ok\n") {
            assert_ne!(stream.read_buf(&mut answer).await.expect("it answers"), 0);
        }
    }

    #[tokio::test]
    async fn who_finds_no_seat_waits_until_one_is_free() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let door = axum::serve(Door::new(listener, 1, Patience::default()), router(Metrics::new()));
        let door = tokio::spawn(async move { door.await });
        let mut first = TcpStream::connect(address).await.expect("it listens");
        ask_again(&mut first).await;

        let mut second = TcpStream::connect(address).await.expect("the backlog has room");
        let asked = tokio::spawn(async move { ask_again(&mut second).await });
        for _ in 0..50 {
            ask_again(&mut first).await;
        }
        assert!(!asked.is_finished(), "answered without a seat");

        drop(first);
        asked.await.expect("answered at last");
        door.abort();
    }

    #[tokio::test]
    async fn faults_of_a_configuration_are_told_to_whoever_has_it_read_again() {
        let answer = ask(Metrics::new(), "POST /admin/reload").await;

        assert!(answer.starts_with("HTTP/1.1 422 "), "{answer}");
        assert!(answer.ends_with("{\"error\":\"faulty\",\"faults\":[\"enroute.toml:1: no\"]}\n"), "{answer}");
        assert!(ask(Metrics::new(), "GET /admin/reload").await.starts_with("HTTP/1.1 405 "));
    }

    #[tokio::test]
    async fn nothing_but_reading_is_allowed() {
        let metrics = Metrics::new();

        assert!(ask(metrics.clone(), "POST /metrics").await.starts_with("HTTP/1.1 405 "));
        assert!(ask(metrics.clone(), "DELETE /readyz").await.starts_with("HTTP/1.1 405 "));
        assert!(ask(metrics, "GET /").await.starts_with("HTTP/1.1 404 "));
    }
}
