"""The plan of a launch file is what ROS 2's own launch starts for it: observed there, compared here."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from qiki_launch.errors import LaunchError
from qiki_launch.plan.arguments import parse_arguments
from qiki_launch.plan.launch_plan import InlineParameters, NodePlan
from qiki_launch.plan.planner import plan_launch

pytestmark = pytest.mark.requirement("L-1")

GOLDEN: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "data/golden.yaml").read_text())


def observed(node: NodePlan, prefix: Path) -> dict[str, Any]:
    files = [Path("<inline>") if isinstance(entry, InlineParameters) else entry for entry in node.parameters]
    seen: dict[str, Any] = {"command": [word.replace(str(prefix), "<prefix>") for word in node.command(files)]}
    parameters = [
        yaml.safe_load(entry.to_yaml() if isinstance(entry, InlineParameters) else entry.read_text())
        for entry in node.parameters
    ]
    if parameters:
        seen["parameters"] = parameters
    if node.environment:
        seen["environment"] = dict(node.environment)
    return seen


def read(expected: dict[str, Any]) -> dict[str, Any]:
    """The parameter files of a case as values: here, unlike there, a text between quotes keeps them."""
    files = [yaml.safe_load(text) for text in expected.get("parameters", [])]
    return {**expected, "parameters": files} if files else expected


@pytest.mark.parametrize("name", GOLDEN)
def test_plan_is_what_ros_launch_starts(name: str, prefix: Any) -> None:
    case = GOLDEN[name]
    for executable in ("dump", "other"):
        prefix.executable(executable)
    (prefix.share / "cfg").mkdir()
    (prefix.share / "cfg/a.yaml").write_text("/**: {ros__parameters: {x: 1}}\n")
    main = prefix.launch_file("main.launch.yaml", case["main"])
    if "other" in case:
        prefix.launch_file("other.launch.yaml", case["other"])
    if "scenario" in case:
        prefix.launch_file("scenario.yaml", case["scenario"])
    arguments = parse_arguments(case.get("args", []))
    if case["expect"] == "refused":
        with pytest.raises(LaunchError) as refused:
            plan_launch(main, arguments, environment=prefix.environment)
        assert str(prefix.share) in str(refused.value)
        return
    plan = plan_launch(main, arguments, environment=prefix.environment)
    found = sorted((observed(node, prefix.path) for node in plan.nodes), key=repr)
    assert found == sorted(map(read, case["expect"]), key=repr)
