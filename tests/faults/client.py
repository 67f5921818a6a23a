"""ESME clients: sessions of one account that submit at a steady rate and keep a ledger of what they were told."""

import asyncio
import random
import time
import zlib

import smpp
from ledger import plain

FILLER = (b" the quick brown fox jumps over the lazy dog, and whoever reads this has waited for a message"
          b" that was accepted once and must come once, whatever happens on its way")
PART_OCTETS = 130
STEP_S = 0.005
RETRY_S = (0.05, 0.2)


def digest(sm):
    """What must be the same at both ends: addresses, coding, header flag and user data."""
    head = b"%b\0%b\0%d %d " % (sm.source[2], sm.destination[2], sm.esm_class & 0x40, sm.coding)
    return zlib.crc32(sm.payload(), zlib.crc32(head))


class Session(asyncio.Protocol):
    """One bound session; `Client` says what it does."""

    def __init__(self, client, name):
        self.client, self.name = client, name
        self.buffer, self.outstanding, self.sequence = bytearray(), {}, 0
        self.bound, self.transport = False, None

    def connection_made(self, transport):
        self.transport = transport
        body = smpp.bind(self.client.system_id, self.client.password)
        transport.write(smpp.pdu(self.client.bind, 0, self.next(), body))

    def next(self):
        """The next sequence number."""
        self.sequence += 1
        return self.sequence

    def data_received(self, data):
        self.buffer += data
        now, out = time.monotonic(), []
        for command, status, sequence, body in smpp.cut(self.buffer):
            if command == smpp.RESPONSE | smpp.SUBMIT_SM:
                self.client.answered(self, sequence, status, body, now)
            elif command == smpp.DELIVER_SM:
                self.client.delivered(self, sequence, body, now, out)
            elif command == smpp.ENQUIRE_LINK:
                out.append(smpp.pdu(command | smpp.RESPONSE, 0, sequence))
            elif command == smpp.RESPONSE | self.client.bind:
                self.bound = status == 0
                self.client.ledger.note("bound" if self.bound else "refused", s=self.name, st=status)
                if not self.bound:
                    self.transport.close()
            elif command == smpp.UNBIND:
                self.bound = False
                out.append(smpp.pdu(command | smpp.RESPONSE, 0, sequence))
                self.client.ledger.note("unbind", s=self.name)
        if out:
            self.transport.write(b"".join(out))

    def connection_lost(self, _error):
        self.bound = False
        self.client.lost(self)


