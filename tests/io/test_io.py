"""Readers of 2D keypoints, and files of lifted clips."""

import json
import subprocess
import sys

import numpy as np
import pytest
from clip_files import (
    SIZE,
    coco_result,
    dump,
    instance,
    lifted_clip,
    save,
    video,
    walk,
)
from paths import DATA

from mmhot.io.lifted import write_json
from mmhot.io.readers.keypoints import read_keypoints
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips_3d import to_axes

# Reading valid files


def test_real_clips_are_read_row_by_row():
    clip = read_keypoints(DATA / 'vtest_2d_coco17.npz')
    rows = np.load(DATA / 'vtest_2d_coco17.npz')
    assert (clip.name, clip.skeleton) == ('vtest_2d_coco17', 'coco-17')
    assert (clip.width, clip.height, clip.fps) == (768, 576, 10.0)
    assert [track.track for track in clip.tracks] == sorted(set(rows['track'].tolist()))
    assert sum(len(track.frames) for track in clip.tracks) == len(rows['frame'])
    for track in clip.tracks:
        own = rows['track'] == track.track
        assert (np.diff(track.frames) > 0).all()
        assert track.frames.dtype == np.int64
        np.testing.assert_array_equal(track.frames, rows['frame'][own])
        np.testing.assert_array_equal(track.keypoints, rows['keypoints'][own])
        np.testing.assert_array_equal(track.scores, rows['scores'][own])
        np.testing.assert_array_equal(track.bboxes, rows['bbox_xyxy'][own])


def test_rows_are_sorted_within_each_person(tmp_path):
    keypoints = walk(5)
    path = save(
        tmp_path / 'a.npz',
        keypoints=keypoints,
        frame=np.array([9.0, 2, 2, 0, 4]),
        track=np.array([5, 5, 3, 5, 3], np.uint8),
    )
    tracks = read_keypoints(path).tracks
    assert [(t.track, t.frames.tolist()) for t in tracks] == [
        (3, [2, 4]),
        (5, [0, 2, 9]),
    ]
    expected = keypoints[[3, 1, 0]].astype(np.float32)
    np.testing.assert_array_equal(tracks[1].keypoints, expected)


@pytest.mark.parametrize('form', ['inferencer', 'demo script', 'folder'])
def test_mmpose_predictions_equal_the_same_npz(tmp_path, form):
    keypoints = walk(12)
    path = tmp_path / 'clip.json'
    if form == 'inferencer':
        dump(path, video(keypoints))
    elif form == 'demo script':
        names = dict(enumerate(get_skeleton('coco-17').joints))
        meta = {'dataset_name': 'coco', 'keypoint_id2name': names}
        dump(path, {'meta_info': meta, 'instance_info': video(keypoints)})
    else:
        path = tmp_path / 'clip'
        path.mkdir()
        for t, pose in enumerate(keypoints):
            dump(path / f'img_{t}.json', [instance(pose)])
    clip = read_keypoints(path, **SIZE)
    assert (clip.name, clip.skeleton, len(clip.tracks)) == ('clip', 'coco-17', 1)
    (track,) = clip.tracks
    np.testing.assert_array_equal(track.frames, np.arange(12))
    np.testing.assert_array_equal(track.keypoints, keypoints.astype(np.float32))
    np.testing.assert_array_equal(track.bboxes[:, :2], keypoints.min(1).astype('f'))


LARGE = (1 << 53) + 3
IDS = {
    'idx of a list': ([3.0], [5.0]),
    'idx of merged boxes': ([3, 17], [5, 9]),
    'instance_id': (2, '8'),
    'person_id': (0, 1),
    'tracker_id': ('4', '7'),
    'id': (2, 3),
    'track_id': (LARGE, LARGE + 1),
}


def people_with(key, ids):
    """COCO results with two people in each of three frames."""
    poses = walk(1)[0], walk(1, shift=300)[0]
    return [
        coco_result(f'{frame}.jpg', pose, **{key: value})
        for frame in (3, 4, 8)
        for pose, value in zip(poses, ids, strict=True)
    ]


@pytest.mark.parametrize('case', IDS)
def test_track_ids_of_other_trackers_are_exact(tmp_path, case):
    key, ids = case.split()[0], IDS[case]
    path = dump(tmp_path / 'a.json', people_with(key, ids))
    tracks = read_keypoints(path, **SIZE).tracks
    numbers = [int(x[0] if isinstance(x, list) else x) for x in ids]
    assert [track.track for track in tracks] == numbers
    assert [track.frames.tolist() for track in tracks] == [[3, 4, 8]] * 2


def test_numbers_of_boxes_are_no_track_ids(tmp_path):
    """AlphaPose writes the same ``idx`` for all people if it does not track."""
    for document in (
        people_with('idx', ([0.0], [0.0])),
        [{**x, 'id': row} for row, x in enumerate(people_with('score', (1, 1)))],
    ):
        with pytest.raises(ValueError, match='no track IDs'):
            read_keypoints(dump(tmp_path / 'a.json', document), **SIZE)


