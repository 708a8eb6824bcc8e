"""Page of ``make demo``."""

from pathlib import Path

import numpy as np
import pytest
from rendered_clips import rendered
from scipy.spatial.transform import Rotation

import mmhot
from mmhot.profiling import Profile, Span
from mmhot.video.inputs import open_inputs
from mmhot.visualization.video import write_video
from tools.lab import demo_page, demo_poses, demo_videos
from tools.lab.demo_inputs import DEMO, RENDERED, SKATING, infer, read_truth
from tools.lab.demo_layout import Section, write_page


@pytest.fixture(scope='module')
def bodies():
    """Ground truth in place of lifted clips, expected errors from 1 to 5 mm."""
    clips = {name: rendered(name) for name in RENDERED}
    for clip in clips.values():
        shape = clip.scores.shape
        expected = np.linspace(0.001, 0.005, clip.scores.size).reshape(shape)
        clip.expected_error = expected.astype(np.float32)
    return clips


def numbers_of(row):
    """The numbers of a row's cells, without units."""
    return [float(cell.split()[0]) for cell in row]


def test_tables_link_their_files():
    table = [('file', 'note'), ('a<b.bvh', 'x & y')]
    files = [Path('out/a<b.bvh'), Path('out/c.glb')]
    images = [Path('out/d.png')]
    page = write_page([Section('Files', 'All.', table, files, images, 'run <x>')])
    assert '<tr><th>file</th><th>note</th></tr>' in page
    link = '<a href="a&lt;b.bvh">a&lt;b.bvh</a>'
    assert f'<tr><td>{link}</td><td>x &amp; y</td></tr>' in page
    assert page.count(link) == 1
    assert '<a href="c.glb">c.glb</a>' in page
    assert '<img src="d.png"' in page
    assert '<pre>run &lt;x&gt;</pre>' in page


def test_one_of_two_people_returns_to_an_empty_scene(tmp_path):
    for name, frames in {'a': 20, 'b': 52}.items():
        images = np.full((frames, 64, 1280, 3), 40, np.uint8)
        for index, image in enumerate(images):
            column = 500 + 4 * index
            image[20:40, column : column + 12] = 220
        times = np.arange(frames) / 10
        write_video(tmp_path / f'{name}.mp4', zip(images, times, strict=True), 10)
    videos = (tmp_path / f'{name}.mp4' for name in 'ab')
    demo_videos.write_people(*videos, tmp_path / 'c.mp4')
    [source] = open_inputs([str(tmp_path / 'c.mp4')])
    images = [frame.image for frame in source]
    assert {image.shape for image in images} == {(64, 1280, 3)}
    left, right = (
        [int(image[:, part].max()) for image in images]
        for part in (slice(630), slice(650, None))
    )
    # half of the first, 3 s without a person, the other half; the second meanwhile
    assert len(left) == 20 + 30
    assert min(left[:10] + left[40:]) > 190
    assert max(left[10:40]) < 60
    assert min(right) > 190


def test_errors_of_turning_cameras(tmp_path, monkeypatch):
    truth = read_truth('walk')
    angles = np.radians(np.linspace(0, 15, len(truth.root)))
    turns = Rotation.from_rotvec(angles[:, None] * (0, 1, 0))
    monkeypatch.setattr(demo_videos, 'turn_video', lambda *paths: (truth, turns, None))
    calls = []

    def lift(video, folder, intrinsics, camera):
        calls.append((video.name, camera, intrinsics))
        clip = rendered('walk', root_3d=truth.root.astype(np.float32))
        if camera == 'moving':
            clip.keypoints_3d[:, 16, 2] += 0.17
            clip.root_3d[::2, 0] += 0.02
        return clip

    monkeypatch.setattr(demo_videos, 'infer', lift)
    section = demo_videos.show_turning(tmp_path)
    moving, found, known = section.table[1:]
    assert moving[:3] == ('moving', 'known', '15 degrees')
    assert found[:2] == ('rotating', 'found')
    assert known[3:] == found[3:]
    assert [call[:2] for call in calls] == [
        ('turning.mp4', row[0]) for row in section.table[1:]
    ]
    assert [call[2] for call in calls] == [truth.lens, None, truth.lens]
    slide, path, error = numbers_of(moving[3:])
    assert (path, error) == (1.0, 10.0)
    assert slide == pytest.approx(50, abs=5)  # 2 cm in each frame, 25 a second
    slide, path, error = numbers_of(found[3:])
    # the ankles of the ground truth turn a little, those of the lock do not
    assert slide < 3
    assert path < 1
    assert error < 5
    assert (tmp_path / 'turning.html').is_file()


