"""Many runs at once: what is to be sampled, by whom, and what became of it."""
