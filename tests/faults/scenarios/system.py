"""What befalls the machine: a full disk, syncs that fail, clocks that are set, stores of other versions, a second hub."""

import asyncio
import glob
import os
import pathlib
import shutil
import signal
import subprocess
import time

import smpp
from world import SESSIONS, WINDOW, World, base


class Skipped(Exception):
    """A fault that can't be had here, and why."""


class SmallDisk:
    """A disk of its own: an ext4 image, or memory where images can't be mounted. Needs root."""

    def __init__(self, where, mib):
        self.where, self.mib = pathlib.Path(where), mib
        self.kind = None

    def mount(self):
        """Makes it; says how."""
        if os.geteuid() != 0:
            raise Skipped("a small disk needs root to be mounted")
        self.where.mkdir(parents=True, exist_ok=True)
        image = self.where.with_suffix(".img")
        with open(image, "wb") as file:
            file.truncate(self.mib << 20)
        made = subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], capture_output=True, check=False)
        if made.returncode == 0 and subprocess.run(
                ["mount", "-o", "loop", image, self.where], capture_output=True, check=False).returncode == 0:
            self.kind = "ext4"
        elif subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.mib}m", "faults", self.where],
                            capture_output=True, check=False).returncode == 0:
            self.kind = "tmpfs"
        else:
            raise Skipped("neither an image nor memory can be mounted here")
        return self.kind

    def fill(self):
        """Takes every octet that is left; gives how many."""
        taken = 0
        with open(self.where / "filler", "ab", buffering=0) as file:
            for size in (1 << 20, 4096, 512, 1):
                block = b"\xff" * size
                try:
                    while True:
                        taken += file.write(block)
                except OSError:
                    pass
        return taken

    def free(self):
        """Gives it back."""
        (self.where / "filler").unlink()

    def unmount(self):
        """Takes it away."""
        if self.kind:
            subprocess.run(["umount", "-l", self.where], check=False)
        self.where.with_suffix(".img").unlink(missing_ok=True)


async def x6(options):
    """The disk runs full under load and stays so; then there is room again."""
    disk = SmallDisk(base() / f"X6-disk-{os.getpid()}", 96)
    try:
        kind = disk.mount()
        world = World("X6", options, {"spool.segment_mib": 5, "spool.compaction_slack_mib": 8},
                      spool=disk.where / "spool")
        return await full(options, world, disk, kind)
    finally:
        disk.unmount()
        shutil.rmtree(disk.where, ignore_errors=True)


async def full(options, world, disk, kind):
    """The course of X6."""
    # Receipts are held back, so that the full disk meets messages of every age.
    for sink in world.sinks:
        sink.conduct.receipts = 1.0
    await world.start()
    world.load()
    await world.last(3)
    began = time.monotonic()
    disk.fill()
    refused, first_no = world.client.refused, None
    span = options.seconds or (6 if options.short else 300)
    taken, receipts = sum(sink.taken for sink in world.sinks), world.client.finals
    # Until the hub needs room, too: it has a segment prepared, and uses dead ones again.
    while time.monotonic() - began < span or (first_no is None and time.monotonic() - began < 120):
        await world.last(0.2)
        if world.client.refused > refused and first_no is None:
            first_no = round(time.monotonic() - began, 2)
        # Whatever is given back while the disk is full is taken again.
        disk.fill()
    accepted = world.client.accepted
    during = {"sent_on": sum(sink.taken for sink in world.sinks) - taken, "receipts": world.client.finals - receipts}
    disk.free()
    freed = time.monotonic()
    while world.client.accepted < accepted + 100 and time.monotonic() - freed < 60:
        await world.last(0.05)
    again = round(time.monotonic() - freed, 2)
    await world.last(2)
    drain = await world.quiesce()
    result = await world.finish({"disk": kind, "first_refusal_s": first_no, "while_full": during,
                                 "accepts_again_s": again, "drain_s": drain})
    statuses = set(result.figures["statuses"])
    result.require(first_no is not None, "nothing was refused: the disk was not full for the hub")
    result.require(statuses <= {smpp.SYSTEM_ERROR, smpp.QUEUE_FULL}, f"statuses {statuses}")
    return result.in_time(again <= 10, f"accepts again only {again} s after there was room")


