"""Relations between 2D keypoints of other tools that must hold between their clips.

Each way in gives the same clip for the same people, whatever the order of joints and
people, their IDs, their clock, and the marks of missing joints.
"""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from clip_files import SIZE, coco_result, dump, instance
from mocap import KICK, joints_of
from rendered_clips import DATA, rendered

import mmhot
from mmhot.io.readers.keypoints import read_keypoints
from mmhot.skeletons import joints
from mmhot.skeletons.joints import (
    SKELETONS,
    convert_keypoints,
    get_skeleton,
)
from mmhot.structures import conventions
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.clips_3d import Clip3D
from mmhot.structures.lens import Lens

COUNT = 40
BODY = rendered('walk').keypoints_2d[:COUNT, :17].astype(np.float64)
# Two people who stand apart.
TWO = np.stack([BODY, BODY[::-1] + [300, 20]], 1)


def points_of(clip):
    return [track.keypoints for track in clip.tracks]


def order_of(name, poses=BODY):
    with np.errstate(invalid='ignore'):
        return convert_keypoints(poses, None, 'h36m-17', name, 'trained')[0]


def as_array(poses, path):
    return Clip2D.from_arrays(poses, (1280, 720), 25)


def as_npz(poses, path):
    np.savez(path.with_suffix('.npz'), keypoints=poses)
    return read_keypoints(path.with_suffix('.npz'), **SIZE)


def as_json(poses, path):
    return read_keypoints(dump(path, poses.tolist()), **SIZE)


def as_mmpose(poses, path):
    frames = [{'frame_id': n, 'instances': [instance(x)]} for n, x in enumerate(poses)]
    return read_keypoints(dump(path, frames), **SIZE)


WAYS = as_array, as_npz, as_json, as_mmpose
any_way = pytest.mark.parametrize('way', WAYS)


@any_way
@pytest.mark.parametrize('order', ['h36m-17', 'mpi-inf-3dhp-17'])
def test_unnamed_joints_of_another_order_are_recognized(way, order, tmp_path, caplog):
    poses = order_of(order)
    clip = way(poses, tmp_path / 'a.json')
    assert clip.skeleton == order
    seen = np.isfinite(poses)
    np.testing.assert_allclose(clip.tracks[0].keypoints[seen], poses[seen], rtol=1e-6)
    (line,) = caplog.messages
    assert f'read as 40 frames of {order}, pixels of 1280 x 720, y down, 25' in line
    assert 'joints have no names, and people stand in this order' in line


ORDERS = [x.name for x in SKELETONS.values() if x.name != 'h36m-17-nose']


@pytest.mark.parametrize('order', ORDERS)
def test_right_orders_are_not_doubted(order, caplog):
    Clip2D.from_arrays(order_of(order), (1280, 720), 25, skeleton=order)
    assert not caplog.messages


@pytest.mark.parametrize(
    ('order', 'taken'),
    [
        ('openpose-25b', 'openpose-25'),
        ('kinect-25', 'openpose-25'),
        ('aic-14', 'crowdpose-14'),
        ('lsp-14', 'crowdpose-14'),
        ('mpi-inf-3dhp-17', 'h36m-17'),
        ('mpii-16', 'h36m-16'),
        ('h36m-16', 'mpii-16'),
    ],
)
def test_another_order_than_is_stated_is_named(order, taken, caplog):
    Clip2D.from_arrays(order_of(order), (1280, 720), 25, skeleton=taken)
    (line,) = caplog.messages
    assert line == (
        f'clip: people stand in the order of {order}, not of {taken}: give skeleton'
    )


def test_tops_of_heads_are_above_noses(caplog):
    """PoseTrack18 has COCO's body, but head bottom and top where COCO has eyes."""
    with np.load(DATA / 'vtest_2d_coco17.npz') as file:
        points = file['keypoints'].astype(float)
    conventions.ask_about_order(points, get_skeleton('h36m-17'), 'clip')
    assert 'in the order of coco-17, not of h36m-17' in caplog.text
    caplog.clear()
    points[:, 2, 1] = points[:, 0, 1] - 0.04 * np.ptp(points[..., 1], 1)
    points[:, 1] = points[:, 5:7].mean(1)
    conventions.ask_about_order(points, get_skeleton('posetrack18-17'), 'clip')
    assert not caplog.messages
    conventions.ask_about_order(points, get_skeleton('coco-17'), 'clip')
    assert 'in the order of posetrack18-17, not of coco-17' in caplog.text


