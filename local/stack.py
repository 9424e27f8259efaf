"""Starts the local AWS, deploys the template to it, and hands out clients: for `make`, the demo and the tests.

    with local_aws() as aws:                # starts, and stops by process id
        stack = deploy(aws)                 # sam build, sam deploy
        queue = stack["PublishQueueUrl"]    # the stack's outputs
        aws.client("sqs").send_message(QueueUrl=queue, MessageBody="...")

A local AWS that `make up` left running is found through `.local/aws.json`; see `running`.
"""

import argparse
import contextlib
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".local"
STATE = WORK / "aws.json"
REGION = "us-east-1"
STACK_NAME = "septet"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
START_SECONDS = 60.0
STOP_SECONDS = 10.0


class LocalAwsError(RuntimeError):
    """The local AWS or the stack on it could not be brought to where it was wanted."""


class LocalAws:
    """A running local AWS."""

    def __init__(self, pid: int, port: int, directory: Path) -> None:
        self.pid, self.port, self.directory = pid, port, directory
        self.endpoint = f"http://127.0.0.1:{port}"

    def client(self, service: str, **options):
        """A boto3 client with root's credentials; ``options`` as for boto3, such as a role's credentials."""
        import boto3

        given = {
            "region_name": REGION,
            "endpoint_url": self.endpoint,
            "aws_access_key_id": CREDENTIALS["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        }
        return boto3.client(service, **{**given, **options})

    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to work on this local AWS, and nothing of the caller's AWS."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            # No profile of the caller decides anything here.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def control(self, method: str, path: str, data=None):
        """Calls the control plane (``aws/control.py``)."""
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(f"{self.endpoint}/_septet/{path}", data=body, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise LocalAwsError(f"{method} {path}: {error.read().decode()}") from None

    def settings(self, **sections: dict) -> dict:
        """Changes runtime settings, such as ``cloudtrail={"copies": 2}``, and returns all of them."""
        return self.control("PUT", "settings", sections)

    def kill(self, function: str, action: str, when: str = "before", **options) -> int:
        """Has a function's process killed at its next call of ``action``; ``skip=N`` lets N such calls pass."""
        return self.control(
            "POST",
            "faults",
            {"kind": "kill", "function": function, "action": action, "when": when, **options},
        )["id"]

    def fail(self, action: str, error: str = "ProvisionedThroughputExceededException", **options) -> int:
        """Answers the next ``times`` calls of ``action`` with an error, of one ``function`` or of anybody.

        With ``when="after"`` the call has landed all the same.
        """
        return self.control("POST", "faults", {"kind": "fail", "action": action, "error": error, **options})["id"]

    def fail_part(self, action: str, entries: int = 1, **options) -> int:
        """Lets the last ``entries`` of the next ``times`` batches of ``action`` fail, by no fault of the sender."""
        wanted = {"kind": "part", "action": action, "entries": entries, "error": "InternalError", **options}
        return self.control("POST", "faults", wanted)["id"]

    def deny(self, action: str, **options) -> int:
        """Answers calls of ``action`` as if the permission were missing."""
        return self.fail(action, "AccessDeniedException", **{"times": 1_000_000, **options})

    def hold(self, action: str, when: str = "before", **options) -> int:
        """Lets the next ``times`` calls of ``action`` wait, before they are executed or after, until ``release``."""
        return self.control("POST", "faults", {"kind": "hold", "action": action, "when": when, **options})["id"]

    def release(self, fault: int) -> None:
        """Forgets one fault; the calls that it holds go on."""
        self.control("DELETE", f"faults/{fault}")

    def fired(self, fault: int) -> list[dict]:
        """When and for whom a fault fired."""
        return next(entry["fired"] for entry in self.control("GET", "faults") if entry["id"] == fault)

    def clear_faults(self) -> None:
        """Forgets all faults and recorded calls."""
        self.control("DELETE", "faults")

    def calls(self, function: str | None = None) -> list[dict]:
        """The API calls made since ``clear_faults``, oldest first, all or those of one function."""
        query = f"?function={urllib.parse.quote(function)}" if function else ""
        return self.control("GET", f"calls{query}")

    def fire_schedule(self, name: str) -> None:
        """Fires a schedule now."""
        self.control("POST", f"schedules/{urllib.parse.quote(name)}")

    def age(self, table: str, seconds: float) -> float:
        """Makes a table, its import and its metrics older by so many seconds; returns its creation time."""
        return self.control("POST", "age", {"table": table, "seconds": seconds})["created_at"]

    def describe(self, table: str, **members) -> dict:
        """Has DescribeTable answer these members of a table; ``None`` takes one back."""
        return self.control("POST", "describe", {"table": table, "members": members})

    def outputs(self, stack_name: str = STACK_NAME) -> dict[str, str]:
        """The outputs of a stack."""
        stack = self.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def log(self) -> str:
        """What the local AWS has written so far."""
        return (self.directory / "log").read_text()

    def is_alive(self) -> bool:
        """Whether the process is there and is this local AWS, not another that got its id."""
        found = subprocess.run(
            ["ps", "-o", "command=", "-p", str(self.pid)], capture_output=True, text=True, check=False
        )
        return f"-m aws --port {self.port} " in found.stdout

    def stop(self) -> None:
        """Ends the local AWS and the function processes in its process group; deletes its directory."""
        if self.is_alive():
            os.kill(self.pid, signal.SIGTERM)
            deadline = time.monotonic() + STOP_SECONDS
            while self.is_alive() and time.monotonic() < deadline:
                _reap(self.pid)
                time.sleep(0.05)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            _reap(self.pid)
        shutil.rmtree(self.directory, ignore_errors=True)


def _reap(pid: int) -> None:
    """Collects the process if it is a child of ours, so that it does not look alive."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def start(directory: Path | None = None, without: tuple[str, ...] = ()) -> LocalAws:
    """Starts a local AWS in the background and returns when it is ready."""
    if directory is None:
        WORK.mkdir(exist_ok=True)
        directory = Path(tempfile.mkdtemp(prefix="aws-", dir=WORK))
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    keep = ("PATH", "HOME", "LANG", "LOG_LEVEL")
    environment = {name: os.environ[name] for name in keep if name in os.environ}
    environment |= {"PYTHONPATH": str(ROOT / "local"), "SEPTET_LOCAL_WITHOUT": ",".join(without)}
    # Written by the path of its own interpreter, whatever `python` is elsewhere.
    command = [sys.executable, "-m", "aws", "--port", str(port), "--directory", str(directory)]
    with open(directory / "log", "wb") as log:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    aws = LocalAws(process.pid, port, directory)
    deadline = time.monotonic() + START_SECONDS
    while not _answers(f"{aws.endpoint}/_ministack/ready"):
        if process.poll() is not None or time.monotonic() > deadline:
            said = aws.log()
            aws.stop()
            raise LocalAwsError(f"the local AWS did not start:\n{said}")
        time.sleep(0.05)
    return aws


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


@contextlib.contextmanager
def local_aws(without: tuple[str, ...] = ()) -> Iterator[LocalAws]:
    """A local AWS of its own for as long as the block runs."""
    aws = start(without=without)
    try:
        yield aws
    finally:
        aws.stop()


def running() -> LocalAws | None:
    """The local AWS that `make up` left running, if it still does."""
    if not STATE.exists():
        return None
    state = json.loads(STATE.read_text())
    aws = LocalAws(state["pid"], state["port"], Path(state["directory"]))
    return aws if aws.is_alive() else None


def architecture() -> str:
    """This machine's processor as Lambda calls it."""
    return {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine().lower()]


def build(template: Path = ROOT / "template.yaml") -> Path:
    """Builds the functions with SAM for this machine; returns the built template."""
    directory = WORK / "build"
    _sam(
        "build",
        "--template-file", str(template),
        "--build-dir", str(directory),
        "--parameter-overrides", f"Architecture={architecture()}",
        environment=_build_environment(),
    )  # fmt: skip
    for bootstrap in directory.glob("*/bootstrap"):
        # A third of the size: SAM packs and sends it at every deployment.
        subprocess.run(["strip", str(bootstrap)], check=True)
    return directory / "template.yaml"


def deploy(aws: LocalAws, parameters: dict[str, str] | None = None, built: Path | None = None) -> dict[str, str]:
    """Builds the template, unless it is given built, and deploys it; returns the outputs of the stack."""
    built = built or build()
    _sam(
        "deploy",
        "--template-file", str(built),
        "--stack-name", STACK_NAME,
        "--parameter-overrides", f"file://{_parameter_file(aws, parameters or {})}",
        environment=aws.environment(),
    )  # fmt: skip
    return aws.outputs()


def _parameter_file(aws: LocalAws, parameters: dict[str, str]) -> Path:
    """The local parameters with the machine's architecture and the given ones, as SAM reads them."""
    text = (ROOT / "local" / "parameters.yaml").read_text()
    path = aws.directory / "parameters.yaml"
    overrides = {"Architecture": architecture(), **parameters}
    kept = [line for line in text.splitlines() if line.partition(":")[0] not in overrides]
    path.write_text("\n".join([*kept, *(f"{name}: {json.dumps(value)}" for name, value in overrides.items()), ""]))
    return path


def cargo_environment() -> dict[str, str]:
    """The environment in which every cargo of this project builds the same dependencies, and each only once.

    cargo-lambda always names a target, and cargo keeps what is built for a named target apart; so all name one.
    """
    found = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
    host = next(line.removeprefix("host: ") for line in found.splitlines() if line.startswith("host: "))
    return {"CARGO_BUILD_TARGET": host, **os.environ}


def _build_environment() -> dict[str, str]:
    return {
        **cargo_environment(),
        # Without zig, for the host itself: the machine runs the functions.
        "CARGO_LAMBDA_COMPILER": "cargo",
        # The features of dependencies are those of the whole workspace with its tests, as for `cargo nextest`; naming
        # any one test has cargo count those of all of them, and this one is small.
        "CARGO_LAMBDA_COMPILER_EXTRA_ARGS": "--workspace --test dependencies",
        "SAM_BUILD_MODE": "debug",
    }


def _sam(command: str, *arguments: str, environment: dict[str, str]) -> None:
    # SEPTET_SAM_TOOLS: the directory of sam and cargo-lambda, for those who have them already.
    tools = Path(os.environ.get("SEPTET_SAM_TOOLS", WORK / "venv-sam" / "bin"))
    environment = {
        **environment,
        "PATH": f"{tools}{os.pathsep}{environment['PATH']}",
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "0.2",
    }
    configuration = ("--config-file", str(ROOT / "samconfig.toml"), "--config-env", "local")
    done = subprocess.run(
        [str(tools / "sam"), command, *configuration, *arguments],
        cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise LocalAwsError(f"sam {command} failed ({done.returncode}):\n{done.stdout}\n{done.stderr}")


def exports(aws: LocalAws, stack: dict[str, str]) -> str:
    """The lines a shell sources to work on a deployed local AWS."""
    variables = {
        "AWS_ENDPOINT_URL": aws.endpoint,
        **CREDENTIALS,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "SEPTET_REGISTRY_TABLE": stack["RegistryTable"],
        "SEPTET_PUBLISH_QUEUE_URL": stack["PublishQueueUrl"],
        "SEPTET_RECOVERY_QUEUE_URL": stack["RecoveryQueueUrl"],
    }
    return "".join(f"export {name}={value}\n" for name, value in variables.items())


def up() -> None:
    """Starts a local AWS that stays, or takes the one that runs, and deploys the template to it."""
    print("Building the functions; the first time takes minutes ...", file=sys.stderr)
    built = build()
    aws = running()
    if aws is None:
        aws = start()
        state = {"pid": aws.pid, "port": aws.port, "directory": str(aws.directory)}
        STATE.write_text(json.dumps(state) + "\n")
    lines = exports(aws, deploy(aws, built=built))
    (WORK / "env").write_text(lines)
    print(f"The local AWS runs at {aws.endpoint} (process {aws.pid}) with Septet deployed. `make down` stops it.")
    print("For a shell that works on it:  source .local/env")
    print(lines, end="")


def down() -> None:
    """Stops the local AWS that `make up` started."""
    aws = running()
    if aws is None:
        print("No local AWS runs.")
    else:
        aws.stop()
        print(f"Stopped the local AWS (process {aws.pid}).")
    STATE.unlink(missing_ok=True)
    (WORK / "env").unlink(missing_ok=True)


def main() -> None:
    """``python local/stack.py up|down``."""
    parser = argparse.ArgumentParser(description="The local AWS with Septet deployed to it.")
    parser.add_argument("command", choices=["up", "down"])
    command = parser.parse_args().command
    try:
        up() if command == "up" else down()
    except LocalAwsError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
