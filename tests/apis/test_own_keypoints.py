"""The page on own keypoints, from its files to ``mmhot infer``."""

import json
import re
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from clip_files import dump
from mmengine.config import Config
from mmpose.datasets.datasets.utils import parse_pose_metainfo

import mmhot
from mmhot.cli.dispatch import main
from mmhot.io.pickles import save_checkpoint
from tools.train_keypoints import choose_weights, guess_errors

PAGE = Path(__file__).parents[2] / 'docs/own_keypoints.md'
# both sides look the same
COLORS = [(0, 0, 255), *[(0, 255, 0)] * 2, (255, 0, 0), *[(0, 255, 255)] * 2]
SHAPE = np.array([[0, -20], [14, -8], [-14, -8], [0, 14], [8, 24], [-8, 24]])


@pytest.fixture
def page(work_folder):
    """Write the files of the page into the working directory."""
    blocks = re.findall(r'`(\w+\.py)`[^`]*```python\n(.*?)```', PAGE.read_text(), re.S)
    for name, content in blocks:
        Path(name).write_text(content)
    assert len(blocks) == 3


def draw_kites(count=12):
    """Write images of kites, and their file in COCO's format."""
    folder, rng = Path('kite/images'), np.random.default_rng(0)
    folder.mkdir(parents=True)
    images, annotations = [], []
    for number in range(count):
        image = np.full((96, 72, 3), 60, np.uint8)
        points = SHAPE * rng.uniform(0.9, 1.2) + (36, 46) + rng.uniform(-4, 4, 2)
        for (x, y), color in zip(points, COLORS, strict=True):
            cv2.circle(image, (round(x), round(y)), 4, color, -1)
        name = f'{number:03}.png'
        cv2.imwrite(str(folder / name), image)
        images.append(dict(id=number, file_name=name, width=72, height=96))
        keypoints = np.c_[points, np.full(6, 2)].ravel().tolist()
        person = dict(
            id=number,
            image_id=number,
            category_id=1,
            iscrowd=0,
            area=2000,
            bbox=[0, 0, 72, 96],
            num_keypoints=6,
            keypoints=keypoints,
        )
        annotations.append(person)
    document = dict(images=images, annotations=annotations)
    document['categories'] = [dict(id=1, name='kite')]
    for name in ('train', 'val'):
        dump(Path(f'kite/{name}.json'), document)
    return np.array([a['keypoints'] for a in annotations]).reshape(count, 6, 3)


KEYPOINTS = ['top', 'left_wing', 'right_wing', 'bottom', 'left_tail', 'right_tail']


@pytest.fixture
def document(work_folder):
    """What CVAT exports: a category with names, images in a subset's folder."""
    draw_kites()
    document = json.loads(Path('kite/val.json').read_text())
    Path('kite').rename('export')
    Path('export/images').rename('export/default')
    Path('export/images').mkdir()
    Path('export/default').rename('export/images/default')
    links = [[1, 2], [1, 3], [1, 4], [4, 5], [4, 6]]
    kite = dict(
        id=1, name='kite', supercategory='', keypoints=KEYPOINTS, skeleton=links
    )
    document['categories'] = [dict(id=2, name='box', supercategory=''), kite]
    for person in document['annotations']:
        del person['iscrowd'], person['area']
    dump(Path('export/annotations.json'), document)
    return document


COMMAND = ['export/annotations.json', 'export/images', 'kite']


def test_metainfo_and_config_come_from_an_export(
    document, tool_output, run_tool, tool_error
):
    single = dict(document['annotations'][5], id=99, bbox=[40, 40, 0, 0])  # a keypoint
    single['keypoints'] = [40, 40, 2] + 15 * [0]
    hidden = dict(document['annotations'][0], id=100, keypoints=18 * [0])
    document['annotations'] += [single, hidden]
    dump(Path(COMMAND[0]), document)
    text = 'train_keypoints.py: 1 of 14 annotations left out: '
    text = (
        f'{text}their boxes have no size\n{text}all their keypoints have visibility 0\n'
    )
    command = ['train_keypoints', *COMMAND, '--only-write']
    assert tool_output(*command)[::2] == (0, text)
    assert len(json.loads(Path('kite/train.json').read_text())['annotations']) == 10
    config = Config.fromfile('kite/config.py')
    assert config.train_dataloader.batch_size == 8
    # the average spans 10 of 200 steps
    assert config.default_hooks.ema.momentum == pytest.approx(0.1)
    metainfo = parse_pose_metainfo(dict(from_file='kite/metainfo.py'))
    assert metainfo['flip_indices'] == [0, 2, 1, 3, 5, 4]
    assert [*metainfo['keypoint_id2name'].values()] == KEYPOINTS
    assert [[a + 1, b + 1] for a, b in metainfo['skeleton_links']][-1] == [4, 6]
    names = [
        x['file_name'] for x in json.loads(Path('kite/val.json').read_text())['images']
    ]
    assert names == ['default/000.png', 'default/010.png']
    run_tool('check_dataset', 'kite/config.py')
    assert 'kite is not empty' in tool_error('train_keypoints', *COMMAND)


