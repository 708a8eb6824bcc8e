"""Images and videos of lifted clips, read back and measured."""

from dataclasses import replace

import av
import numpy as np
import pytest
from rendered_clips import H36M, joined, make_clip, rendered

import mmhot
from mmhot.chain.frames.files import VideoFile
from mmhot.chain.frames.sources import Frame
from mmhot.chain.lifting.world import place_people
from mmhot.chain.visualization import drawing
from mmhot.chain.visualization.camera import fit_camera, place_on_floor, view_axes
from mmhot.chain.visualization.clip_renderer import ClipRenderer
from mmhot.chain.visualization.fading import doubts, undetected
from mmhot.chain.visualization.video import render_video
from mmhot.io.lifted import read_lifted
from mmhot.io.writers.export import Export
from mmhot.skeletons.joints import ANKLE_HEIGHT


@pytest.fixture
def frontal():
    """Return a person who faces the camera with both arms stretched sideways."""
    pose = np.zeros((17, 3))
    for joint, x, y in (
        ('root', 0, 0),
        ('hip', 0.12, 0),
        ('knee', 0.14, -0.45),
        ('foot', 0.15, -0.9),
        ('spine', 0, 0.25),
        ('thorax', 0, 0.5),
        ('neck_base', 0, 0.6),
        ('head', 0, 0.72),
        ('shoulder', 0.16, 0.45),
        ('elbow', 0.42, 0.45),
        ('wrist', 0.68, 0.45),
    ):
        if joint in H36M.joints:
            pose[H36M.index(joint)] = (x, -y, 0)
        else:
            # The left side of a frontal person is on the right of the image.
            pose[H36M.index(f'left_{joint}')] = (x, -y, 0)
            pose[H36M.index(f'right_{joint}')] = (-x, -y, 0)
    pixels = 300 * pose[:, :2] + (640, 340)
    return make_clip(np.repeat(pose[None], 3, 0), np.repeat(pixels[None], 3, 0))


def where(image, color):
    """Return the pixels (x, y) that have about a color, (N, 2)."""
    near = np.abs(image.astype(int) - color).max(axis=-1) < 40
    rows, columns = np.nonzero(near)
    assert len(rows) > 50, 'nothing is drawn in this color'
    return np.stack([columns, rows], axis=1)