@pytest.mark.parametrize(
    ('ids', 'frames'),
    [
        ([-20, -19, -17], [0, 1, 3]),
        (['-20', '-19', '-17'], [0, 1, 3]),
        ([785, 40083, 196141], [0, 1, 2]),  # unrelated numbers: in their order
        ([110, 100, 130], [10, 0, 30]),
        (['31.jpg', '35.jpg', '32.jpg'], [31, 35, 32]),
        (['f-2.jpg', 'f-1.jpg', 'f-4.jpg'], [2, 1, 4]),
        (['2024-01-07.jpg', '2024-01-05.jpg'], [7, 5]),
        (['17-1.jpg', '16-0.jpg', '18-2.jpg'], [1, 0, 2]),
        (['a1/frame_31.png', 'a1/frame_41.png'], [31, 41]),
        (['f_a1.jpg', 'f_b7.jpg', 'f_c3.jpg'], [0, 1, 2]),  # hashes
        (['10', '9', '12'], [1, 0, 3]),  # image 11 has no people
        ([10128340002, 10128340000, 10128340001], [2, 0, 1]),
        (['img10.jpg', 'img9.jpg', 'img100.jpg'], [10, 9, 100]),
    ],
)
def test_coco_results_become_frames_in_order_of_images(tmp_path, ids, frames):
    poses = walk(len(ids))
    people = [coco_result(i, pose) for i, pose in zip(ids, poses, strict=True)]
    (track,) = read_keypoints(dump(tmp_path / 'a.json', people), **SIZE).tracks
    assert track.frames.tolist() == sorted(frames)
    expected = poses[np.argsort(frames)].astype(np.float32)
    np.testing.assert_array_equal(track.keypoints, expected)
    assert (track.scores == 0.5).all()


@pytest.mark.parametrize(
    ('keys', 'frames'),
    [
        ({'id': [7, 8, 9], 'file_name': ['f1.png', 'f2.png', 'f5.png']}, [1, 2, 5]),
        ({'id': [3, 1, 2], 'frame_id': [5, 9, 8], 'video_id': [1, 1, 1]}, [5, 9, 8]),
        ({'id': [3, 1, 2], 'file_name': ['a.jpg', 'b.jpg', 'c.jpg']}, [2, 0, 1]),
    ],
)
def test_images_of_annotations_number_the_frames(tmp_path, caplog, keys, frames):
    rows = [dict(zip(keys, x, strict=True)) for x in zip(*keys.values(), strict=True)]
    images = [{**row, 'width': 1280, 'height': 720} for row in rows]
    people = [coco_result(i, p) for i, p in zip(keys['id'], walk(3), strict=True)]
    path = dump(tmp_path / 'a.json', {'images': images, 'annotations': people})
    (track,) = read_keypoints(path, fps=25).tracks
    assert track.frames.tolist() == sorted(frames)
    expected = walk(3)[np.argsort(frames)].astype(np.float32)
    np.testing.assert_array_equal(track.keypoints, expected)
    lines = ['their IDs do'] if keys.get('file_name', [''])[0] == 'a.jpg' else []
    assert [line.split('; ')[-1] for line in caplog.messages] == lines


def test_objects_of_other_categories_are_left_out(tmp_path, caplog):
    poses = walk(3)
    people = [coco_result(n, pose) for n, pose in enumerate(poses)]
    del people[1]['category_id']
    dogs = [coco_result(n, poses[0] + 9, category_id=18) for n in (0, 2)]
    clip = read_keypoints(dump(tmp_path / 'a.json', [*dogs, *people]), **SIZE)
    assert clip.tracks[0].frames.tolist() == [0, 1, 2]
    np.testing.assert_allclose(clip.tracks[0].keypoints, poses, rtol=1e-6)
    assert '2 of 5 objects are left out: people have category_id 1' in caplog.text


def test_categories_of_annotations_are_by_name(tmp_path):
    poses, joints = walk(2), get_skeleton('coco-17').joints
    document = {
        'images': [{'id': n, 'width': 1280, 'height': 720} for n in range(2)],
        'categories': [
            {'id': 1, 'name': 'dog', 'keypoints': ['tail'] * 17},
            {'id': 7, 'name': 'Human body', 'keypoints': joints},
        ],
        'annotations': [
            *(coco_result(n, poses[n], category_id=7) for n in range(2)),
            coco_result(0, poses[0] + 5, category_id=1),
        ],
    }
    clip = read_keypoints(dump(tmp_path / 'a.json', document), fps=25)
    np.testing.assert_allclose(clip.tracks[0].keypoints, poses, rtol=1e-6)


