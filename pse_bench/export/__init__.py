"""Datasets in the layouts that other toolkits read, and test sets of other projects as plans.

What is written are plain files: none of those toolkits needs to be installed.
"""
