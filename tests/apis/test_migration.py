"""The code of the page on other tools runs, with stand-ins of these tools."""

import re
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import official_weights
import pytest
import torch
from clip_files import dump, walk
from given_poses import sam_results
from mocap import KICK, joints_of
from paths import ROOT
from published import load_fixture
from video_files import write_video

import mmhot
from tools.model_converters.conversion import convert_file

WEIGHTS = ROOT / 'mmhot/weights'
PAGE = (ROOT / 'docs/migration.md').read_text()
BLOCKS = [
    (title.partition('\n')[0], code)
    for title in PAGE.split('\n## ')[1:]
    for code in re.findall(r'```python\n(.*?)```', title, re.S)
]
COUNT = 8
POSES = np.load(ROOT / 'demo/skating_2d_coco17.npz')['keypoints'][:COUNT]


def points(pose):
    return SimpleNamespace(xy=torch.tensor(pose[None]), conf=None)


def landmarks(pose):
    people = [
        [SimpleNamespace(x=x, y=y, visibility=0.9) for x, y in pose / (1280, 720)]
    ]
    world = [
        [
            SimpleNamespace(x=x / 400, y=y / 400, z=x / 4000, visibility=0.9)
            for x, y in pose - pose[23:25].mean(0)
        ]
    ]
    return SimpleNamespace(pose_landmarks=people, pose_world_landmarks=world)


class Body:
    """rtmlib's, which downloads two files."""

    def __init__(self, mode):
        self.pose_model = SimpleNamespace(
            onnx_model=str(WEIGHTS / 'gtpt-t_coco17_synth.onnx')
        )
        self.det_model = SimpleNamespace(
            onnx_model=str(WEIGHTS / 'rtmdet-nano_person_synth.onnx')
        )

    def __call__(self, pose):
        return pose[None], np.ones((1, len(pose)))


class YOLO:
    """Ultralytics'."""

    def __init__(self, path):
        pass

    def track(self, source, stream):
        for pose in POSES:
            boxes = SimpleNamespace(id=torch.tensor([1]), xyxy=torch.ones(1, 4))
            yield SimpleNamespace(
                keypoints=points(pose), boxes=boxes, orig_shape=(720, 1280)
            )


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Write the files that other tools leave in their working directory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder := tmp_path_factory.mktemp('tools'))
        write_files()
    return folder


def write_files():
    Path('output_json').mkdir()
    # halpe-26 has one joint more than OpenPose
    triples, results = np.full((COUNT, 26, 3), 0.5), []
    triples[..., :2] = walk(COUNT, 26)
    for frame, pose in enumerate(triples.reshape(COUNT, -1).tolist()):
        people = [dict(person_id=[-1], pose_keypoints_2d=pose[:-3])] * 2
        dump(Path(f'output_json/walk_{frame:012}_keypoints.json'), dict(people=people))
        results.append(dict(image_id=f'{frame}.jpg', category_id=1, keypoints=pose))
    dump(Path('alphapose-results.json'), results)
    np.save('X3D.npy', joints_of(KICK, COUNT))
    Path('output/keypoints3d').mkdir(parents=True)
    body = np.append(walk(COUNT, 25) / 400, np.full((COUNT, 25, 2), 0.5), -1)
    for frame, pose in enumerate(body.tolist()):
        path = Path(f'output/keypoints3d/{frame:06}.json')
        dump(path, [dict(id=0, keypoints3d=pose)])
    custom = {'walk.mp4': {'custom': [POSES]}}
    np.savez('data_2d_custom_myvideos.npz', positions_2d=custom, metadata={})
    frames = av.open(str(ROOT / 'demo/walk.mp4')).decode(video=0)
    images = [next(frames).to_ndarray(format='bgr24') for _ in range(COUNT)]
    write_video('walk.mp4', images)
    state_dict = official_weights.state_dict(load_fixture('htnet')[0])
    torch.save({key: torch.tensor(x) for key, x in state_dict.items()}, 'a.bin')
    convert_file('a.bin', 'motionbert.pth')


@pytest.mark.parametrize(
    ('title', 'code'), BLOCKS, ids=[title.replace(' ', '-') for title, _ in BLOCKS]
)
def test_code_of_the_page_runs(title, code, folder, monkeypatch):
    assert len(code.splitlines()) <= 5
    monkeypatch.chdir(folder)
    results = [*map(landmarks, walk(COUNT, 33)), SimpleNamespace(pose_landmarks=[])]
    people = iter(sam_results(COUNT))
    variables = dict(
        model=SimpleNamespace(predict=points),
        images=POSES,
        results=results,
        estimator=SimpleNamespace(process_one_image=lambda image: next(people)),
        rtmlib=SimpleNamespace(Body=Body),
        ultralytics=SimpleNamespace(YOLO=YOLO),
        **dict(mmhot=mmhot, np=np),
    )
    exec(code, variables)
    if clip := variables.get('clip'):
        assert np.isfinite(clip.keypoints_3d).all()
        assert len(clip) >= COUNT
    for name in re.findall(r"save\('(.*?)'\)", code):
        assert Path(name).stat().st_size > 1000


def test_every_tool_has_code():
    text = ' '.join(title for title, _ in BLOCKS)
    names = (
        'rtmlib Ultralytics MediaPipe OpenPose Sports2D HoT MotionBERT VideoPose3D '
        'SAM EasyMocap'
    )
    assert not [name for name in names.split() if name not in text]
