"""Model cards: the header that the Hugging Face Hub reads."""

import pytest
import yaml

from mmhot.weights.index import WEIGHTS_FOLDER, shipped_weights

CARDS = sorted(WEIGHTS_FOLDER.glob('*.md'))
# Tasks of the hub, https://huggingface.co/tasks, and 'other'.
TASKS = {'keypoint-detection', 'object-detection', 'other'}


def test_all_weights_have_cards():
    stems = {card.stem for card in CARDS}
    assert set(shipped_weights()) <= stems
    assert all(list(WEIGHTS_FOLDER.glob(f'{stem}.[np][pt][hz]')) for stem in stems)


@pytest.mark.parametrize('card', CARDS, ids=lambda card: card.stem)
def test_card_has_the_header_of_the_hub_and_is_one_screen(card):
    start, header, text = card.read_text(encoding='utf-8').split('---\n', 2)
    assert start == ''
    fields = yaml.safe_load(header)
    assert fields['license'] == 'apache-2.0'
    assert 'Apache-2.0' in text
    assert fields['library_name'] == 'mmhot'
    assert fields['pipeline_tag'] in TASKS
    assert 'mmpose' in fields['tags']
    assert text.startswith(f'\n# {card.stem}\n')
    assert len(card.read_text(encoding='utf-8').split()) <= 500
