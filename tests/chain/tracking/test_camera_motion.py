"""Background points, and the rotation and zoom of cameras in synthetic videos."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from rendered_clips import DATA
from scipy.spatial.transform import Rotation
from steps import plan_of

from mmhot.chain.frames.sources import Frame, FrameSource
from mmhot.chain.keypoints.camera import StabilizeCamera
from mmhot.chain.keypoints.camera_path import (
    choose_path,
    describe_path,
    find_lens,
    shows_static,
    solve_camera_path,
    static_path,
)
from mmhot.chain.keypoints.lens import SetLens
from mmhot.chain.lifting.lifter import Lifter
from mmhot.chain.pipelines import VIDEO
from mmhot.chain.pose2d.estimate import EstimatePoses
from mmhot.chain.pose2d.estimation import show_again
from mmhot.chain.pose2d.footage import ClipPeople, Footage
from mmhot.chain.poses.camera import RestoreCamera, stable_keypoints
from mmhot.chain.poses.foot_lock import LockFeet
from mmhot.chain.run import Runner
from mmhot.chain.tracking.background import NUM_POINTS, BackgroundTracker
from mmhot.structures.clips_2d import Clip2D, Track2D
from mmhot.structures.lens import Lens
from mmhot.structures.people import People

SIZE, FOCAL, COUNT = (480, 270), 520.0, 40
CENTER = np.array(SIZE) / 2
TIMES = np.arange(COUNT) / COUNT


@cache
def wall_of(seed):
    return texture(np.random.default_rng(seed))


def texture(rng, side=1800):
    """Smooth noise of several scales, (S, S) uint8."""
    total = np.zeros((side, side), np.float32)
    for scale in (6, 24, 90):
        small = rng.normal(0, 1, (side // scale + 1,) * 2).astype(np.float32)
        total += cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)
    total -= total.min()
    return (total / total.max() * 255).astype(np.uint8)


def turns():
    """A pan of 24 degrees and back, with some tilt and roll, and a zoom of 1.4."""
    angles = np.sin(np.pi * np.outer(TIMES, [1, 2, 1])) * [24, 5, 2]
    rotations = Rotation.from_euler('yxz', angles, degrees=True)
    return rotations, 1 + 0.4 * TIMES


def panorama_video(rotations, zooms, seed=0):
    """Frames of a wall as a turning camera sees it, with a person who passes by."""
    rng = np.random.default_rng(seed)
    wall = texture(rng)
    # the wall spans 3.2 units at a distance of 1
    to_wall = np.diag([len(wall) / 3.2] * 2 + [1.0])
    to_wall[:2, 2] = len(wall) / 2
    for index, (rotation, zoom) in enumerate(zip(rotations, zooms, strict=True)):
        lens = np.diag([FOCAL * zoom] * 2 + [1.0])
        lens[:2, 2] = CENTER
        turn = lens @ rotation.as_matrix().T @ np.linalg.inv(to_wall)
        image = cv2.warpPerspective(wall, turn, SIZE)
        image = np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)
        left, right = 100 + 2 * index, 180 + 2 * index
        image[60:240, left:right] = rng.integers(0, 255, (180, 80))
        box = np.array([[left, 60, right, 240]], np.float32)
        yield np.repeat(image[..., None], 3, 2), box


@cache
def panned_video():
    return list(panorama_video(*turns()))


def walking_video(places):
    """Frames of three walls one behind the other, from places (to the side, ahead)."""
    openings = np.zeros((2, 1800, 1800), np.uint8)
    openings[0, :, 300:700] = openings[0, :, 1000:1250] = 255
    openings[1, 1000:] = openings[1, :, 800:900] = 255
    walls = [wall_of(seed) for seed in range(3)]
    for place in places:
        images = []
        for wall, depth in zip([*walls, *openings], [8, 4, 2.5, 4, 2.5], strict=True):
            scale = FOCAL * depth / 300 / (depth - place[1])
            shift = CENTER - 900 * scale - [place[0] * FOCAL / (depth - place[1]), 0]
            moved = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
            images.append(cv2.warpAffine(wall, moved, SIZE))
        image = np.where(images[3] > 127, images[1], images[0])
        image = np.where(images[4] > 127, images[2], image)
        yield np.repeat(image[..., None], 3, 2), np.zeros((0, 4), np.float32)


def people_in(boxes):
    rows = len(boxes)
    return People(boxes, np.ones(rows), np.zeros((rows, 17, 2)), np.ones(rows))


def observe(video, cuts=(), interval=1):
    tracker = BackgroundTracker(interval)
    for index, (image, boxes) in enumerate(video):
        tracker.observe(index, image, people_in(boxes), index in (0, *cuts))
    return tracker.arrays()


def solve(arrays, focal=FOCAL):
    points, keyframe, inliers = (arrays[x] for x in ('points', 'keyframe', 'inliers'))
    lens = Lens.pinhole(focal, *SIZE)
    return solve_camera_path(points, keyframe, inliers, SIZE, lens)


@pytest.fixture(scope='module')
def panned():
    return observe(panned_video())


def test_pan_and_zoom_are_found_without_drift(panned):
    rotations, zooms = turns()
    path = solve(panned)
    errors = (rotations.inv() * Rotation.from_rotvec(path.rotations)).magnitude()
    errors = np.degrees(errors)
    assert errors.max() < 0.2
    assert errors[-5:].mean() < 0.1
    np.testing.assert_allclose(path.zooms, zooms, rtol=0.005)
    assert not path.moves
    assert not path.is_static
    expected = np.c_[path.rotations, path.zooms].astype(np.float32)
    np.testing.assert_array_equal(choose_path(path, 'pan'), expected)


def test_points_are_outside_of_people(panned):
    points = panned['points'][:, :, 2:]
    left = 100 + 2 * np.arange(COUNT)[:, None]
    inside = (points[..., 0] > left) & (points[..., 0] < left + 80)
    inside &= (points[..., 1] > 60) & (points[..., 1] < 240)
    assert not inside.any()
    assert points.shape == (COUNT, NUM_POINTS, 2)


def test_background_of_boxes_that_fill_the_image_is_around_the_keypoints(panned):
    tracker = BackgroundTracker()
    for index, (image, boxes) in enumerate(panned_video()[:3]):
        people = People(
            np.array([[0, 0, *SIZE]], np.float32),
            np.ones(1),
            np.linspace(boxes[:, :2], boxes[:, 2:], 17, axis=1),
            np.ones((1, 17)),
        )
        tracker.observe(index, image, people, index == 0)
    arrays = tracker.arrays()
    for name in ('points', 'keyframe', 'inliers', 'moved'):
        np.testing.assert_array_equal(arrays[name], panned[name][:3])


def lens_of(arrays):
    return find_lens(arrays['points'], arrays['keyframe'], SIZE)


def test_focal_length_is_found_from_a_pan(panned):
    lens = lens_of(panned)
    assert lens.focal[0] == pytest.approx(FOCAL, rel=0.03)
    assert lens.focal[0] == lens.focal[1]
    assert lens.center == (240, 135)
    assert lens.size == SIZE


def test_focal_length_of_other_cameras_is_unknown_or_does_not_hide_their_motion():
    still = [Rotation.identity()] * 20
    assert lens_of(observe(panorama_video(still, np.ones(20)))) is None
    blank = np.zeros((270, 480, 3), np.uint8), np.zeros((0, 4), np.float32)
    assert lens_of(observe([blank] * 3)) is None
    for step in ((0.03, 0), (0, 0.04)):
        arrays = observe(walking_video(np.outer(np.arange(30), step)))
        lens = lens_of(arrays)
        assert lens is None or solve(arrays, lens.focal[0]).moves


def footage_of(count, arrays, first=0):
    people = ClipPeople([None] * count, observed={'background': arrays}, first=first)
    return Footage(Video([]), people, look_again=lambda *_: arrays)


def solve_by(mode, footage, cuts=(), lens=None):
    """Return the camera's path and lens that the step finds; None if it does not."""
    clip = Clip2D('video', 'coco-17', [], *SIZE, 25.0, source=Path('video.mp4'))
    clip = replace(clip, cuts=cuts, lens=lens)
    return StabilizeCamera(camera=mode).solve(clip, footage)


