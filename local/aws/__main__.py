"""Starts the local AWS in the foreground: ``python -m aws --port PORT --directory DIR``."""

import argparse
import importlib.metadata
import os
import signal
import sys
from pathlib import Path

from aws import MINISTACK_VERSION

WITHOUT = "SEPTET_LOCAL_WITHOUT"


def refuse_other_versions() -> None:
    """Exits unless the installed ministack is the one the behaviours were written against."""
    try:
        found = importlib.metadata.version("ministack")
    except importlib.metadata.PackageNotFoundError:
        found = "none"
    if found != MINISTACK_VERSION:
        sys.exit(
            f"local AWS: needs ministack {MINISTACK_VERSION}, found {found}\n"
            "hint: install local/requirements-aws.txt, or run `make up`, which does"
        )


def prepare_environment(port: int, directory: Path) -> None:
    """Sets what ministack reads from the environment while it is imported.

    ``tempfile`` caches its directory, so this must come before any import of ministack.
    """
    temporary = directory / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    os.environ.update(
        {
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LAMBDA_EXECUTOR": "local",
            # A socket that does not exist: ministack never talks to a Docker that happens to run here.
            "DOCKER_HOST": f"unix://{directory}/no-docker.sock",
            "TMPDIR": str(temporary),
        }
    )
    os.environ.setdefault("LOG_LEVEL", "WARNING")


def switched_off() -> frozenset[str]:
    """The behaviours that a test left out, by name."""
    return frozenset(name for name in os.environ.get(WITHOUT, "").split(",") if name)


def serve() -> None:
    """Runs ministack until SIGTERM or SIGINT, then ends every function process it started."""
    from ministack import app
    from ministack.core import lambda_runtime

    sys.argv = ["ministack"]
    try:
        app.main()
    finally:
        # A second signal must not interrupt the clean-up.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        lambda_runtime.reset()


def main() -> None:
    """Reads the arguments, installs the behaviours and serves."""
    parser = argparse.ArgumentParser(prog="python -m aws", description="The local AWS of Septet.")
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument("--directory", type=Path, required=True, help="working directory, private to this run")
    arguments = parser.parse_args()

    refuse_other_versions()
    prepare_environment(arguments.port, arguments.directory.resolve())

    from aws import behaviours, control

    behaviours.install(without=switched_off())
    control.install()
    serve()


if __name__ == "__main__":
    main()
