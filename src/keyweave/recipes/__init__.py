"""How the embedded models were made: one recipe each, run by `keyweave train`."""
