// Shared by every element: text goes in by textContent only, so a prompt can never become markup.
function el(tag, className = '', text = '') {
  const node = document.createElement(tag)
  if (className) node.className = className
  if (text) node.textContent = text
  return node
}

// `now` written over `was`, as if scraped. A single word stands alone in its own colour.
function overwritten(was, now) {
  const box = el('span', 'answer')
  if (was && now) {
    const under = el('span', 'under', was)
    const over = el('span', 'over', now)
    under.ariaHidden = over.ariaHidden = 'true'
    box.append(under, over, el('span', 'spoken', `${now}, written over ${was}`))
    box.setAttribute('role', 'text')
    box.ariaLabel = `${now}, written over ${was}`
  } else {
    box.classList.add('alone')
    box.append(el('span', now ? 'over' : 'before', now || was))
  }
  return box
}
