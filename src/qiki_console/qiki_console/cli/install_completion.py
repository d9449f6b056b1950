"""`qiki --install-completion`: completion of verbs, options, bots, topics and nodes in bash, zsh and fish."""

import os
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from qiki_node.errors import CommandError, RefusedError
from qiki_node.terminal import echo

VARIABLE = "_QIKI_COMPLETE"
"""Environment variable by which the shell's function asks for completions."""

SHELLS = ("bash", "zsh", "fish")


def install_completion(ctx: click.Context, _parameter: click.Parameter, shell: str | None) -> None:
    """Write the shell's function for `qiki` and `./qiki` into the home directory, and end."""
    if shell is None or ctx.resilient_parsing:
        return
    if shell == "auto":
        shell = Path(os.environ.get("SHELL", "")).name
        if shell not in SHELLS:
            raise RefusedError(f"SHELL: {shell!r} is not known; allowed: {', '.join(SHELLS)}", "name one of them")
    found = get_completion_class(shell)
    assert found is not None
    source = found(ctx.command, {}, "qiki", VARIABLE).source()
    try:
        path = _write(shell, Path.home(), source)
    except (OSError, RuntimeError) as error:  # there is no home, or it cannot be written
        raise CommandError(f"completion is not installed: {error}") from error
    echo(f"completion for {shell} in {path}; it works in a new shell")
    ctx.exit()


def _write(shell: str, home: Path, source: str) -> Path:
    files = {"bash": ".bash_completions/qiki.sh", "zsh": ".zfunc/_qiki", "fish": ".config/fish/completions/qiki.fish"}
    path = home / files[shell]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")
    # fish finds its file by itself.
    if shell == "bash":
        _append(home / ".bashrc", f"source '{path}'")
    elif shell == "zsh":
        _append(home / ".zshrc", f"fpath+=('{path.parent}'); autoload -Uz compinit; compinit")
    return path


def _append(file: Path, line: str) -> None:
    """Append a line, once."""
    text = file.read_text(encoding="utf-8", errors="surrogateescape") if file.exists() else ""
    if line not in text.splitlines():
        with file.open("a", encoding="utf-8") as stream:
            stream.write(f"{'' if text.endswith(chr(10)) or not text else chr(10)}{line}\n")
