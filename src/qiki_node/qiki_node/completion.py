"""Names for the completion of a shell: of bots, nodes and topics of the run, from its folder alone. No ROS in here.

    @click.argument("bot", shell_complete=complete_bots)

The graph is not asked, which would take seconds for each key.
"""

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

from qiki_node.run_file import read_run_file, read_topics, read_tracks

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def completer(names: Callable[[], Iterable[str]]) -> Completer:
    """A completer of the names that a function gives."""

    def complete(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(name) for name in names() if name.startswith(incomplete)]

    return complete


def _bots() -> tuple[str, ...]:
    run = read_run_file()
    return run.namespaces if run else ()


def _nodes() -> list[str]:
    run = read_run_file()
    return [name.lstrip("/") for name in run.nodes] if run else []


def own_body(ctx: click.Context) -> str:
    """The body that the command is about. Behind an option without its value click leaves it among the arguments."""
    return str(ctx.params.get("bot") or next(iter(ctx.args), ""))


def complete_tracks(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Tracks of the bot that the command is about, as they were last shown: ids, or numbers where one is begun."""
    bot = own_body(ctx)
    names = read_tracks().get(bot, [])
    if incomplete.isdecimal():
        names = [name.removeprefix(f"{bot}-") for name in names]
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


complete_bots = completer(_bots)
complete_nodes = completer(_nodes)
complete_topics = completer(read_topics)
