"""Documents of people as programs write them: frames, names, folders, landmarks."""

import json
import pickle
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from clip_files import SIZE, dump, walk
from given_poses import FPS, landmarks, sam_results
from mocap import KICK, joints_of

import mmhot
from mmhot.io.readers.keypoints import read_keypoints
from mmhot.io.readers.poses import read_poses
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.lens import Lens

COUNT, ABSENT = 12, (3, 4, 8)
NUMBERS = 3 + 2 * np.arange(COUNT)
RESULTS = sam_results(COUNT)
MEDIAPIPE, MHR = get_skeleton('mediapipe-33'), get_skeleton('mhr-70').joints


def plain(person):
    return {k: np.asarray(x).tolist() for k, x in person.items() if x is not None}


def as_document(entry):
    """A list of frames with people; frames without are absent."""
    there = [n for n in range(COUNT) if n not in ABSENT]
    return [entry(n, [*map(plain, RESULTS[n])]) for n in there]


ENTRIES = {
    'frame': lambda n, people: {'frame': n, 'people': people},
    'name in frame': lambda n, people: {
        'frame': f'frame_{n:06}.png',
        'bbox': [1, 2, 3, 4],
        'outputs': people,
    },
    'frame_idx': lambda n, people: {'frame_idx': n, 'outputs': people},
    'frameNum': lambda n, people: {'frameNum': n, 'outputs': people},
    'frame_name': lambda n, x: {'frame_name': f'frame_{n:06}.png', 'outputs': x},
    'image_path': lambda n, people: {
        'image': [[0, 0, 0]],
        'image_path': f'/data/walk_2/{n:05}.jpg',
        'outputs': people,
    },
    'timestamp_ms': lambda n, people: {
        'timestamp_ms': round(1e12 + 1000 * n / FPS + 3 * (n % 3)),
        'outputs': people,
    },
    'time of day': lambda n, people: {
        'timestamp': f'2026-11-03T23:59:58.{round(1000 * n / FPS):03}Z',
        'outputs': people,
    },
    'ts': lambda n, people: {'ts': f'{n / FPS:g}', 'outputs': people},
    'of each person': lambda n, people: {'frame_number': n, **people[0]},
    'by ID': lambda n, people: {'frame': n, 'people': {'7': people[0]}},
    'by joint': lambda n, people: {
        'frame': n,
        'keypoints_3d': dict(zip(MHR, people[0]['pred_keypoints_3d'], strict=True)),
    },
}


@pytest.mark.parametrize('form', ENTRIES)
@pytest.mark.parametrize('wrap', [lambda x: x, lambda x: {'fps': FPS, 'frames': x}])
def test_frames_without_people_may_be_absent(form, wrap, tmp_path):
    path = dump(tmp_path / 'a.json', wrap(as_document(ENTRIES[form])))
    known, clip = read_poses(RESULTS, fps=FPS), read_poses(path, fps=FPS)
    there = np.setdiff1d(np.arange(COUNT), ABSENT)
    assert clip.frame.tolist() == there.tolist()
    np.testing.assert_allclose(clip.keypoints_3d, known.keypoints_3d[there], atol=1e-4)
    if form == 'by ID':
        assert {*clip.track.tolist()} == {7}
    elif form != 'by joint':
        np.testing.assert_allclose(clip.root_3d, known.root_3d[there], atol=1e-4)


def test_one_frame_has_a_time(caplog):
    entry = [{'timestamp': 1.5, 'outputs': RESULTS[0]}]
    assert read_poses(entry, fps=FPS).frame.tolist() == [0]
    assert 'times do not increase' not in caplog.text


def objects(results):
    array = np.empty(len(results), object)
    array[:] = results
    return array


def columns(results):
    names = ('pred_keypoints_3d', 'pred_cam_t', 'pred_keypoints_2d', 'focal_length')
    return {x: np.stack([people[0][x] for people in results]) for x in names}


