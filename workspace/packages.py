"""The workspace's ROS packages, found by their package.xml."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from workspace.errors import WorkspaceError
from workspace.layout import Layout
from workspace.stamps import digest

BASE_PATHS = ("msg", "launch", "src")
FOR_WHEELS = "workspace/wheels"
"""Interface packages of ROS 2 that the wheels lack; an ordinary installation has its own."""
_DESCRIPTION = ("package.xml", "setup.py", "setup.cfg")


@dataclass(frozen=True)
class Package:
    name: str
    path: Path
    build_type: str

    @property
    def python(self) -> bool:
        return self.build_type == "ament_python"

    @property
    def tests(self) -> list[Path]:
        """Its test files, sorted."""
        return sorted((self.path / "test").rglob("test_*.py"))

    def names(self) -> list[str]:
        """Relative names of the files that are installed one by one, sorted.

        Python modules (with their stubs, which the build may make) and tests are left out: the symbolic link to their
        folder is installed, not they.
        """
        left_out = (".py", ".pyi", ".pyc") if self.python else (".pyc",)
        return sorted(
            str(path.relative_to(self.path)) for path in _files(self.path) if not path.name.endswith(left_out)
        )

    def inputs(self) -> str:
        """Digest of the inputs whose change makes an installation with symbolic links outdated.

        Python: the description, the .proto files that modules are made of, and the names of the data files (their
        contents are linked). Everything else, messages above all: the content of every file.
        """
        names = self.names()
        read = [*_DESCRIPTION, *(name for name in names if name.endswith(".proto"))] if self.python else names
        return digest([str(self.path), *names, *(self.path / name for name in read)])


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name in ("__pycache__", "test") or path.name.endswith(".egg-info"):
            continue
        if path.is_dir():
            yield from _files(path)
        else:
            yield path


def find(layout: Layout, base_paths: Iterable[str] = BASE_PATHS) -> list[Package]:
    """All packages below these paths by name.

    Raises WorkspaceError on an unreadable package.xml or a name that stands twice.
    """
    packages: dict[str, Package] = {}
    base_paths = tuple(base_paths)
    manifests = [layout.root / base / "package.xml" for base in base_paths]
    for base in base_paths:
        manifests += sorted((layout.root / base).glob("*/package.xml"))
    for manifest in manifests:
        if not manifest.is_file():
            continue
        try:
            tree = ElementTree.parse(manifest).getroot()
        except ElementTree.ParseError as error:
            raise WorkspaceError(f"{manifest}: {error}") from error
        name = (tree.findtext("name") or "").strip()
        if not name:
            raise WorkspaceError(f"{manifest}: no <name>")
        if name in packages:
            raise WorkspaceError(f"{manifest}: package {name} is also in {packages[name].path}")
        build_type = (tree.findtext("export/build_type") or "catkin").strip()
        packages[name] = Package(name, manifest.parent, build_type)
    return [packages[name] for name in sorted(packages)]
