"""Mail as others' programs see it: headers, bodies, signatures, SMTP, the local mailbox."""
