"""Types and completion of the arguments of docking's verbs."""

import math
from typing import Any

import click
from click.shell_completion import CompletionItem

from qiki_node.completion import completer, own_body
from qiki_node.run_file import read_ports, read_run_file, read_topics


class Timeout(click.FloatRange):
    """A time limit in s, above 0 to a day."""

    def __init__(self) -> None:
        super().__init__(min=0.0, min_open=True, max=86_400.0)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):  # it is within any range for click
            self.fail(f"{value} is not allowed; allowed: above 0 to 86400 s", param, ctx)
        return number


def _bodies() -> list[str]:
    """Bots and stations: namespaces of the run, and those of the docking topics that were last seen."""
    run = read_run_file()
    seen = {topic.split("/")[1] for topic in read_topics() if topic.endswith("/docking") and topic.count("/") == 2}
    return sorted({*(run.namespaces if run else ()), *seen})


complete_bodies = completer(_bodies)


def complete_targets(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Bodies other than the one that docks; their ports after a colon."""
    body, colon, port = incomplete.partition(":")
    if colon:
        return [CompletionItem(f"{body}:{name}") for name in read_ports().get(body, ()) if name.startswith(port)]
    own = own_body(ctx)
    return [CompletionItem(name) for name in _bodies() if name.startswith(incomplete) and name != own]


def complete_ports(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Ports of the body that the command is about."""
    return [CompletionItem(name) for name in read_ports().get(own_body(ctx), ()) if name.startswith(incomplete)]