@pytest.mark.parametrize('noise', [0, 0.01])
def test_bones_show_the_order_of_seated_people(noise, caplog):
    """Knees are as high as hips, so that no person stands, whichever axis is up."""
    body = rendered('dance').places().astype(float)
    for hip in (1, 4):
        body[:, hip + 1] = body[:, hip] + [0, 0, 0.45]
        body[:, hip + 2] = body[:, hip + 1] + [0, 0.45, 0]
    body += noise * np.random.default_rng(0).normal(size=body.shape)
    poses = order_of('mpi-inf-3dhp-17', body)
    options = dict(fps=25, axes='camera')
    Clip3D.from_arrays(body, skeleton='h36m-17', **options)
    assert 'lengths' not in caplog.text
    Clip3D.from_arrays(poses, skeleton='h36m-17', **options)
    text = 'bones keep their lengths in the order of mpi-inf-3dhp-17, not of h36m-17'
    assert f'clip: {text}: give skeleton' in caplog.text
    assert Clip3D.from_arrays(poses, **options).joint_names[0] == 'head_top'
    assert 'and bones keep their lengths in this order' in caplog.text


def test_joints_of_coco_are_recognized_without_a_line(caplog):
    for path in ('demo_2d_coco17.npz', 'vtest_2d_coco17.npz'):
        with np.load(DATA / path) as file:
            first = file['track'] == 0
            poses = file['keypoints'][first].astype(np.float64)
        for hidden in ((), (13, 14, 15, 16), (*range(11, 17),)):
            poses[:, hidden] = np.nan
            clip = Clip2D.from_arrays(poses, (1280, 720), 25)
            assert clip.skeleton == 'coco-17'
    assert not caplog.messages


def test_an_order_that_is_not_recognized_is_one_line(caplog):
    lying = [720, 0] + order_of('h36m-17')[..., ::-1] * [-1, 0.5]
    assert Clip2D.from_arrays(lying, (1280, 720), 25).skeleton == 'coco-17'
    (line,) = caplog.messages
    assert 'no person stands, so that this is the usual order: skeleton states' in line
    caplog.clear()
    Clip2D.from_arrays(lying, (1280, 720), 25, skeleton='h36m-17')
    (line,) = caplog.messages
    assert 'people are lying, heads right, if pixels are x to the right' in line


def test_a_clip_says_what_it_was_read_as(caplog, tmp_path):
    caplog.set_level('INFO', 'mmhot')
    skater = (
        '185 frames of coco-17, pixels of 1280 x 720, y down, 25 frames/s, one person'
    )
    poses = mmhot.lift('demo/skating_2d_coco17.npz', pose3d='nanohtnet')
    assert poses.read_as == skater
    assert caplog.messages[0] == f'demo/skating_2d_coco17.npz: read as {skater}'
    poses.save(tmp_path / 'a.npz')
    caplog.clear()
    assert mmhot.refine(tmp_path / 'a.npz').read_as == skater
    line = (
        'read as 185 frames of 17 joints, meters, camera axes, 25 frames/s, one person'
    )
    assert caplog.messages[0].endswith(line)
    photo = Clip2D.from_arrays(BODY[:1], (1280, 720), 25, skeleton='h36m-17')
    assert photo.read_as.startswith('one frame of h36m-17, ')


NO_PIXELS = {
    'on their heads': lambda x: [0, 720] + x * [1, -1],
    'lying, heads left': lambda x: x[..., ::-1] * [1, 0.5],
    'lying, heads right': lambda x: [1200, 0] - x[..., ::-1] * [1, -0.5],
    'convert percent of 1280x720': lambda x: x * [100 / 1280, 100 / 720],
}


@pytest.mark.parametrize('order', ['h36m-17', 'coco-17', 'openpose-25'])
@pytest.mark.parametrize('words', NO_PIXELS)
def test_keypoints_that_are_no_pixels_of_the_image_are_one_line(order, words, caplog):
    poses = order_of(order)
    Clip2D.from_arrays(poses, (1280, 720), 25, skeleton=order)
    assert not caplog.messages
    Clip2D.from_arrays(NO_PIXELS[words](poses), (1280, 720), 25, skeleton=order)
    (line,) = caplog.messages
    assert words in line


def lost_joints(poses):
    lost = np.zeros(poses.shape[:2], bool)
    lost[5:9, 3] = lost[20, 10:14] = True
    return lost


MARKS = {
    'NaN': lambda x, lost: np.where(lost[..., None], np.nan, x),
    'zero': lambda x, lost: np.where(lost[..., None], 0, x),
    'minus one': lambda x, lost: np.where(lost[..., None], -1, x),
    'masked': lambda x, lost: np.ma.masked_array(x, np.stack([lost, lost], -1)),
    'score': lambda x, lost: np.append(x, np.where(lost, 0, 0.6)[..., None], -1),
    'NaN score': lambda x, lost: np.append(
        x, np.where(lost, np.nan, 0.6)[..., None], -1
    ),
    'negative score': lambda x, lost: np.append(
        x, np.where(lost, -1e-4, 0.6)[..., None], -1
    ),
}


