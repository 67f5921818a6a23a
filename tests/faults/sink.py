"""Carriers: SMSC sinks whose conduct can be changed while they run, with a ledger of what they were given and said."""

import asyncio
import collections
import heapq
import random
import time

import client
import smpp
from ledger import plain

STEP_S = 0.005
RECEIPT_WINDOW = 50
RECEIPT_RETRY_S = 1.0


def decision(token):
    """What becomes of a message at the handset; by its token alone, so that a double gets the same."""
    return b"UNDELIV" if token.endswith("0") else b"DELIVRD"


class Conduct:
    """How a carrier behaves; each field may be set while it runs."""

    def __init__(self):
        # 0; a status to refuse with; "silent"; "drop" (accepts, then hangs up); "garbage"; "unbind" (accepts; the scenario unbinds).
        self.bind = 0
        # "ok"; "silent"; "twice"; "foreign"; "shuffle"; "hangup"; a delay in seconds, or a function of the message to one.
        self.answer = "ok"
        # A command_status, or a function of the message to one.
        self.status = 0
        # A function to the next message id; by default the carrier's name and a number, never again the same.
        self.ids = None
        # Delay of receipts in seconds, a function to it, "hold", or None for never.
        self.receipts = 0.05
        # The receipt goes out at once, and the answer a tenth of a second later.
        self.receipt_first = False
        # Which link receipts take: "same" or "other".
        self.receipt_link = "same"
        # A function from the id of the answer to the one in the receipt.
        self.receipt_id = None
        # Whether receipts have parameters beside their text.
        self.receipt_tlvs = True

    def of(self, what, sm):
        """A field, or what its function says of the message."""
        value = getattr(self, what)
        return value(sm) if callable(value) else value


class Link(asyncio.Protocol):
    """One session of the hub."""

    def __init__(self, sink):
        self.sink, self.buffer, self.sequence = sink, bytearray(), 0
        self.bound, self.transport, self.name = False, None, None
        self.receipts = {}

    def connection_made(self, transport):
        self.transport = transport
        self.sink.connected(self)

    def data_received(self, data):
        self.buffer += data
        now, out = time.monotonic(), []
        try:
            for command, status, sequence, body in smpp.cut(self.buffer):
                self.hear(command, status, sequence, body, now, out)
        except (smpp.Broken, ValueError, IndexError) as error:
            self.sink.ledger.note("broken", s=self.name, why=str(error))
            self.transport.abort()
            return
        self.say(out)

    def hear(self, command, status, sequence, body, now, out):
        """One PDU."""
        if command == smpp.SUBMIT_SM:
            self.sink.submitted(self, sequence, body, now, out)
        elif command == smpp.DELIVER_SM | smpp.RESPONSE:
            self.sink.receipt_answered(self, sequence, status, now)
        elif command == smpp.ENQUIRE_LINK:
            out.append(smpp.pdu(command | smpp.RESPONSE, 0, sequence))
        elif command in (smpp.BIND_RECEIVER, smpp.BIND_TRANSMITTER, smpp.BIND_TRANSCEIVER):
            self.sink.bind(self, command, sequence, out)
        elif command == smpp.UNBIND:
            self.bound = False
            out.append(smpp.pdu(command | smpp.RESPONSE, 0, sequence))
            self.sink.ledger.note("unbind", s=self.name)
        elif command == smpp.UNBIND | smpp.RESPONSE:
            self.transport.close()
        elif not command & smpp.RESPONSE:
            out.append(smpp.pdu(smpp.GENERIC_NACK, 3, sequence))

    def say(self, out):
        """Writes PDUs, if the other side is still there."""
        if out and not self.transport.is_closing():
            self.transport.write(b"".join(out))

    def connection_lost(self, _error):
        self.bound = False
        self.sink.lost(self)


