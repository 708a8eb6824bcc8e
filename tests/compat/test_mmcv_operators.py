"""Stand-in for MMCV's compiled operators, against what those return."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

import mmhot
from mmhot import compat
from mmhot.compat import mmcv_operators

DATA = Path(__file__).parents[1] / 'data'


def load_maker():
    spec = importlib.util.spec_from_file_location(
        'make_mmcv_operators', DATA / 'make_mmcv_operators.py'
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def found():
    return load_maker().compute()


@pytest.fixture(scope='module')
def expected():
    with np.load(DATA / 'mmcv_operators.npz') as file:
        return dict(file)


def test_operators_equal_the_compiled_ones(found, expected):
    # With compiled MMCV installed (`make test-compiled`) this compares it with itself
    # as it was when the file was made.
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if name.endswith('.inds'):
            np.testing.assert_array_equal(found[name], value, err_msg=name)
        else:
            # sums of up to 72 products in another order, float32
            np.testing.assert_allclose(
                found[name], value, rtol=1e-4, atol=2e-5, err_msg=name
            )


def test_stand_in_equals_the_installed_compiled_operators(monkeypatch, found):
    import mmcv._ext

    if not getattr(mmcv._ext, '__file__', None):
        assert 'mmcv._ext' in compat.applied()
        return  # it is what `found` was computed with
    from mmcv.ops import deform_conv, modulated_deform_conv, nms, roi_align

    modules = (deform_conv, modulated_deform_conv, nms, roi_align)
    for module in (sys.modules[m.__module__] for m in modules):
        monkeypatch.setattr(module, 'ext_module', mmcv_operators)
    again = load_maker().compute()
    for name, value in again.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=2e-5)


def test_no_boxes_and_identical_boxes():
    from mmcv.ops import nms, soft_nms

    empty = torch.zeros(0, 4), torch.zeros(0)
    assert nms(*empty, 0.5)[1].tolist() == []
    assert soft_nms(*empty)[1].tolist() == []
    same = torch.tensor([[0.0, 0, 9, 9]] * 3), torch.tensor([0.5, 0.9, 0.7])
    assert nms(*same, 0.5)[1].tolist() == [1]


def test_other_operators_say_what_they_need():
    with pytest.raises(
        RuntimeError, match='nms_rotated needs compiled MMCV: .*mmcv==2'
    ):
        mmcv_operators.missing('nms_rotated')(1, 2, threshold=3)
    from mmcv.ops import RoIAlign

    maximum = RoIAlign((2, 2), pool_mode='max')
    if 'no compiled' in mmcv_operators.mmcv_kind():
        with pytest.raises(RuntimeError, match="pool_mode='max' needs compiled MMCV"):
            maximum(torch.zeros(1, 1, 4, 4), torch.zeros(1, 5))


def run(code, path):
    command = [
        sys.executable,
        '-c',
        f'import sys; sys.path.insert(0, {str(path)!r})\n{code}',
    ]
    return subprocess.run(command, capture_output=True, text=True)


def test_compiled_module_is_preferred_and_broken_one_not_hidden(tmp_path):
    package = tmp_path / 'mmcv'
    package.mkdir()
    (package / '__init__.py').touch()
    (package / '_ext.py').write_text('nms = "compiled"')
    done = run('import mmhot, mmcv._ext; print(mmcv._ext.nms)', tmp_path)
    assert done.stdout == 'compiled\n', done.stderr
    (package / '_ext.py').write_text('raise ImportError("undefined symbol: _ZN3c10")')
    done = run('import mmhot, mmcv._ext', tmp_path)
    assert done.stderr.endswith('ImportError: undefined symbol: _ZN3c10\n')


def test_kind_is_named():
    kind = mmcv_operators.mmcv_kind()
    assert kind.startswith('mmcv')
    assert '2.1.0 (' in kind


def test_importing_mmhot_imports_no_torch():
    done = run('import mmhot; assert "torch" not in sys.modules', mmhot.__path__[0])
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ('package', 'name'),
    [
        ('mmdet', 'rtmdet/rtmdet_tiny_8xb32-300e_coco.py'),
        (
            'mmpose',
            'body_2d_keypoint/dekr/coco/dekr_hrnet-w32_8xb10-140e_coco-512x512.py',
        ),
    ],
)
def test_models_that_use_the_operators_run(package, name):
    module = importlib.import_module(package)
    from mmengine.dataset import pseudo_collate
    from mmengine.structures import InstanceData
    from mmpose.structures import PoseDataSample

    registry = importlib.import_module(f'{package}.registry')
    path = Path(module.__file__).parent / '.mim/configs' / name
    config = Config.fromfile(path)
    importlib.import_module(f'{package}.utils').register_all_modules(False)
    with DefaultScope.overwrite_default_scope(package):
        config.model.pop('init_cfg', None)
        config.model.backbone.pop('init_cfg', None)
        model = registry.MODELS.build(config.model).eval()
        image = torch.zeros(3, 128, 128, dtype=torch.uint8)
        size = dict(img_shape=(128, 128), ori_shape=(128, 128), scale_factor=(1.0, 1.0))
        if package == 'mmdet':
            from mmdet.structures import DetDataSample

            sample = DetDataSample(metainfo={**size, 'pad_shape': (128, 128)})
        else:
            sample = PoseDataSample(
                metainfo={
                    **size,
                    'input_size': (128, 128),
                    'input_center': np.array([64.0, 64.0]),
                    'input_scale': np.array([128.0, 128.0]),
                    'flip_indices': [0],
                    'batch_input_shape': (128, 128),
                }
            )
            sample.gt_instances = InstanceData()
        model.test_cfg and model.test_cfg.update(flip_test=False)
        batch = pseudo_collate([dict(inputs=image, data_samples=sample)])
        with torch.no_grad():
            results = model.test_step(batch)
    name = 'bboxes' if package == 'mmdet' else 'keypoint_scores'
    assert torch.isfinite(torch.as_tensor(results[0].pred_instances[name])).all()
