"""What befalls connections: flaps, half-open links, flipped bits, clients that hang up early or connect for nothing."""

import asyncio
import socket
import struct
import time

import smpp
from proxy import Proxy
from world import WINDOW, World, free_port


async def x12(options):
    """Carrier links are cut at random, each every 5 to 60 s, with FIN or RST."""
    world = World("X12", options, proxied=True)
    await world.start()
    world.load()
    shortest, longest = (0.5, 3.0) if options.short else (5.0, 60.0)
    end = time.monotonic() + (options.seconds or (9 if options.short else 1800))
    next_cut, cuts = {}, 0
    while time.monotonic() < end:
        await world.last(0.1)
        now = time.monotonic()
        for sink, proxy in zip(world.sinks, world.proxies):
            for pipe in list(proxy.pipes):
                due = next_cut.setdefault(pipe, now + world.random.uniform(shortest, longest))
                if due <= now:
                    world.disturb("cut", links=sink.name, window=WINDOW)
                    pipe.cut(reset=world.random.random() < 0.5)
                    del next_cut[pipe]
                    cuts += 1
    rebound = await world.bound()
    await world.last(1)
    drain = await world.quiesce()
    result = await world.finish({"cuts": cuts, "bound_again_s": rebound, "drain_s": drain})
    result.require(cuts > 0, "nothing was cut")
    return result.require(rebound <= 60, "not bound again within 60 s")


async def x13(options):
    """A link goes half-open: octets vanish in one direction or both, and nobody closes."""
    settings = {"listener.enquire_link_s": 2, "listener.response_s": 2, "retry.unanswered.delays_s": [1]}
    world = World("X13", options, settings if options.short else {"retry.unanswered.delays_s": [1]}, proxied=True)
    enquire, timer = (2, 2) if options.short else (30, 30)
    limit = 8 if options.short else 45
    await world.start()
    world.load()
    found, failures = {}, []
    for way, fields in (("both", "ud"), ("towards us", "d"), ("towards the carrier", "u")):
        await world.last(1)
        pipe = world.proxies[0].pipes[0]
        pipe.up.swallow, pipe.down.swallow = "u" in fields, "d" in fields
        began = time.monotonic()
        while pipe.open and time.monotonic() - began < 3 * limit:
            await world.last(0.05)
        found[way] = round(time.monotonic() - began, 2)
        failures += [f"a half-open link was never found: {way}"] if pipe.open else []
        pipe.cut()
        world.lasting("half_open", began, links="A", window=WINDOW, way=way)
        await world.bound()
    await world.last(1)
    drain = await world.quiesce()
    result = await world.finish({"found_s": found, "enquire_link_s": enquire, "drain_s": drain}, failures,
                                timer_s=timer)
    run = result.run
    waits = [run.got[token][-1]["t"] - sent["t"] for token, sent in run.sent.items()
             if token in run.accepted and run.got.get(token) and "at" not in sent]
    result.figures["longest_wait_s"] = round(max(waits), 2)
    result.in_time(max(found.values()) <= limit, f"a half-open link was found only after {max(found.values())} s")
    return result.in_time(max(waits) <= max(timer + 5, limit), "a message waited longer than the timer and 5 s")


async def x25(options):
    """Clients hang up between their submission and reading its answer."""
    world = World("X25", options, fronted=True)
    await world.start()
    world.load()
    end = time.monotonic() + (options.seconds or (8 if options.short else 60))
    cuts = 0
    while time.monotonic() < end:
        await world.last(world.random.uniform(0.1, 0.5))
        for pipe in list(world.front.pipes):
            if world.random.random() < 0.5:
                # The answers are in the proxy or on their way; they reach nobody.
                pipe.down.swallow = True
        await world.last(0.05)
        for pipe in list(world.front.pipes):
            if pipe.down.swallow:
                world.events.note("client_gone")
                pipe.cut(reset=True)
                cuts += 1
    await world.bound()
    drain = await world.quiesce()
    result = await world.finish({"cuts": cuts, "drain_s": drain}, extra_receipts=cuts * WINDOW)
    run = result.run
    kept = sum(1 for token in run.unknown if token in run.got)
    result.figures["unanswered_and_sent"] = kept
    result.require(kept > 0, "no submission was accepted unheard: nothing was proved")
    return result.require(result.figures["doubles"] == 0, "a submission came twice")


async def x26(options):
    """Bits flip on the carriers' links."""
    world = World("X26", options, {"listener.response_s": 5, "retry.unanswered.delays_s": [2]}, proxied=True)
    await world.start()
    world.load(200)
    for proxy in world.proxies:
        proxy.greet = lambda pipe: pipe.both(flip_every=200_000)
        for pipe in proxy.pipes:
            pipe.both(flip_every=200_000)
    end = time.monotonic() + (options.seconds or (8 if options.short else 60))
    began = time.monotonic()
    await world.last(end - began)
    world.lasting("flips", began)
    for proxy in world.proxies:
        proxy.greet = None
        for pipe in list(proxy.pipes):
            pipe.cut()
    world.disturb("cut")
    await world.bound()
    drain = await world.quiesce(patience=20)
    # Flipped octets change texts, ids and states, which nobody can tell on a link without checksums.
    return await world.finish({"drain_s": drain}, timer_s=5, receipts=False, counters=False,
                              ignore=("I1", "I3", "I6", "I11", "I4", "I5"))


