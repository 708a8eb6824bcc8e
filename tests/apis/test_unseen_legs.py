"""Legs that no image shows are missing in 2D, faded in 3D and left out of .c3d."""

import numpy as np
import pytest
from paths import DATA

from mmhot.chain.visualization.fading import doubts
from mmhot.cli.dispatch import main
from mmhot.io.lifted import read_lifted
from mmhot.skeletons.joints import get_skeleton

ezc3d = pytest.importorskip('ezc3d')
PEOPLE = DATA / 'people_at_tables.npz'
# keypoints of COCO and joints of Human3.6M, in the same order
COCO = ('shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle')
H36M = ('shoulder', 'elbow', 'wrist', 'hip', 'knee', 'foot')
LEGS, KNEES = slice(6, None), slice(8, None)


def both_sides(skeleton, parts):
    names = [f'{side}_{part}' for part in parts for side in ('left', 'right')]
    return get_skeleton(skeleton).indices(names)


@pytest.fixture(scope='module')
def lifted(tmp_path_factory):
    """Run ``mmhot infer``; return folder, clips and visibility (20, 12)."""
    folder, data = tmp_path_factory.mktemp('tables'), np.load(PEOPLE)
    images = np.split(data['images'], data['offsets'][1:-1])
    paths = [folder / f'{index:02}.jpg' for index in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        path.write_bytes(image.tobytes())
    options = '--pose2d gtpt-t --det-model whole_image --device cpu --formats npz,c3d'
    options = [*options.split(), f'--out-dir={folder}']
    assert main(['infer', *map(str, paths), *options]) == 0
    clips = [read_lifted(path.with_suffix('.npz')) for path in paths]
    return folder, clips, data['visibility'][:, both_sides('coco-17', COCO)]


def test_unseen_legs_are_missing_and_seen_joints_are_not(lifted):
    _, clips, visibility = lifted
    found = np.array([x.scores[0, both_sides('h36m-17', H36M)] > 0 for x in clips])
    assert found[visibility == 2].mean() > 0.95
    unseen = visibility < 2
    assert found[:, KNEES][unseen[:, KNEES]].mean() < 0.05
    # hips just beyond the border are the most difficult
    outside = visibility == 0
    assert found[:, LEGS][outside[:, LEGS]].mean() < 0.1


def test_missing_joints_are_faded_and_left_out(lifted):
    folder, clips, _ = lifted
    for index, clip in enumerate(clips):
        missing = clip.keypoint_scores_3d[0] == 0
        assert (doubts(clip, slice(None))[0, missing] == 1).all()
        points = ezc3d.c3d(str(folder / f'{index:02}.c3d'))['data']['points']
        np.testing.assert_array_equal(np.isnan(points[0, :, 0]), missing)
