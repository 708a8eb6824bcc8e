"""Plots of the worst clips."""

import cv2
from lifting_samples import h36m_samples, measure, poses, sample
from matplotlib.axes import Axes

from mmhot.evaluation.pose_errors import mpjpe
from tools.test import draw_worst


def test_the_clip_of_largest_error_is_drawn(tmp_path, monkeypatch):
    metric, _ = measure([*h36m_samples(), sample(*poses())])
    titles = []
    monkeypatch.setattr(
        Axes, 'set_title', lambda axes, title: titles.append(title.split(':')[0])
    )
    draw_worst(metric.report, tmp_path / 'worst.png', 1)
    image = cv2.imread(str(tmp_path / 'worst.png'))
    assert image.shape[:2] == (300, 1200)
    assert image.std() > 10
    clips = metric.report.table('gt', 'clips')
    worst = max(clips, key=lambda clip: clips[clip]['MPJPE'])
    assert titles[0] == f'gt {worst}'
    (clip,) = [clip for clip in metric.report.clips if clip.clip == worst]
    frame = clip.frames[mpjpe(clip.pred, clip.target).argmax()]
    assert titles[1] == f'frame {frame}, front'
