"""The virtual environment `.venv` with the pinned requirements."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from workspace import wheel_paths
from workspace.distribution import Distribution
from workspace.errors import WorkspaceError
from workspace.layout import Layout
from workspace.prerequisites import missing_packages, require, require_wheel_platform
from workspace.progress import run_step, say
from workspace.stamps import Stamp, digest

# An ordinary ROS 2 is compiled against its own NumPy; another one beside it could not load its messages.
FROM_ROS_INSTALLATION = ("numpy",)
_REPAIR_VERSION = "1"
_PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input")


def interpreter(layout: Layout) -> Path | None:
    """The Python the environment runs on, None where it is missing, or broken as after a system upgrade."""
    python = layout.venv_python
    if not (layout.venv / "pyvenv.cfg").is_file() or not python.exists():
        return None
    version = re.search(r"^version\s*=\s*(3\.\d+)", (layout.venv / "pyvenv.cfg").read_text(), re.MULTILINE)
    if version is None or not (layout.venv / "lib" / f"python{version[1]}").is_dir():
        return None
    return python.resolve()


def requirement_files(distribution: Distribution) -> list[Path]:
    names = ["ros.txt", "runtime.txt"] if distribution.wheels else ["runtime.txt"]
    return [distribution.layout.requirements / name for name in names]


def key(distribution: Distribution) -> str:
    """Digest of the inputs of the environment: checkout path, interpreter, distribution, pins."""
    layout = distribution.layout
    constraints = layout.requirements / "constraints.txt"
    parts = [str(layout.venv), str(interpreter(layout)), distribution.key, _REPAIR_VERSION]
    return digest([*parts, constraints, *requirement_files(distribution)])


def dev_key(distribution: Distribution) -> str:
    return digest([key(distribution), distribution.layout.requirements / "dev.txt"])


def ready(distribution: Distribution) -> bool:
    """True where `.venv` is complete for the present inputs."""
    layout = distribution.layout
    return interpreter(layout) is not None and _stamp(layout, "requirements").matches(key(distribution))


def ensure(distribution: Distribution) -> None:
    """Create or complete `.venv` unless it is complete."""
    if ready(distribution):
        return
    layout = distribution.layout
    stamp = _stamp(layout, "requirements")
    if layout.venv.exists() and (stamp.interrupted or not _usable(distribution)):
        say("the environment in .venv belongs to another place or is incomplete: making a new one")
        shutil.rmtree(layout.venv)
    created = not layout.venv.exists()
    if created:
        require(missing_packages())
        if distribution.wheels:
            require_wheel_platform()
    with stamp.during(lambda: key(distribution)):
        if created:
            _create(distribution)
        _install(distribution, "requirements", requirement_files(distribution))
        if distribution.wheels:
            wheel_paths.repair(layout.venv, include_folder(distribution))


def ensure_dev(distribution: Distribution) -> None:
    """Add the packages of tests and checks, unless they are installed."""
    stamp = _stamp(distribution.layout, "dev")
    if stamp.matches(dev_key(distribution)):
        return
    with stamp.during(lambda: dev_key(distribution)):
        _install(distribution, "test requirements", [distribution.layout.requirements / "dev.txt"])


def include_folder(distribution: Distribution) -> str:
    """Folder of the C headers of the environment's Python."""
    python = distribution.layout.venv_python
    question = "import sysconfig; print(sysconfig.get_path('include'))"
    answer = subprocess.run(
        [python, "-c", question], env=distribution.environment(os.environ),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if answer.returncode != 0:
        raise WorkspaceError(f"{python} does not start:\n{answer.stderr}")
    return answer.stdout.strip()


def _stamp(layout: Layout, step: str) -> Stamp:
    # Inside the environment, so that they vanish together.
    return Stamp(layout.venv / "qiki" / step)


def _usable(distribution: Distribution) -> bool:
    """True if an existing `.venv` can be completed in place: right path, right kind, working pip."""
    layout = distribution.layout
    if interpreter(layout) is None:
        return False
    settings = (layout.venv / "pyvenv.cfg").read_text()
    if ("include-system-site-packages = true" in settings) == distribution.wheels:
        return False
    question = "import sys, pip; print(sys.prefix); print(*sys.version_info[:2])"
    # Scripts carry the path they were made for in their first line.
    pip = layout.venv / "bin" / "pip"
    if not pip.is_file() or str(layout.venv).encode() not in pip.read_bytes()[:512]:
        return False
    answer = subprocess.run(
        [layout.venv_python, "-c", question], env=distribution.environment(os.environ),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return answer.returncode == 0 and answer.stdout.splitlines()[0] == str(layout.venv)


def _create(distribution: Distribution) -> None:
    layout = distribution.layout
    command = [sys.executable, "-m", "venv", str(layout.venv)]
    if not distribution.wheels:
        command.append("--system-site-packages")
    env = {name: value for name, value in os.environ.items() if name != "PYTHONHOME"}
    version = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    run_step(f"environment .venv (Python {version})", command, log=layout.logs / "venv.log", env=env, cwd=layout.root)
    (layout.venv / "COLCON_IGNORE").touch()


def _install(distribution: Distribution, title: str, files: list[Path]) -> None:
    layout = distribution.layout
    if not distribution.wheels:
        files = [without(path, FROM_ROS_INSTALLATION, layout.state / path.name) for path in files]
    command = [str(layout.venv_python), *_PIP, "install", "-c", str(layout.requirements / "constraints.txt")]
    for path in files:
        command += ["-r", str(path)]
    run_step(
        title, command, log=layout.logs / f"{title.replace(' ', '-')}.log",
        env=distribution.environment(os.environ), cwd=layout.root, item=pip_item,
    )  # fmt: skip


def pip_item(line: str) -> str | None:
    """The package in work by pip, from a line of its output."""
    if line.startswith("Installing collected packages"):
        return "installing"
    match = re.match(r"\s*(?:Collecting|Downloading|Building wheel for)\s+(\S+)", line)
    return match[1].rsplit("/", 1)[-1] if match else None


def without(path: Path, names: tuple[str, ...], target: Path) -> Path:
    """Copy a requirements file to `target` without the lines that pin one of `names`."""
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if re.split(r"[=<>\[; ]", line)[0].lower() not in names]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(kept) + "\n", encoding="utf-8")
    return target