class Sink:
    """One carrier. `port` is where it listens."""

    def __init__(self, ledger, name, port, seed=2):
        self.ledger, self.name, self.port = ledger, name, port
        self.conduct, self.random = Conduct(), random.Random(seed)
        self.links, self.names, self.ids = [], 0, 0
        self.later, self.due, self.ready = [], [], collections.deque()
        self.order = 0
        # Receipts that wait for `release`; answers that wait for company, the first one since `gathering`.
        self.held, self.shuffled, self.gathering = [], [], 0.0
        self.taken = self.binds = self.receipts_done = 0
        self.last_taken = 0.0
        self.bind_times = []
        self.server = self.task = None

    async def start(self):
        """Listens."""
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: Link(self), "127.0.0.1", self.port)
        self.task = asyncio.ensure_future(self.run())

    async def stop(self):
        """Hangs up and listens no more; `start` opens again."""
        self.server.close()
        self.task.cancel()
        for link in list(self.links):
            link.transport.abort()
        await asyncio.sleep(0)

    def unbind(self):
        """Says goodbye on each link; the connection ends with the answer."""
        for link in self.links:
            if link.bound:
                link.bound = False
                link.sequence += 1
                link.say([smpp.pdu(smpp.UNBIND, 0, link.sequence)])

    def connected(self, link):
        """A connection came."""
        self.names += 1
        link.name = f"{self.name}{self.names}"
        self.links.append(link)

    def lost(self, link):
        """A connection went: its unanswered receipts go again."""
        self.ledger.note("lost", s=link.name, receipts=len(link.receipts))
        self.ready.extendleft(link.receipts.values())
        link.receipts.clear()
        if link in self.links:
            self.links.remove(link)

    def bind(self, link, command, sequence, out):
        """A bind came."""
        conduct = self.conduct.bind
        self.binds += 1
        self.bind_times.append(time.monotonic())
        self.ledger.note("bind", s=link.name, answer=conduct)
        if conduct == "silent":
            return
        if conduct == "garbage":
            link.transport.write(b"GET / HTTP/1.1\r\nHost: nobody\r\n\r\n")
            return
        status = conduct if isinstance(conduct, int) else 0
        out.append(smpp.pdu(command | smpp.RESPONSE, status, sequence, b"" if status else b"rig\0"))
        link.bound = status == 0
        if conduct == "drop":
            asyncio.get_running_loop().call_later(0.02, link.transport.abort)

    def next_id(self):
        """The id for the next message."""
        if self.conduct.ids:
            return self.conduct.ids()
        self.ids += 1
        return b"%s%08x" % (self.name.encode().lower(), self.ids)

    def submitted(self, link, sequence, body, now, out):
        """A message came."""
        sm, conduct = smpp.Sm.decode(body), self.conduct
        payload = sm.payload()
        start = payload[0] + 1 if sm.esm_class & 0x40 else 0
        token = plain(payload[start : start + 16].decode("latin1"))
        status, answer = conduct.of("status", sm), conduct.of("answer", sm)
        message_id = b"" if status or answer in ("silent", "hangup") else self.next_id()
        at_once = answer in ("ok", "twice", "foreign") and not conduct.receipt_first
        self.ledger.lines.append('{"e":"got","t":%.6f,"k":"%s","s":"%s","q":%d,"id":"%s","st":%s,"d":%d%s}' % (
            now, token, link.name, sequence, message_id.decode(), status if at_once else "null", client.digest(sm),
            ',"u":[%d,%d]' % (payload[4], payload[5]) if start == 6 else ""))
        self.last_taken = now
        if answer == "hangup":
            link.transport.abort()
            return
        if answer == "silent":
            return
        octets = smpp.pdu(smpp.SUBMIT_SM | smpp.RESPONSE, status, sequence, b"" if status else message_id + b"\0")
        self.answer(link, octets, answer, token, status, now, out)
        if status == 0:
            self.taken += 1
            if sm.registered & 3:
                self.decide(link, sm, token, message_id, now)

    def answer(self, link, octets, answer, token, status, now, out):
        """Says yes or no, now or later."""
        if answer == "shuffle":
            self.gathering = self.gathering if self.shuffled else now
            self.shuffled.append((link, octets, token, status))
            if len(self.shuffled) >= 8:
                self.unshuffle()
        elif answer == "foreign":
            out.append(smpp.pdu(smpp.SUBMIT_SM | smpp.RESPONSE, 0, 0x7FFFFF00 + self.random.randrange(99), b"foreign\0"))
            out.append(octets)
        elif isinstance(answer, (int, float)):
            self.put(now + answer, ("answer", link, octets, token, status))
        elif self.conduct.receipt_first:
            self.put(now + 0.1, ("answer", link, octets, token, status))
        else:
            out.append(octets)
            if answer == "twice":
                out.append(octets)

    def unshuffle(self):
        """Answers what was gathered, in any order."""
        self.random.shuffle(self.shuffled)
        now = time.monotonic()
        for link, octets, token, status in self.shuffled:
            self.say_answer(link, octets, token, status, now)
        self.shuffled = []

    def say_answer(self, link, octets, token, status, now):
        """An answer that was kept back goes out, if its link is still there."""
        said = link in self.links
        self.ledger.lines.append('{"e":"ans","t":%.6f,"k":"%s","st":%d,"said":%s}' % (
            now, token, status, "true" if said else "false"))
        link.say([octets])

    def decide(self, link, sm, token, message_id, now):
        """Plans the receipt."""
        delay = self.conduct.of("receipts", sm)
        if delay is None:
            return
        wording = self.conduct.receipt_id(message_id) if self.conduct.receipt_id else message_id
        receipt = (wording, token, sm.destination, sm.source, decision(token), link.name)
        if delay == "hold":
            self.held.append(receipt)
        else:
            self.put(now if self.conduct.receipt_first else now + delay, ("receipt", receipt))

    def put(self, when, what):
        """Something for later."""
        self.order += 1
        heapq.heappush(self.later, (when, self.order, what))

    def release(self, shuffle=True):
        """Lets held receipts go."""
        if shuffle:
            self.random.shuffle(self.held)
        self.ready.extend(self.held)
        self.held = []

    def backlog(self):
        """Receipts that the hub has not taken yet."""
        waiting = sum(1 for _, _, what in self.later if what[0] == "receipt")
        return waiting + len(self.ready) + sum(len(link.receipts) for link in self.links)

    async def run(self):
        """What is due goes out."""
        while True:
            await asyncio.sleep(STEP_S)
            now = time.monotonic()
            while self.later and self.later[0][0] <= now:
                what = heapq.heappop(self.later)[2]
                if what[0] == "receipt":
                    self.ready.append(what[1])
                else:
                    self.say_answer(*what[1:], now)
            if self.shuffled and now - self.gathering > 0.1:
                self.unshuffle()
            self.deliver(now)

    def deliver(self, now):
        """Receipts go out as far as windows have room."""
        bound = [link for link in self.links if link.bound]
        if not bound:
            return
        outs = {link: [] for link in bound}
        names = {link.name: link for link in bound}
        for _ in range(len(self.ready)):
            receipt = self.ready.popleft()
            link = names.get(receipt[5])
            if link is None or self.conduct.receipt_link == "other":
                others = [other for other in bound if other is not link] or bound
                link = self.random.choice(others)
            if len(link.receipts) >= RECEIPT_WINDOW:
                link = min(bound, key=lambda each: len(each.receipts))
                if len(link.receipts) >= RECEIPT_WINDOW:
                    self.ready.appendleft(receipt)
                    break
            outs[link].append(self.receipt(link, receipt, now))
        for link, out in outs.items():
            link.say(out)

    def receipt(self, link, receipt, now):
        """One receipt, noted and encoded."""
        wording, token, destination, source, state, _ = receipt
        link.sequence += 1
        link.receipts[link.sequence] = receipt
        extra = ((smpp.RECEIPTED_ID, wording + b"\0"), (smpp.MESSAGE_STATE, b"\2" if state == b"DELIVRD" else b"\5"))
        sm = smpp.Sm(source=destination, destination=source, esm_class=4, registered=0,
                     text=smpp.receipt_text(wording, state, token.encode()),
                     tlvs=extra if self.conduct.receipt_tlvs else ())
        self.ledger.lines.append('{"e":"rsent","t":%.6f,"k":"%s","id":"%s","state":"%s","s":"%s"}' % (
            now, token, wording.decode(), state.decode(), link.name))
        return smpp.pdu(smpp.DELIVER_SM, 0, link.sequence, sm.encode())

    def receipt_answered(self, link, sequence, status, now):
        """The hub took a receipt, or not."""
        receipt = link.receipts.pop(sequence, None)
        if receipt is None:
            return
        self.ledger.lines.append('{"e":"rresp","t":%.6f,"k":"%s","st":%d}' % (now, receipt[1], status))
        if status:
            self.put(now + RECEIPT_RETRY_S, ("receipt", receipt))
        else:
            self.receipts_done += 1
