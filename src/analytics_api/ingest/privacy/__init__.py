"""What intake does about personal data: the filter, the projects' policies, consent, visitor ids and the counts of all that."""
