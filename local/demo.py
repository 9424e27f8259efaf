"""`make demo`: eleven nights of a data science job against the deployed stack, two of them bad, and a reader throughout;
then a live feed that is silent for four days, which come back. `make demo-recovery` plays that second act alone.

Everything is real but the cloud: the stack is deployed from template.yaml to the local AWS, the job writes tables with
boto3, publishing goes through the functions, and job, operator and reader work with the permissions of IAM users of
their own. At the end it says what happened, writes that to target/demo.json and fails unless all held that must hold.
"""

import argparse
import contextlib
import datetime
import json
import os
import shlex
import signal
import subprocess
import sys
import time

import demo_recovery
import stack
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError
from demo_outcome import FAULTS, KEPT, NIGHTS, failings, page
from demo_stage import PATIENCE, DemoError, say, until, user

DATASET = "recs"
CONTRACT = stack.ROOT / "contracts" / "recs-demo.odcs.yaml"
RESULT = stack.ROOT / "target" / "demo.json"
FIRST_NIGHT = datetime.date(2026, 11, 11)
# The ratings end on 2016-10-16. A day brings few of them, so a night of the demo is a week of the data.
LAST_CUT_OFF = datetime.date(2016, 10, 17)
BY_QUEUE = {2, 9}  # nights whose job sends a plain queue message instead of calling the septet command
USERS = 671  # of the ratings; not all of them rated before the first night

# What a data science team may do with its own tables: anything. That makes the seal the only thing in its way.
SCIENTIST_POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "dynamodb:*", "Resource": "arn:aws:dynamodb:*:*:table/recs-*"}],
}