@pytest.mark.parametrize('frame', ['frame', 'frames', 'frame_idx', 'frame_ids'])
@pytest.mark.parametrize('track', ['track', 'track_id', 'person_ids'])
@pytest.mark.parametrize('kind', ['npz', 'pkl'])
def test_columns_of_frames_and_tracks_have_other_names(frame, track, kind, tmp_path):
    poses = np.stack([people[0]['pred_keypoints_3d'] for people in RESULTS])
    numbers = np.arange(COUNT) + 5
    arrays = {'keypoints_3d': poses, frame: numbers, track: 0 * numbers + 7}
    path = tmp_path / f'a.{kind}'
    if kind == 'npz':
        np.savez(path, **arrays)
    else:
        path.write_bytes(pickle.dumps(arrays))
    clip = read_poses(path, fps=FPS)
    assert clip.frame.tolist() == numbers.tolist()
    assert {*clip.track.tolist()} == {7}


FILES = {
    'a.json': lambda path: dump(path, [[*map(plain, x)] for x in RESULTS]),
    'a.pkl': lambda path: path.write_bytes(pickle.dumps(RESULTS)),
    'objects.npz': lambda path: np.savez(path, objects(RESULTS)),
    'columns.npz': lambda path: np.savez(path, **columns(RESULTS)),
    'by name.json': lambda path: dump(
        path, {f'{n}.jpg': [*map(plain, x)] for n, x in enumerate(RESULTS)}
    ),
}


@pytest.mark.parametrize('name', FILES)
def test_files_of_sam_3d_body(name, tmp_path):
    FILES[name](tmp_path / name)
    known, clip = read_poses(RESULTS, fps=FPS), read_poses(tmp_path / name, fps=FPS)
    assert (clip.width, clip.height) == (1280, 720)
    assert clip.frame.tolist() == list(range(COUNT))
    assert clip.focal_length == 1100
    for field in ('keypoints_3d', 'root_3d', 'keypoints_2d'):
        np.testing.assert_allclose(
            getattr(clip, field), getattr(known, field), atol=1e-4
        )


def test_focal_length_that_no_lens_has_is_left_out():
    wrong = [[{**person, 'focal_length': 1e9} for person in x] for x in RESULTS]
    known, clip = (
        read_poses(x, fps=FPS, image_size=(1280, 720)) for x in (RESULTS, wrong)
    )
    assert known.lens == Lens.pinhole(1100, 1280, 720)
    assert (clip.lens, clip.focal_length) == (None, 0.87 * 1280)
    np.testing.assert_array_equal(clip.root_3d, known.root_3d)


def write_images(folder, results):
    for n, people in enumerate(results):
        np.savez(folder / f'frame_{n:06}_data.npz', data=np.array(people, object))


def write_people_of_images(folder, results):
    for n, people in enumerate(results):
        for track, person in enumerate(people):
            arrays = {k: x for k, x in person.items() if x is not None}
            np.savez(folder / f'frame_{n:06}_person_{track}_data.npz', **arrays)


def write_numbers(folder, results):
    for n, people in enumerate(results):
        for track, person in enumerate(people):
            path = folder / f'{n:06}_{track}.pkl'
            path.write_bytes(pickle.dumps(person))


def stacked(people):
    names = [key for key, x in people[0].items() if x is not None]
    return {key: np.stack([x[key] for x in people]) for key in names}


def write_stacked_images(folder, results):
    for n, people in enumerate(results):
        np.savez(folder / f'{n:06}.npz', **stacked(people))


def write_motions(folder, results):
    for track, people in enumerate(zip(*results, strict=True)):
        arrays = stacked(people)
        np.savez(folder / f'person_{track}.npz', frame_idx=NUMBERS, **arrays)


WRITERS = (
    write_images,
    write_people_of_images,
    write_numbers,
    write_stacked_images,
    write_motions,
)


@pytest.mark.parametrize('write', WRITERS)
def test_folders_of_sam_3d_body(write, tmp_path):
    results = [
        sorted(people, key=lambda x: x['pred_cam_t'][0])
        for people in sam_results(COUNT, people=2)
    ]
    write(tmp_path, results)
    clip = read_poses(tmp_path, fps=FPS)
    reference = read_poses(results, fps=FPS)
    numbers = NUMBERS if write is write_motions else np.arange(COUNT)
    assert clip.frame.tolist() == np.repeat(numbers, 2).tolist()
    for name in ('keypoints_3d', 'root_3d', 'keypoints_2d'):
        np.testing.assert_allclose(
            getattr(clip, name), getattr(reference, name), atol=1e-4
        )
    has_ids = write in (write_people_of_images, write_numbers, write_motions)
    assert clip.track.tolist() == ([0, 1] * COUNT if has_ids else [-1] * 2 * COUNT)


