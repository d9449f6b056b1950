"""A group of verbs that answers a typing error with the verbs that there are. No ROS in here."""

import click

from qiki_node.errors import UnknownNameError


class VerbGroup(click.Group):
    """`@click.group(cls=VerbGroup)`: a verb that is not there is refused with those that are, the closest first."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and not ctx.resilient_parsing and name not in self.list_commands(ctx):
            raise UnknownNameError("verb", name, self.list_commands(ctx), f"{ctx.command_path} --help explains them")
        return super().resolve_command(ctx, args)