class Registry:
    """The registry's items as anybody reads them who knows the public format."""

    def __init__(self, dynamodb, table):
        self._dynamodb, self._table, self._take = dynamodb, table, TypeDeserializer().deserialize

    def items(self, kind, partition=f"DATASET#{DATASET}"):
        """All items of a kind (`VERSION#`, `POINTER#`, `LOG#`) of the dataset, in the order of their keys."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :kind)",
            ExpressionAttributeValues={":pk": {"S": partition}, ":kind": {"S": kind}},
            ConsistentRead=True,
        )
        return [{name: self._take(value) for name, value in item.items()} for page in pages for item in page["Items"]]

    def versions(self):
        return self.items("VERSION#")

    def version_of(self, table):
        return next((version for version in self.versions() if version["table"] == table), None)

    def readers(self):
        return self.items("READER#", f"DATASET#{DATASET}#READERS")

    def live(self):
        return next(iter(self.items("POINTER#live")), None)

    def states(self):
        return [version["state"] for version in self.versions()]


class Demo:
    def __init__(self, aws, outputs, programs):
        self.aws, self.outputs, self.programs = aws, outputs, programs
        self.dynamodb = aws.client("dynamodb")
        self.registry = Registry(self.dynamodb, outputs["RegistryTable"])
        operator, reader = outputs["OperatorPolicyArn"], outputs["ReaderPolicyArn"]
        self.scientist = user(aws, outputs, "data-science", [operator], SCIENTIST_POLICY)
        self.operator = user(aws, outputs, "operator", [operator])
        self.service = user(aws, outputs, "api-service", [reader])
        self.nights = []

    def septet(self, *arguments):
        """Runs the septet command as the operator and shows what it prints."""
        say(f"$ septet {shlex.join(arguments)}")
        done = subprocess.run([self.programs["septet"], *arguments], env=self.operator, timeout=PATIENCE, check=False)
        if done.returncode != 0:
            raise DemoError(f"`septet {shlex.join(arguments)}` ended with exit code {done.returncode}")

    def night(self, number):
        """Lets the job run for one night and waits until its version has a verdict."""
        date = FIRST_NIGHT + datetime.timedelta(days=number - 1)
        cut_off = LAST_CUT_OFF - datetime.timedelta(weeks=NIGHTS - number)
        by_queue = number in BY_QUEUE
        command = [
            sys.executable, str(stack.ROOT / "local" / "ds_job.py"),
            "--date", str(date), "--until", str(cut_off),
            "--signal", "sqs" if by_queue else "cli", "--septet", self.programs["septet"],
        ]  # fmt: skip
        if fault := FAULTS.get(number):
            command += ["--fault", fault]
        say(f"\nNight {number:2}  {date}" + (f"  (the job goes wrong: {fault})" if fault else ""))
        began = time.monotonic()
        done = subprocess.run(
            command, env=self.scientist, stdout=subprocess.PIPE, text=True, timeout=PATIENCE, check=False
        )
        *shown, report = done.stdout.splitlines() or [""]
        say("\n".join(shown)) if shown else None
        try:
            report = json.loads(report)
        except ValueError:
            raise DemoError(f"the job of night {number} ended with exit code {done.returncode}") from None
        version = until(
            f"night {number} has a verdict",
            lambda: (found := self.registry.version_of(report["table"])) and found.get("verdict") and found,
        )
        self._await_promotion(version)
        seconds = round(time.monotonic() - began, 2)
        live = self.registry.live()
        say(
            f"          version {version['version']} {version['state']} in {seconds} s; live is {live and live['version']}"
        )
        self.nights.append(
            {
                "night": number,
                "date": str(date),
                "table": report["table"],
                "fault": fault,
                "items": report["items"],
                "exit_code": None if by_queue else done.returncode,
                "seconds": seconds,
            }
        )

    def _await_promotion(self, version):
        """A version that passed goes live in a transaction of its own, after the verdict."""
        if version["verdict"]["outcome"] == "passed":
            number = version["version"]
            until(f"version {number} is live", lambda: (live := self.registry.live()) and live["version"] >= number)

    def await_reader(self, version):
        """Waits until the reader says that it serves the version; answers since when."""
        return until(
            f"the reader serves version {version}",
            lambda: next((beat["since"] for beat in self.registry.readers() if beat["version"] == version), None),
        )

    def roll_back(self):
        """Rolls back once and measures how long the reader needs to follow."""
        before = self.registry.live()
        self.await_reader(before["version"])
        say()
        self.septet("rollback", DATASET, "--reason", "listeners complain about last night", "--yes")
        after = self.registry.live()
        took = seconds_between(after["moved_at"], self.await_reader(after["version"]))
        say(
            f"          live went from {before['version']} to {after['version']}; the reader followed after {took:.2f} s"
        )
        return {
            "from": int(before["version"]),
            "to": int(after["version"]),
            "poll_seconds": int(after["poll_seconds"]),
            "reached_reader_seconds": round(took, 3),
        }

    def write_directly(self):
        """Tries, as the team that owns them, to write to the sealed tables; answers what DynamoDB said."""
        dynamodb = self.aws.client(
            "dynamodb",
            aws_access_key_id=self.scientist["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.scientist["AWS_SECRET_ACCESS_KEY"],
        )
        give = TypeSerializer().serialize
        key = {"user_id": give("u-000001")}
        item = {**key, "model": give("by hand")}
        attempts = []
        for table in self.dataset_tables():
            calls = {
                "PutItem": lambda: dynamodb.put_item(TableName=table, Item=item),
                "UpdateItem": lambda: dynamodb.update_item(
                    TableName=table, Key=key, UpdateExpression="SET model = :m",
                    ExpressionAttributeValues={":m": give("by hand")},
                ),
                "DeleteItem": lambda: dynamodb.delete_item(TableName=table, Key=key),
                "BatchWriteItem": lambda: dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": item}}]}),
                "TransactWriteItems": lambda: dynamodb.transact_write_items(
                    TransactItems=[{"Put": {"TableName": table, "Item": item}}]
                ),
                "DeleteTable": lambda: dynamodb.delete_table(TableName=table),
            }  # fmt: skip
            attempts += [{"table": table, "call": name, "answer": answer_to(call)} for name, call in calls.items()]
        return attempts

    def dataset_tables(self):
        names = (name for page in self.dynamodb.get_paginator("list_tables").paginate() for name in page["TableNames"])
        return sorted(name for name in names if name.startswith(f"{DATASET}-"))

    def prune(self):
        """Sweeps once under the hold, releases it, and lets sweeps run until no more than the versions to keep remain;
        answers what was retired under the hold."""
        self.septet("prune", "--plan")
        self.aws.fire_schedule(self.outputs["PruneSchedule"])
        time.sleep(3)
        under_hold = [int(version["version"]) for version in self.registry.versions() if version["state"] == "retiring"]
        self.septet("release", DATASET, "--reason", "the job is mended")

        def swept():
            self.aws.fire_schedule(self.outputs["PruneSchedule"])
            time.sleep(1)
            versions = self.registry.versions()
            good = [version for version in versions if version["state"] == "valid" and "withdrawn" not in version]
            return len(good) <= KEPT and all(version["state"] != "retiring" for version in versions)

        until(f"pruning leaves {KEPT} good versions", swept)
        return under_hold

    def outcome(self):
        """What the registry and DynamoDB hold at the end."""
        versions = self.registry.versions()
        tables = {version["version"]: version["table"] for version in versions}
        log = [plain_record(item) for item in self.registry.items("LOG#")]
        moves = [record for record in log if record["action"] in ("promote", "point", "roll_back", "roll_forward")]
        ends = [*(move["at"] for move in moves[1:]), None]
        return {
            "versions": [
                {
                    "version": int(version["version"]),
                    "table": version["table"],
                    "state": version["state"],
                    "verdict": version["verdict"]["outcome"],
                    "reason": "; ".join(version["verdict"]["reasons"]) or None,
                    "withdrawn": version.get("withdrawn", {}).get("reason"),
                }
                for version in versions
            ],
            "live_history": [
                {
                    "at": move["at"],
                    "until": end,
                    "version": move["version"],
                    "table": tables[move["version"]],
                    "action": move["action"],
                    "by": move["actor"],
                    "reason": move["reason"],
                }
                for move, end in zip(moves, ends)
            ],
            "log": log,
            "tables": self.dataset_tables(),
            "nights": self.nights,
        }


def plain_record(item):
    """An audit record of the registry, with every field there."""
    fields = ("at", "actor", "action", "version", "pointer", "before", "after", "reason")
    record = {name: item.get(name) for name in fields}
    return {**record, "version": None if record["version"] is None else int(record["version"])}


def seconds_between(earlier, later):
    moments = [datetime.datetime.fromisoformat(text) for text in (earlier, later)]
    return (moments[1] - moments[0]).total_seconds()


def answer_to(call):
    """`done`, or the code of the error that DynamoDB answered; of a cancelled transaction that of its first item."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "done"


