"""Launch files: substitutions, expressions, types and what is refused, each by name and place."""

import os
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from qiki_launch.cli.main import main
from qiki_launch.errors import LaunchError, Place
from qiki_launch.plan.arguments import declared_arguments, parse_arguments
from qiki_launch.plan.coercion import coerce_scalar
from qiki_launch.plan.expression import evaluate
from qiki_launch.plan.launch_plan import InlineParameters
from qiki_launch.plan.names import check_namespace, join_namespaces
from qiki_launch.plan.packages import find_launch_file, package_executable
from qiki_launch.plan.planner import plan_launch
from qiki_launch.plan.scope import Scope
from qiki_launch.plan.template import Call, literal, parse_template

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]))
TOKENS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True)


@pytest.fixture
def place(tmp_path: Any) -> Place:
    return Place(tmp_path / "x.launch.yaml", 1, "launch[0]")


def read(prefix: Any, text: str, **arguments: str) -> Any:
    prefix.executable("dump")
    file = prefix.launch_file("x.launch.yaml", text)
    return plan_launch(file, arguments, environment=prefix.environment)


# Substitutions


@given(TEXT)
def test_escaped_text_is_itself(text: str) -> None:
    escaped = "".join(f"\\{character}" if character in "\\$" else character for character in text)
    assert literal(parse_template(escaped, Place.__new__(Place))) == text


@given(st.lists(st.text("abc xyz/.", min_size=1), min_size=1, max_size=4))
def test_quoted_arguments_keep_their_spaces(values: list[str]) -> None:
    text = "$(var " + " ".join(f"'{value}'" for value in values) + ")"
    assert parse_template(text, Place.__new__(Place)) == (Call("var", tuple((value,) for value in values)),)


def test_calls_nest(place: Place) -> None:
    parts = parse_template('a$(env A "x $(var b)")c', place)
    assert parts == ("a", Call("env", (("A",), ("x ", Call("var", (("b",),))))), "c")


@pytest.mark.parametrize("text", ["$(", "$()", "$(var", "$(var a", "$(var  a)", "$(var 'a)", "$(var a(b)", "$(1 a)"])
def test_broken_substitutions_are_refused(text: str, place: Place) -> None:
    with pytest.raises(LaunchError, match=r"x\.launch\.yaml:1: launch\[0\]: .* at character \d+ of"):
        parse_template(text, place)


@pytest.mark.requirement("L-2")
@pytest.mark.parametrize("name", ["command", "anon", "find-exec", "exec-in-pkg", "file-content", "and", "filename"])
def test_other_substitutions_are_refused_by_name(name: str, prefix: Any) -> None:
    with pytest.raises(LaunchError, match=rf"x\.launch\.yaml:2: .*args: substitution \$\({name}\) is not supported"):
        read(prefix, f"launch:\n  - node: {{pkg: fake, exec: dump, args: $({name} x)}}\n")


# Expressions

NUMBERS = st.one_of(st.integers(-1000, 1000), st.floats(-1e6, 1e6), st.booleans()).map(repr)
EXPRESSIONS = st.recursive(
    NUMBERS,
    lambda inner: st.one_of(
        st.tuples(
            inner,
            st.sampled_from(["+", "-", "*", "/", "//", "%", "==", "!=", "<", "<=", ">", ">=", "and", "or"]),
            inner,
        ).map(lambda parts: f"({' '.join(parts)})"),
        inner.map(lambda value: f"(not {value})"),
        st.tuples(inner, inner, inner).map(lambda parts: f"({parts[0]} if {parts[1]} else {parts[2]})"),
    ),
    max_leaves=8,
)


@given(EXPRESSIONS)
def test_expressions_give_what_python_gives(text: str) -> None:
    try:
        expected = str(eval(text, {}))
    except (TypeError, ArithmeticError):
        with pytest.raises(ValueError, match="cannot evaluate"):
            evaluate(text)
        return
    assert evaluate(text) == expected


@pytest.mark.parametrize(
    ("text", "value"), [("'a' + 'b'", "ab"), ("'a' == \"a\"", "True"), ("'b' if '' else 'c'", "c")]
)
def test_texts_are_added_and_compared(text: str, value: str) -> None:
    assert evaluate(text) == value


