"""Step ``people``: choices by word and track ID."""

import numpy as np
import pytest
from pose_sources import Estimator, infer, use_stand_ins
from video_files import write_video

import mmhot
from mmhot.chain.keypoints.people import ChoosePeople

SIZE = (640, 480)


def person(height, first=0, count=20, track=0):
    """A standing person of some height in pixels."""
    points = np.zeros((count, 17, 2), np.float32)
    points[..., 1] = 100 + np.linspace(0, height, 17)
    points[..., 0] = 200 + 5 * np.arange(17) + np.arange(count)[:, None]
    frames = np.arange(first, first + count)
    return mmhot.Track2D(track, frames, points, np.ones((count, 17), np.float32))


@pytest.fixture
def clip():
    tracks = [person(100), person(300, 5, 10, 1), person(200, 0, 19, 4)]
    tracks.append(person(330, 3, 3, 7))  # large, but only for three frames
    return mmhot.Clip2D('group', 'coco-17', tracks, *SIZE, 10.0)


@pytest.mark.parametrize(
    ('people', 'ids'),
    [
        ('all', [0, 1, 4, 7]),
        ('largest', [1]),
        ('4', [4]),
        ('4,0', [0, 4]),
        (7, [7]),
        ([1, 7, 1], [1, 7]),
    ],
)
def test_choices(clip, people, ids):
    chosen = ChoosePeople.read({'people': people})(clip)
    assert [each.track for each in chosen.tracks] == ids


@pytest.mark.parametrize('people', ['first', '1;2', '-1', '1.5', ''])
def test_other_choices_are_one_line(people):
    with pytest.raises(ValueError, match='^people must be all, largest, or'):
        ChoosePeople.read({'people': people})


def test_unknown_ids_are_one_line(clip):
    with pytest.raises(ValueError, match=r'IDs 0, 1, 4, 7 of group, got 2$'):
        ChoosePeople(people=(0, 2))(clip)


class TwoPeople:
    """Detects a small person who stands still, and one who walks."""

    def __init__(self):
        self.calls = 0

    def __call__(self, images):
        self.calls += len(images)
        boxes = np.array([[2, 4, 12, 24], [30, 6, 52, 46]], np.float32)
        return [(boxes, np.array([0.9, 0.9])) for _ in images]


def test_choosing_afterwards_uses_the_cache(monkeypatch, checkpoint, tmp_path, capsys):
    video = write_video(tmp_path / 'two.mkv', codec='ffv1')
    detector = TwoPeople()
    use_stand_ins(monkeypatch, detector, Estimator())
    options = dict(pose3d_weights=checkpoint, out_dir=tmp_path, formats='npz')
    assert infer(video, **options) == 0
    printed = capsys.readouterr()
    lines = (printed.out + printed.err).splitlines()
    [header] = [line for line in lines if line.startswith('person 0')]
    assert header.endswith('(two: --people ID or largest, --height in meters)')
    assert not [line for line in lines if r'\n' in line]  # an escaped line break
    both, calls = mmhot.read_lifted(tmp_path / 'two.npz'), detector.calls
    assert infer(video, people=1, **options) == 0
    assert detector.calls == calls
    one = mmhot.read_lifted(tmp_path / 'two.npz')
    assert set(one.track) == {1}
    assert set(both.track) == {0, 1}
    rows = both.track == 1
    np.testing.assert_array_equal(one.keypoints_2d, both.keypoints_2d[rows])


def test_largest_of_files_without_ids_is_that_of_each_frame(tmp_path):
    points = np.stack([person(100).keypoints, person(300).keypoints], 1)
    columns = dict(keypoints=points.reshape(-1, 17, 2), frame=np.repeat(range(20), 2))
    size = dict(width=SIZE[0], height=SIZE[1], fps=10)
    np.savez(tmp_path / 'a.npz', **columns, **size)
    np.savez(tmp_path / 'b.npz', **columns, **size, track=[3, 5] * 20)
    for options in (dict(people='largest'), dict(single='largest')):
        clip = mmhot.lift(tmp_path / 'a.npz', **options)
        assert set(clip.track) == {0}
        assert np.ptp(clip.keypoints_2d[0, :, 1]) > 200
    assert set(mmhot.lift(tmp_path / 'b.npz', people='largest').track) == {5}
