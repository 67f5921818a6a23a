"""A server on the wheel smpp34 that answers submissions: smpp34_server.py PORT."""

import asyncio
import sys

import smpp34


async def main():
    """Answers until it is killed."""
    server = smpp34.Server(host="127.0.0.1", port=int(sys.argv[1]), system_id="smpp34")
    await server.start()
    print("ready", flush=True)
    number = 0
    while True:
        event = await server.next()
        if isinstance(event, smpp34.SubmitSmEvent):
            number += 1
            event.accept(message_id=str(number))


asyncio.run(main())
