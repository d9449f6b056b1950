from collections import defaultdict
from pathlib import Path

from setuptools import setup

package_name = "qiki_bringup"


def data_files():
    """Launch files, `config/` and `rviz/`, each in its own folder under the package's share folder."""
    folders = defaultdict(list)
    for pattern in ("*.launch.yaml", "config/**/*", "rviz/*"):
        for path in sorted(Path().glob(pattern)):
            if path.is_file():
                folders[str(Path("share", package_name, path.parent))].append(str(path))
    return list(folders.items())


setup(
    name=package_name,
    version="0.1.0",
    packages=[],
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/" + package_name]),
        ("share/" + package_name, ["package.xml"]),
        *data_files(),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=True,
    maintainer="QIKI maintainers",
    maintainer_email="maintainers@users.noreply.github.com",
    description="Launch files, vehicles, scenarios and the RViz view of QIKI.",
    license="Apache-2.0",
)
