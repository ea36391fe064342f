"""Floor 7: the table of systems and engines, and running a job."""
