"""From a scenario to a plan: every random choice of every scene."""
