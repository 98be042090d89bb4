"""The endpoints of the control API, one module a subject; importing one fills the table."""
