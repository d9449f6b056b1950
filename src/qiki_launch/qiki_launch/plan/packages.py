"""Packages in the ament index of an environment: the prefixes of AMENT_PREFIX_PATH, first one first."""

import os
from collections.abc import Mapping
from pathlib import Path

from qiki_launch.errors import LaunchError

VARIABLE = "AMENT_PREFIX_PATH"


def package_prefix(package: str, environment: Mapping[str, str]) -> Path:
    """Prefix under which a package is installed.

    Raises:
        LaunchError: no prefix has it.
    """
    prefixes = [Path(prefix) for prefix in environment.get(VARIABLE, "").split(os.pathsep) if prefix]
    if package and "/" not in package:
        for prefix in prefixes:
            if (prefix / "share/ament_index/resource_index/packages" / package).is_file():
                return prefix
    searched = ", ".join(str(prefix) for prefix in prefixes) or f"nothing: {VARIABLE} is empty"
    raise LaunchError(f"package {package!r} is not installed; searched: {searched}")


def package_share(package: str, environment: Mapping[str, str]) -> Path:
    """The share folder of a package.

    Raises:
        LaunchError: the package is not installed.
    """
    return package_prefix(package, environment) / "share" / package


def package_executable(package: str, name: str, environment: Mapping[str, str]) -> Path:
    """An executable of a package, as `ros2 run` finds it.

    Raises:
        LaunchError: the package or the executable is not there.
    """
    folder = package_prefix(package, environment) / "lib" / package
    found = {entry.name: entry for entry in _executables(folder)}
    if name not in found:
        raise LaunchError(
            f"package {package!r} has no executable {name!r} in {folder}; it has: {', '.join(sorted(found)) or 'none'}"
        )
    return found[name]


def find_launch_file(package: str, name: str, environment: Mapping[str, str]) -> Path:
    """A file anywhere under the share folder of a package, as `ros2 launch` finds it.

    Raises:
        LaunchError: the package is not installed, or has no such file, or several.
    """
    share = package_share(package, environment)
    found = [Path(folder) / name for folder, _, names in os.walk(share) if name in names]
    if len(found) != 1:
        many = f"{name!r} is there more than once: {', '.join(map(str, found))}"
        none = f"{name!r} is not in {share}"
        raise LaunchError(f"package {package!r}: {many if found else none}")
    return found[0]


def _executables(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [entry for entry in folder.iterdir() if entry.is_file() and os.access(entry, os.X_OK)]