def kite(**change):
    known = dict(id=1, name='kite', keypoints=KEYPOINTS, skeleton=[])
    return dict(categories=[known | change])


def test_names_of_other_folders_and_single_sides(document, tool_output):
    """Label Studio writes paths of its own folders."""
    Path('000.png').touch()
    for image in document['images']:
        image['file_name'] = f'..\\..\\{Path(image["file_name"]).name}'
    names = [*KEYPOINTS[:2], 'middle', *KEYPOINTS[3:]]
    dump(Path(COMMAND[0]), document | kite(keypoints=names))
    code, _, error = tool_output('train_keypoints', *COMMAND, '--only-write')
    assert (code, error.count('\n')) == (0, 1)
    assert 'left_wing has no partner on the other side' in error
    val = json.loads(Path('kite/val.json').read_text())
    assert val['images'][0]['file_name'] == 'default/000.png'


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(categories=[]), 'category must be one with keypoints: none'),
        (dict(annotations=[]), '0 images with labeled keypoints'),
        (kite(skeleton=[[1, 2], [6, 7], [1, 9]]), 'a link leads to 7, and there are 6'),
    ],
)
def test_exports_without_keypoints_are_one_line(change, message, document, tool_error):
    dump(Path(COMMAND[0]), document | change)
    assert message in tool_error('train_keypoints', *COMMAND)
    assert not [*Path('kite').glob('*')]


def test_boxes_of_two_corners_are_refused_before_anything_is_written(
    document, tool_error
):
    for person in document['annotations']:
        points = np.array(person['keypoints']).reshape(-1, 3)[:, :2]
        person['bbox'] = [*points.min(0), *points.max(0)]
    dump(Path(COMMAND[0]), document)
    error = tool_error('train_keypoints', *COMMAND, '--only-write')
    assert "annotations.json: annotation 0, 'bbox': " in error
    assert 'looks like x1, y1, x2, y2' in error
    assert not Path('kite').exists()


def test_short_trainings_are_long_enough_and_crowds_are_no_objects(
    document, tool_output
):
    document['annotations'][3]['iscrowd'] = 1
    dump(Path(COMMAND[0]), document)
    options = ['--only-write', '--epochs', '20']
    code, _, error = tool_output('train_keypoints', *COMMAND, *options)
    assert (code, error.count('\n')) == (0, 1)
    assert '1 of 12 annotations left out: they are crowds (iscrowd 1)' in error
    config = Config.fromfile('kite/config.py')
    assert config.train_cfg.max_epochs == 75  # epochs have two steps
    assert config.default_hooks.checkpoint.save_best == 'NME'
    assert config.default_hooks.checkpoint.rule == 'less'


def test_guess_is_the_mean_place_in_the_box():
    def person(*points, box=(0, 0, 10, 20)):
        return dict(bbox=box, keypoints=[x for point in points for x in (*point, 2)])

    train = [person((0, 0), (4, 8)), person((2, 4), (8, 4), box=(2, 4, 20, 10))]
    val = [person((103, 10), (103, 10), box=(100, 10, 30, 10))]
    errors = guess_errors(train, val, ['a', 'b'])
    of_b = np.hypot(7.5, 2) / 30
    wanted = {'a': 0.1, 'b': of_b, '': (0.1 + of_b) / 2}
    assert errors == pytest.approx(wanted)


