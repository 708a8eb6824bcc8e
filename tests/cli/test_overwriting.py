"""Results replace neither each other nor a file that is read, and are no inputs."""

import re

import av
import cv2
import numpy as np
import pytest
from clip_files import dump, instance, save, walk
from lifters import save_lifter
from pose_sources import Detector, Estimator, infer, use_stand_ins
from video_files import gray_image, write_video

import mmhot
from mmhot.apis import export
from mmhot.cli.dispatch import main
from mmhot.io.lifted import read_lifted
from mmhot.io.own_results import is_result
from mmhot.structures.formats import WRITERS

FORMATS = [name for name, writer in WRITERS.items() if writer.requires is None]


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    return save_lifter(tmp_path_factory.mktemp('lifter') / 'tiny.pth')


@pytest.fixture
def lift_it(checkpoint, tmp_path, monkeypatch):
    monkeypatch.delenv('MMHOT_DEBUG', raising=False)

    def run(*inputs, out=tmp_path, formats='npz', **options):
        options = {'checkpoint': checkpoint} | options
        words = [w for name, v in options.items() for w in (f'--{name}', v)]
        argv = ['lift', *inputs, '--out-dir', out, '--formats', formats, *words]
        return main(list(map(str, argv)))

    return run


@pytest.fixture
def detector(monkeypatch):
    detector = Detector(every=1)
    use_stand_ins(monkeypatch, detector, Estimator())
    return detector


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def refused(run, folder, capfd, message):
    """Assert exit code 2, one line, and no changed file."""
    before = contents(folder)
    assert run() == 2
    error = capfd.readouterr().err
    assert re.search(message, error), error
    assert error.count('\n') == 1
    assert contents(folder) == before


def people(path, *tracks):
    count = len(tracks)
    keypoints = np.concatenate([walk(4, shift=n) for n in range(count)])
    frame, track = np.tile(np.arange(4), count), np.repeat(tracks, 4)
    return save(path, keypoints=keypoints, frame=frame, track=track)


@pytest.mark.parametrize('form', ['bvh', 'trc', 'npz,trc'])
@pytest.mark.parametrize('track', [1, -1])
def test_person_files_of_two_inputs_are_refused(lift_it, tmp_path, capfd, form, track):
    first = people(tmp_path / 'walk.npz', track, 2)
    second = people(tmp_path / f'walk_person{track}.npz', 0)
    for inputs in ([first, second], [second, first]):
        refused(
            lambda inputs=inputs: lift_it(*inputs, out=tmp_path / 'out', formats=form),
            tmp_path,
            capfd,
            rf'would both be written as walk_person{track}\.{form[-3:]}: lift them',
        )
    assert not (tmp_path / 'out').exists()
    assert lift_it(first, second, out=tmp_path / 'out', formats='npz') == 0


def test_names_like_those_of_people_do_not_clash_with_one_person(lift_it, tmp_path):
    first = people(tmp_path / 'walk.npz', 3)
    second = people(tmp_path / 'walk_person1.npz', 0)
    assert lift_it(first, second, out=tmp_path / 'out', formats='bvh') == 0
    written = {path.name for path in (tmp_path / 'out').iterdir()}
    assert written == {'walk.bvh', 'walk_person1.bvh'}


def test_people_of_videos_are_unknown_before_the_work(
    detector, checkpoint, tmp_path, capfd
):
    videos = [
        write_video(tmp_path / f'{name}.mkv', codec='ffv1', pix_fmt='bgr0')
        for name in ('a', 'a_person0')
    ]
    options = {'pose3d_weights': checkpoint, 'out_dir': tmp_path / 'out'}
    refused(
        lambda: infer(*videos, formats='npz,bvh', **options),
        tmp_path,
        capfd,
        'a_person0.mkv and .*a.mkv would both be written as a_person0.bvh',
    )
    assert detector.calls == []
    assert infer(*videos, formats='npz,html', **options) == 0


CALIBRATION = {'fx': 900, 'fy': 900, 'cx': 640, 'cy': 360}


@pytest.mark.parametrize('link', ['', 'symlink', 'hard link'])
def test_calibration_is_not_overwritten(lift_it, tmp_path, capfd, link):
    clip = save(tmp_path / 'walk.npz')
    out = tmp_path / 'o'
    out.mkdir()
    lens = dump(out / 'walk.json', CALIBRATION)
    given = tmp_path / 'lens.json' if link else lens
    if link == 'symlink':
        given.symlink_to(lens)
    elif link:
        given.hardlink_to(lens)
    refused(
        lambda: lift_it(clip, out=out, formats='npz,json', intrinsics=given),
        tmp_path,
        capfd,
        f'{given} would be overwritten by a result',
    )


