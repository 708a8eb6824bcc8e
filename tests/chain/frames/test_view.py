"""Videos that are cropped and turned, ``--crop`` and ``--rotate``."""

import numpy as np
import pytest
from pose_sources import infer
from video_files import gray_image, write_video

import mmhot
from mmhot.chain.frames.files import VideoFile
from mmhot.chain.frames.sources import FrameArrays
from mmhot.chain.frames.view import ViewOptions, take_view
from mmhot.chain.pose2d.footage import ClipPeople, Footage
from mmhot.chain.pose2d.orientation import find_turn
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.people import People

# Heights of the joints of a person who stands, in 60 pixels below the eyes
JOINTS = get_skeleton('coco-17').joints
HEIGHTS = dict(shoulder=0.2, elbow=0.35, wrist=0.5, hip=0.5, knee=0.75, ankle=1.0)


def read(path, **options):
    return [*take_view(VideoFile(path), ViewOptions.read(options))]


def test_frames_are_cropped_then_turned(tmp_path):
    path = write_video(
        tmp_path / 'a.mkv', [gray_image(n) for n in range(3)], codec='ffv1'
    )
    whole = [*VideoFile(path)]
    seen = read(path, crop='10,4,40,20', rotate=90)
    assert [(x.index, x.time) for x in seen] == [(x.index, x.time) for x in whole]
    for frame, view in zip(whole, seen, strict=True):
        assert (view.image == np.rot90(frame.image[4:24, 10:50], -1)).all()
    assert seen[0].image.shape == (40, 20, 3)
    assert (
        read(path, rotate='180')[0].image[-1, -1].min() > 200
    )  # white at the top left


def test_frames_that_stay_are_not_copied():
    source = FrameArrays([gray_image()], 25)
    assert take_view(source, ViewOptions()) is source


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(rotate=45), 'rotate must be auto, 0, 90, 180 or 270, got 45'),
        (dict(crop='1,2,3'), 'crop must be X,Y,W,H in pixels'),
        (dict(crop=(0, 0, 0, 9)), 'crop must be X,Y,W,H in pixels'),
    ],
)
def test_other_views_are_one_line(options, message):
    with pytest.raises(ValueError, match=message):
        ViewOptions.read(options)


def test_a_part_outside_is_one_line(tmp_path):
    path = write_video(tmp_path / 'a.mp4')
    with pytest.raises(ValueError, match=r'inside the image of 64x48 pixels'):
        read(path, crop=(30, 0, 40, 48))


def test_results_are_in_pixels_of_the_view(detector, checkpoint, tmp_path):
    path = write_video(tmp_path / 'clip.mkv', [gray_image(n) for n in range(12)])
    options = dict(pose3d_weights=checkpoint, out_dir=tmp_path, resume=True)
    for turn, size in ((90, (40, 60)), (180, (60, 40))):
        detector.calls.clear()
        assert infer(path, crop='0,0,60,40', rotate=turn, **options) == 0
        clip = mmhot.read_lifted(tmp_path / 'clip.npz')
        assert (clip.width, clip.height) == size
        assert len(detector.calls) == 12  # another view has another cache


def make_person(middle=30, arms=1, hidden=()):
    """A person who stands; ``arms`` of -1 are raised."""
    points = np.zeros((17, 2), np.float32)
    for index, joint in enumerate(JOINTS):
        side, _, part = joint.rpartition('_')
        points[index] = middle + {'left': 4, 'right': -4}.get(side, 0), 10
        height = HEIGHTS.get(part, 0.0)
        if part in ('elbow', 'wrist'):
            height = 0.2 + arms * (height - 0.2)
        points[index, 1] += 60 * height
    box = np.float32([[*points.min(0), *points.max(0)]])
    scores = np.isin(np.arange(17), hidden, invert=True).astype(np.float32)
    return People(box, np.ones(1), points[None], scores[None])


class Models:
    """Finds a person in images that are white at the top left."""

    def __init__(self, way, *looks):
        self.way = way
        self.looks = looks

    def detect(self, images):
        return [
            make_person(30 + self.way * (int(image[-1, -1, 0]) - 40) / 76, *self.looks)
            if image[0, 0, 0] > 200
            else People.none(17)
            for image in images
        ]


def seen_in(turn, people=None, **changes):
    """Footage of 20 frames that are stored turned; no person is found by default."""
    images = [np.rot90(gray_image(n), turn // 90) for n in range(20)]
    people = [people or People.none(17)] * 20
    frames = FrameArrays(images, 25)
    return Footage(frames, ClipPeople(people, skeleton='coco-17', **changes))


@pytest.mark.parametrize(('turn', 'way'), [(90, 60), (180, 60), (270, 60), (180, 0)])
def test_turned_videos_of_people_who_walk_or_are_upside_down(turn, way, caplog):
    assert find_turn(seen_in(turn), Models(way)) == turn
    assert f'frames are turned by {turn} degrees' in caplog.text


def test_few_false_detections_do_not_show_that_a_group_stands():
    standing = make_person()
    turned = make_person()
    turned.keypoints[..., 1] *= -1
    group = turned.join(turned, turned)
    footage = seen_in(180)
    footage.people.people = [group.join(standing)] * 4 + [group] * 16
    assert find_turn(footage, Models(way=0)) == 180
    footage.people.people = [turned.join(standing)] * 20
    assert find_turn(footage, models=None) == 0


def test_who_may_lie_is_not_turned(caplog):
    for hidden in ([], [15, 16], [11, 12, 15, 16]):  # as behind a table, in close-ups
        caplog.clear()
        assert find_turn(seen_in(90), Models(10, 1, hidden)) == 0
        [line] = caplog.messages
        assert line.endswith('or the video is stored turned: then give rotate 90')


def test_who_lies_with_the_head_to_the_camera_is_not_turned(monkeypatch):
    """The trunk is short in the image, and the shoulders are as far apart as ever."""
    monkeypatch.setitem(HEIGHTS, 'hip', 0.3)
    assert find_turn(seen_in(180), Models(way=0)) == 0


def test_who_walks_on_hands_is_not_turned(caplog):
    assert find_turn(seen_in(180), Models(60, -1)) == 0
    assert 'people lie or are upside down, or' in caplog.text


def test_people_who_sit_upright_are_not_examined():
    person = make_person()
    person.keypoints[:, 15:] = person.keypoints[:, 11:13] + [40, 0]
    assert find_turn(seen_in(90, person), models=None) == 0


def test_close_ups_are_not_examined():
    person = make_person()
    person.scores[:, 11:] = 0.1  # hips and legs are not seen
    assert find_turn(seen_in(90, person), models=None) == 0


def test_videos_in_which_people_stand_at_first_are_not_examined():
    footage = seen_in(90)
    footage.people.people[:5] = [make_person()] * 5
    down = make_person()
    down.keypoints *= -1
    footage.people.people[5:] = [down] * 15
    assert find_turn(footage, models=None) == 0
