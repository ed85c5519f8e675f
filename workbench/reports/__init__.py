"""Documents for people, made from results."""
