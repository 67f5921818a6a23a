//! The whole line as processes: load → hub → smsc, and beside it in the same run what a bare relay and a bare server reach.
//!
//! ```text
//! cargo bench --bench line -- [--binds 8] [--links 8] [--window 100] [--seconds 10] [--runs 3] [--json] ...     see --help
//! cargo bench --bench line -- table [--quick] [--page docs/benchmarks.md] [ROW...]                  or scripts/bench
//! ```
//!
//! The relay passes octets, one connection for one connection, and knows nothing of SMPP: what it reaches is what
//! sockets, load client and carrier leave of the machine. The ratio between the two is the hub's own share. The server answers
//! each request by itself, which is the limit for a hub that only accepts.

#[path = "../../tests/support/mod.rs"]
mod support;

mod bare;
mod figure;
mod machine;
mod page;
mod run;
mod shape;
mod table;
mod world;

use clap::{Parser, Subcommand};
use run::{Middle, Run};
use serde_json::json;
use shape::Shape;

/// The end-to-end bench: load, hub and carrier as processes, a bare relay and a bare server in the same run.
#[derive(Clone, Debug, Parser)]
#[command(name = "line")]
struct Cli {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    shape: Shape,
    /// Runs of each kind; the median by messages/s is compared.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// What stands between load and carrier, in turn.
    #[arg(long, value_enum, num_args = 1.., default_values = ["hub", "relay", "server"])]
    middle: Vec<Middle>,
    /// Print a JSON object for each run, and one for all, instead of prose.
    #[arg(long, global = true)]
    json: bool,
    /// What cargo bench adds to every bench's command line.
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Every figure of docs/benchmarks.md's table, with what is wanted of it.
    Table(table::Options),
}

fn main() {
    bare::be_one_if_told();
    let cli = Cli::parse();
    if !cli.bench {
        // `cargo test --benches` and the like only want to know that it builds.
        println!("run me with cargo bench --bench line");
        return;
    }
    machine::raise_descriptors();
    match &cli.what {
        Some(What::Table(options)) => table::print(options, cli.json),
        None => compare(&cli),
    }
}

/// Runs each kind so often, in turn, and tells of the medians.
fn compare(cli: &Cli) {
    let mut runs: Vec<Vec<Run>> = vec![Vec::new(); cli.middle.len()];
    for _ in 0..cli.runs.max(1) {
        for (middle, runs) in cli.middle.iter().zip(&mut runs) {
            // Past a bare peer nothing can be idle, parked or paused.
            if *middle != Middle::Hub
                && (cli.shape.binds == 0 || (cli.shape.paused && *middle == Middle::Relay))
            {
                continue;
            }
            let run = world::run_once(*middle, &cli.shape);
            match cli.json {
                true => println!("{}", run.json()),
                false => run.print(),
            }
            runs.push(run);
        }
    }
    let rate = |wanted: Middle| {
        let found =
            cli.middle.iter().zip(&runs).find(|(middle, runs)| **middle == wanted && !runs.is_empty());
        found.map(|(_, runs)| figure::median(runs.iter().map(|run| run.messages_per_s)))
    };
    let [hub, relay, server] = [Middle::Hub, Middle::Relay, Middle::Server].map(rate);
    let share = |of: Option<f64>| Some(hub? / of?);
    if cli.json {
        let ratios = json!({ "relay": share(relay), "server": share(server) });
        println!("{}", json!({ "hub": hub, "relay": relay, "server": server, "ratio": ratios }));
        return;
    }
    let names = [("hub", hub), ("bare relay", relay), ("bare server", server)];
    for (name, rate) in names.iter().filter_map(|(name, rate)| Some((name, (*rate)?))) {
        println!("median: {name:<11} {rate:>9.0} messages/s");
    }
    for (name, share) in [("relay", share(relay)), ("server", share(server))] {
        share.into_iter().for_each(|share| println!("hub / bare {name:<6} {share:>9.3}"));
    }
}
