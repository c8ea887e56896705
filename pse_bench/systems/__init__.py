"""Systems: loading, running and measuring them."""
