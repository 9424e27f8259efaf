"""The deployed stack, driven from outside: people, functions, queues, and what the local AWS can be told."""

import contextlib
import itertools
import json
import subprocess
from dataclasses import dataclass, field

import stack
from botocore.config import Config
from waiting import until

ACCOUNT = "000000000000"
OPERATOR, READER = "OperatorPolicyArn", "ReaderPolicyArn"
# Messages of killed functions, and leases of dead ones, end after ten seconds; sweeps come when a test asks for one.
DATASET_TABLES = "*-????"
FEED_SINKS = "feed*"
PARAMETERS = {
    # Names of datasets' tables here end so, and the registry's does not: what is allowed on tables is not allowed on it.
    "DatasetTables": DATASET_TABLES,
    "OnPublishTimeoutSeconds": "10",
    "PublishVisibilitySeconds": "10",
    "ShareFromItems": "100000",
    "PruneSchedule": "rate(12 hours)",
    # No queue of Septet's own has such a name, and the registry neither.
    "FeedQueues": FEED_SINKS,
    "FeedTables": FEED_SINKS,
    "BackfillTimeoutSeconds": "10",
    "RecoveryVisibilitySeconds": "12",
    "RecoverySweepSchedule": "rate(12 hours)",
}
ONCE = Config(retries={"total_max_attempts": 1})

_numbers = itertools.count(1)


@dataclass
class Person:
    """Somebody with credentials of his own."""

    aws: stack.LocalAws
    credentials: dict[str, str]

    def client(self, service: str, **options):
        """A client that acts as this person and does not try again by itself."""
        return self.aws.client(service, **{"config": ONCE, **self.credentials, **options})

    def environment(self) -> dict[str, str]:
        """What a process of this person needs."""
        names = {
            "aws_access_key_id": "AWS_ACCESS_KEY_ID",
            "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY",
            "aws_session_token": "AWS_SESSION_TOKEN",
        }
        return {**self.aws.environment(), **{names[name]: value for name, value in self.credentials.items()}}


@dataclass
class Answer:
    """What a function answered."""

    payload: dict
    failed: bool

    @property
    def error(self) -> str:
        """The kind and message of the error that the function ended with."""
        assert self.failed, f"the function did not fail: {self.payload}"
        return f"{self.payload.get('errorType')}: {self.payload.get('errorMessage')}"


