"""The ROS 2 under the workspace: the pinned wheels, or an ordinary installation that is sourced."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workspace.errors import WorkspaceError
from workspace.layout import Layout

# Set by the wheels in every process they start. A child of another environment that inherits it would skip the
# search for its own libraries.
WHEELS_MARK = "_ROS_WHEELS_BOOTSTRAP_COMPLETE"
# Keeps MuJoCo from loading a window system the simulator never opens.
NO_RENDERING = {"MUJOCO_GL": "disable"}


def prepend(entries: list[str], existing: str) -> str:
    """A search path: `entries` first, then what `existing` has beside them; empty entries (they mean the current
    folder) are dropped."""
    rest = [entry for entry in existing.split(os.pathsep) if entry and entry not in entries]
    return os.pathsep.join([*dict.fromkeys(entries), *rest])


@dataclass(frozen=True)
class Distribution:
    """`prefix` is None for the wheels, else the folder of the ROS 2 installation in use, such as /opt/ros/jazzy."""

    layout: Layout
    prefix: Path | None = None
    name: str = "jazzy"

    @property
    def wheels(self) -> bool:
        return self.prefix is None

    @property
    def key(self) -> str:
        """Identifies the distribution in stamps."""
        return f"{self.name} {self.prefix or 'wheels'}"

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """`base` with this distribution and the workspace's Python in front, without the built packages."""
        env = {key: value for key, value in base.items() if key not in (WHEELS_MARK, "PYTHONHOME")}
        venv = self.layout.venv
        env["VIRTUAL_ENV"] = str(venv)
        env["PATH"] = prepend([str(venv / "bin")], base.get("PATH", os.defpath))
        env["QIKI_RUN_DIR"] = str(self.layout.run)
        for key, value in NO_RENDERING.items():
            env.setdefault(key, value)
        if self.wheels:
            for variable in ("AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH"):
                env[variable] = str(venv)
            for variable in ("COLCON_PREFIX_PATH", "ROS_DISTRO"):
                env.pop(variable, None)
            # What the wheels' start-up hook would set before starting Python a second time.
            env["LD_LIBRARY_PATH"] = prepend(self._libraries(), base.get("LD_LIBRARY_PATH", ""))
            env[WHEELS_MARK] = "1"
            env.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
            env.setdefault(
                "FASTRTPS_DEFAULT_PROFILES_FILE", str(self.layout.root / "launch" / "config" / "fastdds.xml")
            )
        return env

    def _libraries(self) -> list[str]:
        venv = self.layout.venv
        return [str(venv / "lib"), *(str(path) for path in sorted(venv.glob("lib/python3.*/site-packages/ros_*.libs")))]


def detect(layout: Layout, env: Mapping[str, str]) -> Distribution:
    """The sourced ROS 2 installation where there is one, else the wheels.

    ROS_DISTRO alone is not enough: AMENT_PREFIX_PATH must name a folder outside this checkout with rclpy in it.
    """
    name = env.get("ROS_DISTRO")
    if not name:
        return Distribution(layout)
    for entry in env.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        prefix = Path(entry)
        if entry and not prefix.is_relative_to(layout.root) and (prefix / "share" / "rclpy").is_dir():
            return Distribution(layout, prefix, name)
    return Distribution(layout)


def require_tools(distribution: Distribution, env: Mapping[str, str]) -> None:
    """Raises WorkspaceError where an ordinary ROS 2 installation lacks what the workspace calls."""
    if distribution.wheels:
        return
    name = distribution.name
    needed = {
        "ros2": f"ros-{name}-ros2cli ros-{name}-ros2launch ros-{name}-launch-yaml",
        "colcon": "python3-colcon-common-extensions",
    }
    lacking = {tool: package for tool, package in needed.items() if not shutil.which(tool, path=env.get("PATH"))}
    if lacking:
        raise WorkspaceError(
            f"The sourced ROS 2 ({distribution.prefix}) lacks {', '.join(lacking)}. Install it with\n"
            f"  sudo apt-get update && sudo apt-get install -y {' '.join(lacking.values())}"
        )
