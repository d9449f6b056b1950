"""Docking's state machine: orders and measurements in, requests and events out."""

import math
from dataclasses import replace
from typing import Literal

from qiki_docking.arming import Arming
from qiki_docking.bridge.values import Outlook
from qiki_docking.checks import CHECK_NAMES
from qiki_docking.conditions import Judge, Settings
from qiki_docking.entry import entered
from qiki_docking.evidence import Evidence, Sample
from qiki_docking.guards import Guards, View
from qiki_docking.machine_events import MachineEvents
from qiki_docking.phase_machine import PhaseMachine
from qiki_docking.phases import Guidance, Phase, Request, Step
from qiki_docking.reasons import Reason
from qiki_docking.requests import locked, wanted
from qiki_docking.reservations import PortReservations
from qiki_docking.steps import STEPS
from qiki_docking.table import Row, Trigger
from qiki_docking.touch import Touch
from qiki_docking.values import Answer, Occurrence, Order, Profile, State
from qiki_vehicle import Vehicle


class DockingMachine:
    """Docking of one bot, without ROS: time is an argument, everything else a plain value.

        machine = DockingMachine(vehicle)
        machine.dock(Order("station", "A", "B", Profile.FULL), now)
        machine.observe(Sample(stamp, {"range": 18.2, "closing": 0.1}), now)
        request = machine.tick(now)             # each cycle: the wanted state of guidance and actuators
        machine.take_occurrences()              # events since the last call

    Methods that take `now` (s) raise ValueError if it is not finite. A clock that is set back voids all measurements
    and restarts the timers.

    Args:
        vehicle: with the numbers of docking, bridge and ports.
        flight: answer to flight commands while docking: "refuse", or "cancel" docking first.
        state: rebuilt after a restart (`values.rebuilt`). Until the sensors confirm it nothing moves, and power stays.
    """

    def __init__(
        self, vehicle: Vehicle, flight: Literal["refuse", "cancel"] = "refuse", state: State | None = None
    ) -> None:
        if flight not in ("refuse", "cancel"):
            raise ValueError(f"flight: {flight!r}; allowed: refuse, cancel")
        rules = vehicle.docking
        if state is not None and state.hold >= len(rules.hold_points):
            raise ValueError(f"hold: {state.hold}; allowed: 0 to {len(rules.hold_points) - 1}")
        self._rules = rules
        self._state = state or State()
        self.confirmed = state is None
        """The state is that of the hardware; false after a restart, until the sensors show it."""
        self.outlook = Outlook()
        """Unfed, low volts are no fault of the bridge; with both ends fed otherwise, volts behind it show no weld."""
        self.reservations = PortReservations((port.name for port in vehicle.ports), rules.reservation)
        """Of the own ports. A docking node that is asked for one answers from here."""
        self._evidence = Evidence(rules.validity)
        self._touch = Touch(rules, self._evidence)
        settings = Settings(vehicle)
        self._judge = Judge(settings, self._evidence, lambda: rules.hold_points[self._state.hold], self._needed)
        self._guards = Guards(self._judge, settings, rules, self._touch, cancels=flight == "cancel")
        self._now = -math.inf
        self._since = -math.inf
        self._repeats = 0
        self._arming = Arming(rules.undock.arm_time)
        self._pending: Order | None = None
        self._events = MachineEvents()
        self._phases = PhaseMachine(self.phase, self._holds, self._take)

    @property
    def state(self) -> State:
        """The state that a restart needs."""
        return self._state

    @property
    def phase(self) -> Phase:
        """The phase, as operators see it."""
        return self._state.phase

    def take_occurrences(self) -> list[Occurrence]:
        """Events since the last call."""
        return self._events.take()

    def forget(self) -> None:
        """Void all measurements so far: another port, or another partner, is measured from now on."""
        self._evidence.clear()
        self._touch.clear()

    def observe(self, sample: Sample, now: float) -> None:
        """Take a measurement in; one that is not valid ends the series of its quantities."""
        self._pass_time(now)
        self._evidence.observe(sample, now)
        self._touch.observe(sample, now)

    def tick(self, now: float) -> Request:
        """Take at most one transition, and give the wanted state of guidance and actuators. Call it each cycle."""
        self._pass_time(now)
        if not self.confirmed:
            self._fire(Trigger.RESUME)
        else:
            self._fire(Trigger.TICK)
        order = self._state.order
        if order is not None:
            self.reservations.reserve(order.own_port, order.partner, now)
        return self._request()

    def dock(self, order: Order, now: float, *, patient: bool = False) -> Answer:
        """Dock. Docked to that port already: success without motion.

        patient: an order without a valid range is not reported as refused: it comes again.
        """
        self._pass_time(now)
        own = self._state.order
        docked = self.phase is Phase.BRIDGE and own is not None and replace(own, profile=order.profile) == order
        if own is not None and docked and self.confirmed:
            return Answer(True, Reason.ALREADY_DOCKED, f"{Reason.ALREADY_DOCKED.meaning}; profile {own.profile}")
        if self.phase is not Phase.FREE or not self.confirmed:
            reason = Reason.BUSY if self.confirmed else Reason.UNCONFIRMED
            return self._refuse("dock", reason, f"in {self.phase}")
        try:
            free = self.reservations.reserve(order.own_port, order.partner, now)
        except KeyError as error:
            return self._refuse("dock", Reason.WRONG_ORDER, f"own_{error.args[0]}")
        if not free:
            holder = self.reservations.holder(order.own_port, now)
            return self._refuse("dock", Reason.PORT_RESERVED, f"{order.own_port} for {holder}")
        self._pending = order
        if not self._fire(Trigger.DOCK):
            self.reservations.release(order.own_port, order.partner, now)
            return self.refuse("dock", Reason.NAVIGATION_INVALID, now, quiet=patient)
        return self._accept()

    def adopt(self, order: Order, *, closed: bool, now: float) -> None:
        """Take over a docking that is found in the hardware; as after a restart, the sensors have to confirm it.

        closed: the power contacts are; else the checks of hard docking are still to be made.
        """
        self._pass_time(now)
        self.forget()
        old = self._state
        phase, step = (Phase.BRIDGE, "bridged") if closed else (Phase.HARD_DOCK, CHECK_NAMES[0])
        self._state = State(phase, step, order, passed=CHECK_NAMES if closed else (), reason=Reason.FOUND)
        self._phases.set(phase)
        self.confirmed, self._since = False, now
        self._events.changed(old, self._state, "adopt", now)

    def resume(self, now: float) -> None:
        """Confirm a rebuilt or adopted state, if the sensors show it."""
        self._pass_time(now)
        if not self.confirmed:
            self._fire(Trigger.RESUME)

    def undock(self, now: float) -> Answer:
        """Power down, open the contacts, unlock, push off, retreat."""
        self._pass_time(now)
        if not self.confirmed:
            return self._refuse("undock", Reason.UNCONFIRMED)
        if self.phase in (Phase.UNDOCKING, Phase.EMERGENCY_RELEASE) or self._fire(Trigger.UNDOCK):
            return self._accept()
        return self._refuse("undock", Reason.NOT_DOCKED, f"in {self.phase}")

    def cancel(self, now: float) -> Answer:
        """Give docking up: ABORT before hard docking, the undocking sequence in it."""
        self._pass_time(now)
        if not self.confirmed:
            return self._refuse("cancel", Reason.UNCONFIRMED)
        if self._fire(Trigger.CANCEL) or self.phase in (Phase.ABORT, Phase.UNDOCKING):
            return self._accept()
        return self._refuse("cancel", Reason.NOTHING_TO_CANCEL, f"in {self.phase}")

    def flight_command(self, now: float, command: str = "a command") -> Answer:
        """Judge a flight command: accepted when free, refused while docking; or docking is cancelled (`flight`)."""
        self._pass_time(now)
        if not self.confirmed:
            return self._refuse("flight", Reason.UNCONFIRMED, command)
        if self.phase is Phase.FREE:
            return self._accept()
        cancelled = self._fire(Trigger.FLIGHT) or (self.phase is Phase.ABORT and self._guards.cancelling)
        reason = Reason.CANCELLING if cancelled else Reason.FLIGHT_WHILE_DOCKING
        unled = ", without a flight lead" if self.phase is Phase.BRIDGE else ""
        return self._refuse("flight", reason, f"{command} in {self.phase}{unled}")

    def set_profile(self, profile: Profile, now: float) -> Answer:
        """Change the profile while docked. Adding power repeats the last check, which needs all of them to hold; if it
        does not pass, the bridge stays one of data.
        """
        self._pass_time(now)
        if not self.confirmed:
            return self._refuse("profile", Reason.UNCONFIRMED)
        order = self._state.order
        if self.phase is not Phase.BRIDGE or order is None:
            return self._refuse("profile", Reason.NOT_DOCKED, f"in {self.phase}")
        self._pending = replace(order, profile=profile)
        if self._pending != order:
            self._fire(Trigger.PROFILE)
        return self._accept()

    def relieve(self, now: float) -> bool:
        """Add power to a bridge of data, as the network needs it; false: it is none, or under way already."""
        self._pass_time(now)
        order = self._state.order
        if not self.confirmed or self.phase is not Phase.BRIDGE or order is None:
            return False
        self._pending = replace(order, profile=Profile.FULL)
        return order.profile is Profile.DATA and self._fire(Trigger.RELIEVE)

    def arm_release(self, now: float) -> Answer:
        """First step of an emergency release: gives the code that the second one has to repeat within `arm_time`."""
        self._pass_time(now)
        if self.phase in (Phase.FREE, Phase.APPROACH, Phase.EMERGENCY_RELEASE):
            return self._refuse("arm", Reason.NOTHING_TO_RELEASE, f"in {self.phase}")
        code = self._arming.arm(now)
        self._events.emit("docking.release_armed", {"code": code, "seconds": self._arming.time}, now)
        return Answer(True, Reason.NONE, f"armed for {self._arming.time:g} s", code)

    def emergency_release(self, code: int, now: float) -> Answer:
        """Second step: open contacts and latches at once, under current too."""
        self._pass_time(now)
        reason = self._arming.use(code, now)
        if reason is not Reason.NONE:
            return self._refuse("release", reason)
        return self.released(now)

    def released(self, now: float) -> Answer:
        """Follow the partner, which has released both ends after its own two steps."""
        self._pass_time(now)
        self._guards.armed = True
        fired = self._fire(Trigger.RELEASE)
        self._guards.armed = False
        return self._accept() if fired else self._refuse("release", Reason.NOTHING_TO_RELEASE, f"in {self.phase}")

    def reset(self, now: float) -> Answer:
        """Leave FAULT for FREE; the sensors have to show the ports apart."""
        self._pass_time(now)
        if self.phase is not Phase.FAULT:
            return self._refuse("reset", Reason.NOT_IN_FAULT, f"in {self.phase}")
        if not self.confirmed or not self._fire(Trigger.RESET):
            return self._refuse("reset", Reason.NOT_SEPARATE if self.confirmed else Reason.UNCONFIRMED)
        return self._accept()

    def refuse(self, order: str, reason: Reason, now: float, detail: str = "", *, quiet: bool = False) -> Answer:
        """Refuse an order for a reason that lies outside of the machine, and report it; quiet: do not report it."""
        self._pass_time(now)
        return self._refuse(order, reason, detail, quiet)

    def _needed(self) -> frozenset[str]:
        parts = self._state.parts
        if self.outlook.fed and "power" in parts:
            parts |= {"fed"}
        return parts if self.outlook.taken else parts | {"dark"}

    @property
    def _step(self) -> Step:
        return next(step for step in STEPS[self._state.phase] if step.name == self._state.step)

    def _pass_time(self, now: float) -> None:
        if not math.isfinite(now):
            raise ValueError(f"now: {now} s; allowed: a finite number")
        if self._now == -math.inf:
            self._since = now
        elif now < self._now:
            self.forget()
            self._arming.disarm()
            self._since = now
            payload = {"from": self._now, "text": Reason.CLOCK_SET_BACK.meaning}
            self._events.emit("docking.clock_set_back", payload, now)
        self._now = now

    def _fire(self, trigger: Trigger) -> bool:
        self._guards.look(View(self._state, self._step, self._now, self._since, self._repeats, self._pending))
        return self._phases.fire(trigger, self.phase)

    def _holds(self, guard: str) -> bool:
        return self._guards.reason(guard) is not None

    def _take(self, row: Row) -> None:
        """Enter what a row of the table leads to."""
        old = self._state
        reasons = (self._guards.reason(guard) for guard in row.guards)
        reason = next((reason for reason in reasons if reason), row.reason)
        new = entered(old, row, reason, self._pending, self._touch.first_hold(self._now), rules=self._rules)
        if row.trigger in (Trigger.RESUME, Trigger.RELEASE):
            self.confirmed = True
        self._repeats = self._repeats + 1 if "repeats" in row.guards else 0
        self._since = self._now
        for check in new.passed[len(old.passed) :]:
            self._events.emit("docking.check_passed", {"check": check}, self._now)
        self._state = new
        if (new.phase, new.step) == (Phase.ALIGN, "capture"):
            self._events.emit("docking.contact_judged", self._touch.judge(), self._now)
        if new.phase is Phase.HARD_DOCK or (new.phase is Phase.BRIDGE and new.step == "clear"):
            # A check is passed by what is measured during it.
            self._evidence.forget((condition.quantity for condition in self._step.done), self._now)
        self._events.changed(old, new, row.trigger.value, self._now)
        if new.order is None and old.order is not None:
            self.reservations.release(old.order.own_port, old.order.partner, self._now)

    def _request(self) -> Request:
        if not self.confirmed:
            return Request(Guidance.STILL)
        return locked(wanted(self._step, self._state, self._rules), self._state, self._judge, self._now)

    def _accept(self) -> Answer:
        return Answer(True, Reason.NONE, f"{self.phase}, step {self._state.step}")

    def _refuse(self, order: str, reason: Reason, detail: str = "", quiet: bool = False) -> Answer:
        text = reason.meaning + (f": {detail}" if detail else "")
        if not quiet:
            self._events.refused(order, reason, text, self._now)
        return Answer(False, reason, text)
