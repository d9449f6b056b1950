"""From a launch file and its arguments to a plan, in the order and with the scopes of ROS's launch.

Actions are read one after the other; each sees the settings of those before it. A scoped group drops its settings
at its end, an include does not.
"""

import dataclasses
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from qiki_launch.errors import LaunchError, Place
from qiki_launch.plan.arguments import (
    ARG_KEYS,
    BOTS_KEYS,
    INCLUDE_KEYS,
    group_children,
    read_argument,
    unconditional_required,
)
from qiki_launch.plan.bots import Member, scenario_bots, scenario_docks
from qiki_launch.plan.document import Attributes, load_document
from qiki_launch.plan.element import Element
from qiki_launch.plan.launch_plan import LaunchPlan, NodePlan
from qiki_launch.plan.names import check_namespace, check_variable, join_namespaces
from qiki_launch.plan.nodes import NODE_KEYS, read_node
from qiki_launch.plan.scope import Scope
from qiki_launch.plan.substitutions import parse, substitute

_CONDITIONS = ("if", "unless")
_KEYS = {
    "arg": ARG_KEYS,
    "let": ("name", "value", *_CONDITIONS),
    "set_env": ("name", "value", *_CONDITIONS),
    "push_ros_namespace": ("namespace", *_CONDITIONS),
    "push-ros-namespace": ("namespace", *_CONDITIONS),
    "include": INCLUDE_KEYS,
    "include_bots": BOTS_KEYS,
    "include_docks": BOTS_KEYS,
    "node": NODE_KEYS,
}
_DEEPEST = 32
"""Levels of includes: a file that includes itself is an error and not an endless loop."""


_MOST = 500
"""Includes of a launch: files that include each other twice double with each level."""


def plan_launch(
    file: Path,
    arguments: Mapping[str, str] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    working_folder: Path | None = None,
) -> LaunchPlan:
    """Plan of a launch file with given arguments.

    `environment` is that of the launch (default: this process's); relative paths are taken from `working_folder`.

    Raises:
        LaunchError: something in the file or an included one is outside the supported subset or not valid, an
            argument is missing, not allowed or unknown, or a package or executable is not installed.
    """
    file = file.absolute()
    given = dict(arguments or {})
    planner = _Planner(
        dict(os.environ) if environment is None else environment, (working_folder or Path.cwd()).absolute()
    )
    planner.include(file, given, None)
    unknown = sorted(set(given) - planner.scope.used)
    if unknown:
        raise LaunchError(
            f"{file}: no argument {', '.join(map(repr, unknown))}; "
            f"arguments: {', '.join(sorted(planner.declared)) or 'none'}"
        )
    nodes = _with_unique_labels(planner.nodes)
    return LaunchPlan(file, given, nodes, tuple(_warnings(nodes)))