def decode(path):
    """Return codec, pixel format, rate and frames of a video."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        facts = (stream.codec_context.name, stream.pix_fmt, stream.average_rate)
        frames = [x.to_ndarray(format='bgr24') for x in container.decode(stream)]
    return facts, frames


@pytest.mark.parametrize(
    ('size', 'fps', 'width'),
    [((1280, 720), 25.0, 284 + 160), ((720, 1280), 30000 / 1001, 90 + 160),
     ((3000, 500), 10, 320 + 160)],
)  # fmt: skip
def test_video_has_the_clips_frames_rate_and_shape(tmp_path, size, fps, width):
    clip = rendered('walk', width=size[0], height=size[1], fps=fps).take(slice(30))
    seen = []
    export = Export(progress=lambda *done: seen.append(done))
    count = render_video(clip, tmp_path / 'a.mp4', export, height=160)
    (codec, pixels, rate), frames = decode(tmp_path / 'a.mp4')
    assert (codec, pixels) == ('h264', 'yuv420p')
    assert float(rate) == pytest.approx(fps, rel=1e-4)
    assert len(frames) == count == 30
    assert frames[0].shape == (160, width, 3)
    assert seen == [(done, 30) for done in range(1, 31)]
    assert list(tmp_path.iterdir()) == [tmp_path / 'a.mp4']


def test_frontal_person_is_upright_and_not_mirrored_in_both_views(tmp_path, frontal):
    render_video(frontal, tmp_path / 'a.mp4', height=320)
    image = decode(tmp_path / 'a.mp4')[1][1]
    captions = 30  # the legend has the same colors
    for panel in (image[captions:, :568], image[captions:, 568:]):
        left, right = where(panel, drawing.LEFT), where(panel, drawing.RIGHT)
        middle = where(panel, drawing.MIDDLE)
        center = np.median(middle[:, 0])
        middle = middle[abs(middle[:, 0] - center) < 8]  # text is gray, too
        # Limbs reach the middle with half their width, and stretch far to their side.
        assert left[:, 0].min() > center - 10
        assert left[:, 0].max() > center + 60
        assert right[:, 0].max() < center + 10
        assert right[:, 0].min() < center - 60
        # The head is on top, the feet are below everything.
        assert middle[:, 1].min() < left[:, 1].min() - 10
        assert middle[:, 1].max() < left[:, 1].max() - 30
        # Seen from the right, the left foot is a bit nearer.
        assert 0 <= left[:, 1].max() - right[:, 1].max() < 10


def test_3d_view_from_the_video_camera_matches_the_video(monkeypatch):
    clip = rendered('dance')
    points, _ = place_on_floor(clip)
    monkeypatch.setattr('mmhot.chain.visualization.camera._AXES', view_axes(0.0, 0.0))
    seen, _ = fit_camera(points).project(points)
    video = clip.keypoints_2d - clip.keypoints_2d[:, :1]
    view = seen - seen[:, :1]
    for frame in range(0, len(video), 20):
        likeness = np.corrcoef(video[frame].ravel(), view[frame].ravel())[0, 1]
        assert likeness > 0.99


@pytest.mark.parametrize('place', [(-90, 40), (40, -90), (190, 40), (40, 190), (0, 0)])
@pytest.mark.parametrize('sky', [0, 255])
def test_text_is_clipped_and_readable_on_any_background(place, sky):
    image = np.full((100, 100, 3), sky, np.uint8)
    drawing.draw_text(image, 'text', place, 12, anchor='center')
    is_shown = np.ptp(image.mean(-1)) > 150
    assert is_shown == (place == (0, 0)) == (image != sky).any()


@pytest.mark.parametrize('name', ['walk', 'dance'])
def test_feet_touch_the_floor_and_all_people_fit(name):
    renderer = ClipRenderer(rendered(name))
    assert np.abs(renderer.points[..., 2].min(axis=1)).max() < 0.03
    positions, _ = renderer.camera.project(renderer.points)
    assert 0.02 < positions.min() < positions.max() < 0.98
    sides = np.percentile(positions.reshape(-1, 2), (0.5, 99.5), axis=0)
    np.testing.assert_allclose(np.ptp(sides, 0).max(), 0.84, atol=0.01)
    low, high = renderer.floor
    assert (renderer.points[..., :2] > low).all()
    assert (renderer.points[..., :2] < high).all()


@pytest.mark.parametrize('box', [0, 1.4])
def test_all_outputs_of_a_run_have_one_floor(tmp_path, monkeypatch, box):
    clip = place_people(rendered('walk')).take(np.arange(30))
    raised = clip.root_3d + np.float32([2, -box, 0])
    both = joined(clip, replace(clip, track=clip.track + 1, root_3d=raised))
    both = both.take(np.lexsort((both.track, both.frame)))
    both = mmhot.refine(both, static_camera=True, smooth_3d='none')
    drawn = []

    def spy(shown):
        drawn.append(place_on_floor(shown))
        return drawn[-1]

    monkeypatch.setattr('mmhot.chain.visualization.clip_renderer.place_on_floor', spy)
    files = [tmp_path / f'a.{name}' for name in ('npz', 'mp4')]
    for file in files:
        both.save(file, axes='world')
    heights = read_lifted(files[0]).places()[..., 2] - ANKLE_HEIGHT
    lowest = [np.median(heights[both.track == track].min(1)) for track in (0, 1)]
    assert abs(lowest[1] - lowest[0] - box) < 0.15
    assert len(drawn) == 1
    np.testing.assert_allclose(drawn[0][0][..., 2], heights, atol=1e-5)


def test_camera_of_videos_follows_people_and_shows_each_of_them():
    clip = place_people(rendered('walk'))
    clip.track = np.repeat([0, 1], 68)
    far = clip.root_3d + clip.track[:, None] * np.float32([9, 0, 4])
    clip = replace(clip, root_3d=far, frame=clip.frame + 500_000 * clip.track)
    renderer, sizes = ClipRenderer(clip), []
    for row, frame in enumerate(clip.frame):
        renderer.follow(frame)
        seen, _ = renderer.camera.project(renderer.points[row])
        assert 0.03 < seen.min() < seen.max() < 0.97
        sizes.append(np.ptp(seen[:, 1]))
    assert min(sizes[:40] + sizes[-40:]) > 0.5


def test_views_are_empty_in_gaps(tmp_path, frontal):
    clip = replace(frontal, frame=np.array([7, 10, 500]), fps=5.0)
    assert render_video(clip, tmp_path / 'a.mp4', height=160) == 5
    with av.open(str(tmp_path / 'a.mp4')) as file:
        times = [frame.time for frame in file.decode(video=0)]
    np.testing.assert_allclose(times, np.array([0, 1, 3, 4, 493]) / 5, atol=1e-3)
    frames = decode(tmp_path / 'a.mp4')[1]
    with pytest.raises(AssertionError, match='nothing is drawn'):
        where(frames[1][30:], drawing.LEFT)
    assert len(where(frames[2][30:], drawing.LEFT))


def test_interpolated_joints_are_dim_and_missing_ones_not_drawn(frontal):
    scores = frontal.scores.copy()
    scores[0, H36M.index('left_foot')] = 0
    scores[:, H36M.index('left_wrist')] = 0
    pixels = frontal.keypoints_2d.copy()
    pixels[:, H36M.index('right_wrist')] = np.nan
    changed = replace(
        frontal, scores=scores, keypoint_scores_3d=scores, keypoints_2d=pixels
    )
    renderer = ClipRenderer(changed)
    image = np.zeros((720, 1280, 3), np.uint8)
    renderer.draw_2d(image, 0, 1.0)
    foot, *wrists = H36M.indices(['left_foot', 'left_wrist', 'right_wrist'])
    x, y = pixels[0, foot].round().astype(int)
    assert 0 < image[y, x].sum() < 0.8 * sum(drawing.LEFT)
    for x, y in frontal.keypoints_2d[0, wrists].round().astype(int):
        assert not image[y, x].any()
    view = np.zeros((500, 500, 3), np.uint8)
    renderer.draw_3d(view, 0)
    places, _ = renderer.camera.project(renderer.points[0])
    (x, y), (column, row) = (500 * places[[wrists[0], foot]]).astype(int)
    assert (
        np.abs(view[y, x] - np.array(drawing.LEFT)).max() > 100
    )  # the floor or nothing
    assert np.abs(view[row, column] - 0.45 * np.array(drawing.LEFT)).max() < 30


def test_joints_are_drawn_within_half_a_second_of_a_detection():
    clip = rendered('walk')
    scores = clip.scores.copy()
    knee, foot, wrist, root = H36M.indices(
        ['left_knee', 'left_foot', 'left_wrist', 'root']
    )
    scores[10:34, knee] = 0  # a gap of 24 frames, .96 s
    scores[:20, foot] = scores[60:, foot] = 0
    scores[:, wrist] = 0
    toes = np.concatenate([scores, np.zeros((len(scores), 2))], 1)
    clip = replace(clip, keypoint_scores_3d=toes, parents=(*clip.parents, foot, root))
    hidden = undetected(clip)
    assert not hidden[:, [knee, root, 18]].any()
    assert hidden[:, wrist].all()
    for joint in (foot, 17):
        assert np.flatnonzero(~hidden[:, joint]).tolist() == list(range(8, 72))


def test_doubt_grows_from_5_to_10_cm_and_is_inherited(frontal):
    assert not doubts(frontal, slice(0, 2)).any()
    errors = np.full(frontal.scores.shape, 0.04, np.float32)
    elbow, wrist, knee = H36M.indices(['left_elbow', 'left_wrist', 'right_knee'])
    errors[1, [elbow, wrist, knee]] = 0.08, np.nan, 0.3
    faded = doubts(replace(frontal, expected_error=errors), slice(0, 2))
    assert not faded[0].any()
    np.testing.assert_allclose(faded[1, [elbow, wrist, knee]], [0.6, 0.6, 1], atol=1e-5)
    assert np.count_nonzero(faded) == 3
    scores = frontal.keypoint_scores_3d.copy()
    scores[0, knee] = 0  # not detected in 2D
    faded = doubts(replace(frontal, keypoint_scores_3d=scores), slice(0, 2))
    assert np.argwhere(faded).tolist() == [[0, knee]]
    assert faded[0, knee] == 1


def test_clips_without_poses_are_refused(tmp_path, frontal):
    nowhere = replace(frontal, keypoints_3d=frontal.keypoints_3d * np.nan)
    for clip in (frontal.take([]), nowhere):
        with pytest.raises(ValueError, match='clip test has no finite 3D joint'):
            render_video(clip, tmp_path / 'a.mp4')
    assert not list(tmp_path.iterdir())


class Footage(list):
    num_frames = None


def test_frames_without_increasing_timestamps_are_kept(tmp_path):
    images = [np.full((720, 1280, 3), 40 * number, np.uint8) for number in range(6)]
    seconds = [0.0, 0.5, 0.5, 0.4, 0.44, 2.0]
    footage = Footage(map(Frame, range(6), seconds, images))
    render_video(rendered('walk'), tmp_path / 'a.mp4', Export(footage), height=120)
    frames = list(VideoFile(tmp_path / 'a.mp4'))
    shown = [frame.image[40:80, :20].mean() for frame in frames]
    np.testing.assert_allclose(shown, 32 * np.arange(6), atol=3)
    times = np.array([frame.time for frame in frames])
    np.testing.assert_allclose(times[[0, 1, 5]], [0, 0.5, 2])
    assert (np.diff(times) > 0).all()
