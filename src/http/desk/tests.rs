//! What the desk makes of requests, and of the hub's answers.

use super::*;
use crate::bulk::{ChangeError, Counts, State as BulkState};
use crate::http::Admin;
use crate::metrics::Metrics;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SHOP: &str = "authorization: Basic c2hvcDpzZWNyZXQ=\r\n"; // shop:secret

const VIEW: View = View {
    state: BulkState::Pending,
    at: UnixMs(1_773_568_800_000),
    counts: Counts { open: 3, ended: crate::bulk::Ended { delivered: 1, expired: 0, deleted: 0, failed: 0 } },
    is_new: false,
};

/// Asks a desk of the accounts `other` and `shop`, whose hub gives `answer`; gives what the hub heard, and the status and
/// the body of the answer.
async fn ask(request: &str, headers: &str, body: &str, answer: Answer) -> (Option<Call>, u16, String) {
    let (calls, mut asked) = mpsc::channel(1);
    let desk = Desk::new(&[Account::new("other", "terces"), Account::new("shop", "secret")], calls);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let door = tokio::spawn(super::super::serve(
        listener,
        Metrics::new(),
        (desk, Admin::new(mpsc::channel(1).0)),
        std::future::pending(),
    ));
    let hub = tokio::spawn(async move {
        let Call { account, request, answer: way } = asked.recv().await?;
        way.send(answer).expect("somebody waits");
        Some(Call { account, request, answer: oneshot::channel().0 })
    });
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let length = body.len();
    let request = format!(
        "{request} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut said = String::new();
    stream.read_to_string(&mut said).await.expect("it answers in text");
    door.abort();
    let _ = door.await; // with it goes the desk, and the hub hears no more
    let (head, body) = said.split_once("\r\n\r\n").expect("a whole answer");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (hub.await.expect("it ends"), status, body.to_owned())
}

fn heard(call: Option<Call>) -> Option<(AccountId, String, Ask)> {
    call.map(|call| (call.account, call.request.name.to_string(), call.request.ask))
}

#[tokio::test]
async fn bulk_is_shown_in_json_to_its_account() {
    let (call, status, body) = ask("GET /bulks/spring%2F24", SHOP, "", Ok(VIEW)).await;

    assert_eq!(heard(call), Some((AccountId(1), "spring/24".to_owned(), Ask::Show)));
    let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    let expected = json!({ "id": "spring/24", "state": "PENDING", "at": "2026-03-15T10:00:00Z", "messages": 4,
        "open": 3, "delivered": 1, "expired": 0, "deleted": 0, "failed": 0 });
    assert_eq!((status, body), (200, expected));
}

#[tokio::test]
async fn each_request_asks_for_what_it_says() {
    for (request, expected) in [
        ("POST /bulks/a/pause", Ask::Pause),
        ("POST /bulks/a/resume", Ask::Resume),
        ("POST /bulks/a/cancel", Ask::Cancel),
        ("PUT /bulks/a/schedule", Ask::Schedule(VIEW.at)),
    ] {
        let body = r#"{"at": "2026-03-15T12:00:00+02:00"}"#;
        let (call, status, _) = ask(request, SHOP, body, Ok(View { is_new: true, ..VIEW })).await;

        assert_eq!(heard(call), Some((AccountId(1), "a".to_owned(), expected)));
        assert_eq!(status, 201);
    }
}

#[tokio::test]
async fn who_does_not_show_who_he_is_is_told_nothing_and_asks_for_nothing() {
    for header in [
        "",
        "authorization: Basic c2hvcDpndWVzcw==\r\n", // shop:guess
        "authorization: Basic bm9ib2R5OnNlY3JldA==\r\n", // nobody:secret
        "authorization: Basic c2hvcA==\r\n",         // shop
        "authorization: Basic ???\r\n",
        "authorization: Bearer c2hvcDpzZWNyZXQ=\r\n",
    ] {
        let (call, status, body) = ask("POST /bulks/a/cancel", header, "", Ok(VIEW)).await;

        assert_eq!((heard(call), status), (None, 401), "{header}");
        assert!(body.contains("\"unauthorized\""), "{body}");
    }
}

#[tokio::test]
async fn refusal_has_its_status_and_its_word() {
    for (refusal, status, word) in [
        (Refusal::Unknown, 404, "unknown"),
        (Refusal::Change(ChangeError::AlreadyPaused), 409, "already_paused"),
        (Refusal::Change(ChangeError::Canceled), 409, "canceled"),
        (Refusal::Past, 400, "past"),
        (Refusal::TooFar, 400, "too_far"),
        (Refusal::TooMany, 503, "too_many"),
        (Refusal::NoStore, 503, "no_store"),
    ] {
        let (_, told, body) = ask("POST /bulks/a/pause", SHOP, "", Err(refusal)).await;

        assert_eq!(told, status, "{body}");
        assert!(body.contains(&format!("\"{word}\"")), "{body}");
    }
}

#[tokio::test]
async fn what_can_not_be_meant_does_not_reach_the_hub() {
    let long = format!("GET /bulks/{}", "x".repeat(65));
    let big = format!("{{\"at\": \"{}\"}}", "2".repeat(2000));
    for (request, body, expected) in [
        (&long[..], "", 400),
        ("GET /bulks/a%0Ab", "", 400),
        ("PUT /bulks/a/schedule", "", 400),
        ("PUT /bulks/a/schedule", r#"{"at": "tomorrow"}"#, 400),
        ("PUT /bulks/a/schedule", r#"{"at": "2026-03-15T10:00:00Z", "in": 5}"#, 400),
        ("PUT /bulks/a/schedule", &big, 413),
        ("DELETE /bulks/a", "", 405),
        ("POST /bulks/a/stop", "", 404),
    ] {
        let (call, status, _) = ask(request, SHOP, body, Ok(VIEW)).await;

        assert_eq!((heard(call), status), (None, expected), "{request} {body}");
    }
}
