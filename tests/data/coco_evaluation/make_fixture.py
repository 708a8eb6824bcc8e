"""Draw people at random and evaluate them with xtcocotools 1.14.3.

In the root of the repository, with NumPy 1, xtcocotools, pycocotools and pytest:

    PYTHONPATH=. python tests/data/coco_evaluation/make_fixture.py
"""

import importlib.metadata
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
NUM_KEYPOINTS = 133
PARTS = np.cumsum([17, 6, 68, 21])


def draw(rng):
    """Draw 30 people in 8 images, one of them empty, and what a detector might say."""
    people = {name: [] for name in ('image', 'box', 'area', 'crowd', 'keypoints')}
    for image in np.sort(np.r_[rng.integers(0, 7, 27), [0, 0, 0]]):
        size = np.array([3, 7]) * rng.choice([3, 9, 20, 50])
        corner = rng.integers(0, 600, 2)
        xy = corner + rng.uniform(0, 1, (NUM_KEYPOINTS, 2)) * size
        visible = rng.choice(3, NUM_KEYPOINTS, p=[0.2, 0.3, 0.5])
        for part in np.split(visible, PARTS):
            part[:] *= rng.random() > 0.15
        people['image'].append(image)
        people['box'].append([*corner, *size])
        people['area'].append(int(size.prod() * rng.uniform(0.3, 0.9)))
        people['crowd'].append(rng.random() < 0.1)
        people['keypoints'].append(np.c_[xy, visible])

    results = {name: [] for name in ('image', 'box', 'score', 'keypoints')}

    def detect(image, person, noise):
        box, keypoints = people['box'][person], people['keypoints'][person].copy()
        keypoints[:, :2] += rng.normal(0, noise, (NUM_KEYPOINTS, 2)) * max(box[2:])
        keypoints[:, 2] = rng.uniform(1, 100, NUM_KEYPOINTS)
        for part in np.split(keypoints[:, 2], PARTS):
            part *= rng.random() > 0.05
        results['image'].append(image)
        results['box'].append(box + rng.integers(-2, 3, 4) * [1, 1, 0, 0])
        results['score'].append(rng.integers(0, 11, 6) * 10)  # ties
        results['keypoints'].append(keypoints)

    for person, image in enumerate(people['image']):
        for _ in range(rng.integers(1, 3)):
            detect(image, person, rng.choice([0, 0.01, 0.03, 0.06]))
    for _ in range(22):  # more than count
        detect(people['image'][0], rng.integers(0, 3), 0.05)
    for image in range(8):
        detect(image, rng.integers(0, 30), 0.05)
    return people, results


def main():
    """Write people.npz and reference.json."""
    assert importlib.metadata.version('xtcocotools') == '1.14.3'
    sys.path.insert(0, str(FOLDER.parents[1] / 'compat'))
    people, results = draw(np.random.default_rng(5))
    arrays = {
        f'{kind}_{name}': np.array(values).astype(np.int32)
        for kind, drawn in (('truth', people), ('result', results))
        for name, values in drawn.items()
    }
    np.savez_compressed(FOLDER / 'people.npz', **arrays)
    import test_coco_evaluation as test
    from xtcocotools import coco, cocoeval

    with tempfile.TemporaryDirectory() as folder:
        reference = {
            name: list(test.evaluate(case, coco.COCO, cocoeval.COCOeval, Path(folder)))
            for name, case in test.CASES.items()
        }
    text = json.dumps(reference, indent=1).replace(',\n  ', ', ').replace('[\n  ', '[')
    (FOLDER / 'reference.json').write_text(text.replace('\n ]', ']') + '\n')


if __name__ == '__main__':
    main()