def test_pickles_and_objects_of_npy_need_no_pytorch(tmp_path):
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(RESULTS))
    np.save(tmp_path / 'b.npy', objects(RESULTS))
    code = (
        'import sys; sys.modules["torch"] = None\n'
        'from mmhot.io.readers.poses import read_poses\n'
        f'for name in ("a.pkl", "b.npy"):\n'
        f'    assert len(read_poses(f"{tmp_path}/{{name}}", fps=30)) == {COUNT}\n'
    )
    subprocess.run([sys.executable, '-c', code], check=True)


# --- landmarks ------------------------------------------------------------------------


WORLD, IMAGE, _ = landmarks(COUNT)


def listed(points, visibility=0.9):
    return [dict(zip('xyz', p, strict=True), visibility=visibility) for p in points]


OF_PYTHON = 'pose_world_landmarks', 'pose_landmarks'
# Keys of landmarks in the world and in the image, and how both are written.
FORMS = {
    'results of Python': (OF_PYTHON, lambda x: [listed(x)]),
    'results of JavaScript': (('worldLandmarks', 'landmarks'), lambda x: [listed(x)]),
    'one person': (OF_PYTHON, listed),
    'wrapped': (
        ('poseWorldLandmarks', 'poseLandmarks'),
        lambda x: {'landmark': listed(x)},
    ),
    'joints by name': (
        OF_PYTHON,
        lambda x: dict(zip(MEDIAPIPE.joints, listed(x), strict=True)),
    ),
    'lists of numbers': (OF_PYTHON, lambda x: np.c_[x, np.full(33, 0.9)].tolist()),
    'people with both': (('world_landmarks', 'landmarks'), listed),
}


def landmarks_of(form, world, image):
    keys, write = FORMS[form]
    written = dict(zip(keys, map(write, (world, image)), strict=True))
    return {'people': [written]} if form == 'people with both' else written


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('absent', [(), (2, 5)])
@pytest.mark.parametrize('is_numbered', [True, False])
def test_landmarks_of_mediapipe_in_2d_and_3d(form, absent, is_numbered, tmp_path):
    frames = [
        {'frame_no': n, **landmarks_of(form, *x)}
        for n, x in enumerate(zip(WORLD, IMAGE, strict=True))
    ]
    for n in absent:  # no person is found
        frames[n] = {'frame_no': n, 'pose_landmarks': []}
    if not is_numbered:
        frames = [{k: x for k, x in y.items() if k != 'frame_no'} for y in frames]
    path = dump(tmp_path / 'a.json', {'fps': 25, 'frames': frames})
    there = np.setdiff1d(np.arange(COUNT), absent)
    [track] = read_keypoints(path, image_size=(1280, 720)).tracks
    assert track.frames.tolist() == there.tolist()
    pixels = IMAGE[there, :, :2] * SIZE['image_size']
    np.testing.assert_allclose(track.keypoints, pixels, rtol=1e-5)
    np.testing.assert_allclose(track.scores, 0.9, rtol=1e-6)
    for size in (None, (1280, 720)):
        clip = read_poses(path, image_size=size)
        assert clip.joint_names == MEDIAPIPE.joints
        assert (clip.axes, clip.frame.tolist()) == ('camera', there.tolist())
        np.testing.assert_allclose(clip.keypoints_3d, WORLD[there], atol=1e-5)
        assert np.isnan(clip.keypoints_2d).all() == (size is None)


def test_lists_of_landmarks_alone_are_in_meters_around_hips(tmp_path):
    world, image = ([listed(x) for x in points] for points in (WORLD, IMAGE))
    clip = read_poses(dump(tmp_path / 'a.json', world), fps=25)
    np.testing.assert_allclose(clip.keypoints_3d, WORLD, atol=1e-5)
    path = dump(tmp_path / 'b.json', [None, *image[1:]])
    [track] = read_keypoints(path, **SIZE).tracks
    assert track.frames.tolist() == [*range(1, COUNT)]


