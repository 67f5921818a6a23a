//! Reads the configuration again while the hub works by it: all or nothing.
//!
//! The file, and every file that it names, is read and checked on a thread of its own. If anything is faulty, all of it is told and
//! nothing has changed. Otherwise the hub is brought the new settings at once, and what changed is told.

use super::Config;
use super::difference::{difference, in_words};
use crate::esme::Registry;
use crate::http::{ReloadCall, Reloaded};
use crate::metrics::Metrics;
use crate::runtime::Reloader;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::signal::unix::Signal;
use tokio::sync::mpsc;
use tracing::{info, warn};

/// The file that a hub was started with, and the way to change what it goes by.
pub struct Reloading {
    /// As the operator named it; `None`: the hub was started without one.
    pub file: Option<PathBuf>,
    /// What it said at the start, and when it was read last.
    pub started: String,
    pub text: String,
    pub reloader: Reloader,
    /// Who asks at the customers' desk.
    pub desk: Arc<Registry>,
    pub metrics: Metrics,
}

impl Reloading {
    /// Reads the file again whenever `hangup` comes or somebody asks, until nobody can ask any more.
    pub async fn serve(mut self, mut hangup: Signal, mut asked: mpsc::Receiver<ReloadCall>) {
        loop {
            let call = tokio::select! {
                _ = hangup.recv() => None,
                call = asked.recv() => match call {
                    Some(call) => Some(call),
                    None => return,
                },
            };
            let came = self.again().await;
            self.tell(&came);
            if let Some(call) = call {
                let _ = call.send(came); // he may have gone meanwhile
            }
        }
    }

    /// Reads the file again, and has the hub go by it.
    async fn again(&mut self) -> Reloaded {
        let Some(file) = self.file.clone() else { return Reloaded::Nothing };
        let names = self.reloader.names().clone();
        let name = file.display().to_string();
        let read = tokio::task::spawn_blocking(move || {
            let text = std::fs::read_to_string(&file).map_err(|error| vec![format!("{name}: {error}")])?;
            let config = Config::parse_for(&text, &name, &names).map_err(|faults| in_words(&faults))?;
            Ok((text, config))
        });
        let (text, config) = match read.await {
            Ok(Ok(read)) => read,
            Ok(Err(faults)) => return Reloaded::Faulty(faults),
            Err(error) => return Reloaded::Faulty(vec![error.to_string()]),
        };
        if self.reloader.apply(config.plan.hub, &self.desk).await.is_err() {
            return Reloaded::Stopped;
        }
        let found = difference(&self.text, &text);
        let later = difference(&self.started, &text).later; // as long as nobody has restarted it
        self.text = text;
        Reloaded::Done { changes: found.now, needs_restart: later }
    }

    fn tell(&self, came: &Reloaded) {
        let outcome = |word| self.metrics.reloads.with_label_values(&[word]).inc();
        match came {
            Reloaded::Done { changes, needs_restart } => {
                outcome("done");
                info!(
                    changes = changes.len(),
                    needs_restart = needs_restart.len(),
                    "configuration read again"
                );
                changes.iter().for_each(|change| info!(change, "reloaded"));
                needs_restart.iter().for_each(|change| warn!(change, "needs a restart; left as it was"));
            }
            Reloaded::Faulty(faults) => {
                faults.iter().for_each(|fault| warn!(fault, "the configuration is faulty"));
                outcome("faulty");
                warn!(faults = faults.len(), "nothing has changed");
            }
            Reloaded::Nothing => {
                outcome("nothing");
                warn!("the hub runs without a configuration file: there is nothing to reload");
            }
            Reloaded::Stopped => {}
        }
    }
}
