"""The demo's second act: a live feed of real rating events is silent for four days, and they come back.

The third party is datasette with all ratings; the live feed puts each onto a queue when its time has come; a consumer
keeps what arrives in a table. The ratings are MovieLens's in their order and at their pace, told in eight days that end
now, and CloudWatch's clock of the local AWS is set to the time that is told. Everything else is real: the alarm, the
command, the functions that are killed on the way.
"""

import contextlib
import json
import shlex
import subprocess
import threading
import time

from demo_stage import PATIENCE, DemoError, say, until, user
from ds_job import load_ratings
from third_party import third_party

FEED = "ratings"
EVENTS, FIRST_EVENT = 2000, 63600
"""Ratings of a stretch in which people rated all the time."""
DAY, HOUR, PERIOD = 86400, 3600, 1800
TOLD, SILENT = 8 * DAY, (2 * DAY, 6 * DAY)
"""How long the story is, and from when to when in it the live feed is lost."""
SILENT_AFTER = 6 * HOUR
KILLS = 4
PARAMETERS = {"LiveQueueName": FEED, "SilentAfterSeconds": str(SILENT_AFTER)}
"""What the deployed template must know of the live feed."""


def events(end):
    """The ratings as events, the last of them just before ``end``."""
    told = load_ratings().iloc[FIRST_EVENT : FIRST_EVENT + EVENTS]
    times = told["timestamp"].to_numpy(float)
    pace = (TOLD - 1) / (times[-1] - times[0])
    return [
        {"id": number, "at": int(end - TOLD + (time - times[0]) * pace), "user": int(user), "movie": int(movie), "stars": stars}
        for number, (time, user, movie, stars) in enumerate(
            zip(times, told["userId"], told["movieId"], map(float, told["rating"])), start=1
        )
    ]  # fmt: skip


class Consumer(threading.Thread):
    """Keeps what comes to the queue in a table, and counts what comes from recoveries more than once."""

    def __init__(self, aws, queue, table):
        super().__init__(daemon=True)
        self._sqs, self._dynamodb = aws.client("sqs"), aws.client("dynamodb")
        self._queue, self._table, self._stopped = queue, table, threading.Event()
        self.live, self.recovered, self.doubled = set(), set(), 0

    def run(self):
        while not self._stopped.is_set():
            answer = self._sqs.receive_message(
                QueueUrl=self._queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
            )
            messages = answer.get("Messages", [])
            if not messages:
                time.sleep(0.1)
                continue
            items = {}
            for message in messages:
                record = json.loads(message["Body"])
                items[record["id"]] = record
                if "septet.recovered" in message.get("MessageAttributes", {}):
                    self.doubled += record["id"] in self.recovered
                    self.recovered.add(record["id"])
                else:
                    self.live.add(record["id"])
            puts = [{"PutRequest": {"Item": to_item(record)}} for record in items.values()]
            while puts:
                left = self._dynamodb.batch_write_item(RequestItems={self._table: puts})
                puts = left.get("UnprocessedItems", {}).get(self._table)
            entries = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(messages)
            ]
            self._sqs.delete_message_batch(QueueUrl=self._queue, Entries=entries)

    def stop(self):
        self._stopped.set()
        self.join()


def to_item(record):
    """A record as DynamoDB takes an item."""
    return {name: {"N": json.dumps(value)} for name, value in record.items()}


def from_item(item):
    return {name: json.loads(value["N"]) for name, value in item.items()}


