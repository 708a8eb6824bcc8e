"""Modules and samplers of the renderer, if its packages are installed."""

import importlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

_TOOL = 'projects.rendered_people.render'
_MOTIONS = Path(__file__).parents[3] / 'tests/data/cmu_mocap/cmu_h36m17.npz'


@pytest.fixture(scope='session')
def modules():
    """Modules of the renderer, which import anny and OpenGL."""
    pytest.importorskip('anny')
    names = (
        'backgrounds',
        'bodies',
        'clips',
        'decoys',
        'framing',
        'groups',
        'labels',
        'models',
    )
    names += ('poses', 'props', 'renderer', 'rigging', 'sampling', 'scenes', 'shards')
    loaded = {name: importlib.import_module(f'{_TOOL}.{name}') for name in names}
    return SimpleNamespace(**loaded)


@pytest.fixture(scope='session')
def scenes(modules):
    """A function that makes a sampler of scenes with a few bodies."""
    anny = modules.bodies.build_anny()
    model = modules.bodies.read_body_model(anny)
    shapes = modules.bodies.sample_bodies(anny, 2, seed=1)
    poses = modules.sampling.PoseSampler(dict(np.load(_MOTIONS)))

    def make(size):
        sampler = modules.scenes.SceneSampler
        return sampler(model, shapes, poses, [], 4, size)

    return make
