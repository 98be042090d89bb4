"""What carries the engines: settings, the database, jobs, processes, secrets, telemetry."""
