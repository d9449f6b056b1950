"""Faults of thrusters, seen in the motion: commanded pulses against the twist that odometry reports.

A filter predicts the twist from the commanded pulses, each thruster giving what it is believed to give. If thruster i
gives A less while open (dead: -1, weak: in between) or A more while closed (stuck open: +1), the filter's innovations
move by A times a signature that is known: the effect of its pulses, or of its pauses, through the rigid body and the
filter. Every such change is a hypothesis with

* its signature, propagated from where its evidence began;
* its amplitude A, estimated from the samples so far and kept away from zero (`smallest_loss`, `smallest_leak`);
* its score: the log-likelihood ratio of "A, since the evidence began" to "nothing has changed", each sample judged with
  the amplitude estimated *before* it. It restarts when it falls to zero (CUSUM, Page 1954, with the one-step-ahead
  plug-in of Lorden and Pollak 2005). So chosen, a score that reaches h has a mean time between false alarms of at
  least exp(h) samples per hypothesis, whatever the pulses: h follows from the interval that is asked for.

A sample that fits neither counts for neither (misfits are cut off), so that a collision accuses no thruster.
A cluster is a hypothesis too (one supply line or controller takes all of it), and so is what all thrusters together
give to an axis of the body: the mass properties, or the feed pressure.

Excitation: a thruster that is never opened cannot be found dead, nor one that is never closed stuck open. The least
is what its information needs: a score above h, and a level known to `level_accuracy`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.thrusters import Floats, ThrusterArray
from qiki_allocator.health.body_motion import BodyMotion
from qiki_allocator.health.detector_settings import DetectorSettings
from qiki_allocator.health.hypotheses import LEAK, LEVEL, SCALE, Change, possible_changes
from qiki_allocator.health.replay import Replay, Sample
from qiki_vehicle import ConfigurationError

DEAD = "dead"
WEAK = "weak"
STUCK_OPEN = "stuck_open"
HEALTHY = "healthy"
BODY = "body"
UNEXPLAINED = "unexplained"

_UNIT = np.eye(6)
_MISFIT = 40.0  # squared normalised innovation (6 components) beyond which a sample is taken for an outlier
_UNEXPLAINED = 10  # such samples in (almost) a row that are reported
_PRIOR = 20.0  # information that the first guess of an amplitude stands for
_REPLAYED = 128  # samples
_ALIKE = 0.05  # share of the best fit that two changes may differ by for their first samples, not for what they are
_SECOND_LOOK = 1.5  # samples after a score was first high enough
_WIDER = 8.0  # score that a cluster, or the body, must lead single thrusters by
_AXES = ("x", "y", "z", "roll", "pitch", "yaw")


@dataclass(frozen=True)
class Verdict:
    """Fault of a thruster, or its end.

    Attributes:
        time: s, of the sample that decided.
        kind: `DEAD`, `WEAK`, `STUCK_OPEN`, `HEALTHY` (again); `BODY`: all thrusters together give another acceleration
            than they should, so that the mass properties or the feed pressure are wrong; `UNEXPLAINED`: the motion fits
            no single change, as when several thrusters fail at once and always fire together.
        thrusters: concerned: one, or a whole cluster; `BODY`: all; `UNEXPLAINED`: all that were open.
        candidates: all that it may be, the evidence being the same; more than `thrusters` if it is ambiguous.
        level: 0..1, share of thrust given while commanded open; `STUCK_OPEN`: while commanded closed; `BODY`: share of
            the expected acceleration, may exceed 1; `UNEXPLAINED`: NaN.
        score: log-likelihood ratio to "nothing has changed"; `UNEXPLAINED`: NaN.
        axes: `BODY`: of `x y z roll pitch yaw`, those concerned.
    """

    time: float
    kind: str
    thrusters: tuple[int, ...]
    candidates: tuple[int, ...]
    level: float
    score: float
    axes: tuple[str, ...] = ()


class FaultDetector:
    """Names thrusters whose pulses do not do what they should. One `observe` per sample of odometry, some 80 us.

    Attributes:
        level: (n,) 0..1, what each thruster is believed to give while commanded open.
        leak: (n,) 0..1, and while commanded closed.
        scale: (6,) what all together give, relative to what they should.
        unexplained: samples so far that fitted nothing.
        threshold: the score that is taken for a change.
    """

    def __init__(self, array: ThrusterArray, mass: float, inertia: npt.ArrayLike, settings: DetectorSettings) -> None:
        """See `BodyMotion`.

        Raises:
            ConfigurationError: an argument is not allowed.
        """
        n = len(array)
        self._settings = settings
        self.level, self.leak, self.scale = np.ones(n), np.zeros(n), np.ones(6)
        self.unexplained = 0
        self._noise = np.repeat([settings.velocity_noise**2, settings.angular_velocity_noise**2], 3)
        self._drift = np.repeat([settings.acceleration_noise**2, settings.angular_acceleration_noise**2], 3)
        clusters = dict.fromkeys(array.clusters)
        members = [tuple(i for i in range(n) if array.clusters[i] == cluster) for cluster in clusters]
        self._clusters = [cluster for cluster in members if 1 < len(cluster) < n]
        self.set_body(array, mass, inertia)
        self.forget()

    def set_body(self, array: ThrusterArray, mass: float, inertia: npt.ArrayLike) -> None:
        """The mass properties changed much (docking, undocking): see `BodyMotion`. Evidence so far is dropped.

        Raises:
            ConfigurationError: an argument is not allowed.
        """
        if len(array) != len(self.level):
            raise ConfigurationError(f"array: {len(array)} thrusters; allowed: {len(self.level)}")
        self.track_body(array, mass, inertia)
        self.scale[:] = 1.0
        self._restart()

    def track_body(self, array: ThrusterArray, mass: float, inertia: npt.ArrayLike) -> None:
        """The mass properties changed a little (working mass used up), as `set_body`; evidence is kept.

        Raises:
            ConfigurationError: an argument is not allowed.
        """
        self._motion = BodyMotion(array, mass, inertia)

    def restore(self, thrusters: Sequence[int]) -> None:
        """These thrusters were repaired or replaced: they are taken for healthy.

        Raises:
            ValueError: there is no such thruster.
        """
        for index in thrusters:
            if index not in range(len(self.level)):
                raise ValueError(f"thrusters: {index}; allowed: 0 to {len(self.level) - 1}")
        self.level[list(thrusters)], self.leak[list(thrusters)] = 1.0, 0.0
        self._restart()

    def forget(self) -> None:
        """Drop all evidence, not what was found: the clock or the motion jumped (reset, docking, a trip)."""
        self._time = -math.inf
        self._restart()

    def _restart(self) -> None:
        self._is_new = True
        self._strange = 0
        self._changes = possible_changes(self.level, self.leak, self.scale, self._clusters, self._settings)
        n, count = len(self.level), len(self._changes)
        self._members = np.zeros((2 * n, count))
        self._rows = np.zeros((6, count))
        for column, change in enumerate(self._changes):
            if change.state == SCALE:
                self._rows[list(change.index), column] = 1.0
            else:
                self._members[[i if change.state == LEVEL else n + i for i in change.index], column] = 1.0
        self._low = np.array([change.low for change in self._changes])
        self._high = np.array([change.high for change in self._changes])
        self._handicap = np.where([change.is_single for change in self._changes], 0.0, _WIDER)
        accuracy = {LEVEL: self._settings.level_accuracy, LEAK: self._settings.level_accuracy}
        accuracy[SCALE] = 0.25 * self._settings.smallest_scale
        self._needed = np.array([accuracy[change.state] for change in self._changes]) ** -2
        self._first_guess = np.where(self._high > 0.0, self._low, self._high)
        self._signature = np.zeros((6, count))
        self._score = np.zeros(count)
        self._seen = np.zeros(count)  # sum of signature times innovation, in their standard deviations
        self._information = np.zeros(count)  # sum of the signature's squares
        self._began = np.full(count, -math.inf)  # s, when the evidence began
        self._since = math.inf  # s, when a score was first high enough
        self._replay = Replay(_REPLAYED)
        self.threshold = math.log(max(self._settings.false_alarm_interval * self._settings.rate * count, math.e))

    def observe(
        self, time: float, linear: npt.ArrayLike, angular: npt.ArrayLike, on_time: npt.ArrayLike
    ) -> Verdict | None:
        """Judge one sample of odometry.

        Args:
            time: s, of the sample.
            linear: (3,) m/s, velocity of base_link's origin, along its axes.
            angular: (3,) rad/s, along its axes.
            on_time: (n,) s that each valve was commanded open since the last sample (see `Reader`).

        Raises:
            ValueError: a value is not finite or allowed; the sample is ignored, and evidence restarts.
        """
        try:
            twist = self._motion.twist(_finite("linear", linear, 3), _finite("angular", angular, 3))
            on = _finite("on_time", on_time, len(self.level))
            if not (math.isfinite(time) and time > self._time):
                raise ValueError(f"time: {time} s; allowed: after {self._time} s")
            interval, self._time = time - self._time, time
            if self._is_new or interval > self._settings.longest_gap:
                self._restart()
                self._is_new = False
                self._twist, self._variance = twist, self._noise.copy()
                self._share = np.zeros(len(on))
                return None
            if on.min() < -1e-9 or on.max() > interval + 1e-6:
                worst = int(np.argmax(np.maximum(-on, on - interval)))
                raise ValueError(f"on_time[{worst}]: {on[worst]} s; allowed: 0 to {interval:g} s since the last sample")
        except ValueError:
            self._is_new = True
            raise
        return self._judge(twist, on, interval)

    def _judge(self, twist: Floats, on: Floats, interval: float) -> Verdict | None:
        step = _UNIT + interval * self._motion.growth(self._twist)
        innovation, spread, added = self._predict(twist, on, interval)
        self._signature = step @ self._signature + added
        weight = 1.0 / np.sqrt(spread)
        seen = innovation * weight
        signature = self._signature * weight[:, None]
        misfit = float(seen @ seen)
        along = seen @ signature
        information = np.einsum("ij,ij->j", signature, signature)

        guess = self._amplitude()
        expected = misfit - guess * (2.0 * along - guess * information)
        gain = 0.5 * (min(misfit, _MISFIT) - np.minimum(expected, _MISFIT))
        self._score += gain
        before = self._seen, self._information
        self._seen, self._information = self._seen + along, self._information + information
        guess = self._amplitude()
        fits = misfit - guess * (2.0 * along - guess * information) <= _MISFIT
        all_fit = bool(fits.all())
        if not all_fit:
            self._seen = np.where(fits, self._seen, before[0])
            self._information = np.where(fits, self._information, before[1])
        is_outlier = misfit > _MISFIT and not fits.any()
        if misfit > _MISFIT and not all_fit:
            # A change that began within the last sample looked smaller in it than it is: this sample alone may decide.
            alone = np.clip(along / np.maximum(information, 1e-9), self._low, self._high)
            begins = ~fits & (misfit - alone * (2.0 * along - alone * information) <= _MISFIT)
            self._seen = np.where(begins, along, self._seen)
            self._information = np.where(begins, information, self._information)
            is_outlier = is_outlier and not begins.any()

        # After an outlier the twist is what was measured: prediction and signatures count no more.
        kept = np.zeros(6) if is_outlier else self._noise / spread
        self._twist = twist - kept * innovation
        self._variance = (1.0 - kept) * self._noise
        self._signature *= kept[:, None]
        counts = np.zeros(6) if is_outlier else weight
        self._replay.add(Sample(self._time, step, added, counts, seen, kept))
        restarts = (gain < 0.0) & (self._score <= 0.0)
        if restarts.any():
            self._signature[:, restarts] = 0.0
            self._began[restarts] = self._time
            for evidence in (self._score, self._seen, self._information):
                evidence[restarts] = 0.0
        return self._strangeness(on, is_outlier=is_outlier) or self._decide()

    def _predict(self, twist: Floats, on: Floats, interval: float) -> tuple[Floats, Floats, Floats]:
        """Innovation (6,), its variance, and what each change, at amplitude 1, adds to the twist, (6, m)."""
        settings, off = self._settings, interval - on
        gives = self._motion.gives * self.scale[:, None]
        pulses, pauses = gives * on, gives * off
        pushed = pulses @ self.level
        kick = pushed + pauses @ self.leak
        added = np.concatenate((pulses, pauses), axis=1) @ self._members + (kick / self.scale)[:, None] * self._rows
        share = on / interval
        edges = ((on > 0.0) & (off > 1e-9)) | (np.abs(share - self._share) > 1e-6)
        self._share = share
        variance = (
            self._variance
            + self._drift * interval**2
            + settings.model_error**2 * (pushed**2 + pulses**2 @ self.level)
            + settings.timing_error**2 * (gives**2 @ edges)
        )
        return twist - self._motion.after(self._twist, kick, interval), variance + self._noise, added

    def _amplitude(self) -> Floats:
        """Of every change, as far as the evidence goes."""
        raw = (self._seen + _PRIOR * self._first_guess) / (self._information + _PRIOR)
        amplitude: Floats = np.minimum(np.maximum(raw, self._low), self._high)
        return amplitude

    def _strangeness(self, on: Floats, *, is_outlier: bool) -> Verdict | None:
        if is_outlier:
            self.unexplained += 1
            self._strange += 1
        elif on.any():
            self._strange = max(self._strange - 1, 0)
        if self._strange < _UNEXPLAINED:
            return None
        self._strange = 0
        were_open = tuple(int(i) for i in np.flatnonzero(on))
        return Verdict(self._time, UNEXPLAINED, were_open, were_open, math.nan, math.nan)

    def _decide(self) -> Verdict | None:
        if self._score.max() < self.threshold:
            self._since = math.inf
            return None
        self._since = min(self._since, self._time)
        if self._time - self._since < _SECOND_LOOK / self._settings.rate:
            # The first sample of a change holds only a part of it.
            return None
        first = float(self._began[int(self._score.argmax())])
        fit = self._replay.fits(first, self._low, self._high) - self._handicap
        best = int(fit.argmax())
        if self._score[best] < self.threshold or self._information[best] < self._needed[best]:
            return None
        near = np.flatnonzero(fit > fit[best] - max(self._settings.separation, _ALIKE * fit[best]))
        if len(near) > 1 and self._time - self._since < self._settings.patience:
            return None
        # The smallest change is for deciding whether there is one, not for its size.
        amount = float(self._seen[best] / self._information[best])
        amount = max(amount, self._low[best]) if self._high[best] <= 0.0 else min(amount, self._high[best])
        return self._settle(self._changes[best], amount, float(self._score[best]), near)

    def _settle(self, change: Change, amount: float, score: float, near: npt.NDArray[np.intp]) -> Verdict:
        """Believe a change; `near`: all changes that it may be."""
        index, settings = list(change.index), self._settings
        everyone = tuple(range(len(self.level)))
        suspects = [self._changes[column] for column in near]
        concerned = (everyone if suspect.state == SCALE else suspect.index for suspect in suspects)
        candidates = tuple(sorted(set().union(*concerned)))
        if change.state == SCALE:
            self.scale[index] += amount
            axes = tuple(_AXES[row] for row in index)
            level = float(self.scale[index].mean())
            self._restart()
            return Verdict(self._time, BODY, everyone, candidates, level, score, axes)
        state = self.level if change.state == LEVEL else self.leak
        snap = 0.5 * (settings.smallest_loss if change.state == LEVEL else settings.smallest_leak)
        value = min(max(float(state[index].mean()) + amount, 0.0), 1.0)
        state[index] = 0.0 if value < snap else 1.0 if value > 1.0 - snap else value
        self._restart()
        if self.leak[index].any():
            return Verdict(self._time, STUCK_OPEN, change.index, candidates, float(self.leak[index].max()), score)
        level = float(self.level[index].mean())
        kind = DEAD if level == 0.0 else HEALTHY if level == 1.0 else WEAK
        return Verdict(self._time, kind, change.index, candidates, level, score)


def _finite(name: str, values: npt.ArrayLike, count: int) -> Floats:
    array = np.asarray(values, dtype=float)
    if array.shape != (count,) or not np.isfinite(array).all():
        raise ValueError(f"{name}: {array.tolist()}; allowed: {count} finite numbers")
    return array
