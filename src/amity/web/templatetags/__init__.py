"""Tags every template may load."""
