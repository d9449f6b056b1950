"""Tracks of many bodies: QIKI's tracker and Stone Soup on the same frames, by Stone Soup's own metrics.

    ./qiki env python benchmarks/tracking.py [--quick] [--seeds 30] [--bodies 20] [--frames 150] [--jpda]

Quality: paired seeds, bodies on nearly straight courses in 200 to 1 500 m, detections with the radar's noise,
probability 0.9, 5 false ones per frame, 10 Hz. The peer is an extended Kalman filter with `DetectionKDTreeGNN2D`, the
same motion, noise, gate and 3 points to confirm; with `--jpda` also `JPDAwithEHM2`. Both give their confirmed tracks;
those unseen for 5 s are dropped. GOSPA (p 2, cut-off 30 m, switching penalty 15 m) and SIAP (30 m) are computed by
Stone Soup for both. Stone Soup's bearings run counter-clockwise from x; its plain `GlobalNearestNeighbour` is
combinatorial and therefore not used. Speed: CPU time of a frame of 200 detections.
"""

import argparse
import datetime
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qiki_vehicle import Vehicle
from qiki_xpdr import Status, Tracker
from qiki_xpdr.geometry import AT_ORIGIN, spherical

try:
    from stonesoup.dataassociator.probability import JPDAwithEHM2
    from stonesoup.dataassociator.tracktotrack import TrackToTruth
    from stonesoup.dataassociator.tree import DetectionKDTreeGNN2D
    from stonesoup.deleter.time import UpdateTimeStepsDeleter
    from stonesoup.hypothesiser.distance import DistanceHypothesiser
    from stonesoup.hypothesiser.probability import PDAHypothesiser
    from stonesoup.initiator.simple import NoHistoryMultiMeasurementInitiator
    from stonesoup.measures import Euclidean, Mahalanobis
    from stonesoup.metricgenerator.manager import MultiManager
    from stonesoup.metricgenerator.ospametric import GOSPAMetric
    from stonesoup.metricgenerator.tracktotruthmetrics import SIAPMetrics
    from stonesoup.models.measurement.nonlinear import CartesianToElevationBearingRangeRate
    from stonesoup.models.transition.linear import CombinedLinearGaussianTransitionModel, ConstantVelocity
    from stonesoup.predictor.kalman import ExtendedKalmanPredictor
    from stonesoup.tracker.simple import MultiTargetMixtureTracker, MultiTargetTracker
    from stonesoup.types.detection import Detection
    from stonesoup.types.groundtruth import GroundTruthPath, GroundTruthState
    from stonesoup.types.state import GaussianState, State
    from stonesoup.types.track import Track
    from stonesoup.updater.kalman import ExtendedKalmanUpdater
except ImportError as error:
    sys.exit(f"{error}; install with: .venv/bin/pip install -r requirements/bench.txt -c requirements/constraints.txt")

VEHICLE = Vehicle.from_file(Path(__file__).resolve().parent.parent / "launch/config/vehicles/dodecahedron.yaml")
# Bodies are points for both.
RADAR, TRACKING = VEHICLE.radar.model_copy(update={"extent": 0.0}), VEHICLE.tracking
START = datetime.datetime(2026, 1, 1)
SIGMAS = np.array((RADAR.range, RADAR.angle, RADAR.angle, RADAR.radial_velocity))
PLACES, SPEEDS = (0, 2, 4), (1, 3, 5)
GATE = 4.84  # root of 99.99 % of chi squared with 4 degrees of freedom, as tracking.gate
CUTOFF = 30.0  # m


@dataclass
class Run:
    """Frames (M, 5) of one seed, and the states (B, 6) of the bodies at each."""

    frames: list[np.ndarray]
    truth: list[np.ndarray]


def make(seed: int, bodies: int, frames: int, far: float = 1500.0) -> Run:
    rng = np.random.default_rng(seed)
    bearing, elevation = rng.uniform(0.0, 2.0 * np.pi, bodies), rng.uniform(-0.7, 0.7, bodies)
    distance = rng.uniform(200.0, far, bodies)
    flat = np.cos(elevation)
    place = (distance * np.stack((flat * np.sin(bearing), flat * np.cos(bearing), np.sin(elevation)))).T
    speed = rng.normal(0.0, 4.0, (bodies, 3))
    made = Run([], [])
    for _ in range(frames):
        made.truth.append(np.hstack((place, speed)))
        r, b, e = spherical(place)
        rows = np.column_stack((r, b, e, np.einsum("ij,ij->i", speed, place) / r))
        rows = (rows + rng.normal(size=rows.shape) * SIGMAS)[rng.random(bodies) < RADAR.detection]
        count = rng.poisson(RADAR.clutter)
        false = (rng.uniform(10.0, far, count), rng.uniform(0.0, 2.0 * np.pi, count), rng.uniform(-0.8, 0.8, count))
        rows = np.vstack((rows, np.column_stack((*false, rng.uniform(-12.0, 12.0, count)))))
        rows[:, 1] %= 2.0 * np.pi
        made.frames.append(np.column_stack((rows, np.full(len(rows), 10.0)))[rng.permutation(len(rows))])
        kick = rng.normal(size=(bodies, 3)) * TRACKING.acceleration * np.sqrt(0.1)
        place, speed = place + 0.1 * speed + 0.05 * kick, speed + kick
    return made


