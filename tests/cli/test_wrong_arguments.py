"""Wrong arguments and files of every command: one line, exit code 2, no files."""

import sys

import pytest
from clip_files import SKATER, save
from pose_sources import run_main


@pytest.fixture
def refused(tmp_path, monkeypatch, capfd):
    """``refused(MESSAGE, WORD, ...)`` runs a command that must be refused."""
    monkeypatch.delenv('MMHOT_DEBUG', raising=False)

    def check(message, *words):
        before = sorted(tmp_path.rglob('*'))
        code = run_main([str(word) for word in words])
        output, errors = capfd.readouterr()
        assert (code, output) == (2, '')
        assert errors.startswith(f'mmhot {words[0]}: error: ')
        assert message in errors
        assert errors.count('\n') == 1
        assert sorted(tmp_path.rglob('*')) == before

    return check


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        # messages of the table of options
        ('lift --formats npz,avi', '--formats must be one of npz, json, csv,'),
        ('lift --formats fbx', "got 'fbx': write glb, which Blender converts"),
        ('lift --formats bvh,htm', "got 'htm' (did you mean html?)"),
        ('lift --formats bvh glb', ': glb (separate the names of a list by commas'),
        ('lift --intrinsics=', '--intrinsics must not be empty'),
        ('lift --image-size 1280', '--image-size must be WxH, such as'),
        ('lift --height 180', '--height must be from 0.3 to 3 meters, or one height'),
        ('lift --axes zup', 'did you mean z-up?'),
        ('stream --lookahead x', "--lookahead must be a whole number, got 'x'"),
        ('stream --reconnect -1', '--reconnect must be at least 0 seconds, got -1'),
        ('lift --keep half', '--keep must be a number of frames such as 27'),
        ('lift --keep 9', '--keep 9 needs a model with a pruner: tiny has none'),
        ('lift --fps nan', "--fps must be a number, got 'nan'"),
        ('lift --skeleton coco-18', "unknown skeleton: 'coco-18' (did you mean"),
        (
            'lift --skeleton halpe-26',
            '--skeleton: halpe-26 has 26 joints, but the poses have 17',
        ),
        ('lift --device tpu', "--device must be one of cpu, got 'tpu'"),
        ('lift --device cuda', "got 'cuda'; `nvidia-smi` shows whether there"),
        ('lift --formatz npz', '(did you mean --formats?)'),
        ('lift --out results', '(did you mean --out-dir?)'),
        ('infer --kpt-thr 2', '--kpt-thr must be from 0 to 1, got 2'),
        ('infer --resume --no-cache', '--resume needs the cache, which --no-cache'),
        ('infer --num-workers 3', '--num-workers needs --runner ray'),
        ('infer --runner ray --num-workers 0', '--num-workers must be at least 1'),
        ('infer', f'has keypoints, not images: lift them by `mmhot lift {SKATER}`'),
    ],
)
def test_wrong_options_are_refused(words, message, refused, checkpoint, tmp_path):
    name, *options = words.split()
    folder = ('--out-dir', tmp_path / 'out', '--pose3d-weights', checkpoint)
    refused(message, name, SKATER, *folder, *options)


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        ('lift none.npz --out-dir x', 'none.npz: no such file or folder'),
        ('infer none.mp4 --out-dir x', 'none.mp4 does not exist'),
        ('infer *.none --out-dir x', 'no file matches *.none'),
        ('list nanohtnt', 'name, algorithm or task (did you mean nanohtnet?)'),
        ('export none --out x', 'none'),
        ('export gtpt-t --keep x --out y', '--keep must be numbers such as 1,0.5, got'),
    ],
)
@pytest.mark.usefixtures('work_folder')
def test_wrong_inputs_are_refused(words, message, refused):
    refused(message, *words.split())


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ({'fps': None}, 'does not state fps: give --fps'),
        (b'', 'is empty'),
        (SKATER.read_bytes()[:9000], 'cannot be read: '),
    ],
)
def test_wrong_files_are_refused(content, message, refused, checkpoint, tmp_path):
    path = tmp_path / 'a.npz'
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        save(path, **content)
    options = ('--out-dir', tmp_path / 'out', '--pose3d-weights', checkpoint)
    refused(message, 'lift', path, *options)


@pytest.mark.parametrize(
    ('words', 'module', 'message'),
    [
        ('lift --formats npz,rrd', 'rerun', 'the format rrd needs rerun ('),
        ('lift --formats c3d', 'ezc3d', 'the format c3d needs ezc3d ('),
        ('infer --runner ray', 'ray', 'the runner ray needs ray ('),
    ],
)
def test_missing_packages_are_named(
    words, module, message, refused, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, module, None)
    name, *options = words.split()
    source = SKATER if name == 'lift' else SKATER.with_name('walk.mp4')
    refused(message, name, source, '--out-dir', tmp_path / 'out', *options)
