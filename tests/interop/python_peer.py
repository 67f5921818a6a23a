"""A foreign SMPP peer on the PyPI library `smpplib`, in either role:

    python python_peer.py esme HOST PORT      submits, collects receipts, exits 0 if all is right
    python python_peer.py carrier PORT        accepts binds, answers, sends receipts, reports at SIGTERM

The last line on stdout is one JSON object. node_peer.js does the same with another library.
The library has no server: the carrier is an asyncio one whose every octet still goes through its codec.
"""

import asyncio
import json
import re
import signal
import sys
import time

from smpplib import client as smpp_client
from smpplib import consts, smpp

PIPELINED = 200
LIMIT_S = 30
RECEIPT_BIT = 0x04
UNICODE = "Grüße, Łódź, Ελλάδα, 你好, 🚀".encode("utf-16-be")


class Fault(Exception):
    """Something that the other side did wrong."""


def read_receipt(text):
    """The id and state of a receipt's text."""
    found_id = re.search(r"\bid:(\S+)", text, re.IGNORECASE)
    found_stat = re.search(r"\bstat:(\S+)", text, re.IGNORECASE)
    if not found_id or not found_stat:
        raise Fault(f"no receipt: {text!r}")
    return found_id[1], found_stat[1]


def plain(value):
    """A C-octet string of the library as text without its NUL."""
    return (value or b"").rstrip(b"\0").decode("ascii")


class Esme:
    """Submits a few hundred messages and keeps count of what comes back."""

    def __init__(self, host, port):
        self.client = smpp_client.Client(host, port, timeout=LIMIT_S, allow_unknown_opt_params=True)
        self.client.set_message_sent_handler(self.answered)
        self.client.set_message_received_handler(self.received)
        self.submitted = 0
        self.ids = set()
        self.settled = set()
        self.early = []

    def answered(self, pdu):
        message_id = plain(pdu.message_id)
        if not message_id:
            raise Fault("submit answered without an id")
        if message_id in self.ids:
            raise Fault(f"id {message_id} given twice")
        self.ids.add(message_id)
        early, self.early = self.early, []
        for receipt in early:
            self.settle(*receipt)

    def received(self, pdu):
        if not pdu.esm_class & RECEIPT_BIT:
            raise Fault("a deliver_sm that is not a receipt")
        message_id, state = read_receipt(pdu.short_message.decode("latin-1"))
        # A 3.4 peer is owed the TLVs beside the text, and they must agree.
        if plain(pdu.receipted_message_id) != message_id:
            raise Fault(f"TLV id {pdu.receipted_message_id}, text {message_id}")
        if pdu.message_state != consts.SMPP_MESSAGE_STATE_DELIVERED:
            raise Fault(f"TLV state {pdu.message_state}")
        self.settle(message_id, state)
        return consts.SMPP_ESME_ROK

    def settle(self, message_id, state):
        if message_id not in self.ids:
            self.early.append((message_id, state))
            return
        if state != "DELIVRD":
            raise Fault(f"receipt says {state}")
        if message_id in self.settled:
            raise Fault(f"second receipt for {message_id}")
        self.settled.add(message_id)

    def submit(self, text, data_coding=0):
        self.client.send_message(
            source_addr_ton=0,
            source_addr_npi=0,
            source_addr="1000",
            dest_addr_ton=1,
            dest_addr_npi=1,
            destination_addr="491701234567",
            short_message=text,
            data_coding=data_coding,
            esm_class=0,
            registered_delivery=True,
        )
        self.submitted += 1

    def run(self):
        deadline = time.monotonic() + LIMIT_S
        self.client.connect()
        self.client.bind_transceiver(system_id="demo", password="demo", interface_version=0x34)
        print("ready", flush=True)
        self.submit(b"plain text")
        self.submit(UNICODE, consts.SMPP_ENCODING_ISO10646)
        for number in range(PIPELINED):
            self.submit(b"n=%010d" % number)
        while len(self.settled) < self.submitted:
            if time.monotonic() > deadline:
                raise Fault("not done in time")
            self.client.read_once(auto_send_enquire_link=False)
        response = self.client.unbind()
        if response.command != "unbind_resp" or response.is_error():
            raise Fault(f"unbind answered {response.command} {response.status}")
        self.client.disconnect()

    def report(self, faults):
        return {
            "submitted": self.submitted,
            "answered": len(self.ids),
            "ids": len(self.ids),
            "receipts": len(self.settled),
            "faults": faults,
        }


