"""Lambda's execution environment and what it records of an invocation."""

import json
import time

from support import (
    create_function,
    create_queue,
    eventually,
    invoke,
    log_messages,
    metric_sum,
    proves,
    unique,
)  # fmt: skip


@proves("nagle_off")
def test_an_invocation_does_not_wait_for_an_acknowledgement(aws):
    function = create_function(aws)
    # A printed line ends the wait for log lines, which would hide the difference.
    event = {"do": "print", "lines": ["x"]}
    invoke(aws, function, event)
    client, payload, times = aws.client("lambda"), json.dumps(event), []
    for _ in range(15):
        started = time.perf_counter()
        client.invoke(FunctionName=function, Payload=payload)
        times.append(time.perf_counter() - started)
    assert min(times) < 0.035, f"the fastest of 15 took {min(times) * 1000:.0f} ms"


@proves("function_environment")
def test_a_function_does_not_see_the_environment_of_this_machine(aws):
    variables = {"Variables": {"SEPTET_SETTING": "given"}}
    seen = invoke(aws, create_function(aws, Environment=variables), {"do": "environment"})
    assert seen["SEPTET_SETTING"] == "given"
    assert seen["AWS_EXECUTION_ENV"] == "AWS_Lambda_provided.al2023"
    assert seen["AWS_ENDPOINT_URL"] == aws.endpoint
    leaked = {"HOME", "PYTHONPATH", "DOCKER_HOST", "GATEWAY_PORT", "SEPTET_LOCAL_WITHOUT"} & seen.keys()
    assert not leaked


@proves("function_environment")
def test_a_function_is_told_to_log_json(aws):
    logging = {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG"}
    seen = invoke(aws, create_function(aws, LoggingConfig=logging), {"do": "environment"})
    assert (seen.get("AWS_LAMBDA_LOG_FORMAT"), seen.get("AWS_LAMBDA_LOG_LEVEL")) == ("JSON", "DEBUG")


@proves("json_platform_logs")
def test_with_json_logs_every_line_is_json(aws):
    group = unique("/septet/logs")
    function = create_function(aws, LoggingConfig={"LogFormat": "JSON", "LogGroup": group})
    invoke(aws, function, {"do": "print", "lines": ['{"level":"INFO"}']})
    lines = [json.loads(line) for line in eventually(lambda: log_messages(aws, group))]
    assert {"platform.start", "platform.report"} <= {line.get("type") for line in lines}
    assert {"level": "INFO"} in lines


@proves("function_metrics")
def test_an_invocation_by_a_queue_counts(aws):
    function, (queue, queue_arn) = create_function(aws), create_queue(aws, VisibilityTimeout="600")
    aws.client("lambda").create_event_source_mapping(FunctionName=function, EventSourceArn=queue_arn)
    body = json.dumps({"do": "fail", "message": "no good"})
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody=body)
    dimensions = {"FunctionName": function}
    eventually(lambda: metric_sum(aws, "AWS/Lambda", "Errors", dimensions) == 1)
    assert metric_sum(aws, "AWS/Lambda", "Invocations", dimensions) == 1
    error = aws.client("lambda").invoke(FunctionName=function, Payload=body).get("FunctionError")
    assert error == "Unhandled"
    assert metric_sum(aws, "AWS/Lambda", "Invocations", dimensions) == 2, "a direct invocation counts once"


def test_a_function_has_credentials_of_its_role(aws):
    seen = invoke(aws, create_function(aws), {"do": "environment"})
    assert seen["AWS_ACCESS_KEY_ID"].startswith("ASIA") and seen["AWS_SESSION_TOKEN"]
    assert seen["AWS_SECRET_ACCESS_KEY"] != "test"
