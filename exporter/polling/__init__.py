"""Which call is due, making it, and acting on the response."""