def test_objects_of_mediapipe_are_lifted_and_refined():
    def objects(points):
        return [SimpleNamespace(**x) for x in listed(points)]

    results = [
        SimpleNamespace(pose_landmarks=[objects(i)], pose_world_landmarks=[objects(w)])
        for w, i in zip(WORLD, IMAGE, strict=True)
    ]
    results[3] = SimpleNamespace(pose_landmarks=[], pose_world_landmarks=[])
    lifted = mmhot.lift(iter(results), **SIZE)
    assert lifted.frame.tolist() == [*range(COUNT)]
    assert mmhot.refine(results, fps=25).frame.tolist() == [*range(COUNT)]


def of_posenet(name, x, y):
    return dict(part=name, position=dict(x=x, y=y), score=0.7)


def of_tensorflow(name, x, y):
    return dict(x=x, y=y, score=0.7, name=name)


@pytest.mark.parametrize('point', [of_posenet, of_tensorflow, None])
def test_keypoints_of_tensorflow_js_and_easy_vitpose(point, tmp_path):
    names = get_skeleton('coco-17').joints
    points = walk(COUNT)
    if point is None:  # y, x, score
        frames = [{'4': [[y, x, 0.7] for x, y in pose]} for pose in points.tolist()]
        document = {'keypoints': frames, 'skeleton': dict(enumerate(names))}
    else:
        people = [[*map(point, names, *pose.T.tolist())] for pose in points]
        document = [[dict(score=0.8, keypoints=person)] for person in people]
    path = dump(tmp_path / 'a.json', document)
    for source in (path, json.loads(path.read_text())):
        [track] = read_keypoints(source, **SIZE).tracks
        assert track.track == (4 if point is None else 0)
        np.testing.assert_allclose(track.keypoints, points, rtol=1e-6)
        np.testing.assert_allclose(track.scores, 0.7, rtol=1e-6)


@pytest.mark.parametrize('form', ['pairs', 'arrays', 'dicts of MMPose'])
def test_arrays_of_rtmlib_have_the_people_of_each_frame(form):
    points, frames = walk(COUNT), []
    for number, pose in enumerate(points):
        people = np.stack([pose, pose + 300])[: 1 + (number > 4)]
        scores = np.full(people.shape[:2], 0.7)
        pair = dict(keypoints=people, keypoint_scores=scores, track_id=[0, 1])
        frames.append(pair if 'dicts' in form else (people, scores))
    frames = [x[0] for x in frames] if form == 'arrays' else frames
    one, two = read_keypoints(frames, **SIZE).tracks
    assert two.frames.tolist() == [*range(5, COUNT)]
    np.testing.assert_allclose(one.keypoints, points, rtol=1e-6)
    np.testing.assert_allclose(two.keypoints, points[5:] + 300, rtol=1e-6)
    np.testing.assert_allclose(two.scores, 1 if form == 'arrays' else 0.7, rtol=1e-6)


def test_arrays_in_json(tmp_path):
    poses = joints_of(KICK, COUNT)
    path = dump(tmp_path / 'a.json', poses.tolist())
    reference = read_poses(poses, fps=25)
    np.testing.assert_allclose(
        read_poses(path, fps=25).keypoints_3d, reference.keypoints_3d
    )
    lost = poses.astype(object)
    lost[3, 5] = None
    clip = read_poses(dump(tmp_path / 'b.json', lost.tolist()), fps=25)
    assert np.argwhere(np.isnan(clip.keypoints_3d).any(-1)).tolist() == [[3, 5]]


