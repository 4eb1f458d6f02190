/* Before the first paint, so that a dark page does not flash white. */
try {
  const theme = localStorage.getItem('theme')
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
} catch {
  /* Storage is blocked: the system's colours it is. */
}
