//! Calls accounts by outbind (SMPP 5.0 §4.1.1.7): the session begins as the call and goes on as any port's.

use super::connector::connect;
use super::driver::drive;
use super::listener::PortTask;
use super::now;
use super::shared::Shared;
use crate::esme::{Account, Port};
use crate::id::AccountId;
use foldhash::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};

/// Calls the accounts that `named` brings, each once at a time, until `leaving` turns true.
pub(super) async fn call(
    mut named: mpsc::Receiver<AccountId>,
    shared: Arc<Shared>,
    mut leaving: watch::Receiver<bool>,
) {
    let busy: Arc<Mutex<HashSet<AccountId>>> = Arc::default();
    loop {
        let id = tokio::select! {
            id = named.recv() => id,
            _ = leaving.wait_for(|leaving| *leaving) => return,
        };
        let Some(id) = id else { return };
        let Some(account) = shared.registry.account(id).filter(|account| account.outbind.is_some()) else {
            continue;
        };
        if !busy.lock().unwrap_or_else(PoisonError::into_inner).insert(id) {
            continue;
        }
        let (account, shared, busy, mut leaving) =
            (account, Arc::clone(&shared), Arc::clone(&busy), leaving.clone());
        tokio::spawn(async move {
            call_one(id, &account, &shared, &mut leaving).await;
            busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        });
    }
}

/// Connects to `account`, asks it to bind, and runs the port until it ends.
async fn call_one(id: AccountId, account: &Account, shared: &Shared, leaving: &mut watch::Receiver<bool>) {
    let Some(outbind) = &account.outbind else { return };
    let (name, address) = (&account.system_id, &outbind.address);
    let outbinds = |outcome| shared.metrics.outbinds.with_label_values(&["out", outcome]).inc();
    let connected = tokio::select! {
        connected = connect(address) => connected.and_then(|stream| stream.peer_addr().map(|peer| (stream, peer))),
        _ = leaving.wait_for(|leaving| *leaving) => return,
    };
    let (mut stream, peer) = match connected {
        Ok(connected) => connected,
        Err(error) => {
            warn!(account = name, address, %error, "can't call; trying again while something waits");
            return outbinds("failed");
        }
    };
    info!(account = name, %peer, "calling by outbind");
    let registry = Arc::clone(&shared.registry);
    let port = Port::call(shared.session, registry, shared.id_key, (id, outbind), now());
    let mut task = PortTask::new(port, peer, shared);
    let end = drive(&mut stream, &mut task).await;
    outbinds(if task.close(end).is_some() { "bound" } else { "failed" });
}

