"""Settings that ``pyproject.toml`` cannot express; the others are there."""

from setuptools import Distribution, setup


class DistributionWithData(Distribution):
    """Distribution whose editable installs have data files, too."""

    def has_data(self) -> bool:
        """Answer the question of setuptools' editable installs."""
        return self.has_data_files()


# Python runs this file when it starts: it imports mmhot, and so installs its shims,
# before OpenMMLab's packages are imported, also in their own tools. The folder is the
# wheel format's name for site-packages, relative to that of data files.
setup(
    distclass=DistributionWithData,
    data_files=[('../purelib', ['mmhot/compat/mmhot.pth'])],
)
