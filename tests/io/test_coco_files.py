"""``.coco.json``: 2D keypoints to annotation tools and back."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from clip_files import SKATER
from paths import DATA
from rendered_clips import rendered

import mmhot
from mmhot.chain.frames.files import ImageSequence
from mmhot.cli.dispatch import main
from mmhot.io.writers.coco import write_coco
from mmhot.io.writers.export import Export

TWO = DATA / 'vtest_2d_coco17.npz'


def written(clip, path):
    [file] = clip.save(path)
    return file, json.loads(file.read_text())


def as_cvat_exports(document):
    """What CVAT keeps of a file: no custom keys, IDs in attributes, other numbers."""
    people = [
        {k: v for k, v in x.items() if k not in ('track_id', 'keypoint_scores')}
        for x in document['annotations']
    ]
    images = [
        {**{k: v for k, v in x.items() if k != 'frame_id'}, 'license': 0}
        for x in document['images']
    ]
    info = dict(contributor='', date_created='', description='', url='')
    return {**document, 'info': info, 'annotations': people, 'images': images}


@pytest.mark.parametrize('path', [SKATER, TWO], ids=['one person', 'several'])
def test_round_trip_is_exact(path, checkpoint, tmp_path):
    clip = mmhot.lift(path, pose3d_weights=checkpoint)
    file, _ = written(clip, tmp_path / 'clip.coco.json')
    result = mmhot.read_keypoints(file)
    assert (result.skeleton, result.fps, result.steps) == (
        'h36m-17',
        clip.fps,
        clip.steps,
    )
    assert (result.width, result.height) == (clip.width, clip.height)
    assert [x.track for x in result.tracks] == np.unique(clip.track).tolist()
    for track in result.tracks:
        rows = clip.track == track.track
        rows &= (clip.scores > 0).any(1)
        np.testing.assert_array_equal(track.frames, clip.frame[rows])
        np.testing.assert_array_equal(track.scores, clip.scores[rows])
        pixels = np.where(
            clip.scores[rows, :, None] > 0, clip.keypoints_2d[rows], np.nan
        )
        np.testing.assert_array_equal(track.keypoints, pixels)


def test_names_and_gaps_of_images_are_read_back(tmp_path):
    numbers = np.array([10, 11, 12, 24, 25])
    names = [f'frame_{x:04}.jpg' for x in numbers]
    for name in names:
        cv2.imwrite(str(tmp_path / name), np.zeros((4, 4, 3), np.uint8))
    (tmp_path / names[1]).write_bytes(b'')  # damaged, and left out
    source = ImageSequence([tmp_path / x for x in names], 'a', 25, numbers.tolist())
    clip = rendered('walk').take(np.arange(4))
    clip = replace(clip, variable_time=np.array([x.time for x in source]))
    file = tmp_path / 'a.coco.json'
    write_coco(clip, file, Export(source))
    assert mmhot.read_keypoints(file).tracks[0].frames.tolist() == [0, 2, 14, 15]
    document = as_cvat_exports(json.loads(file.read_text()))
    assert [x['file_name'] for x in document['images']] == names[:1] + names[2:]
    file.write_text(json.dumps(document))
    [track] = mmhot.read_keypoints(file, fps=25).tracks
    assert track.frames.tolist() == [10, 12, 24, 25]


def test_feet_and_camera_are_fitted_again(tmp_path):
    clip = mmhot.lift(SKATER, static_camera=True)
    assert {'camera_3d', 'feet'} <= set(clip.steps)
    file, _ = written(clip, tmp_path / 'clip.coco.json')
    assert 'camera_3d' not in mmhot.lift(file).steps
    again = mmhot.lift(file, static_camera=True)
    assert set(again.steps) == set(clip.steps)
    np.testing.assert_allclose(again.places(), clip.places(), atol=2e-3)


def test_a_corrected_point_changes_its_frame(checkpoint, tmp_path):
    clip = mmhot.lift(SKATER, pose3d_weights=checkpoint)
    file, document = written(clip, tmp_path / 'clip.coco.json')
    document = as_cvat_exports(document)
    file.write_text(json.dumps(document))
    options = dict(fps=25, pose3d_weights=checkpoint, without='sides')
    before = mmhot.lift(file, **options)
    wrist, place = 3 * clip.joint_names.index('left_wrist'), 40
    person = document['annotations'][place]
    x, y = np.round(person['keypoints'][wrist : wrist + 2]) + (30, -20.5)
    person['keypoints'][wrist : wrist + 3] = [x, y, 2]
    file.write_text(json.dumps(document))
    after = mmhot.lift(file, **options)
    changed = (before.keypoints_2d != after.keypoints_2d).any(-1)
    [row], [joint] = changed.nonzero()
    assert clip.frame[row] == person['image_id'] - 1
    assert after.joint_names[joint] == 'left_wrist'
    assert after.keypoints_2d[row, joint].tolist() == [x, y]
    moved = np.linalg.norm(before.keypoints_3d - after.keypoints_3d, axis=-1).max(1)
    assert abs(moved.argmax() - row) <= 2  # one of three frames is kept


def test_files_have_what_annotation_tools_read(checkpoint, tmp_path):
    argv = [
        'lift',
        str(TWO),
        '--pose3d-weights',
        str(checkpoint),
        '--formats',
        'coco.json',
    ]
    assert main([*argv, '--out-dir', str(tmp_path)]) == 0
    document = json.loads((tmp_path / f'{TWO.stem}.coco.json').read_text())
    [category] = document['categories']
    assert category['name'] == 'person'
    assert len(category['keypoints']) == 17
    assert len(category['skeleton']) == 16
    assert np.min(category['skeleton']) == 1
    assert np.max(category['skeleton']) == 17
    images = {image['id']: image for image in document['images']}
    assert len(images) == len(document['images'])
    assert document['images'][0]['file_name'].startswith('frame_0')
    people = document['annotations']
    assert len({person['id'] for person in people}) == len(people)
    for person in people:
        assert person['image_id'] in images
        points = np.reshape(person['keypoints'], (17, 3))
        labeled = points[points[:, 2] > 0]
        assert person['num_keypoints'] == len(labeled)
        assert (points[points[:, 2] == 0] == 0).all()
        x, y, width, height = person['bbox']
        assert person['area'] == pytest.approx(width * height)
        np.testing.assert_allclose(labeled[:, :2].min(0), [x, y])
        np.testing.assert_allclose(labeled[:, :2].max(0), [x + width, y + height])
        assert person['attributes']['track_id'] == person['track_id']


def test_joints_of_24_are_written_and_the_others_read(checkpoint, tmp_path, caplog):
    clip = mmhot.lift(SKATER, pose3d_weights=checkpoint, joints=24)
    file, document = written(clip, tmp_path / 'clip.coco.json')
    assert len(document['categories'][0]['keypoints']) == 24
    assert mmhot.read_keypoints(file).skeleton == 'h36m-24'
    again = mmhot.lift(file, pose3d_weights=checkpoint)
    np.testing.assert_allclose(again.keypoints_3d, clip.keypoints_3d[:, :17], atol=1e-4)


def test_ids_of_poses_are_one_line(tmp_path, caplog):
    file = tmp_path / 'a.coco.json'
    write_coco(rendered('walk').take(np.arange(4)), file)
    document = json.loads(file.read_text())
    for person in document['annotations']:
        person['track_id'] = person['id']
    file.write_text(json.dumps(document))
    assert len(mmhot.read_keypoints(file).tracks) == 4
    text = 'each track is one frame long, as of photos; IDs that number the poses of a'
    assert caplog.text.count(f'a.coco.json: {text}') == 1
    caplog.clear()
    [track] = mmhot.read_keypoints(file, single='largest').tracks
    assert track.frames.tolist() == [0, 1, 2, 3]
    assert text not in caplog.text
    poses = rendered('walk').keypoints_3d[:4, :17]
    rows = dict(frames=np.arange(4), tracks=np.arange(4))
    mmhot.Clip3D.from_arrays(poses, 25, axes='camera', **rows)
    assert caplog.text.count(text) == 1
