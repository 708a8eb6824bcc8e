"""Counted multiply-adds and parameters, by layer, and time."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tools.analysis.cost import Cost, count_cost, count_parts


def test_cost_counts_weights_and_products():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(6, 8)
            self.conv = nn.Conv1d(5, 4, 3)

        def forward(self, x, scale):
            x = self.linear(x).unflatten(-1, (2, 4)).transpose(1, 2)  # (1, 2, 5, 4)
            x = F.scaled_dot_product_attention(x, x, x) * scale
            return self.conv(x[:, 0])

    cost = count_cost(Model(), torch.randn(1, 5, 6), scale=2)
    assert cost == Cost(
        parameters=6 * 8 + 8 + 5 * 4 * 3 + 4,
        weight_macs=5 * 6 * 8 + 5 * 4 * 3 * 2,
        product_macs=2 * (2 * 5 * 5 * 4),
    )
    assert cost.macs == cost.weight_macs + cost.product_macs


def test_cost_counts_products_that_are_added_in_place():
    class Model(nn.Module):
        def forward(self, x):
            return x[0].clone().addmm_(x[1], x[1]), x.clone().baddbmm_(x, x)

    cost = count_cost(Model(), torch.randn(2, 3, 3))
    assert cost == Cost(parameters=0, weight_macs=27, product_macs=54)


def test_parts_are_counted_without_the_call_of_a_container():
    class Model(nn.Module):
        """Two linear layers in a list, and products of its own."""

        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 2, bias=False)])

        def forward(self, x):
            x = self.layers[0](x)
            return self.layers[1](x.softmax(-1) @ x.mT @ x)

    linear, products = 3 * 16 + 3 * 8, 2 * 3 * 3 * 4
    assert count_parts(Model(), torch.zeros(1, 3, 4)) == {
        '': Cost(28, linear, products),
        'layers': Cost(28, linear, 0),
    }


@pytest.mark.parametrize(
    ('option', 'macs'),
    [
        ('keypoint_layer=3', '755,858,816'),
        ('keypoint_layer=0', '770,760,064'),
        ('share_slots=False', '752,564,096'),
    ],
)
def test_cost_of_an_ablation_is_that_of_the_claims(option, macs, run_tool):
    """docs/papers.md has them."""
    name = 'gtpt-t_4xb64-300e_coco-256x192'
    out = run_tool('cost', name, '--cfg-options', f'model.head.{option}')
    assert out.splitlines()[-1].split()[2] == macs