class Injection:
    """Makes a running process's calls fail, by strace, until it is ended."""

    def __init__(self, pid, rule, log):
        self.process = subprocess.Popen(
            ["strace", "-f", "-p", str(pid), "-o", str(log), "-e", "trace=fdatasync", "-e", f"inject={rule}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.log = pathlib.Path(log)

    async def attached(self):
        """Waits until it has hold of the process."""
        loop = asyncio.get_running_loop()
        line = await asyncio.wait_for(loop.run_in_executor(None, self.process.stderr.readline), 10)
        if b"attached" not in line:
            self.process.kill()
            raise Skipped(f"strace can't attach: {line.decode().strip()}")

    def end(self):
        """Lets go; gives how many calls failed."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        return self.log.read_text().count("(INJECTED)")


async def x8(options):
    """Syncs fail: the first, the hundredth, each thousandth, a run of them, for want of room or of quota; then a kill."""
    if not shutil.which("strace"):
        raise Skipped("strace is not installed")
    world = World("X8", options)
    await world.start()
    world.load(options.rate / 2)
    await world.last(1)
    failed, figures, failures = 0, {}, []
    span = options.seconds or (1.0 if options.short else 10)
    for name, rule in (("first", "EIO:when=1"), ("hundredth", "EIO:when=100"), ("each_thousandth", "EIO:when=1+1000"),
                       ("three", "EIO:when=2..4"), ("no_room", "ENOSPC:when=1"), ("quota", "EDQUOT:when=1"),
                       ("run", "EIO:when=1+")):
        injection = Injection(world.hub.process.pid, f"fdatasync:error={rule}", world.dir / f"strace-{name}.log")
        await injection.attached()
        accepted = world.client.accepted
        # The hub may end itself; that is an answer, too.
        try:
            await world.last(span)
        except RuntimeError:
            failures.append(f"{name}: the hub ended")
        count = injection.end()
        failed += count
        freed = time.monotonic()
        more = world.client.accepted
        while world.client.accepted < more + 50 and time.monotonic() - freed < 20:
            await world.last(0.05)
        figures[name] = {"failed": count, "accepted_meanwhile": more - accepted,
                         "accepts_again_s": round(time.monotonic() - freed, 2)}
        if figures[name]["accepts_again_s"] > 15:
            failures.append(f"{name}: does not accept again")
    drain = await world.kill_and_quiesce()
    result = await world.finish({**figures, "syncs_failed": failed, "drain_s": drain}, failures,
                                extra_receipts=SESSIONS * WINDOW)
    statuses = set(result.figures["statuses"])
    result.require(statuses <= {smpp.SYSTEM_ERROR, smpp.QUEUE_FULL}, f"statuses {statuses}")
    return result.require(failed >= 6, f"only {failed} syncs failed")


class Clock:
    """A wall clock that can be set, for one process, by libfaketime; its monotonic clock goes on as it is."""

    def __init__(self, directory):
        found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1") or glob.glob("/usr/lib/faketime/libfaketimeMT.so.1")
        if not found:
            raise Skipped("libfaketime is not installed")
        self.file = pathlib.Path(directory) / "clock"
        self.set(0)
        self.env = {"LD_PRELOAD": found[0], "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1",
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"}

    def set(self, seconds):
        """Moves it by so much against the true time."""
        temporary = self.file.with_suffix(".new")
        temporary.write_text(f"{seconds:+d}\n")
        temporary.rename(self.file)


YEAR_S = 365 * 86400


async def x21(options):
    """The wall clock is set: an hour, ten years, half a minute again and again; on and back; and at a start."""
    hold = 2 if options.short else 20
    world = World("X21", options, {"clock.hold_s": hold})
    clock = Clock(world.dir)
    world.hub.env = clock.env
    world.client.validity, world.client.scheduled_share = b"000002000000000R", 0.02
    await world.start()
    world.load(options.rate / 2)
    await world.last(1)
    bound = sum(sink.binds for sink in world.sinks)
    alarms, span = {}, options.seconds or (1.5 if options.short else 10)
    steps = [("hour_on", 3600), ("back", 0), ("hour_back", -3600), ("back", 0), ("ten_years_on", 10 * YEAR_S),
             ("back", 0), ("ten_years_back", -10 * YEAR_S), ("back", 0)]
    steps += [("half_minute", 30 * sign) for sign in (1, -1, 1, -1, 0)]
    for name, seconds in steps:
        world.events.note("clock", to=seconds)
        clock.set(seconds)
        await world.last(span if abs(seconds) != 30 else 0.4)
        off = await world.hub.metric("enroute_clock_step_seconds")
        if name not in ("back", "half_minute"):
            alarms[name] = off
    # What is scheduled by a wrong clock comes when that time comes: ten years from now, for some.
    world.client.scheduled_share = 0
    await world.last(1)
    sessions = sum(sink.binds for sink in world.sinks) - bound
    panics = world.hub.panicked()
    # An hour on that stays is believed when the hold is over.
    clock.set(3600)
    await world.last(hold + 2)
    believed = await world.hub.metric("enroute_clock_step_seconds")
    await world.quiesce()
    # A start at a time that is ten years wrong.
    for sink in world.sinks:
        sink.conduct.receipts = "hold"
    world.load(options.rate / 4)
    await world.last(2)
    for seconds in (10 * YEAR_S, -3600, 0):
        world.disturb("kill")
        await world.hub.kill()
        clock.set(seconds)
        await world.hub.start()
        await world.bound()
        await world.last(1)
    for sink in world.sinks:
        sink.release()
        sink.conduct.receipts = 0.05
    # What is scheduled may have to wait for its hour; what is over is not sent.
    clock.set(0)
    drain = await world.quiesce(patience=20)
    result = await world.finish({"alarms": alarms, "binds_during_steps": sessions, "off_after_hold": believed,
                                 "drain_s": drain}, extra_receipts=3 * SESSIONS * WINDOW,
                                allowed=lambda token, state: False, ignore=("I12",))
    for name, expected in (("hour_on", 3600), ("hour_back", -3600), ("ten_years_on", 10 * YEAR_S),
                           ("ten_years_back", -10 * YEAR_S)):
        result.require(abs(alarms.get(name, 0) - expected) <= 5, f"no alarm for {name}: {alarms.get(name)}")
    result.require(not panics, "a panic at a step")
    result.require(sessions == 0, f"{sessions} binds while the clock was set: sessions were dropped")
    result.require(believed == 0, "a clock that stays is not believed")
    return result.require(result.figures["states"].get("EXPIRED", 0) == 0, "messages expired by a wrong clock")


async def x28(options):
    """A store of a newer program is refused by name, one of an older format is taken over, whenever that is interrupted."""
    world = World("X28", options)
    for sink in world.sinks:
        sink.conduct.receipts = "hold"
    await world.start()
    world.load(options.rate / 2)
    await world.last(2)
    world.client.rate = 0
    await world.last(0.5)
    world.events.note("term")
    await world.hub.terminate()
    headers = relabel(world.spool, +1)
    code, said = await refused_start(world)
    relabel(world.spool, -1)
    failures = []
    if code == 0 or "format" not in said:
        failures.append(f"a newer store: exit code {code}, {said[-300:]}")
    before = {path.name: path.stat().st_size for path in world.spool.iterdir()}
    if not headers:
        failures.append("no segment header was found")
    # Formats differ by what newer records may hold: the same records under the number of an older one are an older store.
    relabel(world.spool, -1)
    kills = options.count or (3 if options.short else 20)
    for _ in range(kills):
        await world.hub.start(wait=False)
        await asyncio.sleep(world.random.uniform(0.005, 0.15))
        world.disturb("kill")
        await world.hub.kill()
    await world.hub.start()
    await world.bound()
    for sink in world.sinks:
        sink.conduct.receipts = 0.05
        sink.release()
    world.load(options.rate / 2)
    await world.last(2)
    drain = await world.quiesce()
    result = await world.finish({"files": len(before), "headers": headers, "refused_with": code,
                                 "said": said.strip().splitlines()[-1][:200] if said.strip() else "",
                                 "kills_in_conversion": kills, "drain_s": drain}, failures,
                                extra_receipts=(kills + 1) * SESSIONS * WINDOW)
    return result.require(code not in (0, None), "a newer store was opened")


# Where a segment's header has its magic, its format and the checksum over what stands before that; and both copies.
MAGIC, FORMAT_AT, CRC_AT, COPIES = b"enroute\0", 8, 124, (0, 4096)


def relabel(spool, by):
    """Adds to the format number in all headers of a store; gives how many files have one."""
    count = 0
    for path in spool.iterdir():
        with open(path, "r+b") as file:
            for at in COPIES:
                file.seek(at)
                header = file.read(CRC_AT)
                if header.startswith(MAGIC) and len(header) == CRC_AT:
                    number = int.from_bytes(header[FORMAT_AT : FORMAT_AT + 4], "big") + by
                    header = header[:FORMAT_AT] + number.to_bytes(4, "big") + header[FORMAT_AT + 4 :]
                    file.seek(at)
                    file.write(header + crc32c(header).to_bytes(4, "big"))
                    count += at == 0
    return count


def crc32c(octets):
    """CRC-32C, bit by bit: it is for a few headers."""
    crc = 0xFFFFFFFF
    for octet in octets:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


async def refused_start(world):
    """Starts a hub that should refuse to start; its exit code and what it said."""
    await world.hub.start(wait=False)
    try:
        code = await asyncio.wait_for(world.hub.process.wait(), 30)
    except asyncio.TimeoutError:
        await world.hub.kill()
        return None, "it ran"
    return code, world.hub.log()


async def x29(options):
    """A second hub on the same store does not start, and the first one does not notice."""
    world = World("X29", options)
    await world.start()
    world.load()
    await world.last(1)
    codes, words = [], []
    for number in range(options.count or 3):
        other = World(f"X29other{number}", options, spool=world.spool)
        other.hub.write()
        code, said = await refused_start(other)
        codes.append(code)
        words.append(said.strip().splitlines()[-1][:200] if said.strip() else "")
        for book in (other.clients_ledger, other.sinks_ledger, other.events):
            book.close()
        shutil.rmtree(other.dir, ignore_errors=True)
        await world.last(0.5)
    # The lock dies with its holder.
    drain = await world.kill_and_quiesce()
    result = await world.finish({"exit_codes": codes, "said": words[0], "ready_after_kill_s": round(world.hub.ready_s, 2),
                                 "drain_s": drain}, extra_receipts=SESSIONS * WINDOW)
    return result.require(all(code not in (0, None) for code in codes), f"a second hub started: {codes}")
