"""Conformance kits, factories and fixtures, shipped so that others can test their plug-ins."""
