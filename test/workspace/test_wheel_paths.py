"""Repair of the wheels' CMake files."""

from pathlib import Path

from workspace.wheel_paths import repair, repaired

BEFORE = (
    'set_target_properties(a PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "/opt/python/cp311-cp311/include/python3.11;'
    '/opt/python/cp311-cp311/lib/python3.11/site-packages/numpy/_core/include;${_IMPORT_PREFIX}/include")\n'
    "link(/opt/python/cp313-cp313t/lib)\n"
)
AFTER = (
    'set_target_properties(a PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "/usr/include/python3.11;'
    '/w/lib/python3.11/site-packages/numpy/_core/include;${_IMPORT_PREFIX}/include")\n'
    "link(/w/lib)\n"
)


def test_both_folders_are_replaced_and_nothing_else() -> None:
    assert repaired(BEFORE, "/usr/include/python3.11", "/w/lib") == AFTER
    assert repaired("set(x /opt/python/other/lib)", "/i", "/l") == "set(x /opt/python/other/lib)"
    assert repaired("/opt/python/cp311-cp311/libexec", "/i", "/l") == "/opt/python/cp311-cp311/libexec"


def test_a_path_with_a_backslash_is_taken_literally() -> None:
    assert repaired("/opt/python/cp311-cp311/lib;", "/i", r"/a\1b") == r"/a\1b;"


def test_repair_reaches_every_cmake_file_and_can_be_repeated(tmp_path: Path) -> None:
    deep = tmp_path / "share" / "msgs" / "cmake" / "export.cmake"
    deep.parent.mkdir(parents=True)
    deep.write_text(BEFORE)
    other = tmp_path / "share" / "msgs" / "notes.txt"
    other.write_text(BEFORE)
    assert repair(tmp_path, "/usr/include/python3.11") == 1
    assert "/opt/python" not in deep.read_text()
    assert f"{tmp_path}/lib/python3.11/site-packages/numpy" in deep.read_text()
    assert other.read_text() == BEFORE
    assert repair(tmp_path, "/usr/include/python3.11") == 0


def test_no_installed_wheel_names_its_build_machine(root: Path) -> None:
    files = list((root / ".venv" / "share").rglob("*.cmake"))
    assert files
    assert [str(file) for file in files if "/opt/python/" in file.read_text(errors="replace")] == []
