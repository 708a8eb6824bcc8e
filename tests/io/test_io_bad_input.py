"""Error messages for invalid keypoint files: one line each."""

import pickle

import numpy as np
import pytest
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

from mmhot.io.readers.keypoints import read_keypoints


def with_value(value, shape=(4, 17, 2)):
    array = walk(*shape[:2])[..., : shape[2]]
    array[1, 2, 0] = value
    return array


BAD_ARRAYS = {
    'no keypoints': ({'keypoints': None}, "has no array 'keypoints'"),
    'two axes': ({'keypoints': walk()[0]}, '(T, K, 2), or (T, K, 3)'),
    'four columns': ({'keypoints': np.zeros((4, 17, 4))}, 'is (4, 17, 4): (T, K, 2)'),
    'no rows': ({'keypoints': walk(0)}, 'is empty (0, 17, 2)'),
    '3D beside scores': (
        {'keypoints': np.ones((4, 17, 3)), 'scores': np.ones((4, 17))},
        '2D keypoints are expected',
    ),
    'text': ({'keypoints': walk().astype(str)}, "'keypoints' holds text"),
    'objects': ({'keypoints': np.array([None, 1])}, 'pickled Python objects'),
    'all NaN': ({'keypoints': walk() * np.nan}, 'no keypoint is finite'),
    'all scores 0': ({'scores': np.zeros((4, 17))}, 'no keypoint is finite'),
    'infinite': (
        {'keypoints': with_value(np.inf)},
        'infinite values (first at frame 1)',
    ),
    'far away': ({'keypoints': with_value(1e30)}, 'lie 1e+30 pixels away'),
    'normalized': ({'keypoints': walk() / 1280}, 'seem to be normalized'),
    'negative score': ({'scores': -np.ones((4, 17))}, 'scores holds negative values'),
    'scores of 16 joints': ({'scores': np.ones((4, 16))}, '(4, 17) is expected'),
    'fewer frames': ({'frame': np.arange(3)}, "'frame' is (3,)"),
    'half frames': ({'frame': np.arange(4) / 2}, 'must hold whole numbers, got 0.5'),
    'negative frames': ({'frame': np.arange(4) - 2}, 'got -2'),
    'far too large frames': ({'frame': np.arange(4) * 10**9}, 'got 3000000000'),
    'text frames': ({'frame': np.array(list('abcd'))}, "'frame' holds text"),
    'track alone': ({'track': np.zeros(4, int)}, "'track' but no array 'frame'"),
    'twice': (
        {'frame': np.zeros(4, int), 'track': np.array([0, 1, 2, 2])},
        'two rows for frame 0, track 2',
    ),
    'no track IDs': (
        {'frame': np.array([0, 1, 1, 2])},
        '2 people in frame 1 but no track IDs',
    ),
    'no width': ({'width': None}, 'does not state width: give `image_size`'),
    'no header': (
        {'width': None, 'height': None, 'fps': None},
        'does not state width, height, fps: give `image_size` and `fps`',
    ),
    'fps 0': ({'fps': 0}, 'fps must be a number within 1..1000, got 0'),
    'fps NaN': ({'fps': np.nan}, 'fps must be a number within 1..1000, got nan'),
    'other size': (
        {'width': 200, 'height': 100},
        'most keypoints lie outside a 200x100',
    ),
    'other count': (
        {'keypoints': walk(4, 18)},
        'has 18 keypoints per person; known are 17',
    ),
    'other skeleton': ({'skeleton': 'halpe-26'}, 'but halpe-26 has 26'),
    'unknown skeleton': ({'skeleton': 'coco-71'}, 'did you mean coco-17'),
    'other names': ({'joint_names': np.array(list('abcdefghijklmnopq'))}, '`skeleton`'),
}


@pytest.mark.parametrize('case', BAD_ARRAYS)
def test_bad_arrays_give_one_line(tmp_path, case):
    arrays, message = BAD_ARRAYS[case]
    assert_refused(save(tmp_path / 'bad.npz', **arrays), message)


