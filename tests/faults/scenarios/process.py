"""What befalls the hub's process: kill -9, kill while it recovers, SIGTERM, SIGSTOP."""

import asyncio
import pathlib
import signal
import time

import checker
from world import SESSIONS, WINDOW, World


def octets(directory):
    """Octets on disk below a folder."""
    return sum(path.stat().st_blocks * 512 for path in pathlib.Path(directory).rglob("*") if path.is_file())


async def x1(options):
    """kill -9 at random times under load; restarted at once."""
    world = World("X1", options)
    await world.start()
    world.load()
    count = options.count or (5 if options.short else 20)
    ready, backlog = [], 0
    for _ in range(count):
        await world.last(world.random.uniform(0.2, options.seconds or (2.5 if options.short else 4.0)))
        world.disturb("kill")
        await world.hub.kill()
        await world.hub.start()
        ready.append(round(world.hub.ready_s, 3))
    await world.last(2)
    await world.bound()
    queued = 0 if options.short else await kill_with_backlog(world)
    drain = await world.quiesce()
    kills = count + bool(queued)
    result = await world.finish({"kills": kills, "drain_s": drain, "ready_s_max": max(ready), "queued_at_kill": queued},
                                extra_receipts=kills * SESSIONS * WINDOW)
    accepts = checker.first_accepts(result.run, "kill") + checker.first_accepts(result.run, "kill_with_backlog")
    result.figures["first_accept_s_max"] = max(accepts, default=None)
    result.require(len(accepts) == kills, "the hub did not accept after each kill")
    return result.in_time(max(accepts, default=99) <= 3.0, "more than 3 s from kill to the first accept")


async def kill_with_backlog(world, queued=100_000):
    """With the carriers away, gathers a queue, kills, and lets the carriers come back; gives the queue's length."""
    for sink in world.sinks:
        await sink.stop()
    world.disturb("carriers_away")
    world.client.long_share = world.client.scheduled_share = 0
    world.load(12_000)
    before = world.client.accepted
    while world.client.accepted - before < queued:
        await world.last(0.1)
    world.load()
    world.disturb("kill_with_backlog", window=0)
    await world.hub.kill()
    await world.hub.start()
    await world.last(3)
    world.client.rate = 0
    for sink in world.sinks:
        await sink.start()
    await world.bound()
    return world.client.accepted - before


async def x2(options):
    """kill -9 while the hub recovers, five times in a row."""
    world = World("X2", options)
    for sink in world.sinks:
        sink.conduct.receipts = "hold"
    await world.start()
    rounds = options.count or (1 if options.short else 5)
    kills, grown = 0, 1.0
    for _ in range(rounds):
        world.load(options.rate * 2)
        await world.last(4 if options.short else 10)
        world.disturb("kill")
        await world.hub.kill()
        before = octets(world.spool)
        for _ in range(5):
            await world.hub.start(wait=False)
            await asyncio.sleep(world.random.uniform(0.005, 0.3))
            world.disturb("kill")
            await world.hub.kill()
            kills += 1
        grown = max(grown, octets(world.spool) / max(before, 1))
        await world.hub.start()
        await world.bound()
        for sink in world.sinks:
            sink.release()
    for sink in world.sinks:
        sink.conduct.receipts = 0.05
    for sink in world.sinks:
        sink.release()
    drain = await world.quiesce()
    result = await world.finish({"kills": kills + rounds, "drain_s": drain, "store_grew": round(grown, 2)},
                                extra_receipts=(kills + rounds) * SESSIONS * WINDOW)
    return result.require(grown <= 2, "the store grew by recovering")


async def x3(options):
    """SIGTERM under load: everything answered, nothing lost, nothing twice."""
    world = World("X3", options)
    await world.start()
    world.load()
    count = options.count or (5 if options.short else 50)
    codes, seconds = [], []
    for end in range(count):
        # Carriers that take their time are waited for, up to a limit.
        for sink in world.sinks:
            sink.conduct.answer = ("ok", 0.3, "shuffle", 2.0)[end % 4]
        await world.last(world.random.uniform(0.5, 1.5 if options.short else 2.5))
        world.events.note("term")
        code, took = await world.hub.terminate()
        codes.append(code)
        seconds.append(round(took, 2))
        await world.hub.start()
    for sink in world.sinks:
        sink.conduct.answer = "ok"
    await world.last(1)
    drain = await world.quiesce()
    result = await world.finish({"ends": count, "exit_s_max": max(seconds), "drain_s": drain})
    result.require(codes == [0] * count, f"exit codes {codes}")
    result.require(max(seconds) <= 15, "an end took more than 15 s")
    result.require(result.figures["unknown"] == 0, f"{result.figures['unknown']} submissions were left unanswered")
    return result.require(result.figures["doubles"] == 0, "doubles without a disturbance")


async def x22(options):
    """The process sleeps (SIGSTOP) and all its peers hang up meanwhile."""
    world = World("X22", options, proxied=True)
    await world.start()
    world.load()
    await world.last(3)
    span = options.seconds or (5 if options.short else 60)
    world.disturb("stop")
    world.hub.signal(signal.SIGSTOP)
    await asyncio.sleep(span / 2)
    for proxy in world.proxies:
        for pipe in list(proxy.pipes):
            pipe.cut(reset=True)
    for session in list(world.client.sessions):
        session.transport.abort()
    await asyncio.sleep(span / 2)
    world.disturb("continue")
    world.hub.signal(signal.SIGCONT)
    woke = time.monotonic()
    await world.bound()
    rebound = round(time.monotonic() - woke, 3)
    await world.last(3)
    drain = await world.quiesce()
    result = await world.finish({"slept_s": span, "bound_again_s": rebound, "drain_s": drain},
                                extra_receipts=SESSIONS * WINDOW)
    return result.require(rebound <= 60, "not bound again within 60 s")
