"""From the log to profiles and all that follows from them, in turns."""
