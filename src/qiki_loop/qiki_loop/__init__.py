"""Closed loop of digital twin and flight core in one process, without ROS."""

from qiki_loop.closed_loop import ClosedLoop

__all__ = ["ClosedLoop"]
