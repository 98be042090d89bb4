"""The store's own reasoning; entered only through its doors."""
