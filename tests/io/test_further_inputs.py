"""Keypoints of Ultralytics' save_txt, VideoPose3D, SLEAP's .csv, ComfyUI."""

from pathlib import Path

import numpy as np
import pytest
from clip_files import dump

import mmhot
from mmhot.chain.frames.inputs import find_inputs
from mmhot.io.readers.documents import read_document
from mmhot.skeletons.joints import get_skeleton

SIZE = (640, 480)
JOINTS = get_skeleton('coco-17').joints
POINTS = np.random.default_rng(0).uniform(50, 400, (17, 2)).round(2)
POINTS = POINTS + np.arange(6)[:, None, None]
SCORES = np.random.default_rng(1).uniform(0.2, 1, (6, 17)).round(3)


def label(frame, ends=(), with_scores=True):
    """A line of ``save_txt``."""
    shares = POINTS[frame] / SIZE
    columns = [*shares.T, SCORES[frame]] if with_scores else [*shares.T]
    return ' '.join(
        map(str, [0, 0.5, 0.5, 0.2, 0.6, *np.stack(columns, 1).ravel(), *ends])
    )


def write_labels(folder, frames=range(6), **options):
    folder.mkdir(exist_ok=True)
    for frame in frames:
        (folder / f'walk_{frame + 1}.txt').write_text(label(frame, **options) + '\n')
    return folder


@pytest.mark.parametrize('with_scores', [True, False])
@pytest.mark.parametrize('ends', [(), (0.87,), (4,), (0.87, 4)], ids=str)
def test_labels_of_ultralytics(tmp_path, ends, with_scores):
    folder = write_labels(tmp_path / 'labels', ends=ends, with_scores=with_scores)
    clip = mmhot.read_keypoints(folder, image_size=SIZE, fps=30)
    [track] = clip.tracks
    assert clip.skeleton == 'coco-17'
    assert track.track == (4 if 4 in ends else 0)
    assert np.diff(track.frames).tolist() == [1] * 5
    np.testing.assert_allclose(track.keypoints, POINTS, atol=1e-3)
    np.testing.assert_allclose(track.scores, SCORES if with_scores else 1, atol=1e-6)
    np.testing.assert_allclose(track.bboxes[0], [256, 96, 384, 384], atol=1e-3)


@pytest.mark.parametrize('before', ['', '\ufeff', ' \n\t'], ids=repr)
def test_json_of_ultralytics(tmp_path, before):
    frames = [
        [{'name': 'person', 'box': {'x1': 1.0}, 'track_id': 3, 'keypoints': columns}]
        for columns in (
            dict(zip(('x', 'y', 'visible'), [*points.T.tolist(), scores], strict=True))
            for points, scores in zip(POINTS, SCORES.tolist(), strict=True)
        )
    ]
    path = dump(tmp_path / 'walk.json', [*frames[:3], [], *frames[4:]])
    path.write_text(before + path.read_text())
    [track] = mmhot.read_keypoints(path, image_size=SIZE, fps=30).tracks
    kept = [0, 1, 2, 4, 5]
    assert (track.track, track.frames.tolist()) == (3, kept)
    np.testing.assert_allclose(track.keypoints, POINTS[kept], atol=1e-4)
    np.testing.assert_allclose(track.scores, SCORES[kept], atol=1e-6)


def test_labels_with_gaps_and_unconfirmed_people(tmp_path):
    folder = write_labels(tmp_path / 'labels', [0, 1, 4, 5], ends=(0.9, 2))
    (folder / 'walk_0.txt').touch()
    with (folder / 'walk_2.txt').open('a') as file:
        file.write(label(3, ends=(0.4,)) + '\n')
    [track] = mmhot.read_keypoints(folder, image_size=SIZE, fps=30).tracks
    assert (track.frames - track.frames[0]).tolist() == [0, 1, 4, 5]
    with pytest.raises(
        ValueError, match='has keypoints, not images: lift them by `mmhot'
    ):
        find_inputs([str(folder)], fps=30)


def custom(path, videos):
    meta = {'w': SIZE[0], 'h': SIZE[1]}
    metadata = dict(layout_name='coco', video_metadata=dict.fromkeys(videos, meta))
    np.savez(path, positions_2d=np.array(videos, object), metadata=metadata)
    return path


def test_custom_data_of_videopose3d(tmp_path):
    path = custom(tmp_path / 'data_2d_custom.npz', {'a.mp4': {'custom': [POINTS]}})
    clip = mmhot.read_keypoints(path, fps=50)
    assert (clip.width, clip.height, clip.skeleton) == (*SIZE, 'coco-17')
    np.testing.assert_allclose(clip.tracks[0].keypoints, POINTS, rtol=1e-6)
    several = {name: {'custom': [POINTS]} for name in ('a.mp4', 'b.mp4')}
    with pytest.raises(ValueError, match=r'one video, got a.mp4, b.mp4'):
        mmhot.read_keypoints(custom(path, several), fps=50)
    with pytest.raises(ValueError, match='one person, got 2'):
        mmhot.read_keypoints(custom(path, {'a': {'custom': [POINTS] * 2}}), fps=50)
    np.savez(path, positions_2d=POINTS)
    with pytest.raises(ValueError, match='one video, got none'):
        mmhot.read_keypoints(path, fps=50)


