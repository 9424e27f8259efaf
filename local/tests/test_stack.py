"""What a deployment to the local AWS is given."""

import json
import os

import stack


def test_given_parameters_replace_the_local_ones_and_the_rest_stays(tmp_path):
    aws = stack.LocalAws(0, 1, tmp_path)
    lines = stack._parameter_file(aws, {"PublishVisibilitySeconds": "20"}).read_text().splitlines()
    given = dict(line.split(": ", 1) for line in lines if line and not line.startswith("#"))
    assert given["PublishVisibilitySeconds"] == '"20"'
    assert given["Architecture"] == json.dumps(stack.architecture())
    assert given["PruneSchedule"] == "rate(1 minute)"
    assert len(lines) == len(set(line.partition(":")[0] for line in lines))


def test_a_process_gets_the_local_aws_and_nothing_of_the_callers(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret")
    environment = stack.LocalAws(0, 4566, tmp_path).environment()
    assert "AWS_PROFILE" not in environment and "AWS_SESSION_TOKEN" not in environment
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert environment["AWS_CONFIG_FILE"] == os.devnull


def test_a_shell_gets_what_the_septet_command_reads(tmp_path):
    queues = "http://127.0.0.1:1/000000000000"
    outputs = {
        "RegistryTable": "septet-registry",
        "PublishQueueUrl": f"{queues}/septet-publish",
        "RecoveryQueueUrl": f"{queues}/septet-recovery",
    }
    lines = stack.exports(stack.LocalAws(0, 1, tmp_path), outputs).splitlines()
    assert "export SEPTET_REGISTRY_TABLE=septet-registry" in lines
    assert f"export SEPTET_PUBLISH_QUEUE_URL={outputs['PublishQueueUrl']}" in lines
    assert f"export SEPTET_RECOVERY_QUEUE_URL={outputs['RecoveryQueueUrl']}" in lines
    assert all(line.startswith("export ") for line in lines)


def test_a_local_aws_that_is_gone_is_not_running(tmp_path, monkeypatch):
    monkeypatch.setattr(stack, "STATE", tmp_path / "aws.json")
    assert stack.running() is None
    stack.STATE.write_text(json.dumps({"pid": os.getpid(), "port": 1, "directory": str(tmp_path)}))
    assert stack.running() is None
