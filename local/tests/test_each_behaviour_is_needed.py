"""Each behaviour has tests, and all of them fail on a local AWS that lacks just this behaviour."""

import importlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import stack
from support import DEFAULTS, PROOFS, Impatience

HERE = Path(__file__).parent
# More than the processors: most of what a failing test does is wait.
AT_ONCE = 4


def load_all_proofs() -> None:
    for path in HERE.glob("test_*.py"):
        if "@proves(" in path.read_text() and path != Path(__file__):
            importlib.import_module(path.stem)


load_all_proofs()


def survivors(behaviour: str) -> list[str]:
    """The tests of a behaviour that pass without it."""
    with stack.local_aws(without=(behaviour,)) as aws:
        return [test.__name__ for test in PROOFS[behaviour] if passes(test, aws)]


def passes(test, aws) -> bool:
    try:
        test(aws)
    except Exception:
        return False
    finally:
        aws.settings(**DEFAULTS)
        aws.clear_faults()
    return True


@pytest.fixture(scope="module")
def verdicts():
    """What each behaviour's absence leaves standing; worked out for several at a time."""
    patience, Impatience.seconds = Impatience.seconds, 3.0
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            behaviours = sorted(PROOFS)
            yield dict(zip(behaviours, pool.map(survivors, behaviours), strict=True))
    finally:
        Impatience.seconds = patience


@pytest.mark.parametrize("behaviour", sorted(PROOFS))
def test_the_tests_of_a_behaviour_fail_without_it(verdicts, behaviour):
    assert verdicts[behaviour] == []


def test_every_behaviour_has_a_test(aws):
    names = aws.control("GET", "behaviours")
    assert sorted(PROOFS) == sorted(names)
