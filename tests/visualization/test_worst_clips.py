"""Plots of the worst clips."""

import cv2
from lifting_samples import h36m_samples, measure, poses, sample
from matplotlib.axes import Axes

from mmhot.visualization.worst_clips import draw_worst


def test_worst_clips_are_drawn_by_falling_error(tmp_path, monkeypatch):
    metric, _ = measure([*h36m_samples(), sample(*poses())])
    titles = []
    monkeypatch.setattr(
        Axes, 'set_title', lambda axes, title: titles.append(title.split(':')[0])
    )
    draw_worst(metric.report, tmp_path / 'worst.png', 2)
    image = cv2.imread(str(tmp_path / 'worst.png'))
    assert image.shape[:2] == (600, 1200)
    assert image.std() > 10
    clips = metric.report.table('gt', 'clips')
    worst = sorted(clips, key=lambda clip: -clips[clip]['MPJPE'])[:2]
    assert titles[::3] == [f'gt {clip}' for clip in worst]
    columns = metric.report.frame_errors()
    of_clip = columns['clip'] == worst[0]
    frame = columns['frame'][of_clip][columns['MPJPE'][of_clip].argmax()]
    assert titles[1] == f'frame {frame}, front'
