"""Carriers that behave badly: silent, late, out of order, with ids that repeat, with receipts in any order or none."""

import asyncio
import itertools
import time

import smpp
from world import LINKS, SESSIONS, WINDOW, World


def to_sink(run, since, until, prefix):
    """Seconds from yes to a sink for what was submitted for one carrier in a time, sorted, and how many never came.

    What comes before is the disk's share, and on a busy machine that is no matter of carriers.
    """
    found = [max(0.0, run.got[token][0]["t"] - run.resp[token][0]) if run.got.get(token) else None for token, sent in run.sent.items()
             if token in run.accepted and since <= sent["t"] <= until and sent["to"].startswith(prefix) and "at" not in sent]
    return sorted(wait for wait in found if wait is not None), sum(wait is None for wait in found)


def percentile(values, share):
    """The value below which a share of sorted ones lies."""
    return round(values[min(len(values) - 1, int(len(values) * share))], 4) if values else None


FAILOVER_S = 10
GROUP = [("[[route.group]]", {"name": '"either"', "kind": '"failover"', "members": '["A", "B"]'}),
         ("[[route.prefix]]", {"prefix": '"3"', "carrier": '"either"'})]


async def x14(options):
    """A carrier answers enquire_link and never a submission, beside a healthy one that is alone for some and second for others;
    then it does again."""
    timer = 3 if options.short else 30
    failover = 1 if options.short else FAILOVER_S
    settings = {"listener.response_s": timer, "retry.unanswered.delays_s": [timer], "limits.failover_after_s": failover}
    world = World("X14", options, settings, more=GROUP)
    world.client.carriers = (b"1", b"2", b"3")
    sick = world.sinks[0]
    await world.start()
    world.load()
    await world.last(3)
    base, began = world.hub.rss_kib(), time.monotonic()
    sick.conduct.answer = "silent"
    span, most = options.seconds or (10 if options.short else 120), 0
    while time.monotonic() - began < span:
        await world.last(0.2)
        most = max(most, world.hub.rss_kib())
    sick.conduct.answer = "ok"
    ended = time.monotonic()
    # What the silent carrier got is of unknown fate, as often as the timer ran out.
    world.lasting("silent", began, links="A")
    await world.last(2)
    drain = await world.quiesce(patience=4 * timer)
    result = await world.finish({"rss_grew_mib": round((most - base) / 1024, 1), "drain_s": drain}, timer_s=timer)
    waits, lost = to_sink(result.run, began, ended, "2")
    before, _ = to_sink(result.run, began - 3, began, "2")
    result.figures["other_carrier_p99_s"] = {"before": percentile(before, 0.99), "during": percentile(waits, 0.99)}
    result.require(lost == 0 and waits, "messages of the other carrier did not go out")
    result.in_time(percentile(waits, 0.99) <= max(3 * percentile(before, 0.99), 0.5), "the other carrier suffered")
    return taken_over(result, began, ended, timer, failover)


def taken_over(result, since, until, timer, failover):
    """What has a second carrier goes there: what waits for the silent one once that is taken for sick, after the first timers, and
    has been so for `failover` seconds; what is out on it by the ladder of what is not answered; and what comes later at once."""
    run, waited, out, later = result.run, [], [], []
    for token, sent in run.sent.items():
        if token not in run.accepted or not since <= sent["t"] <= until or sent["to"][0] != "3" or "at" in sent:
            continue
        came = run.got.get(token) or [{"s": "B", "t": until + timer}]
        if came[0]["s"][0] == "A":
            # Within their second window, the hub can't know yet; trials with one message at a time follow.
            out.append(token)
        else:
            (waited if sent["t"] < since + timer + failover else later).append(came[0]["t"] - sent["t"])
    longest, later = max(waited, default=None), sorted(later)
    result.figures["taken_over"] = {"waited": len(waited), "longest_wait_s": longest and round(longest, 1), "were_out": len(out),
                                    "later": len(later), "later_p99_s": percentile(later, 0.99)}
    result.require(waited and later, "nothing had a second carrier")
    most = 2 * LINKS * WINDOW + (until - since) / 5
    result.require(len(out) <= most, f"{len(out)} messages with a second carrier were given to the silent one")
    result.in_time(max(waited, default=0) <= timer + failover + 5, f"a message waited {longest} s for the other carrier")
    return result.in_time(percentile(later, 0.99) <= 1.0, "the other carrier was slow to take what is new")


