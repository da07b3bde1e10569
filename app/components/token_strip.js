const SHOWN = { '\n': '⏎', '\r': '⏎', '\t': '⇥', ' ': '·' }
const legible = text => text.replace(/[\n\r]/g, '⏎').replace(/\t/g, '⇥')

const SPEAKERS = { system: 'system', you: 'you', model: 'answer', thinking: 'thinking' }

function option(token, index, roles) {
  const button = el('button')
  button.type = 'button'
  button.setAttribute('role', 'option')
  const word = el('span', 'word')
  word.dir = 'auto'
  const [edge] = token.match(/^\s*/)
  for (const space of edge) word.append(el('span', 'faint', SHOWN[space] ?? '·'))
  word.append(legible(token.slice(edge.length)) || (edge ? '' : '\u00a0'))
  const role = roles[index] ?? 'you'
  if (role !== 'you') button.classList.add('other')
  if (role in SPEAKERS && roles.length && roles[index - 1] !== role) button.append(el('span', 'speaker', SPEAKERS[role]))
  const star = el('span', 'star', '★')
  button.append(star, word, el('span', 'index', String(index)))
  return button
}

function paint(root) {
  const { subject, selected, active } = root.state
  root.querySelectorAll('button').forEach((button, i) => {
    const inside = subject !== null && i >= subject[0] && i < subject[1]
    button.classList.toggle('subject', inside)
    button.classList.toggle('selected', i === selected)
    button.setAttribute('aria-selected', String(inside))
    if (i === selected) button.setAttribute('aria-current', 'true')
    else button.removeAttribute('aria-current')
    button.tabIndex = i === active ? 0 : -1
    const word = root.state.tokens[i].trim() || (/[\n\r]/.test(root.state.tokens[i]) ? 'line break' : 'blank')
    const role = root.state.roles[i] ?? 'you'
    const whose = role === 'you' ? '' : `, ${SPEAKERS[role] ?? 'template'}`
    button.ariaLabel = `${word}, token ${i}${whose}${inside ? ', subject' : ''}${i === selected ? ', selected row' : ''}`
  })
}

function choose(root, index, { extend = false, move = false, focus = true, wait = 0 }) {
  const state = root.state
  state.active = state.selected = index
  const own = at => (state.roles[at] ?? 'you') === 'you'
  if (!own(index)) {
    move = true // a row of the map, never a subject
    extend = false
  }
  if (extend) {
    state.anchor ??= state.subject?.[0] ?? index
    state.subject = [Math.min(state.anchor, index), Math.max(state.anchor, index) + 1]
  } else if (!move) {
    state.anchor = index
    state.subject = [index, index + 1]
  }
  paint(root)
  if (focus) root.querySelectorAll('button')[index].focus()
  clearTimeout(state.timer)
  state.timer = setTimeout(() => {
    state.timer = undefined
    state.send('change', { subject: state.subject, selected: state.selected, count: state.tokens.length })
  }, wait)
}

function onKey(root, event) {
  const { active, tokens } = root.state
  const last = tokens.length - 1
  const steps = { ArrowLeft: active - 1, ArrowUp: active - 1, ArrowRight: active + 1, ArrowDown: active + 1, Home: 0, End: last }
  if (event.ctrlKey || event.metaKey || event.altKey) {
    if (event.key === 'Enter') event.preventDefault()
    return
  }
  if (!(event.key in steps)) return
  event.preventDefault()
  const index = Math.max(0, Math.min(last, steps[event.key]))
  if (index === active && !event.shiftKey) return
  choose(root, index, { extend: event.shiftKey, move: !event.shiftKey, wait: 300 })
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector('.root')
  const { tokens } = data
  const same = root.state && JSON.stringify([root.state.tokens, root.state.roles]) === JSON.stringify([tokens, data.roles])
  if (!same) {
    clearTimeout(root.state?.timer)
    root.state = { tokens, roles: data.roles, active: -1 }
    root.setAttribute('role', 'listbox')
    root.dir = 'ltr'
    root.ariaMultiSelectable = 'true'
    root.ariaOrientation = 'horizontal'
    root.ariaLabel = 'Subject: click a word; shift-click to extend'
    root.replaceChildren(...tokens.map((token, index) => option(token, index, data.roles)))
    root.onkeydown = event => onKey(root, event)
    root.onclick = event => {
      const button = event.target.closest('button')
      if (button) choose(root, [...root.children].indexOf(button), { extend: event.shiftKey })
    }
    root.onmousedown = event => event.shiftKey && event.preventDefault()
  }
  const state = root.state
  state.send = setTriggerValue
  if (!state.timer) {
    state.subject = data.subject
    state.selected = data.selected
    if (state.active < 0 || state.active >= tokens.length) state.active = data.selected ?? data.subject?.[0] ?? 0
    else if (!root.contains(parentElement.activeElement) && data.selected !== null) state.active = data.selected
    if (!data.subject || state.anchor < data.subject[0] || state.anchor >= data.subject[1]) state.anchor = data.subject?.[0]
  }
  paint(root)
}