POSE = walk(1)[0]
BAD_DOCUMENTS = {
    'no people': ([], 'holds no people'),
    'no people in frames': ([{'frame_id': 0, 'instances': []}], 'holds no people'),
    'object': ({'a': 1}, 'is not a list of frames or of instances'),
    'no keypoints': ([{'frame_id': 0, 'instances': [{}]}], "without 'keypoints'"),
    'no instances': ([*video([POSE]), {'frame_id': 7}], 'frame 7 has no list of'),
    'text': ([instance(POSE, keypoints='abc')], "frame 0: 'keypoints' must be numbers"),
    'ragged': ([instance(POSE, keypoints=[[1, 2], [3]])], 'must be numbers'),
    '3D': ([instance(np.ones((17, 3)))], '3D keypoints?'),
    'infinite': ([instance(POSE + np.inf)], 'infinite values (first at frame 0)'),
    'one score': ([instance(POSE, keypoint_scores=[1.0])], 'are (1,) for 17 keypoints'),
    'long box': ([instance(POSE, bbox=[1] * 6)], "'bbox' is (6,): four numbers"),
    'bad frame': ([{'frame_id': 0.5, 'instances': []}], 'whole numbers, got 0.5'),
    'bad track ID': ([instance(POSE, track_id='left')], "got ['left']"),
    'some track IDs': (
        [instance(POSE, track_id=1), instance(POSE)],
        'only 1 of 2 people',
    ),
    'no track IDs': ([instance(POSE)] * 3, '3 people in frame 0 but no track IDs'),
    'two counts': (
        video([POSE, walk(1, 26)[0]]),
        "frame 1: 'keypoints' must be numbers, as many for each person",
    ),
    'detections': ([{'image_id': 1, 'bbox': [1, 2, 3, 4]}], "without 'keypoints'"),
    'pairs': ([{'image_id': 1, 'keypoints': [1, 2, 3, 4]}], 'K triples x, y, score'),
    'only dogs': (
        [coco_result(5, POSE, category_id=18)],
        'holds no person: category_id is 18, but people have 1',
    ),
    'categories of animals': (
        {
            'images': [{'id': 5}],
            'annotations': [coco_result(5, POSE)],
            'categories': [{'id': 1, 'name': 'cat', 'supercategory': 'animal'}],
        },
        "has no category 'person', only cat",
    ),
    'null image': ([coco_result(None, POSE)], "'image_id' must be a number or name"),
    'COCO no track IDs': ([coco_result(5, POSE)] * 2, 'but no track IDs'),
    'COCO twice': (
        [coco_result(5, POSE, track_id=3)] * 2,
        'two rows for frame 0, track 3',
    ),
    'no images': (
        {'images': [], 'annotations': [coco_result(2, POSE)]},
        "image 2 is not among 'images'",
    ),
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
    'two videos by ID': (
        [coco_result(n, POSE) for n in (10**9, 10**9 + 1, 10**9 + 2, 2 * 10**9)],
        'has images of several videos (id 1000000002 is followed by 2000000000)',
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
        "image 2 is not among 'images'",
    ),
}


@pytest.mark.parametrize('case', BAD_DOCUMENTS)
def test_bad_json_gives_one_line(tmp_path, case):
    document, message = BAD_DOCUMENTS[case]
    assert_refused(dump(tmp_path / 'bad.json', document), message, **SIZE)


BAD_BYTES = {
    'empty': (b'', 'is empty'),
    'blank': (b' \n\t ', 'is empty'),
    'words': (b'frame,track', 'is neither .npz nor JSON'),
    'pickle': (pickle.dumps({'a': 1}), 'is a pickle, which is never loaded'),
    'video': (b'\0\0\0\x20ftypisom', 'is a video'),
    'image': (b'\xff\xd8\xff\xe0', 'is an image'),
    'npy': (b'\x93NUMPY\x01\0', 'is a bare .npy array'),
    'half a list': (b'[{"frame_id": 0,', 'is not valid JSON'),
    'Latin-1': (b'[{"name": "\xe9"}]', 'is not valid JSON'),
    'half a zip': (b'PK\x03\x04 and so on', 'damaged or cut off'),
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
    assert_refused(tmp_path, 'is a folder without .json files')
    dump(tmp_path / '1.json', video(walk()))
    assert_refused(tmp_path, '1.json holds a whole clip', **SIZE)
    (tmp_path / '1.json').write_text('[')
    assert_refused(tmp_path, '1.json is not valid JSON', **SIZE)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'fps': -1}, '`fps`: fps must be a number within 1..1000, got -1'),
        ({'image_size': (0, 5)}, '`image_size`: width must be a whole number'),
        ({'image_size': (5,)}, '`image_size` must be width and height, got (5,)'),
        ({'skeleton': 'cocoo-17'}, 'did you mean coco-17'),
        ({'single': 'tallest'}, "`single` must be 'largest', got 'tallest'"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match='.') as caught:
        read_keypoints(SKATER, **arguments)
    assert message in str(caught.value)
