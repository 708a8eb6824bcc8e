"""Page and errors of ``make demo``."""

import re

import numpy as np
import pytest
from rendered_clips import rendered

import mmhot
from tools import demo


def write_results(folder, error=0.0):
    for name in demo.RENDERED:
        clip = rendered(name)
        clip.keypoints_3d[:, 16, 2] += np.float32(error)
        clip.keypoints_2d = clip.keypoints_2d + np.float32([3, 4])
        for kind in ('npz', 'html', 'bvh'):
            clip.save(folder / f'{name}.{kind}')


def test_known_errors_are_measured(tmp_path, run_tool):
    write_results(tmp_path, error=0.17)
    rows = [demo.measure_clip(tmp_path, name) for name in demo.RENDERED]
    # one of 17 joints is 170 mm away, all keypoints 5 pixels
    assert [row[:4] for row in rows] == [
        ('walk', '136', '5.0', '10.0'),
        ('dance', '188', '5.0', '10.0'),
    ]
    # least squares rotate the whole pose
    assert all(0 < float(row[4]) < 40 for row in rows)
    assert run_tool('demo', tmp_path) == (0, '')
    assert (tmp_path / 'index.html').is_file()


def test_page_shows_a_player_then_the_command_then_files(tmp_path):
    write_results(tmp_path)
    page = demo.write_page(tmp_path)
    assert page.index('<iframe src="dance.html"') < page.index('mmhot infer video.mp4')
    links = set(re.findall('href="(.*?)"', page))
    assert links == {
        f'{x}.{kind}' for x in demo.RENDERED for kind in ('npz', 'html', 'bvh')
    }


@pytest.mark.slow(reason='lifts the videos of make demo')
def test_shipped_models_have_the_published_errors(tmp_path):
    errors = {'walk': (4.2, 44.5), 'dance': (10.7, 64.9)}
    for name, expected in errors.items():
        video = demo.DEMO / f'{name}.mp4'
        clip = mmhot.infer(video, pose2d='gtpt-t', det_model='pose-verified', joints=24)
        clip.save(tmp_path / f'{name}.npz')
        found = demo.measure_clip(tmp_path, name)[2:4]
        assert [*map(float, found)] == pytest.approx(expected, rel=0.02)
