"""Brings plays back into a queue as one would without Septet: recover.py WAY SOURCE QUEUE PLAYS WORKERS DIRECTORY.

SOURCE and QUEUE are endpoints, DIRECTORY is one to write to. What is told begins after a first small run of the same:
imports, first connections and lazy settings are no part of what a play costs. Who asks for a range of time would write
no less than this: no state is kept, no message has attributes, and clients are set up as they come.
"""

import json
import os
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import boto3
from botocore.config import Config

PAGE, WINDOW = 1_000, 10_000
APART = timedelta(milliseconds=10)
DAY = datetime(2020, 1, 1, tzinfo=UTC)

way, source, endpoint, plays, workers, directory = sys.argv[1:]
plays, workers = int(plays), int(workers)
config = Config(max_pool_connections=workers)
sqs = boto3.client(
    "sqs",
    endpoint_url=endpoint,
    region_name="us-east-1",
    aws_access_key_id="key",
    aws_secret_access_key="secret",
    config=config,
)


def at(play):
    return (DAY + play * APART).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parts(plays, length):
    return [(start, min(start + length, plays)) for start in range(0, plays, length)]


def send(queue, texts):
    entries = [{"Id": str(index), "MessageBody": text} for index, text in enumerate(texts)]
    answer = sqs.send_message_batch(QueueUrl=f"{endpoint}/1/{queue}", Entries=entries)
    if answer.get("Failed"):
        raise RuntimeError(answer["Failed"])


def script(queue, plays):
    """What one writes on the spot."""
    import requests

    def window(part):
        start, end = part
        session = requests.Session()
        params = {"since": at(start), "until": at(end), "limit": PAGE}
        while True:
            answer = session.get(f"{source}/plays", params=params)
            answer.raise_for_status()
            page = answer.json()
            found = page["plays"]
            for first in range(0, len(found), 10):
                send(queue, [json.dumps(play) for play in found[first : first + 10]])
            if not page["meta"]["has_more"]:
                return
            params["cursor"] = page["meta"]["next"]

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(window, parts(plays, WINDOW)))


def dlt_pipeline(queue, plays):
    """A REST API source, as many resources as workers, into a custom destination."""
    import dlt
    from dlt.common.json import json as dlt_json
    from dlt.sources.rest_api import rest_api_source

    @dlt.destination(batch_size=10, name="queue", max_parallel_load_jobs=workers)
    def destination(items, table):
        send(queue, [dlt_json.dumps(item) for item in items])

    def resource_of(start, end):
        params = {"since": at(start), "until": at(end), "limit": PAGE}
        endpoint = {"path": "plays", "data_selector": "plays", "params": params}
        return {"name": f"plays_{start}", "primary_key": "id", "parallelized": workers > 1, "endpoint": endpoint}

    paginator = {"type": "cursor", "cursor_path": "meta.next", "cursor_param": "cursor"}
    api = {
        "client": {"base_url": source, "paginator": paginator},
        "resources": [resource_of(*part) for part in parts(plays, -(-plays // workers))],
    }
    pipeline = dlt.pipeline(queue, pipelines_dir=directory, destination=destination, dataset_name="plays")
    pipeline.run(rest_api_source(api, name="third_party")).raise_on_failed_jobs()


def airbyte(queue, plays):
    """A declarative source; its records go into the queue where the connector would print them."""
    import logging

    from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer
    from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource

    def parameter(name):
        return {"type": "RequestOption", "inject_into": "request_parameter", "field_name": name}

    manifest = {
        "version": "7.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": ["plays"]},
        # One of them only divides the range: with less it does not start.
        "concurrency_level": {"type": "ConcurrencyLevel", "default_concurrency": workers + 1},
        "streams": [
            {
                "type": "DeclarativeStream",
                "name": "plays",
                "primary_key": ["id"],
                "schema_loader": {"type": "InlineSchemaLoader", "schema": {"type": "object", "properties": {}}},
                "incremental_sync": {
                    "type": "DatetimeBasedCursor",
                    "cursor_field": "played_at",
                    "datetime_format": "%Y-%m-%dT%H:%M:%S.%_msZ",
                    "cursor_granularity": "PT0.001S",
                    "start_datetime": {"type": "MinMaxDatetime", "datetime": at(0)},
                    "end_datetime": {"type": "MinMaxDatetime", "datetime": at(plays)},
                    "step": f"PT{int(WINDOW * APART.total_seconds())}S",
                    "start_time_option": parameter("since"),
                    "end_time_option": parameter("until"),
                },
                "retriever": {
                    "type": "SimpleRetriever",
                    "requester": {"type": "HttpRequester", "url_base": source, "path": "plays", "http_method": "GET"},
                    "record_selector": {
                        "type": "RecordSelector",
                        "extractor": {"type": "DpathExtractor", "field_path": ["plays"]},
                    },
                    "paginator": {
                        "type": "DefaultPaginator",
                        "page_size_option": parameter("limit"),
                        "page_token_option": parameter("cursor"),
                        "pagination_strategy": {
                            "type": "CursorPagination",
                            "page_size": PAGE,
                            "cursor_value": "{{ response['meta']['next'] }}",
                            "stop_condition": "{{ not response['meta']['has_more'] }}",
                        },
                    },
                },
            }
        ],
    }
    stream = {"name": "plays", "json_schema": {}, "supported_sync_modes": ["incremental"]}
    wanted = {"stream": stream, "sync_mode": "incremental", "destination_sync_mode": "append"}
    catalog = ConfiguredAirbyteCatalogSerializer.load({"streams": [wanted]})
    connector = ConcurrentDeclarativeSource(catalog, {}, [], source_config=manifest)
    texts = []
    for message in connector.read(logging.getLogger("airbyte"), {}, catalog, []):
        if message.record:
            texts.append(json.dumps(message.record.data))
        if len(texts) == 10:
            send(queue, texts)
            texts = []
    if texts:
        send(queue, texts)


def messages(queue, plays):
    """One batch of ten messages after the other, of a kilobyte each."""
    for start, end in parts(plays, 10):
        send(
            queue,
            [
                json.dumps({"id": f"play-{play:07}", "played_at": at(play), "text": "x" * 960})
                for play in range(start, end)
            ],
        )


run = {"script": script, "dlt": dlt_pipeline, "airbyte": airbyte, "messages": messages}[way]
os.environ.update(HOME=directory, RUNTIME__DLTHUB_TELEMETRY="false", EXTRACT__WORKERS=str(workers))
run("warm", PAGE if way != "messages" else 100)
began, before = time.perf_counter(), time.process_time()
run("plays", plays)
wall, cpu = time.perf_counter() - began, time.process_time() - before
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"items": plays, "cpu": cpu, "wall": wall, "memory": memory}))
