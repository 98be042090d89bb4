"""The local mailbox as a mail client."""