@pytest.mark.requirement("L-2")
@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "a",
        "1 .real",
        "[1]",
        "(1,)",
        "2 ** 9",
        "'a' * 9",
        "'%s' % 1",
        "1 < 2 < 3",
        "f'{1}'",
        "",
        "1 +",
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="eval"):
        evaluate(text)


# Types and names


@given(
    st.one_of(
        st.integers(),
        st.booleans(),
        st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: "e" not in repr(x)),
    )
)
def test_texts_get_the_type_that_yaml_gives_them(value: float) -> None:
    result = coerce_scalar(str(value), None)
    assert result == value
    assert type(result) is type(value)


@given(TEXT)
def test_a_text_stays_a_text(text: str) -> None:
    assert coerce_scalar(text, str) == text


@pytest.mark.parametrize(
    ("text", "kind"), [("x", int), ("1.5", int), ("x", float), ("2", bool), ("x", bool), ("{a: 1}", None)]
)
def test_other_types_are_refused(text: str, kind: Any) -> None:
    with pytest.raises(ValueError, match=r"x|1\.5|2|a: 1"):
        coerce_scalar(text, kind)


@given(
    st.none() | st.lists(TOKENS, min_size=1).map("/".join), st.none() | st.lists(TOKENS).map("/".join), st.booleans()
)
def test_joined_namespaces_are_valid_and_absolute(base: str | None, last: str | None, absolute: bool) -> None:
    base = None if base is None else f"/{base}"
    last = f"/{last}" if absolute and last else last
    joined = join_namespaces(base, last)
    if joined is None:
        assert base is None
        assert last is None
        return
    check_namespace(joined)
    if last and not absolute:
        assert joined.endswith(f"/{last}")
    if last and absolute:
        assert joined == last


# Documents

NODE = "pkg: fake, exec: dump"


