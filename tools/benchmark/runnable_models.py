"""Models of a benchmark: names, changed settings, and how they run.

A model is written ``MODEL[:OPTION]...``. ``MODEL`` is a name in the model index of
mmhot or MMPose, a config file, or ``PACKAGE::CONFIG``. An option is

* ``KEY=VALUE``: a setting of the config, for example ``model.backbone.depth=2``; lists
  as ``[1,2]``;
* ``onnx``: exported, and run by ONNX Runtime on a CPU; lifters and 2D models.

On a GPU, models run as CUDA graphs, 2D models in half precision, as in ``mmhot infer``.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnxruntime
import torch
from mmengine.config import ConfigDict
from torch import Tensor, nn

import mmhot.plugin  # noqa: F401 registers what configs name
from mmhot.cli.errors import OneLineParser
from mmhot.deploy.captured_graphs import CapturedGraphs
from mmhot.deploy.half_precision import half_precision, move_to_device
from mmhot.deploy.onnx_graphs import LifterGraph, PoseGraph, write_graph
from mmhot.weights.config_files import read_config_file
from mmhot.weights.loading import build_model
from mmhot.weights.names import config_of
from tools.analysis.cost import count_cost, input_shape
from tools.runner import add_config_options, merge_options

_ONNX = 'onnx'
# A colon outside of '::', '://' and Windows' drives.
_SEPARATOR = re.compile(r'(?<!:):(?![:/\\])')


@dataclass(frozen=True)
class RunnableModel:
    """A model with random weights.

    Attributes:
        name (str): Name in tables, with options.
        model (nn.Module): In evaluation mode.
        shape (tuple[int, ...]): Shape of one input, without the batch.
        macs (int): Multiply-adds of one input.
        run (Callable): Runs the network, MMPose's mode 'tensor', on a batch.
        settings (ConfigDict): Its config.
    """

    name: str
    model: nn.Module
    shape: tuple[int, ...]
    macs: int
    run: Callable[[Tensor], Any]
    settings: ConfigDict

    def inputs(self, batch_size: int) -> Tensor:
        """Draw a random batch (B, ...) on the model's device."""
        device = next(self.model.parameters()).device
        return torch.randn(batch_size, *self.shape, device=device)


def open_model(
    text: str, device: str = 'cpu', sizes: tuple[int, ...] = (1,)
) -> RunnableModel:
    """Build a ``MODEL[:OPTION]...`` for batches of some sizes.

    Raises:
        FileNotFoundError: If the config does not exist.
        ValueError: If the model or an option is unknown, or the config does not define
            the shape of an input.
    """
    source, *options = _SEPARATOR.split(text)
    config = read_config_file(config_of(source))
    parser = OneLineParser(prog=text)
    add_config_options(parser)
    if settings := [option for option in options if option != _ONNX]:
        changed = parser.parse_args(['--cfg-options', *settings]).cfg_options
        merge_options(config, changed)
    name = ':'.join([re.split(r'[/\\]', source)[-1], *options])
    torch.manual_seed(0)
    model = build_model(config.model, name).eval()
    shape = input_shape(config, model)
    macs = count_cost(model, torch.randn(1, *shape), None, mode='tensor').macs
    is_image = len(shape) == 3 and shape[0] == 3

    def run(x: Tensor) -> Any:
        with half_precision(device if is_image else 'cpu'):
            return model(x, None, mode='tensor')

    call: Callable[[Tensor], Any] = run
    if _ONNX in options:
        call = _export(model, shape, is_image)
    elif torch.device(device).type != 'cpu':
        model = move_to_device(model, device) if is_image else model.to(device)
        call = CapturedGraphs(run, sizes)
    return RunnableModel(name, model, shape, macs, call, config.model)


def _export(
    model: nn.Module, shape: tuple[int, ...], is_image: bool
) -> Callable[[Tensor], Any]:
    """Export a model, and open the file with as many threads as PyTorch has.

    Returns:
        Callable: Function that runs it on a batch (B, ...).
    """
    graph = (PoseGraph if is_image else LifterGraph)(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    with TemporaryDirectory() as folder:
        file = Path(folder, 'model.onnx')
        write_graph(graph, torch.randn(3, *shape), file, {})
        session = onnxruntime.InferenceSession(
            file.read_bytes(), options, providers=['CPUExecutionProvider']
        )
    return lambda x: session.run(graph.output_names, {graph.input_name: x.numpy()})
