"""The HTTP server of a node: its answers, and clients that are slow, many, wrong or gone."""

import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from http.client import HTTPConnection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_node import monitor
from qiki_node.monitor import MonitorServer, Page
from qiki_node.testing import PATIENCE

PAGES = {"/page": lambda: Page("text/plain", b"three\n"), "/broken": lambda: Page("text/plain", b"%d" % (1 // 0))}


def fetch(port: int, path: str, host: str = "127.0.0.1") -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "condition did not come true in time"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def server() -> Iterator[MonitorServer]:
    server = MonitorServer("127.0.0.1", 0, PAGES)
    yield server
    server.close()


def converse(server: MonitorServer, request: bytes) -> bytes:
    """All that the server answers to some bytes, until it closes the connection."""
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while block := client.recv(65536):
            answer += block
        return answer


def test_a_page_and_its_head(server: MonitorServer) -> None:
    assert fetch(server.port, "/page?verbose=1") == (200, "three\n")
    client = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    client.request("HEAD", "/page")
    answer = client.getresponse()
    assert (answer.status, answer.headers["Content-Length"], answer.read()) == (200, "6", b"")


def test_what_is_not_there_or_not_allowed_is_named(server: MonitorServer) -> None:
    assert fetch(server.port, "/other") == (404, "Not Found: try /page, /broken\n")
    answer = converse(server, b"DELETE /page HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert b"\r\nAllow: GET, HEAD\r\n" in answer
    assert converse(server, b"GET /page HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n").startswith(b"HTTP/1.1 431 ")
    assert converse(server, b"GET /page HTTP/1.1\r\n" + b"X: y\r\n" * 5_000).startswith(b"HTTP/1.1 431 ")
    assert converse(server, b"GET /" + b"x" * 900_000 + b" HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 414 ")
    body = b"x" * 900_000
    assert converse(server, b"POST /page HTTP/1.1\r\nContent-Length: 900000\r\n\r\n" + body).startswith(
        b"HTTP/1.1 405 "
    )


def test_a_page_that_fails_is_reported_and_ends_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    failed: list[tuple[str, str]] = []
    server = MonitorServer("127.0.0.1", 0, PAGES, lambda path, error: failed.append((path, type(error).__name__)))
    try:
        assert fetch(server.port, "/broken")[0] == 500
        assert failed == [("/broken", "ZeroDivisionError")]
        assert fetch(server.port, "/page")[0] == 200
    finally:
        server.close()
    assert capfd.readouterr() == ("", "")


@given(st.binary(max_size=200) | st.text(" /GETHADPage1.\r\n\t?%:\0", max_size=60).map(str.encode))
def test_no_request_ends_it_or_goes_unanswered(server: MonitorServer, request_: bytes) -> None:
    answer = converse(server, request_)
    assert answer.startswith(b"HTTP/1.1 ")
    assert fetch(server.port, "/page")[0] == 200


def test_slow_and_many_clients_keep_nobody_waiting_and_print_nothing(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(monitor, "PATIENCE", 0.5)
    monkeypatch.setattr(monitor, "MOST_CLIENTS", 20)
    large = Page("text/plain", b"x" * 20_000_000)
    server = MonitorServer("127.0.0.1", 0, {**PAGES, "/large": lambda: large})
    try:
        before = threading.active_count()
        with ExitStack() as stack:
            slow = [
                stack.enter_context(socket.create_connection(("127.0.0.1", server.port), PATIENCE)) for _ in range(60)
            ]
            for number, client in enumerate(slow):
                with suppress(OSError):  # the oldest have been closed
                    client.sendall((b"", b"GET /pa", b"GET /large HTTP/1.1\r\n\r\n")[number % 3])
            assert fetch(server.port, "/page")[0] == 200
            assert threading.active_count() == before
            slow[-1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            slow.pop().close()  # gone, with a reset
            for client in slow:
                client.settimeout(PATIENCE)
                with suppress(ConnectionResetError):
                    while client.recv(1 << 20):
                        pass
            assert fetch(server.port, "/page")[0] == 200
    finally:
        server.close()
    assert capfd.readouterr() == ("", "")


def test_it_binds_both_families_and_asks_no_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    real, by_name = socket.getaddrinfo, []

    def noting(host: str, *arguments: int, flags: int = 0, **options: int) -> object:
        if not flags & socket.AI_NUMERICHOST:
            by_name.append(host)
        return real(host, *arguments, flags=flags, **options)

    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", noting)
        for name in ("getfqdn", "gethostbyaddr", "gethostbyname"):
            patch.setattr(socket, name, by_name.append)
        servers = {host: MonitorServer(host, 0, PAGES) for host in ("127.0.0.1", "0.0.0.0", "::1", "::")}
    assert not by_name
    for host, server in servers.items():
        clients = {"127.0.0.1": ["127.0.0.1"], "0.0.0.0": ["127.0.0.1"], "::1": ["[::1]"]}
        for client in clients.get(host, ["127.0.0.1", "[::1]"]):
            assert fetch(server.port, "/page", client)[0] == 200
        server.close()


@pytest.mark.parametrize("host", ["localhost", "example.org", "", "1.2.3", "127.0.0.1:80", "[::1]", "::1%", "*"])
def test_a_name_is_no_address(host: str) -> None:
    with pytest.raises(ValueError, match=r"is not allowed; allowed: an IPv4 or IPv6 address"):
        MonitorServer(host, 0, PAGES)


@pytest.mark.parametrize("host", ["127.0.0.1", "::"])
def test_a_port_in_use_is_named_and_tried_again(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "RETRY", 0.02)
    first = MonitorServer(host, 0, PAGES)
    second = MonitorServer(host, first.port, PAGES)
    assert second.problem == f"metrics_port: cannot bind {host} port {first.port}: Address already in use"
    first.close()
    until(lambda: not second.problem)
    assert fetch(second.port, "/page")[0] == 200
    third = MonitorServer(host, second.port, PAGES)
    third.close()
    assert third.problem
    second.close()


def test_an_address_that_this_machine_does_not_have_is_a_problem_and_no_error() -> None:
    server = MonitorServer("192.0.2.1", 9, PAGES)
    assert "cannot bind 192.0.2.1 port 9: " in server.problem
    server.close()
