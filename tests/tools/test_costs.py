"""Costs of the published models are those of the papers."""

import pytest
from paths import CONFIGS

from tools.benchmark import costs

PAGE = CONFIGS / 'README.md'


SLOW = pytest.mark.slow(reason='counts 35 networks, half a minute')
MODELS = [
    pytest.param(model, marks=SLOW if row % 12 else ())
    for row, model in enumerate(costs.read_papers())
]


@pytest.mark.parametrize('model', MODELS, ids=lambda model: model.model)
def test_costs_are_those_of_the_paper_or_have_a_cause(model):
    count = costs.count_published(model)
    differences = (
        costs.difference(count.parameters(model), model.parameters),
        costs.difference(count.operations(model), model.operations),
    )
    is_far = max(map(abs, differences)) > costs.MOST
    assert is_far == bool(model.cause), differences
    lines = PAGE.read_text().splitlines()
    row = next(line for line in lines if f'| {model.model} |' in line)
    cells = [cell.strip() for cell in row.split('|')[1:-1]]
    assert cells[5:7] == [
        f'{count.whole_model.parameters / 1e6:.3g}',
        f'{count.whole_model.macs / 1e9:.3g}',
    ]
    assert cells[7] == model.cause
