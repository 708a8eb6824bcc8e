"""Choice of the 2D model of ``--pose2d auto``."""

import io
from types import MappingProxyType

import pytest

from mmhot.video.sources import mediapipe_pose, model_names
from mmhot.video.sources.model_names import choose_best
from mmhot.weights import downloads
from mmhot.weights.downloads import cached_file, download

RTMPOSE = 'rtmpose-m_8xb256-420e_body8-256x192'
OURS = 'gtpt-t_coco17_synth'


@pytest.fixture(autouse=True)
def network(monkeypatch, tmp_path):
    """Record downloads, into an empty folder; MediaPipe is installed."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setattr(mediapipe_pose, 'is_installed', lambda: True)
    urls = []

    def fetch(url, timeout):
        urls.append(url)
        return Response(b'weights')

    monkeypatch.setattr(downloads, 'urlopen', fetch)
    return urls


class Response(io.BytesIO):
    """Answer of a server that announced seven bytes."""

    headers = MappingProxyType({'Content-Length': '7'})


class User:
    """Answers questions, and records them."""

    def __init__(self, *answers):
        self.answers, self.questions = list(answers), []

    def __call__(self, question):
        self.questions.append(question)
        return self.answers.pop(0)


def test_nothing_is_downloaded_without_consent(network):
    assert choose_best() == OURS
    user = User(False, False)
    assert choose_best(user) == OURS
    assert all('Apache-2.0' in question for question in user.questions)
    assert len(user.questions) == 2
    assert network == []


def test_downloaded_models_are_kept(network):
    assert choose_best(User(True)) == RTMPOSE
    assert [url.rpartition('/')[2][:8] for url in network] == ['rtmpose-', 'rtmdet_m']
    assert choose_best() == RTMPOSE
    assert len(network) == 2


def test_mediapipe_is_the_second_choice():
    assert choose_best(User(False, True)) == 'mediapipe'
    assert choose_best() == 'mediapipe'


def test_without_mmpose_its_models_are_not_offered(monkeypatch):
    find = model_names.importlib.util.find_spec
    hide = lambda name: None if name in ('mmpose', 'mmdet') else find(name)  # noqa: E731
    monkeypatch.setattr(model_names.importlib.util, 'find_spec', hide)
    user = User(False)
    assert choose_best(user) == OURS
    assert "MediaPipe's Pose Landmarker" in user.questions[0]


def test_a_failed_download_leaves_the_next_model(monkeypatch, caplog):
    def offline(url, timeout):
        raise OSError('no route\nto host')

    monkeypatch.setattr(downloads, 'urlopen', offline)
    assert choose_best(User(True, True)) == OURS
    assert 'rtmpose' in caplog.messages[0]
    assert caplog.messages[0].endswith('cannot be downloaded (no route to host)')
    with pytest.raises(ValueError, match=r'b\.pth cannot be downloaded .*: give it'):
        download('https://a/b.pth', ': give it')
    assert not cached_file('https://a/b.pth').exists()
