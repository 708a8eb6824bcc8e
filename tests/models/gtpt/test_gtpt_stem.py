"""Layers of GTPT's stem that are not trained."""

import pytest
import torch

from mmhot.models.gtpt.stem import GTPTStem


def test_frozen_layers_stay_as_they_are():
    """A step changes neither their weights nor their statistics, but all others."""
    stem = GTPTStem(stem_channels=8, stage_channels=(16,), frozen_layers=2)
    for module in stem.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.normal_(module.weight)
    optimizer = torch.optim.SGD(stem.parameters(), lr=1.0)
    before = {name: value.clone() for name, value in stem.state_dict().items()}
    stem.train()
    stem(torch.randn(2, 3, 32, 32))[0].square().mean().backward()
    optimizer.step()
    for name, value in stem.state_dict().items():
        is_frozen = name.startswith(('conv.', 'stages.0.0.'))
        if is_frozen or name.endswith(('conv.weight', 'running_var')):
            assert torch.equal(value, before[name]) == is_frozen, name


def test_number_of_frozen_layers_is_checked():
    with pytest.raises(ValueError, match='from 0 to 5.*got 6'):
        GTPTStem(frozen_layers=6)
