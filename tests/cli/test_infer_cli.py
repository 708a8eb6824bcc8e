"""``mmhot infer``: videos in, 3D out; a failed input does not stop the others."""

import json

import numpy as np
from PIL import Image
from video_files import gray_image

from mmhot.io.lifted import read_lifted


def test_every_frame_of_a_video_is_lifted(infer_it, out, video, capfd):
    assert infer_it(video, formats='npz,json,html,bvh,mp4', pose2d='some.onnx') == 0
    clip = read_lifted(out / 'clip.npz')
    np.testing.assert_array_equal(clip.frame, np.arange(10))
    assert (clip.width, clip.height, clip.fps) == (64, 48, 25)
    assert np.isfinite(clip.keypoints_3d).all()
    assert np.isfinite(clip.root_3d).all()
    files = {path.name for path in out.iterdir() if path.is_file()}
    assert files == {f'clip.{form}' for form in ('npz', 'json', 'html', 'bvh', 'mp4')}
    output = capfd.readouterr().out
    assert 'boxes: stand-in detector, 2D keypoints: stand-in estimator' in output
    assert 'slowest: ' in output


def test_another_lifter_starts_from_cached_keypoints(infer_it, detector, out, video):
    assert infer_it(video) == 0
    seen = len(detector.calls)
    first = read_lifted(out / 'clip.npz')
    assert infer_it(video, smooth_3d='savgol') == 0
    assert len(detector.calls) == seen
    assert not np.array_equal(read_lifted(out / 'clip.npz').keypoints_3d, first)
    assert infer_it(video, no_cache=True, out_dir=out / 'new', formats=None) == 0
    assert len(detector.calls) == 2 * seen
    assert {x.name for x in (out / 'new').iterdir()} == {'clip.html', 'clip.npz'}


def test_video_without_people_is_no_error(infer_it, detector, out, video, capfd):
    detector.every = 0
    assert infer_it(video) == 0
    assert (
        'clip: no person was found in 10 frames: --det-model whole_image is for people '
        'who fill the image; --det-model rtmdet-nano, 4 MB, or --pose2d movenet, 17 MB '
        'with this detector, once downloaded, find more\n'
    ) in capfd.readouterr().out
    assert not (out / 'clip.npz').exists()
    assert infer_it(video, resume=True) == 0
    assert 'clip: was finished before' in capfd.readouterr().out


def test_keypoints_of_low_confidence_count_as_missing(infer_it, out, video, capfd):
    assert infer_it(video, kpt_thr=0.9, formats='json') == 0  # all of them
    output = capfd.readouterr()
    assert 'clip: no person was found in 10 frames' in output.out
    assert 'clip.mkv: no score exceeds --kpt-thr' in output.err
    assert not (out / 'clip.json').exists()
    assert infer_it(video, kpt_thr=0.5, formats='json') == 0
    document = json.loads((out / 'clip.json').read_text())
    scores = document['instance_info'][0]['instances'][0]['scores']
    assert min(scores[1:7]) > 0.5


def test_warnings_are_printed_as_they_are(infer_it, tmp_path, capfd):
    for number in range(3):
        path = tmp_path / 'images' / f'{number:03}.png'
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(gray_image(number)).save(path)
    assert infer_it(path.parent) == 0
    line = capfd.readouterr().err.splitlines()[0]
    assert line.startswith(f'mmhot infer: {path.parent}: its numbered images are')
    assert 'another rate as fps, or use' in line
