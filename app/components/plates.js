function plate(item, data, host, send) {
  const row = el('li', item.id === data.current ? 'current' : '')
  const button = el('button', 'plate')
  button.type = 'button'
  if (data.layout === 'rail') button.title = item.title // two lines of it are shown
  button.append(thumbnail(item, host))
  const body = el('span', 'body')
  if (item.over) body.append(el('span', 'above', item.over))
  body.append(el('span', 'title', item.title))
  if (item.sub) body.append(el('span', 'sub', item.sub))
  button.append(body)
  button.onclick = () => send('open', item.id)
  if (item.id === data.current) button.setAttribute('aria-current', 'true')
  button.dataset.focus = `open ${item.id}`
  row.append(button)

  if (data.layout === 'rail') {
    const marked = data.marked.includes(item.id)
    const mark = el('button', 'mark')
    mark.type = 'button'
    mark.ariaPressed = String(marked)
    mark.ariaLabel = `Compare ${[item.title, item.sub].filter(Boolean).join(', ')}`
    mark.title = 'Mark two runs to see them side by side'
    mark.append(el('span', 'box', marked ? '✓' : ''))
    mark.onclick = () => send('mark', item.id)
    mark.dataset.focus = `mark ${item.id}`
    row.append(mark)
  }
  return row
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector('.root')
  const focused = parentElement.activeElement?.dataset.focus
  const list = el('ul', data.layout)
  list.setAttribute('role', 'list')
  list.append(...data.items.map(item => plate(item, data, parentElement.host, setTriggerValue)))
  root.replaceChildren(list)
  if (focused) [...root.querySelectorAll('button')].find(button => button.dataset.focus === focused)?.focus()
}
