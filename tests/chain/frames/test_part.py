"""Parts of videos and of files of keypoints, ``--start`` and ``--end``."""

from dataclasses import replace

import av
import cv2
import numpy as np
import pytest
from clip_files import SKATER
from paths import DATA
from pose_sources import Estimator, infer
from video_files import gray_image, write_video

import mmhot
from mmhot.chain.frames.files import ImageSequence, VideoFile
from mmhot.chain.frames.part import PartOptions, read_time, take_frames, take_part
from mmhot.chain.pose2d.estimation import VideoPoseEstimator


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp('part') / 'clip.mkv'
    images = [gray_image(number) for number in range(30)]
    return write_video(path, images, codec='ffv1')


def part_of(path, **options):
    return take_frames(VideoFile(path), PartOptions.read(options))


@pytest.mark.parametrize(
    ('text', 'seconds'),
    [(2, 2), ('90.5', 90.5), ('1:30', 90), ('0:01:30.5', 90.5), ('2:00:00', 7200)],
)
def test_times(text, seconds):
    assert read_time(text) == seconds


@pytest.mark.parametrize('text', ['1:75', '-1', 'nan', '1:2:3:4', 'a'])
def test_other_times_are_one_line(text):
    with pytest.raises(ValueError, match=r'^start must be seconds or \[h:\]m:s'):
        PartOptions.read({'start': text})


def test_frames_keep_their_numbers_and_times(video):
    part, whole = part_of(video, start=0.4, end=0.8), [*VideoFile(video)]
    for _ in range(2):  # it can be read again
        frames = [*part]
        assert [x.index for x in frames] == [*range(10, 20)]
        assert [x.time for x in frames] == [x.time for x in whole[10:20]]
        assert (frames[0].image == whole[10].image).all()
        assert [*frames[0].skipped] == [x.time for x in whole[:10]]
        assert not any(len(frame.skipped) for frame in frames[1:])
        assert part.ended is None


def test_frames_of_a_part_have_the_names_of_their_images(tmp_path):
    paths = [tmp_path / f'{number}.png' for number in range(6)]
    for number, path in enumerate(paths):
        cv2.imwrite(str(path), gray_image(number))
    paths[1].write_bytes(b'damaged')
    part = take_frames(ImageSequence(paths, 'a', fps=10), PartOptions(start=0.3))
    assert [part.names[x.index] for x in part] == ['3.png', '4.png', '5.png']


def test_number_of_frames_is_known():
    assert part_of(SKATER.with_name('walk.mp4'), start=2, end=5).num_frames == 75
    assert part_of(SKATER.with_name('walk.mp4'), start=5, end=99).num_frames == 11


def test_a_part_without_limits_is_the_whole(video):
    whole = VideoFile(video)
    assert take_frames(whole, PartOptions()) is whole


def test_a_range_outside_is_one_line(video, caplog):
    for start, end in ((3, {}), (3, {'end': 4}), (0.41, {'end': 0.43})):
        text = (
            r'clip.mkv: frames are from 0.00 to 1.16 s, none in the part that '
            f'begins at start, {start} s$'
        )
        with pytest.raises(ValueError, match=text):
            [*part_of(video, start=start, **end)]
    with pytest.raises(ValueError, match='^end must be after start, 2 s; got 1 s'):
        PartOptions(start=2, end=1)
    with pytest.raises(ValueError, match='npz: frames are from 0.00 to 7.36 s, none'):
        mmhot.lift(SKATER, start=9)
    assert len([*part_of(video, start=0.4, end=9)]) == 20


def test_keypoints_keep_their_numbers_and_times():
    whole = mmhot.read_keypoints(SKATER)
    [track] = take_part(whole, PartOptions.read({'start': 2, 'end': '0:05'})).tracks
    assert track.frames.tolist() == [*range(50, 125)]
    rows = whole.tracks[0].frames
    rows = (rows >= 50) & (rows < 125)
    np.testing.assert_array_equal(track.keypoints, whole.tracks[0].keypoints[rows])
    rounded = PartOptions.read({'start': 1.0667})  # of frame 32, as in files
    assert take_part(replace(whole, fps=30.0), rounded).tracks[0].frames[0] == 32


def test_people_are_estimated_in_the_part_alone(video, detector, tmp_path):
    part = part_of(video, start=0.4, end=0.8)
    models = VideoPoseEstimator(detector, Estimator())
    cache = tmp_path / 'cache.npz'
    for _ in range(2):
        people = models(part, cache)
        assert detector.calls == [*range(10, 20)]
        assert people.first == 10
        assert [len(x) for x in people.people] == [0] * 10 + [1] * 10
        np.testing.assert_allclose(people.times, np.arange(20) / 25)


def test_rows_are_those_of_the_whole(video, detector, checkpoint, tmp_path):
    options = dict(pose3d_weights=checkpoint, camera='static', cache=tmp_path)
    whole = mmhot.infer(video, **options)
    detector.calls.clear()
    part = mmhot.infer(video, start=0.4, end=0.8, **options)
    assert detector.calls == [*range(10, 20)]  # another range is another entry
    np.testing.assert_array_equal(part.frame, np.arange(10, 20))
    rows = (whole.frame >= 10) & (whole.frame < 20)
    np.testing.assert_allclose(part.seconds(part.frame), np.arange(10, 20) / 25)
    np.testing.assert_allclose(
        part.keypoints_2d, whole.keypoints_2d[rows], rtol=0, atol=1e-3
    )


def test_poses_differ_by_what_the_lifter_sees_around_them():
    """MPJPE of part and whole, in meters; docs/video.md has these limits."""
    with np.load(DATA / 'rendered_walk.npz') as data:
        clip = mmhot.Clip2D.from_arrays(data['h36m_2d'], (1280, 720), 25)
    clip = replace(clip, skeleton='h36m-17')
    whole, part = mmhot.lift(clip), mmhot.lift(clip, start=2, end=5)
    rows = (whole.frame >= 50) & (whole.frame < 125)
    error = np.linalg.norm(whole.keypoints_3d[rows] - part.keypoints_3d, axis=-1)
    assert error.mean() < 0.01
    assert error.mean(1).max() < 0.02


def test_files_show_the_part(video, detector, checkpoint, tmp_path):
    options = dict(pose3d_weights=checkpoint, out_dir=tmp_path, start=0.4, end='0:0.8')
    assert infer(video, formats='npz,mp4,html', **options) == 0
    assert (mmhot.read_lifted(tmp_path / 'clip.npz').frame == np.arange(10, 20)).all()
    with av.open(str(tmp_path / 'clip.mp4')) as container:
        times = [frame.time for frame in container.decode(video=0)]
    np.testing.assert_allclose(times, np.arange(10) / 25, atol=1e-3)


def test_the_command_names_its_options(video, detector, tmp_path, capsys):
    assert infer(video, start=3, out_dir=tmp_path) == 1
    assert 'in the part that begins at --start, 3 s\n' in capsys.readouterr().err
