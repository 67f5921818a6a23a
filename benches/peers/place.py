"""Where one run takes place: a folder, ports, processes, and the load."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DIR = pathlib.Path(os.environ.get("COMPARE_DIR", ROOT / "target/compare")).resolve()
START_S = 60
STOP_S = 10
LOAD_SPARE_S = 180


class Unavailable(Exception):
    """A peer that can't be had, or doesn't work; the first line goes into its row."""


def run(*command, **more):
    """Runs a command to its end; its last words are the reason if it fails."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **more)
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip() or "no word").splitlines()[-1]
        raise Unavailable(f"{pathlib.Path(str(command[0])).name}: {words}")
    return done.stdout


def install_debian(**programs):
    """Installs the Debian packages of programs that are missing, without starting their services; a program is named as its package
    with _ for -, and its value says where it is or what it is called."""
    missing = [name.replace("_", "-") for name, program in programs.items() if shutil.which(program) is None]
    if not missing:
        return
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    run(*as_root, "apt-get", "update", "-qq")
    quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"]
    run(*as_root, *quiet, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing)


def install_python(name, *packages):
    """A virtual environment with these packages; gives its folder."""
    folder = DIR / name
    stamp, wanted = folder / "installed", " ".join(packages)
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        run("python3", "-m", "venv", folder)
        run(folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check", *packages)
        stamp.write_text(wanted)
    return folder


def free_port():
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def family(pids):
    """These processes and all below them."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                pass  # it has ended meanwhile
    found = set(pids)
    while True:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        if not more:
            return found
        found |= more


def cpu_s(processes):
    """Seconds of CPU, user and system, that these processes and their children have had."""
    ticks = 0
    for pid in family([process.pid for process in processes]):
        try:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        except OSError:
            pass  # it has ended meanwhile
    return ticks / os.sysconf("SC_CLK_TCK")


class Place:
    """One run's folder, ports and processes."""

    def __init__(self, folder, options):
        self.dir, self.binary = folder, options.binary.resolve()
        self.seconds, self.binds, self.window, self.text_len = options.seconds, options.binds, options.window, options.text_len
        self.smpp, self.http, self.carrier = free_port(), free_port(), free_port()
        self.processes = []

    def start(self, name, command, **more):
        """Starts a process in a group of its own; all that it says goes to a log."""
        with open(self.dir / f"{name}.log", "wb") as log:
            process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       start_new_session=True, **{"cwd": self.dir, **more})
        process.log = self.dir / f"{name}.log"
        self.processes.append(process)
        return process

    def start_carrier(self, *more):
        """Our simulated carrier: takes everything at once, a receipt for each message."""
        smsc = self.start("carrier", [self.binary, "smsc", "--listen", f"127.0.0.1:{self.carrier}", *more])
        self.wait_for_word(smsc, "listening")
        return smsc

    def wait(self, what, is_so, process=None):
        """Waits until something is so."""
        until = time.monotonic() + START_S
        while not is_so():
            if process is not None and process.poll() is not None:
                raise Unavailable(f"{what}: it ended with {process.returncode}")
            if time.monotonic() > until:
                raise Unavailable(f"{what}: not within {START_S} s")
            time.sleep(0.05)

    def wait_for_word(self, process, word, log=None):
        """Waits until a process has said a word."""
        log = log or process.log
        self.wait(f"{pathlib.Path(process.args[0]).name} says {word!r}",
                  lambda: log.exists() and word in log.read_text(encoding="utf-8", errors="replace"), process)

    def wait_for_port(self, process, port):
        """Waits until somebody listens."""
        def listens():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0
        self.wait(f"{pathlib.Path(process.args[0]).name} listens on {port}", listens, process)

    def load(self, *more):
        """Runs `enroute load`; gives its report."""
        command = [self.binary, "load", "--to", f"127.0.0.1:{self.smpp}", "--system-id", "demo", "--password", "demo", "--json",
                   "--binds", self.binds, "--window", self.window, "--seconds", self.seconds, "--text-len", self.text_len, *more]
        return self.report(command)

    def report(self, command):
        """Runs a load to its end; the last line that it prints is JSON."""
        try:
            said = run(*command, timeout=self.seconds + LOAD_SPARE_S)
        except subprocess.TimeoutExpired as late:
            raise Unavailable("the load never ended: the server left submissions unanswered") from late
        return json.loads(said.strip().splitlines()[-1])

    def show_logs(self):
        """The last words of all, for whoever looks into it."""
        for log in sorted(self.dir.glob("*.log")):
            words = log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:]
            print(f"-- {log.name}\n" + "\n".join(words), file=sys.stderr)

    def stop(self):
        """Ends what was started here, the last first."""
        for process in reversed(self.processes):
            for number in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(process.pid, number)
                except ProcessLookupError:
                    break
                try:
                    process.wait(STOP_S)
                    break
                except subprocess.TimeoutExpired:
                    pass