def test_arrays_of_hot_and_mhformer(tmp_path):
    """Both write ``reconstruction``: people first in 2D, frames first in 3D."""
    from rendered_clips import rendered

    pixels = rendered('walk').keypoints_2d[:, :17]
    np.savez(tmp_path / 'keypoints.npz', reconstruction=pixels[None])
    clip = read_keypoints(tmp_path / 'keypoints.npz', **SIZE)
    assert clip.skeleton == 'h36m-17'
    np.testing.assert_allclose(clip.tracks[0].keypoints, pixels)
    true = joints_of(KICK, 20)
    relative = true - true[:, :1]
    relative[..., 2] -= relative[..., 2].min(1, keepdims=True)
    np.savez(tmp_path / 'output_keypoints_3d.npz', reconstruction=relative)
    clip = read_poses(tmp_path / 'output_keypoints_3d.npz', fps=25)
    assert clip.axes == 'z-up'
    # the path is unknown, the height is not
    np.testing.assert_allclose(clip.root_3d, relative[:, 0], atol=1e-5)
    np.testing.assert_allclose(clip.keypoints_3d, true - true[:, :1], atol=1e-5)


def test_lines_of_streams_are_clips(tmp_path):
    """Two sessions, of which the last one ends within a line."""
    from rendered_clips import rendered

    clip = rendered('walk').take(np.arange(COUNT))
    header = dict(type='header', stream='0', started='now', smooth_3d='one-euro')
    names = (
        'width',
        'height',
        'fps',
        'unit',
        'axes',
        'model',
        'joint_names',
        'parents',
    )
    header |= {name: getattr(clip, name) for name in names}
    header |= dict(focal_length=1113.6, focal_assumed=True, intrinsics=[])
    lines = []
    for start in (5.0, 0.3):
        lines.append(header)
        for n in range(COUNT):
            person = dict(track_id=4, broken=False)
            for name in ('keypoints_3d', 'keypoints_2d', 'scores'):
                person[name] = getattr(clip, name)[n].tolist()
            person['root_3d'] = None if n == 3 else [0.1, 0.2, 4 + n]
            result = [] if n == 6 else [person]
            frame = dict(type='frame', frame_id=n, time=start + n / 25)
            lines.append({**frame, 'latency_ms': 200.0, 'instances': result})
    path = tmp_path / 'camera.jsonl'
    path.write_text('\n'.join(map(json.dumps, lines)) + '\n{"type": "fra')
    read = mmhot.read_lifted(path)
    there = np.setdiff1d(np.arange(COUNT), 6)
    assert (read.name, read.frame.tolist()) == ('camera', there.tolist())
    assert [*read.steps.items()] == [('smoothing', {'smooth_3d': 'one-euro'})]
    np.testing.assert_allclose(read.keypoints_3d, clip.keypoints_3d[there], atol=1e-6)
    assert np.flatnonzero(np.isnan(read.root_3d).any(-1)).tolist() == [3]
    np.testing.assert_allclose(read.time, 0.3 + there / 25)
    refined = mmhot.refine(path)
    assert {*there.tolist()} <= {*refined.frame.tolist()}
    with pytest.raises(ValueError, match='3D poses are for mmhot refine'):
        read_keypoints(path)


def test_easymocap(tmp_path):
    pose = np.append(np.random.default_rng(0).normal(size=(67, 3)), np.ones((67, 1)), 1)
    for frame in range(4):
        people = [dict(id=n, keypoints3d=(pose + n).tolist()) for n in (3, 5)]
        dump(tmp_path / f'{frame:06}.json', people)
    clip = read_poses(tmp_path, fps=30)
    assert clip.axes == 'world'
    assert len(clip.joint_names) == 25
    assert clip.track.tolist() == [3, 5] * 4


def test_parts_of_people_are_in_dicts():
    """A fork of SAM 3D Body nests boxes and translations."""
    frames = [
        dict(
            persons=[
                dict(
                    skeleton=dict(keypoints_3d=x['pred_keypoints_3d']),
                    camera=dict(translation=x['pred_cam_t'], focal_length=900.0),
                    bbox=dict(body=[0, 0, 9, 9], left_hand=[1, 1, 2, 2]),
                )
                for x in people
            ]
        )
        for people in RESULTS
    ]
    clip, plain = (
        read_poses(x, fps=30, image_size=(99, 99)) for x in (frames, RESULTS)
    )
    np.testing.assert_array_equal(clip.places(), plain.places())
