"""Type stubs of message packages, from the generated classes: rosidl's own generator makes none in Jazzy.

    python -m workspace.message_stubs FOLDER

writes FOLDER/<package>/{msg,srv,action}.pyi for mypy. A message has its constants, its fields as typed properties, and
a constructor with the fields as keywords. It runs in the workspace's environment, where the packages can be imported.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

PACKAGES = (
    "action_msgs", "builtin_interfaces", "diagnostic_msgs", "geometry_msgs", "lifecycle_msgs", "nav_msgs", "qiki_msgs",
    "rcl_interfaces", "rosgraph_msgs", "sensor_msgs", "service_msgs", "std_msgs", "std_srvs", "tf2_msgs",
    "unique_identifier_msgs", "visualization_msgs",
)  # fmt: skip
"""Those that the sources use, and those that these use."""

_HEAD = """\
import array
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy.typing as npt
"""
_SCALARS = {"boolean": "bool", "octet": "bytes", "string": "str", "wstring": "str", "float": "float", "double": "float"}
_SEQUENCE = re.compile(r"sequence<(?P<item>.+?)(?:, \d+)?>\Z|(?P<fixed>.+)\[\d+\]\Z")


def write(folder: Path, packages: Iterable[str] = PACKAGES) -> None:
    """Write the stubs of the packages, which replace those that are there."""
    for package in packages:
        target = folder / package
        target.mkdir(parents=True, exist_ok=True)
        (target / "__init__.pyi").touch()
        for kind in ("msg", "srv", "action"):
            try:
                module = import_module(f"{package}.{kind}")
            except ModuleNotFoundError:
                continue
            (target / f"{kind}.pyi").write_text("\n".join(_module(module)) + "\n", encoding="utf-8")


def _module(module: ModuleType) -> Iterator[str]:
    classes = {name: value for name, value in vars(module).items() if isinstance(value, type) and "_" not in name}
    text = [line for name, value in classes.items() for line in _class(name, value, "")]
    used = {name for line in text for name in re.findall(r"\b(\w+)\.msg\.\w", line)}
    yield _HEAD
    yield from (f"import {name}.msg" for name in sorted(used))
    yield ""
    yield from text


def _class(name: str, value: Any, indent: str) -> Iterator[str]:
    yield f"{indent}class {name}:"
    deeper = indent + "    "
    if hasattr(value, "get_fields_and_field_types"):
        yield from _message(value, deeper)
        return
    for part in ("Request", "Response", "Goal", "Result", "Feedback"):
        if hasattr(value, part):
            yield from _class(part, getattr(value, part), deeper)
    if hasattr(value, "Response"):
        # For mypy only: see qiki_node.service_type.
        yield f"{deeper}@staticmethod"
        yield f"{deeper}def _answer(request: {name}.Request, /) -> {name}.Response: ..."
    if hasattr(value, "Impl"):
        yield f"{deeper}Impl: Any"


def _message(value: Any, indent: str) -> Iterator[str]:
    fields = {name: _types(kind) for name, kind in value.get_fields_and_field_types().items()}
    metaclass = type(value)
    for name, constant in getattr(metaclass, f"_{metaclass.__name__}__constants", {}).items():
        yield f"{indent}{name}: ClassVar[{type(constant).__name__}]"
    keywords = "".join(f", {name}: {written} = ..." for name, (_, written) in fields.items())
    yield f"{indent}def __init__(self{', *' if keywords else ''}{keywords}) -> None: ..."
    yield f"{indent}@classmethod"
    yield f"{indent}def get_fields_and_field_types(cls) -> dict[str, str]: ..."
    for name, (read, written) in fields.items():
        yield f"{indent}@property"
        yield f"{indent}def {name}(self) -> {read}: ..."
        yield f"{indent}@{name}.setter"
        yield f"{indent}def {name}(self, value: {written}) -> None: ..."


def _types(kind: str) -> tuple[str, str]:
    """Type of a field as it is read, and as it may be written."""
    match = _SEQUENCE.match(kind)
    if match is None:
        return (_scalar(kind),) * 2
    item = _scalar(match["item"] or match["fixed"])
    if item not in ("int", "float"):
        return f"list[{item}]", f"Iterable[{item}]"
    read = "npt.NDArray[Any]" if match["fixed"] else f"array.array[{item}]"
    return read, f"Iterable[{item}] | npt.NDArray[Any]"


def _scalar(kind: str) -> str:
    if "/" in kind:
        package, _, name = kind.partition("/")
        return f"{package}.msg.{name}"
    return _SCALARS.get(re.sub(r"<\d+>", "", kind), "int")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