@pytest.mark.requirement("L-2")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("launch: {}\n", "1: launch: must be a list"),
        ("nodes: []\n", "1: document: must be a mapping with the one key 'launch'"),
        ("launch: []\nmore: []\n", "the one key 'launch'"),
        ("", "the one key 'launch'"),
        ("launch: [\n", "is not YAML"),
        ("launch:\n  - arg: {name: a}\n    let: {name: b}\n", "2: launch[0]: must be a mapping with one key"),
        ("launch:\n  - executable: {cmd: ls}\n", "2: launch[0].executable: action 'executable' is not supported"),
        ("launch:\n  - timer: {period: 1.0}\n", "action 'timer' is not supported; supported: arg, let"),
        (f"launch:\n  - node: {{{NODE}, emulate_tty: true}}\n", "launch[0].node.emulate_tty: 'emulate_tty' of 'node'"),
        (f"launch:\n  - node: {{{NODE}, launch-prefix: gdb}}\n", "'launch-prefix' of 'node' is not supported"),
        (f"launch:\n  - node: {{{NODE}, on_exit: restart}}\n", "'on_exit' is 'restart'; allowed: shutdown"),
        ("launch:\n  - node: &n\n      <<: 3\n", "3: launch[0].node: '<<' must be followed by a mapping or a list of"),
        ("launch:\n  - node: {<<: {pkg: a}, <<: {pkg: b}}\n", "2: launch[0].node: the key '<<' stands here more than"),
        ("launch:\n  - node: &n {<<: *n}\n", "2: launch[0].node: an alias contains itself"),
        ("launch:\n  - let: {name: a, value: 2020-13-45}\n", "'2020-13-45' cannot be read: month must be in 1..12"),
        ("launch:\n  - let: {name: a, value: \a}\n", "x.launch.yaml: is not YAML"),
        ("launch:\n\n  - *missing\n", "x.launch.yaml:3: is not YAML: found undefined alias 'missing'"),
        ("launch:\n" + "[" * 1000, "x.launch.yaml:2: document: nested deeper than 100 levels"),
        ("#" * 2**20 + "\n", "is larger than 1048576 bytes"),
        ("launch:\n  - let: {name: a, value: " + "$(var " * 1000 + "a" + ")" * 1000 + "}\n",
         "substitutions are nested deeper than 50 levels"),
        ("launch:\n  - log: {message: hello}\n", "action 'log' is not supported; supported: arg, let"),
        ("launch:\n  - set_parameter: {name: a, value: true}\n", "action 'set_parameter' is not supported"),
        ("launch:\n  - set_remap: {from: a, to: b}\n", "action 'set_remap' is not supported"),
        ("launch:\n  - node_container: {pkg: a, exec: b}\n", "action 'node_container' is not supported"),
        (f"launch:\n  - node: {{{NODE}, if: $(not true)}}\n", "substitution $(not) is not supported"),
        (f"launch:\n  - node: {{{NODE}, if: $(equals a a)}}\n", "substitution $(equals) is not supported"),
        (f"launch:\n  - node: {{{NODE}, args: $(if true a b)}}\n", "substitution $(if) is not supported"),
        (f"launch:\n  - node: {{{NODE}, output: paper}}\n", "'output' is 'paper'; allowed: screen"),
        ("launch:\n  - node:\n      pkg: fake\n      exec: x\n      pkg: fake\n", "5: launch[0].node: the key 'pkg'"),
        (f"launch:\n  - node: {{{NODE}, respawn_delay: -1.0}}\n", "'respawn_delay' is -1.0; allowed: 0 s"),
        (f"launch:\n  - node: {{{NODE}, respawn: '2'}}\n", "'respawn': '2' is not a truth value"),
        (f"launch:\n  - node: {{{NODE}, args: \"'open\"}}\n", "No closing quotation"),
        (f"launch:\n  - node: {{{NODE}, param: []}}\n", "'param' must not be an empty list"),
        (f"launch:\n  - node: {{{NODE}, param: [{{value: 1}}]}}\n", "param[0]: 'param' needs either 'name' or 'from'"),
        (f"launch:\n  - node: {{{NODE}, param: [{{name: a}}]}}\n", "'param' needs either 'value' or nested 'param'"),
        (f"launch:\n  - node: {{{NODE}, param: [{{from: /no/such}}]}}\n", "parameter file '/no/such' does not exist"),
        (f"launch:\n  - node: {{{NODE}, param: [{{from: /x, allow_substs: true}}]}}\n", "'allow_substs' of 'param'"),
        (f"launch:\n  - node: {{{NODE}, param: [{{name: a, value: 2020-01-01}}]}}\n", "allowed: true or false"),
        (f"launch:\n  - node: {{{NODE}, if: 'true', unless: 'true'}}\n", "'if' and 'unless' cannot stand together"),
        ("launch:\n  - node: {exec: dump}\n", "'node' needs 'pkg' and 'exec'"),
        ("launch:\n  - group: {scoped: 'false', children: []}\n", "'scoped' must be true or false"),
        ("launch:\n  - group: {forwarding: false, children: []}\n", "'forwarding' of 'group' is not supported"),
        ("launch:\n  - group: {scoped: false}\n", "'group' needs 'children'"),
        ("launch:\n  - let: {name: a}\n", "2: launch[0].let: 'let' needs 'value'"),
        ("launch:\n  - include: {file: /no/such.launch.yaml}\n", "/no/such.launch.yaml: cannot be read"),
        ("launch:\n  - include: {file: /some.launch.py}\n", "/some.launch.py: only YAML launch files"),
        ("launch:\n  - include: {file: $(find-pkg-share fake)/x.launch.yaml}\n", "includes are deeper than 32"),
        ("launch:\n  - let: {name: a, value: $(find-pkg-share nothing)}\n", "package 'nothing' is not"),
        ("launch: &a [{group: *a}]\n", "an alias contains itself"),
        ('launch:\n  - include: {file: "/a\\0b.launch.yaml"}\n', "include.file: '/a\\x00b.launch.yaml' has a"),
        (f'launch:\n  - node: {{{NODE}, args: "a\\0"}}\n', "args: 'a\\x00' has a character that no path or"),
        (f'launch:\n  - node: {{{NODE}, args: "\\ud800"}}\n', "args: '\\ud800' has a character that no path"),
        ("launch:\n  - let: {name: a, value: $(eval '\"\\\\0\"')}\n", "let.value: '\\x00' has a character that no"),
        (f"launch:\n  - include: {{file: /{'a' * 300}.launch.yaml}}\n", "cannot be read: File name too long"),
        (f"launch:\n  - node: {{{NODE}, env: [{{name: A=B, value: c}}]}}\n", "variable 'A=B' is not valid; allowed"),
        ("launch:\n  - set_env: {name: '', value: c}\n", "set_env.name: environment variable '' is not valid"),
        (f"launch:\n  - node: {{{NODE}, exec_name: {'a' * 201}}}\n", "is too long for a file; allowed: 200 bytes"),
        (f"launch:\n  - node: {{{NODE}, param: [{{name: a, value: 0x1F, type: str}}]}}\n", "31 is not of the type str"),
    ],
)  # fmt: skip
def test_refusals_name_place_and_reason(text: str, message: str, prefix: Any) -> None:
    with pytest.raises(LaunchError) as refused:
        read(prefix, text)
    assert message in str(refused.value)


