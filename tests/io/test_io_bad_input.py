"""Error messages for invalid keypoint files: one line each."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from clip_files import (
    SIZE,
    assert_refused,
    coco_result,
    dump,
    instance,
    lifted_clip,
    save,
    video,
    walk,
)

from mmhot.io.lifted import write_npz
from mmhot.io.readers.poses import read_poses
from mmhot.structures.clips_2d import Clip2D

BAD_ARRAYS = {
    'no keypoints': ({'keypoints': None}, 'has no array keypoints (T, K, 2)'),
    '3D beside scores': (
        {'keypoints': -np.ones((4, 17, 3)), 'scores': np.ones((4, 17))},
        'the third values of keypoints are not scores; 3D poses are for mmhot refine',
    ),
    'all NaN': ({'keypoints': walk() * np.nan}, 'no keypoint that is finite'),
    'scores of 16 joints': (
        {'scores': np.ones((4, 16))},
        'scores must have the shape (4, 17), got (4, 16)',
    ),
    'fewer frames': (
        {'frame': np.arange(3)},
        'frames must have the shape (4,), got (3,)',
    ),
    'half frames': ({'frame': np.arange(4) / 2}, 'must hold whole numbers, got 0.5'),
    'nanoseconds': (
        {'frame': np.arange(4) * 10**9},
        'must be numbers from 0 to 10000000',
    ),
    'twice': (
        {'frame': np.zeros(4, int), 'track': np.array([0, 1, 2, 2])},
        'frame 0 has two poses of track 2',
    ),
    'no track IDs': (
        {'frame': np.array([0, 1, 1, 2])},
        '2 people in frame 1 but no track IDs',
    ),
    'no header': (
        {'width': None, 'height': None, 'fps': None},
        'does not state width, height, fps: give image_size and fps',
    ),
    'fps 0': ({'fps': 0}, 'fps must be from 1e-06'),
    'other skeleton': (
        {'skeleton': 'halpe-26'},
        'halpe-26 has 26 joints, but the poses have 17',
    ),
    'more names': (
        {'joint_names': np.array(list('abc'))},
        'has 3 names of joints, but 17',
    ),
    'other names': ({'joint_names': np.array(list('abcdefghijklmnopq'))}, "'a, b, c"),
}


@pytest.mark.parametrize('case', BAD_ARRAYS)
def test_bad_arrays_give_one_line(tmp_path, case):
    arrays, message = BAD_ARRAYS[case]
    assert_refused(save(tmp_path / 'bad.npz', **arrays), message)


POSE = walk(1)[0]
BAD_DOCUMENTS = {
    'no people': ([], 'has no people with'),
    'object': ({'a': 1}, 'has a person without keypoints'),
    'two counts': (video([POSE, walk(1, 26)[0]]), 'keypoints must be numbers'),
    '3D': ([instance(np.arange(51).reshape(17, 3))], '3D poses are for mmhot refine'),
    'bad track ID': ([instance(POSE, track_id=0.5)], 'got 0.5'),
    'no track IDs': ([instance(POSE)] * 3, '3 people in frame 0 but no track IDs'),
    'only dogs': ([coco_result(5, POSE, category_id=18)], 'has no people with'),
    'two videos': (
        [coco_result(f'{name}/{n}.jpg', POSE) for name in 'ab' for n in range(3)],
        'has images of 2 videos (a/#, b/#): give one file per video',
    ),
    'two videos by frame': (
        {
            'images': [{'id': n, 'frame_id': 5 + n % 3} for n in range(6)],
            'annotations': [coco_result(1, POSE)],
        },
        'has images of several videos, or copies (frame_id 5 occurs twice)',
    ),
}


@pytest.mark.parametrize('case', BAD_DOCUMENTS)
def test_bad_json_gives_one_line(tmp_path, case):
    document, message = BAD_DOCUMENTS[case]
    assert_refused(dump(tmp_path / 'bad.json', document), message, **SIZE)


BAD_BYTES = {
    'empty': (b'', 'is empty'),
    'video': (b'\0\0\0\x20ftypisom', 'are for mmhot infer'),
    'other .csv': (
        b'frame,landmark,x\n0,nose,.5\n',
        'has no known format of 2D keypoints',
    ),
    'half a list': (b'[{"frame_id": 0,', 'is not valid JSON'),
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
    (tmp_path / 'clips').mkdir()
    write_npz(lifted_clip(), tmp_path / 'clips/a.npz')
    assert_refused(tmp_path / 'clips', 'a.npz holds a whole clip')
    dump(tmp_path / '1.json', video(walk()))
    assert_refused(tmp_path, '1.json holds a whole clip', **SIZE)
    (tmp_path / '1.json').write_text('[')
    assert_refused(tmp_path, '1.json: is not valid JSON', **SIZE)


@pytest.mark.parametrize(
    'convert', [lambda x: x.half(), lambda x: x.bfloat16().requires_grad_()]
)
def test_tensors_are_arrays(convert):
    poses = 16 * torch.arange(1, 103.0).reshape(3, 17, 2)
    scores = torch.full((3, 17), 0.5)
    clip = Clip2D.from_arrays(convert(poses), (1920, 1080), 25, scores=convert(scores))
    wanted = convert(poses).detach().float().numpy()
    np.testing.assert_array_equal(clip.tracks[0].keypoints, wanted)
    assert set(clip.tracks[0].scores.ravel()) == {0.5}


def test_tensors_of_poses_are_read():
    poses = torch.rand(6, 17, 3).requires_grad_()
    given = dict(fps=25, axes='camera')
    wanted = read_poses(poses.detach().numpy(), **given).keypoints_3d
    frames = [[{'keypoints_3d': each}] for each in poses]
    arrays = poses.detach().numpy()
    lists = ([*poses], [*arrays], arrays.tolist(), (x[None] for x in arrays))
    for each in (poses, frames, *lists):
        np.testing.assert_array_equal(read_poses(each, **given).keypoints_3d, wanted)
    half = read_poses(poses.bfloat16(), **given).keypoints_3d
    np.testing.assert_allclose(half, wanted, atol=0.02)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            dict(variable_time=np.arange(5.0)[::-1]),
            'variable_time must .*increase with the frames',
        ),
        (dict(track=np.zeros(5, int)), 'rows must be sorted by frame and track'),
        (dict(root_3d=np.full((5, 3), np.inf)), 'root_3d must be finite or NaN'),
    ],
    ids=str,
)
def test_changed_files_of_mmhot_are_one_line(change, message, tmp_path):
    write_npz(replace(lifted_clip(), **change), tmp_path / 'a.npz')
    with pytest.raises(ValueError, match=f'a.npz: .*{message}'):
        read_poses(tmp_path / 'a.npz')
