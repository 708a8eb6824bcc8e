"""Videos of turning cameras, and errors of their paths."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from mmhot.io.arrays import load_arrays
from mmhot.video.inputs import open_inputs
from mmhot.visualization.video import write_video
from tools.lab.demo_inputs import DEMO
from tools.lab.measure_camera_path import compare, turn_video

FRAMES = 12


@pytest.fixture(scope='module')
def turned(tmp_path_factory):
    """A white disc at the root's pixel in every tenth frame of a clip, turned."""
    folder = tmp_path_factory.mktemp('turned')
    arrays = load_arrays(DEMO / 'walk.npz')
    labels = {x: y[::10][:FRAMES] if np.ndim(y) == 3 else y for x, y in arrays.items()}
    labels['K'] = arrays['K']
    np.savez(folder / 'a.npz', **labels)
    rows, columns = np.mgrid[:720, :1280]
    frames = []
    for number, (x, y) in enumerate(labels['h36m_2d'][:, 0]):
        disc = np.hypot(columns - x, rows - y) < 8
        frames.append(
            (np.repeat(np.uint8(255 * disc)[..., None], 3, axis=2), number / 25)
        )
    write_video(folder / 'a.mp4', frames, 25)
    return folder / 'b.mp4', turn_video(folder / 'a.mp4', folder / 'b.mp4')


def test_labels_are_those_of_the_turned_camera(turned):
    _, (truth, rotations, zooms) = turned
    assert len(truth.root) == FRAMES
    assert (rotations[0].magnitude(), zooms[0]) == (0, 1)
    assert np.degrees(rotations[-1].magnitude()) == pytest.approx(1.27, abs=0.02)
    assert zooms[-1] == pytest.approx(1 + 0.25 * np.sin(11 / 30) / 1.25, abs=1e-6)
    places = truth.poses + truth.root[:, None]
    seen = np.stack([rotations[i].inv().apply(each) for i, each in enumerate(places)])
    focal = truth.lens.focal[0] * zooms[:, None, None]
    pixels = seen[..., :2] / seen[..., 2:] * focal + truth.lens.center
    assert_allclose(pixels, truth.pixels, atol=0.1)


def test_images_are_those_of_the_turned_camera(turned):
    video, (truth, _, _) = turned
    [source] = open_inputs([str(video)])
    images = [frame.image[..., 1].astype(float) for frame in source]
    assert images[0].shape == (540, 960)
    rows, columns = np.mgrid[:540, :960]
    for image, pixel in zip(images, truth.pixels[:, 0], strict=True):
        weights = np.where(image > 100, image, 0)
        center = [(axis * weights).sum() / weights.sum() for axis in (columns, rows)]
        assert_allclose(center, pixel, atol=0.5)


def test_errors_of_a_path():
    rotations = Rotation.from_rotvec(np.radians([[0, 4 * i, 0] for i in range(4)]))
    errors = Rotation.from_rotvec(np.radians([[x, 0, 0] for x in (0, 0.1, 0.2, 0.1)]))
    zooms = np.array([1, 1.1, 1.2, 1.5])
    found = np.c_[(rotations * errors).as_rotvec(), zooms * [1, 1, 1.02, 0.99]]
    assert_allclose(compare(found, rotations, zooms), [12, 0.1, 0.2, 0.02], atol=1e-9)
