"""What the octets on the wire mean: one small class per structure of RFC 7296 §3."""
