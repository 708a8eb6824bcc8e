"""Files and objects of OpenPose, DeepLabCut, SLEAP, CVAT, Ultralytics, supervision."""

import csv
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from clip_files import SIZE, assert_refused, coco_result, dump, walk

import mmhot
from mmhot.io.readers.keypoints import read_keypoints
from mmhot.skeletons.joints import convert_keypoints, get_skeleton

COCO = get_skeleton('coco-17')
# people, frames, joints
POSES = np.stack([walk(6), walk(6, shift=300)]).round(2)
POSES[1, 2] = np.nan  # the second person leaves
# as other programs spell them, in another order
SPELLED = [x.title().replace('_', '') for x in COCO.joints[::-1]]
SPELLED[:2] = ['RAnkle', 'ankle_l']


def openpose(folder, poses, skeleton='openpose-25', ids=True):
    folder.mkdir()
    converted = convert_keypoints(poses, None, 'coco-17', skeleton)[0]
    for frame, people in enumerate(converted.swapaxes(0, 1)):
        result = []
        for number, pose in enumerate(people):
            triples = np.nan_to_num(np.c_[pose, np.full(len(pose), 0.5)])
            triples[np.isnan(pose).any(1)] = 0
            body = triples.ravel().tolist() if triples.any() else []
            result.append(
                dict(pose_keypoints_2d=body, person_id=[number if ids else -1])
            )
        name = f'walk_{frame + 7:012}_keypoints.json'
        dump(folder / name, dict(version=1.3, people=result))
    return folder


def deeplabcut(
    path, poses, labels=False, individuals=None, encoding='utf-8', quoting=0
):
    """Write ``poses``; ``individuals`` also have a landmark of the place."""
    index = ['labeled-data', 'walk'] if labels else []
    axes = ['x', 'y'] if labels else ['x', 'y', 'likelihood']
    joints, head = SPELLED, [*index, 'scorer']
    columns = [(p, j, a) for p in individuals or [''] for j in joints for a in axes]
    columns += [('single', 'door', a) for a in axes] if individuals else []
    blank = [''] * len(index)
    lines = [[*head[-1:], *blank, *['net'] * len(columns)]]
    if individuals:
        lines.append(['individuals', *blank, *(p for p, _, _ in columns)])
    lines.append(['bodyparts', *blank, *(j for _, j, _ in columns)])
    lines.append(['coords', *blank, *(a for _, _, a in columns)])
    for frame, people in enumerate(poses.swapaxes(0, 1), 7):
        row = [*index, f'img{frame:03}.png' if labels else frame]
        for pose in people:
            for point in pose[::-1]:
                values = [*point, 0.5][: len(axes)]
                row += [''] * len(axes) if np.isnan(point).any() else values
        lines.append(row + [4] * (len(axes) if individuals else 0))
    with path.open('w', newline='', encoding=encoding) as file:
        csv.writer(file, quoting=quoting).writerows(lines)
    return path


def sleap(path, poses, monkeypatch):
    """Write the signature of an HDF5 file; a stand-in of h5py has its arrays."""
    path.write_bytes(b'\x89HDF\r\n\x1a\n')

    h5py = ModuleType('h5py')
    h5py.HardLink = SimpleNamespace

    class File(dict):
        __enter__, __exit__ = lambda self: self, lambda *_: None

        def get(self, name, getlink):
            return h5py.HardLink()

    arrays = dict(
        tracks=poses[..., ::-1, :].transpose(0, 3, 2, 1),
        node_names=np.array([name.encode() for name in SPELLED], object),
        point_scores=np.full((len(poses), 17, poses.shape[1]), 0.5),
    )

    class Dataset(SimpleNamespace):
        external, is_virtual = None, False

        def __getitem__(self, _):
            return self.array

    h5py.File = lambda _: File(
        {k: Dataset(array=a, shape=a.shape, dtype=a.dtype) for k, a in arrays.items()}
    )
    monkeypatch.setitem(sys.modules, 'h5py', h5py)
    return path


def cvat(path, poses):
    images = [
        dict(id=n + 1, file_name=f'frame_{n + 7:06}.PNG', width=1280, height=720)
        for n in range(poses.shape[1])
    ]
    people = [
        coco_result(n + 1, pose, attributes=dict(occluded=False, track_id=track))
        for track, own in enumerate(poses)
        for n, pose in enumerate(own)
        if not np.isnan(pose).any()
    ]
    categories = [dict(id=1, name='person', keypoints=list(COCO.joints))]
    return dump(path, dict(images=images, annotations=people, categories=categories))


