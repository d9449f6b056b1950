"""Files of the project."""

from pathlib import Path

VEHICLE = Path(__file__).resolve().parents[3] / "launch" / "config" / "vehicles" / "dodecahedron.yaml"
