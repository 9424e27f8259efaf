"""One local AWS for all tests of this folder."""

import pytest
import stack
from support import DEFAULTS


@pytest.fixture(scope="session")
def aws():
    """A local AWS with every behaviour. Tests share it: they use names of their own and restore settings."""
    with stack.local_aws() as started:
        yield started


@pytest.fixture(autouse=True)
def defaults(request):
    """Puts settings back and forgets faults after a test that used the shared local AWS."""
    yield
    if "aws" in request.fixturenames:
        started = request.getfixturevalue("aws")
        started.settings(**DEFAULTS)
        started.clear_faults()
