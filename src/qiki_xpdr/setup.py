from setuptools import find_packages, setup

package_name = "qiki_xpdr"

setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    package_data={package_name: ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/" + package_name]),
        ("share/" + package_name, ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=True,
    maintainer="QIKI maintainers",
    maintainer_email="maintainers@users.noreply.github.com",
    description="Transponder, identification, tracks, spoofing by evidence, guard rules.",
    license="Apache-2.0",
    entry_points={
        "qiki.commands": ["keys = qiki_xpdr.cli.keys:keys"],
        "console_scripts": ["xpdr = qiki_xpdr.node:main"],
    },
)
