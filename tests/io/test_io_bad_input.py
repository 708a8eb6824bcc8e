"""Error messages for invalid keypoint files: one line each."""

import json
from dataclasses import replace
from functools import reduce
from operator import getitem

import hostile_files
import numpy as np
import pytest
import torch
from clip_files import (
    SIZE,
    SKATER,
    assert_refused,
    coco_result,
    dump,
    instance,
    save,
    video,
    walk,
)
from rendered_clips import rendered

import mmhot
from mmhot.io.readers.keypoints import read_keypoints
from mmhot.io.readers.poses import read_poses
from mmhot.lifting.world import place_people, to_world
from mmhot.structures.clips import Clip2D, Clip3D

INFINITE = walk()
INFINITE[1, 2, 0] = np.inf
BAD_ARRAYS = {
    'no keypoints': ({'keypoints': None}, 'has no array keypoints (T, K, 2)'),
    'five values': (
        {'keypoints': np.ones((2, 17, 5))},
        'must have the shape (T, K, 2)',
    ),
    '3D beside scores': (
        {'keypoints': -np.ones((4, 17, 3)), 'scores': np.ones((4, 17))},
        'the third values of keypoints are no scores; 3D poses are for mmhot refine',
    ),
    'objects': (
        {'keypoints': np.array([None, 1])},
        'not an archive of arrays, or holds objects',
    ),
    'all NaN': ({'keypoints': walk() * np.nan}, 'no keypoint is finite'),
    'infinite': ({'keypoints': INFINITE}, 'must be finite or NaN, got inf'),
    'scores of 16 joints': (
        {'scores': np.ones((4, 16))},
        'scores must be (4, 17), got (4, 16)',
    ),
    'fewer frames': ({'frame': np.arange(3)}, 'frames must be (4,), got (3,)'),
    'half frames': ({'frame': np.arange(4) / 2}, 'must hold whole numbers, got 0.5'),
    'milliseconds': ({'frame': np.arange(4) * 10**9}, 'must be within 0..10000000'),
    'track alone': ({'track': np.zeros(4, int)}, 'tracks need frames'),
    'twice': (
        {'frame': np.zeros(4, int), 'track': np.array([0, 1, 2, 2])},
        'frame 0 has two poses of track 2',
    ),
    'two rates': ({'fps': np.array([25, 25])}, 'fps must be a number, got 2'),
    'no rate': ({'fps': np.array([])}, 'fps must be a number, got 0'),
    'no track IDs': (
        {'frame': np.array([0, 1, 1, 2])},
        '2 people in frame 1 but no track IDs',
    ),
    'no header': (
        {'width': None, 'height': None, 'fps': None},
        'does not state width, height, fps: give image_size and fps',
    ),
    'fps 0': ({'fps': 0}, 'fps must be from 1e-06'),
    'other size': (
        {'width': 200, 'height': 100},
        'most keypoints lie outside a 200x100',
    ),
    'other skeleton': (
        {'skeleton': 'halpe-26'},
        'halpe-26 has 26 joints, but there are 17',
    ),
    'more names': (
        {'joint_names': np.array(list('abc'))},
        'names 3 joints, but has 17',
    ),
    'other names': ({'joint_names': np.array(list('abcdefghijklmnopq'))}, "'a, b, c"),
}


@pytest.mark.parametrize('case', BAD_ARRAYS)
def test_bad_arrays_give_one_line(tmp_path, case):
    arrays, message = BAD_ARRAYS[case]
    assert_refused(save(tmp_path / 'bad.npz', **arrays), message)


