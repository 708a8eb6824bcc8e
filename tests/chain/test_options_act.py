"""Every option of every driver acts, or is refused by name."""

from dataclasses import fields
from functools import cache

import numpy as np
import pytest
from clip_files import cut_skater
from given_poses import FPS, given_clip, sam_results
from lifters import save_lifter
from pose_sources import Detector, Estimator, use_stand_ins
from video_files import write_video

import mmhot
from mmhot.apis.stream import lift_stream
from mmhot.chain.options import (
    ExportOptions,
    InferOptions,
    InferRunOptions,
    LiftOptions,
    LiveOptions,
    RefineOptions,
    SaveOptions,
)
from mmhot.pose2d.options import Pose2DOptions
from mmhot.structures.formats import WRITERS
from mmhot.structures.lens import Lens

# Poses are the same, as these choose where and how they are computed.
NEUTRAL = {'device', 'backend', 'batch_size', 'out_dir', 'no_cache', 'resume'}
# Formats that take seconds, need an extra, or a walk of several steps.
SLOW_OR_EXTRA = {'mp4', 'png', 'rrd', 'c3d', 'gait.csv'}
ANOTHER = 'nanohtnet_81frm-keep9_cmu-wild'
# Another value than the default of each option.
VALUES = dict(
    without='sides',
    joints=24,
    kpt_thr=0.9,
    smooth_3d='savgol',
    camera='static',
    static_camera=True,
    fov=70,
    intrinsics=Lens((900, 900), (400, 300), size=(1280, 720)),
    keep=9,
    skeleton='h36m-17',
    image_size=(1280, 1000),
    fps=12.5,
    single='largest',
    people=1,
    start=0.12,
    end=0.2,
    model='nanohtnet',
    checkpoint=ANOTHER,
    flip_test=False,
    batch_size=3,
    device='cpu',
    backend='onnx',
    pose2d='gtpt-t',
    pose2d_weights='a.pth',
    pose2d_skeleton='coco-17',
    det_model='whole_image',
    det_weights='a.pth',
    det_every=2,
    speed='fastest',
    pose3d='nanohtnet',
    pose3d_weights=ANOTHER,
    formats='bvh',
    axes='z-up',
    height=1.9,
    bvh_profile='mixamo',
    html_frames=True,
    draw='angles',
    no_video=True,
    blur_heads=True,
    out_dir='elsewhere',
    no_cache=True,
    resume=True,
    given_axes='world',
    origin='camera',
    out_fps=30,
)


def names_of(*classes):
    return [each.name for kind in classes for each in fields(kind)]


def differ(clip, other):
    """Return whether poses, their positions or their frames are others."""
    if (clip.steps, clip.joint_names) != (other.steps, other.joint_names):
        return True
    if len(clip) != len(other):
        return True
    return any(
        not np.allclose(getattr(clip, name), getattr(other, name), atol=1e-5)
        for name in ('keypoints_3d', 'root_3d', 'keypoints_2d')
        if getattr(clip, name).shape == getattr(other, name).shape
    ) or (clip.fps, clip.model) != (other.fps, other.model)


def test_there_is_a_value_for_every_option():
    names = {*names_of(LiftOptions, InferRunOptions, RefineOptions, SaveOptions)}
    assert names == {*VALUES}


@pytest.fixture(scope='module')
def skater(tmp_path_factory):
    return cut_skater(tmp_path_factory.mktemp('skater') / 'skater.npz', 20)


@pytest.fixture(scope='module')
def lifted(skater):
    return mmhot.lift(skater)


@pytest.mark.parametrize('name', names_of(LiftOptions))
def test_lift(name, skater, lifted):
    source = skater
    if name == 'people':
        with pytest.raises(ValueError, match='people must be among the track IDs 0 of'):
            mmhot.lift(skater, people=1)
        return
    if name == 'single':  # takes one of two people
        first = mmhot.read_keypoints(skater).tracks[0].keypoints
        people = np.stack([first, first / 2], 1)
        source = mmhot.Clip2D.from_arrays(people, (1280, 720), 25)
        with pytest.raises(ValueError, match='single is for files'):
            mmhot.lift(source, single='largest')
        return
    clip = mmhot.lift(source, **{name: VALUES[name]})
    assert differ(clip, lifted) == (name not in NEUTRAL)


# What shows that an option acts, where it is not in all poses.
REFINED = dict(
    without='feet',
    joints=17,
    skeleton='mhr-70',
    people='longest',
    intrinsics=Lens((900, 900), (400, 300), size=(1280, 720)),
)


