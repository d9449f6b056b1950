"""The supported substitutions of launch files and their values."""

from collections.abc import Callable, Sequence
from functools import partial

from qiki_launch.errors import LaunchError, Place
from qiki_launch.plan.element import check_text
from qiki_launch.plan.expression import evaluate
from qiki_launch.plan.packages import package_prefix, package_share
from qiki_launch.plan.scope import Scope
from qiki_launch.plan.template import Call, Template, parse_template

LONGEST = 2**16
"""Characters of a text: variables that double themselves must not fill the memory."""

Arguments = Sequence[Callable[[], str]]
"""Arguments of a substitution: evaluated when called, as the default of a variable that is set never is."""


def substitute(text: str, scope: Scope, place: Place) -> str:
    """A text with its substitutions done.

    Raises:
        LaunchError: a substitution is not supported, is written wrongly, or has no value.
    """
    return perform(parse(text, place), scope, place)


def parse(text: str, place: Place) -> Template:
    """Parts of a text, every substitution in it being supported.

    Raises:
        LaunchError: a substitution is not supported, or is written wrongly.
    """
    template = parse_template(text, place)
    _check(template, place)
    return template


def perform(template: Template, scope: Scope, place: Place) -> str:
    """The text of a parsed template in a scope.

    Raises:
        LaunchError: a substitution has no value.
    """
    text = "".join(part if isinstance(part, str) else _call(part, scope, place) for part in template)
    if len(text) > LONGEST:
        raise LaunchError(f"the text of {len(text)} characters is longer than {LONGEST}", place)
    check_text(text, place)
    return text


def _check(template: Template, place: Place) -> None:
    for call in template:
        if isinstance(call, str):
            continue
        if call.name not in _SUPPORTED:
            supported = ", ".join(f"$({name})" for name in _SUPPORTED)
            raise LaunchError(f"substitution $({call.name}) is not supported; supported: {supported}", place)
        least, most, _ = _SUPPORTED[call.name]
        if not least <= len(call.arguments) <= most:
            raise LaunchError(f"$({call.name}) takes {least} to {most} arguments, not {len(call.arguments)}", place)
        for argument in call.arguments:
            _check(argument, place)


def _call(call: Call, scope: Scope, place: Place) -> str:
    _, _, function = _SUPPORTED[call.name]
    try:
        return function([partial(perform, argument, scope, place) for argument in call.arguments], scope)
    except LaunchError as error:
        raise error if error.place else LaunchError(str(error), place) from error
    except ValueError as error:
        raise LaunchError(str(error), place) from error


def _var(arguments: Arguments, scope: Scope) -> str:
    name = arguments[0]()
    scope.used.add(name)
    if name in scope.configurations:
        return scope.configurations[name]
    if len(arguments) > 1:
        return arguments[1]()
    raise LaunchError(f"$(var {name}): no argument or variable {name!r} is set here")


def _env(arguments: Arguments, scope: Scope) -> str:
    name, *default = [argument() for argument in arguments]
    if name in scope.environment:
        return scope.environment[name]
    if default:
        return default[0]
    raise LaunchError(f"$(env {name}): the environment variable is not set, and there is no default")


def _dirname(_arguments: Arguments, scope: Scope) -> str:
    # ROS's launch does not go back to the including file here. Rather than one of two meanings: none.
    if scope.last_included.parent != scope.file.parent:
        raise LaunchError(
            "$(dirname) after an 'include' means the included file's folder in ROS's launch; use $(find-pkg-share …)"
        )
    return str(scope.file.parent)


_SUPPORTED: dict[str, tuple[int, int, Callable[[Arguments, Scope], str]]] = {
    "var": (1, 2, _var),
    "env": (1, 2, _env),
    "find-pkg-share": (1, 1, lambda arguments, scope: str(package_share(arguments[0](), scope.environment))),
    "find-pkg-prefix": (1, 1, lambda arguments, scope: str(package_prefix(arguments[0](), scope.environment))),
    "dirname": (0, 0, _dirname),
    "eval": (1, 1, lambda arguments, _scope: evaluate(arguments[0]())),
}
"""Name → least and most number of arguments, and the function."""
