"""The tracking plan: events checked against what their project expects, warnings counted, broken events kept aside."""
