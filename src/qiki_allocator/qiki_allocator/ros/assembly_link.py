"""The allocator node's part in a docked assembly: lead, member, or neither."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from qiki_allocator.checks import RefusalError
from qiki_allocator.docked.lead import FlightLead
from qiki_allocator.docked.members import Joint, MemberReport
from qiki_allocator.docked.report import Fixture, report
from qiki_allocator.flight.following import ORDERED
from qiki_allocator.flight.telemetry import Activity
from qiki_allocator.health.readings import ValveReading
from qiki_allocator.modulation.ledger import ValveCommand
from qiki_allocator.ros import assembly_messages as convert
from qiki_allocator.ros import conversions
from qiki_allocator.ros.host import Host
from qiki_msgs.msg import Assembly, AssemblyJoint, AssemblyMember, BridgeState, ThrusterCommand, ThrusterState
from qiki_msgs.srv import SetLead
from qiki_node.qos import COMMAND, STATE, TELEMETRY
from qiki_vehicle import ConfigurationError, Vehicle

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")

_PERIOD = 0.05
"""s between two reports, and two signs of life of the lead."""

_GATHERING = 5.0
"""s, for which a lead waits for the first reports of its members."""


class AssemblyLink:
    """Publishes the body's report, follows a lead, or leads: then the commands of the node are those of the assembly.

    Attributes:
        lead: of the assembly that this body leads; None: it leads none.
    """

    def __init__(self, node: Host, body: str, vehicle: Vehicle, build: Callable[..., FlightLead]) -> None:
        """build: makes the lead from name, joints and reports."""
        self._node, self._body, self._build = node, body, build
        self._fixture = Fixture.of(body, vehicle)
        self.lead: FlightLead | None = None
        self._joints: list[Joint] = []
        self._messages: list[AssemblyJoint] = []
        self._gathers_until: float | None = None
        self._reports: dict[str, MemberReport] = {}
        self._peers: frozenset[str] | None = None  # reached over data bridges; None: no docking node has said
        self._bridged: dict[str, tuple[str, str]] = {}  # own port and that of each partner, as docking reports
        self._entities: list[tuple[Callable[[Any], Any], Any]] = []
        self._edges: dict[str, Any] = {}
        self._own, self._state, self._part = AssemblyMember(), Assembly(), ThrusterCommand()
        for message in (self._own, self._state, self._part):
            message.header.frame_id = f"{body}/base_link"
        self._members = node.create_lifecycle_publisher(AssemblyMember, "assembly_member", TELEMETRY)
        self._states = node.create_lifecycle_publisher(Assembly, "assembly", TELEMETRY)
        node.create_subscription(ThrusterCommand, "lead_command", self._take_edges, COMMAND)
        node.create_subscription(BridgeState, "bridge", self._take_bridge, STATE)
        node.create_service(SetLead, "~/set_lead", self._answer)
        node.add_timer(_PERIOD, self._beat)

    # Orders ---------------------------------------------------------------------------------------------------------

    def _answer(self, request: Any, response: Any) -> Any:
        try:
            response.success, response.message = True, self._set(request)
        except RefusalError as error:
            self._node.own.journal.request_refused(self._node.seconds(), "set_lead", str(error))
            self._node.report()
            response.success, response.message = False, str(error)
        return response

    def _set(self, request: Any) -> str:
        if not self._node.is_active:
            raise RefusalError("the node is not active: its valves are closed")
        self._node.check_clock()
        if not self._body:
            raise RefusalError("set_lead: this node has no namespace; allowed: the node of a bot")
        joints = [convert.joint(message) for message in request.joints]
        for name in (request.lead, *(joint.partner for joint in joints)):
            if name and not _NAME.fullmatch(name):
                raise RefusalError(f"lead, joints: {name!r}; allowed: names of bodies")
        if request.lead == self._body:
            return self._begin(joints, list(request.joints))
        if joints:
            raise RefusalError(f"joints: {len(joints)}; allowed: none, as {request.lead or 'no body'} leads")
        if not request.lead:
            was = self._node.own.lead
            self.end(ORDERED)
            return f"{was} leads no more" if was else "flies itself"
        self._check_bridge(request.lead)
        if self.lead is not None:
            raise RefusalError(f"lead: {request.lead!r}; allowed: after the end of the assembly that this body leads")
        self._node.act_own(self._node.own.follow(self._node.seconds(), request.lead))
        self._forget()
        self._subscribe(Assembly, f"/{request.lead}/assembly", self._take_assembly)
        return f"follows {request.lead}"

    def _begin(self, joints: list[Joint], messages: list[AssemblyJoint]) -> str:
        if not joints:
            raise RefusalError("joints: none; allowed: at least one")
        members = [joint.partner for joint in joints]
        for member in members:
            self._check_bridge(member)
        for joint in joints:
            self._check_ports(joint)
        if self._node.own.lead:
            raise RefusalError(f"lead: {self._body!r}; allowed: after the end of {self._node.own.lead!r}, which leads")
        self._forget()
        self._joints, self._messages = joints, messages
        self._gathers_until = self._node.seconds() + _GATHERING
        for member in members:
            self._subscribe(AssemblyMember, f"/{member}/assembly_member", partial(self._take_report, member))
            self._subscribe(ThrusterState, f"/{member}/thruster_state", partial(self._take_valves, member))
            publisher = self._node.create_publisher(ThrusterCommand, f"/{member}/lead_command", COMMAND)
            self._edges[member] = publisher
            self._entities.append((self._node.destroy_publisher, publisher))
        return f"waits for the reports of {', '.join(members)}"

    def _check_bridge(self, body: str) -> None:
        if self._peers is not None and body not in self._peers:
            peers = ", ".join(sorted(self._peers)) or "none"
            raise RefusalError(f"member: {body!r}; allowed: bodies that are reached over data bridges: {peers}")

    def _check_ports(self, joint: Joint) -> None:
        """Refuse a joint of this body at other ports than docking reports: thrust would turn the assembly."""
        ports = self._bridged.get(joint.partner) if joint.body == self._body else None
        if ports is not None and ports != (joint.port, joint.partner_port):
            given = f"{joint.partner}:{joint.partner_port}={self._body}:{joint.port}"
            allowed = f"{joint.partner}:{ports[1]}={self._body}:{ports[0]}, as they are docked"
            raise RefusalError(f"joint: {given}; allowed: {allowed}")

    def end(self, reason: str) -> None:
        """End leading or following: valves close, a command under way is dropped, and this body flies itself again."""
        now, own = self._node.seconds(), self._node.own
        if self.lead is not None:
            dropped = self.lead.controller.activity
            if dropped is not Activity.NONE and reason != ORDERED:
                reason = f"{reason}; {dropped.value} dropped, valves closed"
            self.lead.controller.stop(now, reason)
            self._node.report()
            self.lead = None
            self._publish_state(reason)
        self._gathers_until = None
        self._forget()
        self._node.act_own(own.take_over(now, reason))

    def _forget(self) -> None:
        for destroy, entity in self._entities:
            destroy(entity)
        self._entities.clear()
        self._edges.clear()
        self._reports.clear()

    def _subscribe(self, kind: type, topic: str, callback: Callable[[Any], None]) -> None:
        qos = TELEMETRY
        self._entities.append(
            (self._node.destroy_subscription, self._node.create_subscription(kind, topic, callback, qos))
        )

    # Cycles ---------------------------------------------------------------------------------------------------------

    def _beat(self) -> None:
        if not self._node.clock_runs:
            return
        now, own = self._node.seconds(), self._node.own
        if own.lead or self._members.get_subscription_count():
            self._own.header.stamp = self._node.get_clock().now().to_msg()
            latest = report(now, self._fixture, own)
            convert.fill_member(self._own, latest, latest.mass.com)
            self._members.publish(self._own)
            self._reports[self._body] = latest
        if self._gathers_until is not None:
            self._gather(now)
        if self.lead is None:
            return
        own.hear_lead(now, self._body)
        self.lead.member(now, report(now, self._fixture, own))
        if problem := self.lead.ended(now):
            self.end(problem)
        else:
            self._publish_state("")

    def _gather(self, now: float) -> None:
        assert self._gathers_until is not None
        members = [joint.partner for joint in self._joints]
        missing = [body for body in members if self._lead_of(body) != self._body]
        if missing:
            if now > self._gathers_until:
                self._gathers_until = None
                self._forget()
                reason = f"{', '.join(missing)} did not report that they follow {self._body} in {_GATHERING:g} s"
                self._node.own.journal.request_refused(now, "set_lead", reason)
                self._node.report()
            return
        self._gathers_until = None
        own, members = self._node.own, [self._body, *members]
        thrusters = sum(len(self._reports[body].array) for body in members[1:]) + len(own.drive.array)
        try:
            self._node.act_own(own.follow(now, self._body, members=members, thrusters=thrusters))
            self._reports[self._body] = report(now, self._fixture, own)
            self.lead = self._build(self._body, self._joints, self._reports)
        except (RefusalError, ConfigurationError) as error:
            own.journal.request_refused(now, "set_lead", str(error))
            self.end(str(error))
            return
        self._node.log.info("leads an assembly", members=members, thrusters=thrusters)

    def _lead_of(self, body: str) -> str:
        return self._reports[body].lead if body in self._reports else ""

    def _publish_state(self, reason: str) -> None:
        message = self._state
        message.header.stamp = self._node.get_clock().now().to_msg()
        message.lead, message.reason, message.members, message.poses, message.joints = self._body, reason, [], [], []
        if self.lead is not None:
            convert.fill_assembly(message, self.lead.assembly, self.lead.controller.motion.body)
            message.joints = self._messages
        self._states.publish(message)

    def send(self, command: ValveCommand | None) -> None:
        """Send edges of the assembly to its members."""
        if command is None or self.lead is None:
            return
        if self._node.own.lead != self._body:
            self.end(f"released:{self._body} ({self._body} follows no more)")
            return
        parts = self.lead.assembly.split(command)
        self._node.act_own(self._node.own.forward(self._node.seconds(), self._body, parts[self._body]))
        for body, publisher in self._edges.items():
            conversions.fill_command(self._part, parts[body], self._node.time.ahead)
            publisher.publish(self._part)

    def take_own_valves(self, reading: ValveReading) -> None:
        """Take the report of this body's valves."""
        if self.lead is not None:
            self.lead.valves(self._node.seconds(), self._body, reading)

    # Topics ---------------------------------------------------------------------------------------------------------

    def _take_report(self, body: str, message: AssemblyMember) -> None:
        try:
            latest = convert.member(message, self._node.time.ahead)
            if latest.body != body:
                raise RefusalError(f"body: {latest.body!r}; allowed: {body!r}")
            if self.lead is not None:
                self.lead.member(self._node.seconds(), latest)
        except RefusalError as error:
            self._node.log.warning("report refused", throttle=5.0, body=body, reason=str(error))
            return
        self._reports[body] = latest

    def _take_valves(self, body: str, message: ThrusterState) -> None:
        if self.lead is not None and body in self._reports:
            reading = conversions.valves(message, len(self._reports[body].array), self._node.time.ahead)
            self.lead.valves(self._node.seconds(), body, reading)

    def _take_edges(self, message: ThrusterCommand) -> None:
        if not self._node.is_active:
            return
        lead, command = convert.edges(message, self._node.time.ahead)
        try:
            self._node.act_own(self._node.own.forward(self._node.seconds(), lead, command))
        except RefusalError as error:
            self._node.log.warning("edges refused", throttle=1.0, reason=str(error))

    def _take_assembly(self, message: Assembly) -> None:
        own = self._node.own
        if message.lead != own.lead:
            return
        if self._body in message.members:
            own.hear_lead(self._node.seconds(), message.lead)
        elif message.reason:
            self.end(f"{message.lead}: {message.reason}")

    def _take_bridge(self, message: BridgeState) -> None:
        self._peers = frozenset(message.data_peers)
        self._bridged = {edge.partner: (edge.port, edge.partner_port) for edge in message.edges}
        others = self.lead.assembly.names[1:] if self.lead is not None else (self._node.own.lead,)
        lost = [body for body in others if body not in ("", self._body) and body not in self._peers]
        if lost:
            self.end(f"no data bridge to {', '.join(lost)}")
