"""Terms of a condition: each checked against the messages' classes, then a function of the messages."""

import ast
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Values = Mapping[str, Any]
"""Newest message by topic."""

Resolve = Callable[[str], Any]
"""Class of a message by its type's name, such as `qiki_msgs/msg/BridgeEdge`."""

STANDIN: Final = "_topic_"
"""Beginning of the name that stands for a topic, before its index, in a syntax tree."""

_NUMBER, _TEXT, TRUTH, _LIST, _MESSAGE = "a number", "a text", "true or false", "a list", "a message"
COMPARISONS: Final[Mapping[type, Callable[[Any, Any], Any]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, items: item in items,
    ast.NotIn: lambda item, items: item not in items,
}
ARITHMETIC: Final[Mapping[type, Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {"abs": abs, "min": min, "max": max, "len": len}
_ITEM: Final = ""
"""Name, among the topics, of the item under selection."""

_KEYS = ("name", "port", "partner")
"""Text fields by which an item of a list of messages is chosen."""


class UnknownValueError(Exception):
    """A value is not known: not a number, or an item of a list that is not there."""


@dataclass(frozen=True)
class Term:
    """A checked part: its kind, its value from messages, and the class of a message or of a list's items."""

    kind: str
    value: Callable[[Values], Any]
    of: Any = None


class Binder:
    """Turns the syntax tree of a condition, of which every node is allowed, into terms.

    Args:
        topics: of the condition; the name of the topic with index i is `STANDIN` and i.
        kinds: class of each topic's messages.
        resolve: class of a nested message.
        item: class of the list's items whose fields and constants names stand for; None: not inside of a selection.
    """

    def __init__(self, topics: tuple[str, ...], kinds: Mapping[str, Any], resolve: Resolve, item: Any = None) -> None:
        self._topics = topics
        self._kinds = kinds
        self._resolve = resolve
        self._under = item

    def term(self, node: ast.expr, constants: Mapping[str, set[int]] | None = None) -> Term:
        """The term of a part.

        Args:
            node: the part.
            constants: values by name that are known here; None: those of all topics.

        Raises:
            ValueError: it is not possible; names the field or constant and the allowed ones.
        """
        match node:
            case ast.Constant(value=value):
                kind = TRUTH if isinstance(value, bool) else _TEXT if isinstance(value, str) else _NUMBER
                term = Term(kind, lambda _: value)
            case ast.Name(id=name):
                term = self._name(name, constants)
            case ast.Attribute(value=of, attr=name):
                term = self._field(self.term(of, constants), name)
            case ast.Subscript():
                term = self._item(node)
            case ast.BoolOp():
                term = self._both(node)
            case ast.UnaryOp():
                term = self._one(node, constants)
            case ast.BinOp():
                term = self._sum(node, constants)
            case ast.Call():
                term = self._call(node, constants)
            case ast.Compare():
                term = self._comparison(node)
            case _:
                raise ValueError(f"{type(node).__name__} is not allowed")
        return term

    def _name(self, name: str, constants: Mapping[str, set[int]] | None) -> Term:
        if name.startswith(STANDIN):
            topic = self._topics[int(name.removeprefix(STANDIN))]
            return Term(_MESSAGE, lambda values: values[topic], self._kinds[topic])
        if self._under is not None and name in (fields := self._under.get_fields_and_field_types()):
            return self._typed(fields[name], lambda values: getattr(values[_ITEM], name))
        known = self._constants(()) if constants is None else constants
        found = known.get(name, set())
        if len(found) != 1:
            reason = "has several values here" if found else "is not there"
            raise ValueError(f"constant {name!r} {reason}; allowed: {', '.join(sorted(known)) or 'none'}, or a number")
        [value] = found
        return Term(_NUMBER, lambda _: value)

    def _field(self, of: Term, name: str) -> Term:
        if of.kind is not _MESSAGE:
            raise ValueError(f"field {name!r}: {of.kind} has no fields")
        fields = of.of.get_fields_and_field_types()
        if name not in fields:
            raise ValueError(f"field {name!r} is not there; allowed: {', '.join(fields)}")
        return self._typed(fields[name], lambda values: getattr(of.value(values), name))

    def _typed(self, kind: str, value: Callable[[Values], Any]) -> Term:
        """A term of a field's type, as the generated classes name it."""
        if (items := re.fullmatch(r"sequence<(.+?)(?:, \d+)?>|(.+)\[\d+\]", kind)) is not None:
            return Term(_LIST, value, items[1] or items[2])
        if kind.startswith(("string", "wstring")):
            return Term(_TEXT, value)
        if kind == "boolean":
            return Term(TRUTH, value)
        if "/" in kind:
            package, *_, name = kind.split("/")
            return Term(_MESSAGE, value, self._resolve(f"{package}/msg/{name}"))
        if kind == "octet":
            return Term(_NUMBER, lambda values: value(values)[0])
        return Term(_NUMBER, lambda values: _known(value(values)))

    def _item(self, node: ast.Subscript) -> Term:
        of = self.term(node.value)
        place = node.slice.value if isinstance(node.slice, ast.Constant) else None
        if of.kind is not _LIST:
            raise ValueError(f"[{ast.unparse(node.slice)}]: {of.kind} has no items")
        negated = isinstance(node.slice, ast.UnaryOp) and isinstance(node.slice.op, ast.Not)
        if negated or isinstance(node.slice, ast.Compare | ast.BoolOp):
            return self._selection(of, node.slice)
        if isinstance(place, int) and not isinstance(place, bool):
            return self._typed(of.of, lambda values: _at(of.value(values), place))
        if not isinstance(place, str) or "/" not in of.of:
            allowed = "a number from 0"
            if "/" in of.of:
                allowed += f", a text, its {', '.join(_KEYS)}, or a comparison of its fields"
            raise ValueError(f"[{ast.unparse(node.slice)}]: not allowed; allowed: {allowed}")
        return self._typed(of.of, lambda values: _named(of.value(values), place))

    def _selection(self, of: Term, node: ast.expr) -> Term:
        """The items of a list of messages for which a condition on their fields holds."""
        if "/" not in of.of:
            raise ValueError(f"[{ast.unparse(node)}]: the items have no fields; allowed: a number from 0")
        kind = self._typed(of.of, lambda _: None).of
        holds = Binder(self._topics, self._kinds, self._resolve, kind).term(node)
        _require(holds, TRUTH, f"[{ast.unparse(node)}]")
        return Term(
            _LIST, lambda values: [one for one in of.value(values) if holds.value({**values, _ITEM: one})], of.of
        )

    def _both(self, node: ast.BoolOp) -> Term:
        terms = [self.term(value) for value in node.values]
        for term in terms:
            _require(term, TRUTH, "and, or")
        # All are looked at: a value that is not known must not be hidden by the others.
        together = all if isinstance(node.op, ast.And) else any
        return Term(TRUTH, lambda values: together([bool(term.value(values)) for term in terms]))

    def _one(self, node: ast.UnaryOp, constants: Mapping[str, set[int]] | None) -> Term:
        term = self.term(node.operand, constants)
        if isinstance(node.op, ast.Not):
            _require(term, TRUTH, "not")
            return Term(TRUTH, lambda values: not term.value(values))
        _require(term, _NUMBER, "-")
        return Term(_NUMBER, lambda values: -term.value(values))

    def _sum(self, node: ast.BinOp, constants: Mapping[str, set[int]] | None) -> Term:
        left, right = self.term(node.left, constants), self.term(node.right, constants)
        for term in (left, right):
            _require(term, _NUMBER, "+ - * /")
        calculate = ARITHMETIC[type(node.op)]

        def value(values: Values) -> Any:
            try:
                return _known(calculate(left.value(values), right.value(values)))
            except (ZeroDivisionError, OverflowError):
                raise UnknownValueError("a division by zero, or a number that is too large") from None

        return Term(_NUMBER, value)

    def _call(self, node: ast.Call, constants: Mapping[str, set[int]] | None) -> Term:
        assert isinstance(node.func, ast.Name)
        name, terms = node.func.id, [self.term(argument, constants) for argument in node.args]
        wanted = {"abs": (1, 1), "len": (1, 1)}.get(name, (2, 10))
        if not wanted[0] <= len(terms) <= wanted[1]:
            raise ValueError(f"{name}: {len(terms)} arguments; allowed: {wanted[0]} to {wanted[1]}")
        for term in terms:
            _require(term, _LIST if name == "len" else _NUMBER, name)
        function = FUNCTIONS[name]
        return Term(_NUMBER, lambda values: function(*(term.value(values) for term in terms)))

    def _comparison(self, node: ast.Compare) -> Term:
        parts = [node.left, *node.comparators]
        used = {name.id for part in parts for name in ast.walk(part) if isinstance(name, ast.Name)}
        topics = [topic for index, topic in enumerate(self._topics) if f"{STANDIN}{index}" in used]
        constants = self._constants(topics)
        terms = [self.term(part, constants) for part in parts]
        functions = [COMPARISONS[type(op)] for op in node.ops]
        for op, left, right in zip(node.ops, terms, terms[1:], strict=False):
            _require_comparable(op, left, right)

        def value(values: Values) -> bool:
            known = [term.value(values) for term in terms]
            pairs = zip(functions, known, known[1:], strict=False)
            return all(bool(compare(left, right)) for compare, left, right in pairs)

        return Term(TRUTH, value)

    def _constants(self, topics: Sequence[str]) -> dict[str, set[int]]:
        """Values by name of the messages on some topics; of none: of the item under selection, or of all topics."""
        found: dict[str, set[int]] = {}
        kinds = [self._kinds[topic] for topic in topics or ([] if self._under else self._topics)]
        for nested in kinds or [self._under]:
            for kind in self._classes(nested, set()):
                # Generated classes keep their constants in the metaclass.
                for name in dir(type(kind)):
                    if name.isupper() and not name.startswith("_") and isinstance(getattr(kind, name), int):
                        found.setdefault(name, set()).add(int(getattr(kind, name)))
        return found

    def _classes(self, kind: Any, seen: set[Any]) -> Iterator[Any]:
        if kind in seen:
            return
        seen.add(kind)
        yield kind
        for name in kind.get_fields_and_field_types().values():
            if (nested := re.search(r"([A-Za-z]\w*)/(\w+)", name)) is not None:
                yield from self._classes(self._resolve(f"{nested[1]}/msg/{nested[2]}"), seen)


def _known(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise UnknownValueError("a value is not known")
    return value


def _at(items: Any, place: int) -> Any:
    if not 0 <= place < len(items):
        raise UnknownValueError(f"item {place} is not there: there are {len(items)}")
    return items[place]


def _named(items: Any, text: str) -> Any:
    found = [item for item in items if text in [getattr(item, key, None) for key in _KEYS]]
    if len(found) != 1:
        raise UnknownValueError(f"item {text!r}: there are {len(found)}")
    return found[0]


def _require(term: Term, kind: str, where: str) -> None:
    if term.kind != kind:
        raise ValueError(f"{where}: {term.kind} is not allowed; allowed: {kind}")


def _require_comparable(op: ast.cmpop, left: Term, right: Term) -> None:
    if isinstance(op, ast.In | ast.NotIn):
        if right.kind is not _LIST or left.kind not in (_NUMBER, _TEXT):
            raise ValueError(f"in: {left.kind} in {right.kind} is not allowed; allowed: a number or text in a list")
        return
    plain = (_NUMBER, _TEXT, TRUTH) if isinstance(op, ast.Eq | ast.NotEq) else (_NUMBER,)
    if left.kind != right.kind or left.kind not in plain:
        raise ValueError(f"comparison of {left.kind} with {right.kind} is not allowed; allowed: two of one kind")
