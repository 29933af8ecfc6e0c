"""The tritonserver that the nvidia-pytriton wheel brings, laid out so that it starts.

The wheel holds NVIDIA's own binary, its libraries and the Python backend, but not in the places
where tritonserver looks for them (docs/decisions/0003).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

from osteoserve_preprocessing.errors import TritonStartError

BACKENDS = Path(__file__).with_name("backends")


@dataclass(frozen=True)
class TritonDistribution:
    """Where the wheel's files are.

    Args:
        server: The tritonserver binary.
        libraries: Folder of the shared libraries that came with it.
        python_backend: Folder of libtriton_python.so.
        stub: The program that runs Python models, for this version of Python.
    """

    server: Path
    libraries: Path
    python_backend: Path
    stub: Path

    @classmethod
    def find(cls) -> TritonDistribution:
        """Find the wheel in this environment, and check that it can run here.

        Raises:
            TritonStartError: It is absent, has nothing for this version of Python, lacks a
                shared library, or NumPy is one with which it answers zeros.
        """
        root = _site_packages()
        triton = root / "pytriton" / "tritonserver"
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        found = cls(
            server=triton / "bin" / "tritonserver",
            libraries=root / "nvidia_pytriton.libs",
            python_backend=triton / "backends" / "python",
            stub=triton / "python_backend_stubs" / python / "triton_python_backend_stub",
        )
        for path in (found.server, found.libraries, found.python_backend, found.stub):
            if not path.exists():
                raise TritonStartError(f"nvidia-pytriton has no {path.name} for Python {python}")
        if not (_interpreters() / "python3").exists():
            raise TritonStartError(f"no python3 beside {sys.executable}, where Triton looks for it")
        check_numpy(version("numpy"))
        found._check_libraries()
        return found

    def lay_out(self, directory: Path) -> None:
        """Fill a backend directory with the Python backend and ours."""
        python = directory / "python"
        compiled = shutil.ignore_patterns("__pycache__")
        # A copy, since tritonserver refuses a library whose real path lies elsewhere.
        shutil.copytree(self.python_backend, python, ignore=compiled)
        (python / self.stub.name).symlink_to(self.stub)
        shutil.copytree(BACKENDS, directory, dirs_exist_ok=True, ignore=compiled)

    def environment(self) -> dict[str, str]:
        """Environment variables for tritonserver.

        The stub takes its site-packages from the first python3 on PATH, so that is this one.
        """
        inherited = {key: text for key, text in os.environ.items() if not key.startswith("PYTHON")}
        folders = [str(self.libraries), *_python_library_folders()]
        if "LD_LIBRARY_PATH" in inherited:
            folders.append(inherited["LD_LIBRARY_PATH"])
        search = [str(_interpreters()), inherited.get("PATH", os.defpath)]
        return {
            **inherited,
            "PATH": os.pathsep.join(search),
            "LD_LIBRARY_PATH": os.pathsep.join(folders),
        }

    def _check_libraries(self) -> None:
        missing = missing_libraries(self.stub, self.environment())
        if missing:
            name = missing[0]
            package = name.removesuffix(".so.1.0")
            raise TritonStartError(
                f"{name} is missing, which Triton's Python backend needs; on Debian or Ubuntu: "
                f"apt-get install {package}"
            )


def check_numpy(found: str) -> None:
    """Refuse a version of NumPy with which Triton answers zeros, without any error.

    Raises:
        TritonStartError: It is 2 or newer.
    """
    if int(found.split(".")[0]) >= 2:
        raise TritonStartError(
            f"numpy {found}: with numpy 2 this Triton answers zeros; pip install 'numpy<2'"
        )


def missing_libraries(program: Path, environment: dict[str, str]) -> list[str]:
    """Names of the shared libraries that a program needs and this machine lacks.

    Empty, too, where there is no ``ldd`` to ask.
    """
    ldd = shutil.which("ldd")
    if ldd is None:
        return []
    listing = subprocess.run(
        [ldd, str(program)], env=environment, capture_output=True, text=True, check=False
    )
    return [
        line.split()[0] for line in listing.stdout.splitlines() if line.endswith("=> not found")
    ]


def _site_packages() -> Path:
    try:
        return Path(str(distribution("nvidia-pytriton").locate_file("")))
    except PackageNotFoundError as error:
        raise TritonStartError(
            "nvidia-pytriton is not installed: pip install 'osteoserve[service]'"
        ) from error


def _interpreters() -> Path:
    return Path(sys.executable).parent


def _python_library_folders() -> list[str]:
    folders = [str(Path(sys.prefix) / "lib"), sysconfig.get_config_var("LIBDIR")]
    return [folder for folder in folders if folder]
