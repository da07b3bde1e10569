export default function ({ data, parentElement }) {
  const { prompt, subject, now, was, tail, size } = data
  const line = el('p', size)
  const at = subject ? prompt.indexOf(subject) : -1
  if (at < 0) line.append(prompt)
  else line.append(prompt.slice(0, at), el('span', 'subject', subject), prompt.slice(at + subject.length))
  if (now || was) {
    if (prompt && !/\s$/.test(prompt)) line.append(' ')
    line.append(overwritten(was, now))
  }
  line.append(tail)
  parentElement.querySelector('.root').replaceChildren(line)
}
