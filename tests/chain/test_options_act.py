"""Every option of every driver acts on the result."""

from functools import cache

import numpy as np
import pytest
from given_poses import FPS, given_clip, sam_results
from lifters import save_lifter
from pose_sources import Detector, Estimator, use_stand_ins
from video_files import write_video

import mmhot
from mmhot.chain.calls import INFER, LIFT, REFINE, SAVE, STREAM
from mmhot.chain.formats import FORMATS
from mmhot.chain.options import ExportOptions, PoseFileOptions, StreamOutputOptions
from mmhot.chain.pose2d.options import Pose2DOptions
from mmhot.chain.poses.given_poses import FillGiven, FollowGiven, PlaceGiven
from mmhot.options import Values, options_of
from mmhot.structures.lens import Lens

# Poses are the same, as these choose where they are computed.
NEUTRAL = {'device', 'backend'}
# Formats that take seconds, need an extra, or a walk of several steps.
SLOW_OR_EXTRA = {'mp4', 'rrd', 'c3d', 'gait.csv', 'cycles.csv'}
ANOTHER = 'nanohtnet_81frm-keep9_cmu-wild'
# Another value than the default of each option.
VALUES = dict(
    without='errors',
    joints=24,
    kpt_thr=0.9,
    smooth_3d='butterworth',
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
    device='cpu',
    backend='onnx',
    pose2d='gtpt-t',
    pose2d_weights='a.pth',
    pose2d_skeleton='coco-17',
    det_model='whole_image',
    det_weights='a.pth',
    det_every=2,
    rotate=180,
    crop=(8, 0, 40, 48),
    speed='fastest',
    pose3d='nanohtnet',
    pose3d_weights=ANOTHER,
    axes='z-up',
    height=1.9,
    bvh_profile='mixamo',
    no_video=True,
    blur_heads=True,
    given_axes='world',
    origin='camera',
    out_fps=30,
    treadmill=1.0,
    corrections=[{'person': 0, 'exchange_sides': 'all'}],
)
NO_SUCH_PERSON = 'people must be among the track IDs 0 of'


def differ(clip, other):
    """Return whether poses, their positions or their frames are others."""
    if (clip.steps.keys(), clip.joint_names) != (other.steps.keys(), other.joint_names):
        return True
    if len(clip) != len(other):
        return True
    return any(
        not np.allclose(getattr(clip, name), getattr(other, name), atol=1e-5)
        for name in ('keypoints_3d', 'root_3d', 'keypoints_2d')
        if getattr(clip, name).shape == getattr(other, name).shape
    ) or (clip.fps, clip.model) != (other.fps, other.model)


@pytest.fixture(scope='module')
def lifted(skater):
    return mmhot.lift(skater)


@pytest.mark.parametrize('name', options_of(*LIFT.kinds))
def test_lift(name, skater, lifted):
    if name == 'people':
        with pytest.raises(ValueError, match=NO_SUCH_PERSON):
            mmhot.lift(skater, people=1)
        return
    if name == 'single':  # takes one of two people
        first = mmhot.read_keypoints(skater).tracks[0].keypoints
        people = np.stack([first, first / 2], 1)
        source = mmhot.Clip2D.from_arrays(people, (1280, 720), 25)
        with pytest.raises(ValueError, match='single is for files'):
            mmhot.lift(source, single='largest')
        return
    base = dict(static_camera=True) if name == 'treadmill' else {}
    plain = mmhot.lift(skater, **base) if base else lifted
    clip = mmhot.lift(skater, **base, **{name: VALUES[name]})
    assert differ(clip, plain) == (name not in NEUTRAL)


