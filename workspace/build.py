"""Builds the packages with colcon, those alone whose inputs changed."""

import os
import re
import shutil
from collections.abc import Sequence

from workspace import environment, virtual_environment
from workspace.distribution import Distribution
from workspace.layout import Layout
from workspace.packages import BASE_PATHS, FOR_WHEELS, Package, find
from workspace.prerequisites import missing_packages, require
from workspace.progress import run_step
from workspace.stamps import FAILED, RUNNING, Stamp, digest

# colcon runs in the workspace's Python, so that the installed scripts start in it.
COLCON = "import sys; from colcon_core.command import main; sys.exit(main())"
_OPTIONS = ("--symlink-install",)
# rosidl writes about ten small files per message: compiled in batches, they cost a fraction.
_CMAKE = (
    "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_C_FLAGS_RELEASE=-O1 -DNDEBUG", "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG",
    "-DCMAKE_UNITY_BUILD=ON", "-DCMAKE_UNITY_BUILD_BATCH_SIZE=12", "-DBUILD_TESTING=OFF",
)  # fmt: skip
# The wheels carry no C++ tools; an ordinary ROS 2 does: rosbag2 and rviz load the C++ interfaces.
_CMAKE_WHEELS = ("-DQIKI_PYTHON_ONLY=ON",)
_STARTED = re.compile(r"^(?:Starting\s+>>>|Finished\s+<<<|Failed\s+<<<)\s+(\S+)")


def base_paths(distribution: Distribution) -> tuple[str, ...]:
    """Folders of the packages that are built."""
    return (*BASE_PATHS, FOR_WHEELS) if distribution.wheels else BASE_PATHS


def colcon(distribution: Distribution, verb: str, *arguments: str) -> list[str]:
    """A colcon command line over the packages; its log folders go to .qiki/log/colcon."""
    layout = distribution.layout
    python = str(layout.venv_python)
    command = [python, "-c", COLCON, "--log-base", str(layout.logs / "colcon"), verb]
    return [*command, "--base-paths", *base_paths(distribution), *arguments]


def colcon_item(line: str) -> str | None:
    """The package that colcon reports on, from a line of its output."""
    match = _STARTED.match(line)
    return match[1] if match else None


def outdated(distribution: Distribution) -> list[Package]:
    """The packages that have to be built."""
    layout = distribution.layout
    common = common_key(distribution)

    def done(package: Package) -> bool:
        made = all((folder / package.name).is_dir() for folder in (layout.build, layout.install))
        return made and stamp(layout, package.name).matches(package_key(package, common))

    return [package for package in find(layout, base_paths(distribution)) if not done(package)]


def ready(distribution: Distribution) -> bool:
    layout = distribution.layout
    return not outdated(distribution) and not _removed(distribution) and layout.environment_file.is_file()


def ensure(distribution: Distribution) -> None:
    """Build outdated packages, remove those that left the workspace, store the environment."""
    if ready(distribution):
        return
    layout = distribution.layout
    packages = outdated(distribution)
    if any(not package.python for package in packages):
        require(missing_packages(include=virtual_environment.include_folder(distribution)))
    for name in _removed(distribution):
        _forget(layout, name)
        stamp(layout, name).path.unlink()
    if packages:
        _build(distribution, packages)
    base = distribution.environment(os.environ)
    environment.compute(layout.install / "local_setup.bash", base).save(layout.environment_file)


def _build(distribution: Distribution, packages: Sequence[Package]) -> None:
    layout = distribution.layout
    common = common_key(distribution)
    for package in packages:
        interrupted = stamp(layout, package.name).interrupted
        names = _names_stamp(layout, package.name)
        # A changed list of files would leave stale links or modules; CMake alone may go on where it stopped.
        if package.python or interrupted or not names.matches(digest([common, *package.names()])):
            _forget(layout, package.name)
    keys = {package.name: package_key(package, common) for package in packages}
    layout.environment_file.unlink(missing_ok=True)
    for name in keys:
        stamp(layout, name).write(RUNNING)
    env = distribution.environment(os.environ)
    # Without it colcon adds a load limit, and on a busy machine one job runs at a time.
    env.setdefault("MAKEFLAGS", f"-j{len(os.sched_getaffinity(0))}")
    if distribution.wheels:
        env.setdefault("CMAKE_GENERATOR", "Ninja")  # comes as a wheel; make may be missing
    command = colcon(
        distribution, "build", *_OPTIONS, "--packages-select", *keys, "--event-handlers", "console_cohesion+",
        "--cmake-args", *cmake_arguments(distribution),
    )  # fmt: skip
    title = f"build of {len(keys)} package{'s' if len(keys) > 1 else ''}"
    try:
        run_step(title, command, log=layout.logs / "build.log", env=env, cwd=layout.root, item=colcon_item)
    except Exception:
        for name in keys:
            stamp(layout, name).write(FAILED)
        raise
    for package in packages:
        _names_stamp(layout, package.name).write(digest([common, *package.names()]))
        stamp(layout, package.name).write(keys[package.name])


def common_key(distribution: Distribution) -> str:
    """Digest of the inputs that all packages share."""
    return digest([virtual_environment.key(distribution), *_OPTIONS, *cmake_arguments(distribution)])


def cmake_arguments(distribution: Distribution) -> tuple[str, ...]:
    """Arguments of CMake for every package."""
    return _CMAKE + _CMAKE_WHEELS if distribution.wheels else _CMAKE


def package_key(package: Package, common: str) -> str:
    """Content of the stamp of a built package."""
    return digest([common, package.inputs()])


def stamp(layout: Layout, name: str) -> Stamp:
    """The stamp of a package's build."""
    return Stamp(layout.state / "stamps" / "build" / name)


def _names_stamp(layout: Layout, name: str) -> Stamp:
    return Stamp(layout.state / "stamps" / "names" / name)


def _removed(distribution: Distribution) -> list[str]:
    layout = distribution.layout
    present = {package.name for package in find(layout, base_paths(distribution))}
    folder = layout.state / "stamps" / "build"
    return sorted(path.name for path in folder.iterdir() if path.name not in present) if folder.is_dir() else []


def _forget(layout: Layout, name: str) -> None:
    for folder in (layout.build / name, layout.install / name):
        if folder.exists():
            shutil.rmtree(folder)
