"""``mmhot lift``: its files, and one line for each error."""

import re
from functools import partial

import pytest
from clip_files import SKATER, dump, save
from lifters import lifter_config
from pose_sources import infer

from mmhot.io.lifted import read_lifted


@pytest.fixture
def out(tmp_path):
    return tmp_path / 'out' / 'deep'


@pytest.fixture
def lift_it(checkpoint, out, monkeypatch):
    """``lift_it(INPUT..., OPTION=VALUE...)`` returns the exit code."""
    monkeypatch.delenv('MMHOT_DEBUG', raising=False)
    fixed = dict(command='lift', pose3d_weights=checkpoint, out_dir=out)
    return partial(infer, **fixed, formats='npz')


@pytest.fixture
def refused(lift_it, out, capfd):
    """``refused(LINE, INPUT..., ...)`` asserts exit code 2, one line, no files."""

    def check(message, *inputs, **options):
        before = sorted(out.parents[1].rglob('*'))
        assert lift_it(*inputs, **options) == 2
        captured = capfd.readouterr()
        assert all(': read as ' in line for line in captured.out.splitlines())
        assert re.search(message, captured.err), captured.err
        assert captured.err.startswith('mmhot lift: error: ')
        assert captured.err.count('\n') == 1
        assert sorted(out.parents[1].rglob('*')) == before

    return check


# what is written


def test_all_formats_are_written_and_printed(lift_it, out, tmp_path, capfd):
    clip = save(tmp_path / 'a.npz')
    assert lift_it(clip, formats='npz,json,mp4', without='confidence') == 0
    names = [f'a.{ending}' for ending in ('npz', 'json', 'mp4')]
    assert sorted(path.name for path in out.iterdir()) == sorted(names)
    captured = capfd.readouterr()
    read, focal, paths = captured.out.splitlines()
    end = 'read as 4 frames of coco-17, pixels of 1280 x 720, y down, 25 frames/s, one'
    assert read == f'{clip}: {end} person'
    assert 'assumed: distances scale with it; --fov' in focal
    assert paths == ', '.join(str(out / name) for name in names)
    # no terminal, no bar
    assert captured.err == ''


def test_options_complete_a_file(lift_it, out, tmp_path, refused):
    clip = save(tmp_path / 'a.npz', width=None, height=None, fps=None)
    refused('give --image-size and --fps', clip)
    assert lift_it(clip, image_size='1280x720', fps=30) == 0
    lifted = read_lifted(out / 'a.npz')
    assert (lifted.width, lifted.height, lifted.fps) == (1280, 720, 30)


# wrong models


@pytest.mark.parametrize(
    ('model', 'message'),
    [
        ('tiny-aa', 'neither a config file nor a shipped model .did you mean tiny-a'),
        ('none.py', 'none.py does not exist'),
        ('none.pth', 'none.pth does not exist'),
        ('tiny.pth', 'checkpoints are given as --pose3d-weights'),
        ('config.py', 'a config has no weights.* tiny-a'),
        ('empty.py', 'empty.py is not a config of a lifter'),
    ],
)
def test_wrong_models_are_refused(model, message, refused, shipped, tmp_path):
    (tmp_path / 'config.py').write_text(lifter_config().pretty_text)
    (tmp_path / 'empty.py').write_text('')
    (tmp_path / 'tiny.pth').write_text('')
    is_alone = model == 'config.py'
    if model.endswith(('.py', '.pth')):
        model = tmp_path / model
    weights = None if is_alone else tmp_path / 'weights/tiny-a.pth'
    refused(message, SKATER, pose3d=model, pose3d_weights=weights)


# folders that take nothing, disks that are full, Ctrl-C


@pytest.mark.parametrize(
    ('folder', 'message'),
    [
        ('file', '--out-dir: cannot write to .*file: File exists'),
        ('file/below', '--out-dir: cannot write to .*below: Not a directory'),
        ('/proc/mmhot', '--out-dir: cannot write to /proc/mmhot: '),
        ('x' * 300, 'File name too long'),
    ],
)
def test_folders_that_cannot_be_written_to_are_refused(
    folder, message, refused, tmp_path
):
    (tmp_path / 'file').touch()
    refused(message, SKATER, out_dir=tmp_path / folder)


def test_inputs_and_folders_are_not_overwritten(refused, tmp_path):
    clip = save(tmp_path / 'a.npz')
    message = 'a.npz is an input and would be overwritten by a result'
    refused(message, clip, out_dir=tmp_path)
    (tmp_path / 'o').mkdir()
    (tmp_path / 'o/a.npz').symlink_to(clip)
    refused(message, clip, out_dir=tmp_path / 'o')
    lens = dump(tmp_path / 'a.json', {'fx': 900, 'fy': 900, 'cx': 640, 'cy': 360})
    message = 'a.json is an input'
    refused(message, clip, out_dir=tmp_path, formats='json', intrinsics=lens)
    (tmp_path / 'results/a.npz').mkdir(parents=True)
    refused('npz is a folder', clip, out_dir=tmp_path / 'results')


def test_two_inputs_do_not_write_one_file(refused, tmp_path):
    (tmp_path / 'b').mkdir()
    first, second = save(tmp_path / 'a.npz'), save(tmp_path / 'b/a.npz')
    refused(f'{first} and {second} would both be written as a.npz', first, second)
    refused('would both be written as a.npz', first, first)
    people = dict(frame=[0, 1, 0, 1], track=[1, 1, 2, 2])
    first = save(tmp_path / 'a.npz', **people)
    second = save(tmp_path / 'a_person1.npz')
    refused('written as a_person1.bvh', first, second, formats='bvh')
