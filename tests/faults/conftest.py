"""Options of the attacks: short unless more is asked for."""


def pytest_addoption(parser):
    parser.addoption("--kills", type=int, default=40, help="deaths of work of all kinds (40)")
