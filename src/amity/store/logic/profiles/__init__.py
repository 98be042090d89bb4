"""What is known of a customer, now and at some day: profiles, traits and their claims."""
