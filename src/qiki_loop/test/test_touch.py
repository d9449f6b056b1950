"""The final metre to a port with the modulator `impulse_bit`: every contact is inside the contact box."""

import pytest
from touching import Touching

pytestmark = pytest.mark.requirement("ALLOC-20")

CASES = {
    "dead thruster and HOLD": {"fault": ("thruster_stuck_closed", "8"), "soc": 0.45},
    "braking thrusters inhibited": {"inhibit": 0.8},
    "turning partner, mass too large": {"turn": (0.1, 0.0, 0.0), "mass_error": 0.2},
}
MORE = {
    "turning about its axis": {"turn": (0.0, 0.0, 0.1)},
    "mass too small": {"mass_error": -0.2},
    "as in the node": {"faithful": True},
}


@pytest.mark.parametrize("case", CASES)
def test_the_contact_is_gentle(tmp_path, case):
    check(tmp_path, 1, CASES[case])


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("case", [*CASES, *MORE])
def test_twenty_contacts_of_each_kind_are_gentle(tmp_path, case):
    for seed in range(10, 30):
        options = dict((CASES | MORE)[case])
        if "fault" in options:
            options["fault"] = ("thruster_stuck_closed", str(seed % 16))
        check(tmp_path, seed, options)


def check(folder, seed, options):
    approach = Touching(folder, seed, **options)
    touch = approach.fly()
    assert touch is not None, "no contact"
    print(seed, options, touch)
    assert not touch.missed, touch
    assert touch.inhibited_firings == 0
    assert touch.propellant < 2.0
    assert not approach.loop.links["alpha"].refusals
    if "fault" not in options:
        assert not touch.findings, "no thruster is accused"