class Client:
    """An account's sessions. `rate` is in messages a second over all of them, and may be changed at any time."""

    def __init__(self, ledger, port, system_id="demo", sessions=4, window=50, carriers=(b"1", b"2"), seed=1):
        self.ledger, self.port = ledger, port
        self.system_id = self.password = system_id
        self.bind = smpp.BIND_TRANSCEIVER
        self.window, self.carriers, self.wanted = window, carriers, sessions
        self.random = random.Random(seed)
        self.rate, self.long_share, self.scheduled_share, self.schedule_s = 0, 0.05, 0.02, 3
        self.validity = b""
        # How deliveries are answered: "ok", "never", a status, or a delay in seconds.
        self.answering = "ok"
        self.sessions, self.tasks, self.names = [], [], 0
        # Accepted without a final receipt: id -> token; receipts that were quicker than the answer.
        self.open, self.early = {}, set()
        self.accepted = self.refused = self.unknown = self.finals = self.submitted = 0
        self.last_accept = 0.0
        self.owed = 0.0
        self.on, self.reference = True, 0
        # Where everything goes; None for anywhere.
        self.destination = None

    def start(self):
        """Binds and begins."""
        self.tasks = [asyncio.ensure_future(self.hold(place)) for place in range(self.wanted)]
        self.tasks.append(asyncio.ensure_future(self.pump()))

    async def hold(self, place):
        """Keeps one session bound."""
        loop = asyncio.get_running_loop()
        while self.on:
            self.names += 1
            session = Session(self, f"{self.system_id}{place}.{self.names}")
            session.gone = loop.create_future()
            port = self.port[place % len(self.port)] if isinstance(self.port, list) else self.port
            try:
                await asyncio.wait_for(loop.create_connection(lambda: session, "127.0.0.1", port), 5)
            except (OSError, asyncio.TimeoutError):
                await asyncio.sleep(self.random.uniform(*RETRY_S))
                continue
            self.sessions.append(session)
            await session.gone
            await asyncio.sleep(self.random.uniform(*RETRY_S))

    def lost(self, session):
        """A connection ended: what was out is of unknown fate."""
        tokens = [token for token, _ in session.outstanding.values()]
        self.unknown += len(tokens)
        self.ledger.note("lost", s=session.name, k=tokens)
        session.outstanding.clear()
        if session in self.sessions:
            self.sessions.remove(session)
        if not session.gone.done():
            session.gone.set_result(None)

    def answered(self, session, sequence, status, body, now):
        """An answer to a submission."""
        token, _ = session.outstanding.pop(sequence, (None, 0))
        message_id = body[:-1].decode("latin1") if body else ""
        self.ledger.lines.append('{"e":"resp","t":%.6f,"k":"%s","st":%d,"id":"%s"}' % (now, token, status, message_id))
        if status:
            self.refused += 1
            return
        self.accepted += 1
        self.last_accept = now
        if message_id in self.early:
            self.early.discard(message_id)
        else:
            self.open[message_id] = token

    def delivered(self, session, sequence, body, now, out):
        """A receipt, or a message from a handset."""
        sm = smpp.Sm.decode(body)
        message_id = smpp.field(sm.text, b"id:") or (sm.tlv(smpp.RECEIPTED_ID) or b"").rstrip(b"\0")
        state = smpp.field(sm.text, b"stat:") or b""
        message_id, state = plain(message_id.decode("latin1")), plain(state.decode("latin1"))
        answer = self.answering
        self.ledger.lines.append('{"e":"receipt","t":%.6f,"id":"%s","state":"%s","s":"%s","said":"%s","esm":%d}' % (
            now, message_id, state, session.name, answer, sm.esm_class))
        if answer == "never":
            return
        status = answer if isinstance(answer, int) else 0
        if not status:
            self.finals += 1
            if self.open.pop(message_id, None) is None:
                self.early.add(message_id)
        octets = smpp.pdu(smpp.DELIVER_SM | smpp.RESPONSE, status, sequence, b"\0")
        if isinstance(answer, float):
            loop = asyncio.get_running_loop()
            loop.call_later(answer, self.late, session, octets)
        else:
            out.append(octets)

    @staticmethod
    def late(session, octets):
        """An answer that was kept back."""
        if session.transport and not session.transport.is_closing():
            session.transport.write(octets)

    async def pump(self):
        """Submits at `rate` for as long as the client lives."""
        last = time.monotonic()
        turn = 0
        while self.on:
            await asyncio.sleep(STEP_S)
            now = time.monotonic()
            self.owed = min(self.owed + self.rate * (now - last), self.rate * 0.25)
            last = now
            bound = [session for session in self.sessions if session.bound]
            for _ in bound:
                turn += 1
                session = bound[turn % len(bound)]
                # Each session takes its share, so that all are under way at once.
                share = max(1, int(self.owed / len(bound)) + 1)
                self.fill(session, now, share)

    def fill(self, session, now, most):
        """Submits on one session what is owed and fits its window."""
        out = []
        while self.owed >= 1 and len(out) < most and len(session.outstanding) + 3 <= self.window:
            draw = self.random.random()
            if draw < self.long_share / 3:
                out += self.group(session, now)
            elif draw < self.long_share / 3 + self.scheduled_share:
                out.append(self.message(session, now, delay=self.schedule_s))
            else:
                out.append(self.message(session, now))
        if out:
            self.owed -= len(out)
            self.submitted += len(out)
            session.transport.write(b"".join(out))

    def group(self, session, now):
        """A long text in three parts."""
        self.reference = (self.reference + 1) % 256
        name = "%016x" % self.random.getrandbits(64)
        to = self.address()
        return [self.message(session, now, to=to, part=(name, self.reference, 3, number)) for number in (1, 2, 3)]

    def address(self):
        """Somewhere, at one of the carriers."""
        if self.destination:
            return self.destination
        return self.random.choice(self.carriers) + b"%09d" % self.random.randrange(10**9)

    def message(self, session, now, delay=None, to=None, part=None):
        """One submission, noted and encoded."""
        token = b"%016x" % self.random.getrandbits(64)
        text = token + FILLER[: 60 + self.random.randrange(60)]
        more, header, esm_class = "", b"", 0
        if part:
            name, reference, total, number = part
            header, esm_class = bytes((5, 0, 3, reference, total, number)), 0x40
            more += ',"g":["%s",%d,%d]' % (name, total, number)
        schedule = b""
        if delay:
            schedule = b"0000000000%02d000R" % delay
            more += ',"at":%.3f' % delay
        sm = smpp.Sm(source=(5, 0, b"rig"), destination=(1, 1, to or self.address()), text=header + text,
                     esm_class=esm_class, schedule=schedule, validity=self.validity,
                     tlvs=((smpp.REFERENCE, bytes.fromhex(token[-4:].decode())),))
        sequence = session.next()
        token = token.decode()
        session.outstanding[sequence] = (token, now)
        self.ledger.lines.append('{"e":"sent","t":%.6f,"k":"%s","q":%d,"s":"%s","d":%d,"to":"%s"%s}' % (
            now, token, sequence, session.name, digest(sm), sm.destination[2].decode(), more))
        return smpp.pdu(smpp.SUBMIT_SM, 0, sequence, sm.encode())

    async def stop(self):
        """Hangs up."""
        self.on = False
        for session in list(self.sessions):
            session.transport.abort()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
