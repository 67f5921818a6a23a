"""Append-only ledgers: a line of JSON for each thing that happened, by the monotonic clock of the rig.

The first line tells the wall clock at monotonic zero. The rig's clocks are never set, whatever the hub believes.
"""

import json
import time


class Ledger:
    """One file. Lines are gathered and written a few times a second and at `close`."""

    def __init__(self, path):
        self.file = open(path, "w", encoding="utf-8")
        self.lines = ['{"e":"begin","t":%.6f,"wall":%.6f}' % (time.monotonic(), time.time())]

    def note(self, event, **more):
        """One line, for what is rare."""
        more.update(e=event, t=round(time.monotonic(), 6))
        self.lines.append(json.dumps(more))

    def flush(self):
        """Writes what is gathered."""
        if self.lines:
            self.lines.append("")
            self.file.write("\n".join(self.lines))
            self.file.flush()
            self.lines = []

    def close(self):
        """Writes the rest."""
        self.flush()
        self.file.close()


def plain(text):
    """A word for a line: as it is, or in hexadecimal where flipped bits have made it none."""
    return text if text.isascii() and text.isalnum() else "x" + text.encode().hex()


def read(path):
    """All lines of a ledger."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
