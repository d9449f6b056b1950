"""Names on the graph: bots, the simulator, topics of ROS itself."""

from collections.abc import Collection, Iterable

SIMULATOR = "/qiki/sim"
"""Full name of the simulator's node."""

_BOT_TOPICS = ("cmd_wrench", "thruster_state")
"""A namespace with one of these topics is a bot's."""

_DOCKING_TOPIC = "docking"
"""A namespace with this topic is that of a body with docking ports."""

_PLUMBING = ("/rosout", "/parameter_events")


def bots_of(topics: Iterable[str]) -> list[str]:
    """Names of the bots, sorted, from the names of all topics."""
    parts = (topic.strip("/").split("/") for topic in topics)
    return sorted({part[0] for part in parts if len(part) == 2 and part[1] in _BOT_TOPICS})


def bodies_of(topics: Collection[str]) -> list[str]:
    """Names of the bots and of other bodies with docking ports, such as stations, sorted, from those of all topics."""
    parts = [topic.strip("/").split("/") for topic in topics]
    return sorted({*bots_of(topics), *(part[0] for part in parts if len(part) == 2 and part[1] == _DOCKING_TOPIC)})


def is_plumbing(topic: str) -> bool:
    """True if a topic is ROS's own or hidden, not the project's."""
    last = topic.rsplit("/", 1)[-1]
    return topic in _PLUMBING or last == "transition_event" or any(part.startswith("_") for part in topic.split("/"))


def absolute(topic: str) -> str:
    """A topic's name as the graph has it."""
    return topic if topic.startswith("/") else f"/{topic}"
