"""Captured graphs, with a stand-in for CUDA that repeats a call on the CPU."""

import pytest
import torch
from torch import Tensor

from mmhot.deploy.captured_graphs import CapturedGraphs, captured


class StandIn:
    """Captures a call on the CPU: its outputs are overwritten by each replay."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, network, inputs):
        self.sizes.append(len(inputs))
        outputs = network(inputs)

        def replay() -> None:
            for own, new in zip(outputs, network(inputs), strict=True):
                own.copy_(new)

        return replay, outputs


def network(x: Tensor) -> tuple[Tensor, Tensor]:
    return x.flip(-1), x.square().sum(-1)


@pytest.mark.parametrize('size', [1, 2, 4, 5, 8, 9, 20])
def test_batches_are_padded_and_split_without_changing_results(size):
    graphs = CapturedGraphs(network, (1, 4, 8), capture=StandIn())
    batches = torch.randn(2, size, 3)
    results = [graphs(x) for x in batches]
    for x, found in zip(batches, results, strict=True):
        for own, expected in zip(found, network(x), strict=True):
            assert own.shape == expected.shape
            torch.testing.assert_close(own, expected, rtol=0, atol=0)


def test_each_size_is_captured_once_for_each_shape():
    capture = StandIn()
    graphs = CapturedGraphs(network, (1, 4, 8), capture=capture)
    for size in (3, 4, 2, 1, 8, 7, 17):
        graphs(torch.zeros(size, 3))
    assert capture.sizes == [4, 1, 8]
    graphs(torch.zeros(3, 5))
    assert capture.sizes == [4, 1, 8, 4]


def test_all_sizes_can_be_captured_in_the_first_call():
    capture = StandIn()
    graphs = CapturedGraphs(network, (1, 4, 8), all_at_once=True, capture=capture)
    for size in (3, 8, 1):
        graphs(torch.zeros(size, 3))
    assert capture.sizes == [8, 4, 1]


def test_networks_that_cannot_be_captured_run_plainly(caplog):
    def refuse(network, inputs):
        raise RuntimeError('operation not permitted when stream is capturing\nmore')

    graphs = CapturedGraphs(network, (4,), capture=refuse)
    x = torch.randn(2, 3)
    for _ in range(2):
        torch.testing.assert_close(graphs(x), network(x), rtol=0, atol=0)
    [record] = caplog.records
    assert record.getMessage().endswith('when stream is capturing')


def test_networks_on_a_cpu_are_not_captured():
    assert captured(network, 'cpu') is network
