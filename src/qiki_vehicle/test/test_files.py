"""Files that are no configuration: refused in one line, in bounded time, without what stands in them."""

import os
from pathlib import Path

import pytest

from qiki_vehicle import ConfigurationError
from qiki_vehicle.files import Section, load

SECRET = "hunter2"
BOMB = "a0: &a0 [x]\n" + "".join(f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 9)}]\n" for i in range(9))


class Model(Section):
    name: str


def refusal(path):
    with pytest.raises(ConfigurationError) as caught:
        load(Path(path), Model)
    text = str(caught.value)
    assert "\n" not in text
    assert SECRET not in text
    assert len(text) < 200 + len(repr(str(path)))
    return text


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("passwd", f"root:x:0:0:{SECRET}:/root:/bin/sh\n", "allowed: a file named"),
        ("a.yaml", f"root:x:0:0:{SECRET}:/root:/bin/sh\n", "top level: allowed: a mapping"),
        ("b.yaml", f"key: {SECRET}: {SECRET}\n", "mapping values are not allowed here at line 1, column"),
        ("c.yaml", f"- {SECRET}\n- {SECRET}\n", "top level: allowed: a mapping"),
        ("d.yaml", f"name: !!python/name:{SECRET[:3]} x\n", "line 1, column"),
        ("e.yaml", "[" * 1000 + "]" * 1000, "nested deeper than 50 at line 1"),
        ("f.yaml", "".join(f"{' ' * i}a:\n" for i in range(1000)), "nested deeper than 50"),
        ("g.json", "[" * 1000 + "]" * 1000, "nested deeper than 50"),
        ("h.json", "[" * 100_000, "nested deeper than 50"),
        ("i.json", f'{{"name": {SECRET}', "cannot be parsed"),
        ("j.yaml", BOMB, "more than 100000 values"),
        ("k.yaml", "a: &a [*a]\n", "more than 100000 values"),
        ("l.yaml", "".join(f"k{i}: 1\n" for i in range(2_000)), "unknown key k0"),
        ("m.yaml", "a: 1\n" * 2, "key given twice: a at line 1"),
        ("n.yaml", "#" * 1_000_001, "larger than 1000000 bytes"),
        ("o.yaml", "name: \0", "cannot be parsed"),
        ("p.yaml", f"name: {2**70}e999\n? [1, 2]\n: 3\n", "unhashable key"),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path, name, content, reason):
    path = tmp_path / name
    path.write_text(content)
    assert reason in refusal(path)


def test_a_path_that_is_no_file(tmp_path):
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "binary.yaml").write_bytes(b"name: \xff\xfe")
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    assert "no ordinary file" in refusal(tmp_path / "folder.yaml")
    assert "no ordinary file" in refusal(tmp_path / "pipe.yaml")
    assert "byte 6 is no UTF-8" in refusal(tmp_path / "binary.yaml")
    assert "cannot be read" in refusal(tmp_path / "loop.yaml")
    assert "No such file" in refusal(tmp_path / "missing.yaml")
    assert "null byte" in refusal(f"{tmp_path}/a\0b.yaml")
    assert "File name too long" in refusal(tmp_path / ("x" * 300 + ".yaml"))
    assert "No such file" in refusal(tmp_path / "two\nlines.yaml")
