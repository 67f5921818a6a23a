"""The hub and its peers under the same load, one after the other, in one table; see docs/compare.md."""

import argparse
import json
import pathlib
import statistics
import sys
import tempfile

from jasmin import Jasmin
from kannel import Kannel
from place import DIR, Place, Unavailable, cpu_s
from servers import NodeSmpp, Rusmpp, Smpp34


class Enroute:
    """The hub as it is out of the box, but for windows and binds; or with answers that wait for nothing."""

    kind, receipts = "end to end", "yes"

    def __init__(self, durability):
        self.durability = durability
        self.name = "enroute" if durability == "disk" else f"enroute, {durability}"
        self.key = self.name.replace(", ", "-")
        self.syncs = "yes" if durability == "disk" else "after the answer"

    def install(self):
        """There is nothing to install."""

    def start(self, place):
        """Starts a carrier and the hub before it."""
        place.start_carrier()
        (place.dir / "enroute.toml").write_text(f"""
[listener]
address = "127.0.0.1:{place.smpp}"
[http]
address = "127.0.0.1:{place.http}"
[spool]
directory = "{place.dir}/spool"
durability = "{self.durability}"
[[account]]
system_id = "demo"
password = "demo"
binds = {place.binds}
window = {place.window}
[[carrier]]
name = "sim"
address = "127.0.0.1:{place.carrier}"
system_id = "enroute"
password = "enroute"
links = {place.binds}
window = {place.window}
reconnect_min_ms = 20
[route]
default = "sim"
""", encoding="utf-8")
        hub = place.start("hub", [place.binary, "serve", "--config", place.dir / "enroute.toml"])
        place.wait_for_word(hub, "ready")
        return [hub]

    def load(self, place):
        """The load of an ESME."""
        return place.load()


class OwnCarrier:
    """Our simulated carrier, which answers and does nothing else: what such a server costs here."""

    name, key, kind, syncs, receipts = "enroute smsc", "smsc", "answers only", "no", "no"

    def install(self):
        """There is nothing to install."""

    def start(self, place):
        """Starts it where a hub would be."""
        smsc = place.start("smsc", [place.binary, "smsc", "--listen", f"127.0.0.1:{place.smpp}"])
        place.wait_for_word(smsc, "listening")
        return [smsc]

    def load(self, place):
        """The load of an ESME that wants no receipts."""
        return place.load("--no-receipts")


PEERS = [Enroute("disk"), Enroute("memory"), Kannel(), Jasmin(), OwnCarrier(), Rusmpp(), Smpp34(), NodeSmpp()]


def measure(peer, options):
    """One run: figures, or the reason why there are none."""
    with tempfile.TemporaryDirectory(prefix="run-", dir=DIR) as folder:
        place = Place(pathlib.Path(folder), options)
        try:
            servers = peer.start(place)
            before = cpu_s(servers)
            report = peer.load(place)
            spent = cpu_s(servers) - before
            done = report["accepted" if peer.receipts == "no" else "receipts"]
            if not done:
                raise Unavailable(f"of {report['accepted']} messages nothing came back")
        except Unavailable:
            place.show_logs()
            raise
        finally:
            place.stop()
    return {"peer": peer.name, "messages_per_s": done / report["seconds"], "cpu_us": spent * 1e6 / done, "report": report}


def row(peer, options):
    """A line of the table, as words."""
    try:
        peer.install()
        runs = []
        for _ in range(options.runs):
            runs.append(measure(peer, options))
            if options.json:
                print(json.dumps(runs[-1]), flush=True)
        rates, costs = ([run[figure] for run in runs] for figure in ("messages_per_s", "cpu_us"))
        missing = sum(run["report"]["accepted"] - run["report"]["receipts"] for run in runs) if peer.receipts != "no" else 0
        told = peer.receipts if missing <= 0 else f"{peer.receipts}, {missing:,} missing"
        figures = [f"{statistics.median(rates):,.0f}", f"{statistics.median(costs):,.1f}"]
        if options.runs > 1:
            figures[0] += f" ({min(rates):,.0f} to {max(rates):,.0f})"
    except Unavailable as reason:
        figures, told = [str(reason).splitlines()[0], ""], peer.receipts
    return [peer.name, peer.kind, *figures, peer.syncs, told]


def main():
    """Runs what was asked for."""
    parser = argparse.ArgumentParser(prog="scripts/compare", description="The hub beside its peers, in one table.")
    parser.add_argument("peers", nargs="*", help="one or more of: " + " ".join(peer.key for peer in PEERS))
    parser.add_argument("--binary", type=pathlib.Path, required=True, help="the hub's program")
    parser.add_argument("--seconds", type=int, default=10, help="how long each is sent to")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--binds", type=int, default=8)
    parser.add_argument("--window", type=int, default=100)
    parser.add_argument("--text-len", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    unknown = set(options.peers) - {peer.key for peer in PEERS}
    if unknown:
        parser.error(f"no peer is called {', '.join(sorted(unknown))}")
    DIR.mkdir(parents=True, exist_ok=True)
    heading = ["", "does", "messages/s", "server CPU µs a message", "syncs", "receipts"]
    lines = ["| " + " | ".join(heading) + " |", "| " + " | ".join(["---"] * len(heading)) + " |"]
    for peer in PEERS:
        if not options.peers or peer.key in options.peers:
            print(f"{peer.name} ...", file=sys.stderr, flush=True)
            lines.append("| " + " | ".join(row(peer, options)) + " |")
    print(f"{options.binds} binds, window {options.window}, {options.text_len} octets of text, {options.seconds} s, {options.runs} runs:\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
