"""The steps of intake: `check_*` may reject an event, `put_*` fills something in, `drop_*` takes something out."""
