"""Every statement of every policy is needed: without it, something that Septet does fails.

A scenario is one thing that Septet does, short and from outside; it raises ``Broken`` if it does not work. Each
statement names the scenarios that need it. With one statement taken away one of its scenarios must break, and the same
for every single action of a statement that has several. At the end, with everything as deployed, all scenarios work.
"""

import contextlib
import json

import pytest
from ageing import age
from botocore.exceptions import ClientError
from cloud import DATASET_TABLES, FEED_SINKS, Cloud
from dataset import Dataset, item, table_arn, table_parameters
from feed import SHORT, SHORT_RECORDS, Feed
from policies import queue_url, statements_of_the_template, with_tables_of_any_name, without_action, without_statement
from publishers import PASSES, asking, function
from waiting import until

STATEMENTS = statements_of_the_template()

NOT_HERE = {
    ("TrailBucketPolicy", "TrailLooks"): "CloudTrail asks for it when a trail is made",
    ("TrailBucketPolicy", "TrailWrites"): "CloudTrail asks for it when a trail is made",
}
"""Statements of what the local AWS cannot deploy: it has no trails, so `CreateTrail` must stay false on it."""


WORKS, FAILS = 20.0, 2.5
"""Seconds until what should happen by itself is taken for broken: where it should work, and where it should not."""


class Broken(AssertionError):
    """Something that Septet does does not work."""


def check(works: object, what: str, seen: object = "") -> None:
    """Raises ``Broken`` unless it works."""
    if not works:
        raise Broken(f"{what}: {seen}")


