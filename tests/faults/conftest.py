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
def attacked(watch, pytestconfig):
    """``attacked(name, count, one)`` is :func:`attack.storm`; every day a sixth of ``count``."""
    times = pytestconfig.getoption("faults") / 6
    return lambda name, count, one, **how: storm(watch, name, round(count * times), one, **how)


def pytest_terminal_summary(terminalreporter):
    if terminalreporter.config.getoption("faults") > 1:
        for name, verdicts in sorted(tally.items()):
            told = ", ".join(f"{count} {kind}" for kind, count in verdicts.most_common())
            terminalreporter.write_line(f"{name}: {sum(verdicts.values())} inputs: {told}")
        total = sum(sum(verdicts.values()) for verdicts in tally.values())
        terminalreporter.write_line(f"together: {total} inputs")