def stamp(number: int) -> datetime.datetime:
    return START + datetime.timedelta(seconds=number / RADAR.rate)


def ours(run: Run) -> tuple[set[Track], list[float]]:
    """Confirmed tracks in Stone Soup's form, and CPU seconds of each frame."""
    tracker, tracks, cpu = Tracker(RADAR, TRACKING), {}, []
    for number, rows in enumerate(run.frames):
        begun = time.process_time()
        picture = tracker.update(number / RADAR.rate, rows, AT_ORIGIN)
        cpu.append(time.process_time() - begun)
        for row in np.flatnonzero(np.isin(picture.status, (Status.TRACKED, Status.COASTING))):
            vector = picture.state[row][[0, 3, 1, 4, 2, 5]]
            state = State(vector.reshape(6, 1), timestamp=stamp(number))
            tracks.setdefault(int(picture.number[row]), Track(id=str(picture.number[row]))).append(state)
    return set(tracks.values()), cpu


def theirs(run: Run, *, jpda: bool = False, neighbours: int | None = None) -> tuple[set[Track], list[float]]:
    """The same by Stone Soup."""
    axis = ConstantVelocity(TRACKING.acceleration**2)
    motion = CombinedLinearGaussianTransitionModel([axis, axis, axis])
    sensor = CartesianToElevationBearingRangeRate(
        ndim_state=6, mapping=PLACES, velocity_mapping=SPEEDS, noise_covar=np.diag(SIGMAS[[2, 1, 0, 3]] ** 2)
    )
    predictor, updater = ExtendedKalmanPredictor(motion), ExtendedKalmanUpdater(sensor)
    near = DistanceHypothesiser(predictor, updater, Mahalanobis(), missed_distance=GATE)
    nearest = DetectionKDTreeGNN2D(near, predictor, updater, number_of_neighbours=neighbours)
    prior = GaussianState(np.zeros((6, 1)), np.diag([1.0, TRACKING.speed**2] * 3), timestamp=START)
    initiator = NoHistoryMultiMeasurementInitiator(
        prior, UpdateTimeStepsDeleter(2), nearest, updater, sensor, min_points=TRACKING.confirm_hits
    )
    options: dict[str, Any] = {"initiator": initiator, "deleter": UpdateTimeStepsDeleter(49), "updater": updater}
    if jpda:
        volume = 2.0 * np.pi * 1.6 * 1500.0 * 24.0
        weigher = PDAHypothesiser(predictor, updater, RADAR.clutter / volume, RADAR.detection, TRACKING.gate)
        tracker = MultiTargetMixtureTracker(detector=None, data_associator=JPDAwithEHM2(weigher), **options)
    else:
        tracker = MultiTargetTracker(detector=None, data_associator=nearest, **options)
    feed = detections(run, sensor)
    tracker.detector = feed
    tracker.detector_iter = feed
    tracks: dict[str, Track] = {}
    cpu = []
    for number in range(len(run.frames)):
        begun = time.process_time()
        _, current = tracker.update_tracker(*next(feed)) if hasattr(tracker, "update_tracker") else next(tracker)
        cpu.append(time.process_time() - begun)
        for one in current:
            state = State(np.asarray(one.state.mean, dtype=float).reshape(6, 1), timestamp=stamp(number))
            tracks.setdefault(one.id, Track(id=one.id)).append(state)
    return set(tracks.values()), cpu


def detections(
    run: Run, sensor: CartesianToElevationBearingRangeRate
) -> Iterator[tuple[datetime.datetime, set[Detection]]]:
    """Frames in Stone Soup's form: elevation, bearing counter-clockwise from x, range, range rate."""
    for number, rows in enumerate(run.frames):
        turned = (np.pi / 2.0 - rows[:, 1] + np.pi) % (2.0 * np.pi) - np.pi
        made = np.column_stack((rows[:, 2], turned, rows[:, 0], rows[:, 3]))
        at = stamp(number)
        yield at, {Detection(one.reshape(4, 1), timestamp=at, measurement_model=sensor) for one in made}


