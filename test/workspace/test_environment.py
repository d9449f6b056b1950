"""The stored environment equals that of sourcing."""

import os
from pathlib import Path

import pytest

from workspace import environment
from workspace.distribution import Distribution
from workspace.errors import WorkspaceError
from workspace.layout import Layout

SCRIPT = """
export PYTHONPATH=/p/one:/p/two${PYTHONPATH:+:$PYTHONPATH}
export LD_LIBRARY_PATH=/p/lib:$LD_LIBRARY_PATH
export FLAVOUR="a b"
"""


def base(root: Path, **more: str) -> dict[str, str]:
    clean = {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/home/user"} | more
    return Distribution(Layout(root)).environment(clean)


def same(one: dict[str, str], other: dict[str, str]) -> None:
    """Equal variables; search paths by their entries, since an empty entry is never wanted."""
    assert one.keys() == other.keys()
    for name in one:
        entries = [[entry for entry in env[name].split(os.pathsep) if entry] for env in (one, other)]
        assert entries[0] == entries[1], name


@pytest.mark.parametrize("more", [{}, {"PYTHONPATH": "/mine"}, {"LD_LIBRARY_PATH": "/x:/y", "FLAVOUR": "plain"}])
def test_a_change_computed_once_holds_for_every_base(tmp_path: Path, root: Path, more: dict[str, str]) -> None:
    script = tmp_path / "setup.bash"
    script.write_text(SCRIPT)
    change = environment.compute(script, base(root))
    same(change.applied(base(root, **more)), environment.sourced(script, base(root, **more)))


def test_a_shell_that_has_sourced_it_already_computes_the_same(tmp_path: Path, root: Path) -> None:
    script = tmp_path / "setup.bash"
    script.write_text(f'export LD_LIBRARY_PATH="{tmp_path}/bot/lib:$LD_LIBRARY_PATH"\n')
    clean = base(root, LD_LIBRARY_PATH="/mine")
    assert environment.compute(script, environment.sourced(script, clean)) == environment.compute(script, clean)
    assert environment.compute(script, clean).paths["LD_LIBRARY_PATH"] == [f"{tmp_path}/bot/lib"]


@pytest.mark.parametrize("more", [{}, {"PYTHONPATH": "/mine:/more", "LD_LIBRARY_PATH": "/x"}])
def test_the_built_workspace_gets_what_local_setup_gives(root: Path, more: dict[str, str]) -> None:
    script = root / "install" / "local_setup.bash"
    stored = environment.load(Layout(root).environment_file)
    same(stored.applied(base(root, **more)), environment.sourced(script, base(root, **more)))
    assert str(root / "install" / "qiki_msgs") in stored.paths["AMENT_PREFIX_PATH"]


def test_a_stored_change_survives_saving(tmp_path: Path) -> None:
    change = environment.Change({"PATH": ["/a", "/b"]}, {"X": "1"})
    change.save(tmp_path / "new" / "environment.json")
    assert environment.load(tmp_path / "new" / "environment.json") == change


def test_a_broken_file_or_script_is_an_error_that_names_it(tmp_path: Path) -> None:
    broken = tmp_path / "environment.json"
    broken.write_text('{"paths": {')
    with pytest.raises(WorkspaceError, match=str(broken)):
        environment.load(broken)
    script = tmp_path / "setup.bash"
    script.write_text("echo no such prefix >&2\nreturn 3\n")
    with pytest.raises(WorkspaceError, match="no such prefix"):
        environment.compute(script, {"PATH": os.environ["PATH"]})
