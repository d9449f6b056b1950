"""The primary dies while it acknowledges: the replica takes over, and nothing that was acknowledged is missing."""

import contextlib
import select
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from postgres_server import HOW_TO_GET_IT, Server, find_programs

from qiki_eventstore import Event, StoreUnavailable, open_store

pytestmark = pytest.mark.skipif(find_programs() is None, reason=HOW_TO_GET_IT)

PRODUCERS = 8


@pytest.fixture
def pair() -> Iterator[tuple[Server, Server]]:
    """A primary that commits only what its replica has on disk as well."""
    primary = Server.create("wal_level = replica\nhot_standby = on")
    servers = [primary]
    try:
        primary.start()
        replica = primary.replica("standby")
        servers.append(replica)
        require_replica(primary, "standby")
        deadline = time.monotonic() + 30
        while primary.execute("SELECT sync_state FROM pg_stat_replication") != [("sync",)]:
            assert time.monotonic() < deadline, "the replica never became synchronous"
            time.sleep(0.05)
        yield primary, replica
    finally:
        for server in servers:
            server.remove()


def both(primary: Server, replica: Server) -> str:
    return f"postgresql:///postgres?host={primary.folder},{replica.folder}&port=5432,5432&user=qiki"


@pytest.mark.requirement("EVENT-4c", "EVENT-15e")
def test_fail_over_loses_and_doubles_nothing(pair: tuple[Server, Server]) -> None:
    primary, replica = pair
    acknowledged: dict[int, tuple[int, int]] = {}
    stop = threading.Event()
    with open_store(both(primary, replica), reconnect_patience=60) as store:

        def produce(producer: int) -> int:
            number = 0
            while not stop.is_set():
                event = Event("test.produced", {"producer": producer, "number": number})
                acknowledged[store.append(f"producer/{producer}", [event])[0]] = (producer, number)
                number += 1
            return number

        followed: list[int] = []
        subscription = store.subscribe(after=0)

        def follow() -> None:
            followed.extend(event.position for event in subscription)

        follower = threading.Thread(target=follow)
        follower.start()
        with ThreadPoolExecutor(PRODUCERS) as pool:
            counts = [pool.submit(produce, producer) for producer in range(PRODUCERS)]
            try:
                wait_until(lambda: len(acknowledged) > 300)
                primary.kill()
                before = len(acknowledged)
                replica.promote()
                wait_until(lambda: len(acknowledged) > before + 300)
            finally:
                stop.set()
            produced = [count.result() for count in counts]

        stored = list(store.read_all())
        wait_until(lambda: len(followed) >= len(stored))
        subscription.close()
        follower.join()
        assert len(stored) == sum(produced), "lost or doubled"
        assert {event.position for event in stored} == set(acknowledged)
        for producer in range(PRODUCERS):
            events = store.read(f"producer/{producer}")
            assert [event.version for event in events] == list(range(produced[producer]))
            assert [acknowledged[event.position] for event in events] == [
                (producer, number) for number in range(produced[producer])
            ]
        assert followed == [event.position for event in stored]
        verification = store.verify()
        assert verification.ok, verification.reason
        assert verification.checked == len(stored)


@pytest.mark.requirement("EVENT-4c")
def test_without_a_server_patience_ends_and_it_recovers(pair: tuple[Server, Server]) -> None:
    primary, replica = pair
    with open_store(both(primary, replica), reconnect_patience=1.0) as store:
        store.append("bot", [Event("test.before", {})])
        primary.kill()
        event = Event("test.during", {}, id=uuid4())
        with pytest.raises(StoreUnavailable, match="same ids"):
            store.append("bot", [event])
        with pytest.raises(StoreUnavailable):
            store.version("bot")
        replica.promote()
        store.append("bot", [event])
        store.append("bot", [event])
        assert [found.type for found in store.read("bot")] == ["test.before", "test.during"]


class Proxy:
    """Stands between store and server on a unix socket; swallows the answer to a request that holds a marker."""

    MARKER = b"swallow the answer"

    def __init__(self, server: Server, folder: Path) -> None:
        self.url = f"postgresql:///postgres?host={folder}&port=5432&user=qiki"
        self.swallowed = 0
        self._armed = True
        self._target = str(server.folder / ".s.PGSQL.5432")
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(folder / ".s.PGSQL.5432"))
        self._socket.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(self._target)
            swallow = False
            while True:
                for readable in select.select([client, server], [], [])[0]:
                    data = readable.recv(1 << 20)
                    if not data:
                        return
                    if readable is client:
                        swallow = swallow or (self._armed and self.MARKER in data)
                        server.sendall(data)
                    elif swallow:  # the answer is there, so the server has committed
                        self._armed = False
                        self.swallowed += 1
                        return
                    else:
                        client.sendall(data)


@pytest.mark.requirement("EVENT-4c")
def test_an_answer_that_is_lost_is_asked_for_again(postgres_server: Server) -> None:
    """The server has stored the batch, the store does not know: it repeats it and gets the first positions."""
    with tempfile.TemporaryDirectory(prefix="qiki-px-", dir="/tmp") as folder:
        proxy = Proxy(postgres_server, Path(folder))
        with open_store(proxy.url, schema="proxied") as store:
            store.append("bot", [Event("test.before", {})])
            event = Event("test.lost", {"text": Proxy.MARKER.decode()})
            positions = store.append("bot", [event, Event("test.after", {})], expected_version=0)
            assert proxy.swallowed == 1
            stored = store.read("bot")
            assert [found.type for found in stored] == ["test.before", "test.lost", "test.after"]
            assert [found.position for found in stored[1:]] == positions
            stats = store.stats()
            assert (stats.appended, stats.duplicates, stats.conflicts) == (3, 0, 0)
        proxy.close()


@pytest.mark.requirement("EVENT-4c")
def test_what_is_asked_for_again_waits_for_the_replica_too(postgres_server: Server) -> None:
    """The writer's session is ended while its commit waits for a replica: the event is visible, but not safe yet."""

    def waiting() -> bool:
        return postgres_server.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == [(1,)]

    with open_store(postgres_server.url(), schema="waiting") as store:
        store.append("bot", [Event("test.happened", {})])
        try:
            require_replica(postgres_server, "nobody")
            future = store.submit("bot", [Event("test.happened", {})])
            wait_until(waiting)
            assert len(store.read("bot")) == 1
            postgres_server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            )
            wait_until(lambda: len(store.read("bot")) == 2)
            wait_until(waiting)
            assert not future.done()
        finally:
            require_replica(postgres_server, "")
        assert future.result(60) == [2]
        assert len(store.read("bot")) == 2


def require_replica(server: Server, name: str) -> None:
    server.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
    server.execute("SELECT pg_reload_conf()")
    wait_until(lambda: server.execute("SHOW synchronous_standby_names") == [(name,)])


def wait_until(condition: Callable[[], bool], timeout: float = 60.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "not within a minute"
        time.sleep(0.02)
