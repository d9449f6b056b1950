"""Configuration files that are given as a path, or as a name among those of qiki_bringup."""

from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory


def shared_file(field: str, value: str, folder: str) -> Path:
    """Path of a file that is given as a path, or as a name in qiki_bringup's `config/<folder>`.

    Raises:
        LookupError: it is a name that is not there, or the package is not found; naming field, value and the names.
    """
    path = Path(value)
    if "/" in value or path.suffix == ".yaml":
        return path
    try:
        share = Path(get_package_share_directory("qiki_bringup"))
    except (PackageNotFoundError, ValueError) as error:
        raise LookupError(f"{field}: {value!r}: package qiki_bringup is not found: {error}") from error
    found = {file.stem: file for file in (share / "config" / folder).glob("*.yaml")}
    if value not in found:
        names = ", ".join(sorted(found)) or "none"
        raise LookupError(f"{field}: {value!r} is not there; allowed: {names}, or a file")
    return found[value]
