"""Result of reading a launch file: values only, nothing is started here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from qiki_launch.errors import Place
from qiki_launch.plan.coercion import Quoted, Value

Environment = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class InlineParameters:
    """Parameters that stand in the launch file: written to a file of their own before the node starts."""

    rule: str
    """Full name of the node, or `/**` where its name or namespace is left to the executable."""
    values: Mapping[str, Value]
    """Flat names (`a.b`) → values."""

    def to_yaml(self) -> str:
        """Contents of the parameter file."""
        data = {self.rule: {"ros__parameters": dict(self.values)}}
        return yaml.dump(data, Dumper=_Dumper, default_flow_style=False, width=10**6)


class _Dumper(yaml.SafeDumper):
    """PyYAML leaves `12E5` and `y` without quotes, which ROS's own reader then takes for a number and for true."""

    def ignore_aliases(self, _: Any) -> bool:
        return True


def _quote(dumper: yaml.SafeDumper, text: Quoted) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style='"')


_Dumper.add_representer(Quoted, _quote)


@dataclass(frozen=True)
class Respawn:
    """Restart of a node that ended. `delay` in s; `retries` < 0: without limit."""

    wanted: bool = False
    delay: float = 0.0
    retries: int = -1


@dataclass(frozen=True)
class NodePlan:
    """One node: a process with its command line, environment and rules of life."""

    label: str
    """Unique in the plan: the full name without its first slash where it is known, else the executable's."""
    executable: Path
    place: Place
    name: str | None = None
    namespace: str | None = None
    arguments: tuple[str, ...] = ()
    ros_arguments: tuple[str, ...] = ()
    parameters: tuple[InlineParameters | Path, ...] = ()
    remappings: tuple[tuple[str, str], ...] = ()
    environment: Environment = ()
    """Differences from the environment of the launch."""
    working_folder: Path | None = None
    output: str = "log"
    respawn: Respawn = field(default_factory=Respawn)
    shutdown_on_exit: bool = False
    """The end of the process ends the launch, in place of a respawn."""
    sigterm_timeout: float = 5.0
    """s after SIGINT."""
    sigkill_timeout: float = 5.0
    """s after SIGTERM."""

    def command(self, parameter_files: Sequence[Path]) -> list[str]:
        """The command line, given one file for each of `parameters`: the order is that of ROS's launch."""
        command = [str(self.executable), *self.arguments]
        if self.ros_arguments:
            command += ["--ros-args", *self.ros_arguments]
        command += ["--ros-args"]
        command += ["-r", f"__node:={self.name}"] if self.name is not None else []
        command += ["-r", f"__ns:={self.namespace}"] if self.namespace is not None else []
        for file in parameter_files:
            command += ["--params-file", str(file)]
        for source, target in self.remappings:
            command += ["-r", f"{source}:={target}"]
        return command


@dataclass(frozen=True)
class LaunchPlan:
    """All processes of a launch file with given arguments."""

    file: Path
    arguments: Mapping[str, str]
    """As given by the caller."""
    nodes: tuple[NodePlan, ...]
    """In the order of start."""
    warnings: tuple[str, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """The plan as plain data, for people and for tools."""
        return {
            "file": str(self.file),
            "arguments": dict(self.arguments),
            "nodes": [_node_data(node) for node in self.nodes],
            "warnings": list(self.warnings),
        }


def _node_data(node: NodePlan) -> dict[str, Any]:
    shown = [parameters if isinstance(parameters, Path) else Path("<inline>") for parameters in node.parameters]
    return {
        "label": node.label,
        "place": str(node.place),
        "command": node.command(shown),
        "parameters": [
            str(parameters) if isinstance(parameters, Path) else yaml.safe_load(parameters.to_yaml())
            for parameters in node.parameters
        ],
        "environment": dict(node.environment),
        "working_folder": str(node.working_folder) if node.working_folder else None,
        "output": node.output,
        "respawn": {
            "wanted": node.respawn.wanted,
            "delay": node.respawn.delay,
            "retries": node.respawn.retries,
        },
        "on_exit": "shutdown" if node.shutdown_on_exit else None,
        "sigterm_timeout": node.sigterm_timeout,
        "sigkill_timeout": node.sigkill_timeout,
    }
