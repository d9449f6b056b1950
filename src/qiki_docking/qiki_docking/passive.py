"""Ports of a body that others dock to: reservation, answers of the exchange, requests to the body that docked."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from qiki_docking.arming import Arming
from qiki_docking.exchange import DockState, PortOffer
from qiki_docking.passport import Passports, Terms, Verdict
from qiki_docking.phases import HELD, MATED, Phase
from qiki_docking.readings import is_mated
from qiki_docking.reasons import Reason
from qiki_docking.reservations import PortReservations
from qiki_docking.values import Answer, Occurrence, Profile
from qiki_vehicle import Vehicle
from qiki_vehicle.port_hardware import PortCommand, PortReading

_UNDOCKED_FROM = frozenset({Phase.HARD_DOCK, Phase.BRIDGE, Phase.FAULT})


@dataclass(frozen=True)
class Guest:
    """A body that holds one of the own ports.

    Attributes:
        state: its latest. nonce: own, of this docking.
        undock: it is requested to undock.
        verdict: on its passport; None: it is not judged yet.
    """

    state: DockState
    nonce: str
    undock: bool = False
    verdict: Verdict | None = None


class PassivePorts:
    """Own ports as others dock to them. This end drives neither latches nor contacts, but for an emergency release.

    Args:
        reservations: of the own ports, shared with the docking machine of this body.
        profiles: allowed. passports: of the body.
        nonces: gives an unpredictable text.
    """

    def __init__(
        self,
        vehicle: Vehicle,
        body: str,
        reservations: PortReservations,
        *,
        profiles: frozenset[Profile],
        passports: Passports,
        nonces: Callable[[], str],
    ) -> None:
        self._vehicle, self._rules, self._body = vehicle, vehicle.docking, body
        self._reservations, self._profiles, self._nonces = reservations, profiles, nonces
        self._passports = passports
        self._guests: dict[str, Guest] = {}
        self._readings: dict[str, tuple[float, PortReading]] = {}
        self._arming = {port.name: Arming(self._rules.undock.arm_time) for port in vehicle.ports}
        self._releasing: dict[str, float] = {}
        self._occurrences: list[Occurrence] = []

    def take_occurrences(self) -> list[Occurrence]:
        """Events since the last call."""
        taken, self._occurrences = self._occurrences, []
        return taken

    @property
    def guests(self) -> Mapping[str, Guest]:
        """Bodies that hold own ports, by port."""
        return self._guests

    @property
    def holds(self) -> bool:
        """A guest is captured or locked."""
        return any(guest.state.phase in HELD for guest in self._guests.values())

    def touching(self, now: float) -> bool:
        """A port touches another body, or may at any moment: the own motion is no evidence about the thrusters."""
        age = self._rules.validity.max_age
        felt = any(reading.contact is True and now - stamp <= age for stamp, reading in self._readings.values())
        return felt or any(
            guest.state.phase is Phase.ALIGN
            and now - guest.state.stamp <= age
            and not guest.state.range > self._rules.align.predict_from
            for guest in self._guests.values()
        )

    def read(self, reading: PortReading, stamp: float) -> None:
        """Take a reading of an own port in. `stamp`: s."""
        self._readings[reading.port] = (stamp, reading)

    def partner(self, state: DockState, now: float) -> None:
        """Take another body's state in. `now`: s."""
        claimed = state.own_port and state.active and state.partner == self._body and state.phase is not Phase.FREE
        for port, guest in list(self._guests.items()):
            if guest.state.body != state.body or not _newer(state, guest.state, self._rules.validity.max_age):
                continue
            if not (claimed and state.partner_port == port) and not self._is_mated(port):
                self._leave(port, now)
            elif not claimed:
                # Its node has restarted, and has not confirmed yet; the port is not free before it is seen apart.
                self._guests[port] = replace(guest, state=replace(guest.state, stamp=state.stamp))
        port = state.partner_port
        if not claimed or port not in self._arming:
            return
        known = self._guests.get(port)
        if known is not None and known.state.body != state.body:
            return
        if known is None:
            # A body that is captured holds the port, also where this end has restarted.
            captured = self._is_mated(port) and state.phase is not Phase.APPROACH
            if (self.unfit(port, now) and not captured) or not self._reservations.reserve(port, state.body, now):
                return
            self._guests[port] = Guest(state, self._nonces())
            self._emit("docking.reserved", now, port=port, holder=state.body, docking_id=state.docking_id)
        elif _newer(state, known.state, self._rules.validity.max_age):
            same = known.state.nonce == state.nonce
            nonce = known.nonce if same else self._nonces()
            undock = known.undock and state.phase in _UNDOCKED_FROM
            self._guests[port] = self._judged(port, Guest(state, nonce, undock, known.verdict if same else None), now)
            self._reservations.reserve(port, state.body, now)

    def step(self, now: float) -> tuple[PortCommand, ...]:
        """Keep mated ports reserved, end leases, and give the commands of this end. `now`: s."""
        for port, guest in list(self._guests.items()):
            held = self._reservations.holder(port, now) == guest.state.body
            if self._is_mated(port):
                self._reservations.reserve(port, guest.state.body, now)
            elif not held or (guest.state.phase not in HELD and self.unfit(port, now)):
                self._leave(port, now)
        for port, until in list(self._releasing.items()):
            if now > until:
                del self._releasing[port]
        commands = []
        for port, guest in self._guests.items():
            on = guest.state.phase in MATED and self._allowed(guest)
            profile = guest.state.profile
            data: bool | None = on and profile is not None and "data" in profile.parts
            if data and not self._admitted(guest):
                # Not judged yet, as after a restart of this end: data stay as they are.
                data = None if guest.verdict is None else False
            commands.append(PortCommand(port, data=data, release=port in self._releasing))
        commands += [PortCommand(port, release=True) for port in self._releasing if port not in self._guests]
        return tuple(commands)

    def offers(self, now: float, cleared: Callable[[str, Guest], str]) -> Iterator[PortOffer]:
        """Offers of all ports. cleared: text of why the bridge of a port and its guest is not allowed. `now`: s."""
        for port in self._vehicle.ports:
            unfit = self.unfit(port.name, now)
            offer = PortOffer(
                port.name,
                port.position,
                port.axis,
                self._reservations.holder(port.name, now),
                not unfit,
                unfit,
            )
            guest = self._guests.get(port.name)
            if guest is not None:
                refused = "" if self._allowed(guest) else f"profile {guest.state.profile} is not allowed here"
                verdict = guest.verdict or Verdict(Reason.NONE if self._admitted(guest) else Reason.PASSPORT_UNSIGNED)
                forged = "" if guest.verdict is None or verdict.accepted else verdict.reason.meaning
                uncleared = cleared(port.name, guest)
                offer = replace(
                    offer,
                    reason=unfit or forged or refused or uncleared,
                    phase=self._repeated(port.name, guest),
                    nonce=guest.nonce,
                    echo=guest.state.nonce,
                    passport=self._passports.issue(self._terms(port.name, guest), now),
                    holder_identity=verdict.identity,
                    holder_refusal=verdict.reason,
                    profile_allowed=not refused,
                    power_cleared=not uncleared,
                    undock=guest.undock,
                )
            yield offer

    def undock(self, port: str, now: float) -> Answer:
        """Request the body that docked to `port` to undock. `now`: s."""
        guest = self._guests.get(port)
        if guest is None or guest.state.phase not in _UNDOCKED_FROM:
            return self.refuse("undock", Reason.NOT_DOCKED, now)
        self._guests[port] = replace(guest, undock=True)
        return Answer(True, Reason.NONE, f"{guest.state.body} is requested to undock from {port}")

    def arm(self, port: str, now: float) -> Answer:
        """First step of an emergency release of the body docked to `port`. `now`: s."""
        if not self._is_mated(port):
            return self.refuse("arm", Reason.NOTHING_TO_RELEASE, now, port)
        arming = self._arming[port]
        code = arming.arm(now)
        self._emit("docking.release_armed", now, code=code, seconds=arming.time, port=port)
        return Answer(True, Reason.NONE, f"{port} armed for {arming.time:g} s", code)

    def release(self, port: str, code: int, now: float) -> Answer:
        """Second step: latches and contacts of both ends open at once, under current too. `now`: s."""
        reason = self._arming[port].use(code, now)
        if reason is not Reason.NONE:
            return self.refuse("release", reason, now, port)
        self._releasing[port] = now + self._rules.undock.unlock_timeout
        return Answer(True, Reason.NONE, f"{port} is released")

    def unfit(self, port: str, now: float) -> str:
        """Fault on board that stands against the use of a port; empty: none. `now`: s."""
        stamp, reading = self._readings.get(port, (-1.0, None))
        rules = self._rules
        if reading is None or now - stamp > rules.validity.max_age:
            return "its sensors do not report"
        if not reading.quality >= rules.validity.quality_min:
            return f"quality of its sensors {reading.quality:g}; allowed: {rules.validity.quality_min:g} and above"
        trip = self._vehicle.thermal.nodes["DOCK_BRIDGE"].trip
        if not reading.temperature <= trip:
            return f"temperature {reading.temperature:g} degC; allowed: {trip:g} degC and below"
        if port not in self._guests and not self._reservations.holder(port, now):
            if is_mated(reading):
                return "its sensors show a partner that holds no reservation"
            if reading.contacts_closed:
                return "its contacts are closed without a partner"
        return ""

    def refuse(self, order: str, reason: Reason, now: float, detail: str = "") -> Answer:
        """Refuse an order, and report it. `now`: s."""
        text = reason.meaning + (f": {detail}" if detail else "")
        self._emit("docking.refused", now, order=order, reason=int(reason), text=text)
        return Answer(False, reason, text)

    def _repeated(self, port: str, guest: Guest) -> Phase:
        """Phase of the guest, but for an emergency release by this end.

        FREE where the own sensors do not show the guest captured: it may be at another port.
        """
        if port in self._releasing:
            return Phase.EMERGENCY_RELEASE
        phase = guest.state.phase
        return phase if phase not in HELD or self._is_mated(port) else Phase.FREE

    def _allowed(self, guest: Guest) -> bool:
        return guest.state.profile in self._profiles

    def _admitted(self, guest: Guest) -> bool:
        """The guest's passport is accepted, or none is required."""
        return guest.verdict.accepted if guest.verdict is not None else not self._passports.required

    def _judged(self, port: str, guest: Guest, now: float) -> Guest:
        """The guest with the verdict on its passport, once it is locked and has returned the own nonce.

        One that was accepted stays so while the bridge is closed: a key whose time ends cuts no bridge.
        """
        state, before = guest.state, guest.verdict
        kept = state.phase is Phase.BRIDGE and before is not None and before.accepted
        if kept or state.phase not in MATED or state.echo != guest.nonce or not self._is_mated(port):
            return guest
        limits = state.volts_max, state.current_max
        stated = Terms(state.body, state.own_port, self._body, port, state.profile, *limits, state.nonce, guest.nonce)
        return replace(guest, verdict=self._passports.judge(state.passport, stated, now))

    def _terms(self, port: str, guest: Guest) -> Terms:
        """Own statement to a guest."""
        state, limits = guest.state, self._vehicle.bridge
        return Terms(
            self._body, port, state.body, state.own_port, state.profile,
            limits.volts_max, limits.current_max, guest.nonce, state.nonce,
        )  # fmt: skip

    def _is_mated(self, port: str) -> bool:
        known = self._readings.get(port)
        return known is not None and is_mated(known[1])

    def _leave(self, port: str, now: float) -> None:
        guest = self._guests.pop(port)
        self._reservations.release(port, guest.state.body, now)
        self._emit("docking.reserved", now, port=port, holder="", docking_id=guest.state.docking_id)

    def _emit(self, type: str, now: float, **payload: object) -> None:
        self._occurrences.append(Occurrence(type, now, payload))


def _newer(state: DockState, known: DockState, age: float) -> bool:
    """A state that came out of order does not count; a clock that was set back does."""
    return state.stamp > known.stamp or state.stamp < known.stamp - age
