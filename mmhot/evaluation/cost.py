"""Cost of a forward pass: parameters, multiply-accumulate operations and time.

PyTorch's counter ignores fused attention on a CPU, so attention is computed in its
plain form while counting.
"""

import math
import statistics
import time
from collections import ChainMap, Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry, shape_wrapper

_PRODUCTS = ('bmm', 'baddbmm', 'baddbmm_')


def _product_flops(added: Any, one: Any, other: Any, **_: Any) -> int:
    """Operations of a sum in place with a product, from shapes."""
    return 2 * math.prod(one) * other[-1]


# What PyTorch leaves out.
_OTHERS = {
    torch.ops.aten.addmm_: shape_wrapper(_product_flops),
    torch.ops.aten.baddbmm_: shape_wrapper(_product_flops),
}
# PyTorch's registry also gets operators that are declared later.
_FORMULAS = ChainMap(_OTHERS, flop_registry)


@dataclass(frozen=True)
class Cost:
    """Cost of one forward pass.

    Attributes:
        parameters (int): Number of trained parameters.
        weight_macs (int): Multiply-accumulates of linear layers and convolutions.
        product_macs (int): Those of batched products: attention, graphs, and several
            linear layers at once.
    """

    parameters: int
    weight_macs: int
    product_macs: int

    @property
    def macs(self) -> int:
        """All multiply-accumulates."""
        return self.weight_macs + self.product_macs

    def __add__(self, other: 'Cost') -> 'Cost':
        """Add the costs of two modules."""
        return Cost(
            self.parameters + other.parameters,
            self.weight_macs + other.weight_macs,
            self.product_macs + other.product_macs,
        )


def count_cost(
    model: nn.Module | Callable[..., Any], *inputs: Any, **kwargs: Any
) -> Cost:
    """Count the cost of one pass, in evaluation mode and without gradients.

    Sums, normalizations and activations are not counted, as usual.

    Args:
        model (nn.Module or Callable): The model, or one of its methods. Any other
            function has no parameters.
        *inputs: Arguments of the call; a batch of one gives the usual figures.
        **kwargs: Keyword arguments of the call.

    Returns:
        Cost: The cost; the model's mode is restored.
    """
    return sum(count_layers(model, *inputs, **kwargs).values(), Cost(0, 0, 0))


