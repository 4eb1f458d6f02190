"""What is forgotten and when: retention now, erasure and export with a later issue."""
