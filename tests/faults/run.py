#!/usr/bin/env python3
"""Runs faults against the real program, from outside: `run.py X1 X12 --short`. A line of JSON for each, exit code 1 if one
fails. docs/testing.md tells what each is; `scripts/faults` installs what some of them need."""

import argparse
import asyncio
import json
import pathlib
import shutil
import sys
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))

import smpp  # noqa: E402
from hub import ROOT  # noqa: E402
from scenarios import binds, carriers, links, process, reload, system  # noqa: E402

SCENARIOS = {
    "X1": process.x1, "X2": process.x2, "X3": process.x3, "X6": system.x6, "X8": system.x8, "X12": links.x12,
    "X13": links.x13, "X14": carriers.x14, "X15": carriers.x15, "X16": carriers.x16, "X17": carriers.x17,
    "X18": carriers.x18, "X19": carriers.x19, "X20": binds.x20, "X21": system.x21, "X22": process.x22,
    "X24": links.x24, "X25": links.x25, "X26": links.x26, "X27": reload.x27, "X28": system.x28, "X29": system.x29, "X32": links.x32,
    "X33": carriers.x33,
}
SHORT = ["X1", "X2", "X3", "X6", "X8", "X12", "X13", "X14", "X16", "X17", "X24", "X27"]


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faults", nargs="*", help="ids, by default all (with --short the short tier)")
    parser.add_argument("--short", action="store_true", help="seconds instead of minutes")
    parser.add_argument("--count", type=int, help="repetitions, where a fault is repeated")
    parser.add_argument("--seconds", type=float, help="how long a fault lasts, where it lasts; the longest life in X1")
    parser.add_argument("--rate", type=float, help="messages a second")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of random times and choices")
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "target" / "debug" / "enroute")
    parser.add_argument("--keep", action="store_true", help="keep ledgers and logs of what passed, too")
    options = parser.parse_args()
    options.rate = options.rate or (1000 if options.short else 2000)
    return options


async def one(name, options):
    """Runs one fault; its result as a value for JSON."""
    began = time.monotonic()
    try:
        result = await SCENARIOS[name](options)
        told = result.told()
        if told["ledgers"] is None:
            shutil.rmtree(result.world.dir, ignore_errors=True)
    except Exception as error:  # Whatever went wrong is the result.
        if isinstance(error, system.Skipped):
            told = {"pass": None, "skipped": str(error)}
        else:
            told = {"pass": False, "failures": ["".join(traceback.format_exception(error))],
                    "seconds": round(time.monotonic() - began, 1)}
    return {"id": name, **told}


def main():
    """Runs what was asked for."""
    options = arguments()
    smpp.check_vectors(ROOT / "tests" / "vectors" / "smpp-vectors.json")
    failed = []
    for name in options.faults or (SHORT if options.short else list(SCENARIOS)):
        told = asyncio.run(one(name, options))
        word = {True: "PASS", False: "FAIL", None: "SKIP"}[told.pop("pass")]
        print(word, json.dumps({**told, "seed": options.seed}), flush=True)
        if word == "FAIL":
            failed.append(name)
    if failed:
        print("failed:", *failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
