"""One module per exchange of RFC 7296."""
