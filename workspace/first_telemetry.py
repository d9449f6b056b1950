"""Waits until the graph speaks: one odometry message of every bot that is there. Runs in the workspace's environment.

    python -P first_telemetry.py SECONDS

Prints one JSON object {"bots": [...], "nodes": [...], "topics": number, "settling": seconds since the first message}
and exits 0; 1 when no telemetry came for SECONDS.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import rclpy
from nav_msgs.msg import Odometry
from rclpy.qos import qos_profile_sensor_data

from qiki_node.run_file import read_run_file

ODOMETRY = "nav_msgs/msg/Odometry"
SETTLED = 1.0  # s without a new node
SETTLING_LIMIT = 10.0  # s after the first message


def wait(seconds: float) -> dict[str, object] | None:
    """The graph once every odometry topic has a message, every node of the run is there and none came for SETTLED.

    None after `seconds`.
    """
    node = rclpy.create_node("first_telemetry", start_parameter_services=False, enable_rosout=False)
    received: set[str] = set()
    subscriptions = {}
    nodes: set[str] = set()
    began = changed = time.monotonic()
    first = None
    while first is not None or time.monotonic() - began < seconds:
        for topic, types in node.get_topic_names_and_types():
            if ODOMETRY in types and topic not in subscriptions:
                mark = _marking(received, topic)
                subscriptions[topic] = node.create_subscription(Odometry, topic, mark, qos_profile_sensor_data)
        rclpy.spin_once(node, timeout_sec=0.05)
        now = time.monotonic()
        present = {
            f"{space.rstrip('/')}/{name}"
            for name, space in node.get_node_names_and_namespaces()
            if not name.startswith("_")  # a tool's own
        }
        present.discard(node.get_fully_qualified_name())
        if present - nodes:
            nodes, changed = nodes | present, now
        if received and first is None:
            first = now
        settled = received == subscriptions.keys() and _missing(nodes) == set() and now - changed > SETTLED
        if first is not None and (settled or now - first > SETTLING_LIMIT):
            topics = [name for name, _ in node.get_topic_names_and_types()]
            _keep(topics)
            return {
                "bots": sorted(topic.strip("/").split("/")[0] for topic in received),
                "nodes": sorted(nodes),
                "topics": len(topics),
                "settling": now - first,
            }
    return None


def _missing(nodes: set[str]) -> set[str]:
    """Nodes of the run that are not on the graph yet, as far as the launch runner says which there are."""
    run = read_run_file()
    return set() if run is None else set(run.nodes) - run.gone - nodes


def _keep(topics: list[str]) -> None:
    """For the completion of a shell, which asks no graph."""
    with suppress(KeyError, OSError):
        Path(os.environ["QIKI_RUN_DIR"], "topics.json").write_text(json.dumps(sorted(topics)), encoding="utf-8")


def _marking(received: set[str], topic: str) -> Callable[[Odometry], None]:
    return lambda _: received.add(topic)


def main() -> int:
    # Fast DDS prints its errors on standard output, which is for the answer alone.
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    rclpy.init()
    try:
        found = wait(float(sys.argv[1]))
    except KeyboardInterrupt:
        return 1
    finally:
        rclpy.try_shutdown()
    if found is None:
        return 1
    print(json.dumps(found), file=output, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
