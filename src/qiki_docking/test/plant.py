"""Ports, latches and bridge of one bot at a station, in one dimension: they do what the machine requests."""

from pathlib import Path

from qiki_docking import DockingMachine, Drive, Guidance, Order, Request, Sample
from qiki_docking.checks import PASSPORT
from qiki_vehicle import Vehicle

VEHICLE_FILE = Path(__file__).resolve().parents[3] / "launch" / "config" / "vehicles" / "dodecahedron.yaml"
VEHICLE = Vehicle.from_file(VEHICLE_FILE)

STEP = 0.2  # s
ORDER = Order("station", "A", "B")


class Plant:
    """A bot on the port axis of a station.

    `faults` override what the sensors report, by name of the quantity; a value that is a function gets the time.
    `jammed` names of request fields that have no effect.
    """

    def __init__(self, vehicle, distance=22.0, **options):
        self.machine = DockingMachine(vehicle, **options)
        self.range, self.closing = distance, 0.0
        self.captured = self.contacts = self.power = False
        self.latch = 0.0  # 0 open .. 1 locked
        self.now = 100.0
        self.faults, self.jammed, self.silent = {}, set(), set()
        self.quality, self.delay = 1.0, 0.02
        self.samples = []
        self.magnets = False
        self.request = Request()
        self.occurrences = []
        self.watched = True  # fail on a break under current; not possible to demand of a machine whose sensors lie
        self.seated = []

    @property
    def touching(self):
        return self.range <= 0.001

    @property
    def current(self):
        return 4.0 if self.contacts and self.power else 0.0

    def readings(self):
        pulled = self.request.test == "pull"
        locked = float(self.latch >= 1.0)
        values = {
            "range": self.range, "closing": self.closing, "lateral_offset": 0.01, "lateral_rate": 0.001,
            "tilt": 0.005, "tilt_rate": 0.0002, "roll": -0.004, "roll_rate": 0.0001,
            "prediction_inside": 1.0, "in_corridor": 1.0, "clear": 1.0,
            "contact": float(self.touching), "capture": float(self.captured), "latch_1": locked, "latch_2": locked,
            "pull_force": 498.0 if pulled else 0.0, "slip_1": 0.0002 * pulled, "slip_2": 0.0003 * pulled,
            "umbilical": float(locked), "temperature": 30.0,
            "isolation": 0.0 if self.contacts else 5e6, "probe_volts": 0.0 if self.contacts else 28.0,
            "contacts_closed": float(self.contacts), "bridge_volts": 27.8 if self.contacts and self.power else 0.0,
            "bridge_current": self.current,
            "link_alive": 1.0, "data_carrier": float(self.request.data is Drive.ON), "port_reserved": 1.0,
            "nonce_echoed": float(locked), "states_agree": 1.0,
            "identity_valid": 1.0, "profile_agreed": 1.0, "limits_agreed": 1.0, "power_cleared": 1.0,
            "passport_accepted": 1.0, **dict.fromkeys(PASSPORT, 1.0),
        }  # fmt: skip
        for name, fault in self.faults.items():
            values[name] = fault(self.now) if callable(fault) else fault
        return {name: value for name, value in values.items() if name not in self.silent}

    def move(self):
        request, rules = self.request, self.machine._rules
        aim = {Guidance.HOLD: request.range, Guidance.RETREAT: request.range, Guidance.PUSH_OFF: 0.8}
        free = self.latch == 0.0 and not self.captured
        if request.guidance in aim and free:
            speed = max(-0.5, min(0.5, 0.3 * (self.range - aim[request.guidance])))
            self.closing = 0.0 if abs(self.range - aim[request.guidance]) < 0.02 else speed
        elif request.guidance is Guidance.CLOSE and free:
            self.closing = 0.075
        elif self.touching:
            self.closing = 0.0
        self.range = max(self.range - self.closing * STEP, 0.0)
        if request.guidance is Guidance.SEAT:
            self.seated.append(request.force)
            assert request.force <= rules.align.seat_force

    def act(self):
        request = self.request
        if request.capture is not Drive.KEEP and "capture" not in self.jammed:
            self.magnets = request.capture is Drive.ON
        self.captured = self.magnets and self.touching and "capture" not in self.jammed
        if request.latch is not Drive.KEEP and "latch" not in self.jammed:
            turn = STEP / 10.0 if request.latch is Drive.ON else -STEP / 10.0
            self.latch = min(max(round(self.latch + turn, 6), 0.0), 1.0)
        if request.contacts is not Drive.KEEP and "contacts" not in self.jammed:
            self.contacts = request.contacts is Drive.ON
        if request.power is not Drive.KEEP and "power" not in self.jammed:
            self.power = request.power is Drive.ON

    def step(self):
        self.now = round(self.now + STEP, 6)
        before = (self.contacts, self.current, self.latch)
        self.move()
        self.act()
        sample = Sample(self.now - self.delay, self.readings(), self.quality)
        self.samples.append((self.now, sample))
        self.machine.observe(sample, self.now)
        self.request = self.machine.tick(self.now)
        new = self.machine.take_occurrences()
        self.occurrences += new
        if self.machine.phase != "EMERGENCY_RELEASE" and self.watched:
            assert not (before[0] and not self.contacts and abs(before[1]) > 0.1), "contacts opened under current"
            assert not (self.latch < before[2] and abs(before[1]) > 0.1), "unlocked under current"
        return new

    def run(self, until, limit=2000.0):
        """Step until `until` is a phase, or true of the machine; fails after `limit` s."""
        end = self.now + limit
        while not (until(self) if callable(until) else self.machine.phase == until):
            assert self.now < end, f"{self.machine.state} at {self.now}, range {self.range}"
            self.step()
        return self

    def dock(self, order=ORDER):
        for _ in range(4):
            self.step()
        answer = self.machine.dock(order, self.now)
        assert answer.accepted, answer
        return self

    def phases(self):
        found = [one.payload["phase"] for one in self.occurrences if one.type == "docking.phase_changed"]
        return [phase for i, phase in enumerate(found) if i == 0 or found[i - 1] != phase]

    def of(self, type):
        return [one.payload for one in self.occurrences if one.type == type]
