"""Settings of operators, kept for the next process of the node."""

from pathlib import Path

from qiki_allocator.checks import RefusalError
from qiki_allocator.flight.settings import Settings
from qiki_allocator.flight.settings_file import SettingsFile
from qiki_allocator.ros.host import Host
from qiki_node.health import Health, Level
from qiki_vehicle import ConfigurationError


class KeptSettings:
    """Restores the settings of operators once, then keeps each change before its request is answered.

    Args:
        folder: of the file; empty: nothing outlives the process.
        name: of the file.
    """

    def __init__(self, node: Host, folder: str, name: str) -> None:
        self._node = node
        self._file = SettingsFile(Path(folder) / f"{name}.json", node.own.drive.array) if folder else None
        self._restored = "nothing"
        self._lost = self._unwritten = ""
        if self._file is not None:
            self._restore(self._file)
        self._kept = node.own.settings.now

    def _restore(self, file: SettingsFile) -> None:
        core = self._node.own
        try:
            kept = file.read()
            if kept is not None and kept.settings != Settings():
                core.settings.restore(_shifted(kept.settings, -self._node.time.ahead), kept.stamp)
        except (ConfigurationError, RefusalError) as error:
            self._lose(" ".join(str(error).splitlines()))
            core.journal.restart(f"start; settings of operators lost: {self._lost}")
            return
        if kept is None:
            return
        if kept.is_outdated:
            self._lose("later changes could not be written")
        if kept.settings == Settings():
            return
        self._restored = str(kept.settings)
        self._node.log.warning("settings of operators restored", settings=self._restored, stamp=kept.stamp)

    def _lose(self, reason: str) -> None:
        self._lost = reason
        self._node.log.warning("settings of operators lost", reason=reason)

    def keep(self) -> None:
        """Write the settings if they have changed."""
        core = self._node.own.settings
        if core.lost and core.lost != self._lost:
            self._lose(core.lost)
        if core.now != self._kept:
            self._kept = core.now
            self._write()

    def _write(self) -> None:
        if self._file is None:
            return
        before, self._unwritten = self._unwritten, ""
        try:
            ahead = self._node.time.ahead
            self._file.write(_shifted(self._kept, ahead), self._node.seconds() + ahead)
        except OSError as error:
            self._unwritten = str(error)
            if not before:
                self._node.log.error("settings of operators cannot be kept", reason=self._unwritten)

    def health(self) -> Health:
        """Health of the file; called every second, it writes again after a failure, and renews the stamp of an attitude
        mode: a clock that shows less was set back."""
        if self._unwritten or (self._kept.target is not None and self._node.clock_runs):
            self._write()
        where = "nowhere: settings_folder is empty" if self._file is None else str(self._file.path)
        values = {"settings": str(self._kept), "kept in": where, "restored": self._restored}
        would_forget = f"a restart would forget: {self._kept}"
        if self._unwritten:
            return Health(Level.WARN, f"{would_forget}: {self._unwritten}", values)
        if self._lost:
            return Health(Level.WARN, f"settings of operators lost: {self._lost}", values)
        if self._file is None and self._kept != Settings():
            return Health(Level.WARN, would_forget, values)
        return Health(Level.OK, "not kept" if self._file is None else "kept", values)


def _shifted(settings: Settings, ahead: float) -> Settings:
    """Settings whose times are those of a clock that is ahead by some s."""
    if settings.turning is None:
        return settings
    turn, since = settings.turning
    return settings._replace(turning=(turn, since + ahead))
