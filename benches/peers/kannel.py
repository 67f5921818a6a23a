"""Kannel from Debian: bearerbox with its SMPP link to the carrier, smsbox before it, which takes messages over HTTP. Debian has no box for
Kannel that speaks SMPP to customers, so the load comes over HTTP, and the receipt goes back as an HTTP request."""

from place import free_port, install_debian
from servers import build

# With 200 and more smsbox leaves some requests unanswered.
CONNECTIONS_MAX = 80
CONFIGURATION = """
group = core
admin-port = {admin}
admin-password = demo
smsbox-port = {boxes}
box-allow-ip = 127.0.0.1
log-level = 3
store-type = file
store-file = {folder}/kannel.store
dlr-storage = internal

group = smsc
smsc = smpp
smsc-id = sim
host = 127.0.0.1
port = {carrier}
smsc-username = enroute
smsc-password = enroute
system-type = ""
transceiver-mode = true
instances = {links}
max-pending-submits = {window}
wait-ack = 60

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {boxes}
sendsms-port = {sendsms}
log-level = 3
max-pending-requests = 512

group = sendsms-user
username = demo
password = demo
concatenation = false
"""


class Kannel:
    """bearerbox and smsbox."""

    name, key, kind = "Kannel 1.4.5, HTTP in", "kannel", "end to end"
    syncs, receipts = "no, file store", "yes, by HTTP"

    def install(self):
        """Installs Kannel, builds its load."""
        install_debian(kannel="/usr/sbin/bearerbox")
        self.loader = build("http_load")

    def start(self, place):
        """Starts a carrier and both boxes."""
        place.start_carrier()
        boxes, self.sendsms = free_port(), free_port()
        (place.dir / "kannel.conf").write_text(CONFIGURATION.format(
            admin=free_port(), boxes=boxes, sendsms=self.sendsms, folder=place.dir, carrier=place.carrier, links=place.binds,
            window=place.window), encoding="utf-8")
        bearerbox = place.start("bearerbox", ["/usr/sbin/bearerbox", "-v", "4", place.dir / "kannel.conf"])
        place.wait_for_port(bearerbox, boxes)
        smsbox = place.start("smsbox", ["/usr/sbin/smsbox", "-v", "4", place.dir / "kannel.conf"])
        place.wait_for_port(smsbox, self.sendsms)
        return [bearerbox, smsbox]

    def load(self, place):
        """The load over HTTP, one request at a time on each connection."""
        connections = min(place.binds * place.window, CONNECTIONS_MAX)
        return place.report([self.loader, self.sendsms, free_port(), connections, place.seconds, place.text_len])
