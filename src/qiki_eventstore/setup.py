from setuptools import find_packages, setup

package_name = "qiki_eventstore"

setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    package_data={package_name: ["py.typed"], f"{package_name}.postgres": ["migrations/*.sql"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/" + package_name]),
        ("share/" + package_name, ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=True,
    maintainer="QIKI maintainers",
    maintainer_email="maintainers@users.noreply.github.com",
    description="Event store: nothing acknowledged is ever lost, any past state can be rebuilt.",
    license="Apache-2.0",
    entry_points={
        "qiki.commands": [
            "events = qiki_eventstore.cli.events:events",
            "recordings = qiki_eventstore.cli.recordings:recordings",
            "replay = qiki_eventstore.cli.replay:replay",
            "state = qiki_eventstore.cli.state:state",
        ],
        "console_scripts": [
            "eventstore = qiki_eventstore.node:main",
            "recorder = qiki_eventstore.ros.recorder_node:main",
        ],
    },
)
