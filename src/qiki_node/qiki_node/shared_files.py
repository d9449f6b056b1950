"""Configuration files that are given as a path, or as a name among those of qiki_bringup."""

from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory


def shared_file(field: str, value: str, folder: str) -> Path:
    """Path of a file that is given as a path, or as a name in qiki_bringup's `config/<folder>`.

    Raises:
        LookupError: it is a name, and the package is not found; naming the field and the value.
    """
    path = Path(value)
    if "/" in value or path.suffix == ".yaml":
        return path
    try:
        share = Path(get_package_share_directory("qiki_bringup"))
    except (PackageNotFoundError, ValueError) as error:
        raise LookupError(f"{field}: {value!r}: package qiki_bringup is not found: {error}") from error
    return share / "config" / folder / f"{value}.yaml"
