"""The docking node as a real process: action, services, refusals, and a restart with kill -9."""

import signal
from types import SimpleNamespace

import pytest
from action_msgs.msg import GoalStatus
from docking_bench import NODE, Bench
from plant import VEHICLE, VEHICLE_FILE

from qiki_docking import Phase, Reason
from qiki_docking.bridge import EdgeState
from qiki_docking.passport import Passports
from qiki_msgs.action import Dock
from qiki_msgs.srv import ReleaseDock, ResetDocking, SetBridge, Undock
from qiki_node.testing import NodeProcess, Peer
from qiki_vehicle.keys import KeyRing, OwnKeys

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.requirement("DOCK-30"),
    pytest.mark.filterwarnings("ignore:module 'sre_.*' is deprecated:DeprecationWarning"),
]


def start(folder, **more):
    parameters = {
        "use_sim_time": "true",
        "vehicle_file": VEHICLE_FILE,
        "settings_folder": folder,
        "store_patience": "0.0",
        "events_enabled": "false",
        **more,
    }
    words = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
    return NodeProcess.of_module("qiki_docking.node", "-r", "__ns:=/alpha", *words)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "docking"


def test_it_docks_by_goal_and_undocks_by_service(folder):
    with start(folder) as process, Peer() as peer:
        bench = Bench(peer)
        bench.step().step()
        # Too early for valid navigation: the goal waits, and can be cancelled.
        waiting = bench.goal()
        cancelled = waiting.handle.cancel_goal_async()
        peer.spin_until(cancelled.done)
        result = waiting.result()
        assert (result.outcome, result.code) == (Dock.Result.CANCELED, Reason.CANCELLED)
        assert waiting.handle.status == GoalStatus.STATUS_CANCELED
        for _ in range(6):
            bench.step()
        refused = peer.call(Undock, f"{NODE}/undock", Undock.Request())
        assert (refused.success, refused.code) == (False, Reason.NOT_DOCKED)
        wrong = bench.goal(partner="9x").result()
        assert (wrong.outcome, wrong.code) == (Dock.Result.REJECTED, Reason.WRONG_ORDER)
        assert "9x" in wrong.reason
        goal = bench.goal(command_id="dock-1", profile="FULL")
        busy = bench.goal().result()
        assert (busy.outcome, busy.code) == (Dock.Result.REJECTED, Reason.BUSY)
        result = goal.result()
        assert (result.outcome, result.code) == (Dock.Result.EXECUTED, Reason.DOCKED), result
        assert result.docking_id == goal.feedback[-1].docking_id == bench.remote.state.docking_id
        assert goal.handle.status == GoalStatus.STATUS_SUCCEEDED
        bench.run(lambda one: one.outputs["alpha"].bridge.edges[0].state is EdgeState.CLOSED)
        again = bench.goal().result()
        assert (again.outcome, again.code) == (Dock.Result.EXECUTED, Reason.ALREADY_DOCKED)
        bench.remote.publish_impossible()
        bench.run(lambda one: one.outputs["alpha"].bridge.edges[0].state is EdgeState.CLOSED)
        wrong = peer.call(SetBridge, f"{NODE}/set_bridge", SetBridge.Request(profile="ALL"))
        assert (wrong.success, wrong.code) == (False, Reason.WRONG_ORDER)
        assert "'ALL'; allowed: POWER, DATA, FULL" in wrong.message
        code = peer.call(ReleaseDock, f"{NODE}/release", ReleaseDock.Request())
        assert code.success
        assert code.code > 0
        assert code.seconds == VEHICLE.docking.undock.arm_time
        assert not peer.call(ReleaseDock, f"{NODE}/release", ReleaseDock.Request(code=code.code + 1)).success
        assert not peer.call(ResetDocking, f"{NODE}/reset", ResetDocking.Request()).success
        assert peer.call(Undock, f"{NODE}/undock", Undock.Request()).success
        bench.run(lambda one: one.remote.phase is Phase.UNDOCKING and one.joints[0].latch == 0.0)
        assert not bench.joints[0].main
        text = process.stop(signal.SIGTERM)
        assert "plume_impulse_ns=0.0" in text, "counted from the valves' own times"
        assert "failed" not in text, "a callback raised"
        for refused in ("dock/sensor", "docking", "bridge", "body/mass_properties"):
            assert f"{refused} refused" in text, refused


@pytest.mark.requirement("DOCK-33")
def test_with_key_files_both_ends_prove_their_ids_before_the_contacts_close(folder, tmp_path):
    own = {body: OwnKeys.fresh() for body in ("alpha", "station")}
    trusted = KeyRing(
        members={one.identity: (one.public(0),) for one in own.values()},
        bodies={one.identity: body for body, one in own.items()},
    )
    for name, content in (("own", own["alpha"]), ("ring", trusted)):
        (tmp_path / f"{name}.yaml").write_text(content.model_dump_json())
        (tmp_path / f"{name}.yaml").chmod(0o600)
    passports = Passports(SimpleNamespace(own=own["station"], ring=trusted))
    with start(folder, keys_folder=tmp_path) as process, Peer() as peer:
        bench = Bench(peer, station={"passports": passports})
        bench.step().step()
        assert bench.goal().result().outcome == Dock.Result.EXECUTED
        assert bench.remote.state.partner_identity == own["station"].identity
        assert bench.outputs["station"].state.offer("A").holder_identity == own["alpha"].identity
        assert "failed" not in process.stop(), "a callback raised"


def test_killed_while_bridged_it_resumes_and_power_stays(folder):
    with Peer() as peer:
        with start(folder) as process:
            bench = Bench(peer)
            bench.step().step()
            # Too early for valid navigation: the goal waits for it.
            assert bench.goal().result().outcome == Dock.Result.EXECUTED
            bench.run(lambda one: one.outputs["alpha"].bridge.edges[0].state is EdgeState.CLOSED)
            docking_id = bench.remote.state.docking_id
            process.kill()
        with start(folder):
            before = len(bench.remote.states)
            bench.remote.meet()

            def resumed(one):
                assert one.joints[0].main, "power was dropped"
                return len(one.remote.states) > before and one.remote.state.confirmed

            bench.run(resumed)
            assert (bench.remote.phase, bench.remote.state.docking_id) == (Phase.BRIDGE, docking_id)
            assert bench.remote.state.reason is Reason.RESUMED
            for _ in range(10):
                bench.step()
                assert bench.joints[0].main
            armed = peer.call(ReleaseDock, f"{NODE}/release", ReleaseDock.Request())
            assert peer.call(ReleaseDock, f"{NODE}/release", ReleaseDock.Request(code=armed.code)).success
            bench.run(lambda one: one.remote.phase is Phase.EMERGENCY_RELEASE and not one.joints[0].touching)
            assert not bench.joints[0].main
