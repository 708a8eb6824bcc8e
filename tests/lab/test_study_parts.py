"""Variants and table of the study of a lifter's parts."""

import sys

import pytest
import torch
from mmpose.registry import MODELS

from mmhot.weights.config_files import read_config_file
from tools.lab.short_training import CONFIGS
from tools.lab.study_parts import STUDIES, main, summarize


def build(study, variant):
    chosen = STUDIES[study]
    backbone = read_config_file(str(CONFIGS / chosen.config)).model.backbone
    changes, edit, _ = chosen.variants[variant]
    backbone.update(changes)
    torch.manual_seed(0)
    model = MODELS.build(backbone)
    if edit is not None:
        edit(model)
    return model.eval()


@pytest.mark.parametrize('study', ['htnet', 'nanohtnet'])
def test_every_variant_is_another_function(study):
    outputs = []
    for variant in STUDIES[study].variants:
        model = build(study, variant)
        x = torch.linspace(-1, 1, 34 * model.num_frames).reshape(1, -1, 17, 2)
        outputs.append(model(x))
    for place, first in enumerate(outputs):
        for second in outputs[:place]:
            assert (first - second).abs().max() > 1e-3


def test_center_frames_replace_frequencies():
    model = build('nanohtnet', 'center frames instead of low frequencies')
    found = model.dct @ torch.arange(81.0)
    # of the same norm as the cosines
    torch.testing.assert_close(found, torch.arange(36.0, 45) * 162**0.5)


def test_a_silent_branch_learns_nothing():
    model = build('nanohtnet', 'without the branch of frequencies')
    features = model(torch.rand(1, 81, 17, 2))
    assert features[..., 8:].abs().max() == 0
    assert features[..., :8].abs().max() > 0
    features.sum().backward()
    assert model.temporal_proj.weight.grad is None


def run_of(variant, seed, error):
    rows = dict(all={'MPJPE': error}, ends={'MPJPE': 2 * error})
    return dict(variant=variant, seed=seed, steps=5, errors=dict(gt=rows))


def test_changes_are_those_of_shared_seeds():
    runs = [run_of('whole', 0, 10.0), run_of('whole', 1, 20.0), run_of('less', 1, 25.0)]
    assert summarize(runs, 'gt') == [
        ('variant', 'steps', 'seeds', 'all', 'ends'),
        ('whole', '5', '2', '15.0', '30.0'),
        ('less', '5', '1', '25.0 (+25.0 %)', '50.0 (+25.0 %)'),
    ]


@pytest.mark.parametrize('text', ['{"runs": [{"model": "x"}]}', '{"points": []}', '3'])
def test_files_of_other_studies_are_refused(text, tmp_path, monkeypatch, capsys):
    path = tmp_path / 'other.json'
    path.write_text(text)
    monkeypatch.setattr(sys, 'argv', ['study_parts.py', 'table', str(path)])
    assert main() == 2
    assert capsys.readouterr().err == (
        f'study_parts.py: error: {path}: is no file of this study: it has no runs by '
        "'study'\n"
    )
