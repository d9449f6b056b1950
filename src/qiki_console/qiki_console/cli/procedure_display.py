"""Progress of a procedure on a terminal, or as lines into a pipe."""

from types import TracebackType

from rich.live import Live

from qiki_console.model.procedure import Plan, Task
from qiki_console.model.progress import Ended, Progress, line
from qiki_node.terminal import make_console, printable


class ProcedureDisplay:
    """Shows a table that is kept up to date on a terminal, else a line for each beginning, output and end.

    A context manager; verbs may redirect standard output inside of it.
    """

    def __init__(self, plan: Plan) -> None:
        self._progress = Progress(plan)
        console = make_console(240)
        console.file = console.file  # this stream, also while standard output is redirected
        self._console = console
        self._live = (
            Live(
                console=console,
                get_renderable=self._progress.table,
                refresh_per_second=4,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            if console.is_terminal
            else None
        )

    def __enter__(self) -> "ProcedureDisplay":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None) -> None:
        if self._live:
            self._live.stop()

    def begin(self, task: Task) -> None:
        """A task begins."""
        self._progress.running, self._progress.detail = task.place, ""
        self._plain(f"{task.place}  {task.text}  …")

    def note(self, text: str) -> None:
        """Something about the task under way."""
        if text.strip():
            self._progress.detail = printable(text.strip())
            self._plain(f"  {printable(text.rstrip())}")

    def state(self, text: str) -> None:
        """The state of a wait, which replaces the one before."""
        self._progress.detail = printable(text)

    def end(self, task: Task, ended: Ended) -> None:
        """A task has ended."""
        ended = Ended(ended.outcome, printable(ended.reason), ended.elapsed)
        self._progress.ended[task.place] = ended
        self._progress.running = ""
        self._plain(line(task, ended))

    def _plain(self, text: str) -> None:
        if self._live is None:
            self._console.print(text, soft_wrap=True)