def esme(host, port):
    peer = Esme(host, port)
    faults = []
    try:
        peer.run()
    except Exception as fault:  # whatever went wrong belongs into the report
        faults.append(f"{type(fault).__name__}: {fault}")
    print(json.dumps(peer.report(faults)), flush=True)
    return 1 if faults else 0


class Numbers:
    """What the library asks of a client when it builds a request: the next sequence number."""

    def __init__(self):
        self.sequence = 0

    def next_sequence(self):
        self.sequence += 1
        return self.sequence


class Carrier:
    """Answers binds and submits, and sends a receipt for each message that wants one."""

    def __init__(self):
        self.counts = dict(binds=0, submits=0, unicode_intact=0, receipts=0, receipts_answered=0, refused=0)

    async def serve(self, reader, writer):
        numbers = Numbers()
        try:
            while True:
                head = await reader.readexactly(4)
                body = await reader.readexactly(int.from_bytes(head, "big") - 4)
                pdu = smpp.parse_pdu(head + body, client=numbers, allow_unknown_opt_params=True)
                if not self.handle(pdu, numbers, writer):
                    break
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def handle(self, pdu, numbers, writer):
        """Takes one PDU; False ends the session."""
        if pdu.command.startswith("bind_") and pdu.is_request():
            self.counts["binds"] += 1
            self.answer(pdu, writer, system_id="python-carrier")
        elif pdu.command == "submit_sm":
            self.take(pdu, numbers, writer)
        elif pdu.command == "deliver_sm_resp":
            self.counts["refused" if pdu.is_error() else "receipts_answered"] += 1
        elif pdu.command == "enquire_link":
            self.answer(pdu, writer)
        elif pdu.command == "unbind":
            self.answer(pdu, writer)
            return False
        return True

    def answer(self, pdu, writer, **fields):
        response = smpp.make_pdu(f"{pdu.command}_resp", status=consts.SMPP_ESME_ROK, **fields)
        response.sequence = pdu.sequence
        writer.write(response.generate())

    def take(self, pdu, numbers, writer):
        self.counts["submits"] += 1
        if pdu.data_coding == consts.SMPP_ENCODING_ISO10646 and pdu.short_message == UNICODE:
            self.counts["unicode_intact"] += 1
        message_id = f"python{self.counts['submits']}"
        self.answer(pdu, writer, message_id=message_id)
        if not pdu.registered_delivery & 1:
            return
        self.counts["receipts"] += 1
        text = (
            f"id:{message_id} sub:001 dlvrd:001 submit date:2611220200 done date:2611220201 "
            "stat:DELIVRD err:000 text:"
        )
        # Text alone, as 3.3 had it, and text with TLVs, turn by turn.
        tlvs = {}
        if self.counts["receipts"] % 2 == 0:
            tlvs = dict(receipted_message_id=message_id, message_state=consts.SMPP_MESSAGE_STATE_DELIVERED)
        receipt = smpp.make_pdu(
            "deliver_sm",
            client=numbers,
            **tlvs,
            source_addr=plain(pdu.destination_addr),
            destination_addr=plain(pdu.source_addr),
            esm_class=RECEIPT_BIT,
            short_message=text.encode("ascii"),
        )
        writer.write(receipt.generate())


async def carrier(port):
    peer = Carrier()
    server = await asyncio.start_server(peer.serve, "127.0.0.1", port)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print("ready", flush=True)
    await stop.wait()
    server.close()
    print(json.dumps(peer.counts), flush=True)
    return 0


def main(arguments):
    match arguments:
        case ["esme", host, port]:
            return esme(host, port)
        case ["carrier", port]:
            return asyncio.run(carrier(int(port)))
    print("usage: python_peer.py esme HOST PORT | carrier PORT", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
