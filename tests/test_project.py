"""The package as a whole: import time, registered names, configs by name."""

import ast
import inspect
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fresh_python import run_python
from paths import ROOT

import mmhot

NANOHTNET = 'body_3d_keypoint/nanohtnet/cmu_mocap'
WILD = f'{NANOHTNET}/nanohtnet_81frm-keep9_1xb32-30e_cmu-wild.py'


@pytest.mark.slow(reason='starts a process, 18 s')
def test_scripts_of_mmpose_start_with_the_shims(tmp_path):
    """A folder named ``mmhot`` does not hide the package."""
    (tmp_path / 'mmhot').mkdir()
    (tmp_path / 'c.py').write_text("_base_ = 'mmhot::_base_/default_runtime.py'")
    (tmp_path / 'name.py').write_text("name = 'beside the script'")
    (tmp_path / 'script.py').write_text("""
import sys
from mmengine.config import Config
import mmhot, mmpose.apis
from name import name
print(Config.fromfile(sys.argv[1]).default_scope, name)
""")
    env = {name: text for name, text in os.environ.items() if name != 'PYTHONPATH'}
    command = [sys.executable, '-m', 'mmhot.compat', 'script.py', 'c.py']
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.stdout == 'mmpose beside the script\n', done.stderr


def test_onnx_runtime_keeps_and_sends_nothing(tmp_path):
    """Its telemetry would write an ID of the device; on CI servers it is off."""
    code = """
import mmhot
from mmhot.deploy.onnx_sessions import open_session
open_session('mmhot/weights/nanohtnet_81frm-keep9_cmu-wild.onnx', 'cpu')
"""
    folders = dict.fromkeys(('HOME', 'TMPDIR'), str(tmp_path))
    env = {**os.environ, 'PYTHONPATH': str(ROOT), **folders}
    for name in ('CI', 'XDG_CACHE_HOME', 'ORT_DISABLE_TELEMETRY'):
        env.pop(name, None)
    subprocess.run([sys.executable, '-c', code], cwd=ROOT, env=env, check=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('name', sorted(mmhot._LAZY))
def test_lazy_name_exists(name):
    assert getattr(mmhot, name).__name__ == name
    assert name in dir(mmhot)
    assert {x for x in dir(mmhot) if x[:1] != '_'} == {*mmhot.__all__} - {'__version__'}


def test_type_checkers_see_every_public_name():
    """The lazy names are imported for type checkers, and are fully annotated."""
    tree = ast.parse((ROOT / 'mmhot/__init__.py').read_text(encoding='utf-8'))
    imports = [
        node
        for block in tree.body
        if isinstance(block, ast.If) and ast.unparse(block.test) == 'TYPE_CHECKING'
        for node in block.body
    ]
    seen = {alias.name: node.module for node in imports for alias in node.names}
    assert seen == mmhot._LAZY
    assert {*seen, '__version__'} == set(mmhot.__all__)
    for name in seen:
        signature = inspect.signature(getattr(mmhot, name))
        kinds = [each.annotation for each in signature.parameters.values()]
        assert inspect.Parameter.empty not in kinds, name
    # `mmhot.Liftre` is an error for them, too
    assert 'not TYPE_CHECKING' in {
        ast.unparse(block.test) for block in tree.body if isinstance(block, ast.If)
    }


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Liftre'"):
        mmhot.Liftre  # noqa: B018


# MMEngine's hub finds models of mmhot, as those of every OpenMMLab package.
HUB = f"""
from mmengine.hub import get_model
import torch
model = get_model({f'mmhot::{WILD}'!r}, pretrained=True).eval()
x = torch.ones(1, 81, 17, 2)
poses = model(x)
from mmpose.apis import init_model
from mmengine.hub import get_config
weights = 'mmhot://nanohtnet_81frm-keep9_cmu-wild'
other = init_model(get_config({f'mmhot::{WILD}'!r}), weights, 'cpu')
assert torch.equal(poses, other(x))
"""
WITHOUT_PLUGIN = f"""
import multiprocessing, sys
import mmhot, mmpose.apis
assert 'mmhot.plugin' not in sys.modules
hub = multiprocessing.get_context('fork').Process(target=exec, args=({HUB!r}, {{}}))
hub.start()
hub.join()
print('hub', hub.exitcode)
"""
# Registries raise on collisions of their own scope; this compares all scopes.
THEIR_NAMES = """
import mmhot  # replaces MMCV's compiled operators
from mmengine.registry import Registry
import mmdet.registry, mmpose.registry
from mmdet.utils import register_all_modules
from mmpose.utils import register_all_modules as register_mmpose
register_all_modules(False)
register_mmpose(False)
def registries():
    for package in (mmdet.registry, mmpose.registry):
        for registry in vars(package).values():
            if isinstance(registry, Registry):
                yield from [registry] + ([registry.parent] if registry.parent else [])
def names():
    return {(r.name, name): entry for r in registries()
            for name, entry in r.module_dict.items()}
theirs = names()
"""
COMPARE_NAMES = """
import mmhot.plugin
for key, entry in names().items():
    if key not in theirs:
        print('new', key[1], entry.__module__)
    elif theirs[key] is not entry:
        print('replaced', key[1], entry.__module__)
for (_, name), entry in theirs.items():
    print('their', name, entry.__module__)
"""


def test_registered_names_do_not_collide_with_mmpose(words_of_process):
    words = words_of_process[7:]
    rows = list(zip(words[::3], words[1::3], words[2::3], strict=True))
    ours = {name for kind, name, _ in rows if kind == 'new'}
    theirs = {name for kind, name, _ in rows if kind == 'their'}
    assert 'NanoHTNet' in ours
    assert not [row for row in rows if row[0] == 'replaced']
    assert all(module.startswith('mmhot.') for kind, _, module in rows if kind == 'new')
    assert not ours & theirs


def test_mmhot_scope_is_empty():
    import mmhot.plugin  # noqa: F401 registers everything
    from mmhot.registry import _SCOPES

    assert not any(registry.module_dict for registry in _SCOPES)


CONFIGS = sorted(
    str(path.relative_to(ROOT / 'configs'))
    for path in (ROOT / 'configs').rglob('*.py')
    if '_base_' not in path.parts
)


@pytest.mark.parametrize('name', {Path(name).parent: name for name in CONFIGS}.values())
def test_inherited_config_equals_its_base(tmp_path, name):
    """No marks of a scope are left for functions that are not built by a registry."""
    from mmengine.config import Config

    (tmp_path / 'c.py').write_text(f"_base_ = 'mmhot::{name}'")
    expected = Config.fromfile(ROOT / 'configs' / name).to_dict()
    assert Config.fromfile(tmp_path / 'c.py').to_dict() == expected


@pytest.fixture(scope='module')
def words_of_process(tmp_path_factory):
    """Train in a process, the only one of its tests: imports take seconds."""
    tmp_path = tmp_path_factory.mktemp('process')
    (tmp_path / 'c.py').write_text(f"""
_base_ = 'mmhot::{WILD}'
data_root = {str(ROOT / 'tests/data/cmu_mocap')!r}
files = dict(ann_file='cmu_h36m17.npz', data_root=data_root)
train_dataloader = dict(batch_size=2, dataset=dict(split='val', **files))
val_dataloader = dict(batch_size=2, dataset=files)
test_dataloader = val_dataloader
work_dir = {str(tmp_path)!r}
log_level = 'WARNING'
""")
    code = f"""
import mmhot
from mmengine.config import Config
from mmengine.runner import Runner
config = Config.fromfile({str(tmp_path / 'c.py')!r})
runner = Runner.from_cfg(config)
batch = next(iter(runner.build_dataloader(config.train_dataloader)))
runner.build_optim_wrapper(config.optim_wrapper)
runner.build_val_loop(config.val_cfg)
print(type(runner.model).__name__, len(batch['inputs']))

from mmengine.registry import FUNCTIONS, init_default_scope
from mmpose.apis.inferencers import Pose3DInferencer
inferencer = Pose3DInferencer.__new__(Pose3DInferencer)
inferencer.scope = 'mmhot'
config, weights = inferencer._load_model_from_metafile('nanohtnet')
init_default_scope('mmhot')
with FUNCTIONS.switch_scope_and_registry('mmhot') as registry:
    print(config.model.type, weights.partition('://')[0], registry.scope)
"""
    lines = run_python(WITHOUT_PLUGIN + THEIR_NAMES + code + COMPARE_NAMES)
    words = ' '.join(lines).split()
    return words[words.index('hub') :]


def test_import_suffices_for_training_and_mmposes_inferencer(words_of_process):
    """An inherited config trains without warnings; models are found by name."""
    words = ['SequencePoseLifter', '2', 'SequencePoseLifter', 'mmhot', 'mmhot']
    assert words_of_process[2:7] == words


def test_hub_builds_a_pretrained_model_without_the_plugin(words_of_process):
    assert words_of_process[:2] == ['hub', '0']


def test_metafiles_of_the_index_name_existing_configs():
    import yaml

    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    listed = {ROOT / path for path in index['Import']}
    assert listed == set((ROOT / 'configs').rglob('metafile.yml'))
    metafiles = [yaml.safe_load(path.read_text()) for path in listed]
    collections = {
        collection['Name']
        for metafile in metafiles
        for collection in metafile.get('Collections', ())
    }
    for model in [model for metafile in metafiles for model in metafile['Models']]:
        assert (ROOT / model['Config']).is_file(), model['Config']
        assert model['In Collection'] in collections, model['Name']
        # MMEngine lists an alias that is a string by its letters
        lists = (model['Metadata']['Architecture'], model.get('Alias', []))
        assert all(isinstance(each, list) for each in lists), model['Name']
        for result in model['Results']:
            metrics = result['Metrics']
            assert metrics.get('AP', 0) <= 1
            assert metrics.get('AR', 0) <= 1


NAMES = re.compile(r'(from|import) projects\b|[\'"]projects[./]\w')
PARTS = (
    *('mmhot', 'tools', 'configs', 'tests', 'docs', 'demo', 'examples', 'requirements'),
)


def test_nothing_names_a_project():
    for place in ('mmhot', 'tools', 'configs'):
        for path in (ROOT / place).rglob('*.py'):
            text = path.read_text(encoding='utf-8')
            assert not NAMES.search(text), path


@pytest.mark.slow(reason='runs a part of the tests again')
def test_everything_works_without_projects(tmp_path):
    for name in PARTS:
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True)
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    options = dict(cwd=tmp_path, capture_output=True, text=True)
    options['env'] = {**os.environ, 'PYTHONPATH': str(tmp_path)}
    some = ('tests/test_configs.py', 'tests/test_layering.py')
    for arguments in (['--collect-only', '-q'], ['-q', '-m', 'not slow', *some]):
        command = [sys.executable, '-m', 'pytest', '-p', 'no:cacheprovider']
        done = subprocess.run([*command, *arguments], **options)
        assert done.returncode == 0, done.stdout[-3000:]
