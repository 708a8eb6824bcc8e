"""Stand-in for MMCV's compiled operators, against what those return."""

import importlib
import importlib.util
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fresh_python import run_python
from paths import DATA

from mmhot import compat
from mmhot.compat import mmcv_operators

ops = importlib.import_module('mmcv.ops')  # after mmhot, which provides mmcv._ext
CALLERS = ('nms', 'roi_align')
COMPILED = 'mmcv._ext' not in compat.applied()


@pytest.fixture(scope='module')
def maker():
    path = DATA / 'make_mmcv_operators.py'
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def stand_in(monkeypatch):
    """Let mmcv.ops call the stand-in, whichever MMCV is installed."""

    def use():
        operators = SimpleNamespace(**mmcv_operators.OPERATORS)
        for name in CALLERS:
            module = sys.modules[f'mmcv.ops.{name}']
            monkeypatch.setattr(module, 'ext_module', operators)

    return use


def assert_equal(found, expected):
    assert found.keys() == set(expected)
    for name, value in expected.items():
        if value.dtype.kind == 'i':
            np.testing.assert_array_equal(found[name], value, err_msg=name)
        else:
            # float32 sums in another order; 5e-7 measured
            atol = 2e-6 * np.abs(value).max(initial=0)
            np.testing.assert_allclose(found[name], value, 0, atol, err_msg=name)


def test_outputs_equal_those_of_compiled_mmcv(maker, stand_in):
    stand_in()
    with np.load(DATA / 'mmcv_operators.npz') as file:
        assert_equal(maker.compute(), dict(file))


@pytest.mark.skipif(not COMPILED, reason='needs compiled MMCV: make test-compiled')
def test_stand_in_equals_the_installed_operators(maker, stand_in):
    def suppress():
        for seed in range(50):
            boxes, scores, classes = maker.boxes_and_scores(200, seed % 2, seed)
            for offset in (0, 1):
                yield ops.nms(boxes, scores, 0.6, offset)[1]
            yield ops.batched_nms(boxes, scores, classes, dict(iou_threshold=0.6))[1]

    expected = maker.compute(), list(suppress())
    stand_in()
    assert_equal(maker.compute(), expected[0])
    assert all(map(torch.equal, suppress(), expected[1]))


def test_few_boxes(stand_in):
    stand_in()
    empty = torch.zeros(0, 4), torch.zeros(0)
    assert ops.nms(*empty, 0.5)[1].tolist() == []
    same = torch.tensor([[0.0, 0, 9, 9]] * 3), torch.tensor([0.5, 0.9, 0.7])
    assert ops.nms(*same, 0.5)[1].tolist() == [1]
    # 3/5 is not more than 0.6, and in double precision it would be.
    touching = torch.tensor([[0.0, 0, 5, 1], [0, 0, 3, 1]]), torch.tensor([0.9, 0.8])
    assert ops.nms(*touching, 0.6)[1].tolist() == [0, 1]


def test_other_operators_say_what_they_need(stand_in):
    message = r'nms_rotated needs compiled MMCV: .*pip install .*mmcv==2.1.0'
    with pytest.raises(RuntimeError, match=message):
        mmcv_operators.find_operator('nms_rotated')(1, 2, threshold=3)
    stand_in()
    with pytest.raises(RuntimeError, match="pool_mode='max' needs compiled MMCV"):
        ops.RoIAlign((2, 2), pool_mode='max')(
            torch.zeros(1, 1, 4, 4), torch.zeros(1, 5)
        )


IMPORT = """
import sys
import mmhot
assert not {'torch', 'mmcv', 'mmhot.compat.mmcv_operators'} & set(sys.modules)
assert 'mmcv._ext' not in mmhot.compat.applied()
import mmcv._ext
print(mmcv._ext.nms)
"""


def test_compiled_operators_are_preferred(tmp_path):
    (tmp_path / 'mmcv').mkdir()
    (tmp_path / 'mmcv/__init__.py').touch()
    (tmp_path / 'mmcv/_ext.py').write_text('nms = "compiled"')
    assert run_python(IMPORT, folder=tmp_path) == ['compiled']