async def x15(options):
    """Answers that come after the timer, out of order, twice, and under sequence numbers that nobody used."""
    timer, retry = 2, 8
    world = World("X15", options, {"listener.response_s": timer, "retry.unanswered.delays_s": [retry]})
    # What is scheduled would go out in a later phase than it was submitted in.
    world.client.scheduled_share = 0
    await world.start()
    phases, span = {}, options.seconds or (4 if options.short else 30)
    for name, conduct in (("shuffle", "shuffle"), ("twice", "twice"), ("foreign", "foreign"), ("late", timer + 1.0)):
        for sink in world.sinks:
            sink.conduct.answer = conduct
        began = time.monotonic()
        world.load(100 if name == "late" else options.rate / 2)
        await world.last(span)
        world.client.rate = 0
        await world.last(timer + 2 if name == "late" else 1)
        phases[name] = (began, time.monotonic())
    # Later than the first retry: the retry takes place, and both ids are the message's.
    began = time.monotonic()
    for sink in world.sinks:
        first = set()

        def late_once(sm, seen=first):
            token = sm.payload()[:22]
            if token in seen:
                return 0.01
            seen.add(token)
            return timer + retry + 1.0
        sink.conduct.answer = late_once
        sink.conduct.receipts = timer + retry + 2.0
    world.load(20)
    await world.last(3)
    world.client.rate = 0
    await world.last(timer + retry + 2)
    phases["too late"] = (began, time.monotonic())
    drain = await world.quiesce(patience=60)
    result = await world.finish({"drain_s": drain}, timer_s=timer)
    for name, (since, until) in phases.items():
        tokens = [token for token, sent in result.run.sent.items() if since <= sent["t"] < until]
        again = sum(max(0, len(result.run.got.get(token, ())) - 1) for token in tokens)
        result.figures[name.replace(" ", "_")] = {"sent": len(tokens), "doubles": again}
        if name != "too late":
            result.require(again == 0, f"{again} doubles in the phase {name}: the answer came before the retry")
        else:
            result.require(again > 0, "nothing was tried again: the phase proves nothing")
    return result


