"""Draws the tiny COCO-style dataset of ``tests/data/drawn_people``.

Mannequins in random poses with all 133 COCO-WholeBody keypoints.
``python tests/helpers/drawn_people.py`` writes images, ``annotations.json`` and
``detections.json`` (boxes with small errors).
"""

import json
from pathlib import Path

import cv2
import numpy as np

FOLDER = Path(__file__).parents[1] / 'data' / 'drawn_people'
SIZE = (360, 270)  # width, height
NUM_IMAGES = 4
PARTS = dict(
    keypoints=slice(0, 17),
    foot_kpts=slice(17, 23),
    face_kpts=slice(23, 91),
    lefthand_kpts=slice(91, 112),
    righthand_kpts=slice(112, 133),
)
SKINS = [(150, 180, 225), (95, 130, 180), (60, 85, 125), (170, 200, 240)]
CLOTHES = [(60, 60, 200), (180, 90, 40), (70, 150, 60), (40, 160, 210), (150, 60, 140)]


def pose(rng):
    """Joints (133, 2) of a frontal person of height one, hips at zero."""
    lean = rng.uniform(-0.25, 0.25)
    left, right = limbs(rng, lean), limbs(rng, lean)
    mirror = np.array([-1, 1])
    right = {part: points * mirror for part, points in right.items()}
    spine = rotated((0, -0.31), lean)
    for side, sign in ((left, 1), (right, -1)):
        shift = spine + rotated((sign * 0.11, 0.02), lean)
        for part in ('arm', 'hand'):
            side[part] = side[part] + shift
    head = spine + rotated((0, -0.115), lean)
    face = rotated(face_points(), lean + rng.uniform(-0.2, 0.2)) + head
    eyes = face[[42 + 1, 36 + 1]] * 0.5 + face[[42 + 4, 36 + 4]] * 0.5
    ears = face[[15, 1]] + rotated((0, -0.01), lean)
    arms = np.stack([left['arm'], right['arm']], 1).reshape(-1, 2)
    legs = np.stack([left['leg'], right['leg']], 1).reshape(-1, 2)
    body = np.concatenate([face[[30]], eyes, ears, arms, legs])
    feet = (left['foot'], right['foot'])
    return np.concatenate([body, *feet, face, left['hand'], right['hand']])


def limbs(rng, lean):
    """Left arm (3), hand (21), leg (3) and foot (3) joints; the arm starts at zero."""
    raised = rng.uniform(0.15, 2.6) - lean
    elbow = raised + rng.uniform(-0.3, 1.4)
    arm = chain((0, 0), [(0.16, raised), (0.145, elbow)])
    spread = elbow + np.linspace(-0.7, 0.6, 5)
    lengths = np.array([0.05, 0.075, 0.08, 0.075, 0.06])
    along = np.array([0.45, 0.65, 0.83, 1.0])[:, None]
    fingers = [
        arm[2] + along * direction(angle) * length
        for angle, length in zip(spread, lengths, strict=True)
    ]
    thigh = rng.uniform(-0.05, 0.5)
    shin = thigh + rng.uniform(-0.45, 0.1)
    leg = chain((0.065, 0), [(0.24, thigh), (0.23, shin)])
    foot = leg[2] + np.array([[0.045, 0.045], [0.06, 0.03], [-0.01, 0.03]])
    return dict(arm=arm, hand=np.concatenate([arm[2:], *fingers]), leg=leg, foot=foot)


def face_points():
    """The 68 points of an upright face, (68, 2) around its center."""
    jaw = np.linspace(-0.15 * np.pi, 1.15 * np.pi, 17)[::-1]
    outline = np.stack([0.062 * np.cos(jaw), 0.085 * np.sin(jaw)], -1)
    arch = np.linspace(0, np.pi, 5)
    brow = np.stack([-0.016 * np.cos(arch), -0.008 * np.sin(arch)], -1)
    nose = np.stack([np.zeros(4), np.linspace(-0.02, 0.015, 4)], -1)
    nostrils = np.stack([np.linspace(-0.012, 0.012, 5), np.full(5, 0.022)], -1)
    rim = np.pi - np.arange(6) * np.pi / 3
    eye = np.stack([0.013 * np.cos(rim), -0.006 * np.sin(rim)], -1)
    lips = [
        np.stack([width * np.cos(turn), -height * np.sin(turn)], -1) + (0, 0.047)
        for width, height, count in ((0.026, 0.012, 12), (0.018, 0.005, 8))
        for turn in [np.pi - np.arange(count) * 2 * np.pi / count]
    ]
    sides = np.array([[-0.027, -0.032], [0.027, -0.032]])
    brows, eyes = (brow + sides[:, None]), (eye + (sides + (0, 0.014))[:, None])
    flat = (part.reshape(-1, 2) for part in (brows, nose, nostrils, eyes))
    return np.concatenate([outline, *flat, *lips])


def direction(angle):
    """Unit vector; zero hangs down, positive angles point away from the body."""
    return np.array([np.sin(angle), np.cos(angle)])


def chain(start, bones):
    points = [np.array(start, float)]
    for length, angle in bones:
        points.append(points[-1] + length * direction(angle))
    return np.array(points)


def rotated(points, angle):
    cos, sin = np.cos(angle), np.sin(angle)
    return np.asarray(points) @ np.array([[cos, sin], [-sin, cos]])


