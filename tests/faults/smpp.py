"""A small SMPP 3.4 codec of the rig's own, so that the hub's codec is not its own judge.

Only what the rig says and hears: binds, submit_sm, deliver_sm, enquire_link, unbind, generic_nack and their
responses. `check_vectors` reads and writes the shared test vectors, octet for octet.
"""

import json
import struct

GENERIC_NACK = 0x80000000
BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER = 1, 2, 9
SUBMIT_SM, DELIVER_SM = 4, 5
UNBIND, ENQUIRE_LINK = 6, 0x15
RESPONSE = 0x80000000

ROK, INVALID_ID, SYSTEM_ERROR, BIND_FAILED = 0, 0x0C, 0x08, 0x0D
QUEUE_FULL, THROTTLED, TEMPORARY = 0x14, 0x58, 0x64

MESSAGE_PAYLOAD, RECEIPTED_ID, MESSAGE_STATE, REFERENCE = 0x0424, 0x001E, 0x0427, 0x0204

HEAD = struct.Struct(">IIII")
TLV = struct.Struct(">HH")
LONGEST = 1 << 20


class Broken(Exception):
    """Octets that are no SMPP."""


def pdu(command, status, sequence, body=b""):
    """One PDU with its header."""
    return HEAD.pack(16 + len(body), command, status, sequence) + body


def cut(buffer):
    """Cuts whole PDUs off the front of a bytearray; gives (command, status, sequence, body) of each."""
    at, end, found = 0, len(buffer), []
    unpack = HEAD.unpack_from
    while end - at >= 16:
        length, command, status, sequence = unpack(buffer, at)
        if not 16 <= length <= LONGEST:
            raise Broken(f"command_length {length}")
        if end - at < length:
            break
        found.append((command, status, sequence, bytes(buffer[at + 16 : at + length])))
        at += length
    if at:
        del buffer[:at]
    return found


def word(body, at):
    """A C-octet string at `at`: itself and what comes after it."""
    end = body.index(0, at)
    return body[at:end], end + 1


def bind(system_id, password, version=0x34):
    """The body of a bind."""
    return system_id.encode() + b"\0" + password.encode() + b"\0\0" + bytes([version, 0, 0, 0])


class Sm:
    """The body of submit_sm or deliver_sm."""

    __slots__ = ("service", "source", "destination", "esm_class", "protocol", "priority", "schedule", "validity",
                 "registered", "replace", "coding", "default_id", "text", "tlvs")

    def __init__(self, source=(0, 0, b""), destination=(1, 1, b""), text=b"", esm_class=0, coding=0, registered=1,
                 schedule=b"", validity=b"", tlvs=(), service=b"", protocol=0, priority=0, replace=0, default_id=0):
        self.service, self.source, self.destination = service, source, destination
        self.esm_class, self.protocol, self.priority = esm_class, protocol, priority
        self.schedule, self.validity, self.registered, self.replace = schedule, validity, registered, replace
        self.coding, self.default_id, self.text, self.tlvs = coding, default_id, text, tlvs

    def encode(self):
        """Its octets."""
        return b"".join((
            self.service, b"\0", bytes(self.source[:2]), self.source[2], b"\0",
            bytes(self.destination[:2]), self.destination[2], b"\0",
            bytes((self.esm_class, self.protocol, self.priority)), self.schedule, b"\0", self.validity, b"\0",
            bytes((self.registered, self.replace, self.coding, self.default_id, len(self.text))), self.text,
            *(TLV.pack(tag, len(value)) + value for tag, value in self.tlvs)))

    @staticmethod
    def decode(body):
        """The same, from octets."""
        sm = Sm.__new__(Sm)
        sm.service, at = word(body, 0)
        address, after = word(body, at + 2)
        sm.source = (body[at], body[at + 1], address)
        address, at = word(body, after + 2)
        sm.destination = (body[after], body[after + 1], address)
        sm.esm_class, sm.protocol, sm.priority = body[at : at + 3]
        sm.schedule, at = word(body, at + 3)
        sm.validity, at = word(body, at)
        sm.registered, sm.replace, sm.coding, sm.default_id, length = body[at : at + 5]
        at += 5
        sm.text = body[at : at + length]
        if len(sm.text) != length:
            raise Broken("short_message is cut short")
        sm.tlvs = tlvs(body, at + length)
        return sm

    def payload(self):
        """The user data, wherever it stands."""
        return self.text or self.tlv(MESSAGE_PAYLOAD) or b""

    def tlv(self, wanted):
        """The value of an optional parameter."""
        for tag, value in self.tlvs:
            if tag == wanted:
                return value
        return None


def tlvs(body, at):
    """Optional parameters up to the end."""
    found = []
    while at < len(body):
        tag, length = TLV.unpack_from(body, at)
        value = body[at + 4 : at + 4 + length]
        if len(value) != length:
            raise Broken("an optional parameter is cut short")
        found.append((tag, value))
        at += 4 + length
    return found


def receipt_text(message_id, state, token=b"", error=b"000"):
    """A receipt as SMPP 3.4 appendix B writes it."""
    delivered = b"001" if state == b"DELIVRD" else b"000"
    return (b"id:%s sub:001 dlvrd:%s submit date:2601021530 done date:2601021531 stat:%s err:%s text:%s"
            % (message_id, delivered, state, error, token))


def field(text, name):
    """The value after `name` in a receipt's text, up to a blank."""
    at = text.find(name)
    if at < 0:
        return None
    at += len(name)
    end = text.find(b" ", at)
    return text[at:] if end < 0 else text[at:end]


def check_vectors(path):
    """Reads and writes all vectors of the PDUs that the rig speaks; gives how many; raises at the first difference."""
    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)["pdus"]
    bodies = 0
    for vector in vectors:
        octets = bytearray.fromhex(vector["hex"])
        whole = bytes(octets)
        (command, status, sequence, body), = cut(octets)
        wrong = ValueError(f"{vector['name']}: read or written wrongly")
        if (command, status, sequence) != (int(vector["command_id"], 16), int(vector["command_status"], 16),
                                           vector["sequence_number"]) or pdu(command, status, sequence, body) != whole:
            raise wrong
        if command not in (SUBMIT_SM, DELIVER_SM):
            continue
        sm, told = Sm.decode(body), vector["fields"]
        read = (sm.source[2].decode("latin1"), sm.destination[2].decode("latin1"), sm.destination[0], sm.esm_class,
                sm.schedule.decode(), sm.validity.decode(), sm.registered, sm.coding, sm.text.hex(),
                [(tag, value.hex()) for tag, value in sm.tlvs])
        expected = (told["source_addr"], told["destination_addr"], told["dest_addr_ton"], told["esm_class"],
                    told["schedule_delivery_time"], told["validity_period"], told["registered_delivery"],
                    told["data_coding"], told["short_message_hex"],
                    [(int(tlv["tag"], 16), tlv["value_hex"]) for tlv in vector.get("tlvs", [])])
        if read != expected or sm.encode() != body:
            raise ValueError(f"{vector['name']}: {read} is not {expected}")
        bodies += 1
    return bodies