async def x16(options):
    """Carriers that give ids twice, begin at one again, wrap at 32 bits, or use one another's."""
    world = World("X16", options)
    for sink in world.sinks:
        sink.conduct.receipts = lambda sm, rng=world.random: rng.uniform(0.0, 0.4)
    await world.start()
    counters = {"pairs": lambda: (b"%d" % (n // 2) for n in itertools.count(2)),
                "from_one": lambda: (b"%d" % n for n in itertools.count(1)),
                "wrap": lambda: (b"%08x" % (n % 2**32) for n in itertools.count(2**32 - 500))}
    span = options.seconds or (2 if options.short else 30)
    for name in ("pairs", "from_one", "from_one", "wrap", "wrap"):
        # The same ids at both carriers; each phase begins anew, while receipts of the one before are still due.
        for sink in world.sinks:
            ids = counters[name]()
            sink.conduct.ids = ids.__next__
        # Parts of a text have one destination: with one id as well, nobody could tell whose a receipt is.
        world.client.long_share = 0 if name == "pairs" else 0.05
        world.load(options.rate / 2)
        await world.last(span)
        if name == "from_one":
            for sink in world.sinks:
                world.disturb("carrier_restarts", links=sink.name)
                await sink.stop()
                await sink.start()
            await world.bound()
    drain = await world.quiesce()
    ambiguous = await same_destination(world)
    result = await world.finish({"drain_s": drain, "ambiguous": ambiguous}, ambiguous=AMBIGUOUS)
    return result.require(result.figures["accepted"] > 1000, "too few messages to prove anything")


AMBIGUOUS = "1999"


async def same_destination(world):
    """The same id for two messages to the same destination: each gets a receipt, and only the carrier knows which."""
    world.client.destination, world.client.long_share, world.client.scheduled_share = AMBIGUOUS.encode(), 0, 0
    ids = (b"s%d" % (n // 2) for n in itertools.count())
    sink = world.sinks[0]
    sink.conduct.ids, sink.conduct.receipts = ids.__next__, 0.3
    before = world.client.accepted
    world.load(40)
    await world.last(3)
    await world.quiesce()
    world.client.destination = None
    return world.client.accepted - before


async def x17(options):
    """Receipts before answers, over the other link, after restarts, shuffled, in hexadecimal, in another case."""
    settings = {"carrier.response_ids": '"decimal"', "carrier.receipt_ids": '"hex"'}
    first = World("X17", options)
    total = options.count or (5_000 if options.short else 100_000)
    await first.start()
    first.client.scheduled_share = 0
    for sink in first.sinks:
        sink.conduct.receipt_first, sink.conduct.receipt_link = True, "other"
        sink.conduct.receipt_id = lambda each: b"000" + each.upper()
    first.load()
    await submitted(first, total // 4)
    for sink in first.sinks:
        sink.conduct.receipt_first, sink.conduct.receipts = False, "hold"
    # Those that are due at once must have gone before the restart: their answers are kept back too.
    await first.last(0.5)
    first.load()
    await submitted(first, total)
    await first.last(1)
    first.disturb("kill")
    await first.hub.kill()
    await first.hub.start()
    await first.bound()
    held = sum(len(sink.held) for sink in first.sinks)
    for sink in first.sinks:
        sink.release()
    drain = await first.quiesce()
    result = await first.finish({"held_over_the_restart": held, "drain_s": drain}, extra_receipts=SESSIONS * WINDOW)
    second = World("X17hex", options, settings)
    await second.start()
    for sink in second.sinks:
        counter = itertools.count(10_000_000_000)
        sink.conduct.ids = lambda counter=counter: b"%d" % next(counter)
        sink.conduct.receipt_id = lambda each: b"%X" % int(each)
        sink.conduct.receipts = lambda sm, rng=second.random: rng.uniform(0.0, 0.5)
    second.load()
    await submitted(second, total // 4)
    await second.quiesce()
    hexed = await second.finish()
    result.figures["in_hex"] = hexed.figures["accepted"]
    result.failures += hexed.failures + [f"in hex: {name} {what}" for name, what in hexed.verdict.report().items()]
    return result


async def submitted(world, count):
    """Submits until `count` messages were accepted, and waits for what is out."""
    while world.client.accepted < count:
        await world.last(0.05)
    world.client.rate = 0
    await world.last(0.5)


async def x18(options):
    """Receipts that never come: the end of the validity and the grace decide."""
    grace, validity = 2, 3
    world = World("X18", options, {"limits.receipt_grace_s": grace})
    world.client.validity, world.client.scheduled_share = b"0000000000%02d000R" % validity, 0
    for sink in world.sinks:
        sink.conduct.receipts = None
    await world.start()
    world.load()
    await world.last(options.seconds or (4 if options.short else 60))
    drain = await world.quiesce()
    result = await world.finish({"drain_s": drain}, allowed=lambda _token, state: state in ("UNKNOWN", "EXPIRED"))
    run = result.run
    waits = sorted(run.receipts[run.resp[token][2]][0]["t"] - run.sent[token]["t"] for token in run.accepted
                   if run.receipts.get(run.resp[token][2]))
    result.figures["final_after_s"] = {"p50": percentile(waits, 0.5), "max": percentile(waits, 1.0)}
    result.require(waits and waits[0] >= validity + grace - 1, "a message ended before validity and grace were over")
    return result.require(waits and waits[-1] <= validity + grace + 60, "a message ended more than 60 s late")


async def x19(options):
    """Bursts of ESME_RTHROTTLED, a full queue for one destination, a carrier in trouble, errors for good and unheard of."""
    world = World("X19", options, {
        "retry.transient.delays_s": [1], "retry.queue_full.delays_s": [1], "retry.unknown.delays_s": [1],
        "retry.unknown.attempts": 3})
    throttling, calm = world.sinks
    rng = world.random
    await world.start()
    span = options.seconds or (4 if options.short else 60)
    rate = options.rate / 2
    world.load(rate)
    taken = throttling.taken
    await world.last(span)
    before = (throttling.taken - taken) / span
    burst = {"on": True}
    throttling.conduct.status = lambda sm: smpp.THROTTLED if burst["on"] and rng.random() < 0.2 else 0
    await world.last(span)
    burst["on"] = False
    calmed, back = time.monotonic(), None
    while time.monotonic() - calmed < 60 and back is None:
        taken = throttling.taken
        await world.last(1)
        if throttling.taken - taken >= 0.9 * before:
            back = round(time.monotonic() - calmed, 1)
    # Each destination's last digit says how the other carrier answers.
    tries = {}

    def by_destination(sm):
        number = sm.destination[2]
        tries[number] = tries.get(number, 0) + 1
        if number.endswith(b"1"):
            return smpp.QUEUE_FULL if tries[number] < 3 else 0
        if number.endswith(b"2"):
            return 0x45
        if number.endswith(b"3"):
            return 0x4AB
        if number.endswith(b"4"):
            return smpp.SYSTEM_ERROR if tries[number] < 3 else 0
        return 0
    calm.conduct.status = by_destination
    since = time.monotonic()
    world.load(rate)
    await world.last(span)
    drain = await world.quiesce()
    result = await world.finish(
        {"before_per_s": round(before), "back_at_90_percent_after_s": back, "drain_s": drain},
        allowed=lambda token, state: state in ("REJECTD", "UNDELIV", "UNKNOWN"), ignore=("I11",))
    run, permanent, attempts = result.run, [], {}
    for token, sent in run.sent.items():
        if token not in run.accepted or sent["t"] < since or not sent["to"].startswith("2") or "g" in sent:
            continue
        digit, receipts = sent["to"][-1], run.receipts.get(run.resp[token][2])
        attempts.setdefault(digit, set()).add(len(run.got[token]))
        if digit == "2" and receipts and "at" not in sent:
            permanent.append(receipts[0]["t"] - sent["t"])
    permanent.sort()
    result.figures["permanent_final_s"] = {"p50": percentile(permanent, 0.5), "max": percentile(permanent, 1.0)}
    result.figures["attempts"] = {name: sorted(attempts.get(digit, ())) for name, digit in (
        ("queue_full", "1"), ("permanent", "2"), ("unheard_of", "3"), ("system_error", "4"), ("well", "5"))}
    result.in_time(back is not None, "the rate did not return to 90 % within 60 s")
    result.require(attempts.get("2") == {1}, "a permanent refusal was tried again")
    result.require(attempts.get("1") == {3} and attempts.get("4") == {3}, "a passing refusal was not tried as configured")
    return result.in_time(permanent and percentile(permanent, 0.99) <= 1.0, "a permanent refusal took more than 1 s to end")


async def x33(options):
    """A message at which the carrier hangs up each time it gets it."""
    world = World("X33", options, {"retry.unanswered.delays_s": [1], "retry.transient.delays_s": [1]})
    await world.start()
    poison = b"1666000666"
    world.sinks[0].conduct.answer = lambda sm: "hangup" if sm.destination[2] == poison else "ok"
    world.load(200)
    await world.last(2)
    world.client.destination = poison
    world.client.long_share = world.client.scheduled_share = 0
    before, began = world.client.submitted, time.monotonic()
    world.load(10)
    while world.client.submitted == before:
        await asyncio.sleep(0.01)
    world.client.rate, world.client.destination = 0, None
    world.load(200)
    await world.last(options.seconds or (15 if options.short else 60))
    world.lasting("poison", began, links="A")
    drain = await world.quiesce(patience=30, limit=60)
    result = await world.finish({"drain_s": drain}, timer_s=1,
                                allowed=lambda token, state: state in ("UNDELIV", "REJECTD", "UNKNOWN"))
    run = result.run
    attempts = [len(run.got.get(token, ())) for token, sent in run.sent.items() if sent["to"] == poison.decode()]
    result.figures["attempts_of_the_poison"] = attempts
    waits, lost = to_sink(run, began + 1, time.monotonic(), "1")
    result.figures["others_p99_s"] = percentile(waits, 0.99)
    # Five that it is blamed for; a loss that it shares with others need not count.
    result.require(max(attempts) <= 6, f"the poison was sent {max(attempts)} times")
    return result.require(lost == 0, f"{lost} messages behind the poison did not go out")
