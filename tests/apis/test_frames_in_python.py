"""Frames in memory and streams from Python: equal to files, refused in one line."""

import re
import time
from pathlib import Path

import numpy as np
import pytest
from video_files import gray_image, write_video

import mmhot
from mmhot.chain.formats import FORMATS, Format
from mmhot.chain.frames import streams
from mmhot.chain.frames.sources import Frame, FrameSource

IMAGES = [gray_image(number) for number in range(20)]
PAGE = Path(__file__).parents[2] / 'docs/streaming.md'


pytestmark = pytest.mark.usefixtures('detector')


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp('frames') / 'frames.mkv'
    return write_video(path, IMAGES, codec='ffv1')


@pytest.fixture(scope='module')
def options(checkpoint):
    return dict(pose3d_weights=checkpoint, fov=60)


def same(clip, other):
    for name in ('frame', 'track', 'keypoints_3d', 'keypoints_2d', 'root_3d'):
        np.testing.assert_array_equal(getattr(clip, name), getattr(other, name))
    np.testing.assert_array_equal(clip.seconds(clip.frame), other.seconds(other.frame))
    assert (clip.steps, clip.fps, clip.width) == (other.steps, other.fps, other.width)


def test_frames_are_lifted_as_their_file(video, options):
    expected = mmhot.infer(video, **options)
    for frames in (np.stack(IMAGES), IMAGES, (image for image in IMAGES)):
        same(mmhot.infer(frames, fps=25, **options), expected)
    part = dict(start=0.2, end=0.6)
    expected = mmhot.infer(video, **part, **options)
    same(mmhot.infer(iter(IMAGES), fps=25, **part, **options), expected)


def refilled():
    buffer = np.empty_like(IMAGES[0])
    for image in IMAGES:
        buffer[:] = image
        yield buffer
    buffer[:] = 0


def test_generators_may_refill_one_image(video, options, tmp_path, monkeypatch):
    expected = mmhot.infer(video, **options)
    same(mmhot.infer(refilled(), fps=25, **options), expected)
    streamed = [*mmhot.stream(refilled(), fps=25, **options)]
    for poses, image in zip(streamed, IMAGES, strict=True):
        np.testing.assert_array_equal(poses.frame.image, image)
    shown = []
    show = lambda clip, path, export: shown.extend(export.footage)  # noqa: E731
    monkeypatch.setitem(FORMATS, 'new', Format(show))
    expected.save(tmp_path / 'clip.new', video=refilled())
    np.testing.assert_array_equal([frame.image for frame in shown], IMAGES)


@pytest.mark.parametrize('lift', [mmhot.infer, mmhot.lift, mmhot.refine, mmhot.stream])
def test_words_of_files_and_of_several_videos(lift):
    for name in ('out_dir', 'formats', 'blur_heads'):
        with pytest.raises(
            TypeError, match=f"'{name}': files are written .* clip.save"
        ):
            lift('walk.mp4', **{name: 1})


@pytest.mark.parametrize('lift', [mmhot.infer, mmhot.stream])
def test_several_videos_need_several_calls(lift):
    with pytest.raises(
        ValueError, match='must be one path, got a list: call once for each'
    ):
        lift(['walk.mp4', Path('dance.mp4')])


@pytest.mark.parametrize('lift', [mmhot.infer, mmhot.stream])
def test_addresses_are_opened_before_models_load(lift, monkeypatch):
    monkeypatch.setattr('mmhot.chain.pose2d.pose_source.open_pose_source', None)
    with pytest.raises((ValueError, ConnectionError), match='is not a readable video'):
        lift('http://127.0.0.1:9/x')


def test_one_image_needs_no_rate(options):
    assert mmhot.infer(IMAGES[0], **options).frame.tolist() == [0]


def test_frames_are_never_cached(detector, options, work_folder):
    (work_folder / 'frames').mkdir()  # what clips in memory are called
    for _ in range(2):
        detector.calls.clear()
        mmhot.infer(IMAGES, fps=25, cache=work_folder, **options)
        assert len(detector.calls) == 20


@pytest.mark.parametrize(
    ('frames', 'message'),
    [
        (np.zeros((4, 8, 8, 3), np.float32), r'uint8 \(H, W, 3\), got float32'),
        (np.zeros((4, 8, 8), np.uint8), r'got uint8 \(4, 8, 8\)'),
        ([gray_image(), gray_image()[..., 0]], 'frame 1 must be BGR, uint8'),
        ([np.zeros((8, 0, 3), np.uint8)], r'got uint8 \(8, 0, 3\)'),
        ([], 'has no frames'),
        (5, 'source must be a path, an address, or images, got'),
    ],
    ids=['float', 'gray', 'one gray', 'no width', 'none', 'number'],
)
def test_other_frames_are_one_line(options, frames, message):
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        mmhot.infer(frames, fps=25, **options)
    assert '\n' not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_rate_must_be_given(options):
    for lift in (mmhot.infer, mmhot.stream):
        with pytest.raises(ValueError, match='^fps must be given with frames'):
            lift(IMAGES, **options)


def test_stream_of_images_is_that_of_the_file(video, options):
    found = [*mmhot.stream(video, **options)]
    assert [poses.frame.index for poses in found] == [*range(20)]
    np.testing.assert_allclose([poses.time for poses in found], np.arange(20) / 25)
    assert sum(len(poses.people) for poses in found) > 10
    assert len(repr(found[5].frame)) < 50  # without the image
    for frames in (IMAGES, iter(IMAGES)):
        others = [*mmhot.stream(frames, fps=25, **options)]
        assert len(others) == 20
        for poses, expected in zip(others, found, strict=True):
            assert (poses.frame.image == expected.frame.image).all()
            for person, other in zip(poses.people, expected.people, strict=True):
                np.testing.assert_array_equal(person.keypoints_3d, other.keypoints_3d)
    assert len([*mmhot.stream(IMAGES, fps=25, duration=0.4, **options)]) == 10


class Camera(FrameSource):
    """A webcam that is unplugged after some frames."""

    finite = False

    def __iter__(self):
        for index, image in enumerate(IMAGES):
            time.sleep(0.05)
            yield Frame(index, index / 25, image)


def test_the_pages_loop_runs_with_a_camera(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(
        streams, 'open_stream', lambda text: asked.append(text) or CAMERA
    )
    code = re.search(r'```python\n(import mmhot.*?)```', PAGE.read_text(), re.DOTALL)
    assert code[1].count('import') == 1
    assert len(code[1].splitlines()) <= 5
    with pytest.raises(ConnectionError, match='webcam: lost for 0 s, given up'):
        exec(code[1].replace('stream(0', 'stream(0, reconnect=0'), {})
    lines = capsys.readouterr().out.splitlines()
    assert asked == ['0']
    assert '(17, 3)' in lines[-1]


CAMERA = Camera('webcam', Path('webcam'), 25.0)
