"""Lambda's execution environment and what it records of an invocation."""

import datetime
import json
import os
import socketserver
import threading
import time

from ministack.services import cloudwatch_logs, lambda_svc

from aws.patching import around

# What the function's process gets besides its own variables; everything else is this machine's business.
GIVEN = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL", "AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_LOG_STREAM_NAME", "LAMBDA_TASK_ROOT", "_HANDLER",
)  # fmt: skip


def nagle_off() -> None:
    """The Runtime API answers in two writes; with Nagle's algorithm each invocation waits 40 ms for an ACK."""
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True


def function_environment() -> None:
    """A function's process sees Lambda's environment and its own variables, not those of this machine."""

    @around(lambda_svc, "_provided_worker_env")
    def provided_worker_env(original, config, code_dir, port):
        everything = original(config, code_dir, port)
        own = (config.get("Environment") or {}).get("Variables") or {}
        environment = {name: everything[name] for name in (*GIVEN, *own) if name in everything}
        logging = config.get("LoggingConfig") or {}
        environment.update(
            {
                "PATH": "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
                "LANG": "en_US.UTF-8",
                "TZ": ":UTC",
                "TMPDIR": os.environ["TMPDIR"],
                "AWS_EXECUTION_ENV": "AWS_Lambda_provided.al2023",
                "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
                "AWS_LAMBDA_LOG_GROUP_NAME": logging.get("LogGroup") or f"/aws/lambda/{config['FunctionName']}",
            }
        )
        if logging.get("LogFormat") == "JSON":
            environment["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
            environment["AWS_LAMBDA_LOG_LEVEL"] = logging.get("ApplicationLogLevel", "INFO")
        return environment


def json_platform_logs() -> None:
    """With ``LogFormat: JSON`` Lambda's own lines are JSON too: platform.start and platform.report."""
    current = threading.local()

    @around(lambda_svc, "_emit_lambda_logs")
    def emit_lambda_logs(original, function, request_id, log_text, error, duration_ms, **kwargs):
        config = function.get("config") or function
        if (config.get("LoggingConfig") or {}).get("LogFormat") == "JSON":
            current.lines = _platform_lines(config, request_id, error, duration_ms)
        try:
            return original(function, request_id, log_text, error, duration_ms, **kwargs)
        finally:
            current.lines = None

    @around(cloudwatch_logs, "_append_log_events")
    def append_log_events(original, stream, events):
        lines = getattr(current, "lines", None)
        if lines:
            events = [{**event, "message": _translated(event["message"], lines)} for event in events]
        return original(stream, [event for event in events if event["message"]])


def _platform_lines(config: dict, request_id: str, error: bool, duration_ms: int) -> dict[str, str]:
    """What Lambda writes in JSON for each line it would write as text, by the beginning of the latter."""

    def line(kind: str, record: dict) -> str:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return json.dumps({"time": now, "type": f"platform.{kind}", "record": {"requestId": request_id, **record}})

    metrics = {
        "durationMs": duration_ms,
        "billedDurationMs": duration_ms,
        "memorySizeMB": config.get("MemorySize", 128),
    }
    report = line("report", {"status": "error" if error else "success", "metrics": metrics})
    start = line("start", {"version": config.get("Version", "$LATEST")})
    return {
        f"START RequestId: {request_id}": start,
        f"END RequestId: {request_id}": "",
        f"REPORT RequestId: {request_id}": report,
    }


def _translated(message: str, lines: dict[str, str]) -> str:
    for beginning, line in lines.items():
        if message.startswith(beginning):
            return line
    return message


def function_metrics() -> None:
    """Every invocation counts in AWS/Lambda, whatever started it; an accepted asynchronous call alone does not."""
    count = lambda_svc._emit_lambda_metrics

    @around(lambda_svc, "_emit_lambda_metrics")
    def emit_lambda_metrics(original, function_name, duration_ms, error, throttle):
        if throttle:
            original(function_name, duration_ms, error, throttle)

    @around(lambda_svc, "_execute_function_dispatch")
    def execute_function_dispatch(original, function, config, event, request_id, started):
        result = original(function, config, event, request_id, started)
        elapsed_ms = (time.time() - started) * 1000
        count(config["FunctionName"], elapsed_ms, bool(result.get("error")), False)
        return result


BEHAVIOURS = (nagle_off, function_environment, json_platform_logs, function_metrics)
