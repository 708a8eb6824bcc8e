"""HTNet's invariants and errors; test_parity.py has the published numbers."""

import official_weights
import torch
from published import load_fixture

from mmhot.models.lifters.htnet import HTNet
from tools.model_converters.conversion import convert_published

TINY = {'embed_dims': 24, 'mlp_dims': 16, 'graph_dims': 12, 'depth': 2}


@torch.no_grad()
def test_frames_are_independent_and_keep_their_axis():
    torch.manual_seed(0)
    model = HTNet(**TINY).eval()
    x = torch.randn(3, 5, 17, 2)
    alone = torch.stack([model(x[:, frame : frame + 1])[:, 0] for frame in range(5)], 1)
    torch.testing.assert_close(model(x), alone, rtol=1e-5, atol=1e-5)


def test_both_published_names_of_the_head_are_converted():
    meta, _ = load_fixture('htnet')
    state = official_weights.state_dict(meta)
    _, wanted = convert_published(dict(state))
    for part in ('weight', 'bias'):
        state[f'fc.{part}'] = state.pop(f'fcn.{part}')
    _, found = convert_published(state)
    torch.testing.assert_close(found, wanted, rtol=0, atol=0)
