"""Prerequisites of the machine, checked before any long work, each with the command that installs it."""

import importlib.util
import platform
import shutil
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

from workspace.errors import WorkspaceError

OLDEST_GLIBC = (2, 28)


def missing_packages(
    which: Callable[[str], str | None] = shutil.which,
    has_module: Callable[[str], bool] = lambda name: importlib.util.find_spec(name) is not None,
    include: str | None = None,
) -> list[tuple[str, str]]:
    """(missing program or header, Debian package that brings it) for creating the environment and compiling messages.

    `include` is the folder of Python's C headers, None = those of the running interpreter.
    """
    version = f"python3.{sys.version_info.minor}"
    missing = []
    if not (has_module("venv") and has_module("ensurepip")):
        missing.append(("the Python modules venv and ensurepip", f"{version}-venv"))
    if not any(which(name) for name in ("cc", "gcc", "clang")):
        missing.append(("a C compiler", "gcc"))
    if not any(which(name) for name in ("c++", "g++", "clang++")):
        missing.append(("a C++ compiler", "g++"))
    header = Path(include or sysconfig.get_path("include"), "Python.h")
    if not header.is_file():
        missing.append((f"Python's C headers ({header})", f"{header.parent.name}-dev"))
    if not which("bash"):
        missing.append(("bash", "bash"))
    return missing


def require(missing: list[tuple[str, str]]) -> None:
    """Raises WorkspaceError naming all that is missing and one command that installs it."""
    if not missing:
        return
    what = "\n".join(f"  - {name}" for name, _ in missing)
    packages = " ".join(package for _, package in missing)
    raise WorkspaceError(
        f"This machine lacks:\n{what}\nInstall it with\n"
        f"  sudo apt-get update && sudo apt-get install -y {packages}\nand run the same command again."
    )


def require_wheel_platform(machine: str | None = None, libc: tuple[str, str] | None = None) -> None:
    """Raises WorkspaceError where no ROS 2 wheel exists for the machine."""
    machine = machine or platform.machine()
    name, version = libc or platform.libc_ver()
    numbers = tuple(int(part) for part in version.split(".")[:2]) if name == "glibc" else (0, 0)
    if machine == "x86_64" and numbers >= OLDEST_GLIBC:
        return
    raise WorkspaceError(
        f"The ROS 2 wheels need x86_64 and glibc {'.'.join(map(str, OLDEST_GLIBC))} or later; "
        f"this is {machine} with {name or 'an unknown libc'} {version}.\n"
        "Source an ordinary ROS 2 Jazzy installation and run the same command again (docs/install.md)."
    )