def test_a_model_that_is_not_better_than_a_guess_is_refused(tmp_path, capfd):
    path = tmp_path / 'epoch_1.pth'
    save_checkpoint(dict(ema_state_dict={'module.x': torch.ones(1)}), path)

    def test(weights):
        error = 0.05 if weights.name == 'last.pth' else 0.3
        rows = {name: dict(error=error) for name in ('top', '')}
        return {'joints': rows, 'coco/AP': 0.0}

    assert choose_weights(path, test, {'top': 0.1, '': 0.1}).name == 'last.pth'
    table = capfd.readouterr().out.splitlines()
    assert table[1].split() == ['top', '0.100', '0.300', '0.050']
    with pytest.raises(ValueError, match=r'not better than a guess \(0.050 and 0.040'):
        choose_weights(path, test, {'top': 0.04, '': 0.04})


@pytest.mark.slow(reason='trains, tests, exports and runs a model, 1 min')
@pytest.mark.usefixtures('document')
def test_an_export_becomes_a_model_in_one_command(monkeypatch, run_tool):
    monkeypatch.setenv('PYTHONPATH', str(PAGE.parents[1]))
    monkeypatch.setattr('tools.train_keypoints._MIN_STEPS', 1)
    guess = dict.fromkeys((*KEYPOINTS, ''), 9.0)
    monkeypatch.setattr('tools.train_keypoints.guess_errors', lambda *_: guess)
    options = ['--epochs', '1', '--batch-size', '4']
    run_tool('train_keypoints', *COMMAND, *options)
    assert len([*Path('kite/crops').glob('*.png')]) == 10
    models = ['--pose2d', 'kite/onnx/model.onnx', '--det-model', 'whole_image']
    image = 'export/images/default/000.png'
    options = ['--out-dir', 'results', '--kpt-thr', '0']
    assert main(['infer', image, *models, *options]) == 0
    with np.load('results/000.npz') as result:
        assert result['joint_names'].tolist() == KEYPOINTS


def small(epochs):
    """The page's config with small crops, without augmentation."""
    config = Config.fromfile('kite_config.py')
    size = dict(input_size=(96, 128))
    config.model.head.update(in_featuremap_size=(24, 32), decoder=dict(size), **size)
    config.model.head.decoder.type = 'GTPTLabel'
    del config.default_hooks['ema']
    config.train_cfg.update(max_epochs=epochs, val_interval=epochs)
    config.default_hooks.checkpoint.update(interval=epochs)
    config.param_scheduler, config.load_from = [], 'mmhot://gtpt-t_coco17_synth'
    config.log_level = 'ERROR'
    for split in ('train', 'val', 'test'):
        loader = config[f'{split}_dataloader']
        loader.update(batch_size=6, num_workers=0, persistent_workers=False)
        random = ('RandomHalfWholeBody', 'RandomBBoxScaleRotation')
        steps = [x for x in loader.dataset.pipeline if x.type not in random]
        for step in steps:
            step.update(size if step.type == 'TopdownAffine' else {})
            if step.type == 'GenerateTarget':
                step.encoder.update(size)
        loader.dataset.pipeline = steps
    config.dump('small.py')


@pytest.mark.slow(reason='trains, exports and runs a model, 1 min')
def test_own_keypoints_are_trained_exported_and_found(page, run_tool, capfd):
    truth = draw_kites()
    small(epochs=40)
    run_tool('train', 'small.py', '--work-dir', 'work')
    weights = 'work/epoch_40.pth'
    run_tool('test', 'small.py', weights)
    assert main(['export', 'small.py', weights, '--out', 'kite_onnx']) == 0
    meta = json.loads(Path('kite_onnx/meta.json').read_text())
    assert meta['joints'][:3] == ['top', 'left_wing', 'right_wing']
    assert meta['flip_indices'] == [0, 2, 1, 3, 5, 4]

    found = {}
    models = {
        'onnx': ['--pose2d', 'kite_onnx/model.onnx'],
        'torch': ['--pose2d', 'small.py', '--pose2d-weights', weights],
    }
    for name, model in models.items():
        options = ['--det-model', 'whole_image', '--out-dir', name, '--kpt-thr', '0']
        capfd.readouterr()
        assert main(['infer', 'kite/images/000.png', *model, *options]) == 0
        printed = capfd.readouterr()
        assert 'kite-6 cannot be lifted to 3D' in printed.err
        assert '000.npz: 2D keypoints only, no .html' in printed.out
        with np.load(f'{name}/000.npz') as result:
            found[name] = result['keypoints_2d']
            assert result['joint_names'].tolist() == meta['joints']
            assert result['scores'].shape == (1, 6)
    np.testing.assert_allclose(found['onnx'], found['torch'], atol=0.01)
    assert np.abs(found['onnx'][0] - truth[0, :, :2]).mean() < 3


