"""The same poses in Python, in files, in files that are saved again, by commands."""

import json

import numpy as np
import pytest
from clip_files import cut_skater
from paths import DEMO
from steps import lift_video, live_chain, plan_of

import mmhot
from mmhot.chain.frames.inputs import open_inputs
from mmhot.chain.lifting.lifter import Lifter
from mmhot.chain.pipelines import VIDEO
from mmhot.cli import main
from mmhot.io.lifted import read_lifted
from mmhot.weights.index import LIVE_LIFTER

# meters; files store the same floats, other ways may round elsewhere
LIMIT = 1e-4


def assert_same(clip, other):
    assert clip.steps == other.steps
    for name in ('keypoints_3d', 'root_3d'):
        np.testing.assert_allclose(
            getattr(clip, name), getattr(other, name), atol=LIMIT
        )


def run(command, source, folder, options):
    words = [command, source, '--out-dir', folder, '--formats', 'npz,json', '--quiet']
    for name, value in options.items():
        words.append(f'--{name.replace("_", "-")}')
        words += [] if value is True else [value]
    assert main([*map(str, words)]) == 0


@pytest.fixture(scope='module')
def skater(tmp_path_factory):
    """Write two windows of the skater."""
    return cut_skater(tmp_path_factory.mktemp('one') / 'one.npz', 100)


@pytest.fixture(scope='module')
def two_people(skater, tmp_path_factory):
    """Write the skater twice, one later and to the right of the other."""
    clip = mmhot.read_keypoints(skater)
    (track,) = clip.tracks
    later = np.roll(track.keypoints, 20, axis=0) + np.float32([150, 0])
    scores = np.stack([track.scores, np.roll(track.scores, 20, axis=0)], 1)
    points = np.stack([track.keypoints, later], 1)
    frames = [
        dict(
            frame_id=frame,
            instances=[
                dict(
                    keypoints=np.nan_to_num(own).tolist(),
                    keypoint_scores=certain.tolist(),
                    track_id=row,
                )
                for row, (own, certain) in enumerate(zip(*people, strict=True))
            ],
        )
        for frame, people in enumerate(zip(points, scores, strict=True))
    ]
    path = tmp_path_factory.mktemp('two') / 'two.json'
    meta = dict(width=clip.width, height=clip.height, fps=clip.fps)
    path.write_text(json.dumps(dict(meta_info=meta, instance_info=frames)))
    return path


@pytest.mark.parametrize(
    ('people', 'options'),
    [
        (1, {}),
        (1, {'static_camera': True, 'without': 'feet'}),
        (2, {'static_camera': True}),
        (2, {'without': 'camera,sides'}),
        (2, {'static_camera': True, 'joints': 24, 'fov': 60}),
    ],
    ids=str,
)
def test_keypoints(tmp_path, skater, two_people, people, options):
    source = skater if people == 1 else two_people
    clip = mmhot.lift(source, **options)
    assert len(set(clip.track.tolist())) == people
    assert ('camera_3d' in clip.steps) == options.get('static_camera', False)

    run('lift', source, tmp_path, options)
    for suffix in ('npz', 'json'):
        assert_same(read_lifted(tmp_path / f'{source.stem}.{suffix}'), clip)

    clip.save(tmp_path / 'saved.npz')
    read_lifted(tmp_path / 'saved.npz').save(tmp_path / 'again.json')
    assert_same(read_lifted(tmp_path / 'again.json'), clip)


def test_video(tmp_path):
    """The 2D poses of all ways come from one cache."""
    video = DEMO / 'walk.mp4'
    for options in (
        {},
        {'without': 'feet', 'camera': 'static'},
        {'camera': 'moving', 'joints': 24},
    ):
        clip = mmhot.infer(video, cache=tmp_path, end=2, **options)
        assert ('feet' in clip.steps) == (not options)
        run('infer', video, tmp_path, {'end': 2, **options})
        written = read_lifted(tmp_path / 'walk.npz')
        assert_same(written, clip)
        written.save(tmp_path / 'again.npz')
        assert_same(read_lifted(tmp_path / 'again.npz'), clip)


@pytest.mark.slow(reason='starts a Ray cluster')
@pytest.mark.parametrize('options', [{}, {'joints': 24, 'without': 'feet'}], ids=str)
def test_ray(tmp_path, options):
    pytest.importorskip('ray')
    clip = mmhot.infer(DEMO / 'walk.mp4', device='cpu', **options)
    ray = {'runner': 'ray', 'num_workers': 1}
    run('infer', DEMO / 'walk.mp4', tmp_path, {**options, **ray, 'device': 'cpu'})
    assert_same(read_lifted(tmp_path / 'walk.npz'), clip)


@pytest.mark.slow(reason='lifts two videos twice')
def test_streams_are_near_the_same_steps_offline():
    """Each frame is there, with as many later frames as the lifter uses."""
    without = ['returning', 'sides', 'camera', 'errors', 'bones', 'feet']
    lifter, apart = Lifter(LIVE_LIFTER, accuracy='fast'), []
    chain = plan_of(VIDEO, lifter, without=without)
    models = chain.models
    for video in open_inputs([str(DEMO / 'walk.mp4'), str(DEMO / 'dance.mp4')]):
        clip = lift_video(chain, video)
        options = dict(lookahead=20, smooth_3d='none')
        live = live_chain(models, lifter, video.fps, **options)
        rows = {
            (poses.frame.index, person.track): person.keypoints_3d
            for poses in live(iter(video))
            for person in poses.people
        }
        pairs = list(zip(clip.frame.tolist(), clip.track.tolist(), strict=True))
        own = [row for row, pair in enumerate(pairs) if pair in rows]
        assert len(own) > 0.97 * len(clip)
        streamed = np.array([rows[pairs[row]] for row in own])
        apart += np.linalg.norm(clip.keypoints_3d[own] - streamed, axis=-1).tolist()
    assert np.mean(apart) < 0.01  # meters
