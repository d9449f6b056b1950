"""Tests keep off the domains of running graphs."""

import os
import socket

import pytest

from qiki_node import testing


@pytest.fixture
def first(monkeypatch: pytest.MonkeyPatch) -> int:
    """The domain that would be chosen, no other test process having one near it."""
    monkeypatch.setenv("ROS_DOMAIN_ID", "0")
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    return testing.use_private_domain()


def test_neither_the_environments_domain_nor_one_in_use_is_chosen(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 <= first <= 101
    named, used = (1 + (first + step) % 101 for step in (0, 1))
    monkeypatch.setattr(os, "getpid", lambda: named - 1)
    monkeypatch.setenv("ROS_DOMAIN_ID", str(named))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as participant:
        participant.bind(("127.0.0.1", 7400 + 250 * used + 12))
        assert testing.domain_in_use(used)
        chosen = testing.use_private_domain()
    assert chosen not in (0, first, named, used)
    assert os.environ["ROS_DOMAIN_ID"] == str(chosen)
