"""Servers that answer binds and submissions and do nothing else: no store, no carrier, no receipts."""

import os

from place import DIR, HERE, install_debian, install_python, run


class Server:
    """One such server: told where to listen, it says `ready`."""

    kind, syncs, receipts = "answers only", "no", "no"

    def start(self, place):
        """Starts it where a hub would be."""
        server = place.start("server", self.command(place), env={**os.environ, **self.environment()})
        place.wait_for_word(server, "ready")
        return [server]

    def environment(self):
        """What else it needs to know."""
        return {}

    def load(self, place):
        """The load of an ESME that wants no receipts."""
        return place.load("--no-receipts")


class Rusmpp(Server):
    """The crate rusmpp with its codec for tokio, all threads; what one read brought is answered with one write."""

    name, key = "rusmpp 0.4", "rusmpp"

    def install(self):
        """Builds it."""
        self.program = build("rusmpp_server")

    def command(self, place):
        """How it is started."""
        return [self.program, f"127.0.0.1:{place.smpp}"]


class Smpp34(Server):
    """The wheel smpp34, whose engine is in Rust; each message is answered in Python."""

    name, key = "smpp34 1.5 (Python on Rust)", "smpp34"

    def install(self):
        """Installs it."""
        self.python = install_python("smpp34", "smpp34==1.5.0")

    def command(self, place):
        """How it is started."""
        return [self.python / "bin/python", HERE / "smpp34_server.py", str(place.smpp)]


class NodeSmpp(Server):
    """The npm package smpp, one process."""

    name, key = "node-smpp 0.5", "node"

    def install(self):
        """Installs it."""
        install_debian(nodejs="node", npm="npm")
        folder = DIR / "node"
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "node_modules/smpp").exists():
            run("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "smpp@0.5.1", cwd=folder)

    def command(self, place):
        """How it is started."""
        return ["node", HERE / "node_server.js", str(place.smpp)]

    def environment(self):
        """Where its package is."""
        return {"NODE_PATH": str(DIR / "node/node_modules")}


def build(program):
    """Builds the peers in Rust; gives the path of one."""
    run("cargo", "build", "--locked", "--quiet", "--release", "--target-dir", DIR / "cargo", cwd=HERE)
    return DIR / "cargo/release" / program
