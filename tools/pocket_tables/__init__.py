"""For maintainers: the rules by which the committed tables of the pocket corpus are made.

From the root of a checkout, `PYTHONPATH=tools .venv/bin/python -m pocket_tables` fetches the
packages and writes pocket.csv and pocket_tasks.csv anew; the library reads those tables alone.
"""