class Reader:
    """The process of an API service that reads all the time."""

    def __init__(self, program, environment, directory):
        self._output = open(directory / "reader.out", "w+b")
        self._errors = open(directory / "reader.err", "w+b")
        keys = directory / "reader.keys"
        keys.write_text("".join(f"u-{user:06}\n" for user in range(1, USERS + 1)))
        self._process = subprocess.Popen(
            [program, DATASET, "--keys-file", keys],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._errors,
        )

    def stop(self):
        """Ends the process; answers the totals it prints then."""
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(timeout=PATIENCE)
        self._output.seek(0)
        lines = self._output.read().decode().splitlines()
        if code != 0 or not lines:
            self._errors.seek(0)
            raise DemoError(f"the reader ended with exit code {code}: {self._errors.read().decode()[-2000:]}")
        return json.loads(lines[-1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        self._output.close()
        self._errors.close()


def build_programs():
    """Builds the septet command and the reader; answers where they lie."""
    command = [
        "cargo", "build", "--message-format", "json-render-diagnostics",
        "--workspace", "--bin", "septet", "--example", "follow",
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=stack.ROOT, env=stack.cargo_environment(), stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        raise DemoError("cargo build failed")
    messages = map(json.loads, done.stdout.splitlines())
    return {
        message["target"]["name"]: message["executable"]
        for message in messages
        if message.get("reason") == "compiler-artifact" and message.get("executable")
    }


def play_nights(aws, outputs, programs, timed):
    """The first act."""
    with contextlib.ExitStack() as closing:
        demo = Demo(aws, outputs, programs)
        demo.septet("contract", "put", os.path.relpath(CONTRACT))
        with timed("nights"):
            demo.night(1)
            reader = closing.enter_context(Reader(programs["follow"], demo.service, aws.directory))
            for number in range(2, NIGHTS + 1):
                demo.night(number)
        with timed("rollback"):
            rollback = demo.roll_back()
        with timed("prune"):
            retired_under_hold = demo.prune()
        writes = demo.write_directly()
        totals = reader.stop()
        say()
        demo.septet("versions", DATASET)
        return {
            **demo.outcome(),
            "rollback": rollback,
            "direct_writes": writes,
            "reader": totals,
            "retired_under_hold": retired_under_hold,
        }


def run(acts):
    timings, began, outcome = {}, time.monotonic(), {}

    @contextlib.contextmanager
    def timed(what):
        start = time.monotonic()
        yield
        timings[what] = round(time.monotonic() - start, 2)

    say("Building the functions, the septet command and a reader ...")
    with timed("build"):
        programs = build_programs()
        built = stack.build()
    say("Starting the local AWS and deploying template.yaml to it ...")
    with contextlib.ExitStack() as closing:
        with timed("deploy"):
            aws = closing.enter_context(stack.local_aws())
            outputs = stack.deploy(aws, demo_recovery.PARAMETERS, built)
        if "nights" in acts:
            outcome |= play_nights(aws, outputs, programs, timed)
        if "recovery" in acts:
            with timed("recovery"):
                recovery = demo_recovery.Recovery(aws, outputs, programs["septet"], aws.directory)
                outcome["recovery"] = recovery.play()
    timings["total"] = round(time.monotonic() - began, 2)
    return {**outcome, "timings": timings}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("acts", nargs="*", default=["nights", "recovery"], help="nights, recovery, or both")
    try:
        outcome = run(parser.parse_args().acts)
    except (DemoError, stack.LocalAwsError, subprocess.TimeoutExpired) as error:
        sys.exit(f"error: {error}")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(outcome, indent=2) + "\n")
    say(f"\n{page(outcome)}\n\nThe same: {os.path.relpath(RESULT)}")
    if wrong := failings(outcome):
        sys.exit("\n".join(["The demo failed:", *(f"- {text}" for text in wrong)]))
    say("All that must hold, held.")


if __name__ == "__main__":
    main()
