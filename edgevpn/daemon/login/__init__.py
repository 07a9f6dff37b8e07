"""Who may come in: devices, keys, certificates, and what the core asks about them."""