def test_coco_annotations_state_size_names_and_empty_images(tmp_path):
    pose = np.c_[walk(1)[0], np.full(17, 2)]
    pose[4] = 0
    person = {'image_id': 9, 'keypoints': pose.ravel().tolist(), 'track_id': 6}
    unlabeled = {'image_id': 7, 'keypoints': [0] * 51, 'num_keypoints': 0}
    document = {
        'images': [{'id': i, 'width': 1280, 'height': 720} for i in (9, 7, 8)],
        'annotations': [{**person, 'bbox': [100, 200, 30, 40]}, unlabeled],
        'categories': [{'keypoints': list(get_skeleton('h36m-17').joints)}],
    }
    clip = read_keypoints(dump(tmp_path / 'a.json', document), fps=25)
    assert (clip.skeleton, clip.width, clip.height) == ('h36m-17', 1280, 720)
    (track,) = clip.tracks
    assert (track.track, track.frames.tolist()) == (6, [2])
    assert track.bboxes.tolist() == [[100, 200, 130, 240]]
    assert track.scores[0].tolist() == [1] * 4 + [0] + [1] * 12


@pytest.mark.parametrize(
    ('count', 'name'),
    [
        (17, 'coco-17'),
        (26, 'halpe-26'),
        (33, 'mediapipe-33'),
        (133, 'coco-wholebody-133'),
    ],
)
def test_joint_count_decides_unless_file_or_argument_does(tmp_path, count, name):
    keypoints = walk(2, count)
    path = save(tmp_path / 'a.npz', keypoints=keypoints)
    assert read_keypoints(path).skeleton == name
    for stated in ('h36m-17', 'mpi-inf-3dhp-17'):
        if count == 17:
            names = np.array(get_skeleton(stated).joints)
            assert read_keypoints(path, skeleton=stated).skeleton == stated
            save(path, keypoints=keypoints, skeleton=stated)
            assert read_keypoints(path).skeleton == stated
            save(path, keypoints=keypoints, joint_names=names)
            assert read_keypoints(path).skeleton == stated


def test_arguments_override_the_file_with_a_warning(tmp_path, caplog):
    path = save(tmp_path / 'a.npz', skeleton='coco-17')
    same = read_keypoints(path, image_size=(1280, 720), fps=25, skeleton='coco-17')
    assert not caplog.records
    other = read_keypoints(path, image_size=(900, 700), fps=50, skeleton='h36m-17')
    assert (same.fps, other.fps, other.width, other.height) == (25, 50, 900, 700)
    assert other.skeleton == 'h36m-17'
    assert len(caplog.messages) == 4
    assert f'{path} states fps 25.0; the given 50 is used instead' in caplog.messages


def test_person_without_keypoints_is_left_out_with_a_warning(tmp_path, caplog):
    keypoints = walk(4)
    keypoints[2:] = np.nan
    frame, track = np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])
    path = save(tmp_path / 'a.npz', keypoints=keypoints, frame=frame, track=track)
    assert [t.track for t in read_keypoints(path).tracks] == [0]
    assert ': person 1 left out, as no keypoint is known' in caplog.text


def test_skeletons_io_and_drawing_import_neither_torch_nor_mmpose():
    code = (
        'import sys, mmhot.skeletons.joints\n'
        'heavy = {"torch", "mmpose", "mmengine"}\n'
        'assert not {*heavy, "cv2", "scipy"} & set(sys.modules)\n'
        'import mmhot.io.readers.keypoints, mmhot.io.lifted\n'
        'import mmhot.chain.visualization.video\n'
        'assert not {*heavy, "matplotlib"} & set(sys.modules)'
    )
    subprocess.run([sys.executable, '-c', code], check=True)


# Writing


def test_json_has_the_form_of_mmpose_and_no_nan(tmp_path):
    write_json(lifted_clip(), tmp_path / 'a.json')
    text = (tmp_path / 'a.json').read_text(encoding='utf-8')
    document = json.loads(text, parse_constant=pytest.fail)
    meta = document['meta_info']
    assert (meta['unit'], meta['axes'], meta['fps']) == ('m', 'camera', 30000 / 1001)
    frames = document['instance_info']
    assert [frame['frame_id'] for frame in frames] == [0, 1, 3]
    assert [len(frame['instances']) for frame in frames] == [2, 1, 2]
    person = frames[1]['instances'][0]
    assert person['track_id'] == 7
    assert np.shape(person['keypoints']) == (17, 3)
    assert person['keypoints_2d'][3] == [None, None]


def test_z_up_axes_are_converted_and_back():
    clip = lifted_clip()
    up = to_axes(clip, 'z-up')
    x, y, z = np.moveaxis(clip.keypoints_3d, -1, 0)
    np.testing.assert_array_equal(up.keypoints_3d, np.stack([x, z, -y], axis=-1))
    assert up.axes == 'z-up'
    back = to_axes(up, 'camera')
    np.testing.assert_array_equal(back.keypoints_3d, clip.keypoints_3d)
    assert back.axes == 'camera'
