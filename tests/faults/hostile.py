#!/usr/bin/env python3
"""What peers that abuse a hub do to the waits of honest ones: `hostile.py --rate 5000 --seconds 8 --rounds 3`.

An honest account submits at a fixed rate (`enroute load`), alone and beside each abuse in turn. A row for each abuse: the honest
session's waits, and how many times the undisturbed 99th percentile theirs is, the undisturbed runs before and after it being the
measure. Exit code 1 if the median over the rounds is above two, for the answer or for the receipt.
"""

import argparse
import asyncio
import json
import os
import pathlib
import shutil
import statistics
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))

from abuser import KINDS  # noqa: E402
from hub import ROOT, Hub  # noqa: E402
from world import base, free_port  # noqa: E402

WAITS = ("submit_p50_us", "submit_p99_us", "receipt_p50_us", "receipt_p99_us")
MOST = 2.0
LOAD = ("--binds", "4", "--window", "100", "--destination", "1770090012", "--receipt-wait", "60", "--json")


class Stage:
    """A hub with two carriers: one for the honest account, one for the rogue."""

    def __init__(self, options):
        self.options, self.dir = options, base() / f"hostile-{os.getpid()}"
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir(parents=True)
        self.smpp, self.ports, self.carriers = free_port(), [free_port(), free_port()], []
        sections = [("[listener]", {"address": f'"127.0.0.1:{self.smpp}"'}), ("[http]", {"address": '"127.0.0.1:0"'}),
                    ("[spool]", {"directory": f'"{self.dir / "spool"}"'})]
        for name in ("demo", "rogue"):
            sections.append(("[[account]]", {"system_id": f'"{name}"', "password": f'"{name}"', "binds": 16, "senders": '["*"]',
                                             "window": 100 if name == "demo" else 50}))
        for name, port in zip(("honest", "other"), self.ports):
            sections.append(("[[carrier]]", {"name": f'"{name}"', "address": f'"127.0.0.1:{port}"', "system_id": '"hub"',
                                             "password": '"rig"', "links": 2, "window": 100, "reconnect_min_ms": 50,
                                             "reconnect_max_ms": 500}))
        sections += [("[route]", {"default": '"honest"'}), ("[[route.prefix]]", {"prefix": '"2"', "carrier": '"other"'})]
        self.hub = Hub(options.binary, self.dir, sections)

    async def start(self):
        """Everybody but the abuser is there."""
        for port in self.ports:
            self.carriers.append(await self.run("smsc", "--listen", f"127.0.0.1:{port}"))
        await self.hub.start()
        while await self.hub.metric("enroute_carrier_links") < 4:
            await asyncio.sleep(0.05)

    async def run(self, *words):
        """A command of the program."""
        return await asyncio.create_subprocess_exec(str(self.options.binary), *words, stdout=asyncio.subprocess.PIPE,
                                                    stderr=asyncio.subprocess.DEVNULL)

    async def honest(self):
        """One measured run; its waits in microseconds."""
        load = await self.run("load", "--to", f"127.0.0.1:{self.smpp}", "--rate", str(int(self.options.rate)),
                              "--seconds", str(int(self.options.seconds)), *LOAD)
        said, _ = await load.communicate()
        report = json.loads(said.decode().strip().splitlines()[-1])
        if report["accepted"] != report["sent"] or report["receipts_missing"]:
            raise RuntimeError(f"the honest account was refused something: {report}")
        return {name: report[name] for name in WAITS} | {"rate": round(report["sent"] / self.options.seconds)}

    async def beside(self, kind):
        """The same beside an abuse; with what the abuser did and what the hub spent."""
        abuser = await asyncio.create_subprocess_exec(
            sys.executable, str(pathlib.Path(__file__).with_name("abuser.py")), kind, str(self.smpp),
            stdout=asyncio.subprocess.PIPE)
        await asyncio.wait_for(abuser.stdout.readline(), 30)
        spent, began = self.hub.cpu_s(), time.monotonic()
        waits = await self.honest()
        waits["hub_cores"] = round((self.hub.cpu_s() - spent) / (time.monotonic() - began), 2)
        waits["rss_mib"] = round(self.hub.rss_kib() / 1024, 1)
        abuser.terminate()
        did, _ = await abuser.communicate()
        # What it left behind is none of the next run's matter.
        await self.settle()
        return waits | json.loads(did)

    async def settle(self):
        """Waits until the hub has sent what it holds for the other carrier."""
        for _ in range(600):
            if await self.hub.metric("enroute_carrier_queue_messages") == 0:
                return
            await asyncio.sleep(0.1)

    async def stop(self):
        """Ends all; the hub has to end well."""
        code, _ = await self.hub.terminate()
        for carrier in self.carriers:
            carrier.terminate()
            await carrier.communicate()
        if code != 0 or self.hub.panicked():
            raise RuntimeError(f"the hub ended with {code}: {self.hub.log()[-2000:]}")
        shutil.rmtree(self.dir, ignore_errors=True)


def ratio(with_it, before, after, name):
    """How many times the undisturbed wait."""
    return with_it[name] / statistics.mean((before[name], after[name]))


async def measure(options):
    """All rows."""
    stage = Stage(options)
    await stage.start()
    await stage.honest()
    rows, calm = {kind: [] for kind in options.kinds or KINDS}, []
    for _ in range(options.rounds):
        before = await stage.honest()
        calm.append(before)
        for kind, row in rows.items():
            disturbed = await stage.beside(kind)
            after = await stage.honest()
            row.append((disturbed, [ratio(disturbed, before, after, name) for name in ("submit_p99_us", "receipt_p99_us")]))
            calm.append(after)
            before = after
    await stage.stop()
    return rows, calm


def median(runs):
    """Of each figure over the rounds."""
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def main():
    """Measures and tells."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(KINDS)}; by default all")
    parser.add_argument("--rate", type=float, default=5000, help="messages a second of the honest account")
    parser.add_argument("--seconds", type=float, default=8, help="of each run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "target" / "release" / "enroute")
    options = parser.parse_args()
    if unknown := set(options.kinds) - set(KINDS):
        parser.error(f"no such abuse: {', '.join(sorted(unknown))}")
    rows, calm = asyncio.run(measure(options))
    print(json.dumps({"undisturbed": median(calm), "runs": len(calm),
                      "p99_us_of_each": [run["submit_p99_us"] for run in calm]}))
    bad = []
    for kind, row in rows.items():
        answer, receipt = (statistics.median(ratios[place] for _, ratios in row) for place in (0, 1))
        word = "PASS" if max(answer, receipt) <= MOST else "FAIL"
        bad += [kind] if word == "FAIL" else []
        print(word, kind, json.dumps({"answer_p99_times": round(answer, 2), "receipt_p99_times": round(receipt, 2),
                                      **median([run for run, _ in row])}), flush=True)
    if bad:
        print("above twice:", *bad)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