def ultralytics(poses, ids=True):
    """Yield stand-ins of ``Results``, seven empty frames first."""
    poses = np.pad(poses, [(0, 0), (7, 0), (0, 0), (0, 0)], constant_values=np.nan)
    for people in poses.swapaxes(0, 1):
        there = np.isfinite(people).all((1, 2))
        xy = torch.tensor(people[there])
        number = torch.tensor(there.nonzero()[0]) if ids and len(xy) else None
        yield SimpleNamespace(
            keypoints=SimpleNamespace(xy=xy, conf=torch.full(xy.shape[:2], 0.5)),
            boxes=SimpleNamespace(id=number, xyxy=torch.ones(len(xy), 4)),
            orig_shape=(720, 1280),
        )


def supervision(poses):
    for result in ultralytics(poses):
        data = {} if result.boxes.id is None else {'tracker_id': result.boxes.id}
        points = SimpleNamespace(xy=result.keypoints.xy.numpy(), data=data)
        points.keypoint_confidence = result.keypoints.conf
        yield points


FORMS = {
    'openpose-25': lambda path, _: openpose(path, POSES),
    'openpose-18': lambda path, _: openpose(path, POSES, 'openpose-18'),
    'deeplabcut': lambda path, _: deeplabcut(path, POSES[:1]),
    'labels': lambda path, _: deeplabcut(path, POSES[:1], True, quoting=csv.QUOTE_ALL),
    'individuals': lambda path, _: deeplabcut(path, POSES, False, 'ab', 'utf-8-sig'),
    'sleap': lambda path, patch: sleap(path, POSES, patch),
    'cvat': lambda path, _: cvat(path, POSES),
    'ultralytics': lambda *_: ultralytics(POSES),
    'supervision': lambda *_: [*supervision(POSES)],
}


@pytest.mark.parametrize('form', FORMS)
def test_people_of_other_tools_are_read(tmp_path, form, monkeypatch):
    clip = read_keypoints(FORMS[form](tmp_path / 'walk', monkeypatch), **SIZE)
    start = 0 if form == 'sleap' else 7
    for track, own in zip(clip.tracks, POSES, strict=False):
        there = np.isfinite(own).all((1, 2))
        assert track.frames.tolist() == (there.nonzero()[0] + start).tolist()
        result, scores, _ = convert_keypoints(
            track.keypoints, track.scores, clip.skeleton, 'coco-17'
        )
        np.testing.assert_allclose(result, own[there], rtol=1e-6)
        assert set(scores.ravel()) == {1.0 if form == 'labels' else 0.5}
    assert len(clip.tracks) == (1 if form in ('deeplabcut', 'labels') else 2)
    assert clip.skeleton == (form if 'openpose' in form else 'coco-17')


@pytest.mark.parametrize(
    ('names', 'skeleton', 'missing'),
    [
        (COCO.joints[5:], 'coco-17', 5),
        (('snout', *get_skeleton('h36m-17').joints), 'h36m-17', 0),
        (('Pelvis', *get_skeleton('h36m-17').joints[1:]), 'h36m-17', 0),
    ],
)
def test_joints_are_found_by_name(tmp_path, caplog, names, skeleton, missing):
    poses = walk(2, len(names))
    np.savez(
        tmp_path / 'a.npz', keypoints=poses, joint_names=names, width=1280, height=720
    )
    clip = read_keypoints(tmp_path / 'a.npz', fps=25)
    assert clip.skeleton == skeleton
    found = np.isfinite(clip.tracks[0].keypoints).all(-1)
    assert (found.sum(1) == 17 - missing).all()
    assert bool(caplog.messages) == (missing > 0 or 'snout' in names)


def test_people_without_ids_of_other_tools_are_refused(tmp_path):
    crowd = openpose(tmp_path / 'crowd', POSES, ids=False)
    assert_refused(crowd, '2 people in frame 7 but no track IDs', **SIZE)
    assert len(read_keypoints(crowd, single='largest', **SIZE).tracks) == 1
    with pytest.raises(ValueError, match=r'2 people in frame 7 .*model.track\(\)'):
        mmhot.lift(ultralytics(POSES, ids=False), fps=25)
