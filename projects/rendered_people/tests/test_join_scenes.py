"""Folders of rendered scenes joined in one file."""

import json

from projects.rendered_people.join_scenes import join


def test_scenes_are_joined(tmp_path):
    for folder, first in (('images_seed0_00', 1), ('images_seed0_01', 1)):
        (tmp_path / folder).mkdir()
        number = int(folder[-1])
        person = dict(
            id=1,
            image_id=first + 1,
            category_id=1,
            bbox=[number, 2, 3, 4],
            area=12,
            iscrowd=0,
            keypoints=[0] * 51,
        )
        scenes = dict(
            images=[dict(id=first + n, file_name=f'{n}.webp') for n in range(2)],
            annotations=[person],
            categories=[dict(id=1, name='person')],
        )
        (tmp_path / folder / 'annotations.json').write_text(json.dumps(scenes))
    joined = join(tmp_path)
    assert [image['id'] for image in joined['images']] == [1, 2, 3, 4]
    assert joined['images'][2]['file_name'] == 'images_seed0_01/images/0.webp'
    people = joined['annotations']
    assert [(each['id'], each['image_id']) for each in people] == [(1, 2), (2, 4)]
    assert [each['bbox'][0] for each in people] == [0, 1]
    assert all('keypoints' not in each for each in people)
