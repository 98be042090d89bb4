"""From a request to the event log: who is let in, what an event means, what is kept apart."""
