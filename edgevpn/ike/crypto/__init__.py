"""Keys, ciphers and key exchanges of IKEv2."""
