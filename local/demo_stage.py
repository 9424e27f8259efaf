"""What the acts of the demo share: saying, waiting, and people with permissions of their own."""

import json
import time

PATIENCE = 90.0  # seconds until what should happen by itself is given up


class DemoError(RuntimeError):
    """The demo could not go on."""


def say(text=""):
    print(text, flush=True)


def until(what, condition, patience=PATIENCE, pause=0.1):
    """Waits until the condition answers something true, and returns it."""
    deadline = time.monotonic() + patience
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise DemoError(f"waited {patience:.0f} s in vain until {what}")
        time.sleep(pause)
    return found


def user(aws, outputs, name, policies, own_policy=None):
    """An IAM user with these policies; answers the environment of its processes."""
    iam = aws.client("iam")
    iam.create_user(UserName=name)
    for policy in policies:
        iam.attach_user_policy(UserName=name, PolicyArn=policy)
    if own_policy:
        iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=json.dumps(own_policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {
        **aws.environment(),
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        "SEPTET_REGISTRY_TABLE": outputs["RegistryTable"],
        "SEPTET_PUBLISH_QUEUE_URL": outputs["PublishQueueUrl"],
        "SEPTET_RECOVERY_QUEUE_URL": outputs["RecoveryQueueUrl"],
        "SEPTET_LOOPBACK_FEEDS": "allowed",
        "SEPTET_ACTOR": name,
    }
