"""Commands to the hardware, states for the other bodies, and markers out."""

from collections.abc import Mapping

from visualization_msgs.msg import MarkerArray

from qiki_docking.core import Output
from qiki_docking.exchange import DockState
from qiki_docking.ros import exchange_messages, sensors
from qiki_docking.ros.host import Host
from qiki_docking.ros.markers import DockingMarkers
from qiki_msgs.msg import BridgeState, DockCommand, DockingState
from qiki_node import stamps
from qiki_node.qos import COMMAND, STATE, TELEMETRY
from qiki_vehicle.docking import Docking


class Outputs:
    """Publishers of a docking node, but for those of flight.

    Args:
        frame: own base_link.
    """

    def __init__(self, node: Host, frame: str, rules: Docking) -> None:
        self._node = node
        self._command, self._state, self._bridge = DockCommand(), DockingState(), BridgeState()
        for message in (self._command, self._state, self._bridge):
            message.header.frame_id = frame
        self._commands = node.create_lifecycle_publisher(DockCommand, "dock_command", COMMAND)
        self._states = node.create_lifecycle_publisher(DockingState, "docking", STATE)
        self._bridges = node.create_lifecycle_publisher(BridgeState, "bridge", STATE)
        self._marker_publisher = node.create_lifecycle_publisher(MarkerArray, "docking/markers", TELEMETRY)
        self._markers = DockingMarkers(frame, rules.approach.half_angle, rules.hold_points[0])

    def command(self, output: Output) -> None:
        """Publish the commands to the ports and the bus converter."""
        sensors.fill_dock_command(self._command, output.command, self._node.time.ahead)
        self._commands.publish(self._command)

    def states(self, output: Output, now: float) -> None:
        """Publish the states for the other bodies. `now`: s of control time."""
        exchange_messages.fill_docking(self._state, output.state)
        exchange_messages.fill_bridge(self._bridge, output.bridge)
        for message, publisher in ((self._state, self._states), (self._bridge, self._bridges)):
            message.header.stamp = stamps.from_seconds(now + self._node.time.ahead)
            publisher.publish(message)

    def markers(self, output: Output, others: Mapping[str, DockState]) -> None:
        """Publish the markers, stamped as the states before, where RViz subscribes. others: states by body."""
        if self._marker_publisher.get_subscription_count():
            partner = others.get(output.state.partner)
            stamp = self._state.header.stamp
            self._marker_publisher.publish(self._markers.update(stamp, output.state, partner))
