"""Commands end with one line where an argument or a file is wrong."""

import sys

import numpy as np
import pytest


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
