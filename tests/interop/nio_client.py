"""One person with matrix-nio, driven by lines of JSON (nio_lines.py); tells what it hears as {"heard"}."""

import asyncio
import sys

import aiohttp
from nio import AsyncClient, AsyncClientConfig, InviteMemberEvent, SyncResponse

from nio_lines import checked, serve, tell

POLL_MS = 10_000
PAGE = 100
FILTER = {"room": {"timeline": {"limit": 50}}}


class Person:
    def __init__(self, url, name):
        config = AsyncClientConfig(max_timeouts=1, request_timeout=60)
        self.client = AsyncClient(url, name, config=config)
        self.client.add_response_callback(self.on_sync, SyncResponse)
        self.invitations = []
        self.client.add_event_callback(self.on_invite, InviteMemberEvent)
        self.loop = None

    async def on_sync(self, response):
        for room in response.rooms.join.values():
            for event in room.timeline.events:
                tell({"heard": event.source})

    async def on_invite(self, room, event):
        if event.state_key == self.client.user_id and event.membership == "invite":
            self.invitations.append(room.room_id)

    async def register(self, name, password, token):
        return self.session(checked(await self.client.register_with_token(name, password, token, "nio")))

    async def login(self, password):
        return self.session(checked(await self.client.login(password, "nio")))

    def session(self, response):
        return {"user_id": response.user_id, "access_token": response.access_token}

    async def start_sync(self):
        checked(await self.client.sync(timeout=0, sync_filter=FILTER))
        self.resume()

    def resume(self):
        self.loop = asyncio.ensure_future(self.sync_on())

    async def sync_on(self):
        """sync_forever ends when the server is away; a client starts it again."""
        while True:
            try:
                await self.client.sync_forever(timeout=POLL_MS, sync_filter=FILTER)
            except (aiohttp.ClientError, ConnectionError, asyncio.TimeoutError) as error:
                tell({"complaint": f"sync: {type(error).__name__}"})
                await asyncio.sleep(0.2)

    async def pause(self):
        self.loop.cancel()
        await asyncio.wait([self.loop])

    async def send(self, room, text, txn):
        content = {"msgtype": "m.text", "body": text}
        return checked(await self.client.room_send(room, "m.room.message", content, tx_id=txn)).event_id

    async def state(self, room, type, content):
        checked(await self.client.room_put_state(room, type, content))

    async def page_back(self, room):
        texts = []
        start = None
        while True:
            page = checked(await self.client.room_messages(room, start=start, limit=PAGE))
            for event in page.chunk:
                body = event.source["content"].get("body")
                if event.source["type"] == "m.room.message" and body is not None:
                    texts.insert(0, body)
            if page.end is None:
                return texts
            start = page.end

    async def do(self, do, args):
        client = self.client
        if do == "register":
            return await self.register(args["name"], args["password"], args["token"])
        if do == "login":
            return await self.login(args["password"])
        if do == "startSync":
            return await self.start_sync()
        if do == "pause":
            return await self.pause()
        if do == "resume":
            return self.resume()
        if do == "createRoom":
            return checked(await client.room_create(invite=[args["invite"]])).room_id
        if do == "invitations":
            return self.invitations
        if do == "join":
            return checked(await client.join(args["room"])).room_id
        if do == "send":
            return await self.send(args["room"], args["text"], args["txn"])
        if do == "state":
            return await self.state(args["room"], args["type"], args["content"])
        if do == "redact":
            return checked(await client.room_redact(args["room"], args["event"])).event_id
        if do == "pageBack":
            return await self.page_back(args["room"])
        if do == "logout":
            checked(await client.logout())
            return None
        raise ValueError(do)


async def main():
    person = Person(sys.argv[1], sys.argv[2])
    await serve(person.do)
    await person.client.close()


asyncio.run(main())
