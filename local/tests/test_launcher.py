"""How the local AWS starts and stops."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import stack
from support import create_function, error_of, invoke, unique


def launch(directory: Path, *path: str, **environment: str) -> subprocess.CompletedProcess:
    """Runs the launcher where it is expected to refuse."""
    command = [sys.executable, "-m", "aws", "--port", "9", "--directory", str(directory)]
    paths = os.pathsep.join([*path, str(stack.ROOT / "local")])
    return subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": paths, **environment},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_another_version_of_ministack_is_refused(tmp_path):
    metadata = tmp_path / "ministack-1.5.34.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: ministack\nVersion: 1.5.34\n")
    refused = launch(tmp_path, str(tmp_path))
    assert refused.returncode == 1
    assert "needs ministack 1.5.33, found 1.5.34" in refused.stderr and "hint:" in refused.stderr


def test_an_unknown_behaviour_is_refused(tmp_path):
    refused = launch(tmp_path, SEPTET_LOCAL_WITHOUT="cloudtrial")
    assert refused.returncode == 1 and "cloudtrial" in refused.stderr


def test_everything_listens_on_loopback_only(aws):
    invoke(aws, create_function(aws), {})
    found = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    found += [line.split() for line in Path("/proc/net/tcp6").read_text().splitlines()[1:]]
    inodes = {Path(f"/proc/{aws.pid}/fd/{fd}").readlink().name for fd in os.listdir(f"/proc/{aws.pid}/fd")}
    addresses = {row[1].split(":")[0] for row in found if row[3] == "0A" and f"socket:[{row[9]}]" in inodes}
    assert addresses == {"0100007F"}


def test_calls_must_be_signed_by_somebody_known(aws):
    stranger = aws.client("sqs", aws_access_key_id="AKIASTRANGER", aws_secret_access_key="x")
    assert error_of(lambda: stranger.list_queues())[0] in (
        "InvalidClientTokenId",
        "UnrecognizedClientException",
    )


def test_after_stop_nothing_is_left():
    with stack.local_aws() as aws:
        function = create_function(aws)
        invoke(aws, function, {})
        members = group_of(aws.pid)
        assert len(members) >= 2, "the launcher and the process of the function"
        directory = aws.directory
    assert not directory.exists()
    assert group_of(aws.pid) == []


def test_stop_ends_the_functions_of_a_launcher_that_was_killed():
    aws = stack.start()
    invoke(aws, create_function(aws), {})
    os.kill(aws.pid, 9)
    os.waitpid(aws.pid, 0)
    aws.stop()
    deadline = time.monotonic() + 5
    while group_of(aws.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert group_of(aws.pid) == [] and not aws.directory.exists()


def group_of(pid: int) -> list[int]:
    """The processes in the process group that a process leads."""
    found = subprocess.run(["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True)
    rows = [line.split() for line in found.stdout.splitlines()]
    return [int(row[0]) for row in rows if int(row[1]) == pid and not row[2].startswith("Z")]


def test_a_process_that_got_the_id_of_a_local_aws_is_left_alone(tmp_path):
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        stack.LocalAws(bystander.pid, 1, tmp_path / "gone").stop()
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.parametrize(
    "sections",
    [
        {"cloudtrial": {"delay": 1}},
        {"cloudtrail": {"dellay": 1}},
        {"cloudtrail": {"delay": -1}},
        {"cloudtrail": {"delay": 0.1, "enabled": 1}},
    ],
)
def test_a_wrong_setting_changes_nothing(aws, sections):
    before = aws.control("GET", "settings")
    with pytest.raises(stack.LocalAwsError, match="400|settings|setting|must be"):
        aws.settings(**sections)
    assert aws.control("GET", "settings") == before


def test_an_unknown_path_of_the_control_plane_is_refused(aws):
    with pytest.raises(stack.LocalAwsError, match="no GET"):
        aws.control("GET", unique("nothing"))
