"""From a submission to a result, and what follows from results."""
