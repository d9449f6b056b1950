"""A recording to be played back: its files in their order, chosen by epoch, time and topic."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from qiki_eventstore.recording.folder import SUFFIX, is_recording, load, recordings_in
from qiki_eventstore.recording.metadata import RecordedFile
from qiki_eventstore.recording.reading import read_samples
from qiki_eventstore.recording.sample import RecordingError, Sample
from qiki_eventstore.recording.summary import TopicSummary, summarise


@dataclass(frozen=True)
class Recording:
    """One recording.

    Attributes:
        files: paths and facts, in the order in which they were recorded.
        topics: by name, those of unfinished files too.
    """

    files: tuple[tuple[Path, RecordedFile], ...]
    topics: Mapping[str, TopicSummary]

    @classmethod
    def open(cls, path: Path) -> "Recording":
        """The recording that is a folder, or one MCAP file.

        Raises:
            RecordingError: it is none; where the folder holds recordings, their names.
            FileNotFoundError: nothing is there.
        """
        if path.is_dir() and not is_recording(path) and (inside := [one.name for one in recordings_in(path)]):
            raise RecordingError(f"{path}: no recording, but a folder of them; allowed: one of {', '.join(inside)}")
        contents = load(path)
        folder = path if path.is_dir() else path.parent
        files = tuple((folder / one.name, one) for one in contents.files if (folder / one.name).exists())
        for file, facts in files:
            if not facts.finished and path.is_dir() and (path / "metadata.yaml").exists():
                contents = contents.with_file(facts, summarise(file))
        return cls(files, contents.topics)

    @property
    def epochs(self) -> list[int]:
        """Epochs of the recorder's clock, from 0; each but the first begins where the clock jumped back."""
        return sorted({facts.epoch for _, facts in self.files})

    def read(
        self,
        *,
        start: int | None = None,
        end: int | None = None,
        topics: Collection[str] = (),
        epoch: int | None = None,
    ) -> Iterator[Sample]:
        """Samples in the order in which they were recorded; arguments as for `read_samples`.

        Args:
            epoch: only this one; None for all, in their order, in each of which the times are looked for.

        Raises:
            RecordingError: a file is damaged, or is gone.
        """
        for path, facts in self.files:
            if epoch is not None and facts.epoch != epoch:
                continue
            if (
                facts.start is not None
                and facts.end is not None
                and ((start is not None and facts.end < start) or (end is not None and facts.start >= end))
            ):
                continue
            try:
                yield from read_samples(path, start=start, end=end, topics=topics)
            except FileNotFoundError as error:
                raise RecordingError(f"{path}: it was removed meanwhile") from error


def looks_like_recording(text: str) -> bool:
    """True for a path of a file or folder, in contrast to the name of a bot."""
    return text.endswith(SUFFIX) or "/" in text or Path(text).is_dir()
