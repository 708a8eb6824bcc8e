"""MuonAdamW: orthogonalized steps for matrices, AdamW's for other parameters."""

import io

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS
from mocap import CONFIGS
from torch import nn

from mmhot.engine.optimizers import MuonAdamW

RATE = 0.1


def network():
    """A network with two matrices of features."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 3))


def learn(model, optimizer, steps):
    x = torch.linspace(0, 8, 20).cos().view(5, 4)
    for _ in range(steps):
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()


def test_matrices_take_muons_steps():
    def draw():
        torch.manual_seed(0)
        shapes = (6, 4), (6, 4), (6, 4), (3, 8), (3, 8), (5, 5)
        return [nn.Parameter(torch.randn(shape)) for shape in shapes]

    ours, theirs = draw(), draw()
    # groups of one parameter each, as MMEngine makes them
    optimizer = MuonAdamW([dict(params=[weight]) for weight in ours], lr=RATE)
    assert [len(group['params']) for group in optimizer.param_groups] == [6]
    muon = dict(weight_decay=0.01, adjust_lr_fn='match_rms_adamw')
    reference = torch.optim.Muon(theirs, lr=RATE, **muon)
    for step in range(3):
        for weights, each in ((ours, optimizer), (theirs, reference)):
            for place, weight in enumerate(weights):
                start = torch.arange(weight.numel()) * (step + place + 1.0)
                weight.grad = start.cos().view_as(weight)
            weights[step].grad = None
            each.step()
    # Muon rounds to bfloat16; steps are 0.2 * RATE long on average.
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0.01 * RATE)


def test_a_group_can_use_adamw_for_its_matrices():
    ours, theirs = network(), network()
    group = dict(params=list(ours.parameters()), muon=False)
    learn(ours, MuonAdamW([group], lr=RATE), 3)
    learn(theirs, torch.optim.AdamW(theirs.parameters(), lr=RATE), 3)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())


def test_training_resumes_from_a_saved_state():
    whole = network()
    optimizer = MuonAdamW(whole.parameters(), lr=RATE)
    learn(whole, optimizer, 2)
    file = io.BytesIO()
    torch.save([whole.state_dict(), optimizer.state_dict()], file)
    file.seek(0)
    weights, state = torch.load(file, weights_only=True)
    resumed = network()
    resumed.load_state_dict(weights)
    again = MuonAdamW(resumed.parameters(), lr=1)
    again.load_state_dict(state)
    for model, each in ((whole, optimizer), (resumed, again)):
        for group in each.param_groups:
            group['lr'] = RATE / 2  # as schedulers do
        learn(model, each, 2)
    torch.testing.assert_close(resumed.state_dict(), whole.state_dict(), rtol=0, atol=0)


def test_configs_use_adamw_for_tokens_and_classifiers():
    name = 'hot-mixste-xs_81frm-keep27_1xb8-10e_cmu-wild.py'
    path = f'body_3d_keypoint/hot/cmu_mocap/{name}'
    init_default_scope('mmpose')
    config = Config.fromfile(CONFIGS / path)
    model = MODELS.build(config.model)
    optimizer = build_optim_wrapper(model, config.optim_wrapper).optimizer
    muon, adamw = (
        {id(parameter) for group in part.param_groups for parameter in group['params']}
        for part in optimizer.parts
    )
    assert muon
    assert len(muon) + len(adamw) == len(list(model.parameters()))
    left = {
        name
        for name, parameter in model.named_parameters()
        if id(parameter) in adamw and parameter.ndim == 2
    }
    assert left == {
        'backbone.embed.weight',
        'backbone.spatial_position.table',
        'backbone.temporal_position.table',
        'backbone.hourglass.recoverer.queries',
        'backbone.hourglass.slot_embeddings.0',
        'head.fc.weight',
    }
