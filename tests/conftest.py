"""Builders and rules shared by all tests."""

import os

# One thread a process: the tests are small, and machines are shared.
os.environ.setdefault('OMP_NUM_THREADS', '1')
