"""The order to fly a docked assembly, and the wait until it is flown."""

from collections.abc import Callable, Sequence

from qiki_console.graph.discovery import require_bot
from qiki_msgs.msg import Assembly, AssemblyJoint
from qiki_msgs.srv import SetLead
from qiki_node.errors import RefusedError, UnreachableError, up_hint
from qiki_node.qos import TELEMETRY
from qiki_node.session import Session

_FORMING = 15.0
"""s of wall time; the lead gives up after 5 s of simulated time."""


def form(session: Session, lead: str, joints: Sequence[AssemblyJoint], say: Callable[[str, str], None]) -> None:
    """Order members to follow and `lead` to lead; returns once it leads them all. `say`: takes a body and its answer.

    Members wait a few seconds only for the lead, so all are found before the first order.

    Raises:
        UnknownNameError, UnreachableError: a body or its service is not there.
        RefusedError: an order was refused, or the lead does not lead.
    """
    members = [joint.partner for joint in joints]
    orders = {member: SetLead.Request(lead=lead) for member in members}
    orders[lead] = SetLead.Request(lead=lead, joints=list(joints))
    led: set[str] = set()

    def take(message: Assembly) -> None:
        if message.lead == lead:
            led.clear()
            led.update(message.members)

    session.subscribe(Assembly, f"/{lead}/assembly", take, TELEMETRY)
    for body in orders:
        require_bot(session, body)
        service = _service(body)
        if not session.wait_for(session.client(SetLead, service).service_is_ready, session.discovery):
            raise UnreachableError(f"service {service} is not there", hint=up_hint())
    for body, order in orders.items():
        answer = session.call(SetLead, _service(body), order, repeatable=True)
        if not answer.success:
            raise RefusedError(answer.message)
        say(body, answer.message)
    if not session.wait_for(lambda: led.issuperset(members), _FORMING):
        hint = "qiki events query --type allocator.request_refused shows the reason"
        raise RefusedError(f"{lead} does not lead {', '.join(members)} after {_FORMING:g} s", hint)
    say(lead, f"leads {', '.join(members)}")


def _service(body: str) -> str:
    return f"/{body}/allocator/set_lead"
