"""Choice of the 2D model of ``--pose2d auto``."""

import pytest

from mmhot.video.sources import model_names
from mmhot.video.sources.model_names import choose_best, find_detector, find_pose_model
from mmhot.video.sources.pose_source import open_pose_source
from mmhot.weights import downloads
from mmhot.weights.downloads import cached_file

RTMPOSE = 'rtmpose-m_8xb256-420e_body8-256x192'
OURS = 'gtpt-t_coco17_synth'


@pytest.fixture
def keep(monkeypatch, tmp_path):
    """Put files of URLs into an empty cache, without network."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setattr(downloads, 'urlopen', None)

    def write(*urls):
        for url in urls:
            cached_file(url).parent.mkdir(parents=True, exist_ok=True)
            cached_file(url).write_bytes(b'weights')

    return write


def test_the_best_model_that_needs_no_download_is_chosen(keep, monkeypatch):
    assert choose_best() == OURS
    keep(find_pose_model(RTMPOSE).weights)
    assert choose_best() == OURS
    keep(find_detector('human').weights)
    assert choose_best() == RTMPOSE
    find = model_names.importlib.util.find_spec
    hide = lambda name: None if name in ('mmpose', 'mmdet') else find(name)  # noqa: E731
    monkeypatch.setattr(model_names.importlib.util, 'find_spec', hide)
    assert choose_best() == OURS


def test_weights_need_the_name_of_their_model(keep):
    with pytest.raises(ValueError, match=r'pose2d_weights is a\.pth, .* not auto'):
        open_pose_source('auto', 'a.pth')
