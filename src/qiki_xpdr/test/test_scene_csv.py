"""Scenes of the spoofing benchmark as CSV: truth, detection, claim and verdict of each look."""

import csv
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[3] / "benchmarks" / "spoofing_csv.py"


def test_a_scene_is_exported_look_by_look():
    command = [sys.executable, str(PROGRAM), "offset 10 sigma", "--seed", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert len(rows) == 600
    for row in rows:
        late = float(row["since_onset_s"])
        assert None not in row.values()
        assert row["verdict"] == "TRUSTED" or late > 0.0
        # The friend's claim is as exact as configured, the attacker's is not.
        error = abs(float(row["claimed_x_m"]) - float(row["true_x_m"]))
        assert error < 1.0 or late > 0.0
    assert {row["verdict"] for row in rows if float(row["since_onset_s"]) > 2.0} == {"SPOOF"}
    assert 0.0 < sum(row["range_m"] == "" for row in rows) / len(rows) < 0.25, "looks without a return"
