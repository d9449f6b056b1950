"""Runs ROS 2 YAML launch files where ROS 2's own launch is not installed."""

from qiki_launch.errors import LaunchError, RunError
from qiki_launch.plan.launch_plan import LaunchPlan, NodePlan
from qiki_launch.plan.planner import plan_launch
from qiki_launch.run.run_state import RunFolder, RunState

__all__ = ["LaunchError", "LaunchPlan", "NodePlan", "RunError", "RunFolder", "RunState", "plan_launch"]
