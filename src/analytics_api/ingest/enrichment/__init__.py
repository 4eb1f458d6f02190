"""What an address, a user agent and a page say about an event, found without asking anybody else."""
