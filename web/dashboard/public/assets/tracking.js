/* Comes only where the server counts how its own dashboard is used: events name pages, never what these show or ask for. */
{
  const plain = (text) =>
    text
      .replace(/[?#].*| · .*/, '')
      .replace(/\/p\/[^/]+/, '/p/:project')
      .replace(/\/users\/.+/, '/users/:id')
  const strip = (named) => {
    for (const name of ['url', 'path', 'referrer', 'title']) if (named[name]) named[name] = plain(named[name])
  }
  ;(window.analytics ||= []).push([
    'onEvent',
    (event) => {
      strip(event.event_data)
      strip(event.context.page)
    },
  ])
  // On every panel; an attribute there would be in the first load of those who are not counted.
  document.addEventListener('click', ({ target }) => {
    if (target.closest?.('[aria-label$=" as a file"]')) window.analytics.push(['trackFeatureUsage', 'file'])
  })
}
