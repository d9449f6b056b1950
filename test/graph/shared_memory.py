"""The shared memory that Fast DDS uses for the nodes of a graph."""

from contextlib import suppress
from pathlib import Path

SHARED = Path("/dev/shm")


def mapped(pid: int) -> set[str]:
    """Names of the shared memory that a process has mapped or open; empty when it is gone."""
    names: set[str] = set()
    with suppress(OSError):
        names |= {
            line.rpartition("/dev/shm/")[2].strip()
            for line in Path(f"/proc/{pid}/maps").read_text().splitlines()
            if "/dev/shm/" in line
        }
        for link in Path(f"/proc/{pid}/fd").iterdir():
            target = str(link.readlink())
            if target.startswith("/dev/shm/"):
                names.add(target.removeprefix("/dev/shm/"))
    return names


def owned(pid: int) -> dict[str, int]:
    """Inodes, by name, of the shared memory that a process owns: that of which it holds the exclusive lock.

    By inode: a process that has not noticed a death yet may make another port of the same name, to send to it.
    """
    names = mapped(pid)
    owned = {name for name in names if f"{name.removesuffix('_el')}_el" in names}
    return {name: inode for name in owned if (inode := inode_of(name)) is not None}


def inode_of(name: str) -> int | None:
    """None where there is none of that name."""
    try:
        return (SHARED / name).stat().st_ino
    except FileNotFoundError:
        return None
