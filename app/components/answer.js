export default function ({ data, parentElement }) {
  const box = el('div', `answer ${data.tone}`)
  const line = el('div', 'line')
  line.append(el('span', 'word', data.word), el('span', 'number', data.number))
  box.append(el('div', 'label', data.label), line)
  parentElement.querySelector('.root').replaceChildren(box)
}