@pytest.mark.parametrize('mark', MARKS)
def test_missing_joints_may_be_marked_in_any_way(mark):
    lost = lost_joints(BODY)
    clip = Clip2D.from_arrays(MARKS[mark](BODY, lost), (1280, 720), 25)
    (track,) = clip.tracks
    assert (np.isnan(track.keypoints).all(-1) == lost).all()
    assert ((track.scores == 0) == lost).all()
    np.testing.assert_allclose(track.keypoints[~lost], BODY[~lost], rtol=1e-6)


@pytest.mark.parametrize('count', [1, 2])
def test_skeletons_may_have_few_joints(count, monkeypatch):
    name = f'few-{count}'
    markers = tuple(f'marker_{number}' for number in range(count))
    few = joints._build(name, markers, (-1, 0)[:count], range(count))
    monkeypatch.setitem(joints._REGISTRY, name, few)
    points = BODY[:, :count]
    clip = Clip2D.from_arrays(points, (1280, 720), 25, skeleton=name)
    np.testing.assert_allclose(clip.tracks[0].keypoints, points, rtol=1e-6)


def test_arrays_with_more_people_than_frames_are_doubted(caplog):
    """The first axis was a batch, as in PyTorch."""
    Clip2D.from_arrays(BODY[None], (1280, 720), 25)
    text = '40 people; the first axis of the array is time, the second people'
    assert text in caplog.messages[-1]


def test_shuffled_people_of_arrays_are_followed(caplog):
    reference = Clip2D.from_arrays(TWO, (1920, 1080), 25)
    shuffled = TWO.copy()
    for frame in (3, 4, 11, *range(25, COUNT)):
        shuffled[frame] = shuffled[frame, ::-1]
    caplog.clear()
    clip = Clip2D.from_arrays(shuffled, (1920, 1080), 25)
    np.testing.assert_allclose(points_of(clip), points_of(reference))
    assert 'people change places in 18 of 40 frames' in caplog.text
    absent = TWO.copy()
    absent[10:20, 0] = np.nan
    absent[10:20] = absent[10:20, ::-1]
    clip = Clip2D.from_arrays(absent, (1920, 1080), 25)
    for one, other in zip(clip.tracks, reference.tracks, strict=True):
        assert len(one.frames) == (30 if one.track == 0 else 40)
        np.testing.assert_allclose(one.keypoints, other.keypoints[one.frames])


@pytest.mark.parametrize('apart', [0.3, 1.0])
def test_absent_people_do_not_become_others(apart):
    """Places are filled from the first; near people change them at random."""
    one = joints_of(KICK, 80)
    other = one[::-1] - one[-1, 0] + one[0, 0] + [apart, 0, 0]
    truth = np.stack([one, other], 1).astype(np.float64)
    filled = truth.copy()
    filled[20:40] = np.stack([truth[20:40, 1], np.full_like(one[:20], np.nan)], 1)
    is_other = np.random.default_rng(0).random(80) < 0.5
    mixed = np.where(is_other[:, None, None, None], truth[:, ::-1], truth)
    for given in (filled, mixed, truth):
        clip = Clip3D.from_arrays(given, 50, axes='z-up', skeleton='h36m-17')
        wrong = [
            np.linalg.norm(clip.places() - truth[clip.frame, x], axis=-1).max(-1) > 0.01
            for x in (clip.track, 1 - clip.track)
        ]
        assert min(x.sum() for x in wrong) == 0


def test_people_who_cross_or_are_rarely_seen_keep_their_places(caplog):
    """Places are those of people, unless these would jump."""
    steps = np.arange(COUNT)[:, None, None]
    crossing = np.stack([BODY + 12 * steps, BODY + [470, 0] - 12 * steps * [1, 0]], 1)
    rare = TWO[::20]
    for poses in (crossing, rare):
        Clip2D.from_arrays(poses, (4000, 3000), 25, skeleton='h36m-17')
    assert not [x for x in caplog.messages if 'change places' in x]


# --- track IDs ------------------------------------------------------------------------

IDS = {
    'numbers': (3, 7),
    'text': ('3', '7'),
    'names': ('anna', 'ben'),
    'one number and one name': (3, 'ben'),
    'different texts of a number': ('07', '7'),
    'too large a number': (2**63, 5),
}


