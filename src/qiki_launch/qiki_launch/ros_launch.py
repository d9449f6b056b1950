"""The actions `include_bots` and `include_docks` for ROS's own launch, which loads this module as an extension of its
file formats.

    - include_bots:
        scenario: $(var scenario)
        file: $(find-pkg-share qiki_bringup)/bot.launch.yaml
        arg: [{name: log_format, value: json}]

It includes `file` once for each bot of the scenario, in a scope of its own, with `bot` (its name), `vehicle` (path of
its vehicle file) and `bot_number` (from 0) set. `include_docks` does the same for each other body with docking
hardware, with `body`, `vehicle`, `ports` (JSON), `source_power`, `role` and `dock_number` set. Where ROS's launch is
not installed, nothing imports this module.
"""

import os
from pathlib import Path
from typing import Any, ClassVar

from launch.action import Action
from launch.actions import GroupAction, IncludeLaunchDescription, SetLaunchConfiguration
from launch.frontend import expose_action
from launch.frontend.entity import Entity
from launch.utilities import perform_substitutions

from qiki_launch.plan.bots import scenario_bots, scenario_docks


@expose_action("include_bots")
class IncludeBots(Action):  # type: ignore[misc]  # launch has no types
    """Include a launch file for each bot of a scenario. Arguments are substitutions."""

    members: ClassVar[Any] = staticmethod(scenario_bots)
    number_name: ClassVar[str] = "bot_number"

    def __init__(self, *, scenario: Any, file: Any, arguments: list[tuple[Any, Any]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._scenario, self._file, self._arguments = scenario, file, arguments

    @classmethod
    def parse(cls, entity: Any, parser: Any) -> tuple[type["IncludeBots"], dict[str, Any]]:
        """Read the attributes of the action in a launch file."""
        _, kwargs = super().parse(entity, parser)
        kwargs["scenario"] = parser.parse_substitution(entity.get_attr("scenario"))
        kwargs["file"] = parser.parse_substitution(entity.get_attr("file"))
        entries = entity.get_attr("arg", data_type=list[Entity], optional=True) or []
        kwargs["arguments"] = [
            tuple(parser.parse_substitution(entry.get_attr(name)) for name in ("name", "value")) for entry in entries
        ]
        for entry in entries:
            entry.assert_entity_completely_parsed()
        return cls, kwargs

    def execute(self, context: Any) -> list[Action]:
        """One group for each bot.

        Raises:
            LaunchError: the scenario or its bots cannot be read.
        """
        scenario = perform_substitutions(context, self._scenario)
        return [
            GroupAction(
                [
                    SetLaunchConfiguration(self.number_name, str(number)),
                    IncludeLaunchDescription(self._file, launch_arguments=[*bot.arguments.items(), *self._arguments]),
                ]
            )
            for number, bot in enumerate(self.members(scenario, Path.cwd(), os.environ))
        ]


@expose_action("include_docks")
class IncludeDocks(IncludeBots):
    """Include a launch file for each body of a scenario that is no bot and has docking hardware."""

    members: ClassVar[Any] = staticmethod(scenario_docks)
    number_name: ClassVar[str] = "dock_number"
