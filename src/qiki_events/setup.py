"""Build of the package. `*_pb2.py` and `*_pb2.pyi` are made of the `.proto` files here, by every way to install it."""

import tempfile
from pathlib import Path
from typing import ClassVar

from setuptools import Command, find_packages, setup
from setuptools.command.build_py import build_py
from setuptools.command.develop import develop

package_name = "qiki_events"
PROTO = Path(package_name, "proto")


def compile_protos(target: Path) -> None:
    """Put the modules of all `.proto` files into target/qiki_events/proto.

    Each file is replaced in one step and only if it differs, so that builds at the same time, and processes that import
    the modules meanwhile, see whole files. Modules whose `.proto` file is gone are removed.
    """
    import grpc_tools
    from grpc_tools import protoc

    protos = sorted(str(path) for path in PROTO.glob("*.proto"))
    folder = target / PROTO
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".protoc-", dir=folder) as scratch:
        wellknown = Path(grpc_tools.__file__).parent / "_proto"
        options = [f"-I{wellknown}", "-I.", f"--python_out={scratch}", f"--pyi_out={scratch}"]
        if protoc.main(["protoc", *options, *protos]) != 0:
            raise SystemExit("protoc failed: see above")
        made = {path.name: path for path in Path(scratch, PROTO).iterdir()}
        for name, fresh in made.items():
            old = folder / name
            if not (old.is_file() and old.read_bytes() == fresh.read_bytes()):
                fresh.replace(old)
    for stale in [*folder.glob("*_pb2.py"), *folder.glob("*_pb2.pyi")]:
        if stale.name not in made:
            stale.unlink(missing_ok=True)


class BuildProtos(Command):
    """`setup.py build_protos`: into the source folder, as an installation with symbolic links needs them."""

    description = "compile the .proto files in place"
    user_options: ClassVar[list[tuple[str, str, str]]] = []

    def initialize_options(self) -> None:
        pass

    def finalize_options(self) -> None:
        pass

    def run(self) -> None:
        compile_protos(Path())


class BuildPy(build_py):
    def run(self) -> None:
        if self.editable_mode:
            compile_protos(Path())
        super().run()
        if not self.editable_mode:
            compile_protos(Path(self.build_lib))


class Develop(develop):
    """The command of colcon with --symlink-install, in a folder where the package is a link to the source."""

    def run(self) -> None:
        if not self.uninstall:
            self.run_command("build_protos")
        super().run()


setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    package_data={
        package_name: ["py.typed"],
        f"{package_name}.proto": ["*.proto", "*.pyi"],
    },
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/" + package_name]),
        ("share/" + package_name, ["package.xml"]),
    ],
    cmdclass={"build_protos": BuildProtos, "build_py": BuildPy, "develop": Develop},
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=True,
    maintainer="QIKI maintainers",
    maintainer_email="maintainers@users.noreply.github.com",
    description="The types of events of QIKI: schemas, versions, JSON mapping, projections.",
    license="Apache-2.0",
)
