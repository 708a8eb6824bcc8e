"""Page of ``make demo``."""

from pathlib import Path

import numpy as np

from mmhot.video.inputs import open_inputs
from mmhot.visualization.video_encoding import open_video
from tools.lab.demo_page import Section, show_swaps, write_page, write_return


def test_tables_link_their_files():
    table = [('file', 'note'), ('a<b.bvh', 'x & y')]
    files = [Path('out/a<b.bvh'), Path('out/c.glb')]
    page = write_page([Section('Files', 'All.', table, files, [Path('out/d.png')])])
    assert '<tr><th>file</th><th>note</th></tr>' in page
    link = '<a href="a&lt;b.bvh">a&lt;b.bvh</a>'
    assert f'<tr><td>{link}</td><td>x &amp; y</td></tr>' in page
    assert page.count(link) == 1
    assert '<a href="c.glb">c.glb</a>' in page
    assert '<img src="d.png"' in page


def test_person_returns_to_an_empty_scene(tmp_path):
    with open_video(tmp_path / 'a.mp4', 10) as video:
        for index in range(20):
            image = np.full((64, 96, 3), 40, np.uint8)
            image[20:40, 4 * index : 4 * index + 12] = 220
            video.write(image)
    write_return(tmp_path / 'a.mp4', tmp_path / 'b.mp4')
    [source] = open_inputs([str(tmp_path / 'b.mp4')])
    brightest = [int(frame.image.max()) for frame in source]
    assert len(brightest) == 20 + 30
    assert min(brightest[:10]) > 190
    assert min(brightest[40:]) > 190
    assert max(brightest[10:40]) < 60


def test_exchanged_frames_are_counted(tmp_path):
    section = show_swaps(tmp_path)
    assert section.text == "Sides are exchanged back in 10 of the skater's 185 frames."
    before, after = (float(row[1].split()[0]) for row in section.table[1:])
    assert after < before
    assert section.files[0].is_file()