def draw_person(image, joints, height, colors):
    """Draw a mannequin with joints (133, 2) in pixels."""
    skin, shirt, trousers, shoes = colors

    def line(ids, width, color):
        points = np.rint(joints[list(ids)] * 16).astype(int)
        thickness = max(1, round(width * height))
        cv2.polylines(image, [points], False, color, thickness, cv2.LINE_AA, 4)

    def fill(ids, color):
        points = np.rint(joints[list(ids)] * 16).astype(int)
        cv2.fillPoly(image, [points], color, cv2.LINE_AA, 4)

    for hip, feet in ((11, (17, 18, 19)), (12, (20, 21, 22))):
        line((hip, hip + 2, hip + 4), 0.07, trousers)
        fill(feet, shoes)
        line((feet[2], feet[0], feet[1]), 0.025, shoes)
    line((11, 12), 0.07, trousers)
    fill((5, 6, 12, 11), shirt)
    line((5, 6, 12, 11, 5), 0.05, shirt)
    for shoulder, hand in ((5, 91), (6, 112)):
        line((shoulder, shoulder + 2), 0.05, shirt)
        line((shoulder + 2, shoulder + 4), 0.04, skin)
        for finger in range(5):
            first = hand + 1 + 4 * finger
            line((hand, *range(first, first + 4)), 0.014, skin)
    draw_head(image, joints, height, skin, line, fill)


def draw_head(image, joints, height, skin, line, fill):
    center = joints[[3, 4]].mean(0)
    radius = round(0.07 * height * 16)
    hair = tuple(int(0.35 * x) for x in skin)
    middle = np.rint((center + (0, -0.02 * height)) * 16).astype(int)
    cv2.circle(image, middle, radius, hair, -1, cv2.LINE_AA, 4)
    fill(range(23, 40), skin)
    for eye in (59, 65):
        fill(range(eye, eye + 6), (250, 250, 250))
        line((eye + 1, eye + 4), 0.008, (60, 30, 20))
    for brow in (40, 45):
        line(range(brow, brow + 5), 0.008, hair)
    line((*range(50, 54), 56), 0.006, hair)
    fill(range(71, 83), (90, 90, 190))
    line(range(83, 88), 0.004, (50, 50, 120))


def background(rng):
    """A gradient with boxes."""
    width, height = SIZE
    ends = rng.uniform(90, 230, (2, 3))
    share = np.linspace(0, 1, height)[:, None, None]
    image = np.broadcast_to(ends[0] * (1 - share) + ends[1] * share, (height, width, 3))
    image = np.ascontiguousarray(image, np.uint8)
    for _ in range(5):
        x, y = (int(rng.uniform(0, end)) for end in SIZE)
        corner = (x + int(rng.uniform(20, 90)), y + int(rng.uniform(20, 90)))
        color = tuple(map(int, rng.uniform(60, 240, 3)))
        cv2.rectangle(image, (x, y), corner, color, -1)
    return image


def annotate(joints, identity, image_id):
    """COCO's annotation of joints (133, 2)."""
    inside = ((joints >= 0) & (joints < np.array(SIZE) - 1)).all(-1)
    labeled = np.where(inside[:, None], joints.round(2), 0)
    triplets = np.concatenate([labeled, 2 * inside[:, None]], 1)
    low, high = joints.min(0) - 4, joints.max(0) + 4
    low, high = low.clip(0), high.clip(None, np.array(SIZE) - 1)
    width, height = high - low
    flags = {f'{part}_valid': True for part in ('face', 'lefthand', 'righthand')}
    return dict(
        id=identity,
        image_id=image_id,
        category_id=1,
        iscrowd=0,
        num_keypoints=int(inside[PARTS['keypoints']].sum()),
        bbox=[round(float(x), 2) for x in (*low, width, height)],
        area=round(float(0.5 * width * height), 2),
        segmentation=[],
        foot_valid=True,
        **flags,
        **{name: triplets[part].ravel().tolist() for name, part in PARTS.items()},
    )


def make(seed=0):
    """Return images by file name, annotations and detections."""
    rng = np.random.default_rng(seed)
    images, annotations, detections = {}, [], []
    for image_id in range(1, NUM_IMAGES + 1):
        image = background(rng)
        for place in (0.27, 0.73):
            height = rng.uniform(190, 225)
            points = pose(rng)
            middle = (points.min(0) + points.max(0)) / 2
            shift = np.array(SIZE) * (place, 0.52) + rng.uniform(-8, 8, 2)
            joints = (points - middle) * height + shift
            colors = [SKINS[rng.integers(len(SKINS))]]
            colors += [CLOTHES[i] for i in rng.choice(len(CLOTHES), 3, replace=False)]
            draw_person(image, joints, height, colors)
            annotations.append(annotate(joints, len(annotations) + 1, image_id))
            box = np.array(annotations[-1]['bbox']) + rng.uniform(-3, 3, 4)
            detections.append(
                dict(
                    image_id=image_id,
                    category_id=1,
                    bbox=box.round(2).tolist(),
                    score=round(rng.uniform(0.8, 1.0), 3),
                )
            )
        images[f'{image_id:06}.png'] = image
    return images, as_coco(images, annotations), detections


def as_coco(images, annotations):
    """COCO's annotation file: images, people and the only category."""
    width, height = SIZE
    entries = [
        dict(id=index, file_name=name, width=width, height=height)
        for index, name in enumerate(images, 1)
    ]
    categories = [dict(id=1, name='person', supercategory='person')]
    return dict(images=entries, annotations=annotations, categories=categories)


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    images, annotations, detections = make()
    for name, image in images.items():
        cv2.imwrite(str(FOLDER / name), image, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    for name, content in (('annotations', annotations), ('detections', detections)):
        text = json.dumps(content, separators=(',', ':'))
        (FOLDER / f'{name}.json').write_text(text + '\n')


if __name__ == '__main__':
    main()