@cache
def refined(**base):
    return mmhot.refine(results_of_two(), **base)


def results_of_two():
    results = sam_results(30, people=2)
    for number, people in enumerate(results):
        for person in people:
            person['scores'] = np.full(70, 0.5 if number % 3 == 1 else 1)
    return results


@pytest.mark.parametrize('name', names_of(RefineOptions))
def test_refine(name):
    results = results_of_two()
    base = dict(fps=FPS, static_camera=name != 'static_camera')
    if name in ('fov', 'intrinsics'):  # of poses without positions
        roots = [[{**x, 'pred_cam_t': None} for x in people] for people in results]
        results, base['image_size'] = roots, (1280, 720)
    if name == 'given_axes':
        del base['static_camera']
    is_own = 'image_size' in base
    plain = mmhot.refine(results, **base) if is_own else refined(**base)
    changed = base | {name: (VALUES | REFINED)[name]}
    clip = mmhot.refine(results, **changed)
    if name == 'image_size':
        assert (clip.width, clip.height) == VALUES[name]
    else:
        assert differ(clip, plain) == (name != 'skeleton')


@pytest.mark.parametrize('name', names_of(RefineOptions))
def test_refine_of_finished_clips(name, lifted):
    """Steps act; what is stated, or is for other tools' poses, is refused."""
    if name in ('without', 'smooth_3d', 'static_camera', 'start', 'end'):
        base = dict(smooth_3d='none') if name == 'without' else {}
        value = 'feet' if name == 'without' else VALUES[name]
        mmhot.refine(lifted, **base, **{name: value})
        return
    with pytest.raises(ValueError, match=f'^{name} is '):
        mmhot.refine(lifted, **{name: (VALUES | REFINED)[name]})
    if name not in ('joints', 'kpt_thr', 'people', 'single', 'fov', 'intrinsics'):
        with pytest.raises(ValueError, match=f'^{name} is stated by a Clip3D'):
            mmhot.refine(given_clip(), **{name: (VALUES | REFINED)[name]})


OF_VIDEOS = {*names_of(Pose2DOptions)} - {'device', 'backend', 'speed'}


@pytest.mark.parametrize('name', names_of(InferOptions))
def test_infer_of_keypoints(name, skater, lifted):
    options = {name: VALUES[name]}
    if name in OF_VIDEOS:
        with pytest.raises(ValueError, match=f'^{name} is for videos and images'):
            mmhot.infer(skater, **options)
    elif name == 'people':
        with pytest.raises(ValueError, match='people must be among the track IDs 0 of'):
            mmhot.infer(skater, people=1)
    elif name != 'single':
        clip = mmhot.infer(skater, **options)
        assert differ(clip, lifted) == (name not in NEUTRAL)


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp('video') / 'clip.mkv'
    return write_video(path, codec='ffv1', pix_fmt='bgr0')


@pytest.fixture
def opened(monkeypatch):
    return use_stand_ins(monkeypatch, Detector(every=1), Estimator())


@pytest.fixture(scope='module')
def inferred(video):
    with pytest.MonkeyPatch.context() as patch:
        opened = use_stand_ins(patch, Detector(every=1), Estimator())
        return mmhot.infer(video), *opened


@pytest.mark.parametrize('name', names_of(InferOptions))
def test_infer_of_videos(name, video, opened, inferred, tmp_path):
    options = {name: VALUES[name]}
    if name == 'intrinsics':
        options = {name: Lens((70, 70), (32, 24), size=(64, 48))}
    if name == 'kpt_thr':
        with pytest.raises(ValueError, match='no person was found'):
            mmhot.infer(video, **options)
        return
    if name in ('skeleton', 'image_size', 'single'):
        with pytest.raises(ValueError, match=f'^{name} is for files of 2D keypoints'):
            mmhot.infer(video, **options)
        return
    if name == 'people':
        with pytest.raises(ValueError, match='people must be among the track IDs 0 of'):
            mmhot.infer(video, people=1)
        return
    plain, first = inferred
    if name == 'keep':
        base = {'pose3d_weights': save_lifter(tmp_path / 'a.pth', num_frames=27)}
        plain, options = mmhot.infer(video, **base), {**base, 'speed': 'fast'}
    clip = mmhot.infer(video, **options)
    if name == 'det_every':
        assert len(opened) == 1
    elif name in OF_VIDEOS - {'batch_size'}:
        assert opened[-1] != first
    else:
        assert differ(clip, plain) == (name not in NEUTRAL)


