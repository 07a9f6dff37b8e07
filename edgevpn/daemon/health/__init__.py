"""The doctor, and what it says of a gateway and its machine."""