# Values that act on poses of two people.
REFINED = dict(
    without='smoothing',
    joints=17,
    skeleton='mhr-70',
    people='largest',
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


@pytest.mark.parametrize('name', options_of(*REFINE.kinds))
def test_refine(name):
    results = results_of_two()
    base = dict(fps=FPS, static_camera=name != 'static_camera')
    if name in ('fov', 'intrinsics'):  # they act on poses without positions
        roots = [[{**x, 'pred_cam_t': None} for x in people] for people in results]
        results, base['image_size'] = roots, (1280, 720)
    if name == 'given_axes':
        del base['static_camera']
    plain = mmhot.refine(results, **base) if 'image_size' in base else refined(**base)
    clip = mmhot.refine(results, **base | {name: (VALUES | REFINED)[name]})
    if name == 'image_size':
        assert (clip.width, clip.height) == VALUES[name]
    else:
        assert differ(clip, plain) == (name != 'skeleton')


@pytest.mark.parametrize('name', options_of(*REFINE.kinds))
def test_refine_of_finished_clips(name, lifted):
    """Steps act; what is stated, or is for other tools' poses, is refused."""
    value = (VALUES | REFINED)[name]
    if name in options_of(FollowGiven, FillGiven, PlaceGiven, PoseFileOptions):
        with pytest.raises(ValueError, match=f'^{name} is '):
            mmhot.refine(lifted, **{name: value})
        if name in options_of(PoseFileOptions):
            with pytest.raises(ValueError, match=f'^{name} is stated by a Clip3D'):
                mmhot.refine(given_clip(), **{name: value})
        return
    base = dict(static_camera=True) if name == 'treadmill' else {}
    plain = mmhot.refine(lifted, **base)
    assert differ(mmhot.refine(lifted, **base, **{name: value}), plain)


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp('video') / 'clip.mkv'
    return write_video(path, codec='ffv1')


@pytest.fixture(scope='module')
def inferred(video):
    with pytest.MonkeyPatch.context() as patch:
        opened = use_stand_ins(patch, Detector(every=1), Estimator())
        return mmhot.infer(video), *opened


@pytest.mark.parametrize('name', options_of(*INFER.kinds))
def test_infer(name, video, opened, inferred, tmp_path):
    options = {name: VALUES[name]}
    plain, first = inferred
    if name == 'intrinsics':
        options = {name: Lens((70, 70), (32, 24), size=(64, 48))}
    if name in ('kpt_thr', 'people'):
        reason = NO_SUCH_PERSON if name == 'people' else 'no person was found'
        with pytest.raises(ValueError, match=reason):
            mmhot.infer(video, **options)
        return
    if name == 'keep':
        base = {'pose3d_weights': save_lifter(tmp_path / 'a.pth', num_frames=27)}
        plain, options = mmhot.infer(video, **base), {**base, 'speed': 'fast'}
    if name == 'treadmill':
        plain = mmhot.infer(video, camera='static')
        options['camera'] = 'static'
    clip = mmhot.infer(video, **options)
    if name == 'det_every':
        assert len(opened) == 1
    elif name in options_of(Pose2DOptions).keys() - NEUTRAL - {'speed'}:
        assert opened[-1] != first
    else:
        assert differ(clip, plain) == (name not in NEUTRAL)


def test_options_of_whole_clips_are_not_those_of_streams():
    own = options_of(*STREAM.kinds, StreamOutputOptions)
    assert not own.keys() & {'joints', 'people', 'start', 'camera', 'keep', 'formats'}
    for name in ('joints', 'people', 'camera', 'without'):
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'"):
            mmhot.stream(0, **{name: VALUES[name]})


@pytest.mark.parametrize('format_', [x for x in FORMATS if x not in SLOW_OR_EXTRA])
def test_each_format_obeys_or_refuses(format_, lifted, tmp_path):
    """Options of files alone change each format, or are refused."""
    lifted.save(tmp_path / f'plain.{format_}')
    plain = (tmp_path / f'plain.{format_}').read_bytes()
    changes = dict(axes='z-up', height=1.5, bvh_profile='mixamo', origin='camera')
    for name, value in changes.items():
        path, refused = tmp_path / f'plain.{name}.{format_}', ''
        try:
            lifted.save(path, **{name: value})
        except ValueError as error:
            refused = str(error)
        assert refused.startswith(name) if refused else path.read_bytes() != plain, name


@pytest.mark.parametrize('name', sorted({*options_of(*SAVE.kinds)} - {'formats'}))
def test_save(name, lifted, tmp_path):
    format_ = 'bvh' if name in ('bvh_profile', 'origin', 'out_fps') else 'npz'
    if name in ('no_video', 'blur_heads'):
        with pytest.raises(ValueError, match=f'^{name} needs one of the formats html'):
            lifted.save(tmp_path / 'a.npz', **{name: True})
        with pytest.raises(ValueError, match=f'^{name} needs a video, and there is'):
            lifted.save(tmp_path / 'a.html', **{name: True})
        return
    plain, changed = (tmp_path / f'{x}.{format_}' for x in ('plain', 'changed'))
    lifted.save(plain)
    lifted.save(changed, **{name: VALUES[name]})
    assert plain.read_bytes() != changed.read_bytes()


@pytest.mark.parametrize(
    'options',
    [
        {'joints': 24, 'without': 'joints'},
        {'smooth_3d': 'butterworth', 'without': 'smoothing'},
        {'kpt_thr': 0.5, 'without': 'confidence'},
        {'static_camera': True, 'without': 'camera'},
    ],
    ids=str,
)
def test_steps_that_options_need_cannot_be_left_out(options, skater):
    name = next(iter(options))
    with pytest.raises(ValueError, match=f'^{name} needs the step'):
        mmhot.lift(skater, **options)


def test_options_of_formats_need_them(lifted, tmp_path):
    with pytest.raises(ValueError, match='^walk: end the name with a format'):
        lifted.save('walk')
    with pytest.raises(ValueError, match='bvh_profile needs the format bvh'):
        Values({'formats': 'npz', 'bvh_profile': 'mixamo'}, SAVE.kinds)
    with pytest.raises(ValueError, match='blur_heads needs one of the formats html'):
        Values({'formats': 'npz', 'blur_heads': True}, SAVE.kinds)
    for axes in ('camera', 'z-up'):
        with pytest.raises(ValueError, match='axes must be world for bvh, glb'):
            ExportOptions.read({'formats': 'bvh,glb', 'axes': axes})
