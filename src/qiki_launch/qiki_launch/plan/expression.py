"""`$(eval …)` without eval: the arithmetic and logic of Python on numbers, texts and truth values.

ROS's launch hands the text to Python itself. Here the syntax tree is walked, and whatever is not a literal, an operator
or a comparison is refused by name: no names, calls, attributes, subscripts or powers, so nothing can be run and nothing
can grow without bound.
"""

import ast
import operator
from collections.abc import Callable
from typing import Any

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
}


def evaluate(text: str) -> str:
    """Value of an expression as a text.

    Raises:
        ValueError: it is not an expression, uses something else than literals and operators, or cannot be computed.
    """
    try:
        return str(_value(ast.parse(text.strip(), mode="eval").body))
    except (SyntaxError, TypeError, ArithmeticError, RecursionError, MemoryError) as error:
        raise ValueError(f"cannot evaluate {text!r}: {error}") from error


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() as value):
            result: Any = value
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            result = _UNARY[type(op)](_value(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            result = _binary(op, _value(left), _value(right))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARE:
            result = _COMPARE[type(op)](_value(left), _value(right))
        case ast.BoolOp(op=op, values=values):
            result = _first(values, until=isinstance(op, ast.Or))
        case ast.IfExp(test=test, body=body, orelse=orelse):
            result = _value(body if _value(test) else orelse)
        case _:
            raise ValueError(f"eval: {ast.unparse(node)!r} is not supported; supported: literals, operators, if … else")
    return result


def _binary(op: ast.operator, left: Any, right: Any) -> Any:
    # A text times a number or a text % values would be a way to huge texts.
    if not isinstance(op, ast.Add) and (isinstance(left, str) or isinstance(right, str)):
        raise TypeError("texts can only be added and compared")
    return _BINARY[type(op)](left, right)


def _first(values: list[ast.expr], *, until: bool) -> Any:
    for node in values:
        value = _value(node)
        if bool(value) is until:
            break
    return value