class Recovery:
    def __init__(self, aws, outputs, septet, directory):
        self.aws, self.outputs, self.septet_program, self.directory = aws, outputs, septet, directory
        self.sqs, self.dynamodb = aws.client("sqs"), aws.client("dynamodb")
        self.operator = user(aws, outputs, "recovery-operator", [outputs["OperatorPolicyArn"]])
        # On a whole period, so that the counts of it are whole as well.
        self.end = int(time.time()) // PERIOD * PERIOD
        self.events = events(self.end)
        self.queue = self.sqs.create_queue(QueueName=FEED)["QueueUrl"]
        self.dynamodb.create_table(
            TableName=FEED,
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.dynamodb.get_waiter("table_exists").wait(TableName=FEED, WaiterConfig={"Delay": 1, "MaxAttempts": 60})

    def septet(self, *arguments, code=0):
        """Runs the septet command as the operator, shows what it prints, and answers it."""
        say(f"\n$ septet {shlex.join(arguments)}")
        done = self._run(*arguments)
        say((done.stdout + done.stderr).rstrip())
        if done.returncode != code:
            raise DemoError(f"`septet {shlex.join(arguments)}` ended with exit code {done.returncode}")

    def ask(self, *arguments):
        """The JSON that the septet command prints, whatever it thinks of it."""
        done = self._run(*arguments, "--json")
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise DemoError(f"`septet {shlex.join(arguments)}`: {done.stderr}") from None

    def _run(self, *arguments):
        command = [self.septet_program, *arguments]
        return subprocess.run(command, env=self.operator, capture_output=True, text=True, timeout=PATIENCE, check=False)

    # ------------------------------------------------------------ the live feed

    def tell(self, since, until_):
        """Lets a part of the story pass: seconds from its beginning."""
        begin = self.end - TOLD
        for period in range(since, until_, PERIOD):
            due = [event for event in self.events if begin + period <= event["at"] < begin + period + PERIOD]
            if not due:
                continue
            # In the middle of the period, whatever the time since the last.
            self._set_clock(begin + period + PERIOD // 2)
            for start in range(0, len(due), 10):
                entries = [
                    {"Id": str(number), "MessageBody": json.dumps(event)}
                    for number, event in enumerate(due[start : start + 10])
                ]
                self.sqs.send_message_batch(QueueUrl=self.queue, Entries=entries)

    def _set_clock(self, moment):
        self.aws.settings(metrics={"behind_seconds": max(time.time() - moment, 0.0)})

    def alarm(self):
        """The state of the alarm on silence, and what it says."""
        alarm = self.aws.client("cloudwatch").describe_alarms(AlarmNames=["septet-silent-feed"])["MetricAlarms"][0]
        return alarm["StateValue"], alarm["AlarmDescription"]

    def be_silent(self):
        """Lets hours pass without a message until the alarm speaks; answers after how many."""
        begin, end = (self.end - TOLD + part for part in SILENT)
        self._set_clock(begin)
        until("the alarm is content with the live feed", lambda: self.alarm()[0] == "OK")
        for hours in range(1, (end - begin) // HOUR):
            self._set_clock(begin + hours * HOUR)
            # As long as the alarms' clock takes to look.
            time.sleep(0.3)
            if self.alarm()[0] == "ALARM":
                return hours
        raise DemoError("four days of silence, and no alarm")

    # ------------------------------------------------------------ the recovery

    def kill_workers(self, stopped):
        """Ends a worker every second and a half, by kill -9, at another point of its work each; answers how many."""
        points = [
            ("SendMessageBatch", "after"),
            ("PutItem", "after"),
            ("SendMessageBatch", "before"),
            ("PutItem", "before"),
        ]
        killed = 0
        while killed < KILLS and not stopped.wait(1.5):
            action, when = points[killed % len(points)]
            fault = self.aws.kill(self.outputs["BackfillFunction"], action, when)
            while not self.aws.fired(fault) and not stopped.wait(0.1):
                pass
            killed += len(self.aws.fired(fault))
            self.aws.fire_schedule(self.outputs["RecoverySweepSchedule"])
        while not stopped.wait(2):
            # What the schedule does every minute; nobody wants to wait for it here.
            self.aws.fire_schedule(self.outputs["RecoverySweepSchedule"])
        return killed

    @contextlib.contextmanager
    def killed_workers(self):
        """Kills workers for as long as the block runs; yields what says how many."""
        stopped, killed = threading.Event(), []
        thread = threading.Thread(target=lambda: killed.append(self.kill_workers(stopped)), daemon=True)
        thread.start()
        try:
            yield lambda: killed[0]
        finally:
            stopped.set()
            thread.join()

    def stored(self):
        """What the consumer's table holds, by id."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=FEED, ConsistentRead=True)
        items = (from_item(item) for page in pages for item in page["Items"])
        return {item["id"]: item for item in items}

    def play(self):
        """The whole act; answers what came of it."""
        with third_party(self.directory, {FEED: self.events}) as party:
            file = self.directory / "ratings.json"
            sink = {"type": "sqs", "queue_url": self.queue}
            budget = {"calls": 40, "per": "second", "reserve_percent": 20}
            file.write_text(json.dumps(party.feed(FEED, name=FEED, sink=sink, api_budget=budget), indent=2))
            self.septet("feed", "put", str(file))
            consumer = Consumer(self.aws, self.queue, FEED)
            consumer.start()
            try:
                return self._play(consumer)
            finally:
                consumer.stop()
                self.aws.settings(metrics={"behind_seconds": 0.0})

    def _play(self, consumer):
        self.tell(0, SILENT[0])
        say("\nThe live feed is silent. Nobody has noticed yet.")
        hours = self.be_silent()
        say(f"After {hours} hours of its time, the alarm: {self.alarm()[1]}")
        say("Four days later the live feed is back.")
        self.tell(SILENT[1], TOLD)
        self.aws.settings(metrics={"behind_seconds": 0.0})
        until("the live feed's messages are taken", lambda: len(consumer.live) == self._count(lambda at: not lost(at)))

        threshold = ("--longer-than", f"{SILENT_AFTER // HOUR}h")
        self.septet("backfill", "gaps", FEED, *threshold, code=1)
        (gap,) = self.ask("backfill", "gaps", FEED, *threshold)
        span = ("--from", gap["from"], "--to", gap["to"])
        self.septet("backfill", "plan", FEED, *span)
        began = time.monotonic()
        with self.killed_workers() as killed:
            self.septet("backfill", "start", FEED, *span, "--reason", "the live feed was silent for four days")
            until("the run is over", lambda: self._run_state() in ("succeeded", "failed"))
        seconds = round(time.monotonic() - began, 2)
        # The consumer has what was sent before the run was over; the rest of it is on its way.
        until("the consumer is through", lambda: self._waiting() == 0)
        self.septet("backfill", "status", FEED)
        status = self.ask("backfill", "status", FEED)["progress"]
        self.septet("backfill", "verify", FEED, "--table", FEED)
        self.septet("backfill", "gaps", FEED, *threshold)
        return {
            **self._compare(consumer, status),
            "workers_killed": killed(),
            "alarm_after_hours": hours,
            "gap": {name: gap[name] for name in ("from", "to", "command")},
            "seconds": seconds,
        }

    def _compare(self, consumer, status):
        truth, stored = {event["id"]: event for event in self.events}, self.stored()
        gone = {event["id"] for event in self.events if lost(event["at"] - self.end + TOLD)}
        right = {id for id, event in truth.items() if stored.get(id) == event}
        return {
            "events": len(truth),
            "lost": len(gone),
            "recovered": len(gone & right),
            "missing": len(truth) - len(right),
            "unexpected": len(set(stored) - set(truth)),
            "doubled": consumer.doubled,
            "windows": status["windows"],
            "suspect": status["suspect"],
        }

    def _count(self, told):
        return sum(told(event["at"] - self.end + TOLD) for event in self.events)

    def _run_state(self):
        runs = self.ask("backfill", "list", FEED)
        return runs[0]["state"] if runs else None

    def _waiting(self):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=names)["Attributes"]
        return sum(int(value) for value in answer.values())


def lost(at):
    """Whether the live feed loses what happens then, in seconds from the story's beginning."""
    return SILENT[0] <= at < SILENT[1]
