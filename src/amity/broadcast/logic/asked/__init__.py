"""Mail that a customer asked for: a link, a copy of her data, a sign-up to confirm."""
