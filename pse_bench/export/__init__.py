"""Datasets in the layouts that other toolkits read: plain files, for which none of those has to be installed."""
