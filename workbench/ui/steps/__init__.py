"""The four steps of an evaluation's set-up."""
