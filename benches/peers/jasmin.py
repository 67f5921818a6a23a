"""Jasmin from PyPI with RabbitMQ and Redis from Debian, its three daemons, one connector for each link, its pacing off."""

import os
import socket
import time

from place import START_S, Unavailable, free_port, install_debian, install_python

SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"


class Jasmin:
    """jasmind, dlrd and dlrlookupd, and what they need."""

    name, key, kind = "Jasmin 0.11", "jasmin", "end to end"
    syncs, receipts = "no", "yes"

    def install(self):
        """Installs all of it."""
        install_debian(rabbitmq_server=SERVER, redis_server="redis-server")
        # 0.11.1 fails on every answer of a carrier: its listener looks for it in the request. Later setuptools went without
        # pkg_resources, which Jasmin's parts ask for.
        self.python = install_python("jasmin", "jasmin==0.11.0", "setuptools<81")

    def start(self, place):
        """Starts everything, the one before the other needs it."""
        # A receipt that overtakes the answer of its message inside Jasmin is looked up again, which slows all.
        place.start_carrier("--receipt-delay-ms", "3000")
        redis, amqp = self.redis(place), self.rabbit(place)
        self.jcli, router, pb = free_port(), free_port(), free_port()
        places = {"ROOT_PATH": str(place.dir), "CONFIG_PATH": str(place.dir / "etc"), "LOG_PATH": str(place.dir)}
        (place.dir / "etc/store").mkdir(parents=True)
        self.configure(place, amqp[1], redis[1], router, pb)
        daemons = []
        for name in ("jasmind", "dlrd", "dlrlookupd"):
            command = [self.python / "bin/python", self.python / f"bin/{name}.py", "-c", place.dir / "jasmin.cfg"]
            daemons.append(place.start(name, command, env={**os.environ, **places}))
            if name == "jasmind":
                place.wait_for_port(daemons[0], self.jcli)
                place.wait_for_port(daemons[0], place.smpp)
        self.tell(place)
        return [*daemons, redis[0], amqp[0]]

    def redis(self, place):
        """Redis without a file."""
        port = free_port()
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        process = place.start("redis", command)
        place.wait_for_port(process, port)
        return process, port

    def rabbit(self, place):
        """RabbitMQ with a folder, ports and a cookie of its own."""
        port, mapper = free_port(), free_port()
        home = place.dir / "rabbit"
        home.mkdir()
        (home / "plugins").write_text("[].", encoding="utf-8")
        settings = {
            "HOME": home, "RABBITMQ_NODENAME": f"compare{port}@localhost", "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": port, "RABBITMQ_DIST_PORT": free_port(), "ERL_EPMD_PORT": mapper, "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": home / "mnesia", "RABBITMQ_LOG_BASE": home / "log", "RABBITMQ_PID_FILE": home / "pid",
            "RABBITMQ_ENABLED_PLUGINS_FILE": home / "plugins", "RABBITMQ_CONF_ENV_FILE": home / "none",
        }
        environment = {**os.environ, **{name: str(value) for name, value in settings.items()}}
        process = place.start("rabbit", [SERVER], env=environment)
        place.wait_for_port(process, port)
        return process, port

    def configure(self, place, amqp, redis, router, pb):
        """jasmin.cfg: ports, and logs that say only what is wrong."""
        spec = next(self.python.glob("lib/*/site-packages/txamqp/specs/standard/amqp0-9-1.stripped.xml"))
        sections = {
            "smpp-server": {"bind": "127.0.0.1", "port": place.smpp},
            "smpp-server-pb": {"bind": "127.0.0.1", "port": pb},
            "smpp-server-pb-client": {"host": "127.0.0.1", "port": pb},
            "client-management": {"bind": "127.0.0.1", "port": free_port(), "store_path": place.dir / "etc/store"},
            "service-smppclient": {},
            "sm-listener": {},
            "amqp-broker": {"host": "127.0.0.1", "port": amqp, "spec": spec},
            "http-api": {"bind": "127.0.0.1", "port": place.http},
            "router": {"bind": "127.0.0.1", "port": router, "store_path": place.dir / "etc/store"},
            "deliversm-thrower": {},
            "dlr-thrower": {},
            "dlr": {"dlr_lookup_max_retries": 100},
            "redis-client": {"host": "127.0.0.1", "port": redis},
            "jcli": {"bind": "127.0.0.1", "port": self.jcli, "authentication": "False"},
        }
        text = "".join(f"[{name}]\nlog_level = ERROR\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
                       for name, keys in sections.items())
        (place.dir / "jasmin.cfg").write_text(text, encoding="utf-8")

    def tell(self, place):
        """Its console: a customer, a connector for each link, and a route over all of them."""
        links = [f"link{number}" for number in range(place.binds)]
        lines = ["group -a", "gid all", "ok",
                 "user -a", "username demo", "password demo", "gid all", "uid demo", "smpps_cred quota max_bindings 100", "ok"]
        for link in links:
            lines += ["smppccm -a", f"cid {link}", "host 127.0.0.1", f"port {place.carrier}", "username enroute", "password enroute",
                      "submit_throughput 0", "logrotate midnight", "loglevel 40", "ok", f"smppccm -1 {link}"]
        over = ";".join(f"smppc({link})" for link in links)
        lines += ["mtrouter -a", "type DefaultRoute", f"connector smppc({links[0]})", "rate 0", "ok"]
        if len(links) > 1:
            lines += ["mtrouter -a", "type RandomRoundrobinMTRoute", "order 10", "filters all", f"connectors {over}", "rate 0", "ok"]
            lines = ["filter -a", "type TransparentFilter", "fid all", "ok", *lines]
        console = Console(self.jcli)
        said = [console.say(line) for line in lines]
        (place.dir / "jcli.log").write_text("\n".join(said), encoding="utf-8")
        until = time.monotonic() + START_S
        while console.say("smppccm -l").count("BOUND_TRX") < len(links):
            if time.monotonic() > until:
                raise Unavailable("Jasmin: its connectors don't bind")
            time.sleep(0.5)

    def load(self, place):
        """The load of an ESME; it accepts faster than it sends on, so its receipts are waited for longer."""
        return place.load("--receipt-wait", "150")


class Console:
    """jCli over telnet; without a login it greets, and prompts only once it has been told something."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), START_S)

    def answer(self):
        """What it says up to its next prompt."""
        said = b""
        while not said.rstrip().endswith((b"jcli :", b">")):
            try:
                octets = self.socket.recv(65536)
            except TimeoutError:
                octets = b""
            if not octets:
                raise Unavailable("jCli says no more than " + repr(said.decode(errors="replace")))
            said += octets
        return said.decode(errors="replace")

    def say(self, line):
        """Says a line; gives the answer."""
        self.socket.sendall(line.encode() + b"\r\n")
        return self.answer()