POSE = walk(1)[0]
BAD_DOCUMENTS = {
    'no people': ([], 'holds no people with'),
    'object': ({'a': 1}, 'has people without'),
    'no keypoints': ([{'frame_id': 0, 'instances': [{}]}], 'people without'),
    'text': ([instance(POSE, keypoints='abc')], 'keypoints must be numbers'),
    'two counts': (video([POSE, walk(1, 26)[0]]), 'keypoints must be numbers'),
    '3D': ([instance(np.ones((17, 3)))], '3D poses are for mmhot refine'),
    'one score': ([instance(POSE, keypoint_scores=[1.0])], 'scores must be (1, 17)'),
    'bad frame': (
        [{'frame_id': 0.5, 'instances': [instance(POSE)]}],
        'whole numbers, got 0.5',
    ),
    'bad track ID': ([instance(POSE, track_id=0.5)], 'got 0.5'),
    'no track IDs': ([instance(POSE)] * 3, '3 people in frame 0 but no track IDs'),
    'pairs': (
        [{'image_id': 1, 'keypoints': [1, 2, 3, 4]}],
        'K points, or triples x, y, score',
    ),
    'only dogs': ([coco_result(5, POSE, category_id=18)], 'holds no people with'),
    'two videos': (
        [coco_result(f'{name}/{n}.jpg', POSE) for name in 'ab' for n in range(3)],
        'has images of 2 videos (a/#, b/#): give one file for each',
    ),
    'two videos by frame': (
        {
            'images': [{'id': n, 'frame_id': 5 + n % 3} for n in range(6)],
            'annotations': [coco_result(1, POSE)],
        },
        'has images of several videos, or copies (frame_id 5 occurs twice)',
    ),
    'two videos of annotations': (
        {
            'images': [{'id': n, 'video_id': n // 2} for n in range(4)],
            'annotations': [coco_result(1, POSE)],
        },
        'has images of 2 videos (0, 1)',
    ),
    'unknown image': (
        {'images': [{'id': 1}], 'annotations': [coco_result(2, POSE)]},
        'people of image 2, which is not listed',
    ),
}


@pytest.mark.parametrize('case', BAD_DOCUMENTS)
def test_bad_json_gives_one_line(tmp_path, case):
    document, message = BAD_DOCUMENTS[case]
    assert_refused(dump(tmp_path / 'bad.json', document), message, **SIZE)


COCO = hostile_files.coco_document() | dict(categories=[dict(id=1, name='person')])
PERSON = dict(
    pose_keypoints_2d=[9.0 * n if n % 3 < 2 else 0.5 for n in range(75)], person_id=[0]
)
POSES = np.random.default_rng(0).normal(size=(3, 17, 3)).tolist()
RIGHT = {
    'mmpose': dict(instance_info=hostile_files.video_document()),
    'coco': COCO,
    'openpose': dict(people=[PERSON]),
    'poses': [[dict(keypoints_3d=POSES[0], track_id=0, root_3d=[0, 0, 4.0])]],
    'columns': dict(keypoints_3d=POSES, frame=[0, 1, 2], track=[0, 0, 0], fps=25),
}


@pytest.mark.parametrize('kind', RIGHT)
@pytest.mark.parametrize('wrong', [True, '5', '1_0', '\u0661', 1e300, 10**400])
def test_only_numbers_count_as_numbers(tmp_path, kind, wrong):
    read = read_poses if kind in ('poses', 'columns') else read_keypoints
    options = {} if kind == 'columns' else SIZE
    read(dump(tmp_path / 'a.json', RIGHT[kind]), **options)
    for place in hostile_files.places(RIGHT[kind]):
        given = reduce(getitem, place, RIGHT[kind])
        is_text_id = isinstance(wrong, str) and {'track_id', 'person_id', 'track'} & {
            *place
        }
        is_compared = place[-1] in ('category_id', 'width', 'height')
        is_compared |= place[0] == 'categories' or place == ('annotations', 0, 'id')
        if not isinstance(given, int | float) or is_text_id or is_compared:
            continue
        document = hostile_files.replaced(RIGHT[kind], place, wrong)
        with pytest.raises(ValueError, match='a.json: ') as caught:
            read(dump(tmp_path / 'a.json', document), **options)
        assert '\n' not in str(caught.value)


def test_header_has_values_of_its_types(tmp_path, lifted):
    (path,) = lifted.save(tmp_path / 'a.json')
    document = json.loads(path.read_text())
    for name, value in document['meta_info'].items():
        for wrong in (True, 5, 'x', None, ['x'], [None], {}):
            first = [*value, 0][0] if isinstance(value, list) else value
            inner = wrong[0] if isinstance(wrong, list) and wrong else wrong
            is_right = type(first) is type(inner) and type(value) is type(wrong)
            if is_right or (type(first), wrong) == (float, 5):
                continue
            meta = document['meta_info'] | {name: wrong}
            dump(path, document | {'meta_info': meta})
            with pytest.raises(ValueError, match='a.json: '):
                mmhot.read_lifted(path)


BAD_BYTES = {
    'empty': (b'', 'is empty'),
    'video': (b'\0\0\0\x20ftypisom', 'are for mmhot infer'),
    'other .csv': (b'frame,landmark,x\n0,nose,.5\n', 'docs/migration.md converts'),
    'half a list': (b'[{"frame_id": 0,', 'is not valid JSON'),
    'half a zip': (b'PK\x03\x04 and so on', 'cannot be read: '),
}


@pytest.mark.parametrize('case', BAD_BYTES)
def test_bad_bytes_give_one_line(tmp_path, case):
    content, message = BAD_BYTES[case]
    path = tmp_path / 'bad.npz'
    path.write_bytes(content)
    assert_refused(path, message, **SIZE)


def test_missing_file_and_bad_folders_give_one_line(tmp_path):
    missing = tmp_path / 'missing.npz'
    assert_refused(missing, 'no such file or folder', FileNotFoundError)
    assert_refused(tmp_path, 'is a folder without .json, .npz, .npy, .pkl files')
    dump(tmp_path / '1.json', video(walk()))
    assert_refused(tmp_path, '1.json holds a whole clip', **SIZE)
    (tmp_path / '1.json').write_text('[')
    assert_refused(tmp_path, '1.json is not valid JSON', **SIZE)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="single must be 'largest', got 'tallest'"):
        read_keypoints(SKATER, single='tallest')
    assert_refused(SKATER, 'did you mean coco-17', skeleton='cocoo-17')


@pytest.mark.parametrize(
    'convert',
    [
        lambda x: x.requires_grad_(),
        lambda x: x.bfloat16(),
        lambda x: x.half(),
        lambda x: x.bfloat16().requires_grad_(),
    ],
)
def test_tensors_are_arrays(convert):
    poses = 16 * torch.arange(1, 103.0).reshape(3, 17, 2)
    scores = torch.full((3, 17), 0.5)
    clip = Clip2D.from_arrays(convert(poses), (1920, 1080), 25, scores=convert(scores))
    wanted = convert(poses).detach().float().numpy()
    np.testing.assert_array_equal(clip.tracks[0].keypoints, wanted)
    assert set(clip.tracks[0].scores.ravel()) == {0.5}


NUMBERS, POSES = 40 * np.arange(4), np.random.default_rng(0).normal(size=(4, 17, 3))
NUMBERED = {
    'npz': lambda path: read_keypoints(save(path, frame=NUMBERS)),
    'MMPose': lambda path: read_keypoints(
        dump(path, [x | {'frame_id': 40 * x['frame_id']} for x in video(walk())]),
        **SIZE,
    ),
    'COCO': lambda path: read_keypoints(
        dump(path, [coco_result(int(n), walk()[0]) for n in NUMBERS]), **SIZE
    ),
    '2D': lambda path: Clip2D.from_arrays(walk(), (1280, 720), 25, frames=NUMBERS),
    '3D': lambda path: Clip3D.from_arrays(POSES, 25, frames=NUMBERS),
    'poses': lambda path: read_poses(
        dump(path, {f'{n}.jpg': {'keypoints_3d': POSES[0].tolist()} for n in NUMBERS}),
        fps=25,
    ),
}


@pytest.mark.parametrize('kind', NUMBERED)
def test_milliseconds_as_frame_numbers_are_one_line(kind, tmp_path, caplog):
    NUMBERED[kind](tmp_path / 'clip.npz')
    lines = [x for x in caplog.messages if 'in steps of 40' in x]
    assert len(lines) == 1


def test_tensors_of_poses_are_read():
    poses = torch.rand(6, 17, 3).requires_grad_()
    wanted = read_poses(poses.detach().numpy(), fps=25).keypoints_3d
    frames = [[{'keypoints_3d': each}] for each in poses]
    arrays = poses.detach().numpy()
    lists = ([*poses], [*arrays], arrays.tolist(), (x[None] for x in arrays))
    for given in (poses, frames, *lists):
        np.testing.assert_array_equal(read_poses(given, fps=25).keypoints_3d, wanted)
    half = read_poses(poses.bfloat16(), fps=25).keypoints_3d
    np.testing.assert_allclose(half, wanted, atol=0.02)


@pytest.fixture(scope='module')
def lifted():
    return to_world(place_people(rendered('walk')), static_camera=True).take(range(30))


def test_clips_without_rows_are_written_or_refused(tmp_path, lifted):
    empty = lifted.take(np.arange(0))
    for suffix in ('npz', 'json', 'csv', 'glb'):
        empty.save(tmp_path / f'a.{suffix}')
    assert len(mmhot.read_lifted(tmp_path / 'a.npz')) == 0
    for suffix in ('bvh', 'trc', 'html'):
        with pytest.raises(ValueError, match='has no poses'):
            empty.save(tmp_path / f'a.{suffix}')


def test_times_of_clips_increase():
    clip = read_keypoints(SKATER)
    count = clip.num_frames
    for times in (np.zeros(count), np.arange(count) * 5e-324):
        with pytest.raises(ValueError, match='times must be the increasing seconds'):
            mmhot.lift(replace(clip, times=times))
    with pytest.raises(ValueError, match='fps must be from'):
        Clip2D.from_arrays(walk(), (1920, 1080), 1e-300)