@pytest.fixture(scope='module')
def rotated(panned):
    return solve_by('rotating', footage_of(COUNT, panned))


def test_rotating_cameras_bring_their_lens(panned, rotated):
    footage = footage_of(COUNT, panned)
    path, lens = rotated
    assert lens.focal[0] == pytest.approx(FOCAL, rel=0.03)
    rotations, _ = turns()
    errors = (rotations.inv() * Rotation.from_rotvec(path[:, :3])).magnitude()
    assert np.degrees(errors).max() < 0.6
    assert solve_by('rotating', footage, cuts=[COUNT // 2])[1] is None
    given = Lens((500, 500), tuple(CENTER), size=SIZE)
    assert solve_by('rotating', footage, lens=given)[1] == given


def test_path_of_a_part_has_the_frames_before(panned, rotated):
    later = panned | {'frames': panned['frames'] + 20}
    part, lens = solve_by('rotating', footage_of(COUNT + 20, later, first=20))
    whole, other = rotated
    assert (part[:20] == static_path(20)).all()
    np.testing.assert_allclose(part[20:], whole, atol=1e-7)
    assert lens == other


@pytest.mark.parametrize('turned', [False, True], ids=['columns', 'rows'])
@pytest.mark.parametrize('views', ['two', 'two, person across', 'one', 'one, a bar'])
def test_borders_of_split_screens_are_a_line_unless_people_cross_them(
    views, turned, caplog
):
    """Two views have a person each; of one view, two people see all."""
    video = []
    for image, [[left, top, right, bottom]] in panned_video()[:4]:
        if views.startswith('two'):
            image = np.concatenate([image[:, :240], image[::-1, :240] // 8], 1)
        if views.endswith('bar'):
            image = np.where(np.arange(480)[:, None] < 72, 0, image).astype(np.uint8)
        away = 100 if views.endswith('across') else 180
        boxes = np.float32(
            [[x, top, x + right - left, bottom] for x in (left - 90, left + away)]
        )
        if turned:
            image, boxes = image.swapaxes(0, 1), boxes[:, [1, 0, 3, 2]]
        video.append((image, boxes))
    tracks = [
        Track2D(
            number,
            np.arange(4),
            np.zeros((4, 17, 2), np.float32),
            np.ones((4, 17), np.float32),
            np.stack([boxes[number] for _, boxes in video]),
        )
        for number in range(2)
    ]
    size = SIZE[::-1] if turned else SIZE
    clip = Clip2D('video', 'coco-17', tracks, *size, 25.0)
    footage = footage_of(4, observe(video))
    StabilizeCamera(camera='rotating').solve(clip, footage)
    border = f'a straight border crosses the image at {"y" if turned else "x"} 240'
    assert (border in caplog.text) == (views == 'two')
    assert ('a straight border' in caplog.text) == (views == 'two')


def sway():
    return np.outer(np.sin(np.arange(30) / 3), [0.02, 0])


@pytest.mark.parametrize(
    ('video', 'is_static'),
    [
        (panorama_video([Rotation.identity()] * 30, np.ones(30)), True),
        (None, False),
        (walking_video(np.outer(np.arange(30), (0.03, 0))), False),
        (walking_video(sway()), False),
    ],
    ids=['static', 'pan', 'walk', 'sway by 2 cm'],
)
def test_some_frames_show_whether_a_camera_is_static(video, is_static):
    arrays = observe(video or panned_video(), interval=10)
    assert shows_static(solve(arrays), arrays['keyframe']) == is_static


def test_zoom_on_a_tripod_is_no_motion():
    zooms = np.geomspace(1, 1.8, 30)
    path = solve(observe(panorama_video([Rotation.identity()] * 30, zooms)))
    assert not path.moves
    np.testing.assert_allclose(path.zooms, zooms, rtol=0.02)


def wall_video(places):
    """A white wall with a picture at places (T, 2), and noise."""
    for number, (x, y) in enumerate(places):
        image = np.full((SIZE[1], SIZE[0], 3), 200, np.uint8)
        corner = (100 + round(x), 80 + round(y))
        cv2.rectangle(image, (*corner, 40, 30), (60, 80, 90), 2)
        noise = np.random.default_rng(number).normal(0, 2, image.shape)
        yield (image + noise).clip(0, 255).astype(np.uint8), np.zeros((0, 4))


@pytest.mark.parametrize(
    ('step', 'is_static'), [(0, True), (0.2, False)], ids=['still', 'pan']
)
def test_cameras_before_a_white_wall_are_static_if_its_edges_are(
    step, is_static, caplog
):
    video = list(wall_video(np.outer(np.arange(60), (step, 0))))
    path, _, readings = path_of(video, 'auto')
    assert (path is not None) == is_static
    assert readings == (1 if is_static else 2)
    [record] = caplog.records
    words = ('little texture', "camera='moving'") if is_static else ("camera='static'",)
    assert all(word in record.getMessage() for word in words)


class Video(FrameSource):
    """Frames of a synthetic video, that counts how often it is read."""

    readings = 0

    def __init__(self, video):
        super().__init__('video', Path('video.mp4'), 25.0)
        self.frames = list(video)

    def __iter__(self):
        self.readings += 1
        for index, (image, _) in enumerate(self.frames):
            yield Frame(index, index / 25, image)

    def seen(self, interval, cuts=()):
        """Return what is observed while people are estimated."""
        people = [people_in(boxes) for _, boxes in self.frames]
        clip = ClipPeople(people, size=SIZE, cuts=list(cuts))

        def models(source, cache, progress, observers):
            for tracker in observers:
                show_again(source, clip, None, tracker)
            return clip

        models.estimator, models.detector = SimpleNamespace(skeleton='coco-17'), None
        camera = 'rotating' if interval == 1 else 'auto'
        step = StabilizeCamera(camera=camera)
        observers = step.observers(self, 'coco-17')
        return EstimatePoses()(self, models, observers)


def path_of(video, camera, cuts=(), **options):
    """Return the camera's path and lens, and how often the video was decoded."""
    source = Video(video)
    footage = source.seen(1 if camera == 'rotating' else 15, cuts)
    path, lens = solve_by(camera, footage, cuts, **options)
    return path, lens, source.readings


@pytest.mark.parametrize('cuts', [(), (COUNT,)], ids=['one shot', 'two shots'])
def test_auto_finds_cameras_that_turn(cuts, rotated, caplog):
    video = panned_video() * (1 + len(cuts))
    expected, lens = path_of(video, 'rotating', cuts)[:2] if cuts else rotated
    path, auto_lens, readings = path_of(video, 'auto', cuts)
    # Every second frame is tracked. Results of a wrong lens depend on the keyframes.
    degrees, rtol = (2, 0.03) if cuts else (0.3, 0.003)
    errors = Rotation.from_rotvec(path[:, :3]).inv()
    errors *= Rotation.from_rotvec(expected[:, :3])
    assert np.degrees(errors.magnitude()).max() < degrees
    np.testing.assert_allclose(path[:, 3], expected[:, 3], rtol=rtol)
    assert (lens is None) == (auto_lens is None) == bool(cuts)
    assert readings == 2
    assert not caplog.text
    angle = np.degrees(np.linalg.norm(path[:, :3], axis=-1)).max()
    # the assumed lens of two shots has a wider angle of view
    assert angle == pytest.approx(29.4 if cuts else 24.4, abs=3)
    zoom = path[:, 3].max()
    words = f'rotating camera, by up to {angle:.1f} degrees, zoom 1.00 to {zoom:.2f}'
    assert describe_path(path) == words


def test_auto_looks_at_all_frames_of_static_cameras_if_shot_or_video_is_short(caplog):
    still = list(panorama_video([Rotation.identity()] * 40, np.ones(40)))
    for count, cuts, expected in ((40, (), 1), (40, [20], 2), (3, (), 2)):
        path, lens, readings = path_of(still[:count], 'auto', cuts)
        np.testing.assert_array_equal(path, static_path(count))
        assert (lens, readings) == (None, expected)
        assert describe_path(path) == 'static camera'
    assert path_of(still[:2], 'auto') == (None, None, 1)
    assert not caplog.text


SLOW = pytest.mark.slow(reason='is the second half of auto, 3 s')


@pytest.mark.parametrize('camera', ['auto', pytest.param('rotating', marks=SLOW)])
def test_carried_cameras_are_a_line(camera, caplog):
    video = walking_video(np.outer(np.arange(40), (0.03, 0)))
    path, lens, readings = path_of(video, camera)
    assert (path is None) == (camera == 'auto')
    assert lens is None
    assert readings == (2 if camera == 'auto' else 1)
    [record] = caplog.records
    words = {'auto': 'the camera changes its place', 'rotating': 'a camera that turns'}
    assert record.getMessage().startswith(f'video.mp4: {words[camera]}')


def test_a_carried_camera_is_not_searched_in_all_frames():
    footage = Video(walking_video(np.outer(np.arange(40), (0.03, 0)))).seen(15)
    assert solve_by('auto', footage) == (None, None)
    assert {*footage.people.observed} == {'background-15', 'background-2'}


def test_videos_that_cannot_be_read_again_have_no_path(caplog):
    source = Video(panned_video())
    footage = source.seen(15)
    del source.frames[30:]
    assert solve_by('auto', footage) == (None, None)
    assert 'video.mp4 could be read only once' in caplog.text


def test_wide_turns_are_refused(panned, caplog):
    path = solve(panned)
    wide = replace(path, rotations=path.rotations * 4)
    assert choose_path(wide, 'wide.mp4') is None
    assert 'the camera turns by 96 degrees, more than 75: people' in caplog.text


def test_shots_and_blank_frames_begin_anew():
    rotations, zooms = turns()
    video = list(panorama_video(rotations[:10], zooms[:10]))
    blank = np.zeros_like(video[0][0]), np.zeros((0, 4), np.float32)
    arrays = observe([*video, *video, blank], cuts=[10])
    assert arrays['keyframe'][[0, 10, 20]].tolist() == [0, 10, -1]
    path = solve(arrays)
    np.testing.assert_allclose(path.rotations[10:20], path.rotations[:10], atol=1e-6)
    assert np.isnan(path.errors[20])
    np.testing.assert_array_equal(path.rotations[20], path.rotations[19])


def panned_walk():
    """Ground-truth keypoints of a rendered clip, as a turning camera sees them."""
    with np.load(DATA / 'rendered_walk.npz') as data:
        joints, focal = data['h36m_cam3d'][:COUNT], float(data['K'][0, 0])
    rotations, zooms = turns()
    seen = np.stack(
        [turn.inv().apply(pose) for turn, pose in zip(rotations, joints, strict=True)]
    )
    pixels = seen[..., :2] / seen[..., 2:] * (focal * zooms)[:, None, None] + [640, 360]
    path = np.column_stack([rotations.as_rotvec(), zooms]).astype(np.float32)
    clip = Clip2D.from_arrays(pixels, (1280, 720), 25.0, skeleton='h36m-17')
    return clip, joints, path, Lens((focal, focal), (640, 360), size=(1280, 720))


def lift(lifter, clip, lens, path=None):
    class KnownCamera(StabilizeCamera):
        def solve(self, clip, footage):
            return path, clip.lens

    steps = dict(keypoints=(SetLens, KnownCamera), poses=(RestoreCamera,))
    plan = plan_of(replace(VIDEO, **steps), lifter, intrinsics=lens)
    return Runner().lift(plan, clip, Footage(Video([])))


def test_people_of_turning_cameras_share_axes():
    """The root path is that of the world, as the same lifter sees it standing still."""
    clip, joints, path, lens = panned_walk()
    lifter = Lifter('nanohtnet', device='cpu')
    lifted = lift(lifter, clip, lens, path)
    still = joints[..., :2] / joints[..., 2:] * lens.focal[0] + [640, 360]
    track = replace(clip.tracks[0], keypoints=still)
    expected = lift(lifter, replace(clip, tracks=[track]), lens)
    np.testing.assert_allclose(lifted.root_3d, expected.root_3d, atol=2e-3)
    np.testing.assert_allclose(lifted.keypoints_3d, expected.keypoints_3d, atol=2e-3)
    np.testing.assert_allclose(stable_keypoints(lifted), still, atol=0.01)
    np.testing.assert_allclose(lifted.keypoints_2d, clip.tracks[0].keypoints, atol=0.01)
    offset = lifted.root_3d - joints[:, 0]
    assert np.linalg.norm(offset - offset.mean(0), axis=-1).mean() < 0.15
    unaware = lift(lifter, clip, lens)
    offset = unaware.root_3d - joints[:, 0]
    assert np.linalg.norm(offset - offset.mean(0), axis=-1).mean() > 0.4


def test_distorted_pixels_are_restored():
    """Keypoints of a distorting lens are straightened and turned, and turned back."""
    clip, _, path, _ = panned_walk()
    lens = Lens((1100, 1090), (650, 350), (-0.1, 0.02, 0, 0), (1280, 720))
    seen = lens.distort(clip.tracks[0].keypoints)
    np.testing.assert_allclose(lens.undistort(seen), clip.tracks[0].keypoints, atol=0.1)
    clip = replace(clip, tracks=[replace(clip.tracks[0], keypoints=seen)])
    lifter = Lifter('nanohtnet', device='cpu')
    lifted = lift(lifter, clip, lens, path)
    np.testing.assert_allclose(lifted.keypoints_2d, seen, atol=0.1)
    assert lifted.lens == lens


def test_path_is_saved_and_used_by_exports(tmp_path):
    from mmhot.io.lifted import read_lifted

    clip, _, path, lens = panned_walk()
    lifter = Lifter('nanohtnet', device='cpu')
    lifted = replace(lift(lifter, clip, lens, path), cuts=(20, 40))
    for name in ('walk.npz', 'walk.json'):
        lifted.save(tmp_path / name)
        again = read_lifted(tmp_path / name)
        np.testing.assert_array_equal(again.camera.path, path)
        assert again.cuts == (20, 40)
        np.testing.assert_array_equal(again.keypoints_3d, lifted.keypoints_3d)
    assert read_lifted(tmp_path / 'walk.npz').take(slice(3)).camera is not None
    assert abs(LockFeet()(lifted).root_3d - lifted.root_3d).max() > 0.01
