"""``--no-video`` and ``--blur-heads``: what files show of the video."""

import json
import re
from base64 import b64decode

import av
import cv2
import drawn_walkers
import numpy as np
import pytest
from pose_sources import Estimator, infer, use_stand_ins
from rendered_clips import make_clip
from video_files import write_video

import mmhot
from mmhot.chain.frames.sources import FrameArrays
from mmhot.chain.pose2d.footage import ClipPeople, Footage
from mmhot.chain.visualization.heads import CoveredHeads, cover, heads_of
from mmhot.io.writers.export import VideoOptions
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.people import People

SIZE = (320, 240)
COCO = get_skeleton('coco-17')
HEAD = list(COCO.indices(COCO.groups['head']))
NOISE = np.random.default_rng(0).integers(0, 256, (*SIZE[::-1], 3), np.uint8)


def standing(x, y=60.0):
    """COCO keypoints of a person of 150 pixels, (17, 2), with the nose at (x, y)."""
    points = drawn_walkers.standing(0, 150).astype(float)
    return points - points[0] + [x, y]


def detail(image, points, side=5):
    """Mean difference of neighboring pixels around points."""
    found = []
    for x, y in np.round(points).astype(int):
        patch = image[max(y - side, 0) : y + side, max(x - side, 0) : x + side]
        found.append(np.abs(np.diff(patch.astype(float), axis=0)).mean())
    return np.array(found)


def people_of(points):
    boxes = np.stack([[*own.min(0), *own.max(0)] for own in points])
    count = len(points)
    return People(boxes, np.ones(count), np.stack(points), np.ones((count, 17)))


@pytest.fixture
def source():
    """Two people in 12 frames; the first is tracked, and not detected in 4 to 8."""
    frames = FrameArrays([NOISE] * 12, 10.0)
    first = [standing(60 + 4 * n) for n in range(12)]
    second = standing(230, 80)
    seen = [
        people_of([second] if 4 <= n <= 8 else [first[n], second]) for n in range(12)
    ]
    numbers = np.array([n for n in range(12) if not 4 <= n <= 8])
    points = np.stack([first[n] for n in numbers]).astype(np.float32)
    track = mmhot.Track2D(0, numbers, points, np.ones((len(numbers), 17)))
    return footage_of(frames, seen, [track]), first, second


# None of the people was lifted.
CLIP = make_clip(np.zeros((12, 17, 3)), np.full((12, 17, 2), np.nan), SIZE).take([])


def footage_of(frames, people, tracks):
    """A video whose people were found."""
    tracked = mmhot.Clip2D('people', 'coco-17', tracks, *SIZE, 10.0)
    return Footage(frames, ClipPeople(people, skeleton='coco-17'), tracked)


def test_all_heads_are_covered_also_between_detections(source):
    footage, first, second = source
    for frame in CoveredHeads(CLIP, footage):
        for points in (first[frame.index], second):
            assert detail(frame.image, points[HEAD]).max() < 15
            below = points[list(COCO.indices(['left_knee', 'right_knee']))]
            assert detail(frame.image, below).min() > 60
    assert detail(NOISE, second[HEAD]).min() > 60


def test_heads_have_the_size_of_a_head(source):
    footage, _, second = source
    for _, _, radius in heads_of(CLIP, footage)[5]:
        assert 13 < radius < 35  # the person has 150 pixels
    x, y, radius = heads_of(CLIP, footage)[0][1]
    top = second[0] - [0, 15]
    assert np.hypot(*(top - [x, y])) < radius


@pytest.mark.parametrize(
    'visible', ['head', 'shoulder|hip', 'shoulder', 'left_wrist|left_elbow']
)
def test_heads_are_covered_without_keypoints_of_the_face(source, visible):
    footage, _, second = source
    points = second.copy()
    names = re.compile(visible)
    missing = [not names.search(name) for name in COCO.joints]
    if visible == 'head':
        missing = [name not in COCO.groups['head'] for name in COCO.joints]
    points[missing] = np.nan
    footage = footage_of(footage.frames, [people_of([points])], [])
    [circle] = heads_of(CLIP, footage)[0]
    assert circle[2] > 0
    if visible in ('head', 'shoulder|hip'):
        away = np.linalg.norm(second[HEAD] - circle[:2], axis=-1)
        assert away.max() < circle[2]


def test_covers_stay_inside_the_image():
    for circle in ((-3, 5, 20), (316, 236, 20), (900, 5, 20), (50, 50, 0)):
        image = NOISE.copy()
        cover(image, np.array(circle, float))
        assert image.shape == NOISE.shape


def images_of(path):
    """The images of a file of results, BGR."""
    if path.suffix == '.mp4':
        with av.open(str(path)) as container:
            return [x.to_ndarray(format='bgr24') for x in container.decode(video=0)]
    if path.suffix == '.png':
        return [cv2.imread(str(path))]
    found = re.search(r'"images": ({.*?})', path.read_text())
    images = json.loads(found[1]).values()
    return [cv2.imdecode(np.frombuffer(b64decode(x), np.uint8), 1) for x in images]


class OnePerson:
    def __call__(self, images):
        box = np.array([[12, 4, 30, 44]], np.float32)
        return [(box, np.array([0.9])) for _ in images]


@pytest.mark.parametrize('way', ['plain', 'no_video', 'blur_heads'])
def test_files(monkeypatch, checkpoint, tmp_path, way):
    green = np.random.default_rng(0).integers(0, 256, (4, 48, 64, 3), np.uint8)
    green[..., [0, 2]] = 0  # no drawing has this color
    path = write_video(tmp_path / 'clip.mkv', green, codec='ffv1')
    use_stand_ins(monkeypatch, OnePerson(), Estimator())
    flag = {} if way == 'plain' else {way: True}
    options = dict(pose3d_weights=checkpoint, out_dir=tmp_path, formats='html,mp4')
    assert infer(path, **options, **flag) == 0
    page = images_of(tmp_path / 'clip.html')
    assert len(page) == (0 if way == 'no_video' else 4)
    drawn = images_of(tmp_path / 'clip.mp4')[0].astype(int)
    is_green = drawn[..., 1] > drawn[..., [0, 2]].max(-1) + 60
    assert (not is_green.any()) == (way == 'no_video')
    if way == 'blur_heads':
        nose = [[13, 8]]
        assert detail(page[0], nose, 3) < 0.5 * detail(green[0], nose, 3)


def test_options_that_cannot_act_are_refused():
    with pytest.raises(ValueError, match='^blur_heads needs the video, which no_video'):
        VideoOptions(no_video=True, blur_heads=True)