/// Accounts that wait to be called; the hub names one again that found no room.
pub const CALLS_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::super::mail::Mail;
    use super::*;
    use crate::carrier;
    use crate::codec::{self, Bind, Command, Header, Reading, Status};
    use crate::config::Config;
    use crate::esme::{Outbind, Registry};
    use crate::hub::Event;
    use crate::id::IdKey;
    use crate::metrics::Metrics;
    use crate::runtime::listener;
    use bytes::BytesMut;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    fn caller() -> carrier::Caller {
        carrier::Caller { system_id: "smsc".to_owned(), password: "theirs".to_owned() }
    }

    /// What tasks share in a hub whose only carrier may call it, and who hears of the last task's end.
    fn shared(metrics: &Metrics) -> (Arc<Shared>, mpsc::Receiver<()>) {
        let mut plan = Config::default_plan("127.0.0.1:1").plan;
        plan.hub.carriers[0].carrier.outbind = Some(caller());
        let accounts: Vec<_> = plan.hub.accounts.iter().map(|plan| plan.account.clone()).collect();
        Shared::new(&plan, Registry::new(&accounts), IdKey([7; 16]), metrics.clone())
    }

    /// The next PDU on `stream`, as (command, status, body).
    async fn pdu(stream: &mut TcpStream) -> (Command, Status, Vec<u8>) {
        let mut header = [0; Header::LEN];
        stream.read_exact(&mut header).await.expect("open");
        let header = Header::decode(&header);
        let mut body = vec![0; header.length as usize - Header::LEN];
        stream.read_exact(&mut body).await.expect("open");
        (header.command, header.status, body)
    }

    async fn connected() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        (listener, address)
    }

    fn outbinds(metrics: &Metrics, direction: &str, outcome: &str) -> u64 {
        metrics.outbinds.with_label_values(&[direction, outcome]).get()
    }

    /// SMPP 5.0 §4.1.1.7, field bug F2: the bind answers the call though more was glued to it.
    #[tokio::test]
    async fn carrier_that_calls_is_bound_to() {
        let metrics = Metrics::new();
        let (shared, mut gone) = shared(&metrics);
        let (listener, address) = connected().await;
        let accepting = tokio::spawn(listener::accept(listener, Arc::clone(&shared)));
        let mut stream = TcpStream::connect(&address).await.expect("listening");

        let mut call = BytesMut::new();
        codec::Outbind { system_id: b"smsc", password: b"theirs" }.encode(&mut call, 1);
        codec::header_only(&mut call, Command::ENQUIRE_LINK, Status::ROK, 2);
        stream.write_all(&call).await.expect("open");
        let (command, _, body) = pdu(&mut stream).await;
        assert_eq!(command, Command::BIND_TRANSCEIVER);
        let bind = Bind::decode(&body, Reading::Strict).expect("legal");
        assert_eq!((bind.system_id, bind.password), (&b"enroute"[..], &b"enroute"[..]));
        assert_eq!(pdu(&mut stream).await.0, Command::ENQUIRE_LINK.response());
        let mut bound = BytesMut::new();
        codec::BindResp::default().encode(&mut bound, command.response(), Status::ROK, 1);
        stream.write_all(&bound).await.expect("open");
        drop(stream);

        accepting.abort();
        drop(shared);
        assert_eq!(gone.recv().await, None);
        assert_eq!((outbinds(&metrics, "in", "bound"), outbinds(&metrics, "in", "refused")), (1, 0));
    }

    #[tokio::test]
    async fn caller_with_a_wrong_password_is_left_without_a_word() {
        let metrics = Metrics::new();
        let (shared, _gone) = shared(&metrics);
        let (listener, address) = connected().await;
        let accepting = tokio::spawn(listener::accept(listener, shared));
        let mut stream = TcpStream::connect(&address).await.expect("listening");

        let mut call = BytesMut::new();
        codec::Outbind { system_id: b"smsc", password: b"guess" }.encode(&mut call, 1);
        stream.write_all(&call).await.expect("open");

        assert_eq!(stream.read_buf(&mut BytesMut::new()).await.ok(), Some(0));
        assert_eq!(outbinds(&metrics, "in", "refused"), 1);
        accepting.abort();
    }

    /// Two calls of one account at a time would be two sessions that it never asked for.
    #[tokio::test]
    async fn account_is_called_once_at_a_time_and_binds() {
        let metrics = Metrics::new();
        let (shared, mut gone) = shared(&metrics);
        let (esme, address) = connected().await;
        let outbind = Some(Outbind { address, password: "ours".to_owned() });
        shared.registry.renew([&Account { outbind, ..Account::new("demo", "demo") }]);
        let (calls, named) = mpsc::channel(CALLS_MAX);
        let (leave, leaving) = watch::channel(false);
        let calling = tokio::spawn(call(named, Arc::clone(&shared), leaving));

        calls.try_send(AccountId(0)).expect("room");
        calls.try_send(AccountId(0)).expect("room");
        let (mut stream, _) = esme.accept().await.expect("called");
        let (command, _, body) = pdu(&mut stream).await;
        let said = codec::Outbind::decode(&body, Reading::Strict).expect("legal");
        assert_eq!(
            (command, said.system_id, said.password),
            (Command::OUTBIND, &b"enroute"[..], &b"ours"[..])
        );
        let mut bind = BytesMut::new();
        Bind { system_id: b"demo", password: b"demo", interface_version: 0x34, ..Bind::default() }.encode(
            &mut bind,
            Command::BIND_RECEIVER,
            1,
        );
        stream.write_all(&bind).await.expect("open");
        let (command, status, _) = pdu(&mut stream).await;
        assert_eq!((command, status), (Command::BIND_RECEIVER.response(), Status::ROK));
        drop(stream);

        leave.send_replace(true);
        calling.await.expect("ends when leaving");
        let mut letters = Vec::new();
        shared.mailbox.receive(&mut letters, None);
        drop(shared);
        assert_eq!(gone.recv().await, None);
        let bound =
            |letter: &&Mail| matches!(letter, Mail::Event(Event::PortBound { account: AccountId(0), .. }));
        assert_eq!(letters.iter().filter(bound).count(), 1);
        assert_eq!((outbinds(&metrics, "out", "bound"), outbinds(&metrics, "out", "failed")), (1, 0));
    }
}
