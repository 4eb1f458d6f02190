"""Who is asking: API keys, the local sandbox, and what each may do."""
