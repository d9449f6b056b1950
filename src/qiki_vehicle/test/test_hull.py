"""The hull."""

import numpy as np
import pytest

from qiki_vehicle.hull import dodecahedron_vertices


@pytest.mark.parametrize("radius", [1.267, 2.0])
def test_dodecahedron_is_regular(radius):
    vertices = dodecahedron_vertices(radius)
    assert vertices.shape == (20, 3)
    assert np.linalg.norm(vertices, axis=1) == pytest.approx(radius)
    distances = np.sort(np.linalg.norm(vertices[:, None] - vertices[None], axis=2), axis=1)
    edge = 4 * radius / (np.sqrt(3) * (1 + np.sqrt(5)))
    assert distances[:, 1:4] == pytest.approx(edge)
    assert (distances[:, 4] > 1.1 * edge).all()