async def x32(options):
    """Connections for nothing: bind and unbind, or connect and reset, thousands of times."""
    world = World("X32", options)
    await world.start()
    world.load(options.rate / 4)
    await world.last(3)
    # Messages that are over are remembered for a while: none may come meanwhile.
    await world.quiesce()
    cycles = options.count or (500 if options.short else 10_000)
    # A warm-up of the same kind, so that what grows once is not taken for a leak.
    await cycle(world, cycles // 10 + 100)
    await world.last(2)
    rss, files = world.hub.rss_kib(), world.hub.descriptors()
    await cycle(world, cycles)
    await world.last(3)
    grown = (world.hub.rss_kib() - rss) / 1024
    more = world.hub.descriptors() - files
    world.load(options.rate / 4)
    await world.last(2)
    drain = await world.quiesce()
    result = await world.finish({"cycles": 2 * cycles, "rss_grew_mib": round(grown, 1), "descriptors_more": more,
                                 "drain_s": drain})
    result.require(grown <= 5, f"memory grew by {grown:.1f} MiB")
    return result.require(more == 0, f"{more} descriptors more than before")


async def cycle(world, cycles):
    """Binds and unbinds `cycles` times, then connects and resets as often, 20 at a time."""
    async def bind_and_unbind():
        reader, writer = await asyncio.open_connection("127.0.0.1", world.smpp)
        writer.write(smpp.pdu(smpp.BIND_TRANSMITTER, 0, 1, smpp.bind("demo", "demo")))
        await reader.readexactly(16)
        writer.write(smpp.pdu(smpp.UNBIND, 0, 2))
        await reader.read()
        writer.close()

    async def reset():
        loop = asyncio.get_running_loop()
        with socket.socket() as end:
            end.setblocking(False)
            await loop.sock_connect(end, ("127.0.0.1", world.smpp))
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    for what, together in ((bind_and_unbind, 8), (reset, 20)):
        for _ in range(cycles // together + 1):
            await asyncio.gather(*(what() for _ in range(together)))


# A message in the hub's books, with its places in tables that double.
ROW_OCTETS = 256


async def x24(options):
    """ESMEs that never answer receipts, answer late, refuse them for now, or read an octet a second."""
    # What waits lies on disk; a message that is out or waits has a row in the hub's books.
    world = World("X24", options, {"limits.receipt_retry_s": 1, "listener.response_s": 4 if options.short else 30,
                                   "limits.bodies_in_memory": 1000},
                  accounts=("demo", "never", "late", "later", "drip"))
    span = options.seconds or (12 if options.short else 120)
    demo, never, late, refusing, drip = world.clients
    front = Proxy(free_port(), world.smpp)
    front.small = True
    await front.start()
    drip.port = front.port
    for client in (never, late, refusing, drip):
        client.rate, client.wanted = (200, 1)
        client.scheduled_share = 0
    await world.start()
    world.load(options.rate / 2)
    await world.last(3)
    base = world.hub.rss_kib()
    never.answering, refusing.answering = "never", smpp.TEMPORARY
    late.answering = 3.0 if options.short else 29.0
    for pipe in front.pipes:
        pipe.down.drip_s = 1.0
    most = 0
    end = time.monotonic() + span
    while time.monotonic() < end:
        await world.last(0.2)
        most = max(most, world.hub.rss_kib())
    grown = (most - base) / 1024
    held = await world.hub.metric("enroute_messages", 'place="all"')
    for client in world.clients:
        client.rate, client.answering = 0, "ok"
    for pipe in front.pipes:
        pipe.down.drip_s = 0.0
        pipe.cut()
    began = time.monotonic()
    drain = await world.quiesce(patience=60)
    sessions = sum(client.names for client in (never, late, refusing, drip))
    result = await world.finish({"rss_grew_mib": round(grown, 1), "held": int(held), "drain_s": round(time.monotonic() - began, 1),
                                 "sessions_of_the_slow": sessions}, extra_receipts=sessions * WINDOW)
    await front.stop()
    own = sorted(run_wait(result.run, "demo"))
    if own:
        result.figures["others_answer_p99_ms"] = round(1000 * own[int(len(own) * 0.99)], 1)
    result.in_time(grown <= sessions + 16 + held * ROW_OCTETS / 2**20, f"memory grew by {grown:.1f} MiB")
    result.require(demo.refused == 0, "the good account was refused something")
    return result.require(not demo.open, "the good account lacks receipts")


def run_wait(run, account):
    """Seconds to each yes that an account heard."""
    return [run.resp[token][0] - run.sent[token]["t"] for token in run.accepted
            if run.sent[token]["s"].startswith(account)]
