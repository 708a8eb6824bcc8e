"""Fixtures of published models: generated weights, inputs and outputs."""

import official_weights
import torch
from mmengine.structures import InstanceData
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from paths import DATA
from torch.overrides import TorchFunctionMode
from tracks import H36M

import mmhot.plugin  # noqa: F401 (registers what configs name)
from tools.model_converters.conversion import convert_published

FIXTURES = DATA / 'fixtures'
PARITY = {'rtol': 0, 'atol': 1e-5}  # what the project promises
HALF = {'rtol': 1e-2, 'atol': 1e-2}  # inner arrays are float16


# Modes see no further than these: kaiming_uniform_ hides that it calls uniform_.
_RANDOM = (
    torch.Tensor.uniform_,
    torch.Tensor.normal_,
    *(torch.nn.init.uniform_, torch.nn.init.normal_, torch.nn.init.kaiming_uniform_),
)


class WithoutValues(TorchFunctionMode):
    """Zeros in place of random values: for models whose weights are loaded."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in _RANDOM:
            return (args or [kwargs['tensor']])[0].detach().zero_()
        return function(*args, **kwargs or {})


def load_fixture(name):
    """Return the metadata and the arrays, as tensors, of a fixture."""
    meta, arrays = official_weights.load(FIXTURES / f'{name}.npz')
    return meta, {key: torch.from_numpy(array) for key, array in arrays.items()}


def build_published(meta, weights='ema', **test_cfg):
    """Build the published model of a fixture, through the converter."""
    state_dict = official_weights.state_dict(meta)
    config, state_dict = convert_published(state_dict, weights, **meta['config'])
    config['test_cfg'] |= test_cfg
    with WithoutValues():
        model = MODELS.build(config)
    model.load_state_dict(state_dict, strict=True)
    return model.eval()


def samples(count, **labels):
    """Samples as MMPose's pipelines pack them, with one tensor per label."""
    batch = []
    for index in range(count):
        sample = PoseDataSample(metainfo={'flip_indices': H36M.flip_indices})
        sample.gt_instance_labels = InstanceData()
        for name, values in labels.items():
            sample.gt_instance_labels.set_field(values[index], name)
        batch.append(sample)
    return batch
