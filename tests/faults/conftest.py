"""What the attacks share: a place where they happen, and a count of what came of them."""

import pytest
from attack import Watch, storm, tally


@pytest.fixture
def watch(tmp_path, cache, monkeypatch):
    """Looks at calls that may write in its ``work`` and in the cache."""
    looking = Watch(tmp_path / "room", (cache,))
    monkeypatch.chdir(looking.work)
    return looking


@pytest.fixture
def times(pytestconfig):
    """How often as many inputs as in an everyday run: ``--faults N``."""
    return pytestconfig.getoption("faults")


@pytest.fixture
def attacked(watch, times):
    """``attacked(name, count, one)``: :func:`attack.storm`, as long as was asked."""
    return lambda name, count, one, **how: storm(watch, name, count * times, one, **how)


def pytest_terminal_summary(terminalreporter):
    if terminalreporter.config.getoption("faults") > 1:
        for name, verdicts in sorted(tally.items()):
            told = ", ".join(f"{count} {kind}" for kind, count in verdicts.most_common())
            terminalreporter.write_line(f"{name}: {sum(verdicts.values())} inputs: {told}")
        total = sum(sum(verdicts.values()) for verdicts in tally.values())
        terminalreporter.write_line(f"together: {total} inputs")
