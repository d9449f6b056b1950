"""HTTP server of one node: /metrics for Prometheus, /healthz and /readyz for supervisors and load balancers.

One thread and an event loop serve all clients, however slow they are: each connection gets one answer and a few seconds
for it. Python's own HTTP servers (and so prometheus_client's) ask DNS for the host's name, take a thread per client and
wait for ever for a silent one.
"""

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from ipaddress import ip_address
from typing import NamedTuple

RETRY = 2.0
"""s between two attempts to bind a port that is taken."""
PATIENCE = 5.0
"""s that a client has to send its request, and to read the answer."""
MOST_CLIENTS = 64
"""Open connections; one more closes the oldest."""
_LONGEST_HEAD = 16 * 1024
"""Bytes of a request."""
_MOST_BLOCKS = 64
"""Blocks of that size, of what a client goes on sending, that are read before its connection is closed."""


class Page(NamedTuple):
    """Answer to a GET."""

    content_type: str
    body: bytes
    status: int = HTTPStatus.OK


def check_host(host: str) -> None:
    """Refuse an address that would have to be looked up.

    Raises:
        ValueError: it is neither an IPv4 nor an IPv6 address.
    """
    try:
        ip_address(host)
    except ValueError:
        raise ValueError(
            f"{host!r} is not allowed; allowed: an IPv4 or IPv6 address, such as 127.0.0.1 or ::"
        ) from None


class MonitorServer:
    """Serves pages in a thread of its own until `close`.

    A port that cannot be bound is tried again every `RETRY` s; meanwhile `problem` gives the reason.

    Args:
        host: IPv4 or IPv6 address; `::` takes clients of both.
        port: TCP port; 0 lets the system choose one (see `port`).
        pages: by path, called in the server's thread; an exception is answered with status 500.
        failed: called with the path and the exception of a page that failed, in the server's thread.

    Raises:
        ValueError: the host is no address.
    """

    def __init__(
        self,
        host: str,
        port: int,
        pages: Mapping[str, Callable[[], Page]],
        failed: Callable[[str, Exception], None] = lambda _path, _error: None,
    ) -> None:
        check_host(host)
        self._host, self._pages, self._failed = host, pages, failed
        self.port = port
        self.problem = ""
        """Reason why nobody is served; empty while the port is bound."""
        self._clients: dict[asyncio.StreamWriter, None] = {}
        self._listener = self._bind()
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving and free the port."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def _bind(self) -> socket.socket | None:
        try:
            # Numeric: no name is ever looked up. It also finds the number of an IPv6 scope (fe80::1%eth0).
            flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
            found = socket.getaddrinfo(self._host, self.port, type=socket.SOCK_STREAM, flags=flags)
            family, *_, address = found[0]
            both = family == socket.AF_INET6 and ip_address(self._host).is_unspecified
            listener = socket.create_server(address, family=family, backlog=MOST_CLIENTS, dualstack_ipv6=both)
        except OSError as error:
            # Not its text, to which socket adds the address once more.
            number = error.errno or 0
            reason = os.strerror(number) if number > 0 else error.strerror
            self.problem = f"metrics_port: cannot bind {self._host} port {self.port}: {reason}"
            return None
        self.port = listener.getsockname()[1]
        self.problem = ""
        return listener

    # In the server's thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        # Every fault of a client is one of a connection, which is closed: none is worth a line of the node's log.
        self._loop.set_exception_handler(lambda _loop, _context: None)
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        while self._listener is None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._end.wait(), RETRY)
                return
            self._listener = self._bind()
        server = await asyncio.start_server(self._converse, sock=self._listener, limit=_LONGEST_HEAD)
        await self._end.wait()
        server.close()
        for client in list(self._clients):
            client.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients[writer] = None
        if len(self._clients) > MOST_CLIENTS:
            oldest = next(iter(self._clients))
            del self._clients[oldest]  # at once: of many that come together each closes another one
            oldest.transport.abort()
        # What is written counts as written once the system has taken all of it.
        writer.transport.set_write_buffer_limits(0)
        try:
            async with asyncio.timeout(PATIENCE):
                writer.write(await self._answer(reader))
                await writer.drain()
                await _read_rest(reader, writer)
                writer.close()
                await writer.wait_closed()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # the client has gone away, or is too slow
        finally:
            writer.transport.abort()
            self._clients.pop(writer, None)

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        try:
            request = await reader.readline()
        except ValueError:  # longer than the limit
            return _response(_text(HTTPStatus.REQUEST_URI_TOO_LONG))
        size, line = len(request), request
        while line.strip():
            try:
                line = await reader.readline()
            except ValueError:  # longer than the limit
                size = _LONGEST_HEAD
            size += len(line)
            if size > _LONGEST_HEAD:
                return _response(_text(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
        words = request.decode("latin-1").split()
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            return _response(_text(HTTPStatus.BAD_REQUEST))
        method, path = words[0], words[1].partition("?")[0]
        if method not in ("GET", "HEAD"):
            return _response(_text(HTTPStatus.METHOD_NOT_ALLOWED, "GET, HEAD"), "Allow: GET, HEAD\r\n")
        return _response(self._page(path), with_body=method == "GET")

    def _page(self, path: str) -> Page:
        make = self._pages.get(path)
        if make is None:
            return _text(HTTPStatus.NOT_FOUND, f"try {', '.join(self._pages)}")
        try:
            return make()
        except Exception as error:  # one broken collector must not end the server
            self._failed(path, error)
            return _text(HTTPStatus.INTERNAL_SERVER_ERROR, f"{type(error).__name__}: {error}")


async def _read_rest(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read the rest of a request, such as a body: the system resets a connection with unread bytes, and the client may
    lose the answer."""
    writer.write_eof()
    for _ in range(_MOST_BLOCKS):
        if not await reader.read(_LONGEST_HEAD):
            return


def _text(status: HTTPStatus, more: str = "") -> Page:
    body = f"{status.phrase}: {more}\n" if more else f"{status.phrase}\n"
    return Page("text/plain; charset=utf-8", body.encode(errors="backslashreplace"), status)


def _response(page: Page, headers: str = "", *, with_body: bool = True) -> bytes:
    status = HTTPStatus(page.status)
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        f"Content-Type: {page.content_type}\r\nContent-Length: {len(page.body)}\r\n"
        f"{headers}Connection: close\r\n\r\n"
    )
    return head.encode("latin-1") + (page.body if with_body else b"")
