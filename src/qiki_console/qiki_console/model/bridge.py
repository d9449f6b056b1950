"""The network of bridges as an operator sees it: bodies, their source, edges with flows, shed loads; its picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rich.text import Text
from rich.tree import Tree

from qiki_console.model.numbers import number

ROLES: Final = ("UNKNOWN", "SOURCE", "SINK", "RELAY")
"""By their numbers in BridgeState."""

SWITCHGEAR: Final = (
    "OPEN",
    "GROUND",
    "PRECHARGE",
    "SOFT_START",
    "CLOSED",
    "POWER_DOWN",
    "OPENING",
    "FAULT",
    "HANDOVER",
)
"""By their numbers in BridgeEdge."""


@dataclass(frozen=True)
class BridgeEdgeStatus:
    """A bridge, at the own end: volts V, current and expected A (positive into the own body), temperature degC; NaN:
    unknown. `fault` is empty without one."""

    name: str
    port: str
    partner: str
    partner_port: str
    profile: str
    state: str
    fault: str
    volts: float
    current: float
    expected: float
    temperature: float

    @property
    def flow(self) -> str:
        """Profile, volts and amperes, and the state where it is not the usual one."""
        parts = [self.profile or "no profile", f"{number(self.volts, 2)} V", f"{number(self.current, 2)} A"]
        parts.append(f"(expected {number(self.expected, 2)} A)")
        if self.state != "CLOSED":
            parts.append(self.state)
        if self.fault:
            parts.append(f"FAULT: {self.fault}")
        return "  ".join(parts)


@dataclass(frozen=True)
class BridgeStatus:
    """A body's part of the network. Loads as (name, W wanted, W served); source and shed as the body reports them."""

    role: str
    source: str
    depth: int
    source_volts: float
    source_power: float
    loads: tuple[tuple[str, float, float], ...]
    edges: tuple[BridgeEdgeStatus, ...]
    shed: tuple[str, ...]
    data_peers: tuple[str, ...]
    commanders: tuple[str, ...]

    @property
    def summary(self) -> str:
        """Role, source and flows in one line."""
        words = [self.role]
        if self.source:
            words.append(f"fed by {self.source}, {self.depth} hops" if self.depth != 1 else f"fed by {self.source}")
        words += [f"{edge.partner} {number(edge.volts, 1)} V {number(edge.current, 2)} A" for edge in self.edges]
        return "  ".join(words)


def picture(bodies: Mapping[str, tuple[BridgeStatus, bool]]) -> list[Tree]:
    """A tree for each island of bodies that bridges join, from its source, or else from its first body.

    Args:
        bodies: status by name, and whether it is stale. A partner that reports nothing is drawn as unknown.
    """
    trees, drawn, edges = [], set[str](), set[frozenset[str]]()
    for root in sorted(bodies, key=lambda name: (bodies[name][0].role != "SOURCE", bodies[name][0].depth, name)):
        if root not in drawn:
            tree = Tree(_label(root, bodies))
            _grow(tree, root, bodies, drawn, edges)
            trees.append(tree)
    return trees


def _grow(
    tree: Tree,
    name: str,
    bodies: Mapping[str, tuple[BridgeStatus, bool]],
    drawn: set[str],
    edges: set[frozenset[str]],
) -> None:
    drawn.add(name)
    for edge in bodies[name][0].edges if name in bodies else ():
        ends = frozenset((f"{name}:{edge.port}", f"{edge.partner}:{edge.partner_port}"))
        if ends in edges:
            continue
        edges.add(ends)
        line = Text(f"{edge.port} to {edge.partner_port}  {edge.flow}", style="bold red" if edge.fault else "")
        if edge.partner in drawn:
            tree.add(Text.assemble(line, f"  {edge.partner} (above)"))
        else:
            branch = tree.add(Text.assemble(line, "\n", _label(edge.partner, bodies)))
            _grow(branch, edge.partner, bodies, drawn, edges)


def _label(name: str, bodies: Mapping[str, tuple[BridgeStatus, bool]]) -> Text:
    if name not in bodies:
        return Text(f"{name}  N/A: it reports no bridges", style="dim")
    status, stale = bodies[name]
    text = Text(name, style="bold")
    text.append(f"  {status.role}")
    if status.role == "SOURCE":
        text.append(f"  {number(status.source_volts, 1)} V, at most {number(status.source_power, 0)} W")
    elif status.source:
        text.append(f"  fed by {status.source}, depth {status.depth}")
    else:
        text.append("  not fed")
    served = sum(power for _, _, power in status.loads)
    wanted = sum(power for _, power, _ in status.loads)
    if status.loads:
        text.append(f"  {number(served, 0)} of {number(wanted, 0)} W")
    if shed := [load for load in status.shed if load.startswith(f"{name}/")]:
        text.append(f"  shed: {', '.join(load.partition('/')[2] for load in shed)}", style="yellow")
    if stale:
        text.append("  STALE", style="bold yellow")
    return text


def report(status: BridgeStatus) -> dict[str, Any]:
    """A body's bridges as plain values for JSON; keys carry their unit."""
    return {
        "role": status.role,
        "source": status.source or None,
        "depth": status.depth,
        "source_v": status.source_volts,
        "source_w": status.source_power,
        "loads": [{"name": name, "wanted_w": wanted, "served_w": served} for name, wanted, served in status.loads],
        "shed": list(status.shed),
        "data_peers": list(status.data_peers),
        "commanders": list(status.commanders),
        "edges": [
            {
                "name": edge.name,
                "port": edge.port,
                "partner": edge.partner,
                "partner_port": edge.partner_port,
                "profile": edge.profile or None,
                "state": edge.state,
                "fault": edge.fault or None,
                "volts_v": edge.volts,
                "current_a": edge.current,
                "expected_a": edge.expected,
                "temperature_degc": edge.temperature,
            }
            for edge in status.edges
        ],
    }