class Stage:
    """What the scenarios work on."""

    def __init__(self, cloud: Cloud, party, directory) -> None:
        self.cloud, self.party, self.directory = cloud, party, directory
        self.set = Dataset(cloud, directory, "may")
        self.imports = Dataset(cloud, directory, "mayimport")
        self.tags = Dataset(cloud, directory, "maytag")
        self.quiet = Dataset(cloud, directory, "mayrest")
        self.pruned = Dataset(cloud, directory, "mayprune")
        self.put = Dataset(cloud, directory, "mayput")
        self.read = Dataset(cloud, directory, "mayread")
        self.asks = Dataset(cloud, directory, "mayask")
        asking(self.asks, function(cloud, self.asks.name, PASSES), keepNewest=100)
        self.set.put_contract(keepNewest=100)
        self.imports.put_contract(keepNewest=100, readiness=["import"])
        self.tags.put_contract(keepNewest=100, readiness=["tag"])
        self.quiet.put_contract(keepNewest=100, readiness=["quiet"], quietMinutes=1)
        self.pruned.put_contract(keepNewest=1)
        self.read.put_contract(keepNewest=100)
        self._revision = 0
        self.patience = WORKS

    def until(self, what: str, look):
        """Waits a while; what does not happen in it is broken."""
        try:
            return until(what, look, self.patience)
        except AssertionError as error:
            raise Broken(str(error)) from None

    # ------------------------------------------------------------ on-publish

    def publish(self, dataset: Dataset | None = None) -> str:
        """A signal makes a table live."""
        dataset = dataset or self.set
        table = dataset.written()
        answer = self.cloud.invoke(self.cloud.on_publish, {"table": table})
        check(not answer.failed and answer.payload["state"] == "valid", "on-publish", answer.payload)
        check(dataset.live_table() == table, "the table is not live", answer.payload)
        return table

    def publish_while_policies_take_their_time(self) -> None:
        """The seal is proved by nothing but the table's own policy, and waited for."""
        self.cloud.aws.settings(tables={"policy_seconds": 0.5})
        try:
            self.publish()
        finally:
            self.cloud.aws.settings(tables={"policy_seconds": 0.0})

    def publish_by_tag(self) -> None:
        """A tagged table goes live."""
        table = self.tags.written()
        found = self.cloud.described(table)
        ready = {"Key": "septet:ready", "Value": found["TableId"]}
        self.cloud.publisher.client("dynamodb").tag_resource(ResourceArn=found["TableArn"], Tags=[ready])
        answer = self.cloud.look(table)
        check(not answer.failed and answer.payload["state"] == "valid", "on-publish", answer.payload)

    def publish_by_import(self) -> None:
        """An imported table goes live."""
        cloud, table = self.cloud, self.imports.new_table()
        s3 = cloud.aws.client("s3")
        s3.create_bucket(Bucket=f"bucket-{table}")
        s3.put_object(Bucket=f"bucket-{table}", Key="items", Body=json.dumps({"Item": item(1)}).encode())
        cloud.publisher.client("dynamodb").import_table(
            S3BucketSource={"S3Bucket": f"bucket-{table}"},
            InputFormat="DYNAMODB_JSON",
            TableCreationParameters=table_parameters(table),
        )
        until("the table is imported", lambda: self.imports.status(table) == "ACTIVE")
        answer = cloud.look(table)
        check(not answer.failed and answer.payload["state"] == "valid", "on-publish", answer.payload)

    def publish_when_quiet(self) -> None:
        """A table that nothing is written to any more goes live."""
        table = self.quiet.written()
        age(self.quiet, minutes=10)
        answer = self.cloud.look(table)
        check(not answer.failed and answer.payload["state"] == "valid", "on-publish", answer.payload)

    def publish_with_a_function(self) -> None:
        """A function of the publisher's is asked, and says yes."""
        self.publish(self.asks)

    def put_back(self) -> None:
        """A signal for a table that cannot be found yet is put back onto the queue."""
        answer = self.cloud.invoke(self.cloud.on_publish, {"table": self.set.new_table()})
        check(not answer.failed and answer.payload["ending"] == "later", "on-publish", answer.payload)

    def keep_refused_signal(self) -> None:
        """A message that is no signal is kept in the dead letters."""
        record = {"messageId": "bad", "body": '{"tabel": 7}', "attributes": {}, "messageAttributes": {}}
        said = len(self.cloud.log_of(self.cloud.on_publish))
        answer = self.cloud.invoke(self.cloud.on_publish, {"Records": [record]})
        lines = self.cloud.log_of(self.cloud.on_publish)[said:]
        check(answer.payload == {"batchItemFailures": []}, "it was not kept", lines)
        check(self.cloud.take(self.cloud.dead_letters) == ['{"tabel": 7}'], "it is not in the dead letters")

    def take_from_the_queue(self) -> None:
        """A signal on the queue is taken and taken off it."""
        table = self.set.written()
        self.cloud.send({"table": table})
        self.until("the signal is taken", lambda: self.set.live_table() == table)
        self.until("the signal is off the queue", lambda: self.cloud.waiting() == 0)

    def log_of_on_publish(self) -> None:
        """on-publish's lines are kept."""
        self._is_logged(self.cloud.on_publish, {"look_at": self.set.new_table(), "reason": "a test asks"})

    def log_of_prune(self) -> None:
        """prune's lines are kept."""
        self._is_logged(self.cloud.prune, {"dataset": self.set.name, "dry_run": True})

    def log_of_backfill(self) -> None:
        """backfill's lines are kept."""
        self._is_logged(self.cloud.backfill, {"sweep": True})

    def _is_logged(self, function: str, event: dict) -> None:
        # Not how many lines there are: of many the first are dropped.
        before = self.cloud.log_of(function)[-1:]
        self.cloud.invoke(function, event)
        self.until("it is logged", lambda: self.cloud.log_of(function)[-1:] != before)

    def never_the_registry_by_on_publish(self) -> None:
        """Whoever gets hold of the role cannot seal the registry, whatever tables may hold datasets."""
        self._registry_is_safe("OnPublishRole")

    def never_the_registry_by_prune(self) -> None:
        """Whoever gets hold of the role cannot unprotect the registry, whatever tables may hold datasets."""
        self._registry_is_safe("PruneRole")

    def _registry_is_safe(self, role: str) -> None:
        cloud = self.cloud
        with (
            with_tables_of_any_name(cloud, role, DATASET_TABLES),
            cloud.in_the_role(cloud.outputs[f"{role}Arn"]) as person,
        ):
            try:
                # It is protected already, so nothing changes even if nobody refuses.
                person.client("dynamodb").update_table(TableName=cloud.registry_table, DeletionProtectionEnabled=True)
            except ClientError as error:
                check("explicit deny" in error.response["Error"]["Message"], "refused otherwise", error)
                return
        raise Broken("the role could change the registry")

    # ------------------------------------------------------------ prune

    def retire_and_delete(self) -> None:
        """Of two versions the older one's table is deleted."""
        self._delete_the_older(self.publish(self.pruned))

    def delete_what_0_1_0_sealed(self) -> None:
        """A table whose seal has no id, as release 0.1.0 sealed them, is deleted when its time has come."""
        cloud, old = self.cloud, self.publish(self.pruned)
        policy = json.loads(cloud.policy_of(old))
        policy["Statement"] = [one for one in policy["Statement"] if not one["Sid"].startswith("SeptetSealId")]
        with cloud.in_the_role(cloud.outputs["OnPublishRoleArn"]) as person:
            person.client("dynamodb").put_resource_policy(ResourceArn=table_arn(old), Policy=json.dumps(policy))
        version = self.pruned.version_of(old)
        self.pruned.items_by_hand.remove(version["sk"], "seal_id")
        self._delete_the_older(old)

    def _delete_the_older(self, old: str) -> None:
        self.publish(self.pruned)
        for _ in range(3):
            self.sweep(self.pruned)
            if self.pruned.state_of(old) == "deleted":
                break
        check(self.pruned.state_of(old) == "deleted", "the old version is", self.pruned.state_of(old))
        self.until("its table is gone", lambda: self.pruned.status(old) is None)

    def remind(self) -> None:
        """A table that nobody told of is found."""
        table = self.set.create()
        summary = self.sweep(self.set)
        found = [one["step"]["table"] for one in summary["done"] if one["step"]["do"] == "remind"]
        check(table in found, "the sweep did not find it", summary)

    def sweep(self, dataset: Dataset) -> dict:
        answer = self.cloud.invoke(self.cloud.prune, {"dataset": dataset.name, "max_deletions": 100})
        check(not answer.failed and not answer.payload["failed"], "prune", answer.payload)
        return answer.payload

    # ------------------------------------------------------------ backfill

    def recover(self) -> None:
        """A range on the recovery queue comes back."""
        self._recovers(Feed(self.cloud, self.party, self.directory).put())

    def take_from_the_recovery_queue(self) -> None:
        """A range on the recovery queue is taken and taken off it."""
        self.recover()
        self.until("the messages are off the queue", lambda: self.cloud.waiting(self.cloud.recovery_queue) == 0)

    def recover_into_table(self) -> None:
        """A range comes back into a table."""
        self._recovers(Feed(self.cloud, self.party, self.directory).put_into_table())

    def recover_with_a_secret(self) -> None:
        """A range comes back from a source that is shown a secret of Secrets Manager."""
        self.cloud.aws.client("secretsmanager").create_secret(Name=self._secret(), SecretString='{"token": "t0ken"}')
        authentication = {"type": "bearer", "secret": f"secretsmanager:{self._secret_name}#token"}
        self._recovers(Feed(self.cloud, self.party, self.directory).put(authentication=authentication))

    def recover_with_a_parameter(self) -> None:
        """A range comes back from a source that is shown a parameter of Systems Manager."""
        self.cloud.aws.client("ssm").put_parameter(Name=f"/{self._secret()}", Value="t0ken", Type="SecureString")
        authentication = {"type": "bearer", "secret": f"ssm:/{self._secret_name}"}
        self._recovers(Feed(self.cloud, self.party, self.directory).put(authentication=authentication))

    def _secret(self) -> str:
        self._revision += 1
        self._secret_name = f"septet/token-{self._revision}"
        return self._secret_name

    def _recovers(self, feed: Feed) -> None:
        cloud, said = self.cloud, len(self.cloud.log_of(self.cloud.backfill))
        cloud.send(feed.range(*SHORT), cloud.recovery_queue, cloud.operator)
        try:
            self.until("the run is over", lambda: feed.state() == "succeeded")
        except Broken as broken:
            lines = [line for line in cloud.log_of(cloud.backfill)[said:] if '"ERROR"' in line or '"WARN"' in line]
            raise Broken(f"{broken}; backfill said: {lines}") from None
        found = feed.stored() if feed.table else feed.injected()
        check(len(found) == SHORT_RECORDS, "not all came back", found)

    def keep_refused(self) -> None:
        """A range that cannot be followed is kept in the dead letters."""
        record = {"messageId": "bad", "body": '{"feed": 7}', "attributes": {}, "messageAttributes": {}}
        said = len(self.cloud.log_of(self.cloud.backfill))
        answer = self.cloud.invoke(self.cloud.backfill, {"Records": [record]})
        lines = self.cloud.log_of(self.cloud.backfill)[said:]
        check(answer.payload == {"batchItemFailures": []}, "it was not kept", lines)
        check(self.cloud.take(self.cloud.recovery_dead_letters) == ['{"feed": 7}'], "it is not in the dead letters")

    def never_a_version_by_backfill(self) -> None:
        """Whoever gets hold of the role writes no version and no pointer, whatever tables may take records."""
        cloud = self.cloud
        with (
            with_tables_of_any_name(cloud, "BackfillRole", FEED_SINKS),
            cloud.in_the_role(cloud.outputs["BackfillRoleArn"]) as person,
        ):
            item = {"pk": {"S": f"DATASET#{self.set.name}"}, "sk": {"S": "POINTER#mine"}}
            try:
                # Under a condition that nothing meets, so that nothing changes even if nobody refuses.
                person.client("dynamodb").put_item(
                    TableName=cloud.registry_table, Item=item, ConditionExpression="attribute_exists(pk)"
                )
            except ClientError as error:
                check("explicit deny" in error.response["Error"]["Message"], "refused otherwise", error)
                return
        raise Broken("the role could write a pointer")

    def backfill_role(self) -> None:
        """backfill can have its role."""
        self.function_with_the_role("BackfillRole")

    # ------------------------------------------------------------ what delivers

    def scheduled_sweep(self) -> None:
        """The schedule starts a sweep."""
        self._is_started("PruneSchedule", self.cloud.prune, "PruneScheduleDeadLetters")

    def scheduled_recovery_sweep(self) -> None:
        """The schedule starts a sweep of recoveries."""
        self._is_started("RecoverySweepSchedule", self.cloud.backfill, "RecoverySweepDeadLetters")

    def _is_started(self, schedule: str, function: str, dead_letters: str) -> None:
        aws, letters = self.cloud.aws, queue_url(self.cloud, dead_letters)
        aws.clear_faults()
        aws.fire_schedule(self.cloud.outputs[schedule])
        seen = self.until("a sweep starts", lambda: aws.calls(function) or self.cloud.take(letters))
        check(aws.calls(function), "the sweep was not started", seen)

    def undelivered_sweep(self) -> None:
        """A sweep that cannot be started is kept in the dead letters."""
        self._is_kept("PruneSchedule", "PruneScheduleRole", "PruneScheduleDeadLetters")

    def undelivered_recovery_sweep(self) -> None:
        """A sweep of recoveries that cannot be started is kept in the dead letters."""
        self._is_kept("RecoverySweepSchedule", "RecoverySweepRole", "RecoverySweepDeadLetters")

    def _is_kept(self, schedule: str, role: str, dead_letters: str) -> None:
        letters = queue_url(self.cloud, dead_letters)
        with without_statement(self.cloud, role, "StartSweeps"):
            self.cloud.aws.fire_schedule(self.cloud.outputs[schedule])
            self.until("the sweep leaves a trace", lambda: self.cloud.take(letters))

    def table_record(self) -> None:
        """The record of a new table reaches on-publish."""
        table = self.noticed_table()
        letters = queue_url(self.cloud, "TableRecordsDeadLetters")
        seen = self.until("the table is noticed", lambda: self.set.state_of(table) or self.cloud.take(letters))
        check(self.set.state_of(table), "the record was not delivered", seen)

    def undelivered_record(self) -> None:
        """A record that cannot be delivered is kept in the dead letters."""
        letters = queue_url(self.cloud, "TableRecordsDeadLetters")
        with without_statement(self.cloud, "PublishQueuePolicy", "RuleDelivers"):
            self.noticed_table()
            self.until("the record leaves a trace", lambda: self.cloud.take(letters))

    def noticed_table(self) -> str:
        self.cloud.aws.settings(cloudtrail={"enabled": True, "delay": 0.0})
        table = self.set.create()
        self.cloud.aws.settings(cloudtrail={"enabled": False})
        return table

    def function_with_the_role(self, role: str) -> None:
        """A stack can give the role to a function."""
        cloudformation = self.cloud.aws.client("cloudformation")
        function = {
            "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": self.cloud.outputs[f"{role}Arn"],
            "Code": {"ZipFile": "nothing"},
        }  # fmt: skip
        resources = {"Function": {"Type": "AWS::Lambda::Function", "Properties": function}}
        self._revision += 1
        name = f"role-{self._revision}"
        cloudformation.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": resources}))

        def status() -> str | None:
            found = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
            return None if found.endswith("IN_PROGRESS") else found

        seen = self.until("the stack is there", status)
        check(seen == "CREATE_COMPLETE", "the function cannot have the role", seen)

    def on_publish_role(self) -> None:
        """on-publish can have its role."""
        self.function_with_the_role("OnPublishRole")

    def prune_role(self) -> None:
        """prune can have its role."""
        self.function_with_the_role("PruneRole")

    # ------------------------------------------------------------ people and services

    def operator_puts_a_contract(self) -> None:
        """An operator puts a contract for tables of a new pattern and sees the versions."""
        self._revision += 1
        pattern = f"{self.put.name}-{self._revision}-*"
        self.put.directory.joinpath("contract").write_text(json.dumps(self.put.contract(tablePattern=pattern)))
        put = self.cloud.septet("contract", "put", self.put.directory / "contract", code=None)
        check(put.returncode == 0 and "not known" not in put.stderr, "contract put", put.stderr)
        self.septet("versions", self.put.name)

    def operator_checks_a_table(self) -> None:
        """An operator checks a table before anything is published."""
        self.septet("check", "--table", self.set.written())

    def operator_checks_with_a_function(self) -> None:
        """An operator has a function asked, too."""
        done = self.cloud.septet("check", "--table", self.asks.written(), "--with-lambda", code=None)
        check(done.returncode == 0, "check", done.stdout + done.stderr)

    def operator_signals(self) -> None:
        """An operator says that a table is complete."""
        self.septet("publish", self.set.written())
        # The queue by its name, for who does not know its URL.
        self.septet("publish", self.set.written(), "--publish-queue", self.cloud.queue.rpartition("/")[2])

    def operator_starts_a_recovery(self) -> None:
        """An operator starts a recovery, with the queue by its URL and by its name."""
        feed = Feed(self.cloud, self.party, self.directory).put()
        again = ["backfill", "start", feed.name, "--from", SHORT[0], "--to", SHORT[1], "--reason", "a test asks"]
        self.septet(*again)
        self.septet(*again, "--recovery-queue", self.cloud.recovery_queue.rpartition("/")[2])

    def operator_redrives(self) -> None:
        """An operator looks at the dead letters, has them moved back, and stops a move that takes too long."""
        sqs, letters = self.cloud.sqs, self.cloud.recovery_dead_letters
        # An order of a run that there is not: backfill does nothing about it.
        order = json.dumps({"feed": "nobody", "run": "00000000-0000-8000-8000-000000000000", "lane": 0})
        sqs.send_message(QueueUrl=letters, MessageBody=order)
        self.septet("backfill", "letters", "--limit", "1")
        self.septet("backfill", "redrive", "--yes", "--limit", "1")
        for _ in range(30):
            sqs.send_message(QueueUrl=letters, MessageBody=order)
        urls = {"SourceArn": letters, "DestinationArn": self.cloud.recovery_queue}
        arns = {name: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"]) for name, url in urls.items()}
        arns = {name: answer["Attributes"]["QueueArn"] for name, answer in arns.items()}
        task = sqs.start_message_move_task(**arns, MaxNumberOfMessagesPerSecond=1)["TaskHandle"]
        try:
            self.septet("backfill", "redrive", "--stop")
        finally:
            # What an operator could not stop would be in the way of the next.
            with contextlib.suppress(ClientError):
                sqs.cancel_message_move_task(TaskHandle=task)
            sqs.purge_queue(QueueUrl=letters)

    def operator_finds_gaps(self) -> None:
        """An operator asks when the live queue was silent."""
        feed = Feed(self.cloud, self.party, self.directory).put()
        self.cloud.send("a message of the live feed", feed.queue)
        self.septet("backfill", "gaps", feed.name)

    def operator_verifies_a_table(self) -> None:
        """An operator compares a table with the source."""
        feed = Feed(self.cloud, self.party, self.directory).put_into_table()
        self._recovers(feed)
        self.septet("backfill", "verify", feed.name, "--table", feed.table)

    def operator_moves_the_pointer(self) -> None:
        """An operator points readers back, and at another version, and ends the hold."""
        reason = ("--reason", "a test asks", "--yes")
        # What an attempt that broke left.
        self.cloud.septet("release", self.read.name, *reason, code=None)
        for _ in range(3):
            self.publish(self.read)
        self.septet("rollback", self.read.name, *reason)
        good = [one["version"] for one in self.read.versions() if "withdrawn" not in one]
        other = next(number for number in good if number != self.read.pointer()["version"])
        self.septet("point", self.read.name, str(other), *reason)
        self.septet("release", self.read.name, *reason)

    def septet(self, *arguments) -> None:
        done = self.cloud.septet(*arguments, code=None)
        check(done.returncode == 0, " ".join(map(str, arguments)), done.stderr)

    def reader_reads(self) -> None:
        """A service follows the pointer, reads the table in every way, and gives a sign of life."""
        if not self.read.pointer():
            self.publish(self.read)
        dynamodb, registry = self.cloud.reader.client("dynamodb"), self.cloud.registry_table
        dataset = f"DATASET#{self.read.name}"
        try:
            pointer = dynamodb.get_item(TableName=registry, Key={"pk": {"S": dataset}, "sk": {"S": "POINTER#live"}})
            table = pointer["Item"]["table"]["S"]
            beat = {"pk": {"S": f"{dataset}#READERS"}, "sk": {"S": "READER#api"}, "expires_at": {"N": "1"}}
            dynamodb.put_item(TableName=registry, Item=beat)
            dynamodb.get_item(TableName=table, Key={"id": {"S": "i-000001"}})
            dynamodb.batch_get_item(RequestItems={table: {"Keys": [{"id": {"S": "i-000001"}}]}})
            dynamodb.query(
                TableName=table, KeyConditionExpression="id = :id", ExpressionAttributeValues={":id": {"S": "i-000001"}}
            )
        except ClientError as error:
            raise Broken(f"the reader: {error}") from None


NEEDED_BY = {
    ("OnPublishRole", "LambdaRuns"): Stage.on_publish_role,
    ("OnPublishRole", "ReadRegistry"): Stage.publish,
    ("OnPublishRole", "WriteRegistry"): Stage.publish,
    ("OnPublishRole", "InspectTables"): [Stage.publish, Stage.publish_by_tag],
    ("OnPublishRole", "SealTables"): Stage.publish,
    ("OnPublishRole", "ProveSeals"): Stage.publish_while_policies_take_their_time,
    ("OnPublishRole", "InspectImports"): Stage.publish_by_import,
    ("OnPublishRole", "FindImports"): Stage.publish_by_import,
    ("OnPublishRole", "NeverSealRegistry"): Stage.never_the_registry_by_on_publish,
    ("OnPublishRole", "AskFunctions"): Stage.publish_with_a_function,
    ("OnPublishRole", "TakeSignals"): Stage.take_from_the_queue,
    ("OnPublishRole", "LookAgainLater"): Stage.put_back,
    ("OnPublishRole", "KeepRefused"): Stage.keep_refused_signal,
    ("OnPublishRole", "MeasureTables"): Stage.publish_when_quiet,
    ("OnPublishRole", "WriteLogs"): Stage.log_of_on_publish,
    ("PruneRole", "LambdaRuns"): Stage.prune_role,
    ("PruneRole", "ReadRegistry"): Stage.retire_and_delete,
    ("PruneRole", "WriteRegistry"): Stage.retire_and_delete,
    ("PruneRole", "ListTables"): Stage.remind,
    ("PruneRole", "InspectTables"): Stage.retire_and_delete,
    ("PruneRole", "DeleteRetiredTables"): [Stage.retire_and_delete, Stage.delete_what_0_1_0_sealed],
    ("PruneRole", "NeverDeleteRegistry"): Stage.never_the_registry_by_prune,
    ("PruneRole", "SendReminders"): Stage.remind,
    ("PruneRole", "WriteLogs"): Stage.log_of_prune,
    ("PruneScheduleRole", "SchedulerActs"): Stage.scheduled_sweep,
    ("PruneScheduleRole", "StartSweeps"): Stage.scheduled_sweep,
    ("PruneScheduleRole", "KeepUndelivered"): Stage.undelivered_sweep,
    ("BackfillRole", "LambdaRuns"): Stage.backfill_role,
    ("BackfillRole", "ReadLedger"): Stage.recover,
    ("BackfillRole", "WriteLedger"): Stage.recover,
    ("BackfillRole", "NeverWriteVersions"): Stage.never_a_version_by_backfill,
    ("BackfillRole", "TakeWork"): Stage.take_from_the_recovery_queue,
    ("BackfillRole", "GoOn"): Stage.recover,
    ("BackfillRole", "KeepRefused"): Stage.keep_refused,
    ("BackfillRole", "FillQueues"): Stage.recover,
    ("BackfillRole", "FillTables"): Stage.recover_into_table,
    ("BackfillRole", "ReadSecrets"): Stage.recover_with_a_secret,
    ("BackfillRole", "ReadParameters"): Stage.recover_with_a_parameter,
    ("BackfillRole", "WriteLogs"): Stage.log_of_backfill,
    ("RecoverySweepRole", "SchedulerActs"): Stage.scheduled_recovery_sweep,
    ("RecoverySweepRole", "StartSweeps"): Stage.scheduled_recovery_sweep,
    ("RecoverySweepRole", "KeepUndelivered"): Stage.undelivered_recovery_sweep,
    ("PublishQueuePolicy", "RuleDelivers"): Stage.table_record,
    ("TableRecordsDeadLettersPolicy", "RuleKeepsUndelivered"): Stage.undelivered_record,
    ("OperatorPolicy", "ReadRegistry"): Stage.operator_puts_a_contract,
    ("OperatorPolicy", "WriteRegistry"): [Stage.operator_puts_a_contract, Stage.operator_moves_the_pointer],
    ("OperatorPolicy", "ListTables"): Stage.operator_puts_a_contract,
    ("OperatorPolicy", "InspectTables"): [Stage.operator_checks_a_table, Stage.operator_moves_the_pointer],
    ("OperatorPolicy", "AskFunctions"): Stage.operator_checks_with_a_function,
    ("OperatorPolicy", "SignalTables"): Stage.operator_signals,
    ("OperatorPolicy", "FindGaps"): Stage.operator_finds_gaps,
    ("OperatorPolicy", "VerifyRecords"): Stage.operator_verifies_a_table,
    ("OperatorPolicy", "StartRecoveries"): [Stage.operator_starts_a_recovery, Stage.operator_redrives],
    ("OperatorPolicy", "RedriveLetters"): Stage.operator_redrives,
    ("ReaderPolicy", "FollowPointers"): Stage.reader_reads,
    ("ReaderPolicy", "SendHeartbeats"): Stage.reader_reads,
    ("ReaderPolicy", "ReadDatasets"): Stage.reader_reads,
}


def scenarios_of(statement: tuple[str, str]) -> list:
    """The scenarios that need a statement."""
    found = NEEDED_BY[statement]
    return found if isinstance(found, list) else [found]


ALL_SCENARIOS = list(dict.fromkeys(scenario for one in NEEDED_BY for scenario in scenarios_of(one)))


@pytest.fixture(scope="module")
def prepared(shared_cloud, party, tmp_path_factory) -> Stage:
    """Datasets for the scenarios, and a third party."""
    return Stage(shared_cloud, party, tmp_path_factory.mktemp("permissions"))


@pytest.fixture
def stage(cloud, prepared: Stage) -> Stage:
    """The stage with a quiet local AWS: tables are there at once, and records come when a scenario asks for them."""
    cloud.aws.settings(cloudtrail={"enabled": False}, tables={"creating_seconds": 0.0, "deleting_seconds": 0.0})
    prepared.patience = WORKS
    return prepared


SILENT = {
    Stage.take_from_the_queue, Stage.log_of_on_publish, Stage.log_of_prune, Stage.scheduled_sweep,
    Stage.undelivered_sweep, Stage.table_record, Stage.undelivered_record, Stage.on_publish_role, Stage.prune_role,
    Stage.never_the_registry_by_on_publish, Stage.never_the_registry_by_prune, Stage.log_of_backfill,
    Stage.scheduled_recovery_sweep, Stage.undelivered_recovery_sweep, Stage.backfill_role,
    Stage.never_a_version_by_backfill, Stage.take_from_the_recovery_queue,
}  # fmt: skip
"""Scenarios in which AWS does something or leaves it, and no program of ours is there to say what is missing."""


def assert_breaks(stage: Stage, statement: tuple[str, str]) -> None:
    """One of the scenarios of a statement does not work now, and who meets that says that permission is missing."""
    stage.patience = FAILS
    for scenario in scenarios_of(statement):
        try:
            scenario(stage)
        except Broken as broken:
            says = str(broken).lower()
            assert scenario in SILENT or "permission is missing" in says or "accessdenied" in says, says
            return
    raise AssertionError("nothing needs it: take it out of template.yaml")


def test_every_statement_is_looked_at():
    assert set(STATEMENTS) == set(NEEDED_BY) | set(NOT_HERE)


@pytest.mark.parametrize("statement", NEEDED_BY, ids="-".join)
def test_without_this_statement_something_fails(stage, statement):
    with without_statement(stage.cloud, *statement):
        assert_breaks(stage, statement)
    leave_nothing(stage)


@pytest.mark.parametrize(
    ("statement", "action"),
    [(one, action) for one in NEEDED_BY for action in STATEMENTS[one] if len(STATEMENTS[one]) > 1],
    ids=lambda value: value.partition(":")[2] if isinstance(value, str) else "-".join(value),
)
def test_without_this_action_something_fails(stage, statement, action):
    with without_action(stage.cloud, *statement, action):
        assert_breaks(stage, statement)
    leave_nothing(stage)


def leave_nothing(stage: Stage) -> None:
    """Takes away what a scenario that broke left on the queues."""
    for resource in ("PruneScheduleDeadLetters", "RecoverySweepDeadLetters", "TableRecordsDeadLetters"):
        stage.cloud.take(queue_url(stage.cloud, resource))
    for queue in (stage.cloud.recovery_queue, stage.cloud.recovery_dead_letters):
        stage.cloud.sqs.purge_queue(QueueUrl=queue)


@pytest.mark.parametrize("scenario", ALL_SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_with_every_statement_back_it_works(stage, scenario):
    scenario(stage)


def test_a_reader_cannot_write_what_other_readers_would_follow(stage):
    stage.reader_reads()
    key = {"pk": {"S": f"DATASET#{stage.read.name}"}, "sk": {"S": "POINTER#live"}}
    dynamodb = stage.cloud.reader.client("dynamodb")
    with pytest.raises(ClientError) as caught:
        dynamodb.put_item(TableName=stage.cloud.registry_table, Item={**key, "table": {"S": "mine"}})
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
