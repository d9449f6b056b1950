"""Names of nodes and namespaces: how they are joined and what is allowed (rules of ROS 2)."""

import re

_TOKEN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def join_namespaces(base: str | None, namespace: str | None) -> str | None:
    """The absolute namespace of `namespace` under `base`; None where both are None.

    An absolute namespace stands alone, a relative one is put under the base (or the root), a trailing slash is cut.
    """
    if namespace is None:
        joined = base
    elif not base or namespace.startswith("/"):
        joined = namespace
    else:
        joined = f"{base.rstrip('/')}/{namespace}"
    if joined is None:
        return None
    if joined != "/":
        joined = joined.rstrip("/")
    return joined if joined.startswith("/") else f"/{joined}"


def check_namespace(namespace: str) -> None:
    """
    Raises:
        ValueError: it is not a valid absolute namespace.
    """
    if namespace != "/" and not all(_TOKEN.match(token) for token in namespace[1:].split("/")):
        raise ValueError(
            f"namespace {namespace!r} is not valid; allowed: letters, digits and _ between single slashes, "
            "no part beginning with a digit"
        )


def check_node_name(name: str) -> None:
    """
    Raises:
        ValueError: it is not a valid node name.
    """
    if not _TOKEN.match(name) or len(name) > 255:
        raise ValueError(
            f"node name {name!r} is not valid; allowed: 1 to 255 letters, digits and _, not beginning with a digit"
        )


def check_variable(name: str) -> None:
    """
    Raises:
        ValueError: it cannot be the name of an environment variable.
    """
    if not name or "=" in name:
        raise ValueError(f"environment variable {name!r} is not valid; allowed: a name without '='")


def full_name(namespace: str, name: str) -> str:
    """Fully qualified name of a node."""
    return f"{namespace.rstrip('/')}/{name}"
