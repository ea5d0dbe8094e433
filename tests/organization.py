"""An organization on loopback: STS and Braket of many accounts, on one port and in one thread."""

import asyncio
import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from processes import iso, wire_job

LATENCY = 0.05
"""The time of each response, seconds."""

STARTED = time.time() - 3600
UNIQUE = "0000-4000-8000-000000000000"

_CREDENTIAL = re.compile(rb"Credential=([^/]+)/[^/]+/([^/]+)/(\w+)/")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_ROLE = re.compile(rb"RoleArn=arn%3Aaws%3Aiam%3A%3A(\d+)")


@dataclass
class Organization:
    """The endpoint, as a measurement sees it.

    Attributes:
        hanging: the accounts that get no response from Braket.
        without_role: the accounts that get no response from STS.
        jobs: the running jobs of each account and Region.
        gets: the number of GetJob calls.
        seen: the times of each SearchJobs call, monotonic seconds, by account and Region.
        url: the URL of STS and Braket.
    """

    hanging: Collection[str] = ()
    without_role: Collection[str] = ()
    jobs: int = 0
    gets: int = 0
    seen: defaultdict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Respond on one connection until it ends."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                kind, answer = await self._answer(head, body)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n" % (kind, len(answer)))
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client or the measurement ends
        finally:
            writer.close()

    async def _answer(self, head: bytes, body: bytes) -> tuple[bytes, bytes]:
        credential, role = _CREDENTIAL.search(head), _ROLE.search(body)
        if role:
            await self._delay(role[1].decode(), self.without_role)
            return b"text/xml", _credentials(role[1].decode()).encode()
        account, region = (credential[1].decode(), credential[2].decode()) if credential else ("", "")
        account = account.removeprefix("ASIA")
        if head.startswith(b"GET /job/"):
            answer = self._job(head)
        elif head.startswith(b"GET /device/"):
            answer = _device(head)
        elif b"/spending-limits" in head.partition(b"\r\n")[0]:
            answer = {"spendingLimits": []}
        else:
            self.seen[account, region].append(time.monotonic())
            answer = self._page(account, region, json.loads(body)["filters"][0])
        await self._delay(account, self.hanging)
        return b"application/json", json.dumps(answer).encode()

    async def _delay(self, account: str, hanging: Collection[str]) -> None:
        await asyncio.sleep(3600 if account in hanging else LATENCY)

    def _job(self, head: bytes) -> dict[str, Any]:
        self.gets += 1
        arn = unquote(head.split()[1].decode()).removeprefix("/job/").partition("?")[0]
        return wire_job(arn, "RUNNING", createdAt=iso(STARTED), startedAt=iso(STARTED))

    def _page(self, account: str, region: str, created: dict[str, Any]) -> dict[str, Any]:
        first, *last = created["values"]
        listed = self.jobs if first <= iso(STARTED) and (not last or iso(STARTED) <= last[0]) else 0
        arns = (f"arn:aws:braket:{region}:{account}:job/{number:08x}-{UNIQUE}" for number in range(listed))
        return {"jobs": [wire_job(arn, "RUNNING", createdAt=iso(STARTED)) for arn in arns]}


def _device(head: bytes) -> dict[str, Any]:
    arn = unquote(head.split()[1].decode()).removeprefix("/device/")
    return {"deviceArn": arn, "deviceName": arn.rpartition("/")[2], "deviceStatus": "ONLINE", "deviceQueueInfo": []}


def _credentials(account: str) -> str:
    expiration = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    return (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
        f"<AccessKeyId>ASIA{account}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>"
        f"<SessionToken>token</SessionToken><Expiration>{expiration}</Expiration>"
        "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )


@contextmanager
def organization(
    hanging: Collection[str] = (), *, without_role: Collection[str] = (), jobs: int = 0
) -> Iterator[Organization]:
    """Serve an organization on a free port."""
    served, started, ended = Organization(hanging, without_role, jobs), threading.Event(), threading.Event()

    async def serve() -> None:
        server = await asyncio.start_server(served.serve, "127.0.0.1", 0, backlog=1024)
        served.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        started.set()
        async with server:
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    started.wait()
    try:
        yield served
    finally:
        ended.set()
        thread.join()
