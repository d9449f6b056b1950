"""The modules that the build makes of the .proto files."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("grpc_tools", reason="grpcio-tools (requirements/runtime.txt) compiles the .proto files")

PACKAGE = Path(__file__).parents[1]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package without the modules."""
    copy = tmp_path / "qiki_events"
    protos = copy / "qiki_events" / "proto"
    protos.mkdir(parents=True)
    for name in ("setup.py", "qiki_events/__init__.py", "qiki_events/proto/__init__.py"):
        shutil.copy(PACKAGE / name, copy / name)
    for path in (PACKAGE / "qiki_events" / "proto").glob("*.proto"):
        shutil.copy(path, protos)
    return copy


def start(package: Path, *command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "setup.py", "-q", *(command or ("build_protos",))],
        cwd=package,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def finish(*builds: subprocess.Popen[bytes]) -> None:
    for build in builds:
        said, _ = build.communicate()
        assert build.returncode == 0, said.decode()


def modules(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if "_pb2" in path.name}


@pytest.mark.requirement("EVENT-1b")
def test_every_proto_gets_its_module_and_stub(package: Path) -> None:
    finish(start(package))
    folder = package / "qiki_events" / "proto"
    stems = {path.stem for path in folder.glob("*.proto")}
    assert set(modules(folder)) == {f"{stem}_pb2{ending}" for stem in stems for ending in (".py", ".pyi")}


def test_an_ordinary_build_leaves_the_source_alone(package: Path) -> None:
    finish(start(package, "build_py", "--build-lib", "made"))
    assert modules(package / "made" / "qiki_events" / "proto")
    assert not modules(package / "qiki_events" / "proto")


def test_builds_at_the_same_time_do_not_clash(package: Path) -> None:
    folder = package / "qiki_events" / "proto"
    finish(start(package))
    alone = modules(folder)
    for path in folder.glob("*_pb2*"):
        path.unlink()
    finish(*(start(package) for _ in range(4)))
    assert modules(folder) == alone
    assert not list(folder.glob(".protoc-*"))


def test_a_change_is_followed_and_nothing_else_is_touched(package: Path) -> None:
    folder = package / "qiki_events" / "proto"
    finish(start(package))
    before = {name: (folder / name).stat().st_mtime_ns for name in modules(folder)}
    changed = folder / "launch.proto"
    changed.write_text(changed.read_text() + "\nmessage BrandNew {\n  string name = 1;\n}\n")
    (folder / "operator.proto").unlink()
    finish(start(package))
    after = {name: (folder / name).stat().st_mtime_ns for name in modules(folder)}
    assert "BrandNew" in (folder / "launch_pb2.pyi").read_text()
    assert {name for name in before if name not in after} == {"operator_pb2.py", "operator_pb2.pyi"}
    assert {name for name in after if after[name] != before[name]} == {"launch_pb2.py", "launch_pb2.pyi"}


def test_a_proto_that_is_wrong_fails_the_build_and_leaves_the_modules(package: Path) -> None:
    folder = package / "qiki_events" / "proto"
    finish(start(package))
    before = modules(folder)
    (folder / "launch.proto").write_text('syntax = "proto3"; message {')
    build = start(package)
    said, _ = build.communicate()
    assert build.returncode != 0
    assert b"launch.proto" in said
    assert modules(folder) == before
