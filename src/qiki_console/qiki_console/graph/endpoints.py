"""Publishers and subscribers of a topic in words."""

from collections.abc import Iterable
from typing import Any

from rclpy.duration import Infinite
from rclpy.qos import QoSCompatibility, qos_check_compatible

from qiki_node.session import is_hidden_node


def full_name(end: Any) -> str:
    """Full name of the node of an endpoint (rclpy's TopicEndpointInfo)."""
    return f"{end.node_namespace.rstrip('/')}/{end.node_name}"


def visible(ends: Iterable[Any]) -> list[Any]:
    """The endpoints of nodes that are not hidden."""
    return [end for end in ends if not is_hidden_node(full_name(end))]


def describe(end: Any) -> str:
    """An endpoint's node and quality of service on one line, deadlines and the like only where they are set."""
    qos = end.qos_profile
    parts = [f"{_word(qos.reliability)}, {_word(qos.durability)}"]
    if qos.depth:
        parts.append(f"depth {qos.depth}")
    for name in ("deadline", "lifespan", "liveliness_lease_duration"):
        duration = getattr(qos, name)
        if duration.nanoseconds and duration != Infinite:
            parts.append(f"{name.replace('_', ' ')} {duration.nanoseconds / 1e9:g} s")
    return f"{full_name(end)}  ({', '.join(parts)})  {end.topic_type}"


def conflicts(publishers: Iterable[Any], subscribers: Iterable[Any]) -> list[str]:
    """Each pair that cannot talk, and why: type or quality of service."""
    subscribers = list(subscribers)
    found = []
    for publisher in publishers:
        for subscriber in subscribers:
            pair = f"{full_name(publisher)} -> {full_name(subscriber)}"
            if publisher.topic_type != subscriber.topic_type:
                found.append(f"{pair}: type {publisher.topic_type} is not {subscriber.topic_type}")
                continue
            verdict, reason = qos_check_compatible(publisher.qos_profile, subscriber.qos_profile)
            if verdict == QoSCompatibility.ERROR:
                found.append(f"{pair}: {reason.strip().removeprefix('ERROR: ').rstrip(';')}")
    return found


def _word(policy: Any) -> str:
    return str(policy.name).lower().replace("_", " ")
