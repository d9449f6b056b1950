"""Settings of operators outlive the process: in the core, in their file, and in what is said where they are lost."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from bot import Bot, odometry
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qiki_allocator import ThrusterArray
from qiki_allocator.assembly import MODULATORS
from qiki_allocator.flight.motion_control import AttitudeMode
from qiki_allocator.flight.settings import Settings
from qiki_allocator.flight.settings_file import SettingsFile
from qiki_allocator.flight.telemetry import Mode
from qiki_allocator.health.readings import ValveReading
from qiki_allocator.health.table import Condition
from qiki_allocator.ros.kept_settings import KeptSettings
from qiki_node.health import Level
from qiki_vehicle import ConfigurationError

pytestmark = pytest.mark.requirement("ALLOC-17")

TARGET = (0.0, 0.6, 0.0, 0.8)


class Log:
    def __init__(self):
        self.lines = []

    def warning(self, text, **values):
        self.lines.append((text, values))

    error = warning


class Node(Bot):
    """A bot with the node's part in keeping settings: `again` is the next process."""

    def __init__(self, vehicle, folder, now=10.0):
        super().__init__(vehicle)
        self.controller.journal.take()
        self.now, self.vehicle, self.folder, self.log = now, vehicle, folder, Log()
        host = SimpleNamespace(
            own=self.controller,
            log=self.log,
            seconds=lambda: self.now,
            time=SimpleNamespace(ahead=0.0),
            clock_runs=True,
        )
        self.kept = KeptSettings(host, str(folder), "alpha.allocator")

    def again(self, after=1.0):
        return type(self)(self.vehicle, self.folder, self.now + after)

    def do(self, order):
        self.controller.update_motion(self.now, odometry(self))
        try:
            order(self.controller, self.now)
        finally:
            self.kept.keep()


class FreshNode(Node):
    """A core that nothing has called before, as at the start of a process."""

    def hear(self):
        pass


def set_mode(mode):
    return lambda core, now: core.set_mode(now, mode, arm=True)


def hold(target=None, mode=AttitudeMode.HOLD, turn=(0.0, 0.0, 0.0)):
    return lambda core, now: core.set_attitude(now, mode, target, turn)


def set_modulator(kind):
    return lambda core, now: core.set_modulator(now, kind)


def set_health(thruster, condition, level=1.0):
    return lambda core, now: core.set_health(now, thruster, condition, level)


@pytest.fixture
def node(vehicle, tmp_path):
    return FreshNode(vehicle, tmp_path)


orders = st.one_of(
    st.builds(set_mode, st.sampled_from(Mode)),
    st.builds(hold, st.sampled_from([None, TARGET])),
    st.builds(lambda mode: hold(None, mode), st.sampled_from(AttitudeMode)),
    st.builds(set_modulator, st.sampled_from(MODULATORS)),
    st.builds(lambda turn: hold(TARGET, turn=turn), st.tuples(*[st.floats(-0.05, 0.05)] * 3)),
    st.builds(set_health, st.integers(0, 15), st.sampled_from(Condition), st.floats(0.0, 1.0)),
    st.just(lambda core, now: core.brake(now)),
    st.just(lambda core, now: core.stop(now)),
)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(orders, min_size=1, max_size=6))
def test_the_next_process_has_what_operators_had_set(vehicle, tmp_path_factory, given_orders):
    node = FreshNode(vehicle, tmp_path_factory.mktemp("settings"))
    for order in given_orders:
        node.now += 0.6
        try:
            node.do(order)
        except ValueError:
            continue
    before, healthy = node.controller.settings.now, node.controller.drive.health
    after = node.again()
    after.controller.tick(after.now)
    now = after.controller.settings.now
    assert now[:2] == before[:2]
    assert now.health == before.health
    assert now.target == (None if before.target is None else pytest.approx(before.target))
    assert (now.modulator, now.turning) == (before.modulator, before.turning)
    assert after.controller.telemetry(after.now).modulator == (before.modulator or "pulse_width")
    assert after.controller.drive.health == healthy
    configured = after.controller.journal.take()[0]
    assert configured.data["mode"] == before.mode.value
    assert ("restored: " + str(before) in configured.data["cause"]) is (before != Settings())
    assert bool(after.log.lines) is (before != Settings())


def test_a_restored_attitude_is_flown_once_odometry_comes(node):
    node.do(hold(TARGET))
    after = node.again()
    assert after.controller.is_active
    after.controller.update_motion(after.now, odometry(after))
    after.controller.tick(after.now)
    assert after.controller.telemetry(after.now).commanded[4] > 10.0, "it turns to the target"


def test_an_attitude_mode_ends_where_the_clock_was_set_back(node):
    node.do(hold(TARGET))
    node.do(set_health(4, Condition.DEAD))
    after = node.again(-5.0)
    after.controller.tick(0.0)
    assert after.controller.motion.mode is AttitudeMode.HOLD, "the clock does not run yet"
    after.controller.tick(after.now)
    after.kept.keep()
    assert after.controller.motion.mode is AttitudeMode.OFF
    assert after.controller.drive.health[4].condition is Condition.DEAD
    health = after.kept.health()
    assert health.level is Level.WARN
    assert "attitude mode HOLD was set at 10.000 s, the clock shows 5.000 s: it is off" in health.message
    assert "it is off" in after.controller.journal.take()[-1].data["cause"]


def test_the_stamp_of_a_flown_attitude_mode_is_renewed(node):
    node.do(hold(TARGET))
    node.now += 100.0
    node.kept.health()
    after = node.again(-50.0)
    after.controller.tick(after.now)
    assert after.controller.motion.mode is AttitudeMode.OFF


