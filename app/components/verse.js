export default function ({ data, parentElement }) {
  const { prompt, now, was, gap, tail, size } = data
  const line = el('p', size)
  line.dir = 'auto'
  const [before, subject, behind] = prompt
  line.append(before)
  if (subject) line.append(el('span', 'subject', subject), behind)
  if (now || was) {
    line.append(gap)
    line.append(overwritten(was, now))
  }
  line.append(tail)
  parentElement.querySelector('.root').replaceChildren(line)
}
