"""``mmhot infer``: videos in, 3D out; a failed or finished input stops no other."""

import json
from functools import partial

import cv2
import numpy as np
import pytest
from lifters import save_lifter
from PIL import Image
from video_files import gray_image, write_video

import mmhot
from mmhot.chain import worker as clip_worker
from mmhot.chain.formats import FORMATS
from mmhot.chain.outcome import Outcome
from mmhot.chain.run import StageTimes
from mmhot.cli.report import stage_table
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
    assert 'clip: 64 x 48 pixels, 25 frames/s' in output
    assert f'{out / "clip.mp4"}; open clip.html in a browser\n' in output
    assert len(output.splitlines()) <= 8


def test_another_lifter_starts_from_cached_keypoints(infer_it, detector, out, video):
    assert infer_it(video) == 0
    seen = len(detector.calls)
    first = read_lifted(out / 'clip.npz')
    assert infer_it(video, smooth_3d='butterworth') == 0
    assert len(detector.calls) == seen
    assert not np.array_equal(read_lifted(out / 'clip.npz').keypoints_3d, first)
    assert infer_it(video, no_cache=True, out_dir=out / 'new', formats=None) == 0
    assert len(detector.calls) == 2 * seen
    assert {x.name for x in (out / 'new').iterdir()} == {'clip.html', 'clip.npz'}


def test_corrections_start_from_cached_keypoints(
    infer_it, detector, out, video, tmp_path, capfd
):
    assert infer_it(video) == 0
    seen = len(detector.calls)
    file = tmp_path / 'clip.corrections.json'
    for first, texts in ((4, 1), (6, 1), (6, 2)):
        file.write_text(f'[{{"person": 0, "leave_out": true, "to": {first - 1}}}]')
        for _ in range(texts):  # the same content is finished, another one is not
            assert infer_it(video, corrections=file, resume=True) == 0
        finished = 'was finished before' in capfd.readouterr().out
        assert finished == (texts == 2)
        clip = read_lifted(out / 'clip.npz')
        assert clip.frame.tolist() == [*range(first, 10)]
    file.write_text('[\n{"person": 1, "leave_out": true}]')
    assert infer_it(video, corrections=file) == 1
    error = 'clip.corrections.json: line 2: there is no person 1'
    assert error in capfd.readouterr().err
    assert len(detector.calls) == seen
    assert clip.steps['corrections'] == {
        'corrections': [{'person': 0, 'leave_out': True, 'to': 5}]
    }


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
    assert '; --fps states another rate' in line


@pytest.fixture
def videos(tmp_path):
    folder = tmp_path / 'videos'
    folder.mkdir()
    return [write_video(folder / f'{name}.mkv', codec='ffv1') for name in 'ab']


def test_inputs_that_are_refused_fail_alone(infer_it, out, videos, tmp_path, capfd):
    twice = tmp_path / 'twice'
    twice.mkdir()
    for name in ('f_00.jpg', 'f_00.png', 'f_01.jpg'):
        cv2.imwrite(str(twice / name), gray_image())
    (tmp_path / 'text.mp4').write_text('no video')
    (tmp_path / 'empty.mp4').touch()
    lines = [f'/data/videos/walk_{number}.mp4\n' for number in range(300)]
    (tmp_path / 'list.txt').write_text(''.join(lines))  # FFmpeg can draw text
    refused = {
        twice: 'images twice',
        tmp_path / 'text.mp4': 'is not a readable video',
        tmp_path / 'empty.mp4': 'is not a readable video',
        tmp_path / 'list.txt': 'is not a readable video',
        tmp_path / 'missing.mp4': 'does not exist',
        tmp_path / '*.none': 'no file matches',
        '3': 'is a webcam',
    }
    assert infer_it(*refused, videos[0], formats='npz') == 1
    errors = capfd.readouterr().err.splitlines()
    assert all(x in line for x, line in zip(refused.values(), errors, strict=True))
    assert [path.name for path in out.glob('*.npz')] == ['a.npz']


def fail_halfway(clip, path, export):
    path.write_text('half')
    raise ValueError('no more')


def test_formats_fail_alone(infer_it, out, videos, capfd):
    mmhot.register_writer('half', fail_halfway)
    try:
        assert infer_it(*videos, formats='gait.csv,half,npz,html') == 1
    finally:
        del FORMATS['half']
    names = {path.name for path in out.glob('[!.]*')}
    assert names == {f'{x}.{form}' for x in 'ab' for form in ('npz', 'html')}
    output, errors = capfd.readouterr()
    assert f'{out}/a.npz, {out}/a.html; open a.html in a browser' in output
    assert 'a: no .gait.csv: no person walks' in output
    assert len(errors.splitlines()) == 2


