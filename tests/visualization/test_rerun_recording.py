"""Recordings for the Rerun viewer, read back by rerun-sdk."""

import sys

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from rendered_clips import rendered
from video_files import write_video

from mmhot.cli.dispatch import main
from mmhot.lifting.world import place_people, to_world
from mmhot.video.frames import VideoFile
from mmhot.visualization.rerun_recording import write_recording


@pytest.fixture(scope='module')
def clip():
    """Person 3 leaves after frame 39 and is back from 50 to 135; person 7 is alone."""
    clip = to_world(place_people(rendered('walk')))
    clip.track = np.where(np.arange(len(clip)) < 100, 3, 7)
    keep = np.r_[0:40, 50 : len(clip)]
    for name in ('frame', 'track', 'keypoints_3d', 'keypoint_scores_3d', 'root_3d'):
        setattr(clip, name, getattr(clip, name)[keep])
    for name in ('keypoints_2d', 'scores'):
        setattr(clip, name, getattr(clip, name)[keep])
    return clip


def column(recording, entity, component):
    """Frame numbers, and what was logged at each, flat."""
    view = recording.view(index='frame', contents=f'/{entity}')
    table = view.select().read_all()
    name = f'/{entity}:{component}'
    values = table.column(name).to_pylist()
    frames = table.column('frame').to_numpy()
    return {f: v for f, v in zip(frames, values, strict=True) if v is not None}


@pytest.mark.slow(reason='needs rerun-sdk')
def test_recording_holds_poses_keypoints_and_video(clip, tmp_path):
    dataframe = pytest.importorskip('rerun.dataframe')
    video = VideoFile(write_video(tmp_path / 'video.mp4'))
    write_recording(clip, tmp_path / 'a.rrd', footage=video)
    recording = dataframe.load_recording(tmp_path / 'a.rrd')

    for track, gone in ((3, {40, 100}), (7, {136})):
        rows = clip.track == track
        joints = column(recording, f'world/person{track}', 'Position3D')
        assert {frame for frame, points in joints.items() if not points} == gone
        there = [points for points in joints.values() if points]
        wanted = clip.keypoints_3d[rows] + clip.root_3d[rows, None]
        assert_allclose(there, wanted, atol=1e-6)
        assert sorted(set(joints) - gone) == clip.frame[rows].tolist()
        pixels = column(recording, f'image/person{track}', 'Position2D')
        pixels = [points for points in pixels.values() if points]
        assert_allclose(pixels, clip.keypoints_2d[rows], atol=1e-4)
    bones = np.array(column(recording, 'world/person3/bones', 'LineStrip3D')[0])
    pose = clip.keypoints_3d[0] + clip.root_3d[0]
    assert_allclose(bones[:, 0], pose[list(clip.parents[1:])], atol=1e-6)
    assert_allclose(bones[:, 1], pose[1:], atol=1e-6)

    images = column(recording, 'image', 'Blob')
    assert sorted(images) == list(range(10))
    shown = cv2.imdecode(np.array(images[3][0], np.uint8), cv2.IMREAD_COLOR)
    frame = next(frame for frame in video if frame.index == 3)
    assert np.abs(shown.astype(int) - frame.image).mean() < 4


@pytest.mark.slow(reason='needs rerun-sdk')
@pytest.mark.parametrize(('axes', 'code'), [('camera', 'RDF'), ('world', 'RFU')])
def test_recording_holds_axes_and_timestamps(tmp_path, axes, code):
    dataframe = pytest.importorskip('rerun.dataframe')
    import rerun

    clip = place_people(rendered('walk'))
    clip = to_world(clip) if axes == 'world' else clip
    write_recording(clip, tmp_path / 'a.rrd')
    recording = dataframe.load_recording(tmp_path / 'a.rrd')
    view = recording.view(index='seconds', contents='/world/**').select().read_all()
    coordinates = view.column('/world:ViewCoordinates').to_pylist()[0]
    expected = getattr(rerun.ViewCoordinates, code).coordinates
    assert_array_equal(np.ravel(coordinates), expected)
    seconds = view.column('seconds').to_numpy().astype('timedelta64[ns]')
    assert_allclose(seconds[:136] / np.timedelta64(1, 's'), np.arange(136) / 25)


def test_missing_package_is_one_line_before_any_work(tmp_path, monkeypatch, capfd):
    monkeypatch.setitem(sys.modules, 'rerun', None)
    out = tmp_path / 'out'
    argv = ['lift', 'none.npz', '--out-dir', str(out), '--formats', 'npz,rrd']
    assert main(argv) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith('mmhot lift: error: the format rrd needs rerun (')
    assert line.endswith("pip install 'mmhot[rerun]'")
    assert not out.exists()
