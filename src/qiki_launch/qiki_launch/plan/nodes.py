"""The `node` action: attributes to a plan of one process."""

import os
import shlex

from qiki_launch.errors import LaunchError
from qiki_launch.plan.coercion import coerce_scalar
from qiki_launch.plan.document import Attributes
from qiki_launch.plan.element import Element
from qiki_launch.plan.launch_plan import InlineParameters, NodePlan, Respawn
from qiki_launch.plan.names import check_namespace, check_node_name, check_variable, full_name, join_namespaces
from qiki_launch.plan.packages import package_executable
from qiki_launch.plan.parameters import read_parameter
from qiki_launch.plan.scope import Scope
from qiki_launch.plan.substitutions import parse, perform, substitute

NODE_KEYS = (
    "pkg", "exec", "name", "namespace", "exec_name", "param", "remap", "env", "args", "ros_args", "cwd", "output",
    "respawn", "respawn_delay", "respawn_max_retries", "on_exit", "sigterm_timeout", "sigkill_timeout", "if", "unless",
)  # fmt: skip
OUTPUTS = ("screen", "log", "both", "own_log", "full")
_ANY_NODE = "/**"
_LONGEST_LABEL = 200
"""Bytes of a process's name: its log and its parameter files are named after it."""


def read_node(element: Element, scope: Scope) -> NodePlan:
    """Plan of the node that an element describes; its label is not yet unique.

    Raises:
        LaunchError: an attribute is not supported, is missing or has a value that is not allowed.
    """
    attributes = Attributes("node", element, NODE_KEYS)
    name, namespace = _name(attributes, scope)
    known = full_name(namespace, name) if name is not None and namespace is not None else None
    exec_name = _text(attributes, "exec_name", scope)
    executable = _text(attributes, "exec", scope)
    package = _text(attributes, "pkg", scope)
    if executable is None or package is None:
        raise LaunchError("'node' needs 'pkg' and 'exec'", element.place)
    timeouts = {name: attributes.seconds(name) for name in ("sigterm_timeout", "sigkill_timeout")}
    working_folder = _text(attributes, "cwd", scope)
    try:
        path = package_executable(package, executable, scope.environment)
    except LaunchError as error:
        raise LaunchError(str(error), attributes.place_of("exec")) from error
    label = exec_name or (known or name or executable).lstrip("/")
    if len(os.fsencode(label)) > _LONGEST_LABEL:
        raise LaunchError(f"the name {label!r} is too long for a file; allowed: {_LONGEST_LABEL} bytes", element.place)
    return NodePlan(
        label=label,
        executable=path,
        place=element.place,
        name=name,
        namespace=namespace,
        arguments=_words(attributes, "args", scope),
        ros_arguments=_words(attributes, "ros_args", scope),
        parameters=tuple(
            InlineParameters(known or _ANY_NODE, entry) if isinstance(entry, dict) else entry
            for entry in (read_parameter(param, scope) for param in attributes.entities("param"))
        ),
        remappings=_pairs(attributes, "remap", ("from", "to"), scope),
        environment=_environment(attributes, scope),
        working_folder=scope.working_folder / working_folder if working_folder is not None else None,
        output=_output(attributes, scope),
        respawn=_respawn(attributes, scope),
        shutdown_on_exit=_shutdown_on_exit(attributes),
        **{name: seconds for name, seconds in timeouts.items() if seconds is not None},
    )


def _text(attributes: Attributes, key: str, scope: Scope) -> str | None:
    text = attributes.optional_text(key)
    return None if text is None else substitute(text, scope, attributes.place_of(key))


def _name(attributes: Attributes, scope: Scope) -> tuple[str | None, str | None]:
    name = _text(attributes, "name", scope)
    namespace = join_namespaces(scope.namespace, _text(attributes, "namespace", scope))
    try:
        if name is not None:
            check_node_name(name)
        if namespace is not None:
            check_namespace(namespace)
    except ValueError as error:
        raise LaunchError(str(error), attributes.place) from error
    return name, namespace


def _pairs(attributes: Attributes, key: str, names: tuple[str, str], scope: Scope) -> tuple[tuple[str, str], ...]:
    entries = [Attributes(key, entry, names) for entry in attributes.entities(key)]
    first, second = names
    return tuple(
        (
            substitute(entry.text(first), scope, entry.place_of(first)),
            substitute(entry.text(second), scope, entry.place_of(second)),
        )
        for entry in entries
    )


def _environment(attributes: Attributes, scope: Scope) -> tuple[tuple[str, str], ...]:
    pairs = _pairs(attributes, "env", ("name", "value"), scope)
    try:
        for name, _ in pairs:
            check_variable(name)
    except ValueError as error:
        raise LaunchError(str(error), attributes.place_of("env")) from error
    return pairs


def _output(attributes: Attributes, scope: Scope) -> str:
    output = _text(attributes, "output", scope) or "log"
    if output not in OUTPUTS:
        raise LaunchError(f"'output' is {output!r}; allowed: {', '.join(OUTPUTS)}", attributes.place_of("output"))
    return output


def _respawn(attributes: Attributes, scope: Scope) -> Respawn:
    text = _text(attributes, "respawn", scope)
    try:
        wanted = text is not None and coerce_scalar(text, bool) is True
    except ValueError as error:
        raise LaunchError(f"'respawn': {error}", attributes.place_of("respawn")) from error
    delay = attributes.seconds("respawn_delay") or 0.0
    return Respawn(wanted, delay, attributes.integer("respawn_max_retries", -1))


def _shutdown_on_exit(attributes: Attributes) -> bool:
    text = attributes.optional_text("on_exit")
    if text not in (None, "shutdown"):
        raise LaunchError(f"'on_exit' is {text!r}; allowed: shutdown", attributes.place_of("on_exit"))
    return text is not None


def _words(attributes: Attributes, key: str, scope: Scope) -> tuple[str, ...]:
    """Words of a command line: literal text is split as a shell does, the value of a substitution is not."""
    text = attributes.optional_text(key)
    if text is None:
        return ()
    place = attributes.place_of(key)
    words: list[str] = []
    open_word = False
    for part in parse(text, place):
        if not isinstance(part, str):
            value = perform((part,), scope, place)
            words = [*words[:-1], words[-1] + value] if open_word else [*words, value]
            open_word = True
            continue
        try:
            tokens = shlex.split(part)
        except ValueError as error:
            raise LaunchError(f"{key!r} is {text!r}: {error}", place) from error
        if tokens and open_word and not part[0].isspace():
            words[-1] += tokens.pop(0)
        elif not tokens and not open_word:
            tokens = [""]  # as in ROS: an empty text, or spaces before a substitution, are an empty word
        words += tokens
        open_word = bool(part) and not part[-1].isspace()
    return tuple(words)