def test_side_inputs_of_infer_are_not_overwritten(
    detector, checkpoint, tmp_path, capfd
):
    video = write_video(tmp_path / 'walk.mp4')
    other = write_video(tmp_path / 'o_walk.mp4')
    out = tmp_path / 'o'
    out.mkdir()
    lens = dump(out / 'walk.json', CALIBRATION | {'cx': 32, 'cy': 24})
    weights = out / 'walk.npz'
    weights.write_bytes(checkpoint.read_bytes())
    for options, name in (
        ({'intrinsics': lens, 'formats': 'json'}, 'walk.json'),
        ({'pose3d_weights': weights}, 'walk.npz'),
        ({'det_model': weights}, 'walk.npz'),
    ):
        options = {'pose3d_weights': checkpoint, 'out_dir': out} | options
        refused(
            lambda options=options: infer(other, video, **options),
            tmp_path,
            capfd,
            f'{out}/{name} would be overwritten by a result',
        )
    assert detector.calls == []


def test_results_of_one_input_do_not_replace_another_input(lift_it, tmp_path, capfd):
    (tmp_path / 'o').mkdir()
    first, second = save(tmp_path / 'a.npz'), save(tmp_path / 'o' / 'b.npz')
    linked = tmp_path / 'o' / 'a.npz'
    linked.symlink_to(first)
    for inputs, name in (((first, second), 'a.npz'), ((second,), 'b.npz')):
        refused(
            lambda inputs=inputs: lift_it(*inputs, out=tmp_path / 'o'),
            tmp_path,
            capfd,
            f'{name} would be overwritten by a result',
        )


def test_images_of_a_folder_are_not_overwritten(detector, checkpoint, tmp_path, capfd):
    folder = tmp_path / 'walk'
    folder.mkdir()
    for name in ('walk.png', 'walk2.png'):
        cv2.imwrite(str(folder / name), gray_image())
    options = {'pose3d_weights': checkpoint, 'out_dir': folder, 'formats': 'png'}
    refused(
        lambda: infer(folder, fps=5, **options),
        tmp_path,
        capfd,
        'walk/walk.png would be overwritten',
    )


def test_names_that_differ_in_case_clash_where_the_folder_ignores_it(
    lift_it, tmp_path, capfd, monkeypatch
):
    clips = [save(tmp_path / name) for name in ('Über.npz', 'u\u0308ber.npz')]
    assert lift_it(*clips, out=tmp_path / 'out') == 0
    assert len(list((tmp_path / 'out').iterdir())) == 2
    monkeypatch.setattr(export, '_ignores_case', lambda folder: True)
    refused(
        lambda: lift_it(*clips, out=tmp_path / 'out'),
        tmp_path,
        capfd,
        'would both be written as',
    )


def test_one_input_given_twice_is_refused(lift_it, tmp_path, capfd, monkeypatch):
    save(tmp_path / 'a.npz')
    monkeypatch.chdir(tmp_path)
    refused(
        lambda: lift_it('a.npz', 'a.npz', out='out'), tmp_path, capfd, 'would both be'
    )


def test_a_video_is_not_replaced_by_its_drawing(checkpoint, tmp_path):
    video = write_video(tmp_path / 'a.mp4')
    before = video.read_bytes()
    clip = mmhot.lift(people(tmp_path / 'a.npz', 0), checkpoint=checkpoint)
    with pytest.raises(ValueError, match='a.mp4 would be overwritten by a result'):
        clip.save(video, video=video)
    assert video.read_bytes() == before


@pytest.mark.parametrize('form', FORMATS)
def test_results_are_recognized(lift_it, tmp_path, form):
    clip = people(tmp_path / 'a.npz', 0, 1)
    assert lift_it(clip, out=tmp_path / 'out', formats=form) == 0
    files = list((tmp_path / 'out').iterdir())
    assert files
    assert all(map(is_result, files))
    assert not is_result(clip)


def test_other_files_are_no_results(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), gray_image())
    write_video(tmp_path / 'a.mp4')
    dump(tmp_path / 'a.json', {'meta_info': {'dataset_name': 'coco'}})
    (tmp_path / 'a.csv').write_text('name,frame\n')
    (tmp_path / 'a.html').write_text('<html></html>')
    (tmp_path / 'b.npz').write_bytes(b'PK\3\4 damaged')
    (tmp_path / 'b.mp4').write_bytes(b'damaged')
    assert not any(is_result(path) for path in tmp_path.iterdir())


