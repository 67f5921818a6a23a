#!/usr/bin/env python3
"""A peer that abuses a hub until it is told to stop: `abuser.py KIND PORT`. Says `ready` once it is at it, and at SIGTERM what it did.

It shares a machine with those whose waits are measured: it runs at the lowest priority, and waits wherever the hub lets it wait.
"""

import json
import os
import select
import signal
import socket
import sys
import time

sys.dont_write_bytecode = True

import smpp  # noqa: E402

BURST = 500
NAME = "rogue"


def connect(port):
    """A connection of its own."""
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def bound(port, password=NAME):
    """A bound session, or None if it was refused."""
    end = connect(port)
    end.sendall(smpp.pdu(smpp.BIND_TRANSCEIVER, 0, 1, smpp.bind(NAME, password)))
    head = end.recv(16, socket.MSG_WAITALL)
    if len(head) < 16 or head[8:12] != b"\0\0\0\0":
        end.close()
        return None
    size = int.from_bytes(head[:4], "big")
    end.recv(size - 16, socket.MSG_WAITALL)
    return end


def submission(registered=0):
    """A message to the carrier that honest people don't use."""
    return smpp.Sm(source=(5, 0, b"rogue"), destination=(1, 1, b"2770090012"), text=b"what a rogue has to say" * 4,
                   registered=registered).encode()


def burst(command, body=b""):
    """Many requests in a row."""
    return b"".join(smpp.pdu(command, 0, number, body) for number in range(1, BURST + 1))


class Flood:
    """Requests without end on one session, as fast as the hub takes them, whatever its window; `reads` what comes back, or never does."""

    def __init__(self, command, body=b"", reads=True):
        self.octets, self.reads, self.sent, self.heard = burst(command, body), reads, 0, 0

    def run(self, port):
        """Until the signal; a session that is ended is begun anew."""
        while True:
            end = bound(port)
            if end is None:
                time.sleep(0.1)
                continue
            told()
            try:
                self.pour(end)
            except OSError:
                end.close()

    def pour(self, end):
        """One session's worth."""
        end.setblocking(False)
        left = memoryview(self.octets)
        while True:
            can_read, can_write, _ = select.select([end] if self.reads else [], [end], [])
            if can_read:
                data = end.recv(1 << 16)
                if not data:
                    raise ConnectionResetError
                self.heard += len(data)
            if can_write:
                gone = end.send(left)
                self.sent += gone
                left = left[gone:] or memoryview(self.octets)

    def did(self):
        """Octets, both ways."""
        return {"octets_sent": self.sent, "octets_heard": self.heard}


class Slow:
    """Submits at a fair rate, asks for receipts, and answers none of them."""

    def __init__(self, rate=500):
        self.rate, self.sent = rate, 0

    def run(self, port):
        """Until the signal."""
        end = bound(port)
        told()
        body = submission(registered=1)
        began = time.monotonic()
        while True:
            time.sleep(0.02)
            owed = int((time.monotonic() - began) * self.rate) - self.sent
            end.sendall(b"".join(smpp.pdu(smpp.SUBMIT_SM, 0, self.sent + number + 1, body) for number in range(owed)))
            self.sent += owed
            # Reads what comes, and says nothing to it.
            while select.select([end], [], [], 0)[0]:
                end.recv(1 << 16)

    def did(self):
        """Messages."""
        return {"submitted": self.sent}


class Drip:
    """Hundreds of connections that send a bind an octet at a time, and come again when they are hung up on."""

    def __init__(self, many=300):
        self.many, self.cuts = many, 0

    def run(self, port):
        """Until the signal."""
        octets = smpp.pdu(smpp.BIND_TRANSCEIVER, 0, 1, smpp.bind(NAME, NAME))
        ends = [connect(port) for _ in range(self.many)]
        told()
        turn = 0
        while True:
            for place, end in enumerate(ends):
                try:
                    end.sendall(octets[turn % len(octets) :][:1])
                except OSError:
                    self.cuts += 1
                    end.close()
                    ends[place] = connect(port)
            turn += 1
            time.sleep(0.2)

    def did(self):
        """Connections that the hub ended."""
        return {"connections": self.many, "ended_by_the_hub": self.cuts}


class Knock:
    """Binds with a wrong password or says something impossible once bound, hangs up, and does it again at once."""

    def __init__(self, password, words=b""):
        self.password, self.words, self.times = password, words, 0

    def run(self, port):
        """Until the signal."""
        told()
        while True:
            try:
                end = bound(port, self.password)
                self.times += 1
                if end:
                    end.sendall(self.words)
                    while end.recv(1 << 16):
                        pass
                    end.close()
            except OSError:
                pass

    def did(self):
        """How often."""
        return {"times": self.times}


KINDS = {
    "window": lambda: Flood(smpp.SUBMIT_SM, submission()),
    "never_reads": lambda: Flood(smpp.SUBMIT_SM, submission(), reads=False),
    "enquire_link": lambda: Flood(smpp.ENQUIRE_LINK),
    "enquire_link_never_reads": lambda: Flood(smpp.ENQUIRE_LINK, reads=False),
    "unknown_commands": lambda: Flood(0x00000BAD),
    "slow": Slow,
    "drip": Drip,
    "wrong_binds": lambda: Knock("wrong"),
    "impossible_lengths": lambda: Knock(NAME, b"\x7f\xff\xff\xff" + b"\0" * 12),
}


TOLD = []


def told():
    """Says `ready`, once."""
    if not TOLD:
        TOLD.append(True)
        print("ready", flush=True)


def main():
    """Abuses until SIGTERM."""
    os.nice(19)
    abuse = KINDS[sys.argv[1]]()

    def end(*_):
        print(json.dumps(abuse.did()), flush=True)
        os._exit(0)
    signal.signal(signal.SIGTERM, end)
    abuse.run(int(sys.argv[2]))


if __name__ == "__main__":
    main()
