"""Appends to a store from several threads until it is killed, and says what it does, a line each, on standard output.

Lines: `b` and the ids of a call before it is made, `a` and `position id` pairs after it was acknowledged.

Usage: appending_process.py PATH SEED
"""

import os
import sys
import threading
from random import Random
from uuid import uuid4

from qiki_eventstore import ANY, Event, EventStore, VersionConflict, open_store


def work(store: EventStore, random: Random, number: int) -> None:
    while True:
        stream = random.choice(("shared", f"own/{number}"))
        events = [Event("test.began", {"number": n}, id=uuid4()) for n in range(random.choice((1, 1, 3, 10)))]
        say("b", stream, *(str(event.id) for event in events))
        expected = store.version(stream) if random.random() < 0.2 else ANY
        try:
            positions = store.append(stream, events, expected)
        except VersionConflict:
            continue
        if random.random() < 0.1:
            assert store.append(stream, events) == positions  # a retry
        say("a", *(f"{position} {event.id}" for position, event in zip(positions, events, strict=True)))


def say(*words: str) -> None:
    # One write, shorter than the pipe promises to keep in one piece.
    os.write(1, (" ".join(words) + "\n").encode())


def main() -> None:
    random = Random(int(sys.argv[2]))
    store = open_store(f"sqlite:///{sys.argv[1]}", reserve_bytes=0, checkpoint_bytes=200_000, sign_events=50)
    for number in range(4):
        threading.Thread(target=work, args=(store, Random(random.random()), number)).start()


main()