@pytest.mark.parametrize('name', names_of(InferRunOptions))
def test_live(name, tmp_path):
    """Options that need a whole clip are refused before anything is opened."""
    acting = {*OF_VIDEOS, *('device', 'backend', 'speed', 'keep', 'fov', 'intrinsics')}
    acting |= {'fps', 'out_dir', 'pose3d', 'pose3d_weights', 'kpt_thr', 'smooth_3d'}
    acting -= {'batch_size'}
    missing = tmp_path / 'missing.mp4'
    message = 'missing.mp4' if name in {*acting, 'axes'} else f'^{name}'

    def run():
        options = InferRunOptions(**{name: VALUES[name]})
        lift_stream(str(missing), options, LiveOptions())

    with pytest.raises((ValueError, OSError), match=message):
        run()


def test_live_steps(tmp_path):
    for name in ('smoothing', 'confidence'):
        options = InferRunOptions(without=name)
        with pytest.raises((ValueError, OSError), match=r'missing.mp4'):
            lift_stream(str(tmp_path / 'missing.mp4'), options, LiveOptions())
    options = InferRunOptions(without='returning')
    with pytest.raises(ValueError, match="^without='returning': live streams do not"):
        lift_stream('0', options, LiveOptions())


@pytest.mark.parametrize('format_', [x for x in WRITERS if x not in SLOW_OR_EXTRA])
def test_each_format_obeys_or_refuses(format_, lifted, tmp_path):
    """Options of files alone change each format, or are refused."""
    lifted.save(tmp_path / f'plain.{format_}')
    plain = (tmp_path / f'plain.{format_}').read_bytes()
    changes = dict(axes='z-up', height=1.5, bvh_profile='mixamo', origin='camera')
    for name, value in (changes | {'draw': 'angles'}).items():
        path, refused = tmp_path / f'plain.{name}.{format_}', ''
        try:
            lifted.save(path, **{name: value})
        except ValueError as error:
            refused = str(error)
        assert refused.startswith(name) if refused else path.read_bytes() != plain, name


@pytest.mark.parametrize('name', names_of(SaveOptions))
def test_save(name, lifted, tmp_path):
    if name == 'formats':
        return  # the suffix
    of = dict.fromkeys(('bvh_profile', 'origin', 'out_fps'), 'bvh') | {'draw': 'mp4'}
    format_ = of.get(name, 'npz')
    if name in ('no_video', 'blur_heads'):
        with pytest.raises(ValueError, match=f'^{name} needs one of the formats html'):
            lifted.save(tmp_path / 'a.npz', **{name: True})
        with pytest.raises(ValueError, match=f'^{name} needs a video, and there is'):
            lifted.save(tmp_path / 'a.html', **{name: True})
        return
    plain, changed = (tmp_path / f'{x}.{format_}' for x in ('plain', 'changed'))
    lifted.save(plain)
    if name in ('html_frames', 'without'):
        with pytest.raises(ValueError, match=f'^{name}'):
            lifted.save(changed, **{name: VALUES[name]})
        return
    lifted.save(changed, **{name: VALUES[name]})
    assert plain.read_bytes() != changed.read_bytes()


@pytest.mark.parametrize(
    'options',
    [
        {'joints': 24, 'without': 'joints'},
        {'smooth_3d': 'savgol', 'without': 'smoothing'},
        {'kpt_thr': 0.5, 'without': 'confidence'},
        {'static_camera': True, 'without': 'camera'},
    ],
    ids=str,
)
def test_steps_that_options_need_cannot_be_left_out(options, skater):
    name = next(iter(options))
    with pytest.raises(ValueError, match=f'^{name} needs the step'):
        mmhot.lift(skater, **options)


def test_options_of_formats_need_them(lifted):
    with pytest.raises(ValueError, match='^walk: end the name with a format'):
        lifted.save('walk')
    with pytest.raises(ValueError, match='bvh_profile needs the format bvh'):
        ExportOptions(formats='npz', bvh_profile='mixamo')
    with pytest.raises(ValueError, match='html_frames needs the format html'):
        ExportOptions(formats='npz', html_frames=True)
    with pytest.raises(ValueError, match='axes must be world for bvh, glb'):
        ExportOptions(formats='bvh,glb', axes='z-up')