def judge(run: Run, tracks: set[Track]) -> dict[str, float]:
    """Mean GOSPA over the frames and SIAP of the whole run, by Stone Soup."""
    truths = set()
    for body in range(len(run.truth[0])):
        path = GroundTruthPath(id=f"truth {body}")
        for number, states in enumerate(run.truth):
            path.append(GroundTruthState(states[body][[0, 3, 1, 4, 2, 5]].reshape(6, 1), timestamp=stamp(number)))
        truths.add(path)
    gospa = GOSPAMetric(
        p=2, c=CUTOFF, switching_penalty=CUTOFF / 2.0, measure=Euclidean(PLACES), generator_name="gospa"
    )
    siap = SIAPMetrics(position_measure=Euclidean(PLACES), velocity_measure=Euclidean(SPEEDS), generator_name="siap")
    manager = MultiManager([gospa, siap], TrackToTruth(association_threshold=CUTOFF, measure=Euclidean(PLACES)))
    manager.add_data({"groundtruth_paths": truths, "tracks": tracks})
    found = manager.generate_metrics()
    values = [one.value for one in found["gospa"]["GOSPA Metrics"].value]
    names = {"completeness": "SIAP Completeness", "ambiguity": "SIAP Ambiguity", "spuriousness": "SIAP Spuriousness"}
    result = {name: float(found["siap"][title].value) for name, title in names.items()}
    switching = float(np.mean([value["switching"] for value in values]))
    return {"gospa": float(np.mean([value["distance"] for value in values])), "switching": switching} | result


def quality(arguments: argparse.Namespace) -> None:
    methods: dict[str, Any] = {"QIKI": ours, "Stone Soup GNN2D": theirs}
    if arguments.jpda:
        methods["Stone Soup JPDAwithEHM2"] = lambda run: theirs(run, jpda=True)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in methods}
    for seed in range(arguments.seeds):
        run = make(seed, arguments.bodies, arguments.frames)
        for name, method in methods.items():
            found[name].append(judge(run, method(run)[0]))
        shown = ", ".join(f"{name} {rows[-1]['gospa']:.2f} m" for name, rows in found.items())
        print(f"  seed {seed}: GOSPA {shown}", file=sys.stderr)
    print(f"{'':26}" + "".join(f"{name:>14}" for name in found["QIKI"][0]))
    for name, rows in found.items():
        print(f"{name:26}" + "".join(f"{np.mean([row[key] for row in rows]):14.4f}" for key in rows[0]))
    for name, rows in found.items():
        if name == "QIKI":
            continue
        apart = np.array([a["gospa"] - b["gospa"] for a, b in zip(found["QIKI"], rows, strict=True)])
        spread = 1.96 * apart.std(ddof=1) / np.sqrt(len(apart))
        verdict = "not worse" if apart.mean() - spread <= 0.0 else "worse"
        print(f"GOSPA of QIKI less that of {name}: {apart.mean():+.3f} ± {spread:.3f} m (95 %): {verdict}")


def speed(arguments: argparse.Namespace) -> None:
    """CPU time of a frame of 200 detections, turns of both in the same run."""
    frames = 12 if arguments.quick else 40
    run = make(1, 217, frames)
    own = [cost for _ in range(3) for cost in ours(run)[1][5:]]
    print(f"detections per frame {np.mean([len(rows) for rows in run.frames]):.0f}")
    print(f"{'QIKI':34} p50 {1e3 * np.median(own):8.1f} ms  p99 {1e3 * np.percentile(own, 99):8.1f} ms of CPU")
    for name, options in (("Stone Soup GNN2D", {}), ("Stone Soup GNN2D, 20 neighbours", {"neighbours": 20})):
        cost = theirs(run, **options)[1][5:]
        ratio = np.median(cost) / np.median(own)
        print(f"{name:34} p50 {1e3 * np.median(cost):8.1f} ms  p99 {1e3 * np.percentile(cost, 99):8.1f} ms", end="")
        print(f"  {ratio:.0f} times")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--bodies", type=int, default=20)
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--jpda", action="store_true", help="JPDAwithEHM2 beside")
    parser.add_argument("--quick", action="store_true", help="4 seeds of 30 frames")
    parser.add_argument("--only", choices=("speed", "quality"))
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seeds, arguments.frames = 4, 30
    if arguments.only != "quality":
        speed(arguments)
    if arguments.only != "speed":
        quality(arguments)


if __name__ == "__main__":
    main()
