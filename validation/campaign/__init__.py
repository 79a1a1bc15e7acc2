"""Many training runs for one claim: planned, run, recorded, gone on with, told on a page."""
