"""Imports, package.xml, requirements and docs/install.md name the same packages."""

import ast
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

SYSTEM = {
    "click": "python3-click",
    "cryptography": "python3-cryptography",
    "google": "python3-protobuf",
    "grpc_tools": "python3-grpc-tools",
    "hypothesis": "python3-hypothesis",
    "mujoco": "python3-mujoco-pip",
    "numpy": "python3-numpy",
    "prometheus_client": "python3-prometheus-client",
    "psutil": "python3-psutil",
    "pydantic": "python3-pydantic",
    "pydantic_core": "python3-pydantic",
    "pytest": "python3-pytest",
    "rich": "python3-rich",
    "scipy": "python3-scipy",
    "yaml": "python3-yaml",
}
"""Module → key of rosdep, as github.com/ros/rosdistro has it."""
PIP = {
    "apsw": "apsw",
    "daqp": "daqp",
    "mcap": "mcap",
    "psycopg": "psycopg",
    "psycopg_pool": "psycopg",
    "transitions": "transitions",
    "uuid_utils": "uuid_utils",
    "zstandard": "zstandard",
}
"""Module without such a key → its name in requirements/runtime.txt."""
ALIASES = {"google": "protobuf", "grpc_tools": "grpcio-tools", "pydantic_core": "pydantic", "yaml": "PyYAML"}
IMPORTERS = ("pytest.importorskip", "import_module", "importlib.import_module")
# Every test needs it, by the settings in pyproject.toml.
TIMEOUT = "python3-pytest-timeout"


def imported(folder: Path) -> set[str]:
    """First names of all modules that the Python files below a folder import, the standard library's left out."""
    names: set[str] = set()
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
            elif isinstance(node, ast.Call) and ast.unparse(node.func) in IMPORTERS:
                names |= {str(name.value).partition(".")[0] for name in node.args[:1] if isinstance(name, ast.Constant)}
    return names - sys.stdlib_module_names


def keys(names: set[str], local: set[str]) -> set[str]:
    """What package.xml must name for these modules; a ROS package has the name of its module."""
    return {SYSTEM.get(name, name) for name in names - PIP.keys() - local}


def declared(package: Path, *kinds: str) -> set[str]:
    root = ElementTree.parse(package / "package.xml").getroot()
    return {str(one.text) for kind in kinds for one in root.iter(kind)}


def packages(root: Path) -> list[Path]:
    return [file.parent for file in sorted(root.glob("src/*/package.xml"))]


def test_package_xml_names_the_imports_and_nothing_else(root: Path) -> None:
    helpers = {file.stem for file in (*root.glob("src/*/test/**/*.py"), *root.glob("benchmarks/*.py"))}
    for package in packages(root):
        local = helpers | {package.name}
        own = keys(imported(package / package.name), local)
        tests = keys(imported(package / "test"), local) | {TIMEOUT}
        assert declared(package, "exec_depend", "depend") == own, package.name
        assert declared(package, "test_depend") == tests - own - declared(package, "build_depend"), package.name


def test_a_module_that_no_table_knows_is_one_of_ros_or_the_workspace(root: Path) -> None:
    helpers = {file.stem for file in (*root.glob("src/*/test/**/*.py"), *root.glob("benchmarks/*.py"))}
    lines = (root / "requirements" / "ros.txt").read_text(encoding="utf-8").splitlines()
    of_ros = {line.partition("==")[0].removeprefix("ros-").replace("-", "_") for line in lines}
    of_ros |= {file.parent.name for file in root.glob("workspace/wheels/*/package.xml")}
    # ROS's own launch is no wheel; setuptools comes with every environment.
    known = SYSTEM.keys() | PIP.keys() | of_ros | {"launch", "setuptools", "qiki_msgs"}
    for package in packages(root):
        own = {other.name for other in packages(root)}
        assert imported(package) - known - own - helpers == set(), package.name


def test_imports_are_found_wherever_they_stand(tmp_path: Path) -> None:
    lines = (
        "def f():\n    import requests.api",
        "try:\n    from flask import g\nexcept ImportError:\n    pass",
        "from importlib import import_module\nimport_module('tornado.web')",
        "import importlib\nimportlib.import_module('bottle')",
        "import pytest\npytest.importorskip('pandas')",
        "from . import own\nimport os.path",
    )
    for number, text in enumerate(lines):
        (tmp_path / f"{number}.py").write_text(text)
    assert imported(tmp_path) == {"requests", "flask", "tornado", "bottle", "pandas", "pytest"}


def test_requirements_have_every_module_of_the_nodes(root: Path) -> None:
    lines = (root / "requirements" / "runtime.txt").read_text(encoding="utf-8").splitlines()
    pinned = {re.split(r"[\[=]", line)[0].lower().replace("-", "_") for line in lines if not line.startswith("#")}
    modules = {name for package in packages(root) for name in imported(package / package.name)} | {"grpc_tools"}
    wanted = {PIP.get(name, ALIASES.get(name, name)) for name in modules if name in PIP or name in SYSTEM}
    assert pinned == {name.lower().replace("-", "_") for name in wanted}


@pytest.mark.parametrize(
    "line",
    [
        "rosdep install --from-paths msg launch src --ignore-src -y --skip-keys python3-mujoco-pip",
        "grep -v '^numpy==' requirements/runtime.txt > .venv/runtime.txt",
        ".venv/bin/pip install -c requirements/constraints.txt -r .venv/runtime.txt",
    ],
)
def test_the_page_installs_what_both_name(line: str, root: Path) -> None:
    assert f"\n{line}\n" in (root / "docs" / "install.md").read_text(encoding="utf-8")