def count_layers(
    model: nn.Module | Callable[..., Any], *inputs: Any, **kwargs: Any
) -> dict[str, Cost]:
    """Count the cost of one pass of each module by itself.

    Args:
        model (nn.Module or Callable): Same as in :func:`count_cost`.
        *inputs: Arguments of the call.
        **kwargs: Keyword arguments of the call.

    Returns:
        dict[str, Cost]: By the module's name, without the modules that it contains;
            '' is the model. Modules without cost are left out.
    """
    owner = model if isinstance(model, nn.Module) else getattr(model, '__self__', None)
    owner = owner if isinstance(owner, nn.Module) else nn.Module()
    counter, plain_attention = _Counter(), sdpa_kernel(SDPBackend.MATH)
    with _evaluation_mode(owner), torch.no_grad(), ExitStack() as hooks:
        for name, module in owner.named_modules():
            for handle in counter.follow(name, module):
                hooks.callback(handle.remove)
        with plain_attention, counter:
            model(*inputs, **kwargs)
    parameters = Counter()
    for name, parameter in owner.named_parameters():
        parameters[name.rpartition('.')[0]] += parameter.numel()
    weights, products = counter.weight_flops, counter.product_flops
    names = [name for name, _ in owner.named_modules()]
    return {
        name: Cost(parameters[name], weights[name] // 2, products[name] // 2)
        for name in names
        if parameters[name] or weights[name] or products[name]
    }


def group_layers(layers: Mapping[str, Cost], depth: int) -> dict[str, Cost]:
    """Sum the costs of modules by the first parts of their names.

    Args:
        layers (Mapping[str, Cost]): By name, as from :func:`count_layers`.
        depth (int): Number of parts, such as 2 for ``backbone.layers``.

    Returns:
        dict[str, Cost]: In the order of the model.
    """
    groups: dict[str, Cost] = {}
    for name, cost in layers.items():
        group = '.'.join(name.split('.')[:depth])
        groups[group] = groups.get(group, Cost(0, 0, 0)) + cost
    return groups


def input_shape(config: Config, model: nn.Module) -> tuple[int, ...] | None:
    """Return the shape of one input: an image (3, H, W), or poses.

    Args:
        config (Config): Config of the model.
        model (nn.Module): The model, built.

    Returns:
        tuple[int, ...], optional: Without the batch; None if it is not known.
    """
    decoder = config.model.get('head', {}).get('decoder') or {}
    size = decoder.get('input_size') or config.get('test_size')
    if size:
        width, height = size
        return 3, height, width
    backbone = config.model.backbone
    dataset = config.get('train_dataloader', {}).get('dataset', {})
    if backbone.type == 'TCN':  # whole poses, channels first
        return backbone.in_channels, dataset.get('seq_len', 1)
    if backbone.type == 'FlattenedPoseBackbone':
        return dataset.get('seq_len', 1), model.head.num_keypoints, 2
    backbone = model.backbone
    if hasattr(backbone, 'temp_embed') and hasattr(backbone, 'spat_embed'):
        # MMPose's DSTFormer stores its sizes in its embeddings only
        sizes = backbone.temp_embed.shape[1], backbone.spat_embed.shape[1]
        return *sizes, backbone.in_channels
    names = ('num_frames', 'num_keypoints', 'in_channels')
    if all(hasattr(backbone, name) for name in names):
        return tuple(getattr(backbone, name) for name in names)
    return None


def count_config(config: Config, model: nn.Module) -> Cost | None:
    """Count the cost of one input of a config's model; None if its shape is unknown.

    Args:
        config (Config): Config of the model.
        model (nn.Module): The model, built.
    """
    shape = input_shape(config, model)
    if shape is None:
        return None
    inputs = torch.zeros(1, *shape, device=next(model.parameters()).device)
    return count_cost(model, inputs, None, mode='tensor')


def run_network(model: nn.Module, inputs: Tensor) -> Any:
    """Run the network alone, OpenMMLab's mode 'tensor'."""
    return model(inputs, None, mode='tensor')


def time_pass(call: Callable[[], Any]) -> float:
    """Return the median seconds of 20 calls, after two that do not count.

    On a GPU the end of each is waited for.
    """
    seconds = []
    for _ in range(2 + 20):
        start = time.perf_counter()
        call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[2:])


class _Counter(TorchDispatchMode):
    """Counts operations by PyTorch's formulas, by the innermost module that runs.

    PyTorch's own counter adds an operation to all modules that run, without an order:
    blocks of a backbone that its hourglass runs would count as the hourglass's.
    """

    def __init__(self) -> None:
        super().__init__()
        self.weight_flops: Counter[str] = Counter()
        self.product_flops: Counter[str] = Counter()
        self._running = ['']

    def follow(self, name: str, module: nn.Module) -> Iterator[Any]:
        """Yield the handles of hooks that note when a module runs."""
        yield module.register_forward_pre_hook(lambda *_: self._running.append(name))
        yield module.register_forward_hook(
            lambda *_: self._running.pop() and None, always_call=True
        )

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        formula = _FORMULAS.get(func.overloadpacket)
        if formula is not None:
            flops = formula(*args, **(kwargs or {}), out_val=output)
            is_product = func.overloadpacket.__name__ in _PRODUCTS
            counts = self.product_flops if is_product else self.weight_flops
            counts[self._running[-1]] += flops
        return output


@contextmanager
def _evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Set a model to evaluation mode; restore each module's mode afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