def test_swaps_with_known_answers(tmp_path, bodies, monkeypatch):
    row = {'swapped': 5.0, 'undone': 99.0, 'spoiled': 0.1}
    row |= {'as swapped': 50.0, 'repaired': 41.0, 'right': 40.0}
    monkeypatch.setattr(demo_poses, 'measure_repair', lambda clip, truth, draws: row)
    section = demo_poses.show_swaps(tmp_path, {'walk': bodies['walk']})
    assert section.text.endswith('are exchanged back in 10 of 185 frames.')
    assert numbers_of(section.table[1][1:]) == [*row.values()]
    assert section.table[0][4:] == ('MPJPE, swapped', 'repaired', 'without swaps')
    assert section.files[0].is_file()


def test_equal_angles_have_no_error(tmp_path, bodies):
    head, *rows = demo_poses.show_angles(tmp_path, bodies).table
    assert head[2:4] == ('found', 'ground truth')
    assert len(rows) == 2 * 6
    assert [row[1] for row in rows[:3]] == ['hip_flexion_r', 'knee_angle_r'] + [
        'hip_flexion_l'
    ]
    for row in rows:
        assert row[2] == row[3]
        assert row[4:] == ('0.0', '0.0', '1.00')
    knee = rows[1][2].split(' to ')
    assert 0 < float(knee[0]) < 20 < 60 < float(knee[1]) < 80


def test_groups_by_expected_error(bodies):
    rows = demo_poses.show_expected(bodies).table[1:]
    assert [row[1] for row in rows[:5]] == [
        f'{low} to {low + 20} %' for low in range(0, 100, 20)
    ]
    assert [numbers_of(row[2:]) for row in rows[5:]] == [
        [mean, 0, 0] for mean in (1, 2, 3, 4, 5)
    ]


def test_share_of_lifting():
    profile = Profile()
    profile.seconds = 4.0
    for name, seconds, own in [('2D', 3, 3), ('crops', 1, 1), ('3D', 0.5, 0.2)]:
        profile.spans.append(Span(name, 'main', 0, seconds, own, own, 0))
    section = demo_videos.show_time(profile)
    assert 'took 4.0 s, lifting with its feet and floor 0.50 s of them (12.5%)' in (
        section.text
    )
    assert section.table == [('stage', 'seconds'), ('crops', '1.00'), ('3D', '0.20')]


def test_files_are_written_and_converted_by_blender(tmp_path, bodies):
    section = demo_poses.show_formats(tmp_path, bodies['walk'])
    names = [row[0] for row in section.table[1:]]
    assert names[:3] == ['walk.glb', 'walk.bvh', 'walk.c3d']
    assert names[-3:] == [f'walk_{x}.bvh' for x in ('lafan1', 'mixamo', 'rokoko')]
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {'walk.c3d', *names[-3:]}
    assert section.command.startswith('blender --background')
    assert "export_scene.fbx(filepath='walk.fbx'" in section.command


@pytest.mark.slow(reason='lifts the videos of make demo and those made of them')
def test_whole_page(tmp_path, capsys):
    for name in RENDERED:
        clip = infer(DEMO / f'{name}.mp4', tmp_path, joints=24)
        clip.save(tmp_path / f'{name}.npz', static_camera=True)
    clip = mmhot.lift(DEMO / f'{SKATING}.npz', joints=24)
    clip.save(tmp_path / f'{SKATING}.npz')
    pages = {each.title: each for each in demo_page.make_sections(tmp_path)}
    assert '44.5 mm' in capsys.readouterr().out
    rows = {title: each.table[1:] for title, each in pages.items()}
    assert numbers_of(rows['Results'][0][1:3]) == pytest.approx([44.5, 34.4], abs=1)
    unlocked, locked = (numbers_of(row[2:]) for row in rows['Standing feet'][:2])
    assert unlocked[0] > 20
    assert locked[0] < 5
    assert min(locked[4:]) > 85  # precision and recall
    free, stream, whole = (
        numbers_of(row[2:]) for row in rows['Streams and whole clips'][:3]
    )
    assert free[0] > 100
    assert max(stream[0], whole[0]) < 15
    assert whole[3] < stream[3]
    added = {row[:2]: row[2:] for row in rows['Toes, heels, hands and nose']}
    assert added['heel', 'gtpt-t'][0] == '0 %'
    assert added['heel', 'gtpt-t-wholebody'][0] == '100 %'
    assert numbers_of(added['heel', 'gtpt-t-wholebody'][1:])[0] < 2.5
    moving, found, known = (numbers_of(row[3:]) for row in rows['Cameras that turn'])
    assert moving[1] > 30
    assert max(found[1], known[1]) < 5
    for row in rows['Left and right']:
        swapped, undone, spoiled, *errors = numbers_of(row[1:])
        assert swapped > 5
        assert undone > 95
        assert spoiled < 0.5
        assert errors[1] == pytest.approx(errors[2], abs=1)
    assert rows['Several people, and those who return'] == [
        ('no', '1, 2', '0'),
        ('yes', '1', '0'),
    ]
    for row in rows['Windows']:
        assert numbers_of(row[2:])[0] < 7
    assert len(rows['Time']) >= 3
    shown = 'Several people, and those who return', 'Toes, heels, hands and nose'
    for title in shown:
        assert all(path.is_file() for path in pages[title].files + pages[title].images)
