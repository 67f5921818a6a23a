"""One run's world: a hub between clients and carriers, with proxies on the links, ledgers, and a verdict at the end."""

import asyncio
import os
import pathlib
import random
import shutil
import socket
import time

import checker
from client import Client
from hub import ROOT, Hub
from ledger import Ledger
from proxy import Proxy
from sink import Sink

WINDOW, LINKS, SESSIONS = 50, 2, 4
FLUSH_S = 0.25


def base():
    """Where runs have their folders: a real disk, since syncs count."""
    return pathlib.Path(os.environ.get("FAULTS_DIR", ROOT / "target" / "faults"))


def free_port():
    """A port that nobody listens on, below the ephemeral ones."""
    while True:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class World:
    """`settings` are keys of the configuration, dotted; `carrier.` ones hold for all carriers.

    `accounts` are names of accounts; the first one is who submits. `proxied` puts proxies on the carriers' links,
    `fronted` one between clients and hub.
    """

    def __init__(self, name, options, settings=None, *, proxied=False, fronted=False, accounts=("demo",), spool=None,
                 env=None, more=()):
        self.dir = base() / f"{name}-{os.getpid()}"
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir(parents=True)
        self.options, self.name = options, name
        self.random = random.Random(options.seed)
        self.clients_ledger = Ledger(self.dir / "clients.jsonl")
        self.sinks_ledger = Ledger(self.dir / "sinks.jsonl")
        self.events = Ledger(self.dir / "events.jsonl")
        self.smpp = free_port()
        self.spool = pathlib.Path(spool or self.dir / "spool")
        self.sinks = [Sink(self.sinks_ledger, name, free_port(), options.seed + place)
                      for place, name in enumerate("AB")]
        self.proxies = [Proxy(free_port(), sink.port) for sink in self.sinks] if proxied else []
        self.front = Proxy(free_port(), self.smpp) if fronted else None
        self.binary = options.binary
        self.hub = Hub(self.binary, self.dir, self.sections(settings or {}, accounts) + list(more), env)
        port = self.front.port if self.front else self.smpp
        self.clients = [Client(self.clients_ledger, port, account, seed=options.seed + place)
                        for place, account in enumerate(accounts)]
        self.client = self.clients[0]
        self.client.schedule_s = 2 if options.short else 5
        self.flusher, self.began, self.samples = None, time.monotonic(), []
        self.sizes = {}

    def sections(self, settings, accounts):
        """The configuration, by heading."""
        extra = {}
        for key, value in settings.items():
            heading, _, name = key.rpartition(".")
            extra.setdefault(heading, {})[name] = value
        ports = [proxy.port for proxy in self.proxies] or [sink.port for sink in self.sinks]
        own = {"listener": {"address": f'"127.0.0.1:{self.smpp}"'}, "http": {"address": '"127.0.0.1:0"'},
               "spool": {"directory": f'"{self.spool}"'}, "log": {"level": '"info"'}}
        sections = []
        for heading in [*own, *(heading for heading in extra if heading not in own)]:
            if heading not in ("account", "carrier"):
                sections.append((f"[{heading}]", {**own.get(heading, {}), **extra.get(heading, {})}))
        for account in accounts:
            sections.append(("[[account]]", {"system_id": f'"{account}"', "password": f'"{account}"', "binds": 16,
                                             "window": WINDOW, "deliver_window": WINDOW, "senders": '["*"]',
                                             **extra.get("account", {})}))
        for sink, port in zip(self.sinks, ports):
            sections.append(("[[carrier]]", {
                "name": f'"{sink.name}"', "address": f'"127.0.0.1:{port}"', "system_id": '"hub"', "password": '"rig"',
                "links": LINKS, "window": WINDOW, "reconnect_min_ms": 50, "reconnect_max_ms": 500,
                **extra.get("carrier", {})}))
        sections.append(("[route]", {"default": '"A"'}))
        for place, sink in enumerate(self.sinks):
            sections.append(("[[route.prefix]]", {"prefix": f'"{place + 1}"', "carrier": f'"{sink.name}"'}))
        return sections

    async def start(self):
        """Everything runs and is bound."""
        self.flusher = asyncio.ensure_future(self.flush())
        for part in (*self.sinks, *self.proxies, *([self.front] if self.front else [])):
            await part.start()
        await self.hub.start()
        for client in self.clients:
            client.start()
        await self.bound()

    async def bound(self, limit=60):
        """Waits until all links and sessions are bound; gives the seconds that it took."""
        began = time.monotonic()
        while not self.is_bound():
            if time.monotonic() - began > limit:
                raise RuntimeError("links or sessions are not bound in time")
            await asyncio.sleep(0.01)
        return round(time.monotonic() - began, 3)

    def is_bound(self):
        """Whether all links and sessions are bound."""
        return all(sum(link.bound for link in sink.links) >= LINKS for sink in self.sinks) and all(
            sum(session.bound for session in client.sessions) >= client.wanted for client in self.clients)

    async def flush(self):
        """Writes ledgers now and then."""
        while True:
            await asyncio.sleep(FLUSH_S)
            for book in (self.clients_ledger, self.sinks_ledger, self.events):
                book.flush()

    def load(self, rate=None):
        """Submits at `rate`, or as the options say."""
        self.client.rate = self.options.rate if rate is None else rate

    async def last(self, seconds):
        """Lets time go by; fails if the hub ends meanwhile."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await asyncio.sleep(min(0.05, max(0.0, end - time.monotonic())))
            if self.hub.process.returncode is not None:
                raise RuntimeError(f"the hub ended with {self.hub.process.returncode}: {self.hub.log()[-2000:]}")

    def disturb(self, event, links="AB", window=None, **more):
        """Notes an event that leaves the fate of what is in the windows of `links` open."""
        window = WINDOW * LINKS * len(links) if window is None else window
        self.events.note(event, links=links, window=window, **more)

    def lasting(self, event, since, links="AB", window=None, **more):
        """Notes an event that lasted from `since` (monotonic) to now."""
        self.disturb(event, links, window, since=since, **more)

    async def kill_and_quiesce(self):
        """Kills the hub, starts it again, and lets everything come to its end; gives how many seconds that took."""
        self.disturb("kill")
        await self.hub.kill()
        await self.hub.start()
        await self.bound()
        await self.last(1)
        return await self.quiesce()

    async def quiesce(self, patience=60, receipts=True, limit=600):
        """No more load; waits until everything has come back, or nothing has for `patience` seconds, `limit` at most."""
        self.client.rate = 0
        began = progress = time.monotonic()
        last = None
        while True:
            state = (sum(len(client.open) for client in self.clients), sum(client.finals for client in self.clients),
                     sum(sink.backlog() for sink in self.sinks), sum(sink.taken for sink in self.sinks),
                     sum(len(session.outstanding) for client in self.clients for session in client.sessions))
            if state != last:
                last, progress = state, time.monotonic()
            if (state[0] == 0 or not receipts) and state[2] == 0 and state[4] == 0:
                break
            if time.monotonic() - progress > patience or time.monotonic() - began > limit:
                break
            await asyncio.sleep(0.05)
        return round(time.monotonic() - began, 3)

    async def empty(self, limit=30):
        """Waits until the hub says that it holds no message; gives what it still says at the end (I10)."""
        end = time.monotonic() + limit
        while True:
            held = await self.hub.metric("enroute_messages", 'place="all"')
            if held == 0 or time.monotonic() > end:
                return int(held)
            await asyncio.sleep(0.1)

    async def finish(self, figures=None, failures=(), counters=True, **how):
        """Ends the run and gives its result."""
        failures = list(failures)
        if self.hub.process.returncode is None:
            left = await self.empty()
            if left and how.get("receipts", True):
                failures.append(f"the hub still counts {left} messages")
            series = await self.hub.metrics() if counters and self.hub.runs == 1 else None
            code, seconds = await self.hub.terminate()
            if code != 0 or seconds > 15:
                failures.append(f"SIGTERM: exit code {code} after {seconds:.1f} s")
        else:
            series = None
            failures.append(f"the hub ended with {self.hub.process.returncode}")
        if self.hub.panicked():
            failures.append("the hub panicked")
        await self.stop()
        run, verdict = checker.check(self.dir, **how)
        if series:
            accepted = sum(1 for token in run.accepted)
            told = series.get("enroute_submitted_total", 0) - sum(
                value for key, value in series.items() if key.startswith("enroute_refused_total"))
            if not accepted <= told <= accepted + len(run.unknown):
                verdict.breach("I10", f"the hub counts {told:.0f} accepted, the clients {accepted}")
        figures = {**verdict.figures, **(figures or {})}
        return Result(self, run, verdict, figures, failures)

    async def stop(self):
        """Ends all but the hub's files."""
        for client in self.clients:
            await client.stop()
        for part in (*self.proxies, *([self.front] if self.front else []), *self.sinks):
            await part.stop()
        if self.hub.process and self.hub.process.returncode is None:
            await self.hub.kill()
        self.flusher.cancel()
        for book in (self.clients_ledger, self.sinks_ledger, self.events):
            book.close()


class Result:
    """What came of a run."""

    def __init__(self, world, run, verdict, figures, failures):
        self.world, self.run, self.verdict, self.figures, self.failures = world, run, verdict, figures, failures

    def require(self, holds, what):
        """Fails the run unless it holds."""
        if not holds:
            self.failures.append(what)
        return self

    def in_time(self, holds, what):
        """The same where it is about speed: in the short tier, which shares its machine, it is only told."""
        if not holds and self.world.options.short:
            self.figures.setdefault("slow", []).append(what)
            return self
        return self.require(holds, what)

    def told(self):
        """As a value for JSON."""
        breaches = self.verdict.report()
        good = not breaches and not self.failures
        return {"pass": good, "figures": self.figures, "breaches": breaches, "failures": self.failures,
                "seconds": round(time.monotonic() - self.world.began, 1),
                "ledgers": str(self.world.dir) if not good or self.world.options.keep else None}
