"""The command ``mmhot refine``."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from clip_files import lifted_clip
from given_poses import sam_results

from mmhot.cli.dispatch import main
from mmhot.io.lifted import read_lifted, write_npz


@pytest.fixture
def file(tmp_path):
    results = [
        [
            {key: np.asarray(x).tolist() for key, x in person.items() if x is not None}
            for person in people
        ]
        for people in sam_results(20, people=2)
    ]
    path = tmp_path / 'sam.json'
    path.write_text(json.dumps(results))
    return path


def test_formats_are_written(file, tmp_path, capsys):
    args = ['refine', str(file), '--fps', '50', '--static-camera']
    out = ['--out-dir', str(tmp_path / 'out')]
    assert main([*args, *out, '--formats', 'npz,bvh,glb,mot', '-v']) == 0
    names = {path.name for path in (tmp_path / 'out').iterdir()}
    people = {f'sam_person{n}.{x}' for n in (0, 1) for x in ('bvh', 'mot')}
    assert names == {'sam.npz', 'sam.glb', *people}
    said = capsys.readouterr().out
    assert 'sam: fingers are not written to .mot' in said
    assert re.search(r'sam: spline: joints move by \d+\.\d mm on average', said)
    assert said.splitlines()[-1].split()[:3] == ['sam', '20', '2']
    rows = [x.split() for x in said.splitlines() if x.startswith('person ')]
    assert [' '.join(row[1:7]) for row in rows] == [
        f'{x} 0.0 to 0.4 s 20' for x in '01'
    ]
    clip = read_lifted(tmp_path / 'out/sam.npz')
    assert [*clip.steps] == ['smoothing', 'bones', 'camera_3d', 'feet']
    # our own file: nothing is asked of it, and nothing runs again
    again = [str(tmp_path / 'out/sam.npz'), '--out-dir', str(tmp_path / 'again')]
    assert main(['refine', *again, '--formats', 'npz']) == 0
    same = read_lifted(tmp_path / 'again/sam.npz')
    np.testing.assert_allclose(same.places(), clip.places(), atol=1e-6)


def test_a_part_keeps_its_numbers(file, tmp_path):
    args = ['refine', str(file), '--fps', '50', '--formats', 'npz', '--people', '1']
    assert (
        main([*args, '--start', '0.1', '--end', '0.3', '--out-dir', str(tmp_path)]) == 0
    )
    clip = read_lifted(tmp_path / 'sam.npz')
    assert clip.frame.tolist() == [*range(5, 15)]
    assert {*clip.track.tolist()} == {1}


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ([], 'does not state its frame rate: give --fps'),
        (['--fps', '50', '--fov', '60'], '--fov is for poses with 2D keypoints'),
        (['--fps', '50', '--without', 'sides'], '--without must be one of smoothing,'),
        (['--fps', '50', '--people', '7'], '--people must be among the track IDs 0, 1'),
        (['--fps', '50', '--start', '9'], 'sam: frames are from 0.00 to 0.38 s, none'),
    ],
)
def test_wrong_options_are_one_line(file, options, message, tmp_path, capsys):
    out = ['--out-dir', str(tmp_path / 'out')]
    # found when people are followed
    code = 1 if {'--people', '--fov'} & {*options} else 2
    assert main(['refine', str(file), *out, *options]) == code
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('name', ['../../x', '/tmp/x', '', '..', 'a/b'])
def test_names_of_clips_write_nowhere_else(name, tmp_path, monkeypatch):
    folder = tmp_path / 'a/b'
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    write_npz(replace(lifted_clip(), name=name), folder / 'c.npz')
    assert main(['refine', 'c.npz', '--out-dir', 'out', '--formats', 'npz']) == 0
    assert {*tmp_path.rglob('*.npz')} - {*(folder / 'out').iterdir()} == {
        folder / 'c.npz'
    }
