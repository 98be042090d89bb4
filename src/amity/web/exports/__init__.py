"""Exports: which segments go to files and databases, when, and how many they were."""
