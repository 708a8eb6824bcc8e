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


def test_known_errors_are_printed_and_on_the_page(tmp_path, run_tool, capfd):
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
    page = (tmp_path / 'index.html').read_text()
    for row in rows:
        assert ''.join(f'<td>{cell}</td>' for cell in row) in page


def test_page_shows_results_then_commands_then_errors(tmp_path):
    write_results(tmp_path)
    page = demo.write_page(tmp_path, [('clip', 'MPJPE, mm'), ('walk', '43.4')])
    assert re.findall('<h2>(.*)</h2>', page) == [
        'Results',
        'Now your own video',
        'Errors',
    ]
    assert page.index('<iframe src="dance.html"') < page.index('mmhot infer video.mp4')
    links = set(re.findall('href="(.*?)"', page))
    assert links == {
        f'{x}.{kind}' for x in demo.RENDERED for kind in ('npz', 'html', 'bvh')
    }


@pytest.mark.slow(reason='lifts the videos of make demo')
def test_shipped_models_have_the_published_errors(tmp_path):
    errors = {'walk': (4.2, 43.4), 'dance': (10.7, 65.3)}
    for name, expected in errors.items():
        video = demo.DEMO / f'{name}.mp4'
        clip = mmhot.infer(video, pose2d='gtpt-t', det_model='pose-verified', joints=24)
        clip.save(tmp_path / f'{name}.npz')
        found = demo.measure_clip(tmp_path, name)[2:4]
        assert [*map(float, found)] == pytest.approx(expected, rel=0.02)
