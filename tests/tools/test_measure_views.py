"""Triangulated keypoints of calibrated cameras."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mmhot.datasets.transforms.virtual_camera import project
from tools.analysis.measure_views import View, read_calibration, triangulate

CAMERA = """<calibration><cameras><camera>
<transform x="1000" y="-2000" z="1500" {rotation}/>
<intrinsic focalLengthU="64000" focalLengthV="64640" centerPointU="32000"
  centerPointV="25600"/></camera></cameras></calibration>"""


def looking_at_the_origin(position):
    """Return a camera that sees the origin in the middle of its image."""
    away = -np.array(position) / np.linalg.norm(position)
    right = np.cross(away, [0, 0, 1])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(away, right), away])
    matrix = np.array([[1000.0, 0, 500], [0, 1010, 400], [0, 0, 1]])
    return View(matrix, rotation, np.array(position))


def test_projected_points_are_found():
    views = [looking_at_the_origin(place) for place in ([4.0, 0, 1], [0, 4, 2])]
    assert all(np.linalg.det(view.rotation) > 0.999 for view in views)
    joints = np.random.default_rng(0).uniform(-1, 1, (3, 17, 3))
    np.testing.assert_allclose(
        project(np.zeros(3), views[0].camera)[0], [500, 400], atol=1e-9
    )
    # up in the world is up in the image
    assert project(np.array([0, 0, 0.5]), views[0].camera)[0][1] < 400
    keypoints = np.stack([project(joints, view.camera)[0] for view in views], 1)
    np.testing.assert_allclose(triangulate(keypoints, views), joints, atol=1e-8)


def test_calibration_is_read(tmp_path):
    path = tmp_path / 'a.qca.txt'
    turn = Rotation.from_euler('xyz', [0.3, 0.2, 0.1]).as_matrix()
    cells = ((f'r{row + 1}{col + 1}', turn[row, col]) for row, col in np.ndindex(3, 3))
    path.write_text(CAMERA.format(rotation=' '.join(f'{k}="{v}"' for k, v in cells)))
    [view] = read_calibration(path)
    np.testing.assert_allclose(view.position, [1, -2, 1.5])
    np.testing.assert_allclose(view.matrix, [[1000, 0, 500], [0, 1010, 400], [0, 0, 1]])
    np.testing.assert_allclose(view.rotation, np.diag([1, -1, -1]) @ turn)
    lens = view.lens
    assert lens.focal == (1000, 1010)
    assert lens.center == (500, 400)


@pytest.mark.parametrize('content', ['', '<a><camera/></a>', 'text'])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / 'a.qca.txt'
    path.write_text(content)
    with pytest.raises(ValueError, match='a.qca.txt is no calibration of Qualisys'):
        read_calibration(path)
