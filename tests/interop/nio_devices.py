"""Devices with matrix-nio and its encryption, several in one process, driven by lines of JSON (nio_lines.py).

Every line names the device: {"who"}. Keys and sessions are kept on disk, so that a device can be closed and opened again.
What a device tells of itself: {"who", "read"}, {"who", "unreadable"}, {"who", "sas"}, {"who", "synced"}, {"who", "lost"}.
"""

import asyncio
import sys
from pathlib import Path

import aiohttp
from nio import (
    AsyncClient,
    AsyncClientConfig,
    ForwardedRoomKeyEvent,
    KeyVerificationCancel,
    KeyVerificationKey,
    KeyVerificationMac,
    KeyVerificationStart,
    MegolmEvent,
    RoomKeyEvent,
    RoomMessageText,
    SyncError,
    SyncResponse,
    UnknownToDeviceEvent,
)

from nio_lines import checked, serve, tell

POLL_MS = 10_000
FILTER = {"room": {"timeline": {"limit": 50}}}
MEGOLM = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
NOISE = "org.example.noise"


class Device:
    def __init__(self, who, url, folder):
        self.who = who
        self.url = url
        self.folder = Path(folder) / who
        self.folder.mkdir()
        self.client = None
        self.loop = None
        self.first = None
        self.pending = {}

    def tell(self, **news):
        tell({"who": self.who, **news})

    def open(self, user):
        # Requests that fail are made again for ever, as a client does that must not lose a key.
        config = AsyncClientConfig(
            store_sync_tokens=True, request_timeout=60, backoff_factor=0.05, max_timeout_retry_wait_time=0.5
        )
        client = AsyncClient(self.url, user, store_path=str(self.folder), config=config)
        client.add_response_callback(self.on_sync, SyncResponse)
        client.add_response_callback(self.on_sync_error, SyncError)
        client.add_event_callback(self.on_text, RoomMessageText)
        client.add_event_callback(self.on_unreadable, MegolmEvent)
        client.add_to_device_callback(self.on_key, (RoomKeyEvent, ForwardedRoomKeyEvent))
        client.add_to_device_callback(self.on_sas_start, KeyVerificationStart)
        client.add_to_device_callback(self.on_sas_key, KeyVerificationKey)
        client.add_to_device_callback(self.on_sas_mac, KeyVerificationMac)
        client.add_to_device_callback(self.on_sas_cancel, KeyVerificationCancel)
        self.client = client

    async def on_sync(self, response):
        messages = response.to_device_events
        noise = [
            event.source["content"]["n"]
            for event in messages
            if isinstance(event, UnknownToDeviceEvent) and event.type == NOISE
        ]
        if messages:
            self.tell(synced={"messages": len(messages), "noise": noise})
        if self.first and not self.first.done():
            self.first.set_result(None)

    async def on_sync_error(self, response):
        self.tell(lost=str(response.status_code))
        self.loop.cancel()

    def read(self, event, room_id):
        self.tell(
            read={
                "room": room_id,
                "eventId": event.event_id,
                "sender": event.sender,
                "text": event.source["content"].get("body"),
                "encrypted": event.decrypted,
                "verified": event.verified,
            }
        )

    async def on_text(self, room, event):
        self.read(event, room.room_id)

    async def on_unreadable(self, room, event):
        self.pending[event.event_id] = event
        self.tell(unreadable=event.event_id)

    async def on_key(self, _event):
        self.retry()

    def retry(self):
        """Reads what could not be read, as far as there are keys by now."""
        for event_id, event in list(self.pending.items()):
            found = self.client.olm._decrypt_megolm_no_error(event)
            if found is not None:
                del self.pending[event_id]
                self.read(found, event.room_id)

    async def on_sas_start(self, event):
        if event.transaction_id in self.client.key_verifications:
            checked(await self.client.accept_key_verification(event.transaction_id))

    async def on_sas_key(self, event):
        sas = self.client.key_verifications[event.transaction_id]
        self.tell(sas={"txn": event.transaction_id, "step": "signs", "signs": list(sas.get_decimals())})

    async def on_sas_mac(self, event):
        sas = self.client.key_verifications[event.transaction_id]
        self.tell(sas={"txn": event.transaction_id, "step": "mac", "verified": sas.verified})

    async def on_sas_cancel(self, event):
        self.tell(sas={"txn": event.transaction_id, "step": "cancelled", "why": event.reason})

    async def login(self, name, password, device_id):
        self.open(name)
        self.client.device_id = device_id or None
        response = checked(await self.client.login(password, self.who))
        return {
            "userId": response.user_id,
            "deviceId": response.device_id,
            "accessToken": response.access_token,
        }

    async def reopen(self):
        """A program that starts again with what it had on disk."""
        before = self.client
        self.open(before.user_id)
        self.client.restore_login(before.user_id, before.device_id, before.access_token)
        # nio takes a count of none in a sync for no count, and would wait with new keys for ever.
        self.client.olm.uploaded_key_count = 0
        await self.start()

    async def start(self):
        self.first = asyncio.get_running_loop().create_future()
        self.loop = asyncio.ensure_future(self.sync_on())
        await self.first

    async def sync_on(self):
        while True:
            try:
                await self.client.sync_forever(timeout=POLL_MS, sync_filter=FILTER, full_state=True)
            except (aiohttp.ClientError, ConnectionError, asyncio.TimeoutError) as error:
                tell({"complaint": f"{self.who}: sync: {type(error).__name__}"})
                await asyncio.sleep(0.2)
            except Exception as error:
                self.tell(broken=f"{type(error).__name__}: {error}")
                raise

    async def stop(self):
        self.loop.cancel()
        await asyncio.wait([self.loop])
        await self.client.close()

    def known(self, user, device):
        return self.client.device_store[user][device]

    async def send(self, room, text, txn):
        content = {"msgtype": "m.text", "body": text}
        sent = await self.client.room_send(
            room, "m.room.message", content, tx_id=txn, ignore_unverified_devices=True
        )
        return checked(sent).event_id

    async def verify(self, user, device):
        before = set(self.client.key_verifications)
        checked(await self.client.start_key_verification(self.known(user, device)))
        return (set(self.client.key_verifications) - before).pop()

    async def remove_device(self, device, password):
        identifier = {"type": "m.id.user", "user": self.client.user_id}
        asked = await self.client.delete_devices([device])
        auth = {"type": "m.login.password", "identifier": identifier, "password": password}
        checked(await self.client.delete_devices([device], {**auth, "session": asked.session}))

    async def request_key(self, event):
        """Asks the user's other devices, once for a session; nothing when the key has come meanwhile."""
        found = self.pending.get(event)
        if found and found.session_id not in self.client.outgoing_key_requests:
            checked(await self.client.request_room_key(found))

    async def upload_fallback(self):
        """A fallback key, which nio itself does not make although the library beneath it can."""
        olm = self.client.olm
        account = olm.account._account
        account.generate_fallback_key()
        keys = {}
        for key_id, key in account.fallback_key.items():
            signed = {"key": key.to_base64(), "fallback": True}
            signature = olm.sign_json(signed)
            signed["signatures"] = {self.client.user_id: {f"ed25519:{self.client.device_id}": signature}}
            keys[f"signed_curve25519:{key_id}"] = signed
        headers = {"Authorization": f"Bearer {self.client.access_token}"}
        url = f"{self.url}/_matrix/client/v3/keys/upload"
        async with aiohttp.request("POST", url, json={"fallback_keys": keys}, headers=headers) as response:
            answer = await response.json()
        if response.status != 200:
            raise RuntimeError(str(answer))
        account.mark_keys_as_published()
        olm.save_account()
        return sorted(keys)

    async def do(self, do, args):
        client = self.client
        if do == "login":
            return await self.login(args["name"], args["password"], args.get("deviceId"))
        if do in ("start", "stop", "reopen"):
            return await getattr(self, do)()
        if do == "createRoom":
            return checked(await client.room_create(invite=args["invite"], initial_state=[MEGOLM])).room_id
        if do == "join":
            return checked(await client.join(args["room"])).room_id
        if do == "inRoom":
            room = client.rooms.get(args["room"])
            return sorted(room.users) if room and room.encrypted else []
        if do == "send":
            return await self.send(args["room"], args["text"], args["txn"])
        if do == "newSession":
            return client.invalidate_outbound_session(args["room"])
        if do == "devices":
            return sorted(device.id for device in client.device_store.active_user_devices(args["user"]))
        if do == "trust":
            return client.olm.is_device_verified(self.known(args["user"], args["device"]))
        if do == "verify":
            return await self.verify(args["user"], args["device"])
        if do == "confirm":
            return checked(await client.confirm_short_auth_string(args["txn"])) and None
        if do == "removeDevice":
            return await self.remove_device(args["device"], args["password"])
        if do == "requestKey":
            return await self.request_key(args["event"])
        if do == "export":
            return await client.export_keys(args["path"], args["passphrase"])
        if do == "import":
            await client.import_keys(args["path"], args["passphrase"])
            return self.retry()
        if do == "keysLeft":
            return client.olm.uploaded_key_count
        if do == "uploadFallback":
            return await self.upload_fallback()
        raise ValueError(do)


async def main():
    devices = {}

    async def do(what, args):
        who = args["who"]
        if who not in devices:
            devices[who] = Device(who, sys.argv[1], sys.argv[2])
        return await devices[who].do(what, args)

    await serve(do)


asyncio.run(main())
