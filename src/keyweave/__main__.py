"""`python -m keyweave` is `keyweave`."""

from keyweave.cli.main import entry

entry()
