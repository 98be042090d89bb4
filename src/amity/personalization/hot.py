"""The personalization engine's door for the edge: decide, and log it, without Django."""
