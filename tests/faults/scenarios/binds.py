"""Carriers that take no binds, or take them badly."""

import time

from world import LINKS, World

# How each carrier takes binds, round by round; 0 is well.
BIND_ROUNDS = [(0x0D, "drop"), (0x0E, "garbage"), (0x05, "unbind"), ("silent", 0)]


async def x20(options):
    """Binds refused, accepted and dropped or unbound, met with silence or garbage: no tight loop, and back when it is over."""
    world = World("X20", options, {"carrier.reconnect_min_ms": 1000, "carrier.reconnect_max_ms": 60000})
    await world.start()
    span = options.seconds or (15 if options.short else 600)
    figures, failures = {}, []
    for conducts in BIND_ROUNDS[:2] if options.short else BIND_ROUNDS:
        world.load(min(200, options.rate / 10))
        for sink, conduct in zip(world.sinks, conducts):
            if conduct == 0:
                continue
            sink.conduct.bind = conduct
            world.disturb("binds_refused", links=sink.name)
            for link in list(sink.links):
                link.transport.abort()
        seen = [len(sink.bind_times) for sink in world.sinks]
        await minutes(world, span)
        began = time.monotonic()
        for sink, conduct in zip(world.sinks, conducts):
            sink.conduct.bind = 0
        # Credentials that were refused are tried again after a minute at least, lest we are locked out.
        await world.bound(limit=150)
        for sink, conduct, before in zip(world.sinks, conducts, seen):
            if conduct == 0:
                continue
            times = [at for at in sink.bind_times[before:] if at < began]
            waited = max(0.0, sink.bind_times[-1] - began)
            figures[str(conduct)] = binds(times, waited)
            most = 20 * LINKS * max(1.0, span / 600) if isinstance(conduct, int) else span * LINKS + LINKS
            if len(times) > most or not times:
                failures.append(f"{conduct}: {len(times)} binds of {LINKS} links in {span} s")
            if waited > (120 if isinstance(conduct, int) else 60):
                failures.append(f"{conduct}: bound again only after {waited:.1f} s")
    drain = await world.quiesce()
    return await world.finish({**figures, "drain_s": drain}, failures)


def binds(times, waited):
    """The figures of one conduct: binds in all, in the busiest second and ten minutes, and when it was bound again."""
    busiest = [max((sum(1 for each in times if at <= each < at + span) for at in times), default=0) for span in (1, 600)]
    return {"binds": len(times), "in_busiest_second": busiest[0], "in_busiest_10_min": busiest[1],
            "bound_again_s": round(waited, 1)}


async def minutes(world, span):
    """Lets time go by; each minute, a carrier whose conduct says so unbinds its links."""
    end = time.monotonic() + span
    while (left := end - time.monotonic()) > 0:
        await world.last(min(left, 60, span / 4))
        for sink in world.sinks:
            if sink.conduct.bind == "unbind":
                world.disturb("unbind", links=sink.name)
                sink.unbind()
