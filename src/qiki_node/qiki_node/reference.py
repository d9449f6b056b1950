"""Tables of the parameters of nodes, for docs/interfaces.md.

    python -m qiki_node.reference docs/interfaces.md      # brings the tables of the page up to date

A table stands between `<!-- parameters: <module>.<class> -->` and `<!-- end -->`. That of another class than
`NodeParameters` leaves the parameters of every node out.
"""

import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from qiki_node.parameters import NodeParameters, ParameterSpec, specs_of

_TABLE: Final = re.compile(r"(<!-- parameters: ([\w.]+)\.(\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def updated(page: str) -> str:
    """The text of the page with all its tables made from the parameter dataclasses.

    Raises:
        ImportError, AttributeError: a table names a class that is not there.
    """
    return _TABLE.sub(lambda found: f"{found[1]}{_table(found[2], found[3])}\n{found[4]}", page)


def _table(module: str, name: str) -> str:
    parameters = getattr(import_module(module), name)
    common = set() if parameters is NodeParameters else set(specs_of(NodeParameters))
    specs = [spec for spec in specs_of(parameters).values() if spec.name not in common or _differs(spec)]
    rows = [f"| `{one.name}` | {_default(one)} | {_allowed(one)} | {one.description} |" for one in specs]
    return "\n".join(["| name | default | allowed | meaning |", "|---|---|---|---|", *rows])


def _differs(spec: ParameterSpec) -> bool:
    return bool(spec.default != specs_of(NodeParameters)[spec.name].default)


def _default(spec: ParameterSpec) -> str:
    text = ", ".join(map(_written, spec.default)) if spec.is_list else _written(spec.default)
    return f"{text} {spec.unit}".strip()


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"`{value}`" if value else ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _allowed(spec: ParameterSpec) -> str:
    if spec.choices:
        return ", ".join(map(_written, spec.choices))
    return spec.allowed if (spec.minimum, spec.maximum) != (None, None) else ""


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(updated(path.read_text(encoding="utf-8")), encoding="utf-8")
