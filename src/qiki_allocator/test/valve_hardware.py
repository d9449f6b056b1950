"""What the valves do with commands: an independent reading of qiki_msgs/ThrusterCommand, for tests."""

import itertools
import math
from dataclasses import dataclass, field

import numpy as np

US = 1e-6


@dataclass
class Hardware:
    """Keeps every edge in whole microseconds, rounded to 32 bits on the way as in the message."""

    n: int
    edges: list = field(default_factory=list)
    late: int = 0

    def take(self, command, now):
        start, arrival = round(command.start / US), round(now / US)
        self.edges = [edge for edge in self.edges if edge[0] < start or edge[0] <= arrival]
        new = []
        for opens, times in ((True, command.open_time), (False, command.close_time)):
            for valve, offset in enumerate(np.asarray(times, dtype=np.float32).tolist()):
                if not np.isnan(offset):
                    assert 0.0 <= offset <= command.window * (1.0 + 1e-6)
                    new.append((start + round(offset / US), valve, opens))
        for at, valve, opens in sorted(new, key=lambda edge: (edge[0], edge[2])):
            if at < arrival:
                switched, is_open = self._state(valve)
                if at <= switched or opens == is_open:
                    continue  # done before
                self.late += 1
            self.edges.append((max(at, arrival), valve, opens))

    def _state(self, valve):
        """us of the last switching, and whether it opened."""
        switched, is_open = -math.inf, False
        for at, _, opens in sorted(edge for edge in self.edges if edge[1] == valve):
            if opens != is_open:
                switched, is_open = at, opens
        return switched, is_open

    def pulses(self):
        """Per valve its (open, close) times, s; an open end is None."""
        found = [[] for _ in range(self.n)]
        for at, valve, opens in sorted(self.edges, key=lambda edge: (edge[0], edge[2])):
            own = found[valve]
            is_open = bool(own) and own[-1][1] is None
            if opens and not is_open:
                own.append([at * US, None])
            elif not opens and is_open:
                own[-1][1] = at * US
        return found


def on_times(pulses):
    """(n,) s."""
    return np.array([sum(close - opened for opened, close in own) for own in pulses])


def peak(pulses, power):
    """Largest sum of the power, (n,), of the valves open at one instant."""
    changes = []
    for own, watts in zip(pulses, power, strict=True):
        for opened, close in own:
            changes += [(opened, 1, watts), (close, 0, -watts)]
    total = most = 0.0
    for _, _, change in sorted(changes, key=lambda item: (round(item[0] / US), item[1])):
        total += change
        most = max(most, total)
    return most


def check_timing(pulses, timing):
    """Assert every timing rule."""
    tiny = 1e-9  # floating-point arithmetic of the check itself
    for own in pulses:
        for opened, close in own:
            assert close is not None
            assert close - opened >= timing.min_on - tiny
            assert close - opened <= timing.max_burn + tiny
        for (opened, close), (following, _) in itertools.pairwise(own):
            pause = following - close
            assert pause >= timing.min_off - tiny
            if close - opened >= timing.max_burn - tiny:
                assert pause >= timing.cooldown - tiny
