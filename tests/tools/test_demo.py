"""Page and errors of ``make demo``."""

import re

import numpy as np
import pytest
from rendered_clips import rendered

import mmhot
from mmhot.chain.visualization.html import VIDEO_ERROR
from tools import demo
from tools.analysis.measure_lifted import measure
from tools.analysis.motions import GroundTruth


def test_known_errors_are_measured(tmp_path, run_tool):
    for name in demo.RENDERED:
        clip = rendered(name)
        clip.keypoints_3d[:, 16, 2] += np.float32(0.17)
        clip.keypoints_2d = clip.keypoints_2d + np.float32([3, 4])
        for kind in ('npz', 'html', 'bvh'):
            clip.save(tmp_path / f'{name}.{kind}')
    rows = [demo.measure_clip(tmp_path, name) for name in demo.RENDERED]
    # one of 17 joints is 170 mm away, all keypoints 5 pixels
    assert [row[:4] for row in rows] == [
        ('walk', '136', '5.0', '10.0'),
        ('dance', '188', '5.0', '10.0'),
    ]
    # least squares rotate the whole pose
    assert all(0 < float(row[4]) < 40 for row in rows)
    run_tool('demo', tmp_path)
    assert (tmp_path / 'index.html').is_file()


def largest_turn(clip):
    """Largest turn of a bone from one frame to the next, in degrees."""
    bones = clip.keypoints_3d[:, 1:] - clip.keypoints_3d[:, clip.parents[1:]]
    bones /= np.linalg.norm(bones, axis=-1, keepdims=True)
    return np.degrees(np.arccos((bones[1:] * bones[:-1]).sum(-1).clip(-1, 1))).max()


@pytest.mark.slow(reason='lifts the videos of make demo')
def test_shipped_models_have_the_errors_of_the_page(tmp_path):
    """docs/video.md has 2D errors and MPJPE of both clips in the row of the default."""
    page = (demo.DEMO.parent / 'docs/video.md').read_text()
    (row,) = re.findall(r'^\| `default` \| .* s \|(.*)$', page, re.MULTILINE)
    pixels, mpjpe, *of_dance = map(float, re.findall(r'([\d.]+) (?:px|mm)', row))
    errors, ratios = {'walk': (pixels, mpjpe), 'dance': of_dance}, []
    for name, expected in errors.items():
        video = demo.DEMO / f'{name}.mp4'
        clip = mmhot.infer(video, pose2d='gtpt-t', det_model='pose-verified', joints=24)
        clip.save(tmp_path / f'{name}.npz')
        lifted = clip.first_joints(17)
        assert largest_turn(lifted) < 25  # degrees; limbs cannot flip
        row = measure(lifted, GroundTruth.read(demo.DEMO / f'{name}.npz'))
        ratios.append(row['MPJPE'] / (1000 * lifted.expected_error.mean()))
        found = demo.measure_clip(tmp_path, name)[2:4]
        assert [*map(float, found)] == pytest.approx([*expected], rel=0.02)
    assert sum(ratios) / 2 == pytest.approx(VIDEO_ERROR, rel=0.05)