@pytest.mark.requirement("L-2")
@pytest.mark.parametrize(
    "action",
    [
        "executable: {cmd: ls}",
        "node: {pkg: fake, exec: dump, colour: red}",
        "let: {x: y}",
        "let: {name: x, value: $(command ls)}",
    ],
)
def test_what_a_condition_leaves_out_is_refused_all_the_same(action: str, prefix: Any) -> None:
    with pytest.raises(LaunchError, match=r"x\.launch\.yaml:3: .* is not supported; supported: "):
        read(prefix, f"launch:\n  - group: {{if: 'false', children: [\n    {action}]}}\n")


def bomb(body: str) -> str:
    """A file of 61 lines, each of which uses the one before nine times."""
    lines = [f"  - &a{level} {body % ','.join([f'*a{level - 1}'] * 9)}\n" for level in range(1, 61)]
    return "launch:\n  - &a0 {group: []}\n" + "".join(lines)


def test_aliases_that_multiply_are_bounded(prefix: Any) -> None:
    with pytest.raises(LaunchError, match="more than 50000 values, those of aliases counted at each use"):
        read(prefix, bomb("{group: [%s]}"))
    assert read(prefix, bomb("{<<: [%s]}")).nodes == ()  # each stands for one value


def test_texts_that_double_themselves_are_bounded(prefix: Any) -> None:
    double = "  - let: {name: a, value: $(var a)$(var a)}\n"
    with pytest.raises(LaunchError, match="characters is longer than 65536"):
        read(prefix, "launch:\n  - let: {name: a, value: x}\n" + double * 40)


def test_includes_that_multiply_are_bounded(prefix: Any) -> None:
    twice = "launch:\n" + "  - include: {file: $(dirname)/%d.launch.yaml}\n" * 2
    for level in range(25):
        prefix.launch_file(f"{level}.launch.yaml", twice % (level + 1, level + 1))
    prefix.launch_file("25.launch.yaml", "launch: []\n")
    with pytest.raises(LaunchError, match="more than 500 includes"):
        read(prefix, twice % (0, 0))
    assert declared_arguments(prefix.share / "x.launch.yaml", Scope(prefix.environment, prefix.path)) == {}


@pytest.mark.parametrize(
    ("inner", "message"),
    [
        (None, r"x\.launch\.yaml:3: launch\[1\]\.include\.file: .*inner\.launch\.yaml: cannot be read: No such file"),
        ("launch: [", r"inner\.launch\.yaml:1: is not YAML: .*; included at .*x\.launch\.yaml:3$"),
        ("launch: [log: {}]", r"inner\.launch\.yaml:1: .*'log' is not supported.*; included at .*x\.launch\.yaml:3$"),
        ("launch: [arg: {name: a}]", r"x\.launch\.yaml:3: .*inner\.launch\.yaml: argument 'a' .* is required$"),
    ],
)
def test_an_include_that_fails_names_its_line(inner: str | None, message: str, prefix: Any) -> None:
    if inner is not None:
        prefix.launch_file("inner.launch.yaml", inner)
    text = "launch:\n  - let: {name: x, value: y}\n  - include: {file: $(dirname)/inner.launch.yaml}\n"
    with pytest.raises(LaunchError, match=message):
        read(prefix, text)


