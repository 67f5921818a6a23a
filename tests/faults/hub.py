"""The program under test, as an operator has it: a process, a configuration, signals, and a page of metrics."""

import asyncio
import os
import pathlib
import re
import signal
import time

START_S = 60
ROOT = pathlib.Path(__file__).resolve().parents[2]


class Hub:
    """`enroute serve` in a folder. `sections` are the lines of its configuration, by heading."""

    def __init__(self, binary, directory, sections, env=None):
        self.binary, self.dir, self.sections, self.env = binary, pathlib.Path(directory), sections, env
        self.process, self.http, self.runs, self.ready_s = None, 0, 0, 0.0

    def write(self):
        """Writes the configuration."""
        text = "".join(f"{heading}\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
                       for heading, keys in self.sections)
        (self.dir / "enroute.toml").write_text(text, encoding="utf-8")

    def log_path(self):
        """Where this run logs to."""
        return self.dir / f"hub-{self.runs}.log"

    async def start(self, wait=True, before=()):
        """Starts it and waits until it says `ready`; `before` goes in front of the command."""
        self.write()
        self.runs += 1
        began = time.monotonic()
        with open(self.log_path(), "wb") as log:
            self.process = await asyncio.create_subprocess_exec(
                *before, str(self.binary), "serve", "--config", str(self.dir / "enroute.toml"), stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE, stderr=log, env={**os.environ, **(self.env or {})})
        if wait:
            await asyncio.wait_for(self.until_ready(), START_S)
            self.ready_s = time.monotonic() - began

    async def until_ready(self):
        """Reads what it says up to `ready`."""
        while True:
            line = (await self.process.stdout.readline()).decode()
            if line.startswith("http listening on "):
                self.http = int(line.strip().rsplit(":", 1)[1])
            if line.strip() == "ready":
                return
            if not line:
                raise RuntimeError(f"the hub ended before it was ready: {self.log()[-2000:]}")

    def signal(self, number):
        """Sends it a signal."""
        os.kill(self.process.pid, number)

    async def kill(self):
        """kill -9."""
        if self.process.returncode is None:
            self.signal(signal.SIGKILL)
        await self.process.wait()

    async def terminate(self, limit=30):
        """SIGTERM; gives the exit code and the seconds that it took."""
        began = time.monotonic()
        self.signal(signal.SIGTERM)
        code = await asyncio.wait_for(self.process.wait(), limit)
        return code, time.monotonic() - began

    def log(self):
        """What it logged in this run."""
        return self.log_path().read_text(encoding="utf-8", errors="replace")

    def panicked(self):
        """Whether any run's log tells of a panic."""
        return any("panicked" in path.read_text(errors="replace") for path in self.dir.glob("hub-*.log"))

    async def page(self, path):
        """The body of a GET."""
        return (await self.ask("GET", path))[1]

    async def post(self, path):
        """Status and body of a POST without a body."""
        return await self.ask("POST", path)

    async def ask(self, method, path):
        """Status and body of what the hub answers over HTTP."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.http)
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: rig\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await asyncio.wait_for(reader.read(), 10)).decode().partition("\r\n\r\n")
        writer.close()
        return int(head.split()[1]), body

    async def metrics(self):
        """All series of /metrics, by name with labels."""
        found = {}
        for line in (await self.page("/metrics")).splitlines():
            match = re.match(r"([a-z_]+(?:\{[^}]*\})?) (\S+)", line)
            if match:
                found[match[1]] = float(match[2])
        return found

    async def metric(self, name, label=None):
        """The sum over one metric's series, or of those with a label in them."""
        series = await self.metrics()
        return sum(value for key, value in series.items()
                   if key.split("{")[0] == name and (label is None or label in key))

    def rss_kib(self):
        """Its resident memory."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1])

    def descriptors(self):
        """How many files it has open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def cpu_s(self):
        """CPU that it has used."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100
