"""Missing data are an error at once; ``--sample`` trains on the tests' data."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from mmhot.skeletons.joints import get_skeleton
from mmhot.weights.index import WEIGHTS_FOLDER
from tools.runner import describe_options
from tools.training_data import check_data_files

CONFIGS = Path(__file__).parents[2] / 'configs'
LIFTER = 'body_3d_keypoint/nanohtnet/cmu_mocap/nanohtnet_81frm-keep9_1xb32-30e_cmu-wild'
PRETRAINING = (
    'body_3d_keypoint/poseclr/cmu_mocap/'
    'poseclr_nanohtnet-81frm-keep9_1xb256-30e_cmu-wild'
)
MIXSTE = 'body_3d_keypoint/mixste/h36m/mixste_81frm_1xb4-160e_h36m-cpn'
GTPT = 'body_2d_keypoint/gtpt/coco/gtpt-t_4xb64-300e_coco-256x192'
DETECTOR = 'detection/rtmdet/rendered/rtmdet-nano_1xb32-12e_rendered-320x320'


@pytest.mark.parametrize(
    ('tool', 'config', 'options', 'missing'),
    [
        (
            'train',
            MIXSTE,
            ['train_dataloader.dataset.data_root=elsewhere'],
            ('elsewhere/annotation_body3d/fps50/h36m_train.npz', '.dataset.data_root'),
        ),
        (
            'test',
            GTPT,
            ['test_dataloader.dataset=None'],
            ('data/coco/annotations/person_keypoints_val2017.json', '.ann_file'),
        ),
    ],
)
def test_missing_data_are_named_with_page_and_option(
    tool, config, options, missing, run_tool, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'some.pth').touch()
    args = [CONFIGS / f'{config}.py', *['some.pth'][: tool == 'test']]
    code, err = run_tool(tool, *args, '--cfg-options', *options)
    assert code == 2
    file, option = missing
    assert f'{file} does not exist; docs/data.md says how to get it, --cfg-opt' in err
    assert f'{option}=... reads it elsewhere, --sample takes small data\n' in err
    assert [path.name for path in tmp_path.iterdir()] == ['some.pth']


@pytest.mark.parametrize(
    'config',
    [
        LIFTER,
        PRETRAINING,
        *(
            pytest.param(name, marks=pytest.mark.slow(reason='trains on images'))
            for name in (GTPT, DETECTOR)
        ),
    ],
    ids=lambda name: Path(name).name,
)
def test_sample_trains_and_tests_in_two_steps(config, run_tool, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = [CONFIGS / f'{config}.py', '--sample']
    code, err = run_tool('train', *command)
    assert code == 0, err
    work_dir = tmp_path / 'work_dirs' / f'{Path(config).name}_sample'
    code, err = run_tool('test', command[0], work_dir / 'epoch_1.pth', '--sample')
    assert code == 0, err


def test_bad_cases_of_images_are_collected(run_tool, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # MMPose's own configs have the hook's defaults
    config = f"_base_ = '{CONFIGS / GTPT}.py'\n"
    config += 'default_hooks = dict(badcase=dict(_delete_=True, '
    config += "type='BadCaseAnalysisHook', out_dir='badcase'))\n"
    Path('config.py').write_text(config)
    weights = WEIGHTS_FOLDER / 'gtpt-t_coco17_synth.pth'
    options = ['--cfg-options', 'default_hooks.badcase.badcase_thr=0']
    command = ['test', 'config.py', weights, '--sample', '--badcase', *options]
    code, err = run_tool(*command)
    assert code == 0, err
    (results,) = tmp_path.rglob('badcase/results.json')
    cases = json.loads(results.read_text())
    assert cases
    assert all(case['KeypointMSELoss'] >= 0 for case in cases)
    assert len([*results.parent.glob('*.png')]) == len(cases)


def test_bad_cases_of_lifters_are_refused_early(run_tool, tmp_path):
    code, err = run_tool('test', CONFIGS / f'{LIFTER}.py', 'none.pth', '--badcase')
    assert code == 2
    assert 'lifted poses have no images; --worst of tools/test.py draws them' in err


PERSON = dict(id=7, image_id=1, category_id=1, iscrowd=0, num_keypoints=17, area=9e3)
PERSON |= dict(bbox=[60, 40, 200, 220], keypoints=[90, 60, 2, *[150, 100, 1] * 16])
IMAGE = dict(id=1, file_name='000001.png', width=360, height=270)
PEOPLE = Path(__file__).parents[1] / 'data/drawn_people'


def coco_config(path, **metric):
    prefix = dict(img=f'{PEOPLE}/')
    dataset = dict(type='CocoDataset', ann_file=str(path), data_prefix=prefix)
    loaders = dict(train_dataloader=dict(dataset=dataset))
    loaders.update(val_dataloader=dict(dataset=dict(dataset, test_mode=True)))
    metric = dict(type='mmpose.CocoMetric', ann_file=str(path)) | metric
    return Config(dict(loaders, val_evaluator=metric, default_scope='mmpose'))


def write_coco(path, *people, image=IMAGE, keypoints=()):
    content = dict(images=[image], annotations=people)
    content['categories'] = [dict(id=1, name='person', keypoints=list(keypoints))]
    path.write_text(json.dumps(content))


def check(folder, *people, **written):
    path = folder / 'val.json'
    write_coco(path, *people, **written)
    check_data_files(coco_config(path), ('train', 'val'))


MISSING = object()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(area=0), "annotation 7, 'area': got 0, must be above 0"),
        (dict(area=float('nan')), "annotation 7, 'area': has a number that is not"),
        (dict(area='big'), 'has an unexpected structure'),
        (dict(image_id=MISSING), "lacks 'image_id'"),
        (dict(bbox=MISSING), "annotation 7, 'bbox': is missing"),
        (dict(keypoints=MISSING), 'no annotation has bbox and keypoints'),
        (dict(iscrowd=1), 'no usable person'),
        (dict(image_id=2), "annotation 7, 'image_id': there is no image 2"),
        (dict(keypoints=[9, 9, 2] * 6), 'has 18 numbers, wanted 51, for the'),
        (dict(keypoints=[[90, 60, 2]] * 17), 'has 17 numbers, wanted 51, for the'),
        (dict(keypoints=[90, 60, 3] * 17), "'keypoints': visibility must be 0"),
        (dict(keypoints=[0.3, 0.4, 2] * 17), "'keypoints': are normalized to 0..1"),
        (dict(keypoints=[0, 0, 2] * 8 + [90, 60, 2] * 9), 'several labeled ones lie'),
        (dict(keypoints=[90, 60, 2] * 16 + [500, 60, 2]), 'lies outside of the image'),
        (dict(bbox=[0.1, 0.1, 0.5, 0.6]), "'bbox': .* is normalized to 0..1"),
        (dict(bbox=[80, 50, 320, 260]), "'bbox': .* looks like x1, y1, x2, y2"),
        (dict(bbox=[250, 200, 40, 40]), "'bbox': .* is not around the person"),
    ],
)
def test_annotations_are_checked_before_a_training(change, message, tmp_path):
    check(tmp_path, PERSON)
    person = {k: v for k, v in (PERSON | change).items() if v is not MISSING}
    with pytest.raises(ValueError, match=f'val.json: .*{message}'):
        check(tmp_path, person)


def people_in(*spans, boxes):
    """People whose keypoints span x1, y1, x2, y2, with boxes by ``boxes(span)``."""
    steps = np.linspace(0, 1, 17)[:, None]
    people = []
    for number, span in enumerate(np.array(spans, float)):
        places = span[:2] + steps * (span[2:] - span[:2])
        keypoints = np.c_[places, np.full(17, 2)].ravel().tolist()
        box = [float(x) for x in boxes(span)]
        people.append(PERSON | dict(id=number, keypoints=keypoints, bbox=box))
    return people


SPANS = (60, 50, 120, 140), (20, 30, 90, 120), (80, 20, 110, 90)


def test_boxes_of_two_corners_are_refused_if_all_fit_better_so(tmp_path):
    def as_sides(span):
        return [*(span[:2] - 3), *(span[2:] - span[:2] + 6)]

    corners = people_in(*SPANS, boxes=lambda span: [*(span[:2] - 3), *(span[2:] + 3)])
    text = r"annotation 0, 'bbox': .* looks like x1, y1, x2, y2.*\(and 2 more"
    with pytest.raises(ValueError, match=text):
        check(tmp_path, *corners)
    right = people_in(*SPANS, boxes=as_sides)
    check(tmp_path, *right)
    check(tmp_path, *corners[:2], right[2])  # not all
    crops = (9, 8, 250, 240), (12, 9, 200, 250)
    check(tmp_path, *people_in(*crops, boxes=as_sides))
    # labeled faces of whole people
    faces = people_in(*SPANS, boxes=lambda span: [*(span[:2] - 9), 120, 170])
    check(tmp_path, *faces)


def swap_sides(joint):
    sides = dict(left='right', right='left')
    return re.sub('left|right', lambda side: sides[side[0]], joint)


COCO17 = get_skeleton('coco-17').joints


@pytest.mark.parametrize(
    'names',
    [
        [swap_sides(joint) for joint in COCO17],
        [*COCO17[5:], *COCO17[:5]],
        [f'left_tail{n}' if 'left' in j else f'tail{n}' for n, j in enumerate(COCO17)],
        COCO17[:16],
    ],
    ids=['sides', 'order', 'another animal', 'count'],
)
def test_keypoints_of_other_names_are_refused(names, tmp_path):
    with pytest.raises(ValueError, match='val.json: category') as error:
        check(tmp_path, PERSON, keypoints=names)
    assert f'{", ".join(names)}, but those of the config' in str(error.value)
    assert f'metainfo {", ".join(COCO17)}: name or order' in str(error.value)


@pytest.mark.parametrize('kinds', [[], ['Concat'], ['Repeat', 'Combined']])
def test_names_are_checked_in_wrapped_datasets(kinds, tmp_path):
    write_coco(tmp_path / 'val.json', PERSON, keypoints=COCO17)
    names = [swap_sides(joint) for joint in COCO17]
    write_coco(tmp_path / 'b.json', PERSON, keypoints=names)
    config = coco_config(tmp_path / 'val.json')
    check_data_files(config, ('train',))
    good = config.train_dataloader.dataset
    wrapped = {**good, 'ann_file': str(tmp_path / 'b.json')}
    for kind in reversed(kinds):
        repeats = kind == 'Repeat'
        within = dict(dataset=wrapped) if repeats else dict(datasets=[good, wrapped])
        wrapped = dict(type=f'{kind}Dataset', **within)
    config.train_dataloader.dataset = wrapped
    with pytest.raises(ValueError, match='b.json: category'):
        check_data_files(config, ('train',))


@pytest.mark.parametrize(
    'names',
    [
        COCO17,
        [joint.replace('left_', 'L_').replace('right_', 'R_') for joint in COCO17],
        ['tip_of_nose', *COCO17[1:]],
    ],
)
def test_spellings_and_single_synonyms_are_no_fault(names, tmp_path):
    check(tmp_path, PERSON, keypoints=names)


def test_what_coco_has_and_validation_does_not_need_is_no_fault(tmp_path):
    path = tmp_path / 'val.json'
    crowd = PERSON | dict(id=8, iscrowd=1, num_keypoints=0, keypoints=[0] * 51)
    tool = dict(id=9, image_id=1, category_id=1, bbox=[0, 0, 0, 0], area=0, iscrowd=0)
    edge = PERSON | dict(id=10, keypoints=[361.5, 60, 2] + [350, 70, 1] * 16)
    write_coco(path, PERSON, crowd, tool, edge | dict(bbox=[200, 10, 170, 250]))
    check_data_files(coco_config(path), ('train', 'val'))
    write_coco(path, {k: v for k, v in PERSON.items() if k != 'area'})
    check_data_files(coco_config(path, use_area=False), ('train', 'val'))
    with pytest.raises(ValueError, match="annotation 7, 'area': is missing"):
        check_data_files(coco_config(path), ('train', 'val'))


@pytest.mark.parametrize(
    ('image', 'message'),
    [
        (dict(file_name='none.png'), "image 1, 'file_name': .*none.png does not exist"),
        (dict(file_name='annotations.json'), 'image 1: .* cannot be read as an image'),
        (
            dict(height=271),
            r"image 1, 'width' and 'height': got \(360, 271\), but .*000001.png",
        ),
        (dict(id='1'), "image 1, 'id': got '1'"),
    ],
)
def test_images_are_checked_before_a_training(image, message, tmp_path):
    with pytest.raises(ValueError, match=f'val.json: {message}'):
        check(tmp_path, PERSON, image=IMAGE | image)


@pytest.mark.parametrize('content', [[], dict(images=[])])
def test_files_of_another_format_are_one_line(content, tmp_path):
    (tmp_path / 'val.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match='val.json: (has an unexpected|lacks)'):
        check_data_files(coco_config(tmp_path / 'val.json'), ('train',))


def test_images_of_merged_files_have_different_ids(tmp_path):
    with pytest.raises(ValueError, match="annotation 7, 'id': two annotations have it"):
        check(tmp_path, PERSON, PERSON)


@pytest.mark.slow(reason='trains on images')
@pytest.mark.parametrize('workers', [0, 1])
@pytest.mark.parametrize('config', [GTPT, DETECTOR])
def test_an_unreadable_image_is_one_line(
    config, workers, run_tool, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for path in PEOPLE.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / '000004.png').write_bytes(b'no image')
    loader, dataset = 'train_dataloader.', 'train_dataloader.dataset.'
    options = [
        f'{loader}num_workers={workers}',
        f'{dataset}data_prefix.img={tmp_path}/',
        f'{dataset}indices=-4',
    ]
    code, err = run_tool(
        'train', CONFIGS / f'{config}.py', '--sample', '--cfg-options', *options
    )
    assert code == 2
    (line,) = [line for line in err.splitlines() if 'error: ' in line]
    assert line.endswith('/000004.png: missing, or cannot be read as an image')


def test_options_name_the_work_folder():
    options = {'model.backbone.pruner.num_keep': [121, 61], 'randomness.seed': 3}
    name = describe_options(options | {'load_from': 'elsewhere/epoch_1.pth'})
    assert name == '_pruner.num_keep=121,61_randomness.seed=3'
