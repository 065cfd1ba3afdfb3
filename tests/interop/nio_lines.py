"""Lines of JSON that drive a process: {"id", "do", ...} in; {"id", "ok" | "error"}, or news without an id, out."""

import asyncio
import json
import logging
import sys

from nio.responses import ErrorResponse


def tell(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


class Complaints(logging.Handler):
    def emit(self, record):
        tell({"complaint": self.format(record)})


def checked(response):
    if isinstance(response, ErrorResponse):
        raise RuntimeError(str(response))
    return response


async def answer(do, line):
    message = json.loads(line)
    try:
        tell({"id": message["id"], "ok": await do(message["do"], message)})
    except Exception as error:
        tell({"id": message["id"], "error": f"{type(error).__name__}: {error}"})


async def serve(do):
    """Answers each line with what `do(what, message)` gives, several at a time, until the input ends."""
    logging.getLogger().addHandler(Complaints(level=logging.WARNING))
    reader = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    tasks = set()
    while line := await reader.readline():
        task = asyncio.ensure_future(answer(do, line))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
