"""Networks as they are served: bytes in, labels out, all arithmetic inside."""
