"""The configuration is read again under load, a hundred times, with routes, accounts and carriers that come, change and go."""

import asyncio
import json
import time

from sink import Sink
from world import SESSIONS, World, free_port

# What a message may still do by a rule that is gone.
STALE_S = 1.0
PREFIXES = ("1", "2", "3", "4")


class Plan:
    """What the configuration says at one time; parties that never change are account `demo` and carriers A and B."""

    def __init__(self, world, spare):
        self.world, self.spare = world, spare
        self.fixed = [part for part in world.hub.sections if not part[0].startswith("[[route") and part[0] != "[route]"]
        self.carrier = next(keys for heading, keys in self.fixed if heading == "[[carrier]]")
        self.routes, self.has_spare, self.window, self.guest = dict(zip(PREFIXES, "ABAB")), False, 50, "guest"
        self.members, self.ladder = "AB", 30

    def change(self, random):
        """One to three things change; a carrier goes only when no rule names it, and may be gone from one turn to the next."""
        for what in random.sample(["routes", "routes", "spare", "guest", "ladder"], random.randint(1, 3)):
            usable = "ABC" if self.has_spare else "AB"
            if what == "routes":
                self.routes[random.choice(PREFIXES)] = random.choice([*usable, "group", None])
                self.members = "".join(random.sample(usable, 2))
            elif what == "spare" and self.has_spare and random.random() < 0.3:
                # Its address stays, but it is bound anew.
                self.window = random.choice([20, 30, 40])
            elif what == "spare":
                self.has_spare = not self.has_spare
            elif what == "guest":
                self.guest = random.choice([None, "guest", "other"])
            else:
                self.ladder = random.randint(20, 40)
        self.tidy()

    def tidy(self):
        """No rule names a carrier that isn't there."""
        if not self.has_spare:
            self.routes = {prefix: None if target == "C" else target for prefix, target in self.routes.items()}
            self.members = "AB" if "C" in self.members else self.members

    def last(self):
        """How it ends: everybody is there."""
        self.has_spare, self.guest = True, self.guest or "guest"
        self.tidy()

    def allowed(self):
        """By prefix, the carriers that a rule leads to; with a star where it is the default's."""
        places = {"A": "A", "B": "B", "C": "C", "group": self.members, None: "A*"}
        return {prefix: places[target] for prefix, target in self.routes.items()}

    def sections(self):
        """The whole configuration."""
        found = []
        for heading, keys in self.fixed:
            if keys.get("system_id") == '"guest"':
                if self.guest is None:
                    continue
                keys = {**keys, "password": f'"{self.guest}"'}
            elif heading == "[[carrier]]":
                # A ladder counts for the next answer; the links stay.
                keys = {**keys, "retry.transient.delays_s": [self.ladder]}
            found.append((heading, keys))
        if self.has_spare:
            found.append(("[[carrier]]", {**self.carrier, "name": '"C"', "address": f'"127.0.0.1:{self.spare.port}"',
                                          "window": self.window}))
        members = ", ".join(f'"{name}"' for name in self.members)
        found.append(("[[route.group]]", {"name": '"group"', "kind": '"round_robin"', "members": f"[{members}]"}))
        found.append(("[route]", {"default": '"A"'}))
        for prefix, target in self.routes.items():
            if target:
                found.append(("[[route.prefix]]", {"prefix": f'"{prefix}"', "carrier": f'"{target}"'}))
        return found


async def x27(options):
    """Routes, an account and a carrier come, change and go at each reload; each seventh file is faulty and changes nothing."""
    world = World("X27", options, accounts=("demo", "guest"))
    demo, guest = world.clients
    demo.carriers = guest.carriers = tuple(prefix.encode() for prefix in PREFIXES)
    spare = Sink(world.sinks_ledger, "C", free_port(), options.seed + 9)
    plan = Plan(world, spare)
    world.hub.sections = plan.sections()
    await world.start()
    await spare.start()
    # Whoever is there only at times is waited for at the end.
    guest.wanted = 0
    world.load()
    guest.rate = options.rate / 20
    await world.last(1)
    binds = [sink.binds for sink in world.sinks]
    epochs, failures, took, told = [[0.0, None, plan.allowed()]], [], [], 0
    count = options.count or (20 if options.short else 100)
    for number in range(1, count + 1):
        began = time.monotonic()
        if number % 7 == 0:
            failures += await faulty(world, plan)
            continue
        plan.last() if number + 1 >= count else plan.change(world.random)
        world.hub.sections = plan.sections()
        world.hub.write()
        status, answer = await world.hub.post("/admin/reload")
        now = time.monotonic()
        took.append(now - began)
        if status != 200:
            failures.append(f"reload {number}: {status} {answer[:300]}")
        told += len(json.loads(answer).get("changes", ()))
        guest.password = plan.guest or "nobody"
        world.events.note("reload", routes=plan.allowed())
        epochs[-1][1] = now
        epochs.append([began, None, plan.allowed()])
        await world.last(world.random.uniform(0.1, 0.5 if options.short else 1.8))
    guest.rate = 0
    world.sinks.append(spare)
    guest.wanted = SESSIONS
    await world.bound()
    await world.last(1)
    drain = await world.quiesce()
    stayed = [sink.binds - before for sink, before in zip(world.sinks, binds)]
    result = await world.finish(
        {"reloads": len(took), "changes_told": told, "reload_ms_max": round(1000 * max(took), 1), "drain_s": drain,
         "binds_of_the_spare": spare.binds, "sessions_of_the_guest": guest.names}, failures)
    result.require(stayed[:2] == [0, 0], f"{stayed[:2]} links of carriers that did not change were bound anew")
    result.require(demo.names == SESSIONS, f"{demo.names - SESSIONS} sessions of the account that did not change were dropped")
    return stale(result, epochs)


def stale(result, epochs):
    """How late anything came by a rule that was gone."""
    run, latest, several = result.run, 0.0, 0
    for token, all_ in run.got.items():
        prefix, sent = run.sent[token]["to"][0], run.sent[token]["t"]
        # What came in by the default has a rule that is there for ever, and stays with it though a prefix fits now.
        by_default = any("*" in routes[prefix] for began, end, routes in epochs
                         if began <= all_[-1]["t"] and (end or sent) >= sent)
        for got in all_:
            ends = [end or got["t"] for began, end, routes in epochs if began <= got["t"] and got["s"][0] in routes[prefix]]
            if by_default and got["s"][0] == "A":
                continue
            late = got["t"] - max(ends, default=0.0)
            several += late > 0
            latest = max(latest, late)
    result.figures["by_a_rule_that_was_gone"] = {"messages": several, "latest_s": round(latest, 3)}
    return result.require(latest <= STALE_S, f"a message came {latest:.2f} s after its rule was gone")


async def faulty(world, plan):
    """A file with a fault changes nothing at all; gives what was wrong about that."""
    world.hub.sections = [*plan.sections()[:-1], ("[[route.prefix]]", {"prefix": '"1"', "carrier": '"nobody"'})]
    world.hub.write()
    status, answer = await world.hub.post("/admin/reload")
    world.hub.sections = plan.sections()
    await asyncio.sleep(0.1)
    return [] if status == 422 else [f"a faulty file was answered {status} {answer[:300]}"]