def test_files_of_an_earlier_run_do_not_stay(infer_it, out, videos, capfd):
    out.mkdir()
    for name in ('a.gait.csv', 'a_person4.bvh', 'a_person4.trc', 'a_person.bvh'):
        (out / name).touch()
    assert infer_it(videos[0], formats='gait.csv,bvh') == 0
    names = {path.name for path in out.glob('a*') if path.suffix}
    assert names == {'a.bvh', 'a_person4.trc', 'a_person.bvh'}
    text = 'a: a.gait.csv, a_person4.bvh of an earlier run removed'
    assert text in capfd.readouterr().out


def test_results_beside_their_inputs_are_no_inputs(infer_it, videos, capfd):
    folder = videos[0].parent
    for _ in range(2):
        assert infer_it(folder, formats='npz,mp4', out_dir=folder) == 0
        assert capfd.readouterr().err == ''
    names = {path.name for path in folder.glob('[!.]*')}
    assert names == {f'{x}.{form}' for x in 'ab' for form in ('mkv', 'mp4', 'npz')}
    # a changed one is the user's
    (folder / 'a.mp4').write_bytes(b'')
    assert infer_it(folder, formats='npz,mp4', out_dir=folder) == 2


def test_finished_inputs_are_skipped(infer_it, detector, out, videos, capfd):
    assert infer_it(*videos, formats='npz,csv') == 0
    written = {path: path.stat().st_mtime_ns for path in out.glob('*.*')}
    capfd.readouterr()
    again = partial(infer_it, *videos, formats='npz,csv', resume=True)
    assert again() == 0
    output = capfd.readouterr().out
    assert 'a: was finished before\nb: was finished before\n' in output
    assert output.count('finished before') == 4
    assert {path: path.stat().st_mtime_ns for path in out.glob('*.*')} == written
    assert len(detector.calls) == 20
    # without the option everything is written again, from what was found
    assert infer_it(*videos, formats='npz,csv') == 0
    assert all(path.stat().st_mtime_ns > date for path, date in written.items())
    assert len(detector.calls) == 20


@pytest.mark.parametrize(
    'change',
    ['option', 'lifter', 'result gone', 'result changed', 'input', 'model', 'code'],
)
def test_changed_inputs_are_processed_again(
    infer_it, detector, out, videos, tmp_path, capfd, monkeypatch, change
):
    options, video = {}, videos[0]
    assert infer_it(video) == 0
    seen = 10
    if change == 'option':
        options = {'smooth_3d': 'butterworth'}
    elif change == 'lifter':
        options = {'pose3d_weights': save_lifter(tmp_path / 'b.pth', num_frames=27)}
    elif change == 'code':
        monkeypatch.setattr(clip_worker, 'digest_of_code', lambda *rooms: 'other')
    elif change == 'result gone':
        (out / 'a.npz').unlink()
    elif change == 'result changed':
        (out / 'a.npz').write_bytes(b'cut off')
    elif change == 'input':
        write_video(video, [gray_image(n) for n in range(8)], codec='ffv1')
        seen += 8
    else:
        detector.identity = {'name': 'another'}
        seen += 10
    assert infer_it(video, resume=True, **options) == 0
    assert 'finished before' not in capfd.readouterr().out
    assert len(detector.calls) == seen
    assert len(read_lifted(out / 'a.npz')) == (8 if change == 'input' else 10)


def outcome(name, people=1, error='', skipped=False, **seconds):
    times = StageTimes({stage.strip('_'): s for stage, s in seconds.items()}, 100)
    return Outcome(name, times, people, error, skipped)


def test_table_has_times():
    outcomes = [
        outcome('walk', _2D=8.0, track=1.0, _3D=1.0),
        outcome('skater', people=2, _3D=3.0),
        outcome('empty', people=0, _2D=4.0, track=0.5),
        outcome('broken', people=0, error='is damaged'),
        outcome('before', skipped=True),
    ]
    rows = [' '.join(line.split()) for line in stage_table(outcomes).splitlines()]
    assert rows[1:] == [
        'walk 100 1 8.0 1.0 1.0 10.0',
        'skater 100 2 - - 3.0 33.3',
        'empty 100 0 4.0 0.5 - 22.2',
        'broken 100 - - - - - failed',
        'before 100 1 - - - - finished before',
        'all 4 400 3 12.0 1.5 4.0 22.9',
    ]
