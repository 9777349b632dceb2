"""`python -m bench.distance PORT TO_PORT RTT_MS`: a way to another port of this machine that takes as long as a far one."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.nghttpd import free_port

_READ_MAX = 1 << 16


@dataclass(frozen=True, slots=True)
class Far:
    """Where a far server is, and the process that the way there is in."""

    url: str
    pid: int


@contextmanager
def distance(url: str, rtt_ms: int) -> Iterator[Far]:
    """Put so many milliseconds of round trip before a server of this machine, in a process of their own."""
    port = free_port()
    command = [sys.executable, "-m", "bench.distance", str(port), str(urlsplit(url).port), str(rtt_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 our own module
        try:
            if process.stdout is None or not process.stdout.readline():
                raise OSError("the way does not open")
            yield Far(f"https://127.0.0.1:{port}", process.pid)
        finally:
            process.terminate()


async def lay(port: int, to_port: int, rtt_ms: int) -> None:
    """Carry bytes both ways, each half of the round trip late, however many there are: it is far, not narrow."""
    delay_s = rtt_ms / 2000

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", to_port)
        await asyncio.gather(_carry(reader, back, delay_s), _carry(there, writer, delay_s))

    server = await asyncio.start_server(join, "127.0.0.1", port)
    print("open", flush=True)
    await server.serve_forever()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float) -> None:
    later = asyncio.get_running_loop().call_later
    try:
        while data := await reader.read(_READ_MAX):
            later(delay_s, writer.write, data)
    except ConnectionError:
        pass
    later(delay_s, writer.close)


if __name__ == "__main__":
    asyncio.run(lay(*map(int, sys.argv[1:])))
