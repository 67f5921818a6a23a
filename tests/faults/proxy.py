"""A TCP proxy that does to connections what networks do: delay, silence, cuts, resets, splits, flipped bits."""

import asyncio
import random
import socket
import struct

READ = 65536


class Way:
    """One direction of one connection, and what becomes of its octets."""

    def __init__(self):
        self.swallow = False
        self.delay_s = 0.0
        # Octets in a write at most, 0 for as they come; and seconds between two writes.
        self.split, self.gap_s = 0, 0.0
        # Octets of which one has a bit flipped, on average; 0 for none.
        self.flip_every = 0
        self.seen = 0
        # Seconds between two reads of one octet each; 0 for normal.
        self.drip_s = 0.0


class Pipe:
    """One connection through the proxy: `up` goes from who connected to who listens."""

    def __init__(self, near, far, rng):
        self.near, self.far, self.random = near, far, rng
        self.up, self.down = Way(), Way()
        self.open, self.ways = True, []

    def cut(self, reset=False):
        """Ends both sides, with FIN or with RST; what is under way in the proxy is lost."""
        for end in (self.near, self.far):
            if reset:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.open = False
        # Sockets are closed only when nothing waits for them any more.
        for way in self.ways:
            way.cancel()

    def both(self, **fields):
        """Sets fields of both directions."""
        for way in (self.up, self.down):
            for name, value in fields.items():
                setattr(way, name, value)

    async def carry(self, source, sink, way):
        """Moves octets one way until an end goes."""
        loop = asyncio.get_running_loop()
        try:
            while self.open:
                if way.drip_s:
                    await asyncio.sleep(way.drip_s)
                data = await loop.sock_recv(source, 1 if way.drip_s else READ)
                if not data:
                    break
                way.seen += len(data)
                if way.swallow:
                    continue
                if way.delay_s:
                    await asyncio.sleep(way.delay_s)
                if way.flip_every:
                    data = self.flip(data, way.flip_every)
                if way.split:
                    for at in range(0, len(data), way.split):
                        await loop.sock_sendall(sink, data[at : at + way.split])
                        await asyncio.sleep(way.gap_s)
                else:
                    await loop.sock_sendall(sink, data)
        except OSError:
            pass

    def flip(self, data, every):
        """Flips a bit here and there."""
        data = bytearray(data)
        for _ in range(int(len(data) / every + self.random.random())):
            data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)
        return bytes(data)


class Proxy:
    """Listens on `port` and connects to `to`. `pipes` are the connections that are open."""

    def __init__(self, port, to, seed=3):
        self.port, self.to, self.random = port, to, random.Random(seed)
        self.pipes, self.task, self.server = [], None, None
        self.tasks = set()
        # Called with each new pipe, before anything is carried.
        self.greet = None
        # Small buffers towards who connected, for peers that hardly read.
        self.small = False

    async def start(self):
        """Listens."""
        self.server = socket.socket()
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.server.bind(("127.0.0.1", self.port))
        self.server.listen(100)
        self.server.setblocking(False)
        self.task = asyncio.ensure_future(self.accept())

    async def accept(self):
        """Takes connections for ever."""
        loop = asyncio.get_running_loop()
        while True:
            near, _ = await loop.sock_accept(self.server)
            near.setblocking(False)
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = asyncio.ensure_future(self.serve(near))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def serve(self, near):
        """One connection, to its end."""
        loop = asyncio.get_running_loop()
        far = socket.socket()
        far.setblocking(False)
        far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.small:
            far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        try:
            await loop.sock_connect(far, ("127.0.0.1", self.to))
        except OSError:
            near.close()
            far.close()
            return
        pipe = Pipe(near, far, self.random)
        if self.greet:
            self.greet(pipe)
        self.pipes.append(pipe)
        pipe.ways = [asyncio.ensure_future(pipe.carry(near, far, pipe.up)),
                     asyncio.ensure_future(pipe.carry(far, near, pipe.down))]
        try:
            await asyncio.wait(pipe.ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            pipe.open = False
            for way in pipe.ways:
                way.cancel()
            await asyncio.gather(*pipe.ways, return_exceptions=True)
            if pipe in self.pipes:
                self.pipes.remove(pipe)
            near.close()
            far.close()

    async def stop(self):
        """Hangs up and listens no more."""
        for task in (self.task, *self.tasks):
            task.cancel()
        await asyncio.gather(self.task, *self.tasks, return_exceptions=True)
        self.server.close()
