"""Each quantity that there is to tell: in the message, in the diagnostics and in the metrics."""

import math

import numpy as np
import pytest
from bot import FORCE, Bot
from prometheus_client import CollectorRegistry, generate_latest

from qiki_allocator.ros import conversions, diagnosis
from qiki_allocator.ros.metrics import TelemetryMetrics
from qiki_msgs.msg import Allocation
from qiki_node.health import Level

pytestmark = pytest.mark.requirement("ALLOC-12b")


@pytest.fixture(scope="module")
def telemetry(vehicle):
    """In flight, with a limit that binds."""
    bot = Bot(vehicle)
    bot.controller.telemetry(bot.now)
    bot.run(1.0, [900.0, 0.0, 0.0, 0.0, 0.0, 20.0])
    return bot.controller.telemetry(bot.now)


@pytest.fixture
def metrics(telemetry):
    """Their values: metric(name, **labels)."""
    registry = CollectorRegistry()
    collector = TelemetryMetrics(registry)
    assert registry.get_sample_value("qiki_allocator_power_watts") is None, "nothing before there is telemetry"
    collector.latest = telemetry
    return lambda name, **labels: registry.get_sample_value(f"qiki_allocator_{name}", labels)


@pytest.fixture
def message(telemetry):
    message = Allocation()
    conversions.fill_allocation(message, telemetry)
    return message


@pytest.fixture
def shown(telemetry):
    health = diagnosis.of_thrust(telemetry)
    assert health.level is Level.OK
    return health.values


@pytest.mark.parametrize("name", ["commanded", "allocated", "residual"])
def test_wrenches(message, shown, metrics, name):
    wrench = getattr(message, name)
    values = [getattr(part, axis) for part in (wrench.force, wrench.torque) for axis in "xyz"]
    assert np.abs(values).max() > 1.0
    units = ["newtons"] * 3 + ["newton_metres"] * 3
    axes = ["fx", "fy", "fz", "tx", "ty", "tz"]
    assert [metrics(f"{name}_{unit}", axis=axis) for unit, axis in zip(units, axes, strict=True)] == values
    assert [float(text) for text in shown[name].split()] == pytest.approx(values, abs=1e-3)


@pytest.mark.parametrize(
    ("field", "key", "metric"),
    [
        ("margin", "margin", "margin_ratio"),
        ("power", "power", "power_watts"),
        ("power_now", "power now", "power_now_watts"),
        ("power_mean", "power mean", "power_mean_watts"),
        ("energy", "energy", "energy_joules_total"),
    ],
)
def test_numbers(message, shown, metrics, field, key, metric):  # noqa: PLR0917
    value = getattr(message, field)
    assert value != 0.0
    assert metrics(metric) == pytest.approx(value, rel=1e-6)
    assert float(shown[key].split()[0]) == pytest.approx(value, rel=1e-3)


def test_authority(telemetry, message, metrics):
    shown_of_allocation = diagnosis.of_allocation(telemetry).values
    assert list(message.authority) == [1.0] * 12
    assert shown_of_allocation["authority left"] == "100 % of every axis"
    assert metrics("authority_ratio", axis="-roll") == 1.0


def test_binding_limits(message, shown, metrics):
    assert shown["binding"] == ", ".join(message.binding)
    kinds = {name.partition(":")[0] for name in message.binding}
    assert kinds
    for kind in ("power", "thruster", "heat", "burn time", "dead", "weak", "stuck", "mode", "gate"):
        assert metrics("binding", limit=kind) == float(kind in kinds)


def test_duty_and_firings_of_each_thruster(message, shown, metrics):
    assert max(message.duty) > 0.5
    assert sum(message.firings) > 0
    for i in range(16):
        assert metrics("duty_ratio", thruster=str(i)) == pytest.approx(message.duty[i], rel=1e-6)
        assert metrics("firings_total", thruster=str(i)) == message.firings[i]
    assert [float(text) for text in shown["duty"].split()] == pytest.approx(list(message.duty), abs=1e-3)
    assert [int(text) for text in shown["firings"].split()] == list(message.firings)


def test_solve_time(vehicle):
    times = iter(np.arange(0.0, 1.0, 1e-4))
    bot = Bot(vehicle, stopwatch=lambda: float(next(times)))
    bot.run(0.1, FORCE)
    telemetry = bot.controller.telemetry(bot.now)
    registry, message = CollectorRegistry(), Allocation()
    TelemetryMetrics(registry).latest = telemetry
    conversions.fill_allocation(message, telemetry)
    assert message.solve_time == pytest.approx(1e-4)
    assert registry.get_sample_value("qiki_allocator_solve_time_seconds") == pytest.approx(1e-4)
    assert diagnosis.of_thrust(telemetry).values["solve time"] == "100 us"


def test_what_is_unknown_is_shown_as_unknown(vehicle):
    bot = Bot(vehicle)
    telemetry = bot.controller.telemetry(bot.now)
    assert math.isnan(telemetry.power_mean)
    values = diagnosis.of_thrust(telemetry).values
    assert values["power mean"] == "unknown"
    assert set(values["duty"].split()) == {"unknown"}
    assert diagnosis.of_thrust(None).level is Level.STALE


def test_what_metrics_and_diagnostics_read_is_a_snapshot_that_later_cycles_leave_alone(vehicle):
    """The thread that serves metrics reads it while the next cycles fly."""
    bot = Bot(vehicle)
    bot.run(0.5, [900.0, 0.0, 0.0, 0.0, 0.0, 20.0])
    telemetry = bot.controller.telemetry(bot.now)
    registry = CollectorRegistry()
    TelemetryMetrics(registry).latest = telemetry

    def shown():
        checks = (diagnosis.of_commands, diagnosis.of_allocation, diagnosis.of_limits, diagnosis.of_thrust)
        return generate_latest(registry), [check(telemetry) for check in checks]

    before = shown()
    bot.temperature = 90.0
    bot.run(0.5, [-300.0, 50.0, 0.0, 5.0, 0.0, 0.0])
    bot.controller.telemetry(bot.now)
    assert shown() == before


def test_stale_telemetry_makes_the_allocator_unready(vehicle):
    bot = Bot(vehicle)
    assert diagnosis.of_limits(None).unready == "no telemetry yet"
    assert diagnosis.of_limits(bot.controller.telemetry(bot.now)).unready == ""
    bot.hears = False
    bot.run(30.0)
    bot.now += 30.0
    assert "temperature of RCS_A" in diagnosis.of_limits(bot.controller.telemetry(bot.now)).unready
