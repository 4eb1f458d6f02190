"""What leaves this machine over HTTP: one request and its fate, to public addresses only where somebody else names them."""
