"""kill -9 of the node beside a real event store: nothing is raised twice, no number is used twice, orders come back."""

from contextlib import ExitStack

import pytest
from air import VEHICLE, friend
from xpdr_bench import NODE, Bench
from xpdr_process import FRIEND, PLACE, is_friend, made, set_mode, start

from qiki_events import REGISTRY
from qiki_msgs.msg import XpdrState
from qiki_msgs.srv import QueryEvents, SetGuardMode
from qiki_node.testing import NodeProcess, Peer
from qiki_xpdr import Mode, Transponder
from qiki_xpdr.numbers import BLOCK
from qiki_xpdr.report import track_number

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.requirement("XPDR-64"),
    pytest.mark.filterwarnings("ignore:module 'sre_.*' is deprecated:DeprecationWarning"),
]

CLONE = (0.0, -400.0, 20.0)
STORE = "/qiki/eventstore"


def stored(peer, *types):
    """(type, payload) of the stored events of types, the oldest first."""
    request = QueryEvents.Request(types=list(types), streams=["alpha/xpdr"])
    request.start = request.recorded_start = -(2**63)
    found = peer.call(QueryEvents, f"{STORE}/query", request).events
    decode = REGISTRY.decode
    return [(one.type, decode(one.type, one.schema_version, one.content_type, bytes(one.payload))) for one in found]


def until_stored(peer, type, **fields):
    """Wait until the newest event of a type has these fields."""

    def there():
        found = stored(peer, type)
        return bool(found) and fields.items() <= found[-1][1].items()

    peer.spin_until(there)


def alerts(bench):
    return [alert.track for alert in bench.guards[-1].alerts] if bench.guards else []


def numbers(bench):
    return {track_number("alpha", one.id) for message in bench.tracks for one in message.tracks}


def killed(process, bench):
    """Kill the node; numbers of all its tracks."""
    used = numbers(bench)
    process.kill()
    for messages in (bench.tracks, bench.states, bench.guards):
        messages.clear()
    return used


def test_modes_numbers_and_alerts_after_kill_9(tmp_path):
    folder = made(tmp_path / "keys")
    options = {"mode": "OFF", "events_enabled": "true", "events_spool": tmp_path / "outbox"}
    with ExitStack() as stack:
        words = ("-r", "__ns:=/qiki", "-p", f"url:=sqlite:///{tmp_path / 'events.db'}")
        stack.enter_context(NodeProcess.of_module("qiki_eventstore.node", *words))
        process = stack.enter_context(start(folder, **options))
        peer = stack.enter_context(Peer())
        peer.wait_until_active(STORE)
        peer.meet(f"{STORE}/query")
        bench = Bench(peer)
        clone = Transponder(VEHICLE.transponder, FRIEND.identity, mode=Mode.ON)
        bench.bodies = [(PLACE, friend()), (CLONE, clone)]
        bench.run(lambda: is_friend(bench) and len(alerts(bench)) == 1, limit=20.0)
        peer.meet(f"{NODE}/set_guard_mode")
        passive = SetGuardMode.Request(mode="PASSIVE", user="operator", reason="drill")
        assert peer.call(SetGuardMode, f"{NODE}/set_guard_mode", passive).success
        code = set_mode(peer, "SPOOF", arm=True).code
        assert set_mode(peer, "SPOOF", code=code).success
        bench.run(lambda: len(alerts(bench)) == 1)
        track = track_number("alpha", alerts(bench)[0])
        until_stored(peer, "guard.alert_raised", track=track, effect=False)
        until_stored(peer, "xpdr.mode_changed", to="SPOOF")

        used = killed(process, bench)
        process = stack.enter_context(start(folder, **options))
        peer.wait_until_active(NODE)
        bench.run(lambda: is_friend(bench) and len(alerts(bench)) == 1, limit=20.0)
        assert min(numbers(bench)) > max(used)
        assert (bench.states[-1].mode, bench.states[-1].guard_mode) == (XpdrState.OFF, XpdrState.GUARD_PASSIVE)
        until_stored(peer, "xpdr.mode_changed", to="OFF", user="xpdr")
        last = {"rule": "SPOOFING_DETECTED", "track": track_number("alpha", alerts(bench)[0])}
        until_stored(peer, "guard.alert_raised", **last)
        changes = [
            (type, one["track"], one.get("cause"))
            for type, one in stored(peer, "guard.alert_*")
            if one["rule"] == last["rule"]
        ]
        assert changes.count(("guard.alert_ended", track, "restart")) == 1
        # In the first life once ACTIVE and once PASSIVE, in the second on a track of another number.
        raised = [one for type, one, _ in changes if type == "guard.alert_raised"]
        assert raised == [track, track, last["track"]]

        assert set_mode(peer, "SILENT").success
        until_stored(peer, "xpdr.mode_changed", to="SILENT")
        used |= killed(process, bench)
        process = stack.enter_context(start(folder, **options))
        peer.wait_until_active(NODE)
        bench.run(lambda: is_friend(bench) and bench.states[-1].mode == XpdrState.SILENT, limit=20.0)
        assert min(numbers(bench)) > max(used) > BLOCK
        assert "failed" not in process.stop(), "a callback raised"