def test_marks_harm_no_file(lift_it, tmp_path):
    assert lift_it(save(tmp_path / 'a.npz'), out=tmp_path / 'o', formats='png,mp4') == 0
    assert cv2.imread(str(tmp_path / 'o' / 'a.png')).ndim == 3
    from PIL import Image

    with Image.open(tmp_path / 'o' / 'a.png') as image:
        image.load()
        assert image.info['Software'] == 'mmhot'
    with av.open(str(tmp_path / 'o' / 'a.mp4')) as video:
        assert sum(1 for _ in video.decode(video=0)) == 4


def keypoint_folder(path):
    path.mkdir()
    for frame, pose in enumerate(walk(3)):
        dump(path / f'frame{frame}.json', [instance(pose)])
    return path


def test_own_result_in_a_keypoint_folder_is_skipped(lift_it, tmp_path, capfd, caplog):
    folder = keypoint_folder(tmp_path / 'pred')
    options = {'image-size': '1280x720', 'fps': 25}
    for _ in range(2):
        assert lift_it(folder, out=folder, formats='json,npz', **options) == 0
        assert len(read_lifted(folder / 'pred.json')) == 3
    assert 'pred.json is a result of mmhot: skipped' in caplog.text
    capfd.readouterr()
    # an input of that name is kept
    dump(folder / 'pred.json', [instance(walk()[0])])
    refused(
        lambda: lift_it(folder, out=folder, formats='json', **options),
        tmp_path,
        capfd,
        'pred.json would be overwritten',
    )


def test_own_results_among_several_inputs_are_skipped(lift_it, tmp_path, capfd, caplog):
    for name in 'ab':
        save(tmp_path / f'{name}.npz')
    assert lift_it(*sorted(tmp_path.iterdir()), formats='json,csv,html') == 0
    capfd.readouterr()
    assert lift_it(*sorted(tmp_path.iterdir()), formats='json,csv,html') == 0
    assert 'and 5 more are results of mmhot: skipped' in caplog.text
    capfd.readouterr()
    assert lift_it(tmp_path / 'a.json') == 2
    assert 'a.json: is a result of mmhot' in capfd.readouterr().err


def test_own_results_in_folders_of_videos_and_images_are_skipped(
    detector, checkpoint, tmp_path, capfd, caplog
):
    folder = tmp_path / 'videos'
    folder.mkdir()
    video = write_video(folder / 'walk.mkv', codec='ffv1', pix_fmt='bgr0')
    cv2.imwrite(str(folder / 'photo.jpg'), gray_image())
    options = {'pose3d_weights': checkpoint, 'out_dir': folder}
    formats = ','.join(FORMATS)
    assert infer(folder, formats=formats, **options) == 0
    first = contents(folder)
    capfd.readouterr()
    for given in (folder, f'{folder}/*'):
        assert infer(given, formats=formats, resume=True, **options) == 0
        assert capfd.readouterr().out.count('was finished before') == 2
        more = 2 * len(FORMATS) - 1
        assert f'and {more} more are results of mmhot: skipped' in caplog.text
        caplog.clear()
    assert infer(*sorted(folder.glob('[!.]*')), formats=formats, **options) == 0
    assert contents(folder).keys() == first.keys()
    assert video.read_bytes() == first[video]


def test_numbered_images_are_found_again_beside_their_results(
    detector, checkpoint, tmp_path, capfd
):
    folder = tmp_path / 'frames'
    folder.mkdir()
    for number in range(3):
        cv2.imwrite(str(folder / f'{number}.png'), gray_image(number))
    options = {'pose3d_weights': checkpoint, 'out_dir': folder, 'formats': 'png,npz'}
    for _ in range(2):
        assert infer(folder, fps=5, **options) == 0
        assert len(read_lifted(folder / 'frames.npz')) == 3
    assert len(detector.calls) == 3  # the cache is that of the images
    assert infer(folder, fps=5, resume=True, **options) == 0
    assert 'frames: was finished before' in capfd.readouterr().out


def test_folder_of_results_alone_is_no_input(lift_it, tmp_path, capfd):
    out = tmp_path / 'out'
    assert lift_it(save(tmp_path / 'a.npz'), out=out, formats='mp4,png') == 0
    capfd.readouterr()
    assert main(['infer', str(out), '--out-dir', str(tmp_path / 'x')]) == 2
    assert 'neither images nor videos' in capfd.readouterr().err