def test_an_include_of_a_pipe_is_refused(prefix: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.launch.yaml")
    with pytest.raises(LaunchError, match=r"pipe\.launch\.yaml: cannot be read: is no regular file"):
        read(prefix, f"launch:\n  - include: {{file: {tmp_path}/pipe.launch.yaml}}\n")


def test_a_path_of_a_launch_file_does_not_steer_the_terminal(prefix: Any) -> None:
    """click itself drops colours into a pipe; a terminal gets all of them."""
    file = prefix.launch_file("x.launch.yaml", 'launch:\n  - include: {file: "/no\\e[2J.launch.yaml"}\n')
    result = CliRunner().invoke(main, ["launch", str(file)], color=True)
    assert result.exit_code == 1
    assert "/no\\u001b[2J.launch.yaml: cannot be read" in result.output
    assert "\x1b" not in result.output


MERGED = """launch:
  - node: &first {pkg: fake, exec: dump, name: a, output: screen, on_exit: shutdown}
  - node: {<<: *first, name: b, output: log}
  - node: {name: c, <<: [{output: both}, *first]}
"""


def test_merge_keys_mean_what_yaml_says(prefix: Any) -> None:
    plan = read(prefix, MERGED)
    found = [{"name": one.name, "output": one.output, "on_exit": one.shutdown_on_exit} for one in plan.nodes]
    bodies = [entry["node"] for entry in yaml.safe_load(MERGED)["launch"]]
    assert found == [
        {"name": body["name"], "output": body["output"], "on_exit": body["on_exit"] == "shutdown"} for body in bodies
    ]


LOOKS = [
    "12E5",
    "0x1A",
    "1_000",
    "on",
    "yes",
    "y",
    "n",
    "1e5",
    "0o17",
    ".5",
    "nan",
    ".inf",
    "~",
    "null",
    "1:30",
    "2020-01-01",
]


@pytest.mark.parametrize("text", LOOKS)
def test_a_text_by_type_or_quotes_keeps_its_quotes(text: str, prefix: Any) -> None:
    """ROS's own reader of parameter files takes 12E5 for a number where PyYAML does not; never between quotes."""
    params = (
        f"{{name: quoted, value: '{text}'}}",
        f"{{name: tagged, value: !!str {text}}}",
        "{name: typed, value: $(var v), type: str}",
        f"{{name: list, value: ['{text}', a]}}",
        "{name: types, value: [$(var v)], type: list_of_str}",
    )
    head = f"launch:\n  - arg: {{name: v, default: '{text}'}}\n"
    plan = read(prefix, f"{head}  - node: {{{NODE}, param: [{', '.join(params)}]}}\n")
    for entry, expected in zip(plan.nodes[0].parameters, [text, text, text, [text, "a"], [text]], strict=True):
        assert isinstance(entry, InlineParameters)
        (value,) = entry.values.values()
        assert value == expected
        scalars = [token for token in yaml.scan(entry.to_yaml()) if isinstance(token, yaml.ScalarToken)]
        assert [token.style for token in scalars if token.value == text] == ['"']


def test_a_plain_text_without_a_type_is_left_to_the_node(prefix: Any) -> None:
    """As in ROS: `1e5` is a text for PyYAML and a number for a node that declares one."""
    plan = read(prefix, f"launch:\n  - node: {{{NODE}, param: [{{name: x, value: 1e5}}]}}\n")
    (entry,) = plan.nodes[0].parameters
    assert isinstance(entry, InlineParameters)
    assert "x: 1e5\n" in entry.to_yaml()


def test_unknown_arguments_are_refused_with_those_there_are(prefix: Any) -> None:
    text = "launch:\n  - arg: {name: scenario, default: a}\n"
    with pytest.raises(LaunchError, match="no argument 'scenaro'; arguments: scenario"):
        read(prefix, text, scenaro="b")
    assert read(prefix, text, scenario="b").arguments == {"scenario": "b"}


@pytest.mark.parametrize("word", ["a", "a=1", ":=1", "a:="])
def test_malformed_arguments_are_refused(word: str) -> None:
    with pytest.raises(LaunchError, match="expected name:=value"):
        parse_arguments([word])


@pytest.mark.parametrize("default", ["$(command ls)", "$(var a b c)", "$(dirname x)", "$(var"])
def test_a_default_is_checked_even_where_a_value_is_given(default: str, prefix: Any) -> None:
    with pytest.raises(LaunchError, match=r"launch\[0\]\.arg\.default: "):
        read(prefix, f"launch:\n  - arg: {{name: x, default: {default}}}\n", x="given")


def test_dirname_where_ros_means_another_folder_is_refused(prefix: Any, tmp_path: Any) -> None:
    (tmp_path / "b.launch.yaml").write_text("launch: []\n")
    text = f"launch:\n  - include: {{file: {tmp_path}/b.launch.yaml}}\n  - let: {{name: a, value: $(dirname)}}\n"
    with pytest.raises(LaunchError, match=r"\$\(dirname\) after an 'include' means the included file's folder"):
        read(prefix, text)


def test_declared_arguments_include_those_of_included_files(prefix: Any) -> None:
    prefix.launch_file(
        "inner.launch.yaml", "launch:\n  - arg: {name: a, default: other}\n  - arg: {name: b, choice: [{value: x}]}\n"
    )
    file = prefix.launch_file(
        "outer.launch.yaml",
        "launch:\n"
        "  - arg: {name: a, default: '1', description: first}\n"
        "  - group:\n"
        "      - include: {file: $(dirname)/inner.launch.yaml}\n"
        "  - include: {file: $(var not_known_yet)}\n"
        "  - arg: {name: c, if: $(var a)}\n",
    )
    found = declared_arguments(file, Scope(prefix.environment, prefix.path))
    assert [
        (argument.name, argument.default, argument.choices, argument.conditional) for argument in found.values()
    ] == [
        ("a", "1", (), False),
        ("c", None, (), True),
        ("b", None, ("x",), False),
    ]


@given(st.lists(st.text("ab 'c\\", max_size=5), min_size=1, max_size=4))
def test_literal_words_are_split_as_a_shell_does(words: list[str]) -> None:
    from qiki_launch.plan.document import Attributes, Element
    from qiki_launch.plan.nodes import _words

    place = Place.__new__(Place)
    text = shlex.join(words)
    escaped = text.replace("\\", "\\\\")
    attributes = Attributes("node", Element({"args": Element(escaped, place)}, place), ("args",))
    assert _words(attributes, "args", Scope({}, None)) == tuple(words)  # type: ignore[arg-type]


def test_labels_are_full_names_and_unique(prefix: Any) -> None:
    node = "  - node: {pkg: fake, exec: dump, name: a, namespace: ns}\n"
    plan = read(prefix, f"launch:\n{node}{node}  - node: {{pkg: fake, exec: dump}}\n")
    assert [one.label for one in plan.nodes] == ["ns/a", "ns/a-2", "dump"]
    assert plan.warnings == ("2 nodes have the name /ns/a",)


def test_inline_parameters_become_the_file_of_that_node(prefix: Any) -> None:
    plan = read(prefix, f"launch:\n  - node: {{{NODE}, name: n, namespace: a, param: [{{name: x.y, value: 2}}]}}\n")
    assert plan.nodes[0].parameters == (InlineParameters("/a/n", {"x.y": 2}),)
    assert plan.to_data()["nodes"][0]["parameters"] == [{"/a/n": {"ros__parameters": {"x.y": 2}}}]


# Packages


def test_files_and_executables_are_found_as_ros_finds_them(prefix: Any) -> None:
    prefix.executable("run")
    (prefix.path / "lib/fake/not_executable").write_text("")
    (prefix.share / "deep").mkdir()
    file = prefix.launch_file("deep/one.launch.yaml", "launch: []\n")
    environment = {"AMENT_PREFIX_PATH": f"/nowhere:{prefix.path}"}
    assert find_launch_file("fake", "one.launch.yaml", environment) == file
    assert package_executable("fake", "run", environment).name == "run"
    with pytest.raises(LaunchError, match=r"no executable 'not_executable' in .*; it has: run"):
        package_executable("fake", "not_executable", environment)
    prefix.launch_file("one.launch.yaml", "launch: []\n")
    with pytest.raises(LaunchError, match="there more than once"):
        find_launch_file("fake", "one.launch.yaml", environment)
    with pytest.raises(LaunchError, match="AMENT_PREFIX_PATH is empty"):
        find_launch_file("fake", "one.launch.yaml", {})
