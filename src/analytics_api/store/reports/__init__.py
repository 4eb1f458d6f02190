"""Reports over a window of time: measures by a property, visits, pages, people."""
