"""Commands end with one line where an argument or a file is wrong."""

import importlib
import sys

import numpy as np
import pytest


@pytest.mark.parametrize(
    ('command', 'message'),
    [
        ('pack_people none.json images/ out.npz', 'none.json'),
        ('pack_people a.json images/ out.npz --size 0 9', '--size must be from 1'),
        ('pack_scenery nothing.tgz out.npz', 'nothing.tgz does not exist'),
        ('pack_scenery . out.npz', 'has no panoramas'),
        ('pack_scenery text.npz out.npz', 'text.npz must be a folder of panoramas or'),
        ('join_scenes .', 'has no folder with annotations.json'),
        ('train_2d work', 'nothing to train with: give --shards or --render'),
        ('train_2d work --render 2', '--render needs --motions'),
        ('train_2d work --shards no.npz', '--shards: no.npz does not exist'),
        ('evaluate_2d --dataset Some a.json . --limit 0', '--limit must be at least 1'),
        (
            'evaluate_2d --pose2d gtpt-t --dataset CocoDataset none.json .',
            'none.json does not exist',
        ),
        (
            'evaluate_2d --pose2d gtpt-t --dataset Some a.json . --fit-confidence',
            'has a score_curve already',
        ),
        ('evaluate_detector', 'give labeled --images or a --video'),
        ('evaluate_detector --images none.json . --pose2d gtpt-t', 'none.json'),
        ('render.__main__ out --motions flat.npz --lying 2', '--lying must be from 0'),
        ('render.__main__ out --motions flat.npz --tables 0.6 --close 0.5', 'got 1.1'),
    ],
)
def test_wrong_arguments_get_one_line(command, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'text.npz').write_text('text')
    before = sorted(tmp_path.iterdir())
    name, *arguments = command.split()
    module = importlib.import_module(f'projects.rendered_people.{name}')
    monkeypatch.setattr(sys, 'argv', [name, *arguments])
    with pytest.raises(SystemExit) as stopped:
        module.main()
    printed = capsys.readouterr().err
    assert message in f'{stopped.value} {printed}'
    assert stopped.value.code
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.slow(reason='imports anny')
@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ('--motions flat.npz', 'clip walk must be (T, 17, 3), got (9, 17, 2)'),
        ('--motions walk.npz --without-clips S9', "no clip starts with 'S9'"),
        ('--motions walk.npz --without-clips wa', 'are excluded'),
        ('--motions walk.npz --panoramas nowhere.tgz', 'nowhere.tgz does not exist'),
    ],
)
def test_motions_and_panoramas_are_checked(arguments, message, tmp_path, monkeypatch):
    pytest.importorskip('anny')
    from projects.rendered_people.render.__main__ import main

    np.savez(tmp_path / 'flat.npz', walk=np.zeros((9, 17, 2)))
    np.savez(tmp_path / 'walk.npz', walk=np.zeros((9, 17, 3)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'argv', ['render', 'out', *arguments.split()])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert message in str(stopped.value)
    assert not (tmp_path / 'out').exists()
