"""Memory that was freed is used again."""

import subprocess
import sys

import pytest

_COUNT = """
import resource, sys
from tools.runner import keep_freed_memory
if sys.argv[1] == 'keep' and not keep_freed_memory():
    sys.exit('not with this C library')
for _ in range(2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = bytearray(b'1') * 2**26
    del block
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _faults(what):
    done = subprocess.run(
        [sys.executable, '-c', _COUNT, what], capture_output=True, text=True
    )
    if 'not with this C library' in done.stderr:
        pytest.skip('needs the GNU C library')
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.slow(reason='starts two processes, 20 s')
def test_freed_memory_is_not_cleared_again():
    assert 10 * _faults('keep') < _faults('usual')
