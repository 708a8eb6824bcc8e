"""CUDA graphs of networks, captured once for each of a few batch sizes.

A small network takes as long as the launches of its kernels. A graph launches all of
them at once, but always with the same shapes.
"""

import logging
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

import torch
from torch import Tensor

_LOGGER = logging.getLogger(__name__)

BATCH_SIZES = (1, 4, 16, 64)
_WARM_UP = 2  # calls before a capture, in which libraries choose their kernels

Network = Callable[[Tensor], Any]
"""Function from a batch (B, ...) to a tensor (B, ...), or to nested lists of these."""


class CapturedGraphs:
    """Network that runs as a CUDA graph for each shape of its input.

    A batch is padded to the next larger size, or split if it is larger than all. A
    network that cannot be captured is called as it is, with a warning.

    Args:
        network (Callable): Function from a batch to tensors, see :data:`Network`.
        batch_sizes (Sequence[int]): Sizes of captured batches. Defaults to 1, 4, 16 and
            64.
        all_at_once (bool): Whether to capture all sizes in the first call, rather than
            each one when it is needed. Defaults to False.

    Example::

        network = CapturedGraphs(model.backbone)
        features = network(images)  # (B, 3, H, W) on a GPU
    """

    def __init__(
        self,
        network: Network,
        batch_sizes: Sequence[int] = BATCH_SIZES,
        all_at_once: bool = False,
    ) -> None:
        self._network = network
        self._sizes = sorted(batch_sizes)
        self._all_at_once = all_at_once
        self._pool = None  # memory for activations, which all graphs share
        # Inputs, function that repeats the call, and outputs, by size, shape and type
        self._graphs: dict[tuple, tuple[Tensor, Callable[[], Any], Any]] = {}
        self._failed = False
        # Calls must not overlap: the inputs and outputs of a graph are always the same.
        self._lock = Lock()

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Any:
        """Run the network on a batch (B, ...); return its outputs, (B, ...) each."""
        if self._failed:
            return self._network(x)
        with self._lock:
            try:
                parts = [self._run(part) for part in x.split(self._sizes[-1])]
            except RuntimeError as error:
                self._failed = True
                _LOGGER.warning(
                    'a network runs without CUDA graphs, which takes longer: %s',
                    str(error).splitlines()[0],
                )
                return self._network(x)
            return parts[0] if len(parts) == 1 else _map(torch.cat, *parts)

    def _run(self, x: Tensor) -> Any:
        """Replay the graph of the next larger size on a batch (B, ...)."""
        padded = next(size for size in self._sizes if size >= len(x))
        is_first = self._all_at_once and not self._graphs
        # The largest graph comes first, so that the others fit into its memory.
        for size in self._sizes[::-1] if is_first else [padded]:
            key = size, x.shape[1:], x.dtype
            if key not in self._graphs:
                inputs = x.new_zeros(size, *x.shape[1:])
                self._graphs[key] = inputs, *self._capture(inputs)
        inputs, replay, outputs = self._graphs[padded, x.shape[1:], x.dtype]
        inputs[: len(x)].copy_(x)
        replay()
        return _map(lambda tensors: tensors[0][: len(x)].clone(), outputs)

    def _capture(self, inputs: Tensor) -> tuple[Callable[[], Any], Any]:
        """Capture a call of the network.

        Args:
            inputs (Tensor): Batch, (B, ...), which later calls overwrite.

        Returns:
            tuple[Callable, Any]: Function that repeats the call, and outputs, (B, ...)
            each, which it overwrites.
        """
        with torch.cuda.device(inputs.device):
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(_WARM_UP):
                    self._network(inputs)
            torch.cuda.current_stream().wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            # In this mode other threads may copy images to the GPU meanwhile.
            with torch.cuda.graph(graph, self._pool, capture_error_mode='thread_local'):
                outputs = self._network(inputs)
            self._pool = graph.pool()
        return graph.replay, outputs


def _map(function: Callable, *outputs: Any) -> Any:
    """Apply a function to each tensor (B, ...) in nested outputs.

    With several ``outputs`` of one structure, the function gets a tuple of the tensors
    that are in the same place.
    """
    if isinstance(outputs[0], Tensor):
        return function(outputs)
    parts = zip(*outputs, strict=True)
    return type(outputs[0])(_map(function, *part) for part in parts)