@dataclass
class Cloud:
    """The local AWS with Septet deployed to it."""

    aws: stack.LocalAws
    outputs: dict[str, str]
    programs: dict[str, str]
    datasets: list = field(default_factory=list)

    def __post_init__(self) -> None:
        self.registry_table = self.outputs["RegistryTable"]
        self.queue = self.outputs["PublishQueueUrl"]
        self.dead_letters = self.outputs["PublishDeadLettersUrl"]
        self.on_publish = self.outputs["OnPublishFunction"]
        self.prune = self.outputs["PruneFunction"]
        self.recovery_queue = self.outputs["RecoveryQueueUrl"]
        self.recovery_dead_letters = self.outputs["RecoveryDeadLettersUrl"]
        self.backfill = self.outputs["BackfillFunction"]
        self.dynamodb, self.sqs = self.aws.client("dynamodb"), self.aws.client("sqs")
        registry = f"arn:aws:dynamodb:{stack.REGION}:{ACCOUNT}:table/{self.registry_table}"
        tables = f"arn:aws:dynamodb:{stack.REGION}:{ACCOUNT}:table/*"
        anything = {"Effect": "Allow", "Action": "dynamodb:*", "Resource": [tables, f"{tables}/import/*"]}
        bucket = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}
        signals = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}
        not_ours = {"Effect": "Deny", "Action": "dynamodb:*", "Resource": registry}
        # What a data science team may do with its own tables: anything. So the seal is all that stands in its way.
        self.publisher = self.person("publisher", statements=[anything, bucket, signals, not_ours])
        self.operator = self.person("operator", policies=[self.outputs[OPERATOR]])
        self.reader = self.person("reader", policies=[self.outputs[READER]])

    # ------------------------------------------------------------ people

    def person(self, name: str, policies: list[str] = (), statements: list[dict] = ()) -> Person:
        """A new IAM user with these managed policies and statements."""
        iam, name = self.aws.client("iam"), f"{name}-{next(_numbers)}"
        iam.create_user(UserName=name)
        for policy in policies:
            iam.attach_user_policy(UserName=name, PolicyArn=policy)
        if statements:
            document = {"Version": "2012-10-17", "Statement": list(statements)}
            iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=json.dumps(document))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        credentials = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
        return Person(self.aws, credentials)

    @contextlib.contextmanager
    def in_the_role(self, role_arn: str):
        """Somebody who got hold of a function's role: a session of it, for as long as its trust is widened."""
        iam, name = self.aws.client("iam"), role_arn.rpartition("/")[2]
        trust = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        anybody = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
        widened = {**trust, "Statement": [*trust["Statement"], anybody]}
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(widened))
        try:
            given = self.aws.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="test")["Credentials"]
            credentials = {
                "aws_access_key_id": given["AccessKeyId"],
                "aws_secret_access_key": given["SecretAccessKey"],
                "aws_session_token": given["SessionToken"],
            }
            yield Person(self.aws, credentials)
        finally:
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))

    # ------------------------------------------------------------ commands and functions

    def septet(self, *arguments: str, who: Person | None = None, code: int | None = 0) -> subprocess.CompletedProcess:
        """Runs the septet command, as the operator unless somebody else is named; ``code`` is what it must end with."""
        environment = {
            **(who or self.operator).environment(),
            "SEPTET_REGISTRY_TABLE": self.registry_table,
            "SEPTET_PUBLISH_QUEUE_URL": self.queue,
            "SEPTET_RECOVERY_QUEUE_URL": self.recovery_queue,
        }
        command = [self.programs["septet"], *map(str, arguments)]
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
        )
        assert code is None or done.returncode == code, (
            f"{' '.join(command[1:])} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        )
        return done

    def described(self, table: str) -> dict:
        """What DescribeTable answers of a table."""
        return self.dynamodb.describe_table(TableName=table)["Table"]

    def policy_of(self, table: str) -> str | None:
        """A table's resource policy; nothing if it has none."""
        try:
            return self.dynamodb.get_resource_policy(ResourceArn=self.described(table)["TableArn"])["Policy"]
        except self.dynamodb.exceptions.PolicyNotFoundException:
            return None

    def invoke(self, function: str, event) -> Answer:
        """Invokes a function and waits for its answer."""
        client = self.aws.client("lambda", config=Config(retries={"total_max_attempts": 1}, read_timeout=90))
        answer = client.invoke(FunctionName=function, Payload=json.dumps(event))
        return Answer(json.load(answer["Payload"]), "FunctionError" in answer)

    @contextlib.contextmanager
    def timeout(self, function: str, seconds: int):
        """Invocations of a function may take so long."""
        client = self.aws.client("lambda")
        before = client.get_function_configuration(FunctionName=function)["Timeout"]
        client.update_function_configuration(FunctionName=function, Timeout=seconds)
        try:
            yield
        finally:
            client.update_function_configuration(FunctionName=function, Timeout=before)

    def look(self, table: str) -> Answer:
        """Has on-publish look at a table at once, as a reminder does."""
        return self.invoke(self.on_publish, {"look_at": table, "reason": "a test asks"})

    def sweep(self, dataset: str, **options) -> dict:
        """Has prune sweep one dataset, and returns its summary; nothing may fail."""
        answer = self.invoke(self.prune, {"dataset": dataset, **options})
        assert not answer.failed, answer.payload
        assert answer.payload["failed"] == [], answer.payload
        return answer.payload

    def fire_sweep(self) -> None:
        """Lets the schedule start a sweep now."""
        self.aws.fire_schedule(self.outputs["PruneSchedule"])

    def broken(self, *datasets: str) -> str:
        """How the registry is broken, by the invariants of septet-registry; nothing if it is whole."""
        environment = {**self.aws.environment(), "SEPTET_REGISTRY_TABLE": self.registry_table}
        command = [self.programs["invariants"], *datasets]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        return "" if done.returncode == 0 else done.stdout + done.stderr

    def log_of(self, function: str) -> list[str]:
        """What a function has logged."""
        name = function.removeprefix(f"{stack.STACK_NAME}-")
        pages = self.aws.client("logs").get_paginator("filter_log_events")
        pages = pages.paginate(logGroupName=f"/septet/{stack.STACK_NAME}/{name}")
        return [event["message"] for page in pages for event in page["events"]]

    # ------------------------------------------------------------ queues

    def send(self, message, queue: str | None = None, who: Person | None = None) -> None:
        """Puts a message onto the publish queue, as the publisher; text goes as it is."""
        body = message if isinstance(message, str) else json.dumps(message)
        (who or self.publisher).client("sqs").send_message(QueueUrl=queue or self.queue, MessageBody=body)

    def waiting(self, queue: str | None = None) -> int:
        """Messages that are in a queue or being handled; not those that are delayed."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.sqs.get_queue_attributes(QueueUrl=queue or self.queue, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    def until_drained(self) -> None:
        """Waits until every message of the publish queue that is not delayed has been handled."""
        until("the publish queue is empty", lambda: self.waiting() == 0)

    def take(self, queue: str) -> list[str]:
        """Takes everything out of a queue."""
        bodies = []
        while True:
            answer = self.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
            if not answer.get("Messages"):
                return bodies
            for message in answer["Messages"]:
                bodies.append(message["Body"])
                self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])

    @contextlib.contextmanager
    def paused(self):
        """Messages of the publish queue wait for so long."""
        client = self.aws.client("lambda")
        (mapping,) = client.list_event_source_mappings(FunctionName=self.on_publish)["EventSourceMappings"]
        client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        try:
            yield
        finally:
            client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)

    def redrive(self) -> None:
        """Moves the dead letters of the publish queue back to it, and waits until that is done."""
        names = ["QueueArn"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.dead_letters, AttributeNames=names)["Attributes"]["QueueArn"]
        self.sqs.start_message_move_task(SourceArn=arn)

        def over() -> bool:
            return self.sqs.list_message_move_tasks(SourceArn=arn)["Results"][0]["Status"] != "RUNNING"

        until("the dead letters are moved back", over)

    @contextlib.contextmanager
    def visibility(self, seconds: int):
        """Messages of the publish queue that fail come again after so long."""
        name, url = "VisibilityTimeout", self.queue
        before = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"]
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={name: str(seconds)})
        try:
            yield
        finally:
            self.sqs.set_queue_attributes(QueueUrl=url, Attributes=before)

    # ------------------------------------------------------------ everything in the registry

    def registry_items(self) -> dict[tuple[str, str], dict]:
        """Every item of the registry by its keys."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.registry_table, ConsistentRead=True)
        return {(item["pk"]["S"], item["sk"]["S"]): item for page in pages for item in page["Items"]}


def build_programs() -> dict[str, str]:
    """Builds the septet command and the examples that the tests run; answers where they lie."""
    command = [
        "cargo", "build", "--message-format", "json-render-diagnostics",
        "--workspace", "--bin", "septet", "--example", "follow", "--example", "invariants",
    ]  # fmt: skip
    environment = stack.cargo_environment()
    done = subprocess.run(command, cwd=stack.ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    messages = map(json.loads, done.stdout.splitlines())
    return {
        message["target"]["name"]: message["executable"]
        for message in messages
        if message.get("reason") == "compiler-artifact" and message.get("executable")
    }


@contextlib.contextmanager
def deployed_cloud():
    """Builds the functions and programs, starts a local AWS and deploys the template to it."""
    programs, built = build_programs(), stack.build()
    with stack.local_aws() as aws:
        yield Cloud(aws, stack.deploy(aws, PARAMETERS, built), programs)
