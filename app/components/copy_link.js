// navigator.clipboard exists only on https and localhost; elsewhere a selected field and the old command do it.
async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text)
  const field = el('textarea')
  field.value = text
  field.readOnly = true
  field.style.cssText = 'position:fixed;opacity:0'
  document.body.append(field)
  field.select()
  const done = document.execCommand('copy')
  field.remove()
  if (!done) throw new Error('The browser refused to copy.')
}

export default function ({ data, parentElement }) {
  const button = el('button')
  button.type = 'button'
  const icon = el('span', 'icon', data.icon)
  icon.ariaHidden = 'true'
  const label = el('span', '', data.label)
  const status = el('span', 'spoken')
  status.setAttribute('role', 'status')
  button.append(icon, label)

  const say = (symbol, words) => {
    icon.textContent = symbol
    label.textContent = words
    status.textContent = symbol === data.icon ? '' : words
  }
  let timer
  button.onclick = async () => {
    const text = data.link ? new URL(data.text, location.href).href : data.text
    try {
      await copy(text)
      say('check', 'Copied')
    } catch {
      say('error', 'Could not copy')
    }
    button.focus()
    clearTimeout(timer)
    timer = setTimeout(() => say(data.icon, data.label), 1600)
  }
  parentElement.querySelector('.root').replaceChildren(button, status)
}
