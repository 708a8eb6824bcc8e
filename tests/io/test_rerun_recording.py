"""Recordings for the Rerun viewer, read back by rerun-sdk."""

from dataclasses import replace

import numpy as np
import pytest
from rendered_clips import rendered
from video_files import write_video

from mmhot.chain.frames.files import VideoFile
from mmhot.chain.lifting.world import place_people, to_world
from mmhot.io.writers.export import Export
from mmhot.io.writers.rerun import write_recording
from mmhot.skeletons.side_colors import SIDE_COLORS


@pytest.fixture(scope='module')
def clip():
    """Person 3 leaves after frame 39 and is back from 50 to 135; person 7 is alone."""
    clip = to_world(place_people(rendered('walk')))
    clip.track = np.where(np.arange(len(clip)) < 100, 3, 7)
    return clip.take(np.r_[0:40, 50 : len(clip)])


def column(path, entity, component, index='frame'):
    """Values of a component by frame number, flat; by None if they never change."""
    chunks = pytest.importorskip('rerun.chunk').RrdReader(path).stream()
    result = {}
    for chunk in chunks:
        batch = chunk.to_record_batch()
        if chunk.entity_path == f'/{entity}' and component in batch.schema.names:
            keys = (
                batch.column(index).to_numpy()
                if index in batch.schema.names
                else [None]
            )
            result |= dict(zip(keys, batch.column(component).to_pylist(), strict=True))
    return {key: value for key, value in result.items() if value is not None}


@pytest.mark.slow(reason='needs rerun-sdk')
def test_recording_holds_poses_keypoints_and_video(clip, tmp_path):
    pytest.importorskip('rerun.chunk')
    video = VideoFile(write_video(tmp_path / 'video.mp4'))
    write_recording(clip, tmp_path / 'a.rrd', Export(footage=video))
    recording = tmp_path / 'a.rrd'

    for track, gone in ((3, {40, 100}), (7, {136})):
        rows = clip.track == track
        joints = column(recording, f'world/person{track}', 'Points3D:positions')
        assert {frame for frame, points in joints.items() if not points} == gone
        there = [points for points in joints.values() if points]
        expected = clip.keypoints_3d[rows] + clip.root_3d[rows, None]
        np.testing.assert_allclose(there, expected, atol=1e-6)
        assert sorted(set(joints) - gone) == clip.frame[rows].tolist()
        pixels = column(recording, f'image/person{track}', 'Points2D:positions')
        pixels = [points for points in pixels.values() if points]
        np.testing.assert_allclose(pixels, clip.keypoints_2d[rows], atol=1e-4)
    bones = np.array(column(recording, 'world/person3/bones', 'LineStrips3D:strips')[0])
    pose = clip.keypoints_3d[0] + clip.root_3d[0]
    np.testing.assert_allclose(bones[:, 0], pose[list(clip.parents[1:])], atol=1e-6)
    np.testing.assert_allclose(bones[:, 1], pose[1:], atol=1e-6)

    shown = column(recording, 'image', 'VideoFrameReference:timestamp')
    assert sorted(shown) == list(range(10))
    file = column(recording, 'image', 'AssetVideo:blob')[None]
    (tmp_path / 'asset.mp4').write_bytes(bytes(file[0]))
    for frame, stored in zip(video, VideoFile(tmp_path / 'asset.mp4'), strict=True):
        assert shown[frame.index] == [round(stored.time * 1e9)]
        assert np.abs(stored.image.astype(int) - frame.image).mean() < 4


@pytest.mark.slow(reason='needs rerun-sdk')
@pytest.mark.parametrize(('axes', 'code'), [('camera', 'RDF'), ('world', 'RFU')])
def test_recording_holds_axes_and_timestamps(tmp_path, axes, code):
    rerun = pytest.importorskip('rerun')
    clip = place_people(rendered('walk'))
    clip = to_world(clip) if axes == 'world' else clip
    path = tmp_path / 'a.rrd'
    write_recording(clip, path)
    coordinates = column(path, 'world', 'ViewCoordinates:xyz')[None]
    expected = [item.value for item in getattr(rerun.ViewCoordinates, code).coordinates]
    np.testing.assert_array_equal(np.ravel(coordinates), expected)
    joints = column(path, 'world/person0', 'Points3D:positions', 'seconds')
    seconds = np.array(sorted(joints), 'timedelta64[ns]')
    np.testing.assert_allclose(
        seconds[:136] / np.timedelta64(1, 's'), np.arange(136) / 25
    )
    (colors,) = column(path, 'world/person0', 'Points3D:colors').values()
    left = int(SIDE_COLORS['left'][1:] + 'ff', 16)
    assert colors[clip.joint_names.index('left_hip')] == left


@pytest.mark.slow(reason='needs rerun-sdk')
def test_recording_holds_expected_errors(clip, tmp_path):
    pytest.importorskip('rerun.chunk')
    errors = np.linspace(0.01, 0.2, clip.scores.size, dtype=np.float32)
    errors = errors.reshape(clip.scores.shape)
    errors[2, 5] = np.nan
    path = tmp_path / 'a.rrd'
    write_recording(replace(clip, expected_error=errors), path)
    for track in (3, 7):
        rows = clip.track == track
        curves = column(path, f'expected_error/person{track}', 'Scalars:scalars')
        curves = {frame: values for frame, values in curves.items() if values}
        assert sorted(curves) == clip.frame[rows].tolist()
        np.testing.assert_array_equal(np.float32(list(curves.values())), errors[rows])
    names = column(path, 'expected_error/person3', 'SeriesLines:names')[None]
    assert names == list(clip.joint_names)

    write_recording(clip, path)
    assert not column(path, 'expected_error/person3', 'Scalars:scalars')