def test_hardware_that_reports_a_good_valve_does_not_overrule_an_operator(node):
    node.do(set_health(4, Condition.DEAD))
    after = node.again()
    after.controller.update_valves(after.now, ValveReading(after.now, [0.0] * 16, (Condition.OK,) * 16))
    assert after.controller.drive.health[4].condition is Condition.DEAD


def changed(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda path: path.write_text(""), "cannot be parsed"),
        (lambda path: path.write_bytes(b"\xff\x00"), "no UTF-8"),
        (lambda path: path.write_text(path.read_text()[:-9]), "cannot be parsed"),
        (lambda path: path.write_text("[1]"), "allowed: a mapping"),
        (lambda path: (path.unlink(), path.mkdir()), "no ordinary file"),
        (lambda path: changed(path, format=2), "format = 2"),
        (lambda path: changed(path, thrusters=8, health=[]), "thrusters = 8; allowed: 16, of this vehicle"),
        (lambda path: changed(path, vehicle="0" * 16), "vehicle = '0000000000000000'; allowed:"),
        (lambda path: changed(path, mode="MANUAL"), "mode = 'MANUAL'"),
        (lambda path: changed(path, mode="MANUAL_OVERRIDE"), "allowed in MANUAL_OVERRIDE: off"),
        (lambda path: changed(path, target=None), "allowed: a quaternion in HOLD"),
        (lambda path: changed(path, target=[1.0, 1.0, 0.0, 0.0]), "norm"),
        (lambda path: changed(path, modulator="precise"), "allowed: pulse_width, pwpf, bang_bang, impulse_bit"),
        (lambda path: changed(path, target=None, attitude_mode="off", turn=[0.0, 0.0, 0.1]), "null but in HOLD"),
        (lambda path: changed(path, stamp=float("nan")), "stamp = nan"),
        (lambda path: changed(path, health=[{"thruster": 16, "condition": "dead", "level": 1.0}]), "allowed: 0 to 15"),
        (lambda path: changed(path, health=[{"thruster": 1, "condition": "weak", "level": 1.5}]), "level = 1.5"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_loudly_and_the_node_flies(node, tmp_path, spoil, text):
    node.do(hold(TARGET))
    node.do(set_health(4, Condition.DEAD))
    spoil(tmp_path / "alpha.allocator.json")
    after = node.again()
    health = after.kept.health()
    assert health.level is Level.WARN
    assert "settings of operators lost: " in health.message
    assert text in health.message
    assert "\n" not in health.message
    assert [line for line, _ in after.log.lines] == ["settings of operators lost"]
    after.run(0.1, [0, 0, 0, 0, 0, 50.0])
    assert text in after.controller.journal.take()[0].data["cause"]
    assert after.controller.settings.now == Settings()


def test_a_file_of_before_there_was_a_modulator_in_it_is_read(node, tmp_path):
    node.do(set_mode(Mode.AUTO))
    path = tmp_path / "alpha.allocator.json"
    content = json.loads(path.read_text())
    for name in ("modulator", "turn", "turned_from"):
        del content[name]
    path.write_text(json.dumps(content))
    assert node.again().controller.settings.now == Settings(Mode.AUTO)


def test_settings_that_cannot_be_written_are_a_warning_and_are_outdated_afterwards(node, tmp_path):
    """As on a full disk: here a folder stands where the new file would."""
    node.do(set_health(4, Condition.DEAD))
    (tmp_path / "alpha.allocator.new").mkdir()
    (tmp_path / "alpha.allocator.new" / "x").touch()
    node.do(set_health(5, Condition.WEAK, 0.5))
    health = node.kept.health()
    assert health.level is Level.WARN
    assert "a restart would forget: mode ADAPTIVE, attitude mode OFF, thruster 4 dead, thruster 5 weak 0.5" in (
        health.message
    )
    after = node.again()
    assert "later changes could not be written" in after.kept.health().message
    assert after.controller.drive.health[4].condition is Condition.DEAD
    (tmp_path / "alpha.allocator.new" / "x").unlink()
    (tmp_path / "alpha.allocator.new").rmdir()
    assert node.kept.health().level is Level.OK, "it is tried again"
    assert [one.thruster for one in node.again().controller.settings.now.health] == [4, 5]


def test_a_first_write_that_fails_is_not_forgotten(node, tmp_path):
    (tmp_path / "alpha.allocator.new").mkdir()
    (tmp_path / "alpha.allocator.new" / "x").touch()
    node.do(set_health(4, Condition.DEAD))
    assert node.again().kept.health().level is Level.WARN


def test_without_a_folder_the_diagnostics_show_what_a_restart_would_forget(vehicle):
    node = FreshNode(vehicle, "")
    assert node.kept.health().level is Level.OK
    assert node.kept.health().message == "not kept"
    node.do(set_mode(Mode.AUTO))
    assert node.kept.health().level is Level.WARN
    assert node.kept.health().message == "a restart would forget: mode AUTO, attitude mode OFF"


def test_the_file_belongs_to_a_vehicle_whatever_its_load(array: ThrusterArray, tmp_path: Path):
    path = tmp_path / "one.json"
    SettingsFile(path, array).write(Settings(Mode.AUTO), 1.0)
    assert SettingsFile(path, array.with_com((0.0, 0.0, 0.5))).read().settings.mode is Mode.AUTO
    stronger = ThrusterArray(array.positions, array.directions, 1.1 * np.asarray(array.f_max))
    with pytest.raises(ConfigurationError, match="of this vehicle"):
        SettingsFile(path, stronger).read()