def test_keypoints_of_head_and_dataset_in_another_order_stop_the_run(page, tool_error):
    draw_kites(6)
    small(epochs=1)
    text = Path('kite.py').read_text().replace("name='top'", "name='bottom_'")
    text = text.replace("name='bottom'", "name='top'").replace('bottom_', 'bottom')
    Path('other.py').write_text(text)
    options = ['--cfg-options', 'model.head.metainfo.from_file=other.py']
    error = tool_error('train', 'small.py', '--work-dir', 'work', *options)
    assert (
        'keypoint 0 is bottom in model.head (kite-6), but top in the dataset' in error
    )


ARM = ['base', 'elbow', 'wrist', 'tip']
METAINFO = dict(
    dataset_name='arm',
    keypoint_info={n: dict(name=name) for n, name in enumerate(ARM)},
    skeleton_info={n: dict(link=link) for n, link in enumerate(pairwise(ARM))},
    joint_weights=[1.0] * 4,
    sigmas=[0.05] * 4,
)


@pytest.mark.slow(reason='trains, tests and exports a lifter, and lifts, 30 s')
def test_lifter_of_an_own_skeleton_is_trained_exported_and_lifts(page, run_tool, capfd):
    Path('arm').mkdir()
    Path('arm3d.py').write_text(f'dataset_info = {METAINFO}')
    angles = np.linspace(0, 6, 200)
    steps = np.stack([0 * angles, np.cos(angles), np.sin(angles)], -1)
    joints = np.cumsum([0 * steps, steps, 0.5 * steps, 0.2 * steps], 0).swapaxes(0, 1)
    for name in ('train', 'val'):
        np.savez(f'arm/{name}.npz', **{'robot/turn': joints + (0, 0, 1)})
    config = Config.fromfile('arm3d_config.py')
    config.model.backbone.update(embed_dims=16, num_heads=2, mlp_dims=16, depth=2)
    config.model.head.in_channels = 16
    config.train_cfg.update(max_epochs=1, val_interval=1)
    config.train_dataloader.sampler.num_samples = 16
    config.log_level = 'ERROR'
    config.dump('small.py')
    run_tool('train', 'small.py', '--work-dir', 'work')
    run_tool('test', 'small.py', 'work/epoch_1.pth')
    pixels = 300 + 100 * joints[:, :, 1:] @ np.diag([1, -1])
    arrays = dict(width=640, height=640, fps=50, joint_names=ARM[::-1])
    np.savez('arm.npz', keypoints=pixels[:, ::-1], **arrays)
    weights = 'work/epoch_1.pth'
    assert main(['export', 'small.py', weights, '--out', 'arm_onnx']) == 0
    meta = json.loads(Path('arm_onnx/meta.json').read_text())
    assert (meta['joints'], meta['parents']) == (ARM, [-1, 0, 1, 2])
    found = {}
    for out, model in (
        ('onnx', ['--pose3d', 'arm_onnx']),
        ('own', ['--pose3d-weights', weights]),
    ):
        formats = 'npz,json,csv,trc,html,mp4'
        lift = ['lift', 'arm.npz', *model, '--out-dir', out, '--formats']
        assert main([*lift, formats]) == 0
        assert not Path(out, 'arm.html').exists()
        clip = mmhot.read_lifted(f'{out}/arm.npz')
        assert list(clip.joint_names) == ARM
        np.testing.assert_allclose(clip.keypoints_2d, pixels, rtol=1e-4)
        found[out] = clip.keypoints_3d
        assert main([*lift, 'npz,bvh']) == 1
        assert 'must have the joints of h36m-17, got ' in capfd.readouterr().err
    np.testing.assert_allclose(found['onnx'], found['own'], atol=1e-4)
    assert main(['lift', 'arm.npz', '--out-dir', 'none']) == 1
    assert 'the keypoints of arm-4 cannot be lifted' in capfd.readouterr().err
    clip = mmhot.lift(
        pixels, image_size=(640, 640), fps=50, pose3d='arm_onnx', skeleton='arm-4'
    )
    np.testing.assert_allclose(clip.keypoints_3d, found['onnx'], atol=1e-5)
