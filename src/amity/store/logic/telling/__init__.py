"""What others tell of customers: call centres, data vendors, expert systems."""