@pytest.mark.parametrize('kind', IDS)
def test_ids_may_be_names(kind, tmp_path, caplog):
    people = [
        coco_result(frame, pose, track_id=track)
        for frame, poses in enumerate(TWO)
        for pose, track in zip(poses, IDS[kind], strict=True)
    ]
    path = dump(tmp_path / 'a.json', people)
    clip = read_keypoints(path, skeleton='h36m-17', **SIZE)
    is_named = kind not in ('numbers', 'text')
    assert [x.track for x in clip.tracks] == ([0, 1] if is_named else [3, 7])
    np.testing.assert_allclose(points_of(clip), TWO.swapaxes(0, 1), rtol=1e-5)
    assert ('track IDs are names' in caplog.text) == is_named


@pytest.mark.parametrize('unknown', [-1, np.nan, 'a'])
def test_ids_of_arrays_in_files(unknown, tmp_path, caplog):
    frame, track = np.indices((COUNT, 2)).reshape(2, -1)
    ids = np.array(['a', 'b'])[track] if unknown == 'a' else track + 4.0
    ids[::10] = '' if unknown == 'a' else unknown
    arrays = dict(frame=frame, track=ids, keypoints=TWO.reshape(-1, 17, 2))
    np.savez(tmp_path / 'a.npz', **arrays)
    tracks = read_keypoints(tmp_path / 'a.npz', skeleton='h36m-17', **SIZE).tracks
    assert [x.track for x in tracks] == ([0, 1] if unknown == 'a' else [4, 5])
    assert {len(x.frames) for x in tracks} == {COUNT - 8, COUNT}
    assert '8 of 80 poses are left out: they have no track ID' in caplog.text


def test_boxes_that_a_tracker_did_not_confirm_have_no_id(caplog):
    frames = [
        SimpleNamespace(
            keypoints=SimpleNamespace(xy=people, conf=None),
            boxes=SimpleNamespace(id=None if n < 2 else np.array([1, 2])),
            orig_shape=(720, 1280),
        )
        for n, people in enumerate(TWO)
    ]
    clip = read_keypoints(frames, fps=25)
    assert [(x.track, x.frames[0]) for x in clip.tracks] == [(1, 2), (2, 2)]
    assert '4 of 80 poses are left out: they have no track ID' in caplog.text


# --- times and lenses -----------------------------------------------------------------


def test_times_may_begin_anywhere():
    """Numbers of seconds since 1970 are exact to a quarter of a microsecond."""
    clip = mmhot.read_keypoints('demo/skating_2d_coco17.npz')
    times = np.arange(clip.num_frames) / 25 + 0.003 * (np.arange(clip.num_frames) % 3)
    one, *others = (
        mmhot.lift(replace(clip, times=times + start), pose3d='nanohtnet')
        for start in (0, 1e5, 1.7e9)
    )
    for other in others:
        np.testing.assert_array_equal(other.places(), one.places())
        np.testing.assert_array_equal(other.time, one.time)


@pytest.mark.parametrize('dimensions', [2, 3])
@pytest.mark.parametrize(
    ('times', 'fault'),
    [
        (np.zeros(COUNT), 'times must increase with frames'),
        (np.arange(COUNT)[::-1] / 25, 'times must increase with frames'),
        (np.full(COUNT, np.nan), 'times must increase with frames'),
        (np.arange(COUNT) / 4, 'timestamps give 4 frames/s, but fps is 25: are'),
        (np.arange(COUNT) * 40.0, 'timestamps give 0.025 frames/s, but fps is 25'),
    ],
    ids=['zero', 'decreasing', 'NaN', 'slow', 'milliseconds'],
)
def test_other_times_are_one_line(times, fault, dimensions):
    if dimensions == 2:
        clip, run = Clip2D.from_arrays(BODY, (1280, 720), 25), mmhot.lift
        clip = replace(clip, times=times)
    else:
        clip, run = Clip3D.from_arrays(joints_of(num_frames=COUNT), 25), mmhot.refine
        clip = replace(clip, variable_time=times)
    with pytest.raises(ValueError, match=f'^{fault}'):
        run(clip)


@pytest.mark.parametrize(
    ('center', 'size'),
    [
        ((640, 360), (1920, 1080)),
        ((540, 960), (1920, 1080)),
        ((900, 200), (1920, 1080)),
    ],
)
def test_intrinsics_of_another_size_are_refused(center, size):
    lens = Lens((1000, 1000), center)
    with pytest.raises(ValueError, match=r'is far from the middle of the .* image: if'):
        lens.fitted(*size)
    with_size = replace(lens, size=size)
    assert with_size.fitted(*size) == with_size
    assert Lens((1000, 1000), (1100, 540)).fitted(1920, 1080).center == (1100, 540)
