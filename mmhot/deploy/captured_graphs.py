"""Networks on GPUs as CUDA graphs, captured once for each of a few batch sizes.

Small networks take as long as the launches of their kernels. A graph launches all of
them at once, and always with the same shapes.
"""

import logging
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

import torch
from torch import Tensor

_LOGGER = logging.getLogger(__name__)

BATCH_SIZES = (1, 4, 16, 64)
# Plain calls before a capture, in which libraries choose their kernels
_WARM_UP = 2

Network = Callable[[Tensor], Any]
"""Maps a batch (B, ...) to a tensor (B, ...), or to lists or tuples of these."""


class CapturedGraphs:
    """A network that is captured for each shape of its input.

    Batches are padded to the next of the sizes, and larger ones split. A network that
    cannot be captured is called as it is, and a line says so.

    Args:
        network (Callable): Maps a batch to tensors, see :data:`Network`.
        batch_sizes (Sequence[int]): Sizes. Defaults to 1, 4, 16 and 64.
        all_at_once (bool): Whether all sizes are captured in the first call, and not
            each when it is needed. Defaults to False.
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
        self._pool = None  # memory of activations, which all graphs share
        self._graphs: dict[tuple, tuple[Tensor, Callable[[], Any], Any]] = {}
        self._failed = False
        # Calls must not overlap, as a graph has one memory for its inputs and outputs.
        self._lock = Lock()

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Any:
        """Run the network on a batch (B, ...)."""
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
        """Replay the graph of the next size on a batch (B, ...)."""
        sizes = [size for size in self._sizes if size >= len(x)]
        is_first = self._all_at_once and not self._graphs
        for size in self._sizes[::-1] if is_first else sizes[:1]:
            key = size, x.shape[1:], x.dtype
            if key not in self._graphs:
                inputs = x.new_zeros(size, *x.shape[1:])
                self._graphs[key] = inputs, *self._capture(inputs)
        inputs, replay, outputs = self._graphs[sizes[0], x.shape[1:], x.dtype]
        inputs[: len(x)].copy_(x)
        replay()
        return _map(lambda tensors: tensors[0][: len(x)].clone(), outputs)

    def _capture(self, inputs: Tensor) -> tuple[Callable[[], Any], Any]:
        """Capture a call of the network.

        Args:
            inputs (Tensor): Batch, (B, ...), which later calls overwrite.

        Returns:
            tuple[Callable, Any]: Function that repeats the call, and the outputs, which
            it overwrites.
        """
        with torch.cuda.device(inputs.device):
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(_WARM_UP):
                    self._network(inputs)
            torch.cuda.current_stream().wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            # With this mode other threads may copy images meanwhile.
            with torch.cuda.graph(graph, self._pool, capture_error_mode='thread_local'):
                outputs = self._network(inputs)
            self._pool = graph.pool()
        return graph.replay, outputs


def _map(function: Callable, *outputs: Any) -> Any:
    """Apply a function to tuples of tensors at the same place of nested outputs."""
    if isinstance(outputs[0], Tensor):
        return function(outputs)
    parts = zip(*outputs, strict=True)
    return type(outputs[0])(_map(function, *part) for part in parts)
