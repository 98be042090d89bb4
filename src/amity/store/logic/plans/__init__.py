"""What events should look like, what they do look like, and how well they come."""
