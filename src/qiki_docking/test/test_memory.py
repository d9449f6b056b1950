"""The file that outlives the docking node's process: state, report so far, the operator's settings."""

import json
from array import array
from types import SimpleNamespace

import pytest

from qiki_docking import Order, Phase, State
from qiki_docking.bridge import Role
from qiki_docking.record import Means, Record
from qiki_docking.ros.memory import Memory, Remembered
from qiki_docking.values import PHASE_CHANGED
from qiki_events import REGISTRY
from qiki_msgs.msg import Event
from qiki_msgs.srv import QueryEvents
from qiki_node import stamps

pytestmark = pytest.mark.requirement("DOCK-8")

ORDER = Order("station", "A", "B")


class Store:
    """Event store that answers at once, with one newest event of each query."""

    def __init__(self, *events):
        self.events, self.service_is_ready = events, lambda: True

    def call_async(self, request):
        found = [event for event in self.events if event.type in request.types]
        answer = SimpleNamespace(result=lambda: QueryEvents.Response(success=True, events=found[-1:]))
        return SimpleNamespace(add_done_callback=lambda call: call(answer))


def memory(folder, now=50.0, store=None):
    """Of a node whose patience is over, without an event store unless one is given."""
    log = SimpleNamespace(error=lambda *_, **__: None, warning=lambda *_, **__: None)
    client = store or SimpleNamespace(service_is_ready=lambda: False)
    time = SimpleNamespace(now=lambda: now, ahead=0.0)
    node = SimpleNamespace(create_client=lambda *_: client, log=log, time=time)
    return Memory(node, "alpha/docking", folder / "alpha.json", 0.0, lambda: 0.0)


def record():
    made = Record("alpha-1", False, ORDER, Means(60.0, 1e5, 0.0))
    for time in (10.0, 12.0):
        made.follow(State(Phase.APPROACH, "hold", ORDER, tries=1), time)
    return made


def test_all_of_a_docking_under_way_comes_back_but_for_the_impulse_of_plumes(tmp_path):
    state = State(Phase.APPROACH, "hold", ORDER, tries=1)
    kept = Remembered(state, "alpha-1", Role.SINK, record=record(), operator=(1, "pwpf"))
    memory(tmp_path).keep(kept, 40.0)
    found = memory(tmp_path).look(settled=True)
    assert (found.state, found.docking_id, found.role, found.operator) == (state, "alpha-1", Role.SINK, (1, "pwpf"))
    found.record.follow(state, 15.0)
    ended = found.record.ended(Phase.ABORT, State(Phase.FREE), Means(59.0, 3e5, 7.0))
    assert (ended["seconds"], ended["propellant_kg"], ended["energy_j"]) == ({"APPROACH": 5.0}, 1.0, 2e5)
    assert "plume_impulse_ns" not in ended


def test_a_file_of_another_run_counts_for_nothing_and_a_spoilt_one_is_refused(tmp_path):
    memory(tmp_path).keep(Remembered(State(), "", Role.RELAY), 40.0)
    path = tmp_path / "alpha.json"
    content = json.loads(path.read_text())
    assert memory(tmp_path, now=10.0).look(settled=True).state is None
    former = {name: value for name, value in content.items() if name not in ("record", "operator")}
    path.write_text(json.dumps(former))
    assert memory(tmp_path).look(settled=True).state == State()
    for spoilt in ("{", json.dumps({**content, "role": "X"}), json.dumps({**content, "record": {"order": []}})):
        path.write_text(spoilt)
        with pytest.raises(ValueError, match="no state of docking"):
            memory(tmp_path).look(settled=True)


def test_without_a_file_nothing_is_known_and_one_that_cannot_be_written_is_reported(tmp_path):
    assert memory(tmp_path).look(settled=True).source.startswith("nothing")
    (tmp_path / "file").write_text("")
    broken = memory(tmp_path / "file")
    broken.keep(Remembered(State(), "", Role.RELAY), 40.0)
    assert broken.unwritten


def phase_changed(state, version=None):
    payload = {
        **state.as_payload(),
        "from": "FREE",
        "from_step": "",
        "trigger": "order",
        "text": "",
        "docking_id": "alpha-1",
    }
    content_type, content = REGISTRY.encode(PHASE_CHANGED, payload)
    newest = REGISTRY.newest(PHASE_CHANGED)
    event = Event(type=PHASE_CHANGED, position=7, schema_version=version or newest, content_type=content_type)
    event.time, event.payload = stamps.from_seconds(40.0), array("B", content)
    return event


def test_a_stored_state_that_cannot_be_read_is_not_taken_for_none(tmp_path):
    """Of a docked bot it would be a free one."""
    state = State(Phase.APPROACH, "hold", ORDER, tries=1)
    assert memory(tmp_path, store=Store(phase_changed(state))).look(settled=True).state == state
    with pytest.raises(ValueError, match="version"):
        memory(tmp_path, store=Store(phase_changed(state, version=99))).look(settled=True)
