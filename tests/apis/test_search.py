"""Search of similar movements: ranking, index, and errors."""

import json

import numpy as np
import pytest
import torch
from lifters import lifter_config, save_lifter
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS
from tracks import wiggling

import mmhot
from mmhot.apis.search import INDEX_NAME, MotionEmbedder
from mmhot.cli.dispatch import main


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp('poseclr') / 'poseclr.pth'
    backbone = lifter_config().model.backbone
    projector = dict(in_channels=16, num_frames=3)
    model = dict(type='PoseCLR', backbone=backbone, projector=projector, queue_size=8)
    config = Config(dict(model=model, codec=dict(type='PersonCenteredPoseLifting')))
    with torch.random.fork_rng(), DefaultScope.overwrite_default_scope('mmpose'):
        torch.manual_seed(0)
        state = MODELS.build(config.model).state_dict()
    torch.save(dict(meta=dict(cfg=config.pretty_text), state_dict=state), path)
    return path


def save_clip(path, keypoints):
    """Write a clip of one person at 50 frames per second."""
    path.parent.mkdir(exist_ok=True)
    scores = np.ones(keypoints.shape[:-1], np.float32)
    np.savez(
        path,
        keypoints=keypoints,
        scores=scores,
        fps=50.0,
        width=1280,
        height=720,
        skeleton='h36m-17',
    )


@pytest.fixture
def library(tmp_path):
    """Three clips of different movements, and a query that is a part of one."""
    folder = tmp_path / 'clips'
    for seed in range(3):
        save_clip(folder / f'{seed}.npz', wiggling(60, seed))
    save_clip(tmp_path / 'query.npz', wiggling(60, 1)[25:34])
    return folder


def find(library, checkpoint, **settings):
    query = library.parent / 'query.npz'
    return mmhot.search(query, library, checkpoint, stride=0.1, **settings)


def test_the_same_movement_is_found_with_its_time(library, checkpoint):
    best, *others = find(library, checkpoint)
    assert best.clip == '1.npz'
    assert (best.begin, best.end) == pytest.approx((0.5, 0.66))
    assert best.similarity == pytest.approx(1, abs=1e-5)
    assert {match.clip for match in others} == {'0.npz', '2.npz'}
    cosines = [match.similarity for match in (best, *others)]
    assert cosines == sorted(cosines, reverse=True)
    assert len(find(library, checkpoint, top=2)) == 2


def test_caches_of_inference_are_no_clips(library, checkpoint):
    """They lie in a hidden folder beside the results of ``mmhot infer``."""
    cache = library / '.mmhot-cache'
    cache.mkdir()
    np.savez(cache / 'walk.tracks.npz', frames=np.arange(3))
    assert {match.clip for match in find(library, checkpoint)} == {
        '0.npz',
        '1.npz',
        '2.npz',
    }


def test_queries_may_be_arrays(library, checkpoint):
    keypoints = wiggling(60, 1)[25:34]
    clip = mmhot.Clip2D.from_arrays(keypoints, (1280, 720), 50.0, skeleton='h36m-17')
    best, *_ = mmhot.search(clip, library, checkpoint, stride=0.1)
    assert best.clip == '1.npz'


def test_the_query_itself_is_left_out(library, checkpoint):
    matches = mmhot.search(library / '0.npz', library, checkpoint)
    assert {match.clip for match in matches} == {'1.npz', '2.npz'}


def test_results_of_lifting_are_found(library, checkpoint, tmp_path):
    lifter = mmhot.Lifter(checkpoint=save_lifter(tmp_path / 'lifter.pth'))
    clip = lifter(mmhot.read_keypoints(library / '2.npz'))
    clip.save(library / 'lifted.npz')
    best = mmhot.search(library / '2.npz', library, checkpoint, stride=0.1)[0]
    assert best.clip == 'lifted.npz'
    assert best.similarity == pytest.approx(1, abs=1e-5)
    best = mmhot.search(library / 'lifted.npz', library, checkpoint, stride=0.1)[0]
    assert best.clip == '2.npz'


def test_index_equals_a_new_one_and_is_extended(library, checkpoint, monkeypatch):
    embedded = []
    call = MotionEmbedder.__call__

    def spy(self, clip, stride):
        embedded.append(clip.name)
        return call(self, clip, stride)

    monkeypatch.setattr(MotionEmbedder, '__call__', spy)
    first = find(library, checkpoint)
    assert sorted(embedded) == ['0', '1', '2', 'query']
    embedded.clear()
    assert find(library, checkpoint) == first
    assert embedded == ['query']
    embedded.clear()
    save_clip(library / 'more' / '3.npz', wiggling(40, 3))
    save_clip(library / '0.npz', wiggling(70, 0))
    (library / '2.npz').unlink()
    found = find(library, checkpoint)
    assert sorted(embedded) == ['0', '3', 'query']
    assert {match.clip for match in found} == {'0.npz', '1.npz', 'more/3.npz'}
    (library / INDEX_NAME).unlink()
    assert find(library, checkpoint) == found
    embedded.clear()
    find(library, checkpoint, index=library.parent / 'other.npz')
    assert len(embedded) == 4


def test_command_prints_a_table_and_json(library, checkpoint, capsys):
    query = str(library.parent / 'query.npz')
    args = ['search', query, str(library), '--checkpoint', str(checkpoint)]
    assert main(['--quiet', *args, '--top', '1', '--stride', '0.1']) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ['clip', 'track', 'begin/s', 'end/s', 'cosine', 'query/s']
    assert row.split() == ['1.npz', '0', '0.50', '0.66', '1.000', '0.00']
    assert main(['--quiet', *args, '--json', '--stride', '0.1']) == 0
    assert len(json.loads(capsys.readouterr().out)['matches']) == 3


def test_wrong_inputs_are_named(library, checkpoint, tmp_path):
    with pytest.raises(ValueError, match='top must be at least 1, got 0'):
        find(library, checkpoint, top=0)
    with pytest.raises(FileNotFoundError, match=r'none\.pth does not exist'):
        find(library, tmp_path / 'none.pth')
    lifter = tmp_path / 'lifter.pth'
    config = lifter_config().pretty_text
    torch.save(dict(meta=dict(cfg=config), state_dict={}), lifter)
    with pytest.raises(ValueError, match='is no checkpoint of a PoseCLR'):
        find(library, lifter)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match='has no .npz file'):
        mmhot.search(library / '0.npz', tmp_path / 'empty', checkpoint)
    with pytest.raises(ValueError, match='is no index of mmhot search'):
        find(library, checkpoint, index=library / '0.npz')