def sleap(names):
    axes = ('x', 'y', 'score')
    header = [f'{joint}.{axis}' for joint in JOINTS for axis in axes]
    lines = [['track', 'frame_idx', 'instance.score', *header]]
    for frame, name in enumerate(names):
        values = np.concatenate([POINTS[frame], SCORES[frame][:, None]], 1)
        lines.append([name, frame // len(set(names)), 0.9, *values.ravel()])
    lines[1][3:6] = ['', '', '']
    return '\n'.join(','.join(map(str, line)) for line in lines) + '\n'


@pytest.mark.parametrize('names', [[''] * 6, ['track_0', 'track_1'] * 3], ids=str)
def test_csv_of_sleap(tmp_path, names):
    path = tmp_path / 'sleap.csv'
    path.write_text(sleap(names))
    clip = mmhot.read_keypoints(path, image_size=SIZE, fps=30)
    count = len(set(names))
    assert [track.track for track in clip.tracks] == [*range(count)]
    for track in clip.tracks:
        own = POINTS[track.track :: count]
        assert track.frames.tolist() == [*range(6 // count)]
        seen = np.isfinite(track.keypoints)
        np.testing.assert_allclose(track.keypoints[seen], own[seen], rtol=1e-6)
    assert np.isnan(clip.tracks[0].keypoints[0, 0]).all()
    assert clip.tracks[0].scores[0, 0] == 0


@pytest.mark.parametrize('is_folder', [False, True])
def test_json_of_comfyui(tmp_path, is_folder):
    """ControlNet's nodes write a list of images, or a file with a list of each."""
    points = np.concatenate([POINTS, SCORES[..., None]], -1)
    points = np.append(points, points[:, :1], axis=1)  # OpenPose's 18
    frames = [
        dict(
            people=[dict(pose_keypoints_2d=x.ravel().tolist())],
            canvas_width=SIZE[0],
            canvas_height=SIZE[1],
        )
        for x in points
    ]
    if is_folder:
        path = tmp_path
        for n, frame in enumerate(frames):
            dump(tmp_path / f'pose_{n:05}.json', [frame])
    else:
        path = dump(tmp_path / 'a.json', frames)
    clip = mmhot.read_keypoints(path, fps=30)
    assert (clip.width, clip.height, clip.skeleton) == (*SIZE, 'openpose-18')
    [track] = clip.tracks
    np.testing.assert_allclose(track.keypoints, points[..., :2], rtol=1e-6)


def test_archives_are_read_for_their_keypoints_alone(tmp_path):
    """Images, objects and frames of pixels beside them are not loaded."""
    path, columns = tmp_path / 'a.npz', dict(keypoints=POINTS, scores=SCORES)
    for others in (
        dict(frames=np.zeros((6, 4, 4, 3))),
        dict(args=np.array(object())),
        dict(subject='S9', person='a'),
    ):
        np.savez(path, **columns, **others)
        [track] = mmhot.read_keypoints(path, image_size=SIZE, fps=30).tracks
        np.testing.assert_allclose(track.keypoints, POINTS, rtol=1e-6)
    np.savez(path, keypoints=POINTS[0], scores=SCORES[0])
    [track] = mmhot.read_keypoints(path, image_size=SIZE, fps=30).tracks
    np.testing.assert_allclose(track.keypoints, POINTS[:1], rtol=1e-6)


@pytest.mark.parametrize('unknown', [None, float('nan'), -1, '-1', ' '])
@pytest.mark.parametrize('key', ['people', 'bodies'])
def test_people_may_be_under_other_keys_and_have_another_id(tmp_path, key, unknown):
    frames = [
        {key: [{'keypoints': points.tolist(), 'track_id': unknown, 'id': 4}]}
        for points in POINTS
    ]
    path = dump(tmp_path / 'a.json', frames)
    [track] = mmhot.read_keypoints(path, image_size=SIZE, fps=30).tracks
    np.testing.assert_allclose(track.keypoints, POINTS, rtol=1e-6)
    assert track.track == 4


@pytest.mark.parametrize('size', [2, 3])
def test_results_may_have_fewer_landmarks_of_one_kind(size):
    body = np.random.default_rng(2).uniform(0.2, 0.8, (33, 3))
    places = {2: body, 3: body - body[23:25].mean(0)}
    image, world = (
        [dict(zip('xyz', point, strict=True)) for point in points.tolist()]
        for points in places.values()
    )
    frame = {'pose_landmarks': [image, image], 'pose_world_landmarks': [world]}
    rows = read_document([frame, frame], Path('a'), size)
    assert rows.frame.tolist() == ([0, 0, 1, 1] if size == 2 else [0, 1])
    np.testing.assert_allclose(rows.points[0, :, :2], places[size][:, :2])
