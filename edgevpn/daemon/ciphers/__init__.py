"""Which ciphers this machine is good at, and which are offered for that."""