class _Planner:
    def __init__(self, environment: Mapping[str, str], working_folder: Path) -> None:
        self.scope = Scope(environment, working_folder)
        self.nodes: list[NodePlan] = []
        self.declared: set[str] = set()
        self._base_environment = dict(environment)
        self._depth = 0
        self._includes = 0
        self._actions: dict[str, Callable[[Element], None]] = {
            "arg": self._arg,
            "let": self._let,
            "set_env": self._set_env,
            "group": self._group,
            "push_ros_namespace": self._push_namespace,
            "push-ros-namespace": self._push_namespace,
            "include": self._include,
            "include_bots": self._include_bots,
            "include_docks": self._include_docks,
            "node": self._node,
        }

    def include(self, file: Path, arguments: Mapping[str, str], place: Place | None) -> None:
        """Read a file with arguments, which stay set after it."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise LaunchError(f"includes are deeper than {_DEEPEST} levels", place)
        self._includes += 1
        if self._includes > _MOST:
            raise LaunchError(f"more than {_MOST} includes", place)
        entities = load_document(file, place)
        for argument in unconditional_required(entities):
            if argument.name not in arguments:
                raise LaunchError(
                    f"{file}: argument {argument.name!r} ({argument.description or 'no description'}) is required",
                    place,
                )
        with self.scope.inside(file):
            self.scope.configurations.update(arguments)
            self._visit(entities)
        self._depth -= 1

    def _visit(self, entities: tuple[Element, ...]) -> None:
        for entity in entities:
            kind, body = entity.action()
            self._check_supported(kind, body)
            if self._is_wanted(body):
                self._actions[kind](body)
            else:
                self._check_skipped(kind, body)

    def _check_skipped(self, kind: str, body: Element) -> None:
        """Refuse unsupported actions also where a condition leaves them out."""
        self._check_supported(kind, body)
        if kind == "group":
            for child in group_children(body):
                self._check_skipped(*child.action())
        else:
            Attributes(kind, body, _KEYS[kind])
            _check_texts(body)

    def _check_supported(self, kind: str, body: Element) -> None:
        if kind not in self._actions:
            supported = ", ".join(self._actions)
            raise LaunchError(f"action {kind!r} is not supported; supported: {supported}", body.place)

    def _is_wanted(self, body: Element) -> bool:
        if not isinstance(body.value, Mapping):
            return True
        attributes = Attributes("action", body, tuple(body.value))
        texts = {key: attributes.optional_text(key) for key in ("if", "unless")}
        if None not in texts.values():
            raise LaunchError("'if' and 'unless' cannot stand together", body.place)
        for key, text in texts.items():
            if text is not None:
                value = substitute(text, self.scope, attributes.place_of(key)).strip().lower()
                if value not in ("true", "1", "false", "0"):
                    raise LaunchError(f"{key!r} gives {value!r}; allowed: true, 1, false, 0", attributes.place_of(key))
                return (value in ("true", "1")) is (key == "if")
        return True

    def _text(self, attributes: Attributes, key: str) -> str:
        return substitute(attributes.text(key), self.scope, attributes.place_of(key))

    def _arg(self, body: Element) -> None:
        argument = read_argument(body)
        configurations = self.scope.configurations
        self.scope.used.add(argument.name)
        self.declared.add(argument.name)
        if argument.name not in configurations:
            if argument.default is None:
                raise LaunchError(f"argument {argument.name!r} is required", body.place)
            configurations[argument.name] = substitute(argument.default, self.scope, body.place)
        value = configurations[argument.name]
        if argument.choices and value not in argument.choices:
            raise LaunchError(
                f"argument {argument.name!r} is {value!r}; allowed: {', '.join(argument.choices)}", body.place
            )

    def _let(self, body: Element) -> None:
        attributes = Attributes("let", body, _KEYS["let"])
        name = self._text(attributes, "name")
        self.scope.configurations[name] = self._text(attributes, "value")

    def _set_env(self, body: Element) -> None:
        attributes = Attributes("set_env", body, _KEYS["set_env"])
        name = self._text(attributes, "name")
        try:
            check_variable(name)
        except ValueError as error:
            raise LaunchError(str(error), attributes.place_of("name")) from error
        self.scope.environment[name] = self._text(attributes, "value")

    def _group(self, body: Element) -> None:
        children = group_children(body)
        scoped = True
        if isinstance(body.value, Mapping):
            scoped = Attributes("group", body, tuple(body.value)).boolean("scoped", default=True)
        if not scoped:
            self._visit(children)
            return
        with self.scope.pushed():
            self._visit(children)

    def _push_namespace(self, body: Element) -> None:
        attributes = Attributes("push_ros_namespace", body, _KEYS["push_ros_namespace"])
        namespace = join_namespaces(self.scope.namespace, self._text(attributes, "namespace"))
        try:
            check_namespace(namespace or "/")
        except ValueError as error:
            raise LaunchError(str(error), body.place) from error
        self.scope.namespace = namespace

    def _include(self, body: Element) -> None:
        self._include_with(Attributes("include", body, INCLUDE_KEYS), {})

    def _include_bots(self, body: Element) -> None:
        """Include a file once for each bot of a scenario, in a scope of its own with `bot`, its `vehicle` file and
        `bot_number` set."""
        self._include_members(Attributes("include_bots", body, BOTS_KEYS), scenario_bots, "bot_number")

    def _include_docks(self, body: Element) -> None:
        """Include a file once for each other body with docking hardware, in a scope of its own with `body`, `vehicle`,
        `ports`, `source_power`, `role` and `dock_number` set."""
        self._include_members(Attributes("include_docks", body, BOTS_KEYS), scenario_docks, "dock_number")

    def _include_members(
        self,
        attributes: Attributes,
        members: Callable[[str, Path, Mapping[str, str]], Sequence[Member]],
        number_name: str,
    ) -> None:
        scenario = self._text(attributes, "scenario")
        try:
            found = members(scenario, self.scope.working_folder, self.scope.environment)
        except LaunchError as error:
            raise LaunchError(str(error), attributes.place_of("scenario")) from error
        for number, member in enumerate(found):
            with self.scope.pushed():
                self.scope.configurations[number_name] = str(number)
                self._include_with(attributes, member.arguments)

    def _include_with(self, attributes: Attributes, given: dict[str, str]) -> None:
        """Include a file with the arguments `given` and those that the action lists."""
        file = self.scope.working_folder / self._text(attributes, "file")
        # As in ROS: the values see the arguments set before them, and `$(dirname)` is already the included file's.
        self.scope.last_included = file
        self.scope.configurations.update(given)
        for entry in attributes.entities("arg"):
            argument = Attributes("arg", entry, ("name", "value"))
            name, value = self._text(argument, "name"), self._text(argument, "value")
            given[name] = self.scope.configurations[name] = value
        self._include_file(file, given, attributes.place_of("file"))

    def _include_file(self, file: Path, given: Mapping[str, str], place: Place) -> None:
        try:
            self.include(file, given, place)
        except LaunchError as error:
            where = f"{place.file}:{place.line}"
            if where in str(error):
                raise
            raise LaunchError(f"{error}; included at {where}") from error

    def _node(self, body: Element) -> None:
        node = read_node(body, self.scope)
        changed = {
            name: value for name, value in self.scope.environment.items() if self._base_environment.get(name) != value
        }
        environment = tuple({**changed, **dict(node.environment)}.items())
        self.nodes.append(dataclasses.replace(node, environment=environment))


def _check_texts(element: Element) -> None:
    if isinstance(element.value, str):
        parse(element.value, element.place)
    elif isinstance(element.value, tuple):
        for item in element.value:
            _check_texts(item)
    elif isinstance(element.value, Mapping):
        for name, value in element.value.items():
            if name != "description":  # plain text, also in ROS
                _check_texts(value)


def _with_unique_labels(nodes: list[NodePlan]) -> tuple[NodePlan, ...]:
    seen: Counter[str] = Counter()
    unique = []
    for node in nodes:
        seen[node.label] += 1
        count = seen[node.label]
        unique.append(node if count == 1 else dataclasses.replace(node, label=f"{node.label}-{count}"))
    return tuple(unique)


def _warnings(nodes: tuple[NodePlan, ...]) -> list[str]:
    names = Counter(f"{node.namespace}/{node.name}" for node in nodes if node.name and node.namespace)
    return [f"{count} nodes have the name {name}" for name, count in names.items() if count > 1]
