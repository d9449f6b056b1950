"""Tables of the types of events, for docs/events.md.

    python -m qiki_events.reference docs/events.md      # brings the tables of the page up to date

A table stands between `<!-- types: <domain> -->` and `<!-- end -->`. Fields come from the messages, their remarks from
the comments behind the fields in the `.proto` files.
"""

import re
import sys
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from qiki_events.registry import Schema

_TABLE: Final = re.compile(r"(<!-- types: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_MESSAGE: Final = re.compile(r"^message (\w+) \{$(.*?)^\}$", re.DOTALL | re.MULTILINE)
_REMARK: Final = re.compile(r"^ *[\w.<>, ]+ (\w+) = \d+; *// *(.+)$", re.MULTILINE)


def updated(page: str) -> str:
    """The text of the page with all its tables made from the types.

    Raises:
        ImportError: a table names a domain that is not in `qiki_events.types`.
    """
    return _TABLE.sub(lambda found: f"{found[1]}{_table(found[2])}\n{found[3]}", page)


def _table(domain: str) -> str:
    schemas: tuple[Schema, ...] = import_module(f"qiki_events.types.{domain}").SCHEMAS
    rows = [f"| `{one.type}` | `{one.stream}` | {one.delivery} | {_fields(one)} | {one.when} |" for one in schemas]
    return "\n".join(["| type | stream | class | fields | when |", "|---|---|---|---|---|", *rows])


def _fields(schema: Schema) -> str:
    descriptor = schema.versions[-1].DESCRIPTOR
    proto = (files("qiki_events") / "proto" / Path(descriptor.file.name).name).read_text(encoding="utf-8")
    remarks = {found[1]: dict(_REMARK.findall(found[2])) for found in _MESSAGE.finditer(proto)}[descriptor.name]
    return ", ".join(_field(field, remarks.get(field.name, "")) for field in descriptor.fields)


def _field(field: Any, remark: str) -> str:
    parts = [remark] if remark else []
    if field.enum_type is not None:
        parts.insert(0, ", ".join(value.name for value in field.enum_type.values if value.number))
    optional = "?" if field.has_presence and field.message_type is None else ""
    return f"`{field.name}`{optional}" + (f" ({'; '.join(parts)})" if parts else "")


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(updated(path.read_text(encoding="utf-8")), encoding="utf-8")
